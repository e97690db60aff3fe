"""Daily prices of the S&P 500 index."""

from pathlib import Path

import pandas as pd

from data.catalog import DATASETS
from data.source import damaged, local_file, record

COLUMNS = ["open", "high", "low", "close", "volume"]


def load_sp500():
    """S&P 500 by trading day: index ``date``; columns open, high, low, close (points), volume (shares).

    Local: ``sp500_daily.csv.gz`` or ``.csv`` with these columns. Its last row is dropped, because a file saved
    during a trading day ends with half a day. Bundled: ``arch.data.sp500``, 1999 to 2018.

    Raises DataError where the local file has other columns, unsorted or repeated dates, or prices that are not
    positive numbers.
    """
    dataset = DATASETS["sp500"]
    if path := local_file(*dataset.files):
        prices = _read_local(path)
        return record(prices, "sp500", "local", path.name, "your own copy", path, prices.index)

    import arch.data.sp500

    path = Path(arch.data.sp500.__file__).with_name("sp500.csv.gz")
    prices = arch.data.sp500.load().rename(columns=str.lower).rename_axis("date")[COLUMNS].astype("float64")
    return record(prices, "sp500", "bundled", "arch.data.sp500", dataset.licence, path, prices.index)


def _read_local(path):
    try:
        prices = pd.read_csv(path, parse_dates=["date"], index_col="date")[COLUMNS].astype("float64")
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise damaged(path, f"needs the columns date, {', '.join(COLUMNS)} ({error})", "sp500") from error
    if len(prices) < 2:
        raise damaged(path, f"has {len(prices)} rows, at least 2 are needed", "sp500")
    if not (prices.index.is_monotonic_increasing and prices.index.is_unique):
        raise damaged(path, "dates must be sorted and unique", "sp500")
    positive = prices[COLUMNS[:4]].gt(0).all(axis=1) & prices.notna().all(axis=1)
    if not positive.all():
        raise damaged(path, f"a price is missing or not positive on {positive.idxmin():%Y-%m-%d}", "sp500")
    return prices.iloc[:-1]
