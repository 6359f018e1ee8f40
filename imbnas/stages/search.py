"""Adapt the super-network by one procedure, then search it by evolution: one record per procedure and target."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from imbnas import records
from imbnas.adaptation import adapt_p0
from imbnas.evolution import Search, evolve, random_search
from imbnas.models import SuperNet
from imbnas.names import SEARCHED
from imbnas.space import Space, digits, median_cost
from imbnas.stages.adapt import adapt
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.device import best_device
from imbnas.stages.draws import named_generator
from imbnas.stages.kept import Kept
from imbnas.stages.run import Run
from imbnas.stages.scoring import scores_of, tau
from imbnas.stages.supernet import load_source, supernet_config
from imbnas.stages.target import Target, load_target
from imbnas.training import Log
from imbnas.typed import expect_one_of


def search_config(run: Run, procedure: str) -> dict[str, Any]:
    """What an adapted search depends on. P0's is the same for every target; the control has no recipe."""
    settings = run.settings
    config = {
        "stage": "search",
        "procedure": procedure,
        "space": run.space,
        "search": settings.search,
        "scoring": settings.scoring,
        "precision": settings.precision,
        "seed": run.seed,
        "split_seed": run.split_seed,
    }
    if procedure != "P3":
        config["supernet"] = records.identity(records.plain(supernet_config(run)))
    if procedure == "P0":
        return config | {"data": run.source, "target": "balance"}
    config |= {"data": run.target_data, "target": run.target}
    return config if procedure == "control" else config | {"recipe": getattr(settings, adaptation(procedure).lower())}


def adaptation(procedure: str) -> str:
    """The procedure whose super-network a comparison shares: "P1" for "P1-random"."""
    return procedure.partition("-")[0]


def search_file(run: Run, procedure: str, suffix: str = ".json") -> Path:
    """The record of a search."""
    return run.file("search", procedure, *([] if procedure == "P0" else [run.target]), suffix=suffix)


def search(run: Run, procedure: str) -> dict[str, Any]:
    """Adapt by `procedure` ("P0" to "P3"), score paths on balanced validation images, evolve, write the record.

    "control" adapts nothing and ranks on the target: P0's backbone, a ridge classifier per path, the same search.
    "P1-random" is P1 without evolution: as many paths, all of them random.
    """
    expect_one_of("procedure", procedure, SEARCHED)
    config, clock, device = search_config(run, procedure), Clock(run.max_seconds), best_device()
    records.refuse_unwritable(search_file(run, procedure), config)
    with clock.part("data"):
        target = load_target(config["data"], config["target"], run.split_seed, device)
    shared = adaptation(procedure)
    net, log = adapted(run, shared, target, search_config(run, shared), clock.deadline, device)
    clock.seconds["adaptation"] = log.seconds  # before a stop too
    with clock.part("search"):
        found, cap = run_search(run, net, target, config, clock)
    records.write_curves(search_file(run, procedure, ".csv"), log.rows)
    results = {"split": {config["data"]: target.split.hash}, **search_results(found, run, cap)}
    run_cost = cost(clock, device, images=log.images, training_seconds=round(log.seconds, 2))
    return records.write(search_file(run, procedure), "search", config, results, run_cost)


def adapted(
    run: Run,
    procedure: str,
    target: Target,
    config: dict[str, Any],
    deadline: float | None,
    device: torch.device,
) -> tuple[SuperNet, Log]:
    """The super-network that `procedure` makes for the target."""
    if procedure in ("P0", "control"):
        return adapt_p0(load_source(run, device))
    names = ("adapt", procedure, run.target)
    return adapt(
        procedure,
        start_of(run, procedure, target, config, device),
        target,
        config["recipe"],
        named_generator(run.seed, *names, "data"),
        named_generator(run.seed, *names, "paths"),
        config.get("reweight", True),
        precision=run.settings.precision,
        checkpoint=run.work_file(config, *names, split=target.split.hash),
        deadline=deadline,
        report=progress(f"{procedure} {run.target} s{run.seed}"),
    )


def start_of(
    run: Run, procedure: str, target: Target, config: dict[str, Any], device: torch.device
) -> SuperNet | Space:
    """What a procedure starts from: the source super-network, random weights, or for P3 the space alone."""
    if procedure == "P3":
        return run.space_of_paths
    if config["supernet"] == "untrained":
        draws = named_generator(run.seed, "untrained", "weights")
        return SuperNet(run.space_of_paths, target.dataset.num_classes, draws).to(device)
    return load_source(run, device)


def run_search(run: Run, net: SuperNet, target: Target, config: dict[str, Any], clock: Clock) -> tuple[Search, float]:
    """The search under the median cost of the space, continued from its state where there is one."""
    space, cap = run.space_of_paths, max_cost(run)
    procedure, where = config["procedure"], config["target"]
    scores = scores_of(run, net, target, config)
    state_file = run.work_file(config, "search", procedure, where, split=target.split.hash, suffix=".state.json")
    report = progress(f"search {procedure} {where} s{run.seed}")
    kept = Kept(state_file, clock)
    kind, options = way_to_search(run, procedure)
    found = kind(
        space,
        scores,
        named_generator(run.seed, "search", procedure, where),
        **options,
        allowed=lambda path: space.cost(path).macs <= cap,
        state=kept.state,
        on_scored=kept.keep,
        on_generation=lambda g: report(f"generation {g.number} · best {g.best:.2f} · mean {g.mean:.2f}"),
    )
    return found, cap


def way_to_search(run: Run, procedure: str) -> tuple[Callable[..., Search], dict[str, int | float]]:
    """Evolution with the profile's settings, or, for a comparison at equal cost, as many random paths."""
    settings = run.settings.search
    if procedure.endswith("-random"):
        return random_search, {"budget": settings.budget}
    return evolve, settings.evolution


def max_cost(run: Run) -> float:
    """The most multiply-adds that a path may have: the median of random paths, the same for every seed."""
    return median_cost(run.space_of_paths, named_generator(0, "median cost"), run.settings.search.cost_samples)


def search_results(found: Search, run: Run, cap: float) -> dict[str, Any]:
    """The best path with its cost, the history, every scored path, and how much the score follows the cost.

    `params` and `macs` are those of a network for ten classes (`Space.cost`); one for more has a larger classifier.
    """
    space = run.space_of_paths
    price = space.cost(found.best)
    macs = [space.cost(path).macs for path in found.scored]
    return {
        "best": {
            "path": digits(found.best),
            "architecture": space.to_string(found.best),
            "score": found.scored[found.best],
            "macs": price.macs,
            "params": price.params,
        },
        "max_cost": cap,
        "tau_score_cost": tau(list(found.scored.values()), macs),
        "history": [vars(generation) for generation in found.history],
        "scored": {digits(path): value for path, value in found.scored.items()},
    }
