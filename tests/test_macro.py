"""Macro data: the two series, the panel around them, the vintages, and damaged files."""

import gzip

import numpy as np
import pandas as pd
import pytest

from data import DATASETS, DataError, load_macro, macro
from data import __main__ as command_line

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
    assert list(table) == ["sentiment", "ip"]
    assert list(table.index) == list(pd.date_range("1985-01", "2016-06", freq="MS"))
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
    assert list(panel.index) == list(pd.date_range("1985-01", "2016-05", freq="MS"))
    pd.testing.assert_frame_equal(panel[["sentiment", "ip"]], two[:"2016-05"], check_freq=False)
    for key in ("titles", "kinds", "lags"):
        assert list(source[key]) == list(panel)
    assert set(source["kinds"].values()) == {"level", "difference", "growth"}
    growing = [name for name, kind in source["kinds"].items() if kind == "growth"]
    assert (panel[growing] > 0).all(axis=None)
    assert panel.loc["2008-10-01", "MARKET"] == -17.15 and panel.loc["2008-12-01", "SPREAD"] > 3


def test_the_catalogue_lists_the_panel(local, capsys):
    """Bundled, or the reader's own; it has no download of its own."""
    assert command_line.main(["list"]) == 0
    shown = capsys.readouterr().out.partition("macro_panel ")[2].partition("imdb")[0]
    assert "bundled: data/macro_panel.csv" in shown
    assert "377 rows, 1985-01-01 to 2016-05-01" in shown
    own = pd.DataFrame({"date": MONTHS, "sentiment": 80.5, "ip": 99.5, "gap": -1.0})
    own.to_csv(local / "macro_panel.csv", index=False)
    load_macro()
    assert "is not read" not in capsys.readouterr().out
    assert command_line.main(["list"]) == 0
    shown = capsys.readouterr().out.partition("macro_panel ")[2].partition("imdb")[0]
    assert "macro_panel.csv" in shown and f"{len(MONTHS)} rows" in shown
    with pytest.raises(SystemExit):
        command_line.main(["download", "macro_panel"])
    assert DATASETS["macro_panel"].command == "python -m data download macro"


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
    "text": (GOOD.replace("51.1", "n/v"), "has 'n/v' as UMCSENT; needs a number"),
    "American dates": (
        GOOD.replace("1978-01-01", "1/1/1978"),
        "day and month cannot be told apart",
    ),
    "unsorted": (swapped(GOOD), "dates must be sorted and unique"),
    "repeated": (GOOD + GOOD.splitlines()[-1], "dates must be sorted and unique"),
    "not a month": (
        GOOD.replace("1978-05-01", "1978-05-15"),
        "1978-05-15, is not the first of a month",
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
