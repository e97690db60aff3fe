"""Daily prices of a panel of stocks."""

import zlib
from pathlib import Path

import pandas as pd

from data.catalog import DATASETS, record
from data.checks import (
    ContractError,
    as_days,
    as_numbers,
    as_tickers,
    check_daily,
    check_spelling,
    impossible_prices,
    thin_days,
    uneven_stocks,
    windows_lost,
)
from data.source import DataError, damaged, local_file
from data.tables import long_rows, read_any

MONTH = 22  # trading days


def load_stock_prices(field: str = "adj_close") -> pd.DataFrame:
    """Panel of stocks, trading days (index ``date``) × tickers; NaN where a stock has no price that
    day.

    ``field`` is "adj_close" (US dollars, adjusted for splits and dividends), or "close" or "volume"
    (shares) where the local file has them. Local: ``stock_prices.parquet``, one row a stock and day
    with the columns ``symbol``, ``date``, ``adj_close`` and optionally others, or
    ``stock_prices.csv`` (``.csv.gz``), long like this or wide: a column a ticker, or two header
    lines as yfinance writes them. Bundled: 20 large US stocks 1990 to 2022, "adj_close". A time of
    day is cut off.

    Raises DataError where the field is absent, or the file has repeated (symbol, date) rows, rows
    a week or a month apart, prices that are infinite or not positive, no rows, or rows without
    symbol, date or a number.
    """
    dataset = DATASETS["prices"]
    if path := local_file(*dataset.files):
        panel = _read_local(path, field)
        record(panel, "prices", "local", path.name, "your own copy", path, panel.index)
        _tell_gaps(panel, path)
        return panel
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


def _tell_gaps(panel, path):
    """Say which days only a few stocks know, and which stocks lack many days: one foreign calendar
    takes windows from everyone.
    """
    thin = thin_days(panel)
    if thin.any():
        day = thin.idxmax()
        traded = ", ".join(panel.columns[panel.loc[day].notna()][:5])
        print(
            f"{path.name}: on {thin.sum():,} of {len(thin):,} days fewer than half of the stocks "
            f"have a price, the first is {day:%Y-%m-%d} (only {traded}): another calendar? No "
            f"window can span such a day, which takes {windows_lost(panel, MONTH):.0%} of all "
            f"windows of {MONTH} days"
        )
    uneven = uneven_stocks(panel).sort_values(ascending=False)
    if len(uneven):
        named = [f"{ticker} ({share:.0%})" for ticker, share in uneven[:5].items()]
        more = f" and {len(uneven) - 5:,} more" if len(uneven) > 5 else ""
        print(
            f"{path.name}: without a price on many days of their history: "
            f"{', '.join(named)}{more}: "
            "another calendar? A window over one of these days is lost, which takes "
            f"{windows_lost(panel.loc[~thin, uneven.index], MONTH):.0%} of their windows of "
            f"{MONTH} days"
        )


def _read_local(path, field):
    try:
        rows = long_rows(read_any(path), field)
        rows[field] = as_numbers(rows[field], field)
        if rows[field].isna().all():
            raise ContractError(f"has no {field} in any of {len(rows)} rows")
        rows["date"] = as_days(rows["date"])
        check_daily(pd.DatetimeIndex(rows["date"].unique()).sort_values())
        rows["symbol"] = as_tickers(rows["symbol"], "symbol").to_numpy()
        check_spelling(rows["symbol"].unique())
    except ContractError as error:
        raise damaged(path, error, "prices") from error
    except (ValueError, TypeError, KeyError, OSError, EOFError, zlib.error) as error:
        raise damaged(
            path, f"needs the columns symbol, date and, of numbers, {field} ({error})", "prices"
        ) from error
    if rows.duplicated(["symbol", "date"]).any():
        twice = rows[rows.duplicated(["symbol", "date"])].iloc[0]
        raise damaged(
            path,
            f"{twice['symbol']} has two rows on {twice['date']:%Y-%m-%d}; needs one row a day",
            "prices",
        )
    if (bad := impossible_prices(rows, field)).any():
        row = rows[bad].iloc[0]
        raise damaged(
            path,
            f"{row['symbol']} has {field} {row[field]} on {row['date']:%Y-%m-%d}; needs a positive "
            "number",
            "prices",
        )
    return (
        rows.pivot(index="date", columns="symbol", values=field)
        .rename_axis(columns="ticker")
        .sort_index()
    )
