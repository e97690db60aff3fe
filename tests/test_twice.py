"""No six lines stand twice: not in modules, not in tests, not across notebook cells."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest

from tools.first_cell import ID

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("data", "features", "tools", "tests")
MODULES = [*ROOT.glob("*.py"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
RUN = 6


def telling_lines(source: str) -> list[tuple[int, str]]:
    """(number, text) of the lines that say something: no blanks, comments, imports, brackets."""
    skipped = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            skipped |= set(range(node.lineno, node.end_lineno + 1))
    lines = []
    for number, line in enumerate(source.splitlines(), 1):
        text = line.strip()
        if number not in skipped and re.search(r"\w", text) and not text.startswith("#"):
            lines.append((number, text))
    return lines


def runs_that_stand_twice(sources: dict[str, str]) -> list[str]:
    """Places, as "name:line name:line", where the same ``RUN`` telling lines follow each other."""
    places = defaultdict(list)
    for name, source in sources.items():
        lines = telling_lines(source)
        for start in range(len(lines) - RUN + 1):
            run = tuple(text for _, text in lines[start : start + RUN])
            places[run].append(f"{name}:{lines[start][0]}")
    return [" ".join(found) for found in places.values() if len(found) > 1]


def cells_of_notebooks() -> dict[str, str]:
    """Source of every code cell but the first, which is the same everywhere, by number and id."""
    sources = {}
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and cell.id != ID:
                sources[f"{path.name[:2]} {cell.id}"] = cell.source
    return sources


def test_no_six_lines_stand_twice_in_modules_and_tests():
    sources = {}
    for path in MODULES:
        sources[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    assert not runs_that_stand_twice(sources)


def test_no_six_lines_stand_twice_in_notebooks():
    assert not runs_that_stand_twice(cells_of_notebooks())


LINES = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nf = 6\n"
DEEPER = "import os\ndef g():\n    # the same\n    a = 1\n\n    b = 2\n    c = 3\n    d = 4\n    e = 5\n    f = 6\n"


@pytest.mark.parametrize("other", [LINES, DEEPER])
def test_a_copy_is_seen(other):
    assert runs_that_stand_twice({"one": LINES, "two": other})


@pytest.mark.parametrize("other", [LINES.replace("c", "x"), LINES.replace("f = 6\n", "")])
def test_what_differs_is_no_copy(other):
    assert not runs_that_stand_twice({"one": LINES, "two": other})
