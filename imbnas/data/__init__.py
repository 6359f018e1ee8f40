"""Data sets as uint8 tensors, label distributions, splits, and augmented batches on the device."""

from imbnas.names import parse_target

from .arrays import DataError, from_arrays
from .batches import Batches, augment, eval_batches, normalise
from .dataset import Dataset
from .distributions import class_counts, shot_groups
from .sources import BENCHMARKS, load
from .splits import Split, split

__all__ = [
    "BENCHMARKS",
    "Batches",
    "DataError",
    "Dataset",
    "Split",
    "augment",
    "class_counts",
    "eval_batches",
    "from_arrays",
    "load",
    "normalise",
    "parse_target",
    "shot_groups",
    "split",
]
