"""Raw text to integer sequences for recurrent networks: plain Python and NumPy."""

import html
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from data.checks import whole_number

PAD, UNKNOWN = 0, 1  # padding is masked; an unknown word is a word
ELEMENTS = (
    "a|abbr|b|big|blockquote|center|code|dd|del|div|dl|dt|em|font|h[1-6]|hr|i|img|ins|li|ol|p|pre|q"
    "|s|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul"
)
ATTRIBUTE = r"""\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+)"""
TAG = re.compile(  # "<i>", but neither "a < b > c" nor "<I loved it>", which has no equals sign
    rf"<\s*/?\s*br\b[^<>]*>|</?(?:{ELEMENTS})(?:{ATTRIBUTE})*\s*/?\s*>|<!--.*?-->",
    re.IGNORECASE | re.DOTALL,
)
ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")


def _combining() -> str:
    """Marks that belong to the letter before them, where Python tears words of Hindi or Tamil."""
    marks = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
    runs, first = [], 0
    for place in range(1, len(marks) + 1):
        if place == len(marks) or marks[place] != marks[place - 1] + 1:
            runs.append(f"{chr(marks[first])}-{chr(marks[place - 1])}")
            first = place
    return "".join(runs)


PLAIN_WORD = re.compile(r"n't|'(?:s|m|d|re|ve|ll)\b|\w+|[!?]")  # faster, for plain English
LETTER = rf"\w(?:[{_combining()}]|[\u200c\u200d](?=\w))*"
WORD = re.compile(rf"n't|'(?:s|m|d|re|ve|ll)\b|(?:{LETTER})+|[!?]")
TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "_": " "})
# without width: soft hyphens, a byte order mark inside
TYPOGRAPHIC |= dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF))


def without_entities(text: str) -> str:
    """A string whose HTML entities, such as &amp; or &#8217;, are the characters they stand for."""
    if "&" not in text:
        return text
    return ENTITY.sub(lambda found: html.unescape(found[0]), text)


def tokenize(text: str) -> list[str]:
    """Lower-case words of a string, split as GloVe's were: "It's bad, isn't it?" -> it 's bad is
    n't it ?

    HTML entities become characters; tags and comments of HTML, and punctuation other than ! and ?,
    are dropped; an accent that is a character of its own joins its letter (NFC), and the vowel
    signs of scripts such as Devanagari stay in their words. Each word is kept in memory once,
    however many texts have it. Raises TypeError for anything but a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"needs a string, given {type(text).__name__}")
    word, text = PLAIN_WORD, without_entities(text)
    if not text.isascii():
        text, word = unicodedata.normalize("NFC", text), WORD
    if "<" in text:
        text = TAG.sub(" ", text)
    words = word.findall(text.translate(TYPOGRAPHIC).lower().replace("n't", " n't"))
    return list(map(sys.intern, words))


@dataclass
class Vocabulary:
    """Words and their positions in a sequence: ``Vocabulary.fit(tokens)`` counts them,
    ``Vocabulary(words)`` has them.

    ``words[0]`` stands for padding and ``words[1]`` for every unknown word; the rest is sorted by
    frequency. ``counts`` holds the occurrences of all words that were counted.
    """

    words: list
    counts: Counter = field(default_factory=Counter, repr=False)

    def __post_init__(self):
        self.index = {
            word: position for position, word in enumerate(self.words) if position > UNKNOWN
        }

    @classmethod
    def fit(cls, tokens: Iterable[list[str]], size: int = 20_000) -> "Vocabulary":
        """The most frequent words of ``tokens``, the lists of words of the training texts and of
        nothing else.

        ``size`` counts the two special entries. Raises ValueError where there is no word.
        """
        counts = Counter(chain.from_iterable(_words_of(tokens)))
        if not counts or whole_number("size", size, 1) < 3:
            raise ValueError(
                f"a vocabulary needs at least one word and a size of 3, given {len(counts)} and "
                f"{size}"
            )
        ranked = sorted(
            counts, key=lambda word: (-counts[word], word)
        )  # ties by name: the same on every run
        return cls(["[pad]", "[unknown]", *ranked[: size - 2]], counts)

    def __len__(self):
        return len(self.words)

    def encode(self, tokens: Iterable[list[str]]) -> list[np.ndarray]:
        """Lists of words as arrays of positions, int32, without padding; a text without words is
        one unknown word.
        """
        get = self.index.get
        return [
            np.array([get(word, UNKNOWN) for word in words] or [UNKNOWN], dtype="int32")
            for words in _words_of(tokens)
        ]


def _words_of(tokens):
    """``tokens``, lists of words, one by one; TypeError for a text, which is a list of letters."""
    for words in [tokens] if isinstance(tokens, str) else tokens:
        if isinstance(words, str):
            raise TypeError(
                f"needs a list of words for each text, given the text {words[:40]!r}: use tokenize"
            )
        yield words


def truncate(sequences: list, length: int, keep: str = "both") -> list:
    """At most ``length`` positions of each sequence.

    ``keep`` says which: the "first", the "last", or half of them from "both" ends. Raises
    ValueError for another word, or a length below 1.
    """
    if keep not in ("first", "last", "both") or length < 1:
        raise ValueError(
            "keep must be one of first, last, both and length at least 1, "
            f"given {keep!r} and {length}"
        )
    return [_cut(sequence, length, keep) for sequence in sequences]


def _cut(sequence, length, keep):
    if len(sequence) <= length:
        return sequence
    if keep == "first":
        return sequence[:length]
    if keep == "last":
        return sequence[-length:]
    tail = length // 2
    head = length - tail
    return np.concatenate([sequence[:head], sequence[len(sequence) - tail :]])


def pad(sequences: list, length: int | None = None, side: str = "left") -> np.ndarray:
    """Sequences as one int32 array (samples, length), filled with PAD on the ``left`` or the
    ``right``.

    ``length`` defaults to the longest sequence; a longer one than ``length`` raises ValueError
    (``truncate`` first).
    """
    sizes = np.array([len(sequence) for sequence in sequences], dtype=int)
    length = int(sizes.max(initial=1)) if length is None else length
    if side not in ("left", "right") or (len(sizes) and sizes.max() > length):
        raise ValueError(
            f"side must be left or right and no sequence longer than {length}, given {side!r}, "
            f"{sizes.max(initial=0)}"
        )
    columns = np.arange(length)
    filled = columns >= length - sizes[:, None] if side == "left" else columns < sizes[:, None]
    padded = np.full((len(sizes), length), PAD, dtype="int32")
    if len(sizes):
        padded[filled] = np.concatenate(sequences)
    return padded


def batches_by_length(
    sequences: list, lengths: list[int], batch_size: int, rng: np.random.Generator | None = None
) -> list[tuple[np.ndarray, int]]:
    """Positions of batches of similar length, with the length to pad each to: a list of (rows,
    length).

    A sequence belongs to the first of the ``lengths``, which are sorted here, that holds it, so
    that only a few shapes occur: each is one compilation, and short texts do not wait for long
    ones. With ``rng`` (a NumPy Generator) rows and batches are shuffled, without it they are in
    order. ValueError where a sequence is longer than all ``lengths``.
    """
    sizes, batches = np.array([len(sequence) for sequence in sequences], dtype=int), []
    lengths = sorted({whole_number("a length", length, 1) for length in lengths})
    if not lengths:
        raise ValueError("lengths must hold at least one length, given none")
    if sizes.max(initial=0) > max(lengths):
        raise ValueError(
            f"the longest sequence has {sizes.max()} positions, the longest of the lengths is "
            f"{max(lengths)}"
        )
    bucket = np.searchsorted(lengths, sizes)
    for number, length in enumerate(lengths):
        rows = np.flatnonzero(bucket == number)
        rows = rows if rng is None else rng.permutation(rows)
        batches += [
            (rows[first : first + batch_size], length) for first in range(0, len(rows), batch_size)
        ]
    if rng is None or not batches:
        return batches
    batches = [batches[position] for position in rng.permutation(len(batches))]
    other = next((place for place, batch in enumerate(batches) if batch[1] != batches[0][1]), 0)
    batches.insert(
        min(1, other), batches.pop(other)
    )  # Keras takes what does not vary in two batches for fixed
    return batches
