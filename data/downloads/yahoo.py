"""Daily prices from Yahoo! Finance through yfinance, one ticker at a time."""

import warnings
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import curl_cffi.requests
import pandas as pd
import yfinance
from yfinance.exceptions import YFTickerMissingError

from data.checks import keep_possible, share_class
from data.downloads import patience
from data.downloads.patience import DownloadError, explain, one_by_one, patiently, reject_page
from data.downloads.stored import older_rows, part, store_rows

EXCHANGE = (
    "America/New_York"  # whose day it is, wherever the reader sits; asked of before an answer
)
START = "1990-01-01"
TICKERS = [  # the bundled ones
    *("AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO"),
    *("LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM"),
]
TIMEOUT = 10  # seconds for a whole answer; curl notices Ctrl-C only between packets
KEY = {"symbol": "str", "date": "datetime64[us]"}
A_DAY = 24 * 3600  # seconds for which a ticker that arrived in a failed run is used


class YahooSession(curl_cffi.requests.Session):
    """yfinance's own kind of session, patient with prices and strict about them; cookies are left
    to yfinance.
    """

    def request(
        self, method: str, url: str, *arguments: object, **options: object
    ) -> curl_cffi.requests.Response:
        if "/v8/finance/chart/" not in url:
            return super().request(method, url, *arguments, **options)

        def once():
            response = super(YahooSession, self).request(method, url, *arguments, **options)
            if response.content.startswith(b'{"chart":{"result":null'):
                error = response.json()["chart"]["error"]
                if error["code"] in (
                    "Not Found",
                    "Bad Request",
                ):  # no such ticker, or not in these years
                    raise YFTickerMissingError(url.rpartition("/")[2], error["description"])
            response.raise_for_status()
            return response

        try:
            response = patiently(once)
        except curl_cffi.requests.exceptions.RequestException as error:
            raise explain(error) from error
        reject_page(response.content)
        result = (response.json()["chart"]["result"] or [{}])[0]
        wants_prices = "period1" in (options.get("params") or {})
        if wants_prices and "timestamp" in result and "adjclose" not in result["indicators"]:
            raise DownloadError(
                "Yahoo's answer has no adjusted close (yfinance would use the close instead)"
            )
        return response


def prices(
    folder: Path, partial: Path, tickers: Iterable[str] = TICKERS, start: str = START
) -> dict:
    """Adjusted close (USD), close and volume (shares) of ``tickers``.

    Complete days only: the day that is running at the exchange is left out, and so are impossible
    prices, which are reported. BRK.B is asked for, and stored, as Yahoo's BRK-B. Stocks of an
    earlier download that are not asked for now stay.
    """
    tickers = list(dict.fromkeys(map(share_class, tickers)))
    target = folder / "stock_prices.parquet"
    older = older_rows(target, "prices", KEY)
    parts = partial / start
    parts.mkdir(exist_ok=True)
    yfinance.config.debug.hide_exceptions = False
    with YahooSession(impersonate="chrome") as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # yfinance is not ready for pandas 4

        def fetch(ticker):
            path = parts / f"{quote(ticker, safe='')}.parquet"
            try:
                return part(path, lambda: history(ticker, start, session), A_DAY)
            except YFTickerMissingError:
                return None

        arrived, failed = one_by_one(tickers, fetch, "ticker", "Yahoo")
    frames = {ticker: frame for ticker, frame in arrived.items() if frame is not None}
    missing = [ticker for ticker in arrived if ticker not in frames]
    if not frames:
        raise DownloadError(
            f"Yahoo has no prices for {', '.join(missing)}", "check the spelling of the tickers"
        )
    report(frames, missing)
    rows = pd.concat([older[~older["symbol"].isin(frames)], *frames.values()], ignore_index=True)
    rows, left_out = keep_possible(rows, ["adj_close", "close", "volume"])
    if left_out:
        more = f" and {len(left_out) - 5:,} more" if len(left_out) > 5 else ""
        print(f"impossible prices, left out: {'; '.join(left_out[:5])}{more}")
    if rows.empty:
        raise DownloadError("no row of Yahoo's prices is possible", "try again later")
    notes = {"missing": missing, "failed": failed, "left_out": left_out}
    return store_rows(target, rows, "Yahoo! Finance", "date", **notes)


def history(ticker: str, start: str, session: YahooSession) -> pd.DataFrame:
    """Rows of one ticker: symbol, date, adj_close, close, volume."""
    stock = yfinance.Ticker(ticker, session=session)
    try:
        frame = stock.history(
            start=start,
            end=str(running_day(EXCHANGE)),
            auto_adjust=False,
            actions=False,
            timeout=min(TIMEOUT, patience.TIMEOUT),
        )
    except (YFTickerMissingError, DownloadError):
        raise
    except Exception as error:
        raise explain(error) from error
    columns = {"Adj Close": "adj_close", "Close": "close", "Volume": "volume"}
    frame = frame[list(columns)].rename(columns=columns).dropna()
    if not len(frame):
        raise YFTickerMissingError(ticker, "no price data found")
    frame.insert(0, "symbol", ticker)
    zone = str(frame.index.tz or EXCHANGE)
    frame.insert(1, "date", frame.index.tz_localize(None).normalize().astype("datetime64[us]"))
    frame = frame[frame["date"] < pd.Timestamp(running_day(zone))]
    if not len(frame):
        raise YFTickerMissingError(ticker, "no price of a day that is over")
    return frame.reset_index(drop=True)


def running_day(zone: str) -> date:
    """The day that it is at an exchange in this time ``zone``; its close is not known before it is
    over.
    """
    return datetime.now(ZoneInfo(zone)).date()


def report(frames: Mapping[str, pd.DataFrame], missing: list[str]) -> None:
    """Say which stocks have no prices, and which stopped trading; nothing is padded."""
    last = {ticker: frame["date"].iloc[-1] for ticker, frame in frames.items()}
    ended = [
        f"{ticker} ({day:%Y-%m-%d})"
        for ticker, day in last.items()
        if max(last.values()) - day > pd.Timedelta(days=14)
    ]
    if missing:
        print(f"no prices at Yahoo, delisted or misspelt: {', '.join(missing)}")
    if ended:
        print(f"prices end early, not padded: {', '.join(ended)}")
