"""The regret of a ranking: what is lost by taking the best of its first instead of the best of all."""

import math

import numpy as np
from jaxtyping import Float


def expected_regret(scores: Float[np.ndarray, " n"], truths: Float[np.ndarray, " n"], top: int) -> float:
    """The best truth of all minus the best among the `top` best scored, in units of the truths.

    Where equal scores compete for the last places, a lot decides: the mean over all its outcomes, exactly. So scores
    that are all equal give what `top` drawn without looking lose on average. All count where there are fewer than
    `top`; none give NaN. ValueError for a top below 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}: expected how many of the best scored count, at least 1")
    if not len(scores):
        return math.nan
    edge = np.sort(scores)[::-1][:top][-1]
    sure, tied = truths[scores > edge], truths[scores == edge]
    places = min(top - len(sure), len(tied))
    best_first = np.sort(np.maximum(tied, sure.max(initial=-np.inf)))[::-1]
    # the best of the drawn is the k-th best of the tied where all other drawn lie behind it
    ways = [math.comb(len(tied) - 1 - k, places - 1) / math.comb(len(tied), places) for k in range(len(tied))]
    return float(truths.max() - np.dot(ways, best_first))
