"""Domain against imbalance: cells retrained on every target, beside what is published of the same cells, balanced.

The fixed set of the one-cell space is taken from NAS-Bench-201's distinct cells, so that the order in which CIFAR-10
and CIFAR-100 put them is known; what the label distribution does to it has to be measured.
"""

from collections.abc import Iterator

import pandas as pd

from imbnas.benchmark import FEWEST_CELLS, distinct, ranking
from imbnas.evidence.paths import ACCURACIES, first_seed
from imbnas.evidence.table2 import targets_of
from imbnas.statistics.bootstrap import bootstrap_taus, estimate, whole_and_draws

SPACE = "cell1-c16-n1"  # the public cell, one a stage
PUBLISHED = ("cifar10", "cifar100")
COLUMNS = ["first", "second", "part", "cells", "tau", "low", "high", "regret"]


def domain(runs: pd.DataFrame, repeats: int = 1000) -> pd.DataFrame:
    """One row per order that is held against another: Kendall's tau on the cells of both, and its 95 % interval.

    `first` and `second` are published columns ("cifar10", "cifar100") or targets of `runs` (`retrained_paths` of the
    one-cell space); `part` is the part of the classes of the second that counts. `regret`: points of the second lost
    by taking the best cell of the first. Under ten common cells there is only their number.
    """
    orders = {target: first_seed(runs, target).set_index("architecture") for target in targets_of(runs)}
    published = distinct().loc[sorted(set(runs.architecture)), list(PUBLISHED)]
    rows = []
    for first, second, part in pairs(list(orders)):
        one = published[first] if first in PUBLISHED else orders[first].overall
        other = published[second] if second in PUBLISHED else orders[second][part]
        shared = [cell for cell in one.index if cell in other.index]
        row = dict(zip(COLUMNS, (first, second, part, len(shared)), strict=False))
        if len(shared) >= FEWEST_CELLS:
            found = ranking(one[shared], other[shared], top=1, repeats=repeats)
            row |= {"tau": found.tau, "low": found.interval[0], "high": found.interval[1], "regret": found.regret}
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def pairs(targets: list[str]) -> Iterator[tuple[str, str, str]]:
    """First the domain alone, as published; then every published order, and the balanced one, against each target."""
    if targets:
        yield "cifar10", "cifar100", "overall"
    for first in (*PUBLISHED, "balance"):
        for second in targets:
            if first in PUBLISHED or (first in targets and first != second):
                yield from ((first, second, part) for part in ACCURACIES)


def tail_and_domain(runs: pd.DataFrame, repeats: int = 1000) -> pd.DataFrame:
    """What reorders the same cells more, the tail or the other data set? One row per long-tailed target of `runs`.

    `tail`: Kendall's tau between accuracies retrained on balance and on the target; `domain`: between those published
    for CIFAR-10 and CIFAR-100, balanced; `difference`: the first minus the second, with its 95 % interval (`low`,
    `high`) over cells, drawn alike for both. Under ten common cells there is only their number.
    """
    orders = {target: first_seed(runs, target).set_index("architecture").overall for target in targets_of(runs)}
    published = distinct()[list(PUBLISHED)]
    rows = []
    for target in [name for name in orders if name != "balance" and "balance" in orders]:
        both = pd.concat([published, orders["balance"], orders[target]], axis=1, join="inner").to_numpy()
        row = {"target": target, "cells": len(both)}
        if len(both) >= FEWEST_CELLS:
            draws = whole_and_draws(len(both), repeats)
            domain, tail = (bootstrap_taus(both[:, pair], draws)[0] for pair in ([0, 1], [2, 3]))
            row |= {"tail": tail[0], "domain": domain[0]}
            row |= dict(zip(("difference", "low", "high"), estimate(tail - domain), strict=True))
        rows.append(row)
    return pd.DataFrame(rows, columns=["target", "cells", "tail", "domain", "difference", "low", "high"])
