"""Daily prices of the S&P 500 index."""

from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS
from data.source import damaged, local_file, record

PRICES = ["open", "high", "low", "close"]
COLUMNS = [*PRICES, "volume"]
FRED = "SP500.csv"


def load_sp500():
    """S&P 500 by trading day: index ``date``; columns open, high, low, close (points), volume
    (shares).

    Local: ``SP500.csv`` from FRED (columns ``observation_date,SP500``): the frame then has the one
    column close, because FRED serves no other, and about ten years, because FRED serves no more;
    holidays are left out. Otherwise ``sp500_daily.csv.gz`` or ``.csv`` with all columns. The last
    row of these is dropped, because a file saved during a trading day ends with half a day.
    Bundled: ``arch.data.sp500``, 1999 to 2018.

    Raises DataError where the local file has other columns, unsorted or repeated dates, or prices
    that are not positive numbers.
    """
    dataset = DATASETS["sp500"]
    if path := local_file(*dataset.files):
        prices = _read_local(path)
        return record(
            prices, "sp500", "local", path.name, _licence(path, dataset), path, prices.index
        )

    import arch.data.sp500

    path = Path(arch.data.sp500.__file__).with_name("sp500.csv.gz")
    prices = (
        arch.data.sp500.load()
        .rename(columns=str.lower)
        .rename_axis("date")[COLUMNS]
        .astype("float64")
    )
    return record(
        prices, "sp500", "bundled", "arch.data.sp500", dataset.licence, path, prices.index
    )


def _licence(path, dataset):
    return dataset.live_licence if path.name == FRED else "your own copy"


def _read_local(path):
    from_fred = path.name == FRED
    dates, columns = ("observation_date", ["SP500"]) if from_fred else ("date", COLUMNS)
    try:
        prices = pd.read_csv(path, parse_dates=[dates], index_col=dates, na_values=".")[
            columns
        ].astype("float64")
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise damaged(
            path, f"needs the columns {dates}, {', '.join(columns)} ({error})", "sp500"
        ) from error
    if from_fred:
        prices = prices.dropna().rename(columns={"SP500": "close"}).rename_axis("date")
    if len(prices) < 2:
        raise damaged(path, f"has {len(prices)} rows, at least 2 are needed", "sp500")
    if not (prices.index.is_monotonic_increasing and prices.index.is_unique):
        raise damaged(path, "dates must be sorted and unique", "sp500")
    positive = prices.gt(0).drop(columns="volume", errors="ignore").all(axis=1) & np.isfinite(
        prices
    ).all(axis=1)
    if not positive.all():
        raise damaged(
            path,
            f"a price is missing, infinite or not positive on {positive.idxmin():%Y-%m-%d}",
            "sp500",
        )
    return prices if from_fred else prices.iloc[:-1]
