"""Operations, the super-network, the networks it contains, and ResNet-32.

A backbone is written once, as a walk over values. What a value is depends on the algebra that walks: with `Eager`
it is a tensor and the walk is an ordinary forward pass; `imbnas.evaluation` walks the same code with symbols, to
find what many paths have in common before anything is computed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from imbnas.space import CellSpace, MacroSpace

Path = tuple[int, ...]
Space = CellSpace | MacroSpace
Images = Float[Tensor, "batch 3 height width"]


class BatchNorm(nn.Module):
    """Batch normalisation whose statistics can be followed, ignored or used, one choice at a time.

    `mode` is "track" (normalise by the batch, follow it with `momentum`; set by `train()`), "batch" (normalise by
    the batch, remember nothing: how a frozen backbone is run) or "stored" (use what was followed; set by `eval()`).
    There is no batch counter, so a training step launches nothing for it.
    """

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.mode, self.momentum = "track", 0.1

    def train(self, mode: bool = True) -> "BatchNorm":
        self.mode = "track" if mode else "stored"
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = (None, None) if self.mode == "batch" else (self.mean, self.variance)
        return F.batch_norm(x, mean, variance, self.weight, self.bias, self.mode != "stored", self.momentum, 1e-5)


def use_batch_statistics(net: nn.Module) -> None:
    """Normalise by the batch at hand and leave every stored statistic as it is."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.mode = "batch"


# ---------------------------------------------------------------------------------------------- operations


class Zero(nn.Module):
    """An edge that carries nothing: `none` in a cell, the residual part of `skip` in a macro layer."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution with same padding, batch norm: [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, affine: bool, stride: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), conv, BatchNorm(outputs, affine))


class Reduction(nn.Module):
    """NAS-Bench-201's residual block between stages: half the size, `outputs` channels."""

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ReLUConvBN(inputs, outputs, 3, affine, stride=2), ReLUConvBN(outputs, outputs, 3, affine)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


def operation(name: str, channels: int, affine: bool) -> nn.Module:
    """The operation called `name`, from `channels` to `channels` at the same size."""
    half = channels // 2
    make: dict[str, Callable[[], nn.Module]] = {
        "none": Zero,
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: ReLUConvBN(channels, channels, 1, affine),
        "nor_conv_3x3": lambda: ReLUConvBN(channels, channels, 3, affine),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        "skip": Zero,
        "conv3x3": lambda: ReLUConvBN(channels, channels, 3, affine),
        "conv3x3_twice": lambda: nn.Sequential(*(ReLUConvBN(channels, channels, 3, affine) for _ in range(2))),
        "bottleneck5x5": lambda: nn.Sequential(
            ReLUConvBN(channels, half, 1, affine),
            ReLUConvBN(half, half, 5, affine),
            ReLUConvBN(half, channels, 1, affine),
        ),
    }
    return make[name]()


class MixedOp(nn.ModuleList):
    """Every choice of one edge, side by side (paper, Eq. 3).

    `forward(x, choice)` runs one operation; `forward(x, weights)`, with `weights` float [choices], returns
    sum_o weights[o] * o(x). With one-hot weights the two are equal bit for bit.
    """

    def __init__(self, names: Sequence[str], channels: int, affine: bool = False) -> None:
        super().__init__(operation(name, channels, affine) for name in names)

    def forward(self, x: Tensor, selection: int | Float[Tensor, " choices"]) -> Tensor | None:
        if isinstance(selection, int):
            return None if isinstance(self[selection], Zero) else self[selection](x)
        terms = [w * op(x) for w, op in zip(selection, self, strict=True) if not isinstance(op, Zero)]
        return sum(terms[1:], terms[0])


# ----------------------------------------------------------------------------------------------- backbones


class Eager:
    """The algebra of tensors: a walk with it is a forward pass."""

    @staticmethod
    def apply(module: nn.Module, value: Tensor) -> Tensor:
        return module(value)

    @staticmethod
    def choose(edge: nn.Module, value: Tensor, selection: Any) -> Tensor | None:
        """The value that an edge carries, or None where it carries nothing."""
        if selection is not None:
            return edge(value, selection)
        return None if isinstance(edge, Zero) else edge(value)

    @staticmethod
    def add(values: Sequence[Tensor | None], like: Tensor) -> Tensor:
        present = [value for value in values if value is not None]
        return sum(present[1:], present[0]) if present else torch.zeros_like(like)


MakeEdge = Callable[[int, int], nn.Module]  # (gene, channels) -> module


class Head(nn.Sequential):
    """Batch norm, ReLU and global average: features [B, channels]."""

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__(BatchNorm(channels, affine), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class CellBackbone(nn.Module):
    """NAS-Bench-201's skeleton: stem, three stages of cells with a reduction between them, head."""

    def __init__(self, space: CellSpace, make_edge: MakeEdge, affine: bool) -> None:
        super().__init__()
        widths = [space.channels * 2**stage for stage in range(3)]
        self.edges, self.genes = space.edges, [6 * stage if space.stages == 3 else 0 for stage in range(3)]
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), BatchNorm(widths[0], affine))
        self.stages = nn.ModuleList(
            nn.ModuleList(
                nn.ModuleList(make_edge(first + edge, width) for edge in range(6)) for _ in range(space.cells)
            )
            for first, width in zip(self.genes, widths, strict=True)
        )
        self.reductions = nn.ModuleList(Reduction(width, 2 * width, affine) for width in widths[:2])
        self.head = Head(widths[2], affine)
        self.width = widths[2]

    def walk(self, value: Any, selections: Sequence[Any], algebra: Any) -> Any:
        value = algebra.apply(self.stem, value)
        for stage, cells in enumerate(self.stages):
            if stage:
                value = algebra.apply(self.reductions[stage - 1], value)
            for cell in cells:
                value = self.walk_cell(cell, value, selections[self.genes[stage] :], algebra)
        return algebra.apply(self.head, value)

    def walk_cell(self, cell: nn.ModuleList, value: Any, selections: Sequence[Any], algebra: Any) -> Any:
        nodes: list[Any] = [value]
        for target in (1, 2, 3):
            incoming = [
                algebra.choose(cell[gene], nodes[start], selections[gene])
                for gene, (start, end) in enumerate(self.edges)
                if end == target
            ]
            nodes.append(algebra.add(incoming, nodes[0]))
        return nodes[-1]


class MacroBackbone(nn.Module):
    """A stem at half size and three stages of residual layers, each layer a choice of its own."""

    def __init__(self, space: MacroSpace, make_edge: MakeEdge, affine: bool) -> None:
        super().__init__()
        widths = [space.width * 2**stage for stage in range(len(space.layers))]
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), BatchNorm(widths[0], affine))
        genes = iter(range(space.genes))
        self.stages = nn.ModuleList(
            nn.ModuleList(make_edge(next(genes), width) for _ in range(depth))
            for width, depth in zip(widths, space.layers, strict=True)
        )
        self.reductions = nn.ModuleList(
            nn.Sequential(nn.AvgPool2d(2), ReLUConvBN(width, 2 * width, 1, affine)) for width in widths[:-1]
        )
        self.head = Head(widths[-1], affine)
        self.width = widths[-1]

    def walk(self, value: Any, selections: Sequence[Any], algebra: Any) -> Any:
        value, selection = algebra.apply(self.stem, value), iter(selections)
        for stage, layers in enumerate(self.stages):
            if stage:
                value = algebra.apply(self.reductions[stage - 1], value)
            for layer in layers:
                value = algebra.add([value, algebra.choose(layer, value, next(selection))], value)
        return algebra.apply(self.head, value)


def make_backbone(space: Space, make_edge: MakeEdge, affine: bool) -> CellBackbone | MacroBackbone:
    kind = CellBackbone if isinstance(space, CellSpace) else MacroBackbone
    return kind(space, make_edge, affine)


def initialise(net: nn.Module, generator: torch.Generator | None) -> None:
    """He initialisation of every convolution; linear layers N(0, 0.01) without bias."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)


# ------------------------------------------------------------------------------------------------ networks


class SuperNet(nn.Module):
    """All paths of a space in one set of shared weights (paper, Eq. 2): a `backbone` and a linear `classifier`.

    Batch norm has no affine parameters: a path's own are learnt when it is retrained as a `SubNet`.
    """

    def __init__(self, space: Space, num_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.space = space
        self.backbone = make_backbone(space, lambda gene, width: MixedOp(space.operations, width), affine=False)
        self.classifier = nn.Linear(self.backbone.width, num_classes)
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    def features(
        self, images: Images, selection: Path | Float[Tensor, "genes choices"]
    ) -> Float[Tensor, "batch width"]:
        """What the classifier sees of `images` through one path, or through a mixture of all of them."""
        if isinstance(selection, Tensor):
            check_mixture(selection, self.space)
        else:
            self.space.check(selection)
        return self.backbone.walk(images, selection, Eager)

    def forward(
        self, images: Images, selection: Path | Float[Tensor, "genes choices"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits through a path (a tuple of ints) or a mixture (weights that sum to one per gene; Eq. 3)."""
        return self.classifier(self.features(images, selection))

    def reset_classifier(self, num_classes: int, generator: torch.Generator | None = None) -> None:
        """A fresh linear classifier for `num_classes` classes; the backbone is not touched (paper, Eq. 6)."""
        device = self.classifier.weight.device
        self.classifier = nn.Linear(self.backbone.width, num_classes)
        initialise(self.classifier, generator)
        self.classifier.to(device)


class SubNet(nn.Module):
    """One path of a space as a network of its own, with affine batch norm, to be trained from scratch."""

    def __init__(self, space: Space, path: Path, num_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        space.check(path)
        self.space, self.path = space, tuple(path)
        names = [space.operations[choice] for choice in path]
        self.backbone = make_backbone(space, lambda gene, width: operation(names[gene], width, True), affine=True)
        self.classifier = nn.Linear(self.backbone.width, num_classes)
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


# ----------------------------------------------------------------------------------------------- ResNet-32


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a parameter-free shortcut (He et al., 2016, option A)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride, self.extra = (2, outputs - inputs) if outputs > inputs else (1, 0)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False)
        self.bn1 = BatchNorm(outputs, True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm(outputs, True)

    def shortcut(self, x: Tensor) -> Tensor:
        if not self.extra:
            return x
        padding = (0, 0, 0, 0, self.extra // 2, self.extra - self.extra // 2)
        return F.pad(x[:, :, :: self.stride, :: self.stride], padding)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet32(nn.Module):
    """The CIFAR ResNet-32 of the long-tail literature: 3 stages of 5 blocks at 16, 32 and 64 channels."""

    def __init__(self, num_classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        widths = [16] * 6 + [32] * 5 + [64] * 5
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), BatchNorm(16, True), nn.ReLU())
        self.blocks = nn.Sequential(*(BasicBlock(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(64, num_classes)
        initialise(self, generator)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        return self.classifier(self.pool(self.blocks(self.stem(images))))
