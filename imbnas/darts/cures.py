"""How a search runs, and three cures for its collapse: warm-up, dropped skip connections, an early stop."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral

import torch
from torch import Generator, Tensor, nn

from imbnas.models import MixedOp, SuperNet
from imbnas.training import Recipe
from imbnas.training.recipe import all_numbers, expect, expect_numbers

ORDERS = ("first", "second")
CURES = ("none", "warm-up", "skip-dropout", "early-stopping")


@dataclass(frozen=True)
class DartsRecipe:
    """How a search runs: `weights` trains w (its length counts turns of α and w), the rest is about α.

    order: "first" or "second", whose gradient looks ahead by a step of `weights` without its clipping and Nesterov's
    change. alpha_rate, alpha_betas, alpha_decay: Adam's, as in DARTS.
    warmup: turns at the start in which α rests. skip_dropout: how probably an image loses a skip connection, at the
    start; falls linearly to nothing. curvature_every: turns between two looks at the dominant eigenvalue of
    ∇²_α L_val (0: never). stop_ratio: the search ends where the eigenvalue's mean size over `window` looks exceeds
    1 / stop_ratio times what it was `window` looks ago, and returns to the α of then (R-DARTS, arXiv:1909.09656);
    looks in the first `stop_after` turns do not count, in which it grows from nothing because w begins to learn.
    augment: whether images are cropped and flipped at random.
    """

    weights: Recipe
    order: str = "first"
    alpha_rate: float = 3e-4
    alpha_betas: tuple[float, float] = (0.5, 0.999)
    alpha_decay: float = 1e-3
    warmup: int = 0
    skip_dropout: float = 0.0
    curvature_every: int = 0
    stop_ratio: float | None = None
    stop_after: int = 0
    window: int = 2
    record_every: int = 10
    augment: bool = True

    def __post_init__(self) -> None:
        expect_numbers(self, ("alpha_rate", "alpha_decay", "skip_dropout"))
        expect_numbers(self, ("warmup", "curvature_every", "stop_after", "window", "record_every"), Integral)
        expect(self, {"alpha_betas": (all_numbers(self.alpha_betas), "a tuple of numbers")})
        rules = {
            "order": (self.order in ORDERS, '"first" or "second"'),
            "alpha_rate": (0 < self.alpha_rate < math.inf, "a number above 0"),
            "alpha_betas": (
                len(self.alpha_betas) == 2 and all(0 <= beta < 1 for beta in self.alpha_betas),
                "two numbers from 0 to below 1",
            ),
            "alpha_decay": (0 <= self.alpha_decay < math.inf, "0 or a number above"),
            "warmup": (self.warmup >= 0, "0 turns or more"),
            "skip_dropout": (0 <= self.skip_dropout < 1, "a probability from 0 to below 1"),
            "curvature_every": (self.curvature_every >= 0, "turns between two looks, or 0: never"),
            "stop_after": (self.stop_after >= 0, "0 turns or more"),
            "window": (self.window >= 1, "at least 1 look"),
            "record_every": (self.record_every >= 1, "at least 1 turn"),
        }
        expect(self, rules)
        if self.stop_ratio is not None and not (self.curvature_every and 0 < self.stop_ratio < 1):
            raise ValueError(
                f"stop_ratio {self.stop_ratio} with curvature_every {self.curvature_every}: to stop by curvature, "
                "measure it (curvature_every at least 1) and take a ratio between 0 and 1"
            )

    @property
    def passes(self) -> int:
        """Batches that one turn of α and w takes through the network and back."""
        return 2 if self.order == "first" else 5


def cured(recipe: DartsRecipe, cure: str) -> DartsRecipe:
    """The recipe with a cure for the collapse: half the turns as warm-up, skips dropped with 1/2, R-DARTS' stop.

    ValueError for an unknown cure, and for one that counts turns where the recipe counts epochs.
    """
    if cure not in CURES:
        raise ValueError(f'cure is "{cure}"; expected one of {", ".join(CURES)}')
    if cure in ("warm-up", "early-stopping") and recipe.weights.unit != "steps":
        raise ValueError(f'the cure "{cure}" counts turns, the recipe {recipe.weights.unit}: give its length in steps')
    turns = recipe.weights.length
    changes = {
        "none": {},
        "warm-up": {"warmup": round(turns / 2)},
        "skip-dropout": {"skip_dropout": 0.5},
        "early-stopping": {
            "curvature_every": max(1, round(turns / 20)),
            "stop_ratio": 0.75,
            "stop_after": round(turns / 4),
        },
    }
    return replace(recipe, **changes[cure])


class SkipDropout:
    """Whole images lose the output of a `skip_connect` with probability `rate`; the others' is scaled up.

    What is lost is drawn once a turn, so that every pass of the turn meets the same network.
    """

    def __init__(self, net: SuperNet, generator: Generator) -> None:
        edges = [edge for edge in net.backbone.modules() if isinstance(edge, MixedOp)]
        skips = [op for edge in edges for op in edge if isinstance(op, nn.Identity)]
        if not skips:
            raise ValueError(f"{net.space.name} has no skip_connect to drop; take another cure")
        self.generator, self.count, self.factors = generator, len(skips), None
        self.hooks = [skip.register_forward_hook(self.hook(number)) for number, skip in enumerate(skips)]

    def hook(self, number: int) -> Callable:
        def drop(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor | None:
            if self.factors is None:
                return None
            if self.factors.device != output.device:  # once a draw
                self.factors = self.factors.to(output)
            return output * self.factors[number, : len(output), None, None, None].to(output.dtype)

        return drop

    def draw(self, rate: float, images: int) -> None:
        """New losses for up to `images` images; nothing is lost at rate 0."""
        kept = torch.rand(self.count, images, generator=self.generator) >= rate
        self.factors = kept / (1 - rate) if rate > 0 else None

    def close(self) -> None:
        for hook in self.hooks:
            hook.remove()


def stopping_point(curvature: dict[int, float], window: int, ratio: float) -> int | None:
    """The turn to return to: `window` looks ago, if the eigenvalue's size, smoothed, has grown beyond 1 / ratio."""
    turns, sizes = list(curvature), [abs(value) for value in curvature.values()]
    if len(sizes) < 2 * window:
        return None
    before, now = sum(sizes[-2 * window : -window]), sum(sizes[-window:])
    return turns[-1 - window] if before < ratio * now else None
