"""Monthly sentiment, industrial production and a panel around them.

``python -m data.macro`` makes the bundled files anew.
"""

import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS, record
from data.checks import ContractError, as_days, as_numbers
from data.source import damaged, local_file, sha256
from data.tables import read_csv, some

BUNDLED = Path(__file__).with_name("macro.csv")
BUNDLED_PANEL = Path(__file__).with_name("macro_panel.csv")
DATES = ("observation_date", "date")
OWN_PANEL = "macro_panel.csv"  # in the local folder: the reader's own series
VINTAGES = "tsa/statespace/tests/results/frbny_nowcast/Nowcasting/data/US"  # inside statsmodels
VINTAGE = f"{VINTAGES}/2016-07-29.csv"
MONTHLY_SINCE = "1978-01"  # the University of Michigan asked four times a year before
TITLES = {
    "GACDFSA066MSFRBPHI": "Philadelphia Fed outlook survey, general activity",
    "INDPRO": "Industrial production, seasonally adjusted",
    "UMCSENT": "University of Michigan consumer sentiment",
    "IPGMFN": "Manufacturing production, not seasonally adjusted",
}
# Title, kind of change that a model sees, and release lag: the months of a series that a
# forecaster at the end of a month does not have yet. The kinds: "level" as it is, "difference" its
# monthly change, "growth" 100 times the monthly change of its logarithm. Lags are read off the two
# vintages, each made at the end of a month: the later of both.
SERIES = {
    "GACDFSA066MSFRBPHI": ("general activity, Philadelphia Fed", "level", 0),
    "UMCSENT": ("consumer sentiment", "level", 0),
    "INDPRO": ("industrial production", "growth", 1),
    "IPGMFN": ("manufacturing production", "growth", 1),
    "PAYEMS": ("employees on payrolls", "growth", 1),
    "UNRATE": ("unemployment rate", "difference", 1),
    "TCU": ("capacity utilization", "difference", 1),
    "HOUST": ("housing starts", "growth", 1),
    "PERMIT": ("building permits", "growth", 1),
    "HSN1F": ("new houses sold", "growth", 1),
    "DSPIC96": ("real disposable income", "growth", 2),
    "CPIAUCSL": ("consumer prices", "growth", 1),
    "CPILFESL": ("consumer prices without food and energy", "growth", 1),
    "PCEPI": ("prices of consumption", "growth", 2),
    "PCEPILFE": ("prices of consumption without food and energy", "growth", 2),
    "SPREAD": ("yield of BAA less AAA bonds", "level", 0),
    "MARKET": ("return of US stocks", "level", 0),
}
FROM_ARCH = ("SPREAD", "MARKET")


def load_macro(panel: bool = False) -> pd.DataFrame:
    """Two monthly series: index ``date`` (first of the month); columns ``sentiment`` (points) and
    ``ip`` (index).

    With ``panel``, more series follow these two; ``attrs["source"]`` then also has ``kinds`` (see
    ``SERIES``) and ``lags`` (months) of each column. Bundled: ``data/macro_panel.csv``, 15 series
    1985 to May 2016, when the last of them ends. Local: ``macro_panel.csv``, with a column of
    dates, ``sentiment``, ``ip`` and any others; else the two series, and the columns of
    ``fred_monthly.csv.gz`` that cover their months.

    Local: ``UMCSENT.csv`` and ``IPGMFN.csv`` as FRED serves them, or ``fred_monthly.csv.gz`` with
    both columns. Bundled: ``data/macro.csv``, 1985 to 2016. What the columns hold is in
    ``attrs["source"]["titles"]``.

    A month is written as its first day, as its last, or as 2000-01. A missing value is an empty
    field or ".". The table runs from the first to the last month in which both series have one, and
    begins in 1978 at the earliest.

    Raises DataError where a file is a web page, empty, lacks its columns, holds text among the
    numbers, dates that are unsorted, repeated or within a month, a production index that is not
    positive, or a month without a value between the first and the last.
    """
    if panel:
        return _load_panel()
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


def make_csv() -> str:
    """Text of the bundled file: two columns of the New York Fed's nowcasting data that statsmodels
    carries.
    """
    columns = ["GACDFSA066MSFRBPHI", "INDPRO"]
    table = pd.read_csv(files("statsmodels").joinpath(VINTAGE), dtype=str, keep_default_na=False)
    dates = pd.to_datetime(table["Date"], format="%m/%d/%y").rename("observation_date")
    return table[columns].set_index(dates).to_csv(lineterminator="\n")


def _load_panel():
    dataset = DATASETS["macro_panel"]
    own, path = local_file(OWN_PANEL), local_file(*DATASETS["macro"].files)
    if own is not None:
        table = _read(own)
        if list(table)[:2] != ["sentiment", "ip"]:
            raise damaged(own, "needs sentiment and ip as its first two series", "macro")
        return _record_panel(table, "local", "your own copy", [own])
    if path is None:
        return _record_panel(_read(BUNDLED_PANEL), "bundled", dataset.licence, [BUNDLED_PANEL])
    panel = load_macro()
    source = panel.attrs["source"]
    names = ["UMCSENT", "IPGMFN"]
    if path.name != "UMCSENT.csv":
        header = read_csv(path, nrows=0)
        others = [name for name in SERIES if name in header and name not in names]
        if others:
            # those that cover the months of both
            more = _read(path, others).reindex(panel.index).dropna(axis=1)
            panel, names = panel.join(more), [*names, *more]
    source |= _details(names, panel)
    panel.attrs["source"] = source
    return panel


def _record_panel(table, kind, licence, paths):
    """Cut the table to the months that all series cover; check that none is missing between."""
    names = list(table)
    panel = table.asfreq("MS").rename_axis("date").set_axis(["sentiment", "ip", *names[2:]], axis=1)
    complete = panel.dropna().index
    if len(complete) < 2:
        raise damaged(paths[0], f"its series have {len(complete)} months in common", "macro")
    panel = panel[complete[0] : complete[-1]]
    if (gaps := panel.index.difference(complete)).size:
        raise damaged(paths[0], _gaps(gaps), "macro")
    details = _details(names, panel)
    record(panel, "macro", kind, f"{len(names)} monthly series", licence, paths[0], panel.index)
    panel.attrs["source"] |= details | {"files": {path.name: sha256(path) for path in paths}}
    return panel


def _details(names, panel):
    """Titles, kinds and lags by column; a series not in SERIES grows if it is positive, and comes a
    month late."""
    titles, kinds, lags = {}, {}, {}
    for column, name in zip(panel, names):
        default = (column, "growth" if (panel[column] > 0).all() else "level", 1)
        if column == "sentiment":
            default = (column, "level", 0)
        titles[column], kinds[column], lags[column] = SERIES.get(name, default)
    return {"titles": titles, "kinds": kinds, "lags": lags}


def make_panel_csv() -> str:
    """Text of the bundled panel: the monthly series of the New York Fed's file that are complete
    from 1985, the credit spread and the return of the stock market (Fama and French) that arch
    carries."""
    from arch.data import default, frenchdata  # slow to import, and not needed to load

    table = pd.read_csv(files("statsmodels").joinpath(VINTAGE), dtype=str, keep_default_na=False)
    table.index = pd.to_datetime(table["Date"], format="%m/%d/%y").rename("observation_date")
    yields, returns = default.load(), frenchdata.load()
    spread = yields["BAA"] - yields["AAA"]
    months = pd.Index(returns.index.astype("int64").astype(str))  # arch reads 192607 as nanoseconds
    market = (returns["Mkt-RF"] + returns["RF"]).set_axis(pd.to_datetime(months, format="%Y%m"))
    table["SPREAD"] = spread.reindex(table.index).map("{:.2f}".format)
    table["MARKET"] = market.reindex(table.index).map("{:.2f}".format)
    columns = [name for name in SERIES if name in table]
    return table[columns].to_csv(lineterminator="\n")


def load_vintages(series: str = "INDPRO") -> pd.DataFrame:
    """One series as it was published at the end of June and of July 2016: (months, 2 vintages).

    Both files are inside statsmodels; a month that was not yet published is NaN.
    """
    vintages = {}
    for day in ("2016-06-29", "2016-07-29"):
        table = pd.read_csv(files("statsmodels").joinpath(f"{VINTAGES}/{day}.csv"))
        months = pd.to_datetime(table["Date"], format="%m/%d/%y")
        vintages[day] = table[series].set_axis(months)
    return pd.DataFrame(vintages).rename_axis("date")


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
        raise damaged(paths[-1], f"{series}: {_gaps(gaps)}", "macro")
    record(macro, "macro", kind, f"FRED {series}", licence, paths[0], macro.index)
    macro.attrs["source"] |= {
        "titles": titles,
        "files": {path.name: sha256(path) for path in paths},
    }
    return macro


def _read(path, columns=None):
    """The ``columns`` (by default all) of a file of FRED, by month; missing values are NaN."""
    with open(path, "rb") as file:
        if file.read(1000).lstrip().startswith(b"<"):
            raise damaged(path, "is a web page, not a table", "macro")
    try:
        table = read_csv(path, dtype=str, na_values=["."])
        date = next((name for name in table if name.lower() in DATES), None)
        columns = columns or [name for name in table if name != date]
        if date is None or not set(columns) <= set(table):
            needed = some(["observation_date", *columns])
            raise ContractError(f"needs the columns {needed}, has {some(table)}")
        days = _first_days(table[date])
        numbers = pd.DataFrame({name: as_numbers(table[name], name) for name in columns})
        return _check_months(numbers.set_axis(days))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        kind = error if isinstance(error, ContractError) else f"cannot be read as a table ({error})"
        raise damaged(path, kind, "macro") from error


def _first_days(dates):
    """The first day of each month, of dates written so, or as 2000-01, or all as last days."""
    short = dates.str.fullmatch(r"\s*\d{4}-\d{2}\s*").fillna(False).astype(bool)
    days = as_days(dates.where(~short, dates.str.strip() + "-01"))
    if len(days) and days.is_month_end.all():
        days = days - pd.offsets.MonthBegin()
    return days


def _check_months(numbers):
    """Return the table if it has a row a month, each on its first day, from old to new."""
    index = numbers.index
    if len(index) == 0:
        raise ContractError("has no rows")
    for wrong, problem in (
        (index.duplicated(), "a second row of a month"),
        (np.r_[False, index[1:] < index[:-1]], "older than the row before"),
        (index.day != 1, "not the first of a month"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise ContractError(
                f"row {row + 1}, {index[row]:%Y-%m-%d}, is {problem}; dates must be sorted and "
                "unique, each the first of a month"
            )
    positive = numbers.columns.isin(["INDPRO", "IPGMFN"])
    wrong = np.isinf(numbers) | ((numbers <= 0) & positive)
    if wrong.any(axis=None):
        series, month = wrong.T.stack().idxmax()
        value = numbers.loc[month, series]
        needed = "a positive number" if np.isfinite(value) else "a finite number"
        raise ContractError(f"{series} is {value} in {month:%Y-%m}; needs {needed}")
    return numbers


def _gaps(months):
    """Months without a value, for a sentence."""
    more = f" and {len(months) - 12:,} more" if len(months) > 12 else ""
    return f"no value in {', '.join(months.strftime('%Y-%m')[:12])}{more}; needs one each month"


if __name__ == "__main__":
    for path, text in ((BUNDLED, make_csv()), (BUNDLED_PANEL, make_panel_csv())):
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {len(text.splitlines()) - 1} months")
