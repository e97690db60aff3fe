"""Text to sequences: MB a second, how that grows with the corpus, and peak memory: ``python -m
tools.bench_filings``.

The text is that of the filings in use: real ones where RNN_TRADING_DATA has them, else synthetic
ones. Each size runs in processes of its own, in an empty folder.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from data.filings import filings_file
from features.filings import dask_client, encode, fit, tokenize
from features.filings.common import COLUMNS

SHARES = (0.25, 0.5, 1, 2)  # of the corpus; 2: every filing twice
TRAINING_END = "2013-01-01"


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_corpus(share, path):
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


def measure(path, folder):
    """The chain in this process and its workers: one line."""
    with dask_client() as client:
        times = [time.perf_counter()]
        corpus = tokenize(path, client, folder=folder)
        times.append(time.perf_counter())
        model = fit(corpus, TRAINING_END, client)
        times.append(time.perf_counter())
        encode(corpus, model, client)
        times.append(time.perf_counter())
        workers = max(client.run(peak_mb).values())
    megabytes, seconds = corpus.totals()["megabytes"], times[-1] - times[0]
    steps = ", ".join(
        f"{name} {end - start:.1f}"
        for name, start, end in zip(("words", "phrases", "sequences"), times, times[1:])
    )
    return (
        f"  {megabytes:6.1f} MB in {seconds:5.1f} s ({steps}): {megabytes / seconds:4.1f} MB/s "
        f"on {os.cpu_count()} cores; "
        f"peak {peak_mb():.0f} MB, largest worker {workers:.0f} MB"
    )


def bench_filings():
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
