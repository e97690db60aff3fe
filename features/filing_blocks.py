"""A long section as a sequence of blocks, each a weighted bag of words, for a recurrent network."""

from collections.abc import Sequence

import numpy as np
from gensim.models import Word2Vec
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from features.words import PAD, UNKNOWN, Vocabulary, tokenize


def count_matrix(sequences: Sequence[np.ndarray], size: int) -> csr_matrix:
    """How often each id occurs in each sequence: sparse, (samples, ``size``).

    The columns of padding and of unknown words are empty: neither says anything.
    """
    lengths = [len(ids) for ids in sequences]
    rows = np.repeat(np.arange(len(lengths)), lengths)
    ids = np.concatenate([np.zeros(0, dtype="int32"), *sequences])
    keep = ids > UNKNOWN
    entries = np.ones(keep.sum()), (rows[keep], ids[keep])
    return csr_matrix(entries, shape=(len(lengths), size))


def blocks_of_words(
    sequences: Sequence[np.ndarray],
    weights: csr_matrix,
    block: int = 100,
    blocks: int = 24,
    words: int = 80,
) -> tuple[np.ndarray, np.ndarray]:
    """Each section as at most ``blocks`` blocks of ``block`` ids, or of more where that is not
    enough.

    ``weights`` are those of the words of each section, sparse (samples, ids). A block is its
    distinct ids, each with its share of the weight: so much of it as the block has of the word's
    occurrences in the section. Summed over the blocks, the shares are the weights again. Of a block
    with more ids than ``words``, the heaviest are kept. Short sections are padded at the *end*: the
    mask of a GRU must begin with what is there, or cuDNN refuses it.

    Returns:
        (ids, shares): int32 and float32, each (samples, steps, ``words``) with as many steps as
        the longest section needs; PAD and 0 where there is no word.

    Raises:
        ValueError: a size below 1.
    """
    if min(block, blocks, words) < 1:
        raise ValueError(f"sizes must be at least 1, given {block}, {blocks} and {words}")
    longest = max((len(sequence) for sequence in sequences), default=0)
    steps = int(min(blocks, max(1, -(-longest // block))))
    ids = np.full((len(sequences), steps, words), PAD, dtype="int32")
    shares = np.zeros((len(sequences), steps, words), dtype="float32")
    for row, sequence in enumerate(sequences):
        each = np.zeros(weights.shape[1])  # weight of one occurrence
        entries = slice(weights.indptr[row], weights.indptr[row + 1])
        each[weights.indices[entries]] = weights.data[entries]
        each /= np.maximum(np.bincount(sequence, minlength=len(each)), 1)
        size, step = max(block, -(-len(sequence) // steps)), 0
        for first in range(0, len(sequence), size):
            found, share = _heaviest(sequence[first : first + size], each, words)
            if len(found) == 0:
                continue  # unknown words only: an empty step would be a gap in the mask
            ids[row, step, : len(found)] = found
            shares[row, step, : len(found)] = share
            step += 1
    return ids, shares


def _heaviest(part: np.ndarray, each: np.ndarray, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct known ids of a block and the sum of their weights, the heaviest first."""
    found, count = np.unique(part[part > UNKNOWN], return_counts=True)
    weight = count * each[found]
    order = np.argsort(-weight, kind="stable")[:words]
    return found[order], weight[order]


def word_vectors(
    sequences: Sequence[np.ndarray],
    size: int,
    width: int = 48,
    epochs: int = 2,
    noise: float = 0.02,
    seed: int = 0,
) -> np.ndarray:
    """Vectors of ``size`` ids to start an embedding with: word2vec on ``sequences``, plus noise.

    Skip-gram with negative sampling (Mikolov et al. 2013), on the training sections only, on one
    thread, so that two runs agree. Vectors have length one on average; padding is zero.

    Returns float32, (``size``, ``width``).
    """
    texts = [list(map(str, ids)) for ids in sequences]
    # gensim cuts longer texts off
    pieces = [text[first : first + 5000] for text in texts for first in range(0, len(text), 5000)]
    options = dict(vector_size=width, window=5, min_count=5, sg=1, negative=5)
    fitted = Word2Vec(pieces, epochs=epochs, seed=seed, workers=1, **options).wv
    vectors = random_vectors(size, width, noise, seed)
    known = [number for number in range(UNKNOWN, size) if str(number) in fitted]
    if known:
        learned = np.stack([fitted[str(number)] for number in known])
        vectors[known] += learned / np.linalg.norm(learned, axis=1).mean()
    return vectors


def random_vectors(size: int, width: int = 48, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Vectors of ``size`` ids to start an embedding with where there is no text to learn from.

    Returns float32, (``size``, ``width``); padding is zero.
    """
    vectors = np.random.default_rng(seed).normal(0, noise, (size, width)).astype("float32")
    vectors[PAD] = 0
    return vectors


def padded(blocks: tuple[np.ndarray, np.ndarray], steps: int) -> list[np.ndarray]:
    """Ids and weights of blocks, (samples, fewer, words), padded at the end to ``steps``."""
    return [np.pad(part, [(0, 0), (0, steps - part.shape[1]), (0, 0)]) for part in blocks]


def short_inputs(texts: Sequence[Sequence[str]], train: slice) -> tuple[list, np.ndarray, int]:
    """What a network and what ridge read of short texts, each a list of sentences.

    Returns ``sentence_blocks``, the TF-IDF weights of words and of pairs of neighbours, (texts,
    terms), and the number of known words; all from the words of the texts ``train``.
    """
    joined = [" . ".join(sentences) for sentences in texts]
    known = Vocabulary.fit([tokenize(text) for text in joined[train]])
    pairs = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(joined[train])
    return list(sentence_blocks(texts, known)), pairs.transform(joined).toarray(), len(known)


def sentence_blocks(
    texts: Sequence[Sequence[str]], vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts, each a list of sentences, with a sentence as a block; padding stands at the end.

    Returns (ids, weights, length): int32 and float32, each (texts, sentences of the longest text,
    words of the longest sentence), where the weights of a sentence are equal and of length one, and
    the standardised logarithm of the number of words, float32, (texts, 1).
    """
    sentences = []
    for text in texts:
        sentences.append(vocabulary.encode([tokenize(part) for part in text]))
    steps = max(len(text) for text in sentences)
    longest = max(len(ids) for text in sentences for ids in text)
    padded = np.full((len(texts), steps, longest), PAD, dtype="int32")
    for row, text in enumerate(sentences):
        for step, ids in enumerate(text):
            padded[row, step, : len(ids)] = ids
    filled = (padded != PAD).astype("float32")
    weights = filled / np.sqrt(np.maximum(filled.sum(axis=-1, keepdims=True), 1))
    length = np.log(filled.sum(axis=(1, 2)))[:, None]
    length = (length - length.mean()) / max(length.std(), 1e-9)
    return padded, weights, length.astype("float32")
