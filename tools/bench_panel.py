"""Lazy windows of a panel against windows in memory; many trainings on two local workers against
one. ``python -m tools.bench_panel`` runs these alone.
"""

import time
from functools import partial

import numpy as np
import pandas as pd

from features.dataset import LazyWindows

WEEKS, FEATURES, BATCH = 26, 5, 512


def panel_and_samples(stocks: int, weeks: int) -> tuple[dict, np.ndarray, pd.Categorical]:
    """Random frames, weeks × stocks, and the samples of stocks that are listed and delisted at
    random.
    """
    generator = np.random.default_rng(0)
    dates = pd.date_range("1975-01-03", periods=weeks, freq="W-FRI")
    names = [f"T{number}" for number in range(stocks)]
    panel = {}
    for feature in range(FEATURES):
        values = generator.standard_normal((weeks, stocks), dtype="float32")
        panel[f"f{feature}"] = pd.DataFrame(values, dates, names, copy=False)
    first = generator.integers(WEEKS - 1, weeks, stocks)
    life = generator.exponential(weeks / 4, stocks).astype(int) + 1
    listed = np.arange(weeks)[:, None]
    end, stock = np.nonzero((listed >= first) & (listed < first + life))
    ticker = pd.Categorical.from_codes(stock.astype("int32"), names)
    return panel, dates.to_numpy()[end], ticker


def epoch(model: object, inputs: dict, targets: dict, weights: list) -> float:
    """Seconds of one epoch of ``model``, from the same weights and in the same order."""
    import training

    model.set_weights(weights)
    data = training.WindowBatches(inputs, targets, batch_size=BATCH, seed=0)
    start = time.perf_counter()
    model.fit(data, verbose=0)
    return time.perf_counter() - start


def bench_lazy_windows(stocks: int = 200, weeks: int = 1500, repetitions: int = 5) -> None:
    """Print the time of an epoch on lazy windows by that on windows in memory."""
    import keras

    panel, ends, ticker = panel_and_samples(stocks, weeks)
    lazy = LazyWindows(panel, ends, ticker, WEEKS)
    past = keras.Input((WEEKS, FEATURES), name="past")
    output = keras.layers.Dense(1, name="next")(keras.layers.LSTM(16)(past))
    model = keras.Model({"past": past}, {"next": output})
    model.compile("sgd", loss="mse")
    target = {"next": np.zeros(len(lazy), dtype="float32")}
    run = partial(epoch, model, targets=target, weights=model.get_weights())
    in_memory = {"past": lazy[:]}
    run({"past": lazy})  # compiles
    ratios = [run({"past": lazy}) / run(in_memory) for _ in range(repetitions)]
    print(f"lazy windows, {len(lazy):,} samples of {WEEKS} × {FEATURES}: an epoch takes", end=" ")
    print(f"{np.median(ratios):.2f} × as long as on windows in memory")


def build_lstm() -> object:
    """A small recurrent model, as on a worker: nothing of this process is needed."""
    import keras

    past = keras.Input((WEEKS, FEATURES))
    model = keras.Model(past, keras.layers.Dense(1)(keras.layers.LSTM(16)(past)))
    model.compile("adam", loss="mse")
    return model


def fit_lstm(model: object, data: tuple, seed: int) -> list:
    """Ten epochs; their losses."""
    return model.fit(*data, batch_size=BATCH, epochs=10, verbose=0).history["loss"]


ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1")
ONE_THREAD |= {"TF_NUM_INTEROP_THREADS": "1"}


def bench_trainings(jobs: int = 12) -> None:
    """Print the time of many trainings on one local worker of one thread by that on two."""
    from distributed import LocalCluster

    import training

    generator = np.random.default_rng(0)
    data = generator.standard_normal((20 * BATCH, WEEKS, FEATURES), dtype="float32")
    data = data, data[:, -1, :1]
    trainer, seconds, losses = training.Trainer(build_lstm), {}, {}
    for workers in (1, 2):
        options = {"n_workers": workers, "threads_per_worker": 1, "env": ONE_THREAD}
        with LocalCluster(**options, dashboard_address="127.0.0.1:0") as cluster:
            address = cluster.scheduler_address
            warm = [training.Job(seed) for seed in range(2 * workers)]
            training.fit_jobs(trainer, fit_lstm, warm, data, address)
            start = time.perf_counter()
            many = [training.Job(seed) for seed in range(jobs)]
            kept = training.fit_jobs(trainer, fit_lstm, many, data, address)
            seconds[workers] = time.perf_counter() - start
            losses[workers] = np.array([history for _, history in kept])
    ratio, apart = seconds[1] / seconds[2], np.abs(losses[1] - losses[2]).max()
    print(f"{jobs} trainings on one local worker of one thread take", end=" ")
    print(f"{ratio:.2f} × as long as on two")
    print(f"  the losses differ by {apart:.1g} at most")


if __name__ == "__main__":
    bench_lazy_windows()
    bench_trainings()
