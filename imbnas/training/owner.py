"""Whose a checkpoint is: what a training must have in common with the one that wrote it, to go on from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from numbers import Real
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


def check_owner(path: Path, card: Mapping[str, str], own: Mapping[str, str]) -> None:
    """ValueError where the `card` of the checkpoint at `path` says otherwise than `own`, or does not say."""
    for name, value in own.items():
        if card.get(name) != value:
            raise ValueError(f"checkpoint {path} belongs to another {name}: delete it, or give another file")


def spelled(recipe: Any) -> str:
    """A recipe, any dataclass of plain values, as a text that equal ones have in common."""
    return repr(in_floats(asdict(recipe)))


def in_floats(value: Any) -> Any:
    """The same with every number as a float: 4 and 4.0 are equal, but printed apart."""
    if isinstance(value, dict):
        return {name: in_floats(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(in_floats, value))
    return float(value) if isinstance(value, Real) else value


def layout(net: nn.Module) -> str:
    """A name for what the tensors of a network are called, and for their types and shapes.

    Operations may have none: where a network says which space it is of, and which path, these count too.
    """
    tensors = [(name, str(tensor.dtype), list(tensor.shape)) for name, tensor in net.state_dict().items()]
    space, path = getattr(net, "space", None), getattr(net, "path", None)
    return digest(tensors if space is None else [tensors, getattr(space, "name", space), path])


def told(weights: Float[Tensor, " classes"] | None) -> str:
    """A name for class weights, "none" where there are none."""
    return "none" if weights is None else digest(weights.tolist())


def digest(of: Any) -> str:
    """Twelve hexadecimal digits that differ where what is printed of two things does."""
    return hashlib.sha256(repr(of).encode()).hexdigest()[:12]
