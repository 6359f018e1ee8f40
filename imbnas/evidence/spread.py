"""Do paths differ by more than noise: retrained ones by more than the seed's luck, scores by more than counting?"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from imbnas.evidence.mixture import Record, Seen
from imbnas.evidence.paths import FEWEST_PATHS, first_seed, retrained_paths, scores_of
from imbnas.profiles import ENOUGH_SPREAD
from imbnas.statistics.intervals import pooled_sd, sd_interval
from imbnas.statistics.scores import binomial_error

FEWEST_REPEATED = 5  # paths with two seeds, for the noise of the seed
VALIDATION = 5_000  # images: 10 % of CIFAR, off which the scores of a record are read that does not say how many


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


def scores_spread(found: Iterable[Record], images: int = VALIDATION) -> pd.DataFrame:
    """Whether a procedure's scores of the set differ by more than chance: the second part of the signal gate, for each.

    One row per target ("any" where it scores on the source), procedure and seed: `mean` and `spread` (SD over paths) of
    the scores, in percent and points; `error`, the binomial standard error of one, read off as many images as its
    record says, or `images` where it does not say; `ratio` of spread and error. All paths are scored on the same
    images, which makes two of them differ by less chance than two such errors: a ratio below 2 says that the gate is
    not passed, not that there is only noise.
    """
    found, rows = [record for record in found if record["stage"] == "scores"], []
    scored = scores_of(found, Seen())
    told = dict(zip(scored, (record["results"].get("images", images) for record in found), strict=True))
    for (target, procedure, seed), scores in sorted(scored.items()):
        error = binomial_error(scores.mean(), told[target, procedure, seed])
        row = {"target": target, "procedure": procedure, "seed": seed, "paths": len(scores)}
        row |= {"mean": scores.mean(), "spread": scores.std(ddof=1), "error": error}
        rows.append(row | {"ratio": row["spread"] / row["error"]})
    return pd.DataFrame(rows, columns=["target", "procedure", "seed", "paths", "mean", "spread", "error", "ratio"])
