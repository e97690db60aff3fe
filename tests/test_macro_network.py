"""The networks of notebook 05; the functions under test are those of the notebook itself."""

from functools import partial

import numpy as np
import pytest
from macro_panels import KINDS, error_ratio, panel_of, with_another_future
from notebook_code import functions

import training
from features import macro

NETWORKS = {"global GRU": "build_gru", "encoder–decoder": "build_encoder_decoder"}


@pytest.fixture(scope="module")
def notebook():
    names = functions("05")
    names |= {"SEEDS": [0, 1], "FIFTHS": 5, "EPOCHS": 24, "TRAINERS": {}}
    for network, build in NETWORKS.items():
        names["TRAINERS"][network] = training.Trainer(partial(names[build], len(KINDS)))
    return names


@pytest.fixture(params=list(NETWORKS))
def network(request):
    return request.param


def fit(notebook, network, epochs):
    options = dict(name=network, linear=macro.fit_ridge, epochs=epochs)
    return partial(notebook["fit_network"], **options)


def test_an_untrained_network_is_ridge(notebook, network):
    panel = panel_of(np.random.default_rng(0).normal(size=(240, 4)))
    options = dict(panel=panel, kinds=KINDS, dates=panel.index[200:224], months=6, paths=20)
    paths = macro.rolling_paths(fit(notebook, network, 0), **options)
    np.testing.assert_allclose(paths, macro.rolling_paths(macro.fit_ridge, **options), rtol=1e-5)


def test_the_second_gru_goes_on_with_the_months_of_a_path(notebook):
    """The step written out, once the first has read a year, is that of Keras."""
    model = notebook["TRAINERS"]["encoder–decoder"].model
    random = np.random.default_rng(0)
    weights = [random.normal(size=each.shape).astype("float32") for each in model.get_weights()]
    model.set_weights(weights)
    inputs = random.normal(size=(24, 4))
    X = [np.repeat(inputs[None], 4, axis=0), inputs.T[..., None], np.arange(4)[:, None]]
    expected = np.asarray(model(X))[..., 0].T
    nothing = macro.Linear(np.zeros((1, 4, 4)), np.zeros(4), np.zeros((10, 4)))
    forecaster = macro.Recurrent(nothing, [weights])
    state, mean = forecaster.start(inputs[None, :13])
    found = [mean[0]]
    for value in inputs[13:]:
        state, mean = forecaster.advance(state, value[None])
        found.append(mean[0])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    added = forecaster.additions(inputs[:14])[0]
    np.testing.assert_allclose(added[12], expected[0], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_the_network_never_sees_past_its_date(notebook, network):
    """Shuffle and stretch the future of the whole panel: forecasts up to then stay as they are."""
    panel = panel_of(np.random.default_rng(0).normal(size=(240, 4)))
    dates = panel.index[200:224]
    last = dates[15]  # between the second training and the end
    changed = with_another_future(panel, last)
    options = dict(kinds=KINDS, dates=dates, months=6, paths=5)
    before, other = (
        macro.rolling_paths(fit(notebook, network, 1), data, **options) for data in (panel, changed)
    )
    np.testing.assert_allclose(other[:16], before[:16], rtol=1e-5)
    assert np.abs(other[16:] - before[16:]).max() > 0.1


def bent(strength, seed=1):
    """Growth follows the size of the spread of the month before, whatever its sign: no line finds
    it.
    """
    changes = np.random.default_rng(seed).normal(size=(600, 4))
    lead = (np.abs(changes[:-1, 3]) - 0.8) / 0.6
    changes[1:, 1] = strength * lead + (1 - strength) * changes[1:, 1]
    return panel_of(changes)


@pytest.mark.slow
def test_a_planted_bend_is_found_and_none_is_invented(notebook, network):
    """Error of production one month ahead, relative to ridge on the same inputs."""
    ratios = {}
    for strength in (0.9, 0):
        network_fit = fit(notebook, network, notebook["EPOCHS"])  # the whole schedule
        ratios[strength] = error_ratio(network_fit, macro.fit_ridge, bent(strength))
    assert ratios[0.9] < 0.9 and 0.95 < ratios[0] < 1.1, ratios
