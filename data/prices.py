"""Daily prices of a panel of stocks."""

from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS
from data.source import DataError, damaged, local_file, record


def load_stock_prices(field="adj_close"):
    """Panel of stocks, trading days (index ``date``) × tickers; NaN where a stock has no price that
    day.

    ``field`` is "adj_close" (US dollars, adjusted for splits and dividends), or "close" or "volume"
    (shares) where the local file has them. Local: ``stock_prices.parquet``, one row a stock and day
    with the columns ``symbol``, ``date``, ``adj_close`` and optionally others. Bundled: 20 large US
    stocks 1990 to 2022, "adj_close".

    Raises DataError where the field is absent, or the file has repeated (symbol, date) rows, or
    prices that are infinite or not positive, no rows, or rows without symbol, date or a number.
    """
    dataset = DATASETS["prices"]
    if path := local_file(*dataset.files):
        panel = _read_local(path, field)
        return record(panel, "prices", "local", path.name, "your own copy", path, panel.index)
    if field != "adj_close":
        raise DataError(
            f"the bundled stock prices have no {field!r}, only 'adj_close'; get a panel with: "
            f"{dataset.command}"
        )

    import skfolio.datasets

    path = Path(skfolio.datasets.__file__).parent / "data" / "sp500_dataset.csv.gz"
    panel = skfolio.datasets.load_sp500_dataset().rename_axis(index="date", columns="ticker")
    return record(
        panel,
        "prices",
        "bundled",
        "skfolio.datasets.load_sp500_dataset",
        dataset.licence,
        path,
        panel.index,
    )


def _read_local(path, field):
    try:
        rows = pd.read_parquet(path, columns=["symbol", "date", field]).astype({field: "float64"})
        rows["date"] = pd.to_datetime(rows["date"])
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise damaged(
            path, f"needs the columns symbol, date and, of numbers, {field} ({error})", "prices"
        ) from error
    if rows.empty or rows[["symbol", "date"]].isna().any(axis=None):
        raise damaged(
            path,
            f"has {len(rows)} rows, {rows[['symbol', 'date']].isna().any(axis=1).sum()} without "
            "symbol or date",
            "prices",
        )
    if rows.duplicated(["symbol", "date"]).any():
        twice = rows[rows.duplicated(["symbol", "date"])].iloc[0]
        raise damaged(path, f"{twice['symbol']} has two rows on {twice['date']:%Y-%m-%d}", "prices")
    if (
        bad := np.isinf(rows[field])
        | (rows[field] < 0)
        | ((rows[field] == 0) & (field != "volume"))
    ).any():
        row = rows[bad].iloc[0]
        raise damaged(
            path, f"{row['symbol']} has {field} {row[field]} on {row['date']:%Y-%m-%d}", "prices"
        )
    return (
        rows.pivot(index="date", columns="symbol", values=field)
        .rename_axis(columns="ticker")
        .sort_index()
    )
