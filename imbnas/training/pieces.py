"""A super-network's step in pieces: every operation of every edge is recorded once, and a path replays its own.

A path is one of millions, so that its step can't be recorded as a whole. Its operations can: each is a piece with a
forward part, which adds its output to the value where it ends, and a backward part, which adds to the gradient of
the value where it begins and updates the operation's own weights. `Backbone.walk` says which pieces a path needs;
the backward parts follow in the opposite order. The sums are those of an ordinary step; only gradients that meet at
one value may be added in another order.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from imbnas.losses import weighted_cross_entropy
from imbnas.models import SuperNet, carries
from imbnas.training.graphs import WARM, Recorder, StaticRate, in_turn, wanted
from imbnas.training.recipe import Recipe
from imbnas.training.sampling import PathSampler
from imbnas.training.steps import Forward, MakeStep, PlainStep, autocast

IDENTITY = nn.Identity()


def path_step(net: SuperNet, sampler: PathSampler) -> MakeStep:
    """How paths of `net`, drawn by `sampler`, are trained on the device where it is."""
    return partial(PathStep, net, sampler) if wanted(net.classifier.weight.device) else PlainStep


class Value:
    """What flows between pieces: always at the same place, once it is known.

    learns: whether it has a gradient, by which the weights before it are trained.
    """

    def __init__(self, data: Tensor | None = None, learns: bool = False) -> None:
        self.data, self.gradient, self.learns = data, None, learns

    def receive(self, output: Tensor) -> None:
        """Add what a piece computed; the first time, make the place for it, and one for the gradient."""
        if self.data is None:
            self.data = torch.zeros_like(output)
            self.gradient = torch.zeros_like(output) if self.learns else None
        self.data.add_(output.detach())

    @property
    def places(self) -> list[Tensor]:
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

    def run(self, data: Tensor) -> Tensor:
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


def laid_out_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient with its numbers in the order in memory that the parameter has, as the fused update reads them."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(gradient)


class Chosen(NamedTuple):
    """An operation on a value, before it is known where its output is added."""

    edge: nn.Module
    operation: nn.Module
    source: Value


class Meeting:
    """An algebra for `Backbone.walk` in which every edge carries something: finds the value at which each ends."""

    def __init__(self, learns: bool) -> None:
        self.learns = learns
        self.ends: dict[int, Value] = {}  # by the edge's id

    def carries(self, edge: nn.Module, selection: Any) -> bool:
        return True

    def apply(self, module: nn.Module, value: Value) -> Value:
        return Value()

    def choose(self, edge: nn.Module, value: Value, selection: Any) -> nn.Module:
        return edge

    def add(self, values: Sequence[Any], like: Value) -> Value:
        target = Value(learns=self.learns)
        self.ends |= {id(edge): target for edge in values if isinstance(edge, nn.Module)}
        return target


class Trace:
    """An algebra for `Backbone.walk` that runs the forward parts of a path and remembers them."""

    carries = staticmethod(carries)

    def __init__(self, step: "PathStep") -> None:
        self.step, self.pieces = step, []

    def run(self, module: nn.Module, source: Value, target: Value) -> Value:
        piece = self.step.piece(module, source, target)
        piece.forward(self.step.recorder)
        self.pieces.append(piece)
        return target

    def apply(self, module: nn.Module, value: Value) -> Value:
        return self.run(module, value, self.step.end_of(module))

    def choose(self, edge: nn.ModuleList, value: Value, selection: int) -> Chosen:
        return Chosen(edge, edge[selection], value)

    def add(self, values: Sequence[Chosen | Value], like: Value) -> Value:
        chosen = [value for value in values if isinstance(value, Chosen)]
        if not chosen:
            return self.step.nothing(like)
        target = self.step.end_of(chosen[0].edge)
        for value in values:
            plain = isinstance(value, Value)
            self.run(IDENTITY if plain else value.operation, value if plain else value.source, target)
        return target


class PathStep:
    """Steps of a super-network, each on the path that `sampler` draws, in recorded pieces.

    Only what `optimizer` has is trained: with a classifier alone, the backbone's pieces have no backward part. Short
    batches, and clipped gradients, whose norm is known only when all have been found, take an ordinary step.
    """

    def __init__(
        self,
        net: SuperNet,
        sampler: PathSampler,
        forward: Forward,
        optimizer: torch.optim.SGD,
        recipe: Recipe,
        precision: str,
    ) -> None:
        self.plain = PlainStep(forward, optimizer, recipe, precision)
        self.net, self.sampler, self.optimizer, self.precision = net, sampler, optimizer, precision
        self.size = 0 if recipe.clip is not None else recipe.batch_size
        self.trained = {id(parameter) for parameter in optimizer.param_groups[0]["params"]}
        device = net.classifier.weight.device
        self.rate = StaticRate(device)
        self.recorder = Recorder() if device.type == "cuda" else None
        self.learns = any(id(parameter) in self.trained for parameter in net.backbone.parameters())
        meeting = Meeting(self.learns)
        net.backbone.walk(Value(), [0] * net.space.genes, meeting)
        self.ends = meeting.ends
        self.images: Value | None = None
        self.made: dict[tuple[int, int, int], Piece] = {}
        self.empty: dict[int, Value] = {}
        self.losses: dict[tuple[int, bool], Loss] = {}

    def __call__(self, images: Tensor, labels: Tensor, rate: float, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        with in_turn(self.recorder):
            if len(images) != self.size:
                return self.plain(images, labels, rate, weights)
            return self.take(images, labels, rate, weights)

    def take(self, images: Tensor, labels: Tensor, rate: float, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """A step in pieces."""
        self.rate.set(rate)
        self.take_in(images, labels)
        trace = Trace(self)
        features = self.net.backbone.walk(self.images, self.sampler(), trace)
        loss = self.loss(features, weights)
        loss.forward(self.recorder)
        self.learn([*trace.pieces, loss])
        return loss.output.detach().clone(), loss.correct.clone()

    def take_in(self, images: Tensor, labels: Tensor) -> None:
        """A batch to where the pieces look for it; sums begin at zero."""
        if self.images is None:
            self.images, self.labels = Value(torch.empty_like(images)), torch.empty_like(labels)
        self.images.data.copy_(images)
        self.labels.copy_(labels)
        if sums := [place for value in self.ends.values() for place in value.places]:
            torch._foreach_zero_(sums)

    def learn(self, pieces: list[Piece]) -> None:
        """The backward parts of those pieces that the loss depends on and that learn."""
        reached: set[int] = {id(None)}
        for piece in reversed(pieces):
            if id(piece.target) in reached and piece.learns:
                piece.backward()
                reached.add(id(piece.source))

    def end_of(self, module: nn.Module) -> Value:
        """The value at which an edge, or a module that is on every path, ends."""
        return self.ends.setdefault(id(module), Value(learns=self.learns))

    def nothing(self, like: Value) -> Value:
        """What a node without incoming edges holds."""
        if id(like) not in self.empty:
            self.empty[id(like)] = Value(torch.zeros_like(like.data))
        return self.empty[id(like)]

    def piece(self, module: nn.Module, source: Value, target: Value) -> Piece:
        key = (id(module), id(source), id(target))
        if key not in self.made:
            self.made[key] = Piece(module, source, target, self.optimizer_of(module), self.precision)
        return self.made[key]

    def loss(self, features: Value, weights: Tensor | None) -> "Loss":
        key = (id(features), weights is not None)
        if key not in self.losses:
            classifier = self.net.classifier
            optimizer = self.optimizer_of(classifier)
            self.losses[key] = Loss(classifier, features, self.labels, weights, optimizer, self.precision)
        return self.losses[key]

    def optimizer_of(self, module: nn.Module) -> torch.optim.SGD | None:
        """For the weights of one module alone, with the settings and the momentum of the whole's."""
        own = [parameter for parameter in module.parameters() if id(parameter) in self.trained]
        if not own:
            return None
        settings = {name: value for name, value in self.optimizer.param_groups[0].items() if name != "params"}
        optimizer = torch.optim.SGD([{**settings, "params": own, "lr": self.rate.tensor}], fused=True)
        optimizer.state.update({parameter: self.optimizer.state[parameter] for parameter in own})
        return optimizer


class Loss(Piece):
    """The last piece: classifier and loss, and how many images are classified correctly."""

    def __init__(
        self,
        classifier: nn.Module,
        features: Value,
        labels: Tensor,
        weights: Tensor | None,
        optimizer: torch.optim.SGD | None,
        precision: str,
    ) -> None:
        super().__init__(classifier, features, None, optimizer, precision)
        self.labels, self.weights = labels, weights

    def run(self, data: Tensor) -> Tensor:
        logits = super().run(data)
        self.correct = (logits.detach().argmax(1) == self.labels).sum()
        return weighted_cross_entropy(logits, self.labels, self.weights)
