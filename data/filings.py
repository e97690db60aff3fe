"""Sections of 10-K filings: the reader's own, or synthetic ones with a planted effect of the wording."""

from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS
from data.prices import load_stock_prices
from data.source import ROOT, damaged, local_file, record

COLUMNS = ["ticker", "cik", "form", "date_filed", "item", "text"]
BUNDLED = ROOT / "build" / "filings" / "synthetic.parquet"
EFFECT = 0.02  # excess return over the week of the planted effect, per standard deviation of the tone
NEWS = 30  # sentences of a synthetic section that carry the tone
GOOD = "improved resolved strengthened diversified stable renewed recovered favorable".split()
BAD = "impaired disputed weakened concentrated volatile terminated deteriorated adverse".split()
OPENINGS = "We expect|We depend on|Reports on|This year saw|Analysts discuss|Competitors point to|Last quarter brought".split("|")
SUBJECTS = (
    "demand|competition|regulation|litigation|technology|labor|weather|credit|interest rates|supply chain conditions|"
    "raw materials|natural gas prices|intellectual property rights|foreign exchange rates"
).split("|")
LATE_SUBJECTS = "data privacy|cyber attacks|import tariffs".split("|")  # in the news from LATE_YEAR on
LATE_YEAR = 2014
VERBS = "may could might can will".split()
ACTIONS = "affect reduce delay change limit raise alter restrict influence disrupt".split()
OBJECTS = "revenues|operating costs|cash flows|the value of the stock|customers|working capital|gross margins".split("|")
PLACES = "in any period|across markets|during the next years|for some time|in unknown ways|at short notice".split("|")


def load_filings(text=True):
    """One row a filing section: ticker, cik, form, date_filed, item, text, sorted by date_filed and ticker.

    Local: ``filings_10k.parquet``. Bundled: ``synthetic_filings()``. Rows are passed on as they are, also empty texts
    and filings on a weekend; ``text=False`` leaves the column text out, and does not read it. Raises DataError where
    a column or a date is missing.
    """
    dataset, columns = DATASETS["filings"], COLUMNS if text else COLUMNS[:-1]
    if path := local_file(*dataset.files):
        try:
            filings = pd.read_parquet(path, columns=columns)
        except (ValueError, KeyError, OSError) as error:
            raise damaged(path, f"needs the columns {', '.join(COLUMNS)} ({error})", "filings") from error
        if filings["date_filed"].isna().any():
            raise damaged(path, "a filing has no date", "filings")
        filings = filings.sort_values(["date_filed", "ticker"], kind="stable", ignore_index=True)
        return record(filings, "filings", "local", path.name, dataset.live_licence, path, filings["date_filed"])
    filings, _ = synthetic_filings()
    origin = "data.filings.synthetic_filings"
    return record(filings[columns], "filings", "bundled", origin, dataset.licence, Path(__file__), filings["date_filed"])


def filings_file():
    """The Parquet file behind ``load_filings``, to be read as a stream; the synthetic one is written to ``build/``."""
    if path := local_file(*DATASETS["filings"].files):
        return path
    BUNDLED.parent.mkdir(parents=True, exist_ok=True)
    partial = BUNDLED.with_suffix(".partial")
    synthetic_filings()[0].to_parquet(partial, index=False, row_group_size=500)
    return partial.replace(BUNDLED)


def load_filing_prices():
    """Prices (trading days × tickers) that match ``load_filings``: local filings need the local stock prices."""
    if local_file(*DATASETS["filings"].files):
        return load_stock_prices()
    _, prices = synthetic_filings()
    origin, licence = "data.filings.synthetic_filings", DATASETS["filings"].licence
    return record(prices, "filing_prices", "bundled", origin, licence, Path(__file__), prices.index)


def synthetic_filings(companies=120, years=20, effect=EFFECT, seed=0):
    """(filings, prices): made-up Item 1A sections, one a company and year from 2000, and daily prices.

    A section is the company's boilerplate, the same every year, with NEWS sentences scattered over it, each with one
    word of GOOD or BAD. Tone is the standard normal number that sets the share of GOOD. The five daily returns that
    follow the close of the first trading day after ``date_filed`` each get ``effect * tone / 5``. That first day
    itself gets ``effect * tone``: the reaction of the market, which comes too early to be traded. ``effect=0`` plants
    nothing, with the same texts. Lengths are log-normal, about 1,050 words at the median, an eighth of a real section.
    Terms of two and three words ("interest rates", "intellectual property rights") are there for phrase detection;
    some come up in LATE_YEAR only, as such terms do.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("1999-06-01", f"{2000 + years}-06-30", name="date")
    tickers = [f"SYN{number:03d}" for number in range(companies)]
    returns = rng.normal(0.0003, 0.008, (len(days), 1)) + rng.normal(0, 0.015, (len(days), companies))
    rows = []
    for column, ticker in enumerate(tickers):
        boilerplate = _sentences(rng, ["Changes in"] * int(np.clip(rng.lognormal(4.1, 0.5), 15, 300)), SUBJECTS)
        for year in range(2000, 2000 + years):
            filed = pd.Timestamp(year, 2, 1) + pd.Timedelta(days=int(rng.integers(0, 60)))
            tone = rng.normal()
            good = rng.random(NEWS) < 1 / (1 + np.exp(-tone))
            words = np.where(good, rng.choice(GOOD, NEWS), rng.choice(BAD, NEWS))
            openings = [f"{opening} {word}" for opening, word in zip(rng.choice(OPENINGS, NEWS), words)]
            places = rng.integers(0, len(boilerplate) + 1, NEWS)
            news = _sentences(rng, openings, SUBJECTS + LATE_SUBJECTS * (year >= LATE_YEAR))
            text = " ".join(np.insert(np.array(boilerplate, dtype=object), places, news))
            rows.append((ticker, 1_000_000 + column, "10-K", filed, "1A", text))
            entry = days.searchsorted(filed, side="right")
            returns[entry, column] += effect * tone
            returns[entry + 1 : entry + 6, column] += effect * tone / 5
    filings = pd.DataFrame(rows, columns=COLUMNS).sort_values(["date_filed", "ticker"], ignore_index=True)
    prices = pd.DataFrame(50 * np.exp(returns.cumsum(axis=0)), days, pd.Index(tickers, name="ticker"))
    return filings, prices


def _sentences(rng, openings, subjects):
    parts = [openings, *(rng.choice(words, len(openings)) for words in (subjects, VERBS, ACTIONS, OBJECTS, PLACES))]
    return [f"{' '.join(words)}." for words in zip(*parts)]
