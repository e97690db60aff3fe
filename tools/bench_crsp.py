"""A made-up CRSP through 02's features and 03's network: time and memory as the stocks grow.

Each size runs in a process of its own, because memory that was once needed counts for ever. Stocks
are listed and delisted at random; daily prices are made and used up in blocks of stocks. ``python
-m tools.bench_crsp 500 5000 25000`` runs this comparison alone.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

from features.dataset import Dataset, LazyWindows, make_dataset, standardised
from scores import peak_memory_mb

FIRST, WEEKS, TRAINING_END = "1973-01-01", 2600, "2010-01-01"
STOCKS_A_BLOCK, MEAN_LIFE = 500, 13 * 252  # days
PAST, UNITS, EMBEDDING, BATCH, STEPS = 26, (16, 8), 4, 512, 500  # as in notebook 03


def blocks(stocks: int) -> Iterator[pd.DataFrame]:
    """Daily prices of ``stocks`` stocks, a block of them at a time."""
    days = pd.bdate_range(FIRST, periods=5 * WEEKS, name="date")
    generator = np.random.default_rng(0)
    day = np.arange(len(days))[:, None]
    for first in range(0, stocks, STOCKS_A_BLOCK):
        count = min(STOCKS_A_BLOCK, stocks - first)
        moves = 0.02 * generator.standard_normal((len(days), count), dtype="float32")
        listed = generator.integers(-MEAN_LIFE, len(days) - 252, count)
        gone = listed + 252 + generator.exponential(MEAN_LIFE, count).astype(int)
        values = 30 * np.exp(moves.cumsum(axis=0))
        values = np.where((day >= listed) & (day < gone), values, np.nan)
        names = [f"T{number}" for number in range(first, first + count)]
        yield pd.DataFrame(values.astype("float64"), days, names)


def network(stocks: int) -> object:
    """The network of notebook 03, without the regressions that it starts at."""
    import keras
    from keras import layers

    past = keras.Input((PAST, 5), name="past")
    path = keras.Input((52,), name="path")
    stock = keras.Input((1,), dtype="int32", name="stock")
    states = layers.LSTM(UNITS[0], return_sequences=True)(past)
    vector = layers.Flatten()(layers.Embedding(stocks, EMBEDDING)(stock))
    x = layers.Concatenate()([states[:, -1], layers.LSTM(UNITS[1])(states), vector])
    hidden = layers.Concatenate()([layers.Dense(16, activation="relu")(x), vector])
    outputs = {"volatility": layers.Dense(1, name="volatility")(hidden)}
    hidden = layers.Concatenate()([layers.Dense(10, activation="relu")(x), path])
    outputs["up"] = layers.Dense(1, activation="sigmoid", name="up")(hidden)
    model = keras.Model({"past": past, "path": path, "stock": stock}, outputs)
    losses = {"volatility": "mse", "up": "binary_crossentropy"}
    model.compile(keras.optimizers.Adam(0.003), loss=losses)
    return model


def train(dataset: Dataset, stocks: int, steps: int | None) -> tuple[int, int, float]:
    """(steps of an epoch, steps done, seconds): all of an epoch, or the first ``steps``."""
    import training

    samples = dataset.windows
    scaled, _ = standardised(dataset.panel, TRAINING_END)
    inputs = {
        "past": LazyWindows(scaled, samples.input_end, samples.ticker, PAST),
        "path": samples.X[:, :, 0],
        "stock": samples.ticker.codes.astype("int32")[:, None],
    }
    outcomes = dataset.outcomes
    targets = {"volatility": outcomes["forward_volatility"].to_numpy()}
    targets["up"] = outcomes["up"].to_numpy()
    epoch = -(-len(samples) // BATCH)
    steps = min(epoch, steps or epoch)
    model = network(stocks)
    batches = training.WindowBatches(inputs, targets, None, BATCH, 0, steps)
    model.train_on_batch(*batches[0])  # compiles
    start = time.perf_counter()
    model.fit(batches, verbose=0)
    return epoch, steps, time.perf_counter() - start


def one_size(stocks: int, steps: int | None = STEPS) -> None:
    """Print what ``stocks`` stocks need, in this process."""
    start = time.perf_counter()
    dataset = make_dataset(blocks(stocks), TRAINING_END, features=("path",), dtype="float16")
    seconds, peak = time.perf_counter() - start, peak_memory_mb()
    print(
        f"{stocks:,} stocks × {WEEKS:,} weeks, {len(dataset.windows):,} windows: "
        f"made in {seconds:,.0f} s, peak {peak:,} MB;",
        flush=True,
    )
    epoch, steps, seconds = train(dataset, stocks, steps)
    print(
        f"  {steps:,} of the {epoch:,} steps of an epoch in {seconds:,.0f} s "
        f"({1000 * seconds / steps:.1f} ms a step), peak {peak_memory_mb():,} MB",
        flush=True,
    )


def bench_crsp(sizes: tuple = (500, 5_000, 25_000)) -> None:
    """Print time and memory for each number of stocks."""
    for stocks in sizes:
        command = [sys.executable, "-m", "tools.bench_crsp", "--one", str(stocks)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        whole = "--epoch" in sys.argv  # all steps of an epoch
        one_size(int(sys.argv[2]), None if whole else STEPS)
    else:
        bench_crsp(tuple(map(int, sys.argv[1:])) or (500, 5_000, 25_000))
