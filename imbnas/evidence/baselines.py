"""ResNet-32 on a long tail, plain and re-weighted, as the records have it."""

from pathlib import Path
from typing import Any

import pandas as pd

from imbnas import records
from imbnas.evidence.grid import leading, own_place
from imbnas.names import BASELINES
from imbnas.profiles import ROOT

LONGEST = "paper"  # the profile that has the schedules of the literature
NAMES = dict(zip(BASELINES, ("cross-entropy", "deferred re-weighting"), strict=True))
# On exp-0.01, percent, the second with weights 1 / n (Zhang et al., AAAI 2021, and their repository).
PUBLISHED = {"cross-entropy": 38.32, "deferred re-weighting": 41.62}
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


def at_full_length(results: Path = ROOT / "results") -> pd.DataFrame:
    """ResNet-32 on exp-0.01 by the schedule of the literature (profile `paper`), one column per draw of the images.

    Per loss the best epoch on the test set, which is what is published, and the last one, percent; the mean over the
    draws and the published value beside them. Empty where there are no records.
    """
    rows: dict[tuple[str, str], dict[str, float]] = {}
    own = results / own_place(LONGEST)
    for folder in (own, *sorted(own.parent.glob(f"{own.name}-split*"))):
        for record in records.read(folder, "retrain"):
            config, found = record["config"], record["results"]
            if config["procedure"] in BASELINES and (config["target"], config["seed"]) == ("exp-0.01", 0):
                loss, draw = NAMES[config["procedure"]], f"draw {config['split_seed']}"
                rows.setdefault((loss, "best epoch"), {})[draw] = found["best_epoch"]["test"]
                rows.setdefault((loss, "last epoch"), {})[draw] = found["test"]["class_mean"]
    table = pd.DataFrame.from_dict(rows, orient="index").sort_index()
    if len(table):
        table["mean"] = table.mean(axis=1)
        table["published"] = [PUBLISHED[loss] if which == "best epoch" else None for loss, which in table.index]
    return table
