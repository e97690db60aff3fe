"""Kernels of the notebooks under test start with tests/offline on their path: connections beyond
this machine fail. What depends on the order of imports or on the clock is settled here.
"""

import importlib.util
import os
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from tools.lab import kernel_environment
from tools.order import seconds

# Tests and kernels run as those of the runner; before NumPy, which reads it when it is loaded.
os.environ.update(kernel_environment())

import numpy as np  # noqa: E402

# TensorFlow brings symbols of another TLS library: loaded first, it takes from curl the browser
# that yfinance speaks as ("Impersonating chrome150 is not supported"). No download loads both, but
# the tests do, in one process.
if importlib.util.find_spec("curl_cffi"):
    import curl_cffi  # noqa: F401

# A loaded machine is no fault of the code.
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")

# Absolute, because a kernel starts in the folder of its notebook.
OFFLINE = Path(__file__).resolve().parent / "tests" / "offline"
os.environ["PYTHONPATH"] = os.pathsep.join([str(OFFLINE), os.environ["PYTHONPATH"]])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: notebooks by their seconds, then tests by how many are slow. Where two
    cores work file by file, none then works alone on a long one at the end.
    """
    slow, all_of = Counter(), Counter()
    for item in items:
        all_of[item.path] += 1
        slow[item.path] += item.get_closest_marker("slow") is not None
    cost = {path: (-seconds(path), -slow[path], -all_of[path]) for path in all_of}
    items.sort(key=lambda item: cost[item.path])


@pytest.fixture(autouse=True)
def own_draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator ``rng`` of a file begins anew for every test: what a test draws does not depend
    on which others ran before it.
    """
    if hasattr(request.module, "rng"):
        monkeypatch.setattr(request.module, "rng", np.random.default_rng(0))


@pytest.fixture(scope="module")
def reviews() -> object:
    """The bundled reviews."""
    import data  # not before the line above on curl_cffi

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_TRADING_DATA", "")
        return data.load_imdb()
