"""Labelled texts of a reader: an unpacked archive, a CSV with review and sentiment, or one with
text and label.
"""

import re
from pathlib import Path

import pandas as pd

from data.checks import ContractError, as_labels, check_texts
from data.source import damaged
from data.tables import read_csv, some

NAMES = {"review": "text", "sentiment": "label"}
RATING = re.compile(r"(\d+)_(\d+)\.txt")
RATINGS = range(1, 5), range(7, 11)  # of a pan, of praise
FILM = re.compile(r"/title/tt(\d+)")


def read_local_reviews(path: Path) -> pd.DataFrame:
    """``text`` and ``label`` (0, 1) of a CSV or a folder; ``half`` and ``film`` where known.

    Raises DataError naming the file, the row, what was found and what is needed.
    """
    if path.is_dir():
        return read_folder(path)
    reviews = read_table(path)
    if "film" not in reviews:
        print(
            f"{path.name} has no column film: texts about one thing may stand in several parts "
            "and make the test look easier than it is"
        )
    return reviews


def read_folder(folder: Path) -> pd.DataFrame:
    """The labelled reviews of an unpacked ``aclImdb/``: train and test, pos and neg.

    ``film`` comes from its lists of addresses, whose line n belongs to review n; None without them.
    """
    rows = []
    for half in ("train", "test"):
        for sentiment, label in (("pos", 1), ("neg", 0)):
            addresses = folder / half / f"urls_{sentiment}.txt"
            films = films_in(_text_of(addresses).splitlines() if addresses.is_file() else [])
            before = len(rows)
            for file in sorted((folder / half / sentiment).glob("[!.]*.txt")):
                number, text = _read_file(file, sentiment, label)
                rows.append((text, label, half, films.get(number)))
            if len(rows) == before:
                problem = f"has no review in {half}/{sentiment}"
                needed = "train/pos, train/neg, test/pos and test/neg"
                raise damaged(folder, f"{problem}; needs some in each of {needed}", "imdb")
    return pd.DataFrame(rows, columns=["text", "label", "half", "film"])


def _read_file(file: Path, sentiment: str, label: int) -> tuple[int, str]:
    """Number and text of one review, whose name ends with its rating."""
    match = RATING.fullmatch(file.name)
    if not match or int(match[2]) not in RATINGS[label]:
        name = "0_9.txt" if label else "0_2.txt"
        raise damaged(file, f"is filed as {sentiment}; needs a name such as {name}", "imdb")
    text = _text_of(file)
    if not text.strip():
        raise damaged(file, "is empty; needs a text", "imdb")
    return int(match[1]), text


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise damaged(file, f"is not UTF-8 ({error})", "imdb") from error
    except OSError as error:
        raise damaged(file, f"is no file of text ({error.strerror})", "imdb") from error


def films_in(lines: list[str]) -> dict[int, str]:
    """Film by number of the review: line n of a list of addresses belongs to review n."""
    films = {}
    for number, line in enumerate(lines):
        if match := FILM.search(line):
            films[number] = "tt" + match[1].zfill(7)
    return films


def read_table(path: Path) -> pd.DataFrame:
    """A CSV in UTF-8 with the columns text and label, or review and sentiment."""
    try:  # a text may be the word null, so that only an empty field is missing
        table = read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        table = table.rename(columns=_plain_name)
        for name in ("text", "label"):
            if list(table).count(name) != 1:
                raise ContractError(
                    "needs the columns text, label (or review, sentiment), each once, has "
                    f"{some(table)}"
                )
        reviews = table[["text", "label"]].assign(label=as_labels(table["label"]))
        check_texts(reviews["text"])
        _check_different(reviews)
    except (ValueError, OSError) as error:
        raise damaged(path, error, "imdb") from error
    if "film" in table:
        reviews["film"] = table["film"].astype("string").astype(object).to_numpy()
    return reviews


def _plain_name(name: object) -> str:
    plain = str(name).strip().lower()
    return NAMES.get(plain, plain)


def _check_different(reviews: pd.DataFrame) -> None:
    """Enough different texts of both labels; a text with both is said, since one of them counts."""
    both = reviews.groupby("text")["label"].nunique() > 1
    if both.any():
        print(f"{both.sum():,} texts stand under both labels; the first label of each counts")
    fewest = reviews.drop_duplicates("text")["label"].value_counts().reindex([0, 1]).fillna(0).min()
    if fewest < 13:
        raise ContractError(
            f"has {fewest:.0f} different texts of one label, at least 13 are needed"
        )
