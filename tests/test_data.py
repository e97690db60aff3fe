"""Loaders: which copy they take, what they return, and what they say of damaged files."""

import gzip
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import data
from data.source import ROOT, local_file, local_folder, sha256

DAYS = pd.bdate_range("2020-01-01", periods=6)


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def bundled(monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", "")


def index_prices():
    prices = pd.DataFrame(
        {name: np.arange(6.0) + 100 for name in ("open", "high", "low", "close", "volume")}, DAYS
    )
    return prices.rename_axis("date")


def stock_rows():
    rows = pd.DataFrame(
        {"symbol": ["A", "B"] * 6, "date": np.repeat(DAYS, 2), "adj_close": np.arange(12.0) + 1}
    )
    return rows.assign(volume=10.0)


def test_empty_folder_name_means_no_local_data(bundled):
    assert local_folder() is None and local_file("pyproject.toml") is None


def test_bundled_sp500(bundled, capsys):
    prices = data.load_sp500()
    source = prices.attrs["source"]
    assert (
        list(prices) == ["open", "high", "low", "close", "volume"] and prices.index.name == "date"
    )
    assert (
        prices.index.is_monotonic_increasing
        and prices.index.is_unique
        and prices.notna().all().all()
    )
    assert (
        source["kind"] == "bundled"
        and source["first"] == "1999-01-04"
        and source["rows"] == len(prices) == 5031
    )
    assert capsys.readouterr().out == f"{source}\n" and "\n" not in str(source)


def test_bundled_stock_prices(bundled):
    panel = data.load_stock_prices()
    assert panel.shape == (8313, 20) and (panel > 0).all().all() and panel.columns.name == "ticker"
    with pytest.raises(data.DataError, match="no 'volume'.*python -m data download prices"):
        data.load_stock_prices("volume")


@pytest.mark.parametrize("load", [data.load_sp500, data.load_stock_prices])
def test_source_survives_json_and_parquet(load, bundled, tmp_path):
    frame = load()
    assert json.loads(json.dumps(frame.attrs["source"])) == frame.attrs["source"]
    frame.to_parquet(tmp_path / "frame.parquet")
    assert pd.read_parquet(tmp_path / "frame.parquet").attrs["source"] == frame.attrs["source"]


def test_local_comes_first(local):
    index_prices().to_csv(local / "sp500_daily.csv.gz")
    stock_rows().to_parquet(local / "stock_prices.parquet")
    prices, panel = data.load_sp500(), data.load_stock_prices()
    assert prices.attrs["source"]["kind"] == panel.attrs["source"]["kind"] == "local"
    assert prices.index[-1] == DAYS[-2], "a day in progress is dropped"
    assert panel.loc[DAYS[1]].tolist() == [3, 4]
    assert panel.attrs["source"]["sha256"] == sha256(local / "stock_prices.parquet")


def test_missing_prices_stay_missing(local):
    stock_rows().drop(index=5).to_parquet(local / "stock_prices.parquet")
    panel = data.load_stock_prices()
    assert np.isnan(panel.loc[DAYS[2], "B"]) and panel.isna().sum().sum() == 1


def refused(load, path, problem):
    with pytest.raises(data.DataError, match=problem) as caught:
        load()
    assert str(path) in str(caught.value) and "python -m data download" in str(caught.value)


@pytest.mark.parametrize(
    "damage, problem",
    [
        (lambda prices: prices.rename(columns={"close": "last"}), "needs the columns date, close"),
        (lambda prices: prices.iloc[::-1], "sorted and unique"),
        (lambda prices: prices.iloc[[0, 0, 1, 2]], "sorted and unique"),
        (lambda prices: prices.iloc[:1], "has 1 rows"),
        (lambda prices: prices.replace(103.0, 0.0), "is 0 on 2020-01-06; needs a positive number"),
        (
            lambda prices: prices.replace(103.0, np.nan),
            "is missing on 2020-01-06; needs a positive number",
        ),
        (
            lambda prices: prices.replace(103.0, np.inf),
            "is inf on 2020-01-06; needs a positive number",
        ),
        (
            lambda prices: prices.astype(object).replace(103.0, "n/a!"),
            "has 'n/a!' as open; needs a number",
        ),
    ],
)
def test_damaged_index_prices(local, damage, problem):
    path = local / "sp500_daily.csv"
    damage(index_prices()).to_csv(path)
    refused(data.load_sp500, path, problem)


def test_files_that_are_not_what_they_say(local):
    page = b"<!DOCTYPE html><html><body>Too many requests</body></html>"
    (local / "sp500_daily.csv").write_bytes(page)
    refused(data.load_sp500, local / "sp500_daily.csv", "needs the columns")
    (local / "sp500_daily.csv.gz").write_bytes(gzip.compress(index_prices().to_csv().encode())[:80])
    refused(data.load_sp500, local / "sp500_daily.csv.gz", "needs a table in CSV")
    (local / "stock_prices.parquet").write_bytes(page)
    refused(
        data.load_stock_prices, local / "stock_prices.parquet", "needs the columns symbol, date"
    )


@pytest.mark.parametrize(
    "damage, problem",
    [
        (lambda rows: rows.rename(columns={"symbol": "stock"}), "has no column symbol"),
        (lambda rows: pd.concat([rows, rows.iloc[[3]]]), "B has two rows on 2020-01-02"),
        (lambda rows: rows.replace(7.0, 0.0), "A has adj_close 0.0 on 2020-01-06"),
        (lambda rows: rows.replace(7.0, -1.0), "A has adj_close -1.0"),
        (lambda rows: rows.replace(7.0, np.inf), "A has adj_close inf"),
        (
            lambda rows: rows.astype({"adj_close": str}).replace("7.0", "seven"),
            "row 7 has 'seven' as adj_close; needs a number",
        ),
        (lambda rows: rows.assign(date="soon"), "row 1 has the date .soon."),
        (
            lambda rows: rows.assign(date=rows["date"].mask(rows["adj_close"] == 7.0)),
            "row 7 has no date",
        ),
        (
            lambda rows: rows.assign(symbol=rows["symbol"].mask(rows["adj_close"] == 7.0)),
            "row 7 has no symbol",
        ),
        (lambda rows: rows.iloc[:0], "in any of 0 rows"),
    ],
)
def test_damaged_stock_prices(local, damage, problem):
    path = local / "stock_prices.parquet"
    damage(stock_rows()).to_parquet(path)
    refused(data.load_stock_prices, path, problem)


def test_folder_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", "no/such/folder")
    with pytest.raises(data.DataError, match="RNN_TRADING_DATA names 'no/such/folder'"):
        data.load_sp500()


def test_list_shows_every_data_set(bundled):
    shown = subprocess.run(
        [sys.executable, "-m", "data", "list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for dataset in data.DATASETS.values():
        assert re.search(rf"^{dataset.name} ", shown, flags=re.MULTILINE)
        assert dataset.licence in shown and dataset.live in shown


@pytest.mark.skipif(
    not (ROOT / "../shared/data").is_dir(), reason="no ../shared/data beside the checkout"
)
def test_real_local_files(monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", "../shared/data")
    prices, panel = data.load_sp500(), data.load_stock_prices()
    assert prices.index[0] == pd.Timestamp("1950-01-03") and len(prices) == 19_280
    assert panel.shape == (5074, 501) and panel.isna().any().any()
    assert data.load_stock_prices("volume").shape == panel.shape
