"""What is drawn: a generator of its own for everything, so that no draw moves another."""

import hashlib

import torch

from imbnas.evolution import MISSES_IN_A_ROW
from imbnas.space import Path, Space


def named_generator(seed: int, *names: str) -> torch.Generator:
    """The generator of what `names` say, for one seed."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def random_paths(space: Space, count: int) -> list[Path]:
    """`count` distinct paths of a space, the same for every seed. ValueError as `distinct_paths`."""
    return distinct_paths(space, count, named_generator(0, "gate", "paths"))


def distinct_paths(space: Space, count: int, generator: torch.Generator) -> list[Path]:
    """`count` distinct random paths, in the order drawn.

    ValueError where the space has fewer, or where `MISSES_IN_A_ROW` draws in a row bring no new one: dead paths count
    in its size and are never drawn.
    """
    if count > space.size:
        raise ValueError(f"{count} distinct paths were asked of {space.name}; it has {space.size}: ask for fewer")
    drawn: dict[Path, None] = {}
    misses = 0
    while len(drawn) < count:
        path = space.sample(generator)
        misses = misses + 1 if path in drawn else 0
        if misses == MISSES_IN_A_ROW:
            raise ValueError(
                f"{count} distinct paths were asked of {space.name}; {misses:,} random draws in a row brought none "
                f"beside the {len(drawn)} found, for dead paths among its {space.size} are never drawn: ask for fewer"
            )
        drawn[path] = None
    return list(drawn)
