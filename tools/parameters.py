"""Parameters of a run: what was written on the command line, as each notebook means it.

papermill itself takes a name that no notebook has without a word, passes a list on as text, and
leaves a text for a number to the cell that fails an hour later.
"""

import ast
import difflib
import json
from collections.abc import Sequence
from pathlib import Path

import nbformat

from data.checks import as_date
from utils import as_list

MEASURES = ("COST", "SCALE")  # whole numbers by chance: they may have decimals
GIVEN = ("-p", "--parameters", "-r", "--parameters_raw")  # each with a name and a value


def options_for(paths: Sequence[Path], options: Sequence[str]) -> dict[Path, list[str]]:
    """papermill's options for each of the notebooks: its own parameters, and all other options.

    ``options`` are those of papermill, such as ["-p", "SEEDS", "[0, 1]"]. Raises ValueError for a
    parameter that none of the notebooks has, and for a value that cannot be meant.
    """
    given, others = _given(list(options))
    known = {path: defaults(path) for path in paths}
    for name in given:
        if not any(name in has for has in known.values()):
            every = sorted({one for has in known.values() for one in has})
            near = difflib.get_close_matches(name, every, n=3) or every
            raise ValueError(f"no notebook of this run has a parameter {name}; there are {near}")
    found = {}
    for path, has in known.items():
        own = {name: meaning(name, given[name], has[name]) for name in given if name in has}
        found[path] = [*others, *(["-y", json.dumps(own)] if own else [])]
    return found


def _given(options: list[str]) -> tuple[dict[str, str], list[str]]:
    """Values by the name of their parameter, and the options that are none."""
    given, others = {}, []
    while options:
        option = options.pop(0)
        if option not in GIVEN:
            others.append(option)
        elif len(options) < 2:
            raise ValueError(f"{option} needs the name of a parameter and a value")
        else:
            name, value, *options = options
            given[name] = value
    return given, others


def defaults(path: Path) -> dict[str, object]:
    """The parameters of a notebook with their values, Ellipsis for one that is computed."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if "parameters" in cell.metadata.get("tags", []):
            for line in ast.parse(cell.source).body:
                if isinstance(line, ast.Assign):
                    found |= _assigned(line.targets[0], line.value)
    return found


def _assigned(target: ast.expr, value: ast.expr) -> dict[str, object]:
    if isinstance(target, ast.Tuple):
        values = getattr(value, "elts", [value] * len(target.elts))
        pairs = map(_assigned, target.elts, values)
        return {name: default for pair in pairs for name, default in pair.items()}
    try:
        return {ast.unparse(target): ast.literal_eval(value)}
    except ValueError:
        return {ast.unparse(target): ...}


def meaning(name: str, text: str, default: object) -> object:
    """What the ``text`` of a parameter means beside its ``default``: a number, a list, a date, ...

    Raises ValueError, in one sentence, where it is of another kind.
    """
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        value = text.strip()
    try:
        return _as_kind(value, text.strip(), float(default) if name in MEASURES else default)
    except (ValueError, TypeError) as error:
        like = "" if default is ... else f", such as {default!r}"
        raise ValueError(f"{name} must be {error}{like}, given {text!r}") from error


def _as_kind(value: object, text: str, default: object) -> object:
    if isinstance(default, str) and default[:4].isdigit():
        try:
            return f"{as_date(text):%Y-%m-%d}"
        except ValueError as error:
            raise ValueError("a date or a year") from error
    if isinstance(default, (list, tuple)) or default is ...:
        return _as_list(value, default)
    if isinstance(default, bool) or default is None or isinstance(default, str):
        if isinstance(default, bool) and not isinstance(value, bool):
            raise ValueError("True or False")
        return text if isinstance(default, str) else value
    if isinstance(default, dict):
        if not isinstance(value, dict) or set(value) != set(default):
            raise ValueError(f"a dict with the keys {list(default)}")
        return value
    if isinstance(default, int):
        return _as_number(value, "a whole number", whole=True)
    return _as_number(value, "a number")


def _as_list(value: object, default: object) -> list:
    kind = "a list of numbers"
    try:
        values = as_list(value)
    except ValueError as error:
        raise ValueError(kind) from error
    if not values:
        raise ValueError(kind)
    if isinstance(default, tuple) and len(default) == 2 != len(values):
        raise ValueError("two numbers")
    if isinstance(default, (list, tuple)) and all(isinstance(one, int) for one in default):
        return [_as_number(one, "a list of whole numbers", whole=True) for one in values]
    return [_as_number(one, kind) for one in values]


def _as_number(value: object, kind: str, whole: bool = False) -> int | float:
    """The number; ValueError with ``kind``, which says what is needed, for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise ValueError(kind)
    if not whole:
        return value
    if not float(value).is_integer():
        raise ValueError(kind)
    return int(value)
