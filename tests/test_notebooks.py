"""Scans of the notebooks: anatomy, honesty, tidiness. What they do when they run is nbval's part."""

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEST_SECTION = "## Test: opened once"
NO_TEST_SET = ("00", "02", "08")  # the ideas, and the two notebooks that prepare data
FITTING = {"fit", "fit_transform", "partial_fit"}

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def headings(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def uses_of_the_test_set(source):
    """Names, attributes, arguments and keys in ``source`` that are called test or end in _test."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            names.add(node.arg)
        elif isinstance(node, ast.Subscript):
            names |= {
                part.value
                for part in ast.walk(node.slice)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            }
    return {name for name in names if re.fullmatch(r"(?:\w+_)?test", name.lower())}


def before_the_test_section(notebook):
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and TEST_SECTION in cell.source:
            return cells
        cells.append(cell)
    return None


def test_anatomy(path):
    notebook = read(path)
    found = headings(notebook)
    assert notebook.cells[0].source.startswith("# "), "the first cell is the title"
    assert "**You will learn**" in notebook.cells[0].source or any(
        "learn" in heading for heading in found
    )
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) == 1
    expected = [
        "Setup",
        "Data",
        "Baseline",
        "Model",
        "Training",
        "Selection",
        TEST_SECTION[3:],
        "Scoreboard",
    ]
    if path.name[:2] in NO_TEST_SET:
        expected = ["Setup"]
    order = [*expected, "What would have gone wrong", "Summary", "Exercises", "References"]
    if path.name[:2] == "00":
        order.remove("What would have gone wrong")
    places = [
        next((place for place, text in enumerate(found) if text.startswith(name)), None)
        for name in order
    ]
    missing = [name for name, place in zip(order, places) if place is None]
    assert not missing, f"no section {missing} among {found}"
    assert places == sorted(places), f"sections out of order: {found}"


def test_the_test_set_is_opened_once(path):
    notebook = read(path)
    if path.name[:2] in NO_TEST_SET:
        pytest.skip("this notebook has no test set")
    for cell in before_the_test_section(notebook):
        if cell.cell_type == "code":
            assert not uses_of_the_test_set(cell.source), f"before the test section:\n{cell.source}"


def test_nothing_is_fitted_on_the_test_set(path):
    """Up to the exhibits, which show what happens if it is."""
    exhibits = False
    for cell in read(path).cells:
        exhibits |= cell.cell_type == "markdown" and "## What would have gone wrong" in cell.source
        if cell.cell_type == "markdown" or exhibits:
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) in FITTING:
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                for argument in arguments:
                    assert not uses_of_the_test_set(ast.unparse(argument)), cell.source


def test_cells_are_short_and_portable(path):
    sources = [cell.source for cell in code_cells(read(path))]
    lengths = [len(source.splitlines()) for source in sources]
    assert statistics.median(lengths) < 10 and max(lengths) <= 25
    for source in sources:
        assert not re.search(
            r"\btf\.|import tensorflow|sys\.path|recurrent_dropout\s*=\s*0?\.[1-9].*fit", source
        ), source
        # wrong, and silent, on pandas 2 and 3.0
        assert "unstack(sort=" not in source, source
        assert not re.search(r"\bif (?:TEST|SMOKE|FAST|CI)\b", source), source
        assert max(map(len, source.splitlines()), default=0) <= 120, source


def test_outputs_are_kept_and_tidy(path):
    notebook = read(path)
    assert path.stat().st_size < 1_000_000
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "executed in order, from a fresh kernel"
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", (
                f"chatter below\n{cell.source}\n{output.get('text')}"
            )
            assert "/site-packages/" not in json.dumps(output) and str(ROOT) not in json.dumps(
                output
            )
            seen = output.get("data", {})
            bare = set(seen) == {"text/plain"} and " at 0x" in seen["text/plain"]
            assert not bare, f"an object nobody can read is shown below\n{cell.source}"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_prose_quotes_no_result(path):
    """Decimal numbers in prose must be rendered by a cell; years, sizes and settings are whole
    numbers.
    """
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"\$\$?.*?\$\$?|`[^`]*`|\]\([^)]*\)", "", cell.source, flags=re.DOTALL)
            quoted = set(re.findall(r"\b\d+\.\d+\b|\b\d+\s?%", prose)) - {
                "95 %",
                "95%",
            }  # the level of an interval
            assert not quoted, cell.source


def test_deterministic_cells_are_checked(path):
    assert any(
        "NBVAL_CHECK_OUTPUT" in cell.source and cell.outputs for cell in code_cells(read(path))
    )


def test_scores_are_saved_under_the_name_of_the_notebook(path):
    assert any(f'save_scores("{path.stem}"' in cell.source for cell in code_cells(read(path)))
    assert (
        json.loads((ROOT / "results/bundled" / f"{path.stem}.json").read_text(encoding="utf-8"))[
            "notebook"
        ]
        == path.stem
    )


def test_source_line_is_that_of_the_committed_scores(path):
    source = json.loads(
        (ROOT / "results/bundled" / f"{path.stem}.json").read_text(encoding="utf-8")
    )["source"]
    assert "(local)" not in source
    printed = "".join(
        output.get("text", "") for cell in code_cells(read(path)) for output in cell.outputs
    )
    assert source in printed or path.name[:2] == "00"
