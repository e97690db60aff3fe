"""Scores of forecasts for a panel: all stocks of a week move together, so whole weeks are resampled
and paired.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import squareform
from scipy.stats import norm, rankdata

from scores import auc as plain_auc
from scores import (
    bootstrap_interval,
    check_dates,
    check_labels,
    information_coefficient,
    mean_t_statistic,
    r2,
    score_row,
)
from utils import Windows


def smallest_effect(standard_error: float, power: float = 0.8, level: float = 0.05) -> float:
    """Smallest true effect that a two-sided test at ``level`` finds with probability ``power``.

    In the units of ``standard_error``, for an estimate that is about normal (Cohen 1988,
    Statistical Power Analysis).
    """
    return (norm.ppf(1 - level / 2) + norm.ppf(power)) * standard_error


def smallest_effects(
    returns: np.ndarray, labels: np.ndarray, guess: np.ndarray, dates: np.ndarray, weeks: int
) -> tuple[float, float]:
    """Smallest weekly IC, and smallest AUC, that ``weeks`` weeks would find four times out of five.

    The spread of the weekly IC, and of the AUC over resampled weeks, is that of the forecast
    ``guess`` in the given samples; ``returns``, ``labels`` (0 or 1) and the others are (samples,).
    """
    ic = information_coefficient(returns, guess, dates)
    row = auc_row("", "", labels, guess, dates)
    error = (row["high"] - row["low"]) / (2 * norm.ppf(0.975)) * np.sqrt(len(ic) / weeks)
    return smallest_effect(ic.std() / np.sqrt(weeks)), 0.5 + smallest_effect(error)


def qlike_of_logs(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """QLIKE loss of forecasts of the log volatility, all (samples,): zero if right, dearer if too
    low.

    With variances: actual / predicted - log(actual / predicted) - 1 (Patton 2011, Volatility
    forecast comparison using imperfect volatility proxies, Journal of Econometrics).
    """
    log_ratio = 2 * (np.asarray(actual, dtype="float64") - predicted)
    return np.exp(log_ratio) - log_ratio - 1


def paired_by_week(first: np.ndarray, second: np.ndarray, dates: np.ndarray) -> tuple[float, float]:
    """Mean over weeks of the difference of two losses, and its Newey-West t-statistic.

    The losses and ``dates`` are (samples,). Negative: ``first`` is smaller.
    """
    difference = pd.Series(np.asarray(first, dtype="float64") - second)
    return mean_t_statistic(difference.groupby(check_dates(dates, len(difference))).mean())


def volatility_rows(
    task: str, model: str, actual: np.ndarray, predicted: np.ndarray, dates: np.ndarray
) -> list[dict]:
    """Rows of a score file for forecasts of the log volatility, all (samples,): R² and mean QLIKE.

    Intervals resample whole weeks in blocks. R² is that of ``scores.r2``, relative to the mean of
    ``actual``.
    """
    actual, predicted = (np.asarray(values, dtype="float64") for values in (actual, predicted))
    values = {"one": 1.0, "y": actual, "y2": actual**2, "e2": (actual - predicted) ** 2}
    sums = pd.DataFrame(values).groupby(check_dates(dates, len(actual))).sum()

    def share_explained(count, total, squares, errors):
        return 1 - errors.sum() / (squares.sum() - total.sum() ** 2 / count.sum())

    interval = bootstrap_interval(share_explained, *(sums[name].to_numpy() for name in sums))
    rows = [score_row(task, model, "r2", r2(actual, predicted), interval, len(actual))]
    return [*rows, mean_row(task, model, "qlike", qlike_of_logs(actual, predicted), dates)]


def mean_row(task: str, model: str, metric: str, values: np.ndarray, dates: np.ndarray) -> dict:
    """Row of a score file for the mean of ``values`` (samples,), with whole weeks resampled in
    blocks.
    """
    values = np.asarray(values, dtype="float64")
    sums = pd.Series(values).groupby(check_dates(dates, len(values)))
    sums = sums.agg(["sum", "count"])
    interval = bootstrap_interval(
        lambda total, count: total.sum() / count.sum(), sums["sum"], sums["count"]
    )
    return score_row(task, model, metric, np.mean(values), interval, len(values))


def direction_rows(
    task: str,
    model: str,
    actual: np.ndarray,
    predicted: np.ndarray,
    returns: np.ndarray,
    dates: np.ndarray,
    brier: bool = True,
) -> list[dict]:
    """Rows for one forecast of a direction: AUC, accuracy, Brier score and mean weekly IC,
    intervals over weeks.

    All arrays are (samples,), ordered by ``dates``: ``actual`` is 0 or 1, ``predicted`` a
    probability, ``returns`` what the IC is measured against. Without ``brier`` only the order of
    ``predicted`` and its side of one half count. The IC is left out for a forecast that is constant
    within weeks.
    """
    actual = check_labels(actual, predicted, returns)
    rows = [auc_row(task, model, actual, predicted, dates)]
    rows.append(mean_row(task, model, "accuracy", (predicted > 0.5) == (actual > 0.5), dates))
    if brier:
        rows.append(mean_row(task, model, "brier", (predicted - actual) ** 2, dates))
    ic = information_coefficient(returns, predicted, dates)
    if len(ic) > 1:
        interval = bootstrap_interval(np.mean, ic.to_numpy())
        rows.append(score_row(task, model, "ic", ic.mean(), interval, len(ic)))
    return rows


def ic_differences(ics: dict[str, pd.Series], own: str, rivals: Sequence[str]) -> dict[str, str]:
    """Mean of the weekly IC ``own`` less that of each of the rivals, paired by week, and its t
    statistic, as texts by rival.
    """
    texts = {}
    for rival in rivals:
        mean, t = mean_t_statistic((ics[own] - ics[rival]).dropna())
        texts[rival] = f"{mean:+.4f} (t = {t:.1f})"
    return texts


def false_alarms(outcome: np.ndarray, dates: np.ndarray, draws: int = 200) -> float:
    """Share of ``draws`` forecasts without knowledge whose rank correlation over all samples
    together is significant at five percent: each has one random number a week, for all its stocks.

    ``outcome`` and ``dates`` are (samples,).
    """
    generator = np.random.default_rng(0)
    week, ranked = np.unique(dates, return_inverse=True)[1], rankdata(outcome)
    pooled = []
    for _ in range(draws):
        guess = generator.random(week.max() + 1)[week]
        pooled.append(np.corrcoef(rankdata(guess), ranked)[0, 1])
    return float(np.mean(np.abs(pooled) > norm.ppf(0.975) / np.sqrt(len(outcome))))


def ic_table(forecasts: dict[str, np.ndarray], windows: Windows, part: slice) -> pd.DataFrame:
    """Mean weekly IC, its t-statistic and the share of positive weeks, a row a forecast.

    ``forecasts`` are by name, each for the samples of the part.
    """
    rows = {}
    for name, predicted in forecasts.items():
        ic = information_coefficient(windows.y[part], predicted, windows.input_end[part])
        rows[name] = [*mean_t_statistic(ic), (ic > 0).mean()]
    return pd.DataFrame(rows, ["weekly IC", "t-statistic", "positive weeks"]).T


def direction_table(
    forecasts: dict[str, np.ndarray], actual: np.ndarray, windows: Windows, part: slice
) -> pd.DataFrame:
    """AUC, accuracy, mean weekly IC and its t-statistic, a row a forecast.

    ``forecasts`` are by name; these and ``actual``, 0 or 1, are for all samples of ``windows``.
    """
    actual, rows = check_labels(actual, *forecasts.values()), {}
    for name, forecast in forecasts.items():
        predicted, dates = forecast[part], windows.input_end[part]
        ic = information_coefficient(windows.y[part], predicted, dates)
        mean, t = mean_t_statistic(ic) if len(ic) else (np.nan, np.nan)
        right = ((predicted > 0.5) == actual[part]).mean()
        rows[name] = [plain_auc(actual[part], predicted), right, mean, t]
    return pd.DataFrame(rows, ["AUC", "accuracy", "weekly IC", "t of IC"]).T


def volatility_table(
    forecasts: dict[str, np.ndarray],
    rival: str,
    actual: np.ndarray,
    dates: np.ndarray,
    part: slice,
) -> pd.DataFrame:
    """R², QLIKE, and the t-statistics of both losses against those of ``rival``, a row a forecast.

    ``forecasts`` of the log volatility are by name; these, ``actual`` and ``dates`` are for all
    samples.
    """
    true, weeks, rows = actual[part], dates[part], {}
    others = (true - forecasts[rival][part]) ** 2, qlike_of_logs(true, forecasts[rival][part])
    for name, forecast in forecasts.items():
        losses = (true - forecast[part]) ** 2, qlike_of_logs(true, forecast[part])
        t = [np.nan, np.nan]
        if name != rival:
            t = [paired_by_week(*pair, weeks)[1] for pair in zip(losses, others)]
        rows[name] = [r2(true, forecast[part]), losses[1].mean(), *t]
    return pd.DataFrame(rows, ["R²", "QLIKE", "t, squared error", "t, QLIKE"]).T


def paired_table(
    forecasts: dict[str, np.ndarray], actual: np.ndarray, dates: np.ndarray, own: str
) -> pd.DataFrame:
    """t-statistics, paired by week, of both losses of the forecast ``own`` of the log volatility
    less those of each other: a row a rival. Negative: its losses are smaller.

    ``forecasts`` are by name; these, ``actual`` and ``dates`` are (samples,).
    """
    rows = {}
    for name, rival in forecasts.items():
        if name != own:
            both = forecasts[own], rival
            squares = [(actual - forecast) ** 2 for forecast in both]
            costs = [qlike_of_logs(actual, forecast) for forecast in both]
            rows[name] = [paired_by_week(*losses, dates)[1] for losses in (squares, costs)]
    return pd.DataFrame(rows, ["t, squared error", "t, QLIKE"]).T


def direction_line(
    forecasts: dict[str, np.ndarray],
    own: str,
    rivals: Sequence[str],
    actual: np.ndarray,
    returns: np.ndarray,
    dates: np.ndarray,
) -> str:
    """Weekly IC of the forecast ``own``, its difference from each of the ``rivals``, paired by
    week, and the Pesaran-Timmermann test: one line of text. Arrays are (samples,), ``actual`` is 0
    or 1.
    """
    ics = {
        name: information_coefficient(returns, forecasts[name], dates) for name in [own, *rivals]
    }
    text = f"IC {ics[own].mean():.3f} (t = {mean_t_statistic(ics[own])[1]:.1f})"
    for rival, difference in ic_differences(ics, own, rivals).items():
        text += f"; against {rival} {difference}"
    sign = pesaran_timmermann(actual - 0.5, forecasts[own] - 0.5, dates)[1]
    return f"{text}; Pesaran-Timmermann t = {sign:.1f}"


def auc_row(
    task: str, model: str, actual: np.ndarray, predicted: np.ndarray, dates: np.ndarray
) -> dict:
    """Row of a score file: AUC of all samples together, with whole weeks resampled in blocks."""
    pairs, risers, fallers = auc_by_weeks(check_labels(actual, predicted), predicted, dates)

    def auc(weeks):
        times = np.bincount(weeks.astype(int), minlength=len(pairs))
        return times @ pairs @ times / ((times @ risers) * (times @ fallers))

    weeks = np.arange(len(pairs))
    return score_row(task, model, "auc", auc(weeks), bootstrap_interval(auc, weeks), len(actual))


def auc_by_weeks(
    actual: np.ndarray, predicted: np.ndarray, dates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Concordant pairs (weeks of the risers × weeks of the fallers), and the number of each by
    week.

    Counted once, they give the AUC of any selection of weeks: how often does a stock that rose in
    the one week have a higher forecast than a stock that fell in the other?
    """
    week = np.unique(check_dates(dates, len(actual)), return_inverse=True)[1]
    up, weeks = actual > 0.5, week.max() + 1
    pairs = np.zeros((weeks, weeks))
    for other in range(weeks):
        fallers = np.sort(predicted[~up & (week == other)])
        lower = np.searchsorted(fallers, predicted[up])
        not_higher = np.searchsorted(fallers, predicted[up], side="right")
        pairs[:, other] = np.bincount(week[up], (lower + not_higher) / 2, minlength=weeks)
    return pairs, np.bincount(week[up], minlength=weeks), np.bincount(week[~up], minlength=weeks)


def pesaran_timmermann(
    actual: np.ndarray, predicted: np.ndarray, dates: np.ndarray
) -> tuple[float, float]:
    """Does the predicted direction go with the actual one? (covariance of the two signs, its
    t-statistic).

    ``actual`` and ``predicted``, (samples,), are positive for "up". The covariance is averaged by
    week, with a Newey-West t-statistic, so that the stocks of a week count as one observation; NaN
    if all predictions are alike. Source: Pesaran and Timmermann (1992), Journal of Business and
    Economic Statistics, and (2009), Journal of the American Statistical Association, for the
    version that allows for dependence.
    """
    up, forecast = (np.asarray(values) > 0 for values in (actual, predicted))
    if forecast.all() or not forecast.any():
        return np.nan, np.nan
    product = (up - up.mean()) * (forecast - forecast.mean())
    return mean_t_statistic(pd.Series(product).groupby(check_dates(dates, len(up))).mean())


def mantel(
    distances: np.ndarray, others: np.ndarray, draws: int = 999, seed: int = 0
) -> tuple[float, np.ndarray, float]:
    """Do two sets of distances between the same things agree? (rank correlation, its draws by
    chance, p value).

    ``distances`` and ``others`` are condensed as by ``scipy.spatial.distance.pdist``: (pairs,).
    Chance gives the names of the things at random; the p value is one-sided, for a positive
    correlation. Source: Mantel (1967), The detection of disease clustering and a generalized
    regression approach, Cancer Research.
    """
    ranks = squareform(rankdata(distances))
    fixed = rankdata(others)
    generator = np.random.default_rng(seed)

    def agreement(order):
        shuffled = squareform(ranks[np.ix_(order, order)], checks=False)
        return np.corrcoef(shuffled, fixed)[0, 1]

    observed = agreement(np.arange(len(ranks)))
    by_chance = np.array([agreement(generator.permutation(len(ranks))) for _ in range(draws)])
    return observed, by_chance, (1 + (by_chance >= observed).sum()) / (1 + draws)
