"""The filings loader and the synthetic 10-K generator: planted effect found, none invented, rows never lost."""

import numpy as np
import pandas as pd
import pytest

from data.filings import BAD, COLUMNS, GOOD, load_filings, synthetic_filings
from data.source import DataError


def correlation(effect):
    filings, prices = synthetic_filings(effect=effect)
    words = filings["text"].str.split()
    tone = words.map(lambda text: sum(word in GOOD for word in text) - sum(word in BAD for word in text))
    entry = prices.index.searchsorted(filings["date_filed"], side="right")
    week = prices.to_numpy()[entry + 5] / prices.to_numpy()[entry] - 1
    own = week[np.arange(len(filings)), prices.columns.get_indexer(filings["ticker"])]
    return pd.Series(own - week.mean(axis=1)).corr(tone, method="spearman")


def test_counting_words_finds_the_planted_effect():
    assert correlation(0.03) > 0.4


def test_no_effect_no_correlation():
    assert abs(correlation(0)) < 0.1


def test_effect_changes_no_text():
    pd.testing.assert_frame_equal(synthetic_filings(5, 3)[0], synthetic_filings(5, 3, effect=0)[0])


def test_local_filings_keep_every_row(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    rows = [("B", 1, "10-K", pd.Timestamp("2020-02-02"), "1A", "")]
    rows.append(("A", 2, "10-K", pd.Timestamp("2020-02-01"), "1A", "日本\x00"))
    pd.DataFrame(rows + rows[:1], columns=COLUMNS).to_parquet(tmp_path / "filings_10k.parquet")
    filings = load_filings()
    assert list(filings["ticker"]) == ["A", "B", "B"] and filings.attrs["source"]["kind"] == "local"


def test_missing_column_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    pd.DataFrame({"ticker": ["A"]}).to_parquet(tmp_path / "filings_10k.parquet")
    with pytest.raises(DataError, match="data download filings"):
        load_filings()
