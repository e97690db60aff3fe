"""The data set of notebook 02, in one call; its files, written there and read by 03 and 04."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.catalog import DATASETS
from data.checks import as_date, whole_number
from data.files import whole_file
from data.source import ROOT, DataError, Source, check_in_use, rerun
from features.panel import (
    check_prices,
    delayed_returns,
    ranks_by_date,
    returns,
    suspect_ticks,
    weekly_prices,
    weekly_volatility,
    with_next_week,
)
from utils import Windows, without_gap

FOLDER = ROOT / "build" / "dataset"
COMMAND = rerun("02_build_dataset")  # makes the files anew
FEATURES = "return", "rank", "path"
BLOCK = 500  # stocks whose daily prices are worked on at a time


@dataclass(frozen=True)
class Dataset:
    """Samples of a panel, with what is known of their outcomes.

    Attributes:
        windows: samples whose outcome is known; ``y`` is the raw return of the week that follows.
        newest: samples that end in the last week; their outcome lies ahead, so ``y`` is NaN.
        features: names of the last axis of ``windows.X``, of FEATURES.
        outcomes: one row a sample of ``windows``: "up" and "beats_median" (0 or 1),
            "delayed_return" (NaN where the trade cannot be made), "forward_volatility" (log of the
            root mean square daily return).
        panel: feature -> frame, weeks × tickers, as of ``beside_market``: returns, clipped, and
            volatilities, missing where a return is missing or suspect.
        limits: (lowest, highest) return of the clipped inputs.
    """

    windows: Windows
    newest: Windows
    features: tuple[str, ...]
    outcomes: pd.DataFrame
    panel: Mapping[str, pd.DataFrame]
    limits: tuple[float, float]


def make_dataset(
    prices: pd.DataFrame | Iterable[pd.DataFrame],
    training_end: str | pd.Timestamp,
    weeks: int = 52,
    clip: float = 0.001,
    features: tuple[str, ...] = FEATURES,
    dtype: str = "float32",
) -> Dataset:
    """Daily prices, trading days × tickers, as samples that leak nothing: what notebook 02 shows
    step by step.

    ``prices`` may come in blocks, frames with the same days and other stocks, so that a large panel
    is never in memory day by day. ``weeks`` is the length of a window; ``features`` are those of
    FEATURES that are wanted. The share ``clip`` of the returns before ``training_end`` lies beyond
    either limit to which inputs are clipped; outcomes are raw. Ranks compare all stocks with a
    complete window. ``dtype`` is that of ``windows.X``: in "float16" a large panel needs half the
    memory, and ranks are right to a four-thousandth.

    Raises ValueError as ``check_prices``, for unknown features or another dtype, and where no
    return is known before ``training_end`` or no window with a known outcome is complete.
    """
    if unknown := set(features) - set(FEATURES):
        raise ValueError(f"features are some of {FEATURES}, given {sorted(unknown)}")
    if dtype not in ("float16", "float32"):
        raise ValueError(f"dtype is float16 or float32, given {dtype!r}")
    if isinstance(prices, pd.DataFrame):
        prices = _in_blocks(check_prices(prices))
    frames = _side_by_side(map(_by_week, prices))
    inputs, outcome = frames.pop("input"), frames.pop("outcome")
    before = inputs[inputs.index < as_date(training_end)].to_numpy()
    if not np.isfinite(before).any():
        raise ValueError(f"no return is known before training_end, given {training_end}")
    limits = np.nanquantile(before, [clip, 1 - clip]).astype("float32")

    samples, newest = _windows(inputs, outcome, weeks, limits, features, dtype)
    median = pd.Series(samples.y).groupby(samples.input_end).transform("median").to_numpy()
    where = samples.target_date, samples.ticker
    outcomes = {
        "up": (samples.y > 0).astype("int8"),
        "beats_median": (samples.y > median).astype("int8"),
        "delayed_return": values_at(frames.pop("delayed_return"), *where),
        "forward_volatility": values_at(frames["forward_volatility"], *where),
    }
    volatility = frames.pop("forward_volatility").where(inputs.notna())
    panel = beside_market(inputs.clip(*limits), volatility)
    outcomes = pd.DataFrame(outcomes, copy=False)
    return Dataset(samples, newest, tuple(features), outcomes, panel, tuple(limits))


def _in_blocks(prices: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for first in range(0, prices.shape[1], BLOCK):
        yield prices.iloc[:, first : first + BLOCK]


def _by_week(prices: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What is known of each stock by itself: frames, weeks × tickers, float32."""
    weekly = weekly_prices(prices)
    frames = {
        "input": returns(weekly, suspect_ticks(prices)),
        "outcome": returns(weekly),
        "forward_volatility": weekly_volatility(prices),
        "delayed_return": delayed_returns(prices),
    }
    return {name: frame.astype("float32") for name, frame in frames.items()}


def _side_by_side(blocks: Iterable[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The frames of several blocks of stocks as one of each name."""
    parts = {}
    for block in blocks:
        for name, frame in block.items():
            parts.setdefault(name, []).append(frame)
    if not parts:
        raise ValueError("prices must be a DataFrame, or blocks of them, given no block")
    frames = {}
    for name in list(parts):
        some = parts.pop(name)
        frames[name] = some[0] if len(some) == 1 else pd.concat(some, axis=1)
        same = all(frame.index.equals(some[0].index) for frame in some)
        if not same or not frames[name].columns.is_unique:
            raise ValueError("blocks of prices must have the same days, and each stock once")
    return frames


def _windows(
    inputs: pd.DataFrame,
    outcome: pd.DataFrame,
    weeks: int,
    limits: np.ndarray,
    features: tuple[str, ...],
    dtype: str,
) -> tuple[Windows, Windows]:
    """The samples with a known outcome, and the newest, week by week into one array."""
    if len(inputs) < whole_number("weeks", weeks, 1):
        raise ValueError(
            f"windows of {weeks} weeks need at least as many weeks of prices, given {len(inputs)}"
        )
    complete = without_gap(inputs.isna().to_numpy(), weeks)
    ahead = with_next_week(outcome)
    known_on, ahead = ahead.index.to_numpy()[weeks:], ahead.to_numpy()[weeks:]
    wanted = complete & np.isfinite(ahead)
    wanted[-1] = complete[-1]  # the newest: their outcome lies ahead
    count = wanted.sum(axis=1)
    X = np.empty((count.sum(), weeks, len(features)), dtype)
    parts, by_stock = np.split(X, count.cumsum()[:-1]), np.ascontiguousarray(inputs.to_numpy().T)

    def fill(ends):
        for end in ends:
            change = by_stock[complete[end], end : end + weeks]
            chosen = wanted[end][complete[end]]
            for number, feature in enumerate(features):
                parts[end][:, :, number] = _feature(feature, change, limits)[chosen]

    with ThreadPoolExecutor() as pool:  # sorting in NumPy leaves the other cores to others
        list(pool.map(fill, np.array_split(np.arange(len(wanted)), os.cpu_count())))
    codes = np.broadcast_to(np.arange(wanted.shape[1], dtype="int32"), wanted.shape)[wanted]
    every = Windows(
        X,
        ahead[wanted],
        np.repeat(inputs.index.to_numpy()[weeks - 1 :], count),
        np.repeat(known_on, count),
        pd.Categorical.from_codes(codes, inputs.columns),
    )
    known = len(X) - int(count[-1])
    if not known:
        raise ValueError(f"no window of {weeks} weeks with a known outcome is complete")
    return every[:known], every[known:]


def _feature(name: str, change: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """One feature of the stocks of one week, from their returns: (stocks, weeks)."""
    if name == "return":
        return change.clip(*limits)
    if name == "path":
        change = np.log1p(change.clip(min=-0.99)).cumsum(axis=1)
    return ranks_by_date(change, np.zeros(len(change)))


class LazyFrames(Mapping):
    """Frames by the name of a feature, each made anew when it is asked for: memory holds one.

    ``makers`` maps a feature to a function without arguments that returns its frame.
    """

    def __init__(self, makers: dict[str, Callable[[], pd.DataFrame]]):
        self.makers = makers

    def __getitem__(self, feature: str) -> pd.DataFrame:
        return self.makers[feature]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)


def beside_market(change: pd.DataFrame, volatility: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """Inputs of a forecast of volatility: feature -> frame, weeks × tickers, made when asked for.

    "return" and "volatility" are ``change`` and ``volatility`` (log); "market_return" and
    "market_volatility" the means over the stocks of the week, the same for all of them, missing
    where the volatility is; "excess_volatility" a stock's own less the market's.
    """
    market = {"return": _mean_of_week(change), "volatility": _mean_of_week(volatility)}

    def of_market(name):
        known = volatility.notna().to_numpy()
        values = np.where(known, market[name].to_numpy("float32")[:, None], np.float32("nan"))
        return pd.DataFrame(values, volatility.index, volatility.columns)

    return LazyFrames(
        {
            "return": lambda: change,
            "market_return": lambda: of_market("return"),
            "volatility": lambda: volatility,
            "market_volatility": lambda: of_market("volatility"),
            "excess_volatility": lambda: volatility.sub(market["volatility"], axis=0),
        }
    )


def _mean_of_week(frame: pd.DataFrame) -> pd.Series:
    """Mean over the stocks, added up in float64 without a copy in it."""
    total = np.nansum(frame.to_numpy(), axis=1, dtype="float64")
    return pd.Series(total, frame.index) / frame.count(axis=1)


def values_at(frame: pd.DataFrame, dates: np.ndarray, ticker: pd.Categorical) -> np.ndarray:
    """Values of a frame, dates × tickers, for samples with these dates and tickers: float32,
    (samples,).
    """
    rows = frame.index.get_indexer(dates)
    columns = frame.columns.get_indexer(ticker.categories)[ticker.codes]
    return frame.to_numpy("float32")[rows, columns]


class LazyWindows:
    """The last ``weeks`` of each frame of a panel, for samples: gathered when they are asked for.

    ``windows[rows]``, with a slice, a mask or positions, is an array (samples, weeks, features),
    float32, oldest week first, features in the order of ``panel``; so memory holds the panel once,
    however long the windows are. Missing stays NaN.

    Args:
        panel: feature -> frame, weeks × tickers, all of the same shape; each is read once.
        input_end: last date of each sample, (samples,).
        ticker: Categorical of the samples; its categories are columns of the panel.
        weeks: length of a window.

    Raises ValueError where a date or a ticker is not in the panel, or a window would begin before
    it.
    """

    def __init__(
        self,
        panel: Mapping[str, pd.DataFrame],
        input_end: np.ndarray,
        ticker: pd.Categorical,
        weeks: int,
    ):
        for number, feature in enumerate(panel):
            frame = panel[feature]
            if number == 0:
                dates, tickers = frame.index, frame.columns
                shape = len(tickers), len(dates), len(panel)
                self.values = np.empty(shape, dtype="float32")
            self.values[:, :, number] = frame.to_numpy().T
            del frame  # before the next one is made: a large panel is in memory once
        self.end = dates.get_indexer(input_end).astype("int32")
        places = tickers.get_indexer(ticker.categories).astype("int32")
        self.stock = places[ticker.codes]
        self.steps = np.arange(1 - weeks, 1, dtype="int32")
        if len(self.end) and (self.end.min() < weeks - 1 or self.stock.min() < 0):
            raise ValueError(
                f"the panel has no {weeks} weeks of every ticker before every date given"
            )
        self.shape = (len(self.end), weeks, len(panel))

    def __len__(self) -> int:
        return len(self.end)

    def newest_first(self) -> "LazyWindows":
        """The same windows read backwards, for the exhibit that shows what that costs."""
        other = copy(self)
        other.steps = self.steps[::-1]
        return other

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self.values[self.stock[rows][:, None], self.end[rows][:, None] + self.steps]


def standardised(
    panel: Mapping[str, pd.DataFrame], before: object
) -> tuple[Mapping[str, pd.DataFrame], dict[str, tuple[float, float]]]:
    """The frames of a panel less the mean and over the standard deviation of the weeks before a
    date, made when asked for, and these: feature -> (mean, deviation).
    """
    scale, scaled = {}, {}
    for feature, frame in panel.items():
        known = frame[frame.index < as_date(before)].to_numpy()
        if not np.isfinite(known).any():
            raise ValueError(f"no {feature} is known before {before}")
        scale[feature] = float(np.nanmean(known)), float(np.nanstd(known)) or 1.0
        scaled[feature] = partial(_scaled, panel, feature, *scale[feature])
    return LazyFrames(scaled), scale


def _scaled(
    panel: Mapping[str, pd.DataFrame], feature: str, mean: float, deviation: float
) -> pd.DataFrame:
    frame = panel[feature] - mean
    frame /= deviation  # in place: a large frame is not copied once more
    return frame


def save_panel(name: str, panel: Mapping[str, pd.DataFrame], source: Source) -> Path:
    """Write ``build/dataset/<name>.parquet``, one row a week, and return its path.

    ``panel`` maps features to frames, weeks × tickers, of the same shape; each becomes a column of
    lists, float32. The ``source`` record travels in the file. The file is complete or absent.
    """
    first = next(iter(panel.values()))
    columns = {"date": pa.array(first.index.to_numpy())}
    for feature, frame in panel.items():
        flat = pa.array(frame.to_numpy("float32").reshape(-1))
        columns[feature] = pa.FixedSizeListArray.from_arrays(flat, frame.shape[1])
    record = {"source": source, "tickers": list(map(str, first.columns))}
    return _write(name, columns, {"panel": json.dumps(record)})


def load_panel(name: str) -> dict[str, pd.DataFrame]:
    """What ``save_panel`` wrote: feature -> frame, weeks × tickers, float32.

    Raises DataError as ``load_windows``.
    """
    table, record = _read(name, "panel")
    dates = pd.DatetimeIndex(table["date"].to_numpy(), name="date")
    panel = {}
    for feature in table.column_names[1:]:
        flat = table[feature].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values = flat.reshape(len(dates), -1)
        panel[feature] = pd.DataFrame(values, dates, pd.Index(record["tickers"], name="ticker"))
    return panel


def save_windows(
    name: str,
    windows: Windows,
    features: list[str] | tuple[str, ...],
    source: Source,
    **details: np.ndarray | pd.Series,
) -> Path:
    """Write ``build/dataset/<name>.parquet``, one row a sample, and return its path.

    Columns: ``input_end`` and ``target_date``, ``ticker``, ``forward_return`` (``windows.y``), each
    of ``details`` (name=array of one value a sample), and each of ``features`` (names of the last
    axis of ``windows.X``) as a list of fixed length, float32, oldest step first. The ``source``
    record travels in the file. The file is complete or absent.
    """
    columns = {
        "input_end": windows.input_end,
        "target_date": windows.target_date,
        "ticker": pa.array(windows.ticker),
        "forward_return": windows.y,
        **details,
    }
    for number, feature in enumerate(features):
        flat = np.ascontiguousarray(windows.X[:, :, number]).reshape(-1)
        columns[feature] = pa.FixedSizeListArray.from_arrays(pa.array(flat), windows.X.shape[1])
    record = {"source": source, "features": list(features)}
    return _write(name, columns, {"windows": json.dumps(record)})


def load_windows(
    name: str, features: list[str] | tuple[str, ...] | None = None
) -> tuple[Windows, pd.DataFrame]:
    """What ``save_windows`` wrote, as (windows, details); prints the source of the prices in one
    line.

    ``features`` names those that are read, by default all; the others need no memory.

    ``windows`` is a utils.Windows whose ``y`` is the raw forward return; ``details`` is a DataFrame
    with one row a sample in the same order: ``ticker``, ``input_end``, ``target_date``,
    ``forward_return`` and the other columns of the file. ``details.attrs`` holds "source" and
    "features" (the names of the last axis of ``windows.X``).

    Raises DataError if the file is absent or damaged, or was made from other prices than those in
    use now: from local ones where the bundled ones are used, the other way round, or from another
    local file.
    """
    table, record = _read(name, "windows", without="features")
    source = Source(record["source"])
    features = list(features or record["features"])
    details = table.to_pandas()
    print(source)
    details.attrs = {"source": source, "features": features}
    X = None
    for number, feature in enumerate(features):  # one after the other: half the memory
        column = pq.read_table(FOLDER / f"{name}.parquet", columns=[feature])[feature]
        values = column.combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        if X is None:
            X = np.empty((*values.shape, len(features)), dtype="float32")
        X[:, :, number] = values
    windows = Windows(
        X=X,
        y=details["forward_return"].to_numpy(),
        input_end=details["input_end"].to_numpy(),
        target_date=details["target_date"].to_numpy(),
        ticker=details["ticker"].array,
    )
    return windows, details


def _write(name, columns, metadata):
    table = pa.table(columns).replace_schema_metadata(metadata)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.parquet"
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="lz4", row_group_size=max(1, len(table)))
    return path


def _read(name, kind, without=None):
    """(table, record) of a file in FOLDER, or DataError where it is absent, damaged, or made from
    other prices; the columns that the record lists under ``without`` are left out.
    """
    path = FOLDER / f"{name}.parquet"
    if not path.is_file():
        raise DataError(
            f"{path.relative_to(ROOT)} is not there: notebook 02 writes it, run: {COMMAND}"
        )
    try:
        schema = pq.read_schema(path)
        record = json.loads(schema.metadata[kind.encode()])
        source = Source(record["source"])
        left_out = record[without] if without else []
        table = pq.read_table(path, columns=[c for c in schema.names if c not in left_out])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{path.relative_to(ROOT)} is damaged ({error}); make it anew: {COMMAND}"
        ) from error
    check_in_use(source, DATASETS["prices"].files, path.relative_to(ROOT), COMMAND)
    return table, record
