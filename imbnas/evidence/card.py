"""A profile's card: what was measured about it before anything was concluded from it.

    python -m imbnas.evidence.card laptop     compute the card of profiles/laptop.yaml from records, and write it there

Two gates are on the card. Validity: how a super-network trained by the profile's recipe, on cells whose accuracy is
published, ranks them, beside rankings that need no training, and how it ranks them after each adaptation. Signal, for
every pair of data sets and every space that was tried, and every variant of the profile (called after it, as
laptop-long is): whether two classifiers of P1 rank the same paths alike, whether paths' scores differ by more than
the noise of counting images, and whether retrained paths differ by more than the luck of the seed. Other paths would
have given other figures: the first two have intervals over paths.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from imbnas import profiles, records
from imbnas.evidence.adapted import adapted
from imbnas.evidence.agreement import KINDS, agreement, images, scores_of, truth_of, yardsticks
from imbnas.evidence.grid import own_place
from imbnas.evidence.quality import REPEATS
from imbnas.evidence.spread import retrained_spread
from imbnas.profiles import Profile
from imbnas.stages.arms import trains_as
from imbnas.statistics.bootstrap import bootstrap_draws, bootstrap_taus, percentiles

SIGNAL = ("tau_between_seeds", "mean", "spread", "binomial_error", "tau_with_source_scores", "tau_with_macs")
JUDGED = ("rankings_agree", "paths_differ")
RETRAINED = {  # figures of `retrained_spread`, and their names on the card
    "paths": "retrained_paths",
    "repeated": "retrained_twice",
    "spread": "retrained_spread",
    "seed_sd": "retrained_seed_sd",
    "ratio": "retrained_ratio",
    "retrained_differ": "retrained_differ",
}


def card(profile: Profile, results: Path = profiles.ROOT / "results") -> dict[str, Any]:
    """The figures of both gates from the records there are; a gate without a record is None."""
    return {"validity": validity(profile, results), "signal": signal(profile, results)}


def validity(profile: Profile, results: Path) -> dict[str, Any] | None:
    """Kendall's tau to the published accuracies at the end of the training, per seed, and the yardsticks'."""
    study = [r for r in records.read(results / "validity") if trains_as(r["config"]["arm"], profile)]
    if not study:
        return None
    ends = {kind: [end(record, kind) for record in study] for kind in KINDS}
    told = adapted(study, adaptations(study, results))
    naive = yardsticks(study[0]["results"]["moments"][-1]["accuracy"], profile.source)
    return records.plain(
        {
            "arm": study[0]["config"]["arm"]["name"],
            **{f"by_{kind}": rows for kind, rows in ends.items()},
            "adapted_to_balanced_cifar100": [
                {"procedure": procedure, "seed": seed, **row}
                for (procedure, seed), row in told.astype({"cells": int}).to_dict("index").items()
            ],
            "yardsticks": {name: float(row.tau) for name, row in naive.iterrows()},
        }
    )


def adaptations(study: list[dict[str, Any]], results: Path) -> list[dict[str, Any]]:
    """The records of adaptation against truth that start from the study's arm, nothing else about them changed."""
    found = records.read(results / "truth", "truth") + records.read(results / "probes", "truth")
    arms = {record["config"]["arm"]["name"] for record in study}
    return [r for r in found if r["config"]["arm"]["name"] in arms and "variant" not in r["config"]]


def end(record: dict[str, Any], kind: str) -> dict[str, float]:
    """The agreement of one record's last scores with the truth."""
    last = record["results"]["moments"][-1]
    found = agreement(scores_of(last, kind), truth_of(record))
    return {"seed": record["config"]["seed"], "images": images(record, last), **found}


def signal(profile: Profile, results: Path) -> list[dict[str, Any]] | None:
    """The figures of the gate records of the profile and its variants, one row each, the profile's own first."""
    variants = [name for name in profiles.names() if name.startswith(f"{profile.name}-")]
    found = [record for name in (profile.name, *variants) for record in records.read(results / name, "gate")]
    rows = [
        tried(record) | {name: record["results"][name] for name in SIGNAL} | bounds(record)
        | {name: record["results"][name] for name in JUDGED} | retrained(record) for record in found
    ]  # fmt: skip
    own = own_place(profile.name).parts
    return sorted(rows, key=lambda row: (row["profile"], row["pair"], row["space"]) != own) or None


def tried(record: dict[str, Any]) -> dict[str, Any]:
    """What a gate record is of: its profile and pair of data sets, as its folders are called, space, target, seed."""
    config = record["config"]
    profile, pair = Path(record["file"]).parts[-4:-2]
    return {"profile": profile, "pair": pair, **{name: config[name] for name in ("space", "target", "seed")}}


def bounds(gate: Mapping[str, Any]) -> dict[str, float | None]:
    """What the gate judges, with 95 % bootstrap intervals over its paths: `tau_low`, `tau_high`; `ratio`, its bounds.

    tau: between the two classifiers' rankings. ratio: of the spread of the first one's scores to their binomial
    standard error. None where all scores are equal, and all of them where every path scores 0 % or every one 100 %.
    """
    told = gate["results"]
    if not told["binomial_error"]:
        return dict.fromkeys(("ratio", "tau_low", "tau_high", "ratio_low", "ratio_high"))
    scores = np.column_stack([values for name, values in told["scores"].items() if name.startswith("P1")])
    draws = bootstrap_draws(len(scores), REPEATS)
    first = scores[:, 0][draws]
    mean, error = first.mean(axis=1), told["binomial_error"]
    errors = error * np.sqrt(mean * (100 - mean) / (told["mean"] * (100 - told["mean"])))
    found = {"ratio": told["spread"] / error}
    for name, drawn in (("tau", bootstrap_taus(scores, draws)[0]), ("ratio", first.std(axis=1, ddof=1) / errors)):
        found[f"{name}_low"], found[f"{name}_high"] = percentiles(drawn)
    return {name: None if np.isnan(value) else value for name, value in found.items()}


def retrained(gate: dict[str, Any]) -> dict[str, Any]:
    """The third part, from the retrained paths beside a gate record; "not run" where they are too few."""
    found = retrained_spread(records.read(Path(gate["file"]).parent, "retrain"), gate["config"]["target"])
    if found["retrained_differ"] is None:
        return {"retrained_differ": "not run"}
    return {name: found[of] for of, name in RETRAINED.items()}


def write(name: str) -> None:
    """Put the card at the end of the profile's file; what stands above it is left as it is.

    ValueError as `profiles.load`, and where records do not go together.
    """
    found = records.plain(card(profiles.load(name)))
    path = profiles.FOLDER / f"{name}.yaml"
    settings = path.read_text(encoding="utf-8").split("\ncard:")[0].rstrip()
    block = yaml.safe_dump({"card": found}, sort_keys=False, allow_unicode=True)
    records.write_text(path, f"{settings}\n{block}")


def main(*arguments: str) -> None:
    """Write the card of the profile that is named; SystemExit with one message where there is none."""
    if len(arguments) != 1:
        sys.exit(f"name one profile: python -m imbnas.evidence.card laptop; there are {', '.join(profiles.names())}")
    try:
        write(arguments[0])
    except ValueError as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main(*sys.argv[1:])
