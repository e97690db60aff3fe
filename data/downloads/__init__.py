"""Downloads into the local folder: ``download(name)`` knows nothing of a source but its module and
function.
"""

import re
import shutil
from importlib import import_module

from data.checks import ContractError, as_stamp, as_tickers
from data.downloads.patience import DownloadError, explain
from data.downloads.stored import locked, write_record

TICKER = re.compile(r"[\w.^=&/ -]{1,20}")  # no commas: they are separated by blanks
SOURCES = {
    "sp500": "data.downloads.fred:sp500",
    "prices": "data.downloads.yahoo:prices",
    "macro": "data.downloads.fred:macro",
    "imdb": "data.downloads.archives:imdb",
    "glove": "data.downloads.archives:glove",
    "filings": "data.downloads.edgar:filings",
}


def download(name: str, **options: object) -> dict:
    """Fetch the data set ``name`` into the local folder and return its record; ``options`` are
    those of its source.

    Either the new files stand there whole, or nothing has changed and a DownloadError says why.
    Items that arrived before a failure (tickers, filings, the beginning of an archive) are kept
    aside, and the next call goes on there.
    """
    options = {option: _meant(option, value) for option, value in options.items()}
    module, function = SOURCES[name].split(":")
    with locked(name) as folder:
        partial = folder / f".{name}.partial"
        try:
            partial.mkdir(exist_ok=True)
            record = getattr(import_module(module), function)(folder, partial, **options)
            failed = record.pop("failed", {})
            if not failed:
                shutil.rmtree(partial)
            record = write_record(folder, name, record)
        except DownloadError:
            raise
        except Exception as error:
            raise explain(error) from error
    if failed:
        causes = "; ".join(f"{item}: {cause}" for item, cause in failed.items())
        raise DownloadError(
            f"{len(failed)} failed ({causes}); the others are stored",
            "run the command again for the rest",
        )
    return record


def _meant(option: str, value: object) -> object:
    """An option as the sources mean it; TypeError or DownloadError where that would be a guess."""
    if option in ("tickers", "dimensions", "years") and not isinstance(value, (list, tuple)):
        raise TypeError(f"{option} must be a list, given {value!r}")
    try:
        if option == "start":
            return f"{as_stamp(value):%Y-%m-%d}"
        if option == "years" and len(value) != 2:
            raise ContractError(f"the years are the first and the last, given {value}")
        if option != "tickers":
            return value
        tickers = list(as_tickers(value))
        odd = [ticker for ticker in tickers if not TICKER.fullmatch(ticker)]
        if odd or not tickers:
            raise ContractError(f"no ticker is written as {odd[0]!r}" if odd else "no ticker given")
        return tickers
    except ContractError as error:
        raise DownloadError(f"{option}: {error}", "see: python -m data download --help") from error
