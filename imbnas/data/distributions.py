"""Training images per class: balanced, exponential or stepped (Cao et al., arXiv:1906.07413)."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context
from numbers import Integral

from imbnas.names import check_factor


def class_counts(kind: str, factor: float = 1.0, *, num_classes: int, per_class: int) -> list[int]:
    """Images of each class, label 0 the head.

    "exp": n_c = floor(n_max μ^(c / (C - 1))); "step": n_max for the first half of the labels, the middle one of an
    odd number included, floor(n_max μ) for the second; "balance": n_max for all. μ is `factor` = n_min / n_max, n_max
    is `per_class`. The arithmetic is plain Python floats, which gives the published totals (10,847 for CIFAR-100 at
    μ = 0.01); a product that they round to just below a whole number has one image less (28 for 100 images at 0.29).
    ValueError for an unknown kind, a factor outside (0, 1], a number of classes or images that is not whole, or a
    class that would be left without an image.
    """
    check_factor(factor)
    if not (isinstance(num_classes, Integral) and isinstance(per_class, Integral)) or num_classes < 2 or per_class < 1:
        raise ValueError(
            f"{num_classes} classes of {per_class} images: whole numbers of at least 2 classes and 1 image are needed"
        )
    if kind == "balance":
        if factor != 1.0:
            raise ValueError(f'"balance" has no imbalance factor, but {factor} was given: leave it out')
        counts = [per_class] * num_classes
    elif kind == "exp":
        counts = [int(per_class * factor ** (c / (num_classes - 1))) for c in range(num_classes)]
    elif kind == "step":
        counts = [int(per_class * factor) if c >= num_classes / 2 else per_class for c in range(num_classes)]
    else:
        raise ValueError(f'kind {kind!r} has no formula: take "balance", "exp" or "step" ("natural" is for split)')
    if min(counts) < 1:
        raise ValueError(
            f"{kind}-{factor} of {per_class} images leaves class {counts.index(0)} without an image: "
            f"take a factor of at least {_sufficient_factor(per_class)}"
        )
    return counts


def _sufficient_factor(per_class: int) -> str:
    """1 / `per_class` in six digits, rounded up, so that the product is not below one image."""
    return f"{float(Context(prec=6, rounding=ROUND_CEILING).divide(1, int(per_class))):g}"


def shot_groups(counts: Sequence[int]) -> dict[str, list[int]]:
    """Labels by training images, the usual groups: many (> 100), medium (20 to 100), few (< 20)."""
    groups: dict[str, list[int]] = {"many": [], "medium": [], "few": []}
    for label, count in enumerate(counts):
        groups["many" if count > 100 else "medium" if count >= 20 else "few"].append(label)
    return groups
