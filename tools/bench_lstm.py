"""One training epoch of notebook 03's network against the same network in plain PyTorch, on this
machine, in this run.

PyTorch is a bench-only extra: ``pip install torch==2.13.0`` (``pip install -e ".[bench]"``), or
into a folder of its own named by PYTHONPATH. ``python -m tools.bench_lstm`` runs this comparison
alone.
"""

import statistics
import time

import numpy as np

STEPS, FEATURES, TICKERS, MONTHS = 52, 3, 501, 12
UNITS, EMBEDDING, HIDDEN, DROPOUT, RATE = (16, 8), 5, 10, 0.5, 0.003  # as in notebook 03


def made_up_windows(samples):
    """History, ticker, month and label, of the shapes and types of the full panel."""
    generator = np.random.default_rng(0)
    history = generator.standard_normal((samples, STEPS, FEATURES), dtype="float32")
    ticker = generator.integers(0, TICKERS, (samples, 1)).astype("int32")
    month = np.eye(MONTHS, dtype="float32")[generator.integers(0, MONTHS, samples)]
    return history, ticker, month, generator.integers(0, 2, (samples, 1)).astype("float32")


def keras_epoch(data, batch):
    """A function that trains one epoch in Keras."""
    import keras
    from keras import layers

    history, ticker, month = (
        keras.Input((STEPS, FEATURES)),
        keras.Input((1,), dtype="int32"),
        keras.Input((MONTHS,)),
    )
    memory = layers.LSTM(UNITS[1])(layers.LSTM(UNITS[0], return_sequences=True)(history))
    vector = layers.Flatten()(layers.Embedding(TICKERS, EMBEDDING)(ticker))
    merged = layers.Dropout(DROPOUT)(layers.Concatenate()([memory, vector, month]))
    correction = layers.Dense(1)(layers.Dense(HIDDEN, activation="relu")(merged))
    straight = layers.Dense(1, trainable=False)(history[:, :, -1])
    output = layers.Activation("sigmoid")(layers.Add()([straight, correction]))
    model = keras.Model([history, ticker, month], output)
    model.compile(keras.optimizers.Adam(RATE), loss="binary_crossentropy")
    *inputs, label = data
    return lambda: model.fit(inputs, label, batch_size=batch, verbose=0)


def torch_epoch(data, batch):
    """A function that trains one epoch in plain PyTorch: the usual loop over shuffled batches."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.LSTM(FEATURES, UNITS[0], batch_first=True)
            self.second = nn.LSTM(UNITS[0], UNITS[1], batch_first=True)
            self.tickers = nn.Embedding(TICKERS, EMBEDDING)
            self.hidden = nn.Linear(UNITS[1] + EMBEDDING + MONTHS, HIDDEN)
            self.correction = nn.Linear(HIDDEN, 1)
            self.straight = nn.Linear(STEPS, 1).requires_grad_(False)
            self.dropout = nn.Dropout(DROPOUT)

        def forward(self, history, ticker, month):
            states, _ = self.second(self.first(history)[0])
            merged = torch.cat([states[:, -1], self.tickers(ticker[:, 0]), month], dim=1)
            hidden = torch.relu(self.hidden(self.dropout(merged)))
            return self.straight(history[:, :, -1]) + self.correction(hidden)

    network, loss = Network(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(
        [weight for weight in network.parameters() if weight.requires_grad], RATE
    )
    *inputs, label = map(torch.from_numpy, data)

    def epoch():
        for rows in torch.randperm(len(label)).split(batch):
            optimizer.zero_grad()
            loss(network(*(tensor[rows] for tensor in inputs)), label[rows]).backward()
            optimizer.step()

    return epoch


def bench_lstm(samples=65_536, batches=(1024, 2048), rounds=3):
    """Print the ratio of the times of one epoch, Keras by PyTorch, in rounds that take turns.

    PyTorch runs with its own number of threads and with one thread, and the quicker counts.
    """
    try:
        import torch
    except ImportError:
        print(
            'LSTM epoch: PyTorch is not installed; for this comparison: pip install -e ".[bench]"'
        )
        return
    data, threads = made_up_windows(samples), torch.get_num_threads()
    for batch in batches:
        contenders = {
            "keras": keras_epoch(data, batch),
            1: torch_epoch(data, batch),
            threads: torch_epoch(data, batch),
        }
        times = {name: [] for name in contenders}
        for number in range(rounds + 1):  # the first round compiles and warms up
            for name, epoch in contenders.items():
                torch.set_num_threads(name if name != "keras" else threads)
                start = time.perf_counter()
                epoch()
                times[name] += [time.perf_counter() - start] if number else []
        medians = {name: statistics.median(values) for name, values in times.items()}
        rival = min((name for name in medians if name != "keras"), key=medians.get)
        print(
            f"LSTM epoch of {samples:,} windows, batch {batch}: {medians['keras']:.1f} s in Keras"
        )
        print(
            f"  {medians['keras'] / medians[rival]:.2f} × plain PyTorch on {rival} thread(s) "
            f"({medians[rival]:.1f} s)"
        )


if __name__ == "__main__":
    import training  # noqa: F401

    bench_lstm()
