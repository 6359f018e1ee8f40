"""Where data sets come from: one `load` for CIFAR, glyphs, an .npz, or a folder of images."""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps

from imbnas.places import data_folder, own_data

from . import glyphs
from .arrays import SMALLEST, DataError, from_arrays, read_npz, write_npz
from .dataset import Dataset

CIFAR = ("cifar10", "cifar100")
BENCHMARKS = (*CIFAR, *glyphs.SIZES)  # balanced sets that a long tail is cut from
LAYOUT = "a data folder holds {train,test}/<class>/<image>"


def torchvision() -> ModuleType:
    """torchvision, imported here and nowhere else.

    Its published wheel is built for CUDA and fails to import beside a CPU build of torch, because it looks for
    two compiled operators that it then cannot load. Declaring their names is enough; other builds are not touched.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    for operator in ("nms", "qnms"):
        signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{operator}", signature)
    return importlib.import_module("torchvision")


def _download_cifar(name: str, path: Path) -> None:
    """Fetch CIFAR with torchvision, which checks the sums, and keep it as one .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        source = getattr(torchvision().datasets, name.upper())
        arrays = {}
        for part in ("train", "test"):
            official = source(scratch, train=part == "train", download=True)
            arrays |= {f"{part}_images": official.data, f"{part}_labels": np.array(official.targets)}
        write_npz(path, arrays | {"class_names": np.array(official.classes)})


def _cifar(name: str, folder: Path, download: bool) -> Dataset:
    path = folder / f"{name}.npz"
    mend = f"put {path.name} there, or point IMBNAS_DATA at a folder that has it"
    if not path.exists():
        if not download:
            raise DataError(f"{path} does not exist and downloading is off: {mend}")
        try:
            _download_cifar(name, path)
        except (OSError, RuntimeError, ImportError) as error:
            raise DataError(f"{path} does not exist and downloading {name} failed ({error}): {mend}") from error
    return read_npz(path)


def _decode(file: Path) -> Image.Image:
    try:
        with file.open("rb") as stream:
            image = ImageOps.exif_transpose(Image.open(stream))  # upright, as a viewer shows it
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be read as an image ({error}): repair or remove it") from error
    if image.mode not in ("RGB", "L"):
        raise DataError(f"{file} has the type {image.mode}: convert it to RGB or to 8-bit grey (L)")
    if min(image.size) < SMALLEST:
        found = f"{image.width} x {image.height} pixels"
        raise DataError(f"{file} is {found}, but at least {SMALLEST} x {SMALLEST} are needed: resize all images")
    return image


def _decode_all(files: list[Path]) -> Iterator[UInt8[np.ndarray, "h w *rgb"]]:
    first = _decode(files[0])
    for file in files:
        image = _decode(file)
        if (image.size, image.mode) != (first.size, first.mode):
            ours, theirs = (f"{i.width} x {i.height} {i.mode}" for i in (image, first))
            raise DataError(f"{file} is {ours}, but {files[0]} is {theirs}: give all images one size and type")
        yield np.asarray(image)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _classes(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist: {LAYOUT}")
    classes = {entry.name: _visible(entry) for entry in _visible(folder) if entry.is_dir()}
    if inner := [entry for files in classes.values() for entry in files if entry.is_dir()]:
        raise DataError(f"{inner[0]} is a folder inside a class, but {LAYOUT}: move its images up, or remove it")
    return classes


def read_folder(path: Path) -> Dataset:
    """The images {train,test}/<class>/<image>, decoded with PIL; classes in alphabetical order.

    All images must be square, of one size, at least 8 x 8 pixels, and of one type, RGB or 8-bit grey: DataError
    names the first that is not.
    """
    parts = {part: _classes(path / part) for part in ("train", "test")}
    if odd := sorted(set(parts["train"]) ^ set(parts["test"])):
        raise DataError(f"{path}: train and test must have the same classes, but {odd[0]!r} is in only one of them")
    files = {part: sum(classes.values(), []) for part, classes in parts.items()}
    if not files["train"] + files["test"]:
        raise DataError(f"{path} holds no images: {LAYOUT}")
    images = np.stack(list(_decode_all(files["train"] + files["test"])))
    arrays = {"class_names": np.array(list(parts["train"]))}
    arrays["train_images"], arrays["test_images"] = np.split(images, [len(files["train"])])
    for part, classes in parts.items():
        arrays[f"{part}_labels"] = np.repeat(np.arange(len(classes)), [len(group) for group in classes.values()])
    return from_arrays(path.resolve().name, arrays, path)


def load(name: str, root: str | os.PathLike[str] | None = None, download: bool = True) -> Dataset:
    """The data set `name`, from the data folder: `root`, else IMBNAS_DATA, else ./data.

    "cifar10" and "cifar100" are the .npz of that name in the data folder, downloaded first where it is missing
    and `download` allows it. "glyphs10" and "glyphs100" are rendered from matplotlib's fonts. Anything else is
    the path, as it stands or inside the data folder, of an .npz in the layout of MedMNIST or of a folder
    {train,test}/<class>/<image>. DataError, a ValueError, names the file at fault and how to mend it.
    """
    folder = data_folder(root)
    known = ", ".join(BENCHMARKS)
    if not isinstance(name, str | os.PathLike) or not str(name):
        raise DataError(f"data set is {name!r}: take one of {known}, or the path of an .npz or of a folder")
    if name in CIFAR:
        return _cifar(name, folder, download)
    if name in glyphs.SIZES:
        return glyphs.read_glyphs(name, folder / "cache")
    if path := own_data(name, folder):
        return read_folder(path) if path.is_dir() else read_npz(path)
    raise DataError(
        f"no data set {name!r}: take one of {known}, or the path of an .npz or of a folder "
        f"{{train,test}}/<class>/<image> (looked here and in {folder})"
    )
