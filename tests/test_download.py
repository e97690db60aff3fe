"""Downloads against a loopback internet: the real clients, the real addresses, real TLS; every fault of the issue."""

import gzip
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yfinance
from yfinance.data import YfData

import data.__main__ as command_line
from data import download_archives, load_sp500, load_stock_prices
from data import download as core
from data.download import DownloadError, download
from data.source import DataError, sha256

from server import Internet

README = Path(core.__file__).with_name("README.md")
HOSTS = (
    *("fred.stlouisfed.org", "www.sec.gov", "data.sec.gov", "ai.stanford.edu", "dataset.bj.bcebos.com"),
    *("nlp.stanford.edu", "downloads.cs.stanford.edu", "huggingface.co"),
    *("query1.finance.yahoo.com", "query2.finance.yahoo.com", "fc.yahoo.com", "guce.yahoo.com"),
)
DAYS = pd.bdate_range("2015-01-02", periods=1500)
WALK = 2000 * np.exp(np.random.default_rng(0).normal(0, 0.01, len(DAYS)).cumsum())
IDENTITY = "Jane Doe jane@example.org"


# The true formats, with contents of our own


def fred_csv(series, dates, values):
    lines = [f"{day:%Y-%m-%d},{'' if np.isnan(value) else f'{value:.2f}'}" for day, value in zip(dates, values)]
    return "\n".join([f"observation_date,{series}", *lines, ""]).encode()


def yahoo_chart(path):
    symbol = re.search("chart/([^?]+)", path)[1]
    if symbol == "GONE":
        error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return json.dumps({"chart": {"result": None, "error": error}}, separators=(",", ":")).encode()
    days = DAYS[:700] if symbol == "ENDED" else DAYS
    stamps = [int(stamp) for stamp in (days + pd.Timedelta(hours=9.5)).tz_localize("America/New_York").as_unit("s").asi8]
    close = WALK[: len(days)].round(2).tolist()
    meta = {"currency": "USD", "symbol": symbol, "exchangeName": "NMS", "instrumentType": "EQUITY", "gmtoffset": -18000}
    meta |= {"timezone": "EST", "exchangeTimezoneName": "America/New_York", "regularMarketTime": stamps[-1]}
    meta |= {"regularMarketPrice": close[-1], "priceHint": 2, "dataGranularity": "1d", "range": "", "validRanges": ["1d", "max"]}
    quotes = {name: close for name in ("open", "high", "low", "close")} | {"volume": [1000] * len(days)}
    adjusted = [{"adjclose": [0.5 * price for price in close]}]
    result = [{"meta": meta, "timestamp": stamps, "indicators": {"quote": [quotes], "adjclose": adjusted}}]
    return json.dumps({"chart": {"result": result, "error": None}}, separators=(",", ":")).encode()


def words(seed, count=4000):
    generator = random.Random(seed)
    return " ".join("".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(count))


def submission(accession):
    year = 2000 + int(accession[11:13])
    sections = {
        "1": "Business",
        "1A": "Risk Factors",
        "1B": "Unresolved Staff Comments",
        "7": "Management's Discussion and Analysis of Financial Condition and Results of Operations",
        "7A": "Quantitative and Qualitative Disclosures About Market Risk",
        "8": "Financial Statements and Supplementary Data",
    }
    body = "".join(
        f"<p><b>Item {item}. {title}</b></p><p>{item} of {accession}: {words(item + accession)}.</p>" for item, title in sections.items()
    )
    return f"""<SEC-DOCUMENT>{accession}.txt : {year}0203
<SEC-HEADER>{accession}.hdr.sgml : {year}0203
<ACCEPTANCE-DATETIME>{year}0202180127
ACCESSION NUMBER:\t\t{accession}
CONFORMED SUBMISSION TYPE:\t10-K
PUBLIC DOCUMENT COUNT:\t\t1
CONFORMED PERIOD OF REPORT:\t20221231
FILED AS OF DATE:\t\t{year}0203

FILER:

\tCOMPANY DATA:
\t\tCOMPANY CONFORMED NAME:\t\t\tApple Inc.
\t\tCENTRAL INDEX KEY:\t\t\t0000320193

\tFILING VALUES:
\t\tFORM TYPE:\t\t10-K
\t\tSEC ACT:\t\t1934 Act
\t\tSEC FILE NUMBER:\t001-36743
</SEC-HEADER>
<DOCUMENT>
<TYPE>10-K
<SEQUENCE>1
<FILENAME>report.htm
<TEXT>
<html><head><title>10-K</title></head><body>{body}</body></html>
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
""".encode()


ACCESSIONS = [f"0000320193-{year}-000123" for year in (21, 22, 23)]


def submissions_json():
    columns = {
        "accessionNumber": ACCESSIONS,
        "filingDate": [f"20{accession[11:13]}-02-03" for accession in ACCESSIONS],
        "reportDate": ["2020-12-31", "2021-12-31", "2022-12-31"],
        "acceptanceDateTime": ["2023-02-02T23:01:27.000Z"] * 3,
        "form": ["10-K"] * 3,
        "size": [9000] * 3,
    }
    blank = dict.fromkeys(("act", "fileNumber", "filmNumber", "items", "primaryDocument", "primaryDocDescription"), [""] * 3)
    flags = dict.fromkeys(("isXBRL", "isInlineXBRL"), [0] * 3)
    company = {"cik": "0000320193", "entityType": "operating", "name": "Apple Inc.", "tickers": ["AAPL"], "exchanges": ["Nasdaq"]}
    blank_company = dict.fromkeys(("sic", "sicDescription", "ein", "description", "website", "investorWebsite", "category"), "")
    blank_company |= dict.fromkeys(("fiscalYearEnd", "stateOfIncorporation", "stateOfIncorporationDescription", "phone"), "") | {"flags": "", "formerNames": []}
    address = dict.fromkeys(("street1", "street2", "city", "stateOrCountry", "zipCode", "stateOrCountryDescription"), "")
    addresses = {"mailing": address, "business": address}
    flags_company = {"insiderTransactionForOwnerExists": 0, "insiderTransactionForIssuerExists": 1}
    filings = {"recent": columns | blank | flags, "files": []}
    return json.dumps(company | blank_company | flags_company | {"addresses": addresses, "filings": filings}).encode()


def tar_bytes(*members):
    """A tar.gz of (name, bytes or TarInfo options)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                for option, value in content.items():
                    setattr(member, option, value)
                archive.addfile(member)
    return buffer.getvalue()


def zip_bytes(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def vectors(dimension):
    generator = np.random.default_rng(dimension)
    return "".join(f"word{row} {' '.join(map(str, generator.normal(size=dimension).round(5)))}\n" for row in range(50))


TAR = tar_bytes(*((f"aclImdb/{part}/pos/{n}_9.txt", words(f"{part}{n}").encode()) for part in ("train", "test") for n in range(2)))
ZIP = zip_bytes(*((f"glove.6B.{dimension}d.txt", vectors(dimension)) for dimension in (50, 100)))


# The loopback internet and the sources


@pytest.fixture(scope="module")
def internet(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("the loopback server needs the openssl command for its certificate")
    folder = tmp_path_factory.mktemp("internet")
    server = Internet(folder, HOSTS)
    months = pd.date_range("1978-01-01", "2024-12-01", freq="MS")
    levels = np.linspace(50, 100, len(months))
    close = np.where(np.arange(len(DAYS)) % 50 == 7, np.nan, WALK)
    nothing = json.dumps({"fields": ["cik", "seriesId", "classId", "symbol"], "data": []}).encode()
    server.pages = {
        ("fred.stlouisfed.org", ".*id=SP500$"): fred_csv("SP500", DAYS, close),
        ("fred.stlouisfed.org", ".*id=UMCSENT$"): fred_csv("UMCSENT", months, levels),
        ("fred.stlouisfed.org", ".*id=IPGMFN$"): fred_csv("IPGMFN", months, levels[::-1]),
        ("query2.finance.yahoo.com", "/v8/finance/chart/"): yahoo_chart,
        ("query1.finance.yahoo.com", "/v1/test/getcrumb"): b"abcDEF123",
        ("ai.stanford.edu", "/~amaas/data/sentiment/aclImdb_v1.tar.gz"): TAR,
        ("dataset.bj.bcebos.com", "/imdb%2FaclImdb_v1.tar.gz"): TAR,
        ("nlp.stanford.edu", "/data/glove.6B.zip"): ZIP,
        ("downloads.cs.stanford.edu", "/nlp/data/glove.6B.zip"): ZIP,
        ("huggingface.co", "/stanfordnlp/glove/resolve/main/glove.6B.zip"): ZIP,
        ("data.sec.gov", "/submissions/CIK0000320193.json"): submissions_json(),
        ("www.sec.gov", "/Archives/edgar/data/320193/"): lambda path: submission(path.rpartition("/")[2][:-4]),
        ("www.sec.gov", "/files/company_tickers.json"): b"{}",
        ("www.sec.gov", "/files/company_tickers_mf.json"): nothing,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.settings.items():
            patch.setenv(name, value)
        patch.setenv("EDGAR_LOCAL_DATA_DIR", str(folder / "edgar"))
        patch.setenv("EDGAR_IDENTITY", IDENTITY)
        patch.setattr(core, "TIMEOUT", 5)
        patch.setattr(core, "ATTEMPTS", 3)
        patch.setattr(download_archives, "IMDB_HASH", "md5:" + hashlib.md5(TAR).hexdigest())
        patch.setattr(download_archives, "GLOVE_HASH", "sha256:" + hashlib.sha256(ZIP).hexdigest())
        yfinance.set_tz_cache_location(str(folder / "yfinance"))
        yield server
    server.shutdown()
    server.server_close()


OPTIONS = {
    "sp500": {},
    "prices": {"tickers": ["AAPL", "MSFT"]},
    "macro": {},
    "imdb": {},
    "glove": {"dimensions": [100]},
    "filings": {"tickers": ["AAPL"], "years": (2021, 2022)},
}
FILES = {
    "sp500": ["SP500.csv"],
    "prices": ["stock_prices.parquet"],
    "macro": ["UMCSENT.csv", "IPGMFN.csv"],
    "imdb": ["aclImdb_v1.tar.gz"],
    "glove": ["glove.6B.100d.txt"],
    "filings": ["filings_10k.parquet"],
}
WHERE = {  # the answer that is hit: where there are several, the second
    "sp500": "id=SP500",
    "prices": "chart/MSFT.*period1",
    "macro": "id=IPGMFN",
    "imdb": "aclImdb",
    "glove": "glove.6B",
    "filings": ACCESSIONS[1],
}
ARCHIVES = {"imdb": TAR, "glove": ZIP}


@pytest.fixture
def local(tmp_path, monkeypatch):
    """An empty local folder."""
    (tmp_path / "local").mkdir()
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path / "local"))
    return tmp_path / "local"


@pytest.fixture
def naps(monkeypatch):
    """Seconds the downloads would have slept."""
    slept = []
    monkeypatch.setattr(core, "sleep", slept.append)
    return slept


# Source x fault -> outcome


def older_data(folder):
    """What an earlier download might have left, with content that a new one replaces, and content that it keeps."""
    (folder / "SP500.csv").write_bytes(fred_csv("SP500", pd.bdate_range("2014-12-01", "2015-02-02"), np.full(46, 1900.0)))
    months = pd.date_range("1978-01-01", periods=500, freq="MS")
    for series in ("UMCSENT", "IPGMFN"):
        (folder / f"{series}.csv").write_bytes(fred_csv(series, months, np.full(500, 80.0)))
    (folder / "aclImdb_v1.tar.gz").write_bytes(tar_bytes(("aclImdb/old.txt", b"old")))
    (folder / "glove.6B.100d.txt").write_text("old 0.1\n")
    days = pd.date_range("2014-12-01", periods=30, unit="us")
    prices = [pd.DataFrame({"symbol": symbol, "date": days, "adj_close": 7.0, "volume": 1.0}) for symbol in ("MSFT", "IBM")]
    pd.concat(prices).to_parquet(folder / "stock_prices.parquet", index=False)
    filing = {"ticker": "IBM", "cik": 51143, "form": "10-K", "date_filed": pd.Timestamp("2019-02-26"), "item": "7", "text": "old"}
    pd.DataFrame([filing]).to_parquet(folder / "filings_10k.parquet", index=False)


def content(folder, source):
    """What the local files of a source say, independent of how Parquet wrote it down."""
    return [
        pd.read_parquet(folder / name).to_csv() if name.endswith("parquet") else (folder / name).read_bytes()
        for name in FILES[source]
    ]


@pytest.fixture(scope="module")
def outcome(internet, tmp_path_factory):
    """Function (source, fault) -> what happened, after checking that no harm was done."""

    @cache
    def right_data(source):
        with scene(source) as (folder, _):
            download(source, **OPTIONS[source])
            return content(folder, source)

    @contextmanager
    def scene(source):
        folder, naps = tmp_path_factory.mktemp(source), []
        older_data(folder)
        YfData.cache_get.cache_clear()  # what a new process would not know
        with pytest.MonkeyPatch.context() as patch, redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            patch.setenv("RNN_TRADING_DATA", str(folder))
            patch.setattr(core, "sleep", naps.append)
            yield folder, naps
        assert not list(folder.rglob("*tmp*"))

    @cache
    def happens(source, fault):
        if (spoil := FAULTS[fault](internet, source)) is None:
            return "does not apply"
        expected = right_data(source)
        with scene(source) as (folder, naps):
            before = content(folder, source)
            with spoil:
                try:
                    download(source, **OPTIONS[source])
                    result = "right data" + (f" after a wait of {max(naps):.0f} s" if naps else "")
                except DownloadError as error:
                    assert error.step
                    causes = re.sub(r" from [\w.]+|MSFT: |SP500: |IPGMFN: |[\d-]{20}: ", "", error.cause).split(" / ")
                    result = "error: " + " / ".join(dict.fromkeys(causes))
                except KeyboardInterrupt:
                    result = "interrupted"
            if result.startswith("right data"):
                assert content(folder, source) == expected
            elif "the others are stored" in result:
                check_partial(source, folder, before)
            elif "another download" in result:
                assert content(folder, source) == expected
            else:
                assert content(folder, source) == before
            download(source, **OPTIONS[source])
            assert content(folder, source) == expected
        return result

    return happens


def check_partial(source, folder, before):
    """The item that failed has its older rows, or none; the others have arrived; nothing else has gone."""
    if source == "prices":
        rows = pd.read_parquet(folder / "stock_prices.parquet").groupby("symbol")["adj_close"]
        assert rows.count().to_dict() == {"AAPL": len(DAYS), "MSFT": 30, "IBM": 30} and rows.max()["MSFT"] == 7
    else:
        rows = pd.read_parquet(folder / "filings_10k.parquet")
        assert set(rows["accession"].dropna()) == {ACCESSIONS[0]} and (rows["text"] == "old").sum() == 1


def served(kind, **options):
    return lambda internet, source: internet.broken(kind, WHERE[source], **options)


def stalled(**options):
    @contextmanager
    def spoil(internet, source):
        with pytest.MonkeyPatch.context() as patch, internet.broken("stall", WHERE[source], **options):
            patch.setattr(core, "TIMEOUT", 0.5)
            yield

    return spoil


def truncated(internet, source):
    if source in ARCHIVES:
        return internet.broken("instead", WHERE[source], body=ARCHIVES[source][:-1000])
    return internet.broken("instead", WHERE[source], body=submission(ACCESSIONS[1])[:9000]) if source == "filings" else None


def wrong_hash(internet, source):
    return internet.broken("instead", WHERE[source], body=TAR + b"x") if source in ARCHIVES else None


def renamed(internet, source):
    bodies = {
        "sp500": fred_csv("SPX", DAYS, WALK),
        "macro": fred_csv("IPMAN", DAYS, WALK),
        "prices": yahoo_chart("chart/MSFT?").replace(b"adjclose", b"adjusted"),
        "filings": submission(ACCESSIONS[1]).replace(b"ACCEPTANCE-DATETIME", b"ACCEPTED-ON"),
    }
    return internet.broken("instead", WHERE[source], body=bodies[source]) if source in bodies else None


@contextmanager
def no_dns(internet, source):
    """.invalid is reserved never to resolve; the proxy is the only name that a client here has to resolve itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
            patch.setenv(name, "http://proxy.invalid:3128")
        patch.setattr(edgar.httpclient.HTTP_MGR, "proxy", "http://proxy.invalid:3128")  # read once, at the import
        yield


@contextmanager
def full_disk(internet, source):
    """The kernel refuses to let a file grow beyond 8 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def at_once(internet, source):
    """Another download of the same data is under way while this one starts."""
    with internet.broken("held", WHERE[source], times=1) as fault:
        other = threading.Thread(target=download, args=(source,), kwargs=OPTIONS[source])
        other.start()
        assert fault.started.wait(10)
        try:
            yield
        finally:
            fault.release.set()
            other.join()


FAULTS = {
    "404": served("404"),
    "403": served("403"),
    "429 with Retry-After: 7, then 200": served("429", times=1, retry_after="7"),
    "429 with Retry-After: 3600": served("429", retry_after="3600"),
    "500, then 200": served("500", times=1),
    "500 for ever": served("500"),
    "connection reset in mid-body, once": served("reset", times=1),
    "connection reset in mid-body, for ever": served("reset"),
    "connection closed in mid-body, once": served("cut", times=1),
    "stalled body, once": stalled(times=1),
    "stalled body, for ever": stalled(),
    "truncated archive or filing": truncated,
    "wrong hash": wrong_hash,
    "HTML page instead of data": served("instead", body=b"<!DOCTYPE html><html><body>Checking your browser</body></html>"),
    "empty answer": served("instead", body=b""),
    "renamed column": renamed,
    "no DNS": no_dns,
    "full disk": full_disk,
    "Ctrl-C in mid-body": served("ctrl-c", times=1),
    "two downloads at once": at_once,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", OPTIONS)
def test_fault(outcome, source, fault):
    result = outcome(source, fault)
    print(source, "|", fault, "|", result)
    assert re.match("right data|error: |interrupted|does not apply", result)
    open("/tmp/faults.txt", "a").write(f"{source} | {fault} | {result}\n")
