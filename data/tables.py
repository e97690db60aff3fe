"""Tables as people have them: Yahoo, Stooq and Kaggle CSVs, long and wide, to the names used
here.
"""

import csv
import gzip
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from data.checks import ContractError, as_days, as_numbers

SYMBOL = ("symbol", "ticker", "name")
DAY = ("date", "datetime", "timestamp", "unnamed:_0")  # pandas' name for an index without one
FIELDS = ("open", "high", "low", "close", "adj_close", "volume")
MISSING = ["", ".", "NA", "N/A", "NaN", "nan", "null", "NULL"]  # in a column of prices
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
BINARY = {
    b"PK": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "compressed, but not called .gz",
}
LEVELS = {"Price", "Ticker", "Attributes", "Symbols", ""}  # begin the two header lines of yfinance
# A column such as "Close_AAPL" is no ticker; LOW, OPEN and CLOSE by themselves are.
FIELD_OF_STOCK = re.compile(
    r"^(?:adj|close|volume)[\W_]|[\W_](?:adj|close|volume)(?:[\W_]|$)", re.IGNORECASE
)
ONLY_CLOSE = ", only close: if that is adjusted for splits and dividends, call it adj_close"


def read_csv(path: Path, **options: object) -> pd.DataFrame:
    """A CSV in UTF-8, with or without byte order mark, compressed or not; ``options`` are those of
    pandas.

    Raises ContractError for another encoding, two columns of one name, rows with more fields than
    the header has names, and fields that are not separated by commas: where a comma may be a
    decimal one, a number would be a guess.
    """
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        first = file.readline(2**16)
    try:
        names = _names_in(first)
        table = pd.read_csv(path, encoding="utf-8-sig", **options)
    except UnicodeDecodeError as error:
        raise ContractError(f"is not UTF-8 ({error}); save it as UTF-8") from error
    if "index_col" not in options and len(table) and not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first fields for an index
        raise ContractError(f"has {len(names)} names in its header, and more fields in row 1")
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice and options.get("header", 0) == 0:
        raise ContractError(f"has two columns {twice}")
    return table


def _names_in(first: bytes) -> list[str]:
    """The names in the first line of a CSV; ContractError where it is not the text of one."""
    for start, what in BINARY.items():
        if first.startswith(start):
            raise ContractError(f"is {what}; needs the text of a CSV")
    header = first.decode("utf-8-sig")
    if "\0" in header:
        raise ContractError("is not UTF-8 but binary, or UTF-16; save it as CSV in UTF-8")
    for separator, name in SEPARATORS.items():
        if header.count(separator) > header.count(","):
            raise ContractError(f"has fields separated by {name}; needs commas")
    return [name.strip() for name in next(csv.reader([header]), [])]


def some(names: Iterable[object]) -> str:
    """The first of some names, for a sentence; in a file that is no table they are long."""
    return ", ".join(map(str, list(names)[:6]))[:80]


def read_any(path: Path) -> pd.DataFrame:
    """A Parquet or CSV file as it is, two header lines of yfinance too.

    Tickers and dates are read as text: 0700 keeps its zero, NA is a ticker, and 20180102 stays what
    it is.
    """
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    first = read_csv(path, nrows=2, header=None, dtype=str, keep_default_na=False)
    if len(first) == 2 and set(first.iloc[:, 0]) <= LEVELS:
        frame = read_csv(path, header=[0, 1], index_col=0)
        if any(str(name).startswith("Unnamed:") for name in frame.columns.get_level_values(0)):
            raise ContractError("has a column without a name in the first of its two header lines")
        return frame
    names = list(read_csv(path, nrows=0))
    text = [name for name in names if _plain(name) in (*SYMBOL, *DAY)]
    missing = {name: MISSING for name in names if name not in text}
    kinds = dict.fromkeys(text, str)
    return read_csv(path, dtype=kinds, keep_default_na=False, na_values=missing)


def _plain(name: object) -> str:
    plain = str(name).strip().strip("<>").lower().replace(" ", "_")
    return plain.replace("adjclose", "adj_close").replace("adjusted_close", "adj_close")


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
            raise ContractError(f"has no column date, only {some(names)}")
    if symbol is None and set(names) & set(FIELDS) <= {"low", "open"}:  # Lowe's, Opendoor
        if field != "adj_close":
            raise ContractError(f"is a wide table, which holds adjusted closes, not {field}")
        return _melt(frame.set_index(day), field)
    plain = plain_columns(frame)
    if symbol is None:
        raise ContractError(f"has no column symbol: which stock is it; needs symbol, date, {field}")
    if field not in plain:
        hint = ONLY_CLOSE if field == "adj_close" and "close" in plain else ""
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
    names = {str(name) for level in frame.columns.levels for name in level}
    hint = ONLY_CLOSE if field == "adj_close" and "close" in map(_plain, names) else ""
    found = sorted({str(name) for name in frame.columns.get_level_values(0)})[:6]
    raise ContractError(
        f"has column names of {frame.columns.nlevels} levels without {field}, but "
        f"{', '.join(found)}{hint}"
    )


def _melt(wide: pd.DataFrame, field: str) -> pd.DataFrame:
    tickers = [str(name) for name in wide.columns]
    if len(set(tickers)) < len(tickers):
        raise ContractError("has two columns of one ticker")
    if odd := next(filter(FIELD_OF_STOCK.search, tickers), None):
        raise ContractError(
            f"has the column {odd!r}, a field of a stock; needs a column a ticker, or the columns "
            f"symbol, date, {field}"
        )
    days = as_days(wide.index).rename("date")  # while rows are still those of the file
    columns = [as_numbers(wide[name], f"{field} of {name}") for name in wide]
    numbers = pd.concat(columns, axis=1).set_axis(tickers, axis=1).set_axis(days)
    long = numbers.reset_index().melt(id_vars="date", var_name="symbol", value_name=field)
    return long.dropna(subset=[field])[["symbol", "date", field]]
