"""Packages of one optional group of pyproject.toml, one a line: ``python -m tools.group site``.
Standard library only.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def project() -> dict:
    """Table ``project`` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


if __name__ == "__main__":
    print("\n".join(project()["optional-dependencies"][sys.argv[1]]))
