"""Render README.md, results/README.md and data/README.md: ``python -m tools.readme``."""

import json
from pathlib import Path
from typing import NamedTuple

import nbformat
import pandas as pd

from data.catalog import DATASETS
from data.source import ROOT
from scores import METRIC_NAMES, score_text

RESULTS = ROOT / "results"
KINDS = {"bundled": "bundled data", "full": "local data"}


class Headline(NamedTuple):
    """The score that answers a notebook's question, its name, and the (model, name) of both."""

    task: str
    metric: str
    name: str
    network: tuple[str, str]
    rival: tuple[str, str]


# notebooks by number: name and question in the README, and the score that answers it
QUESTIONS = {
    "00": ("Recurrent cells", "What do LSTM and GRU remember?"),
    "01": ("The S&P 500", "Can its close be forecast, or its volatility?"),
    "02": ("A data set of stocks", "How does a panel become samples?"),
    "03": ("Next week's move", "Which way, and how far, will a stock go?"),
    "04": ("Ranking stocks", "Which stocks do better, after costs?"),
    "05": ("The economy", "Is a network better than a VAR?"),
    "06": ("Movie reviews", "Can reading beat counting?"),
    "07": ("Pretrained vectors", "When do vectors from elsewhere help?"),
    "08": ("Filings as sequences", "How do filings become sequences?"),
    "09": ("Filings and prices", "What does a filing tell: return, risk?"),
    "10": ("Beyond recurrence", "When to leave the recurrent network?"),
}
HEADLINES = {
    "00": Headline(
        "adding_problem",
        "rmse_skill",
        "skill over 100 steps",
        ("GRU, 100 steps", "GRU"),
        ("SimpleRNN, 100 steps", "plain"),
    ),
    "01": Headline(
        "volatility_1_days_ahead",
        "rmse",
        "tomorrow's volatility, RMSE",
        ("ridge + GRU", "GRU"),
        ("HAR with returns", "HAR"),
    ),
    "03": Headline(
        "next_week_volatility",
        "r2",
        "weekly volatility, R²",
        ("stacked LSTM", "LSTM"),
        ("all weeks, stock effects", "linear"),
    ),
    "04": Headline(
        "next_week_return",
        "ic",
        "weekly rank correlation",
        ("stacked LSTM", "LSTM"),
        ("ridge", "ridge"),
    ),
    "05": Headline(
        "production_1_to_3_months",
        "mae_less_var",
        "production, MAE less VAR's",
        ("encoder–decoder", "GRU"),
        ("ridge", "ridge"),
    ),
    "06": Headline(
        "review_sentiment",
        "auc",
        "new films, AUC",
        ("network", "network"),
        ("TF-IDF", "TF-IDF"),
    ),
    "07": Headline(
        "review_sentiment_250_reviews",
        "auc",
        "250 labels, AUC",
        ("taught", "taught"),
        ("TF-IDF", "TF-IDF"),
    ),
    "09": Headline(
        "volatility_63_days",
        "rank_correlation",
        "risk, rank correlation",
        ("ridge and GRU over blocks", "ridge + GRU"),
        ("TF-IDF and ridge", "ridge"),
    ),
    "10": Headline(
        "next_day_volatility",
        "r2",
        "tomorrow's volatility, R²",
        ("GRU", "GRU"),
        ("linear", "linear"),
    ),
}


def read_results(kind: str) -> dict[str, dict]:
    """The score files of ``kind`` ("bundled" or "full") by two-digit number of the notebook."""
    paths = sorted((RESULTS / kind).glob("*.json"))
    return {path.name[:2]: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def is_planted(result: dict) -> bool:
    """Whether scores come from synthetic filings, whose effect was put there by us."""
    return "synthetic" in result["source"] and bool(result["scores"])


def title(number: str) -> str:
    """The title of a notebook, from its first cell."""
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    first = nbformat.read(path, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")


def answer(number: str, result: dict) -> str:
    """The score of the network and that of its rival in a few words, or that it has none."""
    if number not in HEADLINES:
        return "prepares the data"
    headline = HEADLINES[number]
    by_model = {
        row["model"]: row["value"]
        for row in result["scores"]
        if row["task"] == headline.task and row["metric"] == headline.metric
    }
    values = []
    for model, name in (headline.network, headline.rival):
        value = f"{by_model[model]:.3f}".replace("-", "−")
        values.append(f"{name} {value}")
    return f"{headline.name}: {', '.join(values)}" + " (planted)" * is_planted(result)


def notebook_table() -> str:
    """One line a notebook for the first screen of the README."""
    lines = ["| | notebook | question | answer | minutes |", "|---|---|---|---|---|"]
    for number, result in read_results("bundled").items():
        name, question = QUESTIONS[number]
        link = f"[{name}](notebooks/{result['notebook']}.ipynb)"
        minutes = f"{result['seconds'] / 60:.1f}"
        lines.append(f"| {number} | {link} | {question} | {answer(number, result)} | {minutes} |")
    return "\n".join(lines)


def data_table() -> str:
    """One line a data set for data/README.md."""
    lines = ["| data set | bundled | licence | `python -m data download` |", "|---|---|---|---|"]
    for dataset in DATASETS.values():
        live = f"`{dataset.name}`: {dataset.live}"
        lines.append(f"| {dataset.title} | {dataset.bundled} | {dataset.licence} | {live} |")
    return "\n".join(lines)


def score_sections() -> str:
    """results/README.md: every score with its interval, bundled beside local data."""
    results = {kind: read_results(kind) for kind in KINDS}
    parts = [
        "# Results",
        "Every score of every notebook with its 95 % interval, rendered from the files beside this "
        "page by `python -m tools.readme`. Scores on bundled data are those of the committed "
        "outputs; scores on local data were made by `make full` on files that are not part of the "
        "repository. Each notebook says what its intervals are over.",
    ]
    for number in sorted(set(results["bundled"]) | set(results["full"])):
        parts.append(f"## {number} {title(number)}")
        rows = []
        for kind, label in KINDS.items():
            if result := results[kind].get(number):
                mark = " **The effect is planted.**" if is_planted(result) else ""
                cost = f"{result['seconds']:.0f} s, {result['peak_mb']} MB"
                parts.append(f"{label.capitalize()}: {result['source']}; {cost}.{mark}")
                rows += [{**row, "kind": label} for row in result["scores"]]
        if rows:
            parts.append(score_lines(rows))
    return "\n\n".join(parts) + "\n"


def score_lines(rows: list[dict]) -> str:
    """Scores as a table: a line for each task, metric and model, a column for each kind of data."""
    frame = pd.DataFrame(rows)
    frame["text"] = [score_text(row) for row in rows]
    keys = ["task", "metric", "model"]
    table = frame.pivot(index=keys, columns="kind", values="text")
    order = pd.MultiIndex.from_frame(frame[keys].drop_duplicates())
    columns = [label for label in KINDS.values() if label in table]
    table = table.reindex(index=order, columns=columns).fillna("")
    header = ["task", "metric", "model", *columns]
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for (task, metric, model), values in zip(table.index, table.to_numpy()):
        cells = [task.replace("_", " "), METRIC_NAMES.get(metric, metric), model, *values]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rendered(text: str) -> str:
    """``text`` with the tables between their markers made anew."""
    tables = {"notebooks": notebook_table, "data": data_table}
    for name, table in tables.items():
        opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
        if opening in text:
            before, _, rest = text.partition(opening)
            after = rest.partition(closing)[2]
            text = f"{before}{opening}\n{table()}\n{closing}{after}"
    return text


def pages() -> dict[Path, str]:
    """The rendered pages by path, as they should be."""
    texts = {RESULTS / "README.md": score_sections()}
    for path in (ROOT / "README.md", ROOT / "data" / "README.md"):
        texts[path] = rendered(path.read_text(encoding="utf-8"))
    return texts


def render() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    render()
