"""Why does a procedure rank worse than P0: because of the long tail, or because its scores are noisy?"""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from imbnas.evidence.paths import FEWEST_PATHS, Rankings, Record, retrained_and_scored
from imbnas.evidence.quality import COST, REPEATS, columns, enough, mean_gaps, mean_taus, two_sided
from imbnas.statistics.bootstrap import bootstrap_taus, estimate, whole_and_draws
from imbnas.statistics.correlation import correlation_of, tau_of

ADAPTED = ("control", "P1", "P2", "P3")


def loss_to_the_tail(found: Iterable[Record], repeats: int = REPEATS) -> pd.DataFrame:
    """How much of what a procedure's tau is below P0's does the tail take, and how much is lost on balance already?

    One row per long-tailed target and procedure that has scored on it and on balance: `tail` and `balance` are its tau
    minus P0's, against the accuracies of the target, means over super-networks; `change` the first minus the second, on
    the same draws of the paths that are retrained on both, with its 95 % interval and p, uncorrected. A change of zero:
    the tail takes nothing.
    """
    rows, on = [], retrained_and_scored(found)
    for target in sorted(set(on) - {"balance"}) if "balance" in on else ():
        truths = on[target][0], on["balance"][0]
        paths = truths[0].index.intersection(truths[1].index)
        for procedure in ADAPTED if len(paths) >= FEWEST_PATHS else ():
            pairs = [beside_p0(on[name][1], procedure) for name in (target, "balance")]
            if seeds := sorted(pairs[0].keys() & pairs[1].keys()):
                tail, balance = (
                    mean_gaps([of[seed] for seed in seeds], truth[paths], on[target][1][COST][paths], repeats)["tau"]
                    for of, truth in zip(pairs, truths, strict=True)
                )
                row = {"target": target, "procedure": procedure, "paths": len(paths)}
                rows.append(row | {"tail": tail[0], "balance": balance[0]} | told("change", tail - balance))
    names = ["target", "procedure", "paths", "tail", "balance", "change", "change_low", "change_high", "p"]
    return pd.DataFrame(rows, columns=names)


def beside_p0(rankings: Rankings, procedure: str) -> dict[str, tuple[pd.Series, pd.Series]]:
    """By super-network, the scores of a procedure and of P0."""
    seeds = [seed for name, seed in rankings if name == procedure and ("P0", seed) in rankings]
    return {seed: (rankings[procedure, seed], rankings["P0", seed]) for seed in seeds}


def without_score_noise(found: Iterable[Record], repeats: int = REPEATS) -> pd.DataFrame:
    """What tau would be if scores had no luck of their super-network: noise can hide a ranking, not turn it.

    Two super-networks that agree by tau `alike` on the scores correlate with what they share by the root of that
    correlation. So `cleared` is the tau to the accuracies whose correlation (`correlation_of`) is divided by that
    root: Spearman's correction for attenuation. It counts all that a super-network brings with it as luck, and is
    generous to scores that agree little.

    One row per target and procedure with several seeds: means over seeds, `alike` over their pairs; `over_p0` is
    `cleared` minus that of P0, on the same draws of paths. 95 % intervals over paths; p uncorrected.
    """
    rows = []
    for target, (truth, rankings) in retrained_and_scored(found).items():
        cleared = {}
        for procedure in ("P0", *ADAPTED) if enough(truth) else ():
            scores = [values for (name, _), values in rankings.items() if name == procedure]
            if len(scores) > 1:
                tau = mean_taus(scores, truth, rankings[COST], repeats)["tau"]
                alike = agreement(scores, truth, repeats)
                cleared[procedure] = clear(tau, alike)
                row = {"target": target, "procedure": procedure, "paths": len(truth), "tau": tau[0], "alike": alike[0]}
                row |= told("cleared", cleared[procedure])
                row.pop("p")
                if procedure != "P0" and "P0" in cleared:
                    row |= told("over_p0", cleared[procedure] - cleared["P0"])
                rows.append(row)
    figures = [f"{name}{end}" for name in ("cleared", "over_p0") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["target", "procedure", "paths", "tau", "alike", *figures, "p"])


def agreement(scores: Sequence[pd.Series], truth: pd.Series, repeats: int) -> Float[np.ndarray, " draws"]:
    """Tau between two super-networks' scores, the mean over pairs, on the draws of `mean_taus`."""
    draws = whole_and_draws(len(truth), repeats)
    pairs = itertools.combinations([each.reindex(truth.index) for each in scores], 2)
    return np.mean([bootstrap_taus(columns([one], other), draws)[0] for one, other in pairs], axis=0)


def clear(tau: Float[np.ndarray, " draws"], alike: Float[np.ndarray, " draws"]) -> Float[np.ndarray, " draws"]:
    """Spearman's correction of `tau` for the noise of one side; NaN where the scores don't agree at all."""
    shared = np.sqrt(correlation_of(np.where(alike > 0, alike, np.nan)))
    return tau_of(np.clip(correlation_of(tau) / shared, -1, 1))


def told(name: str, drawn: Float[np.ndarray, " draws"]) -> dict[str, float]:
    """The estimate, which comes first, its 95 % interval from the draws, and p."""
    value, low, high = estimate(drawn)
    return {name: value, f"{name}_low": low, f"{name}_high": high, "p": two_sided(drawn[1:])}
