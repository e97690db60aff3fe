"""Macro data, and the rolling origin of notebook 05: the functions under test are those of the
notebook itself.
"""

import ast
import gzip

import nbformat
import numpy as np
import pandas as pd
import pytest

from data import DataError, load_macro, macro
from data.source import ROOT

MONTHS = pd.date_range("1977-10-01", periods=60, freq="MS")


# ------------------------------------------------------------------------------------------------------- data


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    return tmp_path


def fred(series, months=MONTHS, header="observation_date"):
    """Text of a file as FRED serves it."""
    rows = [
        f"{month:%Y-%m-%d},{50 + number % 7}.{number % 10}" for number, month in enumerate(months)
    ]
    return "\n".join([f"{header},{series}", *rows]) + "\n"


def write_pair(folder, sentiment, production=None):
    (folder / "UMCSENT.csv").write_text(sentiment, encoding="utf-8")
    (folder / "IPGMFN.csv").write_text(
        fred("IPGMFN") if production is None else production, encoding="utf-8"
    )


def test_committed_csv_is_what_the_script_makes():
    assert macro.BUNDLED.read_text(encoding="utf-8") == macro.make_csv()


def test_bundled(monkeypatch, capsys):
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    table = load_macro()
    source = table.attrs["source"]
    assert list(table) == ["sentiment", "ip"] and table.index.equals(
        pd.date_range("1985-01", "2016-06", freq="MS")
    )
    assert (
        table.notna().all(axis=None)
        and table["ip"].between(50, 120).all()
        and table["sentiment"].abs().max() < 60
    )
    assert (
        capsys.readouterr().out == f"{source}\n"
        and source["kind"] == "bundled"
        and source["rows"] == 378
    )
    assert source["titles"]["sentiment"].startswith("Philadelphia Fed") and list(
        source["files"]
    ) == ["macro.csv"]


def test_committed_panel_is_what_the_script_makes():
    assert macro.BUNDLED_PANEL.read_text(encoding="utf-8") == macro.make_panel_csv()


def test_bundled_panel(monkeypatch):
    """Fifteen series without a gap; the first two are those of load_macro."""
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    panel, two = load_macro(panel=True), load_macro()
    source = panel.attrs["source"]
    assert panel.shape == (377, 15) and panel.notna().all(axis=None)
    assert panel.index.equals(pd.date_range("1985-01", "2016-05", freq="MS"))
    pd.testing.assert_frame_equal(panel[["sentiment", "ip"]], two[:"2016-05"], check_freq=False)
    for key in ("titles", "kinds", "lags"):
        assert list(source[key]) == list(panel)
    assert set(source["kinds"].values()) == {"level", "difference", "growth"}
    growing = [name for name, kind in source["kinds"].items() if kind == "growth"]
    assert (panel[growing] > 0).all(axis=None)
    assert panel.loc["2008-10-01", "MARKET"] == -17.15 and panel.loc["2008-12-01", "SPREAD"] > 3


def test_market_and_spread_are_in_their_month():
    from arch.data import default, frenchdata

    panel = pd.read_csv(macro.BUNDLED_PANEL, index_col=0, parse_dates=True)
    position = frenchdata.load().index.astype("int64").get_loc(200810)
    october = frenchdata.load().iloc[position]
    assert panel.loc["2008-10-01", "MARKET"] == round(october["Mkt-RF"] + october["RF"], 2)
    yields = default.load().loc["2008-10-01"]
    assert panel.loc["2008-10-01", "SPREAD"] == round(yields["BAA"] - yields["AAA"], 2)


NAMES = {"sentiment": "GACDFSA066MSFRBPHI", "ip": "INDPRO"}


def test_release_lags_are_those_of_the_vintages(monkeypatch):
    """The later lag of the two vintages, each made at the end of its month."""
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    lags = load_macro(panel=True).attrs["source"]["lags"]
    for column, lag in lags.items():
        if column.upper() not in macro.FROM_ARCH:
            table = macro.load_vintages(NAMES.get(column, column))
            months = [pd.Timestamp(day).to_period("M") for day in table]
            last = [table[day].last_valid_index().to_period("M") for day in table]
            assert lag == max((month - end).n for month, end in zip(months, last)), column


def test_vintages_revise_growth():
    growth = 100 * np.log(macro.load_vintages()).diff()
    revision = growth["2016-07-29"] - growth["2016-06-29"]
    assert revision["2016-04":"2016-05"].abs().round(3).tolist() == [0.115, 0.115]


@pytest.mark.parametrize("first", ["1977-10-01", "1979-01-01"])
def test_local_panel_takes_series_that_cover_the_months(local, first):
    table = pd.DataFrame({"date": MONTHS, "UMCSENT": 80.5, "IPGMFN": 99.5, "INDPRO": 1.0})
    table.loc[MONTHS < first, "INDPRO"] = np.nan
    with gzip.open(local / "fred_monthly.csv.gz", "wt", encoding="utf-8") as file:
        table.assign(note=False).to_csv(file, index=False)
    panel = load_macro(panel=True)
    whole = first == "1977-10-01"
    assert list(panel) == ["sentiment", "ip", "INDPRO"][: 2 + whole]
    assert panel.attrs["source"]["kinds"]["ip"] == "growth" and panel.notna().all(axis=None)


def test_own_panel(local):
    own = pd.DataFrame({"date": MONTHS, "sentiment": 80.5, "ip": 99.5, "orders": 7.0, "gap": -1.0})
    own.to_csv(local / "macro_panel.csv", index=False)
    panel = load_macro(panel=True)
    kinds = {"sentiment": "level", "ip": "growth", "orders": "growth", "gap": "level"}
    assert panel.attrs["source"]["kinds"] == kinds and len(panel) == len(MONTHS)
    own.loc[30, "gap"] = np.nan
    own.to_csv(local / "macro_panel.csv", index=False)
    with pytest.raises(DataError, match="no value in 1980-04"):
        load_macro(panel=True)
    own.rename(columns={"ip": "production"}).to_csv(local / "macro_panel.csv", index=False)
    with pytest.raises(DataError, match="needs sentiment and ip"):
        load_macro(panel=True)


@pytest.mark.parametrize("header", ["observation_date", "DATE"])
@pytest.mark.parametrize("missing", [".", ""])
def test_fred_files(local, header, missing):
    """Missing values at both ends are cut off, and so are the years in which sentiment was not
    monthly.
    """
    sentiment = fred("UMCSENT", header=header).splitlines()
    for row in (1, 2, len(sentiment) - 1):
        sentiment[row] = sentiment[row].split(",")[0] + "," + missing
    write_pair(local, "\n".join(sentiment), fred("IPGMFN", MONTHS[:-3]))
    table = load_macro()
    assert table.index[0] == pd.Timestamp("1978-01-01") and table.index[-1] == MONTHS[-4]
    assert table.index.freqstr == "MS" and table.notna().all(axis=None)
    assert table.loc["1978-02-01"].tolist() == [54.4, 54.4]
    assert table.attrs["source"]["titles"]["ip"].startswith("Manufacturing production")
    assert set(table.attrs["source"]["files"]) == {"UMCSENT.csv", "IPGMFN.csv"}


def test_combined_file(local):
    table = pd.DataFrame({"date": MONTHS, "UMCSENT": 80.5, "IPGMFN": 99.5, "INDPRO": 1.0})
    with gzip.open(local / "fred_monthly.csv.gz", "wt", encoding="utf-8") as file:
        table.to_csv(file, index=False)
    assert (load_macro() == [80.5, 99.5]).all(axis=None)


def test_damaged_bytes_of_the_combined_file(local):
    table = pd.DataFrame(
        {
            "date": MONTHS,
            "UMCSENT": 80.5,
            "IPGMFN": np.random.default_rng(0).uniform(50, 99, len(MONTHS)),
        }
    )
    whole = gzip.compress(table.to_csv(index=False).encode())
    for position in range(20, len(whole), 7):
        (local / "fred_monthly.csv.gz").write_bytes(
            whole[:position] + b"\xff" * 6 + whole[position + 6 :]
        )
        with pytest.raises(DataError, match="fred_monthly.csv.gz: "):
            load_macro()


def swapped(text):
    rows = text.splitlines()
    rows[5], rows[6] = rows[6], rows[5]
    return "\n".join(rows)


GOOD = fred("UMCSENT")
FAULTS = {
    "web page": (
        "<!DOCTYPE html>\n<html><body>503 Service Unavailable</body></html>",
        "UMCSENT.csv: is a web page",
    ),
    "empty": ("", "UMCSENT.csv: cannot be read as a table"),
    "header only": ("observation_date,UMCSENT\n", "UMCSENT.csv: has no rows"),
    "renamed series": (
        GOOD.replace("UMCSENT", "VALUE"),
        "needs the columns observation_date, UMCSENT, has .*VALUE",
    ),
    "renamed date": (
        GOOD.replace("observation_date", "period"),
        "needs the columns observation_date, UMCSENT",
    ),
    "text": (GOOD.replace("51.1", "n/v"), "dates and values must be plain"),
    "American dates": (GOOD.replace("1978-01-01", "1/1/1978"), "dates and values must be plain"),
    "unsorted": (swapped(GOOD), "dates must be sorted and unique"),
    "repeated": (GOOD + GOOD.splitlines()[-1], "dates must be sorted and unique"),
    "not a month": (
        GOOD.replace("1978-05-01", "1978-05-15"),
        "first of a month, one is 1978-05-15",
    ),
    "infinite": (GOOD.replace("1979-01-01,51.5", "1979-01-01,inf"), "UMCSENT is inf in 1979-01"),
    "gap": (GOOD.replace("1979-01-01,51.5", "1979-01-01,."), "no value in 1979-01;"),
    "missing row": (GOOD.replace("1979-01-01,51.5\n", ""), "no value in 1979-01;"),
    "binary": ("\x00\x1f\x8b\x08 \x00", "UMCSENT.csv: "),
    "series twice": (
        "\n".join(row + "," + row.split(",")[1] for row in GOOD.split()),
        "has two columns UMCSENT",
    ),
    "too late": (fred("UMCSENT", MONTHS + pd.DateOffset(years=30)), "have 0 months in common"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_files_are_refused(local, fault):
    text, message = FAULTS[fault]
    assert text != GOOD
    write_pair(local, text)
    with pytest.raises(DataError, match=message) as error:
        load_macro()
    assert "python -m data download macro" in str(error.value)


def test_production_must_be_positive_and_present(local):
    write_pair(local, GOOD, fred("IPGMFN").replace("1979-01-01,51.5", "1979-01-01,-1"))
    with pytest.raises(DataError, match="IPGMFN is -1.0 in 1979-01"):
        load_macro()
    (local / "IPGMFN.csv").unlink()
    with pytest.raises(DataError, match="IPGMFN.csv: is missing beside UMCSENT.csv"):
        load_macro()


# -------------------------------------------------------------------------------------------------- notebook 05

LSTMS = ["iterated LSTM", "direct LSTM", "encoder-decoder"]
NETWORKS = [*LSTMS, "iterated, no LSTM"]


@pytest.fixture(scope="module")
def notebook():
    """Imports, parameters, functions and classes of the notebook, without running its results."""
    path = ROOT / "notebooks" / "05_multivariate_timeseries.ipynb"
    names = {"__name__": __name__}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            if "parameters" not in cell.metadata.get("tags", []):
                kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
                tree.body = [node for node in tree.body if isinstance(node, kinds)]
            exec(compile(tree, path.name, "exec"), names)
    sizes = dict.fromkeys(LSTMS, 2) | {"iterated, no LSTM": 0}
    names |= {
        "SEASONAL": True,
        "SEEDS": [0],
        "chosen_size": sizes,
        "chosen_epochs": dict.fromkeys(sizes, 2),
    }
    return names


@pytest.fixture(scope="module")
def history():
    """Fifteen years of two persistent series, production with a season."""
    random = np.random.default_rng(0)
    months = pd.date_range("1990-01-01", periods=180, freq="MS")
    sentiment = 80 + pd.Series(random.normal(size=180)).ewm(com=5).mean() * 10
    growth = 0.002 + 0.02 * np.sin(2 * np.pi * months.month / 12) + 0.005 * random.normal(size=180)
    return pd.DataFrame(
        {"sentiment": sentiment.to_numpy(), "ip": 50 * np.exp(np.cumsum(growth))}, months
    )


@pytest.fixture(scope="module")
def estimators(notebook):
    found = {name: notebook[name] for name in ("persistence", "seasonal_naive")}
    found["VAR"] = lambda known: notebook["vector_autoregression"](known, True)
    found["AR"] = lambda known: notebook["autoregression"](known, True)
    found["average growth"] = lambda known: notebook["average_growth"](known, True)
    for name in NETWORKS:
        network = notebook["Network"](name)
        found[name] = lambda known, network=network: notebook["estimate_network"](network, known)
    return found


def with_other_future(history, last):
    """The same table up to ``last``; afterwards the months in another order, and far away."""
    changed, after = history.copy(), history.index > last
    changed.loc[after] = history[after].sample(frac=1, random_state=1).to_numpy() * 1.5
    return changed


ESTIMATORS = ["persistence", "average growth", "seasonal_naive", "AR", "VAR", *NETWORKS]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_rolling_origin_never_sees_past_its_origin(notebook, estimators, history, name):
    months = history.index[120:144]
    last = months[15]  # between the second estimation and the end
    changed = with_other_future(history, last)
    before, after = (
        notebook["rolling_forecasts"](estimators[name], data, months) for data in (history, changed)
    )
    assert before.shape == after.shape == (1, 24, 12, 2) and np.isfinite(before).all()
    np.testing.assert_allclose(after[:, :16], before[:, :16], rtol=1e-6)
    assert (np.abs(after[:, 16:] - before[:, 16:]).max(axis=(2, 3)) > 0.1).all(), (
        "forecasts do use what is known"
    )


def test_future_shuffle_finds_a_scaler_that_has_seen_the_future(notebook, history):
    """The control: with a scale from all months, the same check does not hold."""

    def leaky(data):
        def estimate(known):
            scale = notebook["fit_scale"](data, True)
            fit = notebook["VAR"](notebook["to_inputs"](known, scale)).fit(2)
            to_inputs, to_levels = notebook["to_inputs"], notebook["to_levels"]
            return notebook["each"](
                lambda past: to_levels(past, fit.forecast(to_inputs(past, scale), 12), scale)
            )

        return estimate

    months = history.index[120:132]
    changed = with_other_future(history, months[-1])
    before, after = (
        notebook["rolling_forecasts"](leaky(data), data, months) for data in (history, changed)
    )
    assert np.abs(after - before).max() > 0.01


@pytest.mark.parametrize("seasonal", [False, True])
def test_levels_come_back(notebook, history, seasonal):
    """The true inputs of the next months, taken back to levels, are the true levels."""
    scale = notebook["fit_scale"](history[:120], seasonal)
    path = notebook["to_inputs"](history, scale)[119:131]  # the inputs have no first month
    truth = notebook["actual_paths"](history, history.index[[119]])[0]
    np.testing.assert_allclose(notebook["to_levels"](history[:120], path, scale), truth)


def test_choosing_ends_before_the_test_begins(notebook, history):
    months = notebook["forecast_months"](history, 3, 12)
    choosing = notebook["forecast_months"](history[: months[0]], 2, 12)
    assert len(months) == 36 and len(choosing) == 24 and months[-1] == history.index[-13]
    assert choosing[-1] + pd.DateOffset(months=12) == months[0]


@pytest.mark.parametrize("steps", [1, 12])
def test_targets_follow_their_windows(notebook, steps):
    inputs = np.column_stack([np.arange(40.0), np.arange(40.0) / 100])
    X, y = notebook["windows_and_targets"](inputs, steps)
    assert X.shape == (40 - 12 - steps + 1, 12, 2) and y.shape == (len(X), steps, 2)
    assert X[0, :, 0].tolist() == list(range(12))
    path = y + notebook["start_forecast"](X)
    assert (path[:, 0, 0] == X[:, -1, 0] + 1).all() and path[-1, -1, 0] == 39


@pytest.mark.parametrize("steps", [5, 12])
def test_average_growth_is_what_an_untrained_network_forecasts(
    notebook, estimators, history, steps
):
    scale = notebook["fit_scale"](history, True)
    window = notebook["to_inputs"](history, scale)[None, -12:].astype("float32")
    untrained = notebook["build"]("iterated LSTM", 2)
    path = notebook["network_paths"](untrained, window, steps)
    expected = estimators["average growth"](history)([history])[0, 0, :steps]
    np.testing.assert_allclose(notebook["to_levels"](history, path[0], scale), expected, rtol=1e-5)


def planted(strength):
    """Fifty years in which growth follows sentiment of the month before, by ``strength`` of its
    spread.
    """
    random = np.random.default_rng(1)
    months = pd.date_range("1950-01-01", periods=600, freq="MS")
    sentiment, noise = random.normal(size=(2, 600))
    growth = 0.01 * (strength * np.roll(sentiment, 1) + (1 - strength) * noise)
    return pd.DataFrame(
        {"sentiment": 80 + 10 * sentiment, "ip": 50 * np.exp(np.cumsum(growth))}, months
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_planted_lead_is_found_and_none_is_invented(estimators, notebook, name):
    """Error of production one month ahead, relative to average growth: the networks' controls."""
    ratios = {}
    for strength in (0.9, 0):
        data = planted(strength)
        months = data.index[480:576]
        truth = notebook["actual_paths"](data, months)[:, 0, 1]
        paths = [
            notebook["rolling_forecasts"](estimators[key], data, months, 96)
            for key in (name, "average growth")
        ]
        errors = [np.abs(path[0, :, 0, 1] - truth).mean() for path in paths]
        ratios[strength] = errors[0] / errors[1]
    assert ratios[0.9] < 0.9 and 0.95 < ratios[0] < 1.1, ratios
