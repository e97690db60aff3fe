"""Sections of 10-K filings: the reader's own, or synthetic ones with a planted effect of the
wording.
"""

from pathlib import Path

import pandas as pd

from data import synthetic
from data.catalog import DATASETS
from data.files import whole_file
from data.prices import load_stock_prices
from data.source import ROOT, damaged, local_file, record
from data.synthetic import COLUMNS, synthetic_filings

BUNDLED = ROOT / "build" / "filings" / "synthetic.parquet"


def load_filings(text=True):
    """One row a filing section: ticker, cik, form, date_filed, item, text, sorted by date_filed and
    ticker.

    Local: ``filings_10k.parquet``. Bundled: ``synthetic_filings()``. Rows are passed on as they
    are, also empty texts and filings on a weekend; ``text=False`` leaves the column text out, and
    does not read it. Raises DataError where a column or a date is missing.
    """
    dataset, columns = DATASETS["filings"], COLUMNS if text else COLUMNS[:-1]
    if path := local_file(*dataset.files):
        try:
            filings = pd.read_parquet(path, columns=columns)
        except (ValueError, KeyError, OSError) as error:
            raise damaged(
                path, f"needs the columns {', '.join(COLUMNS)} ({error})", "filings"
            ) from error
        if filings["date_filed"].isna().any():
            raise damaged(path, "a filing has no date", "filings")
        filings = filings.sort_values(["date_filed", "ticker"], kind="stable", ignore_index=True)
        return record(
            filings,
            "filings",
            "local",
            path.name,
            dataset.live_licence,
            path,
            filings["date_filed"],
        )
    filings, _ = synthetic_filings()
    origin = "data.synthetic.synthetic_filings"
    return record(
        filings[columns],
        "filings",
        "bundled",
        origin,
        dataset.licence,
        Path(synthetic.__file__),
        filings["date_filed"],
    )


def filings_file():
    """The Parquet file behind ``load_filings``, to be read as a stream; the synthetic one is
    written to ``build/``.
    """
    if path := local_file(*DATASETS["filings"].files):
        return path
    BUNDLED.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(BUNDLED) as temporary:
        synthetic_filings()[0].to_parquet(temporary, index=False, row_group_size=500)
    return BUNDLED


def load_filing_prices():
    """Prices (trading days × tickers) that match ``load_filings``: local filings need the local
    stock prices.
    """
    if local_file(*DATASETS["filings"].files):
        return load_stock_prices()
    _, prices = synthetic_filings()
    origin, licence = "data.synthetic.synthetic_filings", DATASETS["filings"].licence
    return record(
        prices, "filing_prices", "bundled", origin, licence, Path(synthetic.__file__), prices.index
    )
