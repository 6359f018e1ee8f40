"""Rankings against retrained paths: how good they are, how far targets agree, and what it takes to see a difference."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from imbnas.evidence.quality import MEAN, called
from imbnas.plots.theme import BLUE, INK, ORANGE, QUIET, RULE, TINT, axes, note, style

MISSING = "not enough retrained paths yet\n\nmake grid GOALS=ranking PROFILE=laptop\nretrains and scores them"
SHORT = {"overall": "", "head": ", head", "middle": ", middle", "tail": ", tail"}


def quality(frame: pd.DataFrame, target: str, ceiling: float = float("nan")) -> list[Axes]:
    """Tau of every ranking on one target, with its interval, and its top-5 regret: a row for each.

    A dot is one seed; where there are several, a diamond with the interval is their mean, and they are small dots
    below it. Yardsticks, which have no seed, are hollow.

    frame: `quality.quality`. The dashed line on the left is the `ceiling` where there is one, the dotted line on the
    right what five paths drawn blindly lose.
    """
    rows = frame[(frame.target == target) & frame.tau.notna()]
    if rows.empty:
        return [note(axes(1.4), MISSING)]
    rankings = [list(group.itertuples()) for _, group in rows.groupby("procedure", sort=False)]
    left, right = axes(1.4 + 0.34 * len(rankings), 1, 2, sharey=True)
    for place, (*seeds, row) in enumerate(rankings):
        colour, face = (BLUE, BLUE) if row.seed else (QUIET, "white")
        look = {"marker": "D" if row.seed == MEAN else "o", "color": colour, "markerfacecolor": face}
        left.plot([row.low, row.high], [place, place], color=colour, linewidth=1.8)
        for ax, figure in ((left, "tau"), (right, "regret")):
            ax.plot(getattr(row, figure), place, **look)
            values = [getattr(seed, figure) for seed in seeds]
            ax.plot(values, [place + 0.27] * len(values), "o", color=QUIET, markersize=3)
    names = [row.procedure if seeds else called(row.procedure, row.seed) for *seeds, row in rankings]
    left.axvline(0, color=INK, linewidth=0.8)
    if not np.isnan(ceiling):
        left.axvline(ceiling, color=ORANGE, linewidth=1.6, linestyle="--", label="no mistake, one noisy seed")
    right.axvline(rows.by_chance.iloc[0], color=INK, linewidth=1.2, linestyle=":", label="five paths drawn blindly")
    left.figure.legend(loc="outside lower center", ncols=2)
    left.set(xlabel="Kendall's τ", yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    right.set(xlabel="regret (points)")
    return [left, right]


def between_targets(frame: pd.DataFrame, ceilings: Mapping[str, float]) -> Axes:
    """How far accuracies of the same paths agree: tau with its interval, and hollow what is left without the cost.

    Whole accuracies of two targets, balanced against the tails, and head against tail within a target.
    frame: `premise.premise`; ceilings: by target. A dashed tick is the lower ceiling of a pair of targets.
    """
    within = (frame["first"] == frame.second) & (frame.first_part == "head")
    rows = frame[frame.tau.notna() & (within | (frame["first"] != frame.second) & (frame.first_part == "overall"))]
    if rows.empty:
        return note(axes(1.4), MISSING)
    ax = axes(1.4 + 0.42 * len(rows))
    for place, row in enumerate(rows.itertuples()):
        ax.plot([row.low, row.high], [place - 0.13] * 2, color=BLUE, linewidth=1.8)
        ax.plot(row.tau, place - 0.13, "o", color=BLUE)
        ax.plot([row.partial_low, row.partial_high], [place + 0.17] * 2, color=QUIET, linewidth=1.2)
        ax.plot(row.partial, place + 0.17, "s", color=QUIET, markerfacecolor="white")
        lower = np.fmin(ceilings.get(row.first, np.nan), ceilings.get(row.second, np.nan))
        if row.first != row.second and row.first_part == row.second_part == "overall":
            ax.plot([lower, lower], [place - 0.35, place + 0.35], color=ORANGE, linewidth=2, linestyle="--")
    ax.plot([], [], "o-", color=BLUE, label="τ")
    ax.plot([], [], "s-", color=QUIET, markerfacecolor="white", label="with the size partialled out")
    if (rows["first"] != rows.second).any() and any(not np.isnan(value) for value in ceilings.values()):
        ax.plot([], [], "--", color=ORANGE, label="ceiling")
    ax.figure.legend(loc="outside lower center", ncols=3)
    names = [f"{r.first}{SHORT[r.first_part]}\n{r.second}{SHORT[r.second_part]}" for r in rows.itertuples()]
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set(yticks=range(len(rows)), yticklabels=names, xlabel="agreement of the orders (Kendall's τ)")
    ax.tick_params(axis="y", labelsize=8.5)
    ax.set_ylim(len(rows) - 0.5, -0.6)
    return ax


def two_accuracies(
    panels: Mapping[str, tuple[pd.Series, pd.Series]], xlabel: str | Sequence[str], ylabel: str
) -> list[Axes]:
    """The same paths or cells by two accuracies, a panel per title; `xlabel` is theirs, or a list of each one's."""
    grid = axes(2.9, 1, len(panels), squeeze=False)[0]
    xlabels = [xlabel] * len(grid) if isinstance(xlabel, str) else xlabel
    for ax, xlabel, (title, (first, second)) in zip(grid, xlabels, panels.items(), strict=True):
        ax.scatter(first, second, s=9, color=BLUE, alpha=0.5, linewidths=0)
        ax.set(title=title, xlabel=xlabel)
    grid[0].set_ylabel(ylabel)
    return list(grid)


def widths(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How often a difference between two rankings shows, over the number of paths: a line per noise of the truth."""
    ax = ax or axes(3.2)
    for number, (name, shares) in enumerate(table.items()):
        ax.plot(table.index, 100 * shares, label=name, **style(number))
    ax.axhline(80, color=QUIET, linestyle="--", linewidth=1.2, zorder=0)
    ax.set(xlabel="retrained paths", ylabel="the interval excludes zero (%)", ylim=(0, 100))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return ax


def strata(macs: Sequence[int], ax: Axes | None = None) -> Axes:
    """Multiply-adds of the paths of the set in their order, its beginnings shaded one in the other."""
    ax = ax or axes(2.7)
    for count, strength in ((24, 1.0), (12, 1.7), (6, 2.6)):
        ax.axvspan(
            -0.5, count - 0.5, color=TINT if strength == 1 else RULE, alpha=min(1.0, 0.33 * strength), linewidth=0
        )
        ax.annotate(f"first {count}", (count - 0.7, 1.0), xycoords=("data", "axes fraction"), ha="right", va="top",
                    color=QUIET, fontsize=9)  # fmt: skip
    ax.plot(range(len(macs)), np.array(macs) / 1e6, "o", color=BLUE, markersize=4.5)
    ax.set(xlabel="number of the path in the set", ylabel="multiply-adds (millions)", xlim=(-0.5, len(macs) - 0.5))
    ax.set_ylim(0, 1.15 * max(macs) / 1e6)
    return ax


def seeds_for_gaps(curves: Mapping[str, pd.Series], gaps: Mapping[str, float], ax: Axes | None = None) -> Axes:
    """The seeds that a gap takes, on logarithmic axes: a line per noise; the `gaps` are marked by name."""
    ax = ax or axes(3.6)
    for number, (name, seeds) in enumerate(curves.items()):
        look = style(number) | {"marker": ""}
        ax.step(seeds.index, seeds, where="post", label=name, **look)
    for name, gap in gaps.items():
        ax.axvline(gap, color=QUIET, linewidth=1, linestyle=":")
        ax.annotate(name, (gap, 1.0), xycoords=("data", "axes fraction"), xytext=(2, -2), textcoords="offset points",
                    rotation=90, va="top", color=QUIET, fontsize=9)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="true gap (points)", ylabel="seeds needed")
    ticks = [0.2, 0.35, 0.75, 1.1, 2]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([2, 5, 10, 20, 50, 100, 200], ["2", "5", "10", "20", "50", "100", "200"])
    ax.set_yticks([], minor=True)
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.2))
    return ax
