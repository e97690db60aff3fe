"""Reviews of one film stay together: bundled, in the archive, and in a CSV of own texts."""

import io
import tarfile

import numpy as np
import pandas as pd
import pytest

import data
from data.imdb import FILMS, joined_films, part_of_film, split_reviews


@pytest.fixture(scope="module")
def reviews():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_TRADING_DATA", "")
        return data.load_imdb()


def test_no_film_is_in_two_parts(reviews):
    assert (reviews.groupby("film")["split"].nunique() == 1).all()
    assert reviews["film"].str.fullmatch(r"tt\d{7}").all(), (
        "the film of every bundled review is known"
    )
    assert reviews["film"].nunique() == 3438
    assert reviews["film"].value_counts().max() == 30


def test_films_of_one_text_have_one_name(reviews):
    films = pd.read_csv(FILMS, dtype=str)
    assert films["review"].str.fullmatch(r"[0-9a-f]{12}").all()
    assert (films.groupby("review")["film"].nunique() > 1).sum() == 57
    names = joined_films(films["review"], "tt" + films["film"].str.zfill(7))
    assert (names.groupby(films["review"]).nunique() == 1).all()
    assert (names.groupby(films["film"]).nunique() == 1).all()
    assert set(names) == set(reviews["film"])


def test_films_are_joined_along_a_chain_of_texts():
    texts = pd.Series(["a", "a", "b", "b", "c", "c", "d", "e"])
    films = pd.Series(["4", "3", "3", "2", "2", "1", "5", None])
    names = joined_films(texts, films)
    assert names[:6].tolist() == ["1"] * 6 and names[6] == "5"
    assert names[7].startswith("review "), "a review of an unknown film stands alone"


def made_up(films=300, seed=0):
    rng = np.random.default_rng(seed)
    film = rng.integers(0, films, 3000)
    praise = rng.random(films)[film]
    labels = (rng.random(3000) < praise).astype(int)
    texts = [f"text {number}" for number in range(3000)]
    return pd.DataFrame({"text": texts, "label": labels, "film": [f"f{name}" for name in film]})


@pytest.mark.parametrize("seed", range(5))
def test_every_part_has_its_share_of_reviews_and_of_praise(seed):
    rows = split_reviews(made_up(seed=seed))
    shares = rows["split"].value_counts(normalize=True)
    assert abs(shares["test"] - 0.2) < 0.03 and abs(shares["validation"] - 0.08) < 0.03
    praise = rows.groupby("split")["label"].mean() - rows["label"].mean()
    assert praise.abs().max() < 0.05


def test_the_split_does_not_depend_on_the_order_of_the_rows():
    rows = made_up()
    first = split_reviews(rows).set_index("text").sort_index()
    again = split_reviews(rows.sample(frac=1, random_state=1)).set_index("text").sort_index()
    pd.testing.assert_frame_equal(first, again)
    assert set(part_of_film(rows, 0)) == {"train", "validation"}


def write_archive(folder, reviews, addresses):
    """The official form: one file a review, and lists of addresses in which line n is review n."""
    with tarfile.open(folder / "aclImdb_v1.tar.gz", "w:gz") as archive:
        for name, content in [*reviews.items(), *addresses.items()]:
            entry = tarfile.TarInfo(f"aclImdb/{name}")
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))


def test_films_of_the_archive_come_from_its_lists_of_addresses(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    texts, addresses, expected = {}, {}, {}
    for half, first in (("train", 0), ("test", 60)):
        for sentiment, rating in (("pos", 9), ("neg", 2)):
            lines = []
            for number in range(100):
                film = f"tt{first + number // 5:07}"
                text = f"{half} {sentiment} {number}"
                texts[f"{half}/{sentiment}/{number}_{rating}.txt"] = text
                expected[text] = film
                lines.append(f"http://www.imdb.com/title/{film}/usercomments\n")
            addresses[f"{half}/urls_{sentiment}.txt"] = "".join(lines)
    texts["train/pos/7_9.txt"] = "test neg 3"  # its film, 1, is film 60 of the test half
    write_archive(tmp_path, texts, addresses)
    rows = data.load_imdb()
    assert (rows.groupby("film")["split"].nunique() == 1).all()
    assert len(rows) == 390, "film 1 leaves the training half, the repeated text is in test"
    assert set(rows["film"][rows["split"] == "validation"]) < {f"tt{film:07}" for film in range(20)}
    apart = rows[rows["film"] != "tt0000001"]
    assert (apart["film"] == apart["text"].map(expected)).all()
    assert (rows["text"].str.startswith("test") == (rows["split"] == "test")).all()


def test_own_texts_are_split_by_what_they_are_about(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    made_up().to_csv(tmp_path / "reviews.csv", index=False)
    rows = data.load_imdb()
    assert rows.attrs["source"]["licence"] == "your own copy" and len(rows) == 3000
    assert (rows.groupby("film")["split"].nunique() == 1).all() and rows["film"].nunique() == 300
    made_up().drop(columns="film").to_csv(tmp_path / "reviews.csv", index=False)
    assert data.load_imdb()["film"].is_unique
