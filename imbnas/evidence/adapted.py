"""Scores after adaptation to balanced CIFAR-100, held against its published accuracies and against each other.

python -m imbnas.evidence.adapted     write agreement, differences and repeats in results/truth, for the book
"""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from imbnas import profiles, records
from imbnas.benchmark import FEWEST_CELLS, kendall, naive_rankings
from imbnas.evidence.agreement import COUNTING, agreement, distinct_truth, scores_of, yardsticks
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.mixture import Record, unmixed
from imbnas.evidence.quality import FIGURES, compared, judged
from imbnas.names import ARM

FOLDER = profiles.ROOT / "results" / "truth"
PAIRED = {  # after adaptation, which ranking is held against which others
    "P0": (COUNTING,),
    "P1": ("P0",),
    "P2": ("P0",),
    "P3": ("P0", "P1"),
    "control": ("P0", "P1"),
}


def adapted(study: Sequence[Record], truths: Iterable[Record], kind: str = "accuracy") -> pd.DataFrame:
    """Scores after adaptation to balanced CIFAR-100 against its published accuracies, P0's own scores beside them.

    One row per procedure and seed; columns as `agreement`, and `partial`, with its interval, which is the tau with the
    multiply-adds partialled out. kind: of the scores, as in `adapted_scores`; ValueError as there.
    """
    scored = adapted_scores(study, truths, kind)
    rows = {key: agreement(scored[key], "cifar100") | without_size(scored[key]) for key in sorted(scored)}
    index = pd.MultiIndex.from_tuples(rows, names=["procedure", "seed"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["cells", *FIGURES])


def adapted_scores(
    study: Sequence[Record], truths: Iterable[Record], kind: str = "accuracy"
) -> dict[tuple[str, int], pd.Series]:
    """Scores by cell, of every procedure and seed, P0's from the validity records of the same arm and seed.

    kind: "accuracy" on the validation images, or their "loss", which the control's ridge regression does not have.
    ValueError, with the names of both files, where records do not go together (`imbnas.evidence.mixture.unmixed`).
    """
    told = [r for r in truths if r["config"]["target"] == "balance"]
    known = {(r["config"]["arm"]["name"], r["config"]["seed"]) for r in told}
    plain = [r for r in study if (r["config"]["arm"]["name"], r["config"]["seed"]) in known]
    return {
        (procedure_of(r), r["config"]["seed"]): scores_of(last_of(r), kind)
        for r in unmixed([*plain, *told], procedure_of)
        if kind in last_of(r)
    }


def adapted_differences(study: Sequence[Record], truths: Iterable[Record], kind: str = "accuracy") -> pd.DataFrame:
    """Tau of `first` minus tau of `second` to the published CIFAR-100 accuracies, for every seed that has both.

    The same cells are drawn for both; `partial` is the difference with the multiply-adds partialled out of each.
    kind: of the scores, as in `adapted_scores`; ValueError as there.
    """
    scored, rows = adapted_scores(study, truths, kind), []
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


def repeats(study: Iterable[Record], truths: Iterable[Record], kind: str = "accuracy") -> pd.DataFrame:
    """How alike a procedure's rankings of two seeds are: two super-networks, trained independently of each other.

    One row per procedure and pair of seeds, on the balanced target; P0's from the validity records. kind: of the
    scores, as in `adapted_scores`. ValueError, with the names of both files, where records do not go together
    (`imbnas.evidence.mixture.unmixed`).
    """
    rankings: dict[str, dict[int, pd.Series]] = {}
    told = [r for r in truths if r["config"]["target"] == "balance"]
    for record in unmixed([*study, *told], procedure_of):
        if kind in last_of(record):
            scores = scores_of(last_of(record), kind)
            rankings.setdefault(procedure_of(record), {})[record["config"]["seed"]] = scores
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


def adapted_csv(study: Sequence[Record], truths: Sequence[Record], kind: str = "accuracy") -> str:
    """`adapted` for all cells, a line per procedure and seed, and one for counting multiply-adds."""
    rows = adapted(study, truths, kind).reset_index()
    cells = next(iter(adapted_scores(study, truths, kind).values()), pd.Series(dtype=float)).index
    if len(cells) >= FEWEST_CELLS:
        counted = yardsticks(cells, "cifar100").loc[[COUNTING]].assign(procedure=COUNTING, seed="", cells=len(cells))
        rows = pd.concat([rows.astype({"seed": object}), counted])
    return in_csv(rows)


def tables(study: Sequence[Record], truths: Sequence[Record]) -> dict[str, str]:
    """Every table as CSV by its file's name, for scores by accuracy and, as `…-by-loss.csv`, for those by loss."""
    ours, found = [r for r in study if r["config"]["arm"]["name"] == ARM], {}
    for kind, mark in (("accuracy", ""), ("loss", "-by-loss")):
        found |= {
            f"agreement{mark}.csv": adapted_csv(study, truths, kind),
            f"differences{mark}.csv": in_csv(adapted_differences(study, truths, kind)),
            f"repeats{mark}.csv": in_csv(repeats(ours, truths, kind)),
        }
    return found


def main(folder: Path = FOLDER) -> None:
    """Write the tables beside the records of adaptation; P0's are those of the validity study."""
    study, truths = records.read(folder.parent / "validity", "validity"), records.read(folder, "truth")
    for name, text in tables(study, truths).items():
        records.write_text(folder / name, text)


if __name__ == "__main__":
    refuse_arguments()
    main()
