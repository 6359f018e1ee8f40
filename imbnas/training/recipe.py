"""How something is trained: lengths, learning rates, when re-weighting begins."""

import math
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral

from jaxtyping import Float
from torch import Tensor

from imbnas.losses import Deferred
from imbnas.typed import all_numbers, expect, expect_numbers


@dataclass(frozen=True)
class Recipe:
    """How something is trained. Lengths (`length`, `milestones`, `warmup`, `reweight_from`) count in `unit`.

    The learning rate is `rate`, times `factor` at each milestone; falling to zero along a half cosine with
    `shape="cosine"`; or the same throughout with `shape="constant"`. `warmup` units of linear rise come first.
    `reweight_from` is where deferred re-weighting begins (None: never, whatever class weights there are; 0: from the
    first step). ValueError, by name, for what can't be trained by.
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
        optional = [name for name in ("reweight_from", "clip") if getattr(self, name) is not None]
        expect_numbers(self, ("length", "rate", "factor", "warmup", "momentum", "weight_decay", *optional))
        expect_numbers(self, ("batch_size",), Integral)
        expect(self, {"milestones": (all_numbers(self.milestones), "a tuple of numbers")})
        kind = "whole number of steps" if self.unit == "steps" else "number of epochs"
        moments, to_the_end = (0, *self.milestones, self.length), f"a {kind} from 0 to the length, {self.length}"
        rules = {
            "unit": (self.unit in ("epochs", "steps"), '"epochs" or "steps"'),
            "shape": (self.shape in ("steps", "cosine", "constant"), '"steps", "cosine" or "constant"'),
            "length": (0 < self.length < math.inf and self.counts(self.length), f"a {kind} above 0"),
            "rate": (0 < self.rate < math.inf, "a number above 0"),
            "milestones": (
                all(one < other for one, other in pairwise(moments)) and self.counts(*moments),
                f"increasing moments, each a {kind} between 0 and the length, {self.length}",
            ),
            "factor": (0 < self.factor < math.inf, "a number above 0"),
            "warmup": (0 <= self.warmup <= self.length and self.counts(self.warmup), to_the_end),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "momentum": (0 <= self.momentum < 1, "a number from 0 to below 1"),
            "nesterov": (not self.nesterov or self.momentum > 0, "False without momentum"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or a number above"),
        }
        if self.milestones and self.shape != "steps":
            rules["milestones"] = (False, f'none with the shape "{self.shape}", which has no use for them')
        if self.reweight_from is not None:
            within = 0 <= self.reweight_from <= self.length and self.counts(self.reweight_from)
            rules["reweight_from"] = (within, f"{to_the_end}, or None: never")
        if self.clip is not None:
            rules["clip"] = (self.clip > 0, "a number above 0, or None: no clipping")
        expect(self, rules)

    def counts(self, *lengths: float) -> bool:
        """Whether lengths can be counted in this recipe's unit: a step has no parts."""
        return self.unit != "steps" or all(float(length).is_integer() for length in lengths)

    def in_steps(self, length: float, steps_per_epoch: int) -> int:
        """`length` of this recipe's units as optimiser steps."""
        return round(length * steps_per_epoch) if self.unit == "epochs" else round(length)

    def total_steps(self, steps_per_epoch: int) -> int:
        """The whole length in optimiser steps. ValueError where so short a part of an epoch has none."""
        total = self.in_steps(self.length, steps_per_epoch)
        if total < 1:
            raise ValueError(f"length is {self.length} epochs of {steps_per_epoch} steps; expected at least one step")
        return total

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
        """The loss's class weights as a schedule in steps; none at all where `reweight_from` is None."""
        if self.reweight_from is None:
            return Deferred(None)
        return Deferred(weights, self.in_steps(self.reweight_from, steps_per_epoch))
