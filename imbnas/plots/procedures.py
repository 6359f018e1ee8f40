"""Figures of the procedures themselves: what each trains, with which loss and rate, and the stages of their grid."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from imbnas.plots.theme import BLUE, INK, NAVY, ORANGE, PROCEDURE_COLOURS, QUIET, RULE, TINT, axes
from imbnas.training import Recipe

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
