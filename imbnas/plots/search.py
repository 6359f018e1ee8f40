"""Searches: how they rise, where their children come from, and what their winners are really worth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from imbnas.evolution import Search
from imbnas.plots.theme import BLUE, INK, NAVY, ORANGE, QUIET, RULE, TEAL, axes
from imbnas.space import Path

LOOKS = {
    "evolution": {"color": ORANGE, "linestyle": "-", "marker": "s"},
    "random search": {"color": BLUE, "linestyle": "--", "marker": "o"},
}
KINDS = {"random": (RULE, ""), "crossovers": (TEAL, "///"), "mutants": (NAVY, "")}
DOTS = {
    "random": {"marker": "o", "facecolors": "none", "edgecolors": INK},
    "crossovers": {"marker": "^", "color": TEAL},
    "mutants": {"marker": "s", "color": ORANGE},
}
QUANTITIES = {"score": "best score so far (%)", "truth": "true accuracy of its path (%)"}
Summary = Mapping[str, Any]  # of `imbnas.stages.landscape.summary`


def best_so_far(
    searches: Mapping[str, Summary],
    quantity: str = "score",
    optimum: float | None = None,
    low: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The median over repeats and the middle 80 % of them, against the number of scored paths.

    quantity: "score", or "truth" for the true accuracy of the path that scores best so far.
    """
    ax = ax or axes()
    for name, search in searches.items():
        look, curves = LOOKS[name], search[quantity]
        ax.fill_between(search["paths"], curves["q10"], curves["q90"], color=look["color"], alpha=0.18, linewidth=0)
        ax.plot(search["paths"], curves["q50"], label=name, color=look["color"], linestyle=look["linestyle"])
    if optimum is not None:
        ax.axhline(optimum, color=QUIET, linewidth=1, linestyle=":")
        ax.annotate("optimum", (1, optimum), xycoords=("axes fraction", "data"), xytext=(0, 3),
                    textcoords="offset points", ha="right", color=QUIET, fontsize=9.5)  # fmt: skip
    ax.set(xlabel="scored paths", ylabel=QUANTITIES[quantity], xlim=(0, None))
    if low is not None:
        top = max(curves["q90"][-1], optimum or 0.0)
        ax.set_ylim(low, top + 0.12 * (top - low))
    ax.legend(loc="lower right")
    return ax


def score_and_truth(searches: Mapping[str, Summary], optimum: float, lows: tuple[float, float]) -> np.ndarray:
    """Two panels: the best score so far, and below it the true accuracy of the path that holds it."""
    panels = axes(5.6, rows=2, sharex=True)
    best_so_far(searches, "score", low=lows[0], ax=panels[0])
    best_so_far(searches, "truth", optimum, low=lows[1], ax=panels[1])
    panels[0].set(title="What the search sees", xlabel="")
    panels[1].set(title="What it gets")
    panels[1].get_legend().remove()
    return panels


def children(search: Summary, ax: Axes | None = None) -> Axes:
    """New paths of every generation by kind, stacked: the mean over repeats."""
    ax, bottom = ax or axes(3.2), 0.0
    for kind, (colour, hatch) in KINDS.items():
        counts = np.array(search["children"][kind])
        ax.bar(np.arange(len(counts)), counts, 0.86, bottom, color=colour, hatch=hatch, edgecolor="white",
               linewidth=0.6, label=kind)  # fmt: skip
        bottom = bottom + counts
    ax.set(xlabel="generation", ylabel="new paths", xlim=(-0.6, len(counts) - 0.4), ylim=(0, None))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3, reverse=True)
    ax.grid(axis="x", visible=False)
    return ax


def moving(
    search: Search,
    costs: Mapping[Path, float],
    truth: Mapping[Path, float],
    generations: Sequence[int],
    low: float,
) -> np.ndarray:
    """Where a search is in its space: the new paths of some generations by kind, on every path by cost and truth.

    costs: multiply-adds in millions. Paths whose truth is below `low` are not drawn.
    """
    panels = axes(5.4, rows=2, columns=2, sharex=True, sharey=True)
    figure, top = panels[0, 0].figure, max(truth.values())
    everywhere = np.array([(costs[path], truth[path]) for path in truth])
    for ax, number in zip(panels.flat, generations, strict=True):
        ax.scatter(*everywhere.T, s=3, color=RULE, linewidths=0)
        for kind, born in born_in(search, number).items():
            at = [costs[path] for path in born], [truth[path] for path in born]
            ax.scatter(*at, s=20, linewidths=0.9, label=kind, **DOTS[kind])
        ax.set_title(f"generation {number}")
    ax.set_ylim(low, top + 0.05 * (top - low))
    figure.supxlabel("multiply-adds (millions)", fontsize=10.5)
    figure.supylabel("true accuracy (%)", fontsize=10.5)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return panels


def born_in(search: Search, number: int) -> dict[str, list[Path]]:
    """The new paths of one generation by kind: a search keeps them in the order in which they were scored."""
    sizes = [sum(generation.children.values()) for generation in search.history]
    start, paths, born = sum(sizes[:number]), list(search.scored), {}
    for kind in ("mutants", "crossovers", "random"):
        stop = start + search.history[number].children[kind]
        born[kind], start = paths[start:stop], stop
    return born


def winners(
    scores: Sequence[float],
    truths: Sequence[float],
    searches: Mapping[str, Summary],
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """Every path by score and true accuracy, and on them the winners of many searches, as large as they were frequent.

    Only the region of the winners is shown. `label` says what the score is.
    """
    ax = ax or axes(3.9)
    found = {name: Counter((w["score"], w["truth"]) for w in search["winners"]) for name, search in searches.items()}
    left = min(score for counts in found.values() for score, _ in counts)
    bottom = min(truth for counts in found.values() for _, truth in counts)
    ax.scatter(scores, truths, s=9, color=RULE, linewidths=0, label="every architecture")
    for name, counts in sorted(found.items(), reverse=True):
        sizes = [14 + 260 * count / sum(counts.values()) for count in counts.values()]
        ax.scatter(*zip(*counts, strict=True), s=sizes, color=LOOKS[name]["color"], marker=LOOKS[name]["marker"],
                   alpha=0.75, edgecolors="white", linewidths=0.8, label=f"winners of {name}")  # fmt: skip
    ax.set(xlabel=label, ylabel="true accuracy (%)")
    ax.set_xlim(left - 0.3, max(scores) + 0.15)
    ax.set_ylim(bottom - 0.3, max(truths) + 0.12)
    legend = ax.legend(loc="upper center", bbox_to_anchor=(0.46, 1.24), ncols=2)
    for mark in legend.legend_handles:
        mark.set_sizes([36])
    return ax


def winners_curse(levels: Sequence[Mapping[str, Any]], optimum: float, ax: Axes | None = None) -> Axes:
    """What the winner scored, and what it is worth, as the score's error grows; `levels` as the record holds them."""
    ax = ax or axes(3.9)
    noise = [level["noise"] for level in levels]
    for name, look in LOOKS.items():
        score = [level[name]["score"] for level in levels]
        truth = [level[name]["truth"] for level in levels]
        ax.plot(noise, score, color=look["color"], marker=look["marker"], markerfacecolor="white", linestyle=":",
                label=f"{name}: score")  # fmt: skip
        ax.plot(noise, truth, **look, label=f"{name}: truth")
    ax.axhline(optimum, color=INK, linewidth=1, linestyle=":")
    ax.set(xlabel="standard deviation of the score's error (points)", ylabel="accuracy of the winner (%)")
    ax.legend(loc="upper left")
    return ax
