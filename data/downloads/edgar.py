"""10-K sections from EDGAR through edgartools, one filing at a time."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from data.checks import share_class
from data.downloads import patience
from data.downloads.patience import DownloadError, explain, one_by_one, patiently, reject_page
from data.downloads.stored import older_rows, part, store_rows
from data.downloads.yahoo import TICKERS

ITEMS = ("1A", "7", "7A")
# Annual reports too, which edgartools does not cut into sections; in a 10-KSB the items have other
# numbers. They are named, not read.
OTHER_FORMS = ("10-K405", "10-KT", "10-KSB", "10-KSB40")
FIRST_YEAR = 2010
TYPES = dict.fromkeys(("ticker", "form", "item", "text", "accession"), "str") | {
    "cik": "int64",
    "date_filed": "datetime64[us]",
    "accepted": "datetime64[us]",
}
BY_HAND = {name: kind for name, kind in TYPES.items() if name not in ("accession", "accepted")}
COLUMNS = ["ticker", "cik", "form", "date_filed", "item", "text", "accession", "accepted"]
NO_IDENTITY = (
    "give your name and e-mail address once, as the SEC asks: "
    'export EDGAR_IDENTITY="Jane Doe jane@example.org", or --identity'
)


def connect(identity: str | None) -> object:
    """edgartools with an identity, at most 9 requests a second in all, no cache on disk, and our
    patience, not its own.
    """
    identity = identity or os.environ.get("EDGAR_IDENTITY", "")
    if not re.search(r"\S+@\S+\.\S+", identity):
        raise DownloadError("EDGAR answers only those who say who they are", NO_IDENTITY)
    os.environ["EDGAR_RATE_LIMIT_PER_SEC"] = "9"

    import edgar
    import stamina
    from edgar.httpclient import HTTP_MGR, close_clients, configure_http

    edgar.set_identity(identity)
    stamina.set_active(False)
    close_clients()
    HTTP_MGR.cache_mode = "Disabled"  # it would keep a page about an error for ever
    configure_http(timeout=patience.TIMEOUT)
    return edgar


def filings(
    folder: Path,
    partial: Path,
    tickers: Iterable[str] = TICKERS,
    years: Sequence[int] | None = None,
    identity: str | None = None,
) -> dict:
    """Sections 1A, 7 and 7A of the 10-K filings of ``tickers`` in ``years`` (first, last);
    amendments are left out.

    ``accepted`` is the time of acceptance, to the second, as the filing's own header gives it (US
    Eastern time).
    """
    edgar = connect(identity)
    first, last = years or (FIRST_YEAR, date.today().year)
    if first > last:
        raise DownloadError(
            f"the first year, {first}, is after the last, {last}",
            "give the first year, then the last",
        )
    target = folder / "filings_10k.parquet"
    older = older_rows(target, "filings", BY_HAND)
    done = set(older.get("accession", ()))

    tickers = list(dict.fromkeys(map(share_class, tickers)))  # BRK.B is EDGAR's BRK-B
    found, failed = one_by_one(
        tickers, lambda ticker: listing(edgar, ticker, first, last), "company", "EDGAR, lists"
    )
    tell_other_forms(found)
    found = {
        ticker: [filing for filing in listed if filing.form == "10-K"]
        for ticker, listed in found.items()
    }
    wanted = not_yet_stored(found, done)
    arrived, failed_filings = one_by_one(
        list(wanted),
        lambda accession: part(
            partial / f"{accession}.parquet", lambda: sections(edgar, *wanted[accession])
        ),
        "filing",
        "EDGAR, filings",
    )
    rows = with_older(older, arrived)
    if not len(rows):
        raise DownloadError(
            f"no 10-K sections {first} to {last} for {', '.join(found)}",
            "check the tickers and the years",
        )
    missing, without = tell_missing(found, arrived, rows, f"{first} to {last}")
    notes = {"missing": missing, "without_sections": without, "failed": failed | failed_filings}
    return store_rows(target, rows, "EDGAR", "date_filed", **notes)


def not_yet_stored(found: Mapping[str, list], done: set[str]) -> dict[str, tuple]:
    """(filing, first of its tickers) by accession number, of what is not in ``done``."""
    wanted = {}
    for ticker, listed in found.items():
        for filing in listed:
            if filing.accession_no not in done:
                wanted.setdefault(filing.accession_no, (filing, ticker))
    return wanted


def with_older(older: pd.DataFrame, arrived: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Sections of an earlier download and new ones, by date; rows put there by hand give way."""
    rows = pd.concat(
        [pd.DataFrame(columns=COLUMNS).astype(TYPES), older, *arrived.values()], ignore_index=True
    )
    again = rows["accession"].isna() & rows.duplicated(
        ["cik", "date_filed", "item"], keep="last"
    )  # put there by hand
    return rows[~again].sort_values(["date_filed", "ticker", "item"])


def tell_missing(
    found: Mapping[str, list], arrived: Mapping[str, pd.DataFrame], rows: pd.DataFrame, years: str
) -> tuple[list[str], list[str]]:
    """Say, and return, which tickers have no filings, and which filings no sections."""
    missing = [ticker for ticker, listed in found.items() if not listed]
    without = [accession for accession, frame in arrived.items() if not len(frame)]
    elsewhere = [
        ticker for ticker, listed in found.items() if stored_elsewhere(rows, ticker, listed)
    ]
    if elsewhere:
        print(
            "stored under another ticker of the same company: the filings of "
            f"{', '.join(elsewhere)}"
        )
    if missing:
        print(f"no 10-K filings {years}: {', '.join(missing)}")
    if without:
        print(f"no section 1A, 7 or 7A found in: {', '.join(without)}")
    return missing, without


def tell_other_forms(found: Mapping[str, list]) -> None:
    """Say which annual reports are left out because of their form; ``found`` is ticker: filings."""
    others = []
    for ticker, listed in found.items():
        for filing in listed:
            if filing.form != "10-K":
                others.append(f"{ticker} {filing.filing_date} ({filing.form})")
    if others:
        more = f" and {len(others) - 5:,} more" if len(others) > 5 else ""
        print(f"annual reports in another form than 10-K, not read: {', '.join(others[:5])}{more}")


def stored_elsewhere(rows: pd.DataFrame, ticker: str, listed: list) -> bool:
    """Whether the filings of ``ticker`` are those of another share class, under whose ticker they
    stand.
    """
    same = rows["accession"].isin([filing.accession_no for filing in listed])
    return same.any() and not (rows["ticker"] == ticker).any()


def listing(edgar: object, ticker: str, first: int, last: int) -> list:
    """The annual reports of one company, 10-K and OTHER_FORMS; none where EDGAR does not know
    it.
    """

    def find():
        company = edgar.Company(ticker)
        if company.not_found:  # edgartools makes an empty company of a 404
            raise DownloadError("HTTP 404 (Not Found) from data.sec.gov", patience.STEPS[404])
        return list(
            company.get_filings(
                form=["10-K", *OTHER_FORMS],
                amendments=False,
                filing_date=f"{first}-01-01:{last}-12-31",
            )
        )

    try:
        return patiently(find)
    except edgar.CompanyNotFoundError:
        return []
    except DownloadError:
        raise
    except Exception as error:
        raise explain(error) from error


def sections(edgar: object, filing: object, ticker: str) -> pd.DataFrame:
    """One row a section, from the complete submission: one file has header and document."""
    try:
        text = patiently(filing.full_text_submission)
        reject_page(text[:1000].encode())
        if "</SEC-DOCUMENT>" not in text[-200:]:
            raise DownloadError("the submission ends too early")
        whole = edgar.Filing.from_sgml_text(text)
        accepted = whole.header.acceptance_datetime
        if accepted is None:
            raise DownloadError("the header has no time of acceptance")
        report = whole.obj()
        texts = {item: report.get(f"Item {item}") for item in ITEMS}
    except DownloadError:
        raise
    except Exception as error:
        raise explain(error) from error
    filed = pd.Timestamp(whole.filing_date)
    rows = [
        (
            ticker,
            whole.cik,
            whole.form,
            filed,
            item,
            text,
            whole.accession_no,
            pd.Timestamp(accepted),
        )
        for item, text in texts.items()
        if text
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype(TYPES)
