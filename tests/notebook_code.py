"""The imports and functions of a notebook, so that tests exercise the very code the reader sees."""

import ast
from pathlib import Path

import nbformat

KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def functions(number):
    """Names after running the parameters, imports, functions and classes, and nothing else, of
    notebook ``number``.
    """
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    names = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            parameters = "parameters" in cell.metadata.get("tags", [])
            kept = [
                part for part in ast.parse(cell.source).body if parameters or isinstance(part, KEPT)
            ]
            exec(compile(ast.Module(kept, []), path.name, "exec"), names)
    return names
