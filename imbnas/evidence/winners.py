"""Which gaps between two winners of Table 2 are larger than the luck of their seeds and of the test images?"""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from imbnas.evidence.mixture import Record
from imbnas.evidence.paths import retrained_paths
from imbnas.evidence.spread import FEWEST_REPEATED
from imbnas.evidence.table2 import retrainings
from imbnas.names import PROCEDURES
from imbnas.statistics.intervals import binomial_error, holm, pooled_sd

COLUMNS = ["first", "second", "target", "seed", "difference", "error", "p", "corrected"]


def winners_apart(found: Iterable[Record], noise: tuple[float, int] | None = None) -> pd.DataFrame:
    """One row per two winners of one target and seed with different paths, the smallest p first.

    `difference`: the first one's accuracy minus the second's, in points. `error`: its standard error, if both paths
    were equally good, from two lucks of 10,000 test images and two of the seed. `p`: two-sided, by Student's t with
    Welch's degrees of freedom; `corrected`: for all rows (`holm`). It tells of two paths, not of two procedures.

    found: records of the stage "retrain". noise: the SD between seeds of one path and its degrees of freedom, else that
    of the fixed set's paths, all targets together; no row where fewer than five of them have a second seed.
    ValueError, with the names of both files, for records that don't belong together.
    """
    found = list(found)
    sd, freedom = noise or seed_noise(found)
    table, rows = retrainings(found), []
    for (target, seed), winners in table.groupby(["target", "seed"], sort=False) if freedom >= FEWEST_REPEATED else ():
        winners = winners.set_index("procedure").reindex(PROCEDURES).dropna(subset="path")
        for first, second in itertools.combinations(winners.itertuples(), 2):
            if first.path != second.path:
                images = sum(binomial_error(who.accuracy) ** 2 for who in (first, second))
                seeds = 2 * sd**2
                gap, error = first.accuracy - second.accuracy, (images + seeds) ** 0.5
                p = 2 * stats.t.sf(abs(gap) / error, (images + seeds) ** 2 / (seeds**2 / freedom))
                rows.append((first.Index, second.Index, target, seed, gap, error, p))
    gaps = pd.DataFrame(rows, columns=COLUMNS[:-1])
    return gaps.assign(corrected=holm(gaps.p)).sort_values("p", kind="stable", ignore_index=True)


def seed_noise(found: Iterable[Record]) -> tuple[float, int]:
    """The SD between seeds of one path of the fixed set, of all targets, in points, and its degrees of freedom."""
    runs = retrained_paths(found)
    sd, freedom = pooled_sd(group for _, group in runs.groupby(["target", "path"]).overall)
    return (sd if freedom else np.nan), freedom
