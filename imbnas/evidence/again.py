"""Is a gap between two winners one between their paths? Both retrained with further seeds, luck drawn anew."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from imbnas.evidence.mixture import Seen
from imbnas.evidence.table2 import retrainings
from imbnas.names import PROCEDURES
from imbnas.statistics.intervals import pooled_sd, welch

NAMED = "named-drw"  # how the stage calls a retraining of a winner's architecture by the recipe of the table
COLUMNS = ["first", "second", "target", "in_table", "seeds", "again", "low", "high", "p", "seed_sd"]
FEWEST = 2  # further seeds of either path


def winners_again(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per two winners of one target, seed of the table and different paths, both retrained with further seeds.

    `in_table`: the first one's accuracy minus the second's there, in points. `again`: the same between the means of the
    further retrainings, `seeds` of each at least, whose seeds are not the table's: a gap that was looked at because it
    is the largest keeps none of the luck that made it so. `low`, `high`: its 95 % interval, `p`: two-sided (Welch's t).
    `seed_sd`: the SD between the further seeds of one path, of both together, in points.
    found: records of the stage "retrain".
    ValueError, with the names of both files, for records that don't belong together.
    """
    found = list(found)
    table, more = retrainings(found), further(found)
    rows = []
    for (target, seed), winners in table.groupby(["target", "seed"], sort=False):
        winners = winners.set_index("procedure").reindex(PROCEDURES).dropna(subset="path")
        for first, second in itertools.combinations(winners.itertuples(), 2):
            one, other = (
                {s: value for s, value in more.get((target, who.path), {}).items() if s != seed}
                for who in (first, second)
            )
            if first.path != second.path and min(len(one), len(other)) >= FEWEST:
                gap = {"first": first.Index, "second": second.Index, "target": target}
                gap["in_table"] = first.accuracy - second.accuracy
                rows.append(gap | apart(list(one.values()), list(other.values())))
    return pd.DataFrame(rows, columns=COLUMNS)


def further(found: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[int, float]]:
    """Accuracies by seed, in percent, of every architecture that was retrained by its name; keys: target and path."""
    seen, accuracies = Seen(), {}
    for record in found:
        config = record["config"]
        if config["procedure"] in (*PROCEDURES, NAMED):
            named = config["procedure"] == NAMED
            seen.check(record, config["network"] if named else "")
            if named:
                cell = accuracies.setdefault((config["target"], config["network"]), {})
                cell[config["seed"]] = record["results"]["test"]["class_mean"]
    return accuracies


def apart(first: list[float], second: list[float]) -> dict[str, float]:
    """The difference of two means, its interval and p by Welch's t, and the SD within."""
    test = welch(first, second)
    told = {"seeds": min(len(first), len(second)), "again": test.pop("difference"), **test}
    return told | {"seed_sd": pooled_sd([first, second])[0]}
