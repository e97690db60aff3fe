"""Scores, intervals and tests against known answers; plots; seeds."""

import json

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, roc_auc_score, root_mean_squared_error

import data.source
import scores
import training
import utils

matplotlib.use("agg")
rng = np.random.default_rng(0)


def test_interval_covers_the_mean_of_independent_numbers():
    hits = 0
    for seed in range(100):
        sample = np.random.default_rng(seed).normal(size=150)
        low, high = scores.bootstrap_interval(np.mean, sample, block=1, repetitions=300, seed=seed)
        hits += low < 0 < high
    assert 88 <= hits <= 100


def test_interval_is_wider_where_dates_move_together():
    dates = np.repeat(np.arange(60), 20)
    values = rng.normal(size=60)[dates] + 0.1 * rng.normal(size=1200)
    narrow = np.diff(scores.bootstrap_interval(np.mean, values, block=1))
    wide = np.diff(scores.bootstrap_interval(np.mean, values, dates=dates, block=1))
    assert wide > 3 * narrow


def test_whole_dates_are_resampled():
    dates = rng.permutation(np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8]))
    rows = np.arange(len(dates))

    def complete(drawn):
        """Was every row of a date drawn as often as the others of that date?"""
        times = np.bincount(drawn, minlength=len(rows))
        return float(all(np.ptp(times[dates == date]) == 0 for date in range(8)))

    assert scores.bootstrap_interval(complete, rows, dates=dates) == (1.0, 1.0)


def test_paired_arrays_stay_paired():
    values = rng.normal(size=100)
    assert scores.bootstrap_interval(
        lambda first, second: np.abs(first - second).max(), values, values
    ) == (0, 0)


@pytest.mark.parametrize("decimals", [1, 9])
@pytest.mark.parametrize("options", [{"block": 3}, {"block": 1, "dates": np.arange(120) % 17}])
def test_an_auc_of_samples_that_are_counted_is_that_of_samples_that_are_copied(decimals, options):
    """Also where scores are alike, and where a draw has one class only."""
    random = np.random.default_rng(decimals)
    actual = (np.arange(120) % 17 < 2).astype(int)
    score = np.round(actual + random.normal(size=120), decimals)

    def copied(actual, score):
        return scores.auc(actual, score)

    arguments = {**options, "repetitions": 200}
    expected = scores.bootstrap_draws(copied, actual, score, **arguments)
    found = scores.bootstrap_draws(scores.auc, actual, score, **arguments)
    np.testing.assert_array_equal(found, expected)
    assert "dates" not in options or np.isnan(found).any()


def test_a_paired_difference_is_that_of_both_resampled_together():
    random = np.random.default_rng(0)
    actual = random.integers(0, 2, 90)
    first, second = random.normal(size=(2, 90)) + actual

    def difference(actual, first, second):
        return scores.auc(actual, first) - scores.auc(actual, second)

    options = {"block": 1, "dates": np.arange(90) // 3, "repetitions": 100}
    arrays = actual, first, second
    expected = scores.bootstrap_interval(difference, *arrays, **options)
    assert scores.paired_difference(scores.auc, *arrays, **options)[1:] == expected


def test_intervals_repeat():
    values = rng.normal(size=50)
    assert scores.bootstrap_interval(np.mean, values) == scores.bootstrap_interval(np.mean, values)


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        (([1.0, np.nan],), {}, "without missing"),
        (([],), {}, "non-empty"),
        (([1.0, 2.0], [1.0]), {}, "one length"),
        (([1.0],), {}, "at least two"),
        (([1.0, 2.0],), dict(dates=[1, 1]), "at least two samples or dates, given 1"),
    ],
)
def test_bad_arrays_are_refused(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        scores.bootstrap_interval(lambda *arrays: 0.0, *arrays, **options)


def test_skill_of_perfect_and_of_equal_forecasts():
    actual, baseline = rng.normal(size=80), np.zeros(80)
    for forecast, expected in ((actual, 1.0), (baseline, 0.0)):
        rows = scores.forecast_scores("task", "model", actual, forecast, baseline, metric="mae")
        assert [row["metric"] for row in rows] == ["mae", "mae_skill"]
        assert rows[1]["value"] == expected == rows[1]["low"] == rows[1]["high"]
        assert rows[0]["n"] == 80


def test_each_metric_against_a_known_value():
    actual, predicted = np.array([0, 0, 1, 1.0]), np.array([0.1, 0.6, 0.4, 0.9])
    expected = {"rmse": np.sqrt(0.185), "mae": 0.35, "r2": 1 - 0.74, "auc": 0.75, "accuracy": 0.5}
    for metric, value in expected.items():
        assert scores.METRICS[metric](actual, predicted) == pytest.approx(value), metric
    assert set(expected) == set(scores.METRICS)


def test_metrics_agree_with_scikit_learn():
    actual, predicted = rng.normal(size=50), rng.normal(size=50)
    library = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}
    for metric, function in library.items():
        assert scores.METRICS[metric](actual, predicted) == pytest.approx(
            function(actual, predicted)
        ), metric
    labels, rounded = actual > 0, predicted.round(1)  # with ties
    assert scores.METRICS["auc"](labels, rounded) == pytest.approx(roc_auc_score(labels, rounded))


def test_scores_compare_by_position_not_by_index():
    actual, baseline = pd.Series(rng.normal(size=30)), pd.Series(rng.normal(size=30), range(5, 35))
    assert (
        scores.score("task", "model", "mae", actual, pd.Series(actual.to_numpy(), range(9, 39)))[
            "value"
        ]
        == 0
    )
    assert scores.forecast_scores("task", "model", actual, baseline, baseline)[1]["value"] == 0


def test_diebold_mariano_agrees_with_its_definition():
    actual = rng.normal(size=60)
    first, second = actual + rng.normal(size=60), actual + 2 * rng.normal(size=60)
    statistic, p_value = scores.diebold_mariano(actual, first, second)
    assert statistic < 0 and p_value < 0.05
    assert scores.diebold_mariano(actual, second, first) == pytest.approx((-statistic, p_value))
    difference = (actual - first) ** 2 - (actual - second) ** 2
    centred, lags = difference - difference.mean(), int(np.ceil(60 ** (1 / 3)))
    covariance = [centred[lag:] @ centred[: 60 - lag] / 60 for lag in range(lags + 1)]
    long_run = covariance[0] + 2 * sum(
        (1 - lag / (lags + 1)) * covariance[lag] for lag in range(1, lags + 1)
    )
    expected = difference.mean() / np.sqrt(long_run / 60) * np.sqrt(59 / 60)
    assert statistic == pytest.approx(expected, rel=1e-6)
    assert p_value == pytest.approx(2 * stats.t.sf(abs(expected), 59), rel=1e-6)


def test_diebold_mariano_has_the_right_size():
    rejected = 0
    for seed in range(200):
        actual, first, second = np.random.default_rng(seed).normal(size=(3, 100))
        rejected += scores.diebold_mariano(actual, first, second)[1] < 0.05
    assert rejected <= 24  # 5 % of 200 is 10


def test_diebold_mariano_refuses_bad_input():
    with pytest.raises(ValueError, match="more samples than the horizon 12, given 5"):
        scores.diebold_mariano(*rng.normal(size=(3, 5)), horizon=12)
    with pytest.raises(ValueError, match="missing"):
        scores.diebold_mariano([1, np.nan, 2], [1, 2, 3], [1, 2, 4])
    with pytest.raises(ValueError, match="one length"):
        scores.diebold_mariano([1, 2, 3], [1, 2], [1, 2, 4])


@pytest.mark.parametrize("metric", ["rmse", "auc"])
def test_a_column_instead_of_an_array_is_refused(metric):
    """Shape (samples, 1), as ``model.predict`` returns it, would be compared each with each."""
    actual, predicted = rng.integers(2, size=30), rng.normal(size=30)
    for pair in (
        (actual, predicted[:, None]),
        (actual[:, None], predicted),
        (actual, predicted[:-1]),
    ):
        with pytest.raises(ValueError, match="one length, each .samples,., given the shapes"):
            scores.score("task", "model", metric, *pair)
    with pytest.raises(ValueError, match="given the shapes"):
        scores.forecast_scores("task", "model", actual, predicted, predicted[:, None])


def test_unknown_metrics_and_an_auc_of_one_class_are_refused():
    with pytest.raises(ValueError, match="needs a metric of .'rmse'.* given 'mape'"):
        scores.score("task", "model", "mape", [1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="two classes"):
        scores.score("task", "model", "auc", np.ones(9), rng.normal(size=9))


@given(seed=st.integers(0, 10_000), dates=st.integers(2, 6), stocks=st.integers(3, 8))
def test_information_coefficient_is_spearman_by_date(seed, dates, stocks):
    generator = np.random.default_rng(seed)
    actual, predicted = generator.integers(0, 6, size=(2, dates * stocks)).astype(float)
    when = np.repeat(pd.bdate_range("2020-01-01", periods=dates), stocks)
    ic = scores.information_coefficient(actual, predicted, when)
    for date in np.unique(when):
        one = when == date
        if np.ptp(actual[one]) and np.ptp(predicted[one]):
            assert ic[date] == pytest.approx(stats.spearmanr(actual[one], predicted[one])[0])
        else:
            assert date not in ic.index


def test_mean_t_statistic():
    """Newey and West (1987) by hand: autocovariances with weights that fall to zero after five lags
    of 200.
    """
    for values in (rng.normal(0.5, 1, size=200), np.repeat(rng.normal(0.5, 1, size=40), 5)):
        rest = values - values.mean()
        variance = np.mean(rest**2) + sum(
            2 * (1 - lag / 6) * rest[lag:] @ rest[:-lag] / 200 for lag in range(1, 6)
        )
        mean, t = scores.mean_t_statistic(values)
        assert mean == pytest.approx(values.mean())
        assert t == pytest.approx(values.mean() / np.sqrt(variance / 200))


def test_scores_are_saved_as_agreed(tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "ROOT", tmp_path)
    rows = [scores.score("task", "model", "rmse", rng.normal(size=20), rng.normal(size=20))]
    scores.save_scores("99_none", "a source", rows)
    saved = json.loads((tmp_path / "build/results/99_none.json").read_text(encoding="utf-8"))
    assert list(saved) == ["notebook", "source", "seconds", "peak_mb", "scores"]
    assert saved["scores"] == rows and list(rows[0]) == [
        "task",
        "model",
        "metric",
        "value",
        "low",
        "high",
        "n",
    ]
    assert saved["peak_mb"] > 10 and saved["seconds"] > 0
    with pytest.raises(ValueError, match="not JSON compliant"):
        scores.save_scores("99_none", "a source", [rows[0] | {"value": float("nan")}])
    assert (
        json.loads((tmp_path / "build/results/99_none.json").read_text(encoding="utf-8")) == saved
    )


def test_score_table():
    rows = [
        scores.score_row("task", "one", "rmse", 21.591, (16.72, 26.34), 9),
        scores.score_row("task", "two", "skill", 0, (0, 1), 9),
    ]
    table = scores.score_table(rows)
    assert table.loc[("task", "one"), "rmse"] == "21.6 [16.7, 26.3]"
    assert table.loc[("task", "one"), "skill"] == ""


def test_plots_return_their_axes():
    dates = np.repeat(pd.bdate_range("2020-01-01", periods=30), 10)
    actual, predicted = rng.normal(size=(2, 300))
    history = type("History", (), {"history": {"loss": [2, 1], "val_loss": [3, 2]}})
    series = pd.Series(rng.normal(size=30), pd.bdate_range("2020-01-01", periods=30))
    rows = [scores.score_row("task", "one", "rmse", 1, (0, 2), 9)]
    for draw in (
        lambda ax: utils.plot_learning_curves({"run": history}, ax=ax),
        lambda ax: utils.plot_forecast(series, {"model": series + 1}, ax=ax),
        lambda ax: utils.plot_scoreboard(rows, "rmse", ax=ax),
        lambda ax: utils.plot_quintile_returns(actual, predicted, dates, ax=ax),
    ):
        ax = plt.subplots()[1]
        assert draw(ax) is ax and ax.has_data()
    assert isinstance(utils.plot_scoreboard(rows, "rmse"), matplotlib.axes.Axes)


@pytest.mark.parametrize("epochs, each", [(7, 1), (18, 2), (19, 3), (55, 6), (1, 1)])
def test_validation_of_some_epochs_is_drawn_at_these(epochs, each):
    seen = list(range(epochs, 0, -each))[::-1]
    run = {"loss": np.arange(1, epochs + 1), "val_loss": np.array(seen)}
    ax = utils.plot_learning_curves({"run": run}, ax=plt.subplots()[1])
    for line in ax.lines:  # each loss is the number of its epoch
        np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())


def test_names_of_points_are_over_no_other_name():
    ax = plt.subplots(figsize=(6, 4))[1]
    places = np.array([[0.5, 0.5], [0.505, 0.502], [0.51, 0.497], [0.495, 0.5], [0.1, 0.9]])
    ax.plot(*places.T, "o")
    utils.label_points(ax, places, ["AAPL", "BBY", "GE", "MSFT", "KO"])
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == ["AAPL", "BBY", "GE", "MSFT", "KO"]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_quintiles_are_within_dates():
    dates = np.repeat(pd.bdate_range("2020-01-01", periods=20), 10)
    predicted = np.tile(np.arange(10.0), 20) + 100 * np.repeat(
        np.arange(20), 10
    )  # levels differ by date
    ax = utils.plot_quintile_returns(np.tile(np.arange(10.0), 20) / 100, predicted, dates)
    assert [round(bar.get_height(), 6) for bar in ax.patches] == [0.5, 2.5, 4.5, 6.5, 8.5]


@pytest.mark.slow
def test_what_is_not_shuffled_needs_no_seed_of_tensorflow():
    import keras

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 5)).astype("float32"), rng.normal(size=64).astype("float32")

    def build():
        parts = [keras.Input((5,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)]
        model = keras.Sequential([*parts, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    losses = []
    for shuffles in (True, False):
        trainer = training.Trainer(build, shuffles=shuffles)
        for seed in (1, 2, 1):
            run = trainer.start(seed).fit(X, y, epochs=3, shuffle=False, verbose=0)
            losses.append(run.history["loss"])
    assert losses[0] == losses[2] == losses[3] == losses[5] != losses[1]
    assert losses[1] == losses[4]


@pytest.mark.slow
def test_seeds_start_anew_and_repeat():
    import keras

    X, y = rng.normal(size=(64, 5, 1)).astype("float32"), rng.normal(size=64).astype("float32")

    def build():
        model = keras.Sequential([keras.Input((5, 1)), keras.layers.LSTM(3), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    def fit(model, data, seed):
        return model.fit(X, y, epochs=2, verbose=0).history["loss"]

    trainer, jobs = training.Trainer(build), [training.Job(seed) for seed in (1, 2, 1)]
    weights, losses = zip(*training.fit_jobs(trainer, fit, jobs))
    assert losses[0] == losses[2] != losses[1]
    predictions = training.predict_over_seeds(trainer.model, weights, X)
    assert predictions.shape == (3, 64)
    np.testing.assert_array_equal(predictions[0], predictions[2])
    assert np.abs(predictions[0] - predictions[1]).max() > 1e-4
    ((_, alone),) = training.fit_jobs(training.Trainer(build), fit, jobs[1:2])
    assert alone == pytest.approx(losses[1], rel=1e-5)

    def fit_once(model, epochs):
        return model.fit(X, y, epochs=epochs, verbose=0).history["loss"]

    mean, same, kept = training.mean_over_seeds(trainer, (1, 2), X, fit_once, 2)
    np.testing.assert_allclose(mean[:, 0], predictions[:2].mean(axis=0), atol=1e-6)
    assert kept == [losses[0], losses[1]]
    np.testing.assert_array_equal(same[1][0], weights[1][0])
    assert training.mean_over_seeds(trainer, (1,), None, fit_once, 2)[0] is None


def test_every_score_is_in_its_place_in_the_table():
    """On every version of pandas: each cell of each table is the row it belongs to."""
    checked = 0
    for path in sorted((data.source.ROOT / "results").glob("*/*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))["scores"]
        table = scores.score_table(rows) if rows else {}
        for row in rows:
            cell = table.loc[(row["task"], row["model"]), row["metric"]]
            assert cell == scores.score_text(row)
        checked += len(rows)
    assert checked > 500
