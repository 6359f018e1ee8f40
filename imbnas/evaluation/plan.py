"""The computations that the paths of a population have in common, each done once.

`Plan` walks each path with symbols instead of tensors, so that equal computations get the same number. Batch-norm
statistics depend only on what comes before, so their re-estimation is shared too, and the values are those that each
path would get alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from imbnas.models import BatchNorm, SuperNet, Zero, carries
from imbnas.space import Path


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
    try:
        for norm, (mean, variance) in zip(norms, node.statistics, strict=True):
            norm.mean, norm.variance = mean, variance
            norm.mode, norm.momentum = ("stored", 0.0) if momentum is None else ("track", momentum)
        return node.module(inputs[0])
    finally:
        for norm, (mean, variance, mode, previous) in zip(norms, kept, strict=True):
            norm.mean, norm.variance, norm.mode, norm.momentum = mean, variance, mode, previous
