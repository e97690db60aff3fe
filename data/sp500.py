"""Daily prices of the S&P 500 index."""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS, record
from data.checks import (
    ContractError,
    as_numbers,
    check_ohlc,
    daily_index,
    flat_days,
    impossible_prices,
)
from data.source import damaged, local_file
from data.tables import plain_columns, read_csv, some

PRICES = ["open", "high", "low", "close"]
COLUMNS = [*PRICES, "volume"]
FRED = "SP500.csv"
JUMP = np.log(1.5)  # of the logarithm; the S&P 500 never moved half as far within a day


def load_sp500() -> pd.DataFrame:
    """S&P 500 by trading day: index ``date``; columns open, high, low, close (points), volume
    (shares).

    Local: ``SP500.csv`` from FRED (columns ``observation_date,SP500``): the frame then has the one
    column close, because FRED serves no other, and about ten years, because FRED serves no more;
    holidays are left out. Otherwise ``sp500_daily.csv.gz`` or ``.csv`` with all columns. The last
    row of these is dropped, because a file saved during a trading day ends with half a day.
    Bundled: ``arch.data.sp500``, 1999 to 2018.

    ``^GSPC.csv`` (Yahoo) and ``^spx_d.csv`` (Stooq) are read alike. Of these files only date and
    close are needed; high and low go together. A time of day is cut off. Days
    whose open, high, low and close are one number are counted in ``attrs["flat_days"]`` and told
    (``data.checks.flat_days`` finds them).

    Raises DataError where the local file has other columns, dates that are unsorted, repeated, a
    week apart or not certain, prices that are not positive numbers, or a high below a low, an open
    or close outside of them.
    """
    dataset = DATASETS["sp500"]
    if path := local_file(*dataset.files):
        prices = _read_local(path)
        licence = _licence(path, dataset)
        record(prices, "sp500", "local", path.name, licence, path, prices.index)
        _tell_flat_days(prices, path)
        _tell_jumps(prices, path)
        return prices

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
    try:
        table = read_csv(path, dtype={0: str}, na_values=".")
        prices = _from_fred(table) if from_fred else _own(plain_columns(table))
        if len(prices) < 2:
            raise ContractError(f"has {len(prices)} rows, at least 2 are needed")
        _check_volume(check_ohlc(prices))
    except ContractError as error:
        raise damaged(path, error, "sp500") from error
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise damaged(path, f"needs a table in CSV ({error})", "sp500") from error
    return prices if from_fred else prices.iloc[:-1]


def _from_fred(table):
    """The closes of FRED's file, by day, without its empty holidays."""
    table = table.rename(columns={"DATE": "observation_date"})  # as it was before 2025
    if not {"observation_date", "SP500"} <= set(table):
        raise ContractError(f"needs the columns observation_date, SP500, has {some(table)}")
    days = daily_index(table["observation_date"]).rename("date")
    return as_numbers(table["SP500"], "SP500").set_axis(days).to_frame("close").dropna()


def _own(table):
    """The columns that are known here, as numbers, by day; the volume is not needed."""
    names = [name for name in COLUMNS if name in table]
    if not {"date", "close"} <= set(table) or ("high" in table) != ("low" in table):
        raise ContractError(
            f"needs the columns date, close (and high with low, open, volume), has {some(table)}"
        )
    numbers = {name: as_numbers(table[name], name) for name in names}
    return pd.DataFrame(numbers).set_axis(daily_index(table["date"]).rename("date"), axis=0)


def _check_volume(prices):
    if "volume" in prices and (wrong := impossible_prices(prices, "volume")).any():
        day = wrong.idxmax()
        raise ContractError(
            f"volume is {prices['volume'][day]:g} on {day:%Y-%m-%d}; needs 0 or more"
        )


def _tell_flat_days(prices, path):
    """Say how many days have a close only; a range of zero is not a calm day."""
    flat = flat_days(prices)
    prices.attrs["flat_days"] = int(flat.sum())
    if flat.any():
        print(
            f"{path.name}: open, high, low and close are one number on {flat.sum():,} days, the "
            f"last {flat[flat].index[-1]:%Y-%m-%d}: the range of these days is unknown, not zero"
        )


def _tell_jumps(prices, path):
    """Say where a price is far from the close of the day before: an index never moved so."""
    found = prices[prices.columns.intersection(PRICES)]
    away = np.log(found).sub(np.log(found["close"]).shift(), axis=0).abs().max(axis=1)
    if (far := away > JUMP).any():
        print(
            f"{path.name}: a price is more than {np.expm1(JUMP):.0%} away from the close before, "
            f"{far.sum():,} times, the first on {far.idxmax():%Y-%m-%d}: a split, or an error?"
        )
