"""The super-network and the networks it contains."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imbnas.models.backbones import Eager, make_backbone
from imbnas.models.operations import MixedOp, operation
from imbnas.space import Path, Space
from imbnas.space.base import check_whole

Images = Float[Tensor, "batch 3 height width"]


def initialise(net: nn.Module, generator: torch.Generator | None) -> None:
    """He initialisation of every convolution; linear layers N(0, 0.01) without bias."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)


def linear_classifier(features: int, num_classes: int) -> nn.Linear:
    """From [B, features] to [B, classes]; a ValueError for no class."""
    check_whole(1, num_classes=num_classes)
    return nn.Linear(features, num_classes)


class SuperNet(nn.Module):
    """All paths of a space in one set of shared weights (paper, Eq. 2): a `backbone` and a linear `classifier`.

    Batch norm has no affine parameters: a path's own are learnt when it is retrained as a `SubNet`.
    """

    def __init__(self, space: Space, num_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.space = space
        self.backbone = make_backbone(space, lambda gene, width: MixedOp(space.operations, width), affine=False)
        self.classifier = linear_classifier(self.backbone.width, num_classes)
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    def features(
        self, images: Images, selection: Path | Float[Tensor, "genes choices"]
    ) -> Float[Tensor, "batch channels"]:
        """What the classifier sees of `images` through one path, or through a mixture of all of them."""
        if isinstance(selection, Tensor):
            check_mixture(selection, self.space)
        else:
            self.space.check(selection)
        return self.backbone.walk(images, list(selection), Eager)

    def forward(
        self, images: Images, selection: Path | Float[Tensor, "genes choices"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits through a path (a tuple of ints) or a mixture (weights that sum to one per gene; Eq. 3)."""
        return self.classifier(self.features(images, selection))

    def reset_classifier(self, num_classes: int, generator: torch.Generator | None = None) -> None:
        """A fresh linear classifier for `num_classes` classes; the backbone is not touched (paper, Eq. 6).

        On the device and of the type of the one before.
        """
        weight = self.classifier.weight
        self.classifier = linear_classifier(self.backbone.width, num_classes)
        initialise(self.classifier, generator)
        self.classifier.to(weight)


class SubNet(nn.Module):
    """One path of a space as a network of its own, with affine batch norm, to be trained from scratch."""

    def __init__(self, space: Space, path: Path, num_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        space.check(path)
        self.space, self.path = space, tuple(path)
        names = [space.operations[choice] for choice in path]
        self.backbone = make_backbone(space, lambda gene, width: operation(names[gene], width, True), affine=True)
        self.classifier = linear_classifier(self.backbone.width, num_classes)
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.backbone.walk(images, [None] * self.space.genes, Eager))


def check_mixture(weights: Float[Tensor, "..."], space: Space) -> None:
    """Refuse mixture weights of the wrong shape, or that do not sum to one on every gene."""
    expected = (space.genes, space.choices)
    if tuple(weights.shape) != expected:
        raise ValueError(
            f"mixture weights have shape {tuple(weights.shape)}; {space.name} needs {expected}: one row per gene, "
            "one column per operation"
        )
    sums = weights.detach().sum(dim=1)
    if not torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        worst = int((sums - 1).abs().argmax())
        raise ValueError(
            f"mixture weights of gene {worst} sum to {float(sums[worst]):.4f}, not to 1; pass them through a softmax"
        )
