"""One text: cleaning, words and sentences."""

import re
import unicodedata

ABBREVIATIONS = "Inc Corp Co Ltd No Nos Mr Mrs Ms Dr St vs approx U.S i.e e.g [A-Z]".replace(
    ".", "[.]"
).split()
NO_ABBREVIATION = "".join(rf"(?<!\b{word}[.])" for word in ABBREVIATIONS)
SENTENCE_END = re.compile(
    r"[.!?\n•●▪■◦](?:(?<=[•●▪■◦])|(?<=\n) ?\n|(?<=[.!?])"
    + NO_ABBREVIATION
    + r"[\"')\]]*(?:[ \n](?=[^a-z])|$))"
)
TOKEN = re.compile(r"\d[\d.,]*|\w+(?:[-']\w+)*|\n")
PLAIN = {"’": "'", "‘": "'", "´": "'", "`": "'", "‐": "-", "‑": "-", "_": " "}
INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, zero-width characters
SPACES = re.compile(r" {2,}")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffd]")


def clean(text):
    """One string without control and zero-width characters, with plain quotes and hyphens; "" for
    None.

    Compatibility characters become ordinary ones (NFKC: ligatures, full-width letters, no-break
    spaces). Letters of any script stay as they are.
    """
    if text is None:
        return ""
    for character, plain in PLAIN.items():
        text = text.replace(character, plain)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text))
    return SPACES.sub(" ", CONTROL.sub(" ", text))


def split_tokens(text):
    """Lower-case words, numbers, and "\\n" after each sentence, of a string or None."""
    return TOKEN.findall(
        SENTENCE_END.sub("\0", clean(text)).replace("\n", " ").replace("\0", "\n").lower()
    )
