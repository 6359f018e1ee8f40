"""Accuracy, and the ranking of many paths by one super-network.

Paths of a population have much in common. `Plan` walks each path with symbols instead of tensors, so that equal
computations get the same number and are done once. Batch-norm statistics depend only on what comes before, so
their re-estimation is shared too, and the scores are those that each path would get alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imbnas.data import shot_groups
from imbnas.models import BatchNorm, SuperNet, Zero, carries
from imbnas.training import autocast

Path = tuple[int, ...]


# ----------------------------------------------------------------------------------------------- accuracy


@torch.inference_mode()
def confusion(
    net: nn.Module, batches: Iterable[Tensor], labels: Int[Tensor, " images"], num_classes: int
) -> Int[Tensor, "classes classes"]:
    """Counts [true class, predicted class] of `net` in evaluation mode on `batches` of normalised images."""
    net.eval()
    predicted = torch.cat([net(images).argmax(1) for images in batches])
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
    """Every reported accuracy from one confusion matrix, of two classes at least, and the training counts per class."""
    per_class = 100 * counts.diagonal().double() / counts.sum(1).clamp(min=1).double()
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


# ------------------------------------------------------------------------------------- shared computations


@dataclass
class Node:
    """One computation of a plan: a module on one value, or the sum of several (`module` None)."""

    module: nn.Module | None
    inputs: tuple[int, ...]
    uses: int = 0
    statistics: list[tuple[Tensor, Tensor]] = field(default_factory=list)


class Plan:
    """The computations of many paths, each distinct one once; an algebra for `Backbone.walk`.

    Value 0 is the images. `outputs[i]` is the number of the features of `paths[i]`. ValueError for a path that is
    none of the network's space.
    """

    carries = staticmethod(carries)

    def __init__(self, net: SuperNet, paths: Sequence[Path]) -> None:
        for path in paths:
            net.space.check(path)
        self.nodes, self.numbers = [Node(None, ())], {}
        outputs = {path: net.backbone.walk(0, path, self) for path in sorted(set(map(tuple, paths)))}
        self.outputs = [outputs[tuple(path)] for path in paths]
        for number in (*(i for node in self.nodes for i in node.inputs), *set(self.outputs)):
            self.nodes[number].uses += 1

    def number(self, module: nn.Module | None, inputs: tuple[int, ...]) -> int:
        pure = module is None or not module.state_dict()  # ReLU or pooling: the same on every edge
        key = (repr(module) if pure else id(module), inputs)
        if key not in self.numbers:
            self.numbers[key] = len(self.nodes)
            self.nodes.append(Node(module, inputs))
        return self.numbers[key]

    def apply(self, module: nn.Module, value: int) -> int:
        if isinstance(module, nn.Sequential):
            for part in module:
                value = self.apply(part, value)
            return value
        return value if isinstance(module, nn.Identity) else self.number(module, (value,))

    def choose(self, edge: nn.ModuleList, value: int, selection: int) -> int:
        return self.apply(edge[selection], value)

    def add(self, values: Sequence[int], like: int) -> int:
        if len(values) == 1:
            return values[0]
        return self.number(None, tuple(values)) if values else self.number(ZERO, (like,))

    def estimate(self, batches: Iterable[Tensor]) -> None:
        """Batch-norm statistics of every computation: the plain average over `batches` of each batch's own."""
        for seen, images in enumerate(batches):
            for _ in self.run(images, momentum=1 / (seen + 1)):
                pass

    def run(self, images: Tensor, momentum: float | None = None) -> Iterator[tuple[int, Tensor]]:
        """(number, features) of every output on `images`; with `momentum`, statistics are followed meanwhile."""
        values, left, wanted = {0: images}, [node.uses for node in self.nodes], set(self.outputs)
        for number, node in enumerate(self.nodes):
            if number:
                values[number] = compute(node, [values[i] for i in node.inputs], momentum)
                for i in node.inputs:
                    release(values, left, i)
            if number in wanted:
                yield number, values[number]
                release(values, left, number)


ZERO = Zero()


def release(values: dict[int, Any], left: list[int], number: int) -> None:
    """Forget a value after its last use."""
    left[number] -= 1
    if not left[number]:
        del values[number]


def fresh(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Mean and variance to be estimated."""
    return torch.zeros_like(norm.mean), torch.ones_like(norm.variance)


def compute(node: Node, inputs: list[Tensor], momentum: float | None) -> Tensor:
    """The value of one node; its batch norms use, or follow, the node's own statistics."""
    if node.module is None:
        return sum(inputs[1:], inputs[0])
    norms = [module for module in node.module.modules() if isinstance(module, BatchNorm)]
    if norms and not node.statistics:
        node.statistics = [(n.mean, n.variance) if momentum is None else fresh(n) for n in norms]
    kept = [(n.mean, n.variance, n.mode, n.momentum) for n in norms]
    for norm, (mean, variance) in zip(norms, node.statistics, strict=True):
        norm.mean, norm.variance = mean, variance
        norm.mode, norm.momentum = ("stored", 0.0) if momentum is None else ("track", momentum)
    value = node.module(inputs[0])
    for norm, (mean, variance, mode, previous) in zip(norms, kept, strict=True):
        norm.mean, norm.variance, norm.mode, norm.momentum = mean, variance, mode, previous
    return value


# ------------------------------------------------------------------------------------------------- ranking


@dataclass(frozen=True)
class Scores:
    """Of every path: `accuracy` (percent) and mean cross-entropy `loss` on the validation images."""

    accuracy: list[float]
    loss: list[float]


@torch.inference_mode()
def rank(
    net: SuperNet,
    paths: Sequence[Path],
    statistics: Sequence[Tensor],
    validation: Sequence[Tensor],
    labels: Int[Tensor, " images"],
    precision: str = "float32",
    class_mean: bool = False,
) -> Scores:
    """Score `paths` with `net`'s shared weights and its classifier.

    statistics: batches of normalised images on which batch norm is re-estimated for every path; none at all for what
    the training followed, of all paths together.
    validation: batches of normalised images that are scored, and their `labels`.
    precision: "float32", or "bf16" for twice the speed and a little noise (`imbnas.training.autocast`).
    class_mean: every class counts the same in the accuracy, for validation images that are long-tailed themselves.
    ValueError for a path of another space, and unless there is one label for each validation image, at least one.
    """
    images = sum(map(len, validation))
    if not 0 < images == len(labels):
        raise ValueError(f"{images} validation images with {len(labels)} labels: expected one label each, at least one")
    with autocast(labels.device, precision):
        return score(Plan(net, paths), net.classifier, statistics, validation, labels, class_mean)


def class_worth(labels: Int[Tensor, " images"]) -> Float[Tensor, " images"]:
    """What each image counts for so that every class present counts the same; 1 on average."""
    counts = torch.bincount(labels)
    return len(labels) / ((counts > 0).sum() * counts[labels]).double()


def score(
    plan: "Plan",
    classifier: nn.Module,
    statistics: Sequence[Tensor],
    validation: Sequence[Tensor],
    labels: Int[Tensor, " images"],
    class_mean: bool = False,
) -> Scores:
    """Accuracy and loss of every output of `plan` under one classifier."""
    plan.estimate(statistics)
    worth = class_worth(labels) if class_mean else None
    correct, loss, start = dict.fromkeys(plan.outputs, 0), dict.fromkeys(plan.outputs, 0.0), 0
    for images in validation:
        truth = labels[start : start + len(images)]
        for number, features in plan.run(images):
            logits = classifier(features).float()
            right = logits.argmax(1) == truth
            correct[number] += right.sum() if worth is None else (worth[start : start + len(images)] * right).sum()
            loss[number] += nn.functional.cross_entropy(logits, truth, reduction="sum")
        start += len(images)
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


def ridge(
    train: Float[Tensor, "images channels"],
    train_labels: Int[Tensor, " images"],
    num_classes: int,
    weights: Float[Tensor, " classes"] | None = None,
    penalty: float = 1.0,
) -> Float[Tensor, "channels_and_one classes"]:
    """A ridge classifier in closed form: least squares on one-hot labels, class-weighted, with an intercept.

    Returns the coefficients, the last row the intercept; predict with `ridge_predict`.
    """
    x = torch.cat([train.double(), torch.ones(len(train), 1, dtype=torch.float64, device=train.device)], 1)
    y = nn.functional.one_hot(train_labels, num_classes).double()
    w = torch.ones(len(x), 1, dtype=torch.float64, device=x.device)
    if weights is not None:
        w = weights.double().to(x.device)[train_labels].unsqueeze(1)
    gram = x.T @ (w * x) + penalty * torch.eye(x.shape[1], dtype=torch.float64, device=x.device)
    return torch.linalg.solve(gram, x.T @ (w * y))


def ridge_predict(x: Float[Tensor, "images channels"], coefficients: Tensor) -> Int[Tensor, " images"]:
    """The class of every row of features by a classifier from `ridge`."""
    return (x.double() @ coefficients[:-1] + coefficients[-1]).argmax(1)
