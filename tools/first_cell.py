"""The first cell of every notebook: ``python -m tools.first_cell`` shows it.

At home it does nothing. In Colab or Kaggle it clones the repository and installs what is missing
there, without moving the versions that are there. The address is ``repository`` under
``[project.urls]`` of pyproject.toml.
"""

from tools.group import project

TAGS = ["hide-input"]
CELL = """\
import os, sys  # in Colab and Kaggle: fetch the repository and what is missing

if "COLAB_RELEASE_TAG" in os.environ or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    if not os.path.exists("rnn-for-trading"):
        repository = "{address}"
        !git clone --quiet --depth 1 {{repository}} rnn-for-trading
        !{{sys.executable}} rnn-for-trading/tools/hosted.py
    os.chdir("rnn-for-trading/notebooks")
    sys.path.insert(0, os.path.abspath(".."))
"""


def repository():
    """Address of the repository, as whoever publishes it has set it."""
    return project()["urls"]["repository"]


def first_cell(address):
    """Source of the cell for a repository at ``address``."""
    return CELL.format(address=address)


if __name__ == "__main__":
    print(first_cell(repository()), end="")
