"""The runner on tiny notebooks: order, copies, parameters, failures."""

import json
import re

import nbformat
import pytest

from tools import notebooks as runner

SAVE = """
import json, pathlib
pathlib.Path("{build}/results").mkdir(exist_ok=True)
pathlib.Path("{build}/results/{stem}.json").write_text(json.dumps(
    dict(notebook="{stem}", source="x (bundled)", seconds=1, peak_mb=1, scores=[])))
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A function that writes a notebook of the given cells into an empty repository."""
    for name in ("notebooks", "build", "results"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(runner, name.upper(), tmp_path / name)
    monkeypatch.setattr(runner, "ROOT", tmp_path)

    def write(stem, *sources):
        cells = [
            nbformat.v4.new_code_cell(source, id=f"cell-{number}")
            for number, source in enumerate(sources)
        ]
        cells.append(
            nbformat.v4.new_code_cell(SAVE.format(build=tmp_path / "build", stem=stem), id="save")
        )
        cells[0].metadata["tags"] = ["parameters"]
        path = tmp_path / "notebooks" / f"{stem}.ipynb"
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}),
            path,
        )
        return path

    return write


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["notebooks", *arguments])
    runner.main()


def test_order_copies_and_scoreboard(repository, monkeypatch, capsys):
    reader = repository("03_reader", "print(open('made-by-02').read())")
    repository("02_writer", "import time; time.sleep(1); open('made-by-02', 'w').write('from 02')")
    before = reader.read_bytes()
    run(monkeypatch, "run")
    shown = capsys.readouterr().out
    assert shown.index("02_writer  ") < shown.index("03_reader  ") and "0 to go" in shown
    assert "03_reader: 1 s, 1 MB, x (bundled)" in shown
    assert reader.read_bytes() == before
    assert "from 02" in (runner.BUILD / "03_reader.ipynb").read_text(encoding="utf-8")
    assert "from 02" in (runner.BUILD / "03_reader.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_parameters_reach_the_notebook(repository, monkeypatch):
    repository("01_one", "EPOCHS = 1", "print(f'{EPOCHS} epochs')")
    run(monkeypatch, "run", "01", "--", "-p", "EPOCHS", "7")
    assert "7 epochs" in (runner.BUILD / "01_one.ipynb").read_text(encoding="utf-8")


def test_a_failure_shows_the_cell_and_the_error(repository, monkeypatch):
    repository("05_bad", "x = 1", "forecast = x / 0")
    repository("06_good", "import time; time.sleep(60)")
    with pytest.raises(
        SystemExit,
        match=r"05_bad.ipynb failed in this cell:\n\nforecast = x / 0\n\nZeroDivisionError: division by zero",
    ):
        run(monkeypatch, "run")


def test_unknown_notebook(repository, monkeypatch):
    repository("01_one", "x = 1")
    with pytest.raises(SystemExit, match="no notebook 77; there are 01"):
        run(monkeypatch, "run", "77")


@pytest.mark.slow
def test_refresh_keeps_outputs_and_nothing_of_the_machine(repository, monkeypatch):
    path = repository("01_one", "print(6 * 7)")
    monkeypatch.setattr(runner, "render", lambda: None)
    run(monkeypatch, "refresh")
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].outputs[0].text == "42\n" and notebook.cells[0].metadata == {
        "tags": ["parameters"]
    }
    assert (
        notebook.metadata == {"language_info": {"name": "python"}}
        and notebook.cells[1].metadata == {}
    )
    assert (
        json.loads((runner.RESULTS / "bundled/01_one.json").read_text(encoding="utf-8"))["notebook"]
        == "01_one"
    )


@pytest.mark.slow
def test_full_needs_local_data_and_keeps_only_what_was_made_from_it(
    repository, monkeypatch, tmp_path
):
    repository("01_one", "x = 1")
    monkeypatch.setenv("RNN_TRADING_DATA", "")
    with pytest.raises(SystemExit, match="no local data"):
        run(monkeypatch, "full")
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    run(monkeypatch, "full")
    assert not list((runner.RESULTS / "full").glob("*"))


@pytest.mark.slow
def test_full_keeps_the_scores_of_what_finished_before_a_failure(repository, monkeypatch, tmp_path):
    repository("02_good", "x = 1")
    repository("03_bad", "DAYS = 5", "DAYS / 0")  # waits for 02
    for path in runner.NOTEBOOKS.glob("*.ipynb"):
        text = path.read_text(encoding="utf-8").replace("(bundled)", "(local)")
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RNN_TRADING_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="03_bad.ipynb failed"):
        run(monkeypatch, "full", "--", "-p", "DAYS", "7")
    assert [path.stem for path in (runner.RESULTS / "full").iterdir()] == ["02_good"]
    assert "DAYS = 7" in (runner.BUILD / "03_bad.ipynb").read_text(encoding="utf-8")


def test_the_large_panels_of_03_and_04_need_more_memory(repository, monkeypatch):
    first, second, third = [repository(name, "x = 1") for name in ("01_a", "03_b", "04_c")]
    monkeypatch.setattr(runner.os, "cpu_count", lambda: 8)
    assert runner.fits(second, [], 1), "one alone may always"
    assert runner.fits(second, [runner.Run(first, None)], 7)
    assert not runner.fits(second, [runner.Run(third, None)], 7)
    monkeypatch.setattr(runner.os, "cpu_count", lambda: 1)
    assert not runner.fits(second, [runner.Run(first, None)], 99)


def test_pages_hide_the_code_of_rendered_sentences(tmp_path):
    cell = nbformat.v4.new_code_cell
    shown = nbformat.v4.new_output("display_data", data={"text/markdown": "all is **well**"})
    cells = [cell("say(well)", metadata={"tags": ["hide-input"]}, outputs=[shown]), cell("plain()")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    runner.write_html(tmp_path / "a.ipynb")
    page = re.sub("<[^>]*>", "", (tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "all is well" in page and "plain()" in page and "say(well)" not in page
