"""How far the scores of the validity study agree with the published accuracies, and with what they must be compared.

python -m imbnas.evidence.agreement     write agreement.csv in results/validity and in results/sources, which the
                                        book's prose reads
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from imbnas import profiles, records
from imbnas.benchmark import FEWEST_CELLS, difference, distinct, naive_rankings, ranking
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.mixture import Record, comparable, unmixed

FOLDER = profiles.ROOT / "results" / "validity"
GOOD = 90.0  # percent: the cells that a search would choose from
KINDS = {"accuracy": 1, "loss": -1}  # a score is higher where it is better: the loss counts with a minus
YARDSTICKS = ("multiply-adds", "parameters", "3×3 convolutions", "12 epochs alone")
COUNTING = YARDSTICKS[0]
MISSING = (
    "No record of the validity study yet.\n"
    "`papermill book/04-super-network.ipynb run.ipynb -p arm constant`\n"
    "writes the first one."
)
COMPARED = ["cells", "tau", "low", "high", "gain", "gain_low", "gain_high"]
COLUMNS = ["arm", "seed", "images", "score", "above", "cells", "tau", "low", "high"]


def truth_of(record: Record) -> str:
    """The column of the published table that a record's scores are held against: its own data set."""
    return record["config"]["arm"]["data"]


def scores_of(moment: Record, kind: str) -> pd.Series:
    """The scores of one moment of a record by printed cell, higher is better; kind is "accuracy" or "loss"."""
    return pd.Series(moment[kind], dtype=float) * KINDS[kind]


def common_cells(record: Record) -> list[str]:
    """The cells that every moment of a record scored."""
    moments = [moment["accuracy"] for moment in record["results"]["moments"]]
    return [cell for cell in moments[0] if all(cell in moment for moment in moments)]


def agreement(scores: pd.Series, truth: str, above: float | None = None) -> dict[str, float]:
    """Kendall's tau with its interval, and the number of cells; NaN where too few cells are above."""
    if (count := cells_above(scores, truth, above)) < FEWEST_CELLS:
        return {"cells": count, "tau": math.nan, "low": math.nan, "high": math.nan}
    found = ranking(scores, truth, above=above)
    return {"cells": count, "tau": found.tau, "low": found.interval[0], "high": found.interval[1]}


def gain(scores: pd.Series, truth: str, above: float | None = None) -> dict[str, float]:
    """How much further than counting multiply-adds scores agree with the truth, with its paired interval over cells."""
    if cells_above(scores, truth, above) < FEWEST_CELLS:
        return {"gain": math.nan, "gain_low": math.nan, "gain_high": math.nan}
    found = difference(scores, naive_rankings(scores.index)["macs"], truth, above=above)
    return {"gain": found.tau, "gain_low": found.interval[0], "gain_high": found.interval[1]}


def cells_above(scores: pd.Series, truth: str, above: float | None) -> int:
    """How many of the scored cells count."""
    return len(scores) if above is None else int((distinct_truth(scores.index, truth) > above).sum())


def distinct_truth(cells: Iterable[str], truth: str) -> pd.Series:
    """The published accuracy of cells that name distinct ones, isomorphs averaged."""
    return distinct()[truth].loc[list(cells)]


def growth(study: Iterable[Record], kind: str = "accuracy", above: float | None = None) -> pd.DataFrame:
    """One row per record and moment, always on the cells that every moment of the record scored.

    ValueError, with the names of both files, where records do not go together (`imbnas.evidence.mixture.unmixed`).
    """
    rows = []
    for record in unmixed(study):
        cells = common_cells(record)
        for moment in record["results"]["moments"]:
            rows.append(
                {"arm": record["config"]["arm"]["name"], "seed": record["config"]["seed"]}
                | {"images": images(record, moment), "score": kind, "above": above}
                | agreement(scores_of(moment, kind)[cells], truth_of(record), above)
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def images(record: Record, moment: Record) -> int:
    """How many training images the super-network had seen."""
    return int(moment["step"]) * int(record["config"]["arm"]["recipe"]["batch_size"])


def yardstick_scores(cells: Iterable[str], truth: str = "cifar10") -> dict[str, pd.Series]:
    """What costs no super-network, by name: counting, and training every cell alone for 12 epochs."""
    cells = list(cells)
    naive, short = naive_rankings(cells), distinct()[f"{truth}_12_epochs"].loc[cells]
    return dict(zip(YARDSTICKS, (naive["macs"], naive["params"], naive["conv3x3"], short), strict=True))


def yardsticks(cells: Iterable[str], truth: str = "cifar10") -> pd.DataFrame:
    """The agreement of the yardsticks, one row each."""
    rows = {name: agreement(scores, truth) for name, scores in yardstick_scores(cells, truth).items()}
    return pd.DataFrame(rows).T


def compared(study: Sequence[Record], above: float | None = None) -> pd.DataFrame:
    """The yardsticks, then every record's final scores of both kinds: agreement and gain. Empty without records.

    ValueError, with the names of both files, where records do not go together (`imbnas.evidence.mixture`): yardsticks
    are those of one data set, split and sample of cells.
    """
    if not study:
        return pd.DataFrame(columns=COMPARED)
    comparable(unmixed(study), "data", "cells")
    truth = truth_of(study[0])
    scores = yardstick_scores(study[0]["results"]["moments"][-1]["accuracy"], truth)
    for record in study:
        for kind in KINDS:
            name = f"{record['config']['arm']['name']} s{record['config']['seed']}, {kind}"
            scores[name] = scores_of(record["results"]["moments"][-1], kind)
    rows = {name: agreement(s, truth, above) | gain(s, truth, above) for name, s in scores.items()}
    return pd.DataFrame(rows).T[COMPARED]


def panels(study: Iterable[Record]) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Truth and final scores of the first record of every arm, by a title."""
    found: dict[str, tuple[pd.Series, pd.Series]] = {}
    for record in study:
        scores = scores_of(record["results"]["moments"][-1], "accuracy")
        found.setdefault(record["config"]["arm"]["name"], (distinct_truth(scores.index, truth_of(record)), scores))
    return found


def lines(study: Sequence[Record]) -> dict[str, float]:
    """The yardsticks to draw across a growth curve, on its cells."""
    if not study:
        return {}
    tau = yardsticks(common_cells(study[0]), truth_of(study[0])).tau
    return {name: tau[name] for name in ("multiply-adds", "12 epochs alone")}


def as_csv(study: Sequence[Record]) -> str:
    """`compared` for all cells (above 0) and the good ones, names without spaces."""
    frames = [compared(study, above).assign(above=above or 0) for above in (None, GOOD)]
    table = pd.concat(frames).rename_axis("ranking").reset_index()
    table["ranking"] = table["ranking"].str.replace(",", "").str.replace(" ", "-")
    table["above"], table["cells"] = table["above"].astype(int), table["cells"].astype(int)
    return in_csv(table[["ranking", "above", *COMPARED]])


def trained_on_cifar100(results: Path) -> list[Record]:
    """The other sources that the target's own data set trained, as P3 is, and held against its published accuracies."""
    return [record for record in records.read(results / "sources", "validity") if truth_of(record) == "cifar100"]


def main(folder: Path = FOLDER) -> None:
    """Write the tables beside the records: of the validity study, and of other sources."""
    records.write_text(folder / "agreement.csv", as_csv(records.read(folder, "validity")))
    if others := trained_on_cifar100(folder.parent):
        records.write_text(folder.parent / "sources" / "agreement.csv", as_csv(others))


if __name__ == "__main__":
    refuse_arguments()
    main()
