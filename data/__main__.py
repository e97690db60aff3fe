"""Command line: ``python -m data download NAME``, ``python -m data list``, ``python -m data remove
NAME``.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import data
from data.catalog import DATASETS, DataSource
from data.downloads import download
from data.downloads.stored import is_as_recorded, read_record, remove
from data.source import DataError, local_file, sha256


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 after an error, 130 after Ctrl-C."""
    options = vars(parser().parse_args(arguments))
    command = {"download": download_datasets, "list": list_datasets, "remove": remove_dataset}[
        options.pop("command")
    ]
    try:
        return command(**options)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what arrived is kept: run the command again to go on", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m data", description="Data sets of the notebooks.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what is present, from where, dates, size, hash, licence")
    command = commands.add_parser("remove", help="delete what was downloaded")
    command.add_argument("name", choices=DATASETS)
    sources = commands.add_parser("download", help="fetch from the real source").add_subparsers(
        dest="name", required=True
    )
    for name, dataset in DATASETS.items():
        if dataset.download:  # comes with another one
            continue
        source = sources.add_parser(name, help=dataset.live)
        if name in ("prices", "filings"):
            given = source.add_mutually_exclusive_group()
            given.add_argument(
                "--tickers", nargs="+", metavar="TICKER", help="default: the 20 bundled stocks"
            )
            given.add_argument(
                "--tickers-file",
                dest="tickers",
                metavar="FILE",
                type=tickers_in,
                help="separated by white space",
            )
        if name == "prices":
            source.add_argument(
                "--start", metavar="YYYY-MM-DD", type=day, help="first day, default 1990-01-01"
            )
        if name == "glove":
            source.add_argument(
                "--dimensions",
                nargs="+",
                type=int,
                choices=(50, 100, 200, 300),
                help="default: 100",
            )
        if name == "filings":
            source.add_argument(
                "--years", nargs=2, type=int, metavar=("FIRST", "LAST"), help="default: 2010 to now"
            )
            source.add_argument(
                "--identity", metavar='"NAME E-MAIL"', help="for the SEC; default: EDGAR_IDENTITY"
            )
    sources.add_parser("all", help="all of them, with the default options")
    return top


def day(text: str) -> str:
    """A date as YYYY-MM-DD."""
    return str(date.fromisoformat(text))


def tickers_in(file: str | Path) -> list[str]:
    """The tickers in a text file, separated by white space."""
    try:
        tickers = Path(file).read_text(encoding="utf-8-sig").split()
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(error) from error
    if not tickers:
        raise argparse.ArgumentTypeError(f"no ticker in {file}")
    return tickers


def download_datasets(name: str, **options: object) -> int:
    """Download one data set, or all; filings bring the prices of the same tickers."""
    options = {key: value for key, value in options.items() if value is not None}
    every = [each for each in DATASETS if not DATASETS[each].download]
    jobs = [(each, {}) for each in every] if name == "all" else [(name, options)]
    if name == "filings":
        jobs.append(("prices", {"tickers": options["tickers"]} if "tickers" in options else {}))
    status = 0
    for each, options in jobs:
        try:
            record = download(each, **options)
            print(f"{each}: {record['origin']} -> {', '.join(record['files'])}")
        except DataError as error:
            print(f"{each}: {error}", file=sys.stderr)
            status = 1
            if name != "all":
                break
    return status


def list_datasets() -> int:
    """One block a data set: what is read now with dates, size and hash, what is bundled, where a
    download comes from.
    """
    for dataset in DATASETS.values():
        status, where = dataset.status()
        print(f"{dataset.name:11} {dataset.title}")
        for title, text in (
            ("now", f"{status}: {where}"),
            *(local_lines(dataset) if status == "local" else [("licence", dataset.licence)]),
            (
                "content",
                content(dataset) if status != "missing" else "get it with: " + dataset.command,
            ),
            ("bundled", dataset.bundled),
            ("live", dataset.live),
        ):
            print(f"{'':11}   {title:9} {text}")
    return 0


def local_lines(dataset: DataSource) -> Iterator[tuple[str, str]]:
    """Origin and licence of the local file that is read; size and hash of all files that came with
    it.
    """
    path = local_file(*dataset.files)
    record = read_record(path.parent, dataset.name) or {"files": {}}
    paths = {path.with_name(name): known for name, known in record["files"].items()}
    if path in paths:
        unchanged = all(is_as_recorded(path, known) for path, known in paths.items())
        yield (
            "from",
            f"{record['origin']}, {record['downloaded']}{'' if unchanged else ' (changed since)'}",
        )
        yield "licence", record["licence"]
    else:
        paths = [path]
        yield "from", "put there by hand"
        yield "licence", "that of your own copy"
    for path in filter(Path.is_file, paths):
        yield "file", f"{path.name}, {path.stat().st_size:,} bytes, sha256 {sha256(path)}"


def content(dataset: DataSource) -> str:
    """Rows, dates and hash, as the loader finds them; the long texts and vectors are not read for
    this.
    """
    if dataset.name in ("imdb", "glove") or not (loader := getattr(data, dataset.loader, None)):
        return "not read"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            source = loader(**dict.fromkeys(dataset.options, True)).attrs["source"]
    except DataError as error:
        return f"error: {error}"
    span = f"{source['first']} to {source['last']}"
    return f"{source['rows']:,} rows, {span}, sha256 {source['sha256'][:12]}"


def remove_dataset(name: str) -> int:
    """Delete what a download left."""
    deleted = remove(name)
    print(
        "\n".join(f"deleted {path}" for path in deleted)
        or f"{name}: no downloaded file (files put there by hand stay)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
