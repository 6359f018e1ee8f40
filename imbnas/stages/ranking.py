"""The paths on which rankings are judged: one fixed set per space, retrained one by one, scored by every procedure.

Winners' accuracies can't tell procedures apart at few seeds; the order in which a procedure puts the same paths can.
The set is stratified by cost, and its first 6, 12 or 24 paths are stratified too, so that a short run is a fair one.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from imbnas import benchmark, records
from imbnas.names import ON_SOURCE, SCORED
from imbnas.space import CellSpace, Path, Space, digits
from imbnas.stages.clock import Clock, cost
from imbnas.stages.device import best_device
from imbnas.stages.draws import distinct_paths, named_generator
from imbnas.stages.retrain import alone, retrain_config, train_and_test
from imbnas.stages.run import Run
from imbnas.stages.scoring import scores_of
from imbnas.stages.search import adaptation, adapted, search_config
from imbnas.stages.target import load_target, worth_images
from imbnas.typed import expect_one_of

COUNT = 48
EIGHTHS = (0, 4, 2, 6, 1, 5, 3, 7)  # the order in which eighths of the strata are taken: every beginning is spread
DRAWN_PER_STRATUM = 100
NAMED = {"named-ce": False, "named-drw": True}  # the retraining of a named architecture: is its loss re-weighted?
NORM = {"P0-tracked": "tracked", "P1-frozen": "source"}  # batch norm that is not re-estimated on the scored data set


def ranked_paths(space: Space, count: int = COUNT) -> list[Path]:
    """The first `count` of the 48 paths of `space`: distinct, one per stratum of multiply-adds.

    4,800 random paths are ordered by their cost and cut into 48 strata; the first drawn of each stratum is taken.
    A smaller space has smaller strata; ValueError where it has fewer than 48 paths. In a space of one cell the strata
    are those of the distinct living cells (`benchmark.stratified`), whose published accuracies are known.
    """
    if not 1 <= count <= COUNT:
        raise ValueError(f"count is {count}; expected 1 to {COUNT} paths")
    return list(stratified(space)[:count])


@cache
def stratified(space: Space) -> tuple[Path, ...]:
    """All 48 paths of the set."""
    taken = published_cells(space) if isinstance(space, CellSpace) and space.stages == 1 else drawn_paths(space)
    return tuple(taken[i] for eighth in EIGHTHS for i in range(eighth, COUNT, 8))


def published_cells(space: CellSpace) -> list[Path]:
    """One distinct cell of NAS-Bench-201 per stratum, cheapest first."""
    cells = benchmark.stratified(COUNT, named_generator(0, "ranking", "cells"))
    return [space.from_string(cell) for cell in cells]


def drawn_paths(space: Space) -> list[Path]:
    """One of 4,800 random paths per stratum, cheapest first."""
    size = min(DRAWN_PER_STRATUM, space.size // COUNT)
    if not size:
        raise ValueError(f"{space} has {space.size} paths; expected at least {COUNT}, one for each stratum")
    paths = distinct_paths(space, COUNT * size, named_generator(0, "ranking", "paths"))
    drawn = {path: place for place, path in enumerate(paths)}
    by_cost = sorted(drawn, key=lambda path: (space.cost(path).macs, drawn[path]))
    strata = [by_cost[i * size : (i + 1) * size] for i in range(COUNT)]
    return [min(stratum, key=drawn.__getitem__) for stratum in strata]


def retrain_path(run: Run, path: int) -> dict[str, Any]:
    """Retrain path number `path` of the set on the target, by the recipe that winners get; write its record."""
    if type(path) is not int or not 0 <= path < COUNT:
        raise ValueError(f"path is {path!r}; expected the number of a path of the set, 0 to {COUNT - 1}")
    chosen = ranked_paths(run.space_of_paths)[path]
    file = run.file("path", f"{path:02d}", run.target)
    told = {"procedure": "path", "path": told_of(run, chosen) | {"number": path}}
    return train_and_test(run, alone(run, chosen), retrain_config(run, digits(chosen)), file, told)


def told_of(run: Run, path: Path) -> dict[str, Any]:
    """A path's printed architecture and its cost, `params` and `macs` of a network for ten classes (`Space.cost`)."""
    space = run.space_of_paths
    return {"architecture": space.to_string(path), **vars(space.cost(path))}


def retrain_named(run: Run, architecture: Any, procedure: str) -> dict[str, Any]:
    """Retrain any architecture, in its printed form, by the profile's recipe; write its record.

    "named-ce" trains with plain cross-entropy, "named-drw" with deferred re-weighting. ValueError for an architecture
    that is none of the space, or carries nothing from its input to its output.
    """
    expect_one_of("procedure", procedure, NAMED)
    path = living(run.space_of_paths, architecture)
    network = digits(path)
    file = run.file(procedure, network, run.target)
    told = {"procedure": procedure, "path": told_of(run, path)}
    return train_and_test(run, alone(run, path), retrain_config(run, network, NAMED[procedure]), file, told)


def living(space: Space, architecture: Any) -> Path:
    """The path that is printed so; ValueError where there is none, or a dead one."""
    if not isinstance(architecture, str):
        raise ValueError(f"architecture is {architecture!r}; expected its printed form, as {example(space)}")
    path = space.from_string(architecture)
    if not space.is_alive(path):
        raise ValueError(f"architecture {architecture!r} is dead: every way through it is `none`; name a living one")
    return path


def example(space: Space) -> str:
    """A printed architecture of the space."""
    return space.to_string(ranked_paths(space, 1)[0])


def score_paths(run: Run, procedure: str) -> dict[str, Any]:
    """Scores of all 48 paths by `procedure`, on all validation images; write the record.

    "control" adapts nothing and fits a ridge classifier per path; "P1-ce" is P1 without re-weighting,
    "P1-untrained" is P1 on a backbone of random weights: what the wiring alone gives. Batch norm is re-estimated per
    path on the data that are scored, but in "P0-tracked", where it is what the training followed for all paths
    together, and in "P1-frozen", where it is re-estimated on the source.
    """
    expect_one_of("procedure", procedure, SCORED)
    clock, device, paths = Clock(run.max_seconds), best_device(), ranked_paths(run.space_of_paths)
    training = adaptation_config(run, procedure)
    config = scores_config(run, procedure, training)
    file = run.file("scores", procedure, *([] if procedure in ON_SOURCE else [run.target]))
    records.refuse_unwritable(file, config)
    target = load_target(config["data"], config["target"], run.split_seed, device)
    net, log = adapted(run, training["procedure"], target, training, clock.deadline, device)
    clock.seconds["adaptation"] = log.seconds  # before a stop too
    with clock.part("scoring"):
        scores = scores_of(run, net, target, config)(paths)
    results = {
        "split": {config["data"]: target.split.hash},
        "scored": {digits(path): score for path, score in zip(paths, scores, strict=True)},
        "images": worth_images(target, target.validation_labels),
    }
    return records.write(file, "scores", config, results, cost(clock, device))


def adaptation_config(run: Run, procedure: str) -> dict[str, Any]:
    """The adaptation behind a procedure's scores, described as its search describes it, so that both share one."""
    if procedure == "P1-ce":
        return search_config(run, "P1") | {"reweight": False}
    if procedure == "P1-untrained":
        return search_config(run, "P1") | {"supernet": "untrained"}
    return search_config(run, "P0" if procedure == "control" else adaptation(procedure))


def scores_config(run: Run, procedure: str, training: dict[str, Any]) -> dict[str, Any]:
    """What a procedure's scores depend on: its adaptation, and every validation image there is."""
    config = {name: value for name, value in training.items() if name != "search"}
    config |= {"stage": "scores", "procedure": procedure, "scoring": replace(run.settings.scoring, images=None)}
    if procedure in NORM:
        config["statistics"] = NORM[procedure]
    return config | ({"data": run.target_data, "target": run.target} if procedure == "control" else {})
