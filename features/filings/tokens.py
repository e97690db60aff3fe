"""Step 1: tokens. Cleaning and sentences, written once, independent of any date."""

import hashlib
import json
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.source import DataError
from features.filings.cleaning import END_CHUNK, chunks, tokens_of_chunk
from features.filings.common import (
    CODE,
    COLUMNS,
    END,
    FOLDER,
    NUMBER,
    Corpus,
    Settings,
    gather,
    lists,
    stream,
    write,
)

PART_BYTES = 4_000_000  # of text; two parts a worker are in flight


def _index():
    """A dict that gives each new key the next number."""
    index = defaultdict()
    index.default_factory = index.__len__
    return index


def _sentences(texts, settings):
    """Tokens of several texts as (words, tokens, lengths, owner, counts).

    ``words`` is the list of distinct words, ``tokens`` their positions in the sentences that are
    kept, ``lengths`` the words of each sentence, ``owner`` the text of each sentence, ``counts`` a
    dict of arrays, one value a text. All numbers are one token, NUMBER, so
    that what stands around a number does not become neighbours.
    """
    chunk_number, chunk_ids = _index(), []
    for text in texts:
        found = [*chunks(text), END_CHUNK]
        chunk_ids.append(np.fromiter(map(chunk_number.__getitem__, found), "int32", len(found)))
    index = _index()
    index[END], index[NUMBER]
    tokens_of = [tokens_of_chunk(chunk) for chunk in chunk_number]
    size = np.array([len(tokens) for tokens in tokens_of])
    tokens = np.array([index[token] for tokens in tokens_of for token in tokens], dtype="int32")
    row = np.repeat(np.arange(len(texts)), [size[part].sum() for part in chunk_ids])
    ids = gather(tokens, size, np.concatenate(chunk_ids))
    words = list(index)
    is_number = np.array([word[0].isdigit() for word in words])
    is_end = ids == 0
    sentence = np.cumsum(is_end) - is_end
    sentences = sentence[-1] + 1
    number = is_number[ids]
    numbers = np.bincount(sentence[number], minlength=sentences)
    plain = np.bincount(sentence[~number & ~is_end], minlength=sentences)
    table, short = numbers > plain, (plain < settings.shortest) & (numbers <= plain)
    ids = np.where(number, index[NUMBER], ids)
    ids, row, sentence = ids[~is_end], row[~is_end], sentence[~is_end]
    size = numbers + plain
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
    begins = np.r_[True, (sentence[1:] != sentence[:-1]) | (piece[1:] != piece[:-1])][: len(ids)][
        keep
    ]
    counts["sentences_cut"] = np.bincount(
        row[(position == 0) & (pieces[sentence] > 1) & keep], minlength=rows
    )
    lengths = np.diff(np.r_[np.flatnonzero(begins), keep.sum()]).astype("int32")
    return words, ids[keep], lengths, row[keep][begins], counts


def tokenize_corpus(
    path: str | Path,
    client: object,
    settings: Settings = Settings(),
    folder: str | Path = FOLDER,
    part_bytes: int = PART_BYTES,
    progress: bool | None = None,
) -> Corpus:
    """Clean and split the column ``text`` of a Parquet file of filing sections; returns a Corpus.

    Each row stays, also one without any text. A sentence with more numbers than words is a row of a
    table and is left out; so is one shorter than ``settings.shortest`` words; what is left out is
    counted. Raises DataError where the file is damaged or lacks a column.
    """
    folder = Path(folder) / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(_tokenize_part, settings=settings, folder=folder)
    results = list(stream(client, work, _batches(path, part_bytes), "tokens", progress))
    if not results:
        raise DataError(
            f"{path}: holds no filing; fetch some with: python -m data download filings"
        )
    parts = [result for result, _ in results]
    return Corpus(folder, settings, parts, sum(new for _, new in results))


def _batches(path, part_bytes):
    """Tables of about ``part_bytes`` of text, each row with its position in the file, read as a
    stream.
    """
    try:
        file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        waiting, size, first = [], 0, 0
        for batch in file.iter_batches(
            batch_size=32, columns=[*COLUMNS, "text"], use_threads=False
        ):
            waiting.append(batch)
            size += batch.column("text").nbytes
            if size >= part_bytes:
                yield first, pa.Table.from_batches(waiting)
                first += sum(map(len, waiting))
                waiting, size = [], 0
        if waiting:
            yield first, pa.Table.from_batches(waiting)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise DataError(
            f"{path}: {error}; fetch it again with: python -m data download filings"
        ) from error


def _tokenize_part(batch, settings, folder):
    first, table = batch
    texts = table["text"].to_pylist()
    details = table.select(COLUMNS)
    content = hashlib.sha256(
        repr((CODE, settings.shortest, settings.longest, first, details.to_pylist())).encode()
    )
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
    details = details.append_column("tokens", lists(tokens, words_of_row))
    details = details.append_column(
        "lengths", lists(lengths, np.bincount(owner, minlength=len(rows)))
    )
    summary = {
        "sections": len(texts),
        "megabytes": sum(len(text.encode()) for text in texts if text) / 1e6,
        "without_text": sum(not (text or "").strip() for text in texts),
        "without_sentence": int((words_of_row == 0).sum()),
        "sentences": len(lengths),
        **{name: int(values.sum()) for name, values in counts.items()},
    }
    metadata = {"words": "\n".join(words[1:]), "summary": json.dumps(summary)}
    write(details.replace_schema_metadata(metadata), path)
    return {"file": path.name, **summary}, True
