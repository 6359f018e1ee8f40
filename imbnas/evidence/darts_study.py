"""What the searches of the DARTS study found: cells, judged by what is published of them, and how α moved.

python -m imbnas.evidence.darts_study     write cells, arms, gaps, weights and distances in results/darts, for the book
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch

from imbnas import profiles, records
from imbnas.darts import Found, moved
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.mixture import Record, unmixed
from imbnas.space import CellSpace
from imbnas.stages.darts import arms as arms_of_study
from imbnas.statistics.intervals import t_interval

FOLDER = profiles.ROOT / "results" / "darts"
PLAIN, NARROW, DEEP = "first-order", "narrow", "deep"
MISSING = 'No record in results/darts yet.\nTo make them:\nmake grid GOALS=darts SEEDS="0 1 2"'
CELLS = ["arm", "seed", "accuracy", "skips", "convolutions", "pooling", "cell", "images", "minutes"]


def read(folder: Path = FOLDER) -> list[Record]:
    """The records of the study, arms in its order; arms that it no longer has stand last, by name."""
    places = {arm: place for place, arm in enumerate(arms_of_study())}
    found = records.read(folder, "darts")
    return sorted(found, key=lambda r: (places.get(name(r), len(places)), name(r), r["config"]["seed"]))


def name(record: Record) -> str:
    """The arm's name."""
    return record["config"]["arm"]["name"]


def relaxed(study: Sequence[Record]) -> dict[tuple[str, int], Found]:
    """The searches by gradient among the records, by arm and seed.

    A record keeps the mixture; its logarithm is α, but for a constant per edge that no mixture sees. ValueError as
    `cells`.
    """
    return {
        (name(record), record["config"]["seed"]): Found(
            dict(zip(results["turns"], torch.tensor(results["mixture"]).log(), strict=True)),
            results["losses"],
            {int(turn): value for turn, value in results["curvature"].items()},
            results["stopped"],
            results["images"],
        )
        for record in unmixed(study)
        if "mixture" in (results := record["results"])
    }


def cells(study: Sequence[Record]) -> pd.DataFrame:
    """One row per arm and seed: the cell found, its published CIFAR-10 accuracy (percent), what it is made of.

    ValueError, with the names of both files, where records do not go together (`imbnas.evidence.mixture.unmixed`).
    """
    rows = []
    for record in unmixed(study):
        best = record["results"]["best"]
        rows.append(
            {"arm": name(record), "seed": record["config"]["seed"], "accuracy": best["published"]["cifar10"]}
            | {"skips": best["skips"], "convolutions": best["convolutions"]}
            | {"pooling": best["architecture"].count("avg_pool_3x3"), "cell": best["architecture"]}
            | {"images": record["results"]["images"], "minutes": record["cost"]["seconds"]["search"] / 60}
        )
    return pd.DataFrame(rows, columns=CELLS)


def arms(found: pd.DataFrame) -> pd.DataFrame:
    """`cells`, one row per arm: seeds, the means over them, and the 95 % interval of the accuracy."""
    rows = []
    for arm, seeds in found.groupby("arm", sort=False):
        low, high = t_interval(seeds.accuracy)
        means = seeds[["accuracy", "skips", "convolutions", "pooling", "minutes"]].mean().to_dict()
        rows.append({"arm": arm, "seeds": len(seeds), "low": low, "high": high} | means)
    return pd.DataFrame(rows, columns=["arm", "seeds", "accuracy", "low", "high", *CELLS[3:6], "minutes"])


def held_against(arm: str) -> str:
    """The arm from which another differs by its change alone: for cures the deep one, for that one the narrow one."""
    return NARROW if arm == DEEP else DEEP if arm.startswith(f"{DEEP}-") else PLAIN


def gaps(found: pd.DataFrame) -> pd.DataFrame:
    """Every arm minus the one that it is held against, in points of published accuracy, paired by seed.

    Columns: arm, beside, seeds, gap, and the bounds of its 95 % interval.
    """
    by_seed = found.pivot(index="seed", columns="arm", values="accuracy")
    rows = []
    for arm, beside in ((arm, held_against(arm)) for arm in found.arm.unique()):
        if arm == beside or beside not in by_seed:
            continue
        values = (by_seed[arm] - by_seed[beside]).dropna()
        low, high = t_interval(values)
        row = {"arm": arm, "beside": beside, "seeds": len(values)}
        rows.append(row | {"gap": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["arm", "beside", "seeds", "gap", "low", "high"])


def weights(searches: Mapping[tuple[str, int], Found]) -> pd.DataFrame:
    """What each operation weighs at the end of a search by gradient, a mean over the edges; a row per arm and seed."""
    rows = {key: found.alpha.softmax(1).mean(0).tolist() for key, found in searches.items()}
    index = pd.MultiIndex.from_tuples(rows, names=["arm", "seed"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(CellSpace.operations))


def distances(searches: Mapping[tuple[str, int], Found]) -> pd.DataFrame:
    """How far the α of every arm ends from that of first order with *another* seed: mean, least and most of the pairs.

    The row of first order itself is what draws alone do. Columns: arm, pairs, moved, least, most; shares of the weight.
    """
    rows = []
    for arm in dict.fromkeys(arm for arm, _ in searches):
        keys = itertools.product([key for key in searches if key[0] == arm], [k for k in searches if k[0] == PLAIN])
        pairs = {frozenset(pair): pair for pair in keys if pair[0][1] != pair[1][1]}.values()
        values = [moved(searches[one].alpha, searches[other].alpha) for one, other in pairs]
        if values:
            rows.append((arm, len(values), sum(values) / len(values), min(values), max(values)))
    return pd.DataFrame(rows, columns=["arm", "pairs", "moved", "least", "most"])


def tables(study: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """Every table by its file's name."""
    found, searches = cells(study), relaxed(study)
    frames = {"cells": found, "arms": arms(found), "gaps": gaps(found)}
    return frames | {"weights": weights(searches).reset_index(), "distances": distances(searches)}


def main(folder: Path = FOLDER) -> None:
    """Write the tables beside the records."""
    for table, frame in tables(read(folder)).items():
        records.write_text(folder / f"{table}.csv", in_csv(frame))


if __name__ == "__main__":
    refuse_arguments()
    main()
