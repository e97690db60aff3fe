"""The data set of notebook 02 in one call: volatility by hand, newest windows, delistings, one
stock, no future.
"""

import numpy as np
import pandas as pd
import pytest
from examples import SOURCE

from data.source import DataError
from features import dataset
from features.dataset import LazyWindows, make_dataset, values_at
from features.panel import weekly_prices, weekly_volatility, with_next_week
from utils import make_panel_windows

DAYS = pd.bdate_range("2009-01-01", "2012-12-28", name="date")
TRAINING_END = "2011-06-01"


def made_up_prices(stocks=6, seed=0):
    """Random walks, complete; the second stock is delisted, the third listed late."""
    generator = np.random.default_rng(seed)
    moves = 0.02 * generator.standard_normal((len(DAYS), stocks))
    columns = pd.Index([f"T{number}" for number in range(stocks)], name="ticker")
    return pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), DAYS, columns)


def with_comings_and_goings():
    prices = made_up_prices()
    prices.loc["2011-05-11":, "T1"] = np.nan
    prices.loc[:"2010-06-30", "T2"] = np.nan
    return prices


def test_volatility_by_hand():
    prices = made_up_prices()
    volatility = weekly_volatility(prices)
    week = prices["T0"].pct_change()["2010-03-06":"2010-03-12"]
    assert len(week) == 5
    expected = np.log(np.sqrt((week**2).mean()))
    assert volatility.loc["2010-03-12", "T0"] == pytest.approx(expected)
    assert volatility.index.equals(weekly_prices(prices).index)


def test_volatility_is_known_where_the_return_is():
    prices = with_comings_and_goings()
    prices.loc["2010-08-02":"2010-08-05", "T3"] = np.nan  # one price that week, on its Friday
    prices.loc["2010-09-06":"2010-09-10", "T4"] = np.nan  # none
    prices["T5"] = 7.0  # never moves
    volatility, known = (
        weekly_volatility(prices),
        weekly_prices(prices).pct_change(fill_method=None).notna(),
    )
    pd.testing.assert_frame_equal(volatility.notna(), known)
    jump = prices.loc["2010-08-06", "T3"] / prices.loc["2010-07-30", "T3"] - 1
    assert volatility.loc["2010-08-06", "T3"] == pytest.approx(np.log(abs(jump)))
    np.testing.assert_allclose(volatility["T5"].dropna(), np.log(1e-4))


def test_a_suspect_tick_is_missing_as_input_only():
    prices = made_up_prices()
    suspect = prices.isna()
    suspect.loc["2010-03-10", "T0"] = True
    with_rule, without = weekly_volatility(prices, suspect), weekly_volatility(prices)
    assert np.isnan(with_rule.loc["2010-03-12", "T0"]) and without["T0"].notna().sum() == (
        with_rule["T0"].notna().sum() + 1
    )


def test_the_week_ahead_is_stamped_with_its_friday():
    weekly = weekly_prices(made_up_prices())
    longer = with_next_week(weekly)
    assert longer.index[-1] == pd.Timestamp("2013-01-04") and longer.iloc[-1].isna().all()
    pd.testing.assert_frame_equal(longer.iloc[:-1], weekly, check_freq=False)


def test_the_newest_windows_lie_ahead():
    data = make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10)
    assert list(data.newest.ticker) == ["T0", "T2", "T3", "T4", "T5"]
    assert np.isnan(data.newest.y).all() and np.isfinite(data.windows.y).all()
    assert (data.newest.target_date > data.newest.input_end).all()
    assert data.newest.input_end.min() == data.windows.target_date.max()
    assert np.isfinite(data.newest.X).all()


def test_a_sample_comes_with_its_week():
    """What is an outcome now was an input a week later, except where the rule for suspect ticks
    says otherwise.
    """
    data = make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10)
    later = values_at(data.panel["volatility"], data.windows.target_date, data.windows.ticker)
    np.testing.assert_array_equal(later, data.outcomes["forward_volatility"])
    market = data.panel["volatility"].astype("float64").mean(axis=1)
    row = data.panel["market_volatility"].iloc[50].dropna()
    np.testing.assert_allclose(row, market.iloc[50])


def test_the_delisted_die_and_the_late_listed_join():
    data = make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10)
    ticker = np.asarray(data.windows.ticker)
    assert data.windows.target_date[ticker == "T1"].max() == np.datetime64("2011-05-13")
    assert data.windows.input_end[ticker == "T2"].min() == np.datetime64("2010-09-10")
    last_known = np.isfinite(data.outcomes["forward_volatility"])
    assert last_known.all(), "it moved in its last week, whatever became of it"


def test_one_stock():
    data = make_dataset(made_up_prices(1), TRAINING_END, weeks=10)
    assert np.isfinite(data.windows.X).all() and len(data.newest) == 1
    assert (data.outcomes["beats_median"] == 0).all()


def test_blocks_of_stocks_give_the_samples_of_the_whole():
    prices = with_comings_and_goings()
    whole = make_dataset(prices, TRAINING_END, weeks=10)
    blocks = iter([prices.iloc[:, :2], prices.iloc[:, 2:5], prices.iloc[:, 5:]])
    parts = make_dataset(blocks, TRAINING_END, weeks=10, features=("path",))
    np.testing.assert_array_equal(parts.windows.X[:, :, 0], whole.windows.X[:, :, 2])
    np.testing.assert_array_equal(parts.windows.y, whole.windows.y)
    np.testing.assert_array_equal(parts.newest.ticker, whole.newest.ticker)
    pd.testing.assert_frame_equal(parts.outcomes, whole.outcomes)
    for feature, frame in whole.panel.items():
        pd.testing.assert_frame_equal(frame, parts.panel[feature])


@pytest.mark.parametrize(
    "blocks, error",
    [
        (lambda prices: [], "no block"),
        (lambda prices: [prices, prices], "each stock once"),
        (lambda prices: [prices.iloc[:, :2], prices.iloc[300:, 2:]], "the same days"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(blocks, error):
    with pytest.raises(ValueError, match=error):
        make_dataset(blocks(made_up_prices()), TRAINING_END, weeks=10)
    with pytest.raises(ValueError, match=r"given \['size'\]"):
        make_dataset(made_up_prices(), TRAINING_END, weeks=10, features=("size",))


def test_half_precision_needs_half_the_memory():
    whole, half = (
        make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10, dtype=dtype)
        for dtype in ("float32", "float16")
    )
    assert 2 * half.windows.X.nbytes == whole.windows.X.nbytes
    ranks = [data.windows.X[:, :, 1:].astype("float32") for data in (whole, half)]
    np.testing.assert_allclose(*ranks, rtol=0, atol=1 / 4000)
    pd.testing.assert_frame_equal(half.outcomes, whole.outcomes)
    with pytest.raises(ValueError, match="float16 or float32, given 'int8'"):
        make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10, dtype="int8")


def test_the_future_changes_no_input():
    prices = with_comings_and_goings()
    changed = prices.copy()
    later = changed.index > "2012-06-01"
    factors = np.random.default_rng(1).uniform(0.5, 2, (later.sum(), prices.shape[1]))
    changed[later] *= factors
    first, second = (make_dataset(panel, TRAINING_END, 10) for panel in (prices, changed))
    cut = np.datetime64("2012-06-01")
    before, still = (data.windows.input_end <= cut for data in (first, second))
    np.testing.assert_array_equal(first.windows.X[before], second.windows.X[still])
    for feature, frame in first.panel.items():
        pd.testing.assert_frame_equal(frame[:cut], second.panel[feature][:cut])


def test_a_panel_without_training_years_or_windows_is_refused():
    with pytest.raises(ValueError, match="no return is known before training_end"):
        make_dataset(made_up_prices(), "2009-01-05", weeks=10)
    with pytest.raises(ValueError, match="needs? at least"):
        make_dataset(made_up_prices(), TRAINING_END, weeks=500)


def test_the_panel_survives_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "FOLDER", tmp_path)
    monkeypatch.setattr(dataset, "ROOT", tmp_path)
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    with pytest.raises(DataError, match=r"panel.parquet is not there.*make notebooks NB=02"):
        dataset.load_panel("panel")
    panel = make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10).panel
    path = dataset.save_panel("panel", panel, SOURCE)
    loaded = dataset.load_panel("panel")
    assert list(loaded) == list(panel)
    for feature, frame in panel.items():
        expected = frame.astype("float32")
        pd.testing.assert_frame_equal(loaded[feature], expected, check_freq=False)
    with pytest.raises(DataError, match="is damaged"):
        dataset.load_windows("panel")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="is damaged"):
        dataset.load_panel("panel")


def test_lazy_windows_are_those_of_the_windows():
    data = make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10)
    windows = data.windows
    lazy = LazyWindows(data.panel, windows.input_end, windows.ticker, 10)
    assert lazy.shape == (len(windows), 10, 5) and len(lazy) == len(windows)
    everything = lazy[:]
    assert everything.dtype == np.float32 and np.isfinite(everything).all()
    np.testing.assert_array_equal(everything[:, :, 0], windows.X[:, :, 0])
    in_memory = make_panel_windows(data.panel, 10)
    both = np.flatnonzero(windows.ticker == "T3")[:-1]
    rows = np.flatnonzero(in_memory.ticker == "T3")[: len(both)]
    np.testing.assert_array_equal(lazy[both], in_memory.X[rows])
    np.testing.assert_array_equal(lazy.newest_first()[5:9], everything[5:9, ::-1])
    mask = np.arange(len(windows)) % 7 == 0
    np.testing.assert_array_equal(lazy[mask], everything[mask])
    with pytest.raises(ValueError, match="no 60 weeks of every ticker"):
        LazyWindows(data.panel, windows.input_end, windows.ticker, 60)


def test_the_scale_is_that_of_the_training_weeks():
    panel = make_dataset(with_comings_and_goings(), TRAINING_END, weeks=10).panel
    panel = {feature: frame.astype("float64") for feature, frame in panel.items()}
    scaled, scale = dataset.standardised(panel, TRAINING_END)
    known = scaled["volatility"][scaled["volatility"].index < TRAINING_END].to_numpy()
    assert np.nanmean(known) == pytest.approx(0, abs=1e-9)
    assert np.nanstd(known) == pytest.approx(1)
    mean, deviation = scale["volatility"]
    back = scaled["volatility"] * deviation + mean
    np.testing.assert_allclose(back, panel["volatility"])
