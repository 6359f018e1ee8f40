"""Drawn architectures: a path lit up inside the super-network that holds it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from imbnas.plots.theme import BLUE, INK, NAVY, ORANGE, PURPLE, RULE, TEAL, WIDTH, axes
from imbnas.space import CellSpace

# Thickness and dashes tell the operations apart without colour: the heavier the line, the heavier the operation.
STROKES = {
    "nor_conv_3x3": {"color": BLUE, "linewidth": 4.2, "linestyle": "-"},
    "nor_conv_1x1": {"color": ORANGE, "linewidth": 2.6, "linestyle": "-"},
    "avg_pool_3x3": {"color": TEAL, "linewidth": 2.6, "linestyle": (0, (1, 1.1))},
    "skip_connect": {"color": NAVY, "linewidth": 1.3, "linestyle": (0, (4, 2))},
}
NAMES = {
    "nor_conv_3x3": "3×3 convolution",
    "nor_conv_1x1": "1×1 convolution",
    "avg_pool_3x3": "3×3 average pooling",
    "skip_connect": "skip",
    "none": "none",
}
BENDS = {(0, 2): 0.85, (1, 3): -0.85, (0, 3): 1.75}  # how far an edge bows out; neighbours are joined straight
SPREAD = 0.17  # between the strands of one edge


def strand(start: int, end: int, offset: float, row: float) -> Curve:
    """One operation of an edge: a curve from node to node, bowed by the edge's bend and the strand's own offset."""
    middle = ((start + end) / 2, row + 2 * (BENDS.get((start, end), 0) / 2 + offset))
    return Curve([(start, row), middle, (end, row)], [Curve.MOVETO, Curve.CURVE3, Curve.CURVE3])


def draw_edge(ax: Axes, edge: tuple[int, int], chosen: str, row: float) -> None:
    """All operations of an edge as faint strands, the chosen one lit; `none` is a cross on an edge left dark."""
    offsets = np.linspace(-SPREAD, SPREAD, len(CellSpace.operations))
    for operation, offset in zip(CellSpace.operations, offsets, strict=True):
        curve = strand(*edge, float(offset), row)
        if operation != chosen:
            ax.add_patch(PathPatch(curve, fill=False, color=RULE, linewidth=0.9, zorder=1))
        elif operation in STROKES:
            ax.add_patch(PathPatch(curve, fill=False, capstyle="butt", zorder=2, **STROKES[operation]))
        else:
            middle = (edge[0] + edge[1]) / 2, row + BENDS.get(edge, 0) / 2 + offset
            ax.plot(*middle, marker="x", color=PURPLE, markersize=6, markeredgewidth=1.6, zorder=3)


def draw_cell(ax: Axes, cell: tuple[int, ...], row: float = 0.0) -> None:
    """One cell: four nodes in a row, its six edges bowed between them."""
    for edge, gene in zip(CellSpace.edges, cell, strict=True):
        draw_edge(ax, edge, CellSpace.operations[gene], row)
    for node, name in enumerate(("in", "1", "2", "out")):
        ax.plot(node, row, "o", color="white", markersize=23, markeredgecolor=INK, markeredgewidth=1.1, zorder=4)
        ax.text(node, row, name, ha="center", va="center", fontsize=9.5, zorder=5)


def legend(ax: Axes) -> None:
    """What the strokes mean, under the drawing."""
    lines = [Line2D([], [], **stroke) for stroke in STROKES.values()]
    cross = Line2D([], [], marker="x", color=PURPLE, linestyle="none", markeredgewidth=1.6)
    faint = Line2D([], [], color=RULE, linewidth=0.9)
    names = [NAMES[name] for name in (*STROKES, "none")] + ["not on the path"]
    ax.legend(
        [*lines, cross, faint], names, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2,
        handlelength=3.2, columnspacing=1.6,
    )  # fmt: skip


def path_in_supernetwork(space: CellSpace, path: tuple[int, ...], ax: Axes | None = None) -> Axes:
    """A path lit up inside the super-network: one searched cell a row, every operation that it could have a strand."""
    cells, height = space.cells_of(path), 1.95
    ax = ax or axes(1.45 * len(cells) + 1.1, width=WIDTH)
    for number, cell in enumerate(cells):
        draw_cell(ax, cell, -height * number)
        width, size = space.channels * 2**number, 32 // 2**number
        where = f"stage {number + 1}\n{width} channels\n{size} × {size}" if len(cells) > 1 else "every\nstage"
        ax.text(-0.45, -height * number, where, ha="right", va="center", fontsize=9.5, linespacing=1.4)
    ax.set(xlim=(-1.25, 3.3), ylim=(-height * (len(cells) - 1) - 0.72, 1.08))
    ax.set_axis_off()
    legend(ax)
    return ax
