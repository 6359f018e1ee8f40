"""What there is at the paper's own schedules: cells of its table, and how a super-network of that length ranks."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from imbnas import profiles
from imbnas.evidence.grid import Grid, fullest, own_place
from imbnas.evidence.mixture import Seen
from imbnas.evidence.paper import PAPER
from imbnas.evidence.paths import FEWEST_PATHS, Record, retrained_and_scored, scored_on, scores_of
from imbnas.evidence.quality import COST, REPEATS, compared, judged
from imbnas.evidence.table2 import retrainings
from imbnas.names import BESIDE, ROWS

PROFILE = "paper"
TAUS = ("tau", "gain", "over_size", "over_p0")
COLUMNS = [
    "target",
    "procedure",
    "seed",
    "paths",
    *(f"{name}{end}" for name in TAUS for end in ("", "_low", "_high")),
    *(f"{name}_p" for name in TAUS[1:]),
]


def full_length(results: Path = profiles.ROOT / "results") -> Grid:
    """The grid of the profile that has the paper's schedules, on its own data; empty where none of it was run."""
    grid = fullest(results, PROFILE, "retrain", "") or Grid()
    return grid if grid.folder.parent.name == own_place(PROFILE).parent.name else Grid()


def column(found: Iterable[Record], target: str) -> pd.DataFrame:
    """What was retrained on one target: a row per procedure, baseline or shortcut, means over seeds.

    Columns: accuracy, head, middle, tail (percent), `paper`, what its table has there (of procedures), multiply-adds
    (millions; of paths), NaN where there is none, and seeds.
    """
    runs = retrainings((record for record in found if record["stage"] == "retrain"), ROWS)
    groups = runs[runs.target == target].groupby("procedure")
    table = groups[["accuracy", "head", "middle", "tail"]].mean()
    table["paper"] = PAPER.get(target, pd.Series(dtype=float)).reindex(table.index)
    table["multiply-adds"] = groups.macs.mean().astype(float) / 1e6
    table["seeds"] = groups.size()
    return table.loc[[name for name in ROWS if name in table.index]].rename(index=BESIDE).rename_axis(None)


def ranked_across(longer: Iterable[Record], shorter: Iterable[Record], repeats: int = REPEATS) -> pd.DataFrame:
    """How scores of a long training rank what a brief one retrained: the same paths, by their digits, of two profiles.

    One row per target and procedure that both have scored with the same seed. Columns: paths, `tau` of the longer
    one's scores to the brief accuracies, and on the same draws of paths what it is more than another's: `gain`
    over the shorter one's scores, `over_size` over multiply-adds, `over_p0` over the longer one's P0; each
    with its 95 % interval, `…_low` and `…_high`, each gap with its bootstrap p, `…_p`, uncorrected.
    """
    scores, rows = scores_of(longer, Seen()), []
    for target, (truth, rankings) in retrained_and_scored(shorter).items():
        cost = rankings[COST]
        for (procedure, seed), brief in rankings.items():
            long = scores.get(key(procedure, target, seed))
            if long is None or not set(truth.index) <= set(long.index) or len(truth) < FEWEST_PATHS:
                continue
            row = {"target": target, "procedure": procedure, "seed": seed, "paths": len(truth)}
            row |= bounds("tau", judged([long], truth, cost, repeats))
            others = {"gain": brief, "over_size": cost, "over_p0": scores.get(key("P0", target, seed))}
            for name, other in others.items():
                if other is not None and other is not long:
                    gap = compared([(long, other)], truth, cost, repeats)
                    row |= bounds(name, gap) | {f"{name}_p": gap["p"]}
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def key(procedure: str, target: str, seed: str) -> tuple[str, str, str]:
    """What scores are found by (`scores_of`)."""
    return scored_on(procedure, target), procedure, seed


def bounds(name: str, found: Mapping[str, float]) -> dict[str, float]:
    """A tau with its interval, under a column's name."""
    return {name: found["tau"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
