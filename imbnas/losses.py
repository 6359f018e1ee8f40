"""Class weights, losses, and the schedule that defers re-weighting.

The weights are those of Cui et al. (arXiv:1901.05555), deferred as in Cao et al. (arXiv:1906.07413). The mean
over a batch is torch's weighted mean, Σ w_y ℓ / Σ w_y: dividing by the batch size instead would shrink the
learning rate of the re-weighted phase, by up to 25 times on the targets used here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

SCHEMES = ("effective", "inverse", "sqrt", "none")


def _mean_one(raw: Float[Tensor, " classes"]) -> Float32[Tensor, " classes"]:
    return (raw / raw.mean()).float()


def _positive(counts: Sequence[int]) -> Float[Tensor, " classes"]:
    if len(counts) == 0 or min(counts) < 1:
        raise ValueError(f"class counts {list(counts)}: every class needs at least 1 image to have a weight")
    if not all(float(count).is_integer() for count in counts):
        raise ValueError(f"class counts {list(counts)}: expected whole numbers of images")
    return torch.tensor(list(counts), dtype=torch.float64)


def class_weights(counts: Sequence[int], beta: float = 0.9999) -> Float32[Tensor, " classes"]:
    """Inverse effective numbers (1 - β) / (1 - β^n), scaled to mean 1 (Cui et al.; the paper calls β γ).

    β = 0 gives ones; β towards 1 gives inverse frequency. `counts` are images per class, each at least 1.
    ValueError for an empty class, a count that is no whole number, or a β outside [0, 1).
    """
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"beta {beta} is outside [0, 1): 0.9999 is usual, 0 turns re-weighting off")
    return _mean_one(1 / (1 - beta ** _positive(counts)))


def weights_for(counts: Sequence[int], scheme: str) -> Float32[Tensor, " classes"] | None:
    """Weights of mean 1 by the name of a scheme, None for "none".

    "effective" is `class_weights`, "inverse" 1 / n, "sqrt" 1 / √n. ValueError for any other name.
    """
    if scheme == "effective":
        return class_weights(counts)
    if scheme == "inverse":
        return _mean_one(1 / _positive(counts))
    if scheme == "sqrt":
        return _mean_one(_positive(counts).rsqrt())
    if scheme == "none":
        return None
    raise ValueError(f"re-weighting scheme {scheme!r} is not known: take one of {', '.join(SCHEMES)}")


def weighted_cross_entropy(
    logits: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    weights: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy, Σ w_y ℓ / Σ w_y over the batch, in float32 at least; the plain mean without weights."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    weights = None if weights is None else weights.to(logits.device, dtype)
    return cross_entropy(logits.to(dtype), labels, weights)


def combined_loss(
    logits: Float[Tensor, "batch classes"],
    labels: Int64[Tensor, " batch"],
    weights: Float[Tensor, " classes"],
    lam: float = 1.0,
) -> Float[Tensor, ""]:
    """The paper's Eq. 1 read as a sum, L_CE + λ L_RW, each a mean of its own.

    On a batch of n images whose weights sum to W, this equals (1 + λ) times the weighted cross-entropy with
    the weights 1 + λ (n / W) w. Where W = n, as on a batch balanced over the classes, these are 1 + λ w.
    """
    return weighted_cross_entropy(logits, labels) + lam * weighted_cross_entropy(logits, labels, weights)


@dataclass(frozen=True, eq=False)
class Deferred:
    """Weights that apply from step (or epoch) `start` on, counted from 0: deferred re-weighting (DRW)."""

    weights: Float[Tensor, " classes"] | None
    start: int = 0

    def at(self, progress: int) -> Float[Tensor, " classes"] | None:
        """The weights at a step: None before `start`."""
        return self.weights if progress >= self.start else None
