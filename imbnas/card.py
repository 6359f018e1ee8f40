"""A profile's card: what was measured about it before anything was concluded from it.

    python -m imbnas.card laptop     compute the card of profiles/laptop.yaml from records, and write it there

Two gates are on the card. Validity: how a super-network trained by the profile's recipe, on cells whose accuracy is
published, ranks them, beside rankings that need no training. Signal: whether two classifiers of P1 rank the same paths
alike, and whether paths differ by more than the noise of counting images.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from imbnas import profiles, records
from imbnas.agreement import KINDS, agreement, images, scores_of, truth_of, yardsticks
from imbnas.profiles import Profile

SIGNAL = ("tau_between_seeds", "mean", "spread", "binomial_error", "tau_with_source_scores", "tau_with_macs")
JUDGED = ("rankings_agree", "paths_differ")


def card(profile: Profile, results: Path = profiles.ROOT / "results") -> dict[str, Any]:
    """The figures of both gates from the records there are; a gate without a record is None."""
    return {"validity": validity(profile, results), "signal": signal(profile, results)}


def same_recipe(record: dict[str, Any], profile: Profile) -> bool:
    """Whether an arm of the validity study trained as the profile trains its source super-network."""
    return record["config"]["arm"]["recipe"] == records.plain(profile.supernet)


def validity(profile: Profile, results: Path) -> dict[str, Any] | None:
    """Kendall's tau to the published accuracies at the end of the training, per seed, and the yardsticks'."""
    study = [r for r in records.read(results / "validity") if same_recipe(r, profile)]
    if not study:
        return None
    ends = {kind: [end(record, kind) for record in study] for kind in KINDS}
    naive = yardsticks(study[0]["results"]["moments"][-1]["accuracy"], profile.source)
    return records.plain(
        {
            "arm": study[0]["config"]["arm"]["name"],
            **{f"by_{kind}": rows for kind, rows in ends.items()},
            "yardsticks": {name: float(row.tau) for name, row in naive.iterrows()},
        }
    )


def end(record: dict[str, Any], kind: str) -> dict[str, float]:
    """The agreement of one record's last scores with the truth."""
    last = record["results"]["moments"][-1]
    found = agreement(scores_of(last, kind), truth_of(record))
    return {"seed": record["config"]["seed"], "images": images(record, last), **found}


def signal(profile: Profile, results: Path) -> list[dict[str, Any]] | None:
    """The figures of the profile's gate records; its third part, retrained accuracies, has no record to be read."""
    found = [
        {"target": r["config"]["target"], "seed": r["config"]["seed"]}
        | {name: r["results"][name] for name in (*SIGNAL, *JUDGED)}
        | {"retrained_differ": "not run"}
        for r in records.read(results / profile.name, "gate")
    ]
    return found or None


def write(name: str) -> None:
    """Put the card at the end of the profile's file; what stands above it is left as it is."""
    path = profiles.FOLDER / f"{name}.yaml"
    settings = path.read_text().split("\ncard:")[0].rstrip()
    block = yaml.safe_dump({"card": card(profiles.load(name))}, sort_keys=False, allow_unicode=True)
    records.write_text(path, f"{settings}\n{block}")


if __name__ == "__main__":
    write(*sys.argv[1:])
