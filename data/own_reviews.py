"""Labelled texts of a reader: an unpacked archive, a CSV with review and sentiment, or one with
text and label.
"""

import re
from pathlib import Path

import pandas as pd

from data.checks import ContractError, as_labels, check_texts
from data.source import damaged

NAMES = {"review": "text", "sentiment": "label"}
RATING = re.compile(r"(\d+)_(\d+)\.txt")
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
            there = addresses.is_file()
            films = films_in(addresses.read_text(encoding="utf-8").splitlines() if there else [])
            for file in sorted((folder / half / sentiment).glob("*.txt")):
                match = RATING.fullmatch(file.name)
                if not match or (int(match[2]) >= 7) != bool(label):
                    raise damaged(
                        file, f"is filed as {sentiment}; needs a name such as 0_9.txt", "imdb"
                    )
                try:
                    text = file.read_text(encoding="utf-8")
                except UnicodeDecodeError as error:
                    raise damaged(file, f"is not UTF-8 ({error})", "imdb") from error
                rows.append((text, label, half, films.get(int(match[1]))))
    reviews = pd.DataFrame(rows, columns=["text", "label", "half", "film"])
    found = reviews.groupby(["half", "label"]).size()
    if len(found) < 4:
        raise damaged(
            folder, f"needs pos and neg reviews under train and test, found {len(reviews)}", "imdb"
        )
    return reviews


def films_in(lines: list[str]) -> dict[int, str]:
    """Film by number of the review: line n of a list of addresses belongs to review n."""
    films = {}
    for number, line in enumerate(lines):
        if match := FILM.search(line):
            films[number] = "tt" + match[1].zfill(7)
    return films


def read_table(path: Path) -> pd.DataFrame:
    """A CSV in UTF-8 with the columns text and label, or review and sentiment."""
    try:
        table = pd.read_csv(path, encoding="utf-8-sig").rename(columns=str.lower)
    except (ValueError, OSError) as error:
        raise damaged(path, f"cannot be read as CSV in UTF-8 ({error})", "imdb") from error
    table = table.rename(columns=NAMES)
    if not {"text", "label"} <= set(table):
        found = ", ".join(map(str, table.columns[:6]))
        raise damaged(
            path, f"needs the columns text, label (or review, sentiment), has {found}", "imdb"
        )
    try:
        labels, texts = as_labels(table["label"]), check_texts(table["text"])
    except ContractError as error:
        raise damaged(path, str(error), "imdb") from error
    least = pd.DataFrame({"text": texts, "label": labels}).drop_duplicates("text")
    if (fewest := least["label"].value_counts().min()) < 13 or least["label"].nunique() < 2:
        raise damaged(
            path, f"has {fewest} different texts of one label, at least 13 are needed", "imdb"
        )
    reviews = pd.DataFrame({"text": texts, "label": labels})
    if "film" in table:
        reviews["film"] = table["film"].astype("string").astype(object).to_numpy()
    return reviews
