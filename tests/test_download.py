"""Downloads against a loopback internet: the real clients, the real addresses, real TLS; every
fault of the issue.
"""

import gc
import hashlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import requests
import yfinance
from server import Internet
from yfinance.data import YfData

import data as data_package
import data.__main__ as command_line
from data import load_filings, load_sp500, load_stock_prices
from data.downloads import archives, download, patience, stored
from data.downloads.patience import DownloadError
from data.files import whole_file
from data.source import DataError, sha256

README = Path(data_package.__file__).with_name("README.md")
pytestmark = pytest.mark.slow
HOSTS = (
    *(
        "fred.stlouisfed.org",
        "www.sec.gov",
        "data.sec.gov",
        "ai.stanford.edu",
        "dataset.bj.bcebos.com",
    ),
    *("nlp.stanford.edu", "downloads.cs.stanford.edu", "huggingface.co"),
    *("query1.finance.yahoo.com", "query2.finance.yahoo.com", "fc.yahoo.com", "guce.yahoo.com"),
)
DAYS = pd.bdate_range("2015-01-02", periods=1500)
WALK = 2000 * np.exp(np.random.default_rng(0).normal(0, 0.01, len(DAYS)).cumsum())
IDENTITY = "Jane Doe jane@example.org"


# The true formats, with contents of our own


def fred_csv(series, dates, values):
    lines = [
        f"{day:%Y-%m-%d},{'' if np.isnan(value) else f'{value:.2f}'}"
        for day, value in zip(dates, values)
    ]
    return "\n".join([f"observation_date,{series}", *lines, ""]).encode()


def yahoo_chart(path):
    return chart_of(re.search("chart/([^?]+)", path)[1])


@cache
def chart_of(symbol):
    if symbol == "GONE":
        error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return json.dumps(
            {"chart": {"result": None, "error": error}}, separators=(",", ":")
        ).encode(), 404
    days = DAYS[:700] if symbol == "ENDED" else DAYS
    stamps = [
        int(stamp)
        for stamp in (days + pd.Timedelta(hours=9.5))
        .tz_localize("America/New_York")
        .as_unit("s")
        .asi8
    ]
    close = WALK[: len(days)].round(2).tolist()
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "gmtoffset": -18000,
    }
    meta |= {
        "timezone": "EST",
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": stamps[-1],
    }
    meta |= {
        "regularMarketPrice": close[-1],
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "max"],
    }
    quotes = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": [1000] * len(days)}
    adjusted = [{"adjclose": [0.5 * price for price in close]}]
    result = [
        {"meta": meta, "timestamp": stamps, "indicators": {"quote": [quotes], "adjclose": adjusted}}
    ]
    return json.dumps({"chart": {"result": result, "error": None}}, separators=(",", ":")).encode()


def words(seed, count=4000):
    generator = random.Random(seed)
    return " ".join(
        "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(count)
    )


@cache
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
        f"<p><b>Item {item}. {title}</b></p><p>{item} of {accession}: "
        f"{words(item + accession)}.</p>"
        for item, title in sections.items()
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
    blank = dict.fromkeys(
        ("act", "fileNumber", "filmNumber", "items", "primaryDocument", "primaryDocDescription"),
        [""] * 3,
    )
    flags = dict.fromkeys(("isXBRL", "isInlineXBRL"), [0] * 3)
    company = {
        "cik": "0000320193",
        "entityType": "operating",
        "name": "Apple Inc.",
        "tickers": ["AAPL"],
        "exchanges": ["Nasdaq"],
    }
    blank_company = dict.fromkeys(
        ("sic", "sicDescription", "ein", "description", "website", "investorWebsite", "category"),
        "",
    )
    blank_company |= dict.fromkeys(
        ("fiscalYearEnd", "stateOfIncorporation", "stateOfIncorporationDescription", "phone"), ""
    ) | {
        "flags": "",
        "formerNames": [],
    }
    address = dict.fromkeys(
        ("street1", "street2", "city", "stateOrCountry", "zipCode", "stateOrCountryDescription"), ""
    )
    addresses = {"mailing": address, "business": address}
    flags_company = {"insiderTransactionForOwnerExists": 0, "insiderTransactionForIssuerExists": 1}
    filings = {"recent": columns | blank | flags, "files": []}
    return json.dumps(
        company | blank_company | flags_company | {"addresses": addresses, "filings": filings}
    ).encode()


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
    return "".join(
        f"word{row} {' '.join(map(str, generator.normal(size=dimension).round(5)))}\n"
        for row in range(200)
    )


TAR = tar_bytes(
    *(
        (f"aclImdb/{part}/pos/{n}_9.txt", words(f"{part}{n}").encode())
        for part in ("train", "test")
        for n in range(2)
    )
)
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
        ("www.sec.gov", "/Archives/edgar/data/320193/"): lambda path: submission(
            path.rpartition("/")[2][:-4]
        ),
        ("www.sec.gov", "/files/company_tickers.json"): b"{}",
        ("www.sec.gov", "/files/company_tickers_mf.json"): nothing,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.settings.items():
            patch.setenv(name, value)
        patch.setenv("EDGAR_LOCAL_DATA_DIR", str(folder / "edgar"))
        patch.setenv("EDGAR_IDENTITY", IDENTITY)
        patch.setattr(patience, "TIMEOUT", 5)
        patch.setattr(patience, "ATTEMPTS", 3)
        patch.setattr(archives, "IMDB_HASH", "md5:" + hashlib.md5(TAR).hexdigest())
        patch.setattr(archives, "GLOVE_HASH", "sha256:" + hashlib.sha256(ZIP).hexdigest())
        yfinance.set_tz_cache_location(str(folder / "yfinance"))
        from edgar.httpclient import (
            HTTP_MGR,
        )  # after the settings above, some of which it reads once

        patch.setattr(HTTP_MGR, "proxy", server.url)
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
    monkeypatch.setattr(patience, "sleep", slept.append)
    return slept


# Source x fault -> outcome


def older_data(folder):
    """What an earlier download might have left, with content that a new one replaces, and content
    that it keeps.
    """
    (folder / "SP500.csv").write_bytes(
        fred_csv("SP500", pd.bdate_range("2014-12-01", "2015-02-02"), np.full(46, 1900.0))
    )
    months = pd.date_range("1978-01-01", periods=500, freq="MS")
    for series in ("UMCSENT", "IPGMFN"):
        (folder / f"{series}.csv").write_bytes(fred_csv(series, months, np.full(500, 80.0)))
    (folder / "aclImdb_v1.tar.gz").write_bytes(tar_bytes(("aclImdb/old.txt", b"old")))
    (folder / "glove.6B.100d.txt").write_text("old 0.1\n", encoding="utf-8")
    days = pd.date_range("2014-12-01", periods=30, unit="us")
    prices = [
        pd.DataFrame({"symbol": symbol, "date": days, "adj_close": 7.0, "volume": 1.0})
        for symbol in ("MSFT", "IBM")
    ]
    pd.concat(prices).to_parquet(folder / "stock_prices.parquet", index=False)
    filing = {
        "ticker": "IBM",
        "cik": 51143,
        "form": "10-K",
        "date_filed": pd.Timestamp("2019-02-26"),
        "item": "7",
        "text": "old",
    }
    pd.DataFrame([filing]).to_parquet(folder / "filings_10k.parquet", index=False)


def content(folder, source):
    """What the local files of a source say, independent of how Parquet wrote it down."""
    return [
        pd.read_parquet(folder / name).to_csv()
        if name.endswith("parquet")
        else (folder / name).read_bytes()
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
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stderr(io.StringIO()),
            redirect_stdout(io.StringIO()),
        ):
            patch.setenv("RNN_TRADING_DATA", str(folder))
            patch.setattr(patience, "sleep", naps.append)
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
                    causes = re.sub(
                        r" from [\w.]+|MSFT: |SP500: |UMCSENT: |IPGMFN: |[\d-]{20}: ",
                        "",
                        error.cause,
                    ).split(" / ")
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
    """The item that failed has its older rows, or none; the others have arrived; nothing else has
    gone.
    """
    if source == "prices":
        rows = pd.read_parquet(folder / "stock_prices.parquet").groupby("symbol")["adj_close"]
        assert (
            rows.count().to_dict() == {"AAPL": len(DAYS), "MSFT": 30, "IBM": 30}
            and rows.max()["MSFT"] == 7
        )
    else:
        rows = pd.read_parquet(folder / "filings_10k.parquet")
        assert (
            set(rows["accession"].dropna()) == {ACCESSIONS[0]}
            and (rows["text"] == "old").sum() == 1
        )


def served(kind, **options):
    return lambda internet, source: internet.broken(kind, WHERE[source], **options)


def stalled(timeout, **options):
    @contextmanager
    def spoil(internet, source):
        with (
            pytest.MonkeyPatch.context() as patch,
            internet.broken("stall", WHERE[source], **options),
        ):
            patch.setattr(patience, "TIMEOUT", timeout)
            yield

    return spoil


@contextmanager
def ctrl_c(internet, source, kind="ctrl-c"):
    """A real SIGINT while the body is awaited.

    A test runner may have set it to be ignored, and a garbage collection with the callback of JAX
    may swallow it.
    """
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch, internet.broken(kind, WHERE[source], times=1):
            patch.setattr(patience, "TIMEOUT", 1.5)
            yield
    finally:
        gc.enable()
        signal.signal(signal.SIGINT, handler)


def truncated(internet, source):
    """Broken off before it was sent, so that its length agrees with its header."""
    whole = ARCHIVES | {
        "sp500": fred_csv("SP500", DAYS, WALK),
        "macro": fred_csv("IPGMFN", DAYS, WALK),
        "prices": yahoo_chart("chart/MSFT?"),
        "filings": submission(ACCESSIONS[1]),
    }
    return internet.broken("instead", WHERE[source], body=whole[source][:-3])


def wrong_hash(internet, source):
    return (
        internet.broken("instead", WHERE[source], body=TAR + b"x") if source in ARCHIVES else None
    )


def renamed(internet, source):
    bodies = {
        "sp500": fred_csv("SPX", DAYS, WALK),
        "macro": fred_csv("IPMAN", DAYS, WALK),
        "prices": yahoo_chart("chart/MSFT?").replace(b"adjclose", b"adjusted"),
        "filings": submission(ACCESSIONS[1]).replace(b"ACCEPTANCE-DATETIME", b"ACCEPTED-ON"),
    }
    return (
        internet.broken("instead", WHERE[source], body=bodies[source]) if source in bodies else None
    )


@contextmanager
def no_dns(internet, source):
    """.invalid is reserved never to resolve; the proxy is the only name that a client here has to
    resolve itself.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
            patch.setenv(name, "http://proxy.invalid:3128")
        from edgar.httpclient import HTTP_MGR

        patch.setattr(HTTP_MGR, "proxy", "http://proxy.invalid:3128")
        yield


@contextmanager
def full_disk(internet, source, limit=8192):
    """The kernel refuses to let a file grow beyond ``limit`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
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
    "stalled body, once": stalled(1.5, times=1),
    "stalled body, for ever": stalled(0.4),
    "truncated answer, whole by its header": truncated,
    "wrong hash": wrong_hash,
    "HTML page instead of data": served(
        "instead", body=b"<!DOCTYPE html><html><body>Checking your browser</body></html>"
    ),
    "empty answer": served("instead", body=b""),
    "renamed column": renamed,
    "no DNS": no_dns,
    "full disk": full_disk,
    "Ctrl-C in mid-body": ctrl_c,
    "Ctrl-C while the body flows": partial(ctrl_c, kind="ctrl-c, flowing"),
    "two downloads at once": at_once,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", OPTIONS)
def test_fault_does_no_harm(outcome, source, fault):
    result = outcome(source, fault)
    assert re.match("right data|error: |interrupted|does not apply", result)
    if re.search(", once|then 200", fault):
        assert result.startswith("right data")
    elif result != "does not apply":
        assert not result.startswith("right data") and "could not be read" not in result


def fault_table(outcome):
    """Markdown: one row a fault and outcome, with the sources that share it."""
    lines = ["| fault | sources | outcome |", "|---|---|---|"]
    for fault in FAULTS:
        shared = {}
        for source in OPTIONS:
            result = outcome(source, fault).replace(f"of {source} is", "of it is")
            shared.setdefault(re.sub(r" \([^()]* failed, 0 kept.*\)", "", result), []).append(
                source
            )
        lines += [
            f"| {fault} | {', '.join(sources)} | {result} |" for result, sources in shared.items()
        ]
    return "\n".join(lines)


def test_readme_has_the_table_of_faults(outcome):
    """To renew the table: UPDATE_FAULTS=1 pytest tests/test_download.py"""
    begin, end = "<!-- faults: made by tests/test_download.py -->\n", "\n<!-- end of faults -->"
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    table, _, after = rest.partition(end)
    if os.environ.get("UPDATE_FAULTS"):
        README.write_text(before + begin + fault_table(outcome) + end + after, encoding="utf-8")
    else:
        assert table == fault_table(outcome)


# The archives


OUTSIDE, LINK, BOMB = "leads out of the folder", "link or a device", "would unpack to more than"
EVIL_TARS = {
    "absolute": (OUTSIDE, [("/tmp/evil.txt", b"x")]),
    "parent": (OUTSIDE, [("aclImdb/../../evil.txt", b"x")]),
    "backslash": (OUTSIDE, [("aclImdb\\..\\..\\evil.txt", b"x")]),
    "drive": (OUTSIDE, [("C:/evil.txt", b"x")]),
    "symbolic link": (LINK, [("aclImdb/a", {"type": tarfile.SYMTYPE, "linkname": "/etc"})]),
    "hard link": (LINK, [("aclImdb/a", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})]),
    "device": (LINK, [("aclImdb/a", {"type": tarfile.CHRTYPE})]),
    "expansion": (BOMB, [("aclImdb/a", bytes(5_000_000))]),
}


@pytest.mark.parametrize("kind", EVIL_TARS)
def test_dangerous_tar_is_refused(internet, local, naps, monkeypatch, kind):
    why, members = EVIL_TARS[kind]
    body = tar_bytes(("aclImdb/good.txt", b"good"), *members)
    monkeypatch.setattr(archives, "IMDB_HASH", "md5:" + hashlib.md5(body).hexdigest())
    with internet.broken("instead", "aclImdb", body=body), pytest.raises(DownloadError, match=why):
        download("imdb")
    assert not (local / "aclImdb_v1.tar.gz").exists()


def evil_zip(kind):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    extra = {
        "absolute": ("/tmp/evil.txt", "x"),
        "parent": ("../evil.txt", "x"),
        "drive": ("C:/evil.txt", "x"),
        "symbolic link": (link, "/etc"),
        "expansion": ("big", bytes(5_000_000)),
    }
    return zip_bytes(("glove.6B.100d.txt", "a 1"), extra[kind])


@pytest.mark.parametrize("kind", ["absolute", "parent", "drive", "symbolic link", "expansion"])
def test_dangerous_zip_is_refused(internet, local, naps, monkeypatch, kind):
    body = evil_zip(kind)
    monkeypatch.setattr(archives, "GLOVE_HASH", "sha256:" + hashlib.sha256(body).hexdigest())
    with (
        internet.broken("instead", "glove.6B", body=body),
        pytest.raises(DownloadError, match=EVIL_TARS[kind][0]),
    ):
        download("glove")
    assert not (local / "glove.6B.100d.txt").exists()


def test_zip_that_lies_about_a_size_or_lacks_the_dimension(tmp_path):
    path = tmp_path / "small.zip"
    path.write_bytes(ZIP)
    with pytest.raises(DownloadError, match="damaged.*glove.6B.300d.txt"):
        archives.unzip_member(path, "glove.6B.300d.txt", tmp_path / "glove.6B.300d.txt")
    body = bytearray(zip_bytes(("a", words(1))))
    size = len(words(1)).to_bytes(4, "little")
    where = body.rindex(size)
    body[where : where + 4] = (10).to_bytes(4, "little")
    path.write_bytes(body)
    with pytest.raises(DownloadError, match="damaged"), whole_file(tmp_path / "a") as temporary:
        archives.unzip_member(path, "a", temporary)
    assert sorted(tmp_path.iterdir()) == [path]


def test_archive_goes_on_where_it_broke_off(internet, local, naps):
    internet.log.clear()
    with internet.broken("reset", "aclImdb", times=1):
        download("imdb")
    assert {headers["Accept-Encoding"] for _, _, _, headers in internet.log} == {"identity"}, (
        "bytes that can be counted"
    )
    ranges = [headers.get("Range") for _, _, path, headers in internet.log]
    assert ranges[0] is None and re.fullmatch(r"bytes=[1-9]\d+-", ranges[1]) and len(ranges) == 2
    assert (local / "aclImdb_v1.tar.gz").read_bytes() == TAR


def test_next_run_goes_on_too(internet, local, naps):
    with internet.broken("reset", "glove.6B"), pytest.raises(DownloadError):
        download("glove")
    internet.log.clear()
    download("glove", dimensions=[50, 100])
    assert [headers.get("Range", "")[:6] for _, _, path, headers in internet.log] == ["bytes="]
    assert sorted(path.name for path in local.glob("glove*")) == [
        "glove.6B.100d.txt",
        "glove.6B.50d.txt",
        "glove.download.json",
    ]
    assert (local / "glove.6B.50d.txt").read_text(encoding="utf-8") == vectors(50)


def test_server_without_ranges_makes_it_start_anew(internet, local, naps):
    with internet.broken("reset", "aclImdb"), pytest.raises(DownloadError):
        download("imdb")
    assert next((local / ".imdb.partial").iterdir()).stat().st_size
    internet.log.clear()
    with internet.broken(
        "instead", "aclImdb", body=TAR
    ):  # the whole with status 200, whatever range was asked for
        download("imdb")
    assert len(internet.log) == 1
    assert (local / "aclImdb_v1.tar.gz").read_bytes() == TAR


@pytest.mark.parametrize("surplus, requests_needed", [(b"", 1), (b"rubbish", 2)])
def test_archive_that_had_arrived_before_the_process_died(
    internet, local, surplus, requests_needed
):
    """Nothing is left to ask for (status 416): the hash decides whether to start anew."""
    (local / ".imdb.partial").mkdir()
    (local / ".imdb.partial" / "aclImdb_v1.tar.gz.part").write_bytes(TAR + surplus)
    internet.log.clear()
    download("imdb")
    assert (
        len(internet.log) == requests_needed and (local / "aclImdb_v1.tar.gz").read_bytes() == TAR
    )


def test_mirror_takes_over(internet, local, naps):
    with internet.broken("404", "nlp.stanford.edu"):
        assert "downloads.cs.stanford.edu" in download("glove")["origin"]
    with internet.broken("404", "stanford.edu"):
        assert (
            "huggingface" in download("glove")["origin"] and "bcebos" in download("imdb")["origin"]
        )


def test_dimensions_add_up(internet, local):
    for dimension in (50, 100):
        download("glove", dimensions=[dimension])
    assert set(stored.read_record(local, "glove")["files"]) == {
        "glove.6B.50d.txt",
        "glove.6B.100d.txt",
    }


def test_own_zip_spares_the_download(internet, local):
    (local / "glove.6B.zip").write_bytes(ZIP)
    internet.log.clear()
    download("glove")
    assert not internet.log and (local / "glove.6B.100d.txt").read_text(
        encoding="utf-8"
    ) == vectors(100)
    assert sorted(path.name for path in local.glob("glove.6B.*")) == [
        "glove.6B.100d.txt",
        "glove.6B.zip",
    ]


# The sources


def test_fred_keeps_what_it_no_longer_serves(internet, local):
    download("sp500")
    later = fred_csv("SP500", DAYS[500:], WALK[500:] + 1)
    with internet.broken("instead", "SP500", body=later):
        download("sp500")
    prices = load_sp500()
    assert list(prices.columns) == ["close"] and prices.index.name == "date"
    assert prices.index[0] == DAYS[0] and prices.index[-1] == DAYS[-1]
    assert prices["close"].iloc[-1] == pytest.approx(WALK[-1] + 1, abs=0.01)
    assert (
        prices.attrs["source"]["origin"] == "SP500.csv"
        and "no redistribution" in prices.attrs["source"]["licence"]
    )


def test_downloaded_macro_series_are_read(internet, local):
    from data.macro import load_macro

    download("macro")
    macro = load_macro()
    assert list(macro.columns) == ["sentiment", "ip"] and macro.index[0] == pd.Timestamp(
        "1978-01-01"
    )
    assert macro["sentiment"].iloc[[0, -1]].tolist() == [50, 100] and macro["ip"].iloc[
        [0, -1]
    ].tolist() == [100, 50]


@pytest.mark.parametrize(
    "text",
    [
        "observation_date,SPX\n2020-01-01,1\n",
        "date\n",
        "observation_date,SP500\n2020-01-02,1\n2020-01-01,2\n",
    ],
)
def test_damaged_fred_file(local, text):
    (local / "SP500.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="SP500.csv.*python -m data download sp500"):
        load_sp500()


def test_prices_of_the_delisted_are_reported_and_not_padded(internet, local, capsys):
    (local / "list.txt").write_text("AAPL\nGONE ENDED", encoding="utf-8")
    assert command_line.main(["download", "prices", "--tickers-file", str(local / "list.txt")]) == 0
    record = stored.read_record(local, "prices")
    printed = capsys.readouterr().out
    assert (
        "delisted or misspelt: GONE" in printed
        and f"not padded: ENDED ({DAYS[699]:%Y-%m-%d})" in printed
    )
    assert record["missing"] == ["GONE"]
    panel = load_stock_prices()
    assert (
        list(panel.columns) == ["AAPL", "ENDED"] and panel["ENDED"].last_valid_index() == DAYS[699]
    )
    assert panel["AAPL"].iloc[0] == pytest.approx(0.5 * WALK[0], abs=0.01)
    assert load_stock_prices("volume")["AAPL"].eq(1000).all()


def test_prices_leave_the_running_day_out(internet, local):
    """Yahoo puts the price of the moment at the end of a daily series."""
    internet.log.clear()
    download("prices", tickers=["AAPL"], start="2000-01-03")
    query = next(path for _, _, path, _ in internet.log if "period1" in path)
    first, last = (
        pd.Timestamp(int(re.search(f"{name}=(\\d+)", query)[1]), unit="s", tz="UTC")
        for name in ("period1", "period2")
    )
    first, last = first.tz_convert("America/New_York"), last.tz_convert("America/New_York")
    assert first == pd.Timestamp("2000-01-03", tz="America/New_York")
    assert last == last.normalize() and last <= pd.Timestamp.now("UTC") + pd.Timedelta(days=1)


@pytest.mark.parametrize(
    "text, problem", [(None, "No such file"), (" \n", "no ticker in"), (b"\xff\xfe", "decode")]
)
def test_useless_file_of_tickers(local, capsys, text, problem):
    path = local / "list.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SystemExit):
        command_line.main(["download", "prices", "--tickers-file", str(path)])
    assert problem in capsys.readouterr().err


def test_only_unknown_tickers(internet, local):
    with pytest.raises(DownloadError, match="no prices for GONE"):
        download("prices", tickers=["GONE"])


def test_prices_resume_per_ticker_and_give_up_in_time(internet, local, naps):
    tickers = ["AAPL", "R1", "R2", "R3", "R4"]
    with (
        internet.broken("404", "chart/R.*period1"),
        pytest.raises(DownloadError, match="R1, R2, R3 failed, 1 kept"),
    ):
        download("prices", tickers=tickers)
    assert not (local / "stock_prices.parquet").exists()
    internet.log.clear()
    YfData.cache_get.cache_clear()
    download("prices", tickers=[ticker.lower() for ticker in tickers])
    paths = " ".join(path for _, _, path, _ in internet.log)
    assert "R4?period1" in paths and "AAPL" not in paths
    assert set(load_stock_prices().columns) == set(tickers)


def test_prices_that_arrived_beside_a_failure_are_used_for_a_day(internet, local, naps):
    with (
        internet.broken("404", WHERE["prices"]),
        pytest.raises(DownloadError, match="1 failed.*MSFT"),
    ):
        download("prices", **OPTIONS["prices"])
    part = local / ".prices.partial" / "1990-01-01" / "AAPL.parquet"
    for age, expected in ((23, {"MSFT"}), (25, {"AAPL", "MSFT"})):
        kept = part.read_bytes()
        os.utime(part, times=(time.time() - 3600 * age,) * 2)
        internet.log.clear()
        YfData.cache_get.cache_clear()
        download("prices", **OPTIONS["prices"])
        assert (
            set(
                re.findall(
                    r"chart/(\w+)\?period1", " ".join(path for _, _, path, _ in internet.log)
                )
            )
            == expected
        )
        part.parent.mkdir(parents=True)
        part.write_bytes(kept)


def test_filings_layout(internet, local):
    download("filings", **OPTIONS["filings"])
    rows = pd.read_parquet(local / "filings_10k.parquet")
    assert list(rows.columns) == [
        "ticker",
        "cik",
        "form",
        "date_filed",
        "item",
        "text",
        "accession",
        "accepted",
    ]
    assert rows["item"].tolist() == ["1A", "7", "7A"] * 2 and set(rows["accession"]) == set(
        ACCESSIONS[:2]
    )
    first = rows.iloc[0]
    assert (first["ticker"], first["cik"], first["form"]) == ("AAPL", 320193, "10-K")
    assert first["date_filed"] == pd.Timestamp("2021-02-03")
    assert first["accepted"] == pd.Timestamp("2021-02-02 18:01:27")
    assert first["text"].startswith("Item 1A. Risk Factors") and "Item 1B" not in first["text"]
    assert words("1A" + ACCESSIONS[0]) in first["text"]


def test_filings_resume_per_filing(internet, local, naps):
    with (
        internet.broken("404", ACCESSIONS[1]),
        pytest.raises(DownloadError, match=f"1 failed.*{ACCESSIONS[1]}"),
    ):
        download("filings", **OPTIONS["filings"])
    internet.log.clear()
    download("filings", tickers=["AAPL"], years=(2021, 2023))
    fetched = [
        path.rpartition("/")[2] for _, host, path, _ in internet.log if host == "www.sec.gov"
    ]
    assert sorted(fetched) == [f"{accession}.txt" for accession in ACCESSIONS[1:]]
    assert {headers["User-Agent"] for _, _, _, headers in internet.log} == {IDENTITY}
    internet.log.clear()
    download("filings", tickers=["AAPL"], years=(2021, 2023))
    assert {host for _, host, _, _ in internet.log} == {"data.sec.gov"}


ERROR_PAGE = {"body": b"<html><body>Undeclared Automated Tool</body></html>"}


@pytest.mark.parametrize(
    "kind, options, problem",
    [
        ("404", {}, r"HTTP 404 \(Not Found\) from data.sec.gov"),
        ("500", {}, r"HTTP 500 \(Internal Server Error\) from data.sec.gov"),
        ("instead", ERROR_PAGE, "instead of JSON"),
        ("instead", {"body": b""}, "instead of JSON"),
        ("cut", {}, "the connection broke"),
    ],
)
@pytest.mark.parametrize("page", ["CIK0000320193.json", "CIK0000320193-submissions-001.json"])
def test_lists_of_filings_that_fail(
    internet, local, naps, monkeypatch, page, kind, options, problem
):
    """A company with a long history has its older filings on further pages."""
    recent = json.loads(submissions_json())
    columns = recent["filings"]["recent"]
    older = {name: values[:1] for name, values in columns.items()}
    recent["filings"]["recent"] = {name: values[1:] for name, values in columns.items()}
    recent["filings"]["files"] = [{"name": "CIK0000320193-submissions-001.json"}]
    monkeypatch.setitem(
        internet.pages,
        ("data.sec.gov", "/submissions/CIK0000320193.json"),
        json.dumps(recent).encode(),
    )
    monkeypatch.setitem(
        internet.pages, ("data.sec.gov", "/submissions/CIK.*-001.json"), json.dumps(older).encode()
    )
    with internet.broken(kind, page, **options), pytest.raises(DownloadError, match=problem):
        download("filings", **OPTIONS["filings"])
    assert not (local / "filings_10k.parquet").exists()
    assert download("filings", **OPTIONS["filings"])["rows"] == 6


def test_amendments_are_left_out(internet, local):
    forms = submissions_json().replace(b'"10-K", "10-K"', b'"10-K", "10-K/A"', 1)
    with internet.broken("instead", "submissions/", body=forms):
        download("filings", tickers=["AAPL"], years=(2021, 2023))
    assert set(pd.read_parquet(local / "filings_10k.parquet")["accession"]) == {
        ACCESSIONS[0],
        ACCESSIONS[2],
    }


def test_share_classes_have_the_filings_once(internet, local, monkeypatch, capsys):
    monkeypatch.setitem(
        internet.pages, ("data.sec.gov", "/submissions/CIK0001652044.json"), submissions_json()
    )
    for tickers in (["GOOG", "GOOGL"], ["GOOGL"]):
        download("filings", tickers=tickers, years=(2021, 2021))
        assert (
            "under another ticker of the same company: the filings of GOOGL"
            in capsys.readouterr().out
        )
        assert pd.read_parquet(local / "filings_10k.parquet")["ticker"].tolist() == ["GOOG"] * 3


def test_two_filings_on_a_day_replace_the_one_put_there_by_hand(internet, local, monkeypatch):
    first, second = ACCESSIONS[0], ACCESSIONS[0][:-1] + "4"
    late = json.loads(submissions_json())
    late["filings"]["recent"] |= {
        "accessionNumber": [first, second, ACCESSIONS[2]],
        "filingDate": ["2021-02-03"] * 2 + ["2023-02-03"],
    }
    monkeypatch.setitem(
        internet.pages,
        ("data.sec.gov", "/submissions/CIK0000320193.json"),
        json.dumps(late).encode(),
    )
    by_hand = {
        "ticker": "AAPL",
        "cik": 320193,
        "form": "10-K",
        "date_filed": pd.Timestamp("2021-02-03"),
        "item": "7",
        "text": "?",
    }
    pd.DataFrame([by_hand]).to_parquet(local / "filings_10k.parquet", index=False)
    download("filings", tickers=["AAPL"], years=(2021, 2021))
    rows = load_filings()
    assert rows["item"].tolist() == ["1A", "1A", "7", "7", "7A", "7A"] and "?" not in set(
        rows["text"]
    )


def test_years_the_wrong_way_round(internet, local):
    with pytest.raises(DownloadError, match="the first year, 2022, is after the last, 2020"):
        download("filings", tickers=["AAPL"], years=(2022, 2020))


def test_filings_need_an_identity(internet, local, monkeypatch):
    monkeypatch.setenv("EDGAR_IDENTITY", "")
    internet.log.clear()
    with pytest.raises(DownloadError, match="EDGAR_IDENTITY.*--identity"):
        download("filings")
    assert command_line.main(["download", "filings"]) == 1
    assert not internet.log


def test_unknown_company(internet, local):
    with pytest.raises(DownloadError, match="no 10-K sections 2021 to 2022 for NOSUCH"):
        download("filings", tickers=["NOSUCH"], years=(2021, 2022))


def test_edgar_gets_at_most_ten_requests_a_second(internet, local):
    many = json.loads(submissions_json())
    recent = many["filings"]["recent"]
    many["filings"]["recent"] = {name: (values * 10)[:24] for name, values in recent.items()}
    many["filings"]["recent"]["accessionNumber"] = [
        f"0000320193-21-{number:06}" for number in range(24)
    ]
    internet.log.clear()
    with internet.broken("instead", "submissions/", body=json.dumps(many).encode()):
        with pytest.raises(DownloadError), pytest.MonkeyPatch.context() as patch:
            patch.setattr(patience, "GIVE_UP", 99)
            patch.setitem(
                internet.pages,
                ("www.sec.gov", "/Archives/edgar/data/320193/"),
                b"<SEC-DOCUMENT> too short",
            )
            download("filings", tickers=["AAPL"], years=(2020, 2023))
    times = np.array([when for when, *_ in internet.log])
    assert len(times) == 25
    assert max(((times >= start) & (times < start + 1)).sum() for start in times) <= 10


def test_the_limit_holds_against_the_environment(internet):
    script = (
        "import sys; from data.downloads.edgar import connect; connect(sys.argv[1]);"
        "from edgar.httpclient import HTTP_MGR; print(HTTP_MGR.request_per_sec_limit)"
    )
    environment = os.environ | {"EDGAR_RATE_LIMIT_PER_SEC": "50"}
    command = [sys.executable, "-c", script, IDENTITY]
    assert (
        subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        == "9"
    )


DATES = pd.date_range("2014-12-01", periods=2)


@pytest.mark.parametrize(
    "source, older",
    [
        ("prices", {"a": [1, 2]}),
        ("prices", {"symbol": "X", "date": "soon", "adj_close": 1.0}),
        ("prices", {"symbol": "X", "date": DATES.tz_localize("UTC"), "adj_close": 1.0}),
        ("filings", {"a": [1, 2]}),
        ("sp500", {"observation_date": DATES[::-1], "SP500": 1.0}),
        ("sp500", {"observation_date": "soon", "SP500": [1.0, 2.0]}),
    ],
)
def test_older_file_that_is_none_is_named_and_left_alone(internet, local, source, older):
    path, frame = local / FILES[source][0], pd.DataFrame(older, index=[0, 1])
    frame.to_csv(path, index=False) if source == "sp500" else frame.to_parquet(path, index=False)
    before = path.read_bytes()
    with pytest.raises(
        DownloadError,
        match=f"the older .*{path.name} is damaged.*data remove {source}, or delete it",
    ):
        download(source, **OPTIONS[source])
    assert path.read_bytes() == before


# Waiting, commands, safety


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("source", OPTIONS)
def test_progress_is_shown_to_those_who_watch(internet, local, monkeypatch, source):
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        download(source, **OPTIONS[source])
        assert ("100%" in stream.getvalue()) == stream.isatty() and (
            stream.isatty() or not stream.getvalue()
        )


@pytest.mark.parametrize(
    "value, low, high", [("7", 7, 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("soon", 0, 0)]
)
def test_retry_after(value, low, high):
    error = requests.HTTPError(
        response=SimpleNamespace(status_code=429, headers={"Retry-After": value})
    )
    assert low <= patience.retry_after(error) <= high


def test_waits_grow_and_are_announced(internet, local, naps, capsys):
    with internet.broken("500", "SP500"), pytest.raises(DownloadError):
        download("sp500")
    assert naps == [1, 2]
    waits = [
        "HTTP 500 (Internal Server Error) from fred.stlouisfed.org: next attempt in "
        f"{seconds:.0f} s"
        for seconds in naps
    ]
    assert capsys.readouterr().err.splitlines() == waits


def test_long_waits_are_left_to_the_reader(internet, local, naps):
    with (
        internet.broken("429", "SP500", retry_after="3600"),
        pytest.raises(DownloadError, match="wait 3600 seconds"),
    ):
        download("sp500")
    assert naps == []


@pytest.mark.parametrize("kind, attempts", [("429", 1), ("reset", 3)])
@pytest.mark.parametrize("source", OPTIONS)
def test_no_client_goes_on_on_its_own(internet, local, naps, source, kind, attempts):
    """A server that asks for an hour gets one request, a broken connection our number of attempts,
    at each address.
    """
    YfData.cache_get.cache_clear()
    with (
        internet.broken(kind, WHERE[source], retry_after="3600") as fault,
        pytest.raises(DownloadError),
    ):
        download(source, **OPTIONS[source])
    addresses = {"imdb": archives.IMDB_URLS, "glove": archives.GLOVE_URLS}
    assert 10**6 - fault.left == attempts * len(addresses.get(source, ["one"]))


def test_killed_download_leaves_nothing_in_the_way(internet, local):
    """A process that dies in mid-body (kill -9) leaves neither a lock nor a file that a loader
    would read.
    """
    command = [sys.executable, "-m", "data", "download", "imdb"]
    with internet.broken("held", "aclImdb", times=1) as fault:
        process = subprocess.Popen(command, cwd=README.parent.parent, stderr=subprocess.DEVNULL)
        assert fault.started.wait(60)
        with pytest.raises(DownloadError, match="another download"):
            download("imdb")
        process.kill()
        process.wait()
    assert not (local / "aclImdb_v1.tar.gz").exists()
    download("imdb")
    assert (local / "aclImdb_v1.tar.gz").read_bytes() == TAR


def test_commands(internet, local, capsys):
    assert command_line.main(["download", "sp500"]) == 0
    (local / "glove.6B.50d.txt").write_text("own 1.0\n", encoding="utf-8")
    assert command_line.main(["list"]) == 0
    listed = capsys.readouterr().out
    for text in (
        "FRED SP500",
        "1,470 rows, 2015-01-02",
        "may not be redistributed",
        sha256(local / "SP500.csv"),
        "put there by hand",
    ):
        assert text in listed
    assert command_line.main(["download", "macro"]) == 0 and command_line.main(["list"]) == 0
    listed = capsys.readouterr().out
    for name in FILES["macro"]:
        assert (
            f"{name}, {(local / name).stat().st_size:,} bytes, sha256 {sha256(local / name)}"
            in listed
        )
    assert "changed since" not in listed and command_line.main(["remove", "macro"]) == 0
    assert (
        command_line.main(["remove", "sp500"]) == 0 and command_line.main(["remove", "glove"]) == 0
    )
    printed = capsys.readouterr().out
    assert (
        "deleted" in printed
        and "SP500.csv" in printed
        and "files put there by hand stay" in printed
    )
    assert [path.name for path in local.iterdir() if not path.name.startswith(".")] == [
        "glove.6B.50d.txt"
    ]


def test_damaged_record_is_named(internet, local, capsys):
    (local / "SP500.csv").write_bytes(fred_csv("SP500", DAYS, WALK))
    (local / "sp500.download.json").write_text("{", encoding="utf-8")
    for command in (["list"], ["remove", "sp500"]):
        assert command_line.main(command) == 1
        assert "sp500.download.json is damaged" in capsys.readouterr().err
    assert (local / "SP500.csv").exists()


@pytest.mark.parametrize("source, limit", [("macro", 12_000), ("glove", 150_000)])
def test_all_files_or_none(internet, local, source, limit):
    """The disk is full after the first of two files."""
    older_data(local)
    before = {path.name: path.read_bytes() for path in local.iterdir()}
    longer = fred_csv(
        "IPGMFN", pd.date_range("1978-01-01", periods=500, freq="MS"), np.full(500, 1e9)
    )
    options = {"dimensions": [50, 100]} if source == "glove" else {}
    with internet.broken("instead", "IPGMFN", body=longer), full_disk(internet, source, limit):
        with pytest.raises(DownloadError, match="no space"):
            download(source, **options)
    assert {
        path.name: path.read_bytes() for path in local.iterdir() if not path.name.startswith(".")
    } == before


def test_removal_spares_a_file_changed_by_hand(internet, local):
    download("macro")
    (local / "UMCSENT.csv").write_text("my own", encoding="utf-8")
    command_line.main(["remove", "macro"])
    assert (local / "UMCSENT.csv").read_text(encoding="utf-8") == "my own" and not (
        local / "IPGMFN.csv"
    ).exists()


def test_command_reports_errors_and_interruptions(internet, local, naps, capsys):
    with internet.broken("404", "SP500"):
        assert command_line.main(["download", "sp500"]) == 1
    assert "sp500: HTTP 404 (Not Found) from fred.stlouisfed.org" not in capsys.readouterr().out
    with ctrl_c(internet, "sp500"):
        assert command_line.main(["download", "sp500"]) == 130
    assert "run the command again" in capsys.readouterr().err


def test_filings_command_brings_prices_and_all_goes_on_after_an_error(
    internet, local, naps, capsys
):
    arguments = [
        "download",
        "filings",
        "--tickers",
        "AAPL",
        "--years",
        "2021",
        "2021",
        "--identity",
        IDENTITY,
    ]
    assert command_line.main(arguments) == 0
    assert (
        load_stock_prices().columns.tolist() == ["AAPL"]
        and len(pd.read_parquet(local / "filings_10k.parquet")) == 3
    )
    with internet.broken("404", "chart|www.sec.gov|data.sec.gov"):
        assert command_line.main(["download", "all"]) == 1
    assert {"SP500.csv", "UMCSENT.csv", "aclImdb_v1.tar.gz", "glove.6B.100d.txt"} <= {
        path.name for path in local.iterdir()
    }


@pytest.mark.parametrize("folder", ["", "no such folder", "/sys"])
def test_no_folder_to_write_to(monkeypatch, capsys, folder):
    if folder == "/sys" and not Path(folder).is_dir():
        pytest.skip("/sys, where nobody may write, exists on Linux only")
    monkeypatch.setenv("RNN_TRADING_DATA", folder)
    with pytest.raises(DataError, match="RNN_TRADING_DATA"):
        download("sp500")
    assert command_line.main(["remove", "sp500"]) == 1
    assert "RNN_TRADING_DATA" in capsys.readouterr().err


def test_nothing_is_unpickled():
    root = README.parent.parent
    for path in [
        *root.glob("*.py"),
        *root.glob("data/*.py"),
        *root.glob("tools/*.py"),
        *root.glob("notebooks/*.ipynb"),
    ]:
        assert not re.search(
            r"pickle|joblib\.load|torch\.load|safe_mode", path.read_text(encoding="utf-8")
        ), path.name


def test_nothing_downloaded_is_tracked_by_git():
    """The licences of most sources forbid to pass the files on."""
    root = README.parent.parent
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    names = {Path(name).name for name in tracked}
    assert not names & {
        "SP500.csv",
        "UMCSENT.csv",
        "IPGMFN.csv",
        "stock_prices.parquet",
        "filings_10k.parquet",
        "aclImdb_v1.tar.gz",
    }
