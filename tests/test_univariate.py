"""Notebook 01: nothing looks ahead, a planted signal is found, noise is not, and the file forecasts."""

import numpy as np
import pandas as pd
import pytest
from notebook_code import functions  # noqa: E402

import data  # noqa: E402
import training
import utils
from features import volatility as vol
from scores import diebold_mariano

notebook = functions("01")
rng = np.random.default_rng(0)
HORIZONS = 3


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
    volatility = vol.log_of(notebook["daily_variance"](prices).iloc[1:])
    return notebook["har_features"](volatility, log_return)


def network(rate=0.003):
    return notebook["build_ridge_gru"]((22, 5), HORIZONS, 8, "mse", rate=rate)


@pytest.mark.parametrize("columns", [slice(None), ["close"]], ids=["range", "close only"])
def test_the_future_changes_no_feature_and_no_prediction(prices, columns):
    prices, position = prices[columns] if columns != slice(None) else prices, 300
    before, after = inputs(prices), inputs(changed_from(prices, position))
    known = before.index < prices.index[position]
    pd.testing.assert_frame_equal(before[known], after[known])
    assert not before[~known].equals(after[~known])
    (first, days), (second, same) = (vol.histories(part, 22) for part in (before, after))
    assert days.equals(same)
    model, past = network(), days < prices.index[position]
    first, second = (model.predict(X, batch_size=512, verbose=0) for X in (first, second))
    np.testing.assert_allclose(first[past], second[past], atol=1e-6)
    assert np.abs(first[~past] - second[~past]).max() > 1e-3


def test_parkinson_of_a_simulated_day_is_its_variance():
    steps = rng.normal(scale=1 / np.sqrt(2000), size=(2000, 2000)).cumsum(axis=1)  # percent
    path = 100 * np.exp(np.c_[np.zeros(2000), steps] / 100)
    bars = {"open": path[:, 0], "high": path.max(1), "low": path.min(1), "close": path[:, -1]}
    days = pd.bdate_range("2000-01-03", periods=2000)
    assert notebook["daily_variance"](pd.DataFrame(bars, days)).mean() == pytest.approx(1, abs=0.06)


def test_impossible_bars_and_bars_without_range(prices):
    prices = prices.copy()
    prices.iloc[10, prices.columns.get_loc("high")] = 1.0
    prices.iloc[20, prices.columns.get_loc("close")] *= 2
    prices.loc[prices.index[30], ["high", "low"]] = prices["close"].iloc[30]
    for column in ("high", "low"):
        prices.iloc[100:200, prices.columns.get_loc(column)] = prices["close"].iloc[100:200]
    variance = notebook["daily_variance"](prices)
    assert np.isnan(variance.iloc[[10, 20]]).all()
    assert variance.iloc[30] == pytest.approx(0.05**2)
    assert np.isnan(variance.iloc[120:200]).all()
    assert np.isfinite(vol.log_of(variance.iloc[230:])).all()


def linear_forecast(X, outcome, train):
    """Forecasts of all samples by the ridge regression on all inputs that the network starts at."""
    line = notebook["ridge_line"](X[train], outcome[train])
    return line.predict(X.reshape(len(X), -1))


def trained(model, X, outcome, **settings):
    line = notebook["ridge_line"](X, outcome)
    return notebook["train_ridge_gru"](model, line, X, outcome, **settings)


@pytest.mark.slow
def test_validation_is_seen_in_the_last_pass_and_changes_nothing():
    X = rng.normal(size=(640, 22, 5)).astype("float32")
    outcome = X[:, -1, :HORIZONS]
    trainer, kept = training.Trainer(network), []
    for validation in (None, (X[:64], outcome[:64])):
        history = trained(trainer.start(1), X, outcome, steps=200, validation=validation)
        kept.append((trainer.model.get_weights(), history))
    for first, second in zip(*[weights for weights, _ in kept]):
        np.testing.assert_array_equal(first, second)
    losses = kept[1][1].history
    assert 8 <= len(losses["val_loss"]) < len(losses["loss"])
    last = trainer.model.evaluate(X[:64], outcome[:64], verbose=0)
    assert losses["val_loss"][-1] == pytest.approx(last, rel=1e-4)


@pytest.mark.slow
def test_the_network_starts_at_the_ridge_solution():
    X = rng.normal(size=(512, 22, 5)).astype("float32")
    outcome = (X[:, -1] @ rng.normal(size=(5, HORIZONS)) + 1).astype("float32")
    model = network(rate=0.0)
    trained(model, X, outcome, steps=1)
    expected = linear_forecast(X, outcome, slice(None))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=1e-4)


def forecasts_of_the_network(X, outcome, train):
    model = training.Trainer(network).start(0)
    trained(model, X[train], outcome[train])
    return model.predict(X, batch_size=len(X), verbose=0)


def saving_over_ridge(outcome, X):
    """Share of the squared error of ridge on all inputs that the network saves, held out."""
    train, later = slice(0, 2048), slice(2048, None)
    predicted = forecasts_of_the_network(X, outcome, train)
    linear = linear_forecast(X, outcome, train)
    error = np.mean((outcome[later] - predicted[later]) ** 2)
    return 1 - error / np.mean((outcome[later] - linear[later]) ** 2)


@pytest.mark.slow
def test_a_planted_memory_is_found_and_noise_is_not():
    X = rng.normal(size=(4096, 22, 5)).astype("float32")
    noise = rng.normal(size=(4096, HORIZONS)).astype("float32")
    memory = np.abs(X[:, -2:, 0].mean(axis=1))  # no linear model sees it
    planted = (noise + 4 * memory[:, None]).astype("float32")
    assert saving_over_ridge(planted, X) > 0.05
    assert saving_over_ridge(noise, X) < 0.01


def simulated(days, alpha, seed):
    """GARCH(1, 1) with a noisy daily variance; inputs, windows, and the best forecast of tomorrow."""
    draws = np.random.default_rng(seed)
    true = np.ones(days + 1)
    returns = np.empty(days)
    for day in range(days):
        returns[day] = np.sqrt(true[day]) * draws.normal()
        true[day + 1] = 0.02 + alpha * returns[day] ** 2 + (0.98 - alpha) * true[day]
    index = pd.bdate_range("1990-01-01", periods=days)
    noise = np.exp(0.6 * draws.normal(size=days))  # about as noisy as a daily range
    variance = pd.Series(true[:-1] * noise, index)
    log_return = pd.Series(returns / 100, index)
    features = notebook["har_features"](vol.log_of(variance), log_return)
    best = pd.Series(0.5 * np.log(true[1:]), index)
    return variance, features, best


@pytest.mark.slow
def test_a_garch_simulation_is_forecast_nearly_as_well_as_it_can_be():
    """At least 90 % of what the true parameters gain over persistence."""
    variance, features, best = simulated(5000, alpha=0.12, seed=1)
    X, days = vol.histories(features, 22)
    outcome = pd.concat([vol.ahead(variance, h) for h in (1, 5, 22)], axis=1).reindex(days)
    outcome = outcome.to_numpy("float32")[:-22]
    X, days = X[:-22], days[:-22]
    train, later = slice(0, 3500), slice(3522, None)
    inputs, *_ = vol.standardized(X, np.arange(len(X)) < 3500)
    errors = {
        "network": outcome[:, 0] - forecasts_of_the_network(inputs, outcome, train)[:, 0],
        "best": outcome[:, 0] - best[days],
        "persistence": outcome[:, 0] - features["day"][days],
    }
    loss = {name: np.var(np.asarray(error)[later]) for name, error in errors.items()}
    attainable = loss["persistence"] - loss["best"]
    assert (loss["persistence"] - loss["network"]) / attainable > 0.9


@pytest.mark.slow
def test_where_volatility_is_constant_nothing_is_claimed():
    variance, features, _ = simulated(4000, alpha=0.0, seed=2)
    X, days = vol.histories(features, 22)
    outcome = pd.concat([vol.ahead(variance, h) for h in (1, 1, 1)], axis=1).reindex(days)
    outcome = outcome.to_numpy("float32")[:-1]
    inputs, *_ = vol.standardized(X[:-1], np.arange(len(X) - 1) < 2500)
    predicted = forecasts_of_the_network(inputs, outcome, slice(0, 2500))
    actual, mean = outcome[2501:, 0], outcome[:2500, 0].mean()
    later = predicted[2501:, 0]
    statistic, p = diebold_mariano(actual, later, np.full_like(actual, mean))
    assert statistic > 0 or p > 0.05


@pytest.mark.slow
def test_the_saved_model_forecasts_from_new_rows(prices, tmp_path):
    models = [network(), network()]
    mean = training.average_of_seeds(models[0], [model.get_weights() for model in models])
    X = rng.normal(size=(7, 22, 5)).astype("float32")
    expected = np.mean([model.predict(X, verbose=0) for model in models], axis=0)
    np.testing.assert_allclose(mean.predict(X, verbose=0), expected, atol=1e-6)
    details = dict(center=np.zeros(5), spread=np.ones(5), horizons=[1, 5, 22])
    limits = dict(low=[-0.5] * 3, high=[0.4] * 3)
    path = training.save_model(tmp_path / "model.keras", mean, **details, **limits)
    table = notebook["forecast_volatility"](*training.load_model(path), prices)
    assert list(table.index) == ["1 days", "5 days", "22 days"]
    assert (table["low"] < table["forecast"]).all() and (table["forecast"] < table["high"]).all()
    again = notebook["forecast_volatility"](*training.load_model(path), prices.tail(60))
    pd.testing.assert_frame_equal(table, again, rtol=1e-4)


def test_rank_correlation_of_levels_is_no_skill():
    """The exhibit: any lagged copy of a random walk has a level IC near one, for every seed."""
    for seed in range(5):
        walk = pd.Series(np.random.default_rng(seed).normal(size=1000).cumsum() + 500)
        assert walk.corr(walk.shift(1), method="spearman") > 0.95
        change, yesterday = walk.diff(), walk.diff().shift(1)
        assert abs(change.corr(yesterday, method="spearman")) < 0.12


def test_windows_are_untouched_by_the_close():
    series = pd.Series(np.arange(100.0), pd.bdate_range("2000-01-03", periods=100))
    assert utils.make_windows(series, 22).X.shape == (78, 22, 1)
