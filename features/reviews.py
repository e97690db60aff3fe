"""Words and pairs of reviews: how much more often praise has them, and linear models of them."""

from collections.abc import Iterable
from copy import copy
from itertools import chain

import numpy as np
from gensim.models import Word2Vec
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from features.words import UNKNOWN, Vocabulary

NEVER = -1  # position of a word or pair that was not counted
LEAST = 3  # reviews that must have a word or a pair
AT_ONCE = 2_000  # texts that are looked up together: more would fill the memory


class WordsAndPairs:
    """Where the words of a text, and the pairs of neighbouring words, stand in a list of names.

    The name of a pair is its two words with a blank between. A pair is looked up as one number, not
    as a string: that is several times as fast, and needs a fraction of the memory.
    """

    def __init__(self, names: Iterable[str]):
        self.names = list(names)
        parts = [name.split(" ") for name in self.names]
        words = dict.fromkeys(chain.from_iterable(parts))
        self._number = {word: number for number, word in enumerate(words)}
        self._of_word = np.full(len(words) + 1, NEVER, dtype="int32")  # the last is any other word
        pairs = {}
        for place, part in enumerate(parts):
            numbers = [self._number[word] for word in part]
            if len(part) == 1:
                self._of_word[numbers[0]] = place
            else:
                pairs[self._code(*numbers)] = place
        self._codes = np.array(sorted(pairs), dtype="int64")
        self._of_pair = np.array([pairs[code] for code in self._codes.tolist()], dtype="int32")

    @classmethod
    def fit(cls, tokens: list[list[str]], least: int = LEAST) -> "WordsAndPairs":
        """The words and pairs that at least ``least`` of the texts have."""
        every = cls(dict.fromkeys(chain.from_iterable(tokens)))
        numbers, texts = every._numbers(tokens)
        same = texts[1:] == texts[:-1]
        codes, pairs = np.unique(every._code(numbers[:-1], numbers[1:])[same], return_inverse=True)
        kept = np.flatnonzero(_texts_with(numbers, texts)[: len(every.names)] >= least)
        names = [every.names[number] for number in kept]
        kept = np.flatnonzero(_texts_with(pairs, texts[1:][same]) >= least)
        for first, second in zip(*np.divmod(codes[kept], len(every.names) + 1)):
            names.append(f"{every.names[first]} {every.names[second]}")
        return cls(names)

    def positions(self, tokens: list[list[str]]) -> list[np.ndarray]:
        """For each word of each text its position, and that of the pair it ends: (words, 2).

        ``NEVER`` where there is none; a text without words is one word never counted.
        """
        found = []
        for first in range(0, len(tokens), AT_ONCE):
            found += self._positions(tokens[first : first + AT_ONCE])
        return found

    def _positions(self, tokens):
        """``positions`` of a few texts."""
        numbers, texts = self._numbers(tokens)
        positions = np.full((len(numbers), 2), NEVER, dtype="int32")
        positions[:, 0] = self._of_word[numbers]
        if len(self._codes):
            codes = self._code(numbers[:-1], numbers[1:])
            place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
            found = (self._codes[place] == codes) & (texts[1:] == texts[:-1])
            positions[1:, 1][found] = self._of_pair[place[found]]
        ends = np.cumsum(np.bincount(texts, minlength=len(tokens)))
        return np.split(positions, ends[:-1])

    def counts(self, positions: list[np.ndarray]) -> sparse.csr_matrix:
        """How often a text has a word or pair, from ``positions``: (texts, names), float32."""
        rows = np.repeat(np.arange(len(positions)), [places.size for places in positions])
        columns = np.concatenate([places.ravel() for places in positions])
        known = columns != NEVER
        ones = np.ones(known.sum(), dtype="float32")
        shape = len(positions), len(self.names)
        return sparse.csr_matrix((ones, (rows[known], columns[known])), shape=shape)

    def counts_of(self, tokens: list[list[str]]) -> sparse.csr_matrix:
        """``counts`` of lists of words: (texts, names), float32."""
        return self.counts(self.positions(tokens))

    def _code(self, first, second):
        """One number for a pair of numbers of words."""
        return first * (len(self._number) + 1) + second

    def _numbers(self, tokens):
        """The number of each word and the text it is in, one text after the other: (words,)."""
        get, other = self._number.get, len(self._number)
        numbers = []
        for words in tokens:
            numbers += [get(word, other) for word in words] or [other]
        texts = np.repeat(np.arange(len(tokens)), [max(1, len(words)) for words in tokens])
        return np.array(numbers, dtype="int64"), texts


def _texts_with(numbers, texts):
    """How many of the ``texts`` have each number; both, (words,), say which text has which."""
    ones = np.ones(len(numbers), dtype="int32")
    return sparse.csr_matrix((ones, (texts, numbers))).getnnz(axis=0)  # duplicates are one entry


class CountedTexts:
    """Training texts whose words and pairs are counted once, for models of any labels.

    ``names`` is a WordsAndPairs, ``positions`` are those of each text and ``counts``, (texts,
    names), how often it has each.
    """

    def __init__(self, tokens: list[list[str]], least: int = LEAST):
        self.names = WordsAndPairs.fit(tokens, least)
        self.positions = self.names.positions(tokens)
        self.counts = self.names.counts(self.positions)

    def __len__(self):
        return len(self.positions)

    def part(self, rows: np.ndarray) -> "CountedTexts":
        """Some of the texts, with the words and pairs that are counted in all."""
        part = copy(self)
        part.positions = [self.positions[row] for row in rows]
        part.counts = self.counts[rows]
        return part


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

    def __init__(self, ratios: dict[str, float], names: WordsAndPairs | None = None):
        self.names = names or WordsAndPairs(ratios)
        self._values = np.array([*ratios.values(), 0], dtype="float32")  # the last is that of NEVER

    @property
    def ratios(self) -> dict[str, float]:
        return dict(zip(self.names.names, self._values.tolist()))

    def channels(self, tokens: list[list[str]]) -> list[np.ndarray]:
        """Two numbers for each word of each text: its ratio, and that of the pair it ends.

        Returns arrays (words, 2), float32; a text without words is one word never counted.
        """
        return self.channels_at(self.names.positions(tokens))

    def channels_at(self, positions: list[np.ndarray]) -> list[np.ndarray]:
        """``channels`` of texts whose ``positions`` among the names are known."""
        return [self._values[places] for places in positions]

    def weighted(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """The ratio of each word and pair that a text has, however often: as ``counts``."""
        ratios = counts.copy()
        ratios.data = self._values[counts.indices]
        return ratios


def fit_log_count_ratios(
    texts: CountedTexts | list[list[str]], labels: np.ndarray, strength: float = 1.0
) -> LogCountRatios:
    """The ratios of the words and pairs of training reviews.

    Args:
        texts: the training reviews, counted or as lists of words, which are counted here.
        labels: (reviews,), 1 positive and 0 negative, or the probability of praise between them.
        strength: what is added to both counts; large values draw the ratios of rare words to zero.

    Raises:
        ValueError: labels of one kind, or another number of labels than of reviews.
    """
    texts, labels = _counted(texts), np.asarray(labels, dtype=float)
    if len(texts) != len(labels) or not 0 < labels.mean() < 1 or np.ptp(labels) > 1:
        raise ValueError(
            f"needs reviews of both labels, given {len(texts)} with {len(labels)} labels, "
            f"{sorted(set(labels))[:3]}"
        )
    has = _has(texts.counts)
    positive, negative = has.T @ labels, has.T @ (1 - labels)
    values = log_ratio(positive, negative, labels.sum(), (1 - labels).sum(), strength)
    return LogCountRatios(dict(zip(texts.names.names, values.tolist())), texts.names)


def channels_without_film(
    texts: CountedTexts | list[list[str]],
    labels: np.ndarray,
    films: np.ndarray,
    strength: float = 1.0,
) -> list[np.ndarray]:
    """The channels of the training reviews themselves, from the reviews of *other* films.

    A ratio into which the label of the review was counted knows the answer, and a network would
    learn to trust it; one into which other reviews of the film were counted knows the names of its
    actors. ``films``, (reviews,), has the film of each; the other arguments are those of
    ``fit_log_count_ratios``. Result as ``LogCountRatios.channels``.
    """
    texts, labels, films = _counted(texts), np.asarray(labels, dtype=float), np.asarray(films)
    has = _has(texts.counts)
    positive, negative = has.T @ labels, has.T @ (1 - labels)
    values = np.zeros(has.shape[1] + 1, dtype="float32")  # the last is that of NEVER
    channels = [None] * len(texts)
    order = np.argsort(films, kind="stable")
    _, first = np.unique(films[order], return_index=True)
    for rows in np.split(order, first[1:]):
        of_film, praise = has[rows], labels[rows]
        inside, place = np.unique(of_film.indices, return_inverse=True)  # all that is looked up
        weights = np.repeat(praise, np.diff(of_film.indptr))
        values[inside] = log_ratio(
            positive[inside] - np.bincount(place, weights, len(inside)),
            negative[inside] - np.bincount(place, 1 - weights, len(inside)),
            labels.sum() - praise.sum(),
            (1 - labels).sum() - (1 - praise).sum(),
            strength,
        )
        for row in rows:
            channels[row] = values[texts.positions[row]]
    return channels


def _counted(texts):
    return texts if isinstance(texts, CountedTexts) else CountedTexts(texts)


def _has(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """1 where ``counts`` is above zero."""
    ones = np.ones_like(counts.data)
    return sparse.csr_matrix((ones, counts.indices, counts.indptr), shape=counts.shape)


def _fit_alone(regression, features, labels, weights=None):
    """Fit a logistic regression on one thread: several wait for each other, five times as long."""
    with threadpool_limits(1):
        return regression.fit(features, labels, sample_weight=weights)


class NaiveBayesRegression:
    """NB-LR: logistic regression on words and pairs, each times its log-count ratio.

    The linear model with the same information as a network that sees the two channels (Wang and
    Manning 2012).
    """

    def __init__(self, ratios: LogCountRatios, C: float = 1.0):
        self.ratios = ratios
        self.regression = LogisticRegression(C=C, max_iter=300)

    def fit(self, texts: CountedTexts, labels: np.ndarray) -> "NaiveBayesRegression":
        """Fit on the texts from which the ratios are, and labels 0 and 1, (reviews,)."""
        _fit_alone(self.regression, self.ratios.weighted(texts.counts), labels)
        return self

    def with_weights(self, weights: np.ndarray) -> "NaiveBayesRegression":
        """With the weights of a fitted one, (names + 1,), the intercept last."""
        fitted = self.regression
        fitted.classes_, fitted.n_features_in_ = np.array([0, 1]), len(weights) - 1
        fitted.coef_, fitted.intercept_ = weights[None, :-1], weights[-1:]
        return self

    def decision_function(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Log odds of praise, (reviews,), for the counts of reviews, (reviews, names)."""
        return self.regression.decision_function(self.ratios.weighted(counts))

    def predict_proba(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Probabilities of blame and of praise, (reviews, 2), for ``counts`` as above."""
        return self.regression.predict_proba(self.ratios.weighted(counts))

    def predict(self, tokens: list[list[str]]) -> np.ndarray:
        """Probability that each review is positive: (reviews,)."""
        return self.predict_proba(self.ratios.names.counts_of(tokens))[:, 1]


class TfidfRegression:
    """Logistic regression on TF-IDF, with sublinear counts, of the words and pairs of texts."""

    def __init__(self, texts: CountedTexts, C: float = 10):
        self.names = texts.names
        self.weights = TfidfTransformer(sublinear_tf=True).fit(texts.counts)
        self.regression = LogisticRegression(C=C)

    def fit(self, texts: CountedTexts, labels: np.ndarray) -> "TfidfRegression":
        """Fit on counted texts and labels 0 and 1, (texts,)."""
        _fit_alone(self.regression, self.weights.transform(texts.counts), labels)
        return self

    def features(self, tokens: list[list[str]]) -> sparse.csr_matrix:
        """TF-IDF of lists of words: (texts, names)."""
        return self.weights.transform(self.names.counts_of(tokens))

    def predict(self, tokens: list[list[str]]) -> np.ndarray:
        """Probability that each text is positive: (texts,)."""
        return self.regression.predict_proba(self.features(tokens))[:, 1]


def shuffled_words(tokens: list[list[str]], seed: int = 0) -> list[list[str]]:
    """The same words of each text in a random order."""
    rng = np.random.default_rng(seed)
    shuffled = []
    for words in tokens:
        order = rng.permutation(len(words))
        shuffled.append([words[place] for place in order])
    return shuffled


def fit_word_vectors(
    tokens: list[list[str]], vocabulary: Vocabulary, dimensions: int = 50, seed: int = 0
) -> np.ndarray:
    """Vectors of the words of a vocabulary, learned from texts without labels: (words, dimensions).

    word2vec, a word from the mean of its neighbours (CBOW, Mikolov et al. 2013), by gensim on one
    thread, so that a seed gives the same numbers again. The rate is higher than usual, because a
    few thousand texts are read a few times only; one wrong word beside each right one is enough for
    so few, takes less time, and gave a better mean of the vectors of a review. float32, with a
    spread of one; zeros for padding, the unknown word, and words that occur less than five times.
    """
    settings = {"vector_size": dimensions, "sg": 0, "window": 8, "negative": 1, "sample": 1e-4}
    settings |= {"alpha": 0.12, "epochs": 4, "min_count": 5}
    model = Word2Vec(tokens, workers=1, seed=seed, **settings)
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


def logits_of(
    names: Iterable[str], models: dict[str, list], case: int, features: dict
) -> list[np.ndarray]:
    """Log odds of praise by some linear models of a case: one array, (texts,), a model.

    ``models`` has the models by name and case, ``features`` what each of them reads of the texts.
    """
    return [models[name][case].decision_function(features[name]) for name in names]


def soft_labels(
    logits: list[np.ndarray],
    known: np.ndarray = (),
    labels: np.ndarray = (),
    like: list[np.ndarray] | None = None,
) -> np.ndarray:
    """Labels for all texts from the logits of several teachers: (texts,), between 0 and 1.

    Each array of ``logits``, (texts,), is centred and scaled to a spread of one, so that no teacher
    is louder than another; the label is the sigmoid of twice their mean. ``known`` are the
    positions of the texts whose true ``labels`` are given, which stay. ``like`` are the logits of
    the same teachers for the texts whose centre and spread are taken; by default those given.
    """
    scaled = []
    for values, of in zip(logits, logits if like is None else like):
        scaled.append((values - of.mean()) / of.std())
    soft = 1 / (1 + np.exp(-2 * np.mean(scaled, axis=0)))
    soft[np.asarray(known, dtype=int)] = labels
    return soft


def fit_soft(
    features: sparse.csr_matrix | np.ndarray, labels: np.ndarray, C: float = 10
) -> LogisticRegression:
    """A logistic regression on labels between 0 and 1, (texts,), or 0 and 1 themselves.

    A label of 0.8 counts as four fifths of a positive text and one fifth of a negative one.
    """
    features, labels = sparse.csr_matrix(features), np.asarray(labels)
    praised, blamed = np.flatnonzero(labels > 0), np.flatnonzero(labels < 1)
    both = features[np.concatenate([praised, blamed])]  # one copy: they are large
    target = np.repeat([1, 0], [len(praised), len(blamed)])
    weights = np.concatenate([labels[praised], 1 - labels[blamed]])
    return _fit_alone(LogisticRegression(C=C, max_iter=200), both, target, weights)


def random_part(groups: np.ndarray, seed: int, share: float = 0.2) -> np.ndarray:
    """Marks about that share of the rows, (rows,) of bool: whole groups, drawn at random."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.cumsum(np.bincount(member)[order]) / len(member)
    return np.isin(member, order[reached <= share])
