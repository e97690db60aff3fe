"""Time of a training step of four recurrent networks: TensorFlow as it is, with XLA and one call an
epoch, JAX, and plain PyTorch, as ratios of the first.

Each runs in a process of its own, because Keras has one backend a process. PyTorch is a bench-only
extra: ``pip install -e ".[bench]"``; what is not installed is left out. ``python -m
tools.bench_steps`` runs this comparison alone.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

STEPS, EPOCHS = 10, 5
NETWORKS = {  # (kind, units by layer, time steps, features, batch)
    "GRU 8, 22 × 5, batch 64": ("gru", (8,), 22, 5, 64),
    "LSTM 16 + 8, 52 × 3, batch 2,048": ("lstm", (16, 8), 52, 3, 2048),
    "BiGRU 32, 50 × 50, batch 1,024": ("both ways", (32,), 50, 50, 1024),
    "BiGRU 16, 64 × 16, batch 64": ("both ways", (16,), 64, 16, 64),
}
WAYS = {"TensorFlow": "tensorflow", "XLA, one call an epoch": "tensorflow", "JAX": "jax"}
WAYS["PyTorch"] = "torch"  # without Keras


def keras_epoch(
    way: str, kind: str, units: tuple, steps: int, features: int, batch: int
) -> Callable:
    """A function that trains an epoch in Keras."""
    import keras
    from keras import layers

    inputs = x = keras.Input((steps, features))
    for number, size in enumerate(units):
        layer = layers.LSTM if kind == "lstm" else layers.GRU
        layer = layer(size, return_sequences=number + 1 < len(units))
        x = layers.Bidirectional(layer)(x) if kind == "both ways" else layer(x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    options = {"jit_compile": way != "TensorFlow"}
    if way != "TensorFlow":
        options["steps_per_execution"] = STEPS
    model.compile("adam", loss="mse", **options)
    X, y = made_up(steps, features, batch)
    return lambda: model.fit(X, y, batch_size=batch, verbose=0)


def torch_epoch(kind: str, units: tuple, steps: int, features: int, batch: int) -> Callable:
    """A function that trains an epoch in plain PyTorch: the usual loop over batches."""
    import torch
    from torch import nn

    both = kind == "both ways"
    layer, sizes = (nn.LSTM if kind == "lstm" else nn.GRU), (features, *units)
    stack = nn.ModuleList()
    for width, size in zip(sizes, units):
        stack.append(layer(width, size, batch_first=True, bidirectional=both))
    head = nn.Linear(units[-1] * (2 if both else 1), 1)
    optimizer = torch.optim.Adam([*stack.parameters(), *head.parameters()])
    X, y = map(torch.from_numpy, made_up(steps, features, batch))

    def epoch() -> None:
        for first in range(0, len(X), batch):
            states = X[first : first + batch]
            for recurrent in stack:
                states, last = recurrent(states)
            hidden = torch.cat(list(last), dim=1) if both else states[:, -1]
            optimizer.zero_grad()
            nn.functional.mse_loss(head(hidden), y[first : first + batch]).backward()
            optimizer.step()

    return epoch


def made_up(steps: int, features: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and targets of one epoch."""
    generator = np.random.default_rng(0)
    X = generator.standard_normal((STEPS * batch, steps, features), dtype="float32")
    return X, generator.standard_normal((STEPS * batch, 1), dtype="float32")


def one_way(way: str) -> dict[str, float]:
    """Milliseconds a step of each network, in this process."""
    if way != "PyTorch":
        import training  # noqa: F401 - before keras: no start-up notes
    found = {}
    for name, network in NETWORKS.items():
        epoch = torch_epoch(*network) if way == "PyTorch" else keras_epoch(way, *network)
        times = []
        for _ in range(EPOCHS + 1):  # the first compiles
            start = time.perf_counter()
            epoch()
            times.append(time.perf_counter() - start)
        found[name] = 1000 * statistics.median(times[1:]) / STEPS
    return found


def bench_steps() -> None:
    """Print the table, each way of training as a ratio of TensorFlow as it is."""
    found = {}
    for way, package in WAYS.items():
        if importlib.util.find_spec(package) is None:
            print(f'training steps: {way} is not installed; see pip install -e ".[bench]"')
            continue
        backend = "tensorflow" if way == "PyTorch" else package
        environment = {**os.environ, "KERAS_BACKEND": backend}
        command = [sys.executable, "-m", "tools.bench_steps", way]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        found[way] = json.loads(done.stdout.splitlines()[-1])
    for name in NETWORKS:
        plain = found["TensorFlow"][name]
        ratios = [f"{way} {found[way][name] / plain:.2f}" for way in list(found)[1:]]
        print(f"a training step of {name}: TensorFlow 1 ({plain:.1f} ms), {', '.join(ratios)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one_way(sys.argv[1])))
    else:
        bench_steps()
