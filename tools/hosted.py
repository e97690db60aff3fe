"""What the first cell runs in Colab and Kaggle: ``python tools/hosted.py`` adds what is missing.

Only packages that the notebooks need and that are absent are installed. Every version that is there
stays, because each one present is a constraint: pip stops with its reason rather than move one.
Standard library only.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def normal(name: str) -> str:
    """``name`` of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def present() -> dict[str, str]:
    """Version of every installed distribution, by normal name."""
    found = ((dist.metadata["Name"], dist.version) for dist in metadata.distributions())
    return {normal(name): version for name, version in found if name and version}


def needed() -> list[str]:
    """Requirements of the notebooks, from pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["dependencies"]


def missing(requirements: list[str], versions: dict[str, str]) -> list[str]:
    """Those of ``requirements`` whose distribution is not among ``versions``."""
    return [text for text in requirements if normal(re.match(r"[\w.-]+", text)[0]) not in versions]


def install() -> None:
    """Install what is missing; exit with pip's status where that fails."""
    versions = present()
    absent = missing(needed(), versions)
    if not absent:
        return
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        # A version with a local part ("+cu126") is not on any index, but is there already.
        lines = [f"{name}=={version}" for name, version in sorted(versions.items())]
        constraints.write_text("\n".join(lines), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        sys.exit(subprocess.call([*pip, "--constraint", str(constraints), *absent]))


if __name__ == "__main__":
    install()
