"""What the three steps share: settings, parts, the Dask client and the stream of tasks."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
from dask.distributed import Client, as_completed
from pyarrow import ipc
from tqdm import tqdm

from data.files import whole_file
from data.source import ROOT, sha256
from features.filings.cleaning import END

FOLDER = ROOT / "build" / "filings"
COLUMNS = ["ticker", "cik", "form", "date_filed", "item"]
PAUSE = 100  # days from a filing until its targets are known: a quarter of trading days
UNSEEN, STOP = -1, -2  # a word that is not in a list of words; the end of a sentence
# of a worker: Dask has it give back all memory that it frees, and arrays of a part then cost a
# fifth of the time in new pages; it keeps this much for the next
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**28, "MALLOC_MMAP_THRESHOLD_": 2**25}
RULES = [*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parent.parent / "words.py"]
CODE = "".join(
    sha256(path) for path in RULES
)  # parts made by other rules than these are not taken for theirs


@dataclass(frozen=True)
class Settings:
    """How text becomes sequences; every setting is part of the name of the files it affects."""

    shortest: int = (
        5  # words of a sentence; shorter ones, headings mostly, are left out and counted
    )
    longest: int = 50  # words; longer sentences are cut into equal pieces
    min_count: int = 20  # occurrences of a phrase in the training filings
    threshold: float = 0.5  # normalised pointwise mutual information of a phrase, from -1 to 1
    vocabulary: int = 10_000  # entries, two of them for padding and unknown words


@dataclass(frozen=True)
class Corpus:
    """Tokenized parts: ``parts`` is a list of dicts with the file name and the counts of one part,
    in order.
    """

    folder: Path
    settings: Settings
    parts: list
    written: int  # parts written by this call; the others were there

    def totals(self) -> dict[str, float]:
        """The counts of all parts, as a dict."""
        return {
            name: sum(part[name] for part in self.parts) for name in self.parts[0] if name != "file"
        }


@dataclass(frozen=True)
class Model:
    """What was learned from the filings before ``training_end``.

    ``words``: frequent words, by frequency. ``bigrams`` and ``trigrams``: the phrases of the first
    and of the second round, DataFrames with phrase, first and second (the ids of its parts),
    between (the connector words between them, as one number), count, score. ``vocabulary``:
    DataFrame with token and count, in the order of the ids of the sequences, [pad] and [unknown]
    first.
    """

    training_end: str
    words: list
    bigrams: pd.DataFrame
    trigrams: pd.DataFrame
    vocabulary: pd.DataFrame

    @property
    def name(self) -> str:
        """Changes with whatever changes a sequence."""
        phrases = [list(frame["phrase"]) for frame in (self.bigrams, self.trigrams)]
        return hash_of([self.words, *phrases, *self.vocabulary["token"]])


def gather(values: np.ndarray, first: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Runs of ``values`` one after the other: run k begins at ``first[k]`` and has ``sizes[k]`` of
    them. Arrays of one dimension.
    """
    shift = first - (np.cumsum(sizes) - sizes)
    return values[np.repeat(shift, sizes) + np.arange(sizes.sum())]


def read(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """The table of a part: all of its columns, or some."""
    with pa.OSFile(str(path)) as file:
        table = ipc.open_file(file, options=ipc.IpcReadOptions(use_threads=False)).read_all()
    return table.select(columns or table.column_names)


def schema_of(path: str | Path) -> pa.Schema:
    """The columns of a part, and what is noted beside them, without its rows."""
    with pa.OSFile(str(path)) as file:
        return ipc.open_file(file).schema


def words_of_part(path: str | Path) -> list[str]:
    """The words that the tokens of a part stand for, by position."""
    return _words(schema_of(path))


def _words(schema):
    return [END, *schema.metadata[b"words"].decode().split("\n")]


def tokens_of(
    table: pa.Table, end: np.datetime64 | None = None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The table of a part as (words, tokens, words of each sentence): all filings, or those before
    ``end``.
    """
    early = np.ones(len(table), bool) if end is None else table["date_filed"].to_numpy() < end
    arrays = []
    for name in ("tokens", "lengths"):
        column = table[name].combine_chunks()
        values = column.flatten().to_numpy()
        if not early.all():
            values = values[np.repeat(early, column.value_lengths().to_numpy())]
        arrays.append(values)
    return _words(table.schema), *arrays


def known(index: dict[str, int], part_words: Iterable[str]) -> np.ndarray:
    """For each of ``part_words`` its position in the dict ``index``, or UNSEEN."""
    return np.array([index.get(word, UNSEEN) for word in part_words], dtype="int32")


def dask_client(scheduler: str | None = None, workers: int | None = None) -> Client:
    """A Dask client: of the cluster at the address ``scheduler``, by default of local processes,
    one a core.

    Close it, or use it in ``with``.
    """
    if scheduler:
        return Client(scheduler)
    options = {
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": logging.CRITICAL,  # a late heartbeat is no error of ours
    }
    started_with = "distributed.nanny.pre-spawn-environ"
    settings = {started_with: {**dask.config.get(started_with), **KEEP_MEMORY}}
    settings["distributed.worker.profile.enabled"] = False  # a tenth of their time
    with dask.config.set(settings):
        # the client closes its cluster with itself
        return Client(n_workers=workers or os.cpu_count(), **options)


def stream(
    client: Client,
    work: Callable,
    tasks: Iterable,
    label: str,
    progress: bool | None,
    *shared: object,
) -> Iterator:
    """``work(task, *shared)`` of each task, in order; at most two a worker are in flight, the next
    is not even read.
    """
    # Results of tasks, not scattered data, which are lost with the last worker that has them.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):
        shared = [client.submit(_given, value, pure=False) for value in shared]
    tasks, finished, place_of, done, first = (
        enumerate(tasks),
        as_completed(loop=client.loop),
        {},
        {},
        0,
    )
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


def _given(value):
    return value


def lists(values: np.ndarray, sizes: np.ndarray) -> pa.LargeListArray:
    offsets = np.r_[0, np.cumsum(sizes)].astype("int64")
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def write(table: pa.Table, path: Path) -> None:
    """An Arrow file that is complete or absent; read in a fifth of the time of a Parquet file."""
    options = ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    table = table.combine_chunks()
    with (
        whole_file(path, shared=True) as temporary,
        ipc.new_file(str(temporary), table.schema, options=options) as file,
    ):
        file.write_table(table)


def hash_of(content: list) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:20]
