"""The imports and functions of a notebook, so that tests exercise the very code the reader sees."""

import ast
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def functions(number):
    """Names after running the import statements and function definitions, and nothing else, of notebook ``number``."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    names = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            kept = [part for part in ast.parse(cell.source).body if isinstance(part, (ast.Import, ast.ImportFrom, ast.FunctionDef))]
            exec(compile(ast.Module(kept, []), path.name, "exec"), names)
    return names
