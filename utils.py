"""Windows over series and panels, splits by date, and plots, shared by all notebooks."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import reduce
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from numpy.lib.stride_tricks import sliding_window_view


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
    columns = (
        list(frame.columns)
        if target is None
        else [target]
        if isinstance(target, str)
        else list(target)
    )
    if unknown := set(columns) - set(frame.columns):
        raise ValueError(f"target {sorted(unknown)} is not among the columns {list(frame.columns)}")
    targets = values[:, frame.columns.get_indexer(columns)][window + horizon - 1 :]
    keep = _without_gap(np.isnan(values).any(axis=1), window)[: len(targets)] & ~np.isnan(
        targets
    ).any(axis=1)
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
            raise ValueError(
                f"all frames need the same dates and tickers, given {frame.shape} beside {panel.shape}"
            )

    values = [_float32(frame) for frame in features]
    targets = _float32(target)[window + horizon - 1 :]
    gap = reduce(np.logical_or, map(np.isnan, values))
    keep = _without_gap(gap, window)[: len(targets)] & ~np.isnan(targets)
    _check_any(keep, window, horizon)
    ends, per_date = panel.index.to_numpy()[window - 1 :], np.count_nonzero(keep, axis=1)
    stock = np.broadcast_to(
        np.arange(panel.shape[1], dtype=np.min_scalar_type(-panel.shape[1])), keep.shape
    )
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

    with (
        ThreadPoolExecutor() as pool
    ):  # NumPy copies without Python's lock, so that every core can take a share
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
        raise ValueError(
            f"the index must hold dates (DatetimeIndex, no time zone), given {type(index).__name__} of {index.dtype}"
        )
    if index.hasnans or not index.is_unique or not index.is_monotonic_increasing:
        raise ValueError(
            "the dates must be sorted from old to new, without duplicates or missing dates (NaT)"
        )
    if not frame.columns.is_unique:
        raise ValueError(
            f"columns must be unique, given twice: {list(frame.columns[frame.columns.duplicated()])}"
        )
    if len(frame) < (least := window + horizon) or frame.shape[1] == 0:
        raise ValueError(
            f"window {window} and horizon {horizon} need at least {least} rows and one column, given {frame.shape}"
        )


def _float32(frame):
    try:
        values = frame.to_numpy(dtype="float32")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"data must be numeric, given the types {sorted(set(map(str, frame.dtypes)))}"
        ) from error
    if (infinite := np.isinf(values)).any():
        row, column = np.argwhere(infinite)[0]
        raise ValueError(
            f"data must be finite or NaN, given {values[row, column]} at {frame.index[row]}, {frame.columns[column]}"
        )
    return values


def _check_any(keep, window, horizon):
    if not keep.any():
        raise ValueError(
            f"no window of {window} steps with a target {horizon} later is free of missing values"
        )


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
    starts = (
        pd.Timestamp(validation_start).to_datetime64(),
        pd.Timestamp(test_start).to_datetime64(),
    )
    if not starts[0] < starts[1]:
        raise ValueError(
            f"validation_start must be before test_start, given {validation_start} and {test_start}"
        )
    if any((dates[1:] < dates[:-1]).any() for dates in (windows.input_end, windows.target_date)):
        raise ValueError("windows must be ordered by date, given windows that are not")
    begin = [0, *np.searchsorted(windows.input_end, starts)]
    end = [*np.searchsorted(windows.target_date, starts), len(windows)]
    split = Split(*(slice(int(first), int(last)) for first, last in zip(begin, end)))
    for name, part in split._asdict().items():
        if part.start >= part.stop:
            span = f"{windows.target_date[0]} to {windows.target_date[-1]}"
            raise ValueError(
                f"{name} is empty: starts are {validation_start} and {test_start}, given targets from {span}"
            )
    return split


def set_plot_style():
    """The look of all figures."""
    sns.set_theme(
        style="whitegrid",
        palette="colorblind",
        rc={"figure.figsize": (9, 3.6), "axes.titleweight": "bold"},
    )


def plot_learning_curves(histories, metric="loss", ax=None):
    """``metric`` by epoch, one colour for each Keras History in a list, or in a dict by label. Returns the axes."""
    ax = ax or plt.subplots()[1]
    runs = (
        histories
        if isinstance(histories, dict)
        else {f"run {number}": run for number, run in enumerate(histories)}
    )
    for colour, (label, run) in zip(sns.color_palette(n_colors=len(runs)), runs.items()):
        epochs = np.arange(1, len(run.history[metric]) + 1)
        ax.plot(epochs, run.history[metric], "--", color=colour, alpha=0.6)
        ax.plot(epochs, run.history[f"val_{metric}"], color=colour, label=label)
    ax.set(
        title="Learning curves: training dashed, validation solid", xlabel="epoch", ylabel=metric
    )
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
        ax.plot(
            [row["low"], row["value"], row["high"]],
            [position] * 3,
            "o-",
            lw=2,
            color="C0",
            markevery=[1],
        )
    ax.set(title="Scores with 95 % intervals", xlabel=metric)
    ax.set_yticks(range(len(rows)), [row["model"] for row in rows])
    ax.invert_yaxis()
    return ax


def plot_quintile_returns(actual, predicted, dates, ax=None):
    """Mean outcome by quintile of the prediction within each date, in percent, with 95 % intervals over dates."""
    ax = ax or plt.subplots()[1]
    frame = pd.DataFrame({"actual": actual, "predicted": predicted, "date": dates})
    frame["quintile"] = np.ceil(
        5 * frame.groupby("date")["predicted"].rank(method="first", pct=True)
    ).astype(int)
    means = frame.groupby(["date", "quintile"])["actual"].mean().mul(100).reset_index()
    sns.barplot(means, x="quintile", y="actual", color="C0", seed=0, ax=ax)
    ax.set(
        title="Mean return by predicted quintile",
        xlabel="quintile (5 = highest prediction)",
        ylabel="percent",
    )
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
