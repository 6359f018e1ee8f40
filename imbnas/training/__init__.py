"""Training: recipes, the one loop, checkpoints, and uniform single-path sampling."""

from imbnas.training.checkpoint import load_tensors, save_tensors
from imbnas.training.loop import Log, NotFinite, fit
from imbnas.training.moments import Unfinished
from imbnas.training.recipe import Recipe
from imbnas.training.sampling import PathSampler
from imbnas.training.steps import sgd

__all__ = [
    "Log",
    "NotFinite",
    "PathSampler",
    "Recipe",
    "Unfinished",
    "fit",
    "load_tensors",
    "save_tensors",
    "sgd",
]
