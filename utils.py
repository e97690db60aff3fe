"""Windows over series and panels, splits by date, and plots, shared by all notebooks."""

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.ticker import MaxNLocator
from numpy.lib.stride_tricks import sliding_window_view

from data.checks import as_date, as_days, whole_number
from scores import METRIC_NAMES


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

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, part: slice | np.ndarray) -> "Windows":
        """The Windows of a slice, a mask or an array of positions; a slice copies nothing."""
        return Windows(
            X=self.X[part],
            y=self.y[part],
            input_end=self.input_end[part],
            target_date=self.target_date[part],
            ticker=None if self.ticker is None else self.ticker[part],
        )


def make_windows(
    data: pd.Series | pd.DataFrame,
    window: int,
    horizon: int = 1,
    target: str | list[str] | None = None,
) -> Windows:
    """Windows over a Series or a DataFrame whose columns are the features.

    Args:
        data: numbers with a sorted, unique DatetimeIndex; NaN marks a gap.
        window: time steps of an input, at least 1.
        horizon: steps from the last input to the target, at least 1.
        target: column, or list of columns, to predict; by default all columns (for a Series,
            itself).

    Returns:
        Windows; y is (samples,) for a Series or a single target, else (samples, targets); none of
        them touches a gap.

    Raises:
        ValueError: empty, too short, not numeric or infinite data, an index that is unsorted or has
            duplicates, an unknown target, window or horizon below 1.
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
    keep = without_gap(np.isnan(values).any(axis=1), window)[: len(targets)] & ~np.isnan(
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


def make_panel_windows(
    returns: pd.DataFrame | Mapping[str, pd.DataFrame],
    window: int,
    horizon: int = 1,
    target: pd.DataFrame | None = None,
) -> Windows:
    """Windows over a panel, dates × tickers, ordered by date and then by ticker.

    Args:
        returns: DataFrame with a sorted, unique DatetimeIndex and unique columns, or a dict of such
            frames of the same shape, one a feature; NaN marks a gap: before a listing, after a
            delisting, a missing price.
        window: time steps of an input, at least 1.
        horizon: steps from the last input to the target, at least 1.
        target: DataFrame of the same shape with the values to predict; by default ``returns`` (the
            first feature).

    Returns:
        Windows with X (samples, window, features), copied once, and y (samples,); none of them
        touches a gap.

    Raises:
        ValueError: as ``make_windows``, and for frames of different shape or duplicate tickers.
    """
    features = list(returns.values()) if isinstance(returns, Mapping) else [returns]
    if not features:
        raise ValueError("needs a frame for at least one feature, given none")
    panel = features[0]
    _check_steps(window, horizon, panel)
    target = panel if target is None else target
    for frame in (*features, target):
        if not (frame.index.equals(panel.index) and frame.columns.equals(panel.columns)):
            raise ValueError(
                f"all frames need the same dates and tickers, given {frame.shape} beside "
                f"{panel.shape}"
            )

    values = [_float32(frame) for frame in features]
    targets = _float32(target)[window + horizon - 1 :]
    gap = reduce(np.logical_or, map(np.isnan, values))
    keep = without_gap(gap, window)[: len(targets)] & ~np.isnan(targets)
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
    """(samples, window, features) out of (tickers, dates, features), date by date; ``keep`` is
    (dates, tickers).
    """
    X = np.empty((np.count_nonzero(keep), window, values.shape[2]), dtype="float32")
    blocks = np.split(X, np.count_nonzero(keep, axis=1).cumsum()[:-1])

    def fill(days):
        for day in days:
            runs, block = values[:, day : day + window], blocks[day]
            if len(block) == len(runs):  # nobody is missing: a plain copy is faster
                block[:] = runs
            # mode="clip" lets NumPy write straight into X; the positions are valid by construction
            else:
                np.take(runs, np.flatnonzero(keep[day]), axis=0, out=block, mode="clip")

    with (
        ThreadPoolExecutor() as pool
    ):  # NumPy copies without Python's lock, so that every core can take a share
        list(pool.map(fill, np.array_split(np.arange(len(keep)), os.cpu_count())))
    return X


def without_gap(gap: np.ndarray, window: int) -> np.ndarray:
    """For each start along axis 0: are the ``window`` steps from there free of gaps?

    ``gap`` is boolean, (steps, ...); the result is (steps - window + 1, ...).
    """
    steps = 1
    while steps < window:  # of 1 step, of 2, of 4 ...
        more = min(steps, window - steps)
        gap, steps = gap[more:] | gap[:-more], steps + more
    return ~gap


def _check_steps(window, horizon, frame):
    whole_number("window", window, 1)
    whole_number("horizon", horizon, 1)
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"data must be a pandas Series or DataFrame, given {type(frame).__name__}")
    index = frame.index
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"columns must have one level, given {frame.columns.nlevels}, such as "
            f"{frame.columns[0]}; choose one field, such as prices['Adj Close']"
        )
    if not isinstance(index, pd.DatetimeIndex) or index.tz:
        raise ValueError(
            "the index must hold dates (DatetimeIndex, no time zone), given "
            f"{type(index).__name__} of {index.dtype}"
        )
    if index.hasnans or not index.is_unique or not index.is_monotonic_increasing:
        raise ValueError(
            "the dates must be sorted from old to new, without duplicates or missing dates (NaT)"
        )
    if not frame.columns.is_unique:
        raise ValueError(
            "columns must be unique, given twice: "
            f"{list(frame.columns[frame.columns.duplicated()])}"
        )
    if len(frame) < (least := window + horizon) or frame.shape[1] == 0:
        raise ValueError(
            f"window {window} and horizon {horizon} need at least {least} rows and one column, "
            f"given {frame.shape}"
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
            f"data must be finite or NaN, given {values[row, column]} at {frame.index[row]}, "
            f"{frame.columns[column]}"
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


def check_order(windows: Windows) -> None:
    """ValueError for windows that are not ordered by date, as slices of them would take them."""
    if any((dates[1:] < dates[:-1]).any() for dates in (windows.input_end, windows.target_date)):
        raise ValueError("windows must be ordered by date, given windows that are not")


def split_by_date(windows: Windows, validation_start: object, test_start: object) -> Split:
    """Train, validation and test by date, with a purge of the horizon between them.

    A part begins with the first sample whose input ends on or after its start date; the part before
    it ends with the last sample whose target was known before that date. The samples in between are
    dropped, so that at the moment a part begins nothing is known of its targets.

    Returns a Split of slices, for ``windows[split.train]`` and so on. Raises ValueError where the
    two dates (anything ``as_date`` reads) or the windows are not in order, or a part would be
    empty.
    """
    if not len(windows):
        raise ValueError("there are no windows to split: the data are too short or full of gaps")
    starts = as_date(validation_start).to_datetime64(), as_date(test_start).to_datetime64()
    if not starts[0] < starts[1]:
        raise ValueError(
            f"validation_start must be before test_start, given {validation_start} and {test_start}"
        )
    check_order(windows)
    begin = [0, *np.searchsorted(windows.input_end, starts)]
    end = [*np.searchsorted(windows.target_date, starts), len(windows)]
    split = Split(*(slice(int(first), int(last)) for first, last in zip(begin, end)))
    for name, part in split._asdict().items():
        if part.start >= part.stop:
            given = " and ".join(np.datetime_as_string(starts, unit="D"))
            first, last = np.datetime_as_string(windows.target_date[[0, -1]], unit="D")
            raise ValueError(
                f"{name} is empty: starts are {given}, given targets from {first} to {last}"
            )
    return split


NO_NAME = re.compile(r"^[-+.\d]|[;:{}]")  # a range, a dict, numbers that lack a comma


def as_list(value: object) -> list:
    """A list from what papermill passes: a list, "[0, 1]", "0, 1", or one value.

    Raises ValueError for a text whose parts would be a guess: "0 1", "0; 1", lists in a list.
    """
    if isinstance(value, (list, tuple, range, np.ndarray, pd.Index, pd.Series)):
        return list(value)
    if value is None or isinstance(value, (dict, set)):
        raise ValueError(f"a list must be written as [0, 1, 2], given {value!r}")
    if not isinstance(value, str):
        return [value]
    found = re.fullmatch(r"\[([^][()]*)\]|\(([^][()]*)\)|([^][()]*)", value.strip())
    text = found and next(part for part in found.groups() if part is not None)
    parts = [] if text is None else [part.strip() for part in text.split(",") if part.strip()]
    found = [_as_number_or_name(part.strip("'\"")) for part in parts]
    if text is None or any(isinstance(one, str) and NO_NAME.search(one) for one in found):
        raise ValueError(f"a list must be written as [0, 1, 2], given {value!r}")
    return found


def _as_number_or_name(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def split_dates(
    dates: object,
    validation_start: object,
    test_start: object,
    shares: tuple[float, float] = (0.7, 0.85),
    least: float = 1 / 3,
    pause: int = 0,
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The two dates at which validation and test begin, printed: those given, or others where the
    data do not fit them.

    They fit if the share ``least`` of ``dates`` (samples,) lies before validation and something
    after the test's start. Else the dates after ``shares`` of the samples are used, and the reason
    is printed. With ``pause``, the days until a target is known, they are dates near these that
    leave out few samples between the parts: annual reports, all filed in spring, are split between
    two springs.

    Raises ValueError where the parameters are no dates or not in order, or the data have too few
    different dates, or none with a ``pause`` between the parts.
    """
    validation, test = as_date(validation_start), as_date(test_start)
    if not validation < test:
        raise ValueError(
            f"validation_start must be before test_start, given {validation_start} and {test_start}"
        )
    days = as_days(np.sort(np.asarray(dates))) if len(dates) else pd.DatetimeIndex([])
    if not 0 < shares[0] < shares[1] < 1:
        raise ValueError(f"shares must be between 0 and 1 and in order, given {shares}")
    if days.nunique() < 6:
        raise ValueError(f"a split needs at least 6 different dates, given {days.nunique()}")
    reason = "as given"
    if not days[int(least * len(days))] < validation < test < days[-1]:
        given = f"{validation:%Y-%m-%d} and {test:%Y-%m-%d}"
        reason = f"{given} do not fit data from {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}"
        validation, test = _dates_by_shares(days, shares, pause)
        if not validation < test:
            raise ValueError(f"too few different dates for the shares {shares} of a split")
    print(f"validation from {validation:%Y-%m-%d}, test from {test:%Y-%m-%d} ({reason})")
    return validation, test


def _dates_by_shares(days, shares, pause):
    """The days after ``shares`` of the sorted ``days``; with a ``pause``, days near them that leave
    out few samples between the parts.
    """
    wanted = [int(share * len(days)) for share in shares]
    if not pause:
        return days[wanted]
    starts, pause = days.unique(), pd.Timedelta(days=pause)
    before = days.searchsorted(starts)
    known = days.searchsorted(starts - pause, side="right")  # samples whose target is known
    cost = [2 * (before - known) + abs(before - place) for place in wanted]
    cost = cost[0][:, None] + cost[1]  # of each pair of starts
    room = (known > 0)[:, None] & (known > before[:, None])  # a sample in training, in validation
    if not room.any():
        raise ValueError(
            f"a split needs three parts with {pause.days} days between them, given dates from "
            f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}"
        )
    return starts[list(np.unravel_index(np.where(room, cost, np.inf).argmin(), cost.shape))]


FAMILIES = {"truth": "black", "baseline": "#7f7f7f", "linear": "#0173b2", "network": "#de8f05"}
LABEL_OFFSETS = [
    (5, 4),
    (5, -11),
    (-5, 4),
    (-5, -11),
    (5, 14),
    (5, -21),
    (-5, 14),
    (-5, -21),
]  # points
STYLE = Path(__file__).with_name("docs") / "figures.mplstyle"


def set_plot_style() -> None:
    """The look of all figures: docs/figures.mplstyle."""
    plt.style.use(STYLE)


def model_colours(families: dict[str, str]) -> dict[str, tuple]:
    """A colour for each model that says its family and stays its own through a notebook.

    ``families`` is a dict of model: "truth", "baseline", "linear" or "network". The first model of
    a family has the colour itself, the others lighter ones. Raises ValueError for an unknown
    family.
    """
    unknown = set(families.values()) - set(FAMILIES)
    if unknown:
        raise ValueError(f"a family is one of {list(FAMILIES)}, given {sorted(unknown)}")
    colours = {}
    for family, colour in FAMILIES.items():
        members = [model for model, its in families.items() if its == family]
        shades = sns.light_palette(colour, len(members) + 2, reverse=True)
        colours.update(zip(members, shades))
    return {model: colours[model] for model in families}


def say(text: str) -> None:
    """Show a sentence that was rendered from results, as Markdown; line breaks inside a paragraph
    do not matter.
    """
    display(Markdown(inspect.cleandoc(text)))


def plot_learning_curves(
    histories: list | dict, metric: str = "loss", ax: plt.Axes | None = None
) -> plt.Axes:
    """``metric`` by epoch of Keras Histories (or of their dicts), in a list or in a dict by label:
    training dashed, validation solid. Validation may be every few epochs, as long as it is in the
    last.
    """
    ax = ax or plt.subplots()[1]
    if not isinstance(histories, dict):
        histories = {f"run {number}": run for number, run in enumerate(histories)}
    for colour, (label, run) in zip(sns.color_palette(n_colors=len(histories)), histories.items()):
        losses = getattr(run, "history", run)
        epochs = np.arange(1, len(losses[metric]) + 1)
        ax.plot(epochs, losses[metric], "--", color=colour, alpha=0.6)
        looks = len(losses[f"val_{metric}"])
        apart = (len(epochs) - 1) // (looks - 1) if looks > 1 else 1
        seen = epochs[::-1][::apart][:looks][::-1]
        ax.plot(seen, losses[f"val_{metric}"], color=colour, label=label)
    ax.set(
        title="Learning curves: training dashed, validation solid", xlabel="epoch", ylabel=metric
    )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no half an epoch
    legend_below(ax)
    return ax


def plot_forecast(
    actual: pd.Series,
    forecasts: pd.DataFrame | dict,
    ax: plt.Axes | None = None,
    colours: dict | None = None,
) -> plt.Axes:
    """A series by date in black and forecasts of it (a DataFrame, or a dict by name) in ``colours``
    by name.
    """
    ax = ax or plt.subplots()[1]
    for name, forecast in dict(forecasts).items():
        ax.plot(actual.index, forecast, lw=1, label=name, color=(colours or {}).get(name))
    ax.plot(actual.index, actual, color=FAMILIES["truth"], lw=0.8, label="actual", zorder=1)
    legend_below(ax)
    return ax


def legend_below(ax: plt.Axes) -> None:
    """The legend in one line below the axes, never over the data."""
    entries = len(ax.get_legend_handles_labels()[1])
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=max(1, min(4, entries)))


def label_points(ax: plt.Axes, places: np.ndarray, names: Sequence[str]) -> None:
    """Names beside points (points, 2), each where it is over the fewest other names, if possible
    inside the axes. To be called when the figure is laid out.
    """
    ax.figure.canvas.draw()  # limits and sizes are settled
    taken = []
    for place, name in zip(places, names):
        tries = []
        for offset in LABEL_OFFSETS:
            side = "left" if offset[0] > 0 else "right"
            text = ax.annotate(name, place, offset, textcoords="offset points", ha=side)
            box = text.get_window_extent()
            over = sum(box.overlaps(other) for other in taken)
            inside = ax.bbox.fully_contains(*box.min) and ax.bbox.fully_contains(*box.max)
            tries.append((over, not inside, len(tries), text, box))
        best = min(tries)
        for *_, text, _ in tries:
            if text is not best[3]:
                text.remove()
        taken.append(best[4])


def plot_scoreboard(
    scores: list[dict], metric: str, ax: plt.Axes | None = None, colours: dict | None = None
) -> plt.Axes:
    """One metric of all models in ``scores`` (rows of ``scores.score``) as points with their
    intervals.

    ``colours`` are by model; others are blue. No point lies on the frame.
    """
    rows = [row for row in scores if row["metric"] == metric]
    ax = ax or plt.subplots(figsize=(9, 0.4 * len(rows) + 1.2))[1]
    for position, row in enumerate(rows):
        colour = (colours or {}).get(row["model"], FAMILIES["linear"])
        ax.plot([row["low"], row["high"]], [position, position], lw=2, color=colour)
        ax.plot(row["value"], position, "o", color=colour)
    ax.set(title="Scores with 95 % intervals", xlabel=METRIC_NAMES.get(metric, metric))
    ax.set_yticks(range(len(rows)), [row["model"] for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.margins(x=0.08)
    return ax


def plot_quintile_returns(
    actual: np.ndarray, predicted: np.ndarray, dates: np.ndarray, ax: plt.Axes | None = None
) -> plt.Axes:
    """Mean outcome by quintile of the prediction within each date, in percent, with 95 % intervals
    over dates.

    All arrays are (samples,); ``actual`` holds returns as fractions.
    """
    ax = ax or plt.subplots()[1]
    frame = pd.DataFrame({"actual": actual, "predicted": predicted, "date": dates})
    share = frame.groupby("date")["predicted"].rank(method="first", pct=True)
    frame["quintile"] = np.ceil(5 * share).astype(int)
    means = frame.groupby(["date", "quintile"])["actual"].mean().mul(100).reset_index()
    sns.barplot(means, x="quintile", y="actual", color=FAMILIES["linear"], seed=0, ax=ax)
    ax.set(
        title="Mean return by predicted quintile",
        xlabel="quintile (5 = highest prediction)",
        ylabel="percent",
    )
    return ax


def plot_fan(history: pd.Series, paths: np.ndarray, ax: plt.Axes | None = None) -> plt.Axes:
    """A monthly series, and the median and the 50, 80 and 95 % bands of simulated ``paths`` (paths,
    months) that follow its last month.
    """
    ax = ax or plt.subplots()[1]
    months = pd.date_range(history.index[-1], periods=paths.shape[1] + 1, freq="MS")[1:]
    for level in (0.95, 0.8, 0.5):
        band = np.quantile(paths, [(1 - level) / 2, (1 + level) / 2], axis=0)
        ax.fill_between(months, *band, color=FAMILIES["network"], alpha=0.25, lw=0)
    ax.plot(months, np.median(paths, axis=0), color=FAMILIES["network"])
    ax.plot(history, color=FAMILIES["truth"], lw=0.9)
    return ax
