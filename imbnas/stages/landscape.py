"""Searches over NAS-Bench-201's published accuracies: the landscape is known, so that the search itself can be seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from imbnas import profiles, records
from imbnas.benchmark import SPACE, nasbench201
from imbnas.evolution import evolve, random_search
from imbnas.space import digits
from imbnas.space.base import check_whole
from imbnas.stages.clock import Clock, cost
from imbnas.stages.draws import named_generator
from imbnas.typed import expect, expect_one_of

Cells = Mapping[tuple[int, ...], float]
KINDS = ("mutants", "crossovers", "random")
SEARCHES = ("evolution", "random search")


@dataclass(frozen=True)
class Budget:
    """The paper's evolution, or another of about equal cost: `paths` scored paths, `population` at a time."""

    paths: int = 1050
    population: int = 50
    mutation_rate: float = 0.1

    def __post_init__(self) -> None:
        expect(self, {"population": (1 <= self.population <= self.paths, f"from 1 to the {self.paths} scored paths")})

    @property
    def evolution(self) -> dict[str, Any]:
        """Keyword arguments of `evolve`: half of every generation by each operator, as in the paper."""
        half = self.population // 2
        children = {"population": self.population, "crossovers": half, "mutations": half}
        return children | {"generations": self.paths // self.population - 1, "mutation_rate": self.mutation_rate}

    @property
    def spent(self) -> int:
        """How many paths are really scored: whole generations only."""
        return self.paths // self.population * self.population


@dataclass(frozen=True)
class Repeats:
    """Many searches of one kind by one score, one row each.

    scores: the best score so far after 1, 2, ... scored paths. truths: the true accuracy of the path that holds it.
    children: new paths by generation and kind (`KINDS`). winners: the best scored path, printed.
    """

    scores: Float[np.ndarray, "repeats paths"]
    truths: Float[np.ndarray, "repeats paths"]
    children: Int[np.ndarray, "repeats generations kinds"]
    winners: list[str]


def published(column: str) -> dict[tuple[int, ...], float]:
    """A column of the published table, by path."""
    return {SPACE.from_string(cell): value for cell, value in nasbench201()[column].items()}


def with_noise(truth: Cells, noise: float, generator: torch.Generator) -> dict[tuple[int, ...], float]:
    """The truth as a score with an error of its own for every path: normal, standard deviation `noise` points."""
    errors = torch.randn(len(truth), generator=generator, dtype=torch.float64) * noise
    return {path: value + error for (path, value), error in zip(truth.items(), errors.tolist(), strict=True)}


def repeat(
    search: str, score: Cells | float, repeats: int, budget: Budget = Budget(), truth: Cells | None = None
) -> Repeats:
    """`repeats` searches, "evolution" or "random search", each with a generator of its own.

    score: what is searched, by path; a number stands for the truth with that much noise, drawn anew every time.
    """
    expect_one_of("search", search, SEARCHES)
    truth = published("cifar10") if truth is None else truth
    rows = [one_search(search, score, truth, number, budget) for number in range(repeats)]
    scores, truths, children, winners = zip(*rows, strict=True)
    return Repeats(np.array(scores), np.array(truths), np.array(children), list(winners))


def one_search(search: str, score: Cells | float, truth: Cells, number: int, budget: Budget) -> tuple[Any, ...]:
    """One row of `Repeats`."""
    if not isinstance(score, Mapping):
        score = with_noise(truth, score, named_generator(number, "landscape", "noise"))
    generator = named_generator(number, "landscape", search)

    def lookup(paths: list[tuple[int, ...]]) -> list[float]:
        return [score[path] for path in paths]

    if search == "evolution":
        found = evolve(SPACE, lookup, generator, **budget.evolution)
    else:
        found = random_search(SPACE, lookup, generator, budget=budget.spent)
    paths, values = list(found.scored), np.array(list(found.scored.values()))
    holders = best_so_far(values)
    children = [[generation.children[kind] for kind in KINDS] for generation in found.history]
    return values[holders], [truth[paths[holder]] for holder in holders], children, SPACE.to_string(found.best)


def best_so_far(values: Float[np.ndarray, " paths"]) -> Int[np.ndarray, " paths"]:
    """For every position, where the largest value up to it stands (the first of equals)."""
    record = values > np.concatenate([[-np.inf], np.maximum.accumulate(values)[:-1]])
    return np.maximum.accumulate(np.where(record, np.arange(len(values)), 0))


QUANTILES = (0.1, 0.5, 0.9)
NOISES = (0.0, 0.25, 0.5, 1.0, 2.0)


def summary(runs: Repeats, every: int = 10) -> dict[str, Any]:
    """What a record keeps of `Repeats`: curves at each `every` scored paths, children per generation, all winners."""
    kept = [0, *range(every - 1, runs.scores.shape[1], every)]
    curves = {
        name: {
            "mean": values[:, kept].mean(0).tolist(),
            **{f"q{round(100 * q)}": np.quantile(values[:, kept], q, axis=0).tolist() for q in QUANTILES},
        }
        for name, values in (("score", runs.scores), ("truth", runs.truths))
    }
    return {
        "paths": [position + 1 for position in kept],
        **curves,
        "children": dict(zip(KINDS, runs.children.mean(0).T.tolist(), strict=True)),
        "winners": [
            {"path": digits(SPACE.from_string(cell)), "score": score, "truth": truth}
            for cell, score, truth in zip(runs.winners, runs.scores[:, -1], runs.truths[:, -1], strict=True)
        ],
        "final": {
            "score": float(runs.scores[:, -1].mean()),
            "truth": float(runs.truths[:, -1].mean()),
            "truth_sd": float(runs.truths[:, -1].std(ddof=1)),
        },
    }


def landscape(repeats: int = 200, noisy_repeats: int = 50, out: str = "", budget: Budget = Budget()) -> dict[str, Any]:
    """Both searches on the true score, the 12-epoch score and noisy scores: writes search/true-landscape.json.

    ValueError for fewer than two `repeats` or `noisy_repeats`, which have no spread.
    """
    check_whole(2, repeats=repeats, noisy_repeats=noisy_repeats)
    clock, truth = Clock(), published("cifar10")
    config = {"truth": "cifar10", "budget": budget, "repeats": repeats, "noisy_repeats": noisy_repeats}
    file = Path(out or profiles.ROOT / "results") / "search" / "true-landscape.json"
    records.refuse_unwritable(file, config)
    best = max(truth.values())
    results: dict[str, Any] = {"optimum": best, "scores": {}, "noise": []}
    for column in ("cifar10", "cifar10_12_epochs"):
        score = published(column)
        with clock.part(column):
            runs = {search: repeat(search, score, repeats, budget, truth) for search in SEARCHES}
        results["scores"][column] = {search: summary(found) for search, found in runs.items()}
        for search, found in runs.items():
            results["scores"][column][search]["final"]["optimal"] = int((found.truths[:, -1] == best).sum())
    for noise in NOISES:
        with clock.part("noise"):
            runs = {search: repeat(search, noise, noisy_repeats, budget, truth) for search in SEARCHES}
        finals = {search: summary(found)["final"] for search, found in runs.items()}
        results["noise"].append({"noise": noise, **finals})
    return records.write(file, "landscape", config, results, cost(clock, torch.device("cpu")))
