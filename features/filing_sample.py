"""The filings that notebook 09 learns from: their targets, and what is known without reading."""

import numpy as np
import pandas as pd

from features.filing_returns import returns_after_filing
from features.filing_volatility import less_mean_of_year, volatility_after_filing

USABLE = ("ok", "stopped trading")


def sample_with_targets(
    sequences: pd.DataFrame, prices: pd.DataFrame, item: str, holding: int, days: int
) -> tuple[pd.DataFrame, pd.Series]:
    """(sample, status of each section): the sections of an ``item`` that have both targets.

    Args:
        sequences: a row a section, sorted by date (``features.filings.load_sequences``).
        prices: (trading days, tickers).
        item: such as "1A".
        holding: trading days of the return, as in ``returns_after_filing``.
        days: daily returns of the volatility, as in ``volatility_after_filing``.

    Returns:
        A frame with the columns of all three, ``risk`` (log volatility less the mean of the
        filing year), ``log_length`` and ``change`` (of it, since the filing before; 0 for the
        first), rows from 0 on. And for each row of ``sequences`` why it is there or not; nothing
        is left out for what came after the entry.
    """
    after = returns_after_filing(sequences, prices, holding)
    volatility = volatility_after_filing(sequences, prices, days)
    known = after["status"].isin(USABLE)
    status = after["status"].mask(known & volatility["volatility"].isna(), "no volatility")
    status = status.mask(sequences["sequence"].str.len() == 0, "no sentence")
    status = status.mask(sequences["item"] != item, "another item")
    sample = sequences.join(after).join(volatility)[status.isin(USABLE)].reset_index(drop=True)
    sample["risk"] = less_mean_of_year(sample["volatility"], sample["date_filed"])
    sample["log_length"] = np.log(sample["sequence"].str.len())
    sample["change"] = sample.groupby("ticker")["log_length"].diff().fillna(0)
    return sample, status
