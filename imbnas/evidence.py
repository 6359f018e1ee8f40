"""What can be told from records: Table 2 with seeds and intervals, and the paper's own figures beside it.

python -m imbnas.evidence RECORDS TABLE.csv     write Table 2 of a folder of records as CSV
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from imbnas import records

TARGETS = ("balance", "exp-0.1", "exp-0.01", "step-0.01")
LONG_TAILED = TARGETS[1:]
PROCEDURES = ("P0", "P1", "P2", "P3")
BESIDE = {  # what the table is held against
    "control": "control: P0's backbone, a classifier per path",
    "P1-random": "P1 without evolution: as many random paths",
    "largest": "no search: the largest allowed path",
    "resnet32-ce": "ResNet-32, cross-entropy",
    "resnet32-drw": "ResNet-32, deferred re-weighting",
}
ROWS = (*PROCEDURES, *BESIDE)

# Table 2 of arXiv:2406.16972: one run each, top-1 on the 10,000 test images of CIFAR-100, in percent.
PAPER = pd.DataFrame(
    [
        (52.83, 48.43, 41.18, 38.43),
        (52.76, 49.39, 42.37, 39.58),
        (52.71, 49.05, 42.02, 39.21),
        (52.86, 49.54, 42.32, 39.49),
    ],
    index=pd.Index(PROCEDURES, name="procedure"),
    columns=pd.Index(TARGETS, name="target"),
)
TEST_IMAGES = 10_000


# ------------------------------------------------------------------------------------- one run, the paper's


def binomial_error(accuracy: float, images: int = TEST_IMAGES) -> float:
    """The standard error of an accuracy in percent that was read off `images` independent images, in points."""
    return float(np.sqrt(accuracy * (100 - accuracy) / images))


def paper_gaps(first: str, second: str) -> pd.DataFrame:
    """The paper's `first` minus `second`, in points, with its standard error from the test images alone.

    One row per target. The two accuracies count as independent, which errs on the large side: both networks were
    tested on the same images. Training seeds come on top.
    """
    error = PAPER.map(binomial_error)
    gaps = pd.DataFrame({"difference": PAPER.loc[first] - PAPER.loc[second]})
    gaps["error"] = np.hypot(error.loc[first], error.loc[second])
    return gaps.assign(errors=gaps.difference / gaps.error)


# ---------------------------------------------------------------------------------------- records into rows


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


class Seen:
    """What the records of one table must have in common, and who said so first."""

    def __init__(self) -> None:
        self.first: dict[str, tuple[str, str]] = {}

    def check(self, record: Mapping[str, Any], what: str = "") -> None:
        """ValueError where `record` does not go with those before it; `what` it is of: the procedure, if not said."""
        config, file = record["config"], str(record.get("file", "a record"))
        common = {name: str(config[name]) for name in ("data", "space", "recipe", "precision", "split_seed")}
        self.folder(record)
        common["schema"] = str(record.get("schema"))
        common[f"split of {config['target']}"] = str(record["results"]["split"])
        for name, value in common.items():
            self.same(name, value, file)
        self.once(f"{what or config['procedure']} on {config['target']}, seed {config['seed']}", file)

    def folder(self, record: Mapping[str, Any]) -> None:
        """ValueError where `record` lies beside others than those before it: a folder is of one profile."""
        file = str(record.get("file", "a record"))
        self.same("folder", str(Path(file).parent), file)

    def same(self, name: str, value: str, file: str) -> None:
        """ValueError where an earlier file had another value by this name."""
        known, other = self.first.setdefault(name, (value, file))
        if known != value:
            raise ValueError(
                f"{file} has another {name} than {other} ({value} and {known}): a table is of one profile, data "
                "set, space and split; move one of them to a folder of its own"
            )

    def once(self, cell: str, file: str) -> None:
        """ValueError where an earlier file was of the same cell."""
        if cell in self.first:
            raise ValueError(f"{file} and {self.first[cell][1]} are both of {cell}: delete one of them")
        self.first[cell] = ("", file)


# ----------------------------------------------------------------------------------- intervals and the table


def t_interval(values: Iterable[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of a mean; None where there are too few values for one."""
    values = np.asarray(list(values), dtype=float)
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def table_2(runs: pd.DataFrame) -> pd.DataFrame:
    """Per procedure and target: seeds, mean accuracy, its interval (from 2 seeds on), and shared winners.

    `same_path_as` names the first procedure that found the same path on this target, and the seeds in which it did
    where these are not all.
    """
    rows = []
    for (procedure, target), cell in runs.groupby(["procedure", "target"], sort=False):
        low, high = t_interval(cell.accuracy) or (np.nan, np.nan)
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


def paired_differences(runs: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """`first` minus `second`, seed by seed, in points: per target, and for all long-tailed targets together.

    The targets of a seed share their source super-network, so their mean over a seed is one observation; it counts
    only where the seed has all three. Columns: seeds, difference, low, high (95 %), `probability`, Student's, that
    `first` is the better one, and `sd` over seeds; NaN where there are too few seeds.
    """
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
    rows = []
    for target in gaps.columns:
        values = gaps[target].dropna()
        if len(values):
            low, high = t_interval(values) or (np.nan, np.nan)
            rows.append((target, len(values), values.mean(), low, high, probability_positive(values), values.std()))
    return pd.DataFrame(rows, columns=["target", "seeds", "difference", "low", "high", "probability", "sd"])


def probability_positive(values: Iterable[float]) -> float:
    """How probable it is that the mean behind `values` is above zero, by Student's t; NaN for fewer than two."""
    values = np.asarray(list(values), dtype=float)
    if len(values) < 2:
        return float("nan")
    error = values.std(ddof=1) / np.sqrt(len(values))
    if error == 0:
        return float(0.5 * (1 + np.sign(values.mean())))
    return float(stats.t.cdf(values.mean() / error, len(values) - 1))


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
    """Mean accuracy over seeds of each group of classes on one target: a row per procedure or comparison, by name."""
    rows = runs[runs.target == target].groupby("procedure")[["accuracy", *GROUPS]].mean()
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
        sys.exit("expected a folder and a file: python -m imbnas.evidence RECORDS TABLE.csv")
    try:
        found = records.read(folder, "retrain")
        for record in found:
            check_entries(record)
        runs = retrainings(found)
    except ValueError as fault:
        sys.exit(str(fault))
    if runs.empty:
        sys.exit(f"no retraining of {', '.join(PROCEDURES)} under {folder}: check the folder, or run the grid first")
    records.write_text(Path(file), table_2(runs).to_csv(index=False, float_format="%.3f"))


def check_entries(record: Mapping[str, Any]) -> None:
    """ValueError, with the file's name, where a record lacks what the table reads."""
    try:
        retrainings([record])
    except KeyError as fault:
        raise ValueError(f"{record['file']} lacks the entry {fault}: delete it and run its stage again") from None


if __name__ == "__main__":
    main(*sys.argv[1:])
