"""Notebook 01 on the second backend; nbval runs it on TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def test_notebook_01_runs_on_jax():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "notebooks/01_univariate_time_series_regression.ipynb",
    ]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "jax", "RNN_TRADING_DATA": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:]
