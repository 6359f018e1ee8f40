"""Rank correlations of many draws at once: Spearman's, Kendall's tau with a third order held fixed, tau of normals."""

import numpy as np
from jaxtyping import Float
from scipy import stats

ROUNDING = 1e-9  # how far a correlation of 1 may come out beyond it
Values = float | Float[np.ndarray, "..."]


def spearman(first: Float[np.ndarray, "draws n"], second: Float[np.ndarray, "draws n"]) -> Float[np.ndarray, " draws"]:
    """Spearman's correlation of every row of one array with the same row of the other; NaN where one is all ties."""
    one, other = (stats.rankdata(values, axis=1) for values in (first, second))
    one, other = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (one, other))
    with np.errstate(invalid="ignore"):
        return (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))


def tau_of(correlation: Values) -> Values:
    """Kendall's tau of two normal variables with this correlation: 2 / pi times its arc sine."""
    return 2 / np.pi * np.arcsin(correlation)


def correlation_of(tau: Values) -> Values:
    """The correlation of two normal variables with this tau: the way back of `tau_of`."""
    return np.sin(np.pi / 2 * tau)


def partial_tau(tau: Values, first_cost: Values, second_cost: Values) -> Values:
    """The tau that is left of two orders when a third, their cost, is partialled out; arguments: the three taus.

    The taus become correlations of normal variables, these give the partial correlation, and that a tau again. So it
    is zero where the two have nothing but the cost in common, which Kendall's own coefficient (1942) is not. NaN where
    one of the two has the order of the cost, and where no three normal variables have these taus, as two that rise with
    the cost but fall with each other: the partial correlation would lie beyond 1.
    """
    both, one, other = (correlation_of(value) for value in (tau, first_cost, second_cost))
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (both - one * other) / np.sqrt((1 - one**2) * (1 - other**2))
    possible = np.abs(left) <= 1 + ROUNDING
    return tau_of(np.where(possible, np.clip(left, -1, 1), np.nan))
