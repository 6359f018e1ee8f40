"""Does accuracy on one target predict accuracy on another? The paper's premise, from the retrained paths.

Kendall's tau and Spearman's correlation between targets mean little alone: two seeds of one target do not agree
perfectly either. So every agreement stands beside its ceiling, and beside what is left of it when the size of the
paths is taken out.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from imbnas.evidence.ceiling import if_alike
from imbnas.evidence.paths import (
    ACCURACIES,
    FEWEST_PATHS,
    Record,
    first_seed,
    good_on_balance,
    largest_allowed,
    retrained_paths,
)
from imbnas.evidence.quality import FIGURES as JUDGED
from imbnas.evidence.quality import REPEATS, judged
from imbnas.evidence.table2 import targets_of
from imbnas.statistics.bootstrap import bootstrap_taus, estimate, whole_and_draws
from imbnas.statistics.correlation import partial_tau, spearman

FIGURES = ("tau", "spearman", "partial")
BETWEEN = ("tau", "low", "high", "spearman", "spearman_low", "spearman_high", "partial", "partial_low", "partial_high")
COLUMNS = ["first", "first_part", "second", "second_part", "paths", *BETWEEN]


def pairs(targets: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """What is held against what: every two targets part by part, balanced against each tail, head against tail."""
    for part in ACCURACIES:
        for first, second in itertools.combinations(targets, 2):
            yield first, part, second, part
    for target in targets:
        if target != "balance" and "balance" in targets:
            yield "balance", "overall", target, "tail"
    for target in targets:
        yield from ((target, "overall", target, "tail"), (target, "head", target, "tail"))


def premise(runs: pd.DataFrame, repeats: int = REPEATS) -> pd.DataFrame:
    """One row per pair of accuracies: tau, Spearman's correlation and tau with multiply-adds partialled out.

    Columns `first` and `second` are targets, `first_part` and `second_part` are "overall" or a third of the classes;
    every figure has its 95 % bootstrap interval over paths. Under ten common paths there is only their number.
    """
    rows = []
    for first, first_part, second, second_part in pairs(targets_of(runs)):
        one, other = first_seed(runs, first), first_seed(runs, second)
        shared = [path for path in one.index if path in other.index]
        row = dict(zip(COLUMNS, (first, first_part, second, second_part, len(shared)), strict=False))
        if len(shared) >= FEWEST_PATHS:
            row |= agreement(
                one.loc[shared, first_part], other.loc[shared, second_part], one.loc[shared, "macs"], repeats
            )
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def predicting(found: Iterable[Record], repeats: int = REPEATS) -> pd.DataFrame:
    """Balanced accuracy as a score of the paths, among "all" of them, those "allowed" in a search, and the "good".

    One row per long-tailed target and such choice: tau to the accuracy there, plain and `partial`, with intervals; the
    regret of the five best and what five drawn blindly lose (`quality.judged`). Good are the better half on balance
    (`paths.good_on_balance`). Under ten common paths there is only their number.
    """
    found = list(found)
    whole, cap = retrained_paths(found), largest_allowed(found)
    choices = {"all": whole, "allowed": whole[whole.macs <= cap], "good": retrained_paths(good_on_balance(found))}
    balanced, rows = first_seed(whole, "balance").overall, []
    for target in [name for name in targets_of(whole) if name != "balance"]:
        for among, runs in choices.items():
            there = first_seed(runs, target)
            there = there[there.index.isin(balanced.index)]
            row = {"second": target, "among": among, "paths": len(there)}
            if len(there) >= FEWEST_PATHS:
                row |= judged([balanced], there.overall, there.macs.astype(float), repeats, "balance")
            rows.append(row)
    return pd.DataFrame(rows, columns=["second", "among", "paths", *JUDGED, "regret", "by_chance"])


def tail_and_seed(runs: pd.DataFrame, repeats: int = REPEATS) -> pd.DataFrame:
    """What reorders the same paths more, the tail or another seed? One row per long-tailed target of `runs`.

    `seed`: Kendall's tau between the second and the first seed on balance; `tail`: between that second seed on balance
    and the first on the target; neither of the two shares starting weights with it. `difference`: the second minus
    the first, with its 95 % interval (`low`, `high`) over paths, drawn alike for both. `alike`: what `tail` would be
    if the tail changed nothing but spread and noise (`if_alike`). Under ten such paths there is only their number.
    """
    whole, rows = runs.pivot(index="path", columns=["target", "seed"], values="overall"), []
    seeds = [seed for target, seed in whole if target == "balance"]
    for target in [name for name in targets_of(runs) if name != "balance" and len(seeds) > 1]:
        there = runs.seed[runs.target == target].min()
        three = whole[[("balance", seeds[0]), (target, there), ("balance", seeds[1])]].dropna().to_numpy()
        row = {"target": target, "paths": len(three)}
        if len(three) >= FEWEST_PATHS:
            seed, tail = bootstrap_taus(three, whole_and_draws(len(three), repeats))
            row |= {"tail": tail[0], "seed": seed[0], "alike": if_alike(runs, target)}
            row |= dict(zip(("difference", "low", "high"), estimate(tail - seed), strict=True))
        rows.append(row)
    return pd.DataFrame(rows, columns=["target", "paths", "tail", "seed", "difference", "low", "high", "alike"])


def agreement(first: pd.Series, second: pd.Series, cost: pd.Series, repeats: int = REPEATS) -> dict[str, float]:
    """Tau, Spearman's correlation and the partial tau of two columns, with their intervals over rows."""
    values = np.column_stack([first, second, cost]).astype(float)
    for name, column in zip((f"{first.name}", f"{second.name}", "multiply-adds"), values.T, strict=True):
        if np.ptp(column) == 0:
            raise ValueError(f"all {len(column)} values of {name} are {column[0]}: ties everywhere, nothing to rank")
    drawn = three_figures(values, whole_and_draws(len(values), repeats))
    told = (number for name in FIGURES for number in estimate(drawn[name]))
    return dict(zip(BETWEEN, told, strict=True))


def three_figures(values: np.ndarray, draws: np.ndarray) -> dict[str, np.ndarray]:
    """`FIGURES` of the columns first, second and cost, for every draw of rows."""
    first_cost, second_cost = bootstrap_taus(values, draws)
    tau = bootstrap_taus(values[:, [0, 1]], draws)[0]
    return {
        "tau": tau,
        "spearman": spearman(values[:, 0][draws], values[:, 1][draws]),
        "partial": partial_tau(tau, first_cost, second_cost),
    }
