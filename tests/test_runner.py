"""The runner on tiny notebooks: order, copies, parameters, failures."""

import json
import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import nbformat
import pytest

from tools import lab, order
from tools import notebooks as runner
from tools.parameters import meaning, options_for

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


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_no_core_waits_long_for_the_last_notebook(cores, monkeypatch):
    """03 and 04 begin when 02 is over. No order of all is much sooner over than the one found."""
    cost = {"01": 90, "02": 20, "03": 80, "04": 70, "05": 50, "06": 60}
    monkeypatch.setattr(order, "seconds", lambda path: cost[path.name])
    paths = [Path(name) for name in cost]
    assert order.over_after(paths, 6) == 100 and order.over_after(paths, 1) == sum(cost.values())
    assert order.over_after([Path(name) for name in ("03", "02", "01")], 2) == 100
    found = order.in_good_order(paths, cores)
    assert sorted(found) == paths
    ends = [order.over_after(list(other), cores) for other in permutations(paths)]
    assert order.over_after(found, cores) <= min(ends) + 10


@pytest.mark.slow
def test_parameters_reach_the_notebook(repository, monkeypatch):
    repository("01_one", "EPOCHS = 1", "print(f'{EPOCHS} epochs')")
    run(monkeypatch, "run", "01", "--", "-p", "EPOCHS", "7")
    assert "7 epochs" in (runner.BUILD / "01_one.ipynb").read_text(encoding="utf-8")


def test_each_notebook_has_its_own_parameters_as_they_are_meant(repository):
    source = """START, SHARE = "2012-01-01", 0.5  # as in 02
SEEDS = [0, 1]
UNITS = (16, 8)
RATES = {"a": 0.1}
PENALTIES = 10.0 ** np.arange(3)
SHOW = False"""
    first, second = repository("01_one", source), repository("02_two", "WEEKS = 52")
    given = ["-p", "START", "2010", "-p", "SEEDS", "[3]", "-p", "WEEKS", "26.0", "--log-output"]
    found = options_for([first, second], given)
    assert found[first] == ["--log-output", "-y", '{"START": "2010-01-01", "SEEDS": [3]}']
    assert found[second] == ["--log-output", "-y", '{"WEEKS": 26}']
    assert options_for([second], []) == {second: []}
    for options, sentence in (
        (
            ["-p", "WEEKSS", "26"],
            r"no notebook of this run has a parameter WEEKSS; there are \['WEEKS'",
        ),
        (["-p", "WEEKS", "many"], "WEEKS must be a whole number, such as 52, given 'many'"),
        (["-p", "WEEKS", "26.5"], "WEEKS must be a whole number"),
        (["-p", "WEEKS", "True"], "WEEKS must be a whole number"),
        (
            ["-p", "START", "01/02/2010"],
            "START must be a date or a year, such as '2012-01-01', given",
        ),
        (["-r", "SEEDS", "0 1"], "SEEDS must be a list of numbers, such as .0, 1., given '0 1'"),
        (["-p", "SEEDS", "[0, 1.5]"], "SEEDS must be a list of whole numbers"),
        (["-p", "SEEDS", "[]"], "SEEDS must be a list of numbers"),
        (
            ["-p", "UNITS", "wide, deep"],
            "UNITS must be a list of whole numbers, such as .16, 8., given",
        ),
        (["-p", "UNITS", "8"], "UNITS must be two numbers, such as .16, 8., given '8'"),
        (["-p", "SHARE", "half"], "SHARE must be a number, such as 0.5, given 'half'"),
        (["-p", "RATES", "{'b': 1}"], "RATES must be a dict with the keys .'a'."),
        (["-p", "SHOW", "yes"], "SHOW must be True or False, such as False, given 'yes'"),
        (["-p", "PENALTIES", "x"], "PENALTIES must be a list of numbers, given 'x'"),
        (["-p", "SEEDS"], "-p needs the name of a parameter and a value"),
    ):
        with pytest.raises(ValueError, match=sentence):
            options_for([first, second], options)
    assert meaning("PENALTIES", "1, 10.5", ...) == [1, 10.5]
    assert meaning("SEEDS", "7", [0, 1]) == [7] and meaning("UNITS", "(4, 2)", (16, 8)) == [4, 2]
    assert meaning("SCHEDULER", "tcp://10.0.0.1:8786", None) == "tcp://10.0.0.1:8786"
    assert meaning("MODEL", "mine:build", "") == "mine:build"
    assert meaning("SHARE", "1e-2", 0.5) == 0.01 and meaning("COST", "7.5", 10) == 7.5


def test_a_misspelt_parameter_stops_the_run_before_it_begins(repository, monkeypatch):
    repository("01_one", "EPOCHS = 1")
    with pytest.raises(
        SystemExit, match="no notebook of this run has a parameter EPOCH; there are"
    ):
        run(monkeypatch, "run", "--", "-p", "EPOCH", "7")


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


def test_kernels_find_our_modules_where_only_the_lock_is_installed(tmp_path, monkeypatch):
    """The README's three commands without make install nothing of ours; -S leaves out what is
    installed here.
    """
    started = []
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    monkeypatch.setattr(runner.subprocess, "Popen", lambda *_, **options: started.append(options))
    runner.start(tmp_path / "01_one.ipynb", [])
    search = "import importlib.util as u; print(u.find_spec('utils').origin)"
    command = [sys.executable, "-S", "-c", search]
    monkeypatch.undo()
    found = subprocess.check_output(command, cwd=tmp_path, env=started[0]["env"], text=True)
    assert Path(found.strip()) == runner.ROOT / "utils.py"


def test_waiting_threads_sleep_unless_the_reader_says_otherwise(monkeypatch):
    for name, value in lab.SLEEPING_THREADS.items():
        monkeypatch.delenv(name, raising=False)
        assert lab.kernel_environment()[name] == value
        monkeypatch.setenv(name, "of the reader")
        assert lab.kernel_environment()[name] == "of the reader"
