"""The first code cell of every notebook: ``python -m tools.first_cell`` writes it into all of them.

At home it does nothing. In Colab or Kaggle it clones the repository and installs what is missing
there, without moving the versions that are there. The address is ``repository`` under
``[project.urls]`` of pyproject.toml.
"""

from pathlib import Path

import nbformat

from tools.group import project
from tools.notebooks import ROOT

TAGS = ["hide-input"]
ID = "colab-and-kaggle"
CELL = """\
# In Colab and Kaggle: fetch the repository, install what is missing.
# At home: nothing.
import os
import subprocess
import sys

if "COLAB_RELEASE_TAG" in os.environ or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    if not os.path.exists("tools/hosted.py"):  # else this cell has run before
        if not os.path.exists("rnn-for-trading"):
            repository = "{address}"
            clone = ["git", "clone", "--quiet", "--depth", "1", repository]
            subprocess.run([*clone, "rnn-for-trading"], check=True)
        os.chdir("rnn-for-trading")  # a kernel imports from where it is
    subprocess.run([sys.executable, "tools/hosted.py"], check=True)
"""


def repository() -> str:
    """Address of the repository, as whoever publishes it has set it."""
    return project()["urls"]["repository"]


def first_cell(address: str) -> str:
    """Source of the cell for a repository at ``address``."""
    return CELL.format(address=address).rstrip()


def put_first_cell(path: Path) -> None:
    """Put the cell in front of all other code of the notebook at ``path``, once; a notebook that
    has it stays as it is. One with another address counts as run: at home neither does anything.
    """
    notebook = nbformat.read(path, 4)
    if any(cell.source == first_cell(repository()) for cell in notebook.cells):
        return
    earlier = [cell for cell in notebook.cells if cell.get("id") == ID]
    cells = [cell for cell in notebook.cells if cell.get("id") != ID]
    code = [cell.cell_type == "code" for cell in cells].index(True)
    # above the heading of the set-up, below the introduction
    place = code - 1 if cells[code - 1].source.startswith("## Setup") else code
    cell = nbformat.v4.new_code_cell(first_cell(repository()), id=ID, metadata={"tags": TAGS})
    cell.execution_count = earlier[0].execution_count if earlier else None
    notebook.cells = [*cells[:place], cell, *cells[place:]]
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        put_first_cell(path)
