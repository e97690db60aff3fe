"""Forecasts of a panel of months: scaling, rivals, simulated paths, scores."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from macro_panels import KINDS, error_ratio, panel_of, with_another_future
from scipy.stats import norm

import utils
from features import macro

FITS = [
    macro.fit_persistence,
    partial(macro.fit_ar, max_lags=4),
    partial(macro.fit_var, max_lags=4),
    partial(macro.fit_bvar, lags=3, tightness=0.2),
    macro.fit_ridge,
    macro.fit_factors,
    macro.fit_dynamic_factor,
]


@pytest.fixture(scope="module")
def panel():
    random = np.random.default_rng(0)
    return panel_of(random.normal(size=(240, 4)))


def test_residuals_of_a_dynamic_factor_are_errors_of_its_forecasts():
    inputs = np.random.default_rng(0).normal(size=(120, 4)).cumsum(axis=0) / 5
    model = macro.fit_dynamic_factor(inputs, None)
    assert model.residuals.shape == (108, 4)
    for month in (12, 70, 119):
        _, mean = model.start(inputs[None, :month])
        np.testing.assert_allclose(model.residuals[month - 12], inputs[month] - mean[0])


def test_a_dynamic_factor_model_of_two_series_does_not_diverge():
    """Read at once, the filter of one such panel in ten does, on which depends on the processor."""
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=(150, 2))
        noise[:, 0] = noise[:, 0].cumsum()
        inputs = (noise - noise.mean(axis=0)) / noise.std(axis=0)
        model = macro.fit_dynamic_factor(inputs, None)
        assert np.abs(model.residuals).max() < 6, f"seed {seed}"


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
    changed = with_another_future(panel, last)
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


@pytest.mark.parametrize("fit", FITS[3:6])  # a single factor is no lead
def test_a_planted_lead_is_found_and_none_is_invented(fit):
    """Error of production one month ahead, relative to persistence."""
    ratios = {}
    for strength in (0.9, 0):
        ratios[strength] = error_ratio(fit, macro.fit_persistence, planted(strength))
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
    known, series = panel[:400], panel.shape[1]
    nothing = np.zeros(series), np.ones(series)
    scale = macro.Scale({str(n): "level" for n in range(series)}, np.zeros((12, series)), *nothing)
    truth = panel[400:]
    errors = {"best": np.abs(truth - best[399:, None]).mean()}
    for name, forecaster in {
        "AR": macro.fit_ar(known, scale, 6),
        "ridge": macro.fit_ridge(known, scale),
        "BVAR": macro.fit_bvar(known, scale, 3),
        "factors": macro.fit_factors(known, scale, factors=1),
    }.items():
        means = forecaster.means(panel)
        errors[name] = np.abs(truth - means[-len(truth) :]).mean()
    model = macro.fit_dynamic_factor(known, scale)
    state, mean = model.start(panel[None, : 800 - len(truth)])
    forecasts = []
    for month in truth:
        forecasts.append(mean[0])
        state, mean = model.advance(state, month[None])
    errors["dynamic factor"] = np.abs(truth - forecasts).mean()
    assert errors["best"] < errors["dynamic factor"] < 1.02 * errors["best"], errors
    assert errors["best"] < errors["ridge"] < 1.05 * errors["best"], errors
    assert errors["best"] < errors["BVAR"] < 1.1 * errors["best"], errors
    assert errors["best"] < errors["factors"] < 1.05 * errors["best"], errors
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


def test_bands_follow_the_errors_of_late():
    """After a year of large errors they are wider than after a year of small ones."""
    random = np.random.default_rng(0)
    forecaster = macro.Linear(np.zeros((1, 2, 2)), np.zeros(2), random.normal(size=(2000, 2)))
    past = random.normal(size=(2, 24, 2)) * np.array([0.2, 3.0])[:, None, None]
    spread = macro.simulate(forecaster, past, 3, 2000).std(axis=1)
    assert (spread[0] < 0.9).all() and (spread[1] > 1.5).all(), spread


def test_bands_in_stormy_times_hold_more_than_fixed_ones():
    """Errors whose size changes slowly: as often right over all, and nearer to 80 % in storms."""
    random = np.random.default_rng(0)
    size = np.exp(0.8 * np.sin(np.arange(4000) / 40))
    values = (size * random.normal(size=4000))[:, None]
    forecaster = macro.Linear(np.zeros((1, 1, 1)), np.zeros(1), values[:1000])
    dates = np.arange(1000, 3990, 10)
    past = np.stack([values[date - 24 : date] for date in dates])
    truth = np.stack([values[date : date + 3] for date in dates])
    inside = macro.covered(truth, macro.simulate(forecaster, past, 3, 200))
    fixed = np.abs(truth) < np.quantile(np.abs(values[:1000]), 0.8)
    stormy = size[dates] > 1.5
    assert fixed[stormy].mean() < 0.55 and inside[stormy].mean() > 0.6
    assert 0.75 < inside.mean() < 0.85


def test_one_month_without_precedent_does_not_rule_the_fit():
    """Such as April 2020: one month of 40 spreads and its way back."""
    random = np.random.default_rng(0)
    values = np.zeros((480, 4))
    for month in range(1, 480):
        values[month] = 0.5 * values[month - 1] + random.normal(size=4)
    values[400:402] += np.array([[-40.0], [40.0]])
    scale = macro.fit_scale(panel_of(values), KINDS, False)
    inputs = scale.inputs(panel_of(values))
    assert np.abs(inputs).max() == macro.LIMIT
    own = np.diag(macro.fit_ar(inputs, scale, 1).weights[-1])
    assert (own > 0.1).all(), own


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


def keras_gru(series, units=3, wide=2, months=10):
    """The network of notebook 05 with random weights, and those as macro.Recurrent reads them."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    panel, own = keras.Input((months, series)), keras.Input((months, 1))
    which = keras.Input((1,), dtype="int32")
    embedding = layers.Flatten()(layers.Embedding(series, wide)(which))
    x = layers.Concatenate()([panel, own, layers.RepeatVector(months)(embedding)])
    output = layers.Dense(1, use_bias=False)(layers.GRU(units, return_sequences=True)(x))
    model = keras.Model([panel, own, which], output)
    model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.get_weights()])
    return model, model.get_weights()


def test_the_step_written_out_is_that_of_keras():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(11, 4))
    model, weights = keras_gru(4)
    nothing = macro.Linear(np.zeros((1, 4, 4)), np.zeros(4), np.zeros((10, 4)))
    network = macro.Recurrent(nothing, [weights, weights])
    added = network.additions(inputs)
    panel = np.repeat(inputs[None, :10], 4, axis=0)
    own, which = inputs[:10].T[..., None], np.arange(4)[:, None]
    expected = np.asarray(model([panel, own, which]))[..., 0].T
    np.testing.assert_allclose(added[0], expected, rtol=1e-3, atol=1e-5)
    state, mean = network.start(inputs[None, :9])
    np.testing.assert_allclose(mean[0], expected[8], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        network.advance(state, inputs[None, 9])[1][0], expected[9], rtol=1e-3, atol=1e-5
    )


def test_errors_of_a_run_are_those_on_the_months_it_has_not_seen():
    inputs = np.random.default_rng(0).normal(size=(40, 4))
    linear = macro.Linear(np.zeros((3, 4, 4)), np.zeros(4)).with_residuals(inputs, 0)
    networks = [keras_gru(4)[1], [weight * 0 for weight in keras_gru(4)[1]]]
    parts = macro.parts_left_out(40, 2)
    network = macro.Recurrent(linear, networks).with_residuals(inputs, parts)
    assert [len(part) for part in parts] == [20, 20] and network.residuals.shape == (37, 4)
    np.testing.assert_allclose(network.residuals[17:], inputs[20:])  # the second adds nothing
    added = network.additions(inputs)[0]
    np.testing.assert_allclose(network.residuals[:17], inputs[3:20] - added[2:19])


def test_a_combination_forecasts_what_its_models_do():
    """Series by series, also where the models read a different number of months."""
    inputs = np.random.default_rng(0).normal(size=(120, 4))
    scale = macro.Scale(KINDS, np.zeros((12, 4)), np.zeros(4), np.ones(4))
    fits = [macro.fit_ridge, partial(macro.fit_bvar, lags=6)]
    shares = np.array([[1, 0, 0.5, 0.5], [0, 1, 0.5, 0.5]])
    both = macro.fit_combined(inputs, scale, fits, shares)
    ridge, bvar = (fit(inputs, scale) for fit in fits)
    first, second, mean = ridge.means(inputs)[3:], bvar.means(inputs), both.means(inputs)
    np.testing.assert_allclose(mean[:, 0], first[:, 0])
    np.testing.assert_allclose(mean[:, 1], second[:, 1])
    np.testing.assert_allclose(mean[:, 2:], (first + second)[:, 2:] / 2)
    assert both.residuals.shape == (114, 4)
    with pytest.raises(ValueError, match="sum to one"):
        macro.fit_combined(inputs, scale, fits, shares * 0.5)


def test_what_is_left_of_months_not_fitted_on_is_larger():
    """On noise, a regression with many weights leaves less than the noise where it was fitted."""
    inputs = np.random.default_rng(0).normal(size=(150, 4))
    scale = macro.Scale(KINDS, np.zeros((12, 4)), np.zeros(4), np.ones(4))
    fit = partial(macro.fit_bvar, lags=12, tightness=5.0)
    parts = macro.parts_left_out(150, 5)
    unseen = macro.cross_fitted(inputs, scale, fit, parts)
    seen = macro.left_over(inputs, fit(inputs, scale))
    assert np.isnan(unseen[:12]).all() and np.isfinite(unseen[12:]).all()
    assert np.nanstd(seen) < 0.9 * inputs.std() < 1.0 * np.nanstd(unseen)
    alone = fit(np.delete(inputs, parts[2], axis=0), scale)
    np.testing.assert_allclose(unseen[parts[2]], macro.left_over(inputs, alone)[parts[2]])


def test_scores_are_those_of_the_paths():
    random = np.random.default_rng(0)
    truth = random.normal(size=(36, 6, 2))
    good = truth[:, None] + random.normal(size=(36, 50, 6, 2))
    measured = {"VAR": macro.measures(truth, good), "off": macro.measures(truth, good + 3)}
    names, ahead = ["a", "b"], (1, 6)
    rows = pd.DataFrame(macro.score_rows(measured, names, ahead, "VAR"))
    assert len(rows) == 2 * (1 + 2 * 2 * 3)
    shares = rows[rows["metric"] == "coverage"]
    assert shares["low"].ge(0).all() and shares["high"].le(1).all()
    assert (rows[rows["metric"] == "mae_less_var"]["low"] > 0).all()
    table = macro.mean_table(measured, names, ahead)
    assert table.loc["off", ("b", "6 m")] == pytest.approx(measured["off"]["mae"][:, 5, 1].mean())
    sets = macro.confidence_sets(measured, names, ahead)
    assert (sets.loc["off"] < 0.1).all() and (sets.loc["VAR"] >= 0.1).all()
    twice = macro.confidence_sets(measured | {"twin": measured["VAR"]}, names, ahead)
    assert (twice.loc["twin"] == twice.loc["VAR"]).all()


def test_sequences_are_followed_by_their_targets():
    inputs = np.arange(50.0)[:, None] + np.array([0.0, 1000.0])
    rest = -inputs.copy()
    rest[30:40] = np.nan
    (panel, own, series), target, weights = macro.draw_sequences(inputs, rest, 6, 500, seed=0)
    assert panel.shape == (500, 6, 2) and target.shape == (500, 6, 1)
    assert (own[..., 0] == np.where(series == 1, panel[..., 1], panel[..., 0])).all()
    seen = weights > 0
    assert (target[seen][:, 0] == -(own[seen][:, 0] + 1)).all()
    month = panel[..., 0] + 1
    assert (seen == ((month < 30) | (month >= 40))).all() and month.max() == 49


def test_dates_of_forecasts_end_where_the_truth_is_known(panel):
    dates = macro.forecast_dates(panel, 3, 12)
    before = macro.forecast_dates(panel[: dates[0]], 2, 12)
    assert len(dates) == 36 and dates[-1] == panel.index[-13]
    assert before[-1] + pd.DateOffset(months=12) == dates[0]
    with pytest.raises(ValueError, match="too few"):
        macro.forecast_dates(panel, 18, 12)


def test_release_lags_move_each_series_down(panel):
    lags = {"sentiment": 0, "ip": 1, "rate": 2, "spread": 0}
    known = macro.with_release_lags(panel, lags)
    assert known.index[0] == panel.index[2] and known.notna().all(axis=None)
    for name, lag in lags.items():
        assert (known[name].to_numpy() == panel[name].to_numpy()[2 - lag : len(panel) - lag]).all()


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_the_interval_over_years_covers_what_it_should(memory):
    """96 dates that remember: at least 93 % for a nominal 95 %."""
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        values = random.normal(size=200)
        for date in range(1, 200):
            values[date] += memory * values[date - 1]
        low, high = macro.block_interval(values[-96:])
        hits += low < 0 < high
    assert 0.93 < hits / 2000 < 0.97


def test_orders_of_the_autoregressions_are_those_of_statsmodels():
    from statsmodels.tsa.ar_model import AutoReg, ar_select_order

    random = np.random.default_rng(2)
    inputs = np.zeros((300, 4))
    for month in range(3, 300):
        inputs[month] = 0.5 * inputs[month - 1] - 0.3 * inputs[month - 3] + random.normal(size=4)
    weights = macro.fit_ar(inputs, None, 8).weights
    for column, values in enumerate(inputs.T):
        order = ar_select_order(values, 8, ic="aic").ar_lags
        expected = AutoReg(values, order).fit().params[1:]
        np.testing.assert_allclose(weights[::-1, column, column][: len(expected)], expected)
        assert (weights[::-1, column, column][len(expected) :] == 0).all()


def test_the_smallest_error_in_months_one_to_three_is_chosen():
    random = np.random.default_rng(0)
    truth = random.normal(size=(40, 6, 2))
    noise = random.normal(size=(40, 1, 6, 2)) / 10
    spread = np.array([-0.1, 0, 0.1])[None, :, None, None]
    wrong_late = np.where(np.arange(6) < 3, 1, 50)[:, None] * noise
    paths = {
        "near": truth[:, None] + wrong_late + spread,
        "far": truth[:, None] + 3 * noise + spread,
    }
    base = np.array([0.5, 2.0])
    fit, measured, shares = macro.choose(["far", "near"], paths.get, truth, base)
    assert fit == "near", "what comes after the third month does not count"
    np.testing.assert_allclose(shares * base, np.abs(noise[:, 0, :3]).mean(axis=(0, 1)))
    np.testing.assert_allclose(measured["mae"], macro.measures(truth, paths["near"])["mae"])


def test_the_cost_of_a_lag_is_that_of_the_same_months():
    random = np.random.default_rng(0)
    known = random.random((48, 6, 2))
    late = np.roll(known, 2, axis=1) + 0.5  # two months further away
    mean, cost, low, high = macro.cost_of_lag(known, late, lag=2, place=1)
    assert mean == known[:, :3, 1].mean()
    np.testing.assert_allclose([cost, low, high], 0.5)


def test_a_nested_model_has_both_tests_in_its_line(panel):
    random = np.random.default_rng(1)
    dates = panel.index[-96:]
    truth = random.normal(size=(96, 3, 2))
    better = truth[:, None] + random.normal(size=(96, 5, 3, 2)) / 10
    paths = {"start": np.zeros((96, 5, 3, 2)), "network": better}
    measured = {name: macro.measures(truth, each) for name, each in paths.items()}
    line = macro.nested("network", "start", measured, paths, truth, 0, dates)
    assert line.startswith("better than the start") and "Clark–West t = " in line
    assert float(line.split("t = ")[1].split()[0]) > 3


def test_densities_are_drawn_by_series_and_model():
    random = np.random.default_rng(0)
    truth = random.normal(size=(30, 4, 2))
    measured = {}
    for name in ("VAR", "other"):
        measured[name] = macro.measures(truth, random.normal(size=(30, 9, 4, 2)))
    colours = {"VAR": "C0", "other": "C1"}
    fig = macro.plot_densities(measured, ["a", "b"], colours, base="VAR")
    above, below = fig.axes[1], fig.axes[3]
    np.testing.assert_allclose(above.lines[0].get_ydata(), 1)
    ratio = measured["other"]["crps"].mean(axis=0) / measured["VAR"]["crps"].mean(axis=0)
    np.testing.assert_allclose(above.lines[1].get_ydata(), ratio[:, 1])
    held = measured["other"]["coverage"].mean(axis=0)
    np.testing.assert_allclose(below.lines[1].get_ydata(), held[:, 1])


def test_a_fan_opens_after_the_last_month():
    history = pd.Series(np.arange(5.0), pd.date_range("2020-01-01", periods=5, freq="MS"))
    paths = np.arange(101.0)[:, None] * np.ones((1, 3))
    ax = utils.plot_fan(history, paths)
    middle = ax.lines[0]
    assert list(middle.get_ydata()) == [50, 50, 50]
    assert pd.Timestamp(middle.get_xdata()[0]) == pd.Timestamp("2020-06-01")
    band = ax.collections[1].get_paths()[0].vertices[:, 1]  # of four in five
    np.testing.assert_allclose([band.min(), band.max()], [10, 90])
