"""The signal gate: can a profile tell paths apart at all? Two P1 classifiers must rank the same paths alike."""

import statistics
from typing import Any

from imbnas import records
from imbnas.models import SuperNet
from imbnas.profiles import ENOUGH_AGREEMENT, ENOUGH_SPREAD
from imbnas.space import digits
from imbnas.space.base import check_whole
from imbnas.stages.adapt import adapt
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.device import best_device
from imbnas.stages.draws import named_generator, random_paths
from imbnas.stages.run import Run
from imbnas.stages.scoring import scorer, tau
from imbnas.stages.supernet import load_source, supernet_config
from imbnas.stages.target import Target, load_target, scoring_batches, worth_images
from imbnas.statistics.scores import binomial_error
from imbnas.training import Log


def gate_config(run: Run, paths: int) -> dict[str, Any]:
    """What the gate's figures depend on."""
    settings = run.settings
    return {
        "stage": "gate",
        "data": run.target_data,
        "target": run.target,
        "space": run.space,
        "supernet": records.identity(records.plain(supernet_config(run))),
        "recipe": settings.p1,
        "scoring": settings.scoring,
        "precision": settings.precision,
        "paths": paths,
        "seed": run.seed,
        "split_seed": run.split_seed,
    }


def gate(run: Run, paths: int = 24) -> dict[str, Any]:
    """Rank `paths` random paths with P1 classifiers of two seeds, and with P0 on the source; write the record.

    Two of the gate's three parts are judged here: the rankings agree with Kendall's tau of at least 0.5, and the
    spread of scores between paths is at least twice their binomial standard error. The third, the spread of retrained
    accuracies against that between seeds, needs retrainings and is not. ValueError for a single path, which differs
    from none.
    """
    check_whole(2, paths=paths)
    config, clock, device = gate_config(run, paths), Clock(run.max_seconds), best_device()
    file = run.file("gate", run.target)
    records.refuse_unwritable(file, config)
    target = load_target(run.target_data, run.target, run.split_seed, device)
    source = load_source(run, device)
    drawn = random_paths(run.space_of_paths, paths)
    by_seed, spent = {}, 0.0
    for seed in seeds(run):
        net, log = classifier(run, seed, source, target, config, clock.deadline)
        spent += log.seconds
        with clock.part("scoring"):
            draws = named_generator(run.seed, "scoring", run.target)
            by_seed[f"P1-s{seed}"] = scorer(net, target, run.settings.scoring, draws)(drawn)
    clock.seconds["adaptation"] = spent  # before a stop too
    with clock.part("scoring"):
        balanced = load_target(run.source, "balance", run.split_seed, device)
        of_source = named_generator(run.seed, "scoring", "balance")
        source_scores = scorer(source, balanced, run.settings.scoring, of_source)(drawn)
    macs = [run.space_of_paths.cost(path).macs for path in drawn]
    results = {
        "split": {run.target_data: target.split.hash},
        "paths": [digits(path) for path in drawn],
        "scores": by_seed | {"P0": source_scores},
        "macs": macs,
        **figures(list(by_seed.values()), source_scores, macs, scored_images(run, target)),
    }
    return records.write(file, "gate", config, results, cost(clock, device))


def seeds(run: Run) -> tuple[int, int]:
    """Of the two P1 classifiers: the run's and the next."""
    return run.seed, run.seed + 1


def classifier(
    run: Run, seed: int, source: SuperNet, target: Target, config: dict[str, Any], deadline: float | None
) -> tuple[SuperNet, Log]:
    """The source with a P1 classifier that was trained with its own seed."""
    settings = run.settings
    return adapt(
        "P1",
        source,
        target,
        settings.p1,
        named_generator(seed, "gate", run.target, "data"),
        named_generator(seed, "gate", run.target),
        precision=settings.precision,
        checkpoint=run.work_file(config, "gate", run.target, f"classifier{seed}", split=target.split.hash),
        deadline=deadline,
        report=progress(f"gate P1 {run.target} classifier {seed}"),
    )


def scored_images(run: Run, target: Target) -> float:
    """How many images a score of the gate is as sure as (`worth_images`)."""
    _, _, labels = scoring_batches(target, run.settings.scoring, named_generator(run.seed, "scoring", run.target))
    return worth_images(target, labels)


def figures(p1: list[list[float]], p0: list[float], macs: list[int], images: float) -> dict[str, Any]:
    """Agreement between seeds, spread against its binomial standard error, and whether both are enough.

    images: as many independent ones as a score is as sure as (`scored_images`).
    """
    mean = statistics.fmean(p1[0])
    spread = statistics.stdev(p1[0])
    error = binomial_error(mean, images)
    between = tau(*p1)
    return {
        "tau_between_seeds": between,
        "mean": mean,
        "spread": spread,
        "binomial_error": error,
        "tau_with_source_scores": tau(p1[0], p0),
        "tau_with_macs": tau(p1[0], macs),
        "rankings_agree": between is not None and between >= ENOUGH_AGREEMENT,
        "paths_differ": spread > 0 and spread >= ENOUGH_SPREAD * error,
    }
