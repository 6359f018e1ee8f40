"""A profile of a few steps on glyphs, so that every stage runs in a second or two; and a machine for a record run."""

from dataclasses import replace

import pytest

from imbnas import profiles
from imbnas.profiles import Scoring, Search
from imbnas.training import Recipe

TINY = Recipe(4, 0.05, unit="steps", batch_size=16, reweight_from=2)


@pytest.fixture
def tiny(monkeypatch):
    """`smoke` is this small profile."""
    base = profiles.load("smoke")
    recipes = {name: replace(TINY, rate=0.05 + 0.001 * n) for n, name in enumerate(profiles.RECIPES)}  # told apart
    search = Search(generations=1, population=4, crossovers=1, mutations=1, parents=2, cost_samples=50)
    small = replace(base, space="cell3-c4-n1", **recipes, search=search, scoring=Scoring(1, 32, 32))
    load = profiles.load
    monkeypatch.setattr(profiles, "load", lambda name: small if name == "smoke" else load(name))


@pytest.fixture
def machine(tmp_path):
    """A machine with the script of a pack, and no plan yet."""
    from machine import Machine  # only where it is asked for: it takes the pack along, and that every stage

    return Machine(tmp_path)
