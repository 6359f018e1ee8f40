"""The paper's search on landscapes whose answer is known, undisturbed and killed."""

import json
import math
import re
from collections.abc import Callable
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator
from untyped import untyped

from imbnas.benchmark import nasbench201
from imbnas.evolution import Generation, Search, evolve, random_search
from imbnas.space import CellSpace, MacroSpace, Space

NB201 = CellSpace(stages=1)
TWENTY_BY_FOUR = MacroSpace(layers=(7, 7, 6))  # the size of SPOS's own space
SMALL = MacroSpace(layers=(2, 2, 1))  # 1,024 paths


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def published(column: str) -> Callable[[list], list[float]]:
    truth = {NB201.from_string(name): value for name, value in nasbench201()[column].items()}
    return lambda paths: [truth[path] for path in paths]


def additive(space: Space, noise: float = 0.0, seed: int = 0) -> Callable[[list], list[float]]:
    """Every choice is worth something of its own; every path's noise is drawn once."""
    worth = torch.randn(space.genes, space.choices, generator=seeded(seed)).tolist()
    generator = seeded(seed + 1)

    def score(paths: list) -> list[float]:
        errors = (noise * torch.randn(len(paths), generator=generator)).tolist()
        sums = [sum(row[gene] for row, gene in zip(worth, path, strict=True)) for path in paths]
        return [value + error for value, error in zip(sums, errors, strict=True)]

    return score


# ------------------------------------------------------------------------------------ what it finds


@pytest.fixture(scope="module")
def cifar10_runs() -> list[Search]:
    score = published("cifar10")
    return [evolve(NB201, score, seeded(seed)) for seed in range(4)]


def test_with_the_true_score_it_finds_the_optimum(cifar10_runs):
    score = published("cifar100")
    for search in cifar10_runs:
        assert search.scored[search.best] == search.history[-1].best == 94.373
        assert len(search.scored) == 1050
        assert [generation.number for generation in search.history] == list(range(21))
    search = evolve(NB201, score, seeded(0))
    assert search.scored[search.best] == 73.513


def test_random_search_ends_near_its_published_mean():
    """94.209 with an SD of 0.128 between runs: 8 runs lie within 4 standard errors of it."""
    score = published("cifar10")
    searches = [random_search(NB201, score, seeded(seed)) for seed in range(8)]
    assert all(len(search.scored) == 1050 for search in searches)
    mean = fmean(search.scored[search.best] for search in searches)
    assert mean == pytest.approx(94.209, abs=4 * 0.128 / math.sqrt(8))


def bred(runs: list[Search]) -> list[Generation]:
    return [generation for run in runs for generation in run.history[1:]]


def mean_children(runs: list[Search]) -> list[float]:
    """Mutants, crossovers and random paths per generation after the first."""
    kinds = ("mutants", "crossovers", "random")
    return [fmean(generation.children[kind] for generation in bred(runs)) for kind in kinds]


def test_children_by_kind_are_as_simulated_beforehand(cifar10_runs):
    """On the additive landscape runs differ with an SD of 2.4 crossovers, so five of them with 1.1."""
    assert mean_children(cifar10_runs) == pytest.approx([20.3, 4.8, 24.8], abs=1.5)
    runs = [evolve(TWENTY_BY_FOUR, additive(TWENTY_BY_FOUR, 0.5, seed), seeded(seed)) for seed in range(5)]
    assert mean_children(runs) == pytest.approx([25.0, 16.2, 8.9], abs=2.2)
    for generation in bred(cifar10_runs + runs):
        assert sum(generation.children.values()) == 50
        assert max(generation.attempts["mutants"], generation.attempts["crossovers"]) <= 250


def test_an_operator_gives_up_after_ten_attempts_per_child():
    """With one parent and no mutation every child is that parent: none is new, and each attempt is spent."""
    sizes = {"generations": 2, "population": 20, "mutations": 10, "crossovers": 10}
    search = evolve(SMALL, additive(SMALL), seeded(0), **sizes, mutation_rate=0.0, parents=1)
    for generation in search.history[1:]:
        assert generation.children == {"mutants": 0, "crossovers": 0, "random": 20}
        assert generation.attempts["mutants"] == generation.attempts["crossovers"] == 100


def test_the_best_of_all_time_remains_the_parent():
    """The first path of all beats every later one: five generations later its mutants still lie close to it."""
    first: list = []

    def score(paths: list) -> list[float]:
        first.extend(paths[:1] if not first else [])
        return [1.0 if path == first[0] else 0.0 for path in paths]

    sizes = {"generations": 5, "population": 20, "mutations": 20, "crossovers": 0}
    search = evolve(TWENTY_BY_FOUR, score, seeded(0), **sizes, mutation_rate=0.05, parents=1)
    changed = [sum(a != b for a, b in zip(path, first[0], strict=True)) for path in search.scored]
    assert search.best == first[0] == next(iter(search.scored))
    assert fmean(changed[-20:]) < 3 < 12 < fmean(changed[1:20])


def test_the_first_of_equals_wins():
    search = evolve(SMALL, lambda paths: [1.0] * len(paths), seeded(3), generations=2)
    assert search.best == next(iter(search.scored))


def test_history_tells_best_so_far_and_mean():
    seen = []
    search = evolve(SMALL, additive(SMALL), seeded(4), generations=4, on_generation=seen.append)
    scores = list(search.scored.values())
    assert tuple(seen) == search.history
    for generation in search.history:
        start, stop = 50 * generation.number, 50 * generation.number + 50
        assert generation.best == max(scores[:stop])
        assert generation.mean == pytest.approx(fmean(scores[start:stop]))


@given(
    seed=st.integers(0, 2**31),
    population=st.integers(1, 20),
    share=st.floats(0, 1),
    rate=st.floats(0, 1),
    parents=st.integers(1, 30),
)
@settings(deadline=None, max_examples=40)
def test_every_path_is_scored_once_and_allowed(seed, population, share, rate, parents):
    calls: list = []
    score = additive(SMALL)

    def spy(paths: list) -> list[float]:
        calls.append(paths)
        return score(paths)

    mutations = int(share * population)
    sizes = {"generations": 3, "population": population, "mutations": mutations, "parents": parents}
    sizes |= {"crossovers": population - mutations, "mutation_rate": rate}
    search = evolve(SMALL, spy, seeded(seed), **sizes, allowed=lambda path: path[0] != 3)
    asked = [path for paths in calls for path in paths]
    assert asked == list(search.scored) and len(set(asked)) == 4 * population
    assert all(path[0] != 3 for path in asked)
    assert [len(paths) for paths in calls] == [population] * 4
    assert search.scored[search.best] == max(search.scored.values())


# ------------------------------------------------------------------------------------ killed, resumed


def never(paths: list) -> list[float]:
    raise AssertionError("scored")


class Killed(Exception):
    pass


def killed_and_resumed(search: Callable, score: Callable, deaths: list[int], **options):
    """Run `search` with the score dying at each of these calls, resumed from the last state's JSON."""
    state, calls = None, 0

    def mortal(paths: list) -> list[float]:
        nonlocal calls
        calls += 1
        if calls in deaths:
            raise Killed
        return score(paths)

    def keep(new: dict) -> None:
        nonlocal state
        state = json.dumps(new)

    while True:
        generator = seeded(5 if state is None else 999)  # a resumed search does not know the seed
        try:
            resumed = state and json.loads(state)
            return search(mortal, generator, state=resumed, on_scored=keep, **options), generator
        except Killed:
            continue


@given(deaths=st.lists(st.integers(1, 9), unique=True, max_size=5))
@settings(deadline=None, max_examples=25)
def test_a_killed_evolution_ends_as_an_undisturbed_one(deaths):
    def search(score, generator, **options):
        sizes = {"generations": 3, "population": 12, "mutations": 5, "crossovers": 5}
        return evolve(NB201, score, generator, **sizes, **options)

    score, undisturbed = additive(NB201), seeded(5)
    expected = search(score, undisturbed)
    found, generator = killed_and_resumed(search, score, deaths)
    assert found == expected
    assert list(found.scored) == list(expected.scored)
    assert torch.equal(generator.get_state(), undisturbed.get_state())


@pytest.mark.parametrize("death", [1, 2, 3])
def test_a_killed_random_search_ends_as_an_undisturbed_one(death):
    def search(score, generator, **options):
        return random_search(NB201, score, generator, budget=115, **options)

    score = additive(NB201)
    found, _ = killed_and_resumed(search, score, [death])
    assert found == search(score, seeded(5))
    assert len(found.scored) == 115


def test_a_finished_search_is_resumed_without_scoring():
    states: list = []
    finished = evolve(SMALL, additive(SMALL), seeded(6), generations=1, on_scored=states.append)

    assert evolve(SMALL, never, seeded(0), generations=1, state=states[-1]) == finished


def test_the_state_of_another_search_is_refused():
    states: list = []
    evolve(SMALL, additive(SMALL), seeded(6), generations=1, on_scored=states.append)
    with pytest.raises(ValueError, match="another search: parents was 10, now 5"):
        evolve(SMALL, additive(SMALL), seeded(6), generations=1, parents=5, state=states[-1])
    with pytest.raises(ValueError, match="another search: search was evolution, now random"):
        random_search(SMALL, additive(SMALL), seeded(6), state=states[-1])
    with pytest.raises(ValueError, match="another search: space was"):
        evolve(NB201, additive(NB201), seeded(6), generations=1, state=states[-1])


DAMAGES = {
    "a part is missing": lambda state: state.pop("history"),
    "no generator": lambda state: state.update(generator="AAAA"),
    "another space's path": lambda state: state["scored"][0][0].append(0),
    "no path": lambda state: state["scored"][0].__setitem__(0, 7),
    "no score": lambda state: state["scored"][0].__setitem__(1, None),
    "a score of NaN": lambda state: state["scored"][0].__setitem__(1, math.nan),
    "a score is lost": lambda state: state["scored"].pop(0),
    "half a generation": lambda state: state["history"][0].pop("best"),
    "another kind": lambda state: state.update(settings=[1]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_refused_and_changes_nothing(damage):
    states: list = []
    evolve(SMALL, additive(SMALL), seeded(6), generations=1, on_scored=lambda state: states.append(json.dumps(state)))
    state, generator = json.loads(states[-1]), seeded(0)
    DAMAGES[damage](state)
    with pytest.raises(ValueError, match="the state is damaged"):
        evolve(SMALL, never, generator, generations=1, state=state)
    assert torch.equal(generator.get_state(), seeded(0).get_state())


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused_by_path(bad):
    with pytest.raises(ValueError, match=r"score of \|.*\| is (nan|inf|-inf)"):
        evolve(SMALL, lambda paths: [0.0] * (len(paths) - 1) + [bad], seeded(0))


def test_what_is_no_list_of_scores_is_refused():
    for odd in (None, 0.5, torch.tensor(0.5)):
        with pytest.raises(ValueError, match=f"score returned {re.escape(repr(odd))}: expected one number per path"):
            evolve(SMALL, lambda paths, odd=odd: odd, seeded(0))


def test_a_wrong_number_of_scores_is_refused():
    with pytest.raises(ValueError, match="returned 49 numbers for 50 paths"):
        evolve(SMALL, lambda paths: [0.0] * (len(paths) - 1), seeded(0))


def test_a_space_that_runs_out_is_refused():
    tiny = MacroSpace(layers=(1, 1, 1))
    with pytest.raises(ValueError, match="64 found so far: macro-w32-1-1-1 has 64 paths"):
        evolve(tiny, additive(tiny), seeded(0))
    with pytest.raises(ValueError, match="16 found so far"):
        random_search(tiny, additive(tiny), seeded(0), budget=17, allowed=lambda path: path[0] == 0)
    assert len(random_search(tiny, additive(tiny), seeded(0), budget=64).scored) == 64


@pytest.mark.parametrize(
    "options",
    [
        {"population": 40},
        {"population": 0, "mutations": 0, "crossovers": 0},
        {"parents": 0},
        {"generations": -1},
        {"mutations": -1},
        {"mutation_rate": 1.1},
        {"mutation_rate": math.nan},
        {"population": 10.5, "mutations": 2, "crossovers": 2},
        {"parents": 2.5},
        {"generations": 1.5},
        {"state": {}},
    ],
)
def test_contradictory_settings_are_refused_before_anything_is_scored(options):
    with untyped(), pytest.raises(ValueError):
        evolve(SMALL, never, seeded(0), **options)


@pytest.mark.parametrize("budget", [0, 10.5])
def test_a_budget_is_a_whole_number_of_paths(budget):
    with untyped(), pytest.raises(ValueError, match="budget is .*: expected a whole number from 1"):
        random_search(SMALL, never, seeded(0), budget=budget)
