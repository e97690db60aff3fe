"""The rooms of the repository: which module may import which, and one way to do each thing."""

import ast
import subprocess
from pathlib import Path

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
