"""Windowing, splitting, scoring and plotting, shared by all notebooks."""

import json
import logging
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import seaborn as sns
import statsmodels.api as sm
from arch.bootstrap import StationaryBootstrap
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import rankdata
from statsmodels.tsa.stattools import diebold_mariano_test

ROOT = Path(__file__).resolve().parent

# --------------------------------------------------------------------------------------------------- windows


@dataclass(frozen=True)
class Windows:
    """Samples for a recurrent network, ordered by date.

    Attributes:
        X: inputs, float32, (samples, time steps, features), oldest step first.
        y: targets, float32, (samples,) or (samples, targets).
        input_end: date of the last input of each sample, datetime64, (samples,).
        target_date: date at which the target is known, datetime64, (samples,).
        ticker: pandas Categorical over the panel's columns, (samples,); None for a single series.
    """

    X: np.ndarray
    y: np.ndarray
    input_end: np.ndarray
    target_date: np.ndarray
    ticker: pd.Categorical | None = None

    def __len__(self):
        return len(self.y)

    def __getitem__(self, part):
        """The Windows of a slice, a mask or an array of positions; a slice copies nothing."""
        values = (getattr(self, field.name) for field in fields(self))
        return Windows(*(None if value is None else value[part] for value in values))


def make_windows(data, window, horizon=1, target=None):
    """Windows over a Series or a DataFrame whose columns are the features.

    Args:
        data: numbers with a sorted, unique DatetimeIndex; NaN marks a gap.
        window: time steps of an input, at least 1.
        horizon: steps from the last input to the target, at least 1.
        target: column, or list of columns, to predict; by default all columns (for a Series, itself).

    Returns:
        Windows; y is (samples,) for a Series or a single target, else (samples, targets); none of them touches a gap.

    Raises:
        ValueError: empty, too short, not numeric or infinite data, an index that is unsorted or has duplicates,
            an unknown target, window or horizon below 1.
    """
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    _check_steps(window, horizon, frame)
    values = _float32(frame)
    single = isinstance(data, pd.Series) or isinstance(target, str)
    columns = list(frame.columns) if target is None else [target] if isinstance(target, str) else list(target)
    if unknown := set(columns) - set(frame.columns):
        raise ValueError(f"target {sorted(unknown)} is not among the columns {list(frame.columns)}")
    targets = values[:, frame.columns.get_indexer(columns)][window + horizon - 1 :]
    keep = _without_gap(np.isnan(values).any(axis=1), window)[: len(targets)] & ~np.isnan(targets).any(axis=1)
    _check_any(keep, window, horizon)
    first = np.flatnonzero(keep)
    dates = frame.index.to_numpy()
    return Windows(
        X=sliding_window_view(values, window, axis=0).swapaxes(1, 2)[first],
        y=targets[first, 0] if single else targets[first],
        input_end=dates[first + window - 1],
        target_date=dates[first + window + horizon - 1],
    )


def make_panel_windows(returns, window, horizon=1, target=None):
    """Windows over a panel, dates × tickers, ordered by date and then by ticker.

    Args:
        returns: DataFrame with a sorted, unique DatetimeIndex and unique columns, or a dict of such frames of the
            same shape, one a feature; NaN marks a gap: before a listing, after a delisting, a missing price.
        window: time steps of an input, at least 1.
        horizon: steps from the last input to the target, at least 1.
        target: DataFrame of the same shape with the values to predict; by default ``returns`` (the first feature).

    Returns:
        Windows with X (samples, window, features), copied once, and y (samples,); none of them touches a gap.

    Raises:
        ValueError: as ``make_windows``, and for frames of different shape or duplicate tickers.
    """
    features = list(returns.values()) if isinstance(returns, dict) else [returns]
    panel = features[0]
    _check_steps(window, horizon, panel)
    target = panel if target is None else target
    for frame in (*features, target):
        if not (frame.index.equals(panel.index) and frame.columns.equals(panel.columns)):
            raise ValueError(f"all frames need the same dates and tickers, given {frame.shape} beside {panel.shape}")

    values = [_float32(frame) for frame in features]
    targets = _float32(target)[window + horizon - 1 :]
    gap = reduce(np.logical_or, map(np.isnan, values))
    keep = _without_gap(gap, window)[: len(targets)] & ~np.isnan(targets)
    _check_any(keep, window, horizon)
    ends, per_date = panel.index.to_numpy()[window - 1 :], np.count_nonzero(keep, axis=1)
    stock = np.broadcast_to(np.arange(panel.shape[1], dtype=np.min_scalar_type(-panel.shape[1])), keep.shape)
    return Windows(
        X=_gather(np.stack([feature.T for feature in values], axis=-1), window, keep),
        y=targets[keep],
        input_end=np.repeat(ends[: len(keep)], per_date),
        target_date=np.repeat(ends[horizon:], per_date),
        ticker=pd.Categorical.from_codes(stock[keep], categories=panel.columns),
    )


def _gather(values, window, keep):
    """(samples, window, features) out of (tickers, dates, features), date by date; ``keep`` is (dates, tickers)."""
    X = np.empty((np.count_nonzero(keep), window, values.shape[2]), dtype="float32")
    blocks = np.split(X, np.count_nonzero(keep, axis=1).cumsum()[:-1])

    def fill(days):
        for day in days:
            runs, block = values[:, day : day + window], blocks[day]
            if len(block) == len(runs):  # nobody is missing: a plain copy is faster
                block[:] = runs
            else:  # mode="clip" lets NumPy write straight into X; the positions are valid by construction
                np.take(runs, np.flatnonzero(keep[day]), axis=0, out=block, mode="clip")

    with ThreadPoolExecutor() as pool:  # NumPy copies without Python's lock, so that every core can take a share
        list(pool.map(fill, np.array_split(np.arange(len(keep)), os.cpu_count())))
    return X


def _without_gap(gap, window):
    """For each start along axis 0: are the ``window`` steps from there free of gaps?"""
    steps = 1
    while steps < window:  # of 1 step, of 2, of 4 ...
        more = min(steps, window - steps)
        gap, steps = gap[more:] | gap[:-more], steps + more
    return ~gap


def _check_steps(window, horizon, frame):
    for name, steps in (("window", window), ("horizon", horizon)):
        if not isinstance(steps, (int, np.integer)) or steps < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, given {steps!r}")
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"data must be a pandas Series or DataFrame, given {type(frame).__name__}")
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz:
        raise ValueError(f"the index must hold dates (DatetimeIndex, no time zone), given {type(index).__name__} of {index.dtype}")
    if index.hasnans or not index.is_unique or not index.is_monotonic_increasing:
        raise ValueError("the dates must be sorted from old to new, without duplicates or missing dates (NaT)")
    if not frame.columns.is_unique:
        raise ValueError(f"columns must be unique, given twice: {list(frame.columns[frame.columns.duplicated()])}")
    if len(frame) < (least := window + horizon) or frame.shape[1] == 0:
        raise ValueError(f"window {window} and horizon {horizon} need at least {least} rows and one column, given {frame.shape}")


def _float32(frame):
    try:
        values = frame.to_numpy(dtype="float32")
    except (TypeError, ValueError) as error:
        raise ValueError(f"data must be numeric, given the types {sorted(set(map(str, frame.dtypes)))}") from error
    if (infinite := np.isinf(values)).any():
        row, column = np.argwhere(infinite)[0]
        raise ValueError(f"data must be finite or NaN, given {values[row, column]} at {frame.index[row]}, {frame.columns[column]}")
    return values


def _check_any(keep, window, horizon):
    if not keep.any():
        raise ValueError(f"no window of {window} steps with a target {horizon} later is free of missing values")


# ---------------------------------------------------------------------------------------------------- splits


class Split(NamedTuple):
    """Slices into the samples of a Windows object."""

    train: slice
    validation: slice
    test: slice


def split_by_date(windows, validation_start, test_start):
    """Train, validation and test by date, with a purge of the horizon between them.

    A part begins with the first sample whose input ends on or after its start date; the part before it ends with
    the last sample whose target was known before that date. The samples in between are dropped, so that at the
    moment a part begins nothing is known of its targets.

    Returns a Split of slices, for ``windows[split.train]`` and so on. Raises ValueError where the two dates
    (anything pandas.Timestamp reads) or the windows are not in order, or a part would be empty.
    """
    starts = pd.Timestamp(validation_start).to_datetime64(), pd.Timestamp(test_start).to_datetime64()
    if not starts[0] < starts[1]:
        raise ValueError(f"validation_start must be before test_start, given {validation_start} and {test_start}")
    if any((dates[1:] < dates[:-1]).any() for dates in (windows.input_end, windows.target_date)):
        raise ValueError("windows must be ordered by date, given windows that are not")
    begin = [0, *np.searchsorted(windows.input_end, starts)]
    end = [*np.searchsorted(windows.target_date, starts), len(windows)]
    split = Split(*(slice(int(first), int(last)) for first, last in zip(begin, end)))
    for name, part in split._asdict().items():
        if part.start >= part.stop:
            span = f"{windows.target_date[0]} to {windows.target_date[-1]}"
            raise ValueError(f"{name} is empty: starts are {validation_start} and {test_start}, given targets from {span}")
    return split


# ---------------------------------------------------------------------------------------------------- scores

METRICS = {  # of arrays (samples,); plain NumPy, as a bootstrap calls them a thousand times; AUC: Mann and Whitney (1947)
    "rmse": lambda actual, predicted: np.sqrt(np.mean((actual - predicted) ** 2)),
    "mae": lambda actual, predicted: np.mean(np.abs(actual - predicted)),
    "r2": lambda actual, predicted: 1 - np.mean((actual - predicted) ** 2) / np.var(actual),
    "auc": lambda actual, score: (rankdata(score)[actual > 0.5].mean() - (np.sum(actual > 0.5) + 1) / 2) / np.sum(actual <= 0.5),
    "accuracy": lambda actual, predicted: np.mean(actual == (predicted > 0.5)),
}


def score(task, model, metric, actual, predicted, **bootstrap):
    """One row of a score file: a metric of METRICS with its block-bootstrap interval.

    ``task`` is a slug such as "next_day_close"; ``metric`` is "rmse" or "mae" (in the units of ``actual``), "r2", "auc"
    or "accuracy" (of a probability above 0.5); ``actual`` and ``predicted`` are arrays (samples,) without missing
    values; ``bootstrap`` holds options of ``bootstrap_interval``.
    """
    actual, predicted = _aligned(actual, predicted)
    if metric not in METRICS or metric == "auc" and len(np.unique(actual > 0.5)) < 2:
        raise ValueError(f"needs a metric of {list(METRICS)} (auc: of two classes), given {metric!r} of {np.unique(actual)[:3]}")
    interval = bootstrap_interval(METRICS[metric], actual, predicted, **bootstrap)
    return score_row(task, model, metric, METRICS[metric](actual, predicted), interval, len(actual))


def forecast_scores(task, model, actual, predicted, baseline, metric="rmse", **bootstrap):
    """Rows for an error metric and for its skill, 1 − error / error of the ``baseline`` forecast.

    Skill is 1 for a perfect forecast, 0 for one as good as the baseline, negative for a worse one. Its interval
    resamples both forecasts together, so that it is a paired comparison. Arguments and result as ``score``.
    """

    def skill(actual, predicted, baseline):
        return 1 - METRICS[metric](actual, predicted) / METRICS[metric](actual, baseline)

    arrays = _aligned(actual, predicted, baseline)
    interval = bootstrap_interval(skill, *arrays, **bootstrap)
    skill_row = score_row(task, model, f"{metric}_skill", skill(*arrays), interval, len(actual))
    return [score(task, model, metric, actual, predicted, **bootstrap), skill_row]


def score_row(task, model, metric, value, interval, n):
    """A dict with task, model, metric, value, low, high, n: one row of a score file."""
    value, low, high = map(float, (value, *interval))
    return dict(task=task, model=model, metric=metric, value=value, low=low, high=high, n=int(n))


def bootstrap_interval(statistic, *arrays, dates=None, block=None, repetitions=1000, level=0.95, seed=0):
    """(low, high) of ``statistic(*arrays)``: percentiles of the stationary block bootstrap (Politis and Romano 1994).

    Args:
        statistic: function of the arrays that returns a number.
        arrays: each (samples, ...), in order of time, without missing values.
        dates: (samples,); where given, whole dates are resampled, because what is observed on one day moves together.
        block: mean length of a block, in samples or dates; by default the cube root of their number, the order
            that is optimal for the variance of a mean (Politis and White 2004).
        repetitions, seed, level: bootstrap samples, seed of their random numbers, coverage of the interval.

    Raises:
        ValueError: arrays of different length, missing or infinite values, fewer than two samples or dates.
    """
    arrays = [_finite(array) for array in arrays]
    positions = np.arange(len(arrays[0])) if dates is None else np.asarray(dates)
    if len({len(positions), *map(len, arrays)}) != 1:
        raise ValueError(f"all arrays need one length, given {[len(array) for array in (*arrays, positions)]}")
    order = np.argsort(positions, kind="stable")
    _, first, counts = np.unique(positions[order], return_index=True, return_counts=True)
    if len(first) < 2:
        raise ValueError(f"an interval needs at least two samples or dates, given {len(first)}")

    def resampled(groups):
        groups = groups.astype(int)
        within = np.arange(counts[groups].sum()) - np.repeat(np.cumsum(counts[groups]) - counts[groups], counts[groups])
        rows = order[np.repeat(first[groups], counts[groups]) + within]
        return statistic(*(array[rows] for array in arrays))

    bootstrap = StationaryBootstrap(block or len(first) ** (1 / 3), np.arange(len(first)), seed=seed)
    draws = bootstrap.apply(resampled, repetitions)
    return tuple(np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]).tolist())


def diebold_mariano(actual, first, second, horizon=1, power=2):
    """Test of equal accuracy of two forecasts (Diebold and Mariano 1995) with the loss |error| ** power.

    Newey-West variance, and the small-sample correction of Harvey, Leybourne and Newbold (1997), by statsmodels.
    ``actual`` and the forecasts ``first`` and ``second``, ``horizon`` steps ahead, are arrays (samples,) in order of time.

    Returns (statistic, two-sided p value); a negative statistic means that ``first`` has the smaller loss.
    Raises ValueError for different lengths, missing values, or no more samples than the horizon.
    """
    actual, first, second = _aligned(actual, first, second)
    if len(actual) <= horizon:
        raise ValueError(f"needs more samples than the horizon {horizon}, given {len(actual)}")
    test = diebold_mariano_test(actual, first, second, criterion="poly", power=power, harvey_adj=True, horizon=horizon)
    return float(test.statistic), float(test.pvalue)


def information_coefficient(actual, predicted, dates):
    """Spearman correlation of prediction and outcome across the stocks of each date, as a Series by date.

    All arguments are (samples,), without missing values. A date on which either is constant is left out.
    """
    frame = pd.DataFrame({"actual": _finite(actual), "predicted": _finite(predicted)})
    ranks = frame.groupby(np.asarray(dates)).rank()
    ranks -= ranks.groupby(np.asarray(dates)).transform("mean")
    products = pd.DataFrame({"both": ranks["actual"] * ranks["predicted"], **(ranks**2)}).groupby(np.asarray(dates)).sum()
    return (products["both"] / np.sqrt(products["actual"] * products["predicted"])).dropna().rename("ic").rename_axis("date")


def mean_t_statistic(values):
    """Mean of a series and its Newey-West t-statistic, with as many lags as the cube root of the length."""
    values = _finite(values)
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="HAC", cov_kwds={"maxlags": int(len(values) ** (1 / 3))})
    return float(fit.params[0]), float(fit.tvalues[0])


def _aligned(*arrays):
    arrays = [_finite(array) for array in arrays]
    if {array.shape for array in arrays} != {(len(arrays[0]),)}:
        raise ValueError(f"needs arrays of one length, each (samples,), given the shapes {[array.shape for array in arrays]}")
    return arrays


def _finite(array):
    array = np.asarray(array)
    if array.ndim == 0 or len(array) == 0 or not np.isfinite(array.astype("float64")).all():
        raise ValueError(f"needs a non-empty array without missing or infinite values, given shape {array.shape}")
    return array


# ----------------------------------------------------------------------------------------------------- Keras


def quiet_backend():
    """Import Keras and its backend without their start-up notes; call it before ``import keras``.

    TensorFlow logs while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says (tensorflow issue 100442).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    standard_error = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # no retracing warnings: several models are intended


def fit_over_seeds(build, fit, seeds):
    """Train one model anew from each seed; compiling it once saves most of the time of small models.

    ``build()`` returns a compiled Keras model; ``fit(model)`` trains it and returns what to keep, such as the History.
    Returns the model, and lists over seeds of its trained weights and of what ``fit`` returned.
    """
    import keras  # here, so that windows and scores can be used without a deep-learning backend

    model = build()
    model.optimizer.build(model.trainable_variables)
    fresh = [keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
    weights, kept = [], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        initial = [*build().variables, *fresh]  # the weights, the random state of dropout, the optimizer
        for variable, value in zip([*model.variables, *model.optimizer.variables], initial):
            variable.assign(value)
        kept.append(fit(model))
        weights.append(model.get_weights())
    return model, weights, kept


def predict_over_seeds(model, weights, X, batch_size=2048):
    """Predictions of a single-output model for each of the ``weights``: (seeds, samples)."""
    predictions = []
    for trained in weights:
        model.set_weights(trained)
        predictions.append(model.predict(X, batch_size=batch_size, verbose=0).reshape(len(X)))
    return np.stack(predictions)


# --------------------------------------------------------------------------------------------- score files


def save_scores(notebook, source, scores):
    """Write ``build/results/<notebook>.json``: source, seconds and peak MB of this process, rows of ``score``."""
    path = ROOT / "build" / "results" / f"{notebook}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "notebook": notebook,
        "source": str(source),
        "seconds": round(time.time() - psutil.Process().create_time(), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "scores": scores,
    }
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def score_table(scores):
    """Rows of ``score`` as a table: one line a task and model, one column a metric, "value [low, high]"."""
    frame = pd.DataFrame(scores)
    digits = 2 - np.floor(np.log10(frame["value"].abs().clip(1e-2, 1e2))).astype(int)
    frame["text"] = [
        f"{row.value:.{digit}f} [{row.low:.{digit}f}, {row.high:.{digit}f}]" for row, digit in zip(frame.itertuples(), digits)
    ]
    table = frame.set_index(["task", "model", "metric"])["text"].unstack(fill_value="", sort=False)
    return table.rename_axis(columns=None)


# ----------------------------------------------------------------------------------------------------- plots


def set_plot_style():
    """The look of all figures."""
    sns.set_theme(style="whitegrid", palette="colorblind", rc={"figure.figsize": (9, 3.6), "axes.titleweight": "bold"})


def plot_learning_curves(histories, metric="loss", ax=None):
    """``metric`` by epoch, one colour for each Keras History in a list, or in a dict by label. Returns the axes."""
    ax = ax or plt.subplots()[1]
    runs = histories if isinstance(histories, dict) else {f"run {number}": run for number, run in enumerate(histories)}
    for colour, (label, run) in zip(sns.color_palette(n_colors=len(runs)), runs.items()):
        epochs = np.arange(1, len(run.history[metric]) + 1)
        ax.plot(epochs, run.history[metric], "--", color=colour, alpha=0.6)
        ax.plot(epochs, run.history[f"val_{metric}"], color=colour, label=label)
    ax.set(title="Learning curves: training dashed, validation solid", xlabel="epoch", ylabel=metric)
    ax.legend()
    return ax


def plot_forecast(actual, forecasts, ax=None):
    """A series in black and forecasts (DataFrame or dict by name) over it. Returns the axes."""
    ax = ax or plt.subplots()[1]
    for name, forecast in dict(forecasts).items():
        ax.plot(actual.index, forecast, lw=1, label=name)
    ax.plot(actual.index, actual, color="black", lw=0.8, label="actual", zorder=1)
    ax.legend(ncols=4)
    return ax


def plot_scoreboard(scores, metric, ax=None):
    """One metric of all models in ``scores`` (rows of ``score``) as points with their intervals. Returns the axes."""
    rows = [row for row in scores if row["metric"] == metric]
    ax = ax or plt.subplots(figsize=(9, 0.4 * len(rows) + 1.2))[1]
    for position, row in enumerate(rows):
        ax.plot([row["low"], row["value"], row["high"]], [position] * 3, "o-", lw=2, color="C0", markevery=[1])
    ax.set(title="Scores with 95 % intervals", xlabel=metric)
    ax.set_yticks(range(len(rows)), [row["model"] for row in rows])
    ax.invert_yaxis()
    return ax


def plot_quintile_returns(actual, predicted, dates, ax=None):
    """Mean outcome by quintile of the prediction within each date, in percent, with 95 % intervals over dates."""
    ax = ax or plt.subplots()[1]
    frame = pd.DataFrame({"actual": actual, "predicted": predicted, "date": dates})
    frame["quintile"] = np.ceil(5 * frame.groupby("date")["predicted"].rank(method="first", pct=True)).astype(int)
    means = frame.groupby(["date", "quintile"])["actual"].mean().mul(100).reset_index()
    sns.barplot(means, x="quintile", y="actual", color="C0", seed=0, ax=ax)
    ax.set(title="Mean return by predicted quintile", xlabel="quintile (5 = highest prediction)", ylabel="percent")
    return ax


def plot_rolling_ic(ic, window, ax=None):
    """Rolling mean of an information coefficient by date, and its mean over all dates. Returns the axes."""
    ax = ax or plt.subplots()[1]
    ax.plot(ic.rolling(window).mean())
    ax.axhline(0, color="black", lw=0.8)
    ax.axhline(ic.mean(), color="C1", ls="--", label=f"mean {ic.mean():.3f}")
    ax.set(title=f"Information coefficient, mean of {window} dates", ylabel="Spearman correlation")
    ax.legend()
    return ax
