"""ResNet-32 on a long tail, plain and re-weighted, as the records have it."""

from pathlib import Path
from typing import Any

from imbnas.grid import leading
from imbnas.profiles import ROOT
from imbnas.stages.retrain import BASELINES

NAMES = dict(zip(BASELINES, ("cross-entropy", "deferred re-weighting"), strict=True))
Tests = dict[str, list[dict[str, Any]]]


def baselines(target: str = "exp-0.01", results: Path = ROOT / "results") -> tuple[str, Tests]:
    """The profile that the book shows, and by loss the `test` block of every seed's ResNet-32 on `target`.

    No blocks where there are no records of them yet: `make grid GOALS=baselines` writes them.
    """
    grid = leading(results)
    tests: Tests = {name: [] for name in NAMES.values()}
    for record in grid.of("retrain"):
        name = NAMES.get(record["config"]["procedure"])
        if name and record["config"]["target"] == target:
            tests[name].append(record["results"]["test"])
    return grid.profile, {name: blocks for name, blocks in tests.items() if blocks}


def mean_of(tests: list[dict[str, Any]], group: str) -> float:
    """The mean over seeds of one entry of the `test` blocks: "overall", "head", "middle", "tail", ..."""
    return sum(test[group] for test in tests) / len(tests)
