"""DARTS in pictures: the two problems in one dimension, a cell that makes up its mind, what α does over a search."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from torch import Tensor

from imbnas.darts import Found, mixture
from imbnas.plots.space import BENDS, NAMES, SPREAD, strand
from imbnas.plots.theme import BLUE, INK, NAVY, ORANGE, PURPLE, QUIET, RULE, TEAL, axes, style
from imbnas.space import CellSpace
from imbnas.statistics.intervals import t_interval

# A line for each operation: colour, dashes and marker, so that grey print tells them apart.
LINES = {
    "none": {"color": PURPLE, "linestyle": (0, (1, 1.4)), "marker": "x"},
    "skip_connect": {"color": NAVY, "linestyle": (0, (4, 1.5)), "marker": "o"},
    "nor_conv_1x1": {"color": ORANGE, "linestyle": "-", "marker": "s"},
    "nor_conv_3x3": {"color": BLUE, "linestyle": "-", "marker": "^"},
    "avg_pool_3x3": {"color": TEAL, "linestyle": "-.", "marker": "D"},
}
BRANCHES = {  # of the macro space: a skip and a 3×3 convolution look as they do in cells
    "skip": LINES["skip_connect"],
    "conv3x3": LINES["nor_conv_3x3"],
    "conv3x3_twice": LINES["nor_conv_1x1"],
    "bottleneck5x5": LINES["avg_pool_3x3"],
}


ACROSS = ("skip_connect", "nor_conv_1x1", "none", "nor_conv_3x3", "avg_pool_3x3")  # the strands of an edge


def toy(walks: Mapping[str, Float[Tensor, "steps 2"]], ax: Axes | None = None) -> Axes:
    """Walks of (α, w) over the level lines of L_val = αw - 2α + 1, with the line on which w is best for its α."""
    ax = ax or axes()
    left, right, low, high = -0.6, 4.4, -2.6, 4.0
    alpha, w = np.meshgrid(np.linspace(left, right, 80), np.linspace(low, high, 80))
    levels = ax.contour(alpha, w, alpha * w - 2 * alpha + 1, levels=np.arange(-12, 9, 3), colors=RULE, linewidths=0.9)
    ax.clabel(levels, fontsize=8, colors=QUIET)
    ax.plot([left, right], [left, right], color=QUIET, linewidth=1.0)
    ax.text(-0.45, -0.25, "w*(α) = α", fontsize=9.5, rotation=45, rotation_mode="anchor", transform_rotates_text=True)
    ax.annotate("start", (2, -2), (1.25, -2.3), fontsize=9.5)
    for number, (name, walk) in enumerate(walks.items()):
        look = style(number) | {"markevery": max(1, len(walk) // 12), "markersize": 4.5}
        ax.plot(*walk.T.numpy(), label=name, **look)
        ax.plot(*walk[-1].numpy(), marker="*", markersize=13, color=look["color"], zorder=5)
    ax.set(xlabel="α", ylabel="w", xlim=(left, right), ylim=(low, high))
    ax.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="none")
    return ax


def epsilons(errors: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The finite difference's relative error by ε, one line for each precision (columns), on logarithmic axes."""
    ax = ax or axes(3.0)
    for number, name in enumerate(errors):
        ax.loglog(errors.index, errors[name], label=name, **style(number))
    ax.set(xlabel="ε · |v|, the distance walked", ylabel="relative error")
    ax.legend()
    return ax


def relaxed_edge(ax: Axes, edge: tuple[int, int], weights: Float[Tensor, " choices"], row: float) -> None:
    """All operations of an edge, each as wide as it weighs; `none`, in the middle, is a cross of that size."""
    offsets = np.linspace(-SPREAD, SPREAD, len(weights)) * 1.25
    by_name = dict(zip(CellSpace.operations, weights.tolist(), strict=True))
    for operation, offset in zip(ACROSS, offsets, strict=True):
        weight = by_name[operation]
        look = LINES[operation]
        if operation == "none":
            middle = (edge[0] + edge[1]) / 2, row + BENDS.get(edge, 0) / 2 + offset
            ax.plot(
                *middle, marker="x", color=look["color"], markersize=1.5 + 9 * weight, markeredgewidth=1.3, zorder=3
            )
            continue
        curve = strand(*edge, float(offset), row)
        pen = {"edgecolor": look["color"], "linestyle": look["linestyle"], "linewidth": 0.3 + 7 * weight}
        ax.add_patch(PathPatch(curve, fill=False, capstyle="butt", zorder=2, **pen))


def relaxed_cells(moments: Mapping[str, Float[Tensor, "genes choices"]]) -> Axes:
    """The paper's Fig. 2 from a live α: the same cell at several moments, a strand as wide as its weight in Eq. 3."""
    height = 2.15
    ax = axes(1.75 * len(moments) + 0.7)
    for number, (name, alpha) in enumerate(moments.items()):
        row = -height * number
        for edge, weights in zip(CellSpace.edges, mixture(alpha), strict=False):
            relaxed_edge(ax, edge, weights, row)
        for node, label in enumerate(("in", "1", "2", "out")):
            ax.plot(node, row, "o", color="white", markersize=21, markeredgecolor=INK, markeredgewidth=1.1, zorder=4)
            ax.text(node, row, label, ha="center", va="center", fontsize=9, zorder=5)
        ax.text(-0.4, row, name, ha="right", va="center", fontsize=9.5)
    ax.set(xlim=(-1.15, 3.3), ylim=(-height * (len(moments) - 1) - 0.85, 1.1))
    ax.set_axis_off()
    pens = [Line2D([], [], linewidth=2.4, **{**look, "marker": "none"}) for look in LINES.values()]
    pens[0] = Line2D([], [], color=PURPLE, marker="x", linestyle="none", markeredgewidth=1.3)
    names = [NAMES[name] for name in LINES]
    ax.legend(pens, names, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, handlelength=3.2)
    return ax


def draw_weights(
    ax: Axes, turns: Sequence[int], weights: Float[np.ndarray, "turns choices"], names: Sequence[str]
) -> None:
    """One line for each operation: its weight by turn."""
    for name, weight in zip(names, weights.T, strict=True):
        look = (LINES | BRANCHES)[name] | {"markevery": max(1, len(turns) // 4), "markersize": 4}
        ax.plot(turns, weight, label=NAMES.get(name, name), **look)
    ax.axhline(1 / len(names), color=RULE, linewidth=0.9, zorder=0)


def edges(found: Found) -> Any:
    """What softmax(α) does on each edge of the first cell over a search, a panel for each."""
    panels = axes(4.3, 2, 3, sharex=True, sharey=True)
    turns = list(found.trajectory)
    weights = np.stack([mixture(alpha).numpy() for alpha in found.trajectory.values()])
    for gene, (ax, (start, end)) in enumerate(zip(panels.flat, CellSpace.edges, strict=True)):
        draw_weights(ax, turns, weights[:, gene], CellSpace.operations)
        ax.set_title(f"{('in', 1, 2)[start]} → {(1, 2, 'out')[end - 1]}", fontsize=10)
    for ax in panels[1]:
        ax.set_xlabel("turn")
    for ax in panels[:, 0]:
        ax.set_ylabel("weight")
    key(panels)
    return panels


def shares(searches: Mapping[str, Found], operations: Sequence[str] = CellSpace.operations) -> Any:
    """The weight of each operation, averaged over the edges, by turn: a panel for each search."""
    columns = 3 if len(searches) == 6 else 2
    rows = -(-len(searches) // columns)
    panels = axes(0.7 + 1.95 * rows, rows, columns, sharey=True, squeeze=False)
    last = max(turn for found in searches.values() for turn in found.trajectory)
    for ax, (name, found) in zip(panels.flat, searches.items(), strict=False):
        weights = np.stack([mixture(alpha).mean(0).numpy() for alpha in found.trajectory.values()])
        draw_weights(ax, list(found.trajectory), weights, operations)
        if found.stopped is not None:
            ax.axvline(found.stopped, color=INK, linewidth=1.0)
            place = found.stopped, ax.get_ylim()[1]
            ax.annotate("returned to", place, (3, -2), textcoords="offset points", fontsize=8.5, va="top")
        ax.set_title(name.replace(", ", ",\n") if columns == 3 else name, fontsize=10)
        ax.set_xlim(0, last)
    for ax in panels.flat[len(searches) :]:
        ax.set_axis_off()
    for ax in panels[-1]:
        ax.set_xlabel("turn")
    for ax in panels[:, 0]:
        ax.set_ylabel("mean weight")
    key(panels)
    return panels


def key(panels: Any) -> None:
    """One legend for all panels, under them."""
    lines, names = panels.flat[0].get_legend_handles_labels()
    panels.flat[0].figure.legend(lines, names, loc="outside lower center", ncols=3, handlelength=3.0)


def preferences(pulls: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Where α is pulled (rows: operations) after so many steps of the weights (columns), largest pull 1."""
    ax = ax or axes(3.4)
    for name, row in (pulls / pulls.abs().max()).iterrows():
        look = LINES[name]
        ax.plot(pulls.columns, row, label=NAMES[name], **look)
    ax.axhline(0, color=QUIET, linewidth=0.9)
    ax.set(xlabel="steps of the weights while α rests", ylabel="pull on α, largest = 1")
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.24), ncols=2)
    return ax


def found_cells(cells: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The published accuracy of the cell that each arm found: a circle for each seed, mean and 95 % interval beside.

    cells: `imbnas.evidence.darts_study.cells`.
    """
    groups = {arm: rows.accuracy for arm, rows in cells.groupby("arm", sort=False)}
    ax = ax or axes(0.9 + 0.38 * len(groups))
    for row, values in enumerate(groups.values()):
        low, high = t_interval(values)
        half = (high - low) / 2 if len(values) > 1 else None
        ax.errorbar(values.mean(), row, xerr=half or None, fmt="D", color=BLUE, capsize=3)
        ax.plot(values, [row + 0.22] * len(values), "o", color=QUIET, markersize=4, markerfacecolor="none")
    ax.set_yticks(range(len(groups)), list(groups))
    ax.invert_yaxis()
    ax.set_xlim(right=min(100, ax.get_xlim()[1]))  # Student's interval does not know that accuracy ends there
    ax.set_xlabel("published CIFAR-10 accuracy of the cell found (%)")
    return ax
