"""Loaders of the data sets. Each prints its source and keeps it in ``attrs["source"]``."""

from data.catalog import DATASETS
from data.filings import load_filings
from data.glove import load_glove
from data.imdb import load_imdb
from data.macro import load_macro
from data.prices import load_stock_prices
from data.source import DataError, Source
from data.sp500 import load_sp500

__all__ = [
    "DATASETS",
    "DataError",
    "Source",
    "load_filings",
    "load_glove",
    "load_imdb",
    "load_macro",
    "load_sp500",
    "load_stock_prices",
]
