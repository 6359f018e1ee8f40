"""Figures of the four procedures and of their results: what is trained, what came of it, and what can be told."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from imbnas.evidence.paper import PAPER
from imbnas.names import PROCEDURES, TARGETS
from imbnas.plots.theme import (
    BLUE,
    INK,
    NAVY,
    ORANGE,
    PALETTE,
    PROCEDURE_COLOURS,
    PROCEDURE_MARKERS,
    QUIET,
    RULE,
    TINT,
    axes,
    note,
)
from imbnas.statistics.intervals import binomial_error, t_interval
from imbnas.training import Recipe

NO_RECORDS = "no record yet\n\nmake grid PROFILE=laptop\nwrites them"
HATCHES = ("", "///", "...", "xxx")
NORMAL = 1.96  # standard errors to either side of a 95 % interval

# --------------------------------------------------------------------------- what is trained, and what is not

# backbone, classifier: (words, trained on the target?, starts from the source?); from where on the loss is re-weighted
PARTS = {
    "P0": (("the source's", False, True), ("the source's", False, True), None),
    "P1": (("frozen", False, True), ("new, trained", True, False), 0.0),
    "P2": (("trained further", True, True), ("new, trained", True, False), 0.6),
    "P3": (("new, trained", True, False), ("new, trained", True, False), 0.75),
}
COLUMNS = {"backbone": (0.09, 0.35), "classifier": (0.47, 0.25), "loss on the target": (0.75, 0.25)}


def trained_and_frozen(highlight: str = "", ax: Axes | None = None) -> Axes:
    """What each procedure does with backbone, classifier and loss; one of them may be set off from the others.

    Orange is trained on the target, hatched grey is left as it is, a blue edge starts from the source's weights.
    """
    ax = ax or axes(3.1)
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(4.05, -0.62))
    for name, (left, width) in COLUMNS.items():
        ax.text(left + width / 2, -0.22, name, ha="center", color=QUIET)
    for row, (procedure, (backbone, classifier, start)) in enumerate(PARTS.items()):
        strength = 1.0 if highlight in ("", procedure) else 0.75
        ax.text(0.0, row + 0.4, procedure, va="center", weight="bold", color=INK, alpha=strength)
        for place, part in zip(COLUMNS.values(), (backbone, classifier), strict=False):
            draw_part(ax, place, row, part, strength)
        draw_loss(ax, COLUMNS["loss on the target"], row, start, strength)
    return ax


def draw_part(ax: Axes, place: tuple[float, float], row: int, part: tuple[str, bool, bool], strength: float) -> None:
    """A box for the backbone or the classifier."""
    (left, width), (words, trained, from_source) = place, part
    look = {"facecolor": ORANGE, "edgecolor": ORANGE} if trained else {"facecolor": TINT, "edgecolor": RULE}
    ax.add_patch(Rectangle((left, row), width, 0.8, hatch="" if trained else "////", alpha=strength, **look))
    if from_source:
        ax.add_patch(Rectangle((left, row), 0.018, 0.8, facecolor=BLUE, alpha=strength))
    label = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.0 if trained else strength}
    ax.text(left + width / 2, row + 0.41, words, ha="center", va="center", color=INK, alpha=strength, bbox=label)


def draw_loss(ax: Axes, place: tuple[float, float], row: int, start: float | None, strength: float) -> None:
    """A bar in time: plain cross-entropy, then re-weighted from fraction `start` on; nothing where `start` is None."""
    left, width = place
    if start is None:
        ax.text(left + width / 2, row + 0.41, "none", ha="center", va="center", color=QUIET, alpha=strength)
        return
    ax.add_patch(
        Rectangle((left, row + 0.22), width, 0.36, facecolor="white", edgecolor=QUIET, linewidth=0.8, alpha=strength)
    )
    ax.add_patch(
        Rectangle((left + start * width, row + 0.22), (1 - start) * width, 0.36, facecolor=NAVY, alpha=strength)
    )
    words = "re-weighted"
    inside = {"color": "white"} if start == 0 else {"color": INK}
    ax.text(left + width * (0.5 if start == 0 else start / 2), row + 0.41, words if start == 0 else "plain",
            ha="center", va="center", fontsize=9, alpha=strength, **inside)  # fmt: skip


def schedule(recipe: Recipe, steps_per_epoch: int = 1, ax: Axes | None = None) -> Axes:
    """The learning rate over training, logarithmic where it falls in steps, and the re-weighted phase, shaded.

    The axis counts in the recipe's own unit, epochs or steps.
    """
    ax = ax or axes(2.7)
    steps = np.arange(recipe.total_steps(steps_per_epoch))
    moments = steps / steps_per_epoch if recipe.unit == "epochs" else steps
    ax.plot(moments, [recipe.rate_at(int(step), steps_per_epoch) for step in steps], color=BLUE)
    if recipe.reweight_from is not None:
        start, end = recipe.reweight_from, recipe.length
        ax.axvspan(start, end, facecolor=ORANGE, alpha=0.2, hatch="///", edgecolor="white", linewidth=0)
        place = ((start + end) / 2, 0.93)
        ax.annotate("re-weighted", place, xycoords=("data", "axes fraction"), ha="center", va="top")
    ax.set(xlabel=recipe.unit.removesuffix("s"), ylabel="learning rate", xlim=(0, recipe.length))
    ax.set_ylim(0, recipe.rate * 1.25)
    if recipe.milestones:
        least = recipe.rate * recipe.factor ** len(recipe.milestones)
        ax.set(yscale="log", ylim=(least / 3, recipe.rate * 6))
    return ax


# stage -> words, place of its box (middle), and the stages that it needs
STAGES = {
    "supernet": ("super-network\n1 record", (0.14, 0.86), ()),
    "P0": ("search P0\n1 record", (0.14, 0.5), ("supernet",)),
    "P1": ("search P1\n4 records", (0.39, 0.5), ("supernet",)),
    "P2": ("search P2\n4 records", (0.64, 0.5), ("supernet",)),
    "P3": ("search P3\n4 records", (0.88, 0.5), ()),
    "retrain": ("retraining of every winner: 16 records", (0.5, 0.2), ("P0", "P1", "P2", "P3")),
    "table": ("Table 2", (0.5, 0.03), ("retrain",)),
}


def grid_of_records(ax: Axes | None = None) -> Axes:
    """The stages of one seed of the grid, with their numbers of records and what each needs."""
    ax = ax or axes(3.6)
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(-0.06, 0.98))
    for name, (words, (x, y), needs) in STAGES.items():
        colour = PROCEDURE_COLOURS.get(name, INK)
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colour, "linewidth": 1.6}
        ax.text(x, y, words, ha="center", va="center", bbox=box)
        for need in needs:
            (from_x, from_y) = STAGES[need][1]
            to_x = min(max(from_x, 0.3), 0.7) if name == "retrain" else x
            to_y = y if name in ("retrain", "table") else y + 0.1  # the upper edge of a box of two lines
            arrow = {
                "arrowstyle": "-|>",
                "color": QUIET,
                "shrinkA": 17 if need != "retrain" else 10,
                "shrinkB": 12 if to_y == y else 2,
            }
            ax.annotate("", (to_x, to_y), (from_x, from_y), arrowprops=arrow, zorder=0)
    return ax


# --------------------------------------------------------------------------------- rankings against the truth


def against_truth(panels: Mapping[str, pd.Series], truth: pd.Series, ylabel: str = "score (%)") -> list[Axes]:
    """One panel per ranking: every path's score over its retrained accuracy; the path ranked first is ringed."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    grid = axes(0.5 + 2.5 * rows if columns > 1 else 3.3, rows, columns, squeeze=False, sharex=True)
    for ax, (title, scores) in zip(grid.flat, panels.items(), strict=False):
        tau = scores.corr(truth[scores.index], method="kendall")
        ax.scatter(truth[scores.index], scores, s=16, color=BLUE, alpha=0.7, linewidths=0)
        first = scores.idxmax()
        ax.scatter(truth[first], scores[first], s=90, facecolors="none", edgecolors=ORANGE, linewidths=2)
        ax.axvline(truth.max(), color=RULE, linewidth=1.2, linestyle="--", zorder=0)
        ax.set_title(f"{title}: τ = {tau:.2f}")
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    for ax in grid[-1]:
        ax.set_xlabel("retrained (%)")
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    return list(grid.flat[: len(panels)])


def grouped_bars(frame: pd.DataFrame, ylabel: str, ax: Axes | None = None) -> Axes:
    """One group of bars per row, one bar per column, the value on top of each."""
    ax, width = ax or axes(3.4), 0.8 / frame.shape[1]
    for number, (name, values) in enumerate(frame.items()):
        places = np.arange(len(frame)) + (number - (frame.shape[1] - 1) / 2) * width
        look = {"color": PALETTE[number % len(PALETTE)], "hatch": HATCHES[number % len(HATCHES)]}
        bars = ax.bar(places, values, width * 0.94, **look, edgecolor="white", label=name)
        ax.bar_label(bars, fmt="%.0f", fontsize=9, color=INK)
    ax.set_xticks(range(len(frame)), [str(name).replace(", ", "\n") for name in frame.index])
    ax.set(ylabel=ylabel)
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=frame.shape[1])
    return ax


def per_class(accuracies: Sequence[float], counts: Sequence[int], ax: Axes | None = None) -> Axes:
    """Accuracy of every class as bars, its training images as a line of their own on a logarithmic axis."""
    ax = ax or axes(2.9)
    ax.bar(range(len(counts)), accuracies, color=BLUE, width=0.8)
    ax.set(xlabel="class, from head to tail", ylabel="accuracy (%)", ylim=(0, 100))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="x", visible=False)
    images = ax.twinx()
    images.plot(counts, color=ORANGE, marker=".", linewidth=1.4)
    images.set(yscale="log", ylabel="training images (line)")
    images.grid(False)
    images.spines["right"].set_visible(True)
    return ax


# ------------------------------------------------------------------------------------------- Table 2 in figures


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
            shown += [value - half, value + half, *ours]
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
    if ends := t_interval(values):
        ax.plot(ends, [row] * 2, color=colour, linewidth=2.2)
        ax.plot(values, [row] * len(values), ".", color=colour, markeredgecolor="white", markersize=9, zorder=3)
    ax.plot(values.mean(), row, marker, color=colour, zorder=4)


def around(values: Sequence[float]) -> tuple[float, float]:
    """Limits of an axis that holds these values; a wider interval, as two seeds have it, runs out of the figure."""
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
