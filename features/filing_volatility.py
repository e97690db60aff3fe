"""How much a stock moves after a filing, and how much it moved before."""

import numpy as np
import pandas as pd

from data.checks import whole_number
from features.filing_calendar import meet

FEWEST = 21  # daily returns that make a standard deviation


def volatility_after_filing(
    filings: pd.DataFrame, prices: pd.DataFrame, days: int = 63, past: tuple[int, ...] = (63, 252)
) -> pd.DataFrame:
    """Log standard deviation of the daily returns after each filing, and of those before it.

    The first return is the one that follows the first close after ``date_filed``: the day of the
    filing and the first reaction to it belong neither to the past nor to the future. A stock that
    stops trading is judged by the days it has, at least 21, so that nothing is dropped because it
    ended badly.

    Args:
        filings: DataFrame with ``ticker`` and ``date_filed``; days are compared, a time of day is
            cut off.
        prices: trading days × tickers, NaN where there is no price.
        days: daily returns after the entry, at least 21.
        past: numbers of daily returns up to the last close on or before ``date_filed``.

    Returns:
        DataFrame with the index of ``filings``: ``begin`` and ``known`` (first close after the
        filing date, and the day on which the target is known), ``volatility`` (log standard
        deviation, daily units; NaN where there are too few returns), and ``past_63``, ``past_252``,
        one for each of ``past`` (NaN where there are too few).

    Raises:
        ValueError: fewer than 21 ``days``, a price history that is not longer than that, or dates
            and prices that ``filing_calendar.meet`` refuses.
    """
    panel, calendar, filed, stock = meet(filings, prices)
    if len(panel) <= whole_number("days", days, FEWEST):
        raise ValueError(f"needs more prices than days, given {len(panel)} and {days}")
    first_after = calendar.searchsorted(filed, side="right")
    changes = np.diff(np.log(panel), axis=0)  # row t ends on day t + 1

    complete = first_after + days < len(calendar)
    volatility = _deviation(changes, stock, first_after, days)
    # a close that is not there yet says nothing of the stock: such filings wait for their target
    volatility[~complete] = np.nan
    frame = pd.DataFrame(index=filings.index)
    last = len(calendar) - 1
    frame["begin"] = pd.Series(calendar[first_after.clip(0, last)], filings.index)
    frame["known"] = pd.Series(calendar[(first_after + days).clip(0, last)], filings.index)
    frame["volatility"] = volatility
    for length in past:
        # the last return before the filing ends on day first_after - 1
        frame[f"past_{length}"] = _deviation(changes, stock, first_after - 1 - length, length)
    return frame


def _deviation(changes: np.ndarray, stock: np.ndarray, begin: np.ndarray, days: int) -> np.ndarray:
    """Log standard deviation of ``days`` rows of ``changes`` from ``begin`` on: (filings,)."""
    deviation = np.full(len(stock), np.nan)
    for row, (column, start) in enumerate(zip(stock, begin)):
        if column < 0:
            continue
        part = changes[max(start, 0) : max(start + days, 0), column]
        part = part[np.isfinite(part)]
        if len(part) >= FEWEST and part.std() > 0:
            deviation[row] = np.log(part.std(ddof=1))
    return deviation


def less_mean_of_year(values: pd.Series, dates: pd.Series) -> pd.Series:
    """``values`` less their mean over the filings of the same year: what sets companies apart."""
    return values - values.groupby(dates.dt.year).transform("mean")
