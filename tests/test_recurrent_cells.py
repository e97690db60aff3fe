"""The NumPy cells of notebook 00 against Keras, finite differences and each other, over random
shapes.

The functions under test are taken out of the notebook itself, so that what is tested is what the
reader sees.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from notebook_code import functions

from features import recurrence

WITHIN = 1e-5
notebook = vars(recurrence) | functions("00")
CELLS = {
    "SimpleRNN": (layers.SimpleRNN, {}, notebook["simple_rnn"]),
    "LSTM": (layers.LSTM, {}, notebook["lstm"]),
    "GRU": (layers.GRU, {}, notebook["gru"]),
}
largest = {"samples": 5, "steps": 15, "features": 6, "seed": 999}
shapes = st.fixed_dictionaries({name: st.integers(1, number) for name, number in largest.items()})
units = st.integers(1, 12)
some = settings(max_examples=20, derandomize=True, database=None)
few = settings(some, max_examples=6)


@pytest.mark.parametrize("name", CELLS)
@some
@given(shape=shapes, units=units)
def test_cells_equal_keras_layers(name, shape, units):
    layer, options, cell = CELLS[name]
    assert (
        notebook["largest_difference"](
            layer(units, return_sequences=True, **options), cell, **shape
        )
        < WITHIN
    )


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_written_out_answers_as_the_network(name):
    layer, options, cell = CELLS[name]
    model = keras.Sequential([keras.Input((7, 2)), layer(3, **options), layers.Dense(1)])
    X = np.random.default_rng(0).normal(size=(5, 7, 2)).astype("float32")
    answers = notebook["answers_of"](cell, model.get_weights(), X)
    np.testing.assert_allclose(answers, model.predict(X, verbose=0), atol=WITHIN)


@pytest.mark.parametrize("name", CELLS)
@some
@given(features=st.integers(1, 30), units=st.integers(1, 60))
def test_parameter_counts_equal_keras(name, features, units):
    layer, options, _ = CELLS[name]
    layer = layer(units, **options)
    layer.build((None, 5, features))
    assert notebook["count_parameters"](name, units, features) == layer.count_params()


@given(units=units, features=st.integers(1, 6))
@some
def test_new_lstm_starts_with_forget_bias_one(units, features):
    layer = layers.LSTM(units)
    layer.build((None, 5, features))
    i, f, candidate, o = np.split(layer.get_weights()[2], 4)
    assert (f == 1).all() and not np.concatenate([i, candidate, o]).any()


def plain_cell(samples, steps, features, seed, units):
    """Random inputs, targets and weights for the plain cell, and the gradients by backpropagation
    through time.
    """
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(samples, steps, features)), rng.normal(size=(samples, steps, units))
    weights = [
        rng.normal(scale=0.4, size=size) for size in ((features, units), (units, units), units)
    ]
    H = notebook["simple_rnn"](X, *weights)
    return X, Y, weights, notebook["backpropagate"](X, H, weights[1], 2 * (H - Y) / Y.size)


@some
@given(shape=shapes, units=st.integers(1, 5))
def test_backpropagation_equals_finite_difference(shape, units):
    X, Y, weights, ours = plain_cell(**shape, units=units)

    def loss(*weights):
        return np.mean((notebook["simple_rnn"](X, *weights) - Y) ** 2)

    theirs = notebook["finite_difference"](loss, weights)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


def largest_gradient_difference(units, **shape):
    """Largest difference between backpropagation by hand and Keras."""
    X, Y, weights, ours = plain_cell(**shape, units=units)
    model = keras.Sequential(
        [keras.Input(X.shape[1:]), layers.SimpleRNN(units, return_sequences=True)]
    )
    model.set_weights(weights)
    theirs = notebook["keras_gradients"](model, X, Y)
    return max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True))


@few
@given(shape=shapes, units=units)
def test_backpropagation_equals_keras(shape, units):
    assert largest_gradient_difference(units, **shape) < WITHIN


@pytest.mark.slow
def test_all_agree_on_the_other_backend():
    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    program = "import test_recurrent_cells as tests; print(tests.keras.backend.backend(), *tests.fixed_differences())"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"KERAS_BACKEND": other},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    backend, *differences = result.stdout.split()
    assert backend == other and len(differences) == len(CELLS) + 1
    assert max(map(float, differences)) < WITHIN


def fixed_differences():
    """Largest difference of each cell, and of the gradients, for one shape."""
    for layer, options, cell in CELLS.values():
        yield notebook["largest_difference"](layer(7, return_sequences=True, **options), cell)
    yield largest_gradient_difference(units=5, samples=4, steps=12, features=3, seed=0)


@some
@given(shape=shapes, units=units)
def test_memory_equals_backpropagation(shape, units):
    """The complex step of ``memory`` gives the same derivative as the backward pass."""
    X, _, weights, _ = plain_cell(**shape | {"features": 1, "samples": 1}, units=units)
    H = notebook["simple_rnn"](X, *weights)
    steps = X.shape[1]
    by_unit = np.zeros((units, steps))
    for unit in range(
        units
    ):  # the gradient of W, collected from one step alone, is x_t times the derivative by x_t W
        dH = np.zeros_like(H)
        dH[0, -1, unit] = 1
        for t in range(steps):
            alone = np.zeros_like(X)
            alone[0, t] = 1
            by_unit[unit, t] = (
                notebook["backpropagate"](alone, H, weights[1], dH)[0] @ weights[0].T
            ).item()
    by_complex_step = notebook["memory"](notebook["simple_rnn"], X[0], weights)
    np.testing.assert_allclose(by_complex_step, np.linalg.norm(by_unit, axis=0)[::-1])


@some
@given(seed=st.integers(0, 999), limit=st.floats(0.1, 10))
def test_clip_keeps_the_direction_and_the_limit(seed, limit):
    gradients = [np.random.default_rng(seed).normal(size=size) for size in ((2, 3), (3, 3), 3)]
    clipped = notebook["clip"](gradients, limit)
    old, new = (
        np.concatenate([array.ravel() for array in arrays]) for arrays in (gradients, clipped)
    )
    assert np.linalg.norm(new) == pytest.approx(min(limit, np.linalg.norm(old)))
    np.testing.assert_allclose(new / np.linalg.norm(new), old / np.linalg.norm(old))


@some
@given(samples=st.integers(1, 20), length=st.integers(2, 40), seed=st.integers(0, 999))
def test_adding_problem_marks_one_number_in_each_half(samples, length, seed):
    X, y = notebook["adding_problem"](samples, length, np.random.default_rng(seed))
    numbers, marks = X[..., 0], X[..., 1]
    assert X.shape == (samples, length, 2) and y.shape == (samples, 1)
    assert (marks[:, : length // 2].sum(axis=1) == 1).all() and (
        marks[:, length // 2 :].sum(axis=1) == 1
    ).all()
    np.testing.assert_allclose((numbers * marks).sum(axis=1, keepdims=True), y, rtol=1e-6)


def test_attention_equals_keras():
    """Over shapes; Keras' layer leaves the scaling to the caller."""
    for seed, (queries, steps, width) in enumerate([(1, 1, 1), (3, 7, 2), (5, 4, 9)]):
        rng = np.random.default_rng(seed)
        query, key = rng.normal(size=(2, queries, width)), rng.normal(size=(2, steps, width))
        value = rng.normal(size=(2, steps, 3))
        ours, weights = notebook["attention"](query, key, value)
        theirs = layers.Attention()([query / np.sqrt(width), value, key])
        assert recurrence.largest_gap(ours, theirs) < WITHIN
        np.testing.assert_allclose(weights.sum(axis=-1), 1)


def test_clipping_pays_from_every_start():
    """The exhibit of the notebook: without clipping the cell ends worse than always 0."""
    for seed in range(6):
        last = []
        for limit in (0.3, np.inf):
            arguments = [notebook[name] for name in ("simple_rnn", "backpropagate", "clip")]
            losses, _ = recurrence.learn_numbers(*arguments, limit, seed)
            last.append(np.mean(losses[-20:]))
        assert last[0] < last[1] and last[0] < 0.25


@some
@given(units=units, forget=st.floats(-2, 5), longest=st.sampled_from([0, 10, 100]))
def test_gate_biases(units, forget, longest):
    start = recurrence.GateBiases(forget, longest)
    layer = layers.LSTM(units, bias_initializer=start, unit_forget_bias=False)
    layer.build((None, 5, 2))
    i, f, candidate, o = np.split(layer.get_weights()[2], 4)
    assert not np.concatenate([candidate, o]).any()
    if longest:
        assert (f >= 0).all() and (f <= np.log(longest - 1)).all()
        np.testing.assert_array_equal(i, -f)
    else:
        np.testing.assert_allclose(f, forget, rtol=1e-6, atol=1e-6)
        assert not i.any()


def test_product_of_forget_gates():
    """Without recurrent weights and input the cell state is kept by sigma(bias) a step."""
    for bias in (0, 1, 3):
        curve = recurrence.memory_curve(
            notebook["memory"], notebook["lstm"], "LSTM", forget_bias=bias, scale=0
        )
        kept = 1 / (1 + np.exp(-bias))
        assert curve[60] / curve[0] == pytest.approx(kept**60, rel=0.5)


@pytest.mark.parametrize("name", list(CELLS))
@pytest.mark.parametrize("budget", [60, 1250])
def test_units_fit_into_the_budget_and_one_more_does_not(name, budget):
    units = recurrence.units_within(budget, name, features=2)
    for number, fits in ((units, True), (units + 1, False)):
        inputs = keras.Input((None, 2))
        states = getattr(layers, name)(number)(inputs)
        model = keras.Model(inputs, layers.Dense(1)(states))
        assert (model.count_params() <= budget) == fits


def test_a_row_of_skills_is_students_interval_cut_at_one():
    row = recurrence.skill_row("LSTM", [0.2, 0.4, 0.6])
    half = 4.302653 * 0.2 / np.sqrt(3)  # t with two degrees of freedom
    assert (row["value"], row["n"]) == (pytest.approx(0.4), 3)
    assert (row["low"], row["high"]) == (pytest.approx(0.4 - half), pytest.approx(0.4 + half))
    assert recurrence.skill_row("LSTM", [0.5, 0.9, 1.0])["high"] == 1


def test_gate_products_are_powers_of_the_gate():
    text = recurrence.gate_products({0: 0.5 ** np.arange(5.0), 3: np.ones(5)}, 2)
    first, second = text.splitlines()
    assert first == "- bias 0: f = 0.500, product of 2 factors 2.5e-01, measured 2.5e-01"
    assert second.endswith("product of 2 factors 9.1e-01, measured 1.0e+00")


def test_final_errors_are_means_of_the_last_steps():
    runs = {"one": [([9.0, 9.0, 1.0, 3.0], None), ([9.0, 9.0, 2.0, 2.0], None)]}
    assert recurrence.final_errors(runs, last=2)["one"].tolist() == [2, 2]
