"""The table of notebook 00, when Keras takes the fused kernel of a GPU, against Keras itself.

There need be no GPU: Keras is told that there is one, and the kernels are replaced by a note
that they were called.
"""

import importlib
import inspect
import re
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from keras import layers

PATH = next((Path(__file__).parent.parent / "notebooks").glob("00_*.ipynb"))
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the table is about TensorFlow"
)


def table() -> list[tuple[str, str, str]]:
    """(options, layer, what happens on a GPU) of every row and layer."""
    text = "\n".join(cell.source for cell in nbformat.read(PATH, as_version=4).cells)
    rows = text.split("| options | layers | on a GPU |\n|---|---|---|\n")[1].split("\n\n")[0]
    found = []
    for options, names, outcome in re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", rows, re.M):
        found += [(options, name, outcome) for name in names.split(", ")]
    return found


@pytest.fixture
def fused(monkeypatch):
    """Names of the fused kernels that were called, as if there were a GPU."""
    rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    called = []

    def kernel(name, states):
        signature = inspect.signature(getattr(rnn, name))

        def note(*arguments, **options):
            given = signature.bind(*arguments, **options).arguments
            if given["mask"] is not None:
                rnn._assert_valid_mask(given["mask"])
            called.append(name)
            zeros = np.zeros((2, 4), dtype="float32")
            return zeros, np.zeros((2, 5, 4), dtype="float32"), [zeros] * states

        return note

    for name, states in {"_cudnn_gru": 1, "_cudnn_lstm": 2}.items():
        monkeypatch.setattr(rnn, name, kernel(name, states))
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    return called


def test_the_table_has_all_cases():
    assert len(table()) == 19
    assert {outcome for _, _, outcome in table()} == {"fused", "loop", "`fit` raises"}


@pytest.mark.parametrize(("options", "name", "outcome"), table())
def test_table_of_fused_kernels(options, name, outcome, fused):
    import tensorflow as tf

    settings = eval(f"dict({options.strip('`')})") if "=" in options else {}
    layer = getattr(layers, name)(4, **settings)
    X = np.zeros((2, 5, 3), dtype="float32")
    masks = {"at the end": [1, 1, 1, 0, 0], "in front": [0, 0, 1, 1, 1]}
    steps = [mask for where, mask in masks.items() if where in options]
    mask = np.array(steps * 2, dtype=bool) if steps else None

    # a graph, as in fit: outside of one Keras takes the refusal for "no such kernel" and loops
    @tf.function
    def graph(X, mask):
        return layer(X, mask=mask, training=True)

    if outcome == "`fit` raises":
        with pytest.raises(tf.errors.InvalidArgumentError, match="right-padded"):
            graph(tf.constant(X), tf.constant(mask))
    else:
        graph(tf.constant(X), None if mask is None else tf.constant(mask))
    assert bool(fused) == (outcome != "loop")
