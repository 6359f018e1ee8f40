"""Is a ranking right? Scores against the truth, their agreement with intervals, and what moves it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from imbnas.evidence.in_print import plain, signed
from imbnas.names import ARM
from imbnas.plots.theme import BLUE, INK, LINES, NAVY, ORANGE, QUIET, RULE, TEAL, axes, note, style

OPERATIONS = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "1×1",
    "nor_conv_3x3": "3×3",
    "avg_pool_3x3": "pool",
}
THOUSANDS = FuncFormatter(lambda value, _: f"{value / 1000:g}")


def stale_statistics(stale: Sequence[float], fresh: Sequence[float], chance: float, ax: Axes | None = None) -> Axes:
    """Every path's accuracy with shared running statistics and with its own, joined; paths ordered by the latter."""
    ax, order = ax or axes(3.6), np.argsort(fresh)
    stale, fresh, places = np.array(stale)[order], np.array(fresh)[order], np.arange(len(order)) + 1
    ax.vlines(places, stale, fresh, color=RULE, linewidth=1.6, zorder=1)
    ax.plot(places, fresh, linestyle="none", marker="o", color=BLUE, label="re-estimated for the path")
    ax.plot(places, stale, linestyle="none", marker="X", color=ORANGE, label="shared, as training left them")
    ax.axhline(chance, color=QUIET, linewidth=1, linestyle=":")
    ax.annotate("guessing", (1, chance), xycoords=("axes fraction", "data"), xytext=(0, -11),
                textcoords="offset points", ha="right", color=QUIET, fontsize=9.5)  # fmt: skip
    ax.set(xlabel="paths, from worst to best", ylabel="accuracy (%)", xticks=[], ylim=(0, None))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.26), title="batch-norm statistics", ncols=2)
    return ax


def shared_work(
    population: Sequence[int], alone: Sequence[int], shared: Mapping[str, Sequence[int]], ax: Axes | None = None
) -> Axes:
    """Computations that a population needs path by path, and together."""
    ax = ax or axes(3.2)
    ax.plot(population, alone, color=QUIET, linestyle=":", marker="o", label="path by path")
    for number, (name, counts) in enumerate(shared.items()):
        ax.plot(population, counts, label=name, **style(number))
    ax.set(xlabel="paths in the population", ylabel="computations", xlim=(0, None), ylim=(0, None))
    ax.legend()
    return ax


def scatter(
    panels: Mapping[str, tuple[pd.Series, pd.Series]], xlabel: str, ylabel: str, good: float, missing: str = ""
) -> list[Axes]:
    """One panel per title: truth and scores of the same cells. The shaded side holds the cells above `good` percent.

    Without a panel, a figure that says what is `missing`.
    """
    if not panels:
        return [note(axes(1.2), missing)]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    grid = axes(0.7 + 2.6 * rows if columns > 1 else 3.7, rows, columns, squeeze=False, sharex=True)
    for ax, (title, (truth, scores)) in zip(grid.flat, panels.items(), strict=False):
        ax.axvspan(good, 100, color=TEAL, alpha=0.1, linewidth=0)
        ax.scatter(truth, scores[truth.index], s=11, color=BLUE, alpha=0.6, linewidths=0)
        ax.set(title=title, xlim=(truth.min() - 2, truth.max() + 1))
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    for ax in grid[-1]:
        ax.set_xlabel(xlabel)
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    return list(grid.flat[: len(panels)])


def against_truth(panels: Mapping[str, pd.Series], truth: pd.Series, ylabel: str = "score (%)") -> list[Axes]:
    """One panel per ranking: every path's score over its retrained accuracy; the path ranked first is ringed."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    grid = axes(0.5 + 2.5 * rows if columns > 1 else 3.3, rows, columns, squeeze=False, sharex=True)
    for ax, (title, scores) in zip(grid.flat, panels.items(), strict=False):
        tau = plain(scores.corr(truth[scores.index], method="kendall"))
        ax.scatter(truth[scores.index], scores, s=16, color=BLUE, alpha=0.7, linewidths=0)
        first = scores.idxmax()
        ax.scatter(truth[first], scores[first], s=90, facecolors="none", edgecolors=ORANGE, linewidths=2)
        ax.axvline(truth.max(), color=RULE, linewidth=1.2, linestyle="--", zorder=0)
        ax.set_title(f"{title}: τ = {tau}")
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    for ax in grid[-1]:
        ax.set_xlabel("retrained (%)")
    for ax in grid[:, 0]:
        ax.set_ylabel(ylabel)
    return list(grid.flat[: len(panels)])


def agreements(groups: Mapping[str, pd.DataFrame], marked: Sequence[str] = (), missing: str = "") -> list[Axes]:
    """Kendall's tau and its interval, one row per ranking, one panel per group; the frames share their index.

    Rows named in `marked` are the yardsticks: drawn hollow.
    """
    names = list(next(iter(groups.values())).index)
    if not names:
        return [note(axes(1.2), missing)]
    grid = axes(1.1 + 0.3 * len(names), 1, len(groups), squeeze=False, sharey=True, sharex=True)[0]
    for ax, (title, frame) in zip(grid, groups.items(), strict=True):
        for row, name in enumerate(names):
            tau, low, high = frame.loc[name, ["tau", "low", "high"]]
            colour, face = (QUIET, "white") if name in marked else (BLUE, BLUE)
            ax.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
            ax.plot(tau, row, "o", color=colour, markerfacecolor=face, markersize=6.5)
        ax.axvline(0, color=INK, linewidth=0.8)
        ax.set(title=title, xlabel="Kendall's τ to the truth", yticks=range(len(names)), yticklabels=names)
    grid[0].invert_yaxis()
    return list(grid)


def effects(panels: Mapping[str, tuple[pd.DataFrame, float]], missing: str = "") -> list[Axes]:
    """What every operation on every edge adds to a score: a panel per score, rows edges, columns operations.

    panels: by title, effects in standard deviations of the score and the share of it that they explain (R²).
    """
    if not panels:
        return [note(axes(1.2), missing)]
    columns = 2 if len(panels) > 1 else 1
    rows = -(-len(panels) // columns)
    grid = axes(2.9 * rows, rows, columns, squeeze=False)
    for ax, (title, (frame, explained)) in zip(grid.flat, panels.items(), strict=False):
        names = [OPERATIONS.get(name, name) for name in frame.columns]
        ax.imshow(frame, cmap="PuOr_r", vmin=-1.2, vmax=1.2, aspect="auto")
        for (row, column), value in np.ndenumerate(frame.to_numpy()):
            ink = "white" if abs(value) > 0.75 else INK
            shown = signed(value, 1) if abs(value) >= 0.05 else "0"
            ax.text(column, row, shown, ha="center", va="center", color=ink, fontsize=8.5)
        ax.set(xticks=range(len(names)), yticks=range(len(frame)), yticklabels=frame.index)
        ax.set_xticklabels(names, fontsize=8.5)
        ax.set_title(f"{title} (R² {explained:.2f})", fontsize=10)
        ax.tick_params(length=0)
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    return list(grid.flat[: len(panels)])


def shifts(before: pd.DataFrame, after: pd.DataFrame, names: tuple[str, str], missing: str = "") -> Axes:
    """Kendall's tau before (hollow) and after (filled), with intervals, joined; the frames share their index."""
    if before.empty:
        return note(axes(1.2), missing)
    ax = axes(1.6 + 0.5 * len(before))
    for row, label in enumerate(before.index):
        ax.plot([before.tau[label], after.tau[label]], [row, row], color=RULE, linewidth=1.2, zorder=1)
        for frame, colour, face, up in ((before, ORANGE, "white", 0.13), (after, BLUE, BLUE, -0.13)):
            ax.plot([frame.low[label], frame.high[label]], [row - up] * 2, color=colour, linewidth=1.6)
            ax.plot(frame.tau[label], row - up, "o", color=colour, markerfacecolor=face, markersize=6.5)
    for name, colour, face in zip(names, (ORANGE, BLUE), ("white", BLUE), strict=True):
        ax.plot([], [], "o", color=colour, markerfacecolor=face, label=name)
    ax.axvline(0, color=INK, linewidth=0.8)
    labels = [label.replace(": ", ":\n", 1) for label in before.index]
    ax.set(xlabel="Kendall's τ to the truth", yticks=range(len(before)), yticklabels=labels)
    ax.invert_yaxis()
    ax.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0))
    return ax


def growth(frame: pd.DataFrame, yardsticks: Mapping[str, float], missing: str = "", ax: Axes | None = None) -> Axes:
    """Agreement as training goes on: a line per arm (the mean of its seeds), a mark per seed, its yardsticks across."""
    if frame.empty:
        return note(ax or axes(1.2), missing)
    ax = ax or axes(3.8)
    for number, (arm, runs) in enumerate(frame.groupby("arm", sort=True)):
        look, mean = style(number), runs.groupby("images").tau.mean()
        ax.plot(mean.index, mean, color=look["color"], linestyle=look["linestyle"], zorder=3)
        ax.plot(runs.images, runs.tau, linestyle="none", color=look["color"], marker=look["marker"], zorder=3)
        ax.plot([], [], label=f"{arm} ({seeds(runs)})", **look)
        if len(runs) == len(mean):
            ax.fill_between(runs.images, runs.low, runs.high, color=look["color"], alpha=0.1, linewidth=0)
    for (name, tau), line in zip(yardsticks.items(), LINES[1:], strict=False):
        ax.axhline(tau, color=NAVY, linewidth=1.1, linestyle=line)
        ax.annotate(name, (0.01, tau), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
                    color=NAVY, fontsize=9.5)  # fmt: skip
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(xlabel="training images seen (thousands)", ylabel="Kendall's τ to the truth")
    ax.xaxis.set_major_formatter(THOUSANDS)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return ax


def changes(frame: pd.DataFrame, missing: str = "") -> Axes:
    """How far each change moved the agreement, with its interval: a row per change, a mark per seed.

    frame: `brief.changes`. The rows of the unchanged base are hollow: what another seed moves.
    """
    rows = frame[(frame.change != 0) | (frame.change_low != 0) | (frame.change_high != 0)]
    if rows.empty:
        return note(axes(1.2), missing)
    names = list(rows.changed.unique())
    ax = axes(1.1 + 0.34 * len(names))
    for name, runs in rows.groupby("changed"):
        chance = (runs.arm == ARM).all()
        colour, face = (QUIET, "white") if chance else (BLUE, BLUE)
        for place, run in enumerate(runs.itertuples()):
            height = names.index(name) + 0.22 * (place - (len(runs) - 1) / 2)
            ax.plot([run.change_low, run.change_high], [height] * 2, color=colour, linewidth=1.6)
            ax.plot(run.change, height, "o", color=colour, markerfacecolor=face, markersize=6.5)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set(xlabel="change of Kendall's τ to the truth", yticks=range(len(names)), yticklabels=names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    return ax


def seeds(runs: pd.DataFrame) -> str:
    """How many seeds an arm has, in words."""
    count = runs.seed.nunique()
    return f"{count} seed{'s' * (count > 1)}"
