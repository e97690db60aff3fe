"""Are the scores of ``build/results`` those of ``results/bundled``? ``python -m tools.compare
[NUMBER ...]``, after the notebooks ran on other versions or on another machine.

A score agrees where its value lies within the interval of the score that is kept; a notebook agrees
where it has the same scores, of as many samples, and all of them agree.
"""

import json
import math
import sys
from pathlib import Path

from scores import score_text

ROOT = Path(__file__).resolve().parent.parent


def by_name(result: dict) -> dict[tuple, dict]:
    """Rows of ``score`` by (task, model, metric), from the content of a score file."""
    return {(row["task"], row["model"], row["metric"]): row for row in result["scores"]}


def within(value: float, row: dict) -> bool:
    """Is ``value`` within the interval of ``row``, or at its end but for rounding?"""
    ends = row["low"], row["high"]
    return ends[0] <= value <= ends[1] or any(math.isclose(value, end) for end in ends)


def differences(made: dict, kept: dict) -> list[str]:
    """What keeps two score files of a notebook from agreeing, a line each."""
    new, old = by_name(made), by_name(kept)
    lines = [f"{', '.join(name)}: is not there any more" for name in old if name not in new]
    lines += [f"{', '.join(name)}: is new" for name in new if name not in old]
    for name, row in new.items():
        if name not in old:
            continue
        if row["n"] != old[name]["n"]:
            lines.append(f"{', '.join(name)}: of {row['n']} samples, kept of {old[name]['n']}")
        if not within(row["value"], old[name]):
            lines.append(f"{', '.join(name)}: {row['value']:.4g}, kept {score_text(old[name])}")
    return lines


def compare(stem: str) -> bool:
    """Does the notebook ``stem`` agree? What does not is printed."""
    folders = ROOT / "build" / "results", ROOT / "results" / "bundled"
    made, kept = (
        json.loads((folder / f"{stem}.json").read_text(encoding="utf-8")) for folder in folders
    )
    found = differences(made, kept)
    print(f"{stem}: {len(kept['scores'])} scores, {len(found) or 'none'} differ")
    print("".join(f"  {line}\n" for line in found), end="")
    return not found


def main() -> None:
    kept = sorted((ROOT / "results" / "bundled").glob("*.json"))
    unknown = set(sys.argv[1:]) - {path.name[:2] for path in kept}
    if unknown:
        sys.exit(f"no scores are kept of notebook {', '.join(sorted(unknown))}")
    numbers = sys.argv[1:] or [path.name[:2] for path in kept]
    agree = [compare(path.stem) for path in kept if path.name[:2] in numbers]
    sys.exit(not all(agree))


if __name__ == "__main__":
    main()
