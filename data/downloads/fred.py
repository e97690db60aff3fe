"""Downloads from FRED through pandas-datareader: ``SP500``, ``UMCSENT``, ``IPGMFN``."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import requests
from pandas_datareader.fred import FredReader

from data.downloads import patience
from data.downloads.patience import DownloadError, explain, patiently, progress, reject_page
from data.files import whole_file


class FredSession(requests.Session):
    """A session that is patient, and whose final failure pandas-datareader passes on as it is."""

    def request(self, *arguments: object, **options: object) -> requests.Response:
        def once():
            response = super(FredSession, self).request(*arguments, **options)
            response.raise_for_status()
            return response

        try:
            return patiently(once)
        except requests.RequestException as error:
            raise explain(error) from error


class Reader(FredReader):
    """pandas-datareader names the column after the request; here the file has to carry that name
    itself.
    """

    def _sanitize_response(self, response):
        series = parse_qs(urlsplit(response.url).query)["id"][0]
        reject_page(response.content)
        header = response.text.partition("\n")[0].strip()
        if header.split(",")[1:] != [series]:
            raise DownloadError(f"the columns are {header!r}, expected a date and {series}")
        if not response.content.endswith(
            b"\n"
        ):  # as in every file of FRED; half a number is a number too
            raise DownloadError("the table ends within a line")
        return response.content


def fetch(series: str) -> pd.DataFrame:
    """One series as FRED serves it: frame with the column ``series``, index ``observation_date``,
    NaN on holidays.
    """
    reader = Reader(
        series, start="1900-01-01", retry_count=0, timeout=patience.TIMEOUT, session=FredSession()
    )
    frame = reader.read().rename_axis("observation_date")
    index = frame.index
    if not (
        isinstance(index, pd.DatetimeIndex) and index.is_monotonic_increasing and index.is_unique
    ):
        raise DownloadError("the dates are not sorted days")
    if frame[series].dtype != "float64" or frame[series].count() < 2:
        raise DownloadError("the values are not numbers")
    return frame


def store(folder: Path, frames: Mapping[str, pd.DataFrame], origin: str) -> dict:
    """Write each frame as ``<series>.csv``, all or none; return the record."""
    paths = [folder / f"{series}.csv" for series in frames]
    with ExitStack() as all_or_none:
        for path, frame in zip(paths, frames.values()):
            frame.to_csv(all_or_none.enter_context(whole_file(path)))
    first = min(frame.index[0] for frame in frames.values())
    last = max(frame.index[-1] for frame in frames.values())
    return {
        "origin": origin,
        "files": paths,
        "rows": sum(len(frame) for frame in frames.values()),
        "first": f"{first:%Y-%m-%d}",
        "last": f"{last:%Y-%m-%d}",
    }


def sp500(folder: Path, partial: Path) -> dict:
    """Daily closes of the S&P 500. FRED serves ten years; older rows of an earlier download are
    kept.
    """
    frame = fetch_all(["SP500"])["SP500"]
    bad = frame["SP500"].notna() & ~(np.isfinite(frame["SP500"]) & (frame["SP500"] > 0))
    if bad.any():
        days = ", ".join(frame.index[bad][:5].strftime("%Y-%m-%d"))
        print(f"{bad.sum()} impossible values, left out: {days}")
        frame = frame[~bad]
    if (path := folder / "SP500.csv").is_file():
        try:
            older = pd.read_csv(path, index_col=0, parse_dates=True)[["SP500"]].rename_axis(
                "observation_date"
            )
            if not (older.index.is_monotonic_increasing and older.index.is_unique):
                raise ValueError("dates must be sorted and unique")
            frame = pd.concat([older[older.index < frame.index[0]], frame])
        except (ValueError, KeyError, TypeError) as error:
            raise DownloadError(
                f"the older {path} is damaged ({error})",
                "python -m data remove sp500, or delete it",
            ) from error
    return store(folder, {"SP500": frame}, "FRED SP500 (ten years at a time)")


def macro(folder: Path, partial: Path) -> dict:
    """Monthly sentiment and production."""
    return store(folder, fetch_all(["UMCSENT", "IPGMFN"]), "FRED UMCSENT, IPGMFN")


def fetch_all(names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """All series, or an error that names the one that failed."""
    frames = {}
    for series in progress(names, desc="FRED", unit="series"):
        try:
            frames[series] = fetch(series)
        except DownloadError as error:
            raise DownloadError(f"{series}: {error.cause}", error.step) from error
    return frames
