"""What downloads leave: a lock while they run, whole files, and a record of their origin."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import filelock
import pandas as pd

from data.catalog import DATASETS
from data.downloads.patience import DownloadError, explain
from data.files import whole_file
from data.source import local_folder, sha256


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """The local folder, with the data set ``name`` locked against another download (the lock dies
    with its process).
    """
    folder = local_folder()
    if folder is None:
        raise DownloadError(
            "RNN_TRADING_DATA is empty, which means no local data", "unset it, or name a folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{name}.lock", timeout=0):
            yield folder
    except filelock.Timeout as error:
        raise DownloadError(
            f"another download or removal of {name} is running", "wait for it to end"
        ) from error
    except OSError as error:
        raise explain(error) from error


def record_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.download.json"


def write_record(folder: Path, name: str, record: dict) -> dict:
    """Keep what was downloaded beside the data: origin, time, licence, dates, rows, size and hash
    of each file.
    """
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in record.pop("files")
    }
    record = {
        "name": name,
        "downloaded": stamp,
        "licence": DATASETS[name].live_licence,
        **record,
        "files": files,
    }
    with whole_file(record_path(folder, name)) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def read_record(folder: Path, name: str) -> dict | None:
    """The record of the last download, or None."""
    path = record_path(folder, name)
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise DownloadError(
            f"the record {path} is damaged ({error})", "delete it; the data themselves stay"
        ) from error


def remove(name: str) -> list[Path]:
    """Delete what a download of ``name`` left; return the deleted paths. Files put there by hand
    stay.
    """
    with locked(name) as folder:
        record = read_record(folder, name) or {"files": {}}
        ours = [
            folder / file
            for file, known in record["files"].items()
            if is_as_recorded(folder / file, known)
        ]
        for path in (*ours, record_path(folder, name)):
            path.unlink(missing_ok=True)
        shutil.rmtree(folder / f".{name}.partial", ignore_errors=True)
    return ours


def is_as_recorded(path: Path, known: Mapping[str, object]) -> bool:
    """Whether a file is the one that was downloaded."""
    return (
        path.is_file() and path.stat().st_size == known["bytes"] and sha256(path) == known["sha256"]
    )


def part(
    path: Path, fetch: Callable[[], pd.DataFrame], longest: float = float("inf")
) -> pd.DataFrame:
    """The frame ``fetch()``, or what an earlier run kept of it, unless that is older than
    ``longest`` seconds.
    """
    if not (path.exists() and time.time() - path.stat().st_mtime < longest):
        with whole_file(path) as temporary:
            fetch().to_parquet(temporary, index=False)
    return pd.read_parquet(path)


def older_rows(path: Path, name: str, types: Mapping[str, str]) -> pd.DataFrame:
    """The rows of an earlier download, with columns of these ``types`` among others, or an empty
    frame.
    """
    try:
        return (
            pd.read_parquet(path) if path.is_file() else pd.DataFrame(columns=list(types))
        ).astype(types)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise DownloadError(
            f"the older {path} is damaged ({error})", f"python -m data remove {name}, or delete it"
        ) from error


def store_rows(path: Path, rows: pd.DataFrame, origin: str, dates: str, **notes: object) -> dict:
    """Write a table and return its record."""
    first, last = (f"{day:%Y-%m-%d}" for day in (rows[dates].min(), rows[dates].max()))
    with whole_file(path) as temporary:
        rows.to_parquet(temporary, index=False)
    return {
        "origin": origin,
        "files": [path],
        "rows": len(rows),
        "first": first,
        "last": last,
        **notes,
    }
