"""Scores made anew against those that are kept."""

import json

import pytest

from tools import compare

ROW = {"task": "a", "model": "GRU", "metric": "auc", "value": 0.6, "low": 0.5, "high": 0.7, "n": 9}


def files(folder, made):
    """The score files of a notebook: one kept score, and those ``made`` now."""
    for place, rows in (("build/results", made), ("results/bundled", [ROW])):
        (folder / place).mkdir(parents=True)
        text = json.dumps({"notebook": "01_one", "scores": rows})
        (folder / place / "01_one.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "made, said",
    [
        ([{**ROW, "value": 0.69, "low": 0.1}], ""),
        ([{**ROW, "value": 0.7 + 1e-12}], ""),
        ([{**ROW, "value": 0.71, "high": 0.9}], "a, GRU, auc: 0.71, kept 0.600 [0.500, 0.700]"),
        ([{**ROW, "n": 8}], "a, GRU, auc: of 8 samples, kept of 9"),
        ([], "a, GRU, auc: is not there any more"),
        ([ROW, {**ROW, "task": "b"}], "b, GRU, auc: is new"),
    ],
)
def test_a_score_agrees_within_the_interval_that_is_kept(made, said, tmp_path, monkeypatch, capsys):
    files(tmp_path, made)
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["compare"])
    with pytest.raises(SystemExit) as stopped:
        compare.main()
    assert stopped.value.code == bool(said)
    assert said in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["compare", "77"])
    with pytest.raises(SystemExit, match="no scores are kept of notebook 77"):
        compare.main()
