"""Three problems in one form, and any model on all of them: the path of the reader's own model."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
from keras import layers
from notebook_code import functions, run_cells

import training
from features import har, problems
from features.problems import Forecaster, Problem, fit_linear, fit_trees
from scores import METRICS, bootstrap_interval, paired_difference
from utils import Split

ROOT = Path(__file__).resolve().parent.parent


def toy(words: bool = False, is_class: bool = True, samples: int = 300) -> Problem:
    """The outcome is in the last step: whoever reads it is right."""
    rng = np.random.default_rng(0)
    if words:
        X = rng.integers(2, 20, size=(samples, 6)).astype("int32")
        signal = (X == 7).any(axis=1) - 0.5
    else:
        X = rng.normal(size=(samples, 6, 2)).astype("float32")
        signal = X[:, -1, 0]
    third = samples // 3
    parts = Split(slice(0, third), slice(third, 2 * third), slice(2 * third, samples))
    y = (signal > 0 if is_class else signal).astype("float32")
    metric = "auc" if is_class else "r2"
    return Problem("toy", "toy", metric, X, y, parts, None, 1, "made here", 20 * words, 16)


def good(inputs):
    return keras.Model(inputs, layers.Dense(1)(layers.GRU(4)(inputs)))


def no_model(inputs):
    return layers.Dense(1)(layers.GRU(4)(inputs))


def a_number_a_step(inputs):
    return keras.Model(inputs, layers.Dense(1)(layers.GRU(4, return_sequences=True)(inputs)))


def two_numbers(inputs):
    return keras.Model(inputs, layers.Dense(2)(layers.GRU(4)(inputs)))


def other_inputs(inputs):
    own = keras.Input((3, 3))
    return keras.Model(own, layers.Dense(1)(layers.GRU(4)(own)))


class Unbuilt(keras.Model):
    """A model that knows no shape before it is called."""

    def __init__(self, inputs):
        super().__init__()
        self.answer = layers.Dense(1)


def by_name(inputs):
    return keras.Model(inputs, {"answer": layers.Dense(1)(layers.GRU(4)(inputs))})


def nothing(inputs):
    return None


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (Unbuilt, r"must return keras.Model\(inputs, outputs\).*given a Unbuilt"),
        (by_name, r"one number.*given outputs in a dict: end with one layers.Dense\(1\) by itself"),
        (nothing, r"must return keras.Model\(inputs, outputs\).*given a NoneType"),
        (no_model, r"must return keras.Model\(inputs, outputs\).*given a KerasTensor"),
        (a_number_a_step, r"one number.*given \(None, 6, 1\).*last step.*layers.Dense\(1\)"),
        (two_numbers, r"one number.*given \(None, 2\): end with layers.Dense\(1\)"),
        (other_inputs, r"given a model that reads \(None, 3, 3\)"),
    ],
)
def test_a_wrong_shape_gets_one_clear_sentence(build, sentence):
    with pytest.raises(training.WrongShape, match=sentence) as raised:
        training.fit_everywhere("own", build, [toy()], seeds=[0])
    assert "\n" not in str(raised.value)


def mean_of_all(inputs):
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(inputs)))


def flat(inputs):
    hidden = layers.Dense(8, activation="relu")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Dense(1)(hidden))


def wide(inputs):
    states = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(inputs)
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling1D()(states)))


def causal(inputs):
    states = layers.Conv1D(4, 3, padding="causal", activation="relu")(inputs)
    states = layers.BatchNormalization()(states)
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling1D()(states)))


def asks_once(inputs):
    states = layers.Dense(4)(inputs)
    found = layers.MultiHeadAttention(1, 4)(states[:, -1:], states)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(found)))


def in_a_row(inputs):
    return keras.Sequential([inputs, layers.GaussianNoise(0.1), layers.GRU(4), layers.Dense(1)])


KINDS = toy(), toy(is_class=False), toy(words=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "kinds"),
    [
        *[(build, KINDS) for build in (mean_of_all, flat, wide)],
        *[(build, [kind]) for build, kind in zip((causal, asks_once, in_a_row), KINDS)],
    ],
)
def test_models_that_are_not_in_the_notebook_run_on_all_kinds(build, kinds):
    for fitted in training.fit_everywhere("own", build, kinds, [0, 1], 10, rates=[0.01]):
        assert fitted.rate == 0.01
        assert fitted.forecast("test").shape == (100,) and len(fitted.histories) == 2
        row = problems.score_row_of(fitted)
        assert row["low"] <= row["value"] <= row["high"] and row["model"] == "own"


@pytest.mark.slow
def test_a_network_learns_what_is_there():
    assert training.fit_network("GRU", good, toy(), [0], 200, [0.01]).score("test") > 0.9


@pytest.mark.parametrize("kind", [toy(), toy(is_class=False), toy(words=True)])
def test_rivals_find_what_is_there(kind):
    assert fit_linear(kind).score("test") > 0.8
    assert isinstance(fit_trees(kind), Forecaster)


def test_table_has_a_paired_difference_but_for_the_reference():
    linear, trees = fit_linear(toy()), fit_trees(toy())
    table = problems.comparison_table({"GRU": linear, "boosted trees": trees})
    assert table.loc["GRU", "less GRU"] == "" and "[" in table.loc["boosted trees", "less GRU"]
    assert problems.difference_from(linear, linear) == (0, 0, 0)


@pytest.mark.parametrize("is_class", [True, False])
def test_difference_is_that_of_both_resampled_together(is_class):
    """Each model is resampled by itself; the resamples are the same ones for all."""
    problem = toy(is_class=is_class)
    linear, trees = fit_linear(problem), fit_trees(problem)
    metric, (_, actual) = METRICS[problem.metric], problem.part("test")
    forecasts = trees.forecast("test"), linear.forecast("test")
    resampling = problem.resampling("test")
    together = paired_difference(metric, actual, *forecasts, **resampling)
    assert problems.difference_from(trees, linear) == pytest.approx(together)
    row = problems.score_row_of(trees)
    alone = bootstrap_interval(metric, actual, forecasts[0], **resampling)
    assert (row["low"], row["high"]) == pytest.approx(alone)


@pytest.mark.parametrize("samples", [1, 7, 8, 9])
def test_batches_of_one_size_change_no_forecast(samples):
    model = good(keras.Input((6, 2)))
    X = np.random.default_rng(0).normal(size=(samples, 6, 2)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(X))[:, 0]
    assert training.forecast(model, X, 8) == pytest.approx(expected, abs=1e-6)


def test_seconds_are_measured_for_each_length():
    seconds = training.seconds_by_length(good, [3, 5], repetitions=1)
    assert list(seconds) == [3, 5] and min(seconds.values()) > 0


@pytest.mark.slow
def test_training_does_not_touch_the_test_part():
    clean, spoiled = toy(), toy()
    spoiled.X[spoiled.split.test] = np.nan
    scores = []
    for problem in (clean, spoiled):
        fitted = training.fit_network("GRU", good, problem, [0], 20, [0.01])
        scores.append(fitted.score("validation"))
    assert scores[0] == scores[1]


def test_validation_chooses_the_rate_and_the_pass():
    fitted = training.fit_network("GRU", good, toy(), [0], updates=60, rates=(1e-6, 0.02))
    assert fitted.rate == 0.02
    ((best, last),) = fitted.best_passes
    losses = fitted.histories[0].history["val_loss"]
    assert last == len(losses) == 10 and losses[best - 1] == min(losses)
    assert fitted.still_falls == (best == last)
    assert fitted.last_gain == pytest.approx(1 - losses[-1] / losses[-2])


def test_there_are_several_passes_however_few_updates():
    fitted = training.fit_network("GRU", good, toy(), [0], updates=1, rates=[0.01])
    assert fitted.best_passes[0][1] == training.LEAST_PASSES and np.isfinite(fitted.last_gain)


def test_training_table_names_networks_only():
    network = training.fit_network("GRU", good, toy(), [0], updates=1, rates=[0.01])
    table = problems.training_table({"toy": {"linear": fit_linear(toy()), "GRU": network}})
    assert list(table.index) == ["GRU"] and table.loc["GRU", "toy"].startswith("rate 0.01, pass")


def test_kept_weeks_are_whole_and_end_with_the_last():
    weeks = np.repeat(np.arange(10), 3)
    kept = problems.every_few_weeks(weeks, samples=12)
    assert set(weeks[kept]) == {0, 3, 6, 9} and kept.sum() == 12
    assert problems.every_few_weeks(weeks, samples=30).all()


def test_padding_reaches_a_network_as_zeros():
    seen = training.network_for(mean_of_all, toy(words=True))
    (last,) = [layer for layer in seen.layers if isinstance(layer, layers.Multiply)]
    vectors = keras.Model(seen.inputs, last.output)
    words = np.array([[0, 0, 5, 6, 7, 8]], dtype="int32")
    values = keras.ops.convert_to_numpy(vectors(words))
    assert (values[0, :2] == 0).all() and (values[0, 2:] != 0).any(axis=-1).all()


def test_builders_are_found_by_name():
    assert training.load_builder("keras.layers:Dense") is layers.Dense
    for name, sentence in (
        ("keras", "module:function"),
        ("no_such_module:build", "cannot be imported"),
        ("keras.layers:no_such", "cannot be imported"),
        ("keras:__version__", "is no function"),
    ):
        with pytest.raises(ValueError, match=sentence):
            training.load_builder(name)


def test_volatility_is_that_of_notebook_01():
    """Notebook 01 shows both functions in cells; notebook 10 reads them from the module."""
    rng, days = np.random.default_rng(0), pd.bdate_range("2010-01-01", periods=90)
    prices = pd.DataFrame({"close": 100 * np.exp(0.01 * rng.normal(size=90).cumsum())}, days)
    prices["high"], prices["low"] = prices["close"] * 1.01, prices["close"] * 0.98
    prices.iloc[3] = prices["close"].iloc[3]  # a day without range
    prices.iloc[7, 1] = 1.0  # a high below the low
    taught = functions("01")
    for table in (prices, prices[["close"]]):
        variance = taught["daily_variance"](table)
        pd.testing.assert_series_equal(har.daily_variance(table), variance)
        log_return = np.log(table["close"]).diff()
        volatility = har.log_of(variance)
        expected = taught["har_features"](volatility, log_return)
        pd.testing.assert_frame_equal(har.har_features(volatility, log_return), expected)


def only_a_gru(path):
    """Cut the notebook at ``path`` down to the GRU and the reader's model, without the speed test:
    all its networks are trained where the notebooks themselves are tested.
    """
    notebook, kept, timed = nbformat.read(path, as_version=4), [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^##+ .*", cell.source, flags=re.MULTILINE)
            timed = headings[-1] == "### Seconds against length" if headings else timed
        elif "NETWORKS |=" in cell.source:
            before, after = cell.source.split("families =", 1)
            cell.source = f'{before}NETWORKS = {{"GRU": gru}}\nfamilies ={after}'
        if not timed:
            kept.append(cell)
    left_out = len(notebook.cells) - len(kept)
    assert 3 < left_out < 10 and sum('{"GRU": gru}\n' in cell.source for cell in kept) == 1
    notebook.cells = kept
    nbformat.write(notebook, path)


@pytest.fixture
def copy(tmp_path):
    """The repository with a module of the reader's in it, so that its build/ is not touched."""
    folder = tmp_path / "repository"
    kept = shutil.ignore_patterns(".*", "__pycache__", "build", "local", "lab")
    shutil.copytree(ROOT, folder, ignore=kept)
    (folder / "my_module.py").write_text(MY_MODULE, encoding="utf-8")
    only_a_gru(folder / "notebooks" / "10_beyond_recurrence.ipynb")
    return folder


MY_MODULE = """
import keras
from keras import layers


def build(inputs):
    hidden = layers.Dense(4, activation="relu")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Dense(1)(hidden))
"""
LITTLE = ["-p", "UPDATES", "3", "-p", "REVIEWS", "300", "-p", "SAMPLES", "500"]
LITTLE += ["-p", "UNITS", "4", "-p", "MODEL", "my_module:build"]


@pytest.mark.slow
def test_own_model_from_outside_gets_a_row_in_each_table(copy):
    """``make notebooks NB=10 PARAMETERS="-p MODEL my_module:build"``, without make's environment."""
    command = [sys.executable, "-m", "tools.notebooks", "run", "10", "--", *LITTLE]
    environment = os.environ | {"RNN_TRADING_DATA": "", "PYTHONPATH": str(copy)}
    options = {"cwd": copy, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run(command, encoding="utf-8", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if "my_module:build" in line]
    assert len(rows) == 3 and all("[" in row for row in rows), done.stdout


@pytest.mark.slow
def test_what_cannot_be_used_is_refused_before_training(monkeypatch):
    """In the cells above the first model of the notebook. What the runner shows of an error, its
    own tests say.
    """
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    parameters = {"MODEL": f"{__name__}:two_numbers", "REVIEWS": 300, "SAMPLES": 500}
    with pytest.raises(training.WrongShape, match="one number for each sequence is needed"):
        run_cells("10", "## Baselines", parameters)


@pytest.mark.slow
def test_problems_are_as_announced(monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    volatility, panel = problems.volatility_problem(), problems.panel_problem()
    reviews = problems.review_problem(reviews=200)
    assert volatility.X.shape[1:] == (22, 5) and panel.X.shape[1:] == (52, 3)
    assert reviews.X.shape == (500, 120) and reviews.X.max() < reviews.words
    train = volatility.part("train")[0]
    assert abs(train.mean()) < 0.05 and abs(train.std() - 1) < 0.05
    assert len(panel.part("train")[1]) <= 2000 + 20
    assert len(panel.part("validation")[1]) <= 1000 + 20
    films = [set(reviews.resampling(part)["dates"]) for part in ("train", "validation", "test")]
    assert not (films[0] & films[1] or films[0] & films[2] or films[1] & films[2])
    weeks = pd.DatetimeIndex(panel.groups)
    assert weeks[panel.split.test][0] >= pd.Timestamp("2016-01-01")
    assert weeks[panel.split.train][-1] < pd.Timestamp("2012-01-01")
    shares = pd.Series(panel.y).groupby(panel.groups).mean()
    assert shares.max() <= 0.5
