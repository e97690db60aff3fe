"""Batches gathered from the panel equal those of windows in memory; training on either is equal."""

import numpy as np
import pandas as pd
import pytest

import training  # before keras
from features.dataset import LazyWindows
from utils import make_panel_windows

keras = pytest.importorskip("keras")
WEEKS = 8


@pytest.fixture(scope="module")
def samples():
    dates = pd.date_range("2015-01-02", periods=120, freq="W-FRI")
    generator = np.random.default_rng(0)
    frames = generator.normal(size=(2, 120, 5)).astype("float32")
    panel = {name: pd.DataFrame(x, dates, list("ABCDE")) for name, x in zip("xy", frames)}
    panel["x"].iloc[:30, 1] = np.nan
    panel["y"].iloc[90:, 3] = np.nan
    windows = make_panel_windows(panel, WEEKS)
    return windows, LazyWindows(panel, windows.input_end, windows.ticker, WEEKS)


def test_batches_are_equal_in_order(samples):
    windows, lazy = samples
    batches = training.WindowBatches({"past": lazy}, {"next": windows.y}, batch_size=50)
    assert len(batches) == -(-len(windows) // 50)
    X = np.concatenate([batches[number][0]["past"] for number in range(len(batches))])
    y = np.concatenate([batches[number][1]["next"] for number in range(len(batches))])
    np.testing.assert_array_equal(X, windows.X)
    np.testing.assert_array_equal(y, windows.y)
    part = training.WindowBatches({"past": lazy}, rows=slice(100, 130), batch_size=20)
    assert len(part) == 2 and len(part[0]) == 1
    np.testing.assert_array_equal(part[1][0]["past"], windows.X[120:130])


def test_each_sample_comes_equally_often_however_long_an_epoch_is(samples):
    windows, lazy = samples
    count = len(windows)
    number_of = {"past": lazy, "number": np.arange(count)}
    batches = training.WindowBatches(number_of, batch_size=16, seed=0, steps=3)
    seen = []
    for _ in range(2 * count // 48 + 1):
        seen += [batches[number][0]["number"] for number in range(len(batches))]
        batches.on_epoch_end()
    times = np.bincount(np.concatenate(seen)[:count], minlength=count)
    assert (times == 1).all()
    assert (np.concatenate(seen)[:count] != np.arange(count)).any()


@pytest.mark.slow
def test_training_and_forecasts_are_equal(samples):
    windows, lazy = samples

    def trained(inputs):
        keras.utils.set_random_seed(0)
        past = keras.Input((WEEKS, 2), name="past")
        out = keras.layers.Dense(1, name="next")(keras.layers.LSTM(4)(past))
        model = keras.Model({"past": past}, {"next": out})
        model.compile("adam", loss="mse")
        data = training.WindowBatches(inputs, {"next": windows.y}, batch_size=64, seed=1)
        model.fit(data, epochs=2, verbose=0)
        return model.predict(training.WindowBatches(inputs, batch_size=64), verbose=0)["next"]

    np.testing.assert_array_equal(trained({"past": lazy}), trained({"past": windows.X}))
