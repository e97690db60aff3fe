"""What every table has to keep to: dates, prices, texts, labels, tickers. One place, for all
loaders and downloads.

Plain pandas rather than a library of schemas: a reader needs one sentence that names the row, what
was found and what is needed, and half of the work is to *read* what people have (a date as text, a
label as a word), not to refuse it. Every function returns the values in the one form that the
repository uses, or raises ``ContractError``.
"""

import re
import warnings
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

EARLIEST = pd.Timestamp("1900-01-01")
ISO = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}(?:[T ].*)?")  # the year comes first: no doubt
COMPACT = re.compile(r"(?:19|20)\d{6}")  # 20180102
PRICES = ["open", "high", "low", "close"]
ROUNDING = 1e-3  # relative: vendors round each of the four prices for itself
WORDS = {"positive": 1, "pos": 1, "true": 1, "negative": 0, "neg": 0, "false": 0}
DAYS_APART = 4  # the most that days of trading lie apart as a rule; weeks and months lie further
SHORT = 150  # words; a section that says something is longer
ELSEWHERE = re.compile(
    r"incorporated\s+(?:herein\s+|into\s+\w+\s+)?by\s+(?:this\s+)?reference"
    r"|\bsee\s+(?:the\s+)?(?:pages?|exhibit)\b|\b(?:on|through)\s+pages?\s+[\dA-Z]"
    r"|\bexhibit\s+13\b",
    re.IGNORECASE,
)
BLANK = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"  # what no reader sees
WRITE_ISO = "needs dates written as YYYY-MM-DD"


class ContractError(ValueError):
    """A table breaks the contract; the message names the row, what was found and what is needed."""


def as_days(values: Sequence, what: str = "date", future: bool = False) -> pd.DatetimeIndex:
    """Days, without time of day and time zone, from dates, ISO text or whole numbers such as
    20180102.

    A time of day is cut off; of a date with a time zone the day of its own zone counts. Rows are
    counted from 1.

    Raises ContractError for a missing date, numbers that are seconds since 1970, text with the day
    or the month first, and dates before 1900 or, unless ``future``, after tomorrow.
    """
    series = pd.Series(values).reset_index(drop=True)
    if series.isna().any():
        row = int(series.isna().idxmax()) + 1
        raise ContractError(f"row {row} has no {what}; {WRITE_ISO}")
    if not pd.api.types.is_datetime64_any_dtype(series):
        places, distinct = pd.factorize(series)  # a panel repeats each date for every stock
        first = np.unique(places, return_index=True)[1] + 1
        stamps = []
        for row, value in zip(first, distinct):
            try:
                stamps.append(as_stamp(value))
            except ContractError as error:
                raise ContractError(f"row {row} has the {what} {error}") from error
        series = pd.Series(np.array(stamps, dtype="datetime64[us]")[places])
    stamps = pd.DatetimeIndex(series)
    days = stamps.tz_localize(None).normalize().as_unit("us")
    tomorrow = pd.Timestamp.now("UTC").tz_localize(None).normalize() + pd.Timedelta(days=1)
    outside = (days < EARLIEST) | ((days > tomorrow) & (not future))
    if outside.any():
        row = int(outside.argmax())
        raise ContractError(
            f"row {row + 1} has the {what} {days[row]:%Y-%m-%d}; needs dates from 1900 to tomorrow"
        )
    has_clock = stamps.tz is not None or bool((stamps.normalize() != stamps).any())
    if has_clock and days.nunique() > 20:
        names = set(days.day_name())
        for day, never, shift in (("Sunday", "Friday", "early"), ("Saturday", "Monday", "late")):
            if day in names and never not in names:
                zone = f" {stamps.tz}" if stamps.tz else ""
                raise ContractError(
                    f"the {what}s fall on {day}s and never on {never}s: they are stamped in another"
                    f" time zone{zone}, a day {shift}; needs the day of the exchange"
                )
    return days


def as_stamp(value: object) -> pd.Timestamp:
    """One date, or ISO text, or a whole number such as 20180102, without its time zone.

    Raises ContractError saying what was found, and what is needed.
    """
    if value is None or value is pd.NaT:
        raise ContractError(f"nothing; {WRITE_ISO}")
    if isinstance(value, (date, np.datetime64)):  # pandas.Timestamp and datetime are dates too
        return pd.Timestamp(value).tz_localize(None)
    text = str(value).strip().lstrip("\ufeff")
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        text = str(int(value))
    try:
        if COMPACT.fullmatch(text):
            return pd.Timestamp(pd.to_datetime(text, format="%Y%m%d"))
        if ISO.fullmatch(text):
            with warnings.catch_warnings(action="error", category=FutureWarning):
                return pd.Timestamp(text.replace("/", "-").replace(".", "-", 2)).tz_localize(None)
    except (ValueError, FutureWarning):  # pandas 2 warns of a zone that it drops, pandas 3 raises
        pass  # such as 20181345: named below
    if re.fullmatch(r"\d{9,19}", text):
        found = f"{text}, which looks like time since 1970"
    elif re.fullmatch(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[T ].*)?", text):
        found = f"{text!r}, whose day and month cannot be told apart"
    else:
        found = repr(text)
    raise ContractError(f"{found}; {WRITE_ISO}")


def as_date(value: object) -> pd.Timestamp:
    """A day from what a parameter may be: a date, "2010-01-01", 2010 or "2010" (its first day),
    20100101.

    Raises ValueError for anything whose day would be a guess.
    """
    text = str(value).strip()
    if not isinstance(value, (bool, float)) and len(text) == 4 and text.isdigit():
        text = f"{text}-01-01"
    try:
        return as_stamp(text if isinstance(value, (str, int, np.integer)) else value).normalize()
    except ContractError as error:
        raise ValueError(f"a parameter must be a date or a year, given {error}") from error


def whole_number(name: str, value: object, least: int) -> int:
    """``value`` if it is a whole number of at least ``least``; ValueError where it is not."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, given {value!r}")
    return value


def check_daily(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return sorted ``days`` if most are next to each other, as days of trading are.

    Raises ContractError for rows a week or a month apart; fewer than ten are not judged.
    """
    apart = np.median(np.diff(days).astype("timedelta64[D]").astype(int)) if len(days) >= 10 else 1
    if apart > DAYS_APART:
        raise ContractError(
            f"the rows are {apart:g} days apart; needs one row each day of trading (not a week or "
            "a month)"
        )
    return days


def daily_index(values: Sequence) -> pd.DatetimeIndex:
    """``as_days`` of one series of rows, from old to new, one row a day.

    Raises ContractError as ``as_days``, and for dates that are unsorted or repeated (bars of an
    hour are repeated days) or a week or a month apart.
    """
    days = as_days(values)
    twice = days.duplicated()
    if twice.any():
        row = int(twice.argmax())
        raise ContractError(
            f"row {row + 1} is a second row on {days[row]:%Y-%m-%d}; needs one row a day (not bars "
            "of an hour or a minute): dates must be sorted and unique"
        )
    if not days.is_monotonic_increasing:
        row = int((days[1:] < days[:-1]).argmax()) + 1
        raise ContractError(
            f"row {row + 1}, {days[row]:%Y-%m-%d}, is older than the row before; dates must be "
            "sorted and unique, from old to new"
        )
    return check_daily(days)


def check_ohlc(prices: pd.DataFrame) -> pd.DataFrame:
    """Return prices of one instrument by day, if positive and in order: low <= open, close <= high.

    ``prices`` has dates as index and any of the columns open, high, low, close; others are not
    looked at. Raises ContractError.
    """
    found = prices[[name for name in PRICES if name in prices]]
    bad = ~(np.isfinite(found) & found.gt(0))
    if bad.any(axis=None):
        day = bad.any(axis=1).idxmax()
        name = bad.loc[day].idxmax()
        value = "missing" if pd.isna(found.loc[day, name]) else f"{found.loc[day, name]:g}"
        raise ContractError(f"{name} is {value} on {day:%Y-%m-%d}; needs a positive number")
    if not {"high", "low"} <= set(found):
        return prices
    room = found["high"] * ROUNDING
    highest = found[[name for name in ("low", "open", "close") if name in found]]
    for name in highest:
        if (bad := found[name] > found["high"] + room).any():
            raise ContractError(_out_of_order(found, bad, "high", name))
    for name in found.columns.intersection(["open", "close"]):
        if (bad := found[name] < found["low"] - room).any():
            raise ContractError(_out_of_order(found, bad, name, "low"))
    return prices


def _out_of_order(prices: pd.DataFrame, bad: pd.Series, lower: str, upper: str) -> str:
    day = bad.idxmax()
    low, high = prices.loc[day, [lower, upper]]
    return (
        f"{lower} {low:g} is below {upper} {high:g} on {day:%Y-%m-%d}; needs low <= open and "
        "close <= high"
    )


def flat_days(prices: pd.DataFrame) -> pd.Series:
    """Days on which open, high, low and close are one number: only the close was recorded, the
    range is not known.
    """
    if not set(PRICES) <= set(prices):
        return pd.Series(False, prices.index)
    return prices[PRICES].nunique(axis=1) == 1


def thin_days(panel: pd.DataFrame) -> pd.Series:
    """Days on which fewer than half of the stocks listed then have a price; True for these.

    ``panel`` is days × tickers. A stock counts as listed from its first to its last price. Such
    days come from a stock with another calendar, and every window over one of them is lost.
    """
    there = panel.notna()
    return there.sum(axis=1) < 0.5 * _listed(there).sum(axis=1)


def windows_lost(panel: pd.DataFrame, days: int) -> float:
    """Share of the windows of ``days`` days, of listed stocks, in which a price is missing.

    ``panel`` is days × tickers; a window counts if the stock is listed on all of its days.
    """
    there = panel.notna()
    whole = _listed(there).astype("float64").rolling(days).min() == 1
    gap = (~there).astype("float64").rolling(days).max() == 1
    windows = whole.to_numpy()
    return float((windows & gap.to_numpy()).sum() / max(windows.sum(), 1))


def _listed(there: pd.DataFrame) -> pd.DataFrame:
    """True from the first to the last price of each stock."""
    return there.cummax() & there[::-1].cummax()[::-1]


def uneven_stocks(panel: pd.DataFrame, share: float = 0.03) -> pd.Series:
    """Share of days without a price, from its first to its last, of each stock that lacks more than
    ``share``.

    ``panel`` is days × tickers; days that are thin for all (``thin_days``) do not count. Public
    holidays of another country are about 4 % of the days.
    """
    there = panel.notna()[~thin_days(panel)]
    listed = _listed(there)
    lacking = (listed & ~there).sum() / listed.sum()
    return lacking[lacking > share]


def as_tickers(values: Sequence, what: str = "ticker") -> pd.Series:
    """Tickers as text, also where they were numbers (0700 has to be text from the start to keep its
    zero).
    """
    series = pd.Series(values).reset_index(drop=True)
    places, distinct = pd.factorize(series, use_na_sentinel=False)
    names = []
    for number, value in enumerate(distinct):
        name = _as_name(value)
        if not name:
            row = int((places == number).argmax()) + 1
            found = "no" if name == "" else f"{str(value)[:40]!r} as"
            raise ContractError(f"row {row} has {found} {what}; needs a name in each row")
        names.append(name)
    return pd.Series(np.array(names, dtype=object)[places], dtype="str")


def _as_name(value: object) -> str | None:
    """Text from text or a whole number, "" from nothing, None from anything else."""
    if isinstance(value, str):
        return value.strip().lstrip("\ufeff")
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    whole = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return str(int(value)) if whole and float(value).is_integer() else None


def as_items(values: Sequence) -> pd.Series:
    """Items of a filing as EDGAR's index names them: 1A from "Item 1A.", "item_1a" or 1A."""
    names = as_tickers(values, "item").str.upper()
    return names.str.replace(r"^ITEM[\s_]*(?=\d)", "", regex=True).str.rstrip(".: ")


def as_ciks(values: Sequence) -> pd.Series:
    """Numbers of companies (Int64) from 320193, "0000320193" or "CIK0000320193"; missing ones stay
    missing. Raises ContractError naming the row of anything else.
    """
    series = pd.Series(values).reset_index(drop=True)
    text = series.astype(object).where(series.notna(), None)
    plain = text.map(lambda value: value if value is None else _as_name(value) or str(value))
    plain = plain.astype("str").str.upper().str.removeprefix("CIK").str.strip()
    numbers = pd.to_numeric(plain.where(plain.str.fullmatch(r"\d{1,10}").eq(True)))
    wrong = numbers.isna() & series.notna()
    if wrong.any():
        row = int(wrong.idxmax())
        found = repr(str(series[row])[:40])
        raise ContractError(f"row {row + 1} has {found} as cik; needs a number such as 320193")
    return numbers.astype("Int64")


def share_class(ticker: str) -> str:
    """One spelling of a share class: BRK.B, BRK/B and BRK B become BRK-B. London's BP.L and the
    like stay.
    """
    return re.sub(r"[./ ]([ABC])$", r"-\1", str(ticker).upper())


def check_spelling(tickers: Sequence[str]) -> Sequence[str]:
    """Return different ``tickers`` if no two are one stock: brk.b beside BRK-B. Raises
    ContractError.
    """
    first = {}
    for ticker in tickers:
        if (other := first.setdefault(share_class(ticker), ticker)) != ticker:
            raise ContractError(f"{other} and {ticker} are one stock; needs one spelling")
    return tickers


def impossible_prices(rows: pd.DataFrame, field: str) -> pd.Series:
    """Mark the rows whose ``field`` is infinite, negative or, for anything but a volume, zero;
    missing is possible.
    """
    values = rows[field].astype("float64")
    zero = (values == 0) & (field != "volume")
    return np.isinf(values) | (values < 0) | zero


def keep_possible(rows: pd.DataFrame, fields: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """What a download may store: ``rows`` without impossible prices and repeated days, and a line
    for each left out.

    ``rows`` has the columns symbol and date. Of a day that came twice the last row is kept.
    """
    bad, notes = pd.Series(False, rows.index), []
    for field in rows.columns.intersection(fields):
        wrong = impossible_prices(rows, field) & ~bad
        for row in rows[wrong].itertuples():
            notes.append(f"{row.symbol} {row.date:%Y-%m-%d}: {field} {getattr(row, field):g}")
        bad |= wrong
    twice = ~bad & rows[~bad].duplicated(["symbol", "date"], keep="last").reindex(
        rows.index, fill_value=False
    )
    notes += [f"{row.symbol} {row.date:%Y-%m-%d}: two rows" for row in rows[twice].itertuples()]
    return rows[~(bad | twice)].reset_index(drop=True), notes


def as_numbers(values: Sequence, what: str = "price") -> pd.Series:
    """Numbers (float64) with the index of ``values``; missing ones stay missing.

    Raises ContractError naming the row, counted from 1, of anything else: a comma for thousands or
    decimals would be a guess.
    """
    series = pd.Series(values)
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return series.astype("float64")
    numbers = pd.to_numeric(series.astype(object), errors="coerce")
    numbers = numbers.mask(series.map(lambda value: isinstance(value, (bool, np.bool_))).eq(True))
    wrong = numbers.isna() & series.notna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        found = str(series.iloc[row])[:40]
        raise ContractError(f"row {row + 1} has {found!r} as {what}; needs a number such as 1100.5")
    return numbers.astype("float64")


def check_texts(values: Sequence, what: str = "text") -> pd.Series:
    """Texts, if every one is a string with something in it. Raises ContractError naming the row."""
    series = pd.Series(values).reset_index(drop=True)
    wrong = ~series.map(lambda value: isinstance(value, str) and bool(value.strip(BLANK)))
    if wrong.any():
        row = int(wrong.idxmax())
        found = "nothing" if series.isna()[row] else repr(str(series[row])[:40])
        raise ContractError(f"row {row + 1} has {found} as {what}; needs a text in each row")
    return series.astype("str")


def only_refers(text: str) -> bool:
    """Whether a section of a filing holds no more than the place where its text stands: a page of
    the annual report, an exhibit.
    """
    return len(text.split()) < SHORT and bool(ELSEWHERE.search(text))


def as_labels(values: Sequence) -> pd.Series:
    """Labels 0 and 1 from these numbers or from the words negative and positive (neg, pos).

    Raises ContractError for anything else (-1, 2, stars), whose meaning would be a guess, or for
    one label only.
    """
    series = pd.Series(values).reset_index(drop=True)
    words = series.map(
        lambda value: WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value
    )
    numbers = pd.to_numeric(words, errors="coerce")
    wrong = ~numbers.isin([0, 1])
    if wrong.any():
        row = int(wrong.idxmax())
        found = "nothing" if pd.isna(series[row]) else repr(str(series[row]))
        raise ContractError(
            f"labels must be 0 or 1, or negative or positive, given {found} in row {row + 1}"
        )
    if numbers.nunique() < 2:
        raise ContractError("needs texts of both labels, 0 and 1")
    return numbers.astype(int)
