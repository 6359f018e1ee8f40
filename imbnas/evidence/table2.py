"""Table 2 from records, with seeds and intervals, and the paper's own figures beside it.

python -m imbnas.evidence.table2 RECORDS TABLE.csv     write Table 2 of a folder of records as CSV
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imbnas import records
from imbnas.evidence.files import in_csv
from imbnas.evidence.mixture import Seen
from imbnas.evidence.paper import PAPER
from imbnas.names import BESIDE, LONG_TAILED, PROCEDURES, ROWS, TARGETS
from imbnas.statistics.intervals import probability_positive, t_interval

GROUPS = ["many", "medium", "few", "head", "middle", "tail"]
COLUMNS = ["procedure", "target", "seed", "path", "accuracy", *GROUPS, "best_epoch", "macs", "seconds", "device"]


def retrainings(found: Iterable[Mapping[str, Any]], procedures: Sequence[str] = PROCEDURES) -> pd.DataFrame:
    """One row per retraining of the table: procedure, target, seed, path (or baseline), test accuracies (percent).

    `accuracy` is the mean over classes: on a balanced test set, such as CIFAR's, the share of images that are right; on
    a long-tailed one it does not flatter. The groups of classes are as in `evaluation.accuracy`, NaN where empty.
    `best_epoch` is what baselines would have had at the best epoch on the test set, NaN for paths.
    ValueError, with the names of both files, where the records are of more than one profile's recipe, data, space
    or split, or where two are of the same cell and seed.
    """
    rows, seen = [], Seen()
    for record in found:
        config, results = record["config"], record["results"]
        if config["procedure"] not in procedures:
            continue
        seen.check(record)
        best = results.get("best", {"path": config["procedure"], "macs": None})
        rows.append(
            {name: config[name] for name in ("procedure", "target", "seed")}
            | {"path": best["path"], "macs": best["macs"], "accuracy": results["test"]["class_mean"]}
            | {name: results["test"][name] for name in GROUPS}
            | {"best_epoch": results.get("best_epoch", {}).get("test")}
            | {"seconds": record["cost"]["training_seconds"], "device": record["cost"]["device"]}
        )
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys([*GROUPS, "best_epoch"], float))


def targets_of(runs: pd.DataFrame) -> list[str]:
    """The targets of a table's rows: the paper's in its order, then others, such as `natural`."""
    there = set(runs.target)
    return [*(t for t in TARGETS if t in there), *sorted(there - set(TARGETS))]


# ----------------------------------------------------------------------------------- intervals and the table


def table_2(runs: pd.DataFrame) -> pd.DataFrame:
    """Per procedure and target: seeds, mean accuracy, its interval (from 2 seeds on), and shared winners.

    `same_path_as` names the first procedure that found the same path on this target, and the seeds in which it did
    where these are not all.
    """
    rows = []
    for (procedure, target), cell in runs.groupby(["procedure", "target"], sort=False):
        low, high = t_interval(cell.accuracy)
        rows.append(
            {
                "procedure": procedure,
                "target": target,
                "seeds": len(cell),
                "accuracy": cell.accuracy.mean(),
                "low": low,
                "high": high,
                "same_path_as": same_path(runs, procedure, target),
            }
        )
    columns = ["procedure", "target", "seeds", "accuracy", "low", "high", "same_path_as"]
    table = pd.DataFrame(rows, columns=columns)
    order = [table.procedure.map(ROWS.index), table.target.map(targets_of(table).index)]
    return table.iloc[np.lexsort(order[::-1])].reset_index(drop=True) if len(table) else table


def same_path(runs: pd.DataFrame, procedure: str, target: str) -> str:
    """The first earlier procedure with the same winner in some seed, the seeds named unless all agree; or ""."""
    winners = runs[runs.target == target].pivot(index="seed", columns="procedure", values="path")
    for earlier in ROWS[: ROWS.index(procedure)]:
        if earlier in winners:
            pair = winners[[earlier, procedure]].dropna(how="all")
            seeds = pair.index[pair[earlier] == pair[procedure]]
            if len(seeds) == len(pair):
                return earlier
            if len(seeds):
                return f"{earlier} (seed {', '.join(map(str, seeds))})"
    return ""


def seed_by_seed(runs: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """`first` minus `second` in points, one row per seed, one column per target, NaN where a seed lacks one of the two.

    The targets of a seed share their source super-network, so their mean over a seed is one observation: the column
    `long-tailed`, NaN unless the seed has all three. No column where nothing is retrained.
    ValueError for a procedure that does not exist.
    """
    for name in (first, second):
        if name not in ROWS:
            raise ValueError(f"there is no procedure {name!r}; expected one of {', '.join(ROWS)}")
    cells = runs.pivot(index="seed", columns=["procedure", "target"], values="accuracy")
    gaps = pd.DataFrame(
        {
            t: cells[first, t] - cells[second, t]
            for t in targets_of(runs)
            if {(first, t), (second, t)} <= set(cells.columns)
        }
    )
    if set(LONG_TAILED) <= set(gaps.columns):
        gaps["long-tailed"] = gaps[list(LONG_TAILED)].mean(axis=1, skipna=False)
    return gaps


def paired_differences(runs: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """`first` minus `second`, the mean over seeds of `seed_by_seed`, one row per target and for all long-tailed ones.

    Columns: seeds, difference, low, high (95 %), `probability`, the one-sided confidence (Student's t) that `first` is
    better, and `sd` over seeds; NaN where there are too few seeds. No row where nothing is retrained.
    ValueError as `seed_by_seed`.
    """
    rows = []
    for target, gaps in seed_by_seed(runs, first, second).items():
        values = gaps.dropna()
        if len(values):
            low, high = t_interval(values)
            rows.append((target, len(values), values.mean(), low, high, probability_positive(values), values.std()))
    return pd.DataFrame(rows, columns=["target", "seeds", "difference", "low", "high", "probability", "sd"])


def printed(table: pd.DataFrame, beside: pd.DataFrame = PAPER) -> pd.DataFrame:
    """Table 2 as texts: ours with the half width of its interval and the seeds in brackets, `beside` below it."""
    cells = {(row.procedure, row.target): in_print(row) for row in table.itertuples()}
    rows = {}
    for procedure in PROCEDURES:
        rows[procedure] = [cells.get((procedure, target), "not run") for target in TARGETS]
        rows[f"{procedure}, paper"] = [f"{beside.loc[procedure, target]:.2f}" for target in TARGETS]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(TARGETS))


def beside(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """What Table 2 is held against, as texts: mean accuracy with its interval and the number of seeds, per target.

    Beside a baseline's last epoch stands its best one on the test set, as much of the field reports it. Re-weighting
    changes nothing on a balanced target, so that plain cross-entropy stands for both there.
    """
    runs = retrainings(found, ROWS)
    cells = {(row.procedure, row.target): in_print(row) for row in table_2(runs).itertuples()}
    for cell, best in runs.groupby(["procedure", "target"]).best_epoch.mean().dropna().items():
        cells[cell] += f"; best epoch {best:.2f}"
    if ("resnet32-ce", "balance") in cells:
        cells.setdefault(("resnet32-drw", "balance"), "the same: no class is rarer")
    rows = {name: [cells.get((key, target), "not run") for target in TARGETS] for key, name in BESIDE.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(TARGETS))


def by_group(runs: pd.DataFrame, target: str) -> pd.DataFrame:
    """Mean accuracy of each group of classes on one target, and its seeds: a row per procedure or comparison."""
    of = runs[runs.target == target].groupby("procedure")
    rows = of[["accuracy", *GROUPS]].mean().assign(seeds=of.size())
    rows = rows.loc[[name for name in ROWS if name in rows.index]].dropna(axis=1, how="all")
    return rows.rename(index=BESIDE).rename_axis(None)


def in_print(cell: Any) -> str:
    """One cell of the printed table."""
    half = "" if np.isnan(cell.low) else f" ± {(cell.high - cell.low) / 2:.2f}"
    same = f"; same path as {cell.same_path_as}" if cell.same_path_as else ""
    return f"{cell.accuracy:.2f}{half} ({cell.seeds}{same})"


def main(folder: str = "", file: str = "", *more: str) -> None:
    """Write Table 2 of the records under `folder` to `file`; SystemExit with one message where there is no table."""
    if not file or more:
        sys.exit("expected a folder and a file: python -m imbnas.evidence.table2 RECORDS TABLE.csv")
    if Path(file).is_dir():
        sys.exit(f"{file} is a folder: name a file in it, as {Path(file) / 'table.csv'}")
    try:
        found = records.read(folder, "retrain")
        for record in found:
            check_entries(record)
        runs = retrainings(found)
    except ValueError as fault:
        sys.exit(str(fault))
    if runs.empty:
        sys.exit(f"no retraining of {', '.join(PROCEDURES)} under {folder}: check the folder, or run the grid first")
    try:
        records.write_text(Path(file), in_csv(table_2(runs), 3))
    except OSError as fault:
        sys.exit(f"{file} can't be written ({fault.strerror}): name a file in a folder that can be made or written")


def check_entries(record: Mapping[str, Any]) -> None:
    """ValueError, with the file's name, where a record lacks what the table reads."""
    try:
        retrainings([record])
    except KeyError as fault:
        raise ValueError(f"{record['file']} lacks the entry {fault}: delete it and run its stage again") from None


if __name__ == "__main__":
    main(*sys.argv[1:])
