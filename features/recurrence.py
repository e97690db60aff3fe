"""What notebook 00 checks its cells with: comparison with Keras, gradients, the adding problem."""

from collections.abc import Callable

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from data.source import Source
from scores import score_row
from utils import FAMILIES, legend_below, plot_scoreboard

BLOCKS = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def largest_difference(
    layer: keras.layers.Layer,
    function: Callable,
    samples: int = 8,
    steps: int = 20,
    features: int = 3,
    seed: int = 0,
) -> float:
    """Largest difference between a layer with random weights and ``function(X, *weights)``.

    The layer returns sequences; both read random X (samples, steps, features).
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, steps, features)).astype("float32")
    layer.build(X.shape)
    layer.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in layer.weights])
    ours = function(X, *layer.get_weights())
    return np.abs(ours - keras.ops.convert_to_numpy(layer(X))).max()


def finite_difference(
    loss: Callable, weights: list[np.ndarray], step: float = 1e-5
) -> list[np.ndarray]:
    """Central difference of ``loss(*weights)`` by every element of every weight."""
    gradients = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for place in np.ndindex(weight.shape):
            kept = weight[place]
            weight[place] = kept + step
            above = loss(*weights)
            weight[place] = kept - step
            gradient[place] = (above - loss(*weights)) / (2 * step)
            weight[place] = kept
    return gradients


def keras_gradients(
    model: keras.Model, X: np.ndarray, Y: np.ndarray, **clipping
) -> list[np.ndarray]:
    """Gradients of the mean squared error of a Keras model, on any backend.

    A step of plain gradient descent with rate 1 subtracts the gradient, so it can be read off.
    ``clipping`` holds options of the optimizer, such as ``global_clipnorm=1.0``.
    """
    model.compile(keras.optimizers.SGD(learning_rate=1.0, **clipping), loss="mse", run_eagerly=True)
    before = model.get_weights()
    model.train_on_batch(X, Y)
    return [old - new for old, new in zip(before, model.get_weights())]


def count_parameters(name: str, units: int, features: int) -> int:
    """Number of weights of "SimpleRNN", "LSTM" or "GRU", from its formula."""
    biases = 2 if name == "GRU" else 1
    return BLOCKS[name] * units * (units + features + biases)


def new_weights(
    name: str, units: int, features: int, seed: int, forget_bias: float = 1.0, scale: float = 1.0
) -> list[np.ndarray]:
    """Weights of a new Keras layer, float64; its recurrent weights are multiplied by ``scale``."""
    keras.utils.set_random_seed(seed)
    layer = getattr(keras.layers, name)(units)
    layer.build((None, None, features))
    W, U, b = (weight.astype("float64") for weight in layer.get_weights())
    if name == "LSTM":
        b[units : 2 * units] = forget_bias
    return [W, scale * U, b]


def memory_curve(
    memory: Callable, cell: Callable, name: str, steps: int = 61, units: int = 16, **start
) -> np.ndarray:
    """``memory(cell, x, weights)`` of a new layer by distance, geometric mean over three draws.

    The input is random with a standard deviation of one tenth, small enough for tanh to be almost
    linear; ``start`` holds options of ``new_weights``. Returns (steps,).
    """
    curves = []
    for seed in range(3):
        weights = new_weights(name, units, 1, seed, **start)
        x = 0.1 * np.random.default_rng(seed).normal(size=(steps, 1))
        curves.append(memory(cell, x, weights))
    return stats.gmean(curves)


def adding_problem(
    samples: int, length: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of numbers and marks, and the sums of the two marked numbers.

    One number in each half is marked (Hochreiter and Schmidhuber 1997). Returns float32 arrays
    (samples, length, 2) and (samples, 1).
    """
    numbers, marks = rng.random((samples, length)), np.zeros((samples, length))
    first = rng.integers(length // 2, size=samples)
    second = rng.integers(length // 2, length, size=samples)
    rows = np.arange(samples)
    marks[rows, first] = marks[rows, second] = 1
    X = np.stack([numbers, marks], axis=2).astype("float32")
    return X, (numbers * marks).sum(axis=1, keepdims=True).astype("float32")


def fit_adding_problem(
    model: keras.Model, length: int, updates: int, batch: int = 32
) -> list[float]:
    """Train on fresh sequences, none seen twice, and return the mean loss of every 50 updates.

    The sequences follow NumPy's global seed, so that they differ from seed to seed.
    """
    rng = np.random.default_rng(np.random.randint(2**31))

    def batches():
        while True:
            yield adding_problem(batch, length, rng)

    run = model.fit(batches(), steps_per_epoch=50, epochs=updates // 50, shuffle=False, verbose=0)
    return run.history["loss"]


@keras.saving.register_keras_serializable("recurrence")
class GateBiases(keras.initializers.Initializer):
    """Biases of an LSTM that remembers: forget gates at ``forget``, or by the longest memory.

    With ``longest`` (chrono initialisation, Tallec and Ollivier 2018) each unit draws a time
    between 1 and longest − 1 steps; its forget gate starts at the logarithm of that time, its input
    gate at the negative. Use with ``unit_forget_bias=False``.
    """

    def __init__(self, forget: float = 1.0, longest: int = 0):
        self.forget, self.longest = forget, longest

    def __call__(self, shape: tuple, dtype: str | None = None) -> object:
        i, f, candidate, o = np.zeros((4, shape[0] // 4))
        f[:] = self.forget
        if self.longest:
            f[:] = np.log(np.random.uniform(1, self.longest - 1, size=len(f)))
            i[:] = -f
        biases = np.concatenate([i, f, candidate, o])
        return keras.ops.convert_to_tensor(biases, dtype=dtype)

    def get_config(self) -> dict:
        return {"forget": self.forget, "longest": self.longest}


def learn_numbers(
    cell: Callable,
    backpropagate: Callable,
    clip: Callable,
    limit: float,
    seed: int = 0,
    steps: int = 200,
    rate: float = 0.3,
    scale: float = 1.1,
) -> tuple[list[float], list[float]]:
    """Gradient descent of a plain cell that learns four numbers at the end of 50 steps.

    Its recurrent weights are orthogonal, times ``scale``, so that gradients may explode; they are
    clipped to ``limit``. Returns the loss and the length of the step at each of the ``steps``.
    """
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(scale=0.1, size=(16, 50, 1)), rng.normal(scale=0.5, size=(16, 4))
    orthogonal = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    weights = [rng.normal(scale=0.3, size=(1, 16)), scale * orthogonal, np.zeros(16)]
    losses, lengths = [], []
    for _ in range(steps):
        H = cell(X, *weights)
        error = H[:, -1, :4] - Y  # the first four units are the output
        dH = np.zeros_like(H)
        dH[:, -1, :4] = 2 * error / Y.size
        slopes = clip(backpropagate(X, H, weights[1], dH), limit)
        weights = [weight - rate * slope for weight, slope in zip(weights, slopes)]
        losses.append(float(np.mean(error**2)))
        lengths.append(rate * float(np.sqrt(sum(np.sum(slope**2) for slope in slopes))))
    return losses, lengths


def answers_of(cell: Callable, weights: list[np.ndarray], X: np.ndarray) -> np.ndarray:
    """Answers (samples, 1) to X (samples, steps, 2) of a network whose ``cell`` is written out.

    ``weights`` are those of the Keras network: of the cell, then the last two of the output.
    """
    *recurrent, V, c = weights
    return cell(X, *recurrent)[:, -1] @ V + c


def answer_by_distance(forecast: Callable, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much a forecast moves when the first marked number of the adding problem moves.

    ``forecast(X)`` returns (samples, 1) and accepts complex numbers; X is (samples, length, 2).
    Returns the distances of the number from the end, sorted, and the mean derivative at each: 1
    would be right.
    """
    samples, length, _ = X.shape
    first = X[:, :, 1].argmax(axis=1)
    moved = X.astype("complex128")
    moved[np.arange(samples), first, 0] += 1e-30j
    derivative = forecast(moved)[:, 0].imag / 1e-30
    distance = length - 1 - first
    found = np.unique(distance)
    return found, np.array([derivative[distance == one].mean() for one in found])


def build_adder(
    name: str, units: int, rate: float, biases: GateBiases | None = None
) -> keras.Model:
    """A compiled network for the adding problem: one recurrent layer, sequences of any length.

    ``name`` is "SimpleRNN", "LSTM" or "GRU"; ``biases`` replaces those an LSTM starts with.
    """
    options = {"bias_initializer": biases, "unit_forget_bias": False} if biases else {}
    inputs = keras.Input((None, 2))
    states = getattr(keras.layers, name)(units, **options)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(states))
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
    model.compile(optimizer, loss="mse", jit_compile=True, steps_per_execution=50)
    return model


def largest_gap(one: object, other: object) -> float:
    """Largest absolute difference between two tensors or arrays of one shape."""
    one, other = keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
    return float(np.abs(one - other).max())


def units_within(budget: int, name: str, features: int) -> int:
    """Most units of the layer ``name`` whose network, with a dense layer for one number, has at
    most ``budget`` weights; at least one."""
    units = 1
    while count_parameters(name, units + 1, features) + units + 2 <= budget:
        units += 1
    return units


def skill_row(model: str, values: list[float]) -> dict:
    """Row of a score file: mean skill over seeds, its interval by Student's t, cut at 1."""
    mean, error = np.mean(values), stats.sem(values)
    low, high = stats.t.interval(0.95, len(values) - 1, mean, error)
    interval = low, min(high, 1)
    return score_row("adding_problem", model, "rmse_skill", mean, interval, len(values))


def final_errors(runs: dict[str, list], last: int = 20) -> dict[str, np.ndarray]:
    """Mean loss over the ``last`` steps of each run of ``learn_numbers``, by name."""
    return {
        name: np.array([np.mean(losses[-last:]) for losses, _ in of_name])
        for name, of_name in runs.items()
    }


def gate_products(curves: dict[float, np.ndarray], k: int) -> str:
    """A list in Markdown: for each forget bias the product of ``k`` forget gates, and how much the
    measured derivative changes over as many steps."""
    lines = []
    for bias, curve in curves.items():
        gate = 1 / (1 + np.exp(-bias))
        product, measured = gate**k, curve[k] / curve[0]
        text = f"product of {k} factors {product:.1e}, measured {measured:.1e}"
        lines.append(f"- bias {bias}: f = {gate:.3f}, {text}")
    return "\n".join(lines)


def shapes_and_sizes(inputs: keras.KerasTensor, outputs: dict) -> pd.DataFrame:
    """Shape of each output and number of weights on the way to it from ``inputs``, by name."""
    rows = {}
    for name, tensor in outputs.items():
        rows[name] = [str(tensor.shape), keras.Model(inputs, tensor).count_params()]
    return pd.DataFrame(rows, ["output shape", "parameters"]).T


def made_here(name: str, rows: int) -> Source:
    """Source of numbers that a notebook draws itself."""
    nowhere = dict(kind="bundled", origin="made in the notebook", licence="none needed")
    return Source(name=name, rows=rows, first=None, last=None, sha256="", **nowhere)


def plot_memory_curves(curves: dict[str, dict[float, np.ndarray]]) -> None:
    """Derivatives by steps back, one picture for each entry, one line a label."""
    axes = plt.subplots(1, len(curves), figsize=(12, 3.6), sharey=True)[1]
    for ax, (panel, shown) in zip(axes, curves.items()):
        shades = plt.cm.viridis(np.linspace(0, 0.9, len(shown)))
        for shade, (label, curve) in zip(shades, shown.items()):
            ax.plot(curve, color=shade, label=label)
        ax.set_title(panel, fontsize=10)
        ax.set(xlabel="steps back", yscale="log", ylim=(1e-12, 1e6))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
    axes[0].set_ylabel("norm of the derivative")


def plot_clipping(runs: dict[str, list], rest: float) -> None:
    """Losses and lengths of the steps of ``learn_numbers``: grey the first of ``runs``, the second
    in colour; ``rest`` is the loss of the forecast 0."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3))
    for (name, of_name), family in zip(runs.items(), ("baseline", "network")):
        for number, (losses, lengths) in enumerate(of_name):
            look = dict(color=FAMILIES[family], lw=1)
            left.plot(losses, label=name if number == 0 else None, **look)
            right.plot(lengths, **look)
    left.axhline(rest, color="black", ls=":", label="always 0")
    left.set(xlabel="step", ylabel="mean squared error", ylim=(0, 6 * rest))
    right.set(xlabel="step", ylabel="length of the step", yscale="log")
    figure.legend(loc="lower center", bbox_to_anchor=(0.5, -0.1), ncols=3)


def plot_marked_numbers(sample: np.ndarray, total: float) -> None:
    """One sequence (steps, 2) of the adding problem as bars, the marked ones in colour."""
    numbers, marks = sample.T
    ax = plt.subplots(figsize=(9, 2.4))[1]
    ax.bar(range(len(numbers)), numbers, color=np.where(marks, FAMILIES["network"], "0.8"))
    ax.set(title=f"The marked numbers sum to {total:.2f}", xlabel="time step", ylabel="number")


def plot_losses(losses: dict[tuple, list], names: list[str], every: int, rest: float) -> None:
    """Root of the losses by update, one picture a length, one line a seed.

    ``losses`` hold means of ``every`` updates, by (name, length), one list a seed; ``rest`` is the
    error of the constant forecast.
    """
    lengths = list(dict.fromkeys(length for _, length in losses))
    axes = plt.subplots(1, len(lengths), figsize=(12, 3.4), sharey=True, squeeze=False)[1][0]
    for (name, length), of_seeds in losses.items():
        ax = axes[lengths.index(length)]
        steps = every * np.arange(1, len(of_seeds[0]) + 1)
        labels = [name] + [None] * (len(of_seeds) - 1)
        ax.plot(steps, np.sqrt(of_seeds).T, color=f"C{names.index(name)}", label=labels)
    for ax, length in zip(axes, lengths):
        ax.axhline(rest, color="black", ls=":", label="always 1")
        ax.set(title=f"{length} steps", xlabel="updates", ylim=(0, 0.6))
    axes[0].set_ylabel(f"RMSE of the last {every} batches")
    legend_below(axes[-1])


def plot_skills(scores: list[dict], skills: dict[tuple, list], updates: int) -> None:
    """Mean skills with their intervals, and those of the seeds as black dots."""
    ax = plot_scoreboard(scores, "rmse_skill")
    for position, values in enumerate(skills.values()):
        ax.plot(values, [position] * len(values), ".", color="black")
    ax.set_title(f"The adding problem after {updates} updates; black dots are seeds")
    ax.axvline(0, color="black", ls=":")


def plot_answers(curves: dict[str, tuple]) -> None:
    """Derivatives of ``answer_by_distance`` by name, beside the right answer."""
    ax = plt.subplots(figsize=(9, 3.2))[1]
    for name, (distance, derivative) in curves.items():
        ax.plot(distance, derivative, label=name)
    ax.axhline(1, color="black", ls=":", label="right answer")
    ax.set(xlabel="steps from the end", ylabel="derivative of the forecast")
    legend_below(ax)


def plot_generated(true: np.ndarray, path: np.ndarray, start: int) -> None:
    """A wave (steps,) and a ``path`` of the same length that was generated from ``start`` on."""
    ax = plt.subplots(figsize=(9, 2.4))[1]
    ax.plot(true, color=FAMILIES["truth"], lw=0.8, label="true wave")
    ax.plot(range(start, len(path)), path[start:], color=FAMILIES["network"], label="generated")
    ax.set(xlabel="step")
    legend_below(ax)
