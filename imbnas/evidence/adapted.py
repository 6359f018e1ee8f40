"""Scores after adaptation to balanced CIFAR-100, held against its published accuracies and against each other.

python -m imbnas.evidence.adapted     write agreement, differences and repeats in results/truth, for the book
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from imbnas import profiles, records
from imbnas.benchmark import FEWEST_CELLS, kendall, naive_rankings
from imbnas.evidence.agreement import COUNTING, agreement, distinct_truth, scores_of, yardsticks
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.mixture import unmixed
from imbnas.evidence.quality import FIGURES, compared, judged
from imbnas.names import ARM

FOLDER = profiles.ROOT / "results" / "truth"
Record = Mapping[str, Any]
PAIRED = {  # after adaptation, which ranking is held against which others
    "P0": (COUNTING,),
    "P1": ("P0",),
    "P2": ("P0",),
    "P3": ("P0", "P1"),
    "control": ("P0", "P1"),
}


def adapted(study: Sequence[Record], truths: Iterable[Record]) -> pd.DataFrame:
    """Scores after adaptation to balanced CIFAR-100 against its published accuracies, P0's own scores beside them.

    One row per procedure and seed; columns as `agreement`, and `partial`, with its interval, which is the tau with the
    multiply-adds partialled out. ValueError as in `adapted_scores`.
    """
    scored = adapted_scores(study, truths)
    rows = {key: agreement(scored[key], "cifar100") | without_size(scored[key]) for key in sorted(scored)}
    index = pd.MultiIndex.from_tuples(rows, names=["procedure", "seed"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["cells", *FIGURES])


def adapted_scores(study: Sequence[Record], truths: Iterable[Record]) -> dict[tuple[str, int], pd.Series]:
    """Scores by cell, of every procedure and seed, P0's from the validity records of the same arm and seed.

    ValueError, with the names of both files, where records do not go together (`imbnas.evidence.mixture.unmixed`).
    """
    told = [r for r in truths if r["config"]["target"] == "balance"]
    known = {(r["config"]["arm"]["name"], r["config"]["seed"]) for r in told}
    plain = [r for r in study if (r["config"]["arm"]["name"], r["config"]["seed"]) in known]
    return {
        (procedure_of(r), r["config"]["seed"]): scores_of(last_of(r), "accuracy")
        for r in unmixed([*plain, *told], procedure_of)
    }


def adapted_differences(study: Sequence[Record], truths: Iterable[Record]) -> pd.DataFrame:
    """Tau of `first` minus tau of `second` to the published CIFAR-100 accuracies, for every seed that has both.

    The same cells are drawn for both; `partial` is the difference with the multiply-adds partialled out of each.
    ValueError as in `adapted_scores`.
    """
    scored, rows = adapted_scores(study, truths), []
    for (first, seed), scores in sorted(scored.items()):
        size = naive_rankings(scores.index)["macs"].astype(float)
        against = {procedure: other for (procedure, of), other in scored.items() if of == seed} | {COUNTING: size}
        for second in PAIRED.get(first, ()):
            if second in against and len(scores) >= FEWEST_CELLS:
                truth = distinct_truth(scores.index, "cifar100")
                gap = compared([(scores, against[second])], truth, size, repeats=1000)
                if second == COUNTING:  # size itself has nothing left
                    gap |= dict.fromkeys(("partial", "partial_low", "partial_high"))
                rows.append({"first": first, "second": second, "seed": seed, "cells": len(scores)} | gap)
    return pd.DataFrame(rows, columns=["first", "second", "seed", "cells", *FIGURES])


def repeats(study: Iterable[Record], truths: Iterable[Record]) -> pd.DataFrame:
    """How alike a procedure's rankings of two seeds are: two super-networks, trained independently of each other.

    One row per procedure and pair of seeds, on the balanced target; P0's from the validity records. ValueError, with
    the names of both files, where records do not go together (`imbnas.evidence.mixture.unmixed`).
    """
    rankings: dict[str, dict[int, pd.Series]] = {}
    told = [r for r in truths if r["config"]["target"] == "balance"]
    for record in unmixed([*study, *told], procedure_of):
        rankings.setdefault(procedure_of(record), {})[record["config"]["seed"]] = scores_of(last_of(record), "accuracy")
    rows = [
        (procedure, one, other, kendall(seeds[one], seeds[other].to_dict()))
        for procedure, seeds in sorted(rankings.items())
        for one, other in itertools.combinations(sorted(seeds), 2)
    ]
    return pd.DataFrame(rows, columns=["procedure", "seed", "other", "tau"])


def procedure_of(record: Record) -> str:
    """Whose scores a record holds: P0's, where nothing was adapted."""
    return record["config"].get("procedure", "P0")


def last_of(record: Record) -> Record:
    """The scores at the end: the last moment of a training, or all there are of an adaptation."""
    return record["results"].get("moments", [record["results"]])[-1]


def without_size(scores: pd.Series, truth: str = "cifar100") -> dict[str, float]:
    """What is left of a ranking's agreement with the published accuracies when the multiply-adds are partialled out."""
    if len(scores) < FEWEST_CELLS:
        return {}
    size = naive_rankings(scores.index)["macs"].astype(float)
    found = judged([scores], distinct_truth(scores.index, truth), size, repeats=1000)
    return {name: value for name, value in found.items() if name.startswith("partial")}


def adapted_csv(study: Sequence[Record], truths: Sequence[Record]) -> str:
    """`adapted` for all cells, a line per procedure and seed, and one for counting multiply-adds."""
    rows = adapted(study, truths).reset_index()
    cells = next(iter(adapted_scores(study, truths).values()), pd.Series(dtype=float)).index
    if len(cells) >= FEWEST_CELLS:
        counted = yardsticks(cells, "cifar100").loc[[COUNTING]].assign(procedure=COUNTING, seed="", cells=len(cells))
        rows = pd.concat([rows.astype({"seed": object}), counted])
    return in_csv(rows)


def tables(study: Sequence[Record], truths: Sequence[Record]) -> dict[str, str]:
    """Every table as CSV by its file's name."""
    return {
        "agreement.csv": adapted_csv(study, truths),
        "differences.csv": in_csv(adapted_differences(study, truths)),
        "repeats.csv": in_csv(repeats([r for r in study if r["config"]["arm"]["name"] == ARM], truths)),
    }


def main(folder: Path = FOLDER) -> None:
    """Write the tables beside the records of adaptation; P0's are those of the validity study."""
    study, truths = records.read(folder.parent / "validity", "validity"), records.read(folder, "truth")
    for name, text in tables(study, truths).items():
        records.write_text(folder / name, text)


if __name__ == "__main__":
    refuse_arguments()
    main()
