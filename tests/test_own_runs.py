"""Notebooks on readers' own files: they run to the end, or stop with one sentence within seconds.

The cells run as a plain script in a copy of the repository, so that nothing of its build/ is
touched; parameters are set to a little training, where a notebook has them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
SIX = list("ABCDEF")
LITTLE = {  # by notebook: a little training
    "01": {"STEPS": 20, "LONGER": 1, "SEEDS": [0]},
    "03": {
        "ROUNDS": 2,
        "ROUND_STEPS": 3,
        "WEEKS": 8,
        "STRENGTHS": [1],
        "PENALTIES": [1],
        "SEEDS": [0],
    },
    "04": {"ROUNDS": 1, "ROUND_STEPS": 3, "RETRAIN": [1], "PENALTIES": [100], "SEEDS": [0]},
    "05": {"EPOCHS": 2, "PATHS": 20, "SEEDS": [0]},
    "06": {"UNITS": 4, "SEEDS": [0]},
    "09": {"STEPS": 10, "ORDER_TEXTS": 300, "ORDER_STEPS": 10, "SEEDS": [1]},
}
NUMBER = np.random.default_rng  # a generator for each file, so that files do not depend on others
RISKS = "we may lose customers and our business could be harmed by competition taxes weather rates"
GOOD = "tasty fresh kind friendly wonderful cosy quick warm generous crisp".split()
BAD = "cold stale rude slow bland dirty greasy burnt tiny noisy".split()
PLAIN = (
    "the food service waiter soup table evening pasta bread wine dish we it was and with".split()
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The code and the notebooks, without what was made or downloaded."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("data", "features", "docs", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.glob("*.py"):
        shutil.copy(path, folder)
    return folder


def code(number, **parameters):
    """The code cells of a notebook as one script, with the ``parameters`` after its own."""
    path = next((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            parts.append(cell.source)
        if "parameters" in cell.metadata.get("tags", []):
            unknown = [name for name in parameters if name not in cell.source]
            assert not unknown, f"no parameters of {path.stem}: {unknown}"
            parts += [f"{name} = {value!r}" for name, value in parameters.items()]
    return "\n\n".join(parts)


def run(copy, local, number, backend="tensorflow", **parameters):
    """Run a notebook; returns the last line of what it says of an error, or nothing."""
    script = code(number, **{**LITTLE.get(number, {}), **parameters})
    if backend == "tensorflow":  # XLA compiles for longer than so little training takes
        script = script.replace("jit_compile=True", "jit_compile=False")
    environment = {**os.environ, "RNN_TRADING_DATA": str(local), "PYTHONPATH": str(copy)}
    environment |= {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore", "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", script]
    place = {"cwd": copy / "notebooks", "env": environment}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", **place)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def prices(days, names, seed=0):
    """Prices of stocks that share a market, days × names."""
    generator = NUMBER(seed)
    market = generator.standard_t(5, (len(days), 1)) * 0.006
    own = generator.standard_t(5, (len(days), len(names))) * 0.01
    return pd.DataFrame(50 * np.exp((market + own).cumsum(axis=0)), days, names)


def long(panel):
    stacked = panel.rename_axis("date").rename_axis(columns="symbol").stack()
    return stacked.rename("adj_close").reset_index()


def index_days(first, last):
    """Open, high, low, close and volume of an index, as Yahoo names them."""
    days, generator = pd.bdate_range(first, last), NUMBER(1)
    waves = pd.Series(generator.normal(size=len(days))).ewm(halflife=20).mean()
    size = np.exp(2 * waves.to_numpy() - 4.6)
    close = 100 * np.exp((generator.normal(size=len(days)) * size).cumsum())
    start = np.r_[100, close[:-1]] * np.exp(generator.normal(size=len(days)) * size / 5)
    up, down = np.exp(np.abs(generator.normal(size=(2, len(days))) * size / 2))
    table = {"Date": days, "Open": start, "High": np.maximum(start, close) * up}
    table |= {"Low": np.minimum(start, close) / down, "Close": close, "Volume": 1e6}
    return pd.DataFrame(table)


def filings(first, count, companies):
    """Sections of some companies that file once a year, a day apart."""
    generator, rows = NUMBER(2), []
    for number in range(count):
        text = ". ".join(" ".join(generator.choice(RISKS.split(), 12)) for _ in range(60)) + "."
        year, company = divmod(number, companies)
        day = pd.Timestamp(first) + pd.DateOffset(years=year, days=company)
        rows.append((SIX[company], company + 1, "10-K", day, "1A", text))
    return pd.DataFrame(rows, columns=["ticker", "cik", "form", "date_filed", "item", "text"])


def test_six_stocks_of_three_years(copy, tmp_path):
    """As a long CSV, in 02 to 04."""
    table = long(prices(pd.bdate_range("2022-01-03", "2024-12-31"), SIX))
    table.to_csv(tmp_path / "stock_prices.csv", index=False)
    assert [run(copy, tmp_path, number) for number in ("02", "03", "04")] == ["", "", ""]


def test_a_panel_with_delistings_and_late_listings(copy, tmp_path):
    panel = prices(pd.bdate_range("2009-01-02", "2018-12-31"), [f"S{n:02}" for n in range(12)], 3)
    for stock, row in enumerate((600, 1000, 1400, 2100)):
        panel.iloc[row:, stock] = np.nan
        panel.iloc[:row, stock + 4] = np.nan
    long(panel).to_parquet(tmp_path / "stock_prices.parquet", index=False)
    assert [run(copy, tmp_path, number) for number in ("02", "03", "04")] == ["", "", ""]


def test_bundled_data_on_jax(copy):
    assert run(copy, "", "01", backend="jax", TEST_START="2016-01-01") == ""


def test_an_index_of_three_years_of_yahoo(copy, tmp_path):
    index_days("2022-01-03", "2024-12-31").to_csv(tmp_path / "^GSPC.csv", index=False)
    assert run(copy, tmp_path, "01") == ""


def test_monthly_series_from_2000(copy, tmp_path):
    months, generator = pd.date_range("2000-01-01", "2024-12-01", freq="MS"), NUMBER(4)
    mood = 85 + 20 * pd.Series(generator.normal(size=len(months))).ewm(halflife=12).mean()
    season = 0.03 * np.sin(np.arange(len(months)) * np.pi / 6)
    growth = (0.001 + 0.005 * generator.normal(size=len(months))).cumsum()
    series = {"UMCSENT": mood.to_numpy(), "IPGMFN": 100 * np.exp(growth + season)}
    for name, values in series.items():
        table = pd.DataFrame({"observation_date": months, name: values.round(3)})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    assert run(copy, tmp_path, "05") == ""


def test_reviews_of_restaurants(copy, tmp_path):
    generator, rows = NUMBER(5), []
    for number in range(400):
        label = number % 2
        right, wrong = (GOOD, BAD) if label else (BAD, GOOD)
        words = [*generator.choice(PLAIN, 20), *generator.choice(right, 4), generator.choice(wrong)]
        rows.append((" ".join(generator.permutation(words)), label))
    table = pd.DataFrame(rows, columns=["text", "label"])
    table.to_csv(tmp_path / "reviews.csv", index=False)
    assert run(copy, tmp_path, "06") == ""


def test_ten_filings_of_three_years(copy, tmp_path):
    """08 makes sequences of them, of its own dates; 09 runs and says that they are too few."""
    filings("2019-02-11", 10, 4).to_parquet(tmp_path / "filings_10k.parquet", index=False)
    table = long(prices(pd.bdate_range("2018-01-02", "2022-12-30"), SIX, 9))
    table.to_parquet(tmp_path / "stock_prices.parquet", index=False)
    assert [run(copy, tmp_path, number) for number in ("08", "09")] == ["", ""]
