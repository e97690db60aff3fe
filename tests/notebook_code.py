"""The cells and functions of a notebook, so that tests exercise the very code the reader sees."""

import ast
import re
from pathlib import Path
from unittest.mock import patch

import matplotlib.pyplot as plt
import nbformat

KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def cells_of(number):
    """Name of the file and cells of notebook ``number``."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    return path.name, nbformat.read(path, as_version=4).cells


def functions(number):
    """Names after running the parameters, imports, functions and classes, and nothing else, of
    notebook ``number``.
    """
    file, cells = cells_of(number)
    names = {}
    for cell in cells:
        if cell.cell_type == "code":
            parameters = "parameters" in cell.metadata.get("tags", [])
            kept = [
                part for part in ast.parse(cell.source).body if parameters or isinstance(part, KEPT)
            ]
            exec(compile(ast.Module(kept, []), file, "exec"), names)
    return names


@patch.dict("os.environ")  # what a notebook sets for its kernel is none of the next test's
def run_cells(number, until=None, parameters=None, without=(), smaller=None, **replaced):
    """Names after running the code cells of notebook ``number`` up to a heading that begins with
    ``until``, without some sections.

    ``parameters`` follow those of the notebook, ``smaller`` replaces text of its cells, and names
    that it imports or makes may be ``replaced``.
    """
    file, cells = cells_of(number)
    names, heading = {"display": lambda *_: None}, ""
    for cell in cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^##+ .*", cell.source, flags=re.MULTILINE)
            heading = [heading, *headings][-1]
            if until and any(line.startswith(until) for line in headings):
                return names
        elif heading not in without:
            source = cell.source
            for usual, small in (smaller or {}).items():
                source = source.replace(usual, small)
            exec(compile(source, file, "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                names.update(parameters or {})
            names.update({name: value for name, value in replaced.items() if name in names})
            plt.close("all")
    assert until is None, f"{file} has no heading {until!r}"
    return names
