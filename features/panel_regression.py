"""Linear regressions on windows of a panel, with or without stock effects, batch by batch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from features.panel_scores import paired_by_week
from scores import auc
from utils import Split

BATCH = 50_000


class PanelRegression:
    """Least squares with a small penalty on all lags of all features: the network's linear rival.

    With ``effects`` each stock has an intercept of its own, as if it had an indicator variable
    (within estimator; Wooldridge 2010, Econometric Analysis of Cross Section and Panel Data,
    chapter 10); a stock that is not among those fitted has the mean intercept. The inputs are read
    batch by batch, so that lazy windows need little memory. With ``rescale`` the scale that a
    strong penalty takes away is given back: the forecast times its slope in the years of the fit.

    Attributes after ``fit``:
        coef: weights, (inputs,), of the inputs flattened and put side by side.
        intercept: mean intercept.
        by_stock: what each stock adds to the intercept, (stocks,).
    """

    def __init__(self, effects: bool = False, penalty: float = 1.0, rescale: bool = False):
        self.effects, self.penalty, self.rescale = effects, penalty, rescale

    def fit(
        self, inputs: Sequence, outcome: np.ndarray, stock: np.ndarray, part: slice
    ) -> "PanelRegression":
        """Fit on a part of the samples.

        ``inputs`` are arrays or lazy windows, each (samples, ...); ``outcome`` and ``stock``, whole
        numbers from 0, are (samples,).
        """
        stocks = int(stock.max()) + 1 if self.effects else 1
        self._sums = 0.0, 0.0, 0.0, np.zeros(stocks), np.zeros(stocks)
        return self.extend(inputs, outcome, stock, part)

    def extend(
        self, inputs: Sequence, outcome: np.ndarray, stock: np.ndarray, part: slice
    ) -> "PanelRegression":
        """Fit on a further part of the same samples too; those known before are not read again."""
        square, product, x_sum, y_sum, count = self._sums
        stocks = len(count)
        for rows in batches(part, len(outcome)):
            x, y = flat(inputs, rows), outcome[rows].astype("float64")
            group = stock[rows] if self.effects else np.zeros(len(y), dtype=int)
            entries = np.ones(len(y)), (group, np.arange(len(y)))
            indicator = csr_matrix(entries, shape=(stocks, len(y)))
            count = count + np.bincount(group, minlength=stocks)
            y_sum = y_sum + indicator @ y
            x_sum = x_sum + indicator @ x
            square, product = square + x.T @ x, product + x.T @ y
        self._sums = square, product, x_sum, y_sum, count
        return self._solve()

    def with_penalty(self, penalty: float) -> "PanelRegression":
        """The same regression on the same samples with another penalty, without reading them."""
        other = PanelRegression(self.effects, penalty, self.rescale)
        other._sums = self._sums
        return other._solve()

    def _solve(self) -> "PanelRegression":
        square, product, x_sum, y_sum, count = self._sums
        some = np.maximum(count, 1)
        within = square - x_sum.T @ (x_sum / some[:, None])
        product = product - x_sum.T @ (y_sum / some)
        penalty = self.penalty * np.eye(len(within))
        self.coef = np.linalg.solve(within + penalty, product)
        if self.rescale and (spread := self.coef @ within @ self.coef) > 0:
            self.coef *= (self.coef @ product) / spread
        own = (y_sum - x_sum @ self.coef) / some
        self.intercept = float(own @ count / count.sum())
        self.by_stock = np.where(count > 0, own - self.intercept, 0)
        return self

    def predict(self, inputs: Sequence, stock: np.ndarray, part: slice) -> np.ndarray:
        """Forecasts for a part of the samples: float64, (samples of the part,)."""
        parts = []
        for rows in batches(part, len(stock)):
            effect = self.by_stock[stock[rows]] if self.effects else 0.0
            parts.append(flat(inputs, rows) @ self.coef + self.intercept + effect)
        return np.concatenate(parts)


def logistic(inputs: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    """Logistic regression, with the scale that the penalty takes away given back.

    ``inputs`` are (samples, n), ``labels`` 0 or 1; a small ``strength`` is a strong penalty.
    """
    fit = LogisticRegression(C=strength, solver="newton-cholesky").fit(inputs, labels)
    scores = inputs @ fit.coef_[0]
    again = LogisticRegression(C=1e6).fit(scores[:, None] / scores.std(), labels)
    fit.coef_ *= again.coef_[0, 0] / scores.std()
    fit.intercept_ = again.intercept_
    return fit


def batches(part: slice, samples: int) -> list[np.ndarray]:
    """Positions of the samples of a part, at most ``BATCH`` at a time."""
    rows = np.arange(samples)[part]
    return np.array_split(rows, max(1, -(-len(rows) // BATCH)))


def flat(inputs: Sequence, rows: np.ndarray) -> np.ndarray:
    """Some samples of all inputs, flattened and put side by side: float64, (samples, inputs)."""
    values = [np.asarray(one[rows], dtype="float64").reshape(len(rows), -1) for one in inputs]
    return np.concatenate(values, axis=1)


def walk_forward_ridge(
    inputs: Sequence,
    outcome: np.ndarray,
    stock: np.ndarray,
    folds: list[tuple[slice, slice]],
    penalties: list[float],
    effects: bool = False,
) -> dict[float, np.ndarray]:
    """Forecasts of a rescaled ``PanelRegression`` for all folds, by penalty (of one sample).

    ``folds`` are pairs (samples known, samples to forecast), in order of time: what is known only
    grows, so each sample is read once. Each array has the samples to forecast, fold after fold.
    """
    parts = {penalty: [] for penalty in penalties}
    so_far, read = PanelRegression(effects, rescale=True), None
    for known, coming in folds:
        if read is None:
            so_far.fit(inputs, outcome, stock, known)
        else:
            so_far.extend(inputs, outcome, stock, slice(read, known.stop))
        read = known.stop
        for penalty in penalties:
            fit = so_far.with_penalty(penalty * (known.stop - known.start))
            parts[penalty].append(fit.predict(inputs, stock, coming))
    return {penalty: np.concatenate(forecasts) for penalty, forecasts in parts.items()}


def best_logistic(
    inputs: np.ndarray, labels: np.ndarray, split: Split, strengths: Sequence[float]
) -> LogisticRegression:
    """``logistic`` fitted on the training samples, with the strength of the highest AUC on
    validation.
    """
    fits, curve = {}, {}
    for strength in strengths:
        fits[strength] = logistic(inputs[split.train], labels[split.train], strength)
        odds = fits[strength].decision_function(inputs[split.validation])
        curve[strength] = auc(labels[split.validation], odds)
    return fits[max(curve, key=curve.get)]


def best_linear(
    inputs: Sequence,
    labels: np.ndarray,
    stock: np.ndarray,
    split: Split,
    penalties: Sequence[float],
    effects: bool,
) -> np.ndarray:
    """Forecasts for all samples of a ``PanelRegression`` of ``labels`` (0 or 1) that was fitted on
    the training samples, with the penalty of the highest AUC on validation.
    """
    model, curve = PanelRegression(effects).fit(inputs, labels, stock, split.train), {}
    for penalty in penalties:
        model = model.with_penalty(penalty)
        predicted = model.predict(inputs, stock, split.validation)
        curve[penalty] = auc(labels[split.validation], predicted)
    best = model.with_penalty(max(curve, key=curve.get))
    return best.predict(inputs, stock, slice(0, len(labels)))


def gains_of_inputs(
    base: list,
    further: dict[str, tuple[bool, list]],
    targets: dict[str, np.ndarray],
    stock: np.ndarray,
    split: Split,
    dates: np.ndarray,
) -> pd.DataFrame:
    """t-statistics, paired by week, of the squared error on validation with further inputs less
    that without: a row a further input, a column a target. Negative: lower with the input.

    ``further``: name -> (with stock effects?, inputs beside those of ``base``). Regressions fitted
    on the training samples; ``targets``, ``stock`` and ``dates`` are for all samples.
    """
    part = split.validation
    table = pd.DataFrame(index=list(further), columns=list(targets), dtype=float)
    for question, target in targets.items():
        errors = {}
        for name, (effects, more) in {None: (False, []), **further}.items():
            inputs = [*base, *more]
            model = PanelRegression(effects).fit(inputs, target, stock, split.train)
            errors[name] = (target[part] - model.predict(inputs, stock, part)) ** 2
        for name in further:
            pair = errors[name], errors[None]
            table.loc[name, question] = paired_by_week(*pair, dates[part])[1]
    return table


def walk_forward_grid(
    inputs: np.ndarray,
    columns: dict[str, slice],
    targets: dict[str, np.ndarray],
    stock: np.ndarray,
    folds: list[tuple[slice, slice]],
    penalties: list[float],
) -> dict[tuple[str, str, float], np.ndarray]:
    """``walk_forward_ridge`` for some ``columns`` of inputs (samples, steps, features) by name,
    each of the ``targets`` and penalties: (name, target, penalty) -> forecasts. Columns called
    "all" have stock effects beside them.
    """
    tried = {}
    for name, part in columns.items():
        for target, outcome in targets.items():
            known = [inputs[:, :, part]], outcome, stock, folds, penalties
            for penalty, predicted in walk_forward_ridge(*known, name == "all").items():
                tried[name, target, penalty] = predicted
    return tried


def walk_forward_logistic(
    inputs: np.ndarray, labels: np.ndarray, folds: list[tuple[slice, slice]]
) -> np.ndarray:
    """Log odds from ``logistic`` for all ``folds``, one after the other."""
    forecasts = []
    for known, coming in folds:
        fit = logistic(inputs[known], labels[known], 1.0)
        forecasts.append(fit.decision_function(inputs[coming]))
    return np.concatenate(forecasts)
