"""How good is a ranking? The scores of every procedure against the accuracies of retrained paths, and what can be told.

The fixed set of paths (`imbnas.stages.ranking`) is retrained path by path on each target. Kendall's tau and the regret
of the five best say how well a procedure's scores order them; two seeds of one path say how well anything could.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from imbnas.evidence import Seen

Record = Mapping[str, Any]
COLUMNS = ["target", "number", "seed", "path", "architecture", "macs", "params"]
ACCURACIES = ["overall", "head", "middle", "tail"]
FEWEST_PATHS = 10  # for an interval over paths
FEWEST_REPEATED = 5  # paths with two seeds, for the noise of the seed
ENOUGH_SPREAD = 2.0  # times the SD between seeds: the third part of the signal gate


# ---------------------------------------------------------------------------------------- records into rows


def retrained_paths(found: Iterable[Record]) -> pd.DataFrame:
    """One row per retraining of a path of the set: target, number, seed, path, its cost, accuracies in percent.

    ValueError, with the names of both files, where records are of more than one profile's recipe, data, space, split
    or schema, where two are of the same path, target and seed, or where a number stands for two paths.
    """
    rows, seen, names = [], Seen(), dict[int, tuple[str, str]]()
    for record in found:
        if record["stage"] != "retrain" or record["config"]["procedure"] != "path":
            continue
        config, path, test = record["config"], record["results"]["path"], record["results"]["test"]
        seen.check(record, f"path {path['number']}")
        file = str(record.get("file", "a record"))
        known, other = names.setdefault(path["number"], (config["network"], file))
        if known != config["network"]:
            raise ValueError(f"{file} and {other} call different paths number {path['number']}: delete one of them")
        cells = {"target": config["target"], "seed": config["seed"], "path": config["network"]}
        rows.append(cells | {name: path[name] for name in ("number", "architecture", "macs", "params")}
                    | {name: test[name] for name in ACCURACIES})  # fmt: skip
    table = pd.DataFrame(rows, columns=[*COLUMNS, *ACCURACIES])
    return table.sort_values(["target", "number", "seed"], ignore_index=True)


def pooled_sd(groups: Iterable[Iterable[float]]) -> tuple[float, int]:
    """The standard deviation within groups, and its degrees of freedom; NaN without any group of two."""
    values = [np.asarray(list(group), dtype=float) for group in groups]
    freedom = sum(len(group) - 1 for group in values)
    squares = sum(((group - group.mean()) ** 2).sum() for group in values)
    return (float(np.sqrt(squares / freedom)) if freedom else float("nan")), freedom


def retrained_spread(found: Iterable[Record], target: str = "exp-0.01") -> dict[str, Any]:
    """Whether retrained paths differ by more than the luck of the seed: the third part of the signal gate.

    `spread`: SD between paths, in points, of the first seed's test accuracies. `seed_sd`: SD between seeds of the
    same path, pooled, with `seed_sd_interval` (95 %, chi-square). `retrained_differ`: whether the spread is at least
    twice `seed_sd`; None, as every figure that can't be had, with fewer than 10 paths or 5 paths of two seeds.
    """
    runs = retrained_paths(found)
    runs = runs[runs.target == target]
    by_path = [group.overall.to_numpy() for _, group in runs.groupby("number")]
    repeated = sum(len(group) > 1 for group in by_path)
    first = runs[runs.seed == runs.seed.min()].overall
    spread = float(first.std(ddof=1)) if len(first) >= FEWEST_PATHS else None
    noise, freedom = pooled_sd(by_path) if repeated >= FEWEST_REPEATED else (None, 0)
    ratio = spread / noise if spread and noise else None
    return {
        "target": target,
        "paths": len(first),
        "repeated": repeated,
        "spread": spread,
        "seed_sd": noise,
        "seed_sd_interval": list(sd_interval(noise, freedom)) if noise else None,
        "ratio": ratio,
        "retrained_differ": None if ratio is None else ratio >= ENOUGH_SPREAD,
    }


def sd_interval(sd: float, freedom: int, confidence: float = 0.95) -> tuple[float, float]:
    """The chi-square interval of a standard deviation of normal values with so many degrees of freedom."""
    tail = (1 - confidence) / 2
    low, high = (np.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (1 - tail, tail))
    return float(sd * low), float(sd * high)
