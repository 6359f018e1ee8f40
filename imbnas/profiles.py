"""Profiles: how large and how long every stage is. One YAML file each, read into frozen dataclasses."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from imbnas.models.precision import EXPECTED, PRECISIONS
from imbnas.training import Recipe
from imbnas.typed import build, expect

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "profiles"
RECIPES = ("supernet", "p1", "p2", "p3", "retrain")
# what the signal gate asks of a profile before it is frozen
ENOUGH_AGREEMENT = 0.5  # tau between two P1 classifiers' rankings
ENOUGH_SPREAD = 2.0  # SD between paths, in standard errors of a score, and of retrained paths in SDs between seeds


@dataclass(frozen=True)
class Search:
    """The evolutionary search (paper, section 4); the median of `cost_samples` random paths caps multiply-adds."""

    generations: int = 20
    population: int = 50
    crossovers: int = 25
    mutations: int = 25
    mutation_rate: float = 0.1
    parents: int = 10
    cost_samples: int = 10_000

    def __post_init__(self) -> None:
        counts = {"population": 1, "parents": 1, "cost_samples": 1, "generations": 0, "crossovers": 0, "mutations": 0}
        rules = {name: (getattr(self, name) >= least, f"at least {least}") for name, least in counts.items()}
        expect(self, rules | {"mutation_rate": (0 <= self.mutation_rate <= 1, "a probability from 0 to 1")})
        children, most = self.crossovers + self.mutations, f"at most the population, {self.population}"
        rules = {
            "parents": (self.parents <= self.population, most),
            "crossovers": (children <= self.population, f"with the {self.mutations} mutations {most}"),
        }
        expect(self, rules)

    @property
    def budget(self) -> int:
        """Scored paths: the first population and that of every generation."""
        return self.population * (self.generations + 1)

    @property
    def evolution(self) -> dict[str, int | float]:
        """Keyword arguments of `evolve`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cost_samples"}


@dataclass(frozen=True)
class Scoring:
    """Batch-norm statistics from `batches` of `batch_size` training images; at most `images` validation images.

    No batches at all: batch norm as the training followed it, of all paths together.
    """

    batches: int = 16
    batch_size: int = 128
    images: int | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        rules = {"batches": (self.batches >= 0, "at least 0"), "batch_size": (self.batch_size >= 1, "at least 1")}
        rules["images"] = (self.images is None or self.images >= 1, "at least 1, or None: all")
        rules["precision"] = (self.precision in PRECISIONS, EXPECTED)
        expect(self, rules)


@dataclass(frozen=True)
class Profile:
    """Every size and schedule of one grid."""

    name: str
    source: str
    target_data: str
    space: str
    precision: str
    supernet: Recipe
    p1: Recipe
    p2: Recipe
    p3: Recipe
    retrain: Recipe
    search: Search = field(default_factory=Search)
    scoring: Scoring = field(default_factory=Scoring)
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expect(self, {"precision": (self.precision in PRECISIONS, EXPECTED)})


def names() -> list[str]:
    """The profiles there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Profile:
    """The profile called `name`. ValueError for an unknown profile, or a file that is not one; it says where."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise ValueError(f'profile is "{name}"; expected one of {", ".join(names())} (files in profiles/)')
    values = read(path)
    parts: dict[str, Any] = {r: build(Recipe, values.get(r), f"{path.name}, {r}") for r in RECIPES}
    parts["search"] = build(Search, values.get("search", {}), f"{path.name}, search")
    parts["scoring"] = build(Scoring, values.get("scoring", {}), f"{path.name}, scoring")
    return build(Profile, {"name": name} | values | parts, path.name)


def read(path: Path) -> dict[str, Any]:
    """The entries of a YAML file. ValueError that names the file, and the line where it is not YAML."""
    try:
        values = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path.name}{line}: not YAML ({getattr(fault, 'problem', fault)}); mend it") from None
    if not isinstance(values, dict):
        found = "is empty" if values is None else "holds no entries"
        raise ValueError(f"{path.name} {found}; expected entries like source, space, {', '.join(RECIPES)}")
    return values
