"""A path's operations as pieces: each runs forward and backward by itself, between two values."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from imbnas.losses import weighted_cross_entropy
from imbnas.models.precision import autocast
from imbnas.training.graphs import WARM, Recorder
from imbnas.training.steps import Labels, Weights


class Value:
    """What flows between pieces: always at the same place, once it is known.

    learns: whether it has a gradient, by which the weights before it are trained.
    """

    def __init__(self, data: Float[Tensor, "..."] | None = None, learns: bool = False) -> None:
        self.data, self.gradient, self.learns = data, None, learns

    def receive(self, output: Float[Tensor, "..."]) -> None:
        """Add what a piece computed; the first time, make the place for it, and one for the gradient."""
        if self.data is None:
            self.data = torch.zeros_like(output)
            self.gradient = torch.zeros_like(output) if self.learns else None
        self.data.add_(output.detach())

    @property
    def places(self) -> list[Float[Tensor, "..."]]:
        return [place for place in (self.data, self.gradient) if place is not None]


class Piece:
    """One operation from `source` to `target` and the update of its weights; recorded after a few ordinary runs.

    module: from the source's data to the output; without a target `run` makes the loss of it.
    optimizer: of the operation's own weights, where it has any that learn.
    """

    def __init__(
        self,
        module: nn.Module,
        source: Value,
        target: Value | None,
        optimizer: torch.optim.SGD | None,
        precision: str,
    ) -> None:
        self.module, self.source, self.target = module, source, target
        self.optimizer, self.precision = optimizer, precision
        self.parameters = [] if optimizer is None else optimizer.param_groups[0]["params"]
        self.learns = bool(self.parameters) or source.learns
        self.runs = 0
        self.graphs: list[torch.cuda.CUDAGraph] = []

    def run(self, data: Float[Tensor, "batch ..."]) -> Float[Tensor, "..."]:
        with autocast(data.device, self.precision):
            return self.module(data)

    def compute(self) -> None:
        """The forward part."""
        self.leaf = self.source.data.detach().requires_grad_(self.source.learns)
        with torch.set_grad_enabled(self.learns):
            self.output = self.run(self.leaf)
        if self.target is not None:
            self.target.receive(self.output)

    def learn(self) -> None:
        """The backward part: the gradient by the source, and an update."""
        sources = [self.leaf] if self.leaf.requires_grad else []
        given = None if self.target is None else self.target.gradient
        found = torch.autograd.grad(self.output, [*sources, *self.parameters], given, retain_graph=True)
        if sources:
            self.source.gradient.add_(found[0])
        for parameter, gradient in zip(self.parameters, found[len(sources) :], strict=True):
            parameter.grad = laid_out_like(parameter, gradient)
        if self.optimizer is not None:
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)

    def forward(self, recorder: Recorder | None) -> None:
        if not self.graphs and recorder is not None and self.runs >= WARM:
            parts = (self.compute, self.learn) if self.learns else (self.compute,)
            self.graphs, _ = recorder.record(*parts)
        if self.graphs:
            self.graphs[0].replay()
        else:
            self.compute()
            self.runs += not self.learns

    def backward(self) -> None:
        if self.graphs:
            self.graphs[1].replay()
        else:
            self.learn()
            self.runs += 1


class Loss(Piece):
    """The last piece: classifier and loss, and how many images are classified correctly."""

    def __init__(
        self,
        classifier: nn.Module,
        features: Value,
        labels: Labels,
        weights: Weights | None,
        optimizer: torch.optim.SGD | None,
        precision: str,
    ) -> None:
        super().__init__(classifier, features, None, optimizer, precision)
        self.labels, self.weights = labels, weights

    def run(self, data: Float[Tensor, "batch channels"]) -> Float[Tensor, ""]:
        logits = super().run(data)
        self.correct = (logits.detach().argmax(1) == self.labels).sum()
        return weighted_cross_entropy(logits, self.labels, self.weights)


def laid_out_like(parameter: Float[Tensor, "*shape"], gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The gradient with its numbers in the order in memory that the parameter has, as the fused update reads them."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(gradient)
