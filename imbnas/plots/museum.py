"""Figures of the failure museum: what common mistakes move."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from imbnas.evidence.in_print import plain
from imbnas.plots.theme import BLUE, INK, ORANGE, QUIET, RULE, axes


def crossings(first: pd.Series, second: pd.Series, names: Sequence[str], ax: Axes | None = None) -> Axes:
    """Two rankings of the same paths side by side, a line for each path; a move by a quarter of the list stands out."""
    ax = ax or axes(4.2)
    places = pd.DataFrame({"first": first, "second": second}).rank(ascending=False, method="first")
    far = (places["first"] - places["second"]).abs() >= len(places) / 4
    for path, (left, right) in zip(places.index, places.to_numpy(), strict=True):
        look = {"color": ORANGE, "linewidth": 1.6, "zorder": 3} if far[path] else {"color": RULE, "linewidth": 1.1}
        ax.plot([0, 1], [left, right], marker="o", markersize=3, **look)
    ax.set(xlim=(-0.12, 1.12), ylim=(len(places) + 1, 0), ylabel="place (1: best)")
    ax.set_xticks([0, 1], names)
    ax.set_yticks([1, *range(16, len(places) + 1, 16)])
    ax.set_title(f"{far.sum()} of {len(places)} paths move a quarter of the list")
    ax.grid(visible=False)
    return ax


def twice(first: pd.Series, second: pd.Series, chosen: Collection[str], ax: Axes | None = None) -> Axes:
    """The same paths trained twice; those `chosen` by the first accuracy set off, and the means of both groups."""
    ax, picked = ax or axes(5.0), first.index.isin(list(chosen))
    low, high = min(first.min(), second.min()) - 2, max(first.max(), second.max()) + 2
    ax.plot([low, high], [low, high], color=RULE, linewidth=1.4, linestyle="--", zorder=0)
    for members, colour, marker, name in ((~picked, BLUE, "o", "the others"), (picked, ORANGE, "s", "the ten best")):
        ax.scatter(first[members], second[members], s=26, color=colour, marker=marker, alpha=0.8, linewidths=0)
        there, again = first[members].mean(), second[members].mean()
        ax.plot(there, again, "P", color=colour, markersize=13, markeredgecolor=INK, label=f"{name}, mean")
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    ax.set(xlabel="test accuracy, first training (%)", ylabel="second training (%)")
    ax.legend(loc="upper left")
    return ax


def pairs(values: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, ax: Axes | None = None) -> Axes:
    """Two values of every draw, joined; draws ordered by the first."""
    ax, (one, other) = ax or axes(3.2), values.items()
    order = np.argsort(one[1])
    left, right, places = np.array(one[1])[order], np.array(other[1])[order], np.arange(len(order)) + 1
    ax.vlines(places, left, right, color=QUIET, linewidth=1.6, zorder=1)
    ax.plot(places, left, linestyle="none", marker="o", color=BLUE, label=one[0])
    ax.plot(places, right, linestyle="none", marker="s", color=ORANGE, label=other[0])
    ax.set(xlabel=xlabel, ylabel=ylabel, xticks=[])
    ax.legend(loc="upper left")
    return ax


def agreement(panels: Mapping[str, tuple[pd.Series, pd.Series]], xlabels: Sequence[str], ylabel: str) -> list[Axes]:
    """Scores of the same cells against something else, two panels a row, Kendall's tau in each title."""
    rows = -(-len(panels) // 2)
    grid = axes(0.5 + 2.6 * rows, rows, 2, squeeze=False)
    for number, (ax, (title, (across, up))) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        colour = BLUE if number % 2 == 0 else ORANGE
        ax.scatter(across[up.index], up, s=11, color=colour, alpha=0.6, linewidths=0)
        tau = plain(up.corr(across[up.index], method="kendall"))
        ax.set(title=f"{title}: τ = {tau}", xlabel=xlabels[number])
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    return list(grid.flat[: len(panels)])
