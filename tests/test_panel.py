"""The stock panel: robust on panels nobody tuned to, blind to the future, at chance without signal,
awake with one.

The cells and functions of notebooks 02, 03 and 04 are executed here as they stand, on made-up
panels.
"""

import json
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from notebook_code import functions

import utils
from data.source import ROOT, DataError, Source
from features import dataset
from features.panel import check_prices, ranks_by_date, returns, suspect_ticks, weekly_prices

SOURCE = Source(
    name="prices",
    kind="bundled",
    origin="made up",
    licence="none",
    first=None,
    last=None,
    rows=0,
    sha256="0" * 64,
)
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


def run_cells(number, until, parameters, without=(), **replaced):
    """Execute the code cells of a notebook up to a heading, without some sections; returns its
    names.

    Names that the notebook imports may be replaced.
    """
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    namespace, heading = {}, ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^##+ .*", cell.source, flags=re.MULTILINE)
            heading = [heading, *headings][-1]
            if until in headings:
                return namespace
        elif heading not in without:
            exec(compile(cell.source, path.name, "exec"), namespace)
            if "parameters" in cell.metadata.get("tags", []):
                namespace.update(parameters)
            namespace.update({name: value for name, value in replaced.items() if name in namespace})
            plt.close("all")
    raise AssertionError(f"{path.name} has no heading {until!r}")


def build_dataset(prices):
    """What notebook 02 would write for these prices: (weekly windows, details), (daily windows,
    details).
    """
    prices.attrs["source"] = SOURCE
    saved = {}

    def load(field="adj_close"):
        if field != "adj_close":
            raise DataError("no volume")
        return prices

    def save(name, windows, features, source, **details):
        saved[name] = windows, dict(details, features=list(features))
        path = ROOT / "pyproject.toml"  # any file: the notebook prints its size
        return path

    parameters = {"VALIDATION_START": VALIDATION}
    run_cells(
        "02", "## What would have gone wrong", parameters, load_stock_prices=load, save_windows=save
    )
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
    assert {part.X.dtype for part, _ in saved.values()} == {np.dtype("float32")}, (
        "half the size, and what a network reads"
    )
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
    for name in ("weekly", "daily"):
        (before, details), (after, other_details) = saved[name], again[name]
        known, still = (
            before.target_date <= np.datetime64(cut),
            after.target_date <= np.datetime64(cut),
        )
        assert known.sum() > 1000
        for field in ("X", "y", "input_end", "target_date"):
            np.testing.assert_array_equal(
                getattr(before, field)[known], getattr(after, field)[still]
            )
        np.testing.assert_array_equal(details["up"][known], other_details["up"][still])
        # Of inputs that end by then, but whose targets do not, some are gone and others new: those left are the same.
        samples = [
            pd.MultiIndex.from_arrays([part.input_end, part.ticker]) for part in (before, after)
        ]
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
    with pytest.raises(ValueError, match="at least 53 rows"):
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


def run_direction(windows, until, **parameters):
    """Notebook 03 on these windows, with one seed, up to a heading."""
    median = pd.Series(windows.y).groupby(windows.input_end).transform("median")
    details = pd.DataFrame({"up": windows.y > 0, "beats_median": windows.y > median})
    details.attrs = {"source": SOURCE, "features": ["return", "rank", "path"]}
    parameters = (
        dict(VALIDATION_START=VALIDATION, TEST_START=TEST, SEEDS=[0], BATCH=256) | parameters
    )
    without = ("### Do the ticker and the calendar help?", "### The ticker embedding")
    return run_cells("03", until, parameters, without, load_windows=lambda name: (windows, details))


def test_interval_of_the_auc_is_that_of_resampled_weeks():
    """The quick count over pairs of weeks equals scikit-learn's AUC, whatever weeks are drawn."""
    from sklearn.metrics import roc_auc_score

    (path,) = (ROOT / "notebooks").glob("03_*.ipynb")
    cell = next(
        c.source
        for c in nbformat.read(path, as_version=4).cells
        if c.source.startswith("def auc_by_weeks")
    )
    namespace = {"np": np}
    exec(cell, namespace)
    generator = np.random.default_rng(0)
    dates = np.repeat(np.arange(20), generator.integers(2, 9, 20))
    actual, predicted = (
        generator.integers(0, 2, len(dates)),
        generator.integers(0, 30, len(dates)) / 30,
    )
    pairs, up, down = namespace["auc_by_weeks"](actual, predicted, dates)
    for _ in range(5):
        drawn = generator.integers(0, 20, 20)
        rows = np.concatenate([np.flatnonzero(dates == week) for week in drawn])
        times = np.bincount(drawn, minlength=20)
        quick = times @ pairs @ times / ((times @ up) * (times @ down))
        assert quick == pytest.approx(roc_auc_score(actual[rows], predicted[rows]))


def test_permuted_names_tell_a_meaningful_embedding_from_a_random_one():
    """Vectors near each other for stocks that move together give the lowest of all correlations;
    random ones do not.
    """
    from scipy.spatial.distance import pdist, squareform
    from scipy.stats import rankdata

    names, generator = functions("03"), np.random.default_rng(0)
    places = generator.normal(size=(15, 2))
    names["closeness"] = rankdata(-pdist(places))  # they move together as much as they are near
    permutations = [generator.permutation(15) for _ in range(99)]
    for vectors, meaningful in [
        (3 * places[:, ::-1], True),
        (generator.normal(size=(15, 2)), False),
    ]:
        names["distances"] = rankdata(pdist(vectors))
        observed = names["mantel"](np.arange(15))
        assert observed == pytest.approx(np.corrcoef(names["distances"], names["closeness"])[0, 1])
        lower = sum(names["mantel"](order) <= observed for order in permutations)
        assert lower == 0 if meaningful else lower > 5
        order = permutations[0]
        moved = squareform(squareform(names["distances"])[order][:, order])
        assert names["mantel"](order) == pytest.approx(np.corrcoef(moved, names["closeness"])[0, 1])


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


def test_planted_signal_is_found_and_the_future_changes_no_prediction():
    windows = ranked_panel(signal=0.03)
    names = run_direction(windows, "### The ticker embedding", EPOCHS=12, DROPOUT=0.1)
    ic = names["summary"]("beats_median", names["split"].validation)["weekly IC"]
    assert ic["stacked LSTM"] > ic["logistic on path"] + 0.05, (
        "the network finds what no linear model sees"
    )

    last = names["split"].validation.stop
    changed = replace(windows, X=windows.X.copy(), y=windows.y.copy())
    changed.X[last:] = np.random.default_rng(2).permutation(changed.X[last:]) * 3
    changed.y[last:] *= -5
    again = run_direction(changed, "### The ticker embedding", EPOCHS=12, DROPOUT=0.1)
    for target in names["TARGETS"]:
        for model, forecast in names["forecasts"][target].items():
            np.testing.assert_array_equal(
                forecast[:last], again["forecasts"][target][model][:last], err_msg=model
            )


def test_shuffled_labels_give_chance():
    windows = ranked_panel(signal=0.03)
    shuffled = replace(windows, y=np.random.default_rng(3).permutation(windows.y))
    names = run_direction(shuffled, "## Scoreboard", EPOCHS=2)
    models = "stacked LSTM", "logistic regression", "logistic on path"
    rows = [
        row for row in names["scores"] if row["model"] in models and row["metric"] != "accuracy"
    ]
    assert len(rows) == 12
    for row in rows:
        chance = {"auc": 0.5, "ic": 0.0}[row["metric"]]
        assert abs(row["value"] - chance) < 0.06, row
        assert row["low"] - 0.02 < chance < row["high"] + 0.02, row


# ----------------------------------------------------------------------------------- the portfolio of 04


@pytest.fixture
def portfolio():
    """Functions of notebook 04 over windows of five stocks and three weeks, one return a sample."""
    names = functions("04")
    dates = np.repeat(pd.to_datetime(["2020-01-03", "2020-01-10", "2020-01-17"]).to_numpy(), 5)
    returns = [0.1, 0, 0, 0, 0.3, -0.2, 0, 0, 0, 0.5, 0.04, 0, 0, 0, -0.06]
    stocks = pd.Categorical.from_codes(np.tile(np.arange(5), 3), list("ABCDE"))
    names["windows"] = utils.Windows(
        np.zeros((15, 1, 1)), np.array(returns), dates, dates + np.timedelta64(7, "D"), stocks
    )
    return names


def test_return_and_turnover_of_a_portfolio_by_hand(portfolio):
    predicted = np.array(
        [1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 5, 4, 3, 2, 1]
    )  # long E and short A, then twice the reverse
    gross, turnover = portfolio["long_short"](predicted, portfolio["windows"].y, slice(0, 15))
    np.testing.assert_allclose(gross, [0.3 - 0.1, -0.2 - 0.5, 0.04 + 0.06])
    first = 1 + 1  # from nothing
    second = (1 + 1.1) + (1 + 1.3)  # A was worth -1.1 and becomes 1; E was worth 1.3 and becomes -1
    third = (1 - 0.8) + (1.5 - 1)  # the same positions, brought back to one dollar a side
    np.testing.assert_allclose(turnover, [first, second, third])
    cost = portfolio["break_even_cost"](gross, turnover)
    assert cost == pytest.approx((0.2 - 0.7 + 0.1) / (2 + 4.4 + 0.7))
    assert (gross - cost * turnover).sum() == pytest.approx(0)


def test_quintiles_hold_a_fifth_of_the_stocks_a_side(portfolio):
    generator = np.random.default_rng(0)
    dates = np.repeat(
        DAYS[:6:5].to_numpy(), [10, 23]
    )  # from one week to the next, thirteen stocks are listed
    stocks = pd.Categorical.from_codes(np.r_[:10, :23], range(23))
    portfolio["windows"] = utils.Windows(np.zeros((33, 1, 1)), np.zeros(33), dates, dates, stocks)
    predicted, returns = generator.permutation(33), generator.normal(size=33)
    gross, turnover = portfolio["long_short"](predicted, returns, slice(0, 33))
    for week, (start, end, short, long) in enumerate(
        [(0, 10, 2, 2), (10, 33, 4, 5)]
    ):  # long: ranks above four fifths
        order = returns[start:end][predicted[start:end].argsort()]
        assert gross.iloc[week] == pytest.approx(order[-long:].mean() - order[:short].mean())
    assert turnover.iloc[0] == pytest.approx(2)


def test_a_forecast_without_change_trades_nothing_when_nothing_moves(portfolio):
    predicted = np.tile([1, 2, 3, 4, 5], 3)
    _, turnover = portfolio["long_short"](predicted, np.zeros(15), slice(0, 15))
    np.testing.assert_allclose(turnover, [2, 0, 0])


@pytest.mark.parametrize("folds", [4, 7])
def test_walk_forward_trains_on_what_is_known_and_leaves_no_week_out(folds, hostile):
    names = functions("04")
    windows = names["windows"] = hostile[1]["weekly"][0]
    weeks = np.unique(windows.input_end)
    first = np.searchsorted(weeks, np.datetime64("2013-01-01"))
    cut = names["walk_forward_folds"](weeks, first, folds)
    assert len(cut) == folds
    forecast = np.concatenate([np.arange(len(windows))[coming] for _, coming in cut])
    np.testing.assert_array_equal(forecast, np.flatnonzero(windows.input_end >= weeks[first]))
    for known, coming in cut:
        assert windows.target_date[known].max() < windows.input_end[coming].min(), (
            "a target is known only later"
        )
        purged = np.unique(windows.input_end[known.stop : coming.start])
        assert known.start == 0 and len(purged) == 1, "no more than the one week is given up"


def test_walk_forward_keeps_the_order_of_the_folds():
    names = functions("04")
    folds = [(slice(0, 2), slice(3, 5)), (slice(0, 4), slice(5, 6))]
    values = np.array([1.0, 3, 9, 5, 7, 0])
    mean_so_far = names["walk_forward"](
        lambda known, coming: values[coming] - values[known].mean(), folds
    )
    np.testing.assert_allclose(mean_so_far, [5 - 2, 7 - 2, 0 - 4.5])


def test_ridge_gives_the_scale_back():
    ridge = functions("04")["ridge"]
    inputs = np.array([[-1.0], [0], [1], [2]])
    outcome = np.array([1.0, 2, 6, 7])
    for penalty in (
        1e-9,
        1,
        1e6,
    ):  # with one input the scale is all there is: least squares, whatever the penalty
        assert ridge(inputs, outcome, penalty).coef_[0] == pytest.approx(2.2)


def test_a_delayed_trade_by_hand():
    delayed_return = functions("02")["delayed_return"]
    days = pd.bdate_range("2020-01-02", "2020-01-20")
    prices = pd.DataFrame({"A": np.arange(10.0, 23), "B": 5.0}, days)
    prices.loc["2020-01-13":, "B"] = (
        np.nan
    )  # the last trade in B would have been sold on the Monday it was gone
    weekly = weekly_prices(prices)
    dates, ticker = weekly.index.to_numpy()[[0, 0, 1]], pd.Categorical(["A", "B", "A"], list("AB"))
    windows = utils.Windows(
        np.zeros((3, 1, 1)), np.zeros(3), dates, weekly.index.to_numpy()[[1, 1, 2]], ticker
    )
    monday = [prices.loc[day, "A"] for day in ("2020-01-06", "2020-01-13", "2020-01-20")]
    expected = [monday[1] / monday[0] - 1, np.nan, monday[2] / monday[1] - 1]
    np.testing.assert_allclose(delayed_return(prices, weekly, windows), expected, rtol=1e-6)


def run_returns(windows, **parameters):
    """Notebook 04 on these windows, with one seed, up to its scoreboard."""
    details = pd.DataFrame({"forward_return": windows.y})
    details.attrs = {"source": SOURCE, "features": ["return", "rank", "path"]}
    settings = (
        dict(VALIDATION_START=VALIDATION, TEST_START=TEST, SEEDS=[0], BATCH=256, SELECTION_FOLDS=3)
        | parameters
    )
    return run_cells("04", "## Scoreboard", settings, load_windows=lambda name: (windows, details))


def test_planted_returns_are_found_and_the_future_changes_no_forecast():
    windows = ranked_panel(signal=0.03)
    names = run_returns(windows, EPOCHS=1)
    ic = {
        name: names["weekly_ic"](forecast, names["test"]).mean()
        for name, forecast in names["tested"].items()
    }
    assert (
        ic["stacked LSTM"] > 0.2 and ic["ridge"] > 0.2 and ic["reversal"] > 0.2 > ic["momentum"]
    ), ic

    second = names["folds"][1][1]
    changed = replace(windows, X=windows.X.copy(), y=windows.y.copy())
    unknown = windows.target_date >= windows.input_end[second][0]
    changed.y[unknown] *= -5
    changed.X[second.start :] = np.random.default_rng(2).permutation(changed.X[second.start :]) * 3
    again = run_returns(changed, EPOCHS=1)
    before = second.start - names["test"].start
    for name, forecast in names["tested"].items():
        np.testing.assert_array_equal(
            forecast[:before], again["tested"][name][:before], err_msg=name
        )
        assert np.abs(forecast[before:] - again["tested"][name][before:]).max() > 1e-3


def test_shuffled_returns_give_no_weekly_ic():
    windows = ranked_panel(signal=0.03)
    names = run_returns(
        replace(windows, y=np.random.default_rng(3).permutation(windows.y)), EPOCHS=1
    )
    for name, forecast in names["tested"].items():
        ic = names["weekly_ic"](forecast, names["test"])
        assert abs(ic.mean()) < 3 * ic.std() / np.sqrt(len(ic)), name
