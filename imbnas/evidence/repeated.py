"""Is the tail's order of the paths another one, once the noise of the seed is taken out? From paths retrained twice."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from imbnas.evidence.ceiling import by_seed
from imbnas.evidence.paths import FEWEST_PATHS
from imbnas.evidence.quality import REPEATS
from imbnas.evidence.table2 import targets_of
from imbnas.statistics.bootstrap import bootstrap_taus, estimate, whole_and_draws

FIGURES = ("within", "across", "difference", "correlation", "size_out")
COLUMNS = ["target", "paths", *FIGURES]
COLUMNS += [f"{figure}_{end}" for figure in ("difference", "correlation", "size_out") for end in ("low", "high")]
Four = Float[np.ndarray, "draws paths 4"]


def without_noise(runs: pd.DataFrame, repeats: int = REPEATS) -> pd.DataFrame:
    """One row per long-tailed target on which, as on balance, `runs` have paths with two seeds.

    Such a path has four trainings. `within`: Kendall's tau between the two on one target, the mean of both targets.
    `across`: tau between one on balance and one on the tail, the mean of the two pairs of different seeds, which share
    no starting weights. `difference`: across minus within; it is about zero where the tail changes no order, whichever
    target has the noisier trainings. `correlation`: Pearson's between a path's true accuracies on the two targets, as
    it follows from covariances between trainings of different seeds (Spearman's correction for attenuation, 1904); it
    may come out above 1. `size_out`: the same of what a straight line over the logarithm of multiply-adds leaves.
    `…_low`, `…_high`: 95 % intervals over paths, drawn alike for all. Under ten such paths there is only their number.
    """
    rows = []
    for target in [name for name in targets_of(runs) if name != "balance"]:
        table = trained_twice(runs, target)
        if table is None:
            continue
        row = {"target": target, "paths": len(table)}
        if len(table) >= FEWEST_PATHS:
            drawn = figures(table, whole_and_draws(len(table), repeats))
            row |= {name: values[0] for name, values in drawn.items()}
            for name in ("difference", "correlation", "size_out"):
                _, row[f"{name}_low"], row[f"{name}_high"] = estimate(drawn[name])
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def trained_twice(runs: pd.DataFrame, target: str) -> pd.DataFrame | None:
    """Paths with two seeds on balance and on `target`: two accuracies there, two here, and the log of multiply-adds.

    The seeds are the first two that either target has; None where one has a single seed.
    """
    tables = [by_seed(runs, name).iloc[:, :2] for name in ("balance", target)]
    if any(table.shape[1] < 2 for table in tables):
        return None
    size = np.log(runs.groupby("path").macs.first().astype(float))
    return pd.concat([*tables, size], axis=1).dropna()


def figures(table: pd.DataFrame, draws: np.ndarray) -> dict[str, np.ndarray]:
    """`FIGURES` for every draw of rows of `trained_twice`."""
    values = table.to_numpy()
    pairs = ((0, 1), (2, 3)), ((0, 3), (1, 2))
    within, across = (sum(bootstrap_taus(values[:, pair], draws)[0] for pair in two) / 2 for two in pairs)
    drawn = values[draws] - values[draws].mean(axis=1, keepdims=True)
    four, size = drawn[..., :4], drawn[..., 4:]
    with np.errstate(invalid="ignore", divide="ignore"):
        line = (four * size).sum(axis=1, keepdims=True) / (size**2).sum(axis=1, keepdims=True)
    return {
        "within": within,
        "across": across,
        "difference": across - within,
        "correlation": true_correlation(four),
        "size_out": true_correlation(four - line * size),
    }


def true_correlation(four: Four) -> Float[np.ndarray, " draws"]:
    """Pearson's correlation without noise, of two values that were measured twice each: columns one, one, other, other.

    four: centred. NaN where two measurements of the same do not vary together.
    """
    one, other = ((four[..., first] * four[..., second]).sum(axis=1) for first, second in ((0, 1), (2, 3)))
    both = (four[..., 0] * four[..., 3] + four[..., 1] * four[..., 2]).sum(axis=1) / 2
    told = (one > 0) & (other > 0)
    return np.divide(both, np.sqrt(np.where(told, one * other, 1)), out=np.full(len(four), np.nan), where=told)
