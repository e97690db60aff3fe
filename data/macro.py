"""Monthly sentiment and industrial production. ``python -m data.macro`` makes the bundled file
anew.
"""

import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS
from data.source import damaged, local_file, record, sha256

BUNDLED = Path(__file__).with_name("macro.csv")
# inside statsmodels
VINTAGE = "tsa/statespace/tests/results/frbny_nowcast/Nowcasting/data/US/2016-07-29.csv"
MONTHLY_SINCE = "1978-01"  # the University of Michigan asked four times a year before
TITLES = {
    "GACDFSA066MSFRBPHI": "Philadelphia Fed outlook survey, general activity",
    "INDPRO": "Industrial production, seasonally adjusted",
    "UMCSENT": "University of Michigan consumer sentiment",
    "IPGMFN": "Manufacturing production, not seasonally adjusted",
}


def load_macro():
    """Two monthly series: index ``date`` (first of the month); columns ``sentiment`` (points) and
    ``ip`` (index).

    Local: ``UMCSENT.csv`` and ``IPGMFN.csv`` as FRED serves them, or ``fred_monthly.csv.gz`` with
    both columns.
    Bundled: ``data/macro.csv``, 1985 to 2016. What the columns hold is in
    ``attrs["source"]["titles"]``.

    A missing value is an empty field or ".". The table runs from the first to the last month in
    which both series have one, and begins in 1978 at the earliest.

    Raises DataError where a file is a web page, empty, lacks its columns, holds text among the
    numbers, dates that are unsorted, repeated or not the first of a month, a production index that
    is not positive, or a month without a value between the first and the last.
    """
    dataset = DATASETS["macro"]
    path = local_file(*dataset.files)
    if path is None:
        return _record(
            _read(BUNDLED, ["GACDFSA066MSFRBPHI", "INDPRO"]), "bundled", dataset.licence, [BUNDLED]
        )
    if path.name != "UMCSENT.csv":
        return _record(_read(path, ["UMCSENT", "IPGMFN"]), "local", "your own copy", [path])
    paths = [path, path.with_name("IPGMFN.csv")]
    if not paths[1].is_file():
        raise damaged(paths[1], "is missing beside UMCSENT.csv", "macro")
    series = [_read(path, [path.stem]) for path in paths]
    return _record(
        pd.concat(series, axis=1, sort=False).sort_index(), "local", "your own copy", paths
    )


def make_csv():
    """Text of the bundled file: two columns of the New York Fed's nowcasting data that statsmodels
    carries.
    """
    columns = ["GACDFSA066MSFRBPHI", "INDPRO"]
    table = pd.read_csv(files("statsmodels").joinpath(VINTAGE), dtype=str, keep_default_na=False)
    dates = pd.to_datetime(table["Date"], format="%m/%d/%y").rename("observation_date")
    return table[columns].set_index(dates).to_csv(lineterminator="\n")


def _record(table, kind, licence, paths):
    """Cut the table to the months that both series cover; check that they cover them all."""
    titles = dict(zip(["sentiment", "ip"], map(TITLES.get, table.columns)))
    series = " and ".join(table.columns)
    macro = table.set_axis(list(titles), axis=1).asfreq("MS").rename_axis("date")[MONTHLY_SINCE:]
    both = macro.dropna().index
    if len(both) < 2:
        raise damaged(
            paths[-1], f"{series} have {len(both)} months in common, at least 2 are needed", "macro"
        )
    macro = macro[both[0] : both[-1]]
    if (gaps := macro.index.difference(both)).size:
        raise damaged(
            paths[-1], f"{series}: no value in {', '.join(gaps.strftime('%Y-%m')[:12])}", "macro"
        )
    record(macro, "macro", kind, f"FRED {series}", licence, paths[0], macro.index)
    macro.attrs["source"] |= {
        "titles": titles,
        "files": {path.name: sha256(path) for path in paths},
    }
    return macro


def _read(path, columns):
    """The ``columns`` of a file of FRED, by month; missing values are NaN."""
    with open(path, "rb") as file:
        if file.read(1000).lstrip().startswith(b"<"):
            raise damaged(path, "is a web page, not a table", "macro")
    try:
        table = pd.read_csv(path, dtype=str, na_values=["."])
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise damaged(path, f"cannot be read as a table ({error})", "macro") from error
    if repeated := [
        name for name in columns if f"{name}.1" in table
    ]:  # pandas' name for a second one
        raise damaged(path, f"has two columns {repeated[0]}", "macro")
    date = next((name for name in ("observation_date", "DATE", "date") if name in table), None)
    if date is None or not set(columns) <= set(table):
        found = ", ".join(map(str, table.columns[:6]))
        raise damaged(
            path, f"needs the columns observation_date, {', '.join(columns)}, has {found}", "macro"
        )
    try:
        index = pd.to_datetime(table[date].to_numpy(), format="%Y-%m-%d")
        numbers = table[columns].set_index(index).astype("float64")
    except (ValueError, TypeError) as error:
        raise damaged(
            path, f"dates and values must be plain ISO dates and numbers ({error})", "macro"
        ) from error
    _check(path, numbers)
    return numbers


def _check(path, numbers):
    index = numbers.index
    if len(index) == 0:
        raise damaged(path, "has no rows", "macro")
    if index.hasnans or not (index.is_monotonic_increasing and index.is_unique):
        raise damaged(path, "dates must be sorted and unique, without empty ones", "macro")
    if (index.day != 1).any():
        raise damaged(
            path,
            f"dates must be the first of a month, one is {index[index.day != 1][0]:%Y-%m-%d}",
            "macro",
        )
    positive = numbers.columns.isin(["INDPRO", "IPGMFN"])
    wrong = np.isinf(numbers) | ((numbers <= 0) & positive)
    if wrong.any(axis=None):
        series, month = wrong.T.stack().idxmax()
        raise damaged(path, f"{series} is {numbers.loc[month, series]} in {month:%Y-%m}", "macro")


if __name__ == "__main__":
    BUNDLED.write_text(make_csv(), encoding="utf-8")
    print(f"{BUNDLED.name}: {len(make_csv().splitlines()) - 1} months")
