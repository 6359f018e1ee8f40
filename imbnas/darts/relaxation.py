"""Eq. 3: α, the mixture it stands for, the path it ends in; and the two halves of the training set."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from imbnas.models import SuperNet
from imbnas.space import Path, Space
from imbnas.space.base import check_whole

Alpha = Float[Tensor, "genes choices"]


def start_alpha(space: Space, generator: Generator, scale: float = 1e-3) -> Alpha:
    """The α that a search begins with: nearly nothing, so that every operation weighs nearly the same."""
    return scale * torch.randn(space.genes, space.choices, generator=generator)


def mixture(alpha: Alpha) -> Alpha:
    """The weights of Eq. 3: the softmax of every gene's row, which sums to one."""
    return alpha.softmax(dim=1)


def moved(one: Alpha, other: Alpha) -> float:
    """The share of an edge's weight that two mixtures give to different operations, averaged over the edges."""
    return float((mixture(one) - mixture(other)).abs().sum(dim=1).mean() / 2)


def discretise(space: Space, alpha: Alpha, none: bool = False) -> Path:
    """The path that keeps each gene's operation of largest α (the first of equals).

    none: whether `none` may win. By default it may not, as in DARTS, and the path is alive. What `none` weighs only
    scales its edge's sum, which the next batch norm undoes, so its α says little; where it may win, it can cut the
    cell in two (`space.is_alive` tells). A space without `none` has nothing to leave out.
    """
    if alpha.shape != (space.genes, space.choices):
        expected = (space.genes, space.choices)
        raise ValueError(f"alpha has shape {tuple(alpha.shape)}; {space.name} needs {expected}: one row per gene")
    if not torch.isfinite(alpha).all():
        raise ValueError("alpha holds a number that is not finite: lower alpha_rate and search again")
    allowed = torch.tensor([none or name != "none" for name in space.operations], device=alpha.device)
    return tuple(alpha.detach().masked_fill(~allowed, -math.inf).argmax(dim=1).tolist())


def halves(
    labels: Int64[Tensor, " images"],
    index: Int64[Tensor, " chosen"],
    generator: Generator,
    per_class: int | None = None,
) -> tuple[Int64[Tensor, " a"], Int64[Tensor, " b"]]:
    """`index` in two: images for the weights and images for α, every class shared equally.

    per_class: how many images of each class count, at most; None for all. A class's odd image goes to the weights,
    so that a class of one has none for α. ValueError for an `index` of no image, and for a `per_class` below 1.
    """
    if per_class is not None:
        check_whole(1, per_class=per_class)
    if not len(index):
        raise ValueError("index is of 0 images; expected at least one to share")
    shuffled = index[torch.randperm(len(index), generator=generator)]
    chosen = labels.cpu()[shuffled]
    parts = [shuffled[chosen == label][:per_class] for label in chosen.unique()]
    return (
        torch.cat([part[: len(part) - len(part) // 2] for part in parts]),
        torch.cat([part[len(part) - len(part) // 2 :] for part in parts]),
    )


def check_halves(one: Int64[Tensor, " a"], other: Int64[Tensor, " b"]) -> None:
    """Refuse halves that share an image: α would be judged on what the weights have learnt by heart."""
    shared = sorted(set(one.tolist()) & set(other.tolist()))
    if shared:
        raise ValueError(
            f"the halves for the weights and for alpha share {len(shared)} images (the first is {shared[0]}); "
            "cut the training set with halves()"
        )


def fix_classifier(net: SuperNet, generator: Generator) -> None:
    """Make the classifier a simplex equiangular tight frame that does not learn (Pan et al., arXiv:2411.06098).

    Every class gets a unit vector, all pairs at the same angle, whatever their counts. ValueError where the
    features have fewer dimensions than there are classes, or there is a single class.
    """
    classes, channels = net.classifier.weight.shape
    if classes < 2:
        raise ValueError("the classifier has 1 class, which is at no angle to another; expected at least 2 classes")
    if channels < classes:
        raise ValueError(f"{classes} equiangular classes need as many features, the backbone has {channels}: widen it")
    basis, _ = torch.linalg.qr(torch.randn(channels, classes, generator=generator, dtype=torch.float64))
    centred = torch.eye(classes, dtype=torch.float64) - 1 / classes
    frame = math.sqrt(classes / (classes - 1)) * basis @ centred
    with torch.no_grad():
        net.classifier.weight.copy_(frame.T)
        net.classifier.bias.zero_()
    net.classifier.requires_grad_(False)
