"""Words and pairs by label, and the network that sees them; padding changes nothing."""

from collections import Counter
from itertools import pairwise

import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

import training
from features.minimal_pairs import MINIMAL_PAIRS
from features.reviews import (
    CountedTexts,
    LogCountRatios,
    NaiveBayesRegression,
    TfidfRegression,
    WordsAndPairs,
    channels_without_film,
    fit_log_count_ratios,
    fit_soft,
    fit_word_vectors,
    inverse_frequencies,
    log_ratio,
    logits_of,
    mean_vectors,
    random_part,
    shuffled_words,
    soft_labels,
)
from features.words import Vocabulary, tokenize
from training import (
    BatchLosses,
    ChannelBatches,
    MeanOfWords,
    ReadPieces,
    RealWords,
    ReviewModel,
    channels_with_means,
    cut_channels,
    predict_reviews,
    score_texts,
)

LENGTHS = (50, 100, 600)


@pytest.fixture(scope="module")
def texts():
    """400 made-up reviews, two of each film: words say the label, and each film has a name."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    films = np.arange(400) // 2
    filler = [f"w{number}" for number in range(30)]
    tokens = []
    for label, film in zip(labels, films):
        words = [*rng.choice(filler, 12), f"hero{film}"]
        words += ["not", "bad"] if label else ["not", "good"]
        tokens.append(words)
    return tokens, labels, films


def test_words_and_pairs_are_those_that_enough_texts_have():
    """Against a plain count of strings."""
    rng = np.random.default_rng(0)
    tokens = [list(rng.choice(list("abcdefgh"), size)) for size in rng.integers(0, 9, 60)]
    named = [[*words, *map(" ".join, pairwise(words))] for words in tokens]
    having = Counter(name for names in named for name in set(names))
    counted = CountedTexts(tokens, least=3)
    assert set(counted.names.names) == {name for name, texts in having.items() if texts >= 3}
    assert len(counted) == 60 and "" not in counted.names.names
    for names, row in zip(named, counted.counts.toarray()):
        counts = Counter(names)
        assert row.tolist() == [counts[name] for name in counted.names.names]


def test_positions_never_span_two_texts():
    names = WordsAndPairs(["a", "b", "a b", "c d"])
    first, empty, last = names.positions([["a", "b"], [], ["b", "c", "d", "a", "zxq"]])
    assert first.tolist() == [[0, -1], [1, 2]] and empty.tolist() == [[-1, -1]]
    assert last.tolist() == [[1, -1], [-1, -1], [-1, 3], [0, -1], [-1, -1]]
    assert names.positions([["b"], ["a"], ["b"]])[2].tolist() == [[1, -1]]
    assert names.positions([]) == [] and WordsAndPairs(["a"]).positions([["a", "a"]])[0][1, 1] == -1


def test_ratios_are_those_of_the_formula(texts):
    tokens, labels, _ = texts
    counted = CountedTexts(tokens)
    ratios = fit_log_count_ratios(counted, labels, strength=2).ratios
    expected = np.log((200 + 2) / 2)  # in all positive reviews, weighted to half of the reviews
    assert ratios["not bad"] == pytest.approx(expected, rel=1e-4)
    assert ratios["bad"] == pytest.approx(ratios["not bad"]) and ratios["good"] < -3
    assert ratios["not"] == pytest.approx(0, abs=1e-6)
    assert log_ratio(np.array([0]), np.array([0]), 10, 10)[0] == 0
    stronger = fit_log_count_ratios(counted, labels, strength=20).ratios
    assert 0 < stronger["bad"] < ratios["bad"]
    for wrong in (np.ones(400), labels[:3]):
        with pytest.raises(ValueError, match="needs reviews of both labels, given 400"):
            fit_log_count_ratios(counted, wrong)


def test_channels_stand_at_their_words():
    ratios = LogCountRatios({"bad": -2.0, "not": -0.5, "not bad": 1.5})
    (channel,) = ratios.channels([["not", "bad", "zxq"]])
    assert channel.tolist() == [[-0.5, 0], [-2, 1.5], [0, 0]] and channel.dtype == "float32"
    assert ratios.channels([[]])[0].tolist() == [[0, 0]]
    positions = ratios.names.positions([["not", "bad", "zxq"], []])
    assert [part.tolist() for part in ratios.channels_at(positions)] == [channel.tolist(), [[0, 0]]]


def test_the_channels_of_a_training_review_leave_its_film_out(texts):
    tokens, labels, films = texts
    counted = CountedTexts(tokens, least=2)
    ratios = fit_log_count_ratios(counted, labels)
    without = channels_without_film(counted, labels, films)
    for row in (0, 37, 398):
        others = films != films[row]
        kept = [words for words, other in zip(tokens, others) if other]
        of_others = CountedTexts(kept, least=2)
        expected = fit_log_count_ratios(of_others, labels[others]).channels([tokens[row]])[0]
        known = of_others.names.positions([tokens[row]])[0] >= 0
        np.testing.assert_allclose(without[row][known], expected[known], rtol=1e-4, atol=1e-6)
        assert abs(without[row][12, 0]) < 1e-6, "the hero of the film says nothing"
    assert abs(ratios.channels([tokens[0]])[0][12, 0]) > 0.2 or labels[0] != labels[1]
    again = channels_without_film(counted, labels, films)
    assert all((first == second).all() for first, second in zip(without, again))


def test_some_of_the_texts_keep_what_is_counted_in_all(texts):
    tokens, labels, _ = texts
    counted, rows = CountedTexts(tokens, least=2), np.array([7, 3, 399, 12])
    part = counted.part(rows)
    assert len(part) == 4 and len(counted) == 400 and part.names is counted.names
    assert (part.counts != part.names.counts(part.positions)).nnz == 0
    ratios = fit_log_count_ratios(part, np.array([1, 0, 1, 0]))
    assert len(ratios.ratios) == len(counted.names.names)


def test_linear_models_learn_from_pairs(texts):
    tokens, labels, _ = texts
    counted = CountedTexts(tokens[:300])
    ratios = fit_log_count_ratios(counted, labels[:300])
    of_bayes = NaiveBayesRegression(ratios).fit(counted, labels[:300]).predict(tokens[300:])
    of_tfidf = TfidfRegression(counted).fit(counted, labels[:300]).predict(tokens[300:])
    for probability in (of_bayes, of_tfidf):
        assert probability.shape == (100,)
        assert ((probability > 0.5) == labels[300:]).all()


def test_shuffled_words_are_the_same_words():
    tokens = [[str(number) for number in range(50)], [], ["a"]]
    shuffled = shuffled_words(tokens, seed=1)
    assert [sorted(words) for words in shuffled] == [sorted(words) for words in tokens]
    assert shuffled[0] != tokens[0] and shuffled == shuffled_words(tokens, seed=1)


def test_word_vectors_put_words_of_like_neighbours_together():
    rng = np.random.default_rng(0)
    near, far = ["sun", "day", "light"], ["moon", "night", "dark"]
    tokens = [list(rng.choice(near if number % 2 else far, 8)) for number in range(6000)]
    vocabulary = Vocabulary.fit([*tokens, ["rare"]])
    vectors = fit_word_vectors(tokens, vocabulary, 6)
    assert vectors.shape == (len(vocabulary), 6) and vectors.dtype == "float32"
    assert (vectors[:2] == 0).all() and (vectors[vocabulary.index["rare"]] == 0).all()
    sun, day, moon = (vectors[vocabulary.index[word]] for word in ("sun", "day", "moon"))
    assert sun @ day / np.linalg.norm(day) > sun @ moon / np.linalg.norm(moon)
    assert (vectors == fit_word_vectors(tokens, vocabulary, 6)).all()


def test_soft_labels_keep_true_ones_and_follow_both_teachers():
    first, second = np.array([-3.0, -1, 1, 3]), np.array([-40.0, -20, 20, 40]) + 7
    soft = soft_labels([first, second], np.array([0]), np.array([1]))
    assert (
        soft[0] == 1 and (np.diff(soft[1:]) > 0).all() and ((0 < soft[1:]) & (soft[1:] < 1)).all()
    )
    expected = 1 / (1 + np.exp(-2 * 3 / np.std(first)))
    assert soft_labels([first], np.array([0]), [1])[3] == pytest.approx(expected)
    assert soft_labels([first[:2]], like=[first])[1] == pytest.approx(soft_labels([first])[1])


def test_logits_of_the_models_of_a_case():
    features = {"a": np.eye(3), "b": 2 * np.eye(3)}
    models = {}
    for name in features:
        models[name] = [fit_soft(np.eye(3), np.array(y)) for y in ([0, 1, 1], [1, 0, 0])]
    first, second = logits_of(("b", "a"), models, 1, features)
    np.testing.assert_allclose(first, models["b"][1].decision_function(2 * np.eye(3)))
    np.testing.assert_allclose(second, models["a"][1].decision_function(np.eye(3)))
    assert logits_of(("a",), models, 0, features)[0][0] < 0 < second[0] < first[0]


def test_a_soft_label_counts_as_parts_of_texts():
    features = sparse.csr_matrix(np.random.default_rng(0).normal(size=(60, 3)))
    labels = np.arange(60) % 2
    hard, usual = fit_soft(features, labels), LogisticRegression(C=10).fit(features, labels)
    np.testing.assert_allclose(hard.coef_, usual.coef_, atol=1e-3)
    np.testing.assert_allclose(hard.intercept_, usual.intercept_, atol=1e-3)
    strict, usual = fit_soft(features, labels, 0.02), LogisticRegression(C=0.02)
    usual.fit(features, labels)
    np.testing.assert_allclose(strict.coef_, usual.coef_, atol=1e-3)
    np.testing.assert_allclose(
        strict.predict_proba(features), usual.predict_proba(features), atol=1e-3
    )
    partly = fit_soft(features, 0.1 + 0.7 * labels)
    both = sparse.vstack([features, features])
    weights = np.concatenate([0.1 + 0.7 * labels, 0.9 - 0.7 * labels])
    twice = LogisticRegression(C=10).fit(both, np.repeat([1, 0], 60), sample_weight=weights)
    np.testing.assert_allclose(partly.coef_, twice.coef_, atol=1e-3)
    undecided = fit_soft(features, np.full(60, 0.5))
    np.testing.assert_allclose(undecided.predict_proba(features)[:, 1], 0.5, atol=1e-3)


def test_soft_counts_are_between_those_of_the_labels(texts):
    tokens, labels, films = texts
    soft = 0.9 * labels + 0.1 * (1 - labels)
    counted = CountedTexts(tokens)
    hard, shrunken = (fit_log_count_ratios(counted, y).ratios for y in (labels, soft))
    assert 0 < shrunken["bad"] < hard["bad"]
    assert len(channels_without_film(counted, soft, films)) == 400


def test_mean_vectors_weight_rare_words_up():
    vectors = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], dtype="float32")
    sequences = [np.array([2, 3]), np.array([2]), np.array([2])]
    weights = inverse_frequencies(sequences, 4)
    assert weights[2] == 0 and weights[3] == pytest.approx(np.log(2))
    means = mean_vectors(sequences, vectors, weights)
    assert means.shape == (3, 2) and means[0, 1] == pytest.approx(1) and np.isfinite(means).all()


def test_a_random_part_has_whole_groups():
    groups = np.random.default_rng(0).integers(0, 300, 2000).astype(str)
    part = random_part(groups, seed=1)
    assert 0.17 < part.mean() <= 0.2 and not set(groups[part]) & set(groups[~part])
    assert (part == random_part(groups, seed=1)).all() and (part != random_part(groups, 2)).any()
    assert random_part(np.arange(10), 0).sum() == 2


def test_minimal_pairs_are_forty_and_nearly_share_their_words():
    assert len(MINIMAL_PAIRS) == len(set(MINIMAL_PAIRS)) == 40
    for praise, blame in MINIMAL_PAIRS:
        first, second = set(tokenize(praise)), set(tokenize(blame))
        assert praise != blame and len(first ^ second) <= 5, (praise, blame)


@pytest.fixture(scope="module")
def model():
    """A small untrained network of the form of notebook 06, with what it needs to score strings."""
    vocabulary = Vocabulary(["[pad]", "[unknown]", "good", "bad", "not", "film"])
    keras.utils.set_random_seed(0)
    words = keras.Input((None,), dtype="int32")
    channels = keras.Input((None, 2))
    real = RealWords()(words)
    x = keras.layers.Embedding(len(vocabulary), 4)(words)
    x = keras.layers.Concatenate()([x, channels])
    x = ReadPieces(3, 25)(x, real)
    x = keras.layers.Concatenate()([x, MeanOfWords()(channels, real)])
    network = keras.Model([words, channels], keras.layers.Dense(1, activation="sigmoid")(x))
    ratios = LogCountRatios({"good": 1.0, "bad": -1.0, "not bad": 2.0})
    return ReviewModel(network, vocabulary, ratios, LENGTHS)


@pytest.mark.parametrize("size", [1, 24, 25, 31, 50])
def test_padding_changes_nothing(model, size):
    tokens = [list(np.random.default_rng(size).choice(["good", "bad", "not", "film"], size))]
    scores = []
    for length in (50, 100, 600):
        words, channels = model.encode(tokens)
        scores.append(predict_reviews(model.network, words, channels, (length,))[0])
    np.testing.assert_allclose(scores, scores[0], atol=1e-6)


@pytest.mark.parametrize("backwards", [True, False])
def test_later_words_of_a_piece_change_earlier_states_only_backwards(backwards):
    vectors = np.random.default_rng(0).normal(size=(1, 4, 3)).astype("float32")
    other = vectors.copy()
    other[0, 3] += 1
    layer = ReadPieces(2, 4, backwards)
    restored = ReadPieces.from_config(layer.get_config())
    width = layer(vectors, np.ones((1, 4))).shape[-1]
    assert width == restored(vectors, np.ones((1, 4))).shape[-1] == (16 if backwards else 8)
    assert width == layer.compute_output_shape(vectors.shape)[-1]
    states = [np.asarray(layer.gru(values))[0, :3] for values in (vectors, other)]
    assert np.allclose(*states) != backwards


def test_order_and_channels_change_the_score(model):
    first, second = model.predict([["not", "bad", "film"], ["bad", "not", "film"]])
    assert abs(first - second) > 1e-4


def test_a_model_comes_back_from_one_file_and_scores_any_string(model, tmp_path):
    path = model.save(tmp_path / "reviews.keras")
    restored = ReviewModel.load(path)
    texts = ["", "film " * 10_000, "zxq qxz", "Not bad!", "<br />", "zxq", "\U0001f600 \x00"]
    scores = score_texts(texts, restored)
    np.testing.assert_allclose(scores, score_texts(texts, model), atol=1e-6)
    assert scores.shape == (7,) and ((0 < scores) & (scores < 1)).all()
    assert scores[0] == pytest.approx(scores[5]), "no word is one unknown word"
    alone = [score_texts([text], restored)[0] for text in texts]
    np.testing.assert_allclose(scores, alone, atol=1e-5)
    assert score_texts([], restored).shape == (0,)
    with pytest.raises(TypeError, match="needs a string, given NoneType"):
        score_texts([None], restored)


def test_a_file_keeps_the_linear_model_that_is_joined(model, texts, tmp_path):
    tokens, labels, _ = texts
    counted = CountedTexts(tokens)
    ratios = fit_log_count_ratios(counted, labels)
    linear = NaiveBayesRegression(ratios).fit(counted, labels)
    alone = ReviewModel(model.network, model.vocabulary, ratios, LENGTHS)
    joined = ReviewModel(model.network, model.vocabulary, ratios, LENGTHS, linear)
    some = [["not", "bad"], ["not", "good"], []]
    expected = (alone.predict(some) + linear.predict(some)) / 2
    np.testing.assert_allclose(joined.predict(some), expected, atol=1e-6)
    assert expected[0] > expected[1] + 0.1
    restored = ReviewModel.load(joined.save(tmp_path / "joined.keras"))
    np.testing.assert_allclose(restored.predict(some), expected, atol=1e-6)
    assert restored.predict([]).shape == (0,)


def test_batches_keep_words_channels_and_labels_together():
    rng = np.random.default_rng(0)
    sequences = [np.full(size, 2 + size, dtype="int32") for size in rng.integers(1, 90, 40)]
    channels = [np.full((len(words), 2), len(words), dtype="float32") for words in sequences]
    sizes = [len(words) for words in sequences]
    batches = ChannelBatches(sequences, channels, sizes, LENGTHS, 8)
    seen = []
    for number in range(len(batches)):
        (words, values), labels = batches[number]
        for row, value, size in zip(words, values, labels.astype(int)):
            assert (row[:size] == 2 + size).all() and (row[size:] == 0).all()
            assert (value[:size] == size).all() and (value[size:] == 0).all()
        seen += labels.tolist()
    assert sorted(seen) == sorted(sizes)
    dropped = ChannelBatches(sequences, channels, sizes, LENGTHS, 8, word_dropout=0.5)
    (words, values), _ = dropped[0]
    assert (words == 1).any() and (values[words == 1] == 0).all()


def test_the_loss_of_each_step_is_kept_and_not_the_mean_so_far():
    inputs = keras.Input((1,))
    network = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="zeros")(inputs))
    network.compile(keras.optimizers.SGD(0.0), "mse")
    losses, wanted = BatchLosses(), np.array([1.0, 2, 3, 4, 5, 6])
    options = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    network.fit(np.ones((6, 1)), wanted, callbacks=[losses], **options)
    np.testing.assert_allclose(losses.values, 2 * [2.5, 12.5, 30.5], rtol=1e-5)


def test_means_of_the_whole_text_stand_beside_what_is_left_of_its_channels():
    channels = [np.array([[1, 2], [3, 9], [5, 1]], dtype="float32"), np.ones((1, 2))]
    first, second = filled = channels_with_means(channels, 2)
    assert first.tolist() == [[1, 2, 3, 4], [5, 1, 3, 4]] and filled.dtype == "float32"
    assert second.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0]] and len(channels_with_means([], 2)) == 0


def test_channels_are_cut_like_words():
    (cut,) = cut_channels([np.arange(20.0).reshape(10, 2)], 4)
    assert cut[:, 0].tolist() == [0, 2, 16, 18]
    assert training.truncate([np.arange(10)], 4)[0].tolist() == [0, 1, 8, 9]
