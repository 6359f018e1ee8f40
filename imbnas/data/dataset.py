"""A data set in memory: uint8 images, labels, and what follows from them."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images, uint8 [N, 3, H, H], channels-last, with labels 0 to C - 1, int64 [N].

    ValueError for what is no tensor, for images or labels of another kind or shape, for training and test images of two
    sizes, and for a label without a class.
    """

    name: str
    train_images: UInt8[Tensor, "n 3 h w"]
    train_labels: Int64[Tensor, " n"]
    test_images: UInt8[Tensor, "m 3 h w"]
    test_labels: Int64[Tensor, " m"]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in TENSORS:
            if not isinstance(found := getattr(self, name), Tensor):
                raise ValueError(
                    f"{self.name}: {name} is of the type {type(found).__name__}: expected torch tensors, as "
                    "torch.from_numpy makes them of arrays"
                )
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if mend := _fault(images, labels, self.num_classes):
                raise ValueError(
                    f"{self.name}: {part}_images are {images.dtype} {list(images.shape)} and {part}_labels "
                    f"{labels.dtype} {list(labels.shape)} for {self.num_classes} classes: {mend}"
                )
        if (train := self.image_size) != (test := self.test_images.shape[-1]):
            raise ValueError(
                f"{self.name}: train_images have {train} pixels a side, test_images {test}: expected equal"
            )

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_size(self) -> int:
        """Height and width in pixels (images are square)."""
        return self.train_images.shape[-1]

    @property
    def device(self) -> torch.device:
        return self.train_images.device

    @cached_property
    def _levels(self) -> Float[Tensor, "3 256"]:
        """How often each channel of the training images takes each of its 256 levels, as fractions."""
        channels = self.train_images.cpu().permute(1, 0, 2, 3).reshape(3, -1)
        counts = torch.stack([torch.bincount(channel, minlength=256) for channel in channels])
        return counts.double() / channels.shape[1]

    @cached_property
    def mean(self) -> Float[Tensor, "3"]:
        """Mean of each channel of the training images, in [0, 1], float32 on the data set's device."""
        return (self._levels @ _scale()).float().to(self.device)

    @cached_property
    def std(self) -> Float[Tensor, "3"]:
        """Population standard deviation of each channel of the training images, as `mean`; 1 where it never varies."""
        square = self._levels @ _scale().square()
        variance = square - (self._levels @ _scale()).square()
        return variance.where(self._levels.amax(1) < 1, 1).sqrt().float().to(self.device)

    @cached_property
    def train_digests(self) -> list[bytes]:
        """SHA-256 of each training image's bytes, row by row, pixel by pixel, red, green, blue."""
        pixels = self.train_images.cpu().permute(0, 2, 3, 1).contiguous().numpy()
        return [hashlib.sha256(image).digest() for image in pixels]

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data set with its tensors on `device`."""
        return replace(self, **{name: getattr(self, name).to(device) for name in TENSORS})


def _fault(images: Tensor, labels: Tensor, classes: int) -> str | None:
    """What is expected of images or labels that a data set cannot have; None where they are right."""
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        return "expected images of 0 to 255, uint8 [N, 3, H, W]"
    if images.shape[2] != images.shape[3]:
        return "expected square images, uint8 [N, 3, H, H]"
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        return f"expected one label for each of the {len(images)} images, int64 [N]"
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        return f"expected labels from 0 to {classes - 1}, but they go from {labels.min()} to {labels.max()}"
    return None


def _scale() -> Float[Tensor, "256"]:
    return torch.arange(256, dtype=torch.float64) / 255
