"""How good is a ranking? The scores of every procedure against the accuracies of retrained paths, and what can be told.

The fixed set of paths (`imbnas.stages.ranking`) is retrained path by path on each target. Kendall's tau and the regret
of the five best say how well a procedure's scores order them; two seeds of one path say how well anything could.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from imbnas.benchmark import kendall, ranking
from imbnas.evidence.mixture import Seen
from imbnas.evidence.paths import (
    FEWEST_PATHS,
    YARDSTICKS,
    Record,
    first_seed,
    retrained_and_scored,
    retrained_paths,
    scores_of,
)
from imbnas.statistics.bootstrap import bootstrap_taus, estimate, whole_and_draws
from imbnas.statistics.correlation import partial_tau
from imbnas.statistics.intervals import holm, t_interval
from imbnas.statistics.regret import expected_regret

T = TypeVar("T")
FIGURES = ["tau", "low", "high", "partial", "partial_low", "partial_high"]
COST = ("multiply-adds", "")
PAIRS = (
    ("P1", "P0"),
    ("P2", "P0"),
    ("P3", "P0"),
    ("control", "P0"),
    ("P3", "P1"),
    ("P1", "P2"),
    ("P1", "control"),
    ("P2", "control"),
    ("P3", "control"),
    ("P1-less-untrained", "P1"),
    ("P1", "P1-ce"),
    ("P1", "P1-untrained"),
    ("P1", "P1-frozen"),
    ("P0", "P0-tracked"),
    ("P1", "multiply-adds"),
    ("P0", "multiply-adds"),
    ("P3", "multiply-adds"),
)
MEAN = "mean"  # in the place of a seed: over the super-networks of all seeds
REPEATS = 20_000  # draws of paths; after a thousand, a verdict near zero still hangs on the seed of the draws
TOP = 5


def quality(found: Iterable[Record], repeats: int = REPEATS, cap: float = math.inf) -> pd.DataFrame:
    """One row per target and ranking: Kendall's tau to retrained accuracy with its 95 % interval, and top-5 regret.

    `partial` is the tau with the multiply-adds partialled out: NaN where that can't be (`statistics.correlation`), its
    bounds where it can't in more than 2.5 % of the draws. Regret: points of retrained accuracy lost by taking the best
    retrained of the ranking's five first, instead of the best of all, of equal scores by lot; `by_chance` is what five
    paths drawn blindly lose on average. Regret has no interval: a bootstrap of a maximum has not the coverage that it
    names. Intervals are over paths, which are drawn again. A procedure with several seeds, and so super-networks, has
    a row of their "mean" too. Only paths of at most `cap` multiply-adds count. With fewer than ten of them there is no
    figure, only their number. A yardstick that counts the same in all paths ranks nothing, and has no row.
    """
    rows = []
    for target, (truth, rankings) in retrained_and_scored(found).items():
        cost, truth = within(cap, rankings[COST], truth)
        for procedure, seed, chosen in with_means(rankings):
            if procedure in YARDSTICKS and enough(truth) and chosen[0][truth.index].nunique() == 1:
                continue
            row = {"target": target, "procedure": procedure, "seed": seed, "paths": len(truth)}
            name = f"{procedure}, seed {seed}"
            rows.append(row | (judged(chosen, truth, cost, repeats, name) if enough(truth) else {}))
    figures = [*FIGURES, "regret", "by_chance"]
    return pd.DataFrame(rows, columns=["target", "procedure", "seed", "paths", *figures])


def differences(
    found: Iterable[Record],
    pairs: Sequence[tuple[str, str]] = PAIRS,
    repeats: int = REPEATS,
    cap: float = math.inf,
) -> pd.DataFrame:
    """One row per target, pair of rankings and seed: tau of `first` minus that of `second`, plain and `partial`.

    The same paths are drawn for both, and a procedure is paired with the other of its own seed; several seeds have
    a row of their "mean" too. `p` is the two-sided probability of the bootstrap; `corrected` is p after Holm's
    correction for all pairs of the target, each counted once, by its mean where it has one. `cap`: see `quality`.
    All of this is for the super-networks that there are. `networks_low` and `networks_high` of a mean bound it over
    super-networks instead, for these paths: Student's 95 % interval of the seeds' differences in tau.
    """
    rows = []
    for target, (truth, rankings) in retrained_and_scored(found).items():
        cost, truth = within(cap, rankings[COST], truth)
        for first, second in pairs:
            others = {s: rankings.get((second, "" if second in YARDSTICKS else s)) for p, s in rankings if p == first}
            matched = {(first, s): (rankings[first, s], other) for s, other in others.items() if other is not None}
            for _, seed, chosen in with_means(matched):
                row = {"target": target, "first": first, "second": second, "seed": seed, "paths": len(truth)}
                rows.append(row | (compared(chosen, truth, cost, repeats) if enough(truth) else {}))
    frame = pd.DataFrame(rows, columns=["target", "first", "second", "seed", "paths", *FIGURES, "p"])
    frame["corrected"] = over_seeds(frame).groupby("target").p.transform(holm)
    return frame.assign(**over_networks(frame))


def over_networks(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Student's 95 % bounds of every row of a mean, from the differences of its seeds; NaN in other rows.

    frame: columns target, first, second, seed and tau, the row of a mean after those of its seeds.
    """
    bounds = pd.DataFrame(np.nan, frame.index, ["networks_low", "networks_high"])
    for _, rows in frame.groupby(["target", "first", "second"], sort=False):
        if rows.seed.iloc[-1] == MEAN:
            bounds.loc[rows.index[-1]] = t_interval(rows.tau.iloc[:-1])
    return dict(bounds)


def crossed(found: Iterable[Record], repeats: int = REPEATS) -> pd.DataFrame:
    """Does it matter which target a score was taken on? Scores taken on another one, held against a target's paths.

    One row per target, procedure, target `scored_on` and seed: tau of those scores to the retrained accuracies, and
    `change`, what that is more than the tau of the same procedure's scores on the target itself, on the same draws of
    paths; `p` as in `differences`. `alike` is the tau between the two scores, over all scored paths. Only procedures
    that have scored on both; targets of fewer than ten paths have none.
    """
    found, seen = list(found), Seen()
    runs = retrained_paths(found, seen)
    scored, rows = scores_of(found, seen), []
    for target in sorted(set(runs.target)):
        paths = first_seed(runs, target)
        truth, cost = paths.overall, paths.macs.astype(float)
        for other in sorted({on for on, _, _ in scored} - {target, "any"}) if enough(truth) else ():
            pairs = {
                (procedure, seed): (scored[other, procedure, seed], scored[target, procedure, seed])
                for on, procedure, seed in sorted(scored)
                if on == other and (target, procedure, seed) in scored
            }
            for procedure, seed, chosen in with_means(pairs):
                row = {"target": target, "procedure": procedure, "scored_on": other, "seed": seed, "paths": len(truth)}
                there = summary(mean_taus([away for away, _ in chosen], truth, cost, repeats))
                moved = compared(chosen, truth, cost, repeats)
                changes = {"change": moved["tau"], "change_low": moved["low"], "change_high": moved["high"]}
                alike = np.mean([kendall(away, own.to_dict()) for away, own in chosen])
                rows.append(row | there | changes | {"p": moved["p"], "alike": alike})
    figures = [*FIGURES, "change", "change_low", "change_high", "p", "alike"]
    return pd.DataFrame(rows, columns=["target", "procedure", "scored_on", "seed", "paths", *figures])


def over_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of `quality`, `differences` or `crossed` for all seeds: the mean where there is one, or the seed."""
    what = [name for name in ("target", "procedure", "scored_on", "first", "second") if name in frame]
    return frame.drop_duplicates(what, keep="last")  # the mean stands after its seeds


def within(cap: float, cost: pd.Series, truth: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Cost and truth of the paths that cost at most `cap`."""
    truth = truth[cost[truth.index] <= cap]
    return cost[truth.index], truth


def with_means(found: Mapping[tuple[str, str], T]) -> Iterator[tuple[str, str, list[T]]]:
    """Every procedure and seed with its value, and, after the last of several seeds, "mean" with the values of all."""
    for procedure, keys in itertools.groupby(found, key=lambda key: key[0]):
        seeds = {seed: found[procedure, seed] for _, seed in keys}
        yield from ((procedure, seed, [value]) for seed, value in seeds.items())
        if len(seeds) > 1:
            yield procedure, MEAN, list(seeds.values())


def called(procedure: str, seed: str) -> str:
    """A ranking's name in figures and tables: "P1, seed 0", "P1, mean", or "multiply-adds", which has no seed."""
    return ", ".join(part for part in (procedure, seed if seed in ("", MEAN) else f"seed {seed}") if part)


def repeatability(found: Iterable[Record]) -> pd.DataFrame:
    """How alike a procedure ranks by two source super-networks: tau of its scores of two seeds over all scored paths.

    One row per target, procedure and pair of seeds, with the 95 % interval over paths; no retrained path is needed.
    """
    scored, rows = scores_of(found, Seen()), []
    for (target, procedure, seed), other in itertools.combinations(sorted(scored), 2):
        if other[:2] == (target, procedure):
            one, two = scored[target, procedure, seed], scored[other]
            agreed = ranking(one, two.reindex(one.index))
            row = {"target": target, "procedure": procedure, "seed": seed, "other": other[2], "paths": len(one)}
            rows.append(row | {"tau": agreed.tau, "low": agreed.interval[0], "high": agreed.interval[1]})
    return pd.DataFrame(rows, columns=["target", "procedure", "seed", "other", "paths", "tau", "low", "high"])


def enough(truth: pd.Series) -> bool:
    """Whether there are paths enough for an interval."""
    return len(truth) >= FEWEST_PATHS


def judged(
    rankings: Sequence[pd.Series], truth: pd.Series, cost: pd.Series, repeats: int = REPEATS, name: str = "scores"
) -> dict[str, float]:
    """Tau, plain and with the size partialled out, and regret of one ranking or of several on average.

    ValueError that says whose scores can't be ranked, and why.
    """
    try:
        found = [ranking(scores.reindex(truth.index), truth, top=TOP, repeats=1) for scores in rankings]
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None
    drawn = mean_taus(rankings, truth, cost, repeats)
    return summary(drawn) | {"regret": np.mean([one.regret for one in found]), "by_chance": blind_regret(truth)}


def compared(
    pairs: Sequence[tuple[pd.Series, pd.Series]], truth: pd.Series, cost: pd.Series, repeats: int = REPEATS
) -> dict[str, float]:
    """First minus second on the same draws of paths, for one pair of rankings or for several on average.

    `p` is of the draws that have a difference: in others all paths tie. NaN without any.
    """
    drawn = mean_gaps(pairs, truth, cost, repeats)
    return summary(drawn) | {"p": two_sided(drawn["tau"][1:])}


def mean_gaps(
    pairs: Sequence[tuple[pd.Series, pd.Series]], truth: pd.Series, cost: pd.Series, repeats: int
) -> dict[str, Float[np.ndarray, " draws"]]:
    """`mean_taus` of the first rankings minus those of the second, on the same draws of paths."""
    first, second = (mean_taus(rankings, truth, cost, repeats) for rankings in zip(*pairs, strict=True))
    return {name: first[name] - second[name] for name in first}


def two_sided(gaps: Float[np.ndarray, " draws"]) -> float:
    """The two-sided bootstrap probability that there is no gap, of the draws that have one; NaN without any."""
    gaps = gaps[~np.isnan(gaps)]
    if not len(gaps):
        return math.nan
    return min(1.0, 2 * max(min(np.mean(gaps <= 0), np.mean(gaps >= 0)), 1 / len(gaps)))


def mean_taus(
    rankings: Sequence[pd.Series], truth: pd.Series, cost: pd.Series, repeats: int
) -> dict[str, Float[np.ndarray, " draws"]]:
    """Tau and partial tau, means over the rankings, of the paths as they are and then of every draw of them."""
    draws = whole_and_draws(len(truth), repeats)
    with_truth = [bootstrap_taus(columns([scores, cost], truth), draws) for scores in rankings]
    with_cost = [bootstrap_taus(columns([scores], cost), draws)[0] for scores in rankings]
    partial = [partial_tau(tau, mine, other) for (tau, other), mine in zip(with_truth, with_cost, strict=True)]
    return {"tau": np.mean([tau for tau, _ in with_truth], axis=0), "partial": np.mean(partial, axis=0)}


def columns(scores: Sequence[pd.Series], last: pd.Series) -> Float[np.ndarray, "paths columns"]:
    """Scores as columns, in the order of the paths of the last."""
    return np.column_stack([*(each.reindex(last.index) for each in scores), last]).astype(float)


def summary(drawn: Mapping[str, Float[np.ndarray, " draws"]]) -> dict[str, float]:
    """`FIGURES`: of each value the first, which is the estimate, and the 95 % percentile interval of the others."""
    found = {}
    for name, short in (("tau", ""), ("partial", "partial_")):
        found |= dict(zip((name, f"{short}low", f"{short}high"), estimate(drawn[name]), strict=True))
    return found


def blind_regret(truth: pd.Series, top: int = TOP) -> float:
    """The mean regret of `top` paths drawn without looking: that of scores which are all equal."""
    return expected_regret(np.zeros(len(truth)), truth.to_numpy(dtype=float), top)
