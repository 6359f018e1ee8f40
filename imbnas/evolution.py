"""Evolutionary search over any space and any score (paper, Eq. 4; SPOS, arXiv:1904.00420), and random search.

A search draws paths, asks `score` for theirs and keeps every path it ever scored. The parents of a generation
are the best of all of them. Mutants come first, crossovers next; what was scored before or is not allowed is
thrown away, each operator gives up after ten attempts per child, and fresh random paths fill it up.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

import torch
from torch import Generator

from imbnas.space import Path, Space
from imbnas.space.base import check_rate, check_whole

State = dict[str, Any]
Score = Callable[[list[Path]], Any]
Proposals = Iterator[tuple[str, int, Callable[[], Path]]]  # kind, how many are wanted, how one is drawn
ATTEMPTS_PER_CHILD = 10
MISSES_IN_A_ROW = 10_000


@dataclass(frozen=True)
class Generation:
    """What one generation brought: new paths and attempts by kind, the best score so far, its own mean."""

    number: int
    children: dict[str, int]
    attempts: dict[str, int]
    best: float
    mean: float


@dataclass(frozen=True)
class Search:
    """A finished search: the best path of all (the first of equals), every score in the order given."""

    best: Path
    scored: dict[Path, float]
    history: tuple[Generation, ...]


def evolve(
    space: Space,
    score: Score,
    generator: Generator,
    *,
    generations: int = 20,
    population: int = 50,
    crossovers: int = 25,
    mutations: int = 25,
    mutation_rate: float = 0.1,
    parents: int = 10,
    allowed: Callable[[Path], bool] | None = None,
    state: State | None = None,
    on_scored: Callable[[State], None] | None = None,
    on_generation: Callable[[Generation], None] | None = None,
) -> Search:
    """Search: `population` random paths, then `generations` times as many new ones; the paper's settings.

    `score(paths)` returns one finite number per path, higher is better; it is given a whole generation at a time,
    and after each one `on_scored` is offered a JSON-serialisable state; a search continued from it by `state` ends as
    if it had never stopped. `allowed`: which paths may be scored.

    Raises ValueError for settings that contradict each other, a state that is damaged or of another search, a score
    that is not finite, and a space that runs out of new paths.
    """
    check_whole(1, population=population, parents=parents)
    check_whole(0, generations=generations, crossovers=crossovers, mutations=mutations)
    check_rate(mutation_rate)
    if crossovers + mutations > population:
        raise ValueError(f"{crossovers} crossovers and {mutations} mutations exceed a population of {population}")

    def propose(scored: dict[Path, float]) -> Proposals:
        elite = best_of(scored, parents)
        if elite:
            yield (
                "mutants",
                mutations,
                lambda: space.mutate(_pick(elite, generator), mutation_rate, generator),
            )
            yield "crossovers", crossovers, lambda: space.crossover(*_pick_two(elite, generator), generator)

    settings = {"generations": generations, "population": population, "crossovers": crossovers}
    settings |= {"mutations": mutations, "mutation_rate": mutation_rate, "parents": parents}
    run = _Run(space, generator, allowed, {"search": "evolution", "space": space.name, **settings})
    run.restore(state)
    return run.finish([population] * (generations + 1), propose, score, on_scored, on_generation)


def random_search(
    space: Space,
    score: Score,
    generator: Generator,
    *,
    budget: int = 1050,
    allowed: Callable[[Path], bool] | None = None,
    state: State | None = None,
    on_scored: Callable[[State], None] | None = None,
    on_generation: Callable[[Generation], None] | None = None,
) -> Search:
    """`budget` distinct random paths, the best of them: evolution without parents, told in fifties."""
    check_whole(1, budget=budget)
    sizes = [min(50, budget - start) for start in range(0, budget, 50)]
    run = _Run(space, generator, allowed, {"search": "random", "space": space.name, "budget": budget})
    run.restore(state)
    return run.finish(sizes, lambda scored: iter(()), score, on_scored, on_generation)


def best_of(scored: dict[Path, float], count: int) -> list[Path]:
    """The `count` best paths, best first, of equals the one scored first."""
    return sorted(scored, key=scored.__getitem__, reverse=True)[:count]


@dataclass
class _Run:
    """A search under way. Its fields from `scored` on, and the generator, decide how it goes on."""

    space: Space
    generator: Generator
    allowed: Callable[[Path], bool] | None
    settings: dict[str, Any]
    scored: dict[Path, float] = field(default_factory=dict)
    children: dict[Path, str] = field(default_factory=dict)  # of the current generation, with their kind
    attempts: dict[str, int] = field(default_factory=dict)
    history: list[Generation] = field(default_factory=list)

    def finish(
        self,
        sizes: list[int],
        propose: Callable[[dict[Path, float]], Proposals],
        score: Score,
        on_scored: Callable[[State], None] | None,
        on_generation: Callable[[Generation], None] | None,
    ) -> Search:
        for number in range(len(self.history), len(sizes)):
            if not self.children:
                self.breed(sizes[number], propose(self.scored))
            if pending := [path for path in self.children if path not in self.scored]:
                self.record(pending, score(pending))
                if on_scored:
                    on_scored(self.state())
            self.close_generation(number)
            if on_generation:
                on_generation(self.history[-1])
        return Search(best_of(self.scored, 1)[0], self.scored, tuple(self.history))

    def breed(self, size: int, proposals: Proposals) -> None:
        """Fill `children` with `size` new paths: what the operators find, random ones for the rest."""
        self.attempts = {"mutants": 0, "crossovers": 0, "random": 0}
        for kind, wanted, draw in proposals:
            born = 0
            while born < wanted and self.attempts[kind] < ATTEMPTS_PER_CHILD * wanted:
                born += self.accept(draw(), kind)
        misses = 0
        while len(self.children) < size:
            misses = 0 if self.accept(self.space.sample(self.generator), "random") else misses + 1
            if misses == MISSES_IN_A_ROW:
                self.refuse_small_space()

    def accept(self, path: Path, kind: str) -> bool:
        """Take a path into the generation if it is new and allowed."""
        self.attempts[kind] += 1
        if path in self.scored or path in self.children or (self.allowed and not self.allowed(path)):
            return False
        self.children[path] = kind
        return True

    def refuse_small_space(self) -> None:
        found = len(self.scored) + len(self.children)
        raise ValueError(
            f"no new path in {MISSES_IN_A_ROW:,} random draws, {found:,} found so far: {self.space.name} has "
            f"{self.space.size:,} paths at most, and `allowed` may leave fewer; ask for fewer generations, a "
            "smaller population or budget, or allow more"
        )

    def record(self, paths: list[Path], scores: Any) -> None:
        try:
            values = [float(value) for value in scores]
        except TypeError as fault:
            raise ValueError(f"score returned {scores!r}: expected one number per path") from fault
        if len(values) != len(paths):
            raise ValueError(f"score returned {len(values)} numbers for {len(paths)} paths")
        for path, value in zip(paths, values, strict=True):
            if not math.isfinite(value):
                raise ValueError(f"the score of {self.space.to_string(path)} is {value}: expected a finite number")
        self.scored.update(zip(paths, values, strict=True))

    def close_generation(self, number: int) -> None:
        kinds = list(self.children.values())
        counts = {kind: kinds.count(kind) for kind in self.attempts}
        mean = fmean(self.scored[path] for path in self.children)
        best = max(self.scored.values())
        self.history.append(Generation(number, counts, self.attempts, best, mean))
        self.children = {}

    def state(self) -> State:
        """All of it as JSON: lists for paths, base64 for the generator."""
        return {
            "settings": self.settings,
            "generator": base64.b64encode(self.generator.get_state().numpy().tobytes()).decode(),
            "scored": [[list(path), value] for path, value in self.scored.items()],
            "children": [[list(path), kind] for path, kind in self.children.items()],
            "attempts": dict(self.attempts),
            "history": [asdict(generation) for generation in self.history],
        }

    def restore(self, state: State | None) -> None:
        if state is None:
            return
        with _naming_damage():
            theirs = dict(state["settings"])
        for name, value in self.settings.items():
            if theirs.get(name) != value:
                raise ValueError(
                    f"the state is of another search: {name} was {theirs.get(name)}, now {value}; give the same "
                    "settings, or no state to begin again"
                )
        with _naming_damage():
            scored = {self.known(path): float(value) for path, value in state["scored"]}
            children = {self.known(path): kind for path, kind in state["children"]}
            attempts = dict(state["attempts"])
            history = [Generation(**generation) for generation in state["history"]]
            told = sum(sum(generation.children.values()) for generation in history)
            if odd := [value for value in scored.values() if not math.isfinite(value)]:
                raise ValueError(f"a score is {odd[0]}")
            if len(scored) != told + len(scored.keys() & children.keys()):
                raise ValueError(f"{len(scored)} scores for {told} paths of {len(history)} generations")
            data = bytearray(base64.b64decode(state["generator"]))
            self.generator.set_state(torch.frombuffer(data, dtype=torch.uint8))
        self.scored, self.children, self.attempts, self.history = scored, children, attempts, history

    def known(self, path: list[int]) -> Path:
        """A path as JSON holds it, as one of this space; a ValueError for any other."""
        self.space.check(path)
        return tuple(path)


@contextmanager
def _naming_damage() -> Iterator[None]:
    """What goes wrong while a state is read, as a ValueError."""
    try:
        yield
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"the state is damaged ({error!r}): give one as `on_scored` was offered it, or no state to begin again"
        ) from error


def _pick(parents: list[Path], generator: Generator) -> Path:
    return parents[int(torch.randint(len(parents), (), generator=generator))]


def _pick_two(parents: list[Path], generator: Generator) -> tuple[Path, Path]:
    """Two parents with replacement: they may coincide."""
    return _pick(parents, generator), _pick(parents, generator)
