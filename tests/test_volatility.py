"""Volatility: targets, folds, rivals and judgement, against answers worked out by hand or
simulated.
"""

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import StationaryBootstrap
from scipy import stats
from sklearn.linear_model import LinearRegression

from features import volatility as vol
from scores import jackknife_interval

DAYS = pd.bdate_range("2000-01-03", periods=2600)
rng = np.random.default_rng(0)


def test_ahead_is_the_mean_variance_of_the_days_that_follow():
    variance = pd.Series([1.0, 4.0, 16.0, 64.0], DAYS[:4])
    assert np.exp(2 * vol.ahead(variance, 1)).tolist()[:3] == pytest.approx([4, 16, 64])
    assert np.exp(2 * vol.ahead(variance, 2)).tolist()[:2] == pytest.approx([10, 40])
    assert vol.ahead(variance, 2).isna().tolist() == [False, False, True, True]
    assert np.exp(2 * vol.behind(variance, 2).iloc[-1, 0]) == pytest.approx(40)


@pytest.mark.parametrize("horizon", [1, 5, 22])
@pytest.mark.parametrize("start", ["2007-01-01", "2006-02-15"])
def test_no_target_of_one_part_reaches_the_next(horizon, start):
    folds = vol.walk_forward_folds(DAYS, horizon, start)
    known = pd.Series(DAYS[horizon:], DAYS[:-horizon])  # when the target of a day is known
    for fold in folds:
        assert known[fold.train].max() < fold.validation[0]
        assert known[fold.validation].max() < fold.test[0]
        assert known[fold.fit].max() < fold.test[0]
        between = DAYS[(DAYS > fold.fit[-1]) & (DAYS < fold.test[0])]
        assert len(between) == horizon  # and no more than that is purged
    tests = [day for fold in folds for day in fold.test]
    assert tests == list(DAYS[DAYS >= start])


def test_folds_refuse_what_cannot_be_split():
    with pytest.raises(ValueError, match="sorted"):
        vol.walk_forward_folds(DAYS[::-1], 1, "2007-01-01")
    with pytest.raises(ValueError, match="no days in train, needs 100"):
        vol.walk_forward_folds(DAYS, 1, "2001-06-01")
    with pytest.raises(ValueError, match="the first fold has no days"):
        vol.walk_forward_folds(DAYS, 1, "2031-06-01")


def test_years_inside(capsys):
    start = pd.Timestamp("2007-01-01")
    assert vol.years_inside(DAYS, start, 2, 2) == (2, 2) and not capsys.readouterr().out
    short = pd.bdate_range("2022-01-03", "2024-12-31")
    assert vol.years_inside(short, pd.Timestamp("2023-10-19"), 2, 2) == (1, 1)
    assert "not 2 and 2: the days run from 2022-01-03 to 2024-12-31" in capsys.readouterr().out
    longer = pd.bdate_range("2020-01-01", "2024-12-31")
    assert vol.years_inside(longer, pd.Timestamp("2023-01-02"), 3, 3) == (1, 2)
    between = longer[longer >= "2020-07-14"]  # two years before, too few are left to train on
    assert vol.years_inside(between, pd.Timestamp("2023-01-02"), 2, 2) == (1, 1)


def test_start_inside(capsys):
    assert vol.start_inside(DAYS, "2007-01-01") == pd.Timestamp("2007-01-01")
    assert "test years from 2007-01-01 (as given)" in capsys.readouterr().out
    assert vol.start_inside(DAYS, "2001-01-01") == DAYS[1560]
    assert "2001-01-01 does not fit: the last four tenths" in capsys.readouterr().out
    for parameter in (2007, "2007", 20070101, pd.Timestamp("2007-01-01")):  # as papermill passes
        assert vol.start_inside(DAYS, parameter) == pd.Timestamp("2007-01-01")
    with pytest.raises(ValueError, match="must be a date or a year, given '01/02/2007'"):
        vol.start_inside(DAYS, "01/02/2007")


def test_calibration_takes_out_both_biases():
    forecast = pd.Series(rng.normal(size=2000), DAYS[:2000])
    target = forecast + 0.3 + rng.normal(scale=0.5, size=2000)
    log, variance = vol.calibrated(forecast, target, DAYS[:2000])
    assert np.mean(target - log) == pytest.approx(0, abs=1e-9)
    assert np.mean(np.exp(2 * target) / variance) == pytest.approx(1)
    loss = vol.qlike(np.exp(2 * target), variance).mean()
    for factor in (0.9, 1.1):  # no other factor has a smaller QLIKE
        assert vol.qlike(np.exp(2 * target), factor * variance).mean() > loss


def test_calibration_uses_nothing_after_the_fitted_days():
    forecast = pd.Series(rng.normal(size=200), DAYS[:200])
    target = forecast + 1
    changed = target.where(target.index < DAYS[100], 99.0)
    fitted = DAYS[:100]
    first, second = (vol.calibrated(forecast, series, fitted) for series in (target, changed))
    pd.testing.assert_series_equal(first[0], second[0])
    pd.testing.assert_series_equal(first[1], second[1])


def test_walk_forward_fits_on_the_past_only():
    inputs = pd.DataFrame({"x": rng.normal(size=len(DAYS))}, DAYS)
    target = 2 * inputs["x"].shift(0) + rng.normal(size=len(DAYS))
    folds = vol.walk_forward_folds(DAYS, 5, "2007-01-01")
    before = vol.walk_forward(LinearRegression(), inputs, target, folds, "test")
    noisy = target.where(target.index < folds[0].fit[-1] + pd.Timedelta(days=1), 0.0)
    after = vol.walk_forward(LinearRegression(), inputs, noisy, folds, "test")
    first = folds[0].test
    pd.testing.assert_frame_equal(before.loc[first], after.loc[first])
    assert not before.loc[folds[1].test].equals(after.loc[folds[1].test])


def test_garch_forecasts_the_variance_it_was_simulated_from():
    """Simulated GJR-GARCH: the fitted model is close to the forecast of the true parameters."""
    from arch.univariate import GARCH, ConstantMean, Normal

    model = ConstantMean(None, volatility=GARCH(1, 1, 1), distribution=Normal(seed=1))
    simulated = model.simulate([0.0, 0.02, 0.03, 0.1, 0.9], 4000)
    index = pd.bdate_range("1990-01-01", periods=4000)
    returns = simulated["data"].set_axis(index).to_frame()
    truth = (simulated["volatility"] ** 2).set_axis(index).shift(-1)
    garch = vol.Garch(1).fit(returns, None)
    forecast = pd.Series(np.exp(2 * garch.predict(returns)), index)
    assert np.log(forecast / truth).iloc[100:].abs().median() < 0.1
    longer = vol.Garch(5).fit(returns, None).predict(returns)
    assert np.isfinite(longer).all() and len(longer) == 4000


def test_histories_reach_to_the_last_day_and_span_no_gap():
    frame = pd.DataFrame({"a": np.arange(30.0), "b": -np.arange(30.0)}, DAYS[:30])
    frame.iloc[10, 0] = np.nan
    X, days = vol.histories(frame, 3)
    assert days[-1] == DAYS[29] and X[-1, :, 0].tolist() == [27, 28, 29]
    assert not set(days) & set(DAYS[10:13])
    lags = vol.side_by_side(X, days)
    assert lags.loc[DAYS[29]].tolist() == [27, -27, 28, -28, 29, -29]


def test_qlike_is_zero_for_the_truth_and_punishes_too_low_more():
    actual = np.array([1.0, 2.0])
    assert vol.qlike(actual, actual).tolist() == [0, 0]
    assert vol.qlike(1.0, 0.5) == pytest.approx(1 - np.log(2))
    assert vol.qlike(1.0, 0.5) > vol.qlike(1.0, 2.0)


def test_clark_west_finds_a_larger_model_that_diebold_mariano_does_not():
    """Clark and West correct for the noise of estimation; under the null the size is near nominal."""
    rejected = 0
    for _ in range(200):
        actual, noise = rng.normal(size=300), 0.3 * rng.normal(size=300)
        rejected += vol.clark_west(actual, 0 * actual, noise)[1] < 0.05
    assert rejected / 200 < 0.11
    signal = rng.normal(size=1000)
    actual = 0.2 * signal + rng.normal(size=1000)
    assert vol.clark_west(actual, 0 * actual, 0.2 * signal)[1] < 0.001


def test_confidence_set_keeps_the_best_and_drops_the_worst():
    common, kept = rng.normal(size=1000) ** 2, []
    for _ in range(10):
        losses = pd.DataFrame({"best": common + 0.1 * rng.normal(size=1000)})
        losses["as good"] = common + 0.1 * rng.normal(size=1000)
        losses["worse"] = common + 0.1 + 0.1 * rng.normal(size=1000)
        kept.append(vol.confidence_set_of_days(losses)[losses.columns] > 0.1)
    assert np.mean(kept, axis=0)[:2].mean() > 0.8
    assert not np.any(kept, axis=0)[2]


def test_scores_have_the_values_of_plain_formulas():
    target = pd.Series(rng.normal(size=500), DAYS[:500])
    forecasts = {}
    for name, noise in {"one": 0.5, "two": 0.8}.items():
        log = target + noise * rng.normal(size=500)
        forecasts[name] = pd.DataFrame({"log": log, "variance": np.exp(2 * log)})
    rows = {
        (r["model"], r["metric"]): r for r in vol.volatility_scores("t", forecasts, target, "one")
    }
    error = target - forecasts["two"]["log"]
    assert rows["two", "rmse"]["value"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert rows["two", "r2"]["value"] == pytest.approx(1 - np.mean(error**2) / target.var(ddof=0))
    skill = 1 - rows["two", "rmse"]["value"] / rows["one", "rmse"]["value"]
    assert rows["two", "rmse_skill"]["value"] == pytest.approx(skill)
    for row in rows.values():
        assert row["low"] < row["value"] < row["high"]


def squared_errors(overlap, runs=2000, days=3000):
    """Squared errors of forecasts ``overlap`` days ahead whose size comes and goes, (runs, days)."""
    generator = np.random.default_rng(1)
    early = 300
    scale = np.zeros((runs, early + days + overlap - 1))
    for day in range(1, scale.shape[1]):
        scale[:, day] = 0.95 * scale[:, day - 1] + 0.1 * generator.normal(size=runs)
    daily = generator.normal(size=scale.shape) * np.exp(0.5 * scale)
    total = np.cumsum(np.pad(daily, [(0, 0), (1, 0)]), axis=1)
    errors = (total[:, overlap:] - total[:, :-overlap])[:, early:] / np.sqrt(overlap)
    return errors**2


@pytest.mark.parametrize("overlap", [1, 22])
def test_intervals_of_the_scores_cover_what_they_say(overlap):
    """Where a bootstrap with blocks of a month does not."""
    samples = squared_errors(overlap)
    without = vol.means_without(pd.DataFrame(samples.T))
    truth = np.exp(0.5 * 0.1**2 / (1 - 0.95**2))  # mean of exp(scale)
    jackknife = [
        low <= truth <= high
        for low, high in map(jackknife_interval, samples.mean(axis=1), without.T)
    ]
    assert np.mean(jackknife) >= 0.93
    draws = StationaryBootstrap(22, np.arange(samples.shape[1]), seed=0).bootstrap(250)
    weights = [np.bincount(days[0], minlength=samples.shape[1]) for days, _ in draws]
    means = samples[:400] @ np.array(weights).T / samples.shape[1]
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    assert np.mean((low <= truth) & (truth <= high)) < 0.93


def managed_positions(runs, days, seed):
    """Daily returns (runs, days) of a market whose volatility remembers, and of a position that
    aims at a constant volatility with a noisy forecast, after costs."""
    draws = np.random.default_rng(seed)
    log_true = np.zeros((runs, days))
    for day in range(1, days):
        log_true[:, day] = 0.97 * log_true[:, day - 1] + 0.15 * draws.normal(size=runs)
    market = 0.0003 + 0.01 * np.exp(log_true) * draws.standard_t(5, size=log_true.shape)
    weight = np.exp(-log_true - 0.3 * draws.normal(size=log_true.shape)).clip(max=2)
    traded = np.abs(np.diff(weight, axis=1, prepend=weight[:, :1]))
    return weight * market - 0.0002 * traded, market


def test_the_interval_of_a_difference_of_sharpe_ratios_covers_what_it_says():
    long = [managed_positions(1, 200_000, seed) for seed in range(100, 105)]
    position, market = (np.concatenate([pair[side][0] for pair in long]) for side in (0, 1))
    truth = vol.sharpe_of_days(position) - vol.sharpe_of_days(market)
    covered = []
    for position, market in zip(*managed_positions(1000, 3000, seed=0)):
        without = vol.differences_without(position, market)
        low, high = jackknife_interval(
            vol.sharpe_of_days(position) - vol.sharpe_of_days(market), without
        )
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.93


def test_the_jackknife_of_a_mean_is_the_t_interval_of_the_groups():
    groups = rng.normal(size=(12, 40))
    low, high = jackknife_interval(
        groups.mean(), vol.means_without(pd.DataFrame(groups.ravel()))[:, 0]
    )
    expected = stats.t.interval(0.95, 11, groups.mean(), stats.sem(groups.mean(axis=1)))
    assert (low, high) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least two groups, given 1"):
        jackknife_interval(0.0, np.ones(1))


def test_intervals_cover_eighty_percent_of_independent_errors():
    errors = pd.Series(rng.standard_t(4, size=2600), DAYS)
    limits = vol.error_quantiles(errors, 5, level=0.8)
    judged = limits.notna().all(axis=1)
    inside = errors[judged].between(limits["low"][judged], limits["high"][judged]).mean()
    assert inside == pytest.approx(0.8, abs=0.025)
    changed = errors.where(errors.index < DAYS[1000], 0.0)
    pd.testing.assert_frame_equal(limits[:1005], vol.error_quantiles(changed, 5)[:1005])


def test_coverage_tests_accept_what_is_right_and_reject_what_is_not():
    accepted = []
    for _ in range(200):
        result = vol.coverage_tests(rng.normal(size=2000), np.full(2000, -1.6449), 0.05)
        accepted.append([result["p, number"] > 0.05, result["p, clusters"] > 0.05])
    assert (np.mean(accepted, axis=0) > 0.89).all()
    too_many = vol.coverage_tests(rng.normal(size=2000), np.full(2000, -1.3), 0.05)
    assert too_many["p, number"] < 0.01
    spell = np.where(np.arange(2000) % 400 < 20, -5.0, 1.0)
    assert vol.coverage_tests(spell, np.zeros(2000), 0.05)["p, clusters"] < 0.01


def test_value_at_risk_of_the_true_volatility_is_covered():
    deviation = pd.Series(np.exp(0.3 * rng.normal(size=len(DAYS))), DAYS)
    log_return = deviation.shift(1).fillna(1) * rng.normal(size=len(DAYS)) / 100
    frame = pd.DataFrame({"variance": 4 * deviation**2})  # its scale does not matter
    table = vol.value_at_risk({"true": frame}, log_return)
    for share, text in ((0.01, "1 %"), (0.05, "5 %")):
        assert table.loc[("true", text), "share below"] == pytest.approx(share, abs=0.012)
        assert table.loc[("true", text), "p, number"] > 0.01


def test_value_at_risk_knows_nothing_of_the_day_it_is_for():
    frame = pd.DataFrame({"variance": np.ones(len(DAYS))}, DAYS)
    calm = pd.Series(rng.normal(size=len(DAYS)) / 100, DAYS)
    calm.iloc[-1] = 0  # above every limit
    crash = calm.where(DAYS != DAYS[-1], -1.0)
    first, second = (vol.value_at_risk({"a": frame}, series) for series in (calm, crash))
    hits = (second["share below"] - first["share below"]).to_numpy()
    assert (hits > 0).all()  # the crash is below every limit, and no limit moved


def test_targeted_position_by_hand():
    days = DAYS[:4]
    frame = pd.DataFrame({"variance": [1.0, 1.0, 4.0, 1.0]}, days)
    log_return = pd.Series(np.log([1.0, 1.1, 1.2, 0.9]), days)
    held = vol.targeted_position(frame, log_return, cost=0.01)
    weights = [1.0, 1.0, (4 / 3) / 2]
    expected = [0.1 - 0.01, 0.2, weights[2] * -0.1 - 0.01 * (1 - weights[2])]
    assert held.tolist() == pytest.approx(expected)
    table = vol.sharpe_table({"same": np.expm1(log_return.shift(-1)).dropna()}, log_return)
    assert table.loc["same", "difference"] == pytest.approx(0)


def test_short_tests_are_on_their_own_years():
    folds = vol.walk_forward_folds(DAYS, 1, "2006-01-01")
    first = pd.Series(1.0, DAYS) + 0.01 * rng.normal(size=len(DAYS))
    second = pd.Series(np.where(DAYS < "2008", 1.0, 4.0), DAYS)
    table = vol.equal_loss_by_fold(first, second, folds)
    assert table["gain, percent"].tolist() == pytest.approx([0, 50], abs=0.2)


def test_coverage_by_year_counts():
    errors = {
        1: pd.Series([0.0, 2.0, 0.0], pd.to_datetime(["2001-01-01", "2001-01-02", "2002-01-01"]))
    }
    limits = {1: pd.DataFrame({"low": -1.0, "high": 1.0}, errors[1].index)}
    table = vol.coverage_by_year(errors, limits)
    assert table.loc["1 days"].tolist() == pytest.approx([50, 100, 200 / 3])


def garch(days, seed):
    """Log volatility features of a simulated market, its lags side by side, and the target."""
    draws = np.random.default_rng(seed)
    log_true = np.zeros(days)
    for day in range(1, days):
        log_true[day] = 0.97 * log_true[day - 1] + 0.15 * draws.normal()
    index = pd.bdate_range("1998-01-01", periods=days)
    variance = pd.Series(np.exp(2 * (log_true + 0.3 * draws.normal(size=days))), index)
    volatility = vol.log_of(variance)
    features = pd.DataFrame({"day": volatility, "week": volatility.rolling(5).mean()})
    features = features.assign(month=volatility.rolling(22).mean()).dropna()
    lags = vol.side_by_side(*vol.histories(features[["day"]].assign(noise=0.0), 22))
    return features, lags.loc[:, lags.std() > 0], vol.ahead(variance, 1)


@pytest.mark.slow
def test_the_best_of_many_shrinks_on_years_nobody_looked_at():
    """The exhibit, mean of six markets: the winner's lead over the mean of all looks is larger in
    the years of the choice."""
    leads = []
    for seed in range(6):
        features, lags, target = garch(2600, seed)
        folds = vol.walk_forward_folds(lags.index, 1, "2004-01-01", 2, 2)
        looks = vol.random_looks(features, lags, target, folds, count=20, columns=5)
        seen = looks.index.isin(folds[0].test)
        winner = looks[seen].mean().idxmin()
        parts = looks[seen].mean(), looks[~seen].mean()
        leads.append([1 - part[winner] / part.mean() for part in parts])
    chosen, others = np.mean(leads, axis=0)
    assert chosen > max(others, 0), leads


@pytest.mark.parametrize("seed", range(5))
def test_more_lags_gain_without_any_network(seed):
    """The exhibit: where volatility remembers, all lags beat the last day alone, by a line."""
    features, lags, target = garch(2600, seed)
    folds = vol.walk_forward_folds(lags.index, 1, "2004-01-01", 2, 2)
    forecasts = {
        "day": vol.walk_forward(LinearRegression(), features[["day"]], target, folds, "test"),
        "lags": vol.walk_forward(LinearRegression(), lags, target, folds, "test"),
    }
    squared = vol.losses(forecasts, target, "squared").mean()
    assert squared["lags"] < 0.97 * squared["day"]


def test_short_tests_miss_a_difference_that_is_there():
    """The exhibit: of tests over two years most miss an edge that twelve years nearly always show,
    over several seeds."""
    short, long = [], []
    for seed in range(20):
        draws = np.random.default_rng(seed)
        first = pd.Series(10 - 0.08 + draws.normal(size=3000))
        second = pd.Series(np.full(3000, 10.0))
        long.append(vol.equal_loss(first, second)[1])
        short += [
            vol.equal_loss(first[n : n + 500], second[n : n + 500])[1] for n in range(0, 3000, 500)
        ]
    assert np.mean(np.array(long) < 0.05) > 0.9 and np.mean(np.array(short) < 0.05) < 0.7


def test_the_vix_is_used_where_it_is_known():
    index = pd.bdate_range("2012-01-02", "2018-12-28")
    implied = vol.implied_volatility().reindex(index).interpolate(limit_direction="both")
    noise = pd.Series(np.random.default_rng(0).normal(size=len(index)), index)
    features, target = noise.to_frame("day"), implied + 0.01 * noise
    folds = vol.walk_forward_folds(index, 1, "2017-01-01", 2, 2)
    frame = vol.with_implied(features, target, folds)
    assert len(frame) > 400 and (frame["log"] - target.reindex(frame.index)).std() < 0.01
    assert vol.with_implied(features, target, folds=[]).empty
    alone = vol.with_implied(features[[]], target, folds)
    assert len(alone) == len(frame)
    models = {1: {"small": frame + 1, "network": frame + 0.001}}
    table = vol.implied_table(models, features, {1: target}, {1: folds}, "network", "small")
    errors = table["RMSE, 1 days"]
    assert list(errors.sort_values().index) == ["small and VIX", "network", "VIX alone", "small"]


def test_later_years_have_scores_of_their_own_where_there_are_two():
    days = pd.bdate_range("2015-01-01", "2020-12-31")
    target = pd.Series(np.random.default_rng(0).normal(size=len(days)), days)
    good = pd.DataFrame({"log": 0.9 * target, "variance": np.exp(1.8 * target)})
    poor = good.assign(log=target.where(days < "2019", target + 1))  # wrong in the later years only
    known = {1: {"base": good, "poor": poor}}, {1: target}, "base"
    rows = vol.scores_of_later_years(*known, "2019-01-01")
    assert {row["task"] for row in rows} == {"volatility_1_days_ahead_from_2019"}
    error = {row["model"]: row["value"] for row in rows if row["metric"] == "rmse"}
    assert error["poor"] == pytest.approx(1, abs=1e-6) and error["base"] < 0.2
    assert rows[0]["n"] == (days >= "2019").sum()
    assert vol.scores_of_later_years(*known, "2019-06-01") == []


def test_without_opens_none_is_stale():
    days = pd.to_datetime(["2001-01-02", "2001-01-03", "2001-01-04", "2001-01-05"])
    prices = pd.DataFrame({"close": [1.0, 2.0, 3.0, 4.0]}, days)
    assert vol.stale_opens(prices).tolist() == [0]
    assert vol.stale_opens(prices.assign(open=[1.0, 1.0, 2.5, 3.0])).tolist() == [50]


def test_baselines_of_the_close_know_the_day_before_only():
    steps = np.cumsum(np.random.default_rng(3).normal(scale=0.01, size=600))
    close = pd.Series(100 * np.exp(steps), DAYS[:600])
    train_return = np.log(close).diff().iloc[1:400]
    forecasts = vol.close_baselines(close, train_return)
    assert forecasts.index.equals(close.index[1:])
    assert forecasts["yesterday's close"].tolist() == close.tolist()[:-1]
    growth = forecasts["with drift"] / forecasts["yesterday's close"]
    np.testing.assert_allclose(growth, np.exp(train_return.mean()))
    later = close.copy()
    later.iloc[500:] *= 2
    changed = vol.close_baselines(later, train_return)
    pd.testing.assert_frame_equal(forecasts[:500], changed[:500])
    assert not forecasts[500:].equals(changed[500:])


def test_rank_correlations_of_levels_and_of_returns():
    """A forecast whose returns are the right ones has 1 and 1, a constant one has no second."""
    close = pd.Series(100 * np.exp(rng.normal(scale=0.01, size=300).cumsum()), DAYS[:300])
    before = close.shift(1).iloc[1:]
    actual = close.iloc[1:]
    forecasts = pd.DataFrame(
        {"before": before, "drift": before * np.exp(0.000123), "known": actual}
    )
    table = vol.rank_correlations(forecasts, actual)
    assert table.loc["known"].tolist() == pytest.approx([1, 1])
    assert table.loc[["before", "drift"], "IC of returns"].isna().all()
    assert 0.9 < table.loc["before", "IC of levels"] < 1


def test_joined_folds_are_calibrated_on_the_days_they_were_fitted_on():
    target = pd.Series(rng.normal(size=len(DAYS)), DAYS)
    folds = {1: vol.walk_forward_folds(DAYS, 1, "2007-01-01")}
    raw = [pd.DataFrame({1: target + number}) for number, _ in enumerate(folds[1])]
    fitted = [fold.fit for fold in folds[1]]
    joined = vol.joined_folds(raw, fitted, {1: target}, folds)[1]
    assert joined.index.equals(DAYS[DAYS >= "2007-01-01"])
    np.testing.assert_allclose(joined["log"], target[joined.index])  # each fold has its own offset


def test_last_limits_are_the_newest_that_are_known():
    limits = {}
    for horizon in (1, 5):
        low = [-2.0, -horizon, np.nan]
        limits[horizon] = pd.DataFrame({"low": low, "high": [2.0, horizon, np.nan]})
    assert vol.last_limits(limits) == {"low": [-1, -5], "high": [1, 5]}


def test_last_moves_look_at_the_last_third():
    class Run:
        history = {"val_loss": [9.0, 2.0, 2.0, 2.0, 1.5, 1.0]}

    assert vol.last_moves({"one": [Run]})["one"] == pytest.approx(0.5)
    Run.history = {"val_loss": [3.0]}
    assert vol.last_moves({"one": [Run]})["one"] == 0
