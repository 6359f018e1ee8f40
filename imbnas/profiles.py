"""Profiles: how large and how long every stage is. One YAML file each, read into frozen dataclasses."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from imbnas.training import Recipe

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "profiles"
RECIPES = ("supernet", "p1", "p2", "p3", "retrain")


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


@dataclass(frozen=True)
class Scoring:
    """Batch-norm statistics from `batches` of `batch_size` training images; at most `images` validation images."""

    batches: int = 16
    batch_size: int = 128
    images: int | None = None
    precision: str = "float32"


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


def names() -> list[str]:
    """The profiles there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def build(kind: type, values: Any, where: str) -> Any:
    """A dataclass from the mapping `values`, lists as tuples; a misspelt or missing name is refused."""
    known = {f.name for f in fields(kind)}
    if not isinstance(values, dict) or set(values) - known:
        wrong = ", ".join(sorted(set(values) - known)) if isinstance(values, dict) else repr(values)
        raise ValueError(f"{where}: unknown {wrong}; expected {', '.join(sorted(known))}")
    try:
        return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    except TypeError as fault:
        raise ValueError(f"{where}: {fault}") from None


def load(name: str) -> Profile:
    """The profile called `name`. ValueError for an unknown profile or a misspelt entry."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise ValueError(f'profile is "{name}"; expected one of {", ".join(names())} (files in profiles/)')
    values = yaml.safe_load(path.read_text())
    parts: dict[str, Any] = {r: build(Recipe, values.get(r), f"{path.name}, {r}") for r in RECIPES}
    parts["search"] = build(Search, values.get("search", {}), f"{path.name}, search")
    parts["scoring"] = build(Scoring, values.get("scoring", {}), f"{path.name}, scoring")
    return build(Profile, {"name": name} | values | parts, path.name)
