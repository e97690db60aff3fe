"""The order in which notebooks run side by side, so that no core waits long for the last one."""

import heapq
import json
from functools import cache
from itertools import combinations
from pathlib import Path

BUNDLED = Path(__file__).resolve().parent.parent / "results" / "bundled"
NEEDS = {"03": "02", "04": "02", "09": "08"}  # a notebook that reads what another one writes


def number(path: Path) -> str:
    return path.name[:2]


@cache
def seconds(path: Path) -> float:
    """What a notebook took when its outputs were made; 0 for what has no scores there."""
    told = BUNDLED / f"{path.stem}.json"
    return json.loads(told.read_text(encoding="utf-8"))["seconds"] if told.exists() else 0.0


def ready(waiting: list[Path], running: list[Path]) -> list[Path]:
    """Those ``waiting`` that need none of the others and none ``running``, in their order."""
    unfinished = {number(path) for path in [*waiting, *running]}
    return [path for path in waiting if NEEDS.get(number(path)) not in unfinished]


def over_after(order: list[Path], cores: int) -> float:
    """Seconds until all notebooks of ``order`` are over, where a free core takes the first that is
    ready.
    """
    waiting, running, now = list(order), [], 0.0
    while waiting or running:
        for path in ready(waiting, [path for _, path in running])[: cores - len(running)]:
            waiting.remove(path)
            heapq.heappush(running, (now + seconds(path), path))
        now, _ = heapq.heappop(running)
    return now


def in_good_order(paths: list[Path], cores: int) -> list[Path]:
    """``paths`` so that they are over soonest on ``cores``: from the given order, pairs are
    exchanged as long as that saves a second.
    """
    order, best, improved = list(paths), over_after(paths, cores), True
    while improved:
        improved = False
        for first, second in combinations(range(len(order)), 2):
            other = list(order)
            other[first], other[second] = other[second], other[first]
            if (end := over_after(other, cores)) < best - 1:
                order, best, improved = other, end, True
    return order
