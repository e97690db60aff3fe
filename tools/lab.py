"""JupyterLab on copies: ``python -m tools.lab``.

JupyterLab saves a notebook as soon as it has been run. The copies lie in lab/, beside notebooks/,
so that links from them lead to the same places. A copy that exists is kept: it holds what its
reader has written.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Between two small products the threads of OpenBLAS and OpenMP wait by running in a loop, which
# takes the core from the notebook beside. They sleep at once here; no number depends on it.
SLEEPING_THREADS = {"OPENBLAS_THREAD_TIMEOUT": "4", "OMP_WAIT_POLICY": "PASSIVE"}


def kernel_environment() -> dict[str, str]:
    """Environment in which kernels find our modules, also where only the lock was installed."""
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    return {**SLEEPING_THREADS, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def make_copies(root: Path = ROOT) -> list[Path]:
    """Copy the notebooks of ``root`` that lab/ lacks; returns copies whose original is newer."""
    folder = root / "lab"
    folder.mkdir(exist_ok=True)
    outdated = []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        copy = folder / path.name
        if not copy.exists():
            shutil.copyfile(path, copy)
        elif path.stat().st_mtime > copy.stat().st_mtime:
            outdated.append(copy)
    return outdated


def main() -> None:
    for copy in make_copies():
        print(f"lab/{copy.name} is older than its original; delete it to start from the new one")
    command = [sys.executable, "-m", "jupyter", "lab", "--notebook-dir", str(ROOT)]
    command += ["--LabApp.default_url=/lab/tree/lab", *sys.argv[1:]]
    sys.exit(subprocess.call(command, env=kernel_environment()))


if __name__ == "__main__":
    main()
