"""Figures of accuracy by class and by group of classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from imbnas.plots.theme import BLUE, HATCHES, INK, ORANGE, PALETTE, axes


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
