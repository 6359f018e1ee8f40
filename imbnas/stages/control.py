"""The control row: P0's backbone, unadapted, ranked on the target by a ridge classifier per path.

Whatever it gains over P0 comes from looking at the target's images, not from adapting the super-network.
"""

import torch
from torch import Tensor

from imbnas.data import eval_batches
from imbnas.evaluation import class_worth, features, ridge, ridge_predict
from imbnas.models import SuperNet
from imbnas.models.precision import autocast
from imbnas.profiles import Scoring
from imbnas.space import Path
from imbnas.stages.target import Target, scoring_batches


def ridge_scores(
    net: SuperNet,
    paths: list[Path],
    target: Target,
    scoring: Scoring,
    generator: torch.Generator,
    images: int | None = None,
) -> list[float]:
    """Validation accuracy (percent) of every path under a ridge classifier of its own, fitted to the target.

    The classifier sees the un-augmented search-training images (`images` of them, drawn, where that is given),
    class-weighted.
    """
    statistics, validation, labels = scoring_batches(target, scoring, generator)
    data, index = target.dataset, target.split.search_train.to(target.dataset.device)
    if images is not None and images < len(index):
        index = index[torch.randperm(len(index), generator=generator)[:images].to(index.device)]
    train = list(eval_batches(data.train_images[index], data.mean, data.std, scoring.batch_size))
    train_labels, classes = data.train_labels[index], data.num_classes
    worth = class_worth(labels) if target.class_mean else 1.0
    found = []
    for group in batched(paths, 25):
        with autocast(data.device, scoring.precision):
            seen = features(net, list(group), statistics, [*train, *validation])
        for rows in seen:
            predicted = predict(rows.float(), len(index), train_labels, classes, target.weights)
            found.append(100 * float(((predicted == labels).double() * worth).mean()))
    return found


def batched(paths: list[Path], size: int) -> list[list[Path]]:
    """Paths in groups that share computations; their features must fit in memory together."""
    return [paths[start : start + size] for start in range(0, len(paths), size)]


def predict(rows: Tensor, train: int, labels: Tensor, num_classes: int, weights: Tensor | None) -> Tensor:
    """Fit on the first `train` rows, predict the rest."""
    return ridge_predict(rows[train:], ridge(rows[:train], labels, num_classes, weights))
