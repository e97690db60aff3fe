"""Where a data set comes from: the local folder, the installed packages, and the record of its
origin.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class DataError(Exception):
    """Data is missing or damaged; the message names the file and the command that helps."""


class Source(dict):
    """Origin of a data set, kept in ``frame.attrs["source"]``; a plain dict, so that it can be
    stored as JSON.

    Keys: ``name``, ``kind`` ("bundled" or "local"), ``origin``, ``licence``, ``first`` and ``last``
    (ISO dates, or None for data without dates), ``rows``, ``sha256`` (of the file that was read).
    """

    def __str__(self):
        span = f", {self['first']} to {self['last']}" if self["first"] else ""
        return (
            f"{self['name']} ({self['kind']}): {self['origin']}, {self['rows']:,} rows{span}, "
            f"licence: {self['licence']}, sha256 {self['sha256'][:12]}"
        )


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file, or of the names and contents of all text files in a folder."""
    if Path(path).is_dir():
        whole = hashlib.sha256()
        for file in sorted(Path(path).rglob("*.txt")):
            whole.update(f"{file.relative_to(path).as_posix()} {sha256(file)}\n".encode())
        return whole.hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def local_folder() -> Path | None:
    """Folder with the reader's own data: ``RNN_TRADING_DATA`` (relative to the repository) or
    ``local/``.

    None where the variable is set but empty, which means: bundled data only.
    """
    folder = os.environ.get("RNN_TRADING_DATA")
    if folder is None:
        return ROOT / "local"
    if folder and not (ROOT / folder).is_dir():
        raise DataError(
            f"RNN_TRADING_DATA names {folder!r}, which is not a folder: create it, or unset the "
            "variable"
        )
    return ROOT / folder if folder else None


def local_file(*names: str) -> Path | None:
    """Path of the first of ``names`` that exists in the local folder, or None; names of folders end
    with a slash.
    """
    folder = local_folder()
    candidates = [folder / name for name in names] if folder else []
    for name, path in zip(names, candidates):
        if path.is_dir() if name.endswith("/") else path.is_file():
            return path
    return None


def rerun(notebook: str) -> str:
    """The command that runs a notebook, for each place where readers are: ``notebook`` is the name
    of its file without ending.
    """
    number = notebook[:2]
    return (
        f"make notebooks NB={number} (without make: python -m tools.notebooks run {number}; "
        f"in Colab and Kaggle, in a cell: %run notebooks/{notebook}.ipynb)"
    )


def check_in_use(
    source: Mapping[str, object],
    files: Iterable[str],
    made: str | Path,
    command: str,
    bundled: str | Path | None = None,
) -> None:
    """Refuse what was made from a Source that is not the data in use now.

    ``source`` is its record, ``files`` the names of the local files of that data set, ``made`` says
    what was made, and ``bundled`` is the bundled file, where its content may change. Raises
    DataError, with ``command`` to make it anew, where it comes from local data and the bundled ones
    are used, the other way round, or from another file.
    """
    local = local_file(*files)
    current = local or bundled
    if source["kind"] != ("local" if local else "bundled") or (
        current and source["sha256"] != sha256(current)
    ):
        raise DataError(
            f"{made} was made from {source['kind']} {source['name']} ({source['origin']}), which "
            "are not those in use "
            f"now; make it anew: {command}"
        )


def damaged(path: str | Path, problem: str | Exception, name: str) -> DataError:
    """The error for a local file that cannot be used."""
    sentence = " ".join(str(problem).split())  # those of libraries have line breaks
    return DataError(
        f"{path}: {sentence}; repair the file, or fetch it again with: python -m data download "
        f"{name}"
    )
