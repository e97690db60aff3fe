"""From prices of a panel of stocks to returns, features and ranks; every step looks only at the
past.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from data.checks import check_daily
from scores import check_dates

SMALLEST_VOLATILITY = 1e-4  # one basis point a day
WEEKS_BEYOND = 52  # that a panel needs beside the weeks of one window


def check_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Return ``prices``, trading days × tickers, NaN where there is no price, or say what is wrong
    with it.

    Columns without any price are allowed: they give no windows.

    Raises ValueError for dates that are unsorted, repeated or missing, repeated tickers, values
    that are not numbers, and prices that are infinite, zero or negative.
    """
    if (
        not isinstance(prices, pd.DataFrame)
        or not isinstance(prices.index, pd.DatetimeIndex)
        or prices.empty
    ):
        shape = getattr(prices, "shape", type(prices).__name__)
        raise ValueError(
            "prices must be a DataFrame with a DatetimeIndex, trading days × tickers, given "
            f"{shape}"
        )
    index = prices.index
    if prices.columns.nlevels > 1:
        raise ValueError(
            f"the columns must be tickers, given {prices.columns.nlevels} levels such as "
            f"{prices.columns[0]}; choose one field, such as prices['Adj Close']"
        )
    if index.tz is not None:
        raise ValueError(
            f"the dates must have no time zone, given {index.tz}; use tz_localize(None)"
        )
    if index.hasnans or not index.is_unique or not index.is_monotonic_increasing:
        raise ValueError(
            "the dates must be sorted from old to new, without duplicates or missing dates (NaT)"
        )
    if (twice := index.normalize().duplicated()).any():
        raise ValueError(
            f"prices must be daily, given two rows on {index[twice][0]:%Y-%m-%d}; keep the last of "
            "each day"
        )
    check_daily(index)
    if not prices.columns.is_unique:
        raise ValueError(
            "tickers must be unique, given twice: "
            f"{list(prices.columns[prices.columns.duplicated()])}"
        )
    try:
        values = prices.to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"prices must be numbers, given the types {sorted(set(map(str, prices.dtypes)))}"
        ) from error
    if (bad := (values <= 0) | np.isinf(values)).any():
        row, column = np.argwhere(bad)[0]
        where = f"{prices.columns[column]} on {index[row]:%Y-%m-%d}"
        raise ValueError(
            f"prices must be positive and finite, given {values[row, column]} for {where}"
        )
    return prices


def _sorted_numbers(prices: pd.DataFrame) -> pd.DataFrame:
    """``prices``, if they are numbers, from old to new; ValueError where they are not."""
    if not prices.index.is_monotonic_increasing:
        raise ValueError("the dates must be sorted from old to new")
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in prices.dtypes):
        kinds = sorted(set(map(str, prices.dtypes)))
        raise ValueError(f"prices must be numbers, given the types {kinds}")
    return prices


def suspect_ticks(
    prices: pd.DataFrame,
    jump: float = 0.5,
    times: float = 30,
    history: int = 21,
    lookback: int = 252,
) -> pd.DataFrame:
    """Where a daily price move is more likely an error than news: a boolean frame of the shape of
    ``prices``.

    A move is suspect if it is larger than ``jump`` (absolute log return, 0.5 is +65 % or -39 %) and
    larger than ``times`` the mean absolute log return of the ``lookback`` trading days before it,
    suspect ones left out, or if there are fewer than ``history`` of these. The rule needs nothing
    later than the move itself. It cannot tell an error from a crash out of a calm sky, so use it on
    inputs, never on the outcome to be predicted.
    """
    size = np.log(_sorted_numbers(prices)).diff().abs()
    found = pd.DataFrame(False, prices.index, prices.columns)
    while True:  # a bad tick must not hide the next one: leave it out of the mean, look again
        usual = size.mask(found).rolling(lookback, min_periods=history).mean().shift(1)
        again = found | ((size > jump) & ((size > times * usual) | usual.isna()))
        if again.equals(found):
            return found
        found = again


def weekly_prices(prices: pd.DataFrame) -> pd.DataFrame:
    """Last price of each stock in each week that is over: weeks × tickers.

    A week runs from Saturday to Friday and is stamped with its last trading day, a Thursday where
    Friday is a holiday: the first moment at which all its prices are known. A stock without a price
    in a week has NaN; so has every stock in a week without a trading day, which is stamped with its
    Friday. The last week is left out if the data end before its Friday.

    Raises ValueError as ``check_prices``, and if no week is over.
    """
    check_prices(prices)
    weeks = prices.index.to_period("W-FRI")
    every = pd.period_range(weeks[0], weeks[-1], freq="W-FRI")
    last_day = prices.index.to_series().groupby(weeks).last().reindex(every)
    weekly = prices.groupby(weeks).last().reindex(every)
    weekly.index = pd.DatetimeIndex(
        last_day.fillna(every.end_time.normalize().to_series(every)), name=prices.index.name
    )
    if prices.index[-1] < weeks[-1].end_time.normalize():
        weekly = weekly.iloc[:-1]
    if weekly.empty:
        raise ValueError(
            f"needs at least one week that is over, given {prices.index[0]:%Y-%m-%d} to "
            f"{prices.index[-1]:%Y-%m-%d}"
        )
    return weekly


def returns(prices: pd.DataFrame, suspect: pd.DataFrame | None = None) -> pd.DataFrame:
    """Simple returns from one row to the next. Missing stays missing: nothing is filled across a
    gap.

    ``suspect`` (boolean frame on the same or more frequent dates) sets the returns of the periods
    that contain a suspect tick to missing, under the date at which the period ends.
    """
    change = _sorted_numbers(prices).pct_change(fill_method=None)
    if suspect is None:
        return change
    if not prices.columns.isin(suspect.columns).all():
        raise ValueError("suspect needs a column for each ticker of prices")
    rows, ticks = prices.index.normalize(), suspect.index.normalize()  # days meet days
    period = rows.searchsorted(ticks)  # the row whose period contains each tick
    inside = period < len(prices)
    bad = (
        suspect[inside]
        .groupby(prices.index[period[inside]])
        .any()
        .reindex(prices.index, fill_value=False)
    )
    return change.mask(bad)


def ranks_by_date(X: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Rank of each stock among the samples of its date, step by step, scaled to variance one
    (uniform).

    ``X`` is (samples, steps), ``dates`` (samples,) in any order. Returns float32 of the same shape,
    between -1.73 and 1.73. A date's ranks use that date's samples only, so they are known when its
    inputs are. Ties share their mean rank; a date with a single stock has rank 0.
    """
    X, dates = np.asarray(X), check_dates(dates, len(X))
    if X.dtype.kind not in "biuf":
        raise ValueError(f"needs numbers, given the type {X.dtype}")
    if np.isnan(X).any():
        row = int(np.argwhere(np.isnan(X))[0][0])
        raise ValueError(f"needs values without missing ones, sample {row} has one")
    order = np.argsort(dates, kind="stable")
    if (order[1:] < order[:-1]).any():
        ranked = np.empty(X.shape, dtype="float32")
        ranked[order] = ranks_by_date(X[order], dates[order])
        return ranked
    ranked = np.empty(X.shape, dtype="float32")
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    for start, end in zip(first, [*first[1:], len(X)]):
        # SciPy 1.18 ranks float32 in float32; older ones in float64.
        ranks = rankdata(X[start:end], axis=0).astype("float64", copy=False)
        ranked[start:end] = (ranks - 0.5) / (end - start) - 0.5
    # Told its type: outside the main thread, NumPy 2.1.0 and 2.1.1 would multiply in float32
    # (numpy issue 27473).
    return np.multiply(ranked, np.sqrt(12), out=ranked, dtype="float64", casting="same_kind")


def weekly_volatility(prices: pd.DataFrame, suspect: pd.DataFrame | None = None) -> pd.DataFrame:
    """Log of the root mean square daily return in each week that is over: weeks × tickers.

    Rows and missing values are those of ``returns(weekly_prices(prices), suspect)``: with
    ``suspect`` (boolean, as ``prices``) the weeks of suspect ticks are missing too, for inputs,
    never for an outcome. Daily returns are simple ones, 0.01 is one percent, from the last known
    price; the first of a week comes from the last close of the week before. A week without movement
    has the log of ``SMALLEST_VOLATILITY``, because the log of zero is infinite.

    Raises ValueError as ``weekly_prices``. Source: Andersen and Bollerslev (1998), Answering the
    skeptics: yes, standard volatility models do provide accurate forecasts, International Economic
    Review.
    """
    weekly = weekly_prices(prices)
    daily = returns(prices.ffill()).where(prices.notna())
    mean_square = (daily**2).groupby(prices.index.to_period("W-FRI")).mean()
    mean_square = mean_square.reindex(weekly.index.to_period("W-FRI")).set_axis(weekly.index)
    volatility = 0.5 * np.log(mean_square.clip(lower=SMALLEST_VOLATILITY**2))
    return volatility.where(returns(weekly, suspect).notna())


def delayed_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Return of each week for who trades a day late: weeks × tickers.

    From the close one trading day after the week before has ended to the close one trading day
    after this week has ended. Missing where either price is, and in the last week if the data end
    with it. Raises ValueError as ``weekly_prices``.
    """
    return returns(prices.shift(-1).reindex(weekly_prices(prices).index))


def with_next_week(frame: pd.DataFrame) -> pd.DataFrame:
    """Weeks × tickers with one more row, missing, for the week that lies ahead; it is stamped with
    its Friday.
    """
    ahead = (frame.index[-1].to_period("W-FRI") + 1).end_time.normalize()
    return frame.reindex(frame.index.append(pd.DatetimeIndex([ahead], name=frame.index.name)))


def check_length(weekly: pd.DataFrame, weeks: int) -> pd.DataFrame:
    """Return ``weekly``, weeks × tickers, if it is long enough for windows of ``weeks`` weeks and
    three parts.

    Raises ValueError for fewer than a year of weeks beyond the longest window.
    """
    least = weeks + WEEKS_BEYOND
    if len(weekly) < least:
        raise ValueError(
            f"windows of {weeks} weeks need prices of at least {least} weeks, of which "
            f"{WEEKS_BEYOND} are split into training, validation and test; given {len(weekly)}: "
            "use a longer history or shorter windows (WEEKS)"
        )
    return weekly
