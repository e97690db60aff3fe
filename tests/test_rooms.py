"""The rooms of the repository: which module may import which, and one way to do each thing."""

import ast
import subprocess
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["data", "features", "utils", "scores", "training", "tools"]
MAY_IMPORT = {  # arrows point down only
    "data": {"data"},
    "utils": {"data", "scores", "utils"},
    "scores": {"data", "scores"},
    "features": {"data", "features", "scores", "utils"},
    "training": {"data", "features", "scores", "training", "utils"},
    "tools": set(ROOMS),
}


def modules() -> list[Path]:
    """All tracked modules outside the tests."""
    command = ["git", "ls-files", "*.py"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [Path(line) for line in listing.splitlines()]
    return [path for path in paths if path.parts[0] not in ("tests", "conftest.py")]


def name_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Modules of this repository that the code in ``path`` imports, anywhere in the file."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] in ROOMS}


@pytest.mark.parametrize("path", modules(), ids=str)
def test_arrows_point_down(path):
    room = path.with_suffix("").parts[0]
    above = {name for name in imports(path) if name.split(".")[0] not in MAY_IMPORT[room]}
    assert not above, (
        f"{path} imports {sorted(above)}; {room} may import {sorted(MAY_IMPORT[room])}"
    )


def test_no_import_goes_round_in_a_circle():
    names = {name_of(path): path for path in modules()}
    graph = {name: imports(path) & set(names) - {name} for name, path in names.items()}
    for package in [name for name in names if "." not in name]:
        for name in graph:  # a package that gathers its modules is no circle
            if name.startswith(f"{package}."):
                graph[name] -= {package}
    done = set()

    def visit(name, way):
        assert name not in way, " -> ".join([*way, name])
        if name not in done:
            for other in graph[name]:
                visit(other, [*way, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_files_are_written_whole_in_one_way():
    """A finished file takes the place of another in data/files.py; archives hand over what pooch
    fetched.
    """
    users = set()
    for path in modules():
        if "os.replace(" in (ROOT / path).read_text(encoding="utf-8"):
            users.add(path.as_posix())
    assert users == {"data/files.py", "data/downloads/archives.py"}


def public_functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """Functions and methods of a module whose names have no leading underscore."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    nodes = [*tree.body, *(node for one in classes for node in one.body)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if not function.name.startswith("_")]


def without_hints(tree: ast.Module) -> list[str]:
    """Names of the public functions that lack the type of an argument or of their result."""
    lacking = []
    for function in public_functions(tree):
        arguments = function.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        hints = [one.annotation for one in named if one.arg not in ("self", "cls")]
        if function.returns is None or None in hints:
            lacking.append(function.name)
    return lacking


def test_functions_without_hints_are_seen():
    text = "def f(a: int, b) -> int: ...\ndef g(a: int): ...\ndef h(*, a: int) -> int: ...\n"
    text += "class C:\n    def m(self, a) -> int: ...\n    def _m(self, a): ...\n"
    assert without_hints(ast.parse(text)) == ["f", "g", "m"]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_public_functions_have_type_hints(path):
    lacking = without_hints(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    assert not lacking, f"{path}: {lacking}"


LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def dense_lines(code: str) -> list[int]:
    """Lines with two comprehensions or more, or with a lambda that gets a name."""
    nodes = list(ast.walk(ast.parse(code)))
    lines = [node.lineno for node in nodes if isinstance(node, LOOPS)]
    named = [node for node in nodes if isinstance(node, ast.Assign)]
    dense = {line for line in lines if lines.count(line) > 1}
    return sorted(dense | {node.lineno for node in named if isinstance(node.value, ast.Lambda)})


def cells() -> list:
    """The code of each cell of each notebook, with a name for it."""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for place, cell in enumerate(nbformat.read(path, as_version=4).cells):
            if cell.cell_type == "code":
                found.append(pytest.param(cell.source, id=f"{path.name[:2]}, cell {place}"))
    return found


def test_a_line_has_one_comprehension_and_no_lambda_a_name():
    assert dense_lines("a = [[1 for _ in b] for _ in c]\nf = lambda x: x\nd = [1 for _ in b]") == [
        1,
        2,
    ]
    dense = {
        str(path): dense_lines((ROOT / path).read_text(encoding="utf-8")) for path in modules()
    }
    dense |= {one.id: dense_lines(*one.values) for one in cells()}
    assert not {name: lines for name, lines in dense.items() if lines}
