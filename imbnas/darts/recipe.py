"""How a search by DARTS runs: which gradient, which rates, and what is done against its collapse."""

import math
from dataclasses import dataclass
from numbers import Integral

from imbnas.training import Recipe
from imbnas.typed import all_numbers, expect, expect_numbers

ORDERS = ("first", "second")


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
