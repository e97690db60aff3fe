"""How a notebook reads: short lines, few local functions, words between cells, small tables."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
WIDEST = 88
MOST_FUNCTIONS = 8
MOST_CELLS = 3
MOST_ROWS = 12
WIDTHS = {9, 12}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_of(path: Path) -> list:
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def definitions(cells: list) -> list:
    """Functions and classes at the top level of the cells."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = []
    for cell in cells:
        found += [node for node in ast.parse(cell.source).body if isinstance(node, kinds)]
    return found


def test_lines_are_short(path):
    for cell in code_of(path):
        for line in cell.source.splitlines():
            assert len(line) <= WIDEST, line


def test_functions_are_few_and_read_no_variable_of_the_notebook(path):
    """Only what a function is given, what it makes, other functions, and capital parameters."""
    cells = code_of(path)
    functions = definitions(cells)
    assert len(functions) <= MOST_FUNCTIONS, [function.name for function in functions]
    assigned = set()
    for cell in cells:
        for node in ast.parse(cell.source).body:
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.With)):
                for name in ast.walk(node):
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                        assigned.add(name.id)
    variables = {name for name in assigned if not name.isupper()}
    for function in functions:
        own = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
        read = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Name):
                read.add(node.id)
        assert not (read - own) & variables, (function.name, sorted((read - own) & variables))


def test_every_import_is_used(path):
    tree = ast.parse("\n".join(cell.source for cell in code_of(path)))
    imported, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imported |= {(name.asname or name.name).split(".")[0] for name in node.names}
        elif isinstance(node, ast.Name):
            used.add(node.id)
    # for what it does when it comes: no start-up notes
    assert imported - used <= {"training"}, imported - used


def test_words_follow_after_three_cells(path):
    run = 0
    for cell in nbformat.read(path, as_version=4).cells:
        run = run + 1 if cell.cell_type == "code" else 0
        assert run <= MOST_CELLS, cell.source


def test_one_comprehension_a_line_and_no_named_lambda(path):
    kinds = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for cell in code_of(path):
        tree = ast.parse(cell.source)
        lines = [node.lineno for node in ast.walk(tree) if isinstance(node, kinds)]
        assert len(lines) == len(set(lines)), cell.source
        for node in ast.walk(tree):
            named = isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
            assert not named, cell.source


def test_figures_have_two_widths(path):
    for cell in code_of(path):
        for width in re.findall(r"figsize=\((\d+\.?\d*)", cell.source):
            assert float(width) in WIDTHS, cell.source


def test_tables_are_short_and_whole(path):
    for cell in code_of(path):
        for output in cell.outputs:
            table = output.get("data", {}).get("text/html", "")
            rows = table.count("<tr") - table.partition("</thead>")[0].count("<tr")
            assert rows <= MOST_ROWS, cell.source
            assert "<td>...</td>" not in table, cell.source


def test_rendered_sentences_hide_their_code(path):
    for cell in code_of(path):
        if re.search(r"^\s*say\(|utils\.say\(", cell.source, flags=re.MULTILINE):
            assert "hide-input" in cell.metadata.get("tags", []), cell.source
