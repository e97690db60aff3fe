"""Where filings meet prices: the days, the stocks and the numbers of both in one form."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from data.checks import as_days, check_spelling, daily_index, share_class
from features.panel import check_prices


class Meeting(NamedTuple):
    """Prices and filings on one calendar.

    Attributes:
        prices: float64, (trading days, stocks), NaN where there is none.
        calendar: the trading days; a close stamped 16:00 is that day's close.
        filed: the day of each filing, (filings,).
        stock: the column of the stock of each filing, (filings,); -1 where there is none.
    """

    prices: np.ndarray
    calendar: pd.DatetimeIndex
    filed: pd.DatetimeIndex
    stock: np.ndarray


def meet(filings: pd.DataFrame, prices: pd.DataFrame) -> Meeting:
    """Filings with the columns ``ticker`` and ``date_filed``, and prices, trading days × tickers.

    Days are compared, a time of day is cut off, and BRK.B is the BRK-B of the prices.

    Raises ValueError for a column that is missing, dates that are not certain or, of the prices,
    not sorted, a stock that stands twice, and prices that are no positive numbers.
    """
    if missing := {"ticker", "date_filed"} - set(filings):
        raise ValueError(f"filings need the columns ticker, date_filed; {sorted(missing)} missing")
    if not isinstance(prices, pd.DataFrame):
        raise ValueError(f"prices must be trading days × tickers, given {type(prices).__name__}")
    calendar = daily_index(prices.index).as_unit("ns")
    panel = check_prices(prices.set_axis(calendar, axis=0))
    columns = pd.Index(list(map(share_class, check_spelling(panel.columns))))
    stock = columns.get_indexer([share_class(ticker) for ticker in filings["ticker"]])
    filed = as_days(filings["date_filed"], "date_filed").as_unit("ns")
    return Meeting(panel.to_numpy("float64", na_value=np.nan), calendar, filed, stock)
