"""Notebooks 06 and 07: nothing is learned from validation or test, any string gets a score, noise
gets none.
"""

from collections import Counter

import keras
import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
from notebook_code import NOTEBOOKS, functions
from scipy import stats
from sklearn.metrics import roc_auc_score

import data
import training
from features.words import Vocabulary, tokenize
from training import TextBatches, predict

matplotlib.use("agg")
LENGTHS = (50, 100)


def cells(number):
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    return nbformat.read(path, as_version=4).cells


@pytest.fixture(scope="module")
def notebook():
    """Functions of notebook 06 with its parameters, and shorter texts."""
    names = functions("06")
    names["LENGTHS"] = LENGTHS  # also for the functions, whose globals these are
    return names


@pytest.fixture(scope="module")
def reviews():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_TRADING_DATA", "")
        return data.load_imdb()


@pytest.fixture(scope="module")
def small(reviews):
    """Sequences of at most 100 words and labels of 1,200 training and 800 validation reviews, and
    the vocabulary.
    """
    train = reviews[reviews["split"] == "train"].sample(1200, random_state=0)
    validation = reviews[reviews["split"] == "validation"].sample(800, random_state=0)
    tokens = [[tokenize(text)[-100:] for text in part["text"]] for part in (train, validation)]
    vocabulary = Vocabulary.fit(tokens[0], 4000)
    X, held_out = map(vocabulary.encode, tokens)
    return X, train["label"].to_numpy(), held_out, validation["label"].to_numpy(), vocabulary


@pytest.mark.parametrize("number, heading", [("06", "## Sequences"), ("07", "## Model")])
def test_nothing_learned_before_the_model_has_seen_validation_or_test(
    number, heading, reviews, monkeypatch
):
    """The notebook's own cells, on reviews whose validation and test texts hold words of their own."""
    rows = pd.concat([rows.iloc[:150] for _, rows in reviews.groupby(["split", "label"])])
    marks = {"train": "", "validation": " seenvalidation" * 9, "test": " seentest" * 9}
    rows = rows.assign(text=rows["text"] + rows["split"].map(marks))
    rows.attrs["source"] = data.Source(name="made up", first=None)
    monkeypatch.setattr(data, "load_imdb", lambda: rows)
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    names = {}
    for cell in cells(number):
        if cell.cell_type == "markdown" and heading in cell.source:
            break
        if cell.cell_type == "code":
            exec(cell.source.replace("plt.show()", "plt.close()").replace("20_000", "4_000"), names)
    expected = Counter(
        word for text in rows[rows["split"] == "train"]["text"] for word in tokenize(text)
    )
    assert names["vocabulary"].counts == expected
    bag_of_words = names["baseline"][0] if number == "06" else names["counter"]
    learned = set(names["vocabulary"].words) | set(bag_of_words.vocabulary_)
    assert "film" in learned and "the film" in learned
    assert not [words for words in learned if "seenvalidation" in words or "seentest" in words]


def test_any_string_gets_a_score(notebook, small):
    *_, vocabulary = small
    keras.utils.set_random_seed(0)
    network = notebook["build_network"](len(vocabulary), units=3)
    texts = [
        "",
        "film " * 10_000,
        "zxq qxz zxq",
        "a very good film",
        "<br />",
        "zxq",
        "\U0001f600 \x00",
        "good " * 60,
    ]
    scores = notebook["score_texts"](texts, network, vocabulary)
    assert (
        scores.shape == (len(texts),)
        and np.isfinite(scores).all()
        and ((0 < scores) & (scores < 1)).all()
    )
    assert scores[0] == pytest.approx(scores[5]) == pytest.approx(scores[4]), (
        "no word is one unknown word"
    )
    assert scores[0] != pytest.approx(scores[3], abs=1e-6) and scores[1] != pytest.approx(
        scores[7], abs=1e-6
    )
    alone = [notebook["score_texts"]([text], network, vocabulary)[0] for text in texts]
    np.testing.assert_allclose(scores, alone, atol=1e-5)
    np.testing.assert_allclose(
        scores[::-1], notebook["score_texts"](texts[::-1], network, vocabulary), atol=1e-5
    )
    assert notebook["score_texts"]([], network, vocabulary).shape == (0,)
    with pytest.raises(TypeError, match="needs a string, given NoneType"):
        notebook["score_texts"]([None], network, vocabulary)


def test_pieces_are_read_apart_and_in_both_directions(notebook):
    read = notebook["ReadPieces"](units=3, piece=5)
    vectors = np.random.default_rng(0).normal(size=(2, 20, 4)).astype("float32")
    before = keras.ops.convert_to_numpy(read(vectors))
    vectors[0, 12] += 1
    after = keras.ops.convert_to_numpy(read(vectors))
    assert before.shape == (2, 4, 12)
    changed = np.abs(after - before).max(axis=2) > 1e-6
    assert changed.tolist() == [[False, False, True, False], [False] * 4]
    piece = vectors[:1, 10:15]
    states = keras.ops.convert_to_numpy(read.gru(piece))[0]
    np.testing.assert_allclose(after[0, 2], [*states.max(axis=0), *states.mean(axis=0)], atol=1e-5)


def test_average_of_the_runs(notebook, small):
    X, *_, vocabulary = small
    runs = [notebook["build_network"](len(vocabulary)) for _ in range(2)]
    average = notebook["average_network"]([run.get_weights() for run in runs], len(vocabulary))
    expected = np.mean([predict(run, X[:20], LENGTHS) for run in runs], axis=0)
    np.testing.assert_allclose(predict(average, X[:20], LENGTHS), expected, atol=1e-6)


def test_nearest_words(notebook):
    vocabulary = Vocabulary.fit([["good"] * 9, ["great"] * 9, ["bad"] * 9, ["rare"]])
    vectors = np.zeros((len(vocabulary), 2))
    vectors[[vocabulary.index[word] for word in ("good", "great", "bad", "rare")]] = [
        [2, 0],
        [1, 0.1],
        [-1, 0],
        [3, 0],
    ]
    assert notebook["nearest"]("good", vectors + 1e-9, vocabulary, known=5) == ["great", "bad"]


def test_shuffled_labels_teach_nothing_and_true_ones_do(notebook, small):
    """A network that learned noise leans to one side or the other: the interval is over shuffles,
    not over reviews.
    """
    X, labels, held_out, actual, vocabulary = small
    shuffled = [np.random.default_rng(seed).permutation(labels) for seed in range(6)]
    taught = iter([*shuffled, labels])

    def fit(network, seed):
        network.fit(TextBatches(X, next(taught), LENGTHS, 50), epochs=4, verbose=0)
        return roc_auc_score(actual, predict(network, held_out, LENGTHS))

    *by_chance, learned = training.fit_over_seeds(
        lambda: notebook["build_network"](len(vocabulary), units=4), fit, range(7)
    )[2]
    low, high = stats.t.interval(0.95, 5, np.mean(by_chance), stats.sem(by_chance))
    assert low < 0.5 < high < low + 0.15
    assert learned > 0.7


@pytest.fixture(scope="module")
def pretrained():
    """Functions of notebook 07 with its parameters, and shorter texts."""
    names = functions("07")
    names["LENGTHS"] = LENGTHS  # also for the functions, whose globals these are
    return names


def test_embedding_matrix_tells_padding_unknown_and_vectorless_words_apart(pretrained):
    vocabulary = Vocabulary.fit(
        [["good"] * 9, ["bad"] * 8, ["made-up"] * 7, ["so"] * 6, ["rare", "seldom"]], size=6
    )
    vectors = pd.DataFrame(
        np.arange(10.0).reshape(5, 2) ** 2, ["seldom", "bad", "rare", "good", "so"]
    )
    matrix = pretrained["embedding_matrix"](vocabulary, vectors.astype("float32"))
    assert matrix.shape == (6, 2) and matrix.dtype == "float32" and (matrix[0] == 0).all()
    known = matrix[[vocabulary.index[word] for word in ("good", "bad", "so")]]
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(known.std(axis=0), 1, rtol=1e-6)
    assert (np.diff(known[[1, 0, 2]], axis=0) > 0).all(), "each word has its own vector"
    inside = vectors.loc[["good", "bad", "so"]]
    expected = (vectors.loc[["rare", "seldom"]].mean() - inside.mean()) / inside.std(ddof=0)
    np.testing.assert_allclose(matrix[1], expected, rtol=1e-5)
    assert len(np.unique(matrix, axis=0)) == 6


def test_only_frozen_vectors_are_left_out_of_training(pretrained):
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    for variant in ("scratch", "frozen", "fine-tuned"):
        model = pretrained["build_network"](variant, matrix, units=2)
        embedding = next(
            layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)
        )
        trained = any(variable is embedding.embeddings for variable in model.trainable_variables)
        assert trained == (variant != "frozen")
        assert np.array_equal(embedding.get_weights()[0], matrix) == (variant != "scratch")


def test_weights_of_the_frozen_network_fit_the_fine_tuned_one(pretrained):
    matrix = np.ones((6, 4), dtype="float32")
    frozen, tuned = (
        pretrained["build_network"](variant, matrix, units=2)
        for variant in ("frozen", "fine-tuned")
    )
    tuned.set_weights(frozen.get_weights())
    words = [np.array([2, 3, 4], dtype="int32")]
    np.testing.assert_allclose(
        predict(tuned, words, LENGTHS), predict(frozen, words, LENGTHS), atol=1e-6
    )


def test_subsets_are_the_same_for_every_variant_and_nested_over_sizes(pretrained):
    pretrained["train"] = range(1000)
    small, large = pretrained["subset"](100, 1), pretrained["subset"](250, 1)
    assert (small == large[:100]).all() and len(set(large)) == 250
    assert (small != pretrained["subset"](100, 2)).any() and len(
        pretrained["subset"](10**6, 0)
    ) == 1000


def test_interval_over_seeds_is_that_of_the_mean(pretrained):
    labels = np.arange(200) % 2
    runs = [labels + np.random.default_rng(seed).normal(size=200) for seed in range(3)]
    aucs = [roc_auc_score(labels, run) for run in runs]
    pretrained.update(CASES=[(9, 0), (5, 0), (9, 1), (9, 2)], labels_test=labels)
    pretrained["probabilities_test"] = {"model": [runs[0], labels, runs[1], runs[2]]}
    mean, low, high = pretrained["mean_and_interval"]("model", 9)
    assert mean == pytest.approx(np.mean(aucs)) and mean - low == pytest.approx(high - mean)
    assert high - mean == pytest.approx(
        4.302653 * np.std(aucs, ddof=1) / 3**0.5, rel=1e-4
    )  # t table, 2 degrees
    assert pretrained["mean_and_interval"]("model", 5) == (1, 1, 1)


def test_network_and_vocabulary_come_back_from_files(notebook, small, tmp_path):
    X, *_, vocabulary = small
    network, restored = (
        notebook["average_network"](
            [notebook["build_network"](len(vocabulary)).get_weights() for _ in range(2)],
            len(vocabulary),
        )
        for _ in range(2)
    )
    network.save_weights(tmp_path / "sentiment.weights.h5")
    expected = predict(network, X[:20], LENGTHS)
    assert np.abs(predict(restored, X[:20], LENGTHS) - expected).max() > 1e-4
    restored.load_weights(tmp_path / "sentiment.weights.h5")
    np.testing.assert_allclose(predict(restored, X[:20], LENGTHS), expected, atol=1e-7)
    again, words = Vocabulary(vocabulary.words), [["the", "zyxxy", "[pad]"]]
    assert (
        again.index == vocabulary.index
        and again.encode(words)[0].tolist() == vocabulary.encode(words)[0].tolist()
    )
