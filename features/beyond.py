"""What came after the recurrent cell, as Keras layers: convolution, attention, parallel recurrence.

All layers read sequences (samples, steps, features) and return the state of each step, (samples,
steps, units), or of the last one, (samples, units); ``MeanAndLast`` makes one row of such states.
They are registered, so that a saved model comes back without naming them.
"""

import math

import keras
import numpy as np
from keras import layers, ops

PACKAGE = "beyond"
WAYS = ("scan", "loop", "keras")


def linear_recurrence(keep: object, add: object, way: str = "scan") -> object:
    """States h_t = keep_t · h_{t−1} + add_t with h_0 = 0, all of one shape (samples, steps, units).

    ``way``: "scan" joins neighbouring steps, halves the sequence, calls itself, and fills in the
    steps between (Blelloch 1990): about 2·steps operations in 2·log2(steps) rounds. It is written
    out here because ``keras.ops.associative_scan`` (way "keras", the same numbers) raises under
    ``fit`` on TensorFlow in Keras 3.15. "loop" goes step by step, as the formula says.

    Raises ValueError for another way.
    """
    steps = add.shape[1]
    if way not in WAYS:
        raise ValueError(f"way must be one of {WAYS}, given {way!r}")
    if way == "keras":
        return ops.associative_scan(combine, (keep, add), axis=1)[1]
    if way == "loop":
        states = [add[:, 0]]
        for step in range(1, steps):
            states.append(keep[:, step] * states[-1] + add[:, step])
        return ops.stack(states, axis=1)
    return _by_halves(keep, add)


def combine(first: tuple, second: tuple) -> tuple:
    """Two steps (keep, add) of a linear recurrence in one: what is done first comes first."""
    return second[0] * first[0], second[0] * first[1] + second[1]


def _by_halves(keep, add):
    steps, units = add.shape[1:]
    if steps == 1:
        return add
    if steps % 2:  # a step in front that changes nothing, for the state is zero there
        padding = ((0, 0), (1, 0), (0, 0))
        return _by_halves(ops.pad(keep, padding), ops.pad(add, padding))[:, 1:]
    shape = (-1, steps // 2, 2 * units)  # two neighbours beside each other
    keep, add = ops.reshape(keep, shape), ops.reshape(add, shape)
    first = keep[..., :units], add[..., :units]
    second = keep[..., units:], add[..., units:]
    later = _by_halves(*combine(first, second))
    before = ops.pad(later[:, :-1], ((0, 0), (1, 0), (0, 0)))
    earlier = first[0] * before + first[1]
    return ops.reshape(ops.concatenate([earlier, later], axis=-1), (-1, steps, units))


def real_steps(sequences: object) -> object:
    """1.0 where any feature of a step differs from zero, 0.0 for padding: (samples, steps, 1)."""
    return ops.cast(ops.any(ops.not_equal(sequences, 0), axis=-1, keepdims=True), "float32")


@keras.saving.register_keras_serializable(PACKAGE)
class MeanAndLast(layers.Layer):
    """The mean of the states over the real steps, and beside it the last state.

    Called with states (samples, steps, units) and the sequences (samples, steps, features) that
    they were made of; a step whose features are all zero is padding, and left out of the mean.
    Padding stands in front, so that the last step is real. Output: (samples, 2 · units).

    Architectures are compared with one such readout for all of them: a mean over a text finds a
    word wherever it stands, whatever made the states.
    """

    def call(self, states: object, sequences: object) -> object:
        real = real_steps(sequences)
        count = ops.maximum(ops.sum(real, axis=1), 1)
        mean = ops.sum(states * real, axis=1) / count
        return ops.concatenate([mean, states[:, -1]], axis=-1)

    def compute_output_shape(self, states_shape: tuple, sequences_shape: tuple) -> tuple:
        return (states_shape[0], 2 * states_shape[-1])


class _Sequence(layers.Layer):
    """Shared by the layers: the shape of the output, and what is saved."""

    options = ("units", "return_sequences")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        samples, steps, _ = input_shape
        return (samples, steps, self.units) if self.return_sequences else (samples, self.units)

    def _needs_steps(self, input_shape):
        if input_shape[1] is None:
            name = type(self).__name__
            raise ValueError(f"{name} needs a fixed number of steps, given {input_shape}")

    def _output(self, states):
        return states if self.return_sequences else states[:, -1]

    def get_config(self) -> dict:
        return super().get_config() | {name: getattr(self, name) for name in self.options}


@keras.saving.register_keras_serializable(PACKAGE)
class MinGRU(_Sequence):
    """The GRU whose gate does not read the state (Feng et al. 2024, "Were RNNs all we needed?").

    With z_t = σ(x_t W_z + b_z) and h̃_t = x_t W_h + b_h the state h_t = (1 − z_t) h_{t−1} + z_t h̃_t
    is linear in h_{t−1}, so that all steps can be computed at once; ``way`` says how, see
    ``linear_recurrence``. Raises ValueError where the number of steps is left open.
    """

    options = ("units", "return_sequences", "way")

    def __init__(self, units: int, return_sequences: bool = False, way: str = "scan", **options):
        super().__init__(**options)
        self.units, self.return_sequences, self.way = units, return_sequences, way
        self.gate = layers.Dense(units, activation="sigmoid", name="gate")
        self.candidate = layers.Dense(units, name="candidate")

    def build(self, input_shape: tuple) -> None:
        self._needs_steps(input_shape)
        self.gate.build(input_shape)
        self.candidate.build(input_shape)

    def call(self, inputs: object) -> object:
        write = self.gate(inputs)
        add = write * self.candidate(inputs)
        return self._output(linear_recurrence(1 - write, add, self.way))


@keras.saving.register_keras_serializable(PACKAGE)
class TemporalConvolution(_Sequence):
    """Dilated causal convolutions with residual connections (Bai et al. 2018).

    Layer k looks at ``kernel`` steps that lie 2 ** k steps apart, so that ``depth`` layers of two
    steps see the last 2 ** depth steps. Nothing looks ahead. Each layer has a rectifier and a
    normalisation.

    A convolution is written as what it is, one dense layer over steps laid side by side: on a CPU
    that takes a fraction of the time of a dilated ``Conv1D``, whose numbers it gives.
    """

    options = ("units", "depth", "kernel", "return_sequences")

    def __init__(
        self,
        units: int,
        depth: int = 4,
        kernel: int = 2,
        return_sequences: bool = False,
        **options,
    ):
        super().__init__(**options)
        self.units, self.depth, self.kernel = units, depth, kernel
        self.return_sequences = return_sequences
        self.enter = layers.Dense(units, name="enter")
        self.convolutions, self.norms = [], []
        for _ in range(depth):
            self.convolutions.append(layers.Dense(units, activation="relu"))
            self.norms.append(layers.LayerNormalization())

    def build(self, input_shape: tuple) -> None:
        self._needs_steps(input_shape)
        self.enter.build(input_shape)
        for convolution, norm in zip(self.convolutions, self.norms):
            norm.build((*input_shape[:-1], self.units))
            convolution.build((*input_shape[:-1], self.kernel * self.units))

    def call(self, inputs: object) -> object:
        states = self.enter(inputs)
        for number, convolution in enumerate(self.convolutions):
            seen = self._steps_apart(self.norms[number](states), 2**number)
            states = states + convolution(seen)
        return self._output(states)

    def _steps_apart(self, states, distance):
        """Beside each step those ``distance`` steps earlier, oldest first; zeros in front."""
        seen = []
        for number in reversed(range(self.kernel)):
            padding = ((0, 0), (number * distance, 0), (0, 0))
            seen.append(ops.pad(states, padding)[:, : states.shape[1]])
        return ops.concatenate(seen, axis=-1)

    @property
    def steps_seen(self) -> int:
        """How many steps, the last one included, the state of a step depends on."""
        return 1 + (self.kernel - 1) * (2**self.depth - 1)


def crossing(one: dict[int, float], other: dict[int, float]) -> float | None:
    """The length from which on ``other`` takes less time than ``one``, up to the longest measured.

    Both hold seconds by length; between two lengths both logarithms are taken for straight lines.
    The shortest length where ``other`` is faster at all of them, None where it is slower at the
    longest.
    """
    lengths = sorted(set(one) & set(other))
    lead = {length: math.log(one[length] / other[length]) for length in lengths}
    found = None
    for length, before in zip(lengths[::-1], [*lengths[-2::-1], None]):
        if lead[length] <= 0:
            break
        found = float(length)
        if before is not None and lead[before] <= 0:
            share = -lead[before] / (lead[length] - lead[before])
            found = before * (length / before) ** share
    return found


def position_waves(steps: int, units: int) -> np.ndarray:
    """Sines and cosines of the position, float32 (steps, units) (Vaswani et al. 2017)."""
    position = np.arange(steps)[:, None]
    rate = np.exp(-math.log(10_000) * 2 * (np.arange(units) // 2) / units)
    angle = position * rate
    return np.where(np.arange(units) % 2, np.cos(angle), np.sin(angle)).astype("float32")


@keras.saving.register_keras_serializable(PACKAGE)
class TransformerEncoder(_Sequence):
    """Attention over all steps and a dense layer, each with a residual connection, ``depth`` times.

    The encoder of Vaswani et al. (2017) with the normalisation first. The position enters as sines
    and cosines, because attention itself knows no order. Every step sees all real steps: the window
    is over when the forecast is made; a step whose features are all zero is padding.
    """

    options = ("units", "heads", "depth", "return_sequences")

    def __init__(
        self,
        units: int,
        heads: int = 2,
        depth: int = 1,
        return_sequences: bool = False,
        **options,
    ):
        super().__init__(**options)
        if units % heads:
            raise ValueError(f"units must be a multiple of heads, given {units} and {heads}")
        self.units, self.heads, self.depth = units, heads, depth
        self.return_sequences = return_sequences
        self.enter = layers.Dense(units, name="enter")
        self.parts = []  # of all blocks in one list: Keras 3.13 saves no list in a list
        for _ in range(depth):
            attention = layers.MultiHeadAttention(heads, units // heads)
            widen = layers.Dense(2 * units, activation="relu")
            narrow = layers.Dense(units)
            norms = layers.LayerNormalization(), layers.LayerNormalization()
            self.parts += [attention, widen, narrow, *norms]

    def _blocks(self) -> list[list]:
        return [self.parts[first : first + 5] for first in range(0, len(self.parts), 5)]

    def build(self, input_shape: tuple) -> None:
        self._needs_steps(input_shape)
        states = (*input_shape[:-1], self.units)
        self.enter.build(input_shape)
        for attention, widen, narrow, first, second in self._blocks():
            attention.build(states, states)
            widen.build(states)
            narrow.build((*input_shape[:-1], 2 * self.units))
            first.build(states)
            second.build(states)

    def call(self, inputs: object) -> object:
        states = self.enter(inputs)
        states = states + position_waves(inputs.shape[1], self.units)
        real = ops.transpose(real_steps(inputs), (0, 2, 1)) > 0  # whom a step may ask
        for attention, widen, narrow, first, second in self._blocks():
            normed = first(states)
            states = states + attention(normed, normed, attention_mask=real)
            states = states + narrow(widen(second(states)))
        return self._output(states)
