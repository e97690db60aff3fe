"""What notebook 00 checks its cells with: comparison with Keras, gradients, the adding problem."""

from collections.abc import Callable

import keras
import numpy as np
from scipy import stats

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
