"""Search spaces: what a path is, how it is drawn, changed, printed, read and priced."""

import re

from imbnas.space.base import Cost, Path, Space, digits, median_cost
from imbnas.space.cell import CellSpace
from imbnas.space.macro import MacroSpace

__all__ = ["CellSpace", "Cost", "MacroSpace", "Path", "Space", "digits", "median_cost", "parse_space"]


def parse_space(name: str) -> Space:
    """The space of a name such as `cell3-c16-n1` or `macro-w32-4-4-4`; a ValueError for any other text.

    Only the name that the space itself prints is read: records lie in a folder of that name.
    """
    if space := _spelt(name):
        if space.name != name:
            raise ValueError(f"space {name!r} is not spelt as folders are: expected {space.name}")
        return space
    raise ValueError(f"space {name!r} is unknown: expected a name such as cell3-c16-n1 or macro-w32-4-4-4")


def _spelt(name: str) -> Space | None:
    """The space of a name whose numbers may be written in any way; None where it is no name at all."""
    if match := re.fullmatch(r"cell(\d+)-c(\d+)-n(\d+)", name):
        stages, channels, cells = map(int, match.groups())
        return CellSpace(channels, cells, stages)
    if match := re.fullmatch(r"macro-w(\d+)-(\d+)-(\d+)-(\d+)", name):
        width, *layers = map(int, match.groups())
        return MacroSpace(width, tuple(layers))
    return None
