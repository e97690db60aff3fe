"""Folds, positions, costs and Sharpe ratios of notebook 04, by hand."""

import numpy as np
import pandas as pd
import pytest

from features.panel_regression import PanelRegression, walk_forward_ridge
from features.portfolio import (
    break_even_cost,
    deflated_sharpe,
    long_short,
    sharpe,
    weekly_folds,
)
from utils import Windows

WEEKS = pd.date_range("2020-01-03", periods=3, freq="W-FRI").to_numpy()
DATES = np.repeat(WEEKS, 5)
STOCKS = pd.Categorical.from_codes(np.tile(np.arange(5), 3), list("ABCDE"))


def test_return_and_turnover_of_a_portfolio_by_hand():
    returns = np.array([0.1, 0, 0, 0, 0.3, -0.2, 0, 0, 0, 0.5, 0.04, 0, 0, 0, -0.06])
    # long E and short A, then twice the reverse
    predicted = np.array([1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 5, 4, 3, 2, 1])
    gross, turnover = long_short(predicted, returns, DATES, STOCKS)
    np.testing.assert_allclose(gross, [0.3 - 0.1, -0.2 - 0.5, 0.04 + 0.06])
    first = 1 + 1  # from nothing
    second = (1 + 1.1) + (1 + 1.3)  # A was worth -1.1 and becomes 1; E was worth 1.3 and becomes -1
    third = (1 - 0.8) + (1.5 - 1)  # the same positions, brought back to one dollar a side
    np.testing.assert_allclose(turnover, [first, second, third])
    cost = break_even_cost(-gross, turnover)
    assert cost == pytest.approx((0.7 - 0.2 - 0.1) / (2 + 4.4 + 0.7))
    assert (-gross - cost * turnover).sum() == pytest.approx(0)
    assert np.isnan(break_even_cost(gross, turnover)), "no cost leaves what was lost before costs"


def test_quintiles_hold_a_fifth_of_the_stocks_a_side():
    generator = np.random.default_rng(0)
    dates = np.repeat(WEEKS[:2], [10, 23])  # thirteen stocks are listed in the second week
    stocks = pd.Categorical.from_codes(np.r_[:10, :23], range(23))
    predicted, returns = generator.permutation(33), generator.normal(size=33)
    gross, turnover = long_short(predicted, returns, dates, stocks)
    for week, (start, end, short, long) in enumerate([(0, 10, 2, 2), (10, 33, 4, 5)]):
        order = returns[start:end][predicted[start:end].argsort()]
        assert gross.iloc[week] == pytest.approx(order[-long:].mean() - order[:short].mean())
    assert turnover.iloc[0] == pytest.approx(2)


def test_a_forecast_without_change_trades_nothing_when_nothing_moves():
    predicted = np.tile([1, 2, 3, 4, 5], 3)
    _, turnover = long_short(predicted, np.zeros(15), DATES, STOCKS)
    np.testing.assert_allclose(turnover, [2, 0, 0])


def test_positions_are_as_large_as_asked_and_a_dollar_a_side():
    dates = np.repeat(WEEKS[0], 10)
    stocks = pd.Categorical.from_codes(np.arange(10), range(10))
    size, returns = np.ones(10), np.zeros(10)
    size[9], returns[8], returns[9] = 3, 0.1, 0.2
    gross, turnover = long_short(np.arange(10), returns, dates, stocks, size)
    assert gross.iloc[0] == pytest.approx(0.25 * 0.1 + 0.75 * 0.2)
    assert turnover.iloc[0] == pytest.approx(2)


def test_one_stock_has_no_other_side():
    stocks = pd.Categorical.from_codes(np.zeros(3, dtype=int), ["A"])
    gross, _ = long_short(np.arange(3), np.full(3, 0.1), WEEKS, stocks)
    np.testing.assert_allclose(gross, 0.1)


def panel(weeks=60, stocks=4):
    dates = pd.date_range("2015-01-02", periods=weeks + 1, freq="W-FRI").to_numpy()
    codes = np.tile(np.arange(stocks), weeks)
    ends, known = np.repeat(dates[:-1], stocks), np.repeat(dates[1:], stocks)
    ticker = pd.Categorical.from_codes(codes, range(stocks))
    return Windows(np.zeros((len(ends), 1, 1)), np.zeros(len(ends)), ends, known, ticker)


@pytest.mark.parametrize("folds", [1, 4, 7])
def test_walk_forward_trains_on_what_is_known_and_leaves_no_week_out(folds):
    windows, part = panel(), slice(100, 240)
    cut = weekly_folds(windows, part, folds)
    assert len(cut) == folds
    rows = np.concatenate([np.arange(len(windows))[coming] for _, coming in cut])
    np.testing.assert_array_equal(rows, np.arange(100, 240))
    for known, coming in cut:
        assert windows.target_date[known].max() < windows.input_end[coming].min()
        purged = np.unique(windows.input_end[known.stop : coming.start])
        assert known.start == 0 and len(purged) == 1, "no more than the one week is given up"


@pytest.mark.parametrize("folds", [0, 36])
def test_too_many_folds_are_said(folds):
    with pytest.raises(ValueError, match=f"from 1 to the 35 weeks of these years, given {folds}"):
        weekly_folds(panel(), slice(100, 240), folds)
    with pytest.raises(ValueError, match="nothing is known before the first fold"):
        weekly_folds(panel(), slice(0, 240), 2)


def test_sharpe_of_a_year_by_hand():
    weekly = np.tile([0.01, -0.01, 0.02, 0.0], 20)
    assert sharpe(weekly) == pytest.approx(np.sqrt(52) * 0.005 / weekly.std())
    assert sharpe(weekly[:8]) == pytest.approx(np.sqrt(8) * 0.005 / weekly.std()), "of eight weeks"
    assert sharpe(np.zeros(4)) == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_luck_of_the_best_of_many_is_deflated(seed):
    weekly = np.random.default_rng(seed).normal(0, 0.02, (500, 40))
    ratios = np.array([sharpe(column) for column in weekly.T])
    best = ratios.argmax()
    lucky, probability = deflated_sharpe(weekly[:, best], ratios)
    assert lucky == pytest.approx(ratios.max(), rel=0.4)
    assert probability < 0.9, "without skill"
    skilled = weekly[:, best] + 0.005
    ratios[best] = sharpe(skilled)
    assert deflated_sharpe(skilled, ratios)[1] > 0.95, "with skill"
    with pytest.raises(ValueError, match="at least two tries"):
        deflated_sharpe(skilled, ratios[:1])


@pytest.mark.parametrize("penalty", [1e-9, 1, 1e6])
def test_ridge_gives_the_scale_back(penalty):
    """With one input the scale is all there is: least squares, whatever the penalty."""
    inputs, outcome = np.array([[-1.0], [0], [1], [2]]), np.array([1.0, 2, 6, 7])
    arguments = [inputs], outcome, np.zeros(4, dtype=int)
    fit = PanelRegression(penalty=penalty, rescale=True).fit(*arguments, slice(0, 4))
    assert fit.coef[0] == pytest.approx(2.2)
    folds = [(slice(0, 3), slice(3, 4))]
    ahead = walk_forward_ridge(*arguments, folds, [penalty])[penalty]
    np.testing.assert_allclose(ahead, 3 + 2.5 * 2)


@pytest.mark.parametrize("effects", [False, True])
def test_what_is_known_is_read_once_and_counts_for_every_fold(effects):
    generator = np.random.default_rng(0)
    inputs, stock = generator.normal(size=(90, 3)), generator.integers(0, 4, 90)
    outcome = inputs.sum(axis=1) + stock + generator.normal(size=90)
    folds = [(slice(0, stop), slice(stop + 2, stop + 20)) for stop in (30, 50, 70)]
    ahead = walk_forward_ridge([inputs], outcome, stock, folds, [0.1], effects)[0.1]
    anew = []
    for known, coming in folds:
        fit = PanelRegression(effects, 0.1 * known.stop, rescale=True)
        fit.fit([inputs], outcome, stock, known)
        anew.append(fit.predict([inputs], stock, coming))
    np.testing.assert_allclose(ahead, np.concatenate(anew))
