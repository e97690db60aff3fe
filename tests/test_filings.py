"""Filings: loader, synthetic 10-K generator, the way from text to sequences, and the return after a
filing.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dask.distributed import Client, LocalCluster
from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases

from data import filings as filings_loader
from data.filings import load_filings
from data.source import DataError, sha256
from data.synthetic import (
    BAD,
    COLUMNS,
    EFFECT,
    GOOD,
    PREAMBLE,
    _lines_of_business,
    _news,
    synthetic_filings,
)
from features.filing_returns import returns_after_filing
from features.filings import (
    Settings,
    common,
    dask_client,
    encode,
    fit,
    load_sequences,
    split_tokens,
    tokenize_corpus,
    words_of_part,
)
from features.filings import phrases as phrases_step
from features.filings import tokens as tokens_step
from features.filings.common import stream
from tools.bench_filings import simulate

ROOT = Path(__file__).resolve().parent.parent
# Dask asks for a route to the outside to learn its own address, and says so where there is none.
pytestmark = pytest.mark.filterwarnings("ignore:Couldn't detect a suitable IP address")


def correlation(effect):
    filings, prices = synthetic_filings(effect=effect)
    words = filings["text"].str.split()
    tone = words.map(
        lambda text: sum(word in GOOD for word in text) - sum(word in BAD for word in text)
    )
    entry = prices.index.searchsorted(filings["date_filed"], side="right")
    week = prices.to_numpy()[entry + 5] / prices.to_numpy()[entry] - 1
    own = week[np.arange(len(filings)), prices.columns.get_indexer(filings["ticker"])]
    return pd.Series(own - week.mean(axis=1)).corr(tone / words.str.len(), method="spearman")


def test_counting_words_finds_the_planted_effect():
    assert correlation(EFFECT) > 0.4


def test_no_effect_no_correlation():
    assert abs(correlation(0)) < 0.1


def test_effect_changes_no_text():
    pd.testing.assert_frame_equal(synthetic_filings(5, 3)[0], synthetic_filings(5, 3, effect=0)[0])


def test_synthetic_sections_have_the_form_of_real_ones():
    texts = synthetic_filings(40, 5)[0].sort_values(["ticker", "date_filed"])["text"]
    sentences = [
        [part.split() for part in " ".join(split_tokens(text)).split("\n")] for text in texts
    ]
    lengths = np.array([len(words) for section in sentences for words in section if words])
    assert (
        15 < np.median(lengths) < 35
        and 0.02 < np.mean(lengths > 50) < 0.15
        and np.mean(lengths < 5) > 0.01
    )
    assert len({word for section in sentences for words in section for word in words}) > 1000
    assert (
        texts.str.contains("•").mean() > 0.5
        and 0.1 < texts.str.contains(r"\d,\d{3} \d").mean() < 0.3
    )
    assert texts.str.contains(PREAMBLE, regex=False).all()
    said = [{" ".join(words) for words in section} for section in sentences]
    repeated = [
        len(said[row] & said[row - 1]) / len(said[row]) for row in range(len(said)) if row % 5
    ]
    assert 0.4 < np.median(repeated) < 0.9


def test_synthetic_text_has_rare_words():
    """The 250 most frequent words cover 97 % without lines of business, 64 % of real text."""
    counts = Counter()
    for text in synthetic_filings(24, 5)[0]["text"]:
        counts.update(word for word in split_tokens(text) if word != "\n")
    covered = sum(count for _, count in counts.most_common(250)) / sum(counts.values())
    assert 0.6 < covered < 0.85


def test_the_synthetic_file_is_written_once_for_each_generator(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    monkeypatch.setattr(filings_loader, "BUNDLED", tmp_path / "synthetic.parquet")
    monkeypatch.setattr(filings_loader, "synthetic_filings", lambda: synthetic_filings(2, 2))
    written = filings_loader.filings_file().stat().st_mtime_ns
    assert filings_loader.filings_file().stat().st_mtime_ns == written
    monkeypatch.setattr(filings_loader, "sha256", lambda path: "another generator")
    assert filings_loader.filings_file().stat().st_mtime_ns > written
    filings_loader.BUNDLED.write_bytes(b"damaged")
    assert len(pd.read_parquet(filings_loader.filings_file())) == 4


def test_news_are_scattered_over_the_section():
    body = synthetic_filings(20, 5)[0]["text"].str.split("\n\n", n=2).str[2]
    tone = body.str.split().map(lambda words: [word in GOOD + BAD for word in words])
    places = np.concatenate([np.flatnonzero(marked) / len(marked) for marked in tone])
    assert np.histogram(places, 5, (0, 1))[0] == pytest.approx([len(places) / 5] * 5, rel=0.15)


def test_local_filings_keep_every_row(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    rows = [("B", 1, "10-K", pd.Timestamp("2020-02-02"), "1A", "")]
    rows.append(("A", 2, "10-K", pd.Timestamp("2020-02-01"), "1A", "日本\x00"))
    pd.DataFrame(rows + rows[:1], columns=COLUMNS).to_parquet(tmp_path / "filings_10k.parquet")
    filings = load_filings()
    assert list(filings["ticker"]) == ["A", "B", "B"] and filings.attrs["source"]["kind"] == "local"


def test_a_filing_without_a_date_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    row = ("A", 1, "10-K", pd.NaT, "1A", "text")
    pd.DataFrame([row], columns=COLUMNS).astype({"date_filed": "datetime64[us]"}).to_parquet(
        tmp_path / "filings_10k.parquet"
    )
    with pytest.raises(DataError, match="row 1 has no date_filed"):
        load_filings()


def test_missing_column_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    pd.DataFrame({"ticker": ["A"]}).to_parquet(tmp_path / "filings_10k.parquet")
    with pytest.raises(DataError, match="data download filings"):
        load_filings()


# --------------------------------------------------------------------------- preprocessing (features/filings)

END = "2013-01-01"
BUNDLED = {
    "name": "filings",
    "kind": "bundled",
    "origin": "test",
    "sha256": sha256(ROOT / "data" / "synthetic.py"),
}
TROUBLE = {
    "empty": "",
    "null": None,
    "blank": " \n\n \t ",
    "giant sentence": "risk " * 5003,
    "table": "Revenue 1,204 993 12.5 %\n Net income (34) 22 18 7.1\n\n" * 20,
    "not latin": "リスク 要因 は 市場 に あります. Ακόμη ένας κίνδυνος υπάρχει για την εταιρεία μας.",
    "control characters": "We \x00may\x0c lose\x1f our\u200b cust\u00adomers\ufeff in any year.",
    "short": "Item 1A. Risk Factors.\n\nWe may lose customers in any period.",
}


@pytest.fixture(scope="module")
def client():
    with dask_client_in_process() as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def bundled_data():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNN_TRADING_DATA", "")
        yield


def dask_client_in_process(threads=1):
    options = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    return Client(processes=False, n_workers=1, threads_per_worker=threads, **options)


def corpus_file(path, texts, first="2010-01-04", gap="7D"):
    dates = pd.date_range(first, periods=len(texts), freq=gap).astype("datetime64[us]")
    rows = {
        "ticker": [f"T{i % 3}" for i in range(len(texts))],
        "cik": 1,
        "form": "10-K",
        "date_filed": dates,
        "item": "1A",
    }
    pd.DataFrame({**rows, "text": list(texts)}).to_parquet(path, index=False)
    return path


def whole_chain(path, folder, client, end=END, part_bytes=20_000, settings=Settings(min_count=5)):
    corpus = tokenize_corpus(path, client, settings, folder, part_bytes)
    model = fit(corpus, end, client)
    encode(corpus, model, client, source=BUNDLED)
    return corpus, model, load_sequences(end, folder)


def plain_texts(count=60, seed=0):
    rng = np.random.default_rng(seed)
    lines = _lines_of_business(rng, 0)
    return [" ".join(_news(rng, 20, 0, late=[], lines=lines)) for _ in range(count)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, client):
    folder = tmp_path_factory.mktemp("filings")
    path = corpus_file(folder / "in.parquet", plain_texts(240))  # from 2010 to 2014
    return (path, folder / "out", *whole_chain(path, folder / "out", client))


def test_troublesome_texts_keep_their_rows_and_their_words_are_counted(tmp_path, client):
    path = corpus_file(tmp_path / "in.parquet", TROUBLE.values())
    corpus, _, frame = whole_chain(path, tmp_path, client, settings=Settings(min_count=1))
    frame.index = list(TROUBLE)
    kept = frame["sequence"].str.len()
    assert len(frame) == len(TROUBLE)
    assert (kept[["empty", "null", "blank", "table"]] == 0).all() and (
        kept.drop(["empty", "null", "blank", "table"]) > 0
    ).all()
    totals = corpus.totals()
    assert (
        totals["without_text"] == 3
        and totals["without_sentence"] == 4
        and totals["sections"] == len(TROUBLE)
    )
    assert (
        frame.loc["giant sentence", "words"] == 5003
        and frame.loc["giant sentence", "sentences_cut"] == 1
    )
    assert frame.loc["table", "words_in_tables"] == frame.loc["table", "words"] > 60
    assert frame.loc["short", ["words", "words_in_short"]].tolist() == [12, 5]


def test_no_word_is_lost_without_being_counted(tmp_path, client):
    path = corpus_file(tmp_path / "in.parquet", [*TROUBLE.values(), *plain_texts(6)])
    corpus = tokenize_corpus(path, client, folder=tmp_path)
    table = pd.concat(pd.read_feather(corpus.folder / part["file"]) for part in corpus.parts)
    assert (
        table["tokens"].str.len() + table["words_in_tables"] + table["words_in_short"]
        == table["words"]
    ).all()
    assert (table["lengths"].map(sum) == table["tokens"].str.len()).all()


def test_sentences_have_5_to_50_words_and_long_ones_are_cut_evenly(tmp_path, client):
    lengths = [4, 5, 50, 51, 101, 149]
    text = " ".join(" ".join(["word"] * length).capitalize() + "." for length in lengths)
    corpus = tokenize_corpus(corpus_file(tmp_path / "in.parquet", [text]), client, folder=tmp_path)
    table = pd.read_feather(corpus.folder / corpus.parts[0]["file"])
    assert table["lengths"][0].tolist() == [5, 50, 26, 25, 34, 34, 33, 50, 50, 49]
    assert table["words_in_short"][0] == 4 and table["sentences_cut"][0] == 3


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (
            "Acme Inc. sells in the U.S. market. It grows.",
            "acme inc sells in the u s market \n it grows \n",
        ),
        ("Costs fell 3.5 to 1,200. Next", "costs fell 3.5 to 1,200 \n next"),
        ("No end. lower case follows", "no end lower case follows"),
        ("A “risk”! (Really?) Yes", "a risk \n really \n yes"),
        ("one\n\ntwo • three\nfour", "one \n two \n three four"),
        ("company’s long\u2011term ﬁnance_plan", "company's long-term finance plan"),
        ("data\x00base soft\u00adware", "data base software"),
        ("caf\u00e9 cafe\u0301 `so\uff3fcalled\x7f", "caf\u00e9 caf\u00e9 so called"),
        ("Company&#8217;s R&amp;D&nbsp;costs. AT&T", "company's r d costs \n at t"),
    ],
)
def test_tokens(text, tokens):
    assert split_tokens(text) == re.findall(r"[^ ]+", tokens)


PIECES = [" ", "  ", "\n", "\n\n", " \n", ".", "!", '"', ")", "•", "a", "word", "The", "No", "Inc."]
PIECES += ["U.S.", "e.g.", "5", "1,204", "-", "’", "”", "_"]
PIECES += ["\xa0", "\u200b", "\t", "\u2028", "&#10;"]
PIECES += ["&amp;", "ﬁ", "Σ", "İ", "é", "\u0301", "日本", "Five words are here now.", ". ", ". B"]


def test_texts_read_at_once_have_the_sentences_of_each():
    """Chunks are found by their bytes, on all texts of a part; ``split_tokens`` reads one text."""
    rng = np.random.default_rng(0)
    settings = Settings(shortest=1, longest=10**6)
    for _ in range(300):
        texts = ["".join(rng.choice(PIECES, rng.integers(60))) for _ in range(4)]
        words, tokens, lengths, owner, _ = tokens_step._sentences(texts, settings)
        found = np.split(np.array(words, dtype=object)[tokens], np.cumsum(lengths)[:-1])
        expected = []
        for row, text in enumerate(texts):
            for sentence in " ".join(split_tokens(text)).split("\n"):
                said = sentence.split()
                numbers = [word[0].isdigit() for word in said]
                if len(said) >= max(1, 2 * sum(numbers)):
                    said = np.where(numbers, "[number]", said)
                    expected.append((row, " ".join(said)))
        assert [(row, " ".join(said)) for row, said in zip(owner, found)] == expected, texts


def test_cleaning_takes_linear_time():
    for text in (" " * 300_000, "\n " * 150_000, "." * 300_000, "x" * 300_000, '."' * 150_000):
        start = time.process_time()
        split_tokens(text)
        assert time.process_time() - start < 3


def test_phrases_are_those_of_gensim(prepared):
    path, folder, corpus, model, frame = prepared
    sentences = []
    for part in corpus.parts:
        words = words_of_part(corpus.folder / part["file"])
        table = pd.read_feather(corpus.folder / part["file"])
        for tokens, lengths in table.loc[
            table["date_filed"] < END, ["tokens", "lengths"]
        ].itertuples(index=False):
            sentences += [
                [words[token] for token in piece]
                for piece in np.split(tokens, np.cumsum(lengths)[:-1])
            ]
    options = dict(min_count=5, threshold=0.5, scoring="npmi")
    options["connector_words"] = ENGLISH_CONNECTOR_WORDS
    assert set(phrases_step.CONNECTORS) == ENGLISH_CONNECTOR_WORDS
    tokens = list(model.words)
    frequent = Counter(word for words in sentences for word in words)
    for delimiter, phrases in (("_", model.bigrams), ("+", model.trigrams)):
        theirs = Phrases(sentences, delimiter=delimiter, **options)
        theirs.vocab.pop("[number]", None)
        assert len(phrases) > 3
        for row in phrases.itertuples():
            between = phrases_step._connectors(row.between)
            pair = tokens[row.first], tokens[row.second]
            assert theirs.score_candidate(*pair, between)[1] == pytest.approx(row.score)
        tokens += list(phrases["phrase"])
        joined = list(theirs[sentences])
        sentences = joined
    sentences = [" ".join(words).replace("+", "_").split() for words in sentences]
    counts = Counter(word for words in sentences for word in words)
    ours = model.vocabulary.iloc[2:]
    assert dict(zip(ours["token"], ours["count"])) == {
        word: count for word, count in counts.items() if "_" in word or frequent[word] >= 5
    }
    assert any("_of_" in phrase or "_and_" in phrase for phrase in ours["token"])
    assert {"interest_rates", "natural_gas_prices"} <= set(model.vocabulary["token"])


def test_numbers_are_one_token_and_in_no_phrase(tmp_path, client):
    text = "Costs rose by 3.5 percent and by 1,200 dollars in the year 2011 alone."
    path = corpus_file(tmp_path / "in.parquet", [text] * 8)
    _, model, frame = whole_chain(path, tmp_path, client, settings=Settings(min_count=2))
    vocabulary = frame.attrs["vocabulary"]
    said = [vocabulary[token] for token in frame["sequence"][0]]
    assert said.count("[number]") == 3 and "by_percent" not in "_".join(said)
    assert not model.vocabulary["token"].str.contains("_[number]", regex=False).any()


def test_sequences_say_what_the_text_says(prepared):
    path, folder, corpus, model, frame = prepared
    texts = pd.read_parquet(path)["text"]
    vocabulary = frame.attrs["vocabulary"]
    assert len(frame) == len(texts) == 240 and sorted(frame["row"]) == list(range(240))
    known = set(vocabulary)
    for entry in frame.itertuples():
        said = "_".join(vocabulary[token] for token in entry.sequence).split("_")
        words = [word for word in split_tokens(texts[entry.row]) if word != "\n"]
        words = ["[number]" if word[0].isdigit() else word for word in words]
        assert said == [
            word if word in known or word == found else "[unknown]"
            for word, found in zip(words, said, strict=True)
        ]
        assert sum(entry.sentences) == len(entry.sequence)


def test_a_phrase_that_is_not_in_the_vocabulary_is_read_as_its_words(tmp_path, client):
    """In training, supply chain is always followed by costs; later it stands alone."""
    rng, others = (
        np.random.default_rng(0),
        [f"word{letter}{end}" for letter in "abcdefghij" for end in "klmnopqrst"],
    )
    around = [
        [" ".join(rng.choice(others, 4)).capitalize(), " ".join(rng.choice(others, 4))]
        for _ in range(300)
    ]
    between = ["supply chain costs", "supply", "chain"] * 100
    texts = [f"{first} {words} {last}." for words, (first, last) in zip(between, around)]
    texts = [
        " ".join(texts),
        " ".join(f"{first} supply chain {last}." for first, last in around[:9]),
    ]
    _, model, frame = whole_chain(
        corpus_file(tmp_path / "in.parquet", texts), tmp_path, client, end="2010-01-08"
    )
    vocabulary = frame.attrs["vocabulary"]
    assert "supply_chain" in set(model.bigrams["phrase"]) - set(vocabulary) and {
        "supply",
        "chain",
    } <= set(vocabulary)
    said = [vocabulary[token] for token in frame["sequence"][1]]
    assert said[4:6] == ["supply", "chain"] and len(said) == sum(frame["sentences"][1]) == 90


def test_two_words_of_different_sentences_are_no_phrase(tmp_path, client):
    texts = ["We all expect more supply. Chain stores are everywhere in town. " * 30]
    texts += ["They all look at the chain. Stores are open in town. " * 2]
    _, model, frame = whole_chain(corpus_file(tmp_path / "in.parquet", texts), tmp_path, client)
    assert "supply_chain" not in set(model.bigrams["phrase"]) and "chain_stores" in set(
        model.bigrams["phrase"]
    )
    said = [
        "_".join(frame.attrs["vocabulary"][token] for token in ids) for ids in frame["sequence"]
    ]
    assert "chain_stores" in said[0]
    single = [frame.attrs["vocabulary"][token] for token in frame["sequence"][1]]
    assert not [token for token in single if "chain_stores" in token]


def test_a_part_that_fails_while_it_is_written_leaves_no_file(
    prepared, tmp_path, client, monkeypatch
):
    def write_half(path, schema, **options):
        Path(path).write_bytes(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(common.ipc, "new_file", write_half)
    with pytest.raises(OSError, match="disk full"):
        tokenize_corpus(prepared[0], client, folder=tmp_path)
    assert not list((tmp_path / "tokens").glob("*.arrow"))


def test_text_after_the_training_period_changes_nothing_before(prepared, tmp_path, client):
    path, folder, corpus, model, frame = prepared
    table = pd.read_parquet(path)
    later = table["date_filed"] >= END
    assert 0 < later.sum() < len(table)
    table.loc[later, "text"] = (
        "Brand new terms like quantum leap quantum leap are everywhere today. " * 99
    )
    table.to_parquet(tmp_path / "in.parquet", index=False)
    _, other, changed = whole_chain(tmp_path / "in.parquet", tmp_path / "out", client)
    assert other.words == model.words and changed.attrs["vocabulary"] == frame.attrs["vocabulary"]
    for name in ("bigrams", "trigrams", "vocabulary"):
        pd.testing.assert_frame_equal(getattr(other, name), getattr(model, name))
    early = frame["date_filed"] < END
    assert all(map(np.array_equal, frame.loc[early, "sequence"], changed.loc[early, "sequence"]))
    assert not all(
        map(np.array_equal, frame.loc[~early, "sequence"], changed.loc[~early, "sequence"])
    )


def test_a_filing_on_the_first_day_after_training_is_not_fitted(tmp_path, client):
    texts = ["Early words are here in this text. " * 9, "Later words come up on this day. " * 9]
    path = corpus_file(
        tmp_path / "in.parquet", texts, first="2012-12-25"
    )  # the second on 2013-01-01
    said = "_".join(whole_chain(path, tmp_path, client)[1].vocabulary["token"])
    assert "early" in said and "later" not in said


def test_parts_do_not_change_the_result(prepared, tmp_path, client):
    path, folder, corpus, model, frame = prepared
    assert len(corpus.parts) > 5
    other = whole_chain(path, tmp_path, client, part_bytes=10**9)
    assert len(other[0].parts) == 1 and other[1].name == model.name
    assert all(map(np.array_equal, frame["sequence"], other[2]["sequence"]))


def test_a_cluster_is_used_by_its_address(tmp_path, client):
    path = corpus_file(tmp_path / "in.parquet", plain_texts(40))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        with dask_client(cluster.scheduler_address) as remote:
            assert remote.scheduler.address == cluster.scheduler_address
            there = tokenize_corpus(path, remote, folder=tmp_path / "there", part_bytes=20_000)
            busy = remote.run(lambda dask_worker: dask_worker.state.executed_count)
    assert list(busy.values()) == [len(there.parts)]
    assert (
        there.totals()
        == tokenize_corpus(path, client, folder=tmp_path / "here", part_bytes=20_000).totals()
    )


def test_empty_training_period_is_an_error(prepared, client):
    with pytest.raises(ValueError, match="training period is empty"):
        fit(prepared[2], "1990-01-01", client)


def test_a_year_is_its_first_day(prepared, client):
    """A year as a number is no count of nanoseconds since 1970."""
    corpus = prepared[2]
    by_year, by_day = fit(corpus, 2013, client), fit(corpus, "2013-01-01", client)
    assert by_year.training_end == by_day.training_end == "2013-01-01"
    pd.testing.assert_frame_equal(by_year.vocabulary, by_day.vocabulary)


def test_missing_or_damaged_input_names_the_command(tmp_path, client):
    (tmp_path / "in.parquet").write_bytes(b"no parquet")
    for path in (tmp_path / "in.parquet", tmp_path / "absent.parquet"):
        with pytest.raises(DataError, match="data download filings"):
            tokenize_corpus(path, client, folder=tmp_path)
    with pytest.raises(DataError, match="make notebooks NB=08"):
        load_sequences(END, tmp_path)


def test_sequences_of_another_training_period_or_other_filings_are_refused(
    prepared, client, tmp_path, monkeypatch
):
    path, folder, corpus, model, frame = prepared
    assert len(load_sequences(pd.Timestamp(END), folder)) == len(frame)
    with pytest.raises(
        DataError,
        match="before 2013-01-01, but 2014-01-01 is asked for.*TRAINING_END.*make notebooks NB=08",
    ):
        load_sequences("2014-01-01", folder)
    copy = replace(corpus, folder=shutil.copytree(folder, tmp_path / "copy") / "tokens")
    for source, problem in (
        ({"kind": "local"}, "made from local filings"),
        ({"sha256": "0"}, "not those in use now"),
    ):
        encode(copy, model, client, source={**BUNDLED, **source})
        with pytest.raises(DataError, match=f"{problem}.*make notebooks NB=08"):
            load_sequences(END, tmp_path / "copy")
    shutil.copy(path, tmp_path / "filings_10k.parquet")
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    with pytest.raises(DataError, match="made from bundled filings.*make notebooks NB=08"):
        load_sequences(END, folder)


def test_results_keep_their_order_and_tasks_are_made_when_there_is_room():
    made = []
    tasks = (made.append(task) or task for task in range(8))
    with dask_client_in_process(threads=2) as client:

        def slow_first(task):
            time.sleep(0.3 if task == 0 else 0)
            return task

        results = stream(client, slow_first, tasks, "test", False)
        assert not made and next(results) == 0
        assert list(results) == list(range(1, 8)) and made == list(range(8))
        made.clear()
        tasks = (made.append(task) or task for task in range(99))
        assert next(stream(client, lambda task: task, tasks, "test", False)) == 0 and len(made) < 9


# ---------------------------------------------------------------------------------------- interruption, memory

KILLED = """
import os, sys
from pathlib import Path
from dask.distributed import Client
from features.filings import Settings, tokenize_corpus, tokens
real, folder = tokens.write, Path(sys.argv[2])
def write(table, path):
    if len(list((folder / "tokens").glob("*.arrow"))) == 3:
        path.with_suffix(".1.tmp").write_bytes(b"half a file")
        os._exit(9)
    real(table, path)
tokens.write = write
client = Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
tokenize_corpus(sys.argv[1], client, Settings(min_count=5), folder, 20_000)
"""


def run_python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_a_killed_run_goes_on_where_it_stopped(prepared, tmp_path, client):
    path, folder, corpus, model, frame = prepared
    assert run_python(KILLED, path, tmp_path).returncode == 9
    finished = {file: file.stat().st_mtime_ns for file in (tmp_path / "tokens").glob("*.arrow")}
    assert len(finished) == 3
    other = whole_chain(path, tmp_path, client)
    assert other[0].written == len(corpus.parts) - 3 and other[1].name == model.name
    assert finished == {file: file.stat().st_mtime_ns for file in finished}, (
        "finished parts are not written again"
    )
    assert all(map(np.array_equal, frame["sequence"], other[2]["sequence"]))
    assert encode(other[0], other[1], client)["written"] == 0


def test_a_changed_section_setting_or_rule_makes_new_parts(prepared, tmp_path, client, monkeypatch):
    path, folder, corpus, model, frame = prepared
    settings = Settings(min_count=5)
    assert tokenize_corpus(path, client, settings, folder, 20_000).written == 0
    table = pd.read_parquet(path)
    table.loc[len(table) - 1, "text"] += " One more sentence is here."
    table.to_parquet(tmp_path / "in.parquet", index=False)
    assert tokenize_corpus(tmp_path / "in.parquet", client, settings, folder, 20_000).written == 1
    assert tokenize_corpus(path, client, Settings(longest=20), folder, 20_000).written == len(
        corpus.parts
    )
    monkeypatch.setattr(tokens_step, "CODE", "the file with another rule")
    assert tokenize_corpus(path, client, settings, tmp_path / "other", 20_000).written == len(
        corpus.parts
    )
    names = {path.name for path in (tmp_path / "other" / "tokens").iterdir()}
    assert not names & {part["file"] for part in corpus.parts}


MEMORY = """
import resource, sys
from dask.distributed import Client
from features.filings import encode, fit, tokenize_corpus
client = Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
corpus = tokenize_corpus(sys.argv[1], client, folder=sys.argv[2], part_bytes=500_000)
encode(corpus, fit(corpus, "2030-01-01", client), client)
print(corpus.totals()["megabytes"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    texts = synthetic_filings(20, 20)[0]["text"].tolist()
    peaks = []
    for copies in (1, 6):
        path = tmp_path / f"{copies}.parquet"
        rows = pd.DataFrame(
            {
                "ticker": "A",
                "cik": 1,
                "form": "10-K",
                "date_filed": pd.Timestamp("2010-01-04"),
                "item": "1A",
            },
            range(400),
        )
        rows = rows.assign(text=texts)
        writer = None
        for _ in range(copies):
            table = pa.Table.from_pandas(rows, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table, row_group_size=100)
        writer.close()
        run = run_python(MEMORY, path, tmp_path / f"out{copies}")
        peaks.append(tuple(map(float, run.stdout.split())))
    (small, before), (large, after) = peaks
    assert large == pytest.approx(6 * small) and large > 25
    assert after - before < (large - small), (
        f"{before:.0f} MB for {small:.0f} MB of text, {after:.0f} MB for {large:.0f} MB"
    )


@pytest.mark.parametrize("gigabytes", [1.8, 100])
def test_simulated_tasks_scale_with_workers_and_hold_few_parts(gigabytes):
    """With reading at a 25th of the work: near linear up to eight workers, at any size; at a
    quarter, up to four.
    """
    for read, most_workers in ((0.01, 8), (0.0625, 4)):
        alone, _ = simulate(1000 * gigabytes, 1, 0.25, read)
        for workers in (2, 4, 8):
            seconds, most = simulate(1000 * gigabytes, workers, 0.25, read)
            assert (alone / seconds > 0.95 * workers) == (workers <= most_workers)
            assert most <= 2 * workers, "memory does not grow with the corpus"
    assert simulate(1000, 64, 0.25, 0.01)[0] >= 1000 * 0.01, "no faster than it is read"


# --------------------------------------------------------------------- the target (features/filing_returns.py)

DAYS = pd.bdate_range(
    "2020-01-06", periods=15, name="date"
)  # Monday the 6th; the 11th is a Saturday


def filed(*rows):
    return pd.DataFrame(rows, columns=["ticker", "date_filed"]).astype(
        {"date_filed": "datetime64[us]"}
    )


def panel():
    a = [100, 100, 100, 101, 102, 103, 104, 110, 120, 130, 140, 150, 160, 170, 180.0]
    b = [50, 50, 50, 50, 50, 50, 50, 50, 50, 55, 60, 60, 60, 60, 60.0]
    return pd.DataFrame({"A": a, "B": b}, DAYS)


def test_target_by_hand():
    """Filed on Wednesday the 8th: bought on Thursday at 101, sold five trading days later, on the
    16th, at 120.
    """
    row = returns_after_filing(filed(("A", "2020-01-08")), panel()).iloc[0]
    assert (row["entry"], row["exit"]) == (pd.Timestamp("2020-01-09"), pd.Timestamp("2020-01-16"))
    assert row["raw"] == pytest.approx(120 / 101 - 1) and row["status"] == "ok"
    assert row["market"] == pytest.approx((120 / 101 - 1 + 0) / 2) and row[
        "excess"
    ] == pytest.approx(row["raw"] - row["market"])


def test_past_week_ends_with_the_filing_date():
    row = returns_after_filing(filed(("A", "2020-01-14")), panel()).iloc[0]
    assert row["past_week"] == pytest.approx((104 / 100 - 1) / 2)


def test_weekend_filings_are_bought_on_monday_and_two_on_a_day_stay_two():
    rows = returns_after_filing(
        filed(("A", "2020-01-10"), ("A", "2020-01-11"), ("A", "2020-01-12"), ("A", "2020-01-12")),
        panel(),
    )
    assert (
        (rows["entry"] == pd.Timestamp("2020-01-13")).all()
        and rows["raw"].nunique() == 1
        and len(rows) == 4
    )


def test_what_has_no_return_says_why():
    prices = panel()
    prices.loc["2020-01-13":"2020-01-14", "A"] = np.nan
    prices.loc["2020-01-15":, "B"] = np.nan
    rows = filed(
        ("A", "2020-01-05"),
        ("C", "2020-01-08"),
        ("A", "2020-01-20"),
        ("A", "2020-01-10"),
        ("B", "2020-01-09"),
        ("A", "2020-01-07"),
    )
    found = returns_after_filing(rows, prices)
    assert found["status"].tolist() == [
        "before the price history",
        "no prices for the ticker",
        "after the price history",
        "no price at entry",
        "stopped trading",
        "ok",
    ]
    assert found["excess"].notna().tolist() == [False] * 4 + [True] * 2 and len(found) == len(rows)
    assert found["raw"][4] == 0 and found["past_week"].notna().all()


def test_entry_on_the_filing_date_is_the_mistake():
    row = returns_after_filing(filed(("A", "2020-01-08")), panel(), delay=0).iloc[0]
    assert row["entry"] == pd.Timestamp("2020-01-08") and row["raw"] == pytest.approx(110 / 100 - 1)


def test_prices_after_the_exit_change_no_return_and_the_future_no_past_week():
    rng = np.random.default_rng(0)
    prices = pd.DataFrame(
        np.exp(rng.normal(0, 0.02, (300, 4)).cumsum(axis=0)),
        pd.bdate_range("2019-01-01", periods=300),
        list("ABCD"),
    )
    rows = filed(*((ticker, day) for day in prices.index[10:290:7] for ticker in "ABCD"))
    found, cut = returns_after_filing(rows, prices), prices.index[150]
    shuffled = prices.copy()
    shuffled.loc[shuffled.index > cut] *= rng.uniform(0.5, 2, (149, 4))
    again = returns_after_filing(rows, shuffled)
    known = found["exit"] <= cut
    pd.testing.assert_frame_equal(found[known], again[known])
    assert (found["past_week"] == again["past_week"])[rows["date_filed"] <= cut].all()
    assert (found["excess"] != again["excess"])[found["exit"] > cut].any()


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"days": 0}, "days must be a whole number of at least 1, given 0"),
        ({"days": "5"}, "days must be a whole number of at least 1, given '5'"),
        ({"delay": -1}, "delay must be a whole number of at least 0, given -1"),
        ({"days": 15}, "needs more prices than days"),
    ],
)
def test_bad_horizons_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        returns_after_filing(filed(("A", "2020-01-08")), panel(), **options)
