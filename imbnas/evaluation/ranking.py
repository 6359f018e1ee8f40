"""Scores of many paths by one super-network, and what a classifier would see of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from imbnas.evaluation.plan import Plan
from imbnas.models import SuperNet
from imbnas.models.checks import check_classes
from imbnas.models.precision import autocast, check_precision
from imbnas.space import Path


@dataclass(frozen=True)
class Scores:
    """Of every path: `accuracy` (percent) and mean cross-entropy `loss` on the validation images."""

    accuracy: list[float]
    loss: list[float]


@torch.inference_mode()
def rank(
    net: SuperNet,
    paths: Sequence[Path],
    statistics: Iterable[Tensor],
    validation: Iterable[Tensor],
    labels: Int64[Tensor, " images"],
    precision: str = "float32",
    class_mean: bool = False,
) -> Scores:
    """Score `paths` with `net`'s shared weights and its classifier.

    statistics: batches of normalised images on which batch norm is re-estimated for every path; none at all for what
    the training followed, of all paths together.
    validation: batches of normalised images that are scored, and their `labels`.
    precision: "float32", the weights' own, "bf16" for twice the speed and a little noise, or "float64" for weights
    that are (`imbnas.models.precision.autocast`).
    class_mean: every class counts the same in the accuracy, for validation images that are long-tailed themselves.
    ValueError for a path of another space, for another precision, where a loss is not finite, and unless there is one
    label for each validation image, at least one, each of a class of `net`'s classifier.
    """
    statistics, validation = list(statistics), list(validation)  # an iterator would be used up by the count
    images = sum(map(len, validation))
    if not 0 < images == len(labels):
        raise ValueError(f"{images} validation images with {len(labels)} labels: expected one label each, at least one")
    check_classes(net, labels)
    check_precision(net, precision)
    with autocast(labels.device, precision):
        return score(Plan(net, paths), net.classifier, statistics, validation, labels, class_mean)


def class_worth(labels: Int64[Tensor, " images"]) -> Float[Tensor, " images"]:
    """What each image counts for so that every class present counts the same; 1 on average."""
    counts = torch.bincount(labels)
    return len(labels) / ((counts > 0).sum() * counts[labels]).double()


def score(
    plan: Plan,
    classifier: nn.Module,
    statistics: Sequence[Tensor],
    validation: Sequence[Tensor],
    labels: Int64[Tensor, " images"],
    class_mean: bool = False,
) -> Scores:
    """Accuracy and loss of every output of `plan` under one classifier."""
    plan.estimate(statistics)
    worth = class_worth(labels) if class_mean else None
    correct, loss, start = dict.fromkeys(plan.outputs, 0), dict.fromkeys(plan.outputs, 0.0), 0
    for images in validation:
        truth = labels[start : start + len(images)]
        for number, features in plan.run(images):
            logits = classifier(features)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            right = logits.argmax(1) == truth
            correct[number] += right.sum() if worth is None else (worth[start : start + len(images)] * right).sum()
            loss[number] += nn.functional.cross_entropy(logits, truth, reduction="sum")
        start += len(images)
    lost = [number for number in plan.outputs if not math.isfinite(float(loss[number]))]
    if lost:
        raise ValueError(
            f"{len(lost)} of {len(loss)} losses are not finite: the network or its classifier holds weights that are "
            "not; take it from before they became so"
        )
    return Scores(
        [100 * float(correct[number]) / len(labels) for number in plan.outputs],
        [float(loss[number]) / len(labels) for number in plan.outputs],
    )


@torch.inference_mode()
def features(
    net: SuperNet, paths: Sequence[Path], statistics: Sequence[Tensor], batches: Sequence[Tensor]
) -> list[Float[Tensor, "images channels"]]:
    """What the classifier would see of the images in `batches`, for every path, with re-estimated batch norm."""
    plan = Plan(net, paths)
    plan.estimate(statistics)
    parts: dict[int, list[Tensor]] = {number: [] for number in plan.outputs}
    for images in batches:
        for number, value in plan.run(images):
            parts[number].append(value)
    return [torch.cat(parts[number]) for number in plan.outputs]
