"""The stock panel: robust on panels nobody tuned to, blind to the future, at chance without signal,
awake with one.

The cells and functions of notebooks 02, 03 and 04 are executed here as they stand, on made-up
panels.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from examples import SOURCE
from notebook_code import functions, run_cells

import utils
from data.source import ROOT, DataError, Source
from features import dataset
from features.panel import (
    check_prices,
    delayed_returns,
    ranks_by_date,
    returns,
    suspect_ticks,
    weekly_prices,
)
from scores import information_coefficient

DAYS = pd.bdate_range("2009-01-01", "2015-12-31", name="date")
VALIDATION, TEST = "2013-01-01", "2014-01-01"


def made_up_prices(stocks=12, seed=0):
    """Random walks with a common part, positive, complete."""
    generator = np.random.default_rng(seed)
    moves = 0.02 * generator.standard_normal(
        (len(DAYS), stocks)
    ) + 0.01 * generator.standard_normal((len(DAYS), 1))
    columns = pd.Index([f"T{number:02}" for number in range(stocks)], name="ticker")
    return pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), DAYS, columns)


def build_dataset(prices):
    """What notebook 02 would write for these prices: "weekly" and "newest", each (windows,
    details), and "panel".
    """
    prices.attrs["source"] = SOURCE
    saved = {}

    def save(name, windows, features, source, **details):
        saved[name] = windows, dict(details, features=list(features))
        path = ROOT / "pyproject.toml"  # any file: the notebook prints its size
        return path

    parameters = {"VALIDATION_START": VALIDATION, "TEST_START": TEST}
    replaced = {
        "load_stock_prices": lambda: prices,
        "save_windows": save,
        "save_panel": lambda name, panel, source: saved.update({name: panel}),
    }
    run_cells("02", "## What would have gone wrong", parameters, **replaced)
    return saved


# ------------------------------------------------------------------------------------------------- weeks


def test_a_week_is_stamped_with_its_last_trading_day():
    prices = made_up_prices().drop(
        pd.to_datetime(["2010-04-02", "2011-07-04", "2011-07-08", "2011-07-07"])
    )
    weekly = weekly_prices(prices)
    assert pd.Timestamp("2010-04-01") in weekly.index and pd.Timestamp("2011-07-06") in weekly.index
    assert weekly.index.isin(prices.index).all() and weekly.index.is_unique
    pd.testing.assert_frame_equal(weekly, prices.loc[weekly.index], check_freq=False)


def test_weeks_without_a_trading_day_are_missing():
    prices = made_up_prices()
    hole = prices.drop(prices["2010-06-05":"2010-09-03"].index)
    weekly = weekly_prices(hole)
    assert weekly.index.is_monotonic_increasing and weekly["2010-06-05":"2010-09-03"].isna().all(
        axis=None
    )
    assert (
        len(weekly) == len(weekly_prices(prices))
        and weekly.index[weekly.isna().all(axis=1)].day_of_week.isin([4]).all()
    )
    assert returns(weekly).loc["2010-09-10"].isna().all()


def test_a_week_in_progress_is_left_out():
    prices = made_up_prices()
    assert DAYS[-1].day_name() == "Thursday"
    assert weekly_prices(prices).index[-1] == pd.Timestamp("2015-12-25")
    assert weekly_prices(prices[:"2015-12-25"]).index[-1] == pd.Timestamp("2015-12-25")
    with pytest.raises(ValueError, match="at least one week that is over"):
        weekly_prices(prices[:"2009-01-01"])


def test_a_halted_stock_is_missing_and_a_delisted_one_stops():
    prices = made_up_prices()
    prices.loc["2010-03-08":"2010-03-12", "T00"] = np.nan  # a whole week
    prices.loc["2012-05-09":, "T01"] = np.nan  # dies on a Wednesday
    change = returns(weekly_prices(prices))
    missing = change.index[change["T00"].isna()][1:]
    assert missing.strftime("%Y-%m-%d").tolist() == ["2010-03-12", "2010-03-19"]
    assert change["T01"].last_valid_index() == pd.Timestamp("2012-05-11")
    expected = prices.loc["2012-05-08", "T01"] / prices.loc["2012-05-04", "T01"] - 1
    assert change.loc["2012-05-11", "T01"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda prices: prices.iloc[::-1], "sorted from old to new"),
        (lambda prices: prices.iloc[[0, 1, 1, 2]], "without duplicates"),
        (lambda prices: prices.set_axis(["T00"] * 12, axis=1), "tickers must be unique"),
        (
            lambda prices: prices * np.where(DAYS == DAYS[3], 0.0, 1.0)[:, None],
            r"positive and finite, given 0.0 for T00 on 2009-01-06",
        ),
        (lambda prices: -prices, "positive and finite, given -"),
        (
            lambda prices: prices * np.where(DAYS == DAYS[3], np.inf, 1.0)[:, None],
            "positive and finite, given inf",
        ),
        (lambda prices: prices.astype(str) + " $", "must be numbers"),
        (lambda prices: prices.iloc[:0], r"trading days × tickers, given \(0, 12\)"),
        (lambda prices: prices.reset_index(drop=True), "DatetimeIndex"),
        (lambda prices: prices["T00"], "must be a DataFrame"),
    ],
)
@pytest.mark.parametrize("function", [check_prices, weekly_prices])
def test_bad_prices_are_refused(function, damage, message):
    with pytest.raises(ValueError, match=message):
        function(damage(made_up_prices()))


# ------------------------------------------------------------------------------------------------- errors


def test_suspect_ticks_are_found_and_crises_are_not():
    prices = made_up_prices()
    prices.loc["2012-03-07", "T03"] *= 2  # one wrong price: there and back again
    prices.loc["2011-08-10":, "T04"] *= 0.5  # a split that was never applied
    prices.loc["2010-06-01":, :] *= 0.8  # a crash of all stocks
    found = suspect_ticks(prices).stack()
    assert {(str(day.date()), ticker) for day, ticker in found[found].index} == {
        ("2012-03-07", "T03"), ("2012-03-08", "T03"), ("2011-08-10", "T04"),
    }  # fmt: skip


def test_suspect_ticks_do_not_look_ahead():
    prices = made_up_prices()
    prices.loc["2012-03-07", "T03"] *= 2
    for cut in pd.to_datetime(["2012-03-06", "2012-03-07", "2012-03-08", "2013-01-01"]):
        pd.testing.assert_frame_equal(
            suspect_ticks(prices[:cut]), suspect_ticks(prices)[:cut], check_freq=False
        )


def test_a_tick_is_missing_in_its_own_week_only():
    prices = made_up_prices()
    suspect = pd.DataFrame(False, DAYS, prices.columns)
    suspect.loc["2012-03-07", "T03"] = suspect.loc["2015-12-29", "T05"] = (
        True  # the second after the last whole week
    )
    weekly = weekly_prices(prices)
    plain, cleaned = returns(weekly), returns(weekly, suspect)
    changed = (plain.notna() & cleaned.isna()).stack()
    assert list(changed[changed].index) == [(pd.Timestamp("2012-03-09"), "T03")]
    daily = returns(prices, suspect)
    assert np.isnan(daily.loc["2012-03-07", "T03"]) and daily["T03"].isna().sum() == 2


# -------------------------------------------------------------------------------------------------- ranks


def test_ranks_are_those_of_pandas_within_a_date():
    generator = np.random.default_rng(0)
    dates = np.repeat(DAYS[:30].to_numpy(), generator.integers(1, 9, 30))
    X = generator.integers(0, 5, (len(dates), 4)).astype(float)  # with ties
    groups = pd.DataFrame(X).groupby(dates)
    count = groups.transform("count")
    expected = ((groups.rank() - 0.5) / count - 0.5) * np.sqrt(12)
    np.testing.assert_allclose(ranks_by_date(X, dates), expected, atol=1e-6)


def test_ranks_are_the_same_in_a_thread_and_in_either_precision():
    """To the last bit: make_dataset ranks in threads what 02 ranks in its own."""
    X, dates = np.random.default_rng(0).standard_normal((9, 4)).astype("float32"), np.zeros(9)
    ranks = ranks_by_date(X, dates)
    with ThreadPoolExecutor(1) as pool:
        of_thread = pool.submit(ranks_by_date, X, dates).result()
    np.testing.assert_array_equal(of_thread, ranks)
    np.testing.assert_array_equal(ranks_by_date(X.astype("float64"), dates), ranks)


# --------------------------------------------------------------------------------------- the data set of 02


def hostile_prices():
    """Late listing, delisting, holidays, a gap, a stock with one price, an empty column, and a
    wrong price.
    """
    prices = made_up_prices()
    prices.loc[:"2011-06-30", "T00"] = np.nan
    prices.loc["2012-05-09":, "T01"] = np.nan
    prices.loc["2010-03-08":"2010-03-12", "T02"] = np.nan
    prices["T03"] = prices["T03"].where(prices.index == "2011-01-05")
    prices["T04"] = np.nan
    prices.loc["2011-08-10", "T05"] *= 3
    return prices.drop(pd.to_datetime(["2010-04-02", "2011-11-24", "2012-07-04", "2014-07-04"]))


@pytest.fixture(scope="module")
def hostile():
    prices = hostile_prices()
    return prices, build_dataset(prices)


def test_hostile_panel_gives_sound_windows(hostile):
    prices, saved = hostile
    windows, details = saved["weekly"]
    ticker = np.asarray(windows.ticker)
    assert (
        np.isfinite(windows.X).all()
        and np.isfinite(windows.y).all()
        and details["features"] == ["return", "rank", "path"]
    )
    assert windows.X.dtype == np.dtype("float32"), "half the size, and what a network reads"
    assert set(ticker) == set(prices.columns) - {"T03", "T04"}
    assert windows.input_end[ticker == "T00"].min() >= pd.Timestamp(
        "2012-06-29"
    )  # 52 returns after the listing
    assert windows.target_date[ticker == "T01"].max() == pd.Timestamp("2012-05-11")
    ends = pd.DatetimeIndex(windows.input_end[ticker == "T02"])
    assert not ((ends >= "2010-03-05") & (ends < "2011-03-11")).any(), "a window spans the gap"
    assert (windows.target_date > windows.input_end).all() and np.isin(
        windows.input_end, prices.index
    ).all()


def test_the_outcome_is_raw_and_tradable(hostile):
    prices, saved = hostile
    windows, details = saved["weekly"]
    ticker, ends = np.asarray(windows.ticker), pd.DatetimeIndex(windows.input_end)
    wrong = (ticker == "T05") & (windows.input_end == np.datetime64("2011-08-05"))
    assert wrong.sum() == 1, "a week with a suspect price stays an outcome"
    assert not ((ticker == "T05") & (ends >= "2011-08-12") & (ends < "2012-08-03")).any(), (
        "but is no input"
    )
    for sample in np.random.default_rng(0).choice(len(windows), 200, replace=False):
        series = prices[ticker[sample]].dropna()
        first, last = (
            series[: windows.input_end[sample]].iloc[-1],
            series[: windows.target_date[sample]].iloc[-1],
        )
        assert windows.y[sample] == pytest.approx(last / first - 1, abs=1e-6)
        entry, leave = (
            prices[ticker[sample]][date:].iloc[1:2]
            for date in (windows.input_end[sample], windows.target_date[sample])
        )
        delayed = leave.iloc[0] / entry.iloc[0] - 1
        assert details["delayed_return"][sample] == pytest.approx(delayed, abs=1e-6, nan_ok=True)


def test_labels_and_clip_limits(hostile):
    _, saved = hostile
    windows, details = saved["weekly"]
    np.testing.assert_array_equal(details["up"], windows.y > 0)
    median = pd.Series(windows.y).groupby(windows.input_end).transform("median")
    np.testing.assert_array_equal(details["beats_median"], windows.y > median)
    assert windows.y.max() > windows.X[:, :, 0].max(), "inputs are clipped, outcomes are not"


@pytest.mark.parametrize("cut", ["2013-06-05", "2014-10-03"])
def test_the_future_changes_no_window_before_it(hostile, cut):
    prices, saved = hostile
    changed = prices.copy()
    later = changed.index > cut
    generator = np.random.default_rng(1)
    changed[later] = (
        generator.permutation(changed[later].to_numpy(), axis=0)
        * generator.uniform(0.5, 2, later.sum())[:, None]
    )
    again = build_dataset(changed)
    (before, details), (after, other_details) = saved["weekly"], again["weekly"]
    known, still = (
        before.target_date <= np.datetime64(cut),
        after.target_date <= np.datetime64(cut),
    )
    assert known.sum() > 1000
    for field in ("X", "y", "input_end", "target_date"):
        np.testing.assert_array_equal(getattr(before, field)[known], getattr(after, field)[still])
    np.testing.assert_array_equal(details["up"][known], other_details["up"][still])
    # Of inputs that end by then, but whose targets do not, some are gone and others new: those left are the same.
    samples = [pd.MultiIndex.from_arrays([part.input_end, part.ticker]) for part in (before, after)]
    both = samples[0].intersection(samples[1])
    both = both[both.get_level_values(0) <= np.datetime64(cut)]
    X_before, X_after = (
        part.X[index.get_indexer(both)] for part, index in zip((before, after), samples)
    )
    np.testing.assert_array_equal(X_before, X_after)


def test_a_delisting_next_week_is_not_known_this_week():
    prices = made_up_prices()
    died = prices.copy()
    died.loc["2014-03-10":, ["T00", "T05"]] = np.nan
    (before, _), (after, _) = (build_dataset(panel)["weekly"] for panel in (prices, died))
    last = (
        before.input_end == np.datetime64("2014-03-07"),
        after.input_end == np.datetime64("2014-03-07"),
    )
    survivors = ~before.ticker[last[0]].isin(["T00", "T05"])
    assert survivors.sum() == last[1].sum() == 10
    np.testing.assert_array_equal(before.X[last[0]][survivors], after.X[last[1]])


def test_panels_without_a_window_are_refused():
    with pytest.raises(ValueError, match="at least 104 weeks"):
        build_dataset(made_up_prices().iloc[:100])
    every_seventh = np.where(DAYS.isocalendar().week % 10 == 0, np.nan, 1)[:, None]
    with pytest.raises(ValueError, match="free of missing values"):
        build_dataset(made_up_prices() * every_seventh)


# ----------------------------------------------------------------------------------- the file between 02 and 03


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "FOLDER", tmp_path)
    monkeypatch.setattr(dataset, "ROOT", tmp_path)
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    return tmp_path


def test_windows_survive_the_file(hostile, folder, capsys):
    _, saved = hostile
    windows, details = saved["weekly"]
    features = details["features"]
    dataset.save_windows("weekly", windows, features, SOURCE, up=details["up"])
    loaded, frame = dataset.load_windows("weekly")
    for field in ("X", "y", "input_end", "target_date"):
        np.testing.assert_array_equal(getattr(loaded, field), getattr(windows, field))
    np.testing.assert_array_equal(np.asarray(loaded.ticker), np.asarray(windows.ticker))
    np.testing.assert_array_equal(frame["up"], details["up"])
    assert frame.attrs == {"source": SOURCE, "features": features}
    assert capsys.readouterr().out == f"{SOURCE}\n"
    assert [path.name for path in folder.iterdir()] == ["weekly.parquet"]


def test_a_file_that_is_absent_damaged_or_of_other_prices(hostile, folder, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"weekly.parquet is not there.*make notebooks NB=02"):
        dataset.load_windows("weekly")
    windows, details = hostile[1]["weekly"]
    path = dataset.save_windows(
        "weekly", windows, details["features"], Source(SOURCE, kind="local")
    )
    with pytest.raises(DataError, match="made from local prices.*make notebooks NB=02"):
        dataset.load_windows("weekly")
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    (tmp_path / "stock_prices.parquet").write_bytes(b"another file of prices")
    with pytest.raises(DataError, match="not those in use now.*make notebooks NB=02"):
        dataset.load_windows("weekly")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="is damaged.*make notebooks NB=02"):
        dataset.load_windows("weekly")
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="is damaged.*make notebooks NB=02"):
        dataset.load_windows("weekly")


# -------------------------------------------------------------------------------------- the network of 03


def ranked_panel(signal, seed=0, stocks=20):
    """Windows of random returns. ``signal`` moves the next week: down after a good week, and up
    after an extreme one.

    The first part is linear in last week's rank; the second is even in it, so that no linear model
    sees it.
    """
    generator = np.random.default_rng(seed)
    weeks = pd.date_range("2009-01-02", "2015-12-25", freq="W-FRI")
    values = 0.03 * generator.standard_normal((len(weeks), stocks))
    for week in range(1, len(weeks)):
        rank = values[week - 1].argsort().argsort() / (stocks - 1) - 0.5
        values[week] += signal * (8 * rank**2 - rank)
    panel = utils.make_panel_windows(
        pd.DataFrame(values, weeks, [f"T{number:02}" for number in range(stocks)]), 52
    )
    change = panel.X[:, :, 0]
    ranks = [ranks_by_date(numbers, panel.input_end) for numbers in (change, change.cumsum(axis=1))]
    return replace(panel, X=np.stack([change, *ranks], axis=-1))


def panel_of(windows):
    """The panel by week of windows: their returns, and a volatility that is half known before."""
    change = pd.DataFrame(
        {"date": windows.input_end, "ticker": windows.ticker, "return": windows.X[:, -1, 0]}
    ).pivot(index="date", columns="ticker", values="return")
    before = pd.DataFrame(windows.X[windows.input_end == windows.input_end[0]][:, :-1, 0].T)
    dates = pd.date_range(end=change.index[0], periods=len(before) + 1, freq="W-FRI")[:-1]
    change = pd.concat([before.set_axis(dates).set_axis(change.columns, axis=1), change])
    generator = np.random.default_rng(0)
    noise = pd.DataFrame(generator.normal(size=change.shape), change.index, change.columns)
    volatility = -4 + noise + noise.shift(1, fill_value=0)
    volatility += np.linspace(-1, 1, change.shape[1])  # some stocks are wilder than others
    return dataset.beside_market(change, volatility)


def volatility_ahead(panel, windows):
    """The volatility of the week after each sample."""
    later = panel["volatility"].shift(-1).fillna(-4.0)
    rows = later.index.get_indexer(windows.input_end)
    return later.to_numpy()[rows, windows.ticker.codes]


def run_direction(windows, until, panel=None, **parameters):
    """Notebook 03 on these windows, with one seed, up to a heading."""
    panel = panel or panel_of(windows)
    median = pd.Series(windows.y).groupby(windows.input_end).transform("median")
    details = pd.DataFrame({"up": windows.y > 0, "beats_median": windows.y > median})
    details["forward_volatility"] = volatility_ahead(panel, windows)
    details.attrs = {"source": SOURCE, "features": ["return", "rank", "path"]}
    settings = {"VALIDATION_START": VALIDATION, "TEST_START": TEST, "SEEDS": [0], "BATCH": 256}
    replaced = {
        "load_windows": lambda name, features=None: (windows, details),
        "load_panel": lambda name: panel,
    }
    without = ("### The ticker embedding",)
    return run_cells("03", until, settings | parameters, without, **replaced)


def test_full_scores_come_from_the_same_notebooks():
    for path in (ROOT / "results" / "full").glob("0[34]_*.json"):
        full, bundled = (
            json.loads((ROOT / "results" / kind / path.name).read_text(encoding="utf-8"))
            for kind in ("full", "bundled")
        )
        tasks = [
            {(row["task"], row["model"], row["metric"]) for row in result["scores"]}
            for result in (full, bundled)
        ]
        assert tasks[0] == tasks[1]
        assert re.search(r"\(local\)", full["source"])


@pytest.mark.slow
def test_planted_signal_is_found_and_the_future_changes_no_prediction():
    windows = ranked_panel(signal=0.03)
    settings = dict(ROUNDS=16, DROPOUT=0.1, LEARNING_RATE=0.01)
    names = run_direction(windows, "### The ticker embedding", **settings)
    part, truth = names["split"].validation, names["actual"]
    found = names["forecasts"]["beats_median"]
    ic = names["direction_table"](found, truth["beats_median"], windows, part)["weekly IC"]
    assert ic["stacked LSTM"] > ic["logistic on path"] + 0.05, (
        "the network finds what no linear model sees"
    )
    volatility = names["forecasts"]["volatility"]
    error = ((volatility["stacked LSTM"] - truth["volatility"])[part] ** 2).mean()
    own_mean = ((volatility["mean of each stock"] - truth["volatility"])[part] ** 2).mean()
    assert error < 0.85 * own_mean, "and the volatility that was planted"

    last = part.stop
    changed = replace(windows, X=windows.X.copy(), y=windows.y.copy())
    changed.X[last:] = np.random.default_rng(2).permutation(changed.X[last:]) * 3
    changed.y[last:] *= -5
    panel = panel_of(windows)
    for frame in panel.values():
        frame.loc[frame.index > windows.target_date[last - 1]] *= -3
    again = run_direction(changed, "### The ticker embedding", panel, **settings)
    for target in ("up", "beats_median", "volatility"):
        for model, forecast in names["forecasts"][target].items():
            np.testing.assert_array_equal(
                forecast[:last], again["forecasts"][target][model][:last], err_msg=model
            )


@pytest.mark.slow
def test_shuffled_labels_give_chance():
    windows = ranked_panel(signal=0.03)
    shuffled = replace(windows, y=np.random.default_rng(3).permutation(windows.y))
    names = run_direction(shuffled, "## Scoreboard", ROUNDS=3)
    models = "stacked LSTM", "linear, all inputs", "logistic on path"
    rows = [
        row for row in names["scores"] if row["model"] in models and row["metric"] in ("auc", "ic")
    ]
    assert len(rows) == 12
    for row in rows:
        chance = {"auc": 0.5, "ic": 0.0}[row["metric"]]
        assert abs(row["value"] - chance) < 0.06, row
        assert row["low"] - 0.02 < chance < row["high"] + 0.02, row


# ----------------------------------------------------------------------------------- the returns of 04


def test_a_delayed_trade_by_hand():
    days = pd.bdate_range("2020-01-02", "2020-01-20")
    prices = pd.DataFrame({"A": np.arange(10.0, 23), "B": 5.0}, days)
    gone = "2020-01-13"  # the last trade in B would have been sold on the Monday it was gone
    prices.loc[gone:, "B"] = np.nan
    delayed = delayed_returns(prices)
    assert list(delayed.index) == list(weekly_prices(prices).index)
    monday = [prices.loc[day, "A"] for day in ("2020-01-06", "2020-01-13", "2020-01-20")]
    expected = [np.nan, monday[1] / monday[0] - 1, monday[2] / monday[1] - 1]
    np.testing.assert_allclose(delayed["A"], expected, rtol=1e-6)
    assert delayed["B"].isna().all()


def run_returns(windows, **parameters):
    """Notebook 04 on these windows, with one seed, up to its scoreboard."""
    details = pd.DataFrame({"forward_return": windows.y, "delayed_return": windows.y})
    details.attrs = {"source": SOURCE, "features": ["return", "rank", "path"]}
    settings = dict(VALIDATION_START=VALIDATION, TEST_START=TEST, SEEDS=[0], SELECTION_FOLDS=3)
    settings |= dict(ROUNDS=2, ROUND_STEPS=6, RETRAIN="1", WEEKS_A_BATCH=12) | parameters
    panel = panel_of(windows)
    details["forward_volatility"] = volatility_ahead(panel, windows)
    replaced = {
        "load_windows": lambda name: (windows, details),
        "load_panel": lambda name: panel,
    }
    return run_cells("04", "## Scoreboard", settings, **replaced)


def weekly_ics(names, windows):
    part = windows.input_end[names["test"]], windows.y[names["test"]]
    return {
        name: information_coefficient(part[1], forecast, part[0])
        for name, forecast in names["tested"].items()
    }


@pytest.mark.slow
def test_planted_returns_are_found_and_the_future_changes_no_forecast():
    windows = ranked_panel(signal=0.03)
    names = run_returns(windows)
    ic = {name: values.mean() for name, values in weekly_ics(names, windows).items()}
    assert ic["stacked LSTM"] > 0.2 and ic["ridge"] > 0.2, ic
    assert ic["reversal"] > 0.2 > ic["momentum"], ic

    first = names["test"].start
    changed = replace(windows, X=windows.X.copy(), y=windows.y.copy())
    changed.y[windows.target_date >= windows.input_end[first]] *= -5
    later = windows.input_end > windows.input_end[first]
    changed.X[later] = np.random.default_rng(2).permutation(changed.X[later]) * 3
    again = run_returns(changed)
    before = windows.input_end[names["test"]] == windows.input_end[first]
    for name, forecast in names["tested"].items():
        other = again["tested"][name]
        np.testing.assert_array_equal(forecast[before], other[before], err_msg=name)
        assert np.abs(forecast[~before] - other[~before]).max() > 1e-3


@pytest.mark.slow
def test_shuffled_returns_give_no_weekly_ic():
    windows = ranked_panel(signal=0.03)
    shuffled = replace(windows, y=np.random.default_rng(3).permutation(windows.y))
    for name, ic in weekly_ics(run_returns(shuffled), shuffled).items():
        assert abs(ic.mean()) < 3 * ic.std() / np.sqrt(len(ic)), name


@pytest.mark.slow
def test_the_loss_for_the_order_is_blind_to_scale_and_least_in_order():
    keras = pytest.importorskip("keras")
    names = functions("04")
    loss, stocks = names["rank_loss"], names["STOCKS_A_WEEK"]
    actual = np.tile(np.arange(stocks, dtype="float32"), 3)[:, None]
    for predicted, expected in ((5 + 7 * actual, 0), (-actual, 2)):
        values = keras.ops.convert_to_numpy(loss(actual, predicted))
        assert values.shape == (3,)
        np.testing.assert_allclose(values, expected, atol=1e-4)
