"""Kernels of the notebooks under test start with tests/offline on their path: connections beyond
this machine fail.
"""

import os
from pathlib import Path

# Absolute, because a kernel starts in the folder of its notebook.
OFFLINE = Path(__file__).resolve().parent / "tests" / "offline"
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")])
)
