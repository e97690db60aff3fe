"""From filing sections to integer sequences: tokens, phrases, vocabulary, sequences; streamed, parallel, resumable.

Three steps, each of which goes through the corpus in parts of a few megabytes on a Dask client:

    client = dask_client()
    corpus = tokenize(path, client)            # cleaning, sentences: written once, independent of any date
    model = fit(corpus, "2014-01-01", client)  # phrases and vocabulary, from filings before that date only
    manifest = encode(corpus, model, client)   # sequences: written once, read with load_sequences("2014-01-01")

No step holds more of the text than a few parts; what grows is the vocabulary, with the counts of word pairs up to a
fixed limit. A part is a Parquet file named by a hash of its content, the settings and this file, and complete or absent,
so that a run that was interrupted goes on where it stopped. A remote cluster needs this package and the same folder.
"""

import hashlib
import json
import logging
import os
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import asdict, astuple, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dask.distributed import Client, as_completed
from gensim.models.phrases import npmi_scorer
from tqdm import tqdm

from data.catalog import DATASETS
from data.source import ROOT, DataError, Source, check_in_use, sha256

FOLDER = ROOT / "build" / "filings"
COLUMNS = ["ticker", "cik", "form", "date_filed", "item"]
PAD, UNKNOWN = 0, 1  # as in data.text
PART_BYTES = 4_000_000  # of text; two parts a worker are in flight
MOST_PAIRS = 20_000_000  # word pairs counted at once; beyond, the rarest are forgotten
END, UNSEEN = "\n", -1
COMMAND = "make notebooks NB=08"  # makes the sequences anew
CODE = sha256(__file__)  # parts made by other rules than those in this file are not taken for its own

ABBREVIATIONS = "Inc Corp Co Ltd No Nos Mr Mrs Ms Dr St vs approx U.S i.e e.g [A-Z]".replace(".", "[.]").split()
NO_ABBREVIATION = "".join(rf"(?<!\b{word}[.])" for word in ABBREVIATIONS)
SENTENCE_END = re.compile(
    r"[.!?\n•●▪■◦](?:(?<=[•●▪■◦])|(?<=\n) ?\n|(?<=[.!?])" + NO_ABBREVIATION + r"[\"')\]]*(?:[ \n](?=[^a-z])|$))"
)
TOKEN = re.compile(r"\d[\d.,]*|\w+(?:[-']\w+)*|\n")
PLAIN = {"’": "'", "‘": "'", "´": "'", "`": "'", "‐": "-", "‑": "-", "_": " "}
INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, zero-width characters
SPACES = re.compile(r" {2,}")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffd]")


@dataclass(frozen=True)
class Settings:
    """How text becomes sequences; every setting is part of the name of the files it affects."""

    shortest: int = 5  # words of a sentence; shorter ones, headings mostly, are left out and counted
    longest: int = 50  # words; longer sentences are cut into equal pieces
    min_count: int = 20  # occurrences of a phrase in the training filings
    threshold: float = 0.5  # normalised pointwise mutual information of a phrase, from -1 to 1
    vocabulary: int = 10_000  # entries, two of them for padding and unknown words


@dataclass(frozen=True)
class Corpus:
    """Tokenized parts: ``parts`` is a list of dicts with the file name and the counts of one part, in order."""

    folder: Path
    settings: Settings
    parts: list
    written: int  # parts written by this call; the others were there

    def totals(self):
        """The counts of all parts, as a dict."""
        return {name: sum(part[name] for part in self.parts) for name in self.parts[0] if name != "file"}


@dataclass(frozen=True)
class Model:
    """What was learned from the filings before ``training_end``.

    ``words``: frequent words, by frequency. ``bigrams`` and ``trigrams``: DataFrames with first, second (the parts
    of a phrase), count, score, by the ids of their parts. ``vocabulary``: DataFrame with token and count, in the order
    of the ids of the sequences, [pad] and [unknown] first.
    """

    training_end: str
    words: list
    bigrams: pd.DataFrame
    trigrams: pd.DataFrame
    vocabulary: pd.DataFrame

    @property
    def name(self):
        """Changes with whatever changes a sequence."""
        phrases = [list(frame["phrase"]) for frame in (self.bigrams, self.trigrams)]
        return _hash([self.words, *phrases, *self.vocabulary["token"]])


# -------------------------------------------------------------------------------------------------- one text


def clean(text):
    """One string without control and zero-width characters, with plain quotes and hyphens; "" for None.

    Compatibility characters become ordinary ones (NFKC: ligatures, full-width letters, no-break spaces). Letters of any
    script stay as they are.
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
    return TOKEN.findall(SENTENCE_END.sub("\0", clean(text)).replace("\n", " ").replace("\0", "\n").lower())


def _sentences(texts, settings):
    """Tokens of several texts as (words, tokens, lengths, owner, counts).

    ``words`` is the list of distinct words, ``tokens`` their positions in the sentences that are kept, ``lengths`` the
    words of each sentence, ``owner`` the text of each sentence, ``counts`` a dict of arrays, one value a text.
    """
    index = defaultdict()
    index.default_factory = index.__len__
    index[END]
    ids = []
    for text in texts:
        tokens = split_tokens(text)
        tokens.append(END)
        ids.append(np.fromiter(map(index.__getitem__, tokens), "int32", len(tokens)))
    row = np.repeat(np.arange(len(ids)), [len(part) for part in ids])
    ids = np.concatenate(ids)
    words = list(index)
    is_number = np.array([word[0].isdigit() for word in words])
    is_end = ids == 0
    sentence = np.cumsum(is_end) - is_end
    sentences = sentence[-1] + 1
    numbers = np.bincount(sentence[is_number[ids]], minlength=sentences)
    keep = ~is_end & ~is_number[ids]
    ids, row, sentence = ids[keep], row[keep], sentence[keep]
    size = np.bincount(sentence, minlength=sentences)
    table, short = numbers > size, (size < settings.shortest) & (numbers <= size)
    rows = len(texts)
    counts = {
        "words": np.bincount(row, minlength=rows),
        "words_in_tables": np.bincount(row[table[sentence]], minlength=rows),
        "words_in_short": np.bincount(row[short[sentence]], minlength=rows),
    }
    keep = ~(table | short)[sentence]
    position = np.arange(len(ids)) - np.r_[0, np.cumsum(size)][sentence]
    pieces = -(-size // settings.longest)
    piece = position * pieces[sentence] // size[sentence]
    begins = np.r_[True, (sentence[1:] != sentence[:-1]) | (piece[1:] != piece[:-1])][: len(ids)][keep]
    counts["sentences_cut"] = np.bincount(row[(position == 0) & (pieces[sentence] > 1) & keep], minlength=rows)
    lengths = np.diff(np.r_[np.flatnonzero(begins), keep.sum()]).astype("int32")
    return words, ids[keep], lengths, row[keep][begins], counts


# -------------------------------------------------------------------------------------------- step 1: tokens


def tokenize(path, client, settings=Settings(), folder=FOLDER, part_bytes=PART_BYTES, progress=None):
    """Clean and split the column ``text`` of a Parquet file of filing sections; returns a Corpus.

    Each row stays, also one without any text. A sentence with more numbers than words is a row of a table and is left
    out; so is one shorter than ``settings.shortest`` words; what is left out is counted. Raises DataError where the
    file is damaged or lacks a column.
    """
    folder = Path(folder) / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(_tokenize_part, settings=settings, folder=folder)
    results = list(_stream(client, work, _batches(path, part_bytes), "tokens", progress))
    if not results:
        raise DataError(f"{path}: holds no filing; fetch some with: python -m data download filings")
    parts = [result for result, _ in results]
    return Corpus(folder, settings, parts, sum(new for _, new in results))


def _batches(path, part_bytes):
    """Tables of about ``part_bytes`` of text, each row with its position in the file, read as a stream."""
    try:
        file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        waiting, size, first = [], 0, 0
        for batch in file.iter_batches(batch_size=32, columns=[*COLUMNS, "text"], use_threads=False):
            waiting.append(batch)
            size += batch.column("text").nbytes
            if size >= part_bytes:
                yield first, pa.Table.from_batches(waiting)
                first += sum(map(len, waiting))
                waiting, size = [], 0
        if waiting:
            yield first, pa.Table.from_batches(waiting)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise DataError(f"{path}: {error}; fetch it again with: python -m data download filings") from error


def _tokenize_part(batch, settings, folder):
    first, table = batch
    texts = table["text"].to_pylist()
    details = table.select(COLUMNS)
    content = hashlib.sha256(repr((CODE, settings.shortest, settings.longest, first, details.to_pylist())).encode())
    for text in texts:
        content.update(b"\0" if text is None else text.encode() + b"\1")
    path = folder / f"{content.hexdigest()[:20]}.parquet"
    if path.exists():
        summary = json.loads(pq.read_schema(path).metadata[b"summary"])
        return {"file": path.name, **summary}, False
    words, tokens, lengths, owner, counts = _sentences(texts, settings)
    for name, values in counts.items():
        details = details.append_column(name, pa.array(values.astype("int32")))
    details = details.append_column("row", pa.array(np.arange(first, first + len(texts))))
    rows = np.arange(len(texts))
    words_of_row = np.bincount(owner, weights=lengths, minlength=len(rows)).astype(int)
    details = details.append_column("tokens", _lists(tokens, words_of_row))
    details = details.append_column("lengths", _lists(lengths, np.bincount(owner, minlength=len(rows))))
    summary = {
        "sections": len(texts),
        "megabytes": sum(len(text.encode()) for text in texts if text) / 1e6,
        "without_text": sum(not (text or "").strip() for text in texts),
        "without_sentence": int((words_of_row == 0).sum()),
        "sentences": len(lengths),
        **{name: int(values.sum()) for name, values in counts.items()},
    }
    metadata = {"words": "\n".join(words[1:]), "summary": json.dumps(summary)}
    _write(details.replace_schema_metadata(metadata), path)
    return {"file": path.name, **summary}, True


# ------------------------------------------------------------------------------ step 2: phrases, vocabulary


def fit(corpus, training_end, client, progress=None):
    """Phrases of two and three words, and the vocabulary, of the filings before ``training_end``; returns a Model.

    Pairs of adjacent words are counted, scored by gensim's NPMI (Bouma 2009) and joined where they pass; then a second
    time, which joins a phrase and a word. Raises ValueError where no filing is before the date.
    """
    end = pd.Timestamp(training_end)
    settings, names = corpus.settings, [part["file"] for part in corpus.parts]
    path = corpus.folder.parent / f"model-{_hash([*astuple(settings), end.isoformat(), *names])}.json"
    if path.exists():
        return _read_model(path)

    def each(function, *shared):
        work = partial(function, folder=corpus.folder, end=end.to_datetime64())
        return _stream(client, work, names, function.__name__[1:].replace("_", " "), progress, *shared)

    counts = Counter()
    for found in each(_count_words):
        counts.update(found)
    if not counts:
        raise ValueError(f"no words in filings before {end:%Y-%m-%d}: the training period is empty")
    least = min(settings.min_count, 5)  # a phrase cannot be more frequent than its words
    words = sorted((word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word))
    index = {word: position for position, word in enumerate(words)}
    bigrams = _phrases(_total(each(_count_pairs, index, [])), words, settings)
    tokens, joined = [*words, *bigrams["phrase"]], [bigrams[["first", "second"]].to_numpy()]
    trigrams = _phrases(_total(each(_count_pairs, index, joined)), tokens, settings, len(words))
    tokens, joined = [*tokens, *trigrams["phrase"]], [*joined, trigrams[["first", "second"]].to_numpy()]
    size = sum(each(_count_tokens, index, joined))
    order = np.lexsort((tokens, -size))[: settings.vocabulary - 2]
    order = order[size[order] > 0]
    rows = [("[pad]", 0), ("[unknown]", 0), *((tokens[place], int(size[place])) for place in order)]
    model = Model(f"{end:%Y-%m-%d}", words, bigrams, trigrams, pd.DataFrame(rows, columns=["token", "count"]))
    _write_model(model, path)
    return model


def _training(name, folder, end):
    """Words and tokens of the filings of a part before ``end``: (words, tokens, sentence of each token)."""
    table = pq.read_table(folder / name, columns=["date_filed", "tokens", "lengths"])
    table = table.filter(pa.array(table["date_filed"].to_numpy() < end))
    tokens, lengths = (table[column].combine_chunks().flatten().to_numpy() for column in ("tokens", "lengths"))
    return words_of_part(folder / name), tokens, np.repeat(np.arange(len(lengths)), lengths)


def words_of_part(path):
    """The words that the tokens of a part stand for, by position."""
    return [END, *pq.read_schema(path).metadata[b"words"].decode().split("\n")]


def _known(index, part_words):
    """For each of ``part_words`` its position in the dict ``index``, or UNSEEN."""
    return np.array([index.get(word, UNSEEN) for word in part_words], dtype="int32")


def _count_words(name, folder, end):
    words, tokens, _ = _training(name, folder, end)
    counts = np.bincount(tokens, minlength=len(words))
    return {words[place]: int(counts[place]) for place in np.flatnonzero(counts)}


def _count_pairs(name, index, joined, folder, end):
    """Keys and counts of pairs of adjacent tokens, the counts of the tokens, and how many there are in all."""
    part_words, tokens, sentence = _training(name, folder, end)
    tokens, sentence, size = _join(_known(index, part_words)[tokens], sentence, len(index), joined)
    pair = (sentence[1:] == sentence[:-1]) & (tokens[1:] >= 0) & (tokens[:-1] >= 0)
    keys, counts = np.unique(tokens[:-1][pair].astype("int64") * size + tokens[1:][pair], return_counts=True)
    return keys, counts, np.bincount(tokens[tokens >= 0], minlength=size), len(tokens)


def _count_tokens(name, index, joined, folder, end):
    part_words, tokens, sentence = _training(name, folder, end)
    tokens, _, size = _join(_known(index, part_words)[tokens], sentence, len(index), joined)
    return np.bincount(tokens[tokens >= 0], minlength=size)


def _join(tokens, sentence, size, joined):
    """Join adjacent pairs, from left to right, as gensim does; ``joined`` holds arrays (pairs, 2), one a round.

    Returns (tokens, sentence, size): the first pair of a round gets the first free id.
    """
    for pairs in joined:
        opens, closes = np.zeros((2, size + 1), dtype=bool)  # UNSEEN points at the last
        opens[pairs[:, 0]], closes[pairs[:, 1]] = True, True
        keys = pairs[:, 0].astype("int64") * size + pairs[:, 1]
        order = np.argsort(keys)
        maybe = np.flatnonzero(opens[tokens[:-1]] & closes[tokens[1:]] & (sentence[1:] == sentence[:-1]))
        if len(keys) and len(maybe):
            found = tokens[maybe].astype("int64") * size + tokens[maybe + 1]
            place = np.searchsorted(keys[order], found).clip(max=len(keys) - 1)
            hit = keys[order][place] == found
            at, place = maybe[hit], place[hit]
            run = np.flatnonzero(np.diff(at, prepend=-2) > 1)  # the first of each run of adjacent hits
            within = at - np.repeat(at[run], np.diff(np.r_[run, len(at)]))
            first = within % 2 == 0  # a token is part of one phrase only
            tokens = tokens.copy()
            tokens[at[first]] = size + order[place[first]]
            tokens, sentence = np.delete(tokens, at[first] + 1), np.delete(sentence, at[first] + 1)
        size += len(keys)
    return tokens, sentence, size


def _total(results):
    """Sums of what ``_count_pairs`` returns for the parts; merged when as much is waiting as is there already."""
    keys, counts = np.array([], dtype="int64"), np.array([], dtype="int64")
    waiting, size, total = [], 0, 0
    for part_keys, part_counts, part_size, part_total in results:
        waiting.append((part_keys, part_counts))
        size, total = size + part_size, total + part_total
        if sum(len(part) for part, _ in waiting) > len(keys):
            keys, counts = _add_up([(keys, counts), *waiting])
            waiting = []
    keys, counts = _add_up([(keys, counts), *waiting])
    return keys, counts, size, total


def _add_up(parts):
    keys, place = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
    counts = np.concatenate([counts for _, counts in parts])
    counts = np.bincount(place, weights=counts, minlength=len(keys)).astype("int64")
    rarest = 1
    while len(keys) > MOST_PAIRS:
        keys, counts = keys[counts > rarest], counts[counts > rarest]
        rarest += 1
    return keys, counts


def _phrases(counted, tokens, settings, words=None):
    """The pairs that pass, as a DataFrame, by count; where ``words`` is given, one of the two must be a single word."""
    keys, counts, size, total = counted
    keep = counts >= settings.min_count
    keys, counts = keys[keep], counts[keep]
    first, second = keys // len(tokens), keys % len(tokens)
    if words is not None:
        keep = (first < words) != (second < words)
        first, second, counts = first[keep], second[keep], counts[keep]
    options = {"len_vocab": 0, "min_count": settings.min_count, "corpus_word_count": total}
    scores = [npmi_scorer(size[a], size[b], count, **options) for a, b, count in zip(first, second, counts)]
    names = [f"{tokens[a]}_{tokens[b]}" for a, b in zip(first, second)]
    frame = pd.DataFrame({"phrase": names, "first": first, "second": second, "count": counts, "score": scores})
    frame["score"] = frame["score"].astype(float)
    frame = frame[frame["score"] > settings.threshold]
    return frame.sort_values(["count", "phrase"], ascending=[False, True], ignore_index=True)


def _write_model(model, path):
    frames = {name: getattr(model, name).to_dict("list") for name in ("bigrams", "trigrams", "vocabulary")}
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    temporary.write_text(json.dumps({"training_end": model.training_end, "words": model.words, **frames}))
    temporary.replace(path)


def _read_model(path):
    content = json.loads(path.read_text())
    frames = [pd.DataFrame(content[name]) for name in ("bigrams", "trigrams", "vocabulary")]
    return Model(content["training_end"], content["words"], *frames)


# ----------------------------------------------------------------------------------------- step 3: sequences


def encode(corpus, model, client, source=None, progress=None):
    """Sequences of all filings, by the vocabulary of ``model``, and ``manifest.json``; returns the manifest.

    One row a section, in the order of the input file: COLUMNS, the counts of what was left out, ``sequence`` (ids,
    where 1 is an unknown word; empty for a section without a sentence) and ``sentences`` (the ids in each sentence).
    """
    folder = corpus.folder.parent / "sequences"
    folder.mkdir(parents=True, exist_ok=True)
    joined = [phrases[["first", "second"]].to_numpy() for phrases in (model.bigrams, model.trigrams)]
    work = partial(_encode_part, corpus=corpus.folder, folder=folder, name_of_model=model.name)
    tokens = [*model.words, *model.bigrams["phrase"], *model.trigrams["phrase"]]
    ids = _known_or_unknown(tokens, list(model.vocabulary["token"]))
    index = {word: position for position, word in enumerate(model.words)}
    names = [part["file"] for part in corpus.parts]
    results = list(_stream(client, work, names, "sequences", progress, index, joined, ids))
    parts = [{**part, "sequences": name} for part, (name, _) in zip(corpus.parts, results)]
    settings = {**asdict(corpus.settings), "training_end": model.training_end}
    manifest = {"settings": settings, "source": source, "vocabulary": list(model.vocabulary["token"]), "parts": parts}
    temporary = folder.parent / f"manifest.{os.getpid()}.partial"
    temporary.write_text(json.dumps(manifest))
    temporary.replace(folder.parent / "manifest.json")
    return {**manifest, "written": sum(new for _, new in results)}


def _known_or_unknown(tokens, vocabulary):
    """The id of each of ``tokens``, and UNKNOWN at the end, where UNSEEN points."""
    index = {token: position for position, token in enumerate(vocabulary) if position > UNKNOWN}
    return np.array([*(index.get(token, UNKNOWN) for token in tokens), UNKNOWN], dtype="int32")


def _split_unknown(tokens, sentence, size, joined, ids):
    """Phrases that are not in the vocabulary as their parts again, whose ids may be known; (tokens, sentence)."""
    parts = np.concatenate(joined)  # of the phrases, which follow the ``size`` words
    while len(at := np.flatnonzero((tokens >= size) & (ids[tokens] == UNKNOWN))):
        first, second = parts[tokens[at] - size].T
        tokens[at] = first
        tokens, sentence = np.insert(tokens, at + 1, second), np.insert(sentence, at + 1, sentence[at])
    return tokens, sentence


def _encode_part(name, index, joined, ids, corpus, folder, name_of_model):
    path = folder / f"{_hash([name, name_of_model])}.parquet"
    if path.exists():
        return path.name, False
    table = pq.read_table(corpus / name)
    part_words = words_of_part(corpus / name)
    tokens, lengths = (table[column].combine_chunks().flatten().to_numpy() for column in ("tokens", "lengths"))
    sentences_of_row = table["lengths"].combine_chunks().value_lengths().to_numpy()
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    tokens, sentence, _ = _join(_known(index, part_words)[tokens], sentence, len(index), joined)
    tokens, sentence = _split_unknown(tokens, sentence, len(index), joined, ids)
    lengths = np.bincount(sentence, minlength=len(lengths)).astype("int32")
    row = np.repeat(np.arange(len(table)), sentences_of_row)
    tokens_of_row = np.bincount(row, weights=lengths, minlength=len(table)).astype(int)
    table = table.drop_columns(["tokens", "lengths"])
    table = table.append_column("sequence", _lists(ids[tokens], tokens_of_row))
    table = table.append_column("sentences", _lists(lengths, sentences_of_row))
    _write(table.replace_schema_metadata(None), path)
    return path.name, True


def read_manifest(folder=FOLDER):
    """What ``encode`` wrote last. Raises DataError where it is absent."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise DataError(f"{path} is not there: notebook 08 writes it, run: {COMMAND}")
    return json.loads(path.read_text())


def load_sequences(training_end, folder=FOLDER, columns=None):
    """All rows that ``encode`` wrote, sorted by date_filed and ticker, as a DataFrame.

    ``attrs`` holds "vocabulary" (list of tokens), "settings" and "source" (a Source). Raises DataError where a file is
    absent, or where the sequences come from other filings than those in use now, or phrases and vocabulary from a
    training period that does not end on the date ``training_end``.
    """
    manifest = read_manifest(folder)
    source, fitted = Source(manifest["source"]), manifest["settings"]["training_end"]
    dataset = DATASETS["filings"]
    check_in_use(source, dataset.files, f"{folder}/manifest.json", COMMAND, ROOT / dataset.carrier)
    if pd.Timestamp(fitted) != pd.Timestamp(training_end):
        raise DataError(
            f"{folder}/manifest.json holds a vocabulary of the filings before {fitted}, but {training_end} is asked for; "
            f"set TRAINING_END in notebook 08, then: {COMMAND}"
        )
    paths = [Path(folder) / "sequences" / part["sequences"] for part in manifest["parts"]]
    try:
        frame = pa.concat_tables([pq.read_table(path, columns=columns) for path in paths]).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"a part of the sequences is absent or damaged ({error}), run: {COMMAND}") from error
    frame = frame.sort_values(["date_filed", "ticker", "row"], ignore_index=True)
    frame.attrs = {"vocabulary": manifest["vocabulary"], "settings": manifest["settings"], "source": source}
    return frame


# ------------------------------------------------------------------------------------------------ machinery


def dask_client(scheduler=None, workers=None):
    """A Dask client: of the cluster at the address ``scheduler``, by default of local processes, one a core.

    Close it, or use it in ``with``.
    """
    if scheduler:
        return Client(scheduler)
    options = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.ERROR}
    return Client(n_workers=workers or os.cpu_count(), **options)  # closes its cluster with itself


def _stream(client, work, tasks, label, progress, *shared):
    """``work(task, *shared)`` of each task, in order; at most two a worker are in flight, the next is not even read."""
    shared = client.scatter(list(shared), broadcast=True, hash=False) if shared else []
    tasks, finished, place_of, done, first = enumerate(tasks), as_completed(loop=client.loop), {}, {}, 0
    in_flight = 2 * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    with tqdm(desc=label, unit=" parts", disable=None if progress is None else not progress) as bar:
        while True:
            for place, task in islice(tasks, in_flight - len(place_of)):
                future = client.submit(work, task, *shared, pure=False)
                place_of[future] = place
                finished.add(future)
            if not place_of:
                return
            future = next(finished)
            done[place_of.pop(future)] = future.result()
            future.release()
            bar.update()
            while first in done:
                yield done.pop(first)
                first += 1


def _lists(values, sizes):
    offsets = np.r_[0, np.cumsum(sizes)].astype("int64")
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def _write(table, path):
    """A Parquet file that is complete or absent."""
    temporary = path.with_suffix(f".{os.getpid()}.partial")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(path)


def _hash(content):
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]
