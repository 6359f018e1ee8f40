"""The backbones of the two spaces, each written once, as a walk over values.

What a value is depends on the algebra that walks: with `Eager` it is a tensor and the walk is an ordinary forward
pass; `imbnas.evaluation` walks the same code with symbols, to find what many paths have in common before anything
is computed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from imbnas.models.operations import BatchNorm, Reduction, ReLUConvBN, Zero
from imbnas.space import CellSpace, MacroSpace, Space


def carries(edge: nn.Module, selection: Any) -> bool:
    """Whether an edge carries anything; `selection` is an operation, a mixture, or None where the edge is one."""
    return not isinstance(edge[selection] if isinstance(selection, int) else edge, Zero)


class Eager:
    """The algebra of tensors: a walk with it is a forward pass."""

    carries = staticmethod(carries)

    @staticmethod
    def apply(module: nn.Module, value: Tensor) -> Tensor:
        return module(value)

    @staticmethod
    def choose(edge: nn.Module, value: Tensor, selection: Any) -> Tensor:
        return edge(value) if selection is None else edge(value, selection)

    @staticmethod
    def add(values: Sequence[Tensor], like: Tensor) -> Tensor:
        return sum(values[1:], values[0]) if values else torch.zeros_like(like)


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
        """The last node, from its end: a node whose outgoing edges carry nothing is never computed."""
        nodes = {0: value}

        def node(number: int) -> Any:
            if number not in nodes:
                incoming = [
                    algebra.choose(cell[gene], node(start), selections[gene])
                    for gene, (start, end) in enumerate(self.edges)
                    if end == number and algebra.carries(cell[gene], selections[gene])
                ]
                nodes[number] = algebra.add(incoming, value)
            return nodes[number]

        return node(3)


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
                if algebra.carries(layer, chosen := next(selection)):
                    value = algebra.add([value, algebra.choose(layer, value, chosen)], value)
        return algebra.apply(self.head, value)


def make_backbone(space: Space, make_edge: MakeEdge, affine: bool) -> CellBackbone | MacroBackbone:
    for kind, backbone in ((CellSpace, CellBackbone), (MacroSpace, MacroBackbone)):
        if isinstance(space, kind):
            return backbone(space, make_edge, affine)
    raise ValueError(f"space is {space!r}: expected a CellSpace or a MacroSpace, as `parse_space` makes of a name")
