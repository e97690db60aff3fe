"""From forecasts of returns to a portfolio, by week: folds, positions, costs, Sharpe ratios."""

import numpy as np
import pandas as pd
from scipy import stats
from skfolio.measures import get_drawdowns, max_drawdown

from scores import bootstrap_interval, mean_t_statistic, score_row, sharpe_ratio
from utils import Windows, check_order

WEEKS_A_YEAR = 52


def weekly_folds(windows: Windows, part: slice, folds: int) -> list[tuple[slice, slice]]:
    """(samples known, samples to forecast) for each fold over the weeks of a part of the samples.

    What is known has its target before the first input of the fold ends, so the week before each
    fold is purged. Raises ValueError where the part has fewer weeks than folds, or nothing is known
    before the first.
    """
    check_order(windows)
    weeks = np.unique(windows.input_end[part])
    if not isinstance(folds, (int, np.integer)) or not 1 <= folds <= len(weeks):
        raise ValueError(
            f"folds must be a whole number from 1 to the {len(weeks)} weeks of these years, "
            f"given {folds!r}"
        )
    cuts = []
    for fold in np.array_split(weeks, folds):
        known = np.searchsorted(windows.target_date, fold[0])
        first = np.searchsorted(windows.input_end, fold[0])
        last = np.searchsorted(windows.input_end, fold[-1], side="right")
        cuts.append((slice(0, int(known)), slice(int(first), int(last))))
    if cuts[0][0].stop == 0:
        raise ValueError(f"nothing is known before the first fold, which begins {weeks[0]}")
    return cuts


def long_short(
    predicted: np.ndarray,
    returns: np.ndarray,
    dates: np.ndarray,
    ticker: pd.Categorical,
    size: np.ndarray | None = None,
) -> tuple[pd.Series, pd.Series]:
    """Weekly return and turnover of the top fifth less the bottom fifth, one dollar a side.

    All arguments are (samples,); ``returns`` are fractions. Positions of a side are equal, or
    proportional to ``size``. Turnover is the sum of all trades, in dollars, from the weights to
    which the week has carried the positions to the new ones.
    """
    codes = ticker.codes.astype("int32")
    frame = pd.DataFrame({"date": dates, "ticker": codes, "predicted": predicted})
    frame["return"] = returns
    frame["size"] = 1.0 if size is None else size
    table = frame.pivot(index="date", columns="ticker")
    position = table["predicted"].rank(axis=1, pct=True, method="first")
    up = table["size"].where(position > 0.8, 0)
    down = table["size"].where(position <= 0.2, 0)
    weights = _to_one_dollar(up) - _to_one_dollar(down)
    gains = (weights * table["return"]).fillna(0)
    carried = (weights + gains).shift(fill_value=0)  # what last week's positions have become
    return gains.sum(axis=1), (weights - carried).abs().sum(axis=1)


def _to_one_dollar(side: pd.DataFrame) -> pd.DataFrame:
    total = side.sum(axis=1)
    return side.div(total.where(total > 0, 1), axis=0)


def break_even_cost(gross: pd.Series, turnover: pd.Series) -> float:
    """Cost per dollar traded, as a fraction, that leaves no return on average; NaN where there is
    none to leave.
    """
    return gross.mean() / turnover.mean() if gross.mean() > 0 else np.nan


def sharpe(weekly_returns: np.ndarray) -> float:
    """``scores.sharpe_ratio`` of weekly returns (weeks,): of a year, or of fewer weeks."""
    return sharpe_ratio(weekly_returns, WEEKS_A_YEAR)


def deflated_sharpe(weekly_returns: np.ndarray, tried: np.ndarray) -> tuple[float, float]:
    """Is the Sharpe ratio of the best of many above what luck gives the best of as many?

    ``tried`` holds the Sharpe ratios (of a year) of everything that was tried, this one included.
    Returns the Sharpe ratio, of a year, that the best of as many without skill is expected to have,
    and the probability that the true one is above it. Raises ValueError for fewer than two. Source:
    Bailey and López de Prado (2014), The deflated Sharpe ratio, Journal of Portfolio Management.
    """
    if len(tried) < 2:
        raise ValueError(f"needs the Sharpe ratios of at least two tries, given {len(tried)}")
    count, weekly = len(tried), sharpe_ratio(weekly_returns, 1)
    quantiles = stats.norm.ppf([1 - 1 / count, 1 - 1 / (count * np.e)])
    luck = np.std(tried, ddof=1) * ((1 - np.euler_gamma) * quantiles[0])
    luck += np.std(tried, ddof=1) * np.euler_gamma * quantiles[1]
    skew, kurtosis = stats.skew(weekly_returns), stats.kurtosis(weekly_returns, fisher=False)
    spread = np.sqrt(1 - skew * weekly + (kurtosis - 1) / 4 * weekly**2)
    above = weekly - luck / np.sqrt(WEEKS_A_YEAR)
    return luck, float(stats.norm.cdf(above * np.sqrt(len(weekly_returns) - 1) / spread))


def portfolio_rows(task: str, model: str, gross: pd.Series, net: pd.Series) -> list[dict]:
    """Rows of a score file: return before costs, in basis points a week, and Sharpe ratio after."""
    points = 1e4 * gross.to_numpy()
    interval = bootstrap_interval(np.mean, points)
    rows = [score_row(task, model, "long_short_bp", points.mean(), interval, len(points))]
    interval = bootstrap_interval(sharpe, net.to_numpy())
    rows.append(score_row(task, model, "sharpe", sharpe(net), interval, len(net)))
    return rows


def portfolio_facts(gross: pd.Series, turnover: pd.Series, cost: float, market: pd.Series) -> dict:
    """One line of a table: what a portfolio earned, traded and risked.

    ``cost`` is a fraction of each dollar traded; ``market`` the mean return of all stocks by week.
    The drawdown is that of the sum of the weekly returns after costs; the exposure the slope of
    these on the market.
    """
    net = gross - cost * turnover
    mean, t = mean_t_statistic(gross)
    return {
        "bp a week": 1e4 * mean,
        "t": t,
        "turnover, $": turnover.mean(),
        "break-even, bp": 1e4 * break_even_cost(gross, turnover),
        "net bp a week": 1e4 * net.mean(),
        "Sharpe": sharpe(net),
        "drawdown, %": 100 * max_drawdown(get_drawdowns(net.to_numpy())),
        "exposure": np.polyfit(market.loc[net.index], net, 1)[0],
    }
