"""Table 2 in figures: what the winners reach, the gaps between procedures, and what the winners cost."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from imbnas.evidence.paper import PAPER
from imbnas.names import PROCEDURES, TARGETS
from imbnas.plots.theme import BLUE, INK, PROCEDURE_COLOURS, PROCEDURE_MARKERS, QUIET, RULE, axes, note
from imbnas.statistics.intervals import t_interval
from imbnas.statistics.scores import binomial_error

NO_RECORDS = "no record yet\n\nmake grid PROFILE=laptop\nwrites them"
NORMAL = 1.96  # standard errors to either side of a 95 % interval


def levels(runs: pd.DataFrame, profile: str) -> list[Axes]:
    """Accuracy per target: ours filled, with the interval over seeds; the paper's hollow, with its test images'.

    runs: `retrainings` of `imbnas.evidence.table2`. Every seed is a small dot beside the mean. A point of ours with one
    seed has no interval over seeds. It gets a thin bar, that of 10,000 test images.
    """
    grid = axes(4.6, 2, 2)
    for ax, target in zip(grid.flat, TARGETS, strict=True):
        shown = []
        for row, procedure in enumerate(PROCEDURES):
            value = PAPER.loc[procedure, target]
            half = NORMAL * binomial_error(value)
            ax.plot([value - half, value + half], [row + 0.16] * 2, color=QUIET, linewidth=1.2)
            ax.plot(value, row + 0.16, PROCEDURE_MARKERS[procedure], color=QUIET, markerfacecolor="white")
            ours = runs.accuracy[(runs.procedure == procedure) & (runs.target == target)]
            mean_and_seeds(ax, ours, row - 0.16, PROCEDURE_COLOURS[procedure], PROCEDURE_MARKERS[procedure])
            shown += [value - half, value + half, *ours, *(t_interval(ours) if len(ours) > 2 else ())]
            if len(ours) == 1:
                half, value = NORMAL * binomial_error(ours.iloc[0]), ours.iloc[0]
                ends = [value - half, value + half]
                ax.plot(ends, [row - 0.16] * 2, linewidth=0.9, color=PROCEDURE_COLOURS[procedure])
                shown += ends
        missing = "" if (runs.target == target).any() else " (ours: not run)"
        ax.set(title=target + missing, yticks=range(4), yticklabels=PROCEDURES, ylim=(3.6, -0.6), xlim=around(shown))
        ax.grid(axis="y", visible=False)
    grid[0, 0].plot([], [], "o", color=INK, label=f"ours ({profile or 'no records yet'})")
    grid[0, 0].plot([], [], "o", color=QUIET, markerfacecolor="white", label="the paper's")
    grid[0, 0].figure.legend(loc="outside upper center", ncols=2)
    for ax in grid[1]:
        ax.set_xlabel("accuracy (%)")
    return list(grid.flat)


def mean_and_seeds(ax: Axes, values: pd.Series, row: float, colour: str, marker: str = "o") -> None:
    """The mean of some seeds at one height, from two on with its 95 % interval and every seed as a small dot."""
    if not len(values):
        return
    if len(values) > 1:
        ax.plot(t_interval(values), [row] * 2, color=colour, linewidth=2.2)
        ax.plot(values, [row] * len(values), ".", color=colour, markeredgecolor="white", markersize=9, zorder=3)
    ax.plot(values.mean(), row, marker, color=colour, zorder=4)


def around(values: Sequence[float]) -> tuple[float, float]:
    """Limits of an axis that holds these values; the interval of two seeds is wider and runs out of the figure."""
    low, high = min(values), max(values)
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def gaps(ours: Mapping[str, pd.DataFrame], paper: Mapping[str, pd.DataFrame], profile: str = "") -> list[Axes]:
    """Differences in points, one panel per pair of procedures, one row per target.

    ours: `seed_by_seed` of `imbnas.evidence.table2` by title, empty for the paper's alone; paper: `paper_gaps` of
    `imbnas.evidence.paper` by the same titles. Hollow and grey is the paper's single run with the interval of its test
    images; filled is ours, seeds paired: every seed a small dot, and their mean with its interval.
    """
    grid = axes(0.9 + 1.75 * len(paper), len(paper), 1, squeeze=False, sharex=True)[:, 0]
    shown = [0.0]
    for ax, (title, theirs) in zip(grid, paper.items(), strict=True):
        ax.axvline(0, color=INK, linewidth=0.9)
        for row, (target, gap) in enumerate(theirs.iterrows()):
            half = NORMAL * gap.error
            ax.plot([gap.difference - half, gap.difference + half], [row + 0.17] * 2, color=QUIET, linewidth=1.2)
            ax.plot(gap.difference, row + 0.17, "o", color=QUIET, markerfacecolor="white")
            mine = ours.get(title, pd.DataFrame()).get(target, pd.Series(dtype=float)).dropna()
            mean_and_seeds(ax, mine, row - 0.17, BLUE)
            shown += [gap.difference - half, gap.difference + half, *mine]
        ax.set(title=title, yticks=range(len(theirs)), yticklabels=theirs.index, ylim=(len(theirs) - 0.4, -0.6))
        ax.grid(axis="y", visible=False)
    grid[-1].set(xlabel="difference (points)", xlim=around(shown))
    if ours:
        grid[0].plot([], [], "o", color=BLUE, label=f"ours ({profile})" if profile else "ours: no records yet")
    grid[0].plot([], [], "o", color=QUIET, markerfacecolor="white", label="the paper's one run")
    grid[0].figure.legend(loc="outside upper center", ncols=2)
    return list(grid)


def cost_against_accuracy(costs: pd.DataFrame, runs: pd.DataFrame, target: str, ax: Axes | None = None) -> Axes:
    """Accuracy of each procedure's winner on `target` over what it cost: filled, adapting and searching.

    runs: `retrainings` of `imbnas.evidence.table2`; from two seeds on each is a small dot beside their mean.
    Hollow, where a procedure starts from a source super-network: with that network's training, for this target alone.
    """
    ax = ax or axes(3.4)
    spent = costs[(costs.target == target) | costs.procedure.isin(["P0", "source"])]
    minutes = (spent.training + spent.search).groupby(spent.procedure).mean() / 60
    runs = runs[(runs.target == target) & runs.procedure.isin(minutes.index)]
    shown = runs.groupby("procedure", sort=False, as_index=False).accuracy.mean()
    if not len(shown):
        return note(ax, NO_RECORDS)
    source = minutes.get("source", np.nan)
    for cell in shown.itertuples():
        colour, marker = PROCEDURE_COLOURS[cell.procedure], PROCEDURE_MARKERS[cell.procedure]
        own = minutes[cell.procedure]
        seeds = runs.accuracy[runs.procedure == cell.procedure]
        ax.plot([own] * len(seeds), seeds, ".", color=colour, alpha=0.6)
        ax.plot(own, cell.accuracy, marker, color=colour, markersize=8)
        if cell.procedure != "P3" and not np.isnan(source):
            ax.plot([own, own + source], [cell.accuracy] * 2, color=RULE, linewidth=1, zorder=0)
            ax.plot(own + source, cell.accuracy, marker, color=colour, markersize=8, markerfacecolor="white")
        near = shown[(shown.accuracy - cell.accuracy).abs() < 0.6].procedure.map(minutes)
        crowded = near.between(own, own + 0.15 * minutes.max(), inclusive="right").any()  # its name would cover a point
        side = {"xytext": (-8, 3), "ha": "right"} if crowded else {"xytext": (7, 5)}
        ax.annotate(cell.procedure, (own, cell.accuracy), textcoords="offset points", weight="bold", **side)
    ax.plot([], [], "o", color=INK, label="adapting and searching")
    ax.plot([], [], "o", color=INK, markerfacecolor="white", label="with the source's training")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=2)
    ax.set(xlabel="minutes", ylabel=f"accuracy on {target} (%)")
    ax.margins(y=0.3)
    low, high = ax.get_ylim()
    spare = max(0.0, (2 - (high - low)) / 2)  # two points at least: noise must not look like a gap
    ax.set_ylim(low - spare, high + spare)
    ax.set_xlim(0, 1.1 * ax.get_xlim()[1])
    return ax
