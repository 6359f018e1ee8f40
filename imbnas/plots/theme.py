"""One look for every figure of the book: colours, markers and sizes that survive a colour-blind eye, grey and a phone.

A figure is `WIDTH` inches wide and is shown at most 560 pixels wide: text of 10.5 points is then as large as the
page's own on a desktop, and still nine pixels high on a phone. What a colour tells, a marker, a line style or a label
tells too.
"""

from typing import Any

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes

INK, QUIET, RULE, TINT = "#22303a", "#6b7780", "#c9d1d8", "#eef2f5"
BLUE, ORANGE, NAVY, TEAL, PURPLE, SAND = "#1f5f86", "#e07a1f", "#152c44", "#4fa692", "#8a4a7d", "#d2a93f"
PALETTE = (BLUE, ORANGE, NAVY, TEAL, PURPLE, SAND)
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "...", "xxx")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)))

# One colour and marker for each procedure and baseline, the same on every page.
PROCEDURE_COLOURS = {"P0": QUIET, "P1": ORANGE, "P2": BLUE, "P3": NAVY, "control": TEAL, "resnet32": PURPLE}
PROCEDURE_MARKERS = {"P0": "o", "P1": "s", "P2": "^", "P3": "D", "control": "v", "resnet32": "P"}

WIDTH, HEIGHT = 5.4, 3.5  # inches, of a figure with one panel

RC = {
    "figure.dpi": 210,
    "figure.figsize": (WIDTH, HEIGHT),
    "figure.constrained_layout.use": True,
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": TINT,
    "grid.linewidth": 1.0,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same letters everywhere
}


def theme() -> None:
    """Set the book's look for every figure drawn from here on."""
    sns.set_theme(style="whitegrid", palette=PALETTE, rc=RC)


def style(number: int) -> dict[str, Any]:
    """Colour, marker and line style of series `number`: keyword arguments for `Axes.plot`."""
    return {
        "color": PALETTE[number % len(PALETTE)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINES[number % len(LINES)],
    }


def axes(height: float = HEIGHT, rows: int = 1, columns: int = 1, width: float = WIDTH, **options: Any) -> Any:
    """Axes of a new figure (an array of them for several panels); `options` go to `plt.subplots`."""
    return plt.subplots(rows, columns, figsize=(width, height), **options)[1]


def note(ax: Axes, text: str) -> Axes:
    """Say in an empty figure what is missing and how to get it."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, color=QUIET, transform=ax.transAxes)
    return ax
