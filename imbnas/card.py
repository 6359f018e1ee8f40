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
from imbnas.agreement import final, yardsticks
from imbnas.profiles import Profile

VALID = ("seed", "images", "cells", "tau", "low", "high")
SIGNAL = ("tau_between_seeds", "mean", "spread", "binomial_error", "tau_with_source_scores", "tau_with_macs", "passed")


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
    ends = final(study)
    whole = ends[ends.above.isna()]
    cells = study[0]["results"]["moments"][-1]["accuracy"]
    naive = yardsticks(cells, profile.source)
    return records.plain(
        {
            "arm": study[0]["config"]["arm"]["name"],
            **{
                f"by_{kind}": whole[whole.score == kind][list(VALID)].to_dict("records")
                for kind in ("accuracy", "loss")
            },
            "yardsticks": {name: float(row.tau) for name, row in naive.iterrows()},
        }
    )


def signal(profile: Profile, results: Path) -> list[dict[str, Any]] | None:
    """The figures of the profile's gate records."""
    found = [
        {"target": r["config"]["target"], "seed": r["config"]["seed"]} | {name: r["results"][name] for name in SIGNAL}
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
