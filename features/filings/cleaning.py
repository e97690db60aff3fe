"""One text: cleaning, words and sentences."""

import codecs
import re
import unicodedata
from functools import lru_cache

from features.words import without_entities

ABBREVIATIONS = "Inc Corp Co Ltd No Nos Mr Mrs Ms Dr St vs approx U.S i.e e.g [A-Z]".replace(
    ".", "[.]"
).split()
NO_ABBREVIATION = "".join(rf"(?<!\b{word}[.])" for word in ABBREVIATIONS)
BULLETS = "•●▪■◦"
SENTENCE_END = re.compile(
    rf"[.!?\n{BULLETS}](?:(?<=[{BULLETS}])|(?<=\n) *\n|(?<=[.!?])"
    + NO_ABBREVIATION
    + r"[\"')\]]*(?:(?: +|\n)(?=[^a-z ])|$))"
)
TOKEN = re.compile(r"\d[\d.,]*|\w+(?:[-']\w+)*|\0")
MARK, END = " \0 ", "\n"  # where a sentence ends, in a cleaned text and among tokens
GOES_ON, MAY_END = "\t", "\r"  # behind the tokens of a chunk: may a sentence end there?
NUMBER = "[number]"  # the token of all numbers
FIGURE = re.compile(r"[$(]*\d[\d,]*(?:[.]\d+)?[%)]*")  # the form of most numbers
PLAIN = {"’": "'", "‘": "'", "´": "'", "`": "'", "‐": "-", "‑": "-", "_": " "}
# soft hyphens and characters without width
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
PLAIN |= dict.fromkeys(INVISIBLE, "") | {"\ufffd": " ", "\u00a0": " "}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
CODEC = __name__  # of what lies beyond ASCII


def clean(text: str | None) -> str:
    """One string without control and zero-width characters, with plain quotes and hyphens; "" for
    None.

    HTML entities become characters, and compatibility characters ordinary ones (NFKC: ligatures,
    full-width letters, no-break spaces). Letters of any script stay as they are.
    """
    return clean_bytes(text).decode()


def clean_bytes(text: str | None) -> bytes:
    """The same in UTF-8."""
    text = without_entities(text or "")
    try:  # only what lies beyond ASCII is looked at: a tenth of the time
        cleaned = text.encode("ascii", CODEC)
    except UnicodeEncodeError:
        cleaned = _plain(text).encode()
    return cleaned.translate(ASCII)


def _plain(text):
    for character, plain in PLAIN.items():
        text = text.replace(character, plain)
    return CONTROL.sub(" ", unicodedata.normalize("NFKC", text))


ASCII = bytes.maketrans(bytes(range(128)), "".join(map(_plain, map(chr, range(128)))).encode())


@lru_cache(10_000)
def _plain_run(before, run):
    """What a run of characters beyond ASCII becomes behind ``before``; None where the two join."""
    plain = _plain(run)
    return plain.encode() if _plain(before + run) == _plain(before) + plain else None


def _replace(error):
    """For ``str.encode``: bytes instead of the characters that ASCII has not."""
    text, first, end = error.object, error.start, error.end
    plain = _plain_run(text[max(0, first - 1) : first], text[first:end])
    if plain is None:  # an accent of its own, which NFKC joins with the letter before
        raise error
    return plain, end


codecs.register_error(CODEC, _replace)


def _marked(cleaned):
    return SENTENCE_END.sub(MARK, cleaned)


def _tokens(marked):
    found = TOKEN.findall(marked.lower())
    return [END if token == MARK.strip() else token for token in found]


def split_tokens(text: str | None) -> list[str]:
    """Lower-case words, numbers, and "\\n" after each sentence, of a string or None."""
    return _tokens(_marked(clean(text)))


@lru_cache(100_000)
def tokens_of_chunk(chunk: str) -> str:
    """The tokens of what stands between two blanks of a cleaned text, each with a blank behind it,
    then MAY_END where a sentence may end there, else GOES_ON. Numbers are NUMBER.

    No token reaches beyond a blank, so a chunk has the same tokens wherever it stands: whoever
    keeps them looks for the tokens of each distinct chunk once. They are one string, because lists
    kept by the hundred thousand occupy Python's garbage collector.
    """
    word = chunk.rstrip(",;:")
    if word.isascii() and word.isalpha():  # most of them, and quickly
        return f"{word.lower()} {GOES_ON}"
    if FIGURE.fullmatch(word):
        return f"{NUMBER} {GOES_ON}"
    marked = _marked(chunk)
    stops = marked.endswith(MARK) and chunk[-1] not in BULLETS
    tokens = _tokens(marked.removesuffix(MARK) if stops else marked)
    tokens = [NUMBER if token[0].isdigit() else token for token in tokens]
    return " ".join([*tokens, MAY_END if stops else GOES_ON])
