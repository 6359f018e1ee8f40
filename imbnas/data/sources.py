"""Where data sets come from: one `load` for CIFAR, a MedMNIST-style .npz, or a folder of images."""

import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from .dataset import Dataset


class DataError(ValueError):
    """Data that cannot be used; the message names the file and says how to mend it."""


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """`root`, else the environment variable IMBNAS_DATA, else ./data."""
    return Path(root or os.environ.get("IMBNAS_DATA") or "data")


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, **arrays)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged or is no .npz of plain arrays ({error}): delete it and make or download it again"
        ) from error


def _images(path: Path, part: str, array: np.ndarray) -> UInt8[np.ndarray, "n h w 3"]:
    if array.ndim == 3:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or array.shape[1] != array.shape[2]:
        raise DataError(
            f"{path}: {part} is {array.dtype} {list(array.shape)}, "
            "but square images uint8 [N, H, H, 3] or [N, H, H] are needed"
        )
    return array


def _labels(path: Path, part: str, array: np.ndarray, count: int) -> np.ndarray:
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1 or flat.dtype.kind not in "iu" or len(flat) != count:
        raise DataError(
            f"{path}: {part} is {array.dtype} {list(array.shape)}, "
            f"but one whole-number label for each of the {count} images ([N] or [N, 1]) is needed"
        )
    return flat.astype(np.int64)


def _class_names(path: Path, given: np.ndarray | None, labels: dict[str, np.ndarray]) -> tuple[str, ...]:
    count = max(int(part.max(initial=-1)) for part in labels.values()) + 1
    names = tuple(map(str, range(count) if given is None else given.tolist()))
    for part, array in labels.items():
        if array.min(initial=0) < 0 or count > len(names):
            raise DataError(
                f"{path}: {part} must be 0 to {len(names) - 1}, one for each of {len(names)} classes"
            )
        missing = sorted(set(range(len(names))) - set(array.tolist()))
        if missing:
            raise DataError(
                f"{path}: {part} has no image of class {missing[0]} ({names[missing[0]]}): add some"
            )
    return names


def dataset_from_arrays(name: str, path: Path, arrays: dict[str, np.ndarray]) -> Dataset:
    """A data set from MedMNIST-style arrays, checked; `path` is named where they are at fault.

    Needs {train,test}_images uint8 [N, H, H, 3] or [N, H, H] and {train,test}_labels [N] or [N, 1];
    `class_names` is optional; anything else, such as val_images, is left alone (validation is cut from train).
    """
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        if key not in arrays:
            raise DataError(f"{path} has no array {key!r} (it has {', '.join(sorted(arrays)) or 'none'})")
    images = {part: _images(path, f"{part}_images", arrays[f"{part}_images"]) for part in ("train", "test")}
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise DataError(f"{path}: train and test images differ in size: resize them to one size")
    labels = {
        f"{part}_labels": _labels(path, f"{part}_labels", arrays[f"{part}_labels"], len(images[part]))
        for part in images
    }
    names = _class_names(path, arrays.get("class_names"), labels)
    tensors = {
        f"{part}_images": torch.from_numpy(array).permute(0, 3, 1, 2) for part, array in images.items()
    }
    return Dataset(name, class_names=names, **tensors, **{k: torch.from_numpy(v) for k, v in labels.items()})


def read_npz(path: Path) -> Dataset:
    """The data set in a MedMNIST-style .npz, named after the file. Nothing is unpickled."""
    return dataset_from_arrays(path.stem, path, _read_arrays(path))


def load(name: str, root: str | os.PathLike[str] | None = None, download: bool = True) -> Dataset:
    """The data set `name`: "cifar10", "cifar100", or the path of an .npz."""
    path = data_folder(root) / f"{name}.npz" if name in ("cifar10", "cifar100") else Path(name)
    return read_npz(path)
