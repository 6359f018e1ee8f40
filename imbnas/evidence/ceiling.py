"""What the noise of the seed leaves: how well two retrainings of the same paths agree, which no prediction can pass."""

import math

import pandas as pd

from imbnas.evidence.paths import FEWEST_PATHS
from imbnas.evidence.quality import REPEATS
from imbnas.evidence.spread import FEWEST_REPEATED
from imbnas.statistics.bootstrap import bootstrap_draws, bootstrap_taus, percentiles
from imbnas.statistics.correlation import tau_of
from imbnas.statistics.intervals import pooled_sd, sd_interval
from imbnas.statistics.scores import tau_b


def ceiling(runs: pd.DataFrame, target: str, part: str = "overall") -> dict[str, float | int | str]:
    """How well two retrainings of the same paths agree: what no prediction can pass.

    `tau` is measured on the paths that have two seeds, with its interval from ten of them on. `expected` follows from
    the spread between paths and the SD between seeds, as if both were normal, and holds for all paths; its bounds
    are those of the seed SD. `perfect` is the same for a ranking without any noise against one seed. NaN where there
    are too few paths, and where all tie.
    """
    table = by_seed(runs, target, part)
    held = table.notna().sum().sort_values(ascending=False, kind="stable")  # how many paths have a seed
    repeated = table[held.index[:2]].dropna() if len(held) > 1 else table.iloc[:0]
    found = {"target": target, "part": part, "paths": len(table), "repeated": len(repeated)}
    found |= dict.fromkeys(("tau", "low", "high", "expected", "expected_low", "expected_high", "perfect"), float("nan"))
    if len(repeated) >= 2:
        found["tau"] = tau_b(*repeated.to_numpy().T)
    if len(repeated) >= FEWEST_PATHS:
        drawn = bootstrap_taus(repeated.to_numpy(), bootstrap_draws(len(repeated), REPEATS))[0]
        found["low"], found["high"] = percentiles(drawn)
    if enough(table):
        found |= expected(*spread_and_noise(table))
    return found


def by_seed(runs: pd.DataFrame, target: str, part: str = "overall") -> pd.DataFrame:
    """Accuracies on a target, a row per path and a column per seed."""
    return runs[runs.target == target].pivot(index="path", columns="seed", values=part)


def enough(table: pd.DataFrame) -> bool:
    """Whether the paths of `by_seed` tell the spread between them, and those with two seeds the noise of the seed."""
    return len(table) >= FEWEST_PATHS and sum(table.notna().sum(axis=1) > 1) >= FEWEST_REPEATED


def spread_and_noise(table: pd.DataFrame) -> tuple[float, float, int]:
    """The SD between paths in the first seed, the SD between seeds of one path, and its degrees of freedom."""
    return float(table.iloc[:, 0].std(ddof=1)), *pooled_sd(row.dropna() for _, row in table.iterrows())


def expected(spread: float, seed_sd: float, freedom: int) -> dict[str, float]:
    """The ceiling that a spread between paths and a noise between seeds leave."""
    low, high = sd_interval(seed_sd, freedom)
    true = share(spread, seed_sd)
    taus = {"expected": tau_of(true), "perfect": tau_of(true**0.5)}
    return taus | {"expected_low": tau_of(share(spread, high)), "expected_high": tau_of(share(spread, low))}


def share(spread: float, seed_sd: float) -> float:
    """The part of the variance between paths that is not noise of the seed: how well two seeds correlate.

    NaN without any spread.
    """
    return max(0.0, 1 - (seed_sd / spread) ** 2) if spread else math.nan


def if_alike(runs: pd.DataFrame, target: str, noise: pd.DataFrame | None = None) -> float:
    """The tau between one seed on balance and one on `target` if paths had the same true order on both.

    From the spread between paths and the SD between seeds on either target, as if all were normal and the true
    accuracies of one a straight line of the other's. noise: other `runs` that the SD is borrowed from, where these
    have no second seed. NaN where a target has too few paths with two seeds.
    """
    shares = []
    for name in ("balance", target):
        own, repeated = by_seed(runs, name), by_seed(runs if noise is None else noise, name)
        if len(own) < FEWEST_PATHS or not enough(repeated):
            return float("nan")
        shares.append(share(spread_and_noise(own)[0], spread_and_noise(repeated)[1]))
    return tau_of(math.prod(shares) ** 0.5)
