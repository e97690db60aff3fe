"""Run the notebooks side by side: ``python -m tools.notebooks run|refresh|full [NUMBER ...] [--
papermill options]``.

run      executed copies and HTML in build/, tracked files untouched
refresh  the same, then outputs into notebooks/, scores into results/bundled, tables into README.md
full     the same as run on local data; the scores of each into results/full as soon as it is over
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
from nbconvert import HTMLExporter
from traitlets.config import Config

from data.source import local_folder
from scores import score_table
from tools.lab import kernel_environment
from tools.order import in_good_order, number, ready
from tools.parameters import options_for
from tools.readme import render

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS, BUILD, RESULTS = ROOT / "notebooks", ROOT / "build", ROOT / "results"
STYLE = re.compile(r"\bT_[0-9a-f]{5}(?![0-9a-f])")
GIB_EACH = 3  # memory that a notebook may need
GIB = {"03": 4, "04": 4}  # those that need more, with a panel of 500 stocks


@dataclass
class Run:
    """One notebook in execution."""

    source: Path
    process: subprocess.Popen
    started: float = field(default_factory=time.time)

    @property
    def seconds(self) -> float:
        return time.time() - self.started


def select(numbers: list[str]) -> list[Path]:
    """Notebooks in order; all of them, or those with the given two-digit numbers."""
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    unknown = set(numbers) - {number(path) for path in paths}
    if unknown:
        sys.exit(
            f"no notebook {', '.join(sorted(unknown))}; there are "
            f"{', '.join(number(path) for path in paths)}"
        )
    return [path for path in paths if not numbers or number(path) in numbers]


def start(path: Path, parameters: list[str]) -> Run:
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(path),
        str(BUILD / path.name),
        "--cwd",
        str(NOTEBOOKS),
    ]
    options = ["--kernel", "python3", "--no-progress-bar", "--log-level", "ERROR", *parameters]
    log = open(BUILD / f"{path.stem}.log", "w", encoding="utf-8")
    streams = dict(stdout=log, stderr=subprocess.STDOUT, env=kernel_environment())
    return Run(path, subprocess.Popen(command + options, **streams))


def fits(path: Path, running: list[Run], free: float) -> bool:
    """May the notebook ``path`` start beside those ``running``? One a core, and memory for all of
    them within the ``free`` GiB that there were before the first; one alone may always.
    """
    names = [number(run.source) for run in running] + [number(path)]
    needed = sum(GIB.get(name, GIB_EACH) for name in names)
    return not running or (len(names) <= os.cpu_count() and needed <= free)


def execute(
    paths: list[Path],
    parameters: dict[Path, list[str]],
    finished: Callable[[Path], object] = lambda path: None,
) -> None:
    """Run all ``paths`` as their needs, the cores and the memory allow, and call ``finished`` with
    each that is over; exit with the cell and the error of a failure. ``parameters`` are papermill's
    options by notebook.
    """
    (BUILD / "results").mkdir(parents=True, exist_ok=True)
    waiting, running = in_good_order(paths, os.cpu_count()), []
    free = psutil.virtual_memory().available / 2**30
    try:
        while waiting or running:
            for path in ready(waiting, [run.source for run in running]):
                if fits(path, running, free):
                    waiting.remove(path)
                    running.append(start(path, parameters[path]))
            show(running, waiting)
            time.sleep(0.2)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                if run.process.returncode:
                    sys.exit(failure(run))
                left = len(running) + len(waiting)
                show_line(f"{run.source.stem}  {run.seconds:.0f} s, {left} to go")
                write_html(BUILD / run.source.name)
                finished(run.source)
    finally:
        for run in running:
            run.process.terminate()


def show(running: list[Run], waiting: list[Path]) -> None:
    """A status line that overwrites itself, on a terminal only."""
    if sys.stdout.isatty():
        now = ", ".join(f"{number(run.source)} ({run.seconds:.0f} s)" for run in running)
        then = f"; then {' '.join(number(path) for path in waiting)}" if waiting else ""
        print(f"\r\033[Krunning {now}{then}", end="", flush=True)


def show_line(line: str) -> None:
    print(f"\r\033[K{line}" if sys.stdout.isatty() else line, flush=True)


def failure(run: Run) -> str:
    """The failing cell and its error, as text."""
    copy = BUILD / run.source.name
    cells = nbformat.read(copy, as_version=4).cells if copy.exists() else []
    for cell in cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                error = f"{output.ename}: {output.evalue}"
                place = f"{run.source.name} failed in this cell"
                seen = copy.relative_to(ROOT)
                return f"\n{place}:\n\n{cell.source}\n\n{error}\n\nsee {seen}"
    log = (BUILD / f"{run.source.stem}.log").read_text(encoding="utf-8")
    return f"\n{run.source.name} failed:\n{log[-2000:]}"


def write_html(path: Path) -> None:
    """Page of an executed copy, without the code of cells tagged hide-input."""
    hidden = {"enabled": True, "remove_input_tags": ["hide-input"]}
    exporter = HTMLExporter(config=Config(TagRemovePreprocessor=hidden))
    html, _ = exporter.from_filename(str(path))
    path.with_suffix(".html").write_text(html, encoding="utf-8")


def read_result(path: Path) -> dict:
    return json.loads((BUILD / "results" / f"{path.stem}.json").read_text(encoding="utf-8"))


def scoreboard(paths: list[Path]) -> None:
    """All scores, seconds and peak memory of the notebooks just run."""
    for path in paths:
        result = read_result(path)
        print(
            f"\n{path.stem}: {result['seconds']:.0f} s, {result['peak_mb']} MB, {result['source']}"
        )
        if result["scores"]:
            print(score_table(result["scores"]).to_string())


def keep_scores(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(BUILD / "results" / f"{path.stem}.json", folder)


def keep_local_scores(path: Path) -> None:
    """Scores of one notebook into results/full, where they were made from local data."""
    if "(local)" in read_result(path)["source"]:
        keep_scores(path, RESULTS / "full")


def keep_outputs(path: Path) -> None:
    """Executed copy into notebooks/, without papermill's records and the machine's versions."""
    notebook = nbformat.read(BUILD / path.name, as_version=4)
    notebook.metadata = nbformat.read(path, as_version=4).metadata
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.NotebookNode(tags=tags) if tags else nbformat.NotebookNode()
    name_styles(notebook)
    nbformat.write(notebook, path)


def name_styles(notebook: nbformat.NotebookNode) -> None:
    """Number the styled tables, whose names pandas draws at random, so that outputs change only
    with the tables.
    """
    known = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html")
            if html:
                output.data["text/html"] = re.sub(
                    STYLE, lambda found: known.setdefault(found[0], f"T_{len(known):05x}"), html
                )


def main() -> None:
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        dashes = arguments.index("--")
        arguments, options = arguments[:dashes], arguments[dashes + 1 :]
    parser = argparse.ArgumentParser(
        prog="python -m tools.notebooks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("mode", choices=["run", "refresh", "full"])
    parser.add_argument("numbers", nargs="*", metavar="NUMBER")
    arguments = parser.parse_args(arguments)
    if arguments.mode == "full" and not (local_folder() and local_folder().is_dir()):
        sys.exit(
            "no local data: put it into local/, or name its folder in RNN_TRADING_DATA (see: "
            "python -m data list)"
        )
    paths = select(arguments.numbers)
    try:
        parameters = options_for(paths, options)
    except ValueError as error:
        sys.exit(str(error))
    if arguments.mode == "full":
        execute(paths, parameters, keep_local_scores)
    else:
        execute(paths, parameters)
    if arguments.mode == "refresh":
        for path in paths:
            keep_outputs(path)
            keep_scores(path, RESULTS / "bundled")
        render()
    scoreboard(paths)


if __name__ == "__main__":
    main()
