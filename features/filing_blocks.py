"""A long section as a sequence of blocks, each a weighted bag of words, for a recurrent network."""

from collections.abc import Sequence

import numpy as np
from gensim.models import Word2Vec
from scipy.sparse import csr_matrix

from features.words import PAD, UNKNOWN, Vocabulary, tokenize


def count_matrix(sequences: Sequence[np.ndarray], size: int) -> csr_matrix:
    """How often each id occurs in each sequence: sparse, (samples, ``size``).

    The columns of padding and of unknown words are empty: neither says anything.
    """
    lengths = [len(ids) for ids in sequences]
    rows = np.repeat(np.arange(len(lengths)), lengths)
    ids = np.concatenate([np.zeros(0, dtype="int32"), *sequences])
    keep = ids > UNKNOWN
    entries = np.ones(keep.sum(), dtype="float32"), (rows[keep], ids[keep])
    return csr_matrix(entries, shape=(len(lengths), size))


def inverse_document_frequency(counts: csr_matrix) -> np.ndarray:
    """Smoothed logarithm of the share of samples without a word, (words,), as scikit-learn has it.

    Salton and Buckley (1988). ``counts`` holds the training samples and no others.
    """
    samples = counts.shape[0]
    found = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.log((1 + samples) / (1 + found)) + 1


def blocks_of_words(
    sequences: Sequence[np.ndarray],
    idf: np.ndarray,
    block: int = 100,
    blocks: int = 48,
    words: int = 80,
) -> tuple[np.ndarray, np.ndarray]:
    """Each section as at most ``blocks`` blocks of ``block`` ids, spread evenly over it.

    A block is its distinct ids with TF-IDF weights (1 + log of the count, times ``idf``) of length
    one, the heaviest ``words`` of them. Short sections are padded at the *end*: the mask of a GRU
    must begin with what is there, or cuDNN refuses it.

    Returns:
        (ids, weights): int32 and float32, each (samples, steps, ``words``) with as many steps as
        the longest section needs; PAD and 0 where there is no word.

    Raises:
        ValueError: a size below 1.
    """
    if min(block, blocks, words) < 1:
        raise ValueError(f"sizes must be at least 1, given {block}, {blocks} and {words}")
    sizes = np.array([max(1, -(-len(ids) // block)) for ids in sequences], dtype=int)
    steps = int(min(blocks, sizes.max(initial=1)))
    ids = np.full((len(sequences), steps, words), PAD, dtype="int32")
    weights = np.zeros((len(sequences), steps, words), dtype="float32")
    for row, sequence in enumerate(sequences):
        chosen = np.linspace(0, sizes[row] - 1, min(sizes[row], steps)).astype(int)
        step = 0
        for number in chosen:
            part = sequence[number * block : (number + 1) * block]
            found, weight = _heaviest(part, idf, words)
            if len(found) == 0:
                continue  # unknown words only: an empty step would be a gap in the mask
            ids[row, step, : len(found)] = found
            weights[row, step, : len(found)] = weight
            step += 1
    return ids, weights


def _heaviest(part: np.ndarray, idf: np.ndarray, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct known ids of a block and their weights of length one, the heaviest first."""
    found, count = np.unique(part[part > UNKNOWN], return_counts=True)
    weight = (1 + np.log(count)) * idf[found]
    order = np.argsort(-weight, kind="stable")[:words]
    weight = weight[order]
    return found[order], weight / max(np.sqrt((weight**2).sum()), 1e-9)


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
    texts = [[str(number) for number in ids] for ids in sequences]
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


def sentence_blocks(
    texts: Sequence[Sequence[str]], vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts, each a list of sentences, with a sentence as a block; padding stands at the end.

    Returns (ids, weights, length): int32 and float32, each (texts, sentences of the longest text,
    words of the longest sentence), where the weights of a sentence are equal and of length one, and
    the standardised logarithm of the number of words, float32, (texts, 1).
    """
    sentences = [[vocabulary.encode([tokenize(part)])[0] for part in text] for text in texts]
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
