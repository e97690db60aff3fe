"""Volatility: what is known at the close, folds of a walk-forward, rivals of the network, their
judgement.

Rows are trading days. A forecast made at the close of day t reads row t and is about the days t + 1
to t + horizon, so that its target is known at the close of day t + horizon. Volatilities are
logarithms of daily standard deviations in percent, variances are in percent squared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from arch import arch_model
from matplotlib.dates import DateFormatter, YearLocator
from pandas.io.formats.style import Styler
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.api import OLS
from statsmodels.tsa.ar_model import AutoReg, ar_select_order
from threadpoolctl import threadpool_limits

import scores
from data.checks import as_date
from features.har import log_of
from scores import (
    diebold_mariano,
    jackknife_interval,
    r2,
    score_row,
    sharpe_ratio,
)
from utils import (
    FAMILIES,
    legend_below,
    make_windows,
    plot_forecast,
    plot_learning_curves,
    plot_scoreboard,
)

DAY, WEEK, MONTH, QUARTER = 1, 5, 22, 63  # in trading days
SPANS = {"day": DAY, "week": WEEK, "month": MONTH, "quarter": QUARTER}
TRADING_DAYS = 252  # a year
DECAY = 0.94  # of RiskMetrics (1996), for daily data
MODELS = {  # the family of each rival
    "persistence": "baseline",
    "EWMA": "baseline",
    "GJR-GARCH": "baseline",
    "boosted trees": "baseline",
    "HAR": "linear",
    "HAR with returns": "linear",
    "LHAR": "linear",
    "ridge, all lags": "linear",
}


def stale_opens(prices: pd.DataFrame, cents: float = 0.005) -> pd.Series:
    """Percent of the days of each year on which the open is the close of the day before, to within
    ``cents``; ``prices`` are by day. Zero where there are no opens."""
    if "open" not in prices:
        prices = prices.assign(open=np.nan)
    stale = (prices["open"] - prices["close"].shift()).abs() < cents
    return 100 * stale.groupby(prices.index.year).mean()


def close_baselines(close: pd.Series, train_return: pd.Series) -> pd.DataFrame:
    """Three forecasts of each close but the first, by its day: the close before, the same with the
    mean return of training, and an autoregression of returns.

    ``close`` is by day; ``train_return`` are its log returns (days,) that may be learned from. The
    order of the autoregression is chosen by Akaike's criterion, up to ten.
    """
    log_return = np.log(close).diff().iloc[1:].to_numpy()
    known = train_return.to_numpy()
    order = ar_select_order(known, maxlag=10).ar_lags or [1]
    fitted = AutoReg(known, order).fit()
    forecasts = pd.DataFrame({"yesterday's close": close.shift(1)}).iloc[1:]
    before = forecasts["yesterday's close"]
    forecasts["with drift"] = before * np.exp(train_return.mean())
    forecasts["AR"] = before * np.exp(AutoReg(log_return, order).predict(fitted.params))
    return forecasts


def close_scores(forecasts: pd.DataFrame, actual: pd.Series) -> list[dict]:
    """Rows of a score file: RMSE of each column of ``forecasts`` (days, models), the first of which
    is the baseline, and its skill over that."""
    baseline, rows = forecasts.iloc[:, 0], []
    for name, values in forecasts.items():
        of_model = scores.forecast_scores(
            "next_day_close", name, actual, values, baseline, repetitions=300
        )
        rows += of_model[: 1 if name == baseline.name else 2]
    return rows


def rank_correlations(forecasts: pd.DataFrame, actual: pd.Series) -> pd.DataFrame:
    """Spearman's rank correlation (IC) of each forecast of a close with it, as levels and as
    returns since the close before; (models, 2).

    ``forecasts`` (days, models) hold the close before in their first column. NaN where all forecast
    returns are equal.
    """
    before = forecasts.iloc[:, 0]
    returns = np.log(forecasts.div(before, axis=0).clip(lower=1e-3)).round(12)
    outcome = np.log(actual / before)
    varying = returns.loc[:, returns.nunique() > 1]
    table = {"IC of levels": forecasts.corrwith(actual, method="spearman")}
    table["IC of returns"] = varying.corrwith(outcome, method="spearman")
    return pd.DataFrame(table).loc[forecasts.columns]


def ahead(variance: pd.Series, horizon: int) -> pd.Series:
    """Target by the day of the forecast: log volatility of the ``horizon`` days that follow,
    (days,).

    It is half the log of their mean variance, in log percent a day; NaN where a day is missing or
    still to come.
    """
    return log_of(variance.rolling(horizon).mean().shift(-horizon)).rename(f"{horizon} ahead")


def behind(variance: pd.Series, horizon: int) -> pd.DataFrame:
    """The forecast of persistence: log volatility of the last ``horizon`` days, one column."""
    return log_of(variance.rolling(horizon).mean()).to_frame("persistence")


def ewma(variance: pd.Series, decay: float = DECAY) -> pd.DataFrame:
    """The forecast of an exponentially weighted mean of past variances (RiskMetrics 1996), one
    column of logs.
    """
    weighted = variance.ewm(alpha=1 - decay, min_periods=MONTH).mean()
    return log_of(weighted).where(variance.notna()).to_frame("EWMA")


def lhar_features(volatility: pd.Series, log_return: pd.Series) -> pd.DataFrame:
    """Twelve inputs of a HAR with leverage at all spans (Corsi and Renò 2012), (days, 12).

    Means over a day, week, month and quarter of the log volatility, of the return in percent, and
    of its negative part.
    """
    parts = {
        "volatility": volatility,
        "return": 100 * log_return,
        "fall": 100 * log_return.clip(upper=0),
    }
    features = pd.DataFrame(index=volatility.index)
    for name, series in parts.items():
        for span, days in SPANS.items():
            features[f"{name}, {span}"] = series.rolling(days).mean()
    return features.dropna()


def histories(features: pd.DataFrame, window: int) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """Windows up to and with the last day, whose target is still to come.

    Returns X, float32 (samples, window, features), oldest step first, and the last day of each;
    none touches a gap.
    """
    tomorrow = features.tail(1).shift(freq="D")  # a target for the last day: it is not used
    windows = make_windows(pd.concat([features, tomorrow]), window)
    return windows.X, pd.DatetimeIndex(windows.input_end)


def side_by_side(X: np.ndarray, days: pd.DatetimeIndex) -> pd.DataFrame:
    """All steps and features of (samples, steps, features) as columns: a linear model then reads
    what a network does.
    """
    return pd.DataFrame(X.reshape(len(X), -1), days)


def known_rows(days: pd.DatetimeIndex, outcome: np.ndarray, part: pd.DatetimeIndex) -> np.ndarray:
    """Mask over ``days`` of those that lie in ``part`` and whose targets (days, horizons) are all
    known.
    """
    return days.isin(part) & np.isfinite(outcome).all(axis=1)


def standardized(X: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(samples, steps, features) with mean zero and variance one a feature on ``rows``; and those
    means and deviations.
    """
    center, spread = X[rows].mean(axis=(0, 1)), X[rows].std(axis=(0, 1))
    return (X - center) / spread, center, spread


def start_inside(dates: pd.DatetimeIndex, start: object) -> pd.Timestamp:
    """``start``, as ``checks.as_date`` reads it, if at least 1,500 of the dates lie before it and
    250 after, else the date after 60 %; printed. Raises ValueError where it is no date.
    """
    wanted, found = as_date(start), dates[int(0.6 * len(dates))]
    before = int((dates < wanted).sum())
    fits = before >= 1500 and len(dates) - before >= 250
    reason = "as given" if fits else f"{wanted:%Y-%m-%d} does not fit: the last four tenths"
    print(f"test years from {wanted if fits else found:%Y-%m-%d} ({reason})")
    return wanted if fits else found


LEAST_DAYS = {"train": 100, "validation": 1, "test": 1}  # of the first fold


def years_inside(
    dates: pd.DatetimeIndex, start: pd.Timestamp, years: int, validation_years: int
) -> tuple[int, int]:
    """(``years``, ``validation_years``) as given; fewer, and printed, where the dates are too few.

    There are two folds of ``years`` from ``start`` on, and before the validation years the days to
    train on that ``LEAST_DAYS`` asks for, and two months that windows and horizon lose, or each
    number becomes smaller, down to one.
    """
    given, needed = (years, validation_years), LEAST_DAYS["train"] + 2 * MONTH
    while years > 1 and start + pd.DateOffset(years=years) > dates[-1]:
        years -= 1
    while validation_years > 1:
        if (dates < start - pd.DateOffset(years=validation_years)).sum() >= needed:
            break
        validation_years -= 1
    if (years, validation_years) != given:
        print(
            f"refits {years} and validation {validation_years} year(s) long, not {given[0]} and "
            f"{given[1]}: the days run from {dates[0]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}"
        )
    return years, validation_years


@dataclass(frozen=True)
class Fold:
    """One step of a walk-forward: days (datetime64) of each part, none of whose targets reaches the
    next.

    Attributes:
        train: to fit what is chosen on validation.
        validation: to choose, and for the residuals of intervals; the last years before the test.
        fit: train and validation together, to fit once more what was chosen.
        test: the years to forecast.
    """

    train: pd.DatetimeIndex
    validation: pd.DatetimeIndex
    fit: pd.DatetimeIndex
    test: pd.DatetimeIndex


def walk_forward_folds(
    dates: pd.DatetimeIndex,
    horizon: int,
    test_start: str | pd.Timestamp,
    years: int = 2,
    validation_years: int = 2,
) -> list[Fold]:
    """Folds that start ``years`` apart; each may use all that is known before its test begins.

    ``dates`` are the days of the forecasts, sorted and unique. A day belongs to a part if its
    inputs end in it and its target, ``horizon`` days later, is known before the next part begins:
    ``horizon`` days are purged at each border. The last ``horizon`` days have a target still to
    come; they are part of the last test.

    Raises ValueError for unsorted dates, or where a part of the first fold would have fewer days
    than ``LEAST_DAYS``.
    """
    if not (dates.is_monotonic_increasing and dates.is_unique):
        raise ValueError("the dates must be sorted from old to new, without duplicates")
    if not len(dates):
        raise ValueError("there are no days to divide: the prices are too few")
    known = dates[horizon:].append(pd.DatetimeIndex([pd.Timestamp.max] * horizon))
    begin, folds = as_date(test_start), []
    start = begin
    while start <= dates[-1]:
        end, choice = (start + pd.DateOffset(years=n) for n in (years, -validation_years))
        folds.append(
            Fold(
                train=dates[known < choice],
                validation=dates[(dates >= choice) & (known < start)],
                fit=dates[known < start],
                test=dates[(dates >= start) & (dates < end)],
            )
        )
        start = end
    for name, least in LEAST_DAYS.items():
        found = len(getattr(folds[0], name)) if folds else 0
        if found < least:
            raise ValueError(
                f"the first fold has {found or 'no'} days in {name}, needs {least}: the test "
                f"starts {begin:%Y-%m-%d}, the days run from {dates[0]:%Y-%m-%d} to "
                f"{dates[-1]:%Y-%m-%d}; needs days more than {validation_years} year(s) before "
                "the test"
            )
    return folds


def parts(folds: list[Fold], part: str) -> Iterator[tuple[pd.DatetimeIndex, pd.DatetimeIndex]]:
    """Days to fit on and days to forecast, fold by fold; ``part`` is "validation" or "test"."""
    for fold in folds:
        yield (fold.train if part == "validation" else fold.fit), getattr(fold, part)


def calibrated(
    forecast: pd.Series, target: pd.Series, fitted: pd.DatetimeIndex
) -> tuple[pd.Series, pd.Series]:
    """A forecast as a forecast of the log, and as one of the variance.

    A model may forecast the mean of the log or the log of the mean variance, and either is biased
    for the other purpose. Both are put right by one constant from the days ``fitted`` on: the mean
    error of the log is added to the first, and the second is multiplied by the mean of variance
    over forecast, which minimises QLIKE (Patton 2011).

    Returns (log volatility, variance in percent squared), each (days,).
    """
    error = (target - forecast).reindex(fitted).dropna()
    if error.empty:
        raise ValueError("no day to calibrate on has both a forecast and a target")
    return forecast + error.mean(), np.exp(2 * forecast) * np.exp(2 * error).mean()


class AsItIs:
    """A forecast that needs no fitting: the only column of its inputs."""

    def fit(self, inputs: pd.DataFrame, target: pd.Series) -> "AsItIs":
        return self

    def predict(self, inputs: pd.DataFrame) -> np.ndarray:
        return inputs.iloc[:, 0].to_numpy()


class Garch:
    """GJR-GARCH(1,1) with Student's t (Glosten, Jagannathan and Runkle 1993), fitted to returns in
    percent.

    It reads the one column of its inputs, the daily return; ``predict`` forecasts the log of the
    mean variance of the ``horizon`` days that follow each row, with the parameters of the days it
    was fitted on.
    """

    def __init__(self, horizon: int):
        self.horizon = horizon

    def fit(self, inputs: pd.DataFrame, target: pd.Series) -> "Garch":
        returns = inputs.iloc[:, 0].to_numpy()
        self.parameters = self._model(returns).fit(disp="off", show_warning=False).params
        return self

    def predict(self, inputs: pd.DataFrame) -> np.ndarray:
        fixed = self._model(inputs.iloc[:, 0].to_numpy()).fix(self.parameters)
        forecast = fixed.forecast(horizon=self.horizon, start=0, reindex=False)
        return 0.5 * np.log(forecast.variance.to_numpy().mean(axis=1))

    @staticmethod
    def _model(returns: np.ndarray):
        return arch_model(returns, p=1, o=1, q=1, dist="t", rescale=False)


def rivals(
    variance: pd.Series,
    log_return: pd.Series,
    features: pd.DataFrame,
    lags: pd.DataFrame,
    horizon: int,
) -> dict[str, tuple[object, pd.DataFrame]]:
    """Rivals of the network by name: a model with ``fit`` and ``predict``, and the inputs (days,
    ...) it reads.

    ``features`` are those of a HAR with returns, their first three columns those of a HAR; ``lags``
    are all inputs of the network side by side. The regularisation of the ridge is chosen inside
    each training span.
    """
    lhar = lhar_features(log_of(variance), log_return)
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9)))
    trees = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=50, random_state=0
    )
    return {
        "persistence": (AsItIs(), behind(variance, horizon)),
        "EWMA": (AsItIs(), ewma(variance)),
        "GJR-GARCH": (Garch(horizon), 100 * log_return.to_frame()),
        "HAR": (LinearRegression(), features.iloc[:, :3]),
        "HAR with returns": (LinearRegression(), features),
        "LHAR": (LinearRegression(), lhar),
        "ridge, all lags": (ridge, lags),
        "boosted trees": (trees, lhar),
    }


def walk_forward(
    model: object, inputs: pd.DataFrame, target: pd.Series, folds: list[Fold], part: str
) -> pd.DataFrame:
    """Forecasts of one model, fitted anew in each fold on the days before it.

    ``model`` has ``fit(inputs, target)`` and ``predict(inputs)`` as in scikit-learn; ``inputs``
    (days, features) and ``target`` (days,) are labelled by the day of the forecast; ``part`` is
    "validation" or "test". Days without inputs are left out.

    Returns the columns "log" (log volatility) and "variance" (percent squared) by day.
    """
    inputs = inputs.dropna()
    forecasts = []
    with threadpool_limits(1):  # small problems: more threads wait for each other
        for fitted, days in parts(folds, part):
            rows = inputs.index.intersection(fitted).intersection(target.dropna().index)
            model.fit(inputs.loc[rows], target[rows])
            known = inputs.loc[: days[-1]]
            raw = pd.Series(model.predict(known), known.index)
            forecasts.append(forecast_frame(raw, target, rows, days))
    return pd.concat(forecasts)


def forecast_frame(
    raw: pd.Series, target: pd.Series, fitted: pd.DatetimeIndex, days: pd.DatetimeIndex
) -> pd.DataFrame:
    """The columns "log" and "variance" of a forecast calibrated on the days ``fitted``, on the days
    ``days``.
    """
    log, variance = calibrated(raw, target, fitted)
    both = pd.DataFrame({"log": log, "variance": variance})
    return both.loc[both.index.intersection(days)]


def joined_folds(
    raw: list[pd.DataFrame],
    fitted: list[pd.DatetimeIndex],
    targets: dict[int, pd.Series],
    folds: dict[int, list[Fold]],
) -> dict[int, pd.DataFrame]:
    """Test forecasts of one model by horizon, with the columns of ``walk_forward``.

    ``raw`` holds its forecasts of the log (days, horizons) fold by fold, ``fitted`` the days that
    it was fitted on, and is calibrated on.
    """
    joined = {}
    for horizon, target in targets.items():
        frames = []
        for forecast, known, fold in zip(raw, fitted, folds[horizon]):
            frames.append(forecast_frame(forecast[horizon], target, known, fold.test))
        joined[horizon] = pd.concat(frames)
    return joined


def together(forecasts: dict[str, pd.DataFrame], target: pd.Series) -> pd.DatetimeIndex:
    """The days on which every model has a forecast and the target is known."""
    days = target.dropna().index
    for frame in forecasts.values():
        days = days.intersection(frame.index)
    return days


def losses(forecasts: dict[str, pd.DataFrame], target: pd.Series, measure: str) -> pd.DataFrame:
    """Loss of each model by day, (days, models); ``measure`` is "squared" (error of the log) or
    "qlike".
    """
    days = together(forecasts, target)
    table = pd.DataFrame(index=days)
    for name, frame in forecasts.items():
        if measure == "qlike":
            table[name] = qlike(np.exp(2 * target[days]), frame["variance"][days])
        else:
            table[name] = (target[days] - frame["log"][days]) ** 2
    return table


def qlike(actual: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """QLIKE of each forecast (Patton 2011): a / v − log(a / v) − 1, for variances (samples,); zero
    if they agree.
    """
    ratio = actual / variance
    return ratio - np.log(ratio) - 1


def equal_loss(first: pd.Series, second: pd.Series, horizon: int = 1) -> tuple[float, float]:
    """Diebold and Mariano's statistic and p value from the daily losses of two models; negative:
    the first is better.
    """
    zero = np.zeros(len(first))
    return diebold_mariano(zero, first.to_numpy(), second.to_numpy(), horizon, power=1)


def clark_west(
    actual: np.ndarray, small: np.ndarray, large: np.ndarray, horizon: int = 1
) -> tuple[float, float]:
    """Does a large model beat the small one nested in it (Clark and West 2007)?

    The squared error of the large model is excused for the noise of what it estimates in vain,
    (small − large)². Arguments are (samples,) in order of time. Returns the t statistic (Newey and
    West) and the one-sided p value; a large positive statistic favours the large model.
    """
    actual, small, large = np.asarray(actual), np.asarray(small), np.asarray(large)
    gain = (actual - small) ** 2 - (actual - large) ** 2 + (small - large) ** 2
    lags = max(horizon - 1, int(np.ceil(len(gain) ** (1 / 3))))
    fit = OLS(gain, np.ones(len(gain))).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    statistic = float(fit.tvalues[0])
    return statistic, float(stats.norm.sf(statistic))


def means_without(table: pd.DataFrame, stretches: int = 12) -> np.ndarray:
    """Means of all columns without one stretch of consecutive days each, (stretches, columns).

    The columns lose the same days. Twelve stretches are years where the test has twelve.
    """
    parts = np.array_split(table.to_numpy(), min(stretches, len(table)))
    sums = np.array([part.sum(axis=0) for part in parts])
    days = np.array([len(part) for part in parts])
    return (sums.sum(axis=0) - sums) / (days.sum() - days)[:, None]


def volatility_scores(
    task: str, forecasts: dict[str, pd.DataFrame], target: pd.Series, baseline: str
) -> list[dict]:
    """Rows of a score file: RMSE and R² of the log, QLIKE, and skill against ``baseline``, with 95
    % intervals by a jackknife over stretches of time.

    A simulation of such errors is in tests/test_volatility.py: the jackknife covers what it says,
    a block bootstrap of the same days does not.
    """
    squared, risk = losses(forecasts, target, "squared"), losses(forecasts, target, "qlike")
    actual = target[squared.index]
    moments = pd.DataFrame({"mean": actual, "square": actual**2})
    table = pd.concat([squared, risk, moments], axis=1)
    # the first row: all days
    draws = np.vstack([table.mean().to_numpy(), means_without(table)])
    count, reference = len(forecasts), list(forecasts).index(baseline)
    spread = draws[:, -1] - draws[:, -2] ** 2
    rows = []
    for number, name in enumerate(forecasts):
        error = draws[:, number]
        values = {
            "rmse": np.sqrt(error),
            "qlike": draws[:, count + number],
            "r2": 1 - error / spread,
        }
        if name != baseline:
            values["rmse_skill"] = 1 - np.sqrt(error / draws[:, reference])
        for metric, value in values.items():
            interval = jackknife_interval(value[0], value[1:])
            rows.append(score_row(task, name, metric, value[0], interval, len(actual)))
    return rows


def scores_by_horizon(
    forecasts: dict[int, dict[str, pd.DataFrame]], targets: dict[int, pd.Series], baseline: str
) -> dict[int, list[dict]]:
    """``volatility_scores`` of each horizon, under a task of its own."""
    rows = {}
    for horizon, of_horizon in forecasts.items():
        task = f"volatility_{horizon}_days_ahead"
        rows[horizon] = volatility_scores(task, of_horizon, targets[horizon], baseline)
    return rows


def scores_of_later_years(
    forecasts: dict[int, dict[str, pd.DataFrame]],
    targets: dict[int, pd.Series],
    baseline: str,
    start: str,
) -> list[dict]:
    """``volatility_scores`` of the days from ``start`` on, on which nothing was chosen; none where
    the data hold less than two years of them.
    """
    rows = []
    for horizon, of_horizon in forecasts.items():
        later = {name: frame[start:] for name, frame in of_horizon.items()}
        if len(later[baseline]) >= 504:
            task = f"volatility_{horizon}_days_ahead_from_{as_date(start).year}"
            rows += volatility_scores(task, later, targets[horizon], baseline)
    return rows


def judgement(
    forecasts: dict[str, pd.DataFrame], target: pd.Series, horizon: int, against: dict[str, str]
) -> pd.DataFrame:
    """One line a model: RMSE, R² and QLIKE, the Mincer-Zarnowitz slope, statistics of equal
    accuracy, confidence sets.

    ``against`` maps the heading of a column to the model it compares with, by Diebold and Mariano's
    statistic of the squared error of the log. The last two columns are p values in the model
    confidence sets of both losses.
    """
    squared, risk = losses(forecasts, target, "squared"), losses(forecasts, target, "qlike")
    actual = target[squared.index].to_numpy()
    sets = [confidence_set_of_days(squared), confidence_set_of_days(risk)]
    lines = {}
    for name, frame in forecasts.items():
        predicted = frame["log"][squared.index].to_numpy()
        line = {"RMSE": squared[name].mean() ** 0.5, "R²": r2(actual, predicted)}
        line |= {"QLIKE": risk[name].mean(), "slope": mincer_zarnowitz(actual, predicted)[1]}
        for heading, other in against.items():
            if other != name:
                line[heading] = equal_loss(squared[name], squared[other], horizon)[0]
        line["p, set (log)"], line["p, set (QLIKE)"] = sets[0][name], sets[1][name]
        lines[name] = line
    return pd.DataFrame(lines).T


def implied_volatility() -> pd.Series:
    """Log of the volatility in percent a day that the VIX implies for the next month, 2014 to 2018,
    as arch carries it (NCSA licence; Cboe)."""
    from arch.data import vix  # slow to import

    return np.log(vix.load()["vix"] / np.sqrt(252)).rename("implied")


def with_implied(features: pd.DataFrame, target: pd.Series, folds: list[Fold]) -> pd.DataFrame:
    """Forecasts of a linear regression on ``features`` and the VIX, in the folds before whose test
    at least two years of it are known; without rows where there are none. Columns as
    ``walk_forward``.
    """
    known = features.assign(implied=implied_volatility()).dropna()
    enough = []
    for fold in folds:
        before, after = known.index.intersection(fold.fit), known.index.intersection(fold.test)
        if len(before) >= 500 and len(after) > 0:
            enough.append(fold)
    if not enough:
        return pd.DataFrame(columns=["log", "variance"], dtype="float64")
    return walk_forward(LinearRegression(), known, target, enough, "test")


def implied_table(
    forecasts: dict[int, dict[str, pd.DataFrame]],
    features: pd.DataFrame,
    targets: dict[int, pd.Series],
    folds: dict[int, list[Fold]],
    network: str,
    small: str,
) -> pd.DataFrame:
    """RMSE by horizon of a ``small`` model, of the VIX alone (a regression on it), of both
    together, and of the ``network``, on the days that the VIX covers, with the statistic of equal
    loss of the network against the one that reads both; without columns where it covers none.
    """
    with_vix = f"{small} and VIX"
    columns = {}
    for horizon, models in forecasts.items():
        known = targets[horizon], folds[horizon]
        implied = with_implied(features, *known)
        if implied.empty:
            continue
        four = {small: models[small], "VIX alone": with_implied(features[[]], *known)}
        four |= {with_vix: implied, network: models[network]}
        squared = losses(four, targets[horizon], "squared")
        columns[f"RMSE, {horizon} days"] = squared.mean() ** 0.5
        t, _ = equal_loss(squared[network], squared[with_vix], horizon)
        columns[f"t, {horizon} days"] = pd.Series({network: t})
    return pd.DataFrame(columns, [small, "VIX alone", with_vix, network])


def best_of_many(looks: pd.DataFrame, choice: pd.DatetimeIndex) -> pd.DataFrame:
    """How much better than the mean of all looks the best on the days ``choice`` is, on these days
    and on the others: percent of the RMSE, and its rank.

    ``looks`` holds squared errors, (days, looks).
    """
    seen = looks.index.isin(choice)
    winner = looks[seen].mean().idxmin()
    gains = {}
    for name, part in {"years of the choice": looks[seen], "other years": looks[~seen]}.items():
        error = part.mean() ** 0.5
        gains[name] = [100 * (1 - error[winner] / error.mean()), error.rank()[winner]]
    columns = ["percent below the mean", "rank among the looks"]
    return pd.DataFrame.from_dict(gains, orient="index", columns=columns)


def random_looks(
    features: pd.DataFrame,
    others: pd.DataFrame,
    target: pd.Series,
    folds: list[Fold],
    count: int = 50,
    columns: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Squared errors of the log of ``count`` linear regressions, (days, looks), in a walk-forward:
    each on ``features`` and on other ``columns`` of ``others``, drawn at random."""
    draws = np.random.default_rng(seed)
    forecasts = {}
    for look in range(count):
        drawn = draws.choice(others.shape[1], columns, replace=False)
        inputs = pd.concat([features, others.iloc[:, drawn]], axis=1)
        inputs.columns = inputs.columns.astype(str)
        forecasts[look] = walk_forward(LinearRegression(), inputs, target, folds, "test")
    return losses(forecasts, target, "squared")


def error_quantiles(
    errors: pd.Series, horizon: int, level: float = 0.8, days: int = 500
) -> pd.DataFrame:
    """Split-conformal limits (Vovk et al. 2005) from the last ``days`` errors known at each day.

    ``errors`` are outcome less forecast by the day of the forecast, each known ``horizon`` days
    later. Returns the columns "low" and "high" by day, to be added to the forecast made on that
    day; NaN before 100 errors are known.
    """
    known = errors.shift(horizon).rolling(days, min_periods=100)
    tail = (1 - level) / 2
    return pd.DataFrame({"low": known.quantile(tail), "high": known.quantile(1 - tail)})


def last_limits(limits: dict[int, pd.DataFrame]) -> dict[str, list[float]]:
    """The newest limits of ``error_quantiles`` by horizon: lists "low" and "high", in their
    order."""
    newest = [of_horizon.dropna().iloc[-1] for of_horizon in limits.values()]
    table = pd.DataFrame(newest)
    return {side: table[side].tolist() for side in ("low", "high")}


def equal_loss_by_fold(first: pd.Series, second: pd.Series, folds: list[Fold]) -> pd.DataFrame:
    """``equal_loss`` of two models, squared errors by day, in the test years of each fold alone.

    Returns one line a fold with the gain of the first in percent of the RMSE, the statistic and its
    p value; folds of fewer than 100 days are left out.
    """
    lines = {}
    for fold in folds:
        days = first.index.intersection(fold.test)
        if len(days) >= 100:
            t, p = equal_loss(first[days], second[days])
            gain = 100 * (1 - np.sqrt(first[days].mean() / second[days].mean()))
            lines[f"{days[0]:%Y}–{days[-1]:%Y}"] = {"gain, percent": gain, "t": t, "p": p}
    return pd.DataFrame(lines).T


def mincer_zarnowitz(actual: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the outcome on its forecast (Mincer and Zarnowitz 1969); 0 and 1 for
    an unbiased one.
    """
    slope, intercept = np.polyfit(predicted, actual, 1)
    return float(intercept), float(slope)


def confidence_set_of_days(losses: pd.DataFrame, size: float = 0.1, seed: int = 0) -> pd.Series:
    """p value of each model in the model confidence set (Hansen, Lunde and Nason 2011), best first.

    As ``scores.confidence_set``, with blocks of the cube root of the days, at least 22.
    """
    block = max(MONTH, round(len(losses) ** (1 / 3)))
    return scores.confidence_set(losses, block, size=size, seed=seed).sort_values(ascending=False)


def coverage_tests(outcome: np.ndarray, limit: np.ndarray, share: float) -> dict[str, float]:
    """How often returns fall below their value at risk, and whether that is as it should be.

    ``outcome`` and ``limit`` are returns and their forecast quantile at ``share``, (days,). Returns
    the observed share and p values of Kupiec (1995), the right number, and Christoffersen (1998),
    no two in a row more often than by chance.
    """
    hit = (outcome < limit).astype(int)
    pairs = np.zeros((2, 2))
    np.add.at(pairs, (hit[:-1], hit[1:]), 1)
    rate = hit.mean()
    number = 2 * (_bernoulli(hit, rate) - _bernoulli(hit, share))
    after = [pairs[state, 1] / max(pairs[state].sum(), 1) for state in (0, 1)]
    apart = sum(
        _bernoulli(np.repeat([0, 1], pairs[state].astype(int)), after[state]) for state in (0, 1)
    )
    clusters = 2 * (apart - _bernoulli(hit[1:], hit[1:].mean()))
    return {
        "share below": float(rate),
        "p, number": float(stats.chi2.sf(max(number, 0), 1)),
        "p, clusters": float(stats.chi2.sf(max(clusters, 0), 1)),
    }


def _bernoulli(hits: np.ndarray, rate: float) -> float:
    """Log likelihood of zeros and ones under one rate."""
    ones, zeros = hits.sum(), len(hits) - hits.sum()
    terms = [n * np.log(p) for n, p in ((ones, rate), (zeros, 1 - rate)) if n]
    return float(sum(terms))


def value_at_risk(
    forecasts: dict[str, pd.DataFrame],
    log_return: pd.Series,
    shares: tuple[float, ...] = (0.01, 0.05),
    least: int = 250,
) -> pd.DataFrame:
    """Coverage tests of the next day's value at risk, one line a model and share.

    The limit is the forecast volatility times a quantile of the past returns over their forecasts
    (filtered historical simulation, Barone-Adesi, Giannopoulos and Vosper 1999), from ``least``
    days on. ``forecasts`` are one day ahead by the day of the forecast.
    """
    outcome = 100 * log_return.shift(-1)
    lines = {}
    for name, frame in forecasts.items():
        deviation = np.sqrt(frame["variance"])
        ratio = outcome.reindex(frame.index) / deviation
        for share in shares:
            # the ratio of a day is known at the close of the next
            limit = deviation * ratio.shift(1).expanding(least).quantile(share)
            days = (limit * outcome.reindex(limit.index)).dropna().index
            result = coverage_tests(outcome[days].to_numpy(), limit[days].to_numpy(), share)
            lines[name, f"{100 * share:.0f} %"] = result
    return pd.DataFrame(lines).T.rename_axis(["model", "share aimed at"])


def targeted_position(
    forecast: pd.DataFrame, log_return: pd.Series, cost: float, most: float = 2.0
) -> pd.Series:
    """Daily returns, as fractions after costs, of a position that aims at a constant volatility.

    The position is the average forecast volatility so far over the forecast, at most ``most``;
    ``cost`` is a fraction of what is traded. ``forecast`` is one day ahead by the day it is made;
    the result is by that day too. Cash earns nothing.
    """
    deviation = np.sqrt(forecast["variance"])
    weight = (deviation.expanding().mean() / deviation).clip(upper=most)
    traded = weight.diff().abs().fillna(weight.iloc[0])
    following = np.expm1(log_return.shift(-1)).reindex(weight.index)
    return (weight * following - cost * traded).dropna()


def sharpe_of_days(returns: np.ndarray) -> float:
    """Mean over standard deviation of daily returns (days,), a year; cash earns nothing."""
    return sharpe_ratio(returns, TRADING_DAYS)


def differences_without(
    position: np.ndarray, market: np.ndarray, stretches: int = 12
) -> np.ndarray:
    """Difference of the Sharpe ratios of two daily returns (days,) without each of the stretches of
    time, (stretches,)."""
    differences = []
    for part in np.array_split(np.arange(len(market)), min(stretches, len(market))):
        rest = np.delete(position, part), np.delete(market, part)
        differences.append(sharpe_of_days(rest[0]) - sharpe_of_days(rest[1]))
    return np.array(differences)


def sharpe_table(held: dict[str, pd.Series], log_return: pd.Series) -> pd.DataFrame:
    """Sharpe ratios of daily returns by the day before, and their difference from buying and
    holding; cash earns nothing.

    The interval of the difference, 95 %, is a jackknife over stretches of time, which both lose
    together; its coverage is simulated in tests/test_volatility.py.
    """
    days = next(iter(held.values())).index
    for returns in held.values():
        days = days.intersection(returns.index)
    market = np.expm1(log_return.shift(-1))[days].to_numpy()

    lines = {"buy and hold": {"Sharpe ratio": sharpe_of_days(market)}}
    for name, returns in held.items():
        position = returns[days].to_numpy()
        difference = sharpe_of_days(position) - sharpe_of_days(market)
        low, high = jackknife_interval(difference, differences_without(position, market))
        lines[name] = {"Sharpe ratio": sharpe_of_days(position), "difference": difference}
        lines[name] |= {"low": low, "high": high}
    return pd.DataFrame(lines).T


def choice_table(
    raw: dict[str, np.ndarray],
    targets: dict[int, pd.Series],
    days: pd.DatetimeIndex,
    fitted: pd.DatetimeIndex,
    folds: dict[int, list[Fold]],
) -> pd.DataFrame:
    """QLIKE of candidates on the validation days of the first fold, one line each, one column a
    horizon.

    ``raw`` holds forecasts of the log (days, horizons) by candidate; all are calibrated on the days
    ``fitted``.
    """
    table = pd.DataFrame(index=list(raw), columns=list(targets), dtype="float64")
    for number, (horizon, target) in enumerate(targets.items()):
        validation, candidates = folds[horizon][0].validation, {}
        for name, values in raw.items():
            series = pd.Series(values[:, number], days)
            candidates[name] = forecast_frame(series, target, fitted, validation)
        table[horizon] = losses(candidates, target, "qlike").mean()
    return table


def last_moves(histories: dict[str, list]) -> dict[str, float]:
    """The largest relative move of the validation loss in the last third of the training, over the
    runs (Keras Histories) of each candidate."""
    moves = {}
    for name, runs in histories.items():
        moves[name] = 0.0
        for run in runs:
            curve = run.history["val_loss"]
            back = min(max(1, round(len(curve) / 3)), len(curve) - 1)
            earlier = curve[-1 - back]
            moves[name] = max(moves[name], abs(curve[-1] / earlier - 1))
    return moves


def coverage_by_year(errors: dict[int, pd.Series], limits: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Percent of errors inside their limits: one line a horizon, one column a year, one for all."""
    columns = {}
    for horizon, limit in limits.items():
        judged = pd.concat([errors[horizon].rename("error"), limit], axis=1).dropna()
        hit = 100 * judged["error"].between(judged["low"], judged["high"])
        columns[f"{horizon} days"] = hit.groupby(hit.index.year).mean()
        columns[f"{horizon} days"].loc["all"] = hit.mean()
    return pd.DataFrame(columns).T


def p_text(p: float) -> str:
    """A p value for a sentence: "p = 0.012", or "p < 0.001" below that."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def verdict(
    forecasts: dict[str, pd.DataFrame],
    target: pd.Series,
    table: pd.DataFrame,
    horizon: int,
    network: str,
    small: str,
    equal: str,
) -> str:
    """One line of Markdown on the ``network`` at one horizon, rendered from the ``table`` of
    ``judgement``.

    ``small`` is a model nested in the network, ``equal`` the linear model that reads the same
    inputs.
    """
    days = together(forecasts, target)
    nested = [forecasts[name]["log"][days] for name in (small, network)]
    statistic, p = clark_west(target[days], *nested, horizon)
    risk = losses(forecasts, target, "qlike")
    lines = []
    for other in (small, equal):
        gain = 100 * (1 - table.loc[network, "RMSE"] / table.loc[other, "RMSE"])
        squared = losses(forecasts, target, "squared")
        t, p_log = equal_loss(squared[network], squared[other], horizon)
        t_risk, p_risk = equal_loss(risk[network], risk[other], horizon)
        found = "a difference" if min(p_log, p_risk) < 0.05 else "no difference that can be told"
        lines.append(
            f"RMSE {abs(gain):.1f} % {'below' if gain > 0 else 'above'} {other} (t = {t:.1f}, "
            f"{p_text(p_log)}; QLIKE t = {t_risk:.1f}, {p_text(p_risk)}: {found})"
        )
    sets = []
    for loss in ("log", "QLIKE"):
        members = table.index[table[f"p, set ({loss})"] > 0.1]
        sets.append(f"in {loss}: {', '.join(members)}")
    days_ahead = "1 day" if horizon == 1 else f"{horizon} days"
    return (
        f"- **{days_ahead} ahead**, {network}: {'; '.join(lines)}. Clark–West against {small}: "
        f"{statistic:.1f} ({p_text(p)}). Left in the 90 % confidence set {'; '.join(sets)}."
    )


def shown(table: pd.DataFrame, statistics: list[str]) -> Styler:
    """``judgement`` with three digits, and two for the columns of ``statistics``."""
    return table.style.format("{:.3f}", na_rep="–").format("{:.2f}", statistics, na_rep="–")


def plot_stale_opens(by_year: pd.Series) -> plt.Axes:
    """Bars of ``stale_opens``."""
    ax = by_year.plot.bar(color=FAMILIES["baseline"], figsize=(9, 2.8), width=0.8)
    ax.set(title="Days on which the open is the previous close", xlabel="", ylabel="percent")
    ax.xaxis.set_major_locator(plt.MaxNLocator(20))
    return ax


def plot_memory(log_return: pd.Series, volatility: pd.Series, lags: int = QUARTER) -> None:
    """Daily returns on a time line, and the autocorrelation of returns and of log volatility."""
    left, right = plt.subplots(1, 2, figsize=(12, 3.2))[1]
    (100 * log_return).plot(ax=left, lw=0.5, color="0.3")
    left.set(title="Daily log return before the test years", xlabel="", ylabel="percent")
    for name, series in {"return": log_return, "log volatility": volatility}.items():
        memory = [series.autocorr(lag) for lag in range(1, lags + 1)]
        right.plot(range(1, lags + 1), memory, label=name)
    right.set(title="Autocorrelation", xlabel="lag, trading days", ylim=(-0.2, 1))
    legend_below(right)
    plt.tight_layout()


def plot_candidates(histories: dict[str, list], seeds: list[int]) -> None:
    """Learning curves of each candidate, one picture each: a Keras History a seed."""
    axes = plt.subplots(1, len(histories), figsize=(12, 3.4), squeeze=False)[1][0]
    for ax, (name, runs) in zip(axes, histories.items()):
        plot_learning_curves(dict(zip(map("seed {}".format, seeds), runs)), ax=ax)
        ax.set(title=name)
    plt.tight_layout()


def plot_stretch(
    forecasts: dict[str, pd.DataFrame],
    target: pd.Series,
    models: list[str],
    colours: dict[str, tuple],
    stretch: slice,
) -> plt.Axes:
    """Log volatility and its forecasts by some ``models`` on a ``stretch`` of the days; the last
    250 where it has none."""
    days = together(forecasts, target)
    actual = target[days]
    shown = actual[stretch].index if len(actual[stretch]) else days[-250:]
    frames = pd.DataFrame({name: forecasts[name]["log"][shown] for name in models})
    ax = plot_forecast(actual[shown], frames, colours=colours)
    ax.set(title="Log daily volatility: actual and one-day forecasts", ylabel="log percent a day")
    return ax


def plot_ladder(errors: pd.Series, colours: dict[str, tuple]) -> plt.Axes:
    """How much lower than the first of the ``errors`` (models,) each is, in percent, as bars."""
    shades = [colours[name] for name in errors.index]
    ax = (100 * (1 - errors / errors.iloc[0])).plot.barh(color=shades, figsize=(9, 2.2))
    ax.invert_yaxis()
    ax.set(title=f"RMSE below that of {errors.index[0]}, one day ahead", xlabel="percent")
    return ax


def plot_folds(folds: list[Fold]) -> plt.Axes:
    """The parts of each fold on a time line, one line a refit, oldest on top."""
    ax = plt.subplots(figsize=(9, 2.6))[1]
    parts = {"train": "baseline", "validation": "linear", "test": "network"}
    for number, fold in enumerate(folds):
        for part, family in parts.items():
            days = getattr(fold, part)
            label = part if number == 0 else None
            ends = [days[0], days[-1]]
            colour = FAMILIES[family]
            ax.plot(ends, [number, number], lw=6, color=colour, label=label, solid_capstyle="butt")
    ax.set(title="Each line is one refit", yticks=[])
    ax.invert_yaxis()
    legend_below(ax)
    return ax


def plot_skills(rows: dict[int, list[dict]], colours: dict[str, tuple]) -> None:
    """Skill of all models with its interval, one picture a horizon; ``rows`` by horizon are those
    of ``volatility_scores``."""
    axes = plt.subplots(1, len(rows), figsize=(12, 3.4), squeeze=False)[1][0]
    for ax, (horizon, of_horizon) in zip(axes, rows.items()):
        plot_scoreboard(of_horizon, "rmse_skill", ax, colours)
        ax.axvline(0, color="black", lw=0.8)
        ax.set(title=f"Days ahead: {horizon}", xlabel="skill over HAR with returns")
        if ax is not axes[0]:
            ax.set_yticklabels([])
    plt.tight_layout()


def plot_saved_losses(
    forecasts: dict[int, dict[str, pd.DataFrame]],
    targets: dict[int, pd.Series],
    models: list[str],
    over: str,
    colours: dict[str, tuple],
) -> None:
    """Squared error that ``models`` save over the model ``over``, summed over the years, one
    picture a horizon."""
    axes = plt.subplots(1, len(forecasts), figsize=(12, 3.4), squeeze=False)[1][0]
    for ax, horizon in zip(axes, forecasts):
        squared = losses(forecasts[horizon], targets[horizon], "squared")
        for name in models:
            ax.plot((squared[over] - squared[name]).cumsum(), color=colours[name], label=name)
        ax.axhline(0, color="black", lw=0.8)
        ax.set(title=f"Days ahead: {horizon}")
        ax.xaxis.set_major_formatter(DateFormatter("%Y"))
        ax.xaxis.set_major_locator(YearLocator(4))
    axes[0].set(ylabel="squared error saved, sum")
    legend_below(axes[len(axes) // 2])
    plt.tight_layout()
