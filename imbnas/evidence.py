"""What can be told from records: Table 2 with seeds and intervals, and the paper's own figures beside it.

python -m imbnas.evidence RECORDS TABLE.csv     write Table 2 of a folder of records as CSV
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from imbnas import records

TARGETS = ("balance", "exp-0.1", "exp-0.01", "step-0.01")
PROCEDURES = ("P0", "P1", "P2", "P3")

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


def binomial_error(accuracy: float, images: int = TEST_IMAGES) -> float:
    """The standard error of an accuracy in percent that was read off `images` independent images, in points."""
    return float(np.sqrt(accuracy * (100 - accuracy) / images))


def retrainings(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per retraining of the table: procedure, target, seed, path, test accuracy (percent).

    ValueError where the records are of more than one profile's recipe, data, space or split.
    """
    rows, settings = [], {}
    for record in found:
        config, results = record["config"], record["results"]
        if config["procedure"] not in PROCEDURES:
            continue
        key = {name: str(config[name]) for name in ("data", "space", "recipe", "precision", "split_seed")}
        key["split"] = str(results["split"]) if config["target"] == "exp-0.01" else None
        for name, value in key.items():
            if value is not None and settings.setdefault(name, value) != value:
                raise ValueError(
                    f"{record.get('file', 'a record')} has another {name} ({value}) than the records before it "
                    f"({settings[name]}): a table is of one profile, data set, space and split"
                )
        rows.append(
            {
                "procedure": config["procedure"],
                "target": config["target"],
                "seed": config["seed"],
                "path": results["best"]["path"],
                "accuracy": results["test"]["overall"],
                "tail": results["test"]["tail"],
                "macs": results["best"]["macs"],
            }
        )
    return pd.DataFrame(rows, columns=["procedure", "target", "seed", "path", "accuracy", "tail", "macs"])


def t_interval(values: Iterable[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of a mean; None where there are too few values for one."""
    values = np.asarray(list(values), dtype=float)
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def table_2(runs: pd.DataFrame) -> pd.DataFrame:
    """Per procedure and target: seeds, mean accuracy, its interval (from 2 seeds on), and shared winners.

    `same_path_as` names the first procedure whose winner, on this target and in every seed, was the same path.
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
    order = {"procedure": list(PROCEDURES), "target": list(TARGETS)}
    columns = ["procedure", "target", "seeds", "accuracy", "low", "high", "same_path_as"]
    table = pd.DataFrame(rows, columns=columns)
    keys = [table[name].map(values.index) for name, values in order.items()]
    return table.iloc[np.lexsort(keys[::-1])].reset_index(drop=True) if len(table) else table


def same_path(runs: pd.DataFrame, procedure: str, target: str) -> str:
    """The earlier procedure with the very same winners, or an empty text."""
    winners = {p: tuple(c.sort_values("seed").path) for p, c in runs[runs.target == target].groupby("procedure")}
    earlier = PROCEDURES[: PROCEDURES.index(procedure)]
    return next((p for p in earlier if winners.get(p) == winners[procedure]), "")


def paired_differences(runs: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """`first` minus `second`, seed by seed, in points: per target, and for all long-tailed targets together.

    The targets of a seed share their source super-network, so their mean over a seed is one observation.
    """
    cells = runs.pivot_table(index="seed", columns=["procedure", "target"], values="accuracy")
    gaps = pd.DataFrame(
        {t: cells[first, t] - cells[second, t] for t in TARGETS if {(first, t), (second, t)} <= set(cells.columns)}
    )
    tailed = [t for t in gaps.columns if t != "balance"]
    if tailed:
        gaps["long-tailed"] = gaps[tailed].mean(axis=1, skipna=False)
    rows = []
    for target in gaps.columns:
        values = gaps[target].dropna()
        low, high = t_interval(values) or (np.nan, np.nan)
        rows.append({"target": target, "seeds": len(values), "difference": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["target", "seeds", "difference", "low", "high"])


def main(folder: str, file: str) -> None:
    runs = retrainings(records.read(folder, "retrain"))
    records.write_text(Path(file), table_2(runs).to_csv(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main(*sys.argv[1:])
