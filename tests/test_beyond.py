"""The layers of notebook 10: each against a slow or an independent way, over random shapes."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops
from notebook_code import functions

from features.beyond import (
    MeanAndLast,
    MinGRU,
    TemporalConvolution,
    TransformerEncoder,
    crossing,
    linear_recurrence,
    position_waves,
)

WITHIN = 1e-5
LAYERS = {
    "MinGRU": lambda **options: MinGRU(4, **options),
    "TemporalConvolution": lambda **options: TemporalConvolution(4, depth=3, **options),
    "TransformerEncoder": lambda **options: TransformerEncoder(4, **options),
}
EXAMPLES = int(os.environ.get("EXAMPLES", 15))  # fewer on the other backend, which compiles each
some = settings(max_examples=EXAMPLES, derandomize=True, database=None)


def inputs(samples=3, steps=9, features=2, seed=0):
    return np.random.default_rng(seed).normal(size=(samples, steps, features)).astype("float32")


def as_numpy(tensor):
    return ops.convert_to_numpy(tensor)


def step_by_step(keep, add):
    """The recurrence in NumPy, as its formula says."""
    state, states = np.zeros(add[:, 0].shape), []
    for step in range(add.shape[1]):
        state = keep[:, step] * state + add[:, step]
        states.append(state)
    return np.stack(states, axis=1)


def largest_difference(samples, steps, units, seed, way="scan"):
    rng = np.random.default_rng(seed)
    keep = rng.random((samples, steps, units)).astype("float32")
    add = rng.normal(size=keep.shape).astype("float32")
    states = linear_recurrence(ops.convert_to_tensor(keep), ops.convert_to_tensor(add), way)
    return np.abs(as_numpy(states) - step_by_step(keep, add)).max()


RECURSION = pytest.mark.xfail(raises=RecursionError, reason="Keras 3.13's scan of a single step")


@pytest.mark.parametrize("way", ["scan", "loop", pytest.param("keras", marks=RECURSION)])
@some
@given(
    samples=st.integers(1, 4),
    steps=st.integers(1, 40),
    units=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_every_way_gives_the_same_states(way, samples, steps, units, seed):
    assert largest_difference(samples, steps, units, seed, way) < WITHIN


def gradient_difference(steps=13):
    """Largest difference of the weights after a step of ``fit`` by scan and by loop."""
    X, y = inputs(8, steps), np.ones((8, 1), dtype="float32")
    after = []
    for way in ("scan", "loop"):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input(X.shape[1:]), MinGRU(5, way=way), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.fit(X, y, verbose=0)
        after.append(model.get_weights())
    return max(np.abs(one - other).max() for one, other in zip(*after, strict=True))


def test_scan_and_loop_learn_the_same():
    assert gradient_difference() < WITHIN


@pytest.mark.slow
def test_all_agree_on_the_other_backend():
    """The properties of this file that say so, over the same random shapes."""
    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    named = "every_way or learn_the_same or saved_models or gives_the_numbers"
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", named]
    environment = os.environ | {"KERAS_BACKEND": other, "EXAMPLES": "4"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it works on JAX")
def test_why_the_scan_is_written_out():
    """When this fails, Keras' own scan can be trained on TensorFlow, and ours can go."""
    X, y = inputs(8), np.ones((8, 1), dtype="float32")
    model = keras.Sequential([keras.Input(X.shape[1:]), MinGRU(4, way="keras"), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises((ValueError, RecursionError), match="as_list|recursion"):
        model.fit(X, y, verbose=0)


def test_min_gru_is_its_formula():
    X = inputs()
    layer = MinGRU(4, return_sequences=True)
    states = as_numpy(layer(X))
    W_z, b_z, W_h, b_h = layer.get_weights()
    write = 1 / (1 + np.exp(-(X @ W_z + b_z)))
    expected = step_by_step(1 - write, write * (X @ W_h + b_h))
    np.testing.assert_allclose(states, expected, atol=WITHIN)


def test_errors_say_what_is_needed():
    for layer in (MinGRU(4), TransformerEncoder(4)):
        with pytest.raises(ValueError, match="fixed number of steps"):
            layer(keras.Input((None, 2)))
    with pytest.raises(ValueError, match="way must be one of"):
        linear_recurrence(inputs(), inputs(), "fast")
    with pytest.raises(ValueError, match="multiple of heads"):
        TransformerEncoder(5, heads=2)


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_are_as_announced(name):
    for return_sequences, shape in ((True, (3, 9, 4)), (False, (3, 4))):
        layer = LAYERS[name](return_sequences=return_sequences)
        assert layer.compute_output_shape((3, 9, 2)) == layer(inputs()).shape == shape


def test_readout_is_the_mean_over_real_steps_and_the_last():
    X, states = inputs(), inputs(features=4, seed=1)
    X[0, :5] = 0
    read = as_numpy(MeanAndLast()(states, X))
    assert read.shape == MeanAndLast().compute_output_shape(states.shape, X.shape) == (3, 8)
    np.testing.assert_allclose(read[0, :4], states[0, 5:].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(read[1, :4], states[1].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(read[:, 4:], states[:, -1])


def test_attention_does_not_ask_padding():
    """Steps of zeros are not asked; those of nearly zero are, and move the states of the others."""
    layer, X = TransformerEncoder(4, return_sequences=True), inputs(steps=6)
    states = []
    for value in (0.0, 1e-6):
        X[:, :3] = value
        states.append(as_numpy(layer(X))[:, 3:])
    assert np.abs(states[0] - states[1]).max() > 1e-3


@pytest.mark.parametrize("name", LAYERS)
def test_saved_models_come_back(name, tmp_path):
    model = keras.Sequential([keras.Input((9, 2)), LAYERS[name](), layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(as_numpy(model(inputs())), as_numpy(restored(inputs())), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "looks_ahead"),
    [("MinGRU", False), ("TemporalConvolution", False), ("TransformerEncoder", True)],
)
def test_which_layers_look_ahead(name, looks_ahead):
    layer, X = LAYERS[name](return_sequences=True), inputs()
    before, changed = as_numpy(layer(X))[:, :-1], X.copy()
    changed[:, -1] += 1
    moved = np.abs(as_numpy(layer(changed))[:, :-1] - before).max()
    assert (moved > 1e-4) == looks_ahead


def test_convolution_sees_as_far_as_it_says():
    layer, X = TemporalConvolution(4, depth=3), inputs(steps=20)
    assert layer.steps_seen == 8
    states = as_numpy(layer(X))
    for distance, seen in ((7, True), (8, False)):
        changed = X.copy()
        changed[:, -1 - distance] += 1
        assert (np.abs(as_numpy(layer(changed)) - states).max() > 1e-6) == seen


@pytest.mark.parametrize("kernel", [2, 3])
def test_convolution_gives_the_numbers_of_conv1d(kernel):
    """Dense layers over steps side by side, against dilated causal convolutions."""
    layer, X = TemporalConvolution(4, depth=3, kernel=kernel, return_sequences=True), inputs()
    ours = as_numpy(layer(X))
    states = layer.enter(X)
    for number, (dense, norm) in enumerate(zip(layer.convolutions, layer.norms)):
        options = {"padding": "causal", "dilation_rate": 2**number, "activation": "relu"}
        convolution = layers.Conv1D(4, kernel, **options)
        convolution.build((None, 9, 4))
        weights, bias = dense.get_weights()
        convolution.set_weights([weights.reshape(kernel, 4, 4), bias])
        states = states + convolution(norm(states))
    np.testing.assert_allclose(ours, as_numpy(states), atol=WITHIN)


def test_attention_without_positions_knows_no_order():
    """The waves are what tells one step from another."""
    waves = position_waves(50, 8)
    assert waves.shape == (50, 8) and np.abs(waves).max() <= 1
    assert len(np.unique(waves.round(6), axis=0)) == 50


def test_crossing_is_where_the_lines_cross():
    """Seconds that grow with the length and with its square cross where they are told to."""
    line = {length: 100.0 * length for length in (10, 50, 200, 1000)}
    square = {length: 1.0 * length**2 for length in line}
    assert crossing(square, line) == pytest.approx(100)
    assert crossing(line, square) is None
    assert crossing(line, dict.fromkeys(line, 1.0)) == 10
    assert crossing({50: 2.0, 70: 1.0}, {50: 1.0}) == 50


def test_exponential_gate_is_its_formula():
    """That of notebook 10, with its running maximum, against the plain sums, and it never overflows."""
    gate, rng = functions("10")["exponential_gate"], np.random.default_rng(0)
    values, write, keep = rng.normal(size=12), rng.normal(size=12), rng.uniform(0.5, 1, 12)
    written, amount = 0.0, 0.0
    for number, output in enumerate(gate(values, write, keep)):
        written = keep[number] * written + np.exp(write[number]) * values[number]
        amount = keep[number] * amount + np.exp(write[number])
        assert output == pytest.approx(written / amount)
    assert np.isfinite(gate(values, 1000 * write, keep)).all()
