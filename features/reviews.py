"""Words and pairs of reviews: how much more often praise has them, and linear models of them."""

from itertools import pairwise

import numpy as np
from gensim.models import Word2Vec
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from features.words import UNKNOWN, Vocabulary

NEVER = -1  # position of a word or pair that was not counted


def words_and_pairs(tokens: list[str]) -> list[str]:
    """What a bag of words counts in a review: its words, and each word with the one before."""
    return [*tokens, *map(" ".join, pairwise(tokens))]


def log_ratio(
    positive: np.ndarray,
    negative: np.ndarray,
    positives: int,
    negatives: int,
    strength: float = 1.0,
) -> np.ndarray:
    """Naive-Bayes log-count ratio of words (Wang and Manning 2012), shrunken: (words,).

    log((p + a) / (q + a)), where p and q, (words,), count the positive and the negative reviews
    that have a word, each divided by the frequency of its label (times two, so that equally
    frequent labels change nothing), and a is ``strength``. A word that no review has gets 0.
    """
    both = positives + negatives
    p, q = positive * both / (2 * positives), negative * both / (2 * negatives)
    return np.log((p + strength) / (q + strength))


class LogCountRatios:
    """How much more often positive than negative reviews have a word, or a pair of neighbours.

    ``ratios`` has it by word and by pair, the two words with a blank between; what is not in it has
    the ratio 0.
    """

    def __init__(self, ratios: dict[str, float]):
        self.ratios = ratios
        self._position = {name: position for position, name in enumerate(ratios)}
        self._values = np.array([*ratios.values(), 0], dtype="float32")  # the last is that of NEVER

    def channels(self, tokens: list[list[str]]) -> list[np.ndarray]:
        """Two numbers for each word of each text: its ratio, and that of the pair it ends.

        Returns arrays (words, 2), float32; a text without words is one word never counted.
        """
        return [self._values[self._positions(words)] for words in tokens]

    def channels_without(
        self, tokens: list[list[str]], labels: np.ndarray, films: np.ndarray, strength: float = 1.0
    ) -> list[np.ndarray]:
        """The channels of the training reviews themselves, from the reviews of *other* films.

        A ratio into which the label of the review was counted knows the answer, and a network
        would learn to trust it; one into which other reviews of the film were counted knows the
        names of its actors. ``films``, (reviews,), has the film of each; the other arguments are
        those of ``fit_log_count_ratios``. Result as ``channels``.
        """
        labels, films = np.asarray(labels, dtype=float), np.asarray(films)
        positions = [self._positions(words) for words in tokens]
        counts = self._counts(positions)
        positive, negative = counts.T @ labels, counts.T @ (1 - labels)
        values, channels = self._values.copy(), [None] * len(tokens)
        order = np.argsort(films, kind="stable")
        _, first = np.unique(films[order], return_index=True)
        for rows in np.split(order, first[1:]):
            of_film, praise = counts[rows], labels[rows]
            inside, place = np.unique(of_film.indices, return_inverse=True)  # no other changes
            weights = np.repeat(praise, np.diff(of_film.indptr))
            values[inside] = log_ratio(
                positive[inside] - np.bincount(place, weights, len(inside)),
                negative[inside] - np.bincount(place, 1 - weights, len(inside)),
                labels.sum() - praise.sum(),
                (1 - labels).sum() - (1 - praise).sum(),
                strength,
            )
            for row in rows:
                channels[row] = values[positions[row]]
            values[inside] = self._values[inside]
        return channels

    def _positions(self, words: list[str]) -> np.ndarray:
        """Positions of the words and of the pairs in ``ratios``, (words, 2)."""
        find = self._position.get
        positions = np.full((max(1, len(words)), 2), NEVER, dtype="int32")
        positions[: len(words), 0] = [find(word, NEVER) for word in words]
        positions[1 : len(words), 1] = [find(" ".join(pair), NEVER) for pair in pairwise(words)]
        return positions

    def _counts(self, positions: list[np.ndarray]) -> sparse.csr_matrix:
        """1 where a text has a word or pair, from ``_positions`` of each: (texts, ratios)."""
        rows = np.repeat(np.arange(len(positions)), [places.size for places in positions])
        columns = np.concatenate([places.ravel() for places in positions])
        known = columns != NEVER
        ones = np.ones(known.sum(), dtype="float32")
        shape = len(positions), len(self.ratios)
        counts = sparse.csr_matrix((ones, (rows[known], columns[known])), shape=shape)
        counts.data[:] = 1
        return counts


def fit_log_count_ratios(
    tokens: list[list[str]], labels: np.ndarray, strength: float = 1.0
) -> LogCountRatios:
    """The ratios of all words and pairs that at least two training reviews have.

    Args:
        tokens: lists of words, one for each training review.
        labels: (reviews,), 1 positive and 0 negative, or the probability of praise between them.
        strength: what is added to both counts; large values draw the ratios of rare words to zero.

    Raises:
        ValueError: labels of one kind, or another number of labels than of reviews.
    """
    labels = np.asarray(labels, dtype=float)
    if len(tokens) != len(labels) or not 0 < labels.mean() < 1 or np.ptp(labels) > 1:
        raise ValueError(
            f"needs reviews of both labels, given {len(tokens)} with {len(labels)} labels, "
            f"{sorted(set(labels))[:3]}"
        )
    counter = CountVectorizer(analyzer=words_and_pairs, min_df=2, binary=True, dtype=np.float32)
    counts = counter.fit_transform(tokens)
    positive, negative = counts.T @ labels, counts.T @ (1 - labels)
    values = log_ratio(positive, negative, labels.sum(), (1 - labels).sum(), strength)
    return LogCountRatios(dict(zip(counter.get_feature_names_out(), values.tolist())))


class NaiveBayesRegression:
    """NB-LR: logistic regression on words and pairs, each times its log-count ratio.

    The linear model with the same information as a network that sees the two channels (Wang and
    Manning 2012).
    """

    def __init__(self, ratios: LogCountRatios, C: float = 1.0):
        self.ratios = ratios
        self.regression = LogisticRegression(C=C, max_iter=300)

    def fit(self, tokens: list[list[str]], labels: np.ndarray) -> "NaiveBayesRegression":
        """Fit on lists of words and labels 0 and 1, (reviews,)."""
        self.regression.fit(self._features(tokens), labels)
        return self

    def predict(self, tokens: list[list[str]]) -> np.ndarray:
        """Probability that each review is positive: (reviews,)."""
        return self.regression.predict_proba(self._features(tokens))[:, 1]

    def _features(self, tokens):
        positions = [self.ratios._positions(words) for words in tokens]
        return self.ratios._counts(positions).multiply(self.ratios._values[:-1]).tocsr()


def fit_tfidf(tokens: list[list[str]], labels: np.ndarray, C: float = 10) -> Pipeline:
    """TF-IDF of the words and pairs that three reviews have, and a logistic regression.

    ``predict_proba(tokens)[:, 1]`` of what is returned is the probability of praise.
    """
    counter = CountVectorizer(analyzer=words_and_pairs, min_df=3, dtype=np.float32)
    regression = LogisticRegression(C=C)
    return make_pipeline(counter, TfidfTransformer(sublinear_tf=True), regression).fit(
        tokens, labels
    )


def shuffled_words(tokens: list[list[str]], seed: int = 0) -> list[list[str]]:
    """The same words of each text in a random order."""
    rng = np.random.default_rng(seed)
    return [[words[place] for place in rng.permutation(len(words))] for words in tokens]


def fit_word_vectors(
    tokens: list[list[str]], vocabulary: Vocabulary, dimensions: int = 50, seed: int = 0
) -> np.ndarray:
    """Vectors of the words of a vocabulary, learned from texts without labels: (words, dimensions).

    word2vec, skip-gram (Mikolov et al. 2013), by gensim on one thread, so that a seed gives the
    same numbers again. float32, with a spread of one; zeros for padding, the unknown word, and
    words that occur less than five times.
    """
    settings = {"vector_size": dimensions, "sg": 1, "window": 5, "negative": 5, "sample": 1e-4}
    model = Word2Vec(tokens, epochs=3, min_count=5, workers=1, seed=seed, **settings)
    vectors = np.zeros((len(vocabulary), dimensions), dtype="float32")
    for position, word in enumerate(vocabulary.words):
        if position > UNKNOWN and word in model.wv:
            vectors[position] = model.wv[word]
    return vectors / max(float(vectors[UNKNOWN + 1 :].std()), 1e-6)


def inverse_frequencies(sequences: list[np.ndarray], words: int) -> np.ndarray:
    """Weight of each position, (words,): the log of one over the share of texts that have it.

    ``sequences`` are the positions of the words of the training texts.
    """
    texts = np.zeros(words)
    for sequence in sequences:
        texts[np.unique(sequence)] += 1
    return np.log((len(sequences) + 1) / (texts + 1))


def mean_vectors(
    sequences: list[np.ndarray], vectors: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Weighted mean vector of the words of each text: (texts, dimensions).

    ``sequences`` are positions in ``vectors``, (words, dimensions), and ``weights``, (words,),
    which ``inverse_frequencies`` gives.
    """
    means = np.zeros((len(sequences), vectors.shape[1]))
    for row, sequence in enumerate(sequences):
        of_words = weights[sequence]
        means[row] = of_words @ vectors[sequence] / max(of_words.sum(), 1e-6)
    return means


def soft_labels(logits: list[np.ndarray], known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels for all texts from the logits of several teachers: (texts,), between 0 and 1.

    Each array of ``logits``, (texts,), is centred and scaled to a spread of one, so that no teacher
    is louder than another; the label is the sigmoid of twice their mean. ``known`` are the
    positions of the texts whose true ``labels`` are given, which stay.
    """
    mean = np.mean([(values - values.mean()) / values.std() for values in logits], axis=0)
    soft = 1 / (1 + np.exp(-2 * mean))
    soft[known] = labels
    return soft


def fit_soft(
    features: sparse.csr_matrix | np.ndarray, labels: np.ndarray, C: float = 10
) -> LogisticRegression:
    """A logistic regression on labels between 0 and 1, (texts,), or 0 and 1 themselves.

    A label of 0.8 counts as four fifths of a positive text and one fifth of a negative one.
    """
    features = sparse.csr_matrix(features)
    both = sparse.vstack([features, features]).tocsr()
    target = np.repeat([1, 0], features.shape[0])
    weights = np.concatenate([labels, 1 - np.asarray(labels)])
    used = np.flatnonzero(weights > 0)
    regression = LogisticRegression(C=C, max_iter=200)
    return regression.fit(both[used], target[used], sample_weight=weights[used])


def random_part(groups: np.ndarray, seed: int, share: float = 0.2) -> np.ndarray:
    """Marks about that share of the rows, (rows,) of bool: whole groups, drawn at random."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.cumsum(np.bincount(member)[order]) / len(member)
    return np.isin(member, order[reached <= share])
