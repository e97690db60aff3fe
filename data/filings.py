"""Sections of 10-K filings: the reader's own, or synthetic ones with a planted effect of the wording."""

from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS
from data.prices import load_stock_prices
from data.source import damaged, local_file, record

COLUMNS = ["ticker", "cik", "form", "date_filed", "item", "text"]
EFFECT = 0.03  # excess return over the week of the planted effect, per standard deviation of the tone
GOOD = "improved resolved strengthened diversified stable renewed recovered favorable".split()
BAD = "impaired disputed weakened concentrated volatile terminated deteriorated adverse".split()
SUBJECTS = "demand supply competition regulation litigation financing technology labor weather credit".split()
VERBS = "may could might can will".split()
ACTIONS = "affect reduce delay change limit raise alter restrict influence disrupt".split()
OBJECTS = "our revenues|our operating costs|our cash flows|the market price of our stock|our customers".split("|")
PLACES = "in any period|in several markets|over the next years|from time to time|in ways we cannot predict".split("|")


def load_filings():
    """One row a filing section: ticker, cik, form, date_filed, item, text, sorted by date_filed and ticker.

    Local: ``filings_10k.parquet``. Bundled: ``synthetic_filings()``. Rows are passed on as they are, also empty texts
    and filings on a weekend. Raises DataError where a column or a date is missing.
    """
    dataset = DATASETS["filings"]
    if path := local_file(*dataset.files):
        try:
            filings = pd.read_parquet(path, columns=COLUMNS)
        except (ValueError, KeyError, OSError) as error:
            raise damaged(path, f"needs the columns {', '.join(COLUMNS)} ({error})", "filings") from error
        if filings["date_filed"].isna().any():
            raise damaged(path, "a filing has no date", "filings")
        filings = filings.sort_values(["date_filed", "ticker"], kind="stable", ignore_index=True)
        return record(filings, "filings", "local", path.name, dataset.live_licence, path, filings["date_filed"])
    filings, _ = synthetic_filings()
    origin = "data.filings.synthetic_filings"
    return record(filings, "filings", "bundled", origin, dataset.licence, Path(__file__), filings["date_filed"])


def load_filing_prices():
    """Prices (trading days × tickers) that match ``load_filings``: local filings need the local stock prices."""
    if local_file(*DATASETS["filings"].files):
        return load_stock_prices()
    _, prices = synthetic_filings()
    origin, licence = "data.filings.synthetic_filings", DATASETS["filings"].licence
    return record(prices, "filing_prices", "bundled", origin, licence, Path(__file__), prices.index)


def synthetic_filings(companies=40, years=20, effect=EFFECT, seed=0):
    """(filings, prices): made-up Item 1A sections, one a company and year from 2000, and daily prices.

    A section is the company's boilerplate, the same every year, and 30 news sentences, each with one word of GOOD or
    BAD. Tone is the standard normal number that sets the share of GOOD. The five daily returns that follow the close
    of the first trading day after ``date_filed`` each get ``effect * tone / 5``; ``effect=0`` plants nothing, with
    the same texts. Lengths are log-normal, about 1,100 words at the median: an eighth of a real section.
    """
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("1999-06-01", f"{2000 + years}-06-30", name="date")
    tickers = [f"SYN{number:02d}" for number in range(companies)]
    returns = rng.normal(0.0003, 0.008, (len(days), 1)) + rng.normal(0, 0.015, (len(days), companies))
    rows = []
    for column, ticker in enumerate(tickers):
        boilerplate = [_sentence(rng) for _ in range(int(np.clip(rng.lognormal(4.1, 0.5), 15, 300)))]
        for year in range(2000, 2000 + years):
            filed = pd.Timestamp(year, 2, 1) + pd.Timedelta(days=int(rng.integers(0, 60)))
            tone = rng.normal()
            good = rng.random(30) < 1 / (1 + np.exp(-tone))
            news = [_sentence(rng, rng.choice(GOOD if is_good else BAD)) for is_good in good]
            rows.append((ticker, 1_000_000 + column, "10-K", filed, "1A", " ".join(news + boilerplate)))
            entry = days.searchsorted(filed, side="right")
            returns[entry + 1 : entry + 6, column] += effect * tone / 5
    filings = pd.DataFrame(rows, columns=COLUMNS).sort_values(["date_filed", "ticker"], ignore_index=True)
    prices = pd.DataFrame(50 * np.exp(returns.cumsum(axis=0)), days, pd.Index(tickers, name="ticker"))
    return filings, prices


def _sentence(rng, word=None):
    subject, verb, action, thing, place = (rng.choice(words) for words in (SUBJECTS, VERBS, ACTIONS, OBJECTS, PLACES))
    opening = f"The {word} state of {subject}" if word else f"Changes in {subject}"
    return f"{opening} {verb} {action} {thing} {place}."
