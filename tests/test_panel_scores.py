"""Scores of a panel: equal to the plain ones on all samples, intervals that resample weeks, tests
at their level.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

import scores
from features import panel_scores


def samples(weeks=60, stocks=8, seed=0):
    """Dates, log volatilities with a common part, and a forecast of them."""
    generator = np.random.default_rng(seed)
    dates = np.repeat(np.arange(weeks), stocks)
    predicted = np.repeat(generator.normal(size=weeks), stocks)
    actual = predicted + 0.5 * generator.normal(size=len(dates))
    return dates, actual, predicted


def test_the_smallest_effect_is_found_four_times_out_of_five():
    effect = panel_scores.smallest_effect(0.1)
    estimates = effect + 0.1 * np.random.default_rng(0).normal(size=20_000)
    assert (np.abs(estimates) > 1.96 * 0.1).mean() == pytest.approx(0.8, abs=0.01)


def test_qlike_by_hand_and_least_where_right():
    assert panel_scores.qlike_of_logs(np.log(0.02), np.log(0.01)) == pytest.approx(
        4 - np.log(4) - 1
    )
    assert panel_scores.qlike_of_logs(0.3, 0.3) == 0
    too_low, too_high = panel_scores.qlike_of_logs(0.0, np.array([-0.5, 0.5]))
    assert too_low > too_high > 0


def test_rows_equal_the_plain_scores():
    dates, actual, predicted = samples()
    rows = panel_scores.volatility_rows("task", "model", actual, predicted, dates)
    by_metric = {row["metric"]: row for row in rows}
    assert by_metric["r2"]["value"] == pytest.approx(scores.r2(actual, predicted))
    assert by_metric["qlike"]["value"] == pytest.approx(
        panel_scores.qlike_of_logs(actual, predicted).mean()
    )
    for row in rows:
        assert row["low"] < row["value"] < row["high"]

    up, probability = (actual > 0).astype(float), 1 / (1 + np.exp(-predicted - 0.1 * actual))
    rows = panel_scores.direction_rows("task", "model", up, probability, actual, dates)
    by_metric = {row["metric"]: row["value"] for row in rows}
    assert by_metric["auc"] == pytest.approx(roc_auc_score(up, probability))
    assert by_metric["accuracy"] == pytest.approx(scores.accuracy(up, probability))
    assert by_metric["brier"] == pytest.approx(((up - probability) ** 2).mean())
    assert by_metric["ic"] > 0.9


def test_the_auc_of_drawn_weeks_is_that_of_their_samples():
    generator = np.random.default_rng(0)
    dates = np.repeat(np.arange(20), generator.integers(2, 9, 20))
    actual = generator.integers(0, 2, len(dates))
    predicted = generator.integers(0, 30, len(dates)) / 30
    pairs, up, down = panel_scores.auc_by_weeks(actual, predicted, dates)
    for _ in range(5):
        drawn = generator.integers(0, 20, 20)
        rows = np.concatenate([np.flatnonzero(dates == week) for week in drawn])
        times = np.bincount(drawn, minlength=20)
        quick = times @ pairs @ times / ((times @ up) * (times @ down))
        assert quick == pytest.approx(roc_auc_score(actual[rows], predicted[rows]))


def test_weeks_are_paired():
    dates, actual, predicted = samples()
    worse = predicted + 0.3
    difference, t = panel_scores.paired_by_week(
        (actual - predicted) ** 2, (actual - worse) ** 2, dates
    )
    by_hand = ((actual - predicted) ** 2 - (actual - worse) ** 2).mean()
    assert difference == pytest.approx(by_hand) and t < -2


def test_pesaran_timmermann_keeps_its_level_where_stocks_move_together():
    generator, rejected = np.random.default_rng(0), 0
    dates = np.repeat(np.arange(100), 20)
    for _ in range(200):
        market, guess = generator.normal(size=(2, 100)).repeat(20, axis=1)
        actual = market + 0.5 * generator.normal(size=2000)
        rejected += abs(panel_scores.pesaran_timmermann(actual, guess, dates)[1]) > 1.96
    assert rejected / 200 < 0.12
    covariance, t = panel_scores.pesaran_timmermann(actual, market, dates)
    assert covariance > 0.1 and t > 5
    assert np.isnan(panel_scores.pesaran_timmermann(actual, np.ones(2000), dates)[1])


def test_mantel_tells_meaningful_distances_from_random_ones():
    generator = np.random.default_rng(0)
    places = generator.normal(size=(15, 2))
    observed, by_chance, p = panel_scores.mantel(pdist(places), pdist(3 * places[:, ::-1]), 99)
    assert observed == pytest.approx(1) and p == 0.01 and by_chance.max() < 1
    others = pdist(generator.normal(size=(15, 2)))
    observed, _, p = panel_scores.mantel(pdist(places), others, 99)
    assert observed == pytest.approx(spearmanr(pdist(places), others)[0]) and p > 0.05


def test_the_power_of_a_panel_grows_with_its_weeks():
    generator = np.random.default_rng(0)
    dates, returns, guess = np.repeat(np.arange(200), 10), *generator.normal(size=(2, 2000))
    labels = (returns > 0).astype(float)
    least_ic, least_auc = panel_scores.smallest_effects(returns, labels, guess, dates, 400)
    expected = panel_scores.smallest_effect(1 / np.sqrt(9 * 400))  # ranks of ten stocks
    assert least_ic == pytest.approx(expected, rel=0.1)
    more = panel_scores.smallest_effects(returns, labels, guess, dates, 1600)
    assert more == pytest.approx((least_ic / 2, 0.5 + (least_auc - 0.5) / 2))


def test_losses_are_paired_with_those_of_each_rival():
    dates, actual, predicted = samples()
    forecasts = {"mean": np.zeros_like(actual), "own": predicted, "worse": predicted + 1}
    table = panel_scores.paired_table(forecasts, actual, dates, own="own")
    assert list(table.index) == ["mean", "worse"] and (table < -2).all(axis=None)
    squares = [(actual - forecasts[name]) ** 2 for name in ("own", "worse")]
    expected = panel_scores.paired_by_week(*squares, dates)[1]
    assert table.loc["worse", "t, squared error"] == pytest.approx(expected)


def test_the_line_of_a_direction_names_its_rivals():
    generator = np.random.default_rng(0)
    dates, returns = np.repeat(np.arange(80), 10), generator.normal(size=800)
    forecasts = {"good": 0.5 + returns / 20, "none": 0.5 + generator.normal(size=800) / 20}
    up = (returns > 0).astype(float)
    line = panel_scores.direction_line(forecasts, "good", ["none"], up, returns, dates)
    assert line.startswith("IC 1.000") and "; against none +" in line
    assert float(line.split("Pesaran-Timmermann t = ")[1]) > 3


def test_a_number_a_week_fools_the_pooled_correlation_where_weeks_have_a_market():
    generator = np.random.default_rng(0)
    dates = np.repeat(np.arange(150), 20)
    alone = generator.normal(size=3000)
    assert panel_scores.false_alarms(alone, dates) < 0.12
    market = np.repeat(generator.normal(size=150), 20)
    assert panel_scores.false_alarms(alone + market, dates) > 0.3


def test_differences_of_weekly_ics_are_paired():
    ics = {"own": pd.Series([0.1, 0.2, 0.3, 0.2]), "rival": pd.Series([0.0, 0.1, 0.1, 0.2])}
    texts = panel_scores.ic_differences(ics, "own", ["rival"])
    t = scores.mean_t_statistic(ics["own"] - ics["rival"])[1]
    assert texts == {"rival": f"+0.1000 (t = {t:.1f})"}
