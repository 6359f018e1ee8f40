"""What a super-network gets wrong about cells, and whether it runs in families: cells that share all genes but one."""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from imbnas.benchmark import SPACE, distinct
from imbnas.evidence.agreement import GOOD, distinct_truth


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
    """How alike relatives are: the correlation over their pairs, and its middle 95 % when the values are shuffled.

    ValueError where no two cells are relatives.
    """
    pairs = relatives(values.index)
    if not pairs:
        raise ValueError(f"none of the {len(values)} cells are relatives; expected at least one pair")
    place = {cell: number for number, cell in enumerate(values.index)}
    ends = np.array([[place[one], place[other]] for one, other in pairs]).T
    ends = np.hstack([ends, ends[::-1]])  # a pair has no first
    shuffle, numbers = np.random.default_rng(0), values.to_numpy()
    chance = [np.corrcoef(shuffle.permutation(numbers)[ends])[0, 1] for _ in range(repeats)]
    low, high = np.quantile(chance, [0.025, 0.975])
    correlation = np.corrcoef(numbers[ends])[0, 1]
    return {"pairs": ends.shape[1] // 2, "correlation": correlation, "low": float(low), "high": float(high)}
