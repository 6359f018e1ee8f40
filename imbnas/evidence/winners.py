"""Winners of Table 2: which gaps between two are larger than luck, and what are they worth over drawn paths?"""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from imbnas.evidence.mixture import Record
from imbnas.evidence.paths import FEWEST_PATHS, first_seed, retrained_paths
from imbnas.evidence.spread import FEWEST_REPEATED
from imbnas.evidence.table2 import retrainings
from imbnas.names import PROCEDURES, TARGETS
from imbnas.statistics.intervals import holm, pooled_sd, welch
from imbnas.statistics.scores import binomial_error

TOGETHER = "together"
COLUMNS = ["first", "second", "target", "seed", "difference", "error", "p", "other_error", "other_p"]


def winners_apart(found: Iterable[Record], noise: tuple[float, int] | None = None) -> pd.DataFrame:
    """One row per two winners of one target and seed with different paths, the smallest p first.

    `difference`: the first one's accuracy minus the second's, in points. `error`: its standard error on these test
    images, if both paths were equally good, from two lucks of the seed. `other_error`: the same if each network had
    10,000 test images of its own, which counts twice what a seed's luck decides image by image. `p` and `other_p`:
    two-sided, by Student's t, the second with Welch's degrees of freedom; `corrected`, `other_corrected`: for all rows
    (`holm`). All of it tells of two paths, not of two procedures.

    found: records of the stage "retrain". noise: the SD between seeds of one path and its degrees of freedom, else that
    of the fixed set's paths, all targets together; no row where fewer than five of them have a second seed.
    ValueError, with the names of both files, for records that don't belong together.
    """
    found = list(found)
    sd, freedom = noise or seed_noise(found)
    table, rows, seeds = retrainings(found), [], 2 * sd**2
    for (target, seed), winners in table.groupby(["target", "seed"], sort=False) if freedom >= FEWEST_REPEATED else ():
        winners = winners.set_index("procedure").reindex(PROCEDURES).dropna(subset="path")
        for first, second in itertools.combinations(winners.itertuples(), 2):
            if first.path != second.path:
                gap = first.accuracy - second.accuracy
                images = sum(binomial_error(who.accuracy) ** 2 for who in (first, second))
                row = (first.Index, second.Index, target, seed, gap)
                rows.append(
                    (
                        *row,
                        *told(gap, seeds, freedom),
                        *told(gap, images + seeds, (images + seeds) ** 2 / (seeds**2 / freedom)),
                    )
                )
    gaps = pd.DataFrame(rows, columns=COLUMNS)
    gaps = gaps.assign(corrected=holm(gaps.p), other_corrected=holm(gaps.other_p))
    return gaps.sort_values("p", kind="stable", ignore_index=True)


def told(gap: float, variance: float, freedom: float) -> tuple[float, float]:
    """The standard error of a gap and its two-sided p by Student's t."""
    error = variance**0.5
    return error, float(2 * stats.t.sf(abs(gap) / error, freedom))


def over_random(found: Iterable[Record], cap: float) -> pd.DataFrame:
    """How many points is a search worth, over drawing a path blindly of those that it might have chosen?

    One row per target and procedure, and of "all" of them together; last the targets "together". `difference`: the mean
    accuracy of the winners of `seeds` seeds minus that of the `paths` of the fixed set of at most `cap` multiply-adds,
    in points, by one recipe; `low`, `high`: its 95 % interval, `p`: two-sided (Welch's t, over seeds here and paths
    there). Only targets with ten such paths, and together those paths that are retrained on all of them. "all" counts a
    seed once, by the mean of its procedures, which share a super-network.

    found: records of the stage "retrain". ValueError, with the names of both files, for records that don't belong
    together.
    """
    found = list(found)
    runs, winners = retrained_paths(found), retrainings(found)
    drawn = runs[runs.macs <= cap].pipe(
        lambda rows: {name: first_seed(rows, name).overall for name in set(rows.target)}
    )
    drawn = {target: drawn[target] for target in TARGETS if len(drawn.get(target, ())) >= FEWEST_PATHS}
    whole = {TOGETHER: list(drawn)} if len(drawn) > 1 else {}
    rows = []
    for name, targets in ({target: [target] for target in drawn} | whole).items():
        blind = pd.DataFrame({target: drawn[target] for target in targets}).dropna().mean(axis=1)
        for procedure in ("all", *PROCEDURES):
            by = list(PROCEDURES) if procedure == "all" else [procedure]
            cells = winners[winners.target.isin(targets) & winners.procedure.isin(by)].groupby("seed").accuracy
            ours = cells.mean()[cells.count() == len(targets) * len(by)]
            if len(ours) > 1 and len(blind) >= FEWEST_PATHS:
                row = {"target": name, "procedure": procedure, "seeds": len(ours), "paths": len(blind)}
                rows.append(row | welch(ours, blind))
    return pd.DataFrame(rows, columns=["target", "procedure", "seeds", "paths", "difference", "low", "high", "p"])


def seed_noise(found: Iterable[Record]) -> tuple[float, int]:
    """The SD between seeds of one path of the fixed set, of all targets, in points, and its degrees of freedom."""
    runs = retrained_paths(found)
    sd, freedom = pooled_sd(group for _, group in runs.groupby(["target", "path"]).overall)
    return (sd if freedom else np.nan), freedom
