"""Data sets as plain arrays in the layout of MedMNIST, and as .npz files of them, read with care and written whole."""

import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8

from imbnas.files import whole

from .dataset import Dataset

Arrays = dict[str, Shaped[np.ndarray, "..."]]
KEYS = ("train_images", "train_labels", "test_images", "test_labels")
BEGINNINGS = (b"PK", b"\x93NUMPY")  # of an archive and of a lone array
SMALLEST = 8  # pixels a side: every network halves its images three times


class DataError(ValueError):
    """Data that cannot be used; the message names the file, or the data set, and says how to mend it."""


def write_npz(path: Path, arrays: Arrays) -> None:
    """Write an .npz whole or not at all, making its folder where needed."""
    with whole(path) as file:
        np.savez(file, **arrays)


def read_arrays(path: Path) -> Arrays:
    """All arrays of an .npz. Nothing is unpickled. DataError where it is missing or damaged."""
    try:
        with path.open("rb") as file:
            if (begins := file.peek(6)) and not begins.startswith(BEGINNINGS):
                raise ValueError("it begins like another kind of file")
            return _members(np.load(file, allow_pickle=False))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, EOFError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged or is not an .npz of plain arrays ({error}): make it again, by np.savez with the "
            f"arrays {', '.join(KEYS)}, or delete it if it was downloaded"
        ) from error


def _members(archive: np.lib.npyio.NpzFile | np.ndarray) -> Arrays:
    if isinstance(archive, np.ndarray):
        raise ValueError("it is one array without a name")
    arrays = {}
    for name in archive.files:
        try:
            arrays[name] = archive[name]
        except ValueError as error:
            raise ValueError(f"array {name!r}: {error}") from error
    return arrays


def _images(where: str, part: str, array: np.ndarray) -> UInt8[np.ndarray, "n h h 3"]:
    """Colour images as they are, grey ones three times over; DataError for anything else."""
    images = array[..., 0] if array.ndim == 4 and array.shape[-1] == 1 else array
    images = np.repeat(images[..., None], 3, axis=-1) if images.ndim == 3 else images
    if mend := _image_fault(images):
        raise DataError(
            f"{where}: {part} is {array.dtype} {list(array.shape)}, but square images, uint8 [N, H, H, 3] or "
            f"[N, H, H], of at least {SMALLEST} x {SMALLEST} pixels are needed: {mend}"
        )
    return np.require(images, requirements="CW")  # torch shares the memory of no other array


def _image_fault(images: np.ndarray) -> str | None:
    """How to mend an array that is not of square colour images; None where it is."""
    if images.ndim != 4:
        return "reshape them to [N, H, H, 3]"
    count, height, width, channels = images.shape
    if not count:
        return "add some images"
    if channels != 3 and height in (1, 3):
        return "put the channels last, by images.transpose(0, 2, 3, 1)"
    if channels != 3:
        return f"make three channels of {channels}" + (", by images[..., :3]" if channels == 4 else "")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        return "replace the values that are NaN or infinite, then give 0 to 255 as uint8"
    if images.dtype.kind == "f":
        return "give 0 to 255 as uint8, by (images * 255).astype('uint8') where they run from 0 to 1"
    if images.dtype != np.uint8:
        return "give 0 to 255 as uint8, by images.astype('uint8')"
    return "crop or resize them" if height != width or height < SMALLEST else None


def _labels(where: str, part: str, array: np.ndarray, count: int) -> Int64[np.ndarray, " n"]:
    """One label for each of `count` images; DataError for anything else."""
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if mend := _label_fault(flat, count):
        raise DataError(
            f"{where}: {part} is {array.dtype} {list(array.shape)}, "
            f"but one whole number for each of the {count} images, [N] or [N, 1], is needed: {mend}"
        )
    return flat.astype(np.int64)


def _label_fault(labels: np.ndarray, count: int) -> str | None:
    """How to mend an array that is not of one whole number for each image; None where it is."""
    if labels.ndim != 1:
        return "take one label of each, by labels.argmax(1) where they are one-hot"
    if len(labels) != count:
        return "give each image its label"
    if labels.dtype.kind not in "iu":
        return "number the classes from 0, by np.unique(labels, return_inverse=True)[1]"
    return None


def _names(where: str, given: np.ndarray | None, labels: Int64[np.ndarray, " n"]) -> tuple[str, ...]:
    """The names given for the classes, else their numbers: two at least, no two alike, or DataError."""
    if given is None:
        if (largest := labels.max()) >= len(labels):
            raise DataError(
                f"{where}: train_labels has a label {largest} for {len(labels)} images: "
                "number the classes from 0 without a gap"
            )
        given = np.arange(largest + 1)
    if given.ndim != 1:
        raise DataError(f"{where}: class_names is {list(given.shape)}, but one name for each class, [C], is needed")
    names = tuple(str(entry) for entry in given)
    if len(names) < 2:
        raise DataError(f"{where}: at least two classes are needed, but it has {len(names)}: add images of another")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{where}: two classes are called {twice[0]!r}: give each a name of its own in class_names")
    return names


def _check_classes(where: str, part: str, labels: Int64[np.ndarray, " n"], names: tuple[str, ...]) -> None:
    present = set(labels.tolist())
    if stray := sorted(present - set(range(len(names)))):
        raise DataError(
            f"{where}: {part} has a label {stray[0]}, but the {len(names)} classes are numbered from 0: number them "
            "so, and where there are class_names give one for each"
        )
    if missing := sorted(set(range(len(names))) - present):
        raise DataError(
            f"{where}: {part} has no image of class {missing[0]} ({names[missing[0]]}): "
            "add some, or leave the class out of both parts"
        )


def from_arrays(name: str, arrays: Mapping[str, Any], where: str | Path = "") -> Dataset:
    """A data set called `name` from numpy arrays in the layout of MedMNIST, checked.

    Needs {train,test}_images, uint8 [N, H, H, 3], [N, H, H] or [N, H, H, 1], H at least 8, and
    {train,test}_labels, whole numbers, [N] or [N, 1]; `class_names` is optional. Other arrays, val_images among them,
    are left alone: validation is cut from the training images, for every data set in the same way. Images that are
    used as they are aren't copied: leave the arrays alone afterwards.
    DataError, a ValueError, says what is at fault and how to mend it; it begins with `where`, or else with the name.
    """
    where = str(where or name)
    for key in KEYS:
        if key not in arrays:
            had = ", ".join(sorted(arrays)) or "none"
            raise DataError(f"{where} has no array {key!r} (it has {had}): {', '.join(KEYS)} are needed")
    for key in (*KEYS, "class_names"):
        if key in arrays and not isinstance(arrays[key], np.ndarray):
            kind = type(arrays[key]).__name__
            raise DataError(f"{where}: {key} is a {kind}, but a numpy array is needed: make it one, by np.asarray")
    images = {part: _images(where, f"{part}_images", arrays[f"{part}_images"]) for part in ("train", "test")}
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise DataError(f"{where}: train and test images differ in size: resize them to one size")
    keys = {part: f"{part}_labels" for part in images}
    labels = {key: _labels(where, key, arrays[key], len(images[part])) for part, key in keys.items()}
    if (least := min(array.min() for array in labels.values())) > 0:
        raise DataError(
            f"{where}: the labels begin at {least}: number the classes from 0, by labels - {least} in train and test"
        )
    names = _names(where, arrays.get("class_names"), labels["train_labels"])
    for key, array in labels.items():
        _check_classes(where, key, array, names)
    tensors = {f"{part}_images": torch.from_numpy(array).permute(0, 3, 1, 2) for part, array in images.items()}
    tensors |= {key: torch.from_numpy(array) for key, array in labels.items()}
    return Dataset(name, class_names=names, **tensors)


def read_npz(path: Path) -> Dataset:
    """The data set in a MedMNIST-style .npz, named after the file."""
    return from_arrays(path.stem, read_arrays(path), path)
