"""A super-network's step in pieces: every operation of every edge is recorded once, and a path replays its own.

A path is one of millions, so that its step can't be recorded as a whole. Its operations can: each is a piece with a
forward part, which adds its output to the value where it ends, and a backward part, which adds to the gradient of
the value where it begins and updates the operation's own weights. `Backbone.walk` says which pieces a path needs;
the backward parts follow in the opposite order. The sums are those of an ordinary step, but for two roundings:
gradients that meet at one value may be added in another order, and the learning rate is held in float32.
"""

from functools import partial

import torch
from torch import nn

from imbnas.models import SuperNet
from imbnas.models.networks import Images
from imbnas.training.graphs import Recorder, StaticRate, StaticWeights, in_turn, wanted
from imbnas.training.recipe import Recipe
from imbnas.training.sampling import PathSampler
from imbnas.training.steps import Forward, Labels, MakeStep, PlainStep, Taken, Weights
from imbnas.training.trace import Meeting, Trace
from imbnas.training.value import Loss, Piece, Value


def path_step(net: SuperNet, sampler: PathSampler) -> MakeStep:
    """How paths of `net`, drawn by `sampler`, are trained on the device where it is."""
    return partial(PathStep, net, sampler) if wanted(net.classifier.weight.device) else PlainStep


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
        self.rate, self.weights = StaticRate(device), StaticWeights()
        self.recorder = Recorder() if device.type == "cuda" else None
        self.learns = any(id(parameter) in self.trained for parameter in net.backbone.parameters())
        meeting = Meeting(self.learns)
        net.backbone.walk(Value(), [0] * net.space.genes, meeting)
        self.ends = meeting.ends
        self.images: Value | None = None
        self.made: dict[tuple[int, int, int], Piece] = {}
        self.empty: dict[int, Value] = {}
        self.losses: dict[tuple[int, bool], Loss] = {}

    def __call__(self, images: Images, labels: Labels, rate: float, weights: Weights | None) -> Taken:
        with in_turn(self.recorder):
            if len(images) != self.size:
                return self.plain(images, labels, rate, weights)
            return self.take(images, labels, rate, weights)

    def take(self, images: Images, labels: Labels, rate: float, weights: Weights | None) -> Taken:
        """A step in pieces."""
        self.rate.set(rate)
        self.take_in(images, labels)
        trace = Trace(self)
        features = self.net.backbone.walk(self.images, self.sampler(), trace)
        loss = self.loss(features, self.weights.set(weights))
        loss.forward(self.recorder)
        self.learn([*trace.pieces, loss])
        return loss.output.detach().clone(), loss.correct.clone()

    def take_in(self, images: Images, labels: Labels) -> None:
        """A batch to where the pieces look for it; sums begin at zero."""
        if self.images is None:
            self.images, self.labels = Value(torch.empty_like(images)), torch.empty_like(labels)
        self.images.data.copy_(images)
        self.labels.copy_(labels)
        if sums := [place for value in self.ends.values() for place in value.places]:
            torch._foreach_zero_(sums)

    def learn(self, pieces: list[Piece]) -> None:
        """The backward parts of those pieces that the loss depends on and that learn."""
        reached = {id(pieces[-1].target)}
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

    def loss(self, features: Value, weights: Weights | None) -> Loss:
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
