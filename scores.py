"""Metrics, intervals, tests of equal accuracy, rows and tables of scores, score files."""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import psutil
import statsmodels.api as sm
from arch.bootstrap import MCS, StationaryBootstrap
from scipy import stats

from data.files import whole_file
from data.source import ROOT


def rmse(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error of arrays (samples,), in their units."""
    actual, predicted = _of_one_shape(actual, predicted)
    return np.sqrt(np.mean((actual - predicted) ** 2))


def mae(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error of arrays (samples,), in their units."""
    actual, predicted = _of_one_shape(actual, predicted)
    return np.mean(np.abs(actual - predicted))


def r2(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of ``actual`` (samples,) that ``predicted`` explains."""
    actual, predicted = _of_one_shape(actual, predicted)
    return 1 - np.mean((actual - predicted) ** 2) / np.var(actual)


def auc(actual: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve of labels 0 and 1 and any score, both (samples,).

    By ranks (Mann and Whitney 1947); NaN for labels of one class.
    """
    return auc_of_times(actual, score)(np.ones(len(actual), dtype=int))


def auc_of_times(actual: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], float]:
    """``auc`` of the samples, each taken as many ``times``, as a function of those, (samples,).

    The scores are sorted once: a sample that comes twice only moves the ranks above it.
    """
    actual, score = _of_one_shape(check_labels(actual, score), score)
    _, place, alike = np.unique(score, return_inverse=True, return_counts=True)
    order, ends = np.argsort(place, kind="stable"), np.cumsum(alike) - 1
    positive, place = actual[order] > 0.5, place[order]

    def of_times(times: np.ndarray) -> float:
        times = np.asarray(times)[order]
        up_to = np.cumsum(times)[ends]
        mean_rank = (np.append(0, up_to[:-1]) + up_to + 1) / 2  # of the scores that are alike
        positives = times @ positive
        if positives in (0, times.sum()):
            return np.nan  # not defined: a bootstrap sample may hold one class only
        of_positive = (times * mean_rank[place])[positive].sum() / positives
        return (of_positive - (positives + 1) / 2) / (up_to[-1] - positives)

    return of_times


def accuracy(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Share of labels 0 and 1 (samples,) that a probability above one half gets right. ValueError
    for other labels.
    """
    actual, predicted = _of_one_shape(check_labels(actual, predicted), predicted)
    return np.mean(actual == (predicted > 0.5))


def _of_one_shape(actual: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of numbers; ValueError where NumPy would pair each of one with all of the
    other, or Series have the same index in another order.
    """
    _check_order(actual, predicted)
    actual, predicted = _finite(actual), _finite(predicted)
    if actual.shape != predicted.shape:
        raise ValueError(
            f"needs arrays of one shape, (samples,), given {actual.shape} and {predicted.shape}"
        )
    return actual, predicted


def _check_order(*values: object) -> None:
    """ValueError for Series with the same index in another order: they would be paired by place."""
    indexes = [value.index for value in values if isinstance(value, (pd.Series, pd.DataFrame))]
    for index in indexes[1:]:
        first = indexes[0]
        if not index.equals(first) and index.sort_values().equals(first.sort_values()):
            raise ValueError("needs Series in one order, given the same index in another order")


NO_LABELS = "labels must be 0 or 1, given {}: recode them, such as labels > 0"


def check_labels(labels: np.ndarray, *beside: np.ndarray) -> np.ndarray:
    """Return ``labels`` (samples,) as numbers if each is 0 or 1, or True or False. ValueError for
    others, whose meaning would be a guess, for missing ones, and where ``beside``, what is paired
    with the labels, holds the same index in another order: the result has no index to tell by.
    """
    _check_order(labels, *beside)
    plain = np.asarray(labels)
    if plain.dtype.kind not in "biuf":
        plain = np.asarray(labels, dtype=object)
    right = (plain == 0) | (plain == 1)
    if not np.all(right):
        found = list(dict.fromkeys(plain.ravel().tolist()))[:5]
        raise ValueError(NO_LABELS.format(found))
    return plain if plain.dtype.kind in "iuf" else plain.astype("float64")


METRICS = {"rmse": rmse, "mae": mae, "r2": r2, "auc": auc, "accuracy": accuracy}
METRIC_NAMES = {  # what tables and figures call them
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "auc": "AUC",
    "accuracy": "accuracy",
    "ic": "IC",
    "qlike": "QLIKE",
    "crps": "CRPS",
    "coverage": "coverage",
    "brier": "Brier score",
    "sharpe": "Sharpe ratio",
    "rmse_skill": "skill (RMSE)",
    "mae_skill": "skill (MAE)",
    "mae_less_var": "MAE less VAR's",
    "mase": "MASE",
    "rank_correlation": "rank correlation",
    "rank_correlation_difference": "difference of rank correlations",
    "ic_difference": "difference of ICs",
    "long_short_bp": "long less short, basis points a week",
}


def score(
    task: str, model: str, metric: str, actual: np.ndarray, predicted: np.ndarray, **bootstrap
) -> dict:
    """One row of a score file: a metric of METRICS with its block-bootstrap interval.

    ``task`` is a slug such as "next_day_close"; ``metric`` is "rmse" or "mae" (in the units of
    ``actual``), "r2", "auc" or "accuracy" (of a probability above 0.5); ``actual`` and
    ``predicted`` are arrays (samples,) without missing values; ``bootstrap`` holds options of
    ``bootstrap_interval``.
    """
    if metric in ("auc", "accuracy"):
        check_labels(actual)
    actual, predicted = _aligned(actual, predicted)
    if metric not in METRICS or metric == "auc" and len(np.unique(actual > 0.5)) < 2:
        raise ValueError(
            f"needs a metric of {list(METRICS)} (auc: of two classes), given {metric!r} of "
            f"{np.unique(actual)[:3]}"
        )
    interval = bootstrap_interval(METRICS[metric], actual, predicted, **bootstrap)
    return score_row(task, model, metric, METRICS[metric](actual, predicted), interval, len(actual))


def forecast_scores(
    task: str,
    model: str,
    actual: np.ndarray,
    predicted: np.ndarray,
    baseline: np.ndarray,
    metric: str = "rmse",
    **bootstrap,
) -> list[dict]:
    """Rows for an error metric and for its skill, 1 − error / error of the ``baseline`` forecast.

    Skill is 1 for a perfect forecast, 0 for one as good as the baseline, negative for a worse one.
    Its interval resamples both forecasts together, so that it is a paired comparison. Arguments and
    result as ``score``.
    """

    def skill(actual, predicted, baseline):
        return 1 - METRICS[metric](actual, predicted) / METRICS[metric](actual, baseline)

    arrays = _aligned(actual, predicted, baseline)
    interval = bootstrap_interval(skill, *arrays, **bootstrap)
    skill_row = score_row(task, model, f"{metric}_skill", skill(*arrays), interval, len(actual))
    return [score(task, model, metric, actual, predicted, **bootstrap), skill_row]


def score_row(
    task: str, model: str, metric: str, value: float, interval: tuple[float, float], n: int
) -> dict:
    """A dict with task, model, metric, value, low, high, n: one row of a score file."""
    value, low, high = map(float, (value, *interval))
    return dict(task=task, model=model, metric=metric, value=value, low=low, high=high, n=int(n))


def bootstrap_interval(
    statistic: Callable, *arrays: np.ndarray, level: float = 0.95, **resampling: object
) -> tuple[float, float]:
    """(low, high) of ``statistic(*arrays)``: percentiles of ``bootstrap_draws``, whose arguments
    these are, that cover ``level``.
    """
    return interval_of_draws(bootstrap_draws(statistic, *arrays, **resampling), level)


def interval_of_draws(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """(low, high) that covers ``level`` of the resampled values, (repetitions,).

    Raises ValueError where more than a tenth of them are not numbers; fewer are left out.
    """
    finite = draws[np.isfinite(draws)]
    if len(finite) < 0.9 * len(draws):
        raise ValueError(
            f"no interval: the statistic is not defined in {len(draws) - len(finite):,} of "
            f"{len(draws):,} resamples; it needs more samples (of each class, for an AUC)"
        )
    return tuple(np.quantile(finite, [(1 - level) / 2, (1 + level) / 2]).tolist())


def bootstrap_draws(
    statistic: Callable,
    *arrays: np.ndarray,
    dates: np.ndarray | None = None,
    block: float | None = None,
    repetitions: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """``statistic(*arrays)`` on each resample of the stationary block bootstrap (Politis and Romano
    1994): (repetitions,). Arrays of one length are resampled alike, so that the draws of two
    statistics may be subtracted from each other.

    Args:
        statistic: function of the arrays that returns a number.
        arrays: each (samples, ...), in order of time, without missing values.
        dates: (samples,); where given, whole dates are resampled, because what is observed on one
            day moves together.
        block: mean length of a block, in samples or dates; by default the cube root of their
            number, the order that is optimal for the variance of a mean (Politis and White 2004).
        repetitions, seed: bootstrap samples, seed of their random numbers.

    Raises:
        ValueError: arrays of different length, missing or infinite values, or fewer than two
            samples or dates.
    """
    arrays = [_finite(array) for array in arrays]
    positions = np.arange(len(arrays[0])) if dates is None else np.asarray(dates)
    if len({len(positions), *map(len, arrays)}) != 1:
        raise ValueError(
            f"all arrays need one length, given {[len(array) for array in (*arrays, positions)]}"
        )
    order = np.argsort(positions, kind="stable")
    _, first, counts = np.unique(positions[order], return_index=True, return_counts=True)
    if len(first) < 2:
        raise ValueError(f"an interval needs at least two samples or dates, given {len(first)}")

    def resampled(groups):
        groups = groups.astype(int)
        within = np.arange(counts[groups].sum()) - np.repeat(
            np.cumsum(counts[groups]) - counts[groups], counts[groups]
        )
        rows = order[np.repeat(first[groups], counts[groups]) + within]
        return statistic(*(array[rows] for array in arrays))

    draw = resampled
    if statistic is auc:  # sorted once, not in every draw
        of_times, group_of = auc_of_times(*arrays), np.empty(len(order), dtype=int)
        group_of[order] = np.repeat(np.arange(len(first)), counts)

        def draw(groups):
            times = np.bincount(groups.astype(int), minlength=len(first))
            return of_times(times[group_of])

    bootstrap = StationaryBootstrap(
        block or len(first) ** (1 / 3), np.arange(len(first)), seed=seed
    )
    return np.asarray(bootstrap.apply(draw, repetitions)).ravel()


def jackknife_interval(
    value: float, without: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """(low, high) around ``value`` from the spread of the same statistic with one group left out.

    Groups are stretches of time, or companies: few, large and nearly independent. The interval has
    Student's t quantiles with groups − 1 degrees of freedom (Tukey 1958; for stretches of time
    Ibragimov and Müller 2010), and so stays honest where a bootstrap has too few blocks.

    Args:
        value: the statistic of all samples.
        without: (groups,), the statistic without each group.
        level: coverage of the interval.

    Raises:
        ValueError: fewer than two groups, or a value that is missing or infinite.
    """
    without = _finite(without)
    groups = len(without)
    if groups < 2:
        raise ValueError(f"an interval needs at least two groups, given {groups}")
    error = np.sqrt((groups - 1) * np.var(without))
    reach = stats.t.ppf((1 + level) / 2, groups - 1) * error
    return float(value - reach), float(value + reach)


def diebold_mariano(
    actual: np.ndarray, first: np.ndarray, second: np.ndarray, horizon: int = 1, power: float = 2
) -> tuple[float, float]:
    """Test of equal accuracy of two forecasts (Diebold and Mariano 1995) with the loss |error| **
    power.

    Newey-West variance with as many lags as the cube root of the samples (at least horizon - 1),
    and the small-sample correction of Harvey, Leybourne and Newbold (1997); equal to
    ``diebold_mariano_test`` of statsmodels 0.15. ``actual`` and the forecasts ``first`` and
    ``second``, ``horizon`` steps ahead, are arrays (samples,) in order of time.

    Returns (statistic, two-sided p value); a negative statistic means that ``first`` has the
    smaller loss. Raises ValueError for different lengths, missing values, or no more samples than
    the horizon.
    """
    actual, first, second = _aligned(actual, first, second)
    count = len(actual)
    if count <= horizon:
        raise ValueError(f"needs more samples than the horizon {horizon}, given {count}")
    difference = np.abs(actual - first) ** power - np.abs(actual - second) ** power
    if np.ptp(difference) == 0:
        raise ValueError("needs two forecasts whose losses differ, given the same loss everywhere")
    lags = int(max(horizon - 1, np.ceil(count ** (1 / 3))))
    fit = sm.OLS(difference, np.ones(count)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    correction = np.sqrt((count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count)
    statistic = float(fit.tvalues[0] * correction)
    return statistic, float(2 * stats.t.cdf(-abs(statistic), count - 1))


def confidence_set(
    losses: pd.DataFrame, block: int, repetitions: int = 1000, size: float = 0.1, seed: int = 0
) -> pd.Series:
    """p value of each model in the model confidence set (Hansen, Lunde and Nason 2011).

    ``losses`` is (dates, models), without missing values; models with the same losses count once. A
    model belongs to the set of confidence 1 − ``size`` if its p value is above ``size``. ``block``
    is the mean length of the blocks of the stationary bootstrap, in dates.
    """
    twins = {model: losses.T.eq(losses[model]).all(axis=1).idxmax() for model in losses}
    different = losses[list(dict.fromkeys(twins.values()))]
    test = MCS(different, size=size, reps=repetitions, block_size=block, method="R", seed=seed)
    test.compute()
    return pd.Series(twins).map(test.pvalues["Pvalue"])


def sharpe_ratio(returns: np.ndarray, a_year: int) -> float:
    """Mean over standard deviation of returns, for a year of ``a_year`` of them; cash earns
    nothing, and returns that never change have 0.

    Fewer returns than a year has are not blown up to one: the ratio is then that of their own span.
    """
    spread = np.std(returns)
    span = min(a_year, len(returns))
    return float(np.sqrt(span) * np.mean(returns) / spread) if spread > 0 else 0.0


def information_coefficient(
    actual: np.ndarray, predicted: np.ndarray, dates: np.ndarray
) -> pd.Series:
    """Spearman correlation of prediction and outcome across the stocks of each date, as a Series by
    date.

    All arguments are (samples,), without missing values. A date on which either is constant is left
    out.
    """
    actual, predicted = _aligned(actual, predicted)
    dates = check_dates(dates, len(actual))
    frame = pd.DataFrame({"actual": actual, "predicted": predicted})
    ranks = frame.groupby(dates).rank()
    ranks -= ranks.groupby(dates).transform("mean")
    products = (
        pd.DataFrame({"both": ranks["actual"] * ranks["predicted"], **(ranks**2)})
        .groupby(dates)
        .sum()
    )
    return (
        (products["both"] / np.sqrt(products["actual"] * products["predicted"]))
        .dropna()
        .rename("ic")
        .rename_axis("date")
    )


def mean_t_statistic(values: np.ndarray) -> tuple[float, float]:
    """Mean of a series and its Newey-West t-statistic, with as many lags as the cube root of the
    length.
    """
    values = _finite(values)
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="HAC", cov_kwds={"maxlags": int(len(values) ** (1 / 3))}
    )
    return float(fit.params[0]), float(fit.tvalues[0])


def check_dates(dates: np.ndarray, samples: int) -> np.ndarray:
    """``dates`` as an array, if there is one for each of the ``samples``, none missing.

    Raises ValueError: pandas leaves out what has no date, without a word.
    """
    dates = np.asarray(dates)
    if len(dates) != samples or pd.isna(dates).any():
        missing = int(pd.isna(dates).sum())
        raise ValueError(
            f"needs one date a sample, given {len(dates) - missing} for {samples} samples"
        )
    return dates


def _aligned(*arrays):
    _check_order(*arrays)
    arrays = [_finite(array) for array in arrays]
    if {array.shape for array in arrays} != {(len(arrays[0]),)}:
        raise ValueError(
            "needs arrays of one length, each (samples,), given the shapes "
            f"{[array.shape for array in arrays]}"
        )
    return arrays


def _finite(array):
    array = np.asarray(array)
    try:
        numbers = array.astype("float64")
    except (ValueError, TypeError) as error:
        raise ValueError(f"needs numbers, given {str(array.ravel()[:3].tolist())[:60]}") from error
    array = array if array.dtype.kind in "iuf" else numbers
    if array.ndim == 0 or len(array) == 0 or not np.isfinite(numbers).all():
        raise ValueError(
            f"needs a non-empty array without missing or infinite values, given shape {array.shape}"
        )
    return array


def paired_difference(
    statistic: Callable, actual: np.ndarray, first: np.ndarray, second: np.ndarray, **bootstrap
) -> tuple[float, float, float]:
    """``statistic(actual, first)`` less ``statistic(actual, second)`` as (difference, low, high).

    Both forecasts, arrays (samples,), are resampled together, so that what they share cancels.
    ``bootstrap`` holds options of ``bootstrap_interval``.
    """

    actual, first, second = _aligned(actual, first, second)
    draws = bootstrap_draws(statistic, actual, first, **bootstrap)
    draws = draws - bootstrap_draws(statistic, actual, second, **bootstrap)  # of the same samples
    low, high = interval_of_draws(draws)
    return float(statistic(actual, first) - statistic(actual, second)), low, high


def peak_memory_mb() -> int:
    """Largest resident memory of this process so far, in MB, on Linux, macOS and Windows."""
    memory = psutil.Process().memory_info()
    if hasattr(memory, "peak_wset"):  # Windows
        return round(memory.peak_wset / 2**20)
    import resource  # does not exist on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def save_scores(
    notebook: str, source: object, scores: list[dict], figures: dict | None = None
) -> None:
    """Write ``build/results/<notebook>.json``: source, seconds and peak MB of this process, rows of
    ``score``, and the numbers of ``figures``, name -> list, that other data are shown beside.
    """
    path = ROOT / "build" / "results" / f"{notebook}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "notebook": notebook,
        "source": str(source),
        "seconds": round(time.time() - psutil.Process().create_time(), 1),
        "peak_mb": peak_memory_mb(),
        "scores": scores,
    }
    if figures:
        result["figures"] = figures
    content = json.dumps(result, indent=1, allow_nan=False) + "\n"
    with whole_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def kept_scores(kind: str, notebook: str) -> list[dict]:
    """The rows of ``results/<kind>/<notebook>.json`` ("bundled" or "full"); none without a file."""
    return _kept_result(kind, notebook).get("scores", [])


def kept_figures(kind: str, notebook: str) -> dict[str, list]:
    """The ``figures`` of ``results/<kind>/<notebook>.json``; none without a file."""
    return _kept_result(kind, notebook).get("figures", {})


def _kept_result(kind, notebook):
    path = ROOT / "results" / kind / f"{notebook}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def score_text(row: dict) -> str:
    """A score with its interval, "value [low, high]", with three digits of the value."""
    size = np.clip(abs(row["value"]), 1e-2, 1e2)
    digits = 2 - int(np.floor(np.log10(size)))
    return f"{row['value']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"


def score_table(scores: list[dict]) -> pd.DataFrame:
    """Rows of ``score`` as a table: one line a task and model, one column a metric, "value [low,
    high]".

    Lines and columns are in the order of the rows. ``pivot`` sorts, on every version of pandas, so
    that the order is given back by ``reindex``.
    """
    frame = pd.DataFrame(scores)
    frame["text"] = [score_text(row) for row in scores]
    table = frame.pivot(index=["task", "model"], columns="metric", values="text")
    lines = pd.MultiIndex.from_frame(frame[["task", "model"]].drop_duplicates())
    table = table.reindex(index=lines, columns=frame["metric"].unique())
    return table.fillna("").rename_axis(columns=None)
