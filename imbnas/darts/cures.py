"""Three cures for the collapse of a search: warm-up, dropped skip connections, an early stop."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from imbnas.darts.recipe import DartsRecipe
from imbnas.models import MixedOp, SuperNet
from imbnas.typed import expect_one_of

CURES = ("none", "warm-up", "skip-dropout", "early-stopping")


def cured(recipe: DartsRecipe, cure: str) -> DartsRecipe:
    """The recipe with a cure for the collapse: half the turns as warm-up, skips dropped with 1/2, R-DARTS' stop.

    ValueError for an unknown cure, and for one that counts turns where the recipe counts epochs.
    """
    expect_one_of("cure", cure, CURES)
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
