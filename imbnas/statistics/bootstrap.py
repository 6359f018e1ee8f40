"""Bootstrap of rankings: Kendall's tau for many draws of cells or paths at once, and the interval of such values."""

import numpy as np
import torch
from torch import Generator

from imbnas.statistics.intervals import tail
from imbnas.statistics.scores import tau_b

MOST_IN_MATRICES = 1000  # rows whose pairs are held at once


def bootstrap_draws(rows: int, repeats: int = 1000, generator: Generator | None = None) -> np.ndarray:
    """Which rows each of `repeats` bootstrap draws takes: [repeats, rows]; default generator: seed 0.

    ValueError for no rows, and for no draws.
    """
    if rows < 1:
        raise ValueError(f"{rows} rows to draw from: expected at least 1")
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}: expected a number of bootstrap draws, at least 1")
    generator = generator or Generator().manual_seed(0)
    return torch.randint(rows, (repeats, rows), generator=generator).numpy()


def whole_and_draws(rows: int, repeats: int = 1000) -> np.ndarray:
    """The rows as they are, then `bootstrap_draws` of them: [1 + repeats, rows]."""
    return np.vstack([np.arange(rows), bootstrap_draws(rows, repeats)])


def bootstrap_taus(rows: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of every column but the last to the last, for every draw of rows: [columns - 1, draws].

    A draw only changes how often each pair of rows counts, so that all draws are a few matrix products; for
    more rows than fit into such matrices it is the plain way.
    """
    scores, truths = rows[:, :-1].T, rows[:, -1]
    if len(rows) > MOST_IN_MATRICES:
        return np.array([[tau_b(score[draw], truths[draw]) for draw in draws] for score in scores])
    places = draws + len(rows) * np.arange(len(draws))[:, None]
    counts = np.bincount(places.ravel(), minlength=len(draws) * len(rows)).reshape(-1, len(rows)).astype(float)
    order = _order(truths)
    untied = _counted(order**2, counts)
    with np.errstate(invalid="ignore"):
        return np.array(
            [_counted(o * order, counts) / np.sqrt(_counted(o**2, counts) * untied) for o in map(_order, scores)]
        )


def _order(values: np.ndarray) -> np.ndarray:
    """1, 0 or -1 for every pair of rows: which of the two has more."""
    return np.sign(values[:, None] - values)


def _counted(pairs: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The sum over pairs of rows, each as often as it was drawn."""
    return np.einsum("di,di->d", counts @ pairs, counts)


def percentiles(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """The middle `confidence` of bootstrap values; draws without a value (NaN) don't count.

    NaN where more of them have none than a tail holds, 2.5 % for 95 %: they might have been the tail. ValueError as
    `tail`, and for no values.
    """
    outside = tail(confidence)
    if not len(values):
        raise ValueError("there are 0 bootstrap values; expected at least one")
    if np.isnan(values).mean() > outside:
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [outside, 1 - outside])
    return float(low), float(high)


def estimate(values: np.ndarray) -> tuple[float, float, float]:
    """Of values by `whole_and_draws` the first, and the 95 % interval of the draws, as `percentiles` has it."""
    return float(values[0]), *percentiles(values[1:])
