"""Forecasts of a panel of months: scaling, rivals, simulated paths, scores."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from features import macro

KINDS = {"sentiment": "level", "ip": "growth", "rate": "difference", "spread": "level"}
ALPHAS = 10.0 ** np.arange(0, 5)


def fit_persistence(inputs, scale):
    return macro.fit_persistence(inputs, scale.lasting)


def fit_ar(inputs, scale):
    return macro.fit_ar(inputs, 4)


def fit_var(inputs, scale):
    return macro.fit_var(inputs, 4, [0, 1], scale.lasting)


def fit_bvar(inputs, scale):
    return macro.fit_bvar(inputs, 3, 0.2, scale.lasting)


def fit_ridge(inputs, scale):
    return macro.fit_ridge(inputs, 3, scale.lasting, ALPHAS)


FITS = [fit_persistence, fit_ar, fit_var, fit_bvar, fit_ridge]


def panel_of(changes, start="1970-01-01"):
    """A panel whose first and last columns are levels, the others summed changes of it."""
    months = pd.date_range(start, periods=len(changes), freq="MS")
    sums = np.cumsum(changes, axis=0)
    columns = {
        "sentiment": changes[:, 0],
        "ip": 50 * np.exp(sums[:, 1] / 100),
        "rate": sums[:, 2],
        "spread": changes[:, 3],
    }
    return pd.DataFrame(columns, months)


@pytest.fixture(scope="module")
def panel():
    random = np.random.default_rng(0)
    return panel_of(random.normal(size=(240, 4)))


@pytest.mark.parametrize("seasonal", [False, True])
def test_levels_come_back(panel, seasonal):
    """The true inputs of the next months, taken back to levels, are the true levels."""
    scale = macro.fit_scale(panel[:200], KINDS, seasonal)
    path = scale.inputs(panel)[199:211]  # the inputs have no first month
    truth = macro.actual_paths(panel, KINDS, panel.index[[199]], 12)[0]
    np.testing.assert_allclose(scale.paths(panel[:200], path), truth)


def test_the_season_is_taken_off():
    months = np.arange(240)
    changes = np.random.default_rng(0).normal(size=(240, 4)) * 0.1
    changes[:, 1] += 3 * np.sin(2 * np.pi * months / 12)
    panel = panel_of(changes)
    inputs = macro.fit_scale(panel, KINDS, True).inputs(panel)
    assert abs(np.corrcoef(inputs[12:, 1], inputs[:-12, 1])[0, 1]) < 0.2
    assert inputs.mean(axis=0) == pytest.approx(0) and inputs.std(axis=0) == pytest.approx(1)


def test_what_cannot_be_scaled_is_named(panel):
    with pytest.raises(ValueError, match="spread"):
        macro.fit_scale(panel.assign(spread=1.0), KINDS, False)
    with pytest.raises(ValueError, match="25 months"):
        macro.fit_scale(panel[:20], KINDS, False)
    with pytest.raises(ValueError, match="ip is not positive"):
        macro.levels(panel.assign(ip=-1.0), KINDS)
    with pytest.raises(ValueError, match="rate: the kind 'slope'"):
        macro.levels(panel, KINDS | {"rate": "slope"})


@pytest.mark.parametrize("fit", FITS)
def test_rolling_paths_never_see_past_their_date(panel, fit):
    """Shuffle and stretch the future of the whole panel: forecasts up to then stay as they are."""
    dates = panel.index[180:204]
    last = dates[15]  # between the second estimation and the end
    changed, after = panel.copy(), panel.index > last
    changed.loc[after] = panel[after].sample(frac=1, random_state=1).to_numpy() * 1.5
    options = dict(kinds=KINDS, dates=dates, months=12, paths=5, history=24)
    before, other = (macro.rolling_paths(fit, data, **options) for data in (panel, changed))
    assert before.shape == (24, 5, 12, 4) and np.isfinite(before).all()
    np.testing.assert_allclose(other[:16], before[:16], rtol=1e-6)
    assert (np.abs(other[16:] - before[16:]).max(axis=(1, 2, 3)) > 0.1).all()


def planted(strength):
    """Growth follows the spread of the month before, by ``strength`` of its own."""
    changes = np.random.default_rng(1).normal(size=(600, 4))
    changes[1:, 1] = strength * changes[:-1, 3] + (1 - strength) * changes[1:, 1]
    return panel_of(changes, "1950-01-01")


@pytest.mark.parametrize("fit", [fit_bvar, fit_ridge])
def test_a_planted_lead_is_found_and_none_is_invented(fit):
    """Error of production one month ahead, relative to persistence."""
    ratios = {}
    for strength in (0.9, 0):
        data = planted(strength)
        dates = data.index[480:576]
        truth = macro.actual_paths(data, KINDS, dates, 1)[:, 0, 1]
        errors = []
        for one in (fit, fit_persistence):
            paths = macro.rolling_paths(one, data, KINDS, dates, 1, 200, every=96)
            errors.append(np.abs(np.median(paths[:, :, 0, 1], axis=1) - truth).mean())
        ratios[strength] = errors[0] / errors[1]
    assert ratios[0.9] < 0.3 and 0.95 < ratios[0] < 1.1, ratios


def one_factor(months, series=12, seed=3):
    """A dynamic factor model: (months, series) and its best forecasts of each month but the first.

    The factor is autoregressive with weight 0.9, each series the factor plus noise; the best
    forecast is that of the Kalman filter (Kalman 1960), written out for the mean of the series,
    which holds all they say of the factor.
    """
    random = np.random.default_rng(seed)
    factor = np.zeros(months)
    for month in range(1, months):
        factor[month] = 0.9 * factor[month - 1] + random.normal() * 0.5
    panel = factor[:, None] + random.normal(size=(months, series))
    estimate, variance, best = 0.0, 1.0, []
    for value in panel.mean(axis=1):
        gain = variance / (variance + 1 / series)
        estimate += gain * (value - estimate)
        variance *= 1 - gain
        estimate, variance = 0.9 * estimate, 0.81 * variance + 0.25
        best.append(estimate)
    return panel, np.array(best)[:-1]


def test_ridge_comes_close_to_the_best_forecast_of_a_factor_model():
    """One month ahead: the panel is worth much against each series alone, and little is lost to the
    best."""
    panel, best = one_factor(800)
    known, lasting = panel[:400], np.ones(panel.shape[1], dtype=bool)
    truth = panel[400:]
    errors = {"best": np.abs(truth - best[399:, None]).mean()}
    for name, forecaster in {
        "AR": macro.fit_ar(known, 6),
        "ridge": macro.fit_ridge(known, 3, lasting, ALPHAS),
        "BVAR": macro.fit_bvar(known, 3, 0.1, lasting),
    }.items():
        means = forecaster.means(panel)
        errors[name] = np.abs(truth - means[-len(truth) :]).mean()
    assert errors["best"] < errors["ridge"] < 1.05 * errors["best"], errors
    assert errors["best"] < errors["BVAR"] < 1.1 * errors["best"], errors
    assert errors["AR"] > 1.05 * errors["ridge"], errors


def test_simulated_paths_follow_the_forecaster():
    """Their mean is the iterated forecast, and their spread grows as that of an autoregression
    does."""
    weights = np.array([[[0.8, 0.0], [0.0, 0.0]]])
    noise = np.random.default_rng(0).normal(size=(5000, 2))
    forecaster = macro.Linear(weights, np.array([0.0, 1.0]), noise)
    paths = macro.simulate(forecaster, np.array([[[5.0, 5.0]]]), 6, 4000)[0]
    ahead = np.arange(1, 7)
    np.testing.assert_allclose(paths[..., 0].mean(axis=0), 5 * 0.8**ahead, atol=0.08)
    np.testing.assert_allclose(paths[..., 1].mean(axis=0), 1, atol=0.08)
    variance = (1 - 0.64**ahead) / (1 - 0.64)
    np.testing.assert_allclose(paths[..., 0].var(axis=0), variance, rtol=0.1)


def test_bands_of_the_true_model_cover_what_they_should():
    random = np.random.default_rng(0)
    values = np.zeros((1300, 1, 1))
    noise = random.normal(size=1300)
    for month in range(1, 1300):
        values[month] = 0.8 * values[month - 1] + noise[month]
    forecaster = macro.Linear(np.array([[[0.8]]]), np.zeros(1), random.normal(size=(500, 1)))
    paths = macro.simulate(forecaster, values[:1288], 12, 100)[..., 0]
    truth = np.stack([values[month + 1 : month + 13, 0, 0] for month in range(1288)])
    coverage = macro.covered(truth, paths, 0.8).mean(axis=0)
    assert (np.abs(coverage - 0.8) < 0.07).all(), coverage


def test_crps_is_that_of_the_normal_distribution():
    draws = np.random.default_rng(0).normal(size=(1, 200_000))
    for actual in (0.0, 1.5, -3.0):
        exact = actual * (2 * norm.cdf(actual) - 1) + 2 * norm.pdf(actual) - 1 / np.sqrt(np.pi)
        assert macro.crps(np.array([actual]), draws)[0] == pytest.approx(exact, abs=0.01)


def test_crps_is_fair_to_few_draws():
    """The mean score of two draws is that of many."""
    random = np.random.default_rng(1)
    actual = random.normal(size=40_000)
    few, many = (random.normal(size=(40_000, draws)) for draws in (2, 50))
    means = macro.crps(actual, few).mean(), macro.crps(actual, many).mean()
    assert means[0] == pytest.approx(means[1], abs=0.02)
    assert macro.crps(actual, np.repeat(actual[:, None], 5, axis=1)) == pytest.approx(0)
