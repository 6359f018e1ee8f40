"""Accuracy, and the ranking of many paths by one super-network."""

from imbnas.evaluation.accuracy import Accuracy, accuracy, confusion
from imbnas.evaluation.plan import Plan
from imbnas.evaluation.ranking import Scores, class_worth, features, rank
from imbnas.evaluation.ridge import ridge, ridge_predict

__all__ = [
    "Accuracy",
    "Plan",
    "Scores",
    "accuracy",
    "class_worth",
    "confusion",
    "features",
    "rank",
    "ridge",
    "ridge_predict",
]
