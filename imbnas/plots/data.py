"""Figures of long-tailed data and of what re-weighting makes of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from torch import Tensor

from imbnas.data import shot_groups
from imbnas.plots.theme import BLUE, HATCHES, INK, MARKERS, NAVY, ORANGE, PALETTE, RULE, SAND, TINT, axes, style

GROUP_COLOURS = {"many": BLUE, "medium": SAND, "few": ORANGE}


def long_tail(counts: Sequence[int], ax: Axes | None = None) -> Axes:
    """Training images of every class as bars, the groups many, medium and few apart and summed up."""
    ax = ax or axes(3.2)
    for name, labels in shot_groups(counts).items():
        if labels:
            images = [counts[label] for label in labels]
            ax.bar(labels, images, width=1.0, color=GROUP_COLOURS[name], edgecolor="white", linewidth=0.3)
            said = f"{name}\n{len(labels)} classes\n{sum(images):,} images"
            ax.annotate(said, (labels[0], max(images)), (26, 4), textcoords="offset points", va="bottom")
    ax.set(xlabel="class, from head to tail", ylabel="training images", xlim=(-1, len(counts)))
    ax.grid(axis="x", visible=False)
    return ax


def distributions(counts: Mapping[str, Sequence[int]], ax: Axes | None = None) -> Axes:
    """Several label distributions over the same classes, named where they end; images on a logarithmic axis."""
    ax = ax or axes()
    for number, (name, images) in enumerate(counts.items()):
        every = max(1, len(images) // 10)
        ax.plot(images, **style(number), markevery=every, markersize=4.5, label=f"{name}: {sum(images):,} images")
    ax.set(yscale="log", xlabel="class, from head to tail", ylabel="training images")
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.legend(loc="lower left")
    return ax


def images_by_class(
    images: UInt8[Tensor, "n 3 h w"],
    labels: Int[Tensor, " n"],
    names: Sequence[str],
    columns: int = 20,
    ax: Axes | None = None,
) -> Axes:
    """A row of images for each class, at most `columns`, with the class's name and its number of images."""
    size = images.shape[-1]
    page = np.full((len(names) * size, columns * size, 3), 255, dtype=np.uint8)
    for row in range(len(names)):
        for column, image in enumerate(images[labels == row][:columns]):
            place = np.s_[row * size : (row + 1) * size, column * size : (column + 1) * size]
            page[place] = image.permute(1, 2, 0).numpy()
    ax = ax or axes(0.4 + 5.0 * len(names) / columns)
    ax.imshow(page, interpolation="none", aspect="equal")
    counts = torch.bincount(labels, minlength=len(names)).tolist()
    middle = (np.arange(len(names)) + 0.5) * size
    ax.set_yticks(middle, [f"“{name}”  {count:3d}" for name, count in zip(names, counts, strict=True)])
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def train_beside_validation(train: Sequence[int], validation: Sequence[int], title: str, ax: Axes) -> Axes:
    """How many images of each class train and how many validate, as two lines on a logarithmic axis."""
    shown = np.array(validation, dtype=float)
    shown[shown == 0] = np.nan
    ax.plot(train, **style(0), markersize=4, markevery=max(1, len(train) // 10), label="training")
    ax.plot(shown, **style(1), markersize=4, markevery=max(1, len(train) // 10), label="validation")
    more = np.asarray(validation) > np.asarray(train)
    if more.any():
        ax.axvspan(np.flatnonzero(more)[0] - 0.5, len(train) - 0.5, color=TINT, zorder=0)
    falling = all(np.diff(train) <= 0)
    label = "class, from head to tail" if falling else "class, in the order of the names"
    ax.set(yscale="log", xlabel=label, ylabel="images", title=title, xlim=(-1, len(train)))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    return ax


def class_accuracy(accuracies: Mapping[str, Sequence[float]], counts: Sequence[int], ax: Axes | None = None) -> Axes:
    """Accuracy of every class, one line per training, over the number of images each class trained on."""
    ax = ax or axes()
    for number, (name, values) in enumerate(accuracies.items()):
        ax.plot(values, **style(number), label=name)
    shown = range(0, len(counts), -(-len(counts) // 20))  # of many classes some
    ax.set_xticks(shown, [f"{counts[label]:,}" for label in shown])
    ax.set(xlabel="training images of the class, head to tail", ylabel="test accuracy, %", ylim=(-3, 103))
    ax.legend()
    return ax


def chance(once: Float[np.ndarray, " runs"], best: Float[np.ndarray, " runs"], truth: float, count: int) -> Axes:
    """How a test accuracy spreads when it is read once, and when it is the best of `count` readings."""
    ax = axes(2.9)
    bins = np.histogram_bin_edges(np.concatenate([once, best]), 50)
    ax.hist(once, bins, color=BLUE, alpha=0.85, label="read once")
    ax.hist(best, bins, color=ORANGE, alpha=0.75, hatch="///", edgecolor="white", label=f"best of {count} readings")
    ax.axvline(truth, color=INK, linewidth=1.5, linestyle="--")
    ax.annotate("the truth", (truth, ax.get_ylim()[1]), (4, -12), textcoords="offset points")
    ax.set(xlabel="reported test accuracy, %", ylabel="how often", yticks=[])
    ax.legend(loc="upper left")
    return ax


def effective_numbers(numbers: Mapping[str, Float[np.ndarray, " n"]], images: Int[np.ndarray, " n"]) -> Axes:
    """Effective number of samples over the number of images, one line per β, beside "every image counts in full"."""
    ax = axes(3.2)
    ax.plot(images, images, color=RULE, linewidth=4, label="every image counts in full")
    for number, (name, values) in enumerate(numbers.items()):
        ax.plot(images, values, **style(number), markevery=max(1, len(images) // 8), label=name)
    ax.set(xlabel="images of a class, $n$", ylabel="effective number, $E_n$", xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    ax.legend()
    return ax


def class_weights(weights: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Class weights from head to tail, one line per scheme, on a logarithmic axis with the mean 1 marked."""
    ax = ax or axes(3.3)
    ax.axhline(1, color=RULE, linewidth=3, zorder=0)
    for number, (name, values) in enumerate(weights.items()):
        ax.plot(values, **style(number), markevery=max(1, len(values) // 10), markersize=4.5, label=name)
    ax.set(yscale="log", xlabel="class, from head to tail", ylabel="weight (mean 1)")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend(loc="lower right")
    return ax


def scale_of_steps(factors: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """By how much a way of averaging scales each optimiser step: a row of dots per way, its mean marked."""
    ax = ax or axes(0.9 + 0.45 * len(factors))
    for row, values in enumerate(factors.values()):
        spread = np.linspace(-0.22, 0.22, len(values))
        ax.scatter(values, row + spread, s=7, color=PALETTE[row % len(PALETTE)], alpha=0.55, linewidths=0)
        mean = float(np.mean(values))
        ax.plot([mean, mean], [row - 0.34, row + 0.34], color=INK, linewidth=2)
        ax.annotate(f"{mean:.2g}", (mean, row - 0.34), (0, 1), textcoords="offset points", ha="center", va="bottom")
    ax.axvline(1, color=RULE, linewidth=3, zorder=0)
    ax.set_yticks(range(len(factors)), list(factors))
    ax.set(xscale="log", xlabel="step taken / step meant", ylim=(len(factors) - 0.5, -0.9))
    ax.xaxis.set_major_formatter("{x:g}")
    return ax


def boundary(
    points: Float[Tensor, "n 2"],
    labels: Int[Tensor, " n"],
    classify: Callable[[Float[Tensor, "m 2"]], Float[Tensor, "m classes"]],
    title: str,
    ax: Axes,
    limit: float = 4.0,
) -> Axes:
    """Points of the plane by class, and the regions that a classifier (points to logits) gives to each class."""
    line = torch.linspace(-limit, limit, 160)
    grid = torch.cartesian_prod(line, line)
    region = classify(grid).argmax(1).reshape(160, 160).T.numpy()
    tints = np.array([[0.75 + 0.25 * part for part in to_rgb(colour)] for colour in (BLUE, ORANGE, SAND)])
    ax.imshow(tints[region], origin="lower", extent=(-limit, limit, -limit, limit), interpolation="nearest")
    ax.contour(line, line, region, levels=[0.5, 1.5], colors=INK, linewidths=1.2)
    for label, colour in zip(labels.unique().tolist(), (BLUE, ORANGE, NAVY), strict=False):
        members = points[labels == label]
        size = 9 if len(members) > 50 else 26
        ax.scatter(*members.T, s=size, color=colour, marker=MARKERS[label], edgecolors="white", linewidths=0.4)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, fontsize=9.5, fontweight="normal")
    ax.grid(visible=False)
    return ax


def thirds(
    accuracies: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Accuracy of head, middle and tail classes and overall, bars side by side for each training.

    accuracies: training to group to percent. intervals: the same to (low, high), where there are any.
    """
    ax = ax or axes(3.3)
    groups = list(next(iter(accuracies.values())))
    width = 0.84 / len(accuracies)
    for number, (name, values) in enumerate(accuracies.items()):
        place = np.arange(len(groups)) + (number - (len(accuracies) - 1) / 2) * width
        heights = [values[group] for group in groups]
        hatch, colour = HATCHES[number % len(HATCHES)], PALETTE[number % len(PALETTE)]
        ax.bar(place, heights, width * 0.94, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=name)
        tops = heights
        if intervals:
            low, high = np.array([intervals[name][group] for group in groups]).T
            reach = [heights - low, high - heights]
            ax.errorbar(place, heights, reach, fmt="none", ecolor=INK, capsize=3, linewidth=1.2)
            tops = high
        for x, y, value in zip(place, tops, heights, strict=True):
            ax.annotate(f"{value:.0f}", (x, y), (0, 2), textcoords="offset points", ha="center", fontsize=8.5)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(ylabel="test accuracy, %", ylim=(0, None))
    ax.margins(y=0.12)
    ax.grid(axis="x", visible=False)
    ax.legend(ncols=2, loc="lower left", bbox_to_anchor=(-0.12, 1.0), columnspacing=1.2)
    return ax
