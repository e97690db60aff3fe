"""Render README.md from results/ and the data catalogue: ``python -m tools.readme``."""

import base64
import json
import re

import nbformat
import pandas as pd

from data.catalog import DATASETS
from data.source import ROOT
from scores import score_table

ROW = ["task", "model", "metric", "value", "low", "high", "n"]
TASKS = 4  # shown of each notebook, the first ones


def notebook_table():
    """One line a task: the metric that most models have, in the order of the notebook (baselines
    first).
    """
    lines = [
        "| notebook | task | metric | scores with 95 % intervals | seconds | MB |",
        "|---|---|---|---|---|---|",
    ]
    for path in sorted((ROOT / "results" / "bundled").glob("*.json")):
        result = json.loads(path.read_text())
        name = f"[{result['notebook']}](notebooks/{result['notebook']}.ipynb)"
        cost = f"{result['seconds']:.0f} | {result['peak_mb']}"
        by_task = pd.DataFrame(result["scores"], columns=ROW).groupby("task", sort=False)
        if not result["scores"]:
            lines.append(f"| {name} | prepares data | | | {cost} |")
        for task, rows in list(by_task)[:TASKS]:
            metric = rows.groupby("metric", sort=False).size().idxmax()
            table = score_table(rows[rows["metric"] == metric].to_dict("records"))[metric]
            scores = "<br>".join(f"{model}: {text}" for (_, model), text in table.items())
            lines.append(f"| {name} | {task.replace('_', ' ')} | {metric} | {scores} | {cost} |")
            name, cost = "", " | "
    return "\n".join(lines)


def data_table():
    lines = ["| data set | bundled | licence | `python -m data download` |", "|---|---|---|---|"]
    for dataset in DATASETS.values():
        lines.append(
            f"| {dataset.title} | {dataset.bundled} | {dataset.licence} | `{dataset.name}`: "
            f"{dataset.live} |"
        )
    return "\n".join(lines)


def rendered(text):
    """``text`` with the tables between their markers made anew."""
    for name, table in (("notebooks", notebook_table()), ("data", data_table())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(
            pattern, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL
        )
    return text


def picture():
    """PNG of the volatility forecast in notebook 01."""
    notebook = nbformat.read(
        ROOT / "notebooks" / "01_univariate_time_series_regression.ipynb", as_version=4
    )
    cell = next(cell for cell in notebook.cells if "Log daily volatility: actual" in cell.source)
    return base64.b64decode(
        next(output.data["image/png"] for output in cell.outputs if "data" in output)
    )


def render():
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "volatility.png").write_bytes(picture())
    path = ROOT / "README.md"
    path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    render()
