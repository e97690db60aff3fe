"""Text to sequences: MB a second, how that grows with the corpus, and peak memory: ``python -m
tools.bench_filings``.

The text is that of the filings in use: real ones where RNN_TRADING_DATA has them, else synthetic
ones. Each size runs in processes of its own, in an empty folder. What was measured is then carried
on to sizes that no desk has, by a simulation of the tasks; and gensim's own phrases, on the same
text, say what ours are for.
"""

import heapq
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases

from data.filings import filings_file
from features.filings import dask_client, encode, fit, split_tokens, tokenize_corpus
from features.filings.common import COLUMNS

SHARES = (0.25, 0.5, 1, 2)  # of the corpus; 2: every filing twice
TRAINING_END = "2013-01-01"


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_corpus(share: float, path: Path) -> None:
    """Every n-th filing, or all of them several times, in groups of 100 rows; read and written as a
    stream.
    """
    step, copies = max(1, round(1 / share)), max(1, round(share))
    writer = None
    for _ in range(copies):
        for batch in pq.ParquetFile(filings_file()).iter_batches(
            batch_size=100 * step, columns=[*COLUMNS, "text"]
        ):
            batch = batch.take(list(range(0, len(batch), step)))
            writer = writer or pq.ParquetWriter(path, batch.schema)
            writer.write_batch(batch)
    writer.close()


def measure(path: str | Path, folder: str | Path, workers: int | None = None) -> str:
    """The chain in this process and its workers: one line. Times are seconds by the clock, and of
    processor, of this process and of all workers.
    """
    with dask_client(workers=workers) as client:

        def now():
            spent = client.run(time.process_time).values()
            return np.array([time.perf_counter(), time.process_time(), sum(spent)])

        times = [now()]
        corpus = tokenize_corpus(path, client, folder=folder)
        times.append(now())
        model = fit(corpus, TRAINING_END, client)
        times.append(now())
        encode(corpus, model, client)
        times.append(now())
        peaks = client.run(peak_mb).values()
    steps = np.diff(times, axis=0)
    megabytes, (seconds, here, there) = corpus.totals()["megabytes"], steps.sum(axis=0)
    names = "words", "phrases", "sequences"
    shares = [
        f"{name} {each:.1f} ({own:.1f} + {theirs:.1f})"
        for name, (each, own, theirs) in zip(names, steps)
    ]
    return (
        f"  {megabytes:6.1f} MB on {len(peaks)} workers in {seconds:5.1f} s "
        f"({here:.1f} + {there:.1f} of processor; {', '.join(shares)}): "
        f"{megabytes / seconds:4.1f} MB/s, {(here + there) / megabytes:.3f} s of processor a MB; "
        f"peak {peak_mb():.0f} MB, largest worker {max(peaks):.0f} MB"
    )


def simulate(
    megabytes: float, workers: int, work: float, read: float, part: float = 4.0
) -> tuple[float, int]:
    """(seconds, parts in memory at once) of a pass over a corpus, as ``stream`` runs it.

    One process has ``read`` seconds of work a MB with parts of ``part`` MB, reads them, adds up
    what was counted, and hands each to the next free worker, which needs ``work`` seconds a MB; at
    most two parts a worker are in flight, the next is not even read.
    """
    free = [0.0] * workers  # when each worker has nothing to do
    ends, clock, most = [], 0.0, 0
    for _ in range(-(-int(megabytes) // int(part))):
        if len(ends) >= 2 * workers:
            clock = max(clock, heapq.heappop(ends))
        clock += read * part
        end = max(clock, heapq.heappop(free)) + work * part
        heapq.heappush(free, end)
        heapq.heappush(ends, end)
        most = max(most, len(ends))
    return max(free), most


def bench_simulation(work: float = 0.14, read: float = 0.028) -> None:
    """Seconds and gain of more workers for 1.8 and 100 GB, from seconds a MB as measured here: of
    158 MB of real text, five times as many in a worker as in the process that reads.
    """
    print(f"simulated: {work} s of work and {read} s in one process a MB, parts of 4 MB")
    for gigabytes in (1.8, 100):
        alone, _ = simulate(1000 * gigabytes, 1, work, read)
        for workers in (1, 2, 4, 8, 16, 32):
            seconds, most = simulate(1000 * gigabytes, workers, work, read)
            print(
                f"  {gigabytes:5.1f} GB, {workers:2d} workers: {seconds:9,.0f} s, "
                f"{alone / seconds:5.2f} times one worker; at most {most} parts in memory"
            )


def bench_gensim(sections: int = 100) -> None:
    """Seconds of processor a MB of gensim's Phrases, twice, on the first sections."""
    rows = next(pq.ParquetFile(filings_file()).iter_batches(sections, columns=["text"])).to_pandas()
    texts = rows["text"].dropna()
    sentences = [text.split() for text in texts.map(lambda text: " ".join(split_tokens(text)))]
    started = time.process_time()
    for delimiter in ("_", "+"):
        options = dict(min_count=20, threshold=0.5, scoring="npmi", delimiter=delimiter)
        phrases = Phrases(sentences, connector_words=ENGLISH_CONNECTOR_WORDS, **options)
        sentences = list(phrases[sentences])
    seconds = time.process_time() - started
    print(f"  gensim's phrases alone: {seconds / (texts.str.len().sum() / 1e6):.2f} s a MB")


def bench_filings() -> None:
    bench_simulation()
    bench_gensim()
    print(
        f"filings to sequences, text of {filings_file().name}; peak memory includes the libraries",
        flush=True,
    )
    for share in SHARES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "filings.parquet"
            write_corpus(share, path)
            subprocess.run(
                [sys.executable, "-m", "tools.bench_filings", str(path), folder], check=True
            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(measure(*sys.argv[1:]), flush=True)
    else:
        bench_filings()
