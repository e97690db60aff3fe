# Two commands: `make notebooks` runs every notebook on real data, `make test` proves them.
SHELL := /bin/bash
PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin
READY := $(ENV)/ready
NB ?=
PARAMETERS ?=
XDIST ?= -n auto
# What is committed and compared is made from bundled data: an empty folder name means "no local data".
BUNDLED := RNN_TRADING_DATA=
# Notebooks are tested with connections beyond this machine forbidden, and in the order of conftest.py: long ones first.
NBVAL := $(BUNDLED) $(BIN)/pytest $(XDIST) --dist loadfile --no-loadscope-reorder \
	--nbval-lax --nbval-sanitize-with tests/nbval.cfg
# 03 and 04 read what 02 writes, 09 what 08 writes: they come after all others, with the tests.
READERS := $(wildcard notebooks/03*.ipynb notebooks/04*.ipynb notebooks/09*.ipynb)
FIRST := $(filter-out $(READERS),$(sort $(wildcard notebooks/*.ipynb)))

# Environments beside the locked one: the site's, and the lowest and newest versions that pyproject.toml allows.
SITE_ENV := build/site-env
LINT_ENV := build/lint-env

.PHONY: help env notebooks test check lab data refresh full bench site test-lowest test-newest lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: $(READY)  ## create or update the environment from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit(f"Python 3.11 to 3.13 is needed, \
	this is {sys.version.split()[0]}: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(ENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

notebooks: $(READY)  ## run all notebooks, or NB="02 03"; PARAMETERS="-p name value" are passed to papermill
	$(BIN)/python -m tools.notebooks run $(NB) -- $(PARAMETERS)

test: $(READY)  ## unit and property tests, checks of the notebooks, and nbval over all of them
	$(NBVAL) $(FIRST)
	$(NBVAL) $(READERS) tests

check: $(READY) $(LINT_ENV)/ready  ## lint, schemas, and the tests without notebooks that are not marked slow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(LINT_ENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(LINT_ENV)/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml \
		.github/ISSUE_TEMPLATE/clarification.yml
	$(LINT_ENV)/bin/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BUNDLED) $(BIN)/pytest $(XDIST) -m "not slow" tests

lab: $(READY)  ## JupyterLab on copies of the notebooks in lab/
	$(BIN)/python -m tools.lab

data: $(READY)  ## download every data set from its live source into local/ (python -m data list shows them)
	$(BIN)/python -m data download all

refresh: $(READY)  ## re-execute the notebooks in place on bundled data; update results/ and the README tables
	$(BUNDLED) $(BIN)/python -m tools.notebooks refresh $(NB)

full: $(READY)  ## run on local data (RNN_TRADING_DATA or local/), keep the scores in results/full; PARAMETERS as above
	$(BIN)/python -m tools.notebooks full $(NB) -- $(PARAMETERS)

bench: $(READY)  ## timings, as ratios
	$(BIN)/python -m tools.bench

site: $(SITE_ENV)/ready  ## the notebooks as a website in build/site, from the outputs they hold
	$(SITE_ENV)/bin/python -m tools.site

build/%-env/ready: pyproject.toml
	test -x build/$*-env/bin/python || $(PYTHON) -m venv build/$*-env
	$(PYTHON) -m tools.group $* | xargs build/$*-env/bin/python -m pip install --quiet
	touch $@

test-lowest:  ## unit tests, 01 and 02 (or NB="05") with the lowest versions that pyproject.toml allows
	$(PYTHON) -m tools.versions lowest $(NB)

test-newest:  ## the same with the newest versions
	$(PYTHON) -m tools.versions newest $(NB)

lock: $(READY)  ## resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra data --extra run --extra jax --extra test --generate-hashes \
		--no-emit-index-url --no-header --output-file requirements.lock pyproject.toml

clean:  ## remove the environment and everything in build/
	rm -rf $(ENV) build *.egg-info
