"""One optimiser step: the optimiser, the precision, and the plain way to make a step.

`fit` is given the way to make steps: `PlainStep` here, which launches operation after operation, or one of
`imbnas.training.graphs` and `imbnas.training.pieces`, which replay on a GPU what they have recorded there.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from imbnas.losses import weighted_cross_entropy
from imbnas.models.networks import Images
from imbnas.models.precision import autocast
from imbnas.training.recipe import Recipe

Labels = Int64[Tensor, " batch"]
Weights = Float[Tensor, " classes"]
Taken = tuple[Float[Tensor, ""], Int64[Tensor, ""]]  # the loss of a step, and how many images are classified correctly
Forward = Callable[[Images], Float[Tensor, "batch classes"]]

# Trains on images and labels at a learning rate, with class weights or None. What it returns stays on the device, so
# that nothing waits for it.
Step = Callable[[Images, Labels, float, Weights | None], Taken]
MakeStep = Callable[[Forward, torch.optim.SGD, Recipe, str], Step]  # of forward, optimiser, recipe and precision


def sgd(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.SGD:
    """SGD whose momentum buffers exist from the start.

    A parameter without a gradient takes no step at all, neither decay nor momentum: an operation that is not on
    the sampled path stays as it is.
    """
    optimizer = torch.optim.SGD(
        parameters,
        lr=recipe.rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    for parameter in parameters:
        buffer = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        optimizer.state[parameter]["momentum_buffer"] = buffer
    return optimizer


class PlainStep:
    """A step of any network, whatever `forward` does: every operation is launched when it comes."""

    def __init__(self, forward: Forward, optimizer: torch.optim.SGD, recipe: Recipe, precision: str) -> None:
        self.forward, self.optimizer, self.clip, self.precision = forward, optimizer, recipe.clip, precision

    def __call__(
        self, images: Images, labels: Labels, rate: float | Float[Tensor, ""], weights: Weights | None
    ) -> Taken:
        with autocast(images.device, self.precision):
            logits = self.forward(images)
        loss = weighted_cross_entropy(logits, labels, weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        group = self.optimizer.param_groups[0]
        group["lr"] = rate
        if self.clip is not None:
            nn.utils.clip_grad_norm_(group["params"], self.clip)
        self.optimizer.step()
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()
