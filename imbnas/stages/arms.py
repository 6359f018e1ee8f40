"""The arms of the validity study: ways to train a super-network over NAS-Bench-201's cells, as read from its file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from imbnas import profiles, records
from imbnas.models.precision import EXPECTED, PRECISIONS
from imbnas.names import HOMES
from imbnas.profiles import Profile, Scoring
from imbnas.space import CellSpace
from imbnas.training import Recipe
from imbnas.typed import build, expect, expect_one_of

STUDY = profiles.FOLDER / "studies" / "validity.yaml"


@dataclass(frozen=True)
class Arm:
    """One way to train a super-network over NAS-Bench-201's cells, and when it is looked at.

    `measure` are fractions of the training at which `early_cells` cells are scored; at the end all `cells` are.
    `fair`: strict fairness, every step trains five paths that share no operation, a fifth of the batch each.
    ValueError, by name, for what can't be trained or looked at.
    """

    name: str
    recipe: Recipe
    data: str = "cifar10"
    channels: int = 16
    cells_per_stage: int = 1
    fair: bool = False
    measure: tuple[float, ...] = (0.25, 0.5, 0.75)
    cells: int = 300
    early_cells: int = 100
    precision: str = "bf16"
    scoring: Scoring = field(default_factory=Scoring)

    def __post_init__(self) -> None:
        during = all(0 < part <= 1 for part in self.measure)
        rules = {"measure": (during, "parts of the training, each above 0 and at most 1")}
        rules |= {name: (getattr(self, name) >= 1, "at least 1") for name in ("cells", "early_cells")}
        expect(self, rules | {"precision": (self.precision in PRECISIONS, EXPECTED)})

    @property
    def space(self) -> CellSpace:
        return CellSpace(channels=self.channels, cells=self.cells_per_stage, stages=1)


def study() -> dict[str, Any]:
    """The study's file, profiles/studies/validity.yaml."""
    return parsed(STUDY.read_text(encoding="utf-8"))


@cache
def parsed(text: str) -> dict[str, Any]:
    """A YAML text's entries: parsed once, for every look at an arm asks for the study."""
    return yaml.safe_load(text)


def arms(kind: str = "arms") -> dict[str, Arm]:
    """Every arm of the study, or of another kind of `HOMES`: the base with each arm's changes.

    An arm of the kind "profiles" is called after a profile and trains as that profile's source super-network does.
    """
    told = study()
    base, changes = merged(told["base"], told.get(f"{kind}_base", {})), told[kind]
    if kind == "profiles":
        changes = {name: source_of(profiles.load(name)) | (more or {}) for name, more in changes.items()}
    return {name: read_arm(name, base, more or {}) for name, more in changes.items()}


def source_of(profile: Profile) -> dict[str, Any]:
    """What makes an arm train as a profile's source super-network does."""
    return {"recipe": vars(profile.supernet), "precision": profile.precision}


def trains_as(arm: Mapping[str, Any], profile: Profile) -> bool:
    """Whether an arm, as a record holds it, trains as a profile's source: by its recipe and precision, path by path."""
    same = arm["recipe"] == records.plain(profile.supernet) and arm["precision"] == profile.precision
    return same and not arm["fair"]


def arm_called(name: str) -> Arm:
    """One arm of the study, of whatever kind, by its name."""
    known = {arm: kind for kind in HOMES for arm in study()[kind]}
    expect_one_of("validity arm", name, known)
    return arms(known[name])[name]


def arm_file(arm: Arm, seed: int, folder: Path, suffix: str) -> Path:
    """A file of an arm under the folder of records, in the place of its kind; an arm of no kind is the study's."""
    homes = [home for kind, home in HOMES.items() if arm.name in study()[kind]]
    return folder / (homes or ["validity"])[0] / f"{arm.name}-s{seed}{suffix}"


def read_arm(name: str, base: dict[str, Any], changes: dict[str, Any]) -> Arm:
    """The arm called `name`: `base` with its changes. ValueError, by arm and entry, for what can't be trained by."""
    values = merged(base, changes)
    for kind, entry in ((Recipe, "recipe"), (Scoring, "scoring")):
        values[entry] = build(kind, values.get(entry, {}), f"validity arm {name}, {entry}")
    return build(Arm, {"name": name} | values, f"validity arm {name}")


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, entry by entry inside the recipe and the scoring."""
    inner = {entry: {**base.get(entry, {}), **changes.get(entry, {})} for entry in ("recipe", "scoring")}
    return {**base, **changes, **inner}
