"""The control row: P0's backbone, unadapted, ranked on the target by a ridge classifier per path.

Whatever it gains over P0 comes from looking at the target's validation images, not from adapting the super-network.
"""

from typing import Any

import torch
from torch import Tensor

from imbnas import records
from imbnas.data import eval_batches
from imbnas.evaluation import class_worth, features, ridge, ridge_predict
from imbnas.models import SuperNet
from imbnas.profiles import Scoring
from imbnas.stages.common import (
    Clock,
    Run,
    Target,
    best_device,
    cost,
    load_target,
    named_generator,
    scoring_batches,
)
from imbnas.stages.search import digits
from imbnas.stages.supernet import load_supernet, supernet_config
from imbnas.training import autocast

Path = tuple[int, ...]


def ridge_scores(
    net: SuperNet,
    paths: list[Path],
    target: Target,
    scoring: Scoring,
    generator: torch.Generator,
    weighted: bool = True,
    images: int | None = None,
) -> list[float]:
    """Validation accuracy (percent) of every path under a ridge classifier of its own, fitted to the target.

    The classifier sees the un-augmented search-training images (`images` of them, drawn, where that is given),
    class-weighted unless `weighted` is False.
    """
    statistics, validation, labels = scoring_batches(target, scoring, generator)
    data, index = target.dataset, target.split.search_train.to(target.dataset.device)
    if images is not None and images < len(index):
        index = index[torch.randperm(len(index), generator=generator)[:images].to(index.device)]
    train = list(eval_batches(data.train_images[index], data.mean, data.std, scoring.batch_size))
    train_labels, classes = data.train_labels[index], data.num_classes
    weights = target.weights if weighted else None
    worth = class_worth(labels) if target.class_mean else 1.0
    found = []
    for group in batched(paths, 25):
        with autocast(data.device, scoring.precision):
            seen = features(net, list(group), statistics, [*train, *validation])
        for rows in seen:
            predicted = predict(rows.float(), len(index), train_labels, classes, weights)
            found.append(100 * float(((predicted == labels).double() * worth).mean()))
    return found


def batched(paths: list[Path], size: int) -> list[list[Path]]:
    """Paths in groups that share computations; their features must fit in memory together."""
    return [paths[start : start + size] for start in range(0, len(paths), size)]


def predict(rows: Tensor, train: int, labels: Tensor, num_classes: int, weights: Tensor | None) -> Tensor:
    """Fit on the first `train` rows, predict the rest."""
    return ridge_predict(rows[train:], ridge(rows[:train], labels, num_classes, weights))


def control(run: Run, paths: int = 50) -> dict[str, Any]:
    """Score `paths` random paths and keep the best: what P0's features say of the target without adaptation."""
    clock, device, space = Clock(run.max_seconds), best_device(), run.space_of_paths
    supernet_identity = records.identity(records.plain(supernet_config(run)))
    config = {
        "stage": "control",
        "data": run.target_data,
        "target": run.target,
        "space": run.space,
        "supernet": supernet_identity,
        "scoring": run.settings.scoring,
        "paths": paths,
        "seed": run.seed,
        "split_seed": run.split_seed,
    }
    target = load_target(run.target_data, run.target, run.split_seed, device)
    net = load_supernet(run.file("supernet", suffix=".safetensors"), space, device)
    generator = named_generator(run.seed, "control", "paths")
    drawn = list(dict.fromkeys(space.sample(generator) for _ in range(paths)))
    with clock.part("scoring"):
        scoring_generator = named_generator(run.seed, "scoring", run.target)
        scores = ridge_scores(net, drawn, target, run.settings.scoring, scoring_generator)
    best = max(range(len(drawn)), key=scores.__getitem__)
    results = {
        "split": {run.target_data: target.split.hash},
        "best": {
            "path": digits(drawn[best]),
            "architecture": space.to_string(drawn[best]),
            "score": scores[best],
            **vars(space.cost(drawn[best])),
        },
        "scored": {digits(path): score for path, score in zip(drawn, scores, strict=True)},
    }
    return records.write(run.file("control", run.target), "control", config, results, cost(clock, device))
