"""Readers' own data: what is put into ``local/`` or passed to a function is used rightly, or
refused in one sentence.

CASES is the matrix, input x entry point; ``docs/own-data.md`` is rendered from it:
``python -m tests.test_own_data`` writes the page anew.
"""

import ast
import gzip
import shutil
import zipfile
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import data
import scores
import utils
from data.__main__ import content
from data.checks import (
    ContractError,
    as_days,
    flat_days,
    keep_possible,
    only_refers,
    share_class,
    windows_lost,
)
from data.downloads import download, edgar, yahoo
from data.filings import filings_file
from data.own_reviews import read_local_reviews
from data.source import ROOT
from features.dataset import make_dataset
from features.filing_returns import returns_after_filing
from features.filing_volatility import volatility_after_filing
from features.panel import check_prices, ranks_by_date, returns, suspect_ticks
from features.panel_scores import direction_rows
from features.portfolio import weekly_folds
from features.words import Vocabulary, batches_by_length, tokenize
from tools.parameters import options_for

PAGE = ROOT / "docs" / "own-data.md"
DAYS = pd.bdate_range("2020-01-06", periods=30)
CLOSE = 100 + np.arange(30.0)


def index_rows():
    rows = {"date": DAYS, "open": CLOSE, "high": CLOSE + 1, "low": CLOSE - 1, "close": CLOSE}
    return pd.DataFrame(rows | {"volume": 10.0})


def stock_rows():
    rows = {"symbol": ["A", "B"] * 30, "date": np.repeat(DAYS, 2)}
    return pd.DataFrame(rows | {"adj_close": np.repeat(CLOSE, 2) + [0, 100] * 30})


def filing_rows():
    columns = ["ticker", "cik", "form", "date_filed", "item", "text"]
    rows = [
        ("A", 1, "10-K", DAYS[8], "1A", "We may lose."),
        ("B", 2, "10-K", DAYS[9], "7", "Sales."),
    ]
    return pd.DataFrame(rows, columns=columns)


def reviews(positive="positive", negative="negative"):
    texts = [f"dish number {number} was fine" for number in range(60)]
    return pd.DataFrame({"review": texts, "sentiment": [positive, negative] * 30})


def at(row, column, value, frame):
    frame = frame.astype({column: object})
    frame.loc[row, column] = value
    return frame


def stamped(frame, column, clock, zone=None):
    stamps = frame[column] + pd.Timedelta(clock)
    return frame.assign(**{column: stamps.dt.tz_localize(zone) if zone else stamps})


def written(frame, column, pattern):
    return frame.assign(**{column: frame[column].dt.strftime(pattern)})


def seconds(frame, column):
    return frame.assign(**{column: frame[column].astype("datetime64[s]").astype("int64")})


# ------------------------------------------------------------------ entry points: (what is right, how it is seen)


def sp500(frame, name="sp500_daily.csv", **options):
    def put(folder):
        frame.to_csv(folder / name, index=False, **options)
        prices = data.load_sp500()
        assert (prices.index == DAYS[:-1]).all() and (prices["close"] == CLOSE[:-1]).all()

    return put


def panel(frame, name="stock_prices.parquet", tickers=("A", "B"), **options):
    def put(folder):
        path = folder / name
        frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, **options)
        prices = data.load_stock_prices()
        assert list(prices.columns) == list(tickers) and (prices.index == DAYS).all()
        assert (prices[tickers[0]] == CLOSE).all()

    return put


def filings(frame):
    def put(folder):
        frame.to_parquet(folder / "filings_10k.parquet")
        found = data.load_filings()
        assert list(found["date_filed"]) == list(DAYS[8:10]) and list(found["ticker"]) == ["A", "B"]
        stored = pq.read_table(filings_file())["date_filed"].to_pylist()
        assert stored == DAYS[8:10].to_pydatetime().tolist(), "what 08 streams has the same days"

    return put


def raw(name, content, loader):
    """Bytes as they are, which no loader can use."""

    def put(folder):
        (folder / name).write_bytes(content)
        loader()

    return put


def fred(frame):
    def put(folder):
        table = frame[["date", "close"]].set_axis(["DATE", "SP500"], axis=1)
        table.to_csv(folder / "SP500.csv", index=False)
        assert (data.load_sp500()["close"] == CLOSE).all()

    return put


def texts(frame, name="IMDB Dataset.csv", encoding="utf-8"):
    def put(folder):
        frame.to_csv(folder / name, index=False, encoding=encoding)
        found = data.load_imdb()
        assert len(found) == 60 and found["label"].sum() == 30
        assert found.loc[found["text"] == "dish number 0 was fine", "label"].item() == 1
        assert set(found["split"]) == {"train", "validation", "test"}

    return put


def unpacked(name="0_9.txt", without="", urls=b"", folder=""):
    def put(local):
        for half in ("train", "test"):
            for number in range(20):
                for kind, rating in (("pos", 9), ("neg", 2)):
                    path = local / "aclImdb" / half / kind / f"{number}_{rating}.txt"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(f"{half} {kind} {number}", encoding="utf-8")
        praise = local / "aclImdb" / "train" / "pos"
        (praise / "0_9.txt").rename(praise / name)
        (praise.parent / "urls_pos.txt").write_bytes(urls)
        if without:
            shutil.rmtree(local / "aclImdb" / without)
        if folder:
            (praise / folder).mkdir()
        found = data.load_imdb()
        assert len(found) == 80 and (found["split"] == "test").sum() == 40

    return put


def glove(name, text, word="good"):
    def put(folder):
        (folder / name).write_bytes(text.encode())
        assert data.load_glove([word]).loc[word].iloc[0] == 0.5

    return put


def zipped(name):
    def put(folder):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}.txt", vector("good", 300))
        assert data.load_glove(["good"]).shape == (1, 300)

    return put


def vector(word, size):
    return " ".join([word, *["0.5"] * size]) + "\n"


def macro(stamps, encoding="utf-8", first=80.5, fifth=80.5, sep=","):
    def put(folder):
        for series in ("UMCSENT", "IPGMFN"):
            values = [first, *[80.5] * (len(stamps) - 1)][: len(stamps)]
            values[4:5] = [fifth] * len(values[4:5])
            table = pd.DataFrame({"observation_date": stamps, series: values})
            table.to_csv(folder / f"{series}.csv", index=False, encoding=encoding, sep=sep)
        assert data.load_macro().index.equals(pd.DatetimeIndex(MONTHS, name="date"))

    return put


def own_panel(content):
    return raw("macro_panel.csv", content, lambda: data.load_macro(panel=True))


def called(function, expected=None):
    """A function of no arguments whose value is ``expected``."""

    def put(folder):
        found = function()
        if expected is not None:
            np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))

    return put


def after(stamps, filed, ticker="BRK.B", close=CLOSE):
    prices = pd.DataFrame({"BRK-B": close, "C": CLOSE}, pd.DatetimeIndex(stamps))
    found = returns_after_filing(pd.DataFrame({"ticker": [ticker], "date_filed": [filed]}), prices)
    return found["entry"].dt.normalize()


def risk(stamps, filed, ticker="BRK-B"):
    """The first close after a filing, from which the risk is measured."""
    filing = pd.DataFrame({"ticker": [ticker], "date_filed": [filed]})
    prices = pd.DataFrame({"BRK-B": CLOSE + np.arange(30) % 2}, pd.DatetimeIndex(stamps))
    found = volatility_after_filing(filing, prices, 21, (21,))
    assert found["volatility"].notna().all(), "BRK.B is the BRK-B of the prices"
    return found["begin"].item()


def wide(frame=None):
    frame = stock_rows().pivot(index="date", columns="symbol", values="adj_close")
    return frame.rename_axis(columns=None)


def two_levels():
    frame = wide()
    both = {("Adj Close", name): frame[name] for name in frame}
    both |= {("Volume", name): frame[name] for name in frame}
    table = pd.DataFrame(both)
    table.columns = table.columns.set_names(["Price", "Ticker"])
    return table.rename_axis("Date")


def stooq():
    names = {name: f"<{name.upper()}>" for name in index_rows()}
    return index_rows().rename(columns=names)


def kaggle(price):
    return stock_rows().rename(columns={"symbol": "Name", "adj_close": price})


MONTHS = pd.date_range("2000-01-01", periods=24, freq="MS")
SPRINGS = pd.DatetimeIndex(
    [f"{year}-02-{day}" for year in (2019, 2020, 2021) for day in (20, 21, 24, 25)]
)
SEVEN_SPRINGS = pd.DatetimeIndex(
    [f"{year}-02-{day}" for year in range(2015, 2022) for day in range(11, 17)]
)
ONES, LENGTH = np.array([1, 0, 1, 0]), pd.Timedelta(days=1)
LABELLED = pd.Series(ONES)
TOKYO = DAYS.tz_localize("Asia/Tokyo").tz_convert("UTC")
INDEX, P, F = index_rows(), stock_rows(), filing_rows()
RIGHT = None
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WINDOWS = utils.make_windows(wide(), 3)

# (where it enters, what is given, how, the sentence or RIGHT)
CASES = [
    ("load_sp500", "days", sp500(INDEX), RIGHT),
    ("load_sp500", "a close stamped 16:00", sp500(stamped(INDEX, "date", "16h")), RIGHT),
    ("load_sp500", "stamps with a time zone", sp500(stamped(INDEX, "date", "16h", "America/New_York")), RIGHT),
    ("load_sp500", "dates as 20200106", sp500(written(INDEX, "date", "%Y%m%d")), RIGHT),
    ("load_sp500", "dates as 2020/01/06", sp500(written(INDEX, "date", "%Y/%m/%d")), RIGHT),
    ("load_sp500", "dates as 06/01/2020", sp500(written(INDEX, "date", "%d/%m/%Y")), "row 1 has the date '06/01/2020', whose day and month cannot be told apart; needs dates written as YYYY-MM-DD"),
    ("load_sp500", "seconds since 1970", sp500(seconds(INDEX, "date")), "row 1 has the date 1578268800, which looks like time since 1970"),
    ("load_sp500", "bars of an hour", sp500(pd.concat([INDEX, stamped(INDEX, "date", "1h")]).sort_values("date")), "row 2 is a second row on 2020-01-06; needs one row a day"),
    ("load_sp500", "newest first", sp500(INDEX[::-1]), "dates must be sorted and unique, from old to new"),
    ("load_sp500", "a date of 1820", sp500(at(0, "date", "1820-01-06", written(INDEX, "date", "%Y-%m-%d"))), "row 1 has the date 1820-01-06; needs dates from 1900 to tomorrow"),
    ("load_sp500", "a date of 2099", sp500(at(29, "date", "2099-01-06", written(INDEX, "date", "%Y-%m-%d"))), "row 30 has the date 2099-01-06; needs dates from 1900 to tomorrow"),
    ("load_sp500", "a date that is none", sp500(at(2, "date", "20201345", written(INDEX, "date", "%Y%m%d"))), "row 3 has the date '20201345'"),
    ("load_sp500", "an empty date", sp500(at(2, "date", None, INDEX)), "row 3 has no date"),
    ("load_sp500", "a high below the low", sp500(at(3, "high", 50.0, INDEX)), "high 50 is below low 102 on 2020-01-09"),
    ("load_sp500", "an open above the high", sp500(at(3, "open", 200.0, INDEX)), "high 104 is below open 200 on 2020-01-09"),
    ("load_sp500", "an open below the low", sp500(at(3, "open", 50.0, INDEX)), "open 50 is below low 102 on 2020-01-09"),
    ("load_sp500", "a price of zero", sp500(at(3, "close", 0.0, INDEX)), "close is 0 on 2020-01-09; needs a positive number"),
    ("load_sp500", "a byte order mark", sp500(INDEX, encoding="utf-8-sig"), RIGHT),
    ("load_sp500", "^GSPC.csv of Yahoo (Date, Open, Adj Close)", sp500(INDEX.assign(adj=CLOSE).rename(columns={"adj": "Adj Close"} | {c: c.title() for c in INDEX}), "^GSPC.csv"), RIGHT),
    ("load_sp500", "^spx_d.csv of Stooq", sp500(INDEX.rename(columns=str.title), "^spx_d.csv"), RIGHT),
    ("load_sp500", "columns as <CLOSE>", sp500(stooq()), RIGHT),
    ("load_stock_prices", "days", panel(P), RIGHT),
    ("load_stock_prices", "closes stamped 05:00", panel(stamped(P, "date", "5h")), RIGHT),
    ("load_stock_prices", "stamps in UTC", panel(stamped(P, "date", "5h", "UTC")), RIGHT),
    ("load_stock_prices", "midnight of Tokyo, in UTC", panel(P.assign(date=np.repeat(TOKYO, 2))), "the dates fall on Sundays and never on Fridays"),
    ("load_stock_prices", "date32", panel(P.assign(date=P["date"].dt.date)), RIGHT),
    ("load_stock_prices", "dates as the number 20200106", panel(written(P, "date", "%Y%m%d").astype({"date": int})), RIGHT),
    ("load_stock_prices", "seconds since 1970", panel(seconds(P, "date")), "which looks like time since 1970; needs dates written as YYYY-MM-DD"),
    ("load_stock_prices", "bars of an hour", panel(pd.concat([P, stamped(P, "date", "1h")])), "A has two rows on 2020-01-06; needs one row a day"),
    ("load_stock_prices", "tickers that are numbers", panel(P.assign(symbol=[700, 941] * 30), tickers=("700", "941")), RIGHT),
    ("load_stock_prices", "a negative price", panel(at(4, "adj_close", -1.0, P).astype({"adj_close": float})), "A has adj_close -1.0 on 2020-01-08"),
    ("load_stock_prices", "an empty ticker", panel(at(4, "symbol", " ", P)), "row 5 has no symbol; needs a name in each row"),
    ("load_stock_prices", "a single ticker", panel(P[P["symbol"] == "A"], tickers=("A",)), RIGHT),
    ("load_stock_prices", "date as index", panel(P.set_index("date")), RIGHT),
    ("load_stock_prices", "a long CSV", panel(P, "stock_prices.csv", index=False), RIGHT),
    ("load_stock_prices", "a long CSV with byte order mark, compressed", panel(P, "stock_prices.csv.gz", index=False, encoding="utf-8-sig"), RIGHT),
    ("load_stock_prices", "a CSV with 0700 as ticker", panel(P.assign(symbol=["0700", "0941"] * 30), "stock_prices.csv", ("0700", "0941"), index=False), RIGHT),
    ("load_stock_prices", "a wide CSV, a column a ticker", panel(wide(), "stock_prices.csv"), RIGHT),
    ("load_stock_prices", "a wide Parquet file", panel(wide()), RIGHT),
    ("load_stock_prices", "two header lines of yfinance, CSV", panel(two_levels(), "stock_prices.csv"), RIGHT),
    ("load_stock_prices", "columns of two levels, Parquet", panel(two_levels()), RIGHT),
    ("load_stock_prices", "columns of two levels without Adj Close", panel(two_levels()[["Volume"]]), "has column names of 2 levels without adj_close, but Volume"),
    ("load_stock_prices", "Kaggle's Name and Adj Close", panel(kaggle("Adj Close"), "stock_prices.csv", index=False), RIGHT),
    ("load_stock_prices", "Kaggle's Name and close, adjusted or not", panel(kaggle("close"), "stock_prices.csv", index=False), "has no column adj_close, only close: if that is adjusted for splits and dividends, call it adj_close"),
    ("load_stock_prices", "one stock without its ticker", panel(INDEX, "stock_prices.csv", index=False), "has no column symbol: which stock is it"),
    ("load_stock_prices", "symbol and date as index", panel(P.set_index(["symbol", "date"])), RIGHT),
    ("load_stock_prices", "symbol as category", panel(P.astype({"symbol": "category"})), RIGHT),
    ("load_stock_prices", "a wide CSV whose dates have no name", panel(wide().rename_axis(None), "stock_prices.csv"), RIGHT),
    ("load_stock_prices", "Adj. Close", panel(kaggle("Adj. Close"), "stock_prices.csv", index=False), RIGHT),
    ("load_stock_prices", "an infinite price", panel(at(4, "adj_close", np.inf, P).astype({"adj_close": float})), "A has adj_close inf on 2020-01-08"),
    ("load_stock_prices", "nanoseconds since 1970", panel(P.assign(date=P["date"].astype("datetime64[ns]").astype("int64"))), "row 1 has the date 1578268800000000000, which looks like time since 1970"),
    ("load_stock_prices", "dates as 06.01.2020", panel(written(P, "date", "%d.%m.%Y")), "row 1 has the date '06.01.2020', whose day and month cannot be told apart"),
    ("load_stock_prices", "thousands as 1,000.00", panel(P.assign(adj_close=P["adj_close"].map("1,{:06.2f}".format)), "stock_prices.csv", index=False), "row 1 has '1,100.00' as adj_close; needs a number such as 1100.5"),
    ("load_stock_prices", "semicolons and commas", raw("stock_prices.csv", b"symbol;date;adj_close\nA;2020-01-06;1,5\n", data.load_stock_prices), "has fields separated by semicolons; needs commas"),
    ("load_stock_prices", "half a compressed file", raw("stock_prices.csv.gz", gzip.compress(b"symbol,date,adj_close\nA,2020-01-06,1\n" * 50)[:-8], data.load_stock_prices), "Compressed file ended before"),
    ("load_stock_prices", "no Parquet file", raw("stock_prices.parquet", b"garbage" * 9, data.load_stock_prices), "Could not open Parquet input source"),
    ("load_stock_prices", "an empty file", raw("stock_prices.csv", b"", data.load_stock_prices), "No columns to parse from file"),
    ("load_sp500", "FRED's older header DATE", fred(INDEX), RIGHT),
    ("load_sp500", "dates as Jan 06, 2020", sp500(written(INDEX, "date", "%b %d, %Y")), "row 1 has the date 'Jan 06, 2020'; needs dates written as YYYY-MM-DD"),
    ("load_sp500", "stamps as 2020-01-06T00:00:00Z", sp500(written(INDEX, "date", "%Y-%m-%dT%H:%M:%SZ")), RIGHT),
    ("load_sp500", "UTF-16", sp500(INDEX, encoding="utf-16"), "'utf-8' codec can't decode byte 0xff"),
    ("load_sp500", "a web page", raw("SP500.csv", b"<!DOCTYPE html>", data.load_sp500), "needs the columns observation_date, SP500"),
    ("load_filings", "days", filings(F), RIGHT),
    ("load_filings", "texts as category", filings(F.astype({"text": "category"})), RIGHT),
    ("load_filings", "no text in any row", filings(F.assign(text=None)), RIGHT),
    ("load_filings", "bytes as text", filings(F.assign(text=[b"a", b"b"])), "row 1 has b'a' as text; needs a text in each row"),
    ("load_filings", "other columns", filings(F.rename(columns={"ticker": "symbol"})), "needs the columns ticker, cik, form, date_filed, item, text"),
    ("load_filings", "dates as text", filings(written(F, "date_filed", "%Y-%m-%d")), RIGHT),
    ("load_filings", "dates as the number 20200116", filings(written(F, "date_filed", "%Y%m%d").astype({"date_filed": int})), RIGHT),
    ("load_filings", "date32", filings(F.assign(date_filed=F["date_filed"].dt.date)), RIGHT),
    ("load_filings", "stamps in UTC", filings(stamped(F, "date_filed", "21h", "UTC")), RIGHT),
    ("load_filings", "date as index", filings(F.set_index("date_filed")), RIGHT),
    ("load_filings", "dates as 16/01/2020", filings(written(F, "date_filed", "%d/%m/%Y")), "row 1 has the date_filed '16/01/2020', whose day and month cannot be told apart"),
    ("load_filings", "no rows", filings(F[:0]), "has no rows, at least 1 is needed"),
    ("load_filings", "a number as text", filings(F.assign(text=[1.5, 2.5])), "row 1 has 1.5 as text; needs a text in each row"),
    ("load_filings", "no ticker", filings(at(1, "ticker", None, F)), "row 2 has no ticker"),
    ("load_imdb", "IMDB Dataset.csv (review, sentiment)", texts(reviews()), RIGHT),
    ("load_imdb", "own reviews.csv (text, label)", texts(reviews(1, 0).set_axis(["text", "label"], axis=1), "reviews.csv"), RIGHT),
    ("load_imdb", "a byte order mark", texts(reviews(1, 0).set_axis(["text", "label"], axis=1), "reviews.csv", "utf-8-sig"), RIGHT),
    ("load_imdb", "labels true and false", texts(reviews(True, False)), RIGHT),
    ("load_imdb", "NEGATIVE with a space", texts(reviews(" Positive", "NEGATIVE ")), RIGHT),
    ("load_imdb", "a CSV in Latin-1", raw("reviews.csv", "text,label\ncaf\xe9,1\n".encode("latin-1"), data.load_imdb), "is not UTF-8"),
    ("load_imdb", "labels 1 and -1", texts(reviews(1, -1)), "labels must be 0 or 1, or negative or positive, given '-1' in row 2"),
    ("load_imdb", "stars", texts(reviews(5, 1)), "labels must be 0 or 1, or negative or positive, given '5' in row 1"),
    ("load_imdb", "one label", texts(reviews(1, 1)), "needs texts of both labels, 0 and 1"),
    ("load_imdb", "an empty text", texts(at(6, "review", None, reviews())), "row 7 has nothing as text"),
    ("load_imdb", "six texts", texts(reviews()[:6]), "has 3 different texts of one label, at least 13 are needed"),
    ("load_imdb", "other columns", texts(reviews().set_axis(["a", "b"], axis=1)), "needs the columns text, label (or review, sentiment), each once, has a, b"),
    ("load_imdb", "unpacked aclImdb/", unpacked(), RIGHT),
    ("load_imdb", "a review filed under the wrong half", unpacked("0_2.txt"), "is filed as pos; needs a name such as 0_9.txt"),
    ("load_glove", "a byte order mark", glove("glove.6B.50d.txt", "\ufeff" + vector("good", 50)), RIGHT),
    ("load_glove", "glove.840B.300d.txt, words with spaces", glove("glove.840B.300d.txt", vector(". . .", 300) + vector("good", 300)), RIGHT),
    ("load_glove", "its word with spaces", glove("glove.840B.300d.txt", vector(". . .", 300), ". . ."), RIGHT),
    ("load_glove", "lines of Windows", glove("glove.6B.50d.txt", vector("good", 50).replace("\n", "\r\n")), RIGHT),
    ("load_macro", "months", macro(MONTHS), RIGHT),
    ("load_macro", "a byte order mark", macro(MONTHS, "utf-8-sig"), RIGHT),
    ("load_macro", "ends of months", macro(MONTHS + pd.offsets.MonthEnd(0)), RIGHT),
    ("load_macro", "days within months", macro(MONTHS + pd.Timedelta(days=14)), "row 1, 2000-01-15, is not the first of a month"),
    ("load_macro", "an end of a month among firsts", macro([MONTHS[0] - pd.Timedelta(days=1), *MONTHS[1:]]), "row 1, 1999-12-31, is not the first of a month"),
    ("load_macro", "dates as 01/02/2000", macro(MONTHS.strftime("%d/%m/%Y")), "row 1 has the date '01/01/2000', whose day and month cannot be told apart"),
    ("load_macro", "dates as 20000101", macro(MONTHS.strftime("%Y%m%d")), RIGHT),
    ("load_macro", "dates as 2000/01/01", macro(MONTHS.strftime("%Y/%m/%d")), RIGHT),
    ("load_macro", "dates with midnight", macro(MONTHS.strftime("%Y-%m-%d 00:00:00")), RIGHT),
    ("load_macro", "months as 2000-01", macro(MONTHS.strftime("%Y-%m")), RIGHT),
    ("load_macro", "months as 2000-13", macro([*MONTHS[:-1].strftime("%Y-%m"), "2001-13"]), "row 24 has the date '2001-13"),
    ("load_macro", "seconds since 1970", macro(MONTHS.astype("datetime64[s]").astype("int64")), "row 1 has the date 946684800, which looks like time since 1970"),
    ("load_macro", "an empty date", macro([None, *MONTHS[1:].strftime("%Y-%m-%d")]), "row 1 has no date"),
    ("load_macro", "newest first", macro(MONTHS[::-1]), "dates must be sorted and unique"),
    ("returns_after_filing", "prices stamped 16:00, a filing at midnight", called(lambda: after(DAYS + pd.Timedelta("16h"), DAYS[8]), DAYS[9:10]), RIGHT),
    ("returns_after_filing", "prices in New York's time, a filing at 17:30", called(lambda: after(DAYS.tz_localize("America/New_York"), DAYS[8] + pd.Timedelta("17.5h")), DAYS[9:10]), RIGHT),
    ("returns_after_filing", "BRK.B filed, BRK-B traded", called(lambda: after(DAYS, DAYS[8]), DAYS[9:10]), RIGHT),
    ("returns_after_filing", "bars of an hour", called(lambda: after(pd.date_range(DAYS[0], periods=30, freq="h"), DAYS[0])), "row 2 is a second row on 2020-01-06; needs one row a day"),
    ("check_prices", "columns of two levels", called(lambda: check_prices(two_levels())), "the columns must be tickers, given 2 levels"),
    ("check_prices", "bars of an hour", called(lambda: check_prices(wide().set_axis(pd.date_range(DAYS[0], periods=30, freq="h")))), "prices must be daily, given two rows on 2020-01-06"),
    ("check_prices", "a time zone", called(lambda: check_prices(wide().tz_localize("UTC"))), "the dates must have no time zone, given UTC"),
    ("ranks_by_date", "rows sorted by ticker", called(lambda: np.sign(ranks_by_date(np.array([[1.0], [2], [3], [0]]), np.array([1, 2, 1, 2]))[:, 0]), [-1, 1, 1, -1]), RIGHT),
    ("batches_by_length", "unsorted lengths", called(lambda: sorted(np.concatenate([rows for rows, _ in batches_by_length([[1], [1] * 5, [1] * 3], (6, 2, 4), 2)])), [0, 1, 2]), RIGHT),
    ("accuracy", "labels 1 and -1", called(lambda: scores.accuracy(np.array([1, -1]), np.array([0.9, 0.1]))), "labels must be 0 or 1, given [1, -1]"),
    ("accuracy", "labels 1 and 2", called(lambda: scores.score("t", "m", "accuracy", ONES + 1, ONES)), "labels must be 0 or 1, given [2, 1]"),
    ("auc", "labels 1 and -1", called(lambda: scores.score("t", "m", "auc", 2 * ONES - 1, ONES)), "labels must be 0 or 1, given [1, -1]"),
    ("auc", "labels true and false", called(lambda: scores.auc(ONES == 1, ONES), 1.0), RIGHT),
    ("auc", "four positives in 200", called(lambda: np.isfinite(list(scores.score("t", "m", "auc", np.arange(200) % 50 == 0, np.arange(200.0), block=1).values())[3:]).all(), True), RIGHT),
    ("auc", "one positive in 50", called(lambda: scores.score("t", "m", "auc", np.arange(50) == 7, np.arange(50.0), block=1)), "it needs more samples (of each class, for an AUC)"),
    ("tokenize", "<br>, <br/>, <BR />", called(lambda: tokenize("a<br>b<br/>c<BR />d"), list("abcd")), RIGHT),
    ("tokenize", "tags and comments of HTML", called(lambda: tokenize('<p class="x">a<i>b</i></p><!-- c -->d<hr/><A HREF=x>e</a>&lt;b&gt;f'), list("abdef")), RIGHT),
    ("tokenize", "angle brackets that are no tags", called(lambda: tokenize("<3 <I loved it> a < b > c <sigh>"), "3 i loved it a b c sigh".split()), RIGHT),
    ("tokenize", "decomposed accents", called(lambda: tokenize("cafe\u0301"), ["café"]), RIGHT),
    ("tokenize", "Devanagari", called(lambda: tokenize("हिन्दी भाषा"), ["हिन्दी", "भाषा"]), RIGHT),
    ("as_date", "the whole number 2010", called(lambda: utils.as_date(2010) == pd.Timestamp("2010-01-01"), True), RIGHT),
    ("as_date", "01/02/2010", called(lambda: utils.as_date("01/02/2010")), "whose day and month cannot be told apart"),
    ("as_list", "the text [0, 1, 2]", called(lambda: utils.as_list("[0, 1, 2]"), [0, 1, 2]), RIGHT),
    ("split_dates", "dates inside the data", called(lambda: utils.split_dates(pd.bdate_range("2000-01-03", "2020-01-03"), 2012, 2016), [pd.Timestamp("2012-01-01"), pd.Timestamp("2016-01-01")]), RIGHT),
    ("split_dates", "dates after the data end", called(lambda: utils.split_dates(DAYS, "2030-01-01", "2031-01-01"), [DAYS[21], DAYS[25]]), RIGHT),
    ("split_dates", "reports of three springs, a quarter of a year until an outcome is known", called(lambda: utils.split_dates(SPRINGS, 2012, 2016, pause=100), SPRINGS[[4, 8]]), RIGHT),
    ("split_dates", "a report every 91 days, 100 until an outcome is known", called(lambda: utils.split_dates(pd.date_range("2019-02-11", periods=10, freq="91D"), 2012, 2016, pause=100), pd.to_datetime(["2020-08-10", "2021-02-08"])), RIGHT),
    ("split_dates", "reports of one spring", called(lambda: utils.split_dates(DAYS, 2012, 2016, pause=100)), "needs three parts with 100 days between them, given dates from 2020-01-06 to 2020-02-14"),
    ("split_dates", "dates in the wrong order", called(lambda: utils.split_dates(DAYS, 2012, 2010)), "validation_start must be before test_start, given 2012 and 2010"),
    ("split_dates", "three dates", called(lambda: utils.split_dates(DAYS[:3], 2012, 2016)), "a split needs at least 6 different dates, given 3"),
    ("load_sp500", "no volume", sp500(INDEX.drop(columns="volume")), RIGHT),
    ("load_sp500", "an empty volume", sp500(INDEX.assign(volume=np.nan)), RIGHT),
    ("load_sp500", "date and close alone", sp500(INDEX[["date", "close"]]), RIGHT),
    ("load_sp500", "a high without a low", sp500(INDEX.drop(columns="low")), "needs the columns date, close (and high with low, open, volume), has date, open, high, close"),
    ("load_sp500", "semicolons", sp500(INDEX, sep=";"), "has fields separated by semicolons; needs commas"),
    ("load_sp500", "tabs", sp500(INDEX, sep="\t"), "has fields separated by tabs; needs commas"),
    ("load_sp500", "thousands as 3,100.00", sp500(INDEX.assign(close=INDEX["close"].map("3,{:06.2f}".format))), "row 1 has '3,100.00' as close; needs a number such as 1100.5"),
    ("load_sp500", "a row of a holiday without prices", sp500(at(5, "close", None, INDEX)), "close is missing on 2020-01-13; needs a positive number"),
    ("load_sp500", "an infinite high", sp500(at(5, "high", "inf", INDEX)), "high is inf on 2020-01-13"),
    ("load_sp500", "one row a week", sp500(INDEX.assign(date=pd.date_range("2019-01-04", periods=30, freq="W-FRI"))), "the rows are 7 days apart; needs one row each day of trading"),
    ("load_sp500", "one row a month", sp500(INDEX.assign(date=pd.date_range("2010-01-31", periods=30, freq="ME"))), "days apart; needs one row each day of trading"),
    ("load_sp500", "days since 1900, of a spreadsheet", sp500(INDEX.assign(date=(DAYS - pd.Timestamp("1899-12-30")).days)), "row 1 has the date '43836'"),
    ("load_sp500", "milliseconds since 1970", sp500(INDEX.assign(date=DAYS.astype("datetime64[ms]").astype("int64"))), "which looks like time since 1970"),
    ("load_sp500", "06.01.2020 16:00", sp500(written(INDEX, "date", "%d.%m.%Y 16:00")), "row 1 has the date '06.01.2020 16:00', whose day and month cannot be told apart"),
    ("load_sp500", "two columns of one name", sp500(INDEX.assign(Close=CLOSE)), "has two columns close"),
    ("load_stock_prices", "the ticker NA", panel(P.assign(symbol=["NA", "NULL"] * 30), "stock_prices.csv", ("NA", "NULL"), index=False), RIGHT),
    ("load_stock_prices", "adjusted_close, adjClose", panel(kaggle("adjusted_close"), "stock_prices.csv", index=False), RIGHT),
    ("load_stock_prices", "yfinance, the ticker above the field", panel(two_levels().swaplevel(axis=1), "stock_prices.csv"), RIGHT),
    ("load_stock_prices", "yfinance of today, whose Close is adjusted", panel(two_levels().rename(columns={"Adj Close": "Close"}), "stock_prices.csv"), "only close: if that is adjusted for splits and dividends, call it adj_close"),
    ("load_stock_prices", "a wide CSV, newest first, an empty last column", panel(wide()[::-1].assign(**{"": None}), "stock_prices.csv", ("A", "B")), RIGHT),
    ("load_stock_prices", "a text in a wide CSV", panel(at(DAYS[1], "A", "x", wide()), "stock_prices.csv"), "row 2 has 'x' as adj_close of A; needs a number such as 1100.5"),
    ("load_stock_prices", "a row a ticker, a column a day", panel(wide().T, "stock_prices.csv"), "row 1 has the date 'A'"),
    ("load_stock_prices", "a wide CSV with semicolons and commas", panel(wide(), "stock_prices.csv", sep=";", decimal=","), "has fields separated by semicolons; needs commas"),
    ("load_stock_prices", "midnight of Tokyo, in UTC, without zone", panel(P.assign(date=np.repeat(TOKYO.tz_localize(None), 2))), "the dates fall on Sundays and never on Fridays"),
    ("load_stock_prices", "one row a month", panel(P.assign(date=np.repeat(pd.date_range("2010-01-31", periods=30, freq="ME"), 2))), "days apart; needs one row each day of trading"),
    ("load_stock_prices", "no price at all", panel(P.assign(adj_close=np.nan)), "has no adj_close in any of 60 rows"),
    ("load_stock_prices", "a missing date", panel(at(4, "date", None, P)), "row 5 has no date"),
    ("load_imdb", "Review , SENTIMENT", texts(reviews().set_axis(["Review ", " SENTIMENT"], axis=1)), RIGHT),
    ("load_imdb", "the text null", texts(at(1, "review", "null", reviews())), RIGHT),
    ("load_imdb", "texts that are numbers", texts(at(1, "review", 12, reviews())), RIGHT),
    ("load_imdb", "a missing label", texts(at(4, "sentiment", None, reviews())), "given nothing in row 5"),
    ("load_imdb", "yes and no", texts(reviews("yes", "no")), "labels must be 0 or 1, or negative or positive, given 'yes' in row 1"),
    ("load_imdb", "both pairs of columns", texts(pd.concat([reviews(), reviews().set_axis(["text", "label"], axis=1)], axis=1)), "each once, has text, label, text, label"),
    ("load_imdb", "tabs", raw("reviews.csv", b"text\tlabel\nfine\t1\n", data.load_imdb), "has fields separated by tabs; needs commas"),
    ("load_imdb", "all about one film", texts(reviews().assign(film="x")), "its 1 films leave the validation part without reviews of both labels; needs more films"),
    ("load_imdb", "UTF-16", texts(reviews(), encoding="utf-16"), "is not UTF-8"),
    ("load_imdb", "a review with the rating 5", unpacked("0_5.txt"), "is filed as pos; needs a name such as 0_9.txt"),
    ("load_imdb", "a stray file among the reviews", unpacked("README.txt"), "is filed as pos; needs a name such as 0_9.txt"),
    ("load_glove", "glove.840B.300d.zip", zipped("glove.840B.300d"), RIGHT),
    ("load_glove", "glove.42B.300d.zip", zipped("glove.42B.300d"), RIGHT),
    ("load_glove", "one text for a list of words", called(lambda: data.load_glove("good")), "needs a list of words, given one text, 'good'"),
    ("returns_after_filing", "BRK B and brk/b filed, BRK-B traded", called(lambda: [after(DAYS, DAYS[8], name).iloc[0] for name in ("BRK B", "brk/b")], [DAYS[9]] * 2), RIGHT),
    ("returns_after_filing", "prices by week", called(lambda: after(pd.date_range("2019-01-04", periods=30, freq="W-FRI"), DAYS[0])), "the rows are 7 days apart; needs one row each day of trading"),
    ("check_prices", "prices by week", called(lambda: check_prices(wide().set_axis(pd.date_range("2019-01-04", periods=30, freq="W-FRI")))), "the rows are 7 days apart"),
    ("make_windows", "columns of two levels", called(lambda: utils.make_panel_windows(two_levels(), 3)), "columns must have one level, given 2"),
    ("split_by_date", "20/01/2020", called(lambda: utils.split_by_date(utils.make_windows(wide(), 3), "20/01/2020", "2020-02-01")), "whose day and month cannot be told apart"),
    ("ranks_by_date", "a missing value", called(lambda: ranks_by_date(np.array([[1.0], [np.nan]]), np.array([1, 1]))), "needs values without missing ones, sample 1 has one"),
    ("rmse", "a column beside a row", called(lambda: scores.rmse(np.ones((3, 1)), np.ones(3))), "needs arrays of one shape, (samples,), given (3, 1) and (3,)"),
    ("sharpe_ratio", "fourteen days", called(lambda: np.round(scores.sharpe_ratio(np.tile([0.01, 0.03], 7), 252) - np.sqrt(14) * 2, 9), 0), RIGHT),
    ("Vocabulary", "texts for lists of words", called(lambda: Vocabulary.fit(["a fine film"])), "needs a list of words for each text, given the text 'a fine film'"),
    ("tokenize", "marks without width inside a word", called(lambda: tokenize("fi\u200bne \ufefffilm"), ["fine", "film"]), RIGHT),
    ("as_date", "Jan 2010", called(lambda: utils.as_date("Jan 2010")), "a parameter must be a date or a year, given 'Jan 2010'"),
    ("as_date", "nothing", called(lambda: utils.as_date(None)), "a parameter must be a date or a year, given nothing"),
    ("as_list", "0 1 2", called(lambda: utils.as_list("0 1 2")), "a list must be written as [0, 1, 2], given '0 1 2'"),
    ("as_list", "a list in a list", called(lambda: utils.as_list("[[1, 2], [3]]")), "a list must be written as [0, 1, 2]"),
    ("as_list", "a range", called(lambda: utils.as_list(range(3)), [0, 1, 2]), RIGHT),
    ("download", "one ticker for a list", called(lambda: download("prices", tickers="AAPL")), "tickers must be a list, given 'AAPL'"),
    # the second hundred: other examples of the same kinds
    ("load_sp500", "2020-01-06 4:00 PM", sp500(written(INDEX, "date", "%Y-%m-%d 4:00 PM")), RIGHT),
    ("load_sp500", "summer time and winter time", sp500(INDEX.assign(date=[f"{day:%Y-%m-%d} 00:00-0{4 + number % 2}:00" for number, day in enumerate(DAYS)])), RIGHT),
    ("load_sp500", "evenings of New York, in UTC", sp500(stamped(INDEX, "date", "25h", "UTC")), "the dates fall on Saturdays and never on Mondays: they are stamped in another time zone, a day late"),
    ("load_sp500", "2020-01-06 16:00 EST", sp500(written(INDEX, "date", "%Y-%m-%d 16:00 EST")), "row 1 has the date '2020-01-06 16:00 EST'"),
    ("load_sp500", "01/06/20", sp500(written(INDEX, "date", "%m/%d/%y")), "row 1 has the date '01/06/20', whose day and month cannot be told apart"),
    ("load_sp500", "20-01-06", sp500(written(INDEX, "date", "%y-%m-%d")), "row 1 has the date '20-01-06', whose day and month cannot be told apart"),
    ("load_sp500", "2020-W02-1", sp500(written(INDEX, "date", "%G-W%V-%u")), "row 1 has the date '2020-W02-1'"),
    ("load_sp500", "2020-006, the day of the year", sp500(written(INDEX, "date", "%Y-%j")), "row 1 has the date '2020-006'"),
    ("load_sp500", "2020年01月06日", sp500(written(INDEX, "date", "%Y年%m月%d日")), "row 1 has the date '2020年01月06日'"),
    ("load_sp500", "two forms of dates in one column", sp500(INDEX.assign(date=[f"{day:%d/%m/%Y}" if number > 9 else f"{day:%Y-%m-%d}" for number, day in enumerate(DAYS)])), "row 11 has the date '20/01/2020', whose day and month cannot be told apart"),
    ("load_sp500", "a sum in the last line", sp500(pd.concat([written(INDEX, "date", "%Y-%m-%d"), pd.DataFrame({"date": ["Total"], "close": [3.0]})])), "row 31 has the date 'Total'"),
    ("load_sp500", "$100.00", sp500(INDEX.assign(close=INDEX["close"].map("${:.2f}".format))), "row 1 has '$100.00' as close; needs a number such as 1100.5"),
    ("load_sp500", "100,00 in quotes", sp500(INDEX.assign(close="100,00")), "row 1 has '100,00' as close"),
    ("load_sp500", "a volume of 1.2M", sp500(INDEX.assign(volume="1.2M")), "row 1 has '1.2M' as volume"),
    ("load_sp500", "a negative volume", sp500(at(4, "volume", -5, INDEX)), "volume is -5 on 2020-01-10; needs 0 or more"),
    ("load_sp500", "bars between the fields", sp500(INDEX, sep="|"), "has fields separated by bars; needs commas"),
    ("load_sp500", "more fields than names", raw("sp500_daily.csv", b"date,close\n2020-01-06,1,5\n2020-01-07,1,6\n", data.load_sp500), "has 2 names in its header, and more fields in row 1"),
    ("load_sp500", "a row that is cut", raw("sp500_daily.csv", b"date,high,low,close\n2020-01-06,1,1,1\n2020-01-07,1\n", data.load_sp500), "low is missing on 2020-01-07"),
    ("load_sp500", "blank lines, lines of Windows", sp500(INDEX, lineterminator="\r\n\r\n"), RIGHT),
    ("load_sp500", "sep=, of a spreadsheet in the first line", raw("sp500_daily.csv", b"sep=,\ndate,close\n2020-01-06,1\n", data.load_sp500), "needs the columns date, close"),
    ("load_sp500", "UTF-16 without a mark", raw("sp500_daily.csv", "date,close\n".encode("utf-16-le"), data.load_sp500), "is not UTF-8 but binary, or UTF-16"),
    ("load_sp500", "a workbook called .csv", raw("sp500_daily.csv", b"PK\x03\x04" + bytes(99), data.load_sp500), "is a ZIP archive or an Excel workbook; needs the text of a CSV"),
    ("load_sp500", "compressed, and not called so", raw("sp500_daily.csv", gzip.compress(b"date,close\n"), data.load_sp500), "is compressed, but not called .gz"),
    ("load_sp500", "not compressed, and called so", raw("sp500_daily.csv.gz", b"date,close\n", data.load_sp500), "Not a gzipped file"),
    ("load_sp500", "Price and Vol. of investing.com", raw("sp500_daily.csv", b'"Date","Price","Vol."\n"01/31/2020","3,225.52","-"\n', data.load_sp500), "needs the columns date, close"),
    ("load_stock_prices", "LOW and OPEN as tickers, wide", panel(wide().set_axis(["LOW", "OPEN"], axis=1), "stock_prices.csv", ("LOW", "OPEN")), RIGHT),
    ("load_stock_prices", "brk.b beside BRK-B", panel(P.assign(symbol=["brk.b", "BRK-B"] * 30)), "brk.b and BRK-B are one stock; needs one spelling"),
    ("load_stock_prices", "two columns of one ticker", raw("stock_prices.csv", b"date,A,A\n2020-01-06,1,2\n", data.load_stock_prices), "has two columns A"),
    ("load_stock_prices", "Close_A and Volume_A, one header", panel(wide().add_prefix("Close_"), "stock_prices.csv"), "has the column 'Close_A', a field of a stock; needs a column a ticker"),
    ("load_stock_prices", "('Adj Close', 'A') as one name", panel(wide().set_axis(["('Adj Close', 'A')", "('Volume', 'A')"], axis=1), "stock_prices.csv"), "a field of a stock; needs a column a ticker"),
    ("load_stock_prices", "a weekday among wide prices", panel(wide().assign(weekday="Mon"), "stock_prices.csv"), "row 1 has 'Mon' as adj_close of weekday"),
    ("load_stock_prices", "true and false among wide prices", panel(wide().assign(flag=True)), "row 1 has 'True' as adj_close of flag"),
    ("load_stock_prices", "two header lines of pandas, without names", panel(two_levels().rename_axis(columns=[None, None]), "stock_prices.csv"), RIGHT),
    ("load_stock_prices", "Attributes and Symbols of pandas-datareader", panel(two_levels().rename_axis(columns=["Attributes", "Symbols"]), "stock_prices.csv"), RIGHT),
    ("load_stock_prices", "two header lines, merged by a spreadsheet", raw("stock_prices.csv", b"Price,Adj Close,\nTicker,A,B\nDate,,\n2020-01-06,1,2\n", data.load_stock_prices), "has a column without a name in the first of its two header lines"),
    ("load_stock_prices", "three levels of columns", panel(pd.concat({"x": two_levels()}, axis=1)), "has column names of 3 levels without adj_close"),
    ("load_stock_prices", "bytes as ticker", panel(P.assign(symbol=[b"A", b"B"] * 30)), "row 1 has \"b'A'\" as symbol; needs a name in each row"),
    ("load_stock_prices", "700.5 as ticker", panel(P.assign(symbol=[700.5, 941.0] * 30)), "row 1 has '700.5' as symbol"),
    ("load_stock_prices", "TRUE and ZTS as tickers", panel(P.assign(symbol=["TRUE", "ZTS"] * 30), "stock_prices.csv", ("TRUE", "ZTS"), index=False), RIGHT),
    ("load_stock_prices", "a price of zero", panel(at(4, "adj_close", 0.0, P).astype({"adj_close": float})), "A has adj_close 0.0 on 2020-01-08; needs a positive number"),
    ("load_stock_prices", "two rows of a day, other values", panel(pd.concat([P, P[:2].assign(adj_close=9.0)])), "A has two rows on 2020-01-06; needs one row a day"),
    ("load_stock_prices", "100,5 between commas", raw("stock_prices.csv", b"symbol,date,adj_close\nA,2020-01-06,1,5\n", data.load_stock_prices), "Expected 3 fields in line 2, saw 4"),
    ("load_stock_prices", "periods of a day", panel(P.assign(date=P["date"].dt.to_period("D"))), RIGHT),
    ("load_stock_prices", "periods of a month", panel(P.assign(date=P["date"].dt.to_period("M"))), "row 1 has the date '2020-01'"),
    ("load_stock_prices", "decimals of a database", panel(P.assign(adj_close=[Decimal(price) for price in P["adj_close"]])), RIGHT),
    ("load_stock_prices", "year, month and day apart", panel(P.assign(year=2020, month=1, day=6).drop(columns="date"), "stock_prices.csv", index=False), "has no column date, only symbol, adj_close, year, month, day"),
    ("load_filings", "numbers of companies as 0000320193", filings(F.assign(cik=["0000320193", "CIK0000789019"])), RIGHT),
    ("load_filings", "a name as number of a company", filings(F.assign(cik=["1", "Apple"])), "row 2 has 'Apple' as cik; needs a number such as 320193"),
    ("load_filings", "Item 1A. and item 7", filings(F.assign(item=["Item 1A.", "item 7"])), RIGHT),
    ("load_filings", "items as numbers", filings(F.assign(item=[7.0, 7.0])), RIGHT),
    ("load_filings", "an empty item", filings(F.assign(item=["1A", None])), "row 2 has no item; needs a name in each row"),
    ("load_filings", "10-K405 and 10-KT", filings(F.assign(form=["10-K405", "10-KT"])), RIGHT),
    ("load_filings", "tickers and dates as index", filings(F.set_index(["ticker", "date_filed"])), RIGHT),
    ("load_filings", "a missing number of a company", filings(F.assign(cik=[1.0, np.nan])), RIGHT),
    ("load_filings", "a filing of 2099", filings(F.assign(date_filed=pd.Timestamp("2099-01-02"))), "row 1 has the date_filed 2099-01-02; needs dates from 1900 to tomorrow"),
    ("load_filings", "milliseconds since 1970", filings(F.assign(date_filed=F["date_filed"].astype("datetime64[ms]").astype("int64"))), "which looks like time since 1970"),
    ("load_filings", "02/14/20", filings(written(F, "date_filed", "%m/%d/%y")), "row 1 has the date_filed '01/16/20', whose day and month cannot be told apart"),
    ("load_filings", "a list of paragraphs as text", filings(F.assign(text=[["a"], ["b"]])), "row 1 has ['a'] as text; needs a text in each row"),
    ("load_filings", "no Parquet file", raw("filings_10k.parquet", b"garbage" * 9, data.load_filings), "cannot be read (Parquet magic bytes not found"),
    ("load_imdb", "labels 1.0 and 0.0", texts(reviews(1.0, 0.0)), RIGHT),
    ("load_imdb", "labels 1 and 2", texts(reviews(2, 1)), "given '2' in row 1"),
    ("load_imdb", "probabilities as labels", texts(reviews(0.9, 0.1)), "given '0.9' in row 1"),
    ("load_imdb", "three kinds of labels", texts(at(4, "sentiment", "neutral", reviews())), "given 'neutral' in row 5"),
    ("load_imdb", "NaN as label", texts(at(4, "sentiment", "NaN", reviews())), "given 'NaN' in row 5"),
    ("load_imdb", "a text of characters without width", texts(at(6, "review", "\u200b\ufeff", reviews())), "row 7 has '\\u200b\\ufeff' as text"),
    ("load_imdb", "Hindi, Japanese, an emoji", texts(at(2, "review", "हिन्दी 映画 🎬", reviews())), RIGHT),
    ("load_imdb", "commas without quotes", raw("reviews.csv", b"text,label\ngood, really,1\nbad, really,0\n", data.load_imdb), "has 2 names in its header, and more fields in row 1"),
    ("load_imdb", "a line about the whole at the end", raw("reviews.csv", reviews(1, 0).set_axis(["text", "label"], axis=1).to_csv(index=False).encode() + b"60 reviews\n", data.load_imdb), "given nothing in row 61"),
    ("load_imdb", "text and stars", texts(reviews().set_axis(["text", "stars"], axis=1)), "each once, has text, stars"),
    ("load_imdb", "aclImdb/ without test/neg", unpacked(without="test/neg"), "has no review in test/neg; needs some in each of train/pos"),
    ("load_imdb", "aclImdb/ with lists in Latin-1", unpacked(urls=b"http://www.imdb.com/title/tt1/\xe9\n"), "urls_pos.txt: is not UTF-8"),
    ("load_imdb", "aclImdb/ with a folder for a file", unpacked("0_9.txt", folder="21_9.txt"), "is no file of text"),
    ("load_glove", "a header line of word2vec", glove("glove.6B.50d.txt", "1 50\n" + vector("good", 50)), "begins with a header line, b'1 50\\n'; GloVe's files have none: delete that line"),
    ("load_glove", "vectors of another width", glove("glove.6B.50d.txt", vector("good", 100)), "has 100 numbers in its first line, its name says 50"),
    ("load_glove", "a word twice: the first counts", glove("glove.6B.50d.txt", vector("good", 50) + vector("good", 50).replace("0.5", "0.7")), RIGHT),
    ("load_glove", "a last line that is cut", glove("glove.6B.50d.txt", vector("good", 50) + "bad 0.5 0."), "ends within line 2"),
    ("load_glove", "tabs between the numbers", glove("glove.6B.50d.txt", vector("good", 50).replace(" ", "\t")), "has 0 numbers in its first line, its name says 50"),
    ("load_glove", "a decomposed accent in the file", glove("glove.6B.50d.txt", vector("cafe\u0301", 50), "café"), RIGHT),
    ("load_glove", "an archive of other files", raw("glove.6B.zip", b"PK\x05\x06" + bytes(18), lambda: data.load_glove(["good"])), "holds no glove.6B.<d>d.txt"),
    ("load_macro", "one row a quarter", macro(pd.date_range("2000-01-01", periods=24, freq="QS")), "no value in 2000-02, 2000-03, 2000-05"),
    ("load_macro", "one row a week", macro(pd.date_range("2000-01-07", periods=24, freq="W-FRI")), "row 1, 2000-01-07, is not the first of a month"),
    ("load_macro", "months as 2000M01", macro(MONTHS.strftime("%YM%m")), "row 1 has the date '2000M01'; needs dates written as YYYY-MM-DD"),
    ("load_macro", "months as Jan-2000", macro(MONTHS.strftime("%b-%Y")), "row 1 has the date 'Jan-2000'"),
    ("load_macro", "the first months as . of FRED", macro(MONTHS.insert(0, pd.Timestamp("1999-12-01")), first="."), RIGHT),
    ("load_macro", "a . between values", macro(MONTHS.insert(0, pd.Timestamp("1999-12-01")), fifth="."), "no value in 2000-04; needs one each month"),
    ("load_macro", "80,5", macro(MONTHS, fifth="80,5"), "row 5 has '80,5' as UMCSENT; needs a number such as 1100.5"),
    ("load_macro", "80.5p, provisional", macro(MONTHS, fifth="80.5p"), "row 5 has '80.5p' as UMCSENT"),
    ("load_macro", "semicolons", macro(MONTHS, sep=";"), "has fields separated by semicolons; needs commas"),
    ("load_macro", "UTF-16", macro(MONTHS, "utf-16"), "is not UTF-8"),
    ("load_macro", "a month twice", macro(MONTHS.insert(2, MONTHS[1])), "row 3, 2000-02-01, is a second row of a month"),
    ("load_macro", "no rows", macro(MONTHS[:0]), "has no rows"),
    ("load_sp500", "a header DATE, VALUE of FRED", raw("SP500.csv", b"DATE,VALUE\n2020-01-06,1\n", data.load_sp500), "needs the columns observation_date, SP500, has observation_date, VALUE"),
    ("load_macro(panel)", "two columns of one name", own_panel(b"date,sentiment,ip,oil,oil\n2000-01-01,1,1,1,1\n"), "has two columns oil"),
    ("load_macro(panel)", "a note among the series", own_panel(b"Date,sentiment,ip,note\n2000-01-01,1,1,x\n"), "row 1 has 'x' as note; needs a number such as 1100.5"),
    ("load_macro(panel)", "another order", own_panel(b"date,ip,sentiment\n2000-01-01,1,1\n"), "needs sentiment and ip as its first two series"),
    ("volatility_after_filing", "prices stamped 16:00, BRK.B filed", called(lambda: risk(DAYS + pd.Timedelta("16h"), DAYS[3], "brk.b"), DAYS[4]), RIGHT),
    ("volatility_after_filing", "newest first", called(lambda: risk(DAYS[::-1], DAYS[3])), "dates must be sorted and unique, from old to new"),
    ("volatility_after_filing", "16/01/2020 filed", called(lambda: risk(DAYS, "16/01/2020")), "whose day and month cannot be told apart"),
    ("returns_after_filing", "a negative price", called(lambda: after(DAYS, DAYS[8], close=-CLOSE)), "prices must be positive and finite, given -100.0 for BRK-B on 2020-01-06"),
    ("returns_after_filing", "no column date_filed", called(lambda: returns_after_filing(F[["ticker"]], wide())), "filings need the columns ticker, date_filed; ['date_filed'] missing"),
    ("returns_after_filing", "columns of two levels", called(lambda: returns_after_filing(F, two_levels())), "the columns must be tickers, given 2 levels"),
    ("direction_rows", "labels 1 and -1", called(lambda: direction_rows("t", "m", 2 * ONES - 1, ONES / 2, ONES, np.arange(4))), "labels must be 0 or 1, given [1, -1]"),
    ("direction_rows", "a missing label", called(lambda: direction_rows("t", "m", [1, 0, np.nan, 0], ONES / 2, ONES, np.arange(4))), "labels must be 0 or 1, given [1.0, 0.0, nan]"),
    ("accuracy", "labels as words", called(lambda: scores.accuracy(["pos", "neg"], [0.9, 0.1])), "labels must be 0 or 1, given ['pos', 'neg']"),
    ("accuracy", "labels true and false, as objects", called(lambda: scores.accuracy(np.array([True, False], dtype=object), [0.9, 0.1]), 1.0), RIGHT),
    ("accuracy", "a missing forecast", called(lambda: scores.accuracy([1, 0], [0.9, np.nan])), "needs a non-empty array without missing or infinite values"),
    ("rmse", "forecasts as text", called(lambda: scores.rmse([1.0, 2.0], ["1.0", "2.0"]), 0.0), RIGHT),
    ("rmse", "forecasts as words", called(lambda: scores.rmse([1.0, 2.0], ["up", "down"])), "needs numbers, given ['up', 'down']"),
    ("rmse", "Series in another order", called(lambda: scores.rmse(pd.Series([1.0, 2.0]), pd.Series([2.0, 1.0], [1, 0]))), "needs Series in one order, given the same index in another order"),
    ("auc", "Series in another order", called(lambda: scores.auc(LABELLED, LABELLED[::-1])), "needs Series in one order, given the same index in another order"),
    ("accuracy", "Series in another order", called(lambda: scores.accuracy(LABELLED, LABELLED[::-1])), "needs Series in one order, given the same index in another order"),
    ("direction_rows", "Series in another order", called(lambda: direction_rows("t", "m", LABELLED, LABELLED[::-1], ONES, np.arange(4))), "needs Series in one order, given the same index in another order"),
    ("information_coefficient", "a date that is missing", called(lambda: scores.information_coefficient(ONES, ONES, pd.DatetimeIndex([None, *DAYS[:3]]))), "needs one date a sample, given 3 for 4 samples"),
    ("ranks_by_date", "numbers as text", called(lambda: ranks_by_date(np.array([["1"], ["2"]]), [1, 1])), "needs numbers, given the type"),
    ("returns", "newest first", called(lambda: returns(wide()[::-1])), "the dates must be sorted from old to new"),
    ("returns", "suspect days of other stocks", called(lambda: returns(wide(), wide()[["A"]] > 0)), "suspect needs a column for each ticker of prices"),
    ("suspect_ticks", "newest first", called(lambda: suspect_ticks(wide()[::-1])), "the dates must be sorted from old to new"),
    ("weekly_folds", "windows in another order", called(lambda: weekly_folds(WINDOWS[::-1], slice(0, 9), 2)), "windows must be ordered by date"),
    ("weekly_folds", "four as text", called(lambda: weekly_folds(WINDOWS, slice(0, 9), "4")), "folds must be a whole number from 1 to the 9 weeks of these years, given '4'"),
    ("make_dataset", "01/02/2020 as the end of training", called(lambda: make_dataset(wide(), "01/02/2020", 2)), "whose day and month cannot be told apart"),
    ("make_dataset", "the year 2010 as the end of training", called(lambda: make_dataset(wide(), 2010, 2)), "no return is known before training_end, given 2010"),
    ("make_windows", "a window of 3.0", called(lambda: utils.make_windows(wide(), 3.0)), "window must be a whole number of at least 1, given 3.0"),
    ("make_windows", "frames with the tickers in another order", called(lambda: utils.make_panel_windows({"a": wide(), "b": wide()[["B", "A"]]}, 3)), "all frames need the same dates and tickers"),
    ("make_windows", "no feature", called(lambda: utils.make_panel_windows({}, 3)), "needs a frame for at least one feature, given none"),
    ("batches_by_length", "lengths as text", called(lambda: batches_by_length([[1]], "24", 2)), "a length must be a whole number of at least 1, given '2'"),
    ("tokenize", "Tamil, Korean, Thai", called(lambda: tokenize("தமிழ் 한국어 ไทย"), ["தமிழ்", "한국어", "ไทย"]), RIGHT),
    ("as_date", "2010Q1", called(lambda: utils.as_date("2010Q1")), "a parameter must be a date or a year, given '2010Q1'"),
    ("as_date", "2010.5", called(lambda: utils.as_date(2010.5)), "a parameter must be a date or a year, given '2010.5'"),
    ("as_date", "true", called(lambda: utils.as_date(True)), "a parameter must be a date or a year, given 'True'"),
    ("as_list", "0-2", called(lambda: utils.as_list("0-2")), "a list must be written as [0, 1, 2], given '0-2'"),
    ("as_list", "0:3", called(lambda: utils.as_list("0:3")), "a list must be written as [0, 1, 2], given '0:3'"),
    ("as_list", "a dict", called(lambda: utils.as_list({"a": 1})), "a list must be written as [0, 1, 2], given {'a': 1}"),
    ("-p WEEKSS 26", "a name that no notebook has", called(lambda: options_for(NOTEBOOKS, ["-p", "WEEKSS", "26"])), "no notebook of this run has a parameter WEEKSS; there are ['WEEKS'"),
    ("-p WEEKS many", "a text for a number", called(lambda: options_for(NOTEBOOKS, ["-p", "WEEKS", "many"])), "WEEKS must be a whole number, such as 52, given 'many'"),
    ("-p VALIDATION_START", "01/02/2010", called(lambda: options_for(NOTEBOOKS, ["-p", "VALIDATION_START", "01/02/2010"])), "VALIDATION_START must be a date or a year, such as '2012-01-01', given '01/02/2010'"),
    ("-p SEEDS", "0 1", called(lambda: options_for(NOTEBOOKS, ["-p", "SEEDS", "0 1"])), "SEEDS must be a list of numbers, such as [0, 1, 2], given '0 1'"),
    ("download", "AAPL,MSFT", called(lambda: download("prices", tickers=["AAPL,MSFT"])), "no ticker is written as 'AAPL,MSFT'"),
    ("download", "01/02/2010 as the start", called(lambda: download("prices", start="01/02/2010")), "start: '01/02/2010', whose day and month cannot be told apart"),
    ("download", "one year", called(lambda: download("filings", years=[2019])), "the years are the first and the last, given [2019]"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def local(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    monkeypatch.setattr("data.filings.LOCAL_COPY", tmp_path / "build" / "local.parquet")
    return tmp_path


@pytest.mark.parametrize(
    "entry, given, how, sentence", CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_used_rightly_or_refused_in_one_sentence(local, entry, given, how, sentence):
    if sentence is RIGHT:
        how(local)
        return
    with pytest.raises((data.DataError, ValueError, TypeError)) as caught:
        how(local)
    message = str(caught.value)
    assert sentence in message and "\n" not in message
    if entry.startswith("load_") and not isinstance(caught.value, TypeError):
        assert isinstance(caught.value, data.DataError) and str(local) in message


def test_nothing_that_looks_meant_for_a_loader_is_passed_over(local, capsys):
    (local / "my_stock_prices.csv").write_text("date,A\n2020-01-06,1\n", encoding="utf-8")
    (local / "notes.txt").write_text("a reminder", encoding="utf-8")
    data.load_stock_prices()
    printed = capsys.readouterr().out
    assert "my_stock_prices.csv is not read: prices reads stock_prices.parquet" in printed
    assert "notes.txt" not in printed
    (local / "AAPL.csv").write_text("Date,Close\n2020-01-06,1\n", encoding="utf-8")
    (local / "stocks").mkdir()
    (local / "IPGMFN.csv").write_text("", encoding="utf-8")
    (local / "reviews.tsv").write_text("", encoding="utf-8")
    for loader in (data.load_stock_prices, data.load_macro, data.load_imdb):
        loader()
    printed = capsys.readouterr().out
    for name in ("AAPL.csv", "stocks", "IPGMFN.csv", "reviews.tsv"):
        assert f"{name} is not read: " in printed


def test_what_is_not_read_because_another_file_is_read_is_named(local, capsys):
    for name in ("stock_prices.parquet", "stock_prices.csv"):
        P.to_parquet(local / name) if name.endswith("parquet") else P.to_csv(local / name)
    (local / "sp500_daily.csv").mkdir()
    data.load_stock_prices()
    assert (
        "stock_prices.csv is not read, because stock_prices.parquet is" in capsys.readouterr().out
    )
    data.load_sp500()
    assert "sp500_daily.csv is not read: sp500 reads" in capsys.readouterr().out


def test_a_price_far_from_the_day_before_is_told(local, capsys):
    at(4, "high", 1e9, INDEX).to_csv(local / "sp500_daily.csv", index=False)
    data.load_sp500()
    told = "a price is more than 50% away from the close before, 1 times, the first on 2020-01-10"
    assert told in capsys.readouterr().out
    INDEX.to_csv(local / "sp500_daily.csv", index=False)
    data.load_sp500()
    assert "away" not in capsys.readouterr().out


def test_sections_that_stand_twice_and_other_forms_are_told(local, capsys):
    again = pd.concat([F, F[:1], F[1:].assign(ticker="C")])
    again.assign(form=["10-K", "10-K405", "10-Q", "10-K/A"]).to_parquet(
        local / "filings_10k.parquet"
    )
    data.load_filings()
    told = capsys.readouterr().out
    assert "sections of other forms than 10-K, 10-K405, 10-KT are used" in told
    assert "1 of 10-Q, 1 of 10-K/A" in told and "stand there before" not in told
    again.to_parquet(local / "filings_10k.parquet")
    assert len(data.load_filings()) == 4
    told = capsys.readouterr().out
    assert "2 sections stand there before" in told and "the first is item 1A of A, 2020" in told


def test_what_08_streams_is_what_the_loader_shows(local):
    spelled = F.assign(item=["Item 1A", "7."], cik=["CIK0000000007", "8"], ticker=[700, 941])
    spelled.to_parquet(local / "filings_10k.parquet")
    streamed, shown = pq.read_table(filings_file()).to_pandas(), data.load_filings()
    assert list(shown["item"]) == ["1A", "7"] and list(shown["cik"]) == [7, 8]
    for name in ("ticker", "cik", "item", "text"):
        assert list(streamed[name]) == list(shown[name])


def test_no_loader_is_longer_than_a_screen():
    for path in sorted((ROOT / "data").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                lines -= len((ast.get_docstring(node) or "").splitlines())
                assert lines <= 50, f"{path.name}: {node.name} has {lines} lines"


def test_flat_days_are_told(local, capsys):
    flat = INDEX.assign(open=CLOSE, high=CLOSE, low=CLOSE)
    flat[5:].to_csv(local / "sp500_daily.csv", index=False)
    prices = data.load_sp500()
    assert prices.attrs["flat_days"] == 24 and flat_days(prices).all()
    assert "are one number on 24 days, the last 2020-02-13" in capsys.readouterr().out


def test_a_download_keeps_impossible_rows_out_and_says_so():
    rows = pd.concat([at(4, "adj_close", -1.0, P).astype({"adj_close": float}), P[-1:]])
    kept, notes = keep_possible(rows.reset_index(drop=True), ["adj_close", "close"])
    assert len(kept) == 59 and notes == ["A 2020-01-08: adj_close -1", "B 2020-02-14: two rows"]


def test_the_running_day_is_that_of_the_exchange(monkeypatch):
    """At 01:00 in Sydney on the 8th it is still the 7th in New York, whose session goes on."""

    class Clock(yahoo.datetime):
        @classmethod
        def now(cls, tz=None):
            return pd.Timestamp("2020-01-07 14:00", tz="UTC").tz_convert(tz)

    monkeypatch.setattr(yahoo, "datetime", Clock)
    assert str(yahoo.running_day("America/New_York")) == "2020-01-07"
    assert str(yahoo.running_day("Australia/Sydney")) == "2020-01-08"


@given(st.dates(date(1970, 1, 1), date(2025, 12, 31)), st.booleans())
def test_a_date_is_read_as_it_is_meant_or_refused(day, four_digits):
    stamp = pd.Timestamp(day)
    for text in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%d 16:00", "%Y-%m-%dT05:00Z"):
        assert as_days([stamp.strftime(text)])[0] == stamp
    for value in (
        day,
        stamp,
        stamp.to_numpy(),
        int(stamp.strftime("%Y%m%d")),
        stamp.tz_localize("Asia/Tokyo"),
    ):
        assert as_days([value])[0] == stamp
    year = "%Y" if four_digits else "%y"
    for text in (
        f"%d/%m/{year}",
        f"%m/%d/{year}",
        f"%d.%m.{year}",
        f"%d-%m-{year} 16:00",
        "%b %d, %Y",
    ):
        with pytest.raises(ContractError, match="needs dates written as YYYY-MM-DD"):
            as_days([stamp.strftime(text)])


@given(st.lists(st.one_of(st.integers(-99, 99), st.sampled_from(["GRU", "LSTM"]))))
def test_a_list_comes_back_from_its_text(values):
    for text in (
        str(values),
        str(tuple(values)) if len(values) != 1 else str(values),
        str(values)[1:-1],
    ):
        assert utils.as_list(text) == values


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.floats(0.01, 1e6), min_size=12, max_size=12),
    st.lists(st.integers(0, 11), max_size=9),
    st.booleans(),
)
def test_long_and_wide_tables_are_one_panel(local, values, gaps, newest_first):
    days = DAYS[:6].rename("date").as_unit("us")  # the unit of every loader; pandas 2 makes "ns"
    prices = pd.DataFrame(np.reshape(values, (6, 2)), days, ["A", "B"])
    for gap in gaps:
        prices.iloc[divmod(gap, 2)] = np.nan
    prices = prices.dropna(how="all").dropna(how="all", axis=1)
    if prices.empty:
        return
    long = prices.rename_axis("symbol", axis=1).stack().rename("adj_close").reset_index()
    for table in (prices.reset_index(), long):
        table[:: -1 if newest_first else 1].to_csv(local / "stock_prices.csv", index=False)
        found = data.load_stock_prices()
        pd.testing.assert_frame_equal(found, prices, check_names=False, check_freq=False)


def test_a_foreign_calendar_is_told(local, capsys):
    foreign = pd.DataFrame({"symbol": "T", "date": DAYS + pd.Timedelta(days=1), "adj_close": 1.0})
    rows = pd.concat([P, foreign])
    rows.to_parquet(local / "stock_prices.parquet")
    data.load_stock_prices()
    told = capsys.readouterr().out
    assert "the first is 2020-01-11 (only T): another calendar?" in told
    assert "takes 100% of all windows of 22 days" in told
    P.to_parquet(local / "stock_prices.parquet")
    data.load_stock_prices()
    assert "calendar" not in capsys.readouterr().out


def test_a_stock_with_other_holidays_is_told(local, capsys):
    rows = P[~((P["symbol"] == "B") & P["date"].isin(DAYS[[5, 9]]))]
    rows.to_parquet(local / "stock_prices.parquet")
    data.load_stock_prices()
    told = capsys.readouterr().out
    assert "days of their history: B (7%): another calendar?" in told
    assert "which takes 100% of their windows of 22 days" in told


def test_sections_that_only_refer_to_a_page_are_told(local, capsys):
    says = "The information appears on pages 20 to 31 of the Annual Report, which is incorporated "
    at(1, "text", says + "herein by reference.", F).to_parquet(local / "filings_10k.parquet")
    for text in (True, False):
        data.load_filings(text)
        told = "1 of 2 sections only refer to another page or document, the first is item 7 of B"
        assert told in capsys.readouterr().out
    F.to_parquet(local / "filings_10k.parquet")
    data.load_filings()
    assert "refer" not in capsys.readouterr().out
    assert only_refers("See pages 12-30.") and only_refers("Included as Exhibit 13 hereto.")
    assert not only_refers("Sales rose, see page 3. " * 60)


def test_annual_reports_in_other_forms_are_named(capsys):
    ten_k = SimpleNamespace(form="10-K", filing_date="2010-02-01")
    older = SimpleNamespace(form="10-K405", filing_date="2001-03-01")
    edgar.tell_other_forms({"A": [ten_k, older], "B": [ten_k]})
    told = "annual reports in another form than 10-K, not read: A 2001-03-01 (10-K405)\n"
    assert capsys.readouterr().out == told
    edgar.tell_other_forms({"B": [ten_k]})
    assert capsys.readouterr().out == ""


def test_one_text_is_not_a_list_of_its_letters():
    score_texts = pytest.importorskip("training").score_texts
    with pytest.raises(TypeError, match="needs a list of texts, given one"):
        score_texts("a fine film", None)


def test_labels_of_batches_are_0_and_1():
    batches = pytest.importorskip("training").TextBatches
    assert len(batches([[1], [2]], [0, 0.5], (2,), 2)) == 1, "soft labels are shares"
    for labels, sentence in (
        ([1, -1], r"labels must be 0 or 1, given \[-1.0, 1.0\]"),
        ([1, 2], "labels must be 0 or 1"),
        ([1, np.nan], "labels must be 0 or 1"),
        ([1], "needs one label a text, given"),
    ):
        with pytest.raises(ValueError, match=sentence):
            batches([[1], [2]], labels, (2,), 2)


def test_suspect_days_meet_the_days_of_prices():
    prices = pd.DataFrame({"A": CLOSE}, DAYS)
    suspect = pd.DataFrame({"A": np.arange(30) == 5}, DAYS + pd.Timedelta("16h"))
    change = returns(prices, suspect)["A"]
    assert list(np.flatnonzero(change.isna())) == [0, 5]


def test_the_list_survives_filings_without_rows(local):
    F[:0].to_parquet(local / "filings_10k.parquet")
    assert "has no rows" in content(data.DATASETS["filings"])


def test_a_running_day_and_impossible_prices_of_yahoo_are_not_stored(local, monkeypatch, capsys):
    """What yfinance hands over: a day that goes on, and a negative adjusted close."""
    stamps = DAYS.tz_localize("America/New_York")
    answer = pd.DataFrame({"Adj Close": CLOSE, "Close": CLOSE, "Volume": 1.0}, stamps)
    answer.iloc[3, 0] = -1.0
    asked = {}

    class Ticker:
        def __init__(self, ticker, session):
            self.ticker = ticker

        def history(self, **options):
            asked[self.ticker] = options["end"]
            return answer

    monkeypatch.setattr(yahoo.yfinance, "Ticker", Ticker)
    monkeypatch.setattr(yahoo, "running_day", lambda zone: DAYS[20].date())
    download("prices", tickers=["brk.b"])
    panel = data.load_stock_prices()
    assert asked == {"BRK-B": str(DAYS[20].date())}
    assert list(panel.columns) == ["BRK-B"] and panel.index[-1] == DAYS[19]
    assert len(panel) == 19 and DAYS[3] not in panel.index
    assert "left out: BRK-B 2020-01-09: adj_close -1" in capsys.readouterr().out


def test_films_of_own_reviews(local, capsys):
    reviews(1, 0).to_csv(local / "reviews.csv", index=False)
    assert "film" not in read_local_reviews(local / "reviews.csv")
    assert "has no column film: texts about one thing may" in capsys.readouterr().out
    reviews(1, 0).assign(film=7).to_csv(local / "reviews.csv", index=False)
    assert set(read_local_reviews(local / "reviews.csv")["film"]) == {"7"}
    assert capsys.readouterr().out == ""
    for half in ("train", "test"):
        for kind, rating in (("pos", 9), ("neg", 2)):
            (local / "aclImdb" / half / kind).mkdir(parents=True)
            (local / "aclImdb" / half / kind / f"1_{rating}.txt").write_text(
                "text", encoding="utf-8"
            )
            lines = "http://www.imdb.com/title/tt1/x\nhttp://www.imdb.com/title/tt0453418/x\n"
            (local / "aclImdb" / half / f"urls_{kind}.txt").write_text(lines, encoding="utf-8")
    assert list(read_local_reviews(local / "aclImdb")["film"]) == ["tt0453418"] * 4


def test_windows_lost_counts_windows_of_listed_stocks():
    prices = pd.DataFrame({"A": CLOSE[:10], "B": CLOSE[:10]}, DAYS[:10])
    prices.loc[DAYS[:4], "B"] = np.nan  # not yet listed: no window is lost by that
    assert windows_lost(prices, 3) == 0
    prices.loc[DAYS[6], "A"] = np.nan  # three of the eight windows of A; B has four
    assert windows_lost(prices, 3) == pytest.approx(3 / 12)
    assert windows_lost(prices, 30) == 0


def test_share_classes_and_exchanges():
    spelled = ["BRK.B", "BRK/B", "brk-b", "BP.L", "7203.T", "SHOP.TO", "A"]
    assert list(map(share_class, spelled)) == ["BRK-B"] * 3 + ["BP.L", "7203.T", "SHOP.TO", "A"]


def test_the_second_bad_tick_is_found_beside_the_first():
    price = np.full(60, 100.0) + np.random.default_rng(0).normal(size=60)
    price[[30, 31, 40, 41]] *= [1000, 1000, 2.5, 2.5]
    ticks = suspect_ticks(pd.DataFrame({"A": price}, pd.bdate_range("2020-01-06", periods=60)))["A"]
    assert list(np.flatnonzero(ticks)) == [30, 32, 40, 42]


def test_no_windows_to_split():
    empty = utils.make_windows(pd.Series(CLOSE, DAYS), 3)[:0]
    with pytest.raises(ValueError, match="there are no windows to split"):
        utils.split_by_date(empty, "2020-01-10", "2020-01-20")


def test_days_of_a_frame_without_rows_are_none():
    assert len(as_days([])) == 0


# ---------------------------------------------------------------------------------------------------------- page

SMALLEST = """# Your own data

What you put into `local/` is used rightly, or refused in one sentence. This page is rendered from
`tests/test_own_data.py`: `python -m tests.test_own_data`.

## The smallest files

Notebook 01, `sp500_daily.csv`: one row a day, oldest first; the last row is taken for the running day and left out.
Three years run, with validation and refits a year long. Two are refused: “the first fold has 26 days in train, needs 100
… needs days more than 1 year(s) before the test”.
Without high and low (date and close alone), the squared return stands for the range.

| date | open | high | low | close | volume |
|---|---|---|---|---|---|
| 2020-01-06 | 100 | 101 | 99 | 100 | 10 |
| 2020-01-07 | 101 | 102 | 100 | 101 | 10 |
| 2020-01-08 | 102 | 103 | 101 | 102 | 10 |

Notebooks 02 to 04, `stock_prices.parquet` or `stock_prices.csv`: one row a stock and day.
Six stocks and three years run. Less than two years are refused by 02: “windows of 52 weeks need prices of at least 104 weeks”;
shorter windows (`PARAMETERS="-p WEEKS 26"`) need less.

| symbol | date | adj_close |
|---|---|---|
| A | 2020-01-06 | 100 |
| B | 2020-01-06 | 200 |
| A | 2020-01-07 | 101 |

Notebook 05, `UMCSENT.csv`, and `IPGMFN.csv` in the same form: the first of each month.
Twenty years are needed: eight to test, eight to choose, a year of outcomes after each, two to begin with. With less:
“months are too few for 8 years of forecasts”; `PARAMETERS="-p TEST_YEARS 4 -p VALIDATION_YEARS 4"` need less.

| observation_date | UMCSENT |
|---|---|
| 2000-01-01 | 112.0 |
| 2000-02-01 | 111.3 |
| 2000-03-01 | 107.1 |

Notebooks 06 and 07, `reviews.csv`: at least 13 different texts of each label; fewer are refused: “has 3 different texts of
one label, at least 13 are needed”. A column `film` says what a text is about, so that one thing is never in two parts.

| text | label |
|---|---|
| The soup was cold. | 0 |
| We will come again. | 1 |
| Nobody smiled. | 0 |

Notebooks 08 and 09, `filings_10k.parquet`, with `stock_prices.parquet` beside it. Ten filings run, of three years and of two
companies or more; below fifty to learn from, ten to choose on and ten to test, 09 says that their scores mean nothing.
With less: “a split needs at least 6 different dates”, “a split needs three parts with 100 days between them”, “needs at
least 3 in train, 1 in validation, 1 in test, each with prices around it”.

| ticker | cik | form | date_filed | item | text |
|---|---|---|---|---|---|
| A | 1 | 10-K | 2020-01-16 | 1A | We may lose. |
| B | 2 | 10-K | 2020-01-17 | 7 | Sales rose. |
| A | 1 | 10-K | 2021-01-15 | 1A | We may lose again. |

## What happens with other files

| enters at | given | result |
|---|---|---|
"""


def page():
    rows = [
        f"| `{entry}` | {given.replace('|', '/')} | {'used' if sentence is RIGHT else '“' + sentence.replace('|', '/') + '”'} |"
        for entry, given, _, sentence in CASES
    ]
    return SMALLEST + "\n".join(rows) + "\n"


def test_the_page_is_rendered_from_the_matrix():
    assert len(CASES) >= 60
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
