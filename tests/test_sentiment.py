"""Notebooks 06 and 07: nothing is learned from validation or test, any string gets a score, noise
gets none.
"""

from collections import Counter

import keras
import matplotlib
import numpy as np
import pandas as pd
import pytest
from notebook_code import functions, run_cells
from scipy import stats
from sklearn.metrics import roc_auc_score

import data
from features.reviews import (
    CountedTexts,
    channels_without_film,
    fit_log_count_ratios,
    random_part,
)
from features.words import Vocabulary, tokenize
from training import ChannelBatches, Trainer, average_of_seeds, predict_reviews

matplotlib.use("agg")
LENGTHS = (50, 100)


@pytest.fixture(scope="module")
def notebook():
    """Functions of notebook 06 with its parameters, and shorter texts."""
    names = functions("06")
    names["LENGTHS"] = LENGTHS  # also for the functions, whose globals these are
    return names


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
    names = run_cells(number, heading, smaller={"20_000": "4_000", "10_000": "4_000"})
    expected = Counter(
        word for text in rows[rows["split"] == "train"]["text"] for word in tokenize(text)
    )
    assert names["vocabulary"].counts == expected
    counted = names["counted"].names.names
    learned = set(names["vocabulary"].words) | set(counted)
    assert "film" in learned and "the film" in learned
    assert not [words for words in learned if "seenvalidation" in words or "seentest" in words]


@pytest.mark.slow
def test_average_of_the_runs(notebook):
    rng = np.random.default_rng(0)
    sequences = [rng.integers(2, 4000, size).astype("int32") for size in (3, 60, 100)]
    channels = [rng.normal(size=(len(words), 2)).astype("float32") for words in sequences]
    runs = [notebook["build_network"](1e-3) for _ in range(2)]
    average = average_of_seeds(runs[0], [run.get_weights() for run in runs])
    single = [predict_reviews(run, sequences, channels, LENGTHS) for run in runs]
    expected = np.mean(single, axis=0)
    result = predict_reviews(average, sequences, channels, LENGTHS)
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("reading", ["last state", "whole", "pieces"])
def test_every_step_of_the_network_ignores_padding(notebook, reading):
    sequences = [np.arange(2, 9, dtype="int32"), np.arange(2, 60, dtype="int32")]
    channels = [np.zeros((len(words), 2), dtype="float32") for words in sequences]
    network = notebook["build_network"](1e-3, reading)
    short, long = (predict_reviews(network, sequences, channels, (n,)) for n in (100, 300))
    np.testing.assert_allclose(short, long, atol=1e-6)
    backwards = [words[::-1] for words in sequences]
    other = predict_reviews(network, backwards, channels, (100,))
    assert np.abs(other - short).max() > 1e-5, "it reads in order"


@pytest.mark.slow
def test_shuffled_labels_teach_nothing_and_true_ones_do(notebook, small):
    """A network that learned noise leans to one side or the other: the interval is over shuffles.

    The channels are zero: what is learned is learned from the words.
    """
    X, labels, held_out, actual, _ = small
    channels = [np.zeros((len(words), 2), dtype="float32") for words in X]
    others = [np.zeros((len(words), 2), dtype="float32") for words in held_out]
    trainer, aucs = Trainer(notebook["build_network"], 5e-3, shuffles=False), []
    for seed in range(6):
        shuffled = labels if seed == 5 else np.random.default_rng(seed).permutation(labels)
        network = trainer.start(seed, 5e-3)
        batches = ChannelBatches(X, channels, shuffled, LENGTHS, 50)
        network.fit(batches, epochs=4, verbose=0)
        aucs.append(roc_auc_score(actual, predict_reviews(network, held_out, others, LENGTHS)))
    low, high = stats.t.interval(0.95, 4, np.mean(aucs[:5]), stats.sem(aucs[:5]))
    assert low < 0.5 < high < low + 0.2
    assert aucs[5] > 0.7


@pytest.mark.slow
def test_films_on_both_sides_make_the_score_too_good(notebook, reviews):
    """The sign of the exhibit: splits at random beat splits by film, on average over several."""
    known = reviews[reviews["split"] != "test"].sample(8000, random_state=0)
    counts = CountedTexts([text.lower().split() for text in known["text"]], least=3).counts
    labels = known["label"].to_numpy()
    means = {}
    for name, groups in (("random", np.arange(len(known))), ("film", known["film"].to_numpy())):
        parts = [random_part(groups, seed) for seed in range(6)]
        means[name] = np.mean([notebook["held_out_auc"](counts, labels, part) for part in parts])
    assert means["random"] > means["film"] + 0.002


@pytest.mark.slow
def test_films_on_both_sides_make_the_network_too_good(notebook, reviews):
    """The sign of the exhibit for the network, on other films and splits than it shows."""
    known = reviews[reviews["split"] != "test"]
    known = known[random_part(known["film"], seed=1, share=1 / 6)]
    tokens = [tokenize(text) for text in known["text"]]
    texts, sequences = CountedTexts(tokens), Vocabulary.fit(tokens, 10_000).encode(tokens)
    facts = known["label"].to_numpy(), known["film"].to_numpy()
    trainer, aucs = Trainer(notebook["build_network"], 1e-2, shuffles=False), {}
    for name, groups in (("random", np.arange(len(known))), ("film", facts[1])):
        for seed in (3, 4):
            network, part = trainer.start(seed, 1e-2), random_part(groups, seed)
            value = notebook["network_auc"](network, texts, sequences, *facts, part)
            aucs.setdefault(name, []).append(value)
    assert np.mean(aucs["random"]) > np.mean(aucs["film"]) + 0.01


@pytest.mark.slow
def test_counting_the_own_label_makes_the_ratios_too_good(reviews):
    """The sign of the exhibit, on several halves of the training reviews."""
    train = reviews[reviews["split"] == "train"].sample(4000, random_state=0)
    for half in (train[:2000], train[2000:]):
        tokens = [tokenize(text) for text in half["text"]]
        labels = half["label"].to_numpy()
        texts = CountedTexts(tokens)
        counted = fit_log_count_ratios(texts, labels).channels(tokens)
        left_out = channels_without_film(texts, labels, half["film"])
        aucs = []
        for channels in (counted, left_out):
            aucs.append(roc_auc_score(labels, [values.mean() for values in channels]))
        assert aucs[0] > aucs[1] + 0.03


@pytest.fixture(scope="module")
def pretrained():
    """Functions of notebook 07 with its parameters."""
    return functions("07")


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


VARIANTS = ("scratch", "frozen", "fine-tuned", "GloVe and learned", "taught")


def test_only_given_vectors_are_left_out_of_training(pretrained):
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    for variant in VARIANTS:
        model = pretrained["build_network"](variant, matrix)
        embeddings = [each for each in model.layers if isinstance(each, keras.layers.Embedding)]
        (embedding,) = [each for each in embeddings if each.output_dim == matrix.shape[1]]
        assert len(embeddings) == 1 + (variant == "GloVe and learned")
        trained = any(variable is embedding.embeddings for variable in model.trainable_variables)
        assert trained == (variant in ("scratch", "fine-tuned"))
        assert np.array_equal(embedding.get_weights()[0], matrix) == (variant != "scratch")


def test_only_the_taught_network_sees_the_channels(pretrained):
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    words = [np.array([2, 3, 4], dtype="int32")]
    channels = [np.ones((3, 4), dtype="float32")], [np.zeros((3, 4), dtype="float32")]
    for variant in VARIANTS:
        model = pretrained["build_network"](variant, matrix)
        first, second = (predict_reviews(model, words, values, LENGTHS) for values in channels)
        assert (abs(first[0] - second[0]) > 1e-5) == (variant == "taught")


def test_weights_of_the_frozen_network_fit_the_one_that_is_fine_tuned(pretrained):
    """It is compiled as the network from scratch, whose layers are the same."""
    matrix = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    frozen, *others = (
        pretrained["build_network"](variant, matrix)
        for variant in ("frozen", "scratch", "fine-tuned")
    )
    words = np.random.default_rng(0).integers(0, 6, (3, 50), dtype="int32")
    nothing = np.zeros((3, 50, 4), dtype="float32")
    expected = frozen.predict([words, nothing], verbose=0)
    for tuned in others:
        tuned.set_weights(frozen.get_weights())
        of_tuned = pretrained["predict_cases"](tuned, [frozen.get_weights()], words, [nothing])
        np.testing.assert_allclose(of_tuned, expected, atol=1e-6)


def test_every_pass_meets_each_review_once_with_its_label(pretrained):
    """A model that is no network keeps what it is given."""
    seen = []

    class Kept:
        def fit(self, inputs, labels, batch_size, callbacks, **options):
            assert options == {"verbose": 0, "shuffle": False} and batch_size == 4
            seen.append((*inputs, labels))
            callbacks[0].values += [1.0, 2.0, 3.0]

    labels = np.arange(10)
    words, channels = labels[:, None] * np.ones(5), labels[:, None, None] * np.ones((5, 4))
    losses = pretrained["fit_case"](Kept(), words, channels, labels, 2, 4, 0)
    assert losses.tolist() == [[1, 2, 3], [1, 2, 3]]
    for of_words, of_channels, of_labels in seen:
        assert (of_words[:, 0] == of_labels).all() and (of_channels[:, 0, 0] == of_labels).all()
        assert (np.sort(of_labels) == labels).all()
    assert (seen[0][2] != seen[1][2]).any() and len(seen) == 2


def test_reviews_with_true_labels_are_met_among_the_others(pretrained):
    """Drawn by the same numbers as the labelled ones, the order of a pass would begin with them."""
    met = []

    class Kept:
        def fit(self, inputs, labels, callbacks, **options):
            met.extend(labels)
            callbacks[0].values += [1.0]

    for seed in range(3):
        met.clear()
        rows = np.arange(1000)
        pretrained["fit_case"](Kept(), rows, rows, rows, 1, 1000, seed)
        early = np.isin(met[:100], pretrained["subset"](100, seed, 1000)).mean()
        assert early < 0.3


def test_subsets_are_the_same_for_every_variant_and_nested_over_sizes(pretrained):
    subset = pretrained["subset"]
    small, large = subset(100, 1, 1000), subset(250, 1, 1000)
    assert (small == large[:100]).all() and len(set(large)) == 250
    assert (small != subset(100, 2, 1000)).any() and len(subset(1000, 0, 1000)) == 1000


def test_means_over_seeds(pretrained):
    labels = np.arange(200) % 2
    noise = np.random.default_rng(0).normal(size=(200, 3))
    runs, others = labels[:, None] + noise, labels[:, None] + 3 * noise
    films = np.arange(200) // 4
    value, draws = pretrained["auc_over_films"](labels, runs, films)
    assert value == pytest.approx(np.mean([roc_auc_score(labels, run) for run in runs.T]))
    assert draws.shape == (300,) and draws.min() < value < draws.max()
    _, alone = pretrained["auc_over_films"](labels, runs[:, :1], films)
    of_each = [pretrained["auc_over_films"](labels, run[:, None], films)[1] for run in runs.T]
    np.testing.assert_allclose(draws, np.mean(of_each, axis=0))
    assert (alone == of_each[0]).all(), "the same films are drawn for all"
    assert pretrained["auc_over_films"](labels, others, films)[0] < value


FOODS = ("soup", "fish", "rice", "bread", "pasta", "salad", "cake", "tea", "curry", "pie")
PRAISE = ("fresh", "tasty", "warm", "crisp", "lovely", "generous")
BLAME = ("stale", "bland", "cold", "burnt", "greasy", "stingy")


def restaurant_reviews(number: int) -> pd.DataFrame:
    """Short made-up texts about a hundred restaurants: ``text``, ``label`` and ``film``."""
    rng = np.random.default_rng(0)
    rows = []
    for place in range(number):
        label = int(rng.integers(2))
        words = rng.choice(PRAISE if label else BLAME, 2)
        first, second, third = rng.choice(FOODS, 3)
        text = f"The {first} came {words[0]}, the {second} {words[1]}, {third} number {place}."
        rows.append((text, label, f"place {place % 100}"))
    return pd.DataFrame(rows, columns=["text", "label", "film"])


def write_own_texts(folder, reviews):
    restaurant_reviews(500).to_csv(folder / "reviews.csv", index=False)


def write_unpacked_archive(folder, reviews):
    """The official archive's ``aclImdb/``, of 640 bundled reviews, with its lists of addresses."""
    short = reviews[reviews["text"].str.len() < 700]
    films = short["film"].where(short["film"].str.match(r"tt\d+$"), "tt9999999")
    short = short.assign(film=films)
    for half, part in (("train", "train"), ("test", "test")):
        for sentiment, label in (("pos", 1), ("neg", 0)):
            rows = short[(short["split"] == part) & (short["label"] == label)].head(160)
            (folder / "aclImdb" / half / sentiment).mkdir(parents=True)
            for number, text in enumerate(rows["text"]):
                name = f"{number}_{9 if label else 2}.txt"
                path = folder / "aclImdb" / half / sentiment / name
                path.write_text(text, encoding="utf-8")
            lines = [f"http://www.imdb.com/title/{film}/usercomments" for film in rows["film"]]
            addresses = folder / "aclImdb" / half / f"urls_{sentiment}.txt"
            addresses.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "number, write",
    [("06", write_unpacked_archive), ("07", write_unpacked_archive), ("07", write_own_texts)],
)
def test_notebooks_run_on_readers_own_texts(number, write, reviews, tmp_path, monkeypatch):
    """All cells, with a network of few words: nothing in them counts on the bundled reviews. 06 on
    own texts is among the own runs.
    """
    write(tmp_path, reviews)
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    kept = []
    smaller = {
        "20_000": "600",
        "10_000": "600",
        "SEEDS = [0, 1]": "SEEDS = [0]",
        "250, 1_000, 5_000": "100, 5_000",
    }
    replaced = {"ROOT": tmp_path, "save_scores": lambda *saved: kept.append(saved)}
    run_cells(number, smaller=smaller, **replaced)
    (_, source, scores) = kept[0]
    assert source["kind"] == "local"
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in scores)
    if number == "07":
        assert {row["task"] for row in scores} == {"review_sentiment_100_reviews"}
