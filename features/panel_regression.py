"""Linear regressions on windows of a panel, with or without stock effects, batch by batch."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

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
