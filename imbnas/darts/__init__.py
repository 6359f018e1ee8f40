"""Differentiable architecture search (DARTS, arXiv:1806.09055) over the same super-network as everything else.

Every edge runs all its operations, mixed by softmax(α) (paper, Eq. 3). The weights w learn on one half of the
training set, α on the other (DARTS, Eq. 3 and 4), in turns. At the end each edge keeps one operation.
"""

from imbnas.darts.bilevel import dominant_eigenvalue, first_order, mixed_difference, mixed_exact, second_order
from imbnas.darts.cures import CURES, SkipDropout, cured, stopping_point
from imbnas.darts.recipe import ORDERS, DartsRecipe
from imbnas.darts.relaxation import check_halves, discretise, fix_classifier, halves, mixture, moved, start_alpha
from imbnas.darts.search import Found, Search, search

__all__ = [
    "CURES",
    "ORDERS",
    "DartsRecipe",
    "Found",
    "Search",
    "SkipDropout",
    "check_halves",
    "cured",
    "discretise",
    "dominant_eigenvalue",
    "first_order",
    "fix_classifier",
    "halves",
    "mixed_difference",
    "mixed_exact",
    "mixture",
    "moved",
    "search",
    "second_order",
    "start_alpha",
    "stopping_point",
]
