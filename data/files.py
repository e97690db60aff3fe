"""Write a file whole or not at all: the one way in this repository."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path, shared: bool = False, suffix: str = ".tmp") -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place only if the block ends well.

    Its name is fixed, so that the next run replaces what a killed one left; where several processes
    may write the same file at once, ``shared`` adds the number of the process. ``suffix`` is for
    writers that look at the ending.
    """
    owner = f".{os.getpid()}" if shared else ""
    temporary = path.with_name(f".{path.name}{owner}{suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
