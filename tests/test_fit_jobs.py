"""Many trainings: the same numbers in this process and on a cluster, a dead worker's job is redone."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import training  # before keras
from features.filings.common import stream
from training import Job, Trainer, WeekBatches, fit_jobs

keras = pytest.importorskip("keras")


def build(slope):
    inputs = keras.Input((3,))
    more = keras.layers.Dense(1)(keras.layers.Dropout(0.3)(inputs))
    line = training.fixed_line(inputs, np.full(3, slope), 0.0)
    model = keras.Model(inputs, line + more)
    model.compile("adam", "mse")
    return model


def draw_for_ever():
    while True:
        random.random()
        time.sleep(1e-5)


def fit(model, data, seed, rows):
    X, y, once = data
    if once:
        threading.Thread(target=draw_for_ever, daemon=True).start()  # as Dask's own threads may
        try:
            open(once, "x", encoding="utf-8").close()  # one worker is the first
            os._exit(1)
        except FileExistsError:
            pass
    model.fit(X[:rows], y[:rows], epochs=2, verbose=0)
    return model.predict(X, verbose=0)[:, 0]


@pytest.fixture
def data():
    X = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
    return X, X.sum(axis=1), None


JOBS = [Job(seed, (slope,), (rows,)) for seed, slope, rows in ((0, 0.5, 100), (1, 0.5, 150))]
JOBS.append(Job(0, (2.0,), (100,)))


def test_a_job_is_that_of_a_new_model(data):
    found = fit_jobs(Trainer(build, 0.5), fit, JOBS, data)
    alone = fit_jobs(Trainer(build, 2.0), fit, JOBS[2:], data)
    for one, other in zip(found[2][0], alone[0][0]):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found[2][1], alone[0][1])
    assert np.abs(found[0][1] - found[1][1]).max() > 1e-3
    assert 2.0 in found[2][0][0] and 0.5 in found[0][0][0], "the fixed weights are those of the job"


def add(task, values, died):
    if task == 1 and not os.path.exists(died):
        open(died, "x", encoding="utf-8").close()
        os._exit(1)
    return task + values.sum()


@pytest.mark.slow
def test_what_all_tasks_read_outlives_the_only_worker(tmp_path):
    from distributed import Client, LocalCluster

    died = str(tmp_path / "died")
    options = dict(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        found = list(stream(client, add, range(4), "numbers", False, np.ones(1000), died))
    assert found == [1000, 1001, 1002, 1003] and os.path.exists(died)


@pytest.mark.slow
def test_a_cluster_gives_the_same_numbers_though_a_worker_dies(data, tmp_path, monkeypatch):
    from distributed import LocalCluster

    here = fit_jobs(Trainer(build, 0.5), fit, JOBS, data)
    died = str(tmp_path / "died")
    options = dict(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with LocalCluster(**options) as cluster:
        monkeypatch.setenv("RNN_TRADING_SCHEDULER", cluster.scheduler_address)
        there = fit_jobs(Trainer(build, 0.5), fit, JOBS, (*data[:2], died))
    assert os.path.exists(died), "a worker died"
    for (weights, kept), (others, same) in zip(here, there):
        np.testing.assert_allclose(kept, same, rtol=1e-5, atol=1e-6)
        for one, other in zip(weights, others):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_worker_of_several_threads_trains_one_job_at_a_time(monkeypatch):
    """The threads of a worker share one model."""
    inside, most = [], []

    def slowly(model, job, fit, data):
        inside.append(job)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(job)

    monkeypatch.setattr(training, "_fit_job", slowly)
    shared = build, None, None, "a call"
    with ThreadPoolExecutor(4) as pool:
        drawn = Trainer(build, 0.5).drawn(0, 0.5)
        jobs = [(Job(seed, (0.5,)), drawn) for seed in range(6)]
        list(pool.map(training._fit_job_there, jobs, [shared] * 6))
    assert most == [1] * 6


def test_a_batch_holds_whole_weeks():
    dates = np.repeat(pd.date_range("2020-01-03", periods=6, freq="W-FRI").to_numpy(), 7)
    dates = dates[:-4]  # the last week has three stocks
    number = np.arange(len(dates))
    batches = WeekBatches({"x": number}, {"y": number}, dates, slice(0, None), 4, 5, 0, 30)
    seen = []
    for place in range(len(batches)):
        x, y = batches[place]
        np.testing.assert_array_equal(x["x"], y["y"])
        weeks = dates[x["x"]].reshape(4, 5)
        assert (weeks == weeks[:, :1]).all()
        seen.append(x["x"])
    assert set(np.concatenate(seen)) == set(number), "every sample has its turn"
    first = batches[0][0]["x"].copy()
    batches.on_epoch_end()
    assert (batches[0][0]["x"] != first).any()


def test_arrays_are_fitted_and_the_losses_kept(data):
    X, y, _ = data
    held_out = [X[150:]], y[150:]
    jobs = [Job(seed, (0.5,), (50, 4, 3)) for seed in (0, 1)]
    learned = [X[:150]], y[:150], held_out
    kept = fit_jobs(Trainer(build, 0.5, shuffles=False), training.fit_arrays, jobs, learned)
    for weights, losses in kept:
        model = build(0.5)
        model.set_weights(weights)
        assert losses["val_loss"][-1] == pytest.approx(model.evaluate(*held_out, verbose=0))
        assert len(losses["loss"]) == 3


def test_every_sample_is_drawn_before_one_comes_again():
    class Model:
        seen = []

        def fit(self, X, y, validation_data, batch_size, shuffle, verbose):
            assert not shuffle and len(y) == 40 and (X[0] == y).all()
            self.seen += list(y)
            return SimpleNamespace(history={"loss": [0.0]})

    samples = np.arange(30)
    losses = training.fit_arrays(Model(), ([samples], samples, None), 0, 8, 5, looks=3)
    assert losses == {"loss": [0.0] * 3}
    for first in range(0, 120, 30):
        assert sorted(Model.seen[first : first + 30]) == list(samples)
    assert Model.seen[:30] != Model.seen[30:60]


def test_the_weights_of_all_seeds_come_back_and_older_ones_go(tmp_path):
    model = build(0.5)
    weights = [[np.full_like(part, number) for part in model.get_weights()] for number in range(11)]
    training.save_seeds(tmp_path / "folder", model, weights, mean=2.5)
    found, details = training.load_seeds(tmp_path / "folder")
    assert [part[0].ravel()[0] for part in found] == list(range(11)), "ten comes after nine"
    assert details == {"mean": 2.5}
    training.save_seeds(tmp_path / "folder", model, weights[:1])
    assert len(training.load_seeds(tmp_path / "folder")[0]) == 1
    with pytest.raises(FileNotFoundError, match="save_seeds writes"):
        training.load_seeds(tmp_path / "none")
