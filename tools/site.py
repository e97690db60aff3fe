"""Build the website: ``python -m tools.site``, in the environment that ``make site`` makes.
Executes nothing.

Standard library and Sphinx only.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.group import project

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "build" / "site-source", ROOT / "build" / "site"
SHORT = 60  # characters; a shorter sentence says too little alone


def first_figure(cells: list[dict]) -> bytes | None:
    """PNG of the first figure among ``cells``, or None."""
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode("".join(output["data"]["image/png"]))
    return None


def title_and_sentence(cells: list[dict]) -> tuple[str, str]:
    """Title of a notebook, and the first sentence below it, or two where it is a short one."""
    title, *paragraphs = "".join(cells[0]["source"]).strip().split("\n\n")
    text = " ".join((paragraphs or ["".join(cells[1]["source"])])[0].split())
    # A sentence ends before a capital: "S&P 500." and "e.g. this" are no ends.
    first, *others = re.split(r"(?<=[.?!]) (?=[A-Z])", text)
    if len(first) < SHORT and others:
        first = f"{first} {others[0]}"
    return title.lstrip("# "), first


def landing_page(notebooks: list[Path]) -> str:
    """Text of the first page; writes its figures."""
    parts = ["# RNNs for trading", "", opening(), ""]
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        title, sentence = title_and_sentence(cells)
        parts += [f"## [{title}](notebooks/{path.name})", "", sentence, ""]
        figure = first_figure(cells)
        if figure:
            (SOURCE / "figures" / f"{path.stem}.png").write_bytes(figure)
            parts += [f"![A figure from {path.stem}](figures/{path.stem}.png)", ""]
    names = [*(f"notebooks/{path.stem}" for path in notebooks), "docs/own-data"]
    return "\n".join([*parts, "```{toctree}", ":hidden:", ":maxdepth: 1", "", *names, "```", ""])


def opening() -> str:
    """First paragraph of the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")[1]


def gather() -> None:
    """Put all that Sphinx reads into one folder."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "site", SOURCE)
    (SOURCE / "figures").mkdir()
    shutil.copytree(ROOT / "docs", SOURCE / "docs", ignore=shutil.ignore_patterns("site"))
    (SOURCE / "notebooks").mkdir()
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        shutil.copyfile(path, SOURCE / "notebooks" / path.name)
    (SOURCE / "index.md").write_text(landing_page(notebooks), encoding="utf-8")


def build() -> None:
    """Gather and build, every warning an error; exit with Sphinx's status."""
    gather()
    shutil.rmtree(TARGET, ignore_errors=True)
    address = project()["urls"]["repository"]
    environment = dict(os.environ)
    if "OWNER" not in address:  # filled in by whoever publishes
        environment["SITE_REPOSITORY"] = address
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    sys.exit(subprocess.call([*command, str(SOURCE), str(TARGET)], env=environment))


if __name__ == "__main__":
    build()
