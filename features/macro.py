"""Forecasts of a panel of monthly series: scaling, rivals, simulated paths and their scores.

A forecaster says what the next month is expected to be, given the months before; everything else is
the same for all of them. Scaled inputs are arrays (months, series); the kinds of change are those
of ``data.macro``.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import t
from sklearn.linear_model import RidgeCV
from statsmodels.tsa.api import VAR
from statsmodels.tsa.statespace.dynamic_factor_mq import DynamicFactorMQ
from threadpoolctl import threadpool_limits

from features.volatility import clark_west
from scores import confidence_set, score_row
from utils import legend_below

ALPHAS = tuple(
    10.0 ** np.arange(0, 4.5, 0.5)
)  # penalties of ridge, from weak to nearly nothing left
LIMIT = 6  # spreads: what is further from the mean counts as that far
MEMORY = 0.95  # of squared errors, from month to month, in simulated paths
SUMMED = ("difference", "growth")  # kinds of which a model sees the change


# ---- scaling


def levels(panel: pd.DataFrame, kinds: dict[str, str]) -> np.ndarray:
    """(months, series) in the units of all scores: 100 × log for "growth", else as it is.

    Raises ValueError for a kind that is not known, or a growing series that is not positive.
    """
    columns = []
    for name, values in zip(panel, panel.to_numpy(dtype="float64").T):
        if kinds[name] not in ("level", *SUMMED):
            raise ValueError(f"{name}: the kind {kinds[name]!r} is not one of level, {SUMMED}")
        if kinds[name] == "growth":
            if (values <= 0).any():
                raise ValueError(f"{name} is not positive, so it cannot grow")
            values = 100 * np.log(values)
        columns.append(values)
    return np.column_stack(columns)


@dataclass
class Scale:
    """What is taken off before a model sees the panel, and put back into its forecasts.

    ``season`` (12, series): mean of January … December, less the mean of all; zero where it is
    not taken off. ``mean`` and ``spread`` (series,). ``summed`` and ``lasting`` (series,): is the
    input a change, is it a level that stays near where it is?
    """

    kinds: dict[str, str]
    season: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    summed: np.ndarray = field(init=False)
    lasting: np.ndarray = field(init=False)

    def __post_init__(self):
        self.summed = np.isin(list(self.kinds.values()), SUMMED)
        self.lasting = ~self.summed  # what is seen as a level stays near where it is

    def inputs(self, panel: pd.DataFrame) -> np.ndarray:
        """(months − 1, series): what the models see, from the second month on.

        No more than ``LIMIT`` spreads: a single month such as April 2020 would rule every fit.
        """
        changes = _changes(panel, self.kinds)
        month = panel.index.month.to_numpy()[1:]
        scaled = (changes - self.season[month - 1] - self.mean) / self.spread
        return np.clip(scaled, -LIMIT, LIMIT)

    def paths(self, panel: pd.DataFrame, paths: np.ndarray) -> np.ndarray:
        """Scaled paths (..., months ahead, series) that follow the last month of ``panel``, as
        levels."""
        ahead = (panel.index[-1].month + np.arange(paths.shape[-2])) % 12  # January is 0
        changes = paths * self.spread + self.mean + self.season[ahead]
        last = levels(panel.iloc[-1:], self.kinds)[0]
        return np.where(self.summed, last + np.cumsum(changes, axis=-2), changes)


def _changes(panel, kinds):
    values = levels(panel, kinds)
    summed = np.isin([kinds[name] for name in panel], SUMMED)
    return np.where(summed, np.diff(values, axis=0), values[1:])


def fit_scale(known: pd.DataFrame, kinds: dict[str, str], seasonal: bool) -> Scale:
    """The scale of the months ``known``; the season is taken off where ``seasonal``.

    Raises ValueError for a series that is constant, or for less than two years.
    """
    if len(known) < 25:
        raise ValueError(f"needs at least 25 months, given {len(known)}")
    changes = _bounded(_changes(known, kinds))
    mean = changes.mean(axis=0)
    season = np.zeros((12, changes.shape[1]))
    if seasonal:
        month = known.index.month.to_numpy()[1:]
        season = np.stack([changes[month == number].mean(axis=0) for number in range(1, 13)]) - mean
        changes = changes - season[month - 1]
    spread = changes.std(axis=0)
    if (spread == 0).any():
        raise ValueError(f"is constant: {list(known.columns[spread == 0])}")
    return Scale({name: kinds[name] for name in known}, season, mean, spread)


def _bounded(changes):
    """No value further from the median than ``LIMIT`` spreads, as the quartiles show them."""
    low, middle, high = np.quantile(changes, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349  # of a normal distribution
    spread = np.where(spread > 0, spread, changes.std(axis=0))
    return np.clip(changes, middle - LIMIT * spread, middle + LIMIT * spread)


# ---- forecasters


@dataclass
class Linear:
    """Next month as a linear function of the last ones.

    ``weights`` (lags, series, series): from the value ``lag`` months ago (the first is the oldest)
    of each series to the forecast of each. ``constant`` (series,). ``residuals`` (months, series):
    errors on the months it was fitted on.
    """

    weights: np.ndarray
    constant: np.ndarray
    residuals: np.ndarray | None = None

    def start(self, past: np.ndarray) -> tuple[list, np.ndarray]:
        """State after the months ``past`` (samples, months, series), and the mean of the next
        (samples, series)."""
        return self._mean(past[:, -len(self.weights) :])

    def advance(self, state: list, value: np.ndarray) -> tuple[list, np.ndarray]:
        """State and mean after one more month (samples, series)."""
        return self._mean(np.concatenate([state[0][:, 1:], value[:, None]], axis=1))

    def _mean(self, window):
        flat = window.reshape(len(window), -1)
        return [window], flat @ self.weights.reshape(flat.shape[1], -1) + self.constant

    def means(self, inputs: np.ndarray) -> np.ndarray:
        """(months − lags, series): forecasts of each month of ``inputs`` (months, series) from
        those before."""
        X, _ = lagged(inputs, len(self.weights))
        return X.reshape(len(X), -1) @ self.weights.reshape(-1, inputs.shape[1]) + self.constant

    def with_residuals(self, inputs: np.ndarray, parameters: np.ndarray | int) -> "Linear":
        """The same, with its errors on ``inputs``.

        A fit with many parameters has errors that are too small on the months it was fitted on.
        They are divided by 1 − parameters / months, as in generalised cross-validation (Craven and
        Wahba 1979).
        """
        residuals = inputs[len(self.weights) :] - self.means(inputs)
        residuals = residuals / (1 - np.asarray(parameters) / len(residuals))
        return Linear(self.weights, self.constant, residuals)


def lagged(inputs: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows (months − lags, lags, series), oldest first, and what follows each (months − lags,
    series)."""
    windows = np.lib.stride_tricks.sliding_window_view(inputs, lags, axis=0).swapaxes(1, 2)
    return windows[:-1], inputs[lags:]


def _stays(lags, scale):
    """Weights (lags, series, series) of the forecast that lasting series stay where they are."""
    weights = np.zeros((lags, len(scale.lasting), len(scale.lasting)))
    weights[-1] = np.diag(scale.lasting.astype("float64"))
    return weights


def fit_persistence(inputs: np.ndarray, scale: Scale) -> Linear:
    """Lasting series stay where they are, all others change as they do on average."""
    return Linear(_stays(1, scale), np.zeros(inputs.shape[1])).with_residuals(inputs, 0)


def fit_ar(inputs: np.ndarray, scale: Scale, max_lags: int = 12) -> Linear:
    """An autoregression of each series by least squares, its order of at least one chosen by the
    Akaike criterion, with all orders compared on the same months.
    """
    series = inputs.shape[1]
    weights, constant = np.zeros((max_lags, series, series)), np.zeros(series)
    parameters = np.ones(series)
    for column, values in enumerate(inputs.T):
        windows, target = lagged(values[:, None], max_lags)
        criteria = []
        for order in range(1, max_lags + 1):
            rest = target[:, 0] - _least_squares(windows[:, -order:, 0], target[:, 0])[1]
            criteria.append(len(rest) * np.log(np.mean(rest**2)) + 2 * order)
        order = int(np.argmin(criteria)) + 1
        windows, target = lagged(values[:, None], order)
        estimates, _ = _least_squares(windows[..., 0], target[:, 0])
        constant[column], weights[-order:, column, column] = estimates[0], estimates[1:]
        parameters[column] = 1 + order
    return Linear(weights, constant).with_residuals(inputs, parameters)


def _least_squares(X, y):
    """Constant and weights, and the fitted values."""
    X = np.column_stack([np.ones(len(X)), X])
    estimates = np.linalg.lstsq(X, y, rcond=None)[0]
    return estimates, X @ estimates


def fit_var(
    inputs: np.ndarray, scale: Scale, max_lags: int = 12, columns: Sequence[int] = (0, 1)
) -> Linear:
    """A vector autoregression (Sims 1980) of some ``columns``, its order chosen by the Akaike
    criterion.

    The other series stay or change as they do on average; they do not enter the forecast of
    ``columns``.
    """
    columns = list(columns)
    fit = VAR(inputs[:, columns]).fit(maxlags=max_lags, ic="aic")
    lags = max(fit.k_ar, 1)
    weights, constant = _stays(lags, scale), np.zeros(inputs.shape[1])
    weights[:, columns] = 0
    weights[:, :, columns] = 0
    for lag, matrix in enumerate(fit.coefs, start=1):  # (to, from)
        weights[-lag][np.ix_(columns, columns)] = matrix.T
    constant[columns] = fit.intercept
    parameters = np.ones(inputs.shape[1])
    parameters[columns] += fit.k_ar * len(columns)
    return Linear(weights, constant).with_residuals(inputs, parameters)


def fit_bvar(
    inputs: np.ndarray, scale: Scale, lags: int = 12, tightness: float = 0.1, cross: float = 0.5
) -> Linear:
    """A vector autoregression of all series with a Minnesota prior (Litterman 1986): posterior
    means.

    A priori every series stays (where it lasts) or changes as on average. The prior standard
    deviation of the weight of a series on itself ``lag`` months ago is ``tightness / lag``, on
    others ``cross`` times that; all are in units of the spread, so that series compare.
    """
    X, y = lagged(inputs, lags)
    X = X.reshape(len(X), -1)
    series = inputs.shape[1]
    stays = _stays(lags, scale).reshape(-1, series)
    rest = y - X @ stays
    own = np.tile(np.eye(series, dtype=bool), (lags, 1))
    prior = tightness / np.repeat(np.arange(lags, 0, -1), series)
    center, target = X.mean(axis=0), rest.mean(axis=0)
    products = (X - center).T @ (X - center)
    weights = np.empty((lags * series, series))
    parameters = np.ones(series)
    for column in range(series):
        deviation = np.where(own[:, column], prior, cross * prior)
        noise = rest[:, column].var()
        penalty = np.diag(noise / deviation**2)
        moment = (X - center).T @ (rest[:, column] - target[column])
        inverse = np.linalg.inv(products + penalty)
        weights[:, column] = inverse @ moment
        parameters[column] += np.sum(inverse * products)  # trace of the product of both
    constant = target - center @ weights
    weights = (stays + weights).reshape(lags, series, series)
    return Linear(weights, constant).with_residuals(inputs, parameters)


def fit_ridge(
    inputs: np.ndarray, scale: Scale, lags: int = 3, alphas: Sequence[float] = ALPHAS
) -> Linear:
    """Ridge regression of each series on the last months of all, shrunk towards persistence.

    Each series has its own penalty, the one of ``alphas`` with the smallest leave-one-out error.
    """
    X, y = lagged(inputs, lags)
    X = X.reshape(len(X), -1)
    series = inputs.shape[1]
    stays = _stays(lags, scale).reshape(-1, series)
    fit = RidgeCV(alphas=list(alphas), alpha_per_target=series > 1).fit(X, y - X @ stays)
    weights = stays + fit.coef_.reshape(series, -1).T
    constant = np.atleast_1d(fit.intercept_)
    squares = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)[:, None] ** 2
    parameters = 1 + (squares / (squares + fit.alpha_)).sum(axis=0)
    weights = weights.reshape(lags, series, series)
    return Linear(weights, constant).with_residuals(inputs, parameters)


def fit_factors(
    inputs: np.ndarray, scale: Scale, factors: int = 3, lags: int = 2, own: int = 3
) -> Linear:
    """Each series on its own last months and on the last ones of a few factors, by least squares.

    The factors are principal components of all series (Stock and Watson 2002).
    """
    longest, series = max(lags, own), inputs.shape[1]
    X, y = lagged(inputs, longest)
    loadings = np.linalg.svd(inputs, full_matrices=False)[2][: min(factors, series)].T
    common = (X[:, -lags:] @ loadings).reshape(len(X), -1)
    weights, constant = np.zeros((longest, series, series)), np.zeros(series)
    for column in range(series):
        known = np.column_stack([X[:, -own:, column], common])
        estimates, _ = _least_squares(known, y[:, column])
        constant[column] = estimates[0]
        of_factors = estimates[1 + own :].reshape(lags, -1)
        weights[-lags:, :, column] = of_factors @ loadings.T
        weights[-own:, column, column] += estimates[1 : 1 + own]
    parameters = 1 + own + common.shape[1]
    return Linear(weights, constant).with_residuals(inputs, parameters)


def fit_combined(
    inputs: np.ndarray, scale: Scale, fits: Sequence[Callable], shares: np.ndarray
) -> Linear:
    """Each series is forecast by a weighted mean of linear models.

    ``fits`` are functions such as those above; ``shares`` (models, series) are their weights, which
    sum to one over the models. Raises ValueError where they do not.
    """
    shares = np.asarray(shares, dtype="float64")
    if not np.allclose(shares.sum(axis=0), 1):
        raise ValueError(f"shares must sum to one for each series, given {shares.sum(axis=0)}")
    fitted = {fit: fit(inputs, scale) for fit in dict.fromkeys(fits)}  # each once
    models = [fitted[fit] for fit in fits]
    lags = max(len(model.weights) for model in models)
    known = min(len(model.residuals) for model in models)
    weights, constant, residuals = 0, 0, 0
    for model, share in zip(models, shares):
        older = np.zeros((lags - len(model.weights), *model.weights.shape[1:]))
        weights = weights + share * np.concatenate([older, model.weights])
        constant = constant + share * model.constant
        residuals = residuals + share * model.residuals[-known:]
    return Linear(weights, constant, residuals)


@dataclass
class StateSpace:
    """Next month from a state that the months before have moved (Kalman 1960, in its steady state).

    ``design`` (series, states), ``transition`` (states, states), ``gain`` (states, series).
    ``residuals`` (months, series): errors on the months it was fitted on.
    """

    design: np.ndarray
    transition: np.ndarray
    gain: np.ndarray
    residuals: np.ndarray | None = None

    def start(self, past: np.ndarray) -> tuple[list, np.ndarray]:
        """State after the months ``past`` (samples, months, series), and the mean of the next
        (samples, series)."""
        state = [np.zeros((len(past), len(self.transition)))]
        for month in range(past.shape[1]):
            state, mean = self.advance(state, past[:, month])
        return state, mean

    def advance(self, state: list, value: np.ndarray) -> tuple[list, np.ndarray]:
        """State and mean after one more month (samples, series)."""
        surprise = value - state[0] @ self.design.T
        moved = (state[0] + surprise @ self.gain.T) @ self.transition.T
        return [moved], moved @ self.design.T


def fit_dynamic_factor(
    inputs: np.ndarray, scale: Scale, factors: int = 1, iterations: int = 30
) -> StateSpace:
    """A dynamic factor model: each series is a multiple of a few factors, autoregressive of order
    two, plus an autoregressive rest of its own; by the EM algorithm (Bańbura and Modugno 2014), at
    most so many ``iterations``. The filter reads the series of a month one after the other (Koopman
    and Durbin 2000): read at once, it diverges on one panel in ten of two series. The residuals are
    the errors of the forecasts one month ahead, from the first year on.
    """
    model = DynamicFactorMQ(
        pd.DataFrame(inputs), factors=factors, factor_orders=2, standardize=False
    )
    model.ssm.filter_univariate = True
    with warnings.catch_warnings(action="ignore"):  # few iterations are meant
        fit = model.fit(maxiter=iterations, disp=0, tolerance=1e-4).filter_results
    design, transition = fit.design[..., 0], fit.transition[..., 0]
    uncertain = fit.predicted_state_cov[..., -1]
    noise = design @ uncertain @ design.T + fit.obs_cov[..., 0]
    gain = uncertain @ design.T @ np.linalg.pinv(noise)
    found = StateSpace(design, transition, gain)
    state, mean = found.start(inputs[None, :12])
    errors = []
    for month in inputs[12:]:
        errors.append(month - mean[0])
        state, mean = found.advance(state, month[None])
    found.residuals = np.array(errors)
    return found


# ---- a network beside a linear part


@dataclass
class Recurrent:
    """A linear forecaster plus what GRUs add, month by month.

    ``networks`` holds the trained weights of each run, as Keras keeps them: embedding (series,
    wide), then kernel (series + 1 + wide, 3 units), recurrent kernel (units, 3 units) and bias (2,
    3 units) of a GRU, and the output (units, 1). An encoder–decoder has two GRUs: the first reads
    the months before the last one known, the second the last one and those of the path. One network
    serves all series: it reads the month of the whole panel, that of the series whose forecast it
    makes, and the embedding of that series. The mean of the runs is added. The step is written out
    because a path needs one step a month, and Keras would read the whole window again for each
    (``tests/test_macro_forecasts.py`` compares both).
    """

    linear: Linear
    networks: list[list[np.ndarray]]
    residuals: np.ndarray | None = None

    def start(self, past: np.ndarray) -> tuple[list, np.ndarray]:
        """State after the months ``past`` (samples, months, series), and the mean of the next
        (samples, series).
        """
        state, mean = self.linear.start(past)
        hidden = self._nothing_read(len(past), past.shape[2])
        for month in range(past.shape[1] - 1):
            hidden = self._read(hidden, past[:, month], _encoder)
        hidden = self._read(hidden, past[:, -1], _decoder)
        return [*state, *hidden], mean + self._added(hidden)

    def advance(self, state: list, value: np.ndarray) -> tuple[list, np.ndarray]:
        """State and mean after one more month (samples, series)."""
        linear, mean = self.linear.advance(state[:1], value)
        hidden = self._read(state[1:], value, _decoder)
        return [*linear, *hidden], mean + self._added(hidden)

    def with_residuals(self, inputs: np.ndarray, left_out: list[np.ndarray]) -> "Recurrent":
        """The same, with its errors on ``inputs`` (months, series).

        ``left_out`` holds the months, by position, that each run was not trained on: the error of a
        month is that of the linear part (as it counts its own parameters) less what the run added
        that had not seen the month.
        """
        first = len(self.linear.weights)
        residuals = self.linear.residuals.copy()
        if self.networks:
            added = self.additions(inputs)
            for run, months in enumerate(left_out):
                months = months[months >= first]
                residuals[months - first] -= added[run, months - 1]
        return Recurrent(self.linear, self.networks, residuals)

    def additions(self, inputs: np.ndarray) -> np.ndarray:
        """(runs, months − 1, series): what each run adds to the forecast of each month but the
        first of ``inputs`` (months, series).
        """
        hidden = self._nothing_read(1, inputs.shape[1])
        added = []
        for value in inputs[:-1]:
            latest = self._read(hidden, value[None], _decoder)
            added.append([self._output(*pair)[0] for pair in zip(self.networks, latest)])
            hidden = self._read(hidden, value[None], _encoder)
        return np.array(added).swapaxes(0, 1)

    def _nothing_read(self, samples, series):
        units = [len(network[2]) for network in self.networks]
        return [np.zeros((samples, series, each), dtype="float32") for each in units]

    def _read(self, hidden, value, part):
        value = value.astype("float32")  # as Keras does; twice as fast
        pairs = zip(self.networks, hidden)
        return [_gru_step(*part(network), before, value) for network, before in pairs]

    def _output(self, network, hidden):
        return (hidden @ network[-1])[..., 0]

    def _added(self, hidden):
        if not hidden:
            return 0
        return np.mean([self._output(*pair) for pair in zip(self.networks, hidden)], axis=0)


def _encoder(network):
    """Embedding and GRU that read the months known."""
    return network[:4]


def _decoder(network):
    """Embedding and GRU that read the last month known and those of the path; with a single GRU the
    same."""
    return [network[0], *network[-4:-1]]


def _gru_step(embedding, kernel, recurrent, bias, hidden, value):
    """States (samples, series, units) after one more month (samples, series); the cell of Cho et
    al. (2014) in the form that Keras and cuDNN use (the reset gate after the product).
    """
    series, units = value.shape[1], len(recurrent)
    of_panel = (value @ kernel[:series])[:, None]
    of_own = value[..., None] * kernel[series]
    of_series = embedding @ kernel[series + 1 :] + bias[0]
    new = of_panel + of_own + of_series
    old = hidden @ recurrent + bias[1]
    gates = expit(new[..., : 2 * units] + old[..., : 2 * units])
    update, reset = gates[..., :units], gates[..., units:]
    candidate = np.tanh(new[..., 2 * units :] + reset * old[..., 2 * units :])
    return update * hidden + (1 - update) * candidate


def parts_left_out(months: int, runs: int) -> list[np.ndarray]:
    """Positions of the months in as many consecutive parts as there are runs; a single run leaves
    out none.
    """
    if runs == 1:
        return [np.arange(0)]
    return np.array_split(np.arange(months), runs)


def left_over(inputs: np.ndarray, linear: Linear) -> np.ndarray:
    """(months, series): what the linear part leaves of each month of ``inputs``; NaN where it
    cannot forecast yet.
    """
    rest = np.full(inputs.shape, np.nan)
    rest[len(linear.weights) :] = inputs[len(linear.weights) :] - linear.means(inputs)
    return rest


def cross_fitted(
    inputs: np.ndarray, scale: Scale, fit: Callable, parts: list[np.ndarray]
) -> np.ndarray:
    """(months, series): what a linear model leaves of months that it was not fitted on.

    For each of ``parts`` (positions of consecutive months) the model is fitted on all others. On
    the months of its own fit a model with many parameters leaves too little, and a network that
    learns from that learns the wrong thing.
    """
    rest = np.full(inputs.shape, np.nan)
    with threadpool_limits(1):  # small problems: more threads wait for each other
        for part in parts:
            linear = fit(np.delete(inputs, part, axis=0), scale)
            rest[part] = left_over(inputs, linear)[part]
    return rest


def draw_sequences(
    inputs: np.ndarray,
    rest: np.ndarray,
    months: int,
    count: int,
    seed: int,
    last: int | None = None,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Random sequences of the panel, each for one series, to train a global network on.

    ``rest`` (months, series) is what is to be learned, NaN in the months that are left out. Returns
    the inputs [panel (count, months, series), own (count, months, 1), series (count, 1)], the
    targets (count, months, 1), each for the month after its input, and their weights (count,
    months), which are zero for months left out. Targets and weights are those of the ``last``
    months of a sequence, by default of all.
    """
    random = np.random.default_rng(seed)
    starts = random.integers(len(inputs) - months, size=count)
    series = random.integers(inputs.shape[1], size=count)
    rows = starts[:, None] + np.arange(months)
    panel = inputs[rows].astype("float32")
    own = np.take_along_axis(panel, series[:, None, None], axis=2)
    target = rest[rows + 1, series[:, None]]
    weights = np.isfinite(target).astype("float32")
    target = np.nan_to_num(target).astype("float32")
    first = 0 if last is None else months - last
    X = [panel, own, series[:, None].astype("int32")]
    return X, target[:, first:, None], weights[:, first:]


# ---- dates of forecasts


def forecast_dates(panel: pd.DataFrame, years: int, months_left: int) -> pd.DatetimeIndex:
    """The last months of ``years`` years in which forecasts are made, the very last with
    ``months_left`` months after it.

    Raises ValueError where the panel is too short.
    """
    last = len(panel) - 1 - months_left
    first = last + 1 - 12 * years
    if first < 24:
        raise ValueError(
            f"{len(panel)} months are too few for {years} years of forecasts: "
            f"needs {24 + 12 * years + months_left} or more before {panel.index[-1]:%Y-%m}, or "
            "fewer years (VALIDATION_YEARS, TEST_YEARS)"
        )
    return panel.index[first : last + 1]


def with_release_lags(panel: pd.DataFrame, lags: dict[str, int]) -> pd.DataFrame:
    """What is known at the end of each month: each series moved down by its release lag (months);
    the first months, in which some are not known, are left out.
    """
    moved = {name: panel[name].shift(lags[name]) for name in panel}
    return pd.DataFrame(moved).iloc[max(lags[name] for name in panel) :]


# ---- simulated paths


def simulate(
    forecaster: Linear | StateSpace | Recurrent,
    past: np.ndarray,
    months: int,
    paths: int,
    seed: int = 0,
) -> np.ndarray:
    """Paths (samples, paths, months, series) that continue ``past`` (samples, months, series).

    Each month is the forecaster's mean plus the errors of one month drawn from its residuals, all
    series together, so that series move together as they do. The mean of the last step alone,
    carried forward, would be biased for a forecaster that is not linear.

    Errors are large for a while and then small for a while. So they are divided by the spread that
    the months before them had (``mean_squares``), and multiplied with that of the months before the
    path, on which the errors of the path then act in turn: filtered historical simulation (Barone-
    Adesi, Giannopoulos and Vosper 1999).
    """
    residuals = forecaster.residuals - forecaster.residuals.mean(axis=0)
    usual = np.mean(residuals**2, axis=0)
    residuals = residuals / np.sqrt(mean_squares(residuals, usual))
    residuals = residuals / np.sqrt(np.mean(residuals**2, axis=0))
    rows = np.random.default_rng(seed).integers(len(residuals), size=(months, len(past) * paths))
    square = np.repeat(_latest_square(forecaster, past, usual), paths, axis=0)
    state, mean = forecaster.start(past)
    state = [np.repeat(part, paths, axis=0) for part in state]
    mean = np.repeat(mean, paths, axis=0)
    path = np.empty((len(mean), months, past.shape[2]), dtype="float32")
    for month in range(months):
        error = np.sqrt(square) * residuals[rows[month]]
        path[:, month] = mean + error
        square = _one_month_on(square, error)
        if month + 1 < months:
            state, mean = forecaster.advance(state, path[:, month])
    return path.reshape(len(past), paths, months, -1)


def mean_squares(errors: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """(months, series): weighted mean of the squares of the ``errors`` before each month, the
    nearest with the most weight, and of ``usual`` (series,), which stands for all before the first.
    """
    squares = np.empty_like(errors)
    square = usual
    for month, error in enumerate(errors):
        squares[month] = square
        square = _one_month_on(square, error)
    return squares


def _one_month_on(square, error):
    """A mean of squares, one more error in it."""
    return MEMORY * square + (1 - MEMORY) * error**2


def _latest_square(forecaster, past, usual):
    """(samples, series): the same after the months ``past``, from the errors in its second half."""
    square = np.repeat(usual[None], len(past), axis=0)
    half = past.shape[1] // 2
    if half == 0:
        return square
    state, mean = forecaster.start(past[:, :half])
    for month in range(half, past.shape[1]):
        value = past[:, month]
        square = _one_month_on(square, value - mean)
        state, mean = forecaster.advance(state, value)
    return square


def rolling_paths(
    fit: Callable,
    panel: pd.DataFrame,
    kinds: dict[str, str],
    dates: pd.DatetimeIndex,
    months: int,
    paths: int,
    every: int = 12,
    history: int = 24,
    seasonal: bool = False,
    series: int | None = None,
) -> np.ndarray:
    """Paths simulated in each of ``dates``: (dates, paths, months, series), in the units of
    ``levels``. Of the series the first ``series`` are kept, by default all.

    ``fit(inputs, scale)`` returns a forecaster; it is called anew every so many dates with the
    months up to the first of them. What a forecast starts from are the last ``history`` months up
    to its date.
    """
    blocks = []
    for first in range(0, len(dates), every):
        block = dates[first : first + every]
        known = panel[: block[0]]
        scale = fit_scale(known, kinds, seasonal)
        pasts = [panel[:date].iloc[-history - 1 :] for date in block]
        past = np.stack([scale.inputs(rows) for rows in pasts])
        with threadpool_limits(1):  # small problems: more threads wait for each other
            forecaster = fit(scale.inputs(known), scale)
            simulated = simulate(forecaster, past, months, paths, seed=first)
        for rows, path in zip(pasts, simulated):
            blocks.append(scale.paths(rows, path)[..., :series])
    return np.stack(blocks)


def actual_paths(
    panel: pd.DataFrame, kinds: dict[str, str], dates: pd.DatetimeIndex, months: int
) -> np.ndarray:
    """What happened after each of ``dates``: (dates, months, series), in the units of
    ``levels``."""
    first = panel.index.get_indexer(dates)
    return levels(panel, kinds)[first[:, None] + np.arange(1, months + 1)]


# ---- scores


def crps(actual: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of draws, in the units of ``actual`` (lower is better).

    ``actual`` (dates, ...) and ``paths`` (dates, paths, ...). With m draws the mean difference
    between two of them is divided by m (m − 1), which makes the score fair to small numbers of
    draws (Ferro 2014).
    """
    draws = np.sort(paths, axis=1)
    count = draws.shape[1]
    rank = (2 * np.arange(1, count + 1) - count - 1).reshape(1, -1, *[1] * (draws.ndim - 2))
    between = (rank * draws).sum(axis=1) / (count * (count - 1))
    return np.abs(draws - actual[:, None]).mean(axis=1) - between


def covered(actual: np.ndarray, paths: np.ndarray, level: float = 0.8) -> np.ndarray:
    """(dates, ...): is the truth within the central band of ``level`` of the draws?"""
    tail = (1 - level) / 2
    low, high = np.quantile(paths, [tail, 1 - tail], axis=1)
    return (actual >= low) & (actual <= high)


def measures(truth: np.ndarray, paths: np.ndarray) -> dict[str, np.ndarray]:
    """Distance of the median from the truth ("mae"), CRPS and whether the 80 % band held the truth
    ("coverage"): each (dates, months, series); ``paths`` (dates, paths, months, series).
    """
    return {
        "mae": np.abs(np.median(paths, axis=1) - truth),
        "crps": crps(truth, paths),
        "coverage": covered(truth, paths).astype("float64"),
    }


def first_months(errors: np.ndarray, months: int = 3) -> np.ndarray:
    """Mean over dates and the first months of errors (dates, months, series): (series,)."""
    return errors[:, :months].mean(axis=(0, 1))


def choose(
    fits: Sequence[Callable], forecast: Callable, truth: np.ndarray, base: np.ndarray
) -> tuple[Callable, dict, np.ndarray]:
    """The one of ``fits`` with the smallest error in months one to three, its ``measures``, and its
    errors as shares of ``base`` (series,).

    ``forecast(fit)`` gives paths (dates, paths, months, series) for ``truth`` (dates, months,
    series). The errors are compared by the mean of the shares.
    """
    tried = []
    for fit in fits:
        measured = measures(truth, forecast(fit))
        tried.append((fit, measured, first_months(measured["mae"]) / base))
    return min(tried, key=lambda each: each[2].mean())


def mean_table(
    measured: dict[str, dict], names: Sequence[str], ahead: Sequence[int], metric: str = "mae"
) -> pd.DataFrame:
    """Mean over dates by model: a line a model, a column a series and number of months ahead."""
    rows = {}
    for model, values in measured.items():
        means = values[metric].mean(axis=0)
        rows[model] = means[np.array(ahead) - 1].T.ravel()
    columns = pd.MultiIndex.from_product([names, [f"{months} m" for months in ahead]])
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def score_rows(
    measured: dict[str, dict], names: Sequence[str], ahead: Sequence[int], base: str
) -> list[dict]:
    """Rows of scores of all models, with t-intervals over years: the MAE of the first three months
    less that of the model ``base``, then MAE, CRPS and coverage by months ahead.
    """
    limits = {"mae": (0, np.inf), "crps": (0, np.inf), "coverage": (0, 1)}
    rows = []
    for place, name in enumerate(names):
        for model, values in measured.items():
            less = (values["mae"] - measured[base]["mae"])[:, :3, place].mean(axis=1)
            if model != base:
                task, interval = f"{name}_1_to_3_months", block_interval(less)
                rows.append(
                    score_row(task, model, "mae_less_var", less.mean(), interval, len(less))
                )
            for months in ahead:
                for metric, bounds in limits.items():
                    column = values[metric][:, months - 1, place]
                    interval = block_interval(column, limits=bounds)
                    task, mean = f"{name}_{months}_months", column.mean()
                    rows.append(score_row(task, model, metric, mean, interval, len(column)))
    return rows


def confidence_sets(
    measured: dict[str, dict], names: Sequence[str], ahead: Sequence[int], metric: str = "crps"
) -> pd.DataFrame:
    """p values in the model confidence set (Hansen, Lunde and Nason 2011): a line a model, a column
    a series and months ahead. A model below 0.10 is not in the 90 % set. Blocks of twelve dates.
    """
    columns = {}
    for place, name in enumerate(names):
        for months in ahead:
            losses = {
                model: values[metric][:, months - 1, place] for model, values in measured.items()
            }
            table = pd.DataFrame(losses)
            columns[name, f"{months} m"] = confidence_set(table, block=12, repetitions=500)
    return pd.DataFrame(columns).reindex(list(measured))


def block_interval(
    values: np.ndarray,
    block: int = 12,
    level: float = 0.95,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[float, float]:
    """Interval of the mean of ``values`` (dates,) that are alike from date to date; a mean that
    cannot lie outside ``limits``, such as 0 and 1 for a share, has no interval outside them.

    A t-interval over the means of consecutive blocks, the last ones counted from the end; with
    eight blocks it covers what it should where a bootstrap does not (tested by simulation;
    Ibragimov and Müller 2010). Raises ValueError for less than two blocks.
    """
    blocks = len(values) // block
    if blocks < 2:
        raise ValueError(f"needs two blocks of {block}, given {len(values)} values")
    means = np.asarray(values)[-blocks * block :].reshape(blocks, block).mean(axis=1)
    half = t.ppf((1 + level) / 2, blocks - 1) * means.std(ddof=1) / np.sqrt(blocks)
    low, high = np.clip([means.mean() - half, means.mean() + half], *limits)
    return float(low), float(high)


def cost_of_lag(known: np.ndarray, late: np.ndarray, lag: int, place: int) -> list[float]:
    """What a release lag adds to the error of the same three months of one series (the
    ``place``-th): [mean error, what is added, and its interval].

    ``known`` are the errors (dates, months, series) where all is known at once, ``late`` those of
    forecasts that start ``lag`` months earlier.
    """
    known = known[:, :3, place].mean(axis=1)
    cost = late[:, lag : lag + 3, place].mean(axis=1) - known
    return [known.mean(), cost.mean(), *block_interval(cost)]


def plot_densities(
    measured: dict[str, dict], names: Sequence[str], colours: dict, base: str
) -> plt.Figure:
    """CRPS relative to the model ``base``, and share of the truth in the 80 % band, by months:
    a line and a mark a model, a column a series.
    """
    months = next(iter(measured.values()))["crps"].shape[1]
    ahead = range(1, months + 1)
    crps_of, held = (mean_table(measured, names, ahead, key) for key in ("crps", "coverage"))
    fig, axes = plt.subplots(2, len(names), figsize=(12, 7), sharex=True, squeeze=False)
    for (above, below), name in zip(axes.T, names):
        for model, marker in zip(measured, cycle("osD^vP*X<>")):
            look = dict(color=colours[model], marker=marker, ms=4, label=model)
            above.plot(ahead, crps_of.loc[model, name] / crps_of.loc[base, name], **look)
            below.plot(ahead, held.loc[model, name], **look)
        above.set(title=name, ylabel=f"CRPS relative to the {base}")
        below.axhspan(0.75, 0.85, color="grey", alpha=0.2)
        below.set(xlabel="months ahead", ylabel="share in the 80 % band")
    legend_below(axes[1, 0])
    return fig


# ---- words


def compared(
    measured: dict[str, dict], model: str, base: str, place: int, dates: pd.DatetimeIndex
) -> str:
    """A line on the MAE of months one to three of one series (the ``place``-th): ``model`` against
    ``base``, with and without the forecasts made in 2008 and 2009.
    """
    errors = measured[base]["mae"][:, :3, place].mean(axis=1)
    gain = measured[model]["mae"][:, :3, place].mean(axis=1) - errors
    low, high = block_interval(gain)
    answer = "not to be told from"
    if high < 0 or low > 0:
        answer = "better than" if high < 0 else "worse than"
    calm = ~dates.year.isin([2008, 2009])
    without = ""
    if not calm.all():
        ratio = 1 + gain[calm].mean() / errors[calm].mean()
        without = f"; without the forecasts made in 2008 and 2009 {ratio:.3f} of it"
    return (
        f"{answer} the {base}, MAE {1 + gain.mean() / errors.mean():.3f} of it, "
        f"difference {gain.mean():+.3f} [{low:+.3f}, {high:+.3f}]{without}"
    )


def nested(
    model: str,
    start: str,
    measured: dict[str, dict],
    paths: dict[str, np.ndarray],
    truth: np.ndarray,
    place: int,
    dates: pd.DatetimeIndex,
) -> str:
    """``compared`` for a model and the one that is nested in it, ``start``, and the test of Clark
    and West one month ahead. ``paths`` by model and ``truth`` as in ``measures``.
    """
    small, large = (np.median(paths[name][:, :, 0, place], axis=1) for name in (start, model))
    t_value, p_value = clark_west(truth[:, 0, place], small, large)
    line = compared(measured, model, start, place, dates)
    return f"{line}; Clark–West t = {t_value:.1f} (p = {p_value:.2f})"


# ---- what is stored


def to_store(scale: Scale, forecaster: Recurrent) -> dict:
    """All of a forecaster but its networks, to be stored beside them."""
    return {
        "kinds": scale.kinds,
        "season": scale.season,
        "mean": scale.mean,
        "spread": scale.spread,
        "weights": forecaster.linear.weights,
        "constant": forecaster.linear.constant,
        "residuals": forecaster.residuals,
    }


def from_store(stored: dict, networks: list[list[np.ndarray]]) -> tuple[Scale, Recurrent]:
    """The scale and the forecaster of what ``to_store`` gave, arrays or lists, and the networks."""
    arrays = {name: np.array(stored[name]) for name in stored if name != "kinds"}
    scale = Scale(stored["kinds"], arrays["season"], arrays["mean"], arrays["spread"])
    linear = Linear(arrays["weights"], arrays["constant"])
    return scale, Recurrent(linear, networks, arrays["residuals"])
