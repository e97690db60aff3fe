"""The files that describe the project agree with each other and with what they describe."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

from scores import score_text
from tools.readme import pages

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = {"dask[distributed]": "dask"}
MODULES = [
    *(ROOT / f"{name}.py" for name in ("utils", "scores", "training")),
    *(ROOT / "features").rglob("*.py"),
    *(ROOT / "data").glob("*.py"),
]


def requirement(text):
    """(name, specifier) of a requirement."""
    name, specifier = re.fullmatch(
        r"([A-Za-z0-9-]+)(?:\[\w+\])?(.*)", text.split("#")[0].strip()
    ).groups()
    return name.lower(), specifier


def declared():
    extras = PROJECT["optional-dependencies"]
    groups = [extras[name] for name in ("data", "run", "jax", "test")]
    return dict(map(requirement, sum(groups, PROJECT["dependencies"])))


def conda():
    lines = re.findall(
        r"^ +- ([a-z][^:\n]*?)(?: +#.*)?$",
        (ROOT / "environment.yml").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    return {
        name: specifier
        for name, specifier in map(requirement, lines)
        if name not in ("conda-forge", "python", "pip")
    }


def locked():
    return dict(
        re.findall(
            r"^([a-z0-9-]+)==(\S+)",
            (ROOT / "requirements.lock").read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
    )


def imported(source):
    """Top names of the modules that ``source`` imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def test_what_notebooks_and_modules_import_is_a_dependency():
    """But for downloads and tools, which have groups of their own, and what a kernel brings."""
    sources = [path.read_text(encoding="utf-8") for path in MODULES]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        sources += [cell.source for cell in cells if cell.cell_type == "code"]
    names = {name for source in sources for name in imported(source)}
    of = packages_distributions()
    found = {of[name][0].lower().replace("_", "-") for name in names if name in of}
    named = {NAMES.get(name, name) for name, _ in map(requirement, PROJECT["dependencies"])}
    assert len(found) > 10 and found - named <= {"ipython", "rnn-for-trading"}


def test_conda_environment_lists_the_same_packages():
    assert conda() == declared()


def test_lock_has_every_direct_dependency():
    assert not set(declared()) - set(locked())
    for name, specifier in declared().items():
        if specifier.startswith("=="):
            assert locked()[name] == specifier[2:]


def test_lock_is_hashed_and_names_no_index():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[a-z0-9])", text):
        assert "--hash=sha256:" in block, block
    assert not re.search(r"index|find-links|://", text)


@pytest.mark.parametrize("file", ["pyproject.toml", "environment.yml"])
def test_every_dependency_says_what_needs_it(file):
    lines = re.findall(
        r'^ +(?:- |")[a-z][a-z0-9-]*(?:\[\w+\])?[>=]=.*$',
        (ROOT / file).read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert len(lines) > 20
    assert not [line for line in lines if "#" not in line and "python" not in line]


@pytest.mark.parametrize("path", ["README.md", "data/README.md", "results/README.md"])
def test_pages_are_rendered_from_the_results(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert pages()[ROOT / path] == text, "run: python -m tools.readme"


def test_every_score_is_on_the_page_of_results():
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "results").glob("*/*.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["scores"]:
            assert score_text(row) in page, (path.name, row)


def test_every_notebook_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{path.name}" in text


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "results").glob("*/*.json")),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_score_files_follow_the_agreement(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    always = {"notebook", "source", "seconds", "peak_mb", "scores"}
    assert set(result) - {"figures"} == always, "figures: counts for a picture, as of 08"
    assert result["notebook"] == path.stem
    assert ("(local)" in result["source"]) == (path.parent.name == "full")
    for row in result["scores"]:
        assert set(row) == {"task", "model", "metric", "value", "low", "high", "n"}
        assert re.fullmatch(r"[a-z0-9_]+", row["task"]) and row["n"] > 0
        assert row["low"] <= row["high"]


def test_make_help_lists_every_target():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[1].split())
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[0] for line in shown.splitlines()} == targets


def test_notebooks_under_test_cannot_reach_out(tmp_path):
    """In a kernel that nbval starts, in the folder of the notebook, with the environment of these
    tests.
    """
    first = "from socket import *\naddress = ('192.0.2.1', 80)\nsetdefaulttimeout(1)"
    ways = ["create_connection(address)", "socket().connect_ex(address)"]
    ways.append("socket(type=2).sendto(b'', address)")
    cells = [nbformat.v4.new_code_cell(source) for source in (first, *ways)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "curious.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--rootdir", tmp_path]
    run = subprocess.run(
        [*command, tmp_path / "curious.ipynb"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 1 and f"{len(ways)} failed, 1 passed" in run.stdout
    assert run.stdout.count("a notebook tried to reach 192.0.2.1") >= len(ways)


def tracked():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).exists()]


def test_repository_is_small():
    sizes = {path: path.stat().st_size for path in tracked()}
    assert sum(sizes.values()) < 15_000_000
    assert not [path for path, size in sizes.items() if size > 1_000_000]
