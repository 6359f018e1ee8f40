"""Accuracy on a test set, overall, per class and by groups of classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn

from imbnas.data import shot_groups
from imbnas.models.checks import check_labels
from imbnas.models.operations import evaluating


@torch.inference_mode()
def confusion(
    net: nn.Module, batches: Iterable[Tensor], labels: Int[Tensor, " images"], num_classes: int
) -> Int[Tensor, "classes classes"]:
    """Counts [true class, predicted class] of `net` in evaluation mode on `batches` of normalised images.

    `net` is left in the mode that it was in.
    ValueError unless there is one label for each image, at least one, all labels and predictions are below
    `num_classes`, and all logits are finite.
    """
    with evaluating(net):
        found = [net(images) for images in batches]
    images = sum(map(len, found))
    if not 0 < images == len(labels):
        raise ValueError(f"{images} images with {len(labels)} labels: expected one label each, at least one")
    logits = torch.cat(found)
    if not logits.isfinite().all():
        raise ValueError("some logits are not finite: the network holds weights that are not; take it from before")
    predicted = logits.argmax(1)
    check_labels(labels, num_classes)
    check_labels(predicted, num_classes, "predicted class")
    return torch.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, -1).cpu()


@dataclass(frozen=True)
class Accuracy:
    """Percentages on a test set: `overall`, `per_class`, groups by training count, and thirds of the classes.

    `many` has more than 100 training images, `few` fewer than 20, `medium` the rest; a group without a class is
    None. Thirds, head, middle and tail, are of the classes in the order of their training counts, largest first
    (equal ones by index); of two classes, the middle is None.
    """

    overall: float
    class_mean: float
    per_class: list[float]
    many: float | None
    medium: float | None
    few: float | None
    head: float
    middle: float | None
    tail: float


def accuracy(counts: Int[Tensor, "classes classes"], train_counts: Sequence[int]) -> Accuracy:
    """Every reported accuracy from one confusion matrix, of two classes at least, and the training counts per class.

    ValueError unless there are two classes and every class has a test image and a training count.
    """
    if len(counts) < 2:
        raise ValueError(f"counts are of {len(counts)} classes; expected at least two to tell apart")
    tested = counts.sum(1)
    if len(train_counts) != len(counts):
        raise ValueError(f"{len(train_counts)} training counts for {len(counts)} classes; expected one per class")
    if len(empty := (tested == 0).nonzero()):
        raise ValueError(f"class {int(empty[0])} has no test image, so no accuracy; expected at least one per class")
    per_class = 100 * counts.diagonal().double() / tested.double()
    groups = {name: torch.tensor(labels, dtype=torch.int64) for name, labels in shot_groups(train_counts).items()}
    falling = torch.as_tensor(list(train_counts)).argsort(descending=True, stable=True)
    thirds = falling.tensor_split(3) if len(falling) > 2 else (falling[:1], falling[:0], falling[1:])
    groups |= dict(zip(("head", "middle", "tail"), thirds, strict=True))
    return Accuracy(
        overall=float(100 * counts.diagonal().sum().double() / counts.sum().double()),
        class_mean=float(per_class.mean()),
        per_class=[round(float(value), 4) for value in per_class],
        **{name: float(per_class[group].mean()) if len(group) else None for name, group in groups.items()},
    )
