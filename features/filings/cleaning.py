"""One text: cleaning, words and sentences."""

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
PLAIN = {"’": "'", "‘": "'", "´": "'", "`": "'", "‐": "-", "‑": "-", "_": " "}
# soft hyphens and characters without width
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
PLAIN |= dict.fromkeys(INVISIBLE, "") | {"\ufffd": " ", "\u00a0": " "}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
ASCII = dict.fromkeys((*range(10), *range(11, 32), 127), " ")  # what CONTROL has of it
ASCII |= {ord(character): plain for character, plain in PLAIN.items() if character.isascii()}


def clean(text: str | None) -> str:
    """One string without control and zero-width characters, with plain quotes and hyphens; "" for
    None.

    HTML entities become characters, and compatibility characters ordinary ones (NFKC: ligatures,
    full-width letters, no-break spaces). Letters of any script stay as they are.
    """
    if text is None:
        return ""
    text = without_entities(text)
    if text.isascii():
        return text.translate(ASCII)  # takes a tenth of the time of what follows
    for character, plain in PLAIN.items():
        text = text.replace(character, plain)
    return CONTROL.sub(" ", unicodedata.normalize("NFKC", text))


def _marked(cleaned):
    return SENTENCE_END.sub(MARK, cleaned)


def _tokens(marked):
    found = TOKEN.findall(marked.lower())
    return [END if token == MARK.strip() else token for token in found]


def split_tokens(text: str | None) -> list[str]:
    """Lower-case words, numbers, and "\\n" after each sentence, of a string or None."""
    return _tokens(_marked(clean(text)))


@lru_cache(100_000)
def tokens_of_chunk(chunk: str) -> tuple[list[str], bool]:
    """The tokens of what stands between two blanks of a cleaned text, and whether a sentence may
    end behind them.

    No token reaches beyond a blank, so a chunk has the same tokens wherever it stands: whoever
    keeps them looks for the tokens of each distinct chunk once.
    """
    word = chunk.rstrip(",;:")
    if word.isascii() and word.isalpha():  # most of them, and quickly
        return [word.lower()], False
    marked = _marked(chunk)
    stops = marked.endswith(MARK) and chunk[-1] not in BULLETS
    return _tokens(marked.removesuffix(MARK) if stops else marked), stops
