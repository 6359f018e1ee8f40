"""How far the scores of the validity study agree with the published accuracies, and with what they must be compared."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from imbnas.benchmark import FEWEST_CELLS, distinct, kendall, naive_rankings, ranking

GOOD = 90.0  # percent: the cells that a search would choose from
KINDS = {"accuracy": 1, "loss": -1}  # a score is higher where it is better: the loss counts with a minus
COLUMNS = ["arm", "seed", "images", "score", "above", "cells", "tau", "low", "high"]


def truth_of(record: Mapping[str, Any]) -> str:
    """The column of the published table that a record's scores are held against: its own data set."""
    return record["config"]["arm"]["data"]


def scores_of(moment: Mapping[str, Any], kind: str) -> pd.Series:
    """The scores of one moment of a record by printed cell, higher is better; kind is "accuracy" or "loss"."""
    return pd.Series(moment[kind], dtype=float) * KINDS[kind]


def common_cells(record: Mapping[str, Any]) -> list[str]:
    """The cells that every moment of a record scored."""
    moments = [moment["accuracy"] for moment in record["results"]["moments"]]
    return [cell for cell in moments[0] if all(cell in moment for moment in moments)]


def agreement(scores: pd.Series, truth: str, above: float | None = None) -> dict[str, float]:
    """Kendall's tau with its interval, and the number of cells; tau is NaN where too few cells are above."""
    count = len(scores) if above is None else int((distinct_truth(scores.index, truth) > above).sum())
    if count < FEWEST_CELLS:
        return {"cells": count, "tau": float("nan"), "low": float("nan"), "high": float("nan")}
    found = ranking(scores, truth, above=above)
    return {"cells": found.cells, "tau": found.tau, "low": found.interval[0], "high": found.interval[1]}


def distinct_truth(cells: Iterable[str], truth: str) -> pd.Series:
    """The published accuracy of cells that name distinct ones, isomorphs averaged."""
    return distinct()[truth].loc[list(cells)]


def final(study: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per record, kind of score and range of cells, at the end of the training: all cells that were scored."""
    rows = []
    for record in study:
        arm, last = record["config"]["arm"]["name"], record["results"]["moments"][-1]
        for kind in KINDS:
            for above in (None, GOOD):
                rows.append(
                    {"arm": arm, "seed": record["config"]["seed"], "images": images(record, last)}
                    | {"score": kind, "above": above}
                    | agreement(scores_of(last, kind), truth_of(record), above)
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def growth(study: Iterable[Mapping[str, Any]], kind: str = "accuracy", above: float | None = None) -> pd.DataFrame:
    """One row per record and moment, always on the cells that every moment of the record scored."""
    rows = []
    for record in study:
        cells = common_cells(record)
        for moment in record["results"]["moments"]:
            rows.append(
                {"arm": record["config"]["arm"]["name"], "seed": record["config"]["seed"]}
                | {"images": images(record, moment), "score": kind, "above": above}
                | agreement(scores_of(moment, kind)[cells], truth_of(record), above)
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def images(record: Mapping[str, Any], moment: Mapping[str, Any]) -> int:
    """How many training images the super-network had seen."""
    return int(moment["step"]) * int(record["config"]["arm"]["recipe"]["batch_size"])


def yardsticks(cells: Iterable[str], truth: str = "cifar10", above: float | None = None) -> pd.DataFrame:
    """The agreement of what costs no super-network: counting, and training every cell alone for 12 epochs."""
    cells = list(cells)
    naive = naive_rankings(cells)
    scores = {
        "multiply-adds": naive["macs"],
        "parameters": naive["params"],
        "3×3 convolutions": naive["conv3x3"],
        "12 epochs alone": distinct()[f"{truth}_12_epochs"].loc[cells],
    }
    rows = [{"ranking": name} | agreement(values, truth, above) for name, values in scores.items()]
    return pd.DataFrame(rows).set_index("ranking")


def seeds_agree(one: Mapping[str, Any], other: Mapping[str, Any], kind: str = "accuracy") -> float:
    """Kendall's tau between the final scores of two records, whatever the truth is."""
    first, second = (scores_of(record["results"]["moments"][-1], kind) for record in (one, other))
    return kendall(first, second.to_dict())
