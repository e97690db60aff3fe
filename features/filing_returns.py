"""What a stock did after a filing: a target that could have been traded, and nothing dropped
because of its outcome.
"""

import numpy as np
import pandas as pd

from data.checks import whole_number
from features.filing_calendar import meet


def returns_after_filing(
    filings: pd.DataFrame, prices: pd.DataFrame, days: int = 5, delay: int = 1
) -> pd.DataFrame:
    """One row a filing, in the order and with the index of ``filings``; what cannot be computed is
    NaN, with a reason.

    The time of day of a filing is unknown, so the stock is bought at the close of the first trading
    day *after* ``date_filed`` and sold ``days`` trading days later. ``delay=0`` buys at the close
    of the filing date itself (of the last trading day before, for a filing on a weekend): the
    mistake that is shown in notebook 09.

    Args:
        filings: DataFrame with ``ticker`` and ``date_filed``; days are compared, a time of day is
            cut off, and BRK.B is the BRK-B of the prices.
        prices: trading days × tickers, NaN where there is no price.
        days: trading days from entry to exit, at least 1.
        delay: trading days from the filing date to the entry.

    Returns:
        DataFrame with ``entry`` and ``exit`` (dates), ``raw`` (return of the stock), ``market``
        (mean return of all stocks with a price at the entry), ``excess`` (the difference),
        ``past_week`` (excess return over the five trading days up to the filing date, 0 where
        unknown), and ``status``: "ok", or "stopped trading" where the last price of the holding
        period stands for the missing one at its end; or why there is no return: "no prices for the
        ticker", "before the price history", "after the price history", "no price at entry".
    """
    panel, calendar, filed, stock = meet(filings, prices)
    if len(panel) <= whole_number("days", days, 1):
        raise ValueError(f"needs more prices than days, given {len(panel)} and {days}")
    whole_number("delay", delay, 0)
    known = (
        calendar.searchsorted(filed, side="right") - 1
    )  # the last close on or before the filing date
    entry = known + delay
    early, late = known < 0, entry + days >= len(calendar)
    entry = entry.clip(0, len(calendar) - 1 - days)

    held, market = _holding_returns(panel, entry, days)
    before = (known - 5).clip(0, len(calendar) - 6)
    past, past_market = _holding_returns(panel, before, 5)
    row = np.arange(len(filings))
    raw = np.where(stock < 0, np.nan, held[row, stock])
    past_week = np.where((stock < 0) | (known < 5), np.nan, past[row, stock] - past_market)
    sold = np.where(stock < 0, np.nan, panel[entry + days, stock])

    reasons = {
        "no prices for the ticker": stock < 0,
        "before the price history": early,
        "after the price history": late,
        "no price at entry": np.isnan(raw),
        "stopped trading": np.isnan(sold),
    }
    status = np.select(list(reasons.values()), list(reasons), "ok")
    usable = np.isin(status, ["ok", "stopped trading"])
    frame = pd.DataFrame(index=filings.index)
    frame["entry"] = pd.Series(calendar[entry], filings.index).where(usable)
    frame["exit"] = pd.Series(calendar[entry + days], filings.index).where(usable)
    frame["raw"] = np.where(usable, raw, np.nan)
    frame["market"] = np.where(usable, market, np.nan)
    frame["excess"] = frame["raw"] - frame["market"]
    frame["past_week"] = np.nan_to_num(past_week)
    frame["status"] = status
    return frame


def _holding_returns(panel, entry, days):
    """Returns of all stocks from each row of ``entry`` to ``days`` later, (entries, stocks), and
    their mean by entry.

    A stock that stops trading in between is sold at its last price.
    """
    days_of_entry, place = np.unique(entry, return_inverse=True)
    last = panel[days_of_entry].copy()
    for step in range(1, days + 1):
        price = panel[days_of_entry + step]
        last = np.where(np.isnan(price), last, price)
    change = last / panel[days_of_entry] - 1
    return change[place], np.nanmean(change, axis=1)[place]
