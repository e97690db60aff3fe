"""Unit tests and notebooks in an environment of its own: ``python -m tools.versions lowest|newest
[NUMBER ...]``; 01 and 02 where no notebook is named.

lowest   every direct dependency in the lowest version that pyproject.toml allows
newest   every dependency in the newest version that exists

Scores must lie within the intervals of those that are kept. Takes minutes and a package index.
Standard library only; uv, which resolves, is installed into that environment.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESOLUTION = {"lowest": "lowest-direct", "newest": "highest"}
EXTRAS = "data,run,jax,test"


def python_of(folder: Path) -> Path:
    """Interpreter of the environment in ``folder``."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in RESOLUTION:
        sys.exit("say which versions: python -m tools.versions lowest|newest [NUMBER ...]")
    numbers = sys.argv[2:] or ["01", "02"]
    folder = ROOT / "build" / f"{sys.argv[1]}-env"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(python_of(folder))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
    # Compiled once: where PYTHONDONTWRITEBYTECODE is set, each process would compile anew what it
    # imports (Keras in 17 s instead of 6).
    options = ["--quiet", "--compile-bytecode", "--python", python]
    uv = [python, "-m", "uv", "pip", "install", *options]
    resolution = ["--resolution", RESOLUTION[sys.argv[1]]]
    subprocess.run([*uv, *resolution, "--editable", f".[{EXTRAS}]"], cwd=ROOT, check=True)
    bundled = {**os.environ, "RNN_TRADING_DATA": ""}
    tests = [python, "-m", "pytest", "-m", "not slow", "-n", "auto", "--disable-warnings", "tests"]
    # The lock, and outputs to the last digit, are matters of the locked environment.
    left_out = ["--ignore", "tests/test_notebooks.py", "--ignore", "tests/test_project.py"]
    notebooks = [python, "-m", "tools.notebooks", "run", *numbers]
    scores = [python, "-m", "tools.compare", *numbers]
    # The tests' failure does not stop the notebooks, so that one run says everything that is wrong.
    tested = subprocess.run([*tests, *left_out], cwd=ROOT, env=bundled)
    ran = subprocess.run(notebooks, cwd=ROOT, env=bundled)
    # Where a notebook failed, the folder may hold scores of an earlier run.
    agree = ran if ran.returncode else subprocess.run(scores, cwd=ROOT, env=bundled)
    sys.exit(any(run.returncode for run in (tested, ran, agree)))


if __name__ == "__main__":
    main()
