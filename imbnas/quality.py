"""How good is a ranking? The scores of every procedure against the accuracies of retrained paths, and what can be told.

The fixed set of paths (`imbnas.stages.ranking`) is retrained path by path on each target. Kendall's tau and the regret
of the five best say how well a procedure's scores order them; two seeds of one path say how well anything could.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from imbnas.benchmark import kendall, ranking
from imbnas.bootstrap import bootstrap_draws, bootstrap_taus, percentiles
from imbnas.correlation import partial_tau
from imbnas.evidence import Seen
from imbnas.profiles import ENOUGH_SPREAD

Record = Mapping[str, Any]
T = TypeVar("T")
Rankings = dict[tuple[str, str], pd.Series]  # scores by path, of a procedure and seed; yardsticks have no seed
COLUMNS = ["target", "number", "seed", "path", "architecture", "macs", "params", "conv3x3"]
ACCURACIES = ["overall", "head", "middle", "tail"]
FIGURES = ["tau", "low", "high", "partial", "partial_low", "partial_high"]
YARDSTICKS = {"multiply-adds": "macs", "parameters": "params", "3×3 convolutions": "conv3x3"}
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
ON_SOURCE = ("P0", "P0-tracked")
MEAN = "mean"  # in the place of a seed: over the super-networks of all seeds
REPEATS = 20_000  # draws of paths; after a thousand, a verdict near zero still hangs on the seed of the draws
TOP = 5
FEWEST_PATHS = 10  # for an interval over paths
FEWEST_REPEATED = 5  # paths with two seeds, for the noise of the seed


# ---------------------------------------------------------------------------------------- records into rows


def retrained_paths(found: Iterable[Record], seen: Seen | None = None) -> pd.DataFrame:
    """One row per retraining of a path of the set: target, number, seed, path, its cost, accuracies in percent.

    `overall` is the mean over classes, as scores are: the plain accuracy where the test set is balanced, and no reward
    for giving the tail up where it is not.

    ValueError, with the names of both files, where records are of more than one profile's recipe, data, space, split
    or schema, where two are of the same path, target and seed, or where a number stands for two paths.
    """
    rows, seen, names = [], seen or Seen(), dict[int, tuple[str, str]]()
    for record in found:
        if record["stage"] != "retrain" or record["config"]["procedure"] != "path":
            continue
        config, path, test = record["config"], record["results"]["path"], record["results"]["test"]
        seen.check(record, f"path {path['number']}")
        file = str(record.get("file", "a record"))
        known, other = names.setdefault(path["number"], (config["network"], file))
        if known != config["network"]:
            raise ValueError(f"{file} and {other} call different paths number {path['number']}: delete one of them")
        cells = {"target": config["target"], "seed": config["seed"], "path": config["network"]}
        rows.append(cells | {name: path[name] for name in ("number", "architecture", "macs", "params")}
                    | {"conv3x3": convolutions(path["architecture"])}
                    | {name: test["class_mean" if name == "overall" else name] for name in ACCURACIES})  # fmt: skip
    table = pd.DataFrame(rows, columns=[*COLUMNS, *ACCURACIES])
    return table.sort_values(["target", "number", "seed"], ignore_index=True)


def convolutions(architecture: str) -> int:
    """How many 3×3 convolutions a printed architecture of cells or of layers chooses; `conv3x3_twice` counts twice."""
    return sum(architecture.count(name) for name in ("nor_conv_3x3", "conv3x3", "conv3x3_twice"))


def first_seed(runs: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows of a target's first seed, by path; runs: `retrained_paths`."""
    rows = runs[runs.target == target]
    return rows[rows.seed == rows.seed.min()].set_index("path")


def scores_of(found: Iterable[Record], seen: Seen) -> dict[tuple[str, str, str], pd.Series]:
    """The scores of every record of them, by target, procedure and seed; what scores on the source has target "any".

    ValueError, with the names of both files, where two are of different profiles, spaces, splits or schemas.
    """
    scored = {}
    for record in found:
        if record["stage"] != "scores":
            continue
        config, file = record["config"], str(record.get("file", "a record"))
        procedure, seed = config["procedure"], str(config["seed"])
        target = "any" if procedure in ON_SOURCE else config["target"]
        common = {name: config[name] for name in ("space", "precision", "split_seed", "scoring")}
        common |= {"schema": record.get("schema"), f"recipe of {procedure}": config.get("recipe")}
        if config.get("supernet", "untrained") != "untrained":
            common[f"super-network of seed {seed}"] = config["supernet"]
        if target != "any":
            common |= {"data": config["data"], f"split of {target}": record["results"]["split"]}
        seen.folder(record)
        for name, value in common.items():
            seen.same(name, str(value), file)
        seen.once(f"scores of {procedure} on {target} target, seed {seed}", file)
        scored[target, procedure, seed] = pd.Series(record["results"]["scored"], dtype=float)
    return scored


def retrained_and_scored(found: Iterable[Record]) -> dict[str, tuple[pd.Series, Rankings]]:
    """Per target: test accuracy by path, of the first seed, and every ranking of these paths by procedure and seed.

    "P1-less-untrained" is what P1 scores beyond the same path on a backbone of random weights. Yardsticks, which
    count instead of scoring, stand at the end; their seed is "". Where paths have a second seed,
    it tells the noise (`retrained_spread`) and is left out here, so that every path is measured equally well.
    """
    found, seen = list(found), Seen()
    runs = retrained_paths(found, seen)
    scored = scores_of(found, seen)
    targets = {}
    for target in sorted(set(runs.target)):
        rows = first_seed(runs, target)
        names = sorted((procedure, seed) for on, procedure, seed in scored if on in (target, "any"))
        rankings = {(p, s): scored.get((target, p, s), scored.get(("any", p, s))) for p, s in names}
        bare = {s: rankings["P1-untrained", s] for p, s in names if p == "P1-untrained" and ("P1", s) in names}
        rankings |= {("P1-less-untrained", s): rankings["P1", s] - scores for s, scores in bare.items()}
        rankings |= {(name, ""): rows[column].astype(float) for name, column in YARDSTICKS.items()}
        targets[target] = rows.overall, rankings
    return targets


# --------------------------------------------------------------------------------------- how good a ranking is


def quality(found: Iterable[Record], repeats: int = REPEATS, cap: float = math.inf) -> pd.DataFrame:
    """One row per target and ranking: Kendall's tau to retrained accuracy with its 95 % interval, and top-5 regret.

    `partial` is the tau with the multiply-adds partialled out. Regret: points of retrained accuracy lost by taking the
    best retrained of the ranking's five first, instead of the best of all; `by_chance` is what five paths drawn
    blindly lose on average. It has no interval: a bootstrap of a maximum has not the coverage that it names.
    Intervals are over paths, which are drawn again. A procedure with several seeds, and so super-networks, has a row
    of their "mean" too. Only paths of at most `cap` multiply-adds count. With fewer than ten of them there is no
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
    return frame.assign(corrected=over_seeds(frame).groupby("target").p.transform(holm))


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


def holm(p: pd.Series) -> pd.Series:
    """P-values corrected for their number (Holm 1979): the k-th smallest of n times n + 1 - k, never falling."""
    ordered = p.dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1.0).reindex(p.index)


def within(cap: float, cost: pd.Series, truth: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Cost and truth of the paths that cost at most `cap`."""
    truth = truth[cost[truth.index] <= cap]
    return cost[truth.index], truth


def largest_allowed(found: Iterable[Record]) -> float:
    """The most multiply-adds that a path may have in the searches among the records; infinite without a search."""
    caps = [record["results"]["max_cost"] for record in found if record["stage"] == "search"]
    return max(caps, default=math.inf)


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
    """First minus second on the same draws of paths, for one pair of rankings or for several on average."""
    first, second = (mean_taus(rankings, truth, cost, repeats) for rankings in zip(*pairs, strict=True))
    drawn = {name: first[name] - second[name] for name in first}
    gaps = drawn["tau"][1:]
    sides = np.mean(gaps <= 0), np.mean(gaps >= 0)
    return summary(drawn) | {"p": min(1.0, 2 * max(min(sides), 1 / len(gaps)))}


def mean_taus(
    rankings: Sequence[pd.Series], truth: pd.Series, cost: pd.Series, repeats: int
) -> dict[str, Float[np.ndarray, " draws"]]:
    """Tau and partial tau, means over the rankings, of the paths as they are and then of every draw of them."""
    draws = np.vstack([np.arange(len(truth)), bootstrap_draws(len(truth), repeats)])
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
        values = drawn[name]
        found |= {name: float(values[0])}
        found |= dict(zip((f"{short}low", f"{short}high"), percentiles(values[1:]), strict=True))
    return found


def blind_regret(truth: pd.Series, top: int = TOP) -> float:
    """The mean regret of `top` paths drawn without looking: over all choices, exactly."""
    best_first = np.sort(truth)[::-1]
    count = len(best_first)
    # the best of the drawn is the k-th best of all where the other top - 1 lie behind it
    ways = [math.comb(count - 1 - k, top - 1) for k in range(count)]
    return float(best_first[0] - np.average(best_first, weights=ways))


def among_random(runs: pd.DataFrame, winners: pd.DataFrame, cap: float) -> pd.DataFrame:
    """Where winners stand among paths that nobody chose: one row per target with ten of them, and procedure.

    runs: `retrained_paths`; the first seed counts, and only paths of at most `cap` multiply-adds, which a search
    might have found too. winners: `evidence.table_2`. Columns: `accuracy` of the winner; `paths`, their `mean` and
    `sd`, in percent; `better`, how many of them are better than the winner.
    """
    rows = []
    for winner in winners.itertuples():
        drawn = first_seed(runs, winner.target)
        drawn = drawn.overall[drawn.macs <= cap]
        if len(drawn) >= FEWEST_PATHS:
            rows.append(
                {"target": winner.target, "procedure": winner.procedure, "accuracy": winner.accuracy}
                | {"paths": len(drawn), "mean": drawn.mean(), "sd": drawn.std(ddof=1)}
                | {"better": int((drawn > winner.accuracy).sum())}
            )
    return pd.DataFrame(rows, columns=["target", "procedure", "accuracy", "paths", "mean", "sd", "better"])


# ------------------------------------------------------------------------------ the noise, and what it leaves


def pooled_sd(groups: Iterable[Iterable[float]]) -> tuple[float, int]:
    """The standard deviation within groups, and its degrees of freedom; NaN without any group of two."""
    values = [np.asarray(list(group), dtype=float) for group in groups]
    freedom = sum(len(group) - 1 for group in values)
    squares = sum(((group - group.mean()) ** 2).sum() for group in values)
    return (float(np.sqrt(squares / freedom)) if freedom else float("nan")), freedom


def retrained_spread(found: Iterable[Record], target: str = "exp-0.01", part: str = "overall") -> dict[str, Any]:
    """Whether retrained paths differ by more than the luck of the seed: the third part of the signal gate.

    part: of `ACCURACIES`. `spread`: SD between paths, in points, of the first seed's test accuracies. `seed_sd`: SD
    between seeds of the same path, pooled, with `seed_sd_interval` (95 %, chi-square). `ratio`: of the two, with
    `least` and `most` as far as the seeds are known. `retrained_differ`: whether it is at least 2; None, as every
    figure that can't be had, with fewer than 10 paths or 5 paths of two seeds.
    """
    runs = retrained_paths(found)
    runs = runs[runs.target == target]
    by_path = [group[part].to_numpy() for _, group in runs.groupby("number")]
    repeated = sum(len(group) > 1 for group in by_path)
    first = first_seed(runs, target)[part]
    spread = float(first.std(ddof=1)) if len(first) >= FEWEST_PATHS else None
    noise, freedom = pooled_sd(by_path) if repeated >= FEWEST_REPEATED else (None, 0)
    ratio = spread / noise if spread and noise else None
    low, high = sd_interval(noise, freedom) if noise else (None, None)
    return {
        "target": target,
        "paths": len(first),
        "repeated": repeated,
        "spread": spread,
        "seed_sd": noise,
        "seed_sd_interval": [low, high] if noise else None,
        "ratio": ratio,
        "least": spread / high if ratio else None,
        "most": spread / low if ratio else None,
        "retrained_differ": None if ratio is None else ratio >= ENOUGH_SPREAD,
    }


def sd_interval(sd: float, freedom: int, confidence: float = 0.95) -> tuple[float, float]:
    """The chi-square interval of a standard deviation of normal values with so many degrees of freedom."""
    tail = (1 - confidence) / 2
    low, high = (np.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (1 - tail, tail))
    return float(sd * low), float(sd * high)
