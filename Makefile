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
# Notebooks are tested with connections beyond this machine forbidden, see conftest.py.
NBVAL := $(BUNDLED) $(BIN)/pytest $(XDIST) --dist loadfile --nbval-lax --nbval-sanitize-with tests/nbval.cfg
# 03 and 04 read what 02 writes, 09 what 08 writes.
FIRST := $(wildcard notebooks/02*.ipynb notebooks/08*.ipynb)
REST := $(filter-out $(FIRST),$(sort $(wildcard notebooks/*.ipynb)))

.PHONY: help env notebooks test check lab data refresh full bench lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

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
	$(if $(FIRST),$(NBVAL) $(FIRST))
	$(NBVAL) $(REST) tests

check: $(READY)  ## rules, formatting, and the tests that are not slow: a minute or two
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BUNDLED) $(BIN)/pytest $(XDIST) -m "not slow" tests

lab: $(READY)  ## JupyterLab in notebooks/
	$(BIN)/jupyter lab --notebook-dir notebooks

data: $(READY)  ## download every data set from its live source into local/ (python -m data list shows them)
	$(BIN)/python -m data download all

refresh: $(READY)  ## re-execute the notebooks in place on bundled data; update results/ and the README tables
	$(BUNDLED) $(BIN)/python -m tools.notebooks refresh $(NB)

full: $(READY)  ## run on local data (RNN_TRADING_DATA or local/) and keep the scores in results/full
	$(BIN)/python -m tools.notebooks full $(NB)

bench: $(READY)  ## timings, as ratios
	$(BIN)/python -m tools.bench

lock: $(READY)  ## resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra jax --extra test --generate-hashes \
		--no-emit-index-url --no-header --output-file requirements.lock pyproject.toml

clean:  ## remove the environment and everything in build/
	rm -rf $(ENV) build *.egg-info
