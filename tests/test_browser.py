"""One notebook by Run All in JupyterLab, in a real Chromium; skipped where there is none.

Chromium is spoken to in its own protocol, over the websocket client that Jupyter's server brings.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
NAME = "02_build_dataset.ipynb"
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
# Without the last ones Chromium asks its maker's hosts for news at every start.
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1400,1000",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 900  # seconds; only something that hangs takes as long

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def wait_for(answer, what):
    """First answer of the function ``answer`` that is not None or False."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := answer():
            return found
        time.sleep(0.2)
    raise TimeoutError(what)


def git(folder, *words):
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The tracked files as they are now, in a repository of their own."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in git(ROOT, "ls-files", "-z").split("\0"):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "all")
    return folder


@contextmanager
def running(command, **options):
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        yield process
    finally:
        family = [*psutil.Process(process.pid).children(recursive=True), process]
        for one in family:
            one.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server(checkout, tmp_path_factory):
    """(address, token) of what ``make lab`` starts."""
    state = tmp_path_factory.mktemp("jupyter")
    folders = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    environment = {**os.environ, **{name: str(state / name) for name in folders}}
    paths = [str(checkout), os.environ["PYTHONPATH"]]
    environment |= {"RNN_TRADING_DATA": "", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "tools.lab", "--no-browser", "--allow-root", "--port=0"]
    command.append("--LabApp.expose_app_in_browser=True")
    with running(command, cwd=checkout, env=environment):
        told = state / folders[0]
        (path,) = wait_for(lambda: list(told.glob("jpserver-*.json")), "JupyterLab did not start")
        told = json.loads(path.read_text(encoding="utf-8"))
        yield told["url"], told["token"]


class Page:
    """One page of a browser: ``do`` runs a line of JavaScript and waits for what it promises."""

    def __init__(self, address):
        websocket = pytest.importorskip("websocket")
        self.socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self.number, self.errors = 0, []
        self.send("Runtime.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)  # as if somebody looked

    def send(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"])
            if answer.get("id") == self.number:
                return answer["result"]

    def do(self, line):
        options = {"awaitPromise": True, "returnByValue": True}
        answer = self.send("Runtime.evaluate", expression=line, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    """JupyterLab in Chromium, as ``make lab`` shows it."""
    address, token = server
    profile = tmp_path_factory.mktemp("profile")
    with running([CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]):
        told = profile / "DevToolsActivePort"
        wait_for(lambda: told.exists() and told.read_text(encoding="utf-8").count("\n"), "Chromium")
        port = told.read_text(encoding="utf-8").split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs = json.load(answer)
        (tab,) = (tab for tab in tabs if tab["type"] == "page")
        page = Page(tab["webSocketDebuggerUrl"])
        page.send("Page.navigate", url=f"{address}lab/tree/lab?token={token}")
        loaded = "Boolean(window.jupyterapp && document.querySelector('.jp-DirListing-item'))"
        wait_for(lambda: page.do(loaded), "JupyterLab did not load")
        yield page


def test_the_lab_opens_at_the_root(page, checkout):
    listed = page.do(
        "jupyterapp.serviceManager.contents.get('').then(all => all.content.map(one => one.name))"
    )
    assert {"README.md", "utils.py", "lab", "notebooks"} <= set(listed)
    shown = "[...document.querySelectorAll('.jp-DirListing-itemText')].map(i => i.innerText)"
    copies = {path.name for path in (checkout / "notebooks").glob("*.ipynb")}
    wait_for(lambda: copies <= set(page.do(shown)), "the copies are not listed")


def test_run_all(page, checkout):
    """Every cell runs, every output renders, and no tracked file changes."""
    opened = f"jupyterapp.commands.execute('docmanager:open', {{path: 'lab/{NAME}'}})"
    page.do(f"{opened}.then(widget => {{ window.notebook = widget; }})")
    ready = "notebook.context.sessionContext.session?.kernel?.status === 'idle'"
    wait_for(lambda: page.do(ready), "no kernel")
    page.do("jupyterapp.shell.activateById(notebook.id)")
    page.do("jupyterapp.commands.execute('notebook:run-all-cells').then(() => 1)")
    pictures = "document.querySelectorAll('.jp-RenderedImage img').length"
    assert page.do(pictures), "no figure is shown"
    page.do("jupyterapp.commands.execute('docmanager:save').then(() => 1)")

    notebook = nbformat.read(checkout / "lab" / NAME, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds and "display_data" in kinds
    assert (checkout / "build" / "results" / f"{Path(NAME).stem}.json").exists()
    assert git(checkout, "status", "--porcelain") == ""
    assert not page.errors
