"""The linear rival: equal to scikit-learn's with indicators, the same in any number of batches."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from features import panel_regression
from features.panel_regression import PanelRegression
from scores import auc
from utils import Split


@pytest.fixture
def panel():
    generator = np.random.default_rng(0)
    X, stock = generator.normal(size=(500, 4, 2)), generator.integers(0, 6, 500)
    return X, X[:, -1].sum(axis=1) + stock + generator.normal(size=500), stock


@pytest.mark.parametrize("batch", [50_000, 60])
def test_pooled_is_ridge(panel, batch, monkeypatch):
    monkeypatch.setattr(panel_regression, "BATCH", batch)
    X, y, stock = panel
    fit = PanelRegression(penalty=3.0).fit([X], y, stock, slice(0, 400))
    plain = Ridge(3.0).fit(X[:400].reshape(400, -1), y[:400])
    np.testing.assert_allclose(fit.coef, plain.coef_)
    expected = plain.predict(X[400:].reshape(100, -1))
    np.testing.assert_allclose(fit.predict([X], stock, slice(400, None)), expected)
    stronger = PanelRegression(penalty=50.0).fit([X], y, stock, slice(0, 400))
    np.testing.assert_allclose(fit.with_penalty(50.0).coef, stronger.coef)


@pytest.mark.parametrize("batch", [50_000, 60])
def test_effects_are_indicators(panel, batch, monkeypatch):
    monkeypatch.setattr(panel_regression, "BATCH", batch)
    X, y, stock = panel
    fit = PanelRegression(effects=True, penalty=1e-9).fit([X], y, stock, slice(0, 400))
    design = np.c_[X.reshape(500, -1), np.eye(6)[stock]]
    weights = np.linalg.lstsq(design[:400], y[:400], rcond=None)[0]
    np.testing.assert_allclose(
        fit.predict([X], stock, slice(400, 500)), design[400:] @ weights, rtol=1e-6
    )


def test_a_stock_without_training_years_has_the_mean_intercept(panel):
    X, y, stock = panel
    stock = np.where(np.arange(500) < 400, stock % 5, 5)
    fit = PanelRegression(effects=True).fit([X], y, stock, slice(0, 400))
    expected = X[400:].reshape(100, -1) @ fit.coef + fit.intercept
    np.testing.assert_allclose(fit.predict([X], stock, slice(400, 500)), expected)


def test_several_inputs_stand_side_by_side(panel):
    X, y, stock = panel
    both = PanelRegression().fit([X[:, :, :1], X[:, :, 1:]], y, stock, slice(0, 400))
    one = PanelRegression().fit([X], y, stock, slice(0, 400))
    arguments = stock, slice(400, 500)
    np.testing.assert_allclose(
        both.predict([X[:, :, :1], X[:, :, 1:]], *arguments), one.predict([X], *arguments)
    )


SPLIT = Split(slice(0, 300), slice(300, 400), slice(400, 500))


def test_strength_and_penalty_are_those_of_the_best_auc_on_validation(panel):
    X, y, stock = panel
    flat, labels = X.reshape(500, -1), (y > np.median(y)).astype(float)
    strengths, validation = [1e-8, 1e-2, 1.0], SPLIT.validation
    aucs = {}
    for strength in strengths:
        fit = panel_regression.logistic(flat[:300], labels[:300], strength)
        aucs[strength] = auc(labels[validation], fit.decision_function(flat[validation]))
    best = panel_regression.best_logistic(flat, labels, SPLIT, strengths)
    assert best.C == max(aucs, key=aucs.get)
    aucs, forecasts = {}, {}
    for penalty in (1.0, 1e3, 1e6):
        fit = PanelRegression(True, penalty).fit([X], labels, stock, SPLIT.train)
        forecasts[penalty] = fit.predict([X], stock, slice(0, 500))
        aucs[penalty] = auc(labels[validation], forecasts[penalty][validation])
    found = panel_regression.best_linear([X], labels, stock, SPLIT, list(aucs), True)
    np.testing.assert_allclose(found, forecasts[max(aucs, key=aucs.get)])
    other = np.append(labels[:400], 1 - labels[400:])  # later labels change nothing
    again = panel_regression.best_linear([X], other, stock, SPLIT, list(aucs), True)
    np.testing.assert_array_equal(found, again)


def test_an_input_that_tells_something_joins_and_noise_does_not(panel):
    X, y, stock = panel
    noise = np.random.default_rng(1).normal(size=(500, 3))
    further = {"stock": (True, []), "noise": (False, [noise])}
    dates = np.repeat(np.arange(100), 5)
    table = panel_regression.gains_of_inputs([X], further, {"y": y}, stock, SPLIT, dates)
    assert table.loc["stock", "y"] < -2 < table.loc["noise", "y"]


def test_a_grid_walks_forward_as_each_of_its_regressions_does(panel):
    X, y, stock = panel
    folds = [(slice(0, 200), slice(210, 300)), (slice(0, 300), slice(310, 400))]
    columns, targets = {"first": slice(0, 1), "all": slice(0, 2)}, {"y": y, "sign": np.sign(y)}
    grid = panel_regression.walk_forward_grid(X, columns, targets, stock, folds, [1.0, 10.0])
    assert len(grid) == 2 * 2 * 2
    for name, effects in (("first", False), ("all", True)):
        known = [X[:, :, columns[name]]], targets["sign"], stock, folds, [10.0], effects
        expected = panel_regression.walk_forward_ridge(*known)[10.0]
        np.testing.assert_array_equal(grid[name, "sign", 10.0], expected)
    flat, labels = X.reshape(500, -1), (y > np.median(y)).astype(float)
    odds = panel_regression.walk_forward_logistic(flat, labels, folds)
    later = panel_regression.logistic(flat[:300], labels[:300], 1.0)
    np.testing.assert_allclose(odds[90:], later.decision_function(flat[310:400]))
