"""The signal gate: can a profile tell paths apart at all? Two P1 classifiers must rank the same paths alike."""

import statistics
from typing import Any

from scipy.stats import kendalltau

from imbnas import records
from imbnas.adaptation import adapt_p1
from imbnas.data import Batches
from imbnas.stages.common import Clock, Run, best_device, cost, load_target, named_generator, progress
from imbnas.stages.search import digits, scorer
from imbnas.stages.supernet import load_supernet, supernet_config


def gate(run: Run, paths: int = 24) -> dict[str, Any]:
    """Rank `paths` random paths with P1 classifiers of two seeds, and with P0 on the source; write the record.

    The gate is passed when the two rankings agree with Kendall's tau of at least 0.5 and the spread of scores
    between paths is at least twice their binomial standard error.
    """
    settings, space, device = run.settings, run.space_of_paths, best_device()
    config = {
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
    clock = Clock(run.max_seconds)
    target = load_target(run.target_data, run.target, run.split_seed, device)
    source = load_supernet(run.file("supernet", suffix=".safetensors"), space, device)
    drawing = named_generator(0, "gate", "paths")
    drawn = list(dict.fromkeys(space.sample(drawing) for _ in range(paths)))
    by_seed = {}
    for seed in (run.seed, run.seed + 1):
        names = ("gate", run.target, f"classifier{seed}")
        generator = named_generator(seed, "gate", run.target)
        data = named_generator(seed, "gate", run.target, "data")
        net, _ = adapt_p1(
            source,
            target.dataset.num_classes,
            Batches(target.dataset, target.split.search_train, settings.p1.batch_size, data),
            settings.p1,
            generator,
            target.weights,
            precision=settings.precision,
            checkpoint=run.work_file(config, *names),
            deadline=clock.deadline,
            report=progress(f"gate P1 {run.target} classifier {seed}"),
        )
        scored = scorer(net, target, settings.scoring, named_generator(run.seed, "scoring", run.target))(drawn)
        by_seed[f"P1-s{seed}"] = scored
    balanced = load_target(run.source, "balance", run.split_seed, device)
    source_scores = scorer(source, balanced, settings.scoring, named_generator(run.seed, "scoring", "balance"))(drawn)
    macs = [space.cost(path).macs for path in drawn]
    results = {
        "split": {run.target_data: target.split.hash},
        "paths": [digits(path) for path in drawn],
        "scores": by_seed | {"P0": source_scores},
        "macs": macs,
        **figures(list(by_seed.values()), source_scores, macs, scored_images(run, target)),
    }
    return records.write(run.file("gate", run.target), "gate", config, results, cost(clock, device))


def scored_images(run: Run, target: Any) -> int:
    images = run.settings.scoring.images
    return len(target.split.validation) if images is None else min(images, len(target.split.validation))


def figures(p1: list[list[float]], p0: list[float], macs: list[int], images: int) -> dict[str, Any]:
    """Agreement between seeds, spread against its binomial standard error, and whether both pass."""
    mean = statistics.fmean(p1[0])
    spread = statistics.stdev(p1[0])
    error = (mean * (100 - mean) / images) ** 0.5
    tau = float(kendalltau(*p1).statistic)
    return {
        "tau_between_seeds": tau,
        "mean": mean,
        "spread": spread,
        "binomial_error": error,
        "tau_with_source_scores": float(kendalltau(p1[0], p0).statistic),
        "tau_with_macs": float(kendalltau(p1[0], macs).statistic),
        "passed": bool(tau >= 0.5 and spread >= 2 * error),
    }
