"""Volatility from daily prices, and what a heterogeneous autoregression (HAR) reads of it.

Rows are trading days. Apart from ``features.volatility``, which is slow to import.
"""

import numpy as np
import pandas as pd


def log_of(variance: pd.Series) -> pd.Series:
    """Log volatility of a daily variance in percent squared, both (days,)."""
    return 0.5 * np.log(variance)


def daily_variance(prices: pd.DataFrame, floor: float = 0.05) -> pd.Series:
    """Variance of each day in percent squared, from its range (Parkinson 1980): (days,).

    ``prices`` has the columns high, low and close; with closes alone it is the squared return. A
    day without range gets the ``floor``, in percent; a bar that cannot be, and months in which most
    bars have no range, are NaN. Notebook 01 explains it, in a cell that a test holds equal.
    """
    if "high" not in prices:
        change = 100 * np.log(prices["close"]).diff()
        return (change**2).clip(lower=floor**2).rename("variance")
    high, low, close = prices["high"], prices["low"], prices["close"]
    spread = 100 * np.log(high / low)
    possible = (high >= low) & close.between(low - 0.005, high + 0.005)
    no_range = (spread == 0).rolling(22, min_periods=1).mean() > 0.5
    variance = (spread**2 / (4 * np.log(2))).clip(lower=floor**2)
    return variance.where(possible & ~no_range).rename("variance")


def har_features(volatility: pd.Series, log_return: pd.Series) -> pd.DataFrame:
    """Inputs of a HAR with returns (Corsi 2009), known at the close: (days, 5).

    Log volatility of the day, its means over a week and a month, the return in percent and its
    negative part. Notebook 01 explains them, in a cell that a test holds equal.
    """
    features = pd.DataFrame({"day": volatility})
    features["week"] = volatility.rolling(5).mean()
    features["month"] = volatility.rolling(22).mean()
    features["return"] = 100 * log_return
    features["fall"] = 100 * log_return.clip(upper=0)
    return features
