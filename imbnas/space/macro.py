"""The macro space: a plain residual network whose every layer is searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from imbnas.space.base import STAGE_SEPARATOR, Cost, Path, Space, check_whole, convolution_cost, head_cost

STAGES = 3


@dataclass(frozen=True)
class MacroSpace(Space):
    """Three stages of `layers` searched layers at `width`, twice and four times `width`; the fast space.

    Stem: 3x3 convolution of stride 2 and batch norm. Between stages, fixed: 2x2 average pooling, ReLU, 1x1
    convolution to twice the width, batch norm. A layer adds one of four residuals to its input, every
    convolution in the order ReLU, convolution, batch norm: nothing (`skip`), one 3x3, two 3x3, or 1x1 to half
    the width, 5x5, 1x1 back. BN, ReLU, global average pooling, linear classifier. One gene per layer.
    """

    width: int = 32
    layers: Sequence[int] = (4, 4, 4)

    operations: ClassVar[tuple[str, ...]] = ("skip", "conv3x3", "conv3x3_twice", "bottleneck5x5")

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Iterable):
            raise ValueError(f"layers is {self.layers!r}: expected {STAGES} numbers of layers, as (4, 4, 4)")
        object.__setattr__(self, "layers", tuple(self.layers))  # a space must be hashable, which a list is not
        check_whole(2, width=self.width)
        if self.width % 2:
            raise ValueError(f"{self}: expected an even width, which the bottleneck halves")
        if len(self.layers) != STAGES:
            raise ValueError(f"{self}: expected {STAGES} numbers of layers")
        for layers in self.layers:
            check_whole(1, layers=layers)

    @property
    def genes(self) -> int:
        return sum(self.layers)

    @property
    def name(self) -> str:
        """Such as `macro-w32-4-4-4`: width, layers per stage. `parse_space` reads it back."""
        return f"macro-w{self.width}-" + "-".join(map(str, self.layers))

    def stages_of(self, path: Path) -> tuple[Path, ...]:
        """The genes of each stage."""
        self.check(path)
        starts = [sum(self.layers[:stage]) for stage in range(STAGES + 1)]
        return tuple(tuple(path[start:stop]) for start, stop in zip(starts, starts[1:], strict=False))

    def to_string(self, path: Path) -> str:
        """Such as `|skip|conv3x3| / |conv3x3_twice|skip| / |skip|bottleneck5x5|`."""
        names = ("|".join(self.operations[gene] for gene in stage) for stage in self.stages_of(path))
        return STAGE_SEPARATOR.join(f"|{stage}|" for stage in names)

    def from_string(self, text: str) -> Path:
        """The path that `to_string` prints so; a ValueError names what is wrong with any other text."""
        stages = text.split(STAGE_SEPARATOR)
        if len(stages) != STAGES:
            raise ValueError(f"architecture {text!r} has {len(stages)} stages: expected {STAGES}")
        pairs = zip(stages, self.layers, strict=True)
        return tuple(gene for stage, layers in pairs for gene in self._parse_stage(stage, layers))

    def _parse_stage(self, text: str, layers: int) -> list[int]:
        if not (len(text) > 1 and text.startswith("|") and text.endswith("|")):
            raise ValueError(f"stage {text!r}: expected bars around it, as |skip|")
        names = text[1:-1].split("|")
        for name in names:
            if name not in self.operations:
                raise ValueError(f"stage {text!r}: unknown operation {name!r}; known: {self.operations}")
        if len(names) != layers:
            raise ValueError(f"stage {text!r} has {len(names)} layers: expected {layers}")
        return [self.operations.index(name) for name in names]

    def cost(self, path: Path, num_classes: int = 10, image_size: int = 32) -> Cost:
        """Multiply-adds and parameters of the stand-alone network, counted as in `CellSpace.cost`.

        `image_size` is a side in pixels, at least 7: of smaller images the last stage has no pixel. A ValueError for
        these and for no class.
        """
        skeleton, tables = _cost_tables(self, num_classes, image_size)
        stages = zip(self.stages_of(path), tables, strict=True)
        return sum((table[gene] for stage, table in stages for gene in stage), skeleton)


@cache
def _cost_tables(space: MacroSpace, num_classes: int, image_size: int) -> tuple[Cost, list[tuple[Cost, ...]]]:
    """The fixed parts' cost, and for each stage the cost of each operation."""
    widths = [space.width * 2**stage for stage in range(STAGES)]
    check_whole(1, num_classes=num_classes)
    check_whole(7, image_size=image_size)
    stem = -(-image_size // 2)  # its padded stride of 2 keeps an odd edge, which pooling drops
    sizes = [stem, stem // 2, stem // 4]
    skeleton = convolution_cost(3, widths[0], 3, sizes[0]) + head_cost(widths[-1], num_classes)
    for width, size in zip(widths[1:], sizes[1:], strict=True):
        skeleton += convolution_cost(width // 2, width, 1, size)
    return skeleton, [_operation_costs(width, size) for width, size in zip(widths, sizes, strict=True)]


def _operation_costs(width: int, size: int) -> tuple[Cost, ...]:
    """In the order of `MacroSpace.operations`."""
    half = width // 2
    conv3x3 = convolution_cost(width, width, 3, size)
    squeeze, expand = convolution_cost(width, half, 1, size), convolution_cost(half, width, 1, size)
    return Cost(0, 0), conv3x3, conv3x3 * 2, squeeze + convolution_cost(half, half, 5, size) + expand
