"""The same code on Linux, macOS and Windows, as far as one machine can tell."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import scores

ROOT = Path(__file__).resolve().parent.parent
OWN = ("data", "features", "tools", "tests")
FILES = [*ROOT.glob("*.py"), *(path for name in OWN for path in (ROOT / name).rglob("*.py"))]
BENCHES = {"bench", "bench_filings"}
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in FILES
    if path.relative_to(ROOT).parts[0] != "tests"
    and path.stem not in {"__init__", "__main__", "conftest"} | BENCHES
)
TEXT = {".py", ".md", ".csv", ".toml", ".yml", ".json", ".lock", ".ipynb", ""}
# Imports as Windows answers them: what exists on Unix only fails, where our own files ask for it.
BLOCKER = """
import builtins, importlib, sys
real = builtins.__import__
UNIX = {{"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}}

def as_on_windows(name, globals=None, *rest, **options):
    file = (globals or {{}}).get("__file__") or ""
    if name in UNIX and file.startswith({root!r}) and "site-packages" not in file:
        raise ModuleNotFoundError(f"No module named {{name!r}}, as on Windows, in {{file}}")
    return real(name, globals, *rest, **options)

builtins.__import__ = as_on_windows
for module in {modules!r}:
    if module not in ("tools.site", "docs.site.conf"):
        importlib.import_module(module)
print("all imported")
"""


def without_encoding(tree):
    """Lines of calls that read or write text and leave its encoding to the machine."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        named = [word.value for word in node.keywords if word.arg == "mode"]
        modes = [word.value for word in [*node.args[1:2], *named] if isinstance(word, ast.Constant)]
        attribute = getattr(node.func, "attr", None)
        if attribute in ("read_text", "write_text"):
            yield node.lineno
        elif getattr(node.func, "id", None) == "open":
            # A mode that is computed is none of ours to judge.
            computed = len(node.args) > 1 and not modes
            if not computed and not any("b" in str(mode) for mode in modes):
                yield node.lineno
        elif attribute == "open" and any("t" in str(mode) for mode in modes):
            yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_file_is_opened_with_its_encoding(path):
    assert not list(without_encoding(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "code",
    ["open('a')", "open('a', 'w')", "p.read_text()", "p.write_text('a')", "gzip.open('a', 'rt')"],
)
def test_the_scan_sees_a_missing_encoding(code):
    assert list(without_encoding(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    ["open('a', 'rb')", "open('a', encoding='utf-8')", "gzip.open('a')", "archive.open('a')"],
)
def test_the_scan_lets_pass_what_is_right(code):
    assert not list(without_encoding(ast.parse(code)))


def test_no_module_needs_unix():
    """Every module of ours imports where the modules that only Unix has are missing."""
    script = BLOCKER.format(root=str(ROOT), modules=MODULES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert run.returncode == 0 and "all imported" in run.stdout, run.stderr[-2000:]


@pytest.mark.skipif(os.name == "nt", reason="asks what Unix counts")
@pytest.mark.parametrize("system, counted", [("linux", 3 * 2**10), ("darwin", 3 * 2**20)])
def test_peak_memory_is_in_megabytes_on_unix(system, counted, monkeypatch):
    """Linux counts kilobytes, macOS bytes."""
    monkeypatch.setattr(scores.sys, "platform", system)
    usage = SimpleNamespace(ru_maxrss=counted)
    monkeypatch.setattr("resource.getrusage", lambda who: usage)
    assert scores.peak_memory_mb() == 3


def test_peak_memory_is_in_megabytes_on_windows(monkeypatch):
    """psutil gives it there, in bytes."""
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=3 * 2**20))
    monkeypatch.setattr(scores.psutil, "Process", lambda: process)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert scores.peak_memory_mb() == 3


def crlf_copy(folder):
    """Our files in ``folder``, text among them with the line ends of Windows."""
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if (
            path.is_dir()
            or parts[0] not in (*OWN, "results", "notebooks", "docs")
            and len(parts) > 1
        ):
            continue
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in TEXT:
            target.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        else:
            shutil.copyfile(path, target)


@pytest.mark.skipif(os.name == "nt", reason="sets the locale as Unix does")
def test_a_checkout_of_windows_is_read(tmp_path):
    """CRLF, a blank and an umlaut in the folder, and a locale that is not UTF-8 (ASCII: stricter
    than Latin-1).
    """
    folder = tmp_path / "Übung eins"
    crlf_copy(folder)
    script = """
import locale, data
assert locale.getpreferredencoding(False).lower() not in ("utf-8", "utf8")
from tools.readme import rendered
from data.source import ROOT
text = (ROOT / "README.md").read_text(encoding="utf-8")
print(len(data.load_macro()), ascii(rendered(text) == text))
"""
    asked = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONPATH": str(folder),
    }
    environment = {**os.environ, **asked, "RNN_TRADING_DATA": "", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", script]
    run = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split()[-1] == "True"


def test_line_ends_are_fixed_in_every_checkout():
    lines = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert "* text=auto eol=lf" in lines


def test_notebooks_are_json_without_carriage_returns():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert b"\r\n" not in path.read_bytes()
        json.loads(path.read_text(encoding="utf-8"))
