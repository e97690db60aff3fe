"""Step 1: tokens. Cleaning and sentences, written once, independent of any date."""

import hashlib
import json
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.source import DataError
from features.filings.cleaning import (
    END,
    GOES_ON,
    MAY_END,
    NUMBER,
    clean_bytes,
    tokens_of_chunk,
)
from features.filings.common import (
    CODE,
    COLUMNS,
    FOLDER,
    Corpus,
    Settings,
    gather,
    lists,
    schema_of,
    stream,
    write,
)

PART_BYTES = 4_000_000  # of text; two parts a worker are in flight
CAPITAL, PARAGRAPH = 1, 2  # what follows words: a sentence may end there, or does in any case


def _index():
    """A dict that gives each new key the next number."""
    index = defaultdict()
    index.default_factory = index.__len__
    return index


def _chunks(texts):
    """What stands between blanks in several cleaned texts, as bytes: (distinct, chunk, text,
    follows).

    ``chunk`` are positions in the list ``distinct``, ``text`` whose they are. ``follows`` says what
    SENTENCE_END finds in the blanks behind each: PARAGRAPH, CAPITAL where a sentence may end, or 0.
    """
    joined = b"\n\n".join([b" ", *texts, b""])
    characters = np.frombuffer(joined, dtype="uint8")
    line = characters == ord("\n")
    blank = line | (characters == ord(" "))
    edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    first, end = edges[::2], edges[1::2]
    offsets = np.append(0, np.cumsum(end - first)).astype("int32")
    buffers = [None, *map(pa.py_buffer, (offsets, joined.translate(None, b" \n")))]
    found = pa.Array.from_buffers(pa.utf8(), len(first), buffers).dictionary_encode()
    text_ends = 3 + np.cumsum([len(text) + 2 for text in texts])
    before = np.searchsorted(first, np.append(0, text_ends))
    text = np.repeat(np.arange(len(texts)), np.diff(before))
    before = np.searchsorted(first, np.flatnonzero(line))
    lines = np.bincount(before, minlength=len(first) + 1)[1:]
    following = np.append(first, len(characters) - 1)[1:]
    after = characters[following]
    capital = (after < ord("a")) | (after > ord("z"))
    on_line = np.where(line[end], capital & (following == end + 1), True)
    ends = np.where(lines == 0, capital, on_line)
    follows = np.where(lines > 1, PARAGRAPH, np.where(ends, CAPITAL, 0))
    return found.dictionary.to_pylist(), found.indices.to_numpy(), text, follows


def _sentences(texts, settings):
    """Tokens of several texts as (words, tokens, lengths, owner, counts).

    ``words`` is the list of distinct words, ``tokens`` their positions in the sentences that are
    kept, ``lengths`` the words of each sentence, ``owner`` the text of each sentence, ``counts`` a
    dict of arrays, one value a text. All numbers are one token, NUMBER, so that what stands around
    a number does not become neighbours.
    """
    distinct, chunk, text, follows = _chunks([clean_bytes(text) for text in texts])
    found = " ".join(map(tokens_of_chunk, distinct)).split(" ") if distinct else []
    index = _index()
    index[GOES_ON], index[MAY_END], index[END], index[NUMBER]  # are -2, -1, 0 and 1
    tokens = np.fromiter(map(index.__getitem__, found), "int32", len(found)) - 2
    last = np.flatnonzero(tokens < 0)  # of each distinct chunk
    stops = tokens[last] == -1
    tokens[last] = 0
    ends = (follows == PARAGRAPH) | (follows == CAPITAL) & stops[chunk]
    size = np.diff(last, prepend=-1) - 1
    first = (last - size)[chunk]
    size = size[chunk] + ends
    tokens = gather(tokens, first, size)  # with its END where a sentence ends
    last = np.flatnonzero(tokens == 0)
    of_text = np.searchsorted(np.cumsum(np.bincount(text, size, len(texts))), last, side="right")
    size = np.diff(last, prepend=-1) - 1
    numbers = np.diff(np.cumsum(tokens == 1)[last], prepend=0)
    plain = size - numbers
    table, short = numbers > plain, (plain < settings.shortest) & (numbers <= plain)
    keep = ~(table | short)
    pieces = -(-size // settings.longest) * keep

    def in_texts(chosen, weights=None):
        weights = None if weights is None else weights[chosen]
        return np.bincount(of_text[chosen], weights, len(texts)).astype("int32")

    counts = {
        "words": in_texts(slice(None), size),
        "words_in_tables": in_texts(table, size),
        "words_in_short": in_texts(short, size),
        "sentences_cut": in_texts(pieces > 1),
    }
    kept = tokens[np.repeat(keep, size + 1)]
    kept = kept[kept > 0]
    place = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    size, of_text, pieces = (np.repeat(each, pieces) for each in (size, of_text, pieces))
    lengths = -(-(place + 1) * size // pieces) + (-place * size // pieces)
    return list(index)[2:], kept, lengths.astype("int32"), of_text, counts


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
    texts = table["text"]
    details = table.select(COLUMNS)
    made_of = CODE, settings.shortest, settings.longest, first, details.to_pylist()
    content = hashlib.blake2b(repr(made_of).encode(), digest_size=10)  # half the time of SHA-256
    for text in texts:
        content.update(text.as_buffer() if text.is_valid else b"\0")
        content.update(b"\1")
    path = folder / f"{content.hexdigest()}.arrow"
    if path.exists():
        summary = json.loads(schema_of(path).metadata[b"summary"])
        return {"file": path.name, **summary}, False
    texts = texts.to_pylist()
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
        "megabytes": (pc.sum(pc.binary_length(table["text"])).as_py() or 0) / 1e6,
        "without_text": sum(not (text or "").strip() for text in texts),
        "without_sentence": int((words_of_row == 0).sum()),
        "sentences": len(lengths),
        **{name: int(values.sum()) for name, values in counts.items()},
    }
    metadata = {"words": "\n".join(words[1:]), "summary": json.dumps(summary)}
    write(details.replace_schema_metadata(metadata), path)
    return {"file": path.name, **summary}, True
