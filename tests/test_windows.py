"""Windows and splits: properties over random panels, and every bad input refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils import make_panel_windows, make_windows, split_by_date

SMALL = dict(window=st.integers(1, 6), horizon=st.integers(1, 4))


def days(count):
    return pd.bdate_range("2020-01-01", periods=count)


@st.composite
def panels(draw, tickers=st.integers(1, 4), dates=st.integers(12, 30), gaps=True):
    """Distinct numbers, so that a value names its place, with random gaps."""
    shape = draw(dates), draw(tickers)
    values = np.arange(np.prod(shape), dtype=float).reshape(shape) + 1
    if gaps:
        missing = draw(
            st.lists(
                st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1)), max_size=8
            )
        )
        for place in missing:
            values[place] = np.nan
    return pd.DataFrame(values, days(shape[0]), [f"T{number}" for number in range(shape[1])])


def loop(panel, window, horizon):
    """The plain reference: (inputs, target, input end, target date, ticker) of every complete
    sample.
    """
    samples = []
    for end in range(window - 1, len(panel) - horizon):
        for ticker in panel.columns:
            inputs = panel[ticker].iloc[end - window + 1 : end + 1]
            target = panel[ticker].iloc[end + horizon]
            if inputs.notna().all() and not np.isnan(target):
                samples.append(
                    (
                        inputs.to_numpy(),
                        target,
                        panel.index[end],
                        panel.index[end + horizon],
                        ticker,
                    )
                )
    return samples


def as_samples(windows):
    return list(
        zip(
            windows.X[:, :, 0],
            windows.y,
            pd.DatetimeIndex(windows.input_end),
            pd.DatetimeIndex(windows.target_date),
            windows.ticker,
        )
    )


@given(panel=panels(), **SMALL)
def test_panel_equals_the_plain_loop(panel, window, horizon):
    expected = loop(panel, window, horizon)
    if not expected:
        with pytest.raises(ValueError, match="free of missing values"):
            make_panel_windows(panel, window, horizon)
        return
    windows = make_panel_windows(panel, window, horizon)
    assert windows.X.dtype == np.float32 and windows.X.shape == (len(expected), window, 1)
    for (inputs, *rest), (expected_inputs, *expected_rest) in zip(
        as_samples(windows), expected, strict=True
    ):
        assert inputs.tolist() == expected_inputs.tolist() and rest == expected_rest


@given(panel=panels(), **SMALL)
def test_series_is_a_panel_of_one_stock(panel, window, horizon):
    column = panel.iloc[:, [0]]
    if not loop(column, window, horizon):
        with pytest.raises(ValueError, match="free of missing values"):
            make_windows(column.iloc[:, 0], window, horizon)
        return
    single, stacked = (
        make_windows(column.iloc[:, 0], window, horizon),
        make_panel_windows(column, window, horizon),
    )
    for name in ("X", "y", "input_end", "target_date"):
        np.testing.assert_array_equal(getattr(single, name), getattr(stacked, name))


@given(panel=panels(gaps=False), **SMALL)
def test_order_and_target(panel, window, horizon):
    windows = make_panel_windows(panel, window, horizon)
    steps = np.diff(windows.X[:, :, 0], axis=1)
    assert (steps == panel.shape[1]).all()  # values grow with the date: oldest first
    assert (windows.y[:, None] > windows.X[:, :, 0]).all()  # the target lies after every input
    ends = panel.index.get_indexer(windows.input_end)
    np.testing.assert_array_equal(panel.index[ends + horizon], windows.target_date)


@given(panel=panels(), cut=st.integers(8, 25), **SMALL)
def test_the_future_changes_nothing_before_it(panel, cut, window, horizon):
    cut = min(cut, len(panel) - 1)
    changed = panel.copy()
    changed.iloc[cut:] = (
        np.random.default_rng(0)
        .permutation(panel.iloc[cut:].to_numpy().ravel())
        .reshape(-1, panel.shape[1])
    )
    known = [sample for sample in loop(panel, window, horizon) if sample[3] < panel.index[cut]]
    if not known:
        return
    before, after = (
        make_panel_windows(panel, window, horizon),
        make_panel_windows(changed, window, horizon),
    )
    for windows in (before, after):
        past = windows[windows.target_date < panel.index[cut]]
        assert len(past) == len(known)
        np.testing.assert_array_equal(past.X[:, :, 0], [inputs for inputs, *_ in known])


@given(panel=panels(gaps=False, dates=st.integers(20, 40)), **SMALL)
def test_feature_and_target_frames(panel, window, horizon):
    windows = make_panel_windows(
        {"plus": panel, "minus": -panel}, window, horizon, target=panel * 10
    )
    np.testing.assert_array_equal(windows.X[:, :, 1], -windows.X[:, :, 0])
    np.testing.assert_array_equal(windows.X[:, :, :1], make_panel_windows(panel, window, horizon).X)
    np.testing.assert_array_equal(windows.y, 10 * make_panel_windows(panel, window, horizon).y)


@given(panel=panels(dates=st.integers(20, 40)), **SMALL)
def test_a_gap_in_any_feature_is_a_gap(panel, window, horizon):
    features = {"known": panel.notna().astype(float), "gaps": panel}
    try:
        expected = make_panel_windows(panel, window, horizon)
    except ValueError:
        return
    windows = make_panel_windows(features, window, horizon, target=panel)
    np.testing.assert_array_equal(windows.X[:, :, 1:], expected.X)
    assert windows.ticker.tolist() == expected.ticker.tolist()


@pytest.mark.parametrize("tickers", [127, 128, 129, 32_769])
def test_panels_of_many_tickers(tickers):
    panel = pd.DataFrame(
        np.arange(3.0 * tickers).reshape(3, tickers),
        days(3),
        [f"T{number}" for number in range(tickers)],
    )
    windows = make_panel_windows(panel, 1)
    assert windows.ticker.tolist() == [*panel.columns, *panel.columns]
    assert windows.X.ravel().tolist() == list(range(2 * tickers))


def test_frame_targets():
    frame = pd.DataFrame({"a": np.arange(10.0), "b": -np.arange(10.0)}, days(10))
    assert make_windows(frame, 3).y.tolist() == [[value, -value] for value in range(3, 10)]
    assert make_windows(frame, 3, 2, target="b").y.tolist() == [-value for value in range(4, 10)]
    assert make_windows(frame, 3, target=["b", "a"]).y[0].tolist() == [-3, 3]


def test_a_gap_is_never_spanned():
    series = pd.Series(np.arange(20.0), days(20))
    series.iloc[[7, 14]] = np.nan
    windows = make_windows(series, 4, horizon=2)
    assert not np.isnan(windows.X).any() and not np.isnan(windows.y).any()
    assert (np.diff(windows.X[:, :, 0], axis=1) == 1).all()


def test_listing_and_delisting():
    panel = pd.DataFrame(np.arange(60.0).reshape(20, 3) + 1, days(20), ["always", "late", "dead"])
    panel.loc[panel.index[:9], "late"] = np.nan
    panel.loc[panel.index[11:], "dead"] = np.nan
    windows = make_panel_windows(panel, 5)
    assert windows.input_end[windows.ticker == "late"].min() == panel.index[13]
    assert windows.target_date[windows.ticker == "dead"].max() == panel.index[10]
    assert (windows.ticker == "always").sum() == 15


@given(panel=panels(dates=st.integers(30, 40)), **SMALL)
def test_split_is_purged_and_complete(panel, window, horizon):
    starts = panel.index[18], panel.index[25]
    try:
        windows = make_panel_windows(panel, window, horizon)
        train, validation, test = (windows[part] for part in split_by_date(windows, *starts))
    except ValueError as error:
        assert "is empty" in str(error) or "free of missing values" in str(error)
        return
    assert train.target_date.max() < starts[0] <= validation.input_end.min()
    assert validation.target_date.max() < starts[1] <= test.input_end.min()
    dropped = len(windows) - len(train) - len(validation) - len(test)
    crossing = sum(
        ((windows.input_end < start) & (windows.target_date >= start)).sum() for start in starts
    )
    assert dropped == crossing


def test_a_slice_copies_nothing():
    windows = make_windows(pd.Series(np.arange(50.0), days(50)), 5)
    assert np.shares_memory(windows[10:20].X, windows.X)


series = pd.Series(np.arange(10.0), days(10))
panel = pd.DataFrame({"a": series, "b": series})


@pytest.mark.parametrize("build", [make_windows, make_panel_windows])
@pytest.mark.parametrize(
    "data, window, horizon, message",
    [
        (panel.iloc[:0], 3, 1, "at least 4 rows"),
        (panel.iloc[:, :0], 3, 1, "at least 4 rows"),
        (panel.iloc[:3], 3, 1, r"at least 4 rows.*given \(3, 2\)"),
        (panel, 0, 1, "window must be a whole number of at least 1, given 0"),
        (panel, 3, 0, "horizon must be a whole number of at least 1, given 0"),
        (panel, 2.5, 1, "window must be a whole number"),
        (panel.iloc[::-1], 3, 1, "sorted from old to new"),
        (panel.iloc[[0, 1, 1, 2, 3]], 3, 1, "without duplicates"),
        (panel.reset_index(drop=True), 3, 1, "DatetimeIndex"),
        (panel.replace(3.0, np.inf), 3, 1, "finite or NaN, given inf at 2020-01-06"),
        (panel.astype(str) + "x", 3, 1, "numeric"),
        (panel * np.nan, 3, 1, "free of missing values"),
        (panel.to_numpy(), 3, 1, "pandas Series or DataFrame, given ndarray"),
    ],
)
def test_bad_input_is_refused(build, data, window, horizon, message):
    with pytest.raises(ValueError, match=message):
        build(data, window, horizon)


def test_bad_panels_and_targets_are_refused():
    with pytest.raises(ValueError, match="same dates and tickers"):
        make_panel_windows({"a": panel, "b": panel.iloc[1:]}, 3)
    with pytest.raises(ValueError, match="same dates and tickers"):
        make_panel_windows(panel, 3, target=panel[["b", "a"]])
    with pytest.raises(ValueError, match=r"given twice: \['a'\]"):
        make_panel_windows(panel.set_axis(["a", "a"], axis=1), 3)
    with pytest.raises(ValueError, match=r"given twice: \['a'\]"):
        make_windows(panel.set_axis(["a", "a"], axis=1), 3)
    with pytest.raises(ValueError, match="no time zone"):
        make_windows(panel.tz_localize("UTC"), 3)
    with pytest.raises(ValueError, match=r"target \['c'\] is not among"):
        make_windows(panel, 3, target="c")


def test_bad_splits_are_refused():
    windows = make_windows(series, 3)
    with pytest.raises(ValueError, match="must be before test_start"):
        split_by_date(windows, "2020-01-10", "2020-01-09")
    with pytest.raises(ValueError, match="ordered by date"):
        split_by_date(windows[::-1], "2020-01-08", "2020-01-10")
    with pytest.raises(ValueError, match="ordered by date"):
        split_by_date(
            replace(windows, target_date=windows.target_date[::-1]), "2020-01-08", "2020-01-10"
        )
    with pytest.raises(ValueError, match="test is empty"):
        split_by_date(windows, "2020-01-08", "2021-01-01")
    with pytest.raises(ValueError, match="train is empty"):
        split_by_date(windows, "2019-01-08", "2020-01-09")
