"""Which path a batch trains."""

import torch

from imbnas.space import Path, Space


class PathSampler:
    """Uniform single-path sampling, one path per batch (paper, Eq. 2); remembers the last path drawn."""

    def __init__(self, space: Space, generator: torch.Generator) -> None:
        self.space, self.generator = space, generator
        self.last: Path | None = None

    def __call__(self) -> Path:
        self.last = self.space.sample(self.generator)
        return self.last

    def describe(self) -> str:
        """The last path, printed."""
        return "" if self.last is None else self.space.to_string(self.last)
