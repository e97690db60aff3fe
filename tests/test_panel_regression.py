"""The linear rival: equal to scikit-learn's with indicators, the same in any number of batches."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from features import panel_regression
from features.panel_regression import PanelRegression


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
