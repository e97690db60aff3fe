"""Do links still lead somewhere? ``python -m tools.links`` asks for each; standard library only,
needs a network.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"https?://[^\s<>\"')\]`]+")
# Publishers that answer programs with "forbidden": the page is there for people.
FORBIDDEN = {401, 403, 405, 406, 418, 429}
SECONDS = 30


def texts_with_links() -> dict[str, str]:
    """Text of every page and of the words of every notebook, by file name."""
    texts = {}
    pages = (ROOT.glob(pattern) for pattern in ("*.md", "data/*.md", "docs/*.md", "results/*.md"))
    for path in chain.from_iterable(pages):
        texts[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        words = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        texts[str(path.relative_to(ROOT))] = "\n".join(words)
    return texts


def links(texts: dict[str, str]) -> dict[str, list[str]]:
    """Files that mention a link, by link."""
    found = {}
    for name, text in texts.items():
        for link in LINK.findall(text):
            found.setdefault(link.rstrip(".,;:"), []).append(name)
    return found


def fault(link: str) -> str | None:
    """Why ``link`` leads nowhere, or None."""
    request = urllib.request.Request(link, headers={"User-Agent": "Mozilla/5.0 (link check)"})
    try:
        urllib.request.urlopen(request, timeout=SECONDS).close()
    except urllib.error.HTTPError as error:
        return None if error.code in FORBIDDEN else str(error)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def main() -> None:
    found = links(texts_with_links())
    with ThreadPoolExecutor(8) as pool:
        faults = dict(zip(found, pool.map(fault, found)))
    for link, reason in faults.items():
        if reason:
            print(f"{link}  {reason}  in {', '.join(sorted(set(found[link])))}")
    broken = sum(reason is not None for reason in faults.values())
    print(f"{len(found)} links, {broken} lead nowhere")
    sys.exit(broken > 0)


if __name__ == "__main__":
    main()
