"""The cell space: NAS-Bench-201's cell and skeleton, with one cell for all stages or one for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from imbnas.space.base import STAGE_SEPARATOR, Cost, Path, Space, check_whole, convolution_cost, head_cost

Edge = tuple[int, int]
STAGES = 3


@dataclass(frozen=True)
class CellSpace(Space):
    """NAS-Bench-201 (Dong and Yang, ICLR 2020) at any width and depth.

    A cell has nodes 0 to 3 and an operation on each of six edges; a node is the sum of its incoming edges.
    Skeleton: 3x3 convolution and batch norm to `channels`; three stages of `cells` cells at C, 2C, 4C;
    between stages a residual block of stride 2 (two ReLU-conv3x3-BN; shortcut 2x2 average pooling and 1x1
    convolution); BN, ReLU, global average pooling, linear classifier.

    `stages=1`: one cell for all three stages, 6 genes, the public space of 15,625. `stages=3`: a cell for
    each stage, 18 genes, the first stage's six first. Genes follow `edges`.
    """

    channels: int = 16
    cells: int = 5
    stages: int = 3

    operations: ClassVar[tuple[str, ...]] = (
        "none",
        "skip_connect",
        "nor_conv_1x1",
        "nor_conv_3x3",
        "avg_pool_3x3",
    )
    edges: ClassVar[tuple[Edge, ...]] = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

    def __post_init__(self) -> None:
        check_whole(1, channels=self.channels, cells=self.cells, stages=self.stages)
        if self.stages not in (1, STAGES):
            raise ValueError(f"{self}: expected stages=1 (one cell for all) or {STAGES} (one for each)")

    @property
    def genes(self) -> int:
        return len(self.edges) * self.stages

    @property
    def name(self) -> str:
        """Such as `cell3-c16-n1`: stages, channels, cells per stage. `parse_space` reads it back."""
        return f"cell{self.stages}-c{self.channels}-n{self.cells}"

    def cells_of(self, path: Path) -> tuple[Path, ...]:
        """The six genes of each searched cell: one cell for `stages=1`, three for `stages=3`."""
        self.check(path)
        length = len(self.edges)
        return tuple(tuple(path[start : start + length]) for start in range(0, self.genes, length))

    def is_alive(self, path: Path) -> bool:
        """Whether in every cell some way from input to output is free of `none`."""
        none = self.operations.index("none")
        return all(any(gene != none for gene in _in_use(cell)) for cell in self.cells_of(path))

    def in_use(self, path: Path) -> Path:
        """The path with `none` on every edge that lies on no way from its cell's input to its output."""
        return tuple(gene for cell in self.cells_of(path) for gene in _in_use(cell))

    def canonical(self, path: Path) -> str:
        """One text for isomorphic cells, by the benchmark's own count: 6,466 among the 15,625 of one cell."""
        return STAGE_SEPARATOR.join(_expression(cell) for cell in self.cells_of(path))

    def to_string(self, path: Path) -> str:
        """The public form `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`; for `stages=3` three, joined by ` / `."""
        return STAGE_SEPARATOR.join(_print_cell(cell) for cell in self.cells_of(path))

    def from_string(self, text: str) -> Path:
        """The path that `to_string` prints so; a ValueError names what is wrong with any other text."""
        cells = text.split(STAGE_SEPARATOR)
        if len(cells) != self.stages:
            raise ValueError(f"architecture {text!r} has {len(cells)} cells: expected {self.stages}")
        return tuple(gene for cell in cells for gene in _parse_cell(cell))

    def cost(self, path: Path, num_classes: int = 10, image_size: int = 32) -> Cost:
        """Multiply-adds and parameters of the stand-alone network, in the benchmark's convention.

        Counted as multiply-adds: every convolution that the string names (`in_use` leaves out those of which nothing
        is used), the classifier and its bias. Batch norm, pooling, ReLU, skips, sums count nothing. Parameters
        include batch norm's affine pairs. All 3x3, C = 16, N = 5: 220.119690 M and 1.531546 M, as published.
        `image_size` is a side in pixels. A ValueError for no class and for no pixel.
        """
        cells = self.cells_of(path)
        skeleton, tables = _cost_tables(self, num_classes, image_size)
        return sum((table[gene] for table, cell in zip(tables, cells, strict=True) for gene in cell), skeleton)


def _incoming(cell: Path, node: int) -> list[tuple[int, str]]:
    """The (source, operation) pairs of a node's incoming edges, by source."""
    edges = zip(CellSpace.edges, cell, strict=True)
    return [(source, CellSpace.operations[gene]) for (source, target), gene in edges if target == node]


@cache
def _in_use(cell: Path) -> Path:
    none = CellSpace.operations.index("none")
    ways = [edge for edge, gene in zip(CellSpace.edges, cell, strict=True) if gene != none]
    reached, useful = {0}, {3}
    for source, target in ways:  # edges are listed by the node at which they end
        reached |= {target} if source in reached else set()
    for source, target in reversed(ways):
        useful |= {source} if target in useful else set()
    used = (source in reached and target in useful for source, target in CellSpace.edges)
    return tuple(gene if keep else none for gene, keep in zip(cell, used, strict=True))


@cache
def _expression(cell: Path) -> str:
    """The output as an expression of the input, the terms of every sum sorted as text.

    A skip stands for its source, `none` for the zero #. This is the form in which the benchmark counts 6,466
    distinct cells; it keeps zero terms, so that some cells that compute the same stay apart.
    """
    nodes = ["0"]
    for node in (1, 2, 3):
        nodes.append("+".join(sorted(_term(nodes[source], op) for source, op in _incoming(cell, node))))
    return nodes[-1]


def _term(source: str, operation: str) -> str:
    if operation == "none" or source == "#":
        return "#"
    return source if operation == "skip_connect" else f"({source})@{operation}"


def _print_cell(cell: Path) -> str:
    edges = [[f"{operation}~{source}" for source, operation in _incoming(cell, node)] for node in (1, 2, 3)]
    return "+".join(f"|{'|'.join(node)}|" for node in edges)


@cache
def _parse_cell(text: str) -> Path:
    nodes = text.split("+")
    if len(nodes) != 3:
        raise ValueError(f"cell {text!r} has {len(nodes)} nodes: expected 3, each |...|, joined by +")
    return tuple(gene for number, node in enumerate(nodes, 1) for gene in _parse_node(node, number, text))


def _parse_node(node: str, number: int, text: str) -> list[int]:
    if not (len(node) > 1 and node.startswith("|") and node.endswith("|")):
        raise ValueError(f"cell {text!r}, node {number} is {node!r}: expected bars around it, as |none~0|")
    edges = node[1:-1].split("|")
    if len(edges) != number:
        raise ValueError(f"cell {text!r}, node {number} has {len(edges)} edges: expected {number}")
    return [_parse_edge(edge, source, text) for source, edge in enumerate(edges)]


def _parse_edge(edge: str, source: int, text: str) -> int:
    operation, _, origin = edge.partition("~")
    if operation not in CellSpace.operations:
        known = ", ".join(CellSpace.operations)
        raise ValueError(f"cell {text!r}: unknown operation {operation!r}; known: {known}")
    if origin != str(source):
        raise ValueError(f"cell {text!r}: wrong edge {edge!r}, expected {operation}~{source} in this place")
    return CellSpace.operations.index(operation)


@cache
def _cost_tables(space: CellSpace, num_classes: int, image_size: int) -> tuple[Cost, list[tuple[Cost, ...]]]:
    """The fixed skeleton's cost, and for each searched cell the cost of each operation on one edge."""
    widths = [space.channels * 2**stage for stage in range(STAGES)]
    check_whole(1, num_classes=num_classes, image_size=image_size)
    sizes = [-(-image_size // 2**stage) for stage in range(STAGES)]  # a padded stride of 2 keeps an odd edge
    skeleton = convolution_cost(3, widths[0], 3, sizes[0]) + head_cost(widths[-1], num_classes)
    for width, size in zip(widths[1:], sizes[1:], strict=True):
        skeleton += _reduction_cost(width, size)
    stages = [_operation_costs(width, size, space.cells) for width, size in zip(widths, sizes, strict=True)]
    if space.stages == 1:
        stages = [tuple(sum(costs, Cost(0, 0)) for costs in zip(*stages, strict=True))]
    return skeleton, stages


def _reduction_cost(width: int, size: int) -> Cost:
    convolutions = convolution_cost(width // 2, width, 3, size) + convolution_cost(width, width, 3, size)
    return convolutions + convolution_cost(width // 2, width, 1, size, batch_norm=False)


def _operation_costs(width: int, size: int, cells: int) -> tuple[Cost, ...]:
    kernels = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
    free = Cost(0, 0)
    return tuple(
        convolution_cost(width, width, kernels[operation], size) * cells if operation in kernels else free
        for operation in CellSpace.operations
    )
