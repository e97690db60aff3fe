"""The data set of notebook 02, in one call; its files, written there and read by 03 and 04."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.catalog import DATASETS
from data.files import whole_file
from data.source import ROOT, DataError, Source, check_in_use
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
from utils import Windows, make_panel_windows

FOLDER = ROOT / "build" / "dataset"


@dataclass(frozen=True)
class Dataset:
    """Samples of a panel, with what is known of their outcomes.

    Attributes:
        windows: samples whose outcome is known; ``y`` is the raw return of the week that follows.
        newest: samples that end in the last week; their outcome lies ahead, so ``y`` is NaN.
        features: names of the last axis of ``windows.X``: "return", "rank", "path".
        outcomes: one row a sample of ``windows``: "up" and "beats_median" (0 or 1),
            "delayed_return" (NaN where the trade cannot be made), "forward_volatility" (log of the
            root mean square daily return).
        panel: feature -> frame, weeks × tickers, as of ``volatility_panel``.
        limits: (lowest, highest) return of the clipped inputs.
    """

    windows: Windows
    newest: Windows
    features: tuple[str, ...]
    outcomes: pd.DataFrame
    panel: dict[str, pd.DataFrame]
    limits: tuple[float, float]


def make_dataset(
    prices: pd.DataFrame, training_end: str | pd.Timestamp, weeks: int = 52, clip: float = 0.001
) -> Dataset:
    """Daily prices, trading days × tickers, as samples that leak nothing: what notebook 02 shows
    step by step.

    ``weeks`` is the length of a window. The share ``clip`` of the returns before ``training_end``
    lies beyond either limit to which inputs are clipped; outcomes are raw. Ranks compare all stocks
    with a complete window.

    Raises ValueError as ``check_prices``, and where no return is known before ``training_end`` or
    no window with a known outcome is complete.
    """
    check_prices(prices)
    suspect = suspect_ticks(prices)
    weekly = weekly_prices(prices)
    inputs, outcome = returns(weekly, suspect), returns(weekly)
    before = inputs[inputs.index < pd.Timestamp(training_end)].to_numpy()
    if not np.isfinite(before).any():
        raise ValueError(f"no return is known before training_end, given {training_end}")
    limits = np.nanquantile(before, [clip, 1 - clip]).astype("float32")

    follows = with_next_week(outcome).notna()
    complete = make_panel_windows(with_next_week(inputs), weeks, target=follows)
    change = complete.X[:, :, 0]
    growth = np.log1p(change.clip(min=-0.99)).cumsum(axis=1)
    ranks = [ranks_by_date(values, complete.input_end) for values in (change, growth)]
    complete = Windows(
        np.stack([change.clip(*limits), *ranks], axis=-1),
        values_at(with_next_week(outcome), complete.target_date, complete.ticker),
        complete.input_end,
        complete.target_date,
        complete.ticker,
    )
    windows = complete[np.isfinite(complete.y)]
    if not len(windows):
        raise ValueError(f"no window of {weeks} weeks with a known outcome is complete")
    newest = complete[complete.input_end == weekly.index[-1].to_datetime64()]

    median = pd.Series(windows.y).groupby(windows.input_end).transform("median").to_numpy()
    where = windows.target_date, windows.ticker
    outcomes = {
        "up": (windows.y > 0).astype("int8"),
        "beats_median": (windows.y > median).astype("int8"),
        "delayed_return": values_at(delayed_returns(prices), *where),
        "forward_volatility": values_at(weekly_volatility(prices), *where),
    }
    panel = volatility_panel(prices, suspect, limits)
    features = "return", "rank", "path"
    return Dataset(windows, newest, features, pd.DataFrame(outcomes), panel, tuple(limits))


def volatility_panel(
    prices: pd.DataFrame, suspect: pd.DataFrame, limits: tuple[float, float]
) -> dict[str, pd.DataFrame]:
    """Inputs of a forecast of volatility, each weeks × tickers, missing where a return is missing
    or suspect.

    "return" is clipped to ``limits``; "volatility" is that of ``weekly_volatility``;
    "market_return" and "market_volatility" are the means over the stocks of the week, the same for
    all of them; "excess_volatility" is a stock's own less the market's.
    """
    change = returns(weekly_prices(prices), suspect).clip(*limits)
    return beside_market(change, weekly_volatility(prices, suspect))


def beside_market(change: pd.DataFrame, volatility: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns and log volatilities, each weeks × tickers, with those of the market and the excess
    over it, as in ``volatility_panel``; missing where the volatility is.
    """
    zero = volatility * 0.0
    market = zero.add(volatility.mean(axis=1), axis=0)
    return {
        "return": change,
        "market_return": zero.add(change.mean(axis=1), axis=0),
        "volatility": volatility,
        "market_volatility": market,
        "excess_volatility": volatility - market,
    }


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
        panel: feature -> frame, weeks × tickers, all of the same shape.
        input_end: last date of each sample, (samples,).
        ticker: Categorical of the samples; its categories are columns of the panel.
        weeks: length of a window.

    Raises ValueError where a date or a ticker is not in the panel, or a window would begin before
    it.
    """

    def __init__(
        self,
        panel: dict[str, pd.DataFrame],
        input_end: np.ndarray,
        ticker: pd.Categorical,
        weeks: int,
    ):
        first = next(iter(panel.values()))
        self.values = np.stack([frame.to_numpy("float32").T for frame in panel.values()], axis=-1)
        self.end = first.index.get_indexer(input_end)
        self.stock = first.columns.get_indexer(ticker.categories)[ticker.codes]
        self.steps = np.arange(1 - weeks, 1)
        if len(self.end) and (self.end.min() < weeks - 1 or self.stock.min() < 0):
            raise ValueError(
                f"the panel has no {weeks} weeks of every ticker before every date given"
            )
        self.shape = (len(self.end), weeks, len(panel))

    def __len__(self) -> int:
        return len(self.end)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self.values[self.stock[rows][:, None], self.end[rows][:, None] + self.steps]


def standardised(
    panel: dict[str, pd.DataFrame], before: object
) -> tuple[dict[str, pd.DataFrame], dict[str, tuple[float, float]]]:
    """The frames of a panel less the mean and over the standard deviation of the weeks before a
    date, and these: feature -> (mean, deviation).
    """
    scale, scaled = {}, {}
    for feature, frame in panel.items():
        known = frame[frame.index < pd.Timestamp(before)].to_numpy()
        scale[feature] = float(np.nanmean(known)), float(np.nanstd(known)) or 1.0
        scaled[feature] = (frame - scale[feature][0]) / scale[feature][1]
    return scaled, scale


def save_panel(name: str, panel: dict[str, pd.DataFrame], source: Source):
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


def save_windows(name, windows, features, source, **details):
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


def load_windows(name, features=None):
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
    command = "make notebooks NB=02"
    if not path.is_file():
        raise DataError(
            f"{path.relative_to(ROOT)} is not there: notebook 02 writes it, run: {command}"
        )
    try:
        schema = pq.read_schema(path)
        record = json.loads(schema.metadata[kind.encode()])
        source = Source(record["source"])
        left_out = record[without] if without else []
        table = pq.read_table(path, columns=[c for c in schema.names if c not in left_out])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{path.relative_to(ROOT)} is damaged ({error}); make it anew: {command}"
        ) from error
    check_in_use(source, DATASETS["prices"].files, path.relative_to(ROOT), command)
    return table, record
