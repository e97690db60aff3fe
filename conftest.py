"""Kernels of the notebooks under test start with tests/offline on their path: connections beyond
this machine fail. What depends on the order of imports or on the clock is settled here.
"""

import importlib.util
import os
from pathlib import Path

import hypothesis
import pytest

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
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")])
)


@pytest.fixture(scope="module")
def reviews():
    """The bundled reviews."""
    import data  # not before the line above on curl_cffi

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_TRADING_DATA", "")
        return data.load_imdb()
