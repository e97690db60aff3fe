"""Tables of prices as people have them: Yahoo, Stooq and Kaggle CSVs, long and wide, to the names
used here.
"""

from pathlib import Path

import pandas as pd

from data.checks import ContractError

SYMBOL = ("symbol", "ticker", "name")
DAY = ("date", "datetime", "timestamp", "unnamed:_0")  # pandas' name for an index without one
FIELDS = ("open", "high", "low", "close", "adj_close", "volume")


def read_any(path: Path) -> pd.DataFrame:
    """A Parquet or CSV file as it is, CSVs as UTF-8 with or without byte order mark; two header
    lines of yfinance too.
    """
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    first = pd.read_csv(path, nrows=2, header=None, dtype=str, encoding="utf-8-sig")
    if first.iloc[:, 0].tolist() == ["Price", "Ticker"]:
        return pd.read_csv(path, header=[0, 1], index_col=0, encoding="utf-8-sig")
    return pd.read_csv(path, encoding="utf-8-sig", dtype=_text_columns(first.iloc[0]))


def _text_columns(names: pd.Series) -> dict:
    """Columns to be read as text: tickers such as 0700 keep their zero, dates such as 20180102 stay
    what they are.
    """
    return {name: str for name in names.dropna() if _plain(name) in (*SYMBOL, *DAY)}


def _plain(name: object) -> str:
    return str(name).strip().strip("<>").lower().replace(" ", "_").replace("adjclose", "adj_close")


def plain_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Column names in lower case: Adj Close, <CLOSE> and close are the names that people meet."""
    if isinstance(frame.columns, pd.MultiIndex):
        found = [" / ".join(map(str, name)) for name in frame.columns[:3]]
        raise ContractError(f"has column names of two levels ({', '.join(found)}); needs one level")
    names = [_plain(name) for name in frame.columns]
    names = ["adj_close" if name == "adj._close" else name for name in names]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ContractError(f"has two columns {twice}")
    return frame.set_axis(names, axis=1)


def long_rows(frame: pd.DataFrame, field: str) -> pd.DataFrame:
    """The columns symbol, date and ``field`` of a table of many stocks, one row a stock and day.

    ``frame`` is long (a column symbol, ticker or name), or wide: dates, as index or column, ×
    tickers, which are taken for adjusted closes, or × (field, ticker) in either order. Missing
    prices of a wide table are left out.

    Raises ContractError where there is no ``field``, no date or no ticker.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        return _melt(_level_of(frame, field), field)
    if isinstance(frame.index, pd.DatetimeIndex) or any(frame.index.names):
        frame = frame.reset_index()
    names = {_plain(name): name for name in frame.columns}
    day = next((names[name] for name in DAY if name in names), None)
    symbol = next((names[name] for name in SYMBOL if name in names), None)
    if day is None:
        if isinstance(frame.columns[0], str) and frame.columns[0] == "index":
            day = "index"
        else:
            raise ContractError(f"has no column date, only {', '.join(map(str, names))[:80]}")
    if symbol is None and not set(names) & set(FIELDS):
        if field != "adj_close":
            raise ContractError(f"is a wide table, which holds adjusted closes, not {field}")
        return _melt(frame.set_index(day), field)
    plain = plain_columns(frame)
    if symbol is None:
        raise ContractError("has no column symbol: which stock is it")
    if field not in plain:
        close = ", only close: if that is adjusted for splits and dividends, call it adj_close"
        hint = close if field == "adj_close" and "close" in plain else ""
        raise ContractError(f"has no column {field}{hint}")
    kept = plain[[_plain(symbol), _plain(day), field]]
    kept = kept.set_axis(["symbol", "date", field], axis=1)
    if str(symbol).startswith("<"):  # Stooq writes AAPL.US
        kept["symbol"] = kept["symbol"].str.removesuffix(".US")
    return kept


def _level_of(frame: pd.DataFrame, field: str) -> pd.DataFrame:
    """Dates × tickers of the ``field`` in columns of two levels."""
    for level in range(frame.columns.nlevels):
        for name in frame.columns.get_level_values(level).unique():
            if frame.columns.nlevels == 2 and _plain(name) == field:
                return frame.xs(name, axis=1, level=level)
    found = sorted({str(name) for name in frame.columns.get_level_values(0)})[:6]
    raise ContractError(
        f"has column names of {frame.columns.nlevels} levels without {field}, but "
        f"{', '.join(found)}"
    )


def _melt(wide: pd.DataFrame, field: str) -> pd.DataFrame:
    tickers = [str(name) for name in wide.columns]
    if len(set(tickers)) < len(tickers):
        raise ContractError("has two columns of one ticker")
    long = wide.set_axis(tickers, axis=1).rename_axis("date").reset_index()
    long = long.melt(id_vars="date", var_name="symbol", value_name=field)
    return long.dropna(subset=[field])[["symbol", "date", field]]
