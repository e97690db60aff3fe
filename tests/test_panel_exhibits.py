"""The exhibits of 02 to 04 bite: the sign of each price, over several seeds, on made-up panels."""

import numpy as np
import pandas as pd
import pytest
from notebook_code import functions

from features.panel_regression import PanelRegression
from features.panel_scores import auc_row
from scores import auc, bootstrap_interval, information_coefficient

SEEDS = range(3)


def weekly_prices(generator, weeks=400, stocks=15):
    dates = pd.date_range("2008-01-04", periods=weeks, freq="W-FRI")
    moves = 0.03 * generator.standard_normal((weeks, stocks))
    names = [f"T{number:02}" for number in range(stocks)]
    return pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), dates, names)


@pytest.mark.parametrize("seed", SEEDS)
def test_dead_stocks_that_are_padded_give_skill_to_nobody(seed):
    names, generator = functions("02"), np.random.default_rng(seed)
    names["TRAINING_END"] = pd.Timestamp("2012-01-01")
    panel = names["let_some_die"](weekly_prices(generator), 0.2, generator)
    assert panel.iloc[-1].isna().sum() == 3
    honest = names["auc_without_skill"](panel, False, generator)
    assert abs(honest - 0.5) < 0.04
    assert names["auc_without_skill"](panel, True, generator) > honest + 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_an_lstm_that_reads_backwards_has_forgotten_what_counts(seed):
    names, generator = functions("02"), np.random.default_rng(seed)
    rank = generator.uniform(-1.7, 1.7, (3000, 52))
    recent = rank[:, -4:].mean(axis=1)
    planted = recent / recent.std() + 2 * generator.standard_normal(3000)
    fitting = np.arange(3000) < 2000
    right = names["read_out"](rank, planted[:, None], fitting)[0]
    wrong = names["read_out"](rank[:, ::-1], planted[:, None], fitting)[0]
    assert right > wrong + 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_wrong_order_costs_after_training_too(seed):
    names = functions("03")
    names["FEATURES"] = 1
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(4000, names["WEEKS"], 1)).astype("float32")
    y = X[:, -4:, 0].mean(axis=1) + generator.normal(0, 0.5, 4000).astype("float32")
    losses = []
    for inputs in (X, X[:, ::-1]):
        names["keras"].utils.set_random_seed(seed)
        model = names["build_alone"]()
        fitted = {"past": inputs[:3000]}, {"volatility": y[:3000]}
        model.fit(*fitted, batch_size=300, epochs=10, verbose=0)
        later = {"past": inputs[3000:]}, {"volatility": y[3000:]}
        losses.append(model.evaluate(*later, verbose=0))
    assert losses[0] < 0.9 * losses[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_forecast_of_volatility_that_comes_a_week_late_is_worse(seed):
    generator = np.random.default_rng(seed)
    weeks = generator.standard_normal((300, 20))
    for week in range(1, 300):
        weeks[week] += 0.6 * weeks[week - 1]
    dates = np.repeat(np.arange(298), 20)
    now = information_coefficient(weeks[2:].ravel(), weeks[1:-1].ravel(), dates)
    late = information_coefficient(weeks[2:].ravel(), weeks[:-2].ravel(), dates)
    assert bootstrap_interval(np.mean, (now - late).to_numpy())[0] > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rival_that_reads_one_week_flatters(seed):
    """A volatility with a long memory: most of the gain over the last week is memory."""
    generator = np.random.default_rng(seed)
    slow = np.zeros(3000)
    for week in range(1, 3000):
        slow[week] = 0.97 * slow[week - 1] + 0.25 * generator.standard_normal()
    seen = slow + generator.standard_normal(3000)
    X = np.lib.stride_tricks.sliding_window_view(seen, 26)[:-1, :, None]
    y, stock = seen[26:], np.zeros(len(seen) - 26, dtype=int)
    fit, later = slice(0, 2000), slice(2000, None)
    errors = []
    for inputs in (X[:, -1:], X):
        predicted = PanelRegression().fit([inputs], y, stock, fit).predict([inputs], stock, later)
        errors.append(((y[later] - predicted) ** 2).mean())
    assert errors[1] < 0.95 * errors[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_interval_over_samples_is_too_narrow(seed):
    generator = np.random.default_rng(seed)
    dates = np.repeat(np.arange(150), 20)
    market, guess = generator.normal(size=(2, 150)).repeat(20, axis=1)
    actual = (market + generator.normal(size=3000) > 0).astype(float)
    predicted = guess + 0.3 * generator.normal(size=3000)
    row = auc_row("task", "model", actual, predicted, dates)
    by_samples = bootstrap_interval(auc, actual, predicted, block=1, repetitions=200)
    assert row["high"] - row["low"] > 1.5 * np.ptp(by_samples)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_of_many_without_skill_is_no_result(seed):
    """SPA does not believe the best of 24 series without skill, whose own t is large."""
    from arch.bootstrap import SPA

    weekly = np.random.default_rng(seed).normal(0, 0.25, (500, 24))
    best = weekly.mean(axis=0).max() / (0.25 / np.sqrt(500))
    spa = SPA(np.zeros(500), -weekly, seed=0, reps=500)
    spa.compute()
    assert best > 1.4 and spa.pvalues["consistent"] > 0.05
