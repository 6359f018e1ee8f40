"""What is drawn: a generator of its own for everything, so that no draw moves another."""

import hashlib

import torch

from imbnas.space import Path, Space


def named_generator(seed: int, *names: str) -> torch.Generator:
    """The generator of what `names` say, for one seed."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def random_paths(space: Space, count: int) -> list[Path]:
    """`count` distinct paths of a space, the same for every seed. ValueError where it has fewer."""
    if count > space.size:
        raise ValueError(f"{count} distinct paths were asked of {space.name}; it has {space.size}: ask for fewer")
    generator, drawn = named_generator(0, "gate", "paths"), {}
    while len(drawn) < count:
        drawn[space.sample(generator)] = None
    return list(drawn)
