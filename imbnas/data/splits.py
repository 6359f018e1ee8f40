"""Long-tailed subsets of a data set: which images train, which validate, and a hash that names the choice.

Within a class, images are ordered by the SHA-256 of their pixels, so that every copy of a data set, in
whatever order its files hold the images, gives the same split.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from .dataset import Dataset
from .distributions import class_counts


@dataclass(frozen=True, eq=False)
class Split:
    """A long-tailed training set and its validation set, as indices into a data set's training images.

    `full_train` is the whole long-tailed set (for retraining); `search_train`, what the search may train on, is
    `full_train` without the images that validate. Indices stand class by class, in the order drawn.
    """

    name: str
    kind: str
    factor: float
    seed: int
    validation_kind: str
    search_train: Int64[Tensor, " s"] = field(repr=False)
    validation: Int64[Tensor, " v"] = field(repr=False)
    full_train: Int64[Tensor, " t"] = field(repr=False)
    counts: list[int] = field(repr=False)
    search_counts: list[int] = field(repr=False)
    hash: str


def _shuffled(dataset: Dataset, seed: int) -> list[np.ndarray]:
    """Each class's images in canonical order, then shuffled by one `RandomState`, in label order."""
    labels, digests = dataset.train_labels.cpu().numpy(), dataset.train_digests
    random = np.random.RandomState(seed)
    classes = []
    for label in range(dataset.num_classes):
        members = np.array(sorted(np.flatnonzero(labels == label), key=lambda i: digests[i]), dtype=np.int64)
        random.shuffle(members)
        classes.append(members)
    return classes


def _counts(kind: str, factor: float, available: list[int]) -> list[int]:
    if kind == "natural":
        if factor != 1.0:
            raise ValueError(
                f'"natural" keeps the data set\'s own counts, but a factor of {factor} was given: leave it out'
            )
        return available
    try:
        return class_counts(kind, factor, num_classes=len(available), per_class=min(available))
    except ValueError as fault:
        if len(set(available)) == 1:
            raise
        cut = f"all classes were first cut to the smallest, class {available.index(min(available))}"
        raise ValueError(f'{fault} ({cut}; "natural" keeps the sizes that they have)') from None


def _held_out(members: list[np.ndarray], counts: list[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Validation is the last of every class's shuffle, as many as a tenth of the largest class."""
    size = max(1, max(map(len, members)) // 10)
    for label, class_members in enumerate(members):
        if len(class_members) <= size:
            raise ValueError(
                f"class {label} has {len(class_members)} training images, too few to hold {size} out for "
                'validation: take validation="from-train"'
            )
    search = [m[: min(n, len(m) - size)] for m, n in zip(members, counts, strict=True)]
    return search, [m[-size:] for m in members]


def _from_train(members: list[np.ndarray], counts: list[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Validation is the last fifth of each class, at least 1; a class's only image stays in training."""
    cuts = [n - max(1, n // 5) if n > 1 else 1 for n in counts]
    search = [m[:cut] for m, cut in zip(members, cuts, strict=True)]
    return search, [m[cut:n] for m, cut, n in zip(members, cuts, counts, strict=True)]


VALIDATIONS = {"held-out": _held_out, "from-train": _from_train}


def _hash(dataset: Dataset, roles: Iterable[tuple[str, list[np.ndarray]]]) -> str:
    """SHA-256 over the roles' names, labels, sizes and the chosen images' digests, in the order drawn."""
    total = hashlib.sha256()
    for role, classes in roles:
        for label, members in enumerate(classes):
            total.update(f"{role} {label} {len(members)}\n".encode())
            total.update(b"".join(dataset.train_digests[i] for i in members))
    return total.hexdigest()


def split(dataset: Dataset, kind: str, factor: float = 1.0, seed: int = 0, validation: str = "held-out") -> Split:
    """The long-tailed set `kind`-`factor` of a data set, drawn with `seed`, and its validation set.

    `validation="held-out"` takes as many images as 10 % of the largest class from every class, balanced, from
    the far end of the shuffle; "from-train" takes 20 % of each class of the long-tailed set itself, at least 1
    (a class with a single image keeps it for training and has no validation image). Of two factors, the smaller
    gives a subset of the larger one's set. `kind="natural"` keeps the data set's own counts; the other kinds
    start from its smallest class. ValueError for an unknown kind, factor or validation, for a `seed` that is not a
    whole number from 0 to 2^32 - 1, for classes too small, and where no class can spare an image to validate.
    """
    if not isinstance(dataset, Dataset):
        raise ValueError(f"dataset is {dataset!r}: expected a Dataset, as `load` returns it")
    if not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}: expected a whole number from 0 to 2^32 - 1")
    if validation not in VALIDATIONS:
        raise ValueError(f"validation {validation!r} is not known: take one of {', '.join(VALIDATIONS)}")
    members = _shuffled(dataset, seed)
    counts = _counts(kind, factor, [len(m) for m in members])
    full = [m[:n] for m, n in zip(members, counts, strict=True)]
    search, held = VALIDATIONS[validation](members, counts)
    if not any(map(len, held)):
        raise ValueError(
            f"{dataset.name}: {kind} leaves one training image in every class, none to spare for validation: "
            "add images to at least one class"
        )
    roles = {"search_train": search, "validation": held, "full_train": full}
    return Split(
        name=dataset.name,
        kind=kind,
        factor=factor,
        seed=seed,
        validation_kind=validation,
        **{role: torch.from_numpy(np.concatenate(classes)) for role, classes in roles.items()},
        counts=counts,
        search_counts=[len(m) for m in search],
        hash=_hash(dataset, roles.items()),
    )
