"""How far the scores of the validity study agree with the published accuracies, and with what they must be compared.

python -m imbnas.evidence.agreement     write results/validity/agreement.csv and three tables of results/truth/,
                                        which the book's prose reads
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imbnas import profiles, records
from imbnas.benchmark import FEWEST_CELLS, SPACE, difference, distinct, kendall, naive_rankings, ranking
from imbnas.evidence.mixture import comparable, unmixed
from imbnas.evidence.quality import FIGURES, judged
from imbnas.evidence.quality import compared as over_cells
from imbnas.names import ARM

FOLDER = profiles.ROOT / "results" / "validity"
Record = Mapping[str, Any]
GOOD = 90.0  # percent: the cells that a search would choose from
KINDS = {"accuracy": 1, "loss": -1}  # a score is higher where it is better: the loss counts with a minus
YARDSTICKS = ("multiply-adds", "parameters", "3×3 convolutions", "12 epochs alone")
COUNTING = YARDSTICKS[0]
PAIRED = {  # after adaptation, which ranking is held against which others
    "P0": (COUNTING,),
    "P1": ("P0",),
    "P2": ("P0",),
    "P3": ("P0", "P1"),
    "control": ("P0", "P1"),
}
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
                gap = over_cells([(scores, against[second])], truth, size, repeats=1000)
                if second == COUNTING:  # size itself has nothing left
                    gap |= dict.fromkeys(("partial", "partial_low", "partial_high"))
                rows.append({"first": first, "second": second, "seed": seed, "cells": len(scores)} | gap)
    return pd.DataFrame(rows, columns=["first", "second", "seed", "cells", *FIGURES])


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


def lines(study: Sequence[Record]) -> dict[str, float]:
    """The yardsticks to draw across a growth curve, on its cells."""
    if not study:
        return {}
    tau = yardsticks(common_cells(study[0]), truth_of(study[0])).tau
    return {name: tau[name] for name in ("multiply-adds", "12 epochs alone")}


def errors(scores: pd.Series, truth: str) -> pd.Series:
    """What the truth doesn't explain of the scores of good cells: the rest of a straight line."""
    true = distinct_truth(scores.index, truth)
    true = true[true > GOOD]
    line = np.polyfit(true, scores[true.index], 1)
    return scores[true.index] - np.polyval(line, true)


def relatives(cells: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs among distinct cells that some of their isomorphs make with one gene apart."""
    cells, members = list(cells), distinct()["members"]
    owner = {SPACE.from_string(member): cell for cell in cells for member in members[cell]}
    pairs = set()
    for path, cell in owner.items():
        for gene, choice in itertools.product(range(SPACE.genes), range(SPACE.choices)):
            other = owner.get((*path[:gene], choice, *path[gene + 1 :]), cell)
            if other != cell:
                pairs.add((min(cell, other), max(cell, other)))
    return sorted(pairs)


def family(values: pd.Series, repeats: int = 500) -> dict[str, float]:
    """How alike relatives are: the correlation over their pairs, and its middle 95 % when the values are shuffled."""
    place = {cell: number for number, cell in enumerate(values.index)}
    ends = np.array([[place[one], place[other]] for one, other in relatives(values.index)]).T
    ends = np.hstack([ends, ends[::-1]])  # a pair has no first
    shuffle, numbers = np.random.default_rng(0), values.to_numpy()
    chance = [np.corrcoef(shuffle.permutation(numbers)[ends])[0, 1] for _ in range(repeats)]
    low, high = np.quantile(chance, [0.025, 0.975])
    correlation = np.corrcoef(numbers[ends])[0, 1]
    return {"pairs": ends.shape[1] // 2, "correlation": correlation, "low": float(low), "high": float(high)}


def as_csv(study: Sequence[Record]) -> str:
    """`compared` for all cells (above 0) and the good ones, names without spaces."""
    frames = [compared(study, above).assign(above=above or 0) for above in (None, GOOD)]
    table = pd.concat(frames).rename_axis("ranking").reset_index()
    table["ranking"] = table["ranking"].str.replace(",", "").str.replace(" ", "-")
    table["above"], table["cells"] = table["above"].astype(int), table["cells"].astype(int)
    return table[["ranking", "above", *COMPARED]].to_csv(index=False, float_format="%.4f")


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


def adapted_csv(study: Sequence[Record], truths: Sequence[Record]) -> str:
    """`adapted` for all cells, a line per procedure and seed, and one for counting multiply-adds."""
    rows = adapted(study, truths).reset_index()
    cells = next(iter(adapted_scores(study, truths).values()), pd.Series(dtype=float)).index
    if len(cells) >= FEWEST_CELLS:
        counted = yardsticks(cells, "cifar100").loc[[COUNTING]].assign(procedure=COUNTING, seed="", cells=len(cells))
        rows = pd.concat([rows.astype({"seed": object}), counted])
    return rows.to_csv(index=False, float_format="%.4f")


def adapted_differences_csv(study: Sequence[Record], truths: Sequence[Record]) -> str:
    """`adapted_differences` as CSV."""
    return adapted_differences(study, truths).to_csv(index=False, float_format="%.4f")


def repeats_csv(study: Iterable[Record], truths: Iterable[Record]) -> str:
    """`repeats` as CSV."""
    return repeats(study, truths).to_csv(index=False, float_format="%.4f")


def main(folder: Path = FOLDER) -> None:
    """Write the tables of all records beside them: of the validity study, of adaptation, of other sources."""
    study, truths = records.read(folder, "validity"), records.read(folder.parent / "truth", "truth")
    records.write_text(folder / "agreement.csv", as_csv(study))
    records.write_text(folder.parent / "truth" / "agreement.csv", adapted_csv(study, truths))
    records.write_text(folder.parent / "truth" / "differences.csv", adapted_differences_csv(study, truths))
    same = [r for r in study if r["config"]["arm"]["name"] == ARM]
    records.write_text(folder.parent / "truth" / "repeats.csv", repeats_csv(same, truths))
    if others := trained_on_cifar100(folder.parent):
        records.write_text(folder.parent / "sources" / "agreement.csv", as_csv(others))


def trained_on_cifar100(results: Path) -> list[Record]:
    """The other sources that the target's own data set trained, as P3 is, and held against its published accuracies."""
    return [record for record in records.read(results / "sources", "validity") if truth_of(record) == "cifar100"]


if __name__ == "__main__":
    main()
