"""Three problems of this repository in one form, so that any sequence model can be tried on all.

A volatility, a panel of stocks, reviews of films: each a Problem whose samples are sequences and
whose outcome is one number, with the test years of notebooks 01, 03 and 06. ``fit_linear`` and
``fit_trees`` are the rivals that know no order of their own; networks are fitted by
``training.fit_network``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from data import load_imdb, load_sp500, load_stock_prices
from features.har import daily_variance, har_features, log_of
from features.panel import ranks_by_date, returns, suspect_ticks, weekly_prices
from features.words import PAD, UNKNOWN, Vocabulary, pad, tokenize, truncate
from scores import METRICS, bootstrap_draws, interval_of_draws, score_row
from utils import Split, make_panel_windows, make_windows, split_by_date, split_dates

TREE_WORDS = 300  # the most frequent words that boosted trees see
REPETITIONS = 200  # of the bootstrap


@dataclass(frozen=True)
class Problem:
    """Sequences with one outcome each, in three parts.

    Attributes:
        name: for readers.
        task: of the score file.
        metric: "r2" where the outcome is a number, "auc" where it is a class 0 or 1.
        X: float32 (samples, steps, features), or int32 (samples, steps), positions of words.
        y: float32 (samples,).
        split: slices of the samples.
        groups: (samples,) what is resampled together: dates, or films; None for single samples.
        block: mean number of neighbouring groups that are resampled together.
        source: of the data, as text.
        words: size of the vocabulary; 0 where X holds numbers.
        batch: samples of a training step.
    """

    name: str
    task: str
    metric: str
    X: np.ndarray
    y: np.ndarray
    split: Split
    groups: np.ndarray | None
    block: float
    source: str
    words: int = 0
    batch: int = 64

    @property
    def is_class(self) -> bool:
        return self.metric == "auc"

    def part(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(X, y) of "train", "validation" or "test"."""
        rows = getattr(self.split, name)
        return self.X[rows], self.y[rows]

    def resampling(self, name: str) -> dict:
        """Options of ``scores.bootstrap_draws`` for that part."""
        groups = None if self.groups is None else self.groups[getattr(self.split, name)]
        return {"dates": groups, "block": self.block, "repetitions": REPETITIONS}


@dataclass(eq=False)
class Forecaster:
    """A fitted model: forecasts of a part of its problem, and what they cost.

    Attributes:
        name: of the model.
        problem: that it was fitted to.
        predict: function of X (samples, ...) that returns (samples,).
        parameters: how many numbers were fitted, 0 where that says little.
        seconds: of the fastest training; the first one prepares the graph as well.
        histories: Keras Histories over seeds.
        rate: learning rate that validation chose, 0 where there is none.
        known: forecasts made so far, by part.
        resampled: scores on bootstrap samples computed so far, by part.
    """

    name: str
    problem: Problem
    predict: Callable[[np.ndarray], np.ndarray]
    parameters: int
    seconds: float
    histories: list = field(default_factory=list)
    rate: float = 0.0
    known: dict[str, np.ndarray] = field(default_factory=dict)
    resampled: dict[str, np.ndarray] = field(default_factory=dict)

    def forecast(self, part: str) -> np.ndarray:
        """Forecasts (samples,) of "validation" or "test", made once."""
        if part not in self.known:
            self.known[part] = self.predict(self.problem.part(part)[0])
        return self.known[part]

    def score(self, part: str) -> float:
        """The metric of the problem on that part."""
        return METRICS[self.problem.metric](self.problem.part(part)[1], self.forecast(part))

    def draws(self, part: str) -> np.ndarray:
        """The metric on each bootstrap sample of that part, (REPETITIONS,), computed once.

        The samples are the same for all models of a problem.
        """
        if part not in self.resampled:
            metric = METRICS[self.problem.metric]
            arrays = self.problem.part(part)[1], self.forecast(part)
            options = self.problem.resampling(part)
            self.resampled[part] = bootstrap_draws(metric, *arrays, **options)
        return self.resampled[part]

    @property
    def best_passes(self) -> list[tuple[int, int]]:
        """For each seed the pass with the lowest validation loss, from 1, and their number."""
        losses = [history.history["val_loss"] for history in self.histories]
        return [(int(np.nanargmin(seed)) + 1, len(seed)) for seed in losses]

    @property
    def still_falls(self) -> bool:
        """Whether the validation loss of a seed is lowest after the last pass."""
        return any(best == last for best, last in self.best_passes)

    @property
    def last_gain(self) -> float:
        """Share by which the last pass lowers the validation loss, its mean over the seeds."""
        losses = [history.history["val_loss"][-2:] for history in self.histories]
        return float(np.mean([1 - seed[-1] / seed[0] for seed in losses]))


def volatility_problem(
    validation_start: str = "2005-01-01", test_start: str = "2007-01-01", window: int = 22
) -> Problem:
    """How much will the index move tomorrow? From daily volatility and returns of a month.

    Outcome and inputs are those of notebook 01 (``features.har``): the log volatility of the
    next day, and the inputs of a HAR with returns, standardised with the training years.
    """
    prices = load_sp500()
    log_return = np.log(prices["close"]).diff().iloc[1:]
    features = har_features(log_of(daily_variance(prices).iloc[1:]), log_return)
    raw = make_windows(features, window, target="day")
    starts = split_dates(raw.input_end, validation_start, test_start, least=0.25)
    split = split_by_date(raw, *starts)
    known = features.loc[: raw.target_date[split.train.stop - 1]]
    windows = make_windows((features - known.mean()) / known.std(), window, target="day")
    return Problem(
        name="volatility of tomorrow",
        task="next_day_volatility",
        metric="r2",
        X=windows.X,
        y=windows.y,
        split=split,
        groups=None,
        block=22,
        source=str(prices.attrs["source"]),
    )


def every_few_weeks(weeks: np.ndarray, samples: int) -> np.ndarray:
    """Which of the samples of these weeks to keep: (len(weeks),) of bool.

    Those of every k-th week, the last one included, with the smallest k that leaves at most
    ``samples``, or about as many.
    """
    every = -(-len(weeks) // samples)
    return np.isin(weeks, np.unique(weeks)[::-1][::every])


def panel_problem(
    validation_start: str = "2012-01-01",
    test_start: str = "2016-01-01",
    window: int = 52,
    samples: int = 2000,
) -> Problem:
    """Will a stock beat the median stock next week? From a year of weekly returns.

    At each step the return, in standard deviations of the training years, its rank among the
    stocks of the week, and the rank of the return since the window began. All models learn from the
    same weeks, every k-th of the training years: about ``samples`` windows, which overlap, so that
    little is lost and the budget of a network is several passes. Validation has at most half as
    many, chosen in the same way; the test years are complete.
    """
    prices = load_stock_prices()
    weekly = returns(weekly_prices(prices), suspect_ticks(prices))
    windows = make_panel_windows(weekly, window)
    starts = split_dates(windows.input_end, validation_start, test_start)
    split = split_by_date(windows, *starts)
    change = windows.X[:, :, 0]
    growth = np.cumsum(np.log1p(change), axis=1)
    features = [
        change / change[split.train].std(),
        ranks_by_date(change, windows.input_end),
        ranks_by_date(growth, windows.input_end),
    ]
    median = pd.Series(windows.y).groupby(windows.input_end).transform("median")
    places = np.arange(len(windows))
    parts = []
    for part, most in ((split.train, samples), (split.validation, samples // 2)):
        parts.append(places[part][every_few_weeks(windows.input_end[part], most)])
    parts.append(places[split.test])
    rows, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])
    return Problem(
        name="stocks that beat the median",
        task="next_week_beats_median",
        metric="auc",
        X=np.stack(features, axis=-1)[rows],
        y=(windows.y > median).to_numpy("float32")[rows],
        split=Split(slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], ends[2])),
        groups=windows.input_end[rows],
        block=4,
        source=str(prices.attrs["source"]),
    )


def review_problem(
    reviews: int = 3072, length: int = 120, vocabulary: int = 5000, seed: int = 0
) -> Problem:
    """Is a review praise? From its first and last words, with at most ``reviews`` to learn from.

    Validation has at most half and test at most as many. The parts are those of ``load_imdb``: no
    film is in two of them. All reviews of a film are resampled together.
    """
    table = load_imdb()
    source = str(table.attrs["source"])
    rng = np.random.default_rng(seed)
    parts = []
    for name, most in (("train", reviews), ("validation", reviews // 2), ("test", reviews)):
        rows = table[table["split"] == name]
        parts.append(rows.iloc[rng.permutation(len(rows))[:most]])
    chosen = pd.concat(parts)
    tokens = [tokenize(text) for text in chosen["text"]]
    known = Vocabulary.fit(tokens[: len(parts[0])], vocabulary)
    ends = np.cumsum([len(rows) for rows in parts])
    return Problem(
        name="sentiment of a review",
        task="review_sentiment",
        metric="auc",
        X=pad(truncate(known.encode(tokens), length), length),
        y=chosen["label"].to_numpy("float32"),
        split=Split(slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], ends[2])),
        groups=pd.factorize(chosen["film"])[0],
        block=1,
        source=source,
        words=len(known),
    )


def bag_of_words(X: np.ndarray, words: int) -> sparse.csr_matrix:
    """How often each word stands in each sequence: (samples, words); padding is no word."""
    rows, steps = np.nonzero((X != PAD) & (X != UNKNOWN))
    counts = np.ones(len(rows), dtype="float32")
    return sparse.csr_matrix((counts, (rows, X[rows, steps])), shape=(len(X), words))


def flat_windows(X: np.ndarray) -> np.ndarray:
    """All steps and features of a sequence as one row: (samples, steps · features)."""
    return X.reshape(len(X), -1)


def fit_linear(problem: Problem) -> Forecaster:
    """The linear model that reads what the networks read: ridge, or a logistic regression.

    Of a review it reads the words without their order, weighted by TF-IDF. The strength of the
    penalty is chosen on training (ridge, by leaving out one sample) or on validation.
    """
    (X, y), began = problem.part("train"), time.perf_counter()
    if not problem.is_class:
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
        model.fit(flat_windows(X), y)
        size = X[0].size + 1
        return Forecaster(
            "linear",
            problem,
            lambda rows: model.predict(flat_windows(rows)),
            size,
            time.perf_counter() - began,
        )
    weights = TfidfTransformer(sublinear_tf=True) if problem.words else StandardScaler()

    def inputs(rows):
        return bag_of_words(rows, problem.words) if problem.words else flat_windows(rows)

    strengths = (0.3, 3, 30) if problem.words else (1e-6, 1e-4, 1e-2)
    scaled, held_out = weights.fit_transform(inputs(X)), problem.part("validation")
    best = None
    for strength in strengths:
        fit = LogisticRegression(C=strength, max_iter=300).fit(scaled, y)
        score = METRICS["auc"](
            held_out[1], fit.decision_function(weights.transform(inputs(held_out[0])))
        )
        if best is None or score > best[0]:
            best = score, fit
    model = best[1]
    return Forecaster(
        "linear",
        problem,
        lambda rows: model.decision_function(weights.transform(inputs(rows))),
        model.coef_.size + 1,
        time.perf_counter() - began,
    )


def fit_trees(problem: Problem, rounds: int = 100) -> Forecaster:
    """Gradient boosting on all steps side by side; of a review on counts of the frequent words."""
    (X, y), began = problem.part("train"), time.perf_counter()
    kind = HistGradientBoostingClassifier if problem.is_class else HistGradientBoostingRegressor
    model = kind(
        max_iter=rounds,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=50,
        random_state=0,
    )

    def inputs(rows):
        if not problem.words:
            return flat_windows(rows)
        return bag_of_words(rows, problem.words)[:, UNKNOWN + 1 : TREE_WORDS].toarray()

    def predict(rows):
        if problem.is_class:
            return model.predict_proba(inputs(rows))[:, 1]
        return model.predict(inputs(rows))

    with threadpool_limits(1):  # small problems: more threads wait for each other
        model.fit(inputs(X), y)
    return Forecaster("boosted trees", problem, predict, 0, time.perf_counter() - began)


def score_row_of(fitted: Forecaster, part: str = "test") -> dict:
    """Row of the score file: the metric with its interval."""
    problem, interval = fitted.problem, interval_of_draws(fitted.draws(part))
    samples = len(problem.part(part)[1])
    value = fitted.score(part)
    return score_row(problem.task, fitted.name, problem.metric, value, interval, samples)


def difference_from(
    fitted: Forecaster, other: Forecaster, part: str = "test"
) -> tuple[float, float, float]:
    """Metric less that of the other model, and its interval.

    Both are scored on the same bootstrap samples, in which what belongs together is resampled
    together, so that what the two models share cancels.
    """
    low, high = interval_of_draws(fitted.draws(part) - other.draws(part))
    return fitted.score(part) - other.score(part), low, high


def validation_table(fitted: dict[str, dict[str, Forecaster]]) -> pd.DataFrame:
    """Scores on validation: one line a model, one column a problem."""
    columns = {}
    for problem, models in fitted.items():
        columns[problem] = {name: model.score("validation") for name, model in models.items()}
    return pd.DataFrame(columns)


def training_table(fitted: dict[str, dict[str, Forecaster]]) -> pd.DataFrame:
    """How the networks were trained: one line a network, one column a problem.

    A cell holds the learning rate and, of the first seed, the pass whose weights were kept.
    """
    columns = {}
    for problem, models in fitted.items():
        column = {}
        for name, model in models.items():
            if model.histories:
                best, last = model.best_passes[0]
                column[name] = f"rate {model.rate:g}, pass {best} of {last}"
        columns[problem] = column
    return pd.DataFrame(columns)


def comparison_table(
    models: dict[str, Forecaster], references: tuple[str, ...] = ("GRU",)
) -> pd.DataFrame:
    """One line a model: score, paired differences from the references, parameters, seconds."""
    lines = {}
    for name, fitted in models.items():
        row = score_row_of(fitted)
        line = [f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"]
        for reference in references:
            difference = ""
            if name != reference:
                values = difference_from(fitted, models[reference])
                difference = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*values)
            line.append(difference)
        parameters = f"{fitted.parameters:,}" if fitted.parameters else ""
        lines[name] = [*line, parameters, f"{fitted.seconds:.1f}"]
    less = [f"less {reference}" for reference in references]
    return pd.DataFrame(lines, ["score", *less, "parameters", "seconds"]).T
