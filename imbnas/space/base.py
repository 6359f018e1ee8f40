"""What every search space can do with a path, whatever its operations are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from statistics import median
from typing import Any

import torch
from torch import Generator

Path = tuple[int, ...]


def digits(path: Path) -> str:
    """A path as its choices, one digit each: how records hold it."""
    return "".join(map(str, path))


STAGE_SEPARATOR = " / "


def check_whole(least: int, **values: Any) -> None:
    """Raise a ValueError that names the first value which is not a whole number of at least `least`."""
    for name, value in values.items():
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} is {value!r}: expected a whole number from {least}")


def check_rate(rate: float) -> None:
    """Raise a ValueError unless a mutation rate is a probability."""
    if not 0 <= rate <= 1:
        raise ValueError(f"mutation rate {rate}: expected a probability from 0 to 1")


@dataclass(frozen=True)
class Cost:
    """What one stand-alone network costs: multiply-adds for one image, and trainable parameters."""

    macs: int
    params: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.params + other.params)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.macs * times, self.params * times)


def convolution_cost(inputs: int, outputs: int, kernel: int, size: int, batch_norm: bool = True) -> Cost:
    """A convolution without bias that leaves size x size pixels, and the affine batch norm after it."""
    weights = inputs * outputs * kernel * kernel
    return Cost(weights * size * size, weights + 2 * outputs * batch_norm)


def head_cost(features: int, num_classes: int) -> Cost:
    """The last batch norm and the linear classifier, whose bias counts one addition per class."""
    linear = (features + 1) * num_classes
    return Cost(linear, linear + 2 * features)


class Space(ABC):
    """Paths of `genes` choices among `operations`: drawn, changed, checked.

    A path is a tuple of ints, one choice per gene. All randomness comes from the CPU generator given.
    """

    operations: tuple[str, ...]

    @property
    @abstractmethod
    def genes(self) -> int: ...

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def to_string(self, path: Path) -> str: ...

    @abstractmethod
    def from_string(self, text: str) -> Path: ...

    @abstractmethod
    def cost(self, path: Path, num_classes: int = 10, image_size: int = 32) -> Cost: ...

    @property
    def choices(self) -> int:
        return len(self.operations)

    @property
    def size(self) -> int:
        """How many paths there are, dead ones included."""
        return self.choices**self.genes

    def is_alive(self, path: Path) -> bool:
        """Whether the path carries anything from its input to its output."""
        self.check(path)
        return True

    def in_use(self, path: Path) -> Path:
        """The path without the choices that nothing of an image passes on its way from input to output."""
        self.check(path)
        return tuple(path)

    def check(self, path: Any) -> None:
        """Raise a ValueError that names the fault unless `path` is one of this space (a dead one is)."""
        if not isinstance(path, tuple | list) or not all(type(gene) is int for gene in path):
            raise ValueError(f"path {path!r}: expected a tuple of ints, one choice per gene")
        if len(path) != self.genes:
            raise ValueError(f"path {path!r} has {len(path)} genes: expected {self.genes} for {self}")
        choices = self.choices
        for position, gene in enumerate(path):
            if not 0 <= gene < choices:
                raise ValueError(f"path {path!r}: gene {position} is {gene}, not 0 to {choices - 1}")

    def sample(self, generator: Generator) -> Path:
        """A path drawn uniformly among the living ones."""
        return self._first_alive(lambda: self._draw(generator))

    def mutate(self, path: Path, rate: float, generator: Generator) -> Path:
        """Each gene redrawn with probability `rate`, uniformly over all choices (its own among them)."""
        self._check_parent(path)
        check_rate(rate)
        return self._first_alive(lambda: self._mix(path, self._draw(generator), rate, generator))

    def crossover(self, a: Path, b: Path, generator: Generator) -> Path:
        """Each gene from either parent with probability 1/2."""
        self._check_parent(a)
        self._check_parent(b)
        return self._first_alive(lambda: self._mix(a, b, 0.5, generator))

    def _draw(self, generator: Generator) -> Path:
        return tuple(torch.randint(self.choices, (self.genes,), generator=generator).tolist())

    def _mix(self, a: Path, b: Path, rate: float, generator: Generator) -> Path:
        take_b = torch.rand(self.genes, generator=generator).lt(rate).tolist()
        return tuple(y if second else x for x, y, second in zip(a, b, take_b, strict=True))

    def _first_alive(self, draw: Callable[[], Path]) -> Path:
        while not self.is_alive(path := draw()):
            pass
        return path

    def _check_parent(self, path: Path) -> None:
        if not self.is_alive(path):
            raise ValueError(f"path {path!r} is dead (every way through is `none`): expected a living one")


def median_cost(space: Space, generator: Generator, samples: int = 10_000) -> float:
    """The median multiply-adds of random paths: the search's default for `max_cost`. ValueError for no `samples`."""
    check_whole(1, samples=samples)
    return median(space.cost(space.sample(generator)).macs for _ in range(samples))
