"""Notebook 01: nothing looks ahead, a planted signal is found, noise is not."""

import numpy as np
import pandas as pd
import pytest
from notebook_code import functions

import data
import scores
import training
import utils

notebook = functions("01")
rng = np.random.default_rng(0)


@pytest.fixture
def prices(monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    return data.load_sp500().iloc[:400]


def changed_from(prices, position):
    """The same prices, with the days from ``position`` on in another order."""
    order = np.r_[np.arange(position), position + rng.permutation(len(prices) - position)]
    return pd.DataFrame(prices.to_numpy()[order], prices.index, prices.columns)


def inputs(prices):
    log_return = np.log(prices["close"]).diff().iloc[1:]
    return notebook["har_features"](notebook["log_volatility"](prices).iloc[1:], log_return)


@pytest.mark.parametrize("columns", [slice(None), ["close"]], ids=["range", "close only"])
def test_the_future_changes_no_feature_and_no_prediction(prices, columns):
    prices, position = prices[columns] if columns != slice(None) else prices, 300
    before, after = inputs(prices), inputs(changed_from(prices, position))
    known = before.index < prices.index[position]
    pd.testing.assert_frame_equal(before[known], after[known])
    assert not before[~known].equals(after[~known])
    windows, later = (
        utils.make_windows(features, 22, target="day") for features in (before, after)
    )
    model = notebook["build_lstm"](windows, 4)
    past = windows.input_end < prices.index[position].to_datetime64()
    first, second = (model.predict(part.X, batch_size=512, verbose=0) for part in (windows, later))
    np.testing.assert_allclose(first[past], second[past], atol=1e-6)
    assert np.abs(first[~past] - second[~past]).max() > 1e-3


def skill_on_held_out_days(series):
    """Skill of the notebook's LSTM against forecasting zero, with its interval."""
    windows = utils.make_windows(series, 5)
    split = utils.split_by_date(windows, series.index[1500], series.index[1750])
    train, test = windows[split.train], windows[split.test]

    def fit(model, seed):
        model.fit(train.X, train.y, epochs=8, batch_size=64, verbose=0)

    model, weights, _ = training.fit_over_seeds(
        lambda: notebook["build_lstm"](windows, 6), fit, [0]
    )
    predicted = training.predict_over_seeds(model, weights, test.X)[0]
    return scores.forecast_scores("control", "LSTM", test.y, predicted, 0 * test.y)[1]


def test_a_planted_signal_is_found_and_noise_is_not():
    days = pd.bdate_range("2010-01-01", periods=2000)
    noise = rng.normal(size=2000)
    signal = noise.copy()
    for day in range(2, 2000):  # linear in yesterday, and a product that no linear model sees
        signal[day] += 0.5 * signal[day - 1] + 0.5 * np.tanh(signal[day - 1] * signal[day - 2])
    assert skill_on_held_out_days(pd.Series(signal, days))["low"] > 0.1
    chance = skill_on_held_out_days(pd.Series(rng.permutation(signal), days))
    assert chance["low"] < 0 and chance["value"] < 0.02


def test_split_copes_with_the_ten_years_that_fred_serves(capsys):
    fixed, fred = (
        pd.bdate_range("1999-01-04", "2018-12-31"),
        pd.bdate_range("2016-11-21", "2026-11-20"),
    )
    starts = "2015-01-01", "2017-01-01"
    assert (
        notebook["boundaries"](fixed, *starts) == tuple(map(pd.Timestamp, starts))
        and not capsys.readouterr().out
    )
    validation, test = notebook["boundaries"](fred, *starts)
    assert ((fred < validation).mean(), (fred < test).mean()) == pytest.approx(
        (0.8, 0.9), abs=0.001
    )
    assert "does not span the fixed dates" in capsys.readouterr().out
