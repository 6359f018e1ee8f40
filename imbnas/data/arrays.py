"""Data sets as .npz files of plain arrays, in the layout of MedMNIST, read with care and written whole."""

import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8

from .dataset import Dataset

Arrays = dict[str, Shaped[np.ndarray, "..."]]


class DataError(ValueError):
    """Data that cannot be used; the message names the file and says how to mend it."""


def write_npz(path: Path, arrays: Arrays) -> None:
    """Write an .npz whole or not at all, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            np.savez(file, **arrays)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def read_arrays(path: Path) -> Arrays:
    """All arrays of an .npz. Nothing is unpickled. DataError where it is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged or is not an .npz of plain arrays ({error}): delete it and make it again"
        ) from error


def _images(path: Path, part: str, array: np.ndarray) -> UInt8[np.ndarray, "n h h 3"]:
    if array.ndim == 3:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or array.shape[1] != array.shape[2]:
        raise DataError(
            f"{path}: {part} is {array.dtype} {list(array.shape)}, "
            "but square images, uint8 [N, H, H, 3] or [N, H, H], are needed: crop or resize them"
        )
    return array


def _labels(path: Path, part: str, array: np.ndarray, count: int) -> Int64[np.ndarray, " n"]:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1 or flat.dtype.kind not in "iu" or len(flat) != count:
        raise DataError(
            f"{path}: {part} is {array.dtype} {list(array.shape)}, "
            f"but one whole number for each of the {count} images, [N] or [N, 1], is needed"
        )
    return flat.astype(np.int64)


def _check_classes(path: Path, part: str, labels: Int64[np.ndarray, " n"], names: tuple[str, ...]) -> None:
    present = set(labels.tolist())
    if stray := sorted(present - set(range(len(names)))):
        raise DataError(f"{path}: {part} has a label {stray[0]}, but the {len(names)} classes are numbered from 0")
    if missing := sorted(set(range(len(names))) - present):
        raise DataError(
            f"{path}: {part} has no image of class {missing[0]} ({names[missing[0]]}): "
            "add some, or leave the class out of both parts"
        )


def dataset_from_arrays(name: str, path: Path, arrays: Arrays) -> Dataset:
    """A data set from arrays in the layout of MedMNIST, checked; `path` is named where they are at fault.

    Needs {train,test}_images, uint8 [N, H, H, 3] or [N, H, H], and {train,test}_labels, [N] or [N, 1];
    `class_names` is optional. Other arrays, val_images among them, are left alone: validation is cut from the
    training images, for every data set in the same way.
    """
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        if key not in arrays:
            raise DataError(f"{path} has no array {key!r} (it has {', '.join(sorted(arrays)) or 'none'})")
    images = {part: _images(path, f"{part}_images", arrays[f"{part}_images"]) for part in ("train", "test")}
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise DataError(f"{path}: train and test images differ in size: resize them to one size")
    keys = {part: f"{part}_labels" for part in images}
    labels = {key: _labels(path, key, arrays[key], len(images[part])) for part, key in keys.items()}
    given = arrays.get("class_names", np.arange(labels["train_labels"].max(initial=-1) + 1))
    names = tuple(str(entry) for entry in given)
    for key, array in labels.items():
        _check_classes(path, key, array, names)
    tensors = {f"{part}_images": torch.from_numpy(array).permute(0, 3, 1, 2) for part, array in images.items()}
    tensors |= {key: torch.from_numpy(array) for key, array in labels.items()}
    return Dataset(name, class_names=names, **tensors)


def read_npz(path: Path) -> Dataset:
    """The data set in a MedMNIST-style .npz, named after the file."""
    return dataset_from_arrays(path.stem, path, read_arrays(path))
