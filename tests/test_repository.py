"""What people expect of a repository: licence, workflows, forms, the first cell, copies for
JupyterLab, the site.
"""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from features import dataset
from features.filings import sequences
from tools import hosted, lab, links, notebooks, site
from tools.first_cell import TAGS, first_cell, put_first_cell, repository
from tools.group import project

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml" for name in ("fault", "clarification")]
TARGETS = set(
    re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_licence_is_said_alike_everywhere():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    citation = read_yaml(ROOT / "CITATION.cff")
    owner = project()["authors"][0]["name"]
    assert text.startswith("MIT License") and owner in text
    assert project()["license"] == citation["license"] == "MIT"
    assert citation["authors"] == [{"name": owner}] and citation["version"] == project()["version"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_the_shape_that_github_expects(path):
    """Their whole schema is checked by make check."""
    workflow = read_yaml(path)
    assert set(workflow) <= {
        "name",
        True,
        "permissions",
        "concurrency",
        "jobs",
    }  # YAML reads "on" as True
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"] and job["steps"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/none@v1"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_exists(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= TARGETS
    assert set(re.findall(r"target: ([a-z-]+)", text)) <= TARGETS
    for module in re.findall(r"python -m (tools\.\w+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()
    for name in re.findall(r"tests/\w+\.py", text):
        assert (ROOT / name).exists()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms(path):
    form = read_yaml(path)
    assert set(form) == {"name", "description", "labels", "body"}
    identifiers = [part["id"] for part in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "dropdown") and part["attributes"]["label"]


def test_devcontainer_uses_the_readmes_command():
    path = ROOT / ".devcontainer" / "devcontainer.json"
    assert json.loads(path.read_text(encoding="utf-8"))["postCreateCommand"] == "make env"


def test_first_cell_does_nothing_at_home(monkeypatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("something was run"))
    before = list(sys.path), Path.cwd()
    exec(first_cell(repository()), {})
    assert (sys.path, Path.cwd()) == before


@pytest.mark.parametrize("sign", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_first_cell_fetches_the_repository_where_it_is_hosted(sign, tmp_path, monkeypatch):
    """``git clone`` of a small repository of this machine stands for the network. The cell runs
    three times, as readers run cells, and the first installation fails.
    """
    origin = tmp_path / "origin"
    for name in ("notebooks/a.ipynb", "tools/hosted.py", "utils.py"):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text("", encoding="utf-8")
    installer = """
with open("tries", "a+", encoding="utf-8") as file:
    file.write("x")
    file.seek(0)
    raise SystemExit(file.read() == "x")
"""
    (origin / "tools" / "hosted.py").write_text(installer, encoding="utf-8")
    git = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    home = tmp_path / "content"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv(sign, "1")
    monkeypatch.delenv("PYTHONPATH")  # of these tests
    # a kernel, as there: where it is comes on its path before what is installed
    sources = [*[first_cell(origin.as_uri())] * 3, "import utils", "print(utils.__file__)"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    there = {"metadata": {"path": str(home)}}
    NotebookClient(notebook, resources=there, allow_errors=True).execute()
    assert [output.output_type for output in cells[0].outputs] == ["error"]
    assert not cells[1].outputs and not cells[2].outputs
    assert (home / "rnn-for-trading" / "tries").read_text(encoding="utf-8") == "xxx"
    found = Path(cells[-1].outputs[0]["text"].strip())
    assert found == home / "rnn-for-trading" / "utils.py"


def test_writing_the_first_cell_changes_only_what_lacks_it(tmp_path):
    path = tmp_path / "a.ipynb"
    parts = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1")]
    nbformat.write(nbformat.v4.new_notebook(cells=parts), path)
    put_first_cell(path)
    notebook = nbformat.read(path, 4)
    assert [cell.source for cell in notebook.cells] == ["# Title", first_cell(repository()), "1"]
    notebook.cells[1].execution_count = 1
    nbformat.write(notebook, path)
    before = path.read_bytes()
    put_first_cell(path)
    assert path.read_bytes() == before
    notebook.cells[1].source = first_cell("https://example.org/another")
    nbformat.write(notebook, path)
    put_first_cell(path)
    assert path.read_bytes() == before


def test_every_notebook_begins_with_the_first_cell():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, 4).cells
        first = next(cell for cell in cells if cell.cell_type == "code")
        assert first.source == first_cell(repository()), path.name
        assert first.metadata["tags"] == TAGS, path.name
    assert max(map(len, first.source.splitlines())) <= 88


@pytest.mark.parametrize("command", [dataset.COMMAND, sequences.COMMAND], ids=["02", "08"])
def test_the_commands_for_what_is_missing_name_a_notebook(command):
    """03, 04 and 09 read what another notebook writes, which nobody has run in a new Colab."""
    (named,) = re.findall(r"%run (\S+\.ipynb)", command)
    assert (ROOT / named).exists()
    assert set(re.findall(r"(?:NB=|tools.notebooks run |notebooks/)(\d\d)", command)) == {
        Path(named).name[:2]
    }


def test_hosted_installs_only_what_is_missing():
    present = {"tensorflow": "2.20.0", "scikit-learn": "1.6.1"}
    needs = ["tensorflow>=2.20", "scikit_learn>=1.6", "dask[distributed]>=2026.1", "arch>=8"]
    assert hosted.missing(needs, present) == ["dask[distributed]>=2026.1", "arch>=8"]


def test_hosted_constrains_every_version_that_is_there(monkeypatch):
    calls = []

    def call(command):
        constraints = Path(command[command.index("--constraint") + 1])
        calls.append((command, constraints.read_text(encoding="utf-8").splitlines()))
        return 0

    monkeypatch.setattr(hosted, "present", lambda: {"numpy": "2.1.3", "torch": "2.8.0+cu126"})
    monkeypatch.setattr(hosted, "needed", lambda: ["numpy>=2", "arch>=8"])
    monkeypatch.setattr(hosted.subprocess, "call", call)
    with pytest.raises(SystemExit):
        hosted.install()
    ((command, constraints),) = calls
    assert command[-1] == "arch>=8" and "numpy>=2" not in command
    assert constraints == ["numpy==2.1.3", "torch==2.8.0+cu126"]


def test_lab_keeps_the_readers_copy(tmp_path):
    (tmp_path / "notebooks").mkdir()
    original = tmp_path / "notebooks" / "01_one.ipynb"
    original.write_text("{}", encoding="utf-8")
    assert lab.make_copies(tmp_path) == []
    copy = tmp_path / "lab" / "01_one.ipynb"
    copy.write_text("mine", encoding="utf-8")
    lab.make_copies(tmp_path)
    assert (
        copy.read_text(encoding="utf-8") == "mine" and original.read_text(encoding="utf-8") == "{}"
    )
    assert "lab/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_refresh_numbers_the_styled_tables():
    html = (
        '<style>#T_1e5ee_row0 td {}</style><table id="T_1e5ee"></table><table id="T_abcde"></table>'
    )
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    cell = nbformat.v4.new_code_cell("show()", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebooks.name_styles(notebook)
    expected = html.replace("1e5ee", "00000").replace("abcde", "00001")
    assert notebook.cells[0].outputs[0].data["text/html"] == expected


def test_links_are_found_without_their_punctuation():
    found = links.links({"a.md": "see (https://example.org/a) and https://example.org/b."})
    assert set(found) == {"https://example.org/a", "https://example.org/b"}


def test_landing_page_has_a_sentence_for_every_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "SOURCE", tmp_path)
    (tmp_path / "figures").mkdir()
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    page = site.landing_page(paths)
    for path in paths:
        assert f"](notebooks/{path.name})" in page and f"notebooks/{path.stem}\n" in page
    sections = re.split(r"^## .*$", page, flags=re.MULTILINE)[1:]
    assert len(sections) == len(paths) and all(len(text.strip()) > 40 for text in sections)


def test_the_sites_buttons_lead_to_the_notebooks(monkeypatch):
    """The theme joins address, branch, ``path_to_docs`` and the path of the page."""
    address = "https://example.org/owner/rnn"
    monkeypatch.setenv("SITE_REPOSITORY", address)
    options = runpy.run_path(ROOT / "docs" / "site" / "conf.py")["html_theme_options"]
    assert options["repository_url"] == address and options["path_to_docs"] == ""
    (branch,) = read_yaml(ROOT / ".github" / "workflows" / "site.yml")[True]["push"]["branches"]
    assert options["repository_branch"] == branch and options["launch_buttons"]["colab_url"]
