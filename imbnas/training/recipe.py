"""How something is trained: lengths, learning rates, when re-weighting begins."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from imbnas.losses import Deferred


@dataclass(frozen=True)
class Recipe:
    """How something is trained. Lengths (`length`, `milestones`, `warmup`, `reweight_from`) count in `unit`.

    The learning rate is `rate`, times `factor` at each milestone, or falling to zero along a half cosine with
    `shape="cosine"`; `warmup` units of linear rise come first. `reweight_from` is where deferred re-weighting
    begins (None: never; 0: from the first step).
    """

    length: float
    rate: float
    unit: str = "epochs"
    shape: str = "steps"
    milestones: tuple[float, ...] = ()
    factor: float = 0.1
    warmup: float = 0
    reweight_from: float | None = None
    batch_size: int = 128
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 2e-4
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.unit not in ("epochs", "steps"):
            raise ValueError(f'unit is "{self.unit}"; a recipe counts in "epochs" or in "steps"')
        if self.shape not in ("steps", "cosine", "constant"):
            raise ValueError(f'shape is "{self.shape}"; expected "steps", "cosine" or "constant"')
        if self.length <= 0 or self.rate <= 0 or self.batch_size < 1:
            raise ValueError(f"length, rate and batch_size must be positive; got {self}")

    def in_steps(self, length: float, steps_per_epoch: int) -> int:
        """`length` of this recipe's units as optimiser steps."""
        return round(length * steps_per_epoch) if self.unit == "epochs" else round(length)

    def total_steps(self, steps_per_epoch: int) -> int:
        return self.in_steps(self.length, steps_per_epoch)

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of 0-based optimiser step `step`."""
        total, warmup = self.total_steps(steps_per_epoch), self.in_steps(self.warmup, steps_per_epoch)
        if step < warmup:
            return self.rate * (step + 1) / warmup
        if self.shape == "cosine":
            return self.rate * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2
        passed = sum(step >= self.in_steps(milestone, steps_per_epoch) for milestone in self.milestones)
        return self.rate * self.factor**passed

    def deferred(self, weights: Float[Tensor, " classes"] | None, steps_per_epoch: int) -> Deferred:
        """The loss's class weights as a schedule in steps."""
        start = self.total_steps(steps_per_epoch) if self.reweight_from is None else self.reweight_from
        if self.reweight_from is not None:
            start = self.in_steps(start, steps_per_epoch)
        return Deferred(None if self.reweight_from is None else weights, int(start))
