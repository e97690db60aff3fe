"""Timings as ratios, on whatever machine this is: ``make bench``.

Panel windowing at 2,489 tickers × 522 weeks × 52 steps, against a plain copy of its result, against
Keras' own windowing over the same panel, and against the row-by-row loop people write, on a slice
small enough to finish; lazy windows against windows in memory; a made-up CRSP, with time and memory
as the stocks grow; many trainings on two local workers against one; training steps by backend; and
how fast filings become sequences.
"""

import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

import utils
from tools.bench_crsp import bench_crsp
from tools.bench_filings import bench_filings
from tools.bench_panel import bench_lazy_windows, bench_trainings
from tools.bench_steps import bench_steps

TICKERS, WEEKS, STEPS = 2489, 522, 52


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratio(
    function: Callable[[], object], yardstick: Callable[[], object], repetitions: int = 41
) -> float:
    """Median over pairs of runs, one right after the other, of the time of ``function`` by that of
    ``yardstick``.
    """
    return statistics.median(seconds(function) / seconds(yardstick) for _ in range(repetitions))


def random_panel(tickers: int = TICKERS, missing: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(WEEKS, tickers)).astype("float32")
    values[generator.random(values.shape) < missing] = np.nan
    return pd.DataFrame(
        values,
        pd.date_range("2008-01-04", periods=WEEKS, freq="W-FRI"),
        [f"T{i}" for i in range(tickers)],
    )


def peak_memory(panel: pd.DataFrame) -> float:
    """Peak memory while windowing, result included, as a multiple of the result."""
    tracemalloc.start()
    result = utils.make_panel_windows(panel, STEPS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / result.X.nbytes


def keras_windows(panel: pd.DataFrame) -> None:
    """Every window of every ticker through keras.utils.timeseries_dataset_from_array, consumed
    once.
    """
    import keras

    values = panel.to_numpy()
    for column in range(values.shape[1]):
        inputs, targets = values[:, column : column + 1], values[STEPS:, column]
        dataset = keras.utils.timeseries_dataset_from_array(
            inputs, targets, STEPS, batch_size=WEEKS, shuffle=False
        )
        for _ in dataset:
            pass


def concat_loop(panel: pd.DataFrame) -> pd.DataFrame:
    """The common recipe: one small frame a ticker and week, concatenated at the end."""
    rows = []
    for ticker, returns in panel.items():
        for end in range(STEPS, len(returns)):
            lags = returns.iloc[end - STEPS : end].to_numpy()
            row = pd.DataFrame([lags], columns=range(STEPS, 0, -1)).assign(
                ticker=ticker, target=returns.iloc[end]
            )
            rows.append(row)
    return pd.concat(rows)


def bench_windows() -> None:
    for name, panel in (
        ("all prices known", random_panel()),
        ("0.1 % missing", random_panel(missing=0.001)),
    ):
        result = utils.make_panel_windows(panel, STEPS).X
        ours = partial(utils.make_panel_windows, panel, STEPS)
        times = ratio(ours, result.copy)
        print(f"panel windows, {name}: {len(result):,} samples, {result.nbytes / 2**20:.0f} MiB")
        print(f"  time    {times:.2f} × a copy of the result")
        print(f"  memory  {peak_memory(panel):.2f} × the result at the peak, the result included")


def bench_rivals() -> None:
    for name, function, tickers in (
        ("Keras' own windowing", keras_windows, 100),
        ("the concat loop", concat_loop, 5),
    ):
        panel = random_panel(tickers)
        ours = partial(utils.make_panel_windows, panel, STEPS)
        times = ratio(partial(function, panel), ours, 1)
        print(
            f"{name} takes {times:,.0f} × as long as utils.make_panel_windows on {tickers} tickers"
        )


if __name__ == "__main__":
    import training  # noqa: F401

    bench_windows()
    bench_rivals()
    bench_lazy_windows()
    bench_crsp()
    bench_trainings()
    bench_steps()
    bench_filings()
