"""Do paths differ by more than the luck of the seed?"""

from collections.abc import Iterable
from typing import Any

from imbnas.evidence.paths import FEWEST_PATHS, Record, first_seed, retrained_paths
from imbnas.profiles import ENOUGH_SPREAD
from imbnas.statistics.intervals import pooled_sd, sd_interval

FEWEST_REPEATED = 5  # paths with two seeds, for the noise of the seed


def retrained_spread(found: Iterable[Record], target: str = "exp-0.01", part: str = "overall") -> dict[str, Any]:
    """Whether retrained paths differ by more than the luck of the seed: the third part of the signal gate.

    part: of `ACCURACIES`. `spread`: SD between paths, in points, of the first seed's test accuracies. `seed_sd`: SD
    between seeds of the same path, pooled, with `seed_sd_interval` (95 %, chi-square). `ratio`: of the two, with
    `least` and `most` as far as the seeds are known. `retrained_differ`: whether it is at least 2; None, as every
    figure that can't be had, with fewer than 10 paths or 5 paths of two seeds.
    """
    runs = retrained_paths(found)
    runs = runs[runs.target == target]
    by_path = [group[part].to_numpy() for _, group in runs.groupby("number")]
    repeated = sum(len(group) > 1 for group in by_path)
    first = first_seed(runs, target)[part]
    spread = float(first.std(ddof=1)) if len(first) >= FEWEST_PATHS else None
    noise, freedom = pooled_sd(by_path) if repeated >= FEWEST_REPEATED else (None, 0)
    ratio = spread / noise if spread and noise else None
    low, high = sd_interval(noise, freedom) if noise else (None, None)
    return {
        "target": target,
        "paths": len(first),
        "repeated": repeated,
        "spread": spread,
        "seed_sd": noise,
        "seed_sd_interval": [low, high] if noise else None,
        "ratio": ratio,
        "least": spread / high if ratio else None,
        "most": spread / low if ratio else None,
        "retrained_differ": None if ratio is None else ratio >= ENOUGH_SPREAD,
    }
