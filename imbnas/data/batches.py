"""Augmented batches made on the data set's device: a padded uint8 tensor, one gather a batch, no workers.

The augmentation is the usual one for CIFAR: zero padding by 4 pixels, a random crop, a flip every other time.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Float32, Int64, Shaped, UInt8
from torch import Tensor

from .dataset import Dataset

PADDING = 4
CHUNK = 5_000  # images that a GPU augments at once
ALONE = 15  # pixels a side that one image needs: of a smaller one the macro space's last stage has one pixel


def normalise(
    images: UInt8[Tensor, "b 3 h w"], mean: Float[Tensor, "3"], std: Float[Tensor, "3"]
) -> Float32[Tensor, "b 3 h w"]:
    """(images / 255 - mean) / std, float32 in channels-last memory; `mean` and `std` in units of [0, 1]."""
    pixels = images.permute(0, 2, 3, 1).to(torch.float32, memory_format=torch.contiguous_format, copy=True)
    scale, shift = 1 / (255 * std), -mean / std
    return pixels.mul_(scale).add_(shift).permute(0, 3, 1, 2)


def pad(images: UInt8[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n h8 w8 4"]:
    """The images in a black border of 4 pixels; a fourth channel makes each pixel one 32-bit word."""
    count, channels, height, width = images.shape
    size = (count, height + 2 * PADDING, width + 2 * PADDING, channels + 1)
    padded = torch.zeros(size, dtype=torch.uint8, device=images.device)
    padded[:, PADDING:-PADDING, PADDING:-PADDING, :channels] = images.permute(0, 2, 3, 1)
    return padded


def crop(
    padded: UInt8[Tensor, "n h8 w8 4"],
    index: Int64[Tensor, " b"],
    dy: Int64[Tensor, " b"],
    dx: Int64[Tensor, " b"],
    flip: Bool[Tensor, " b"],
) -> UInt8[Tensor, "b 3 h w"]:
    """The images `index` of a padded set, cut at row `dy` and column `dx` (0 to 8), mirrored where `flip`."""
    words = padded.view(torch.int32).squeeze(-1)
    rows, columns = words.shape[1:]
    height = torch.arange(rows - 2 * PADDING, device=padded.device)
    width = torch.arange(columns - 2 * PADDING, device=padded.device)
    across = torch.where(flip[:, None], width.flip(0), width) + dx[:, None]
    down = (index[:, None] * rows + dy[:, None] + height) * columns
    cut = words.flatten().take(down[:, :, None] + across[:, None, :])
    return cut.unsqueeze(-1).view(torch.uint8)[..., :3].permute(0, 3, 1, 2)


def augment(
    images: UInt8[Tensor, "b 3 h w"],
    dy: Int64[Tensor, " b"],
    dx: Int64[Tensor, " b"],
    flip: Bool[Tensor, " b"],
) -> UInt8[Tensor, "b 3 h w"]:
    """Zero padding by 4, a crop at (`dy`, `dx`), then a mirror: PIL's RandomCrop(32, padding=4) and flip.

    `dy` and `dx` are pixels from 0 to 8, else ValueError.
    """
    for name, shift in (("dy", dy), ("dx", dx)):
        if len(outside := shift[(shift < 0) | (shift > 2 * PADDING)]):
            raise ValueError(f"{name} has {int(outside[0])}: expected pixels from 0 to {2 * PADDING}")
    return crop(pad(images), torch.arange(len(images), device=images.device), dy, dx, flip)


def places(count: int, size: int, side: int) -> list[slice]:
    """Where the batches of `count` images of `side` x `side` pixels lie: `size` images each, the last with the rest.

    Batch norm cannot be trained on one value per channel. So where the images are that small, a last image is not
    left alone: the batch before gives it one of its own.
    """
    starts = list(range(0, count, size))
    if side < ALONE and size > 2 and count > size and count % size == 1:
        starts[-1] -= 1
    return [slice(*ends) for ends in pairwise([*starts, count])]


class Batches:
    """An endless stream of shuffled batches of some training images of a data set, on the data set's device.

    Each epoch's permutation, crops and flips are drawn at its start from `generator` (on the CPU; it should
    serve this stream alone), so that nothing is drawn or waited for inside an epoch. The last batch of an epoch
    is short where `batch_size` does not divide the number of images (see `places`). On a GPU the images of the whole
    epoch are made at its start, because there the launches count and not the memory; elsewhere each batch is made when
    it comes.

    `index` are numbers of training images, from 0. ValueError where they or `batch_size` are none.
    """

    def __init__(
        self,
        dataset: Dataset,
        index: Int64[Tensor, " n"],
        batch_size: int,
        generator: torch.Generator,
        augment: bool = True,
    ) -> None:
        if len(index) == 0 or batch_size < 1:
            raise ValueError(f"batches of {batch_size} from {len(index)} images: both must be at least 1")
        check_index(index, len(dataset.train_labels))
        chosen = index.to(dataset.device)
        self.padded = pad(dataset.train_images[chosen])
        self.labels = dataset.train_labels[chosen]
        self.mean, self.std = dataset.mean, dataset.std
        self.batch_size, self.generator, self.augment = batch_size, generator, augment
        self.places = places(len(index), batch_size, dataset.image_size)
        self.whole_epochs = dataset.device.type == "cuda"
        self._begin_epoch()

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch: the number of images over the batch size, rounded up."""
        return len(self.places)

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits that tell these images and labels from others.

        Of the pixels, it is those on each image's diagonal that are read, and the mean and deviation of all: a few
        milliseconds for CIFAR.
        """
        inside = self.padded[:, PADDING:-PADDING, PADDING:-PADDING]
        total = hashlib.sha256(repr(list(inside.shape)).encode())
        for part in (self.labels, inside.diagonal(dim1=1, dim2=2), self.mean, self.std):
            total.update(part.cpu().contiguous().numpy())
        return total.hexdigest()[:12]

    def _begin_epoch(self) -> None:
        count, generator, device = len(self.labels), self.generator, self.labels.device
        self._epoch_state = generator.get_state()
        order = torch.randperm(count, generator=generator)
        shift = torch.full((2, count), PADDING)
        flip = torch.zeros(count, dtype=torch.bool)
        if self.augment:
            shift = torch.randint(2 * PADDING + 1, (2, count), generator=generator)
            flip = torch.rand(count, generator=generator) < 0.5
        self._draws = tuple(draw.to(device) for draw in (order, *shift, flip))
        self._position = 0
        if self.whole_epochs:
            made = [self._make(slice(start, start + CHUNK)) for start in range(0, count, CHUNK)]
            self._epoch = tuple(torch.cat(parts) for parts in zip(*made, strict=True))

    def next(self) -> tuple[Float32[Tensor, "b 3 h w"], Int64[Tensor, " b"]]:
        """The next batch: normalised images, channels-last, and their labels."""
        if self._position == self.steps_per_epoch:
            self._begin_epoch()
        place = self.places[self._position]
        self._position += 1
        if self.whole_epochs:
            images, labels = self._epoch
            return images[place], labels[place]
        return self._make(place)

    def _make(self, place: slice) -> tuple[Float32[Tensor, "b 3 h w"], Int64[Tensor, " b"]]:
        """The images and labels of a part of the epoch."""
        order, dy, dx, flip = (draw[place] for draw in self._draws)
        return normalise(crop(self.padded, order, dy, dx, flip), self.mean, self.std), self.labels[order]

    def _shape(self) -> Int64[Tensor, "3"]:
        return torch.tensor([len(self.labels), self.batch_size, int(self.augment)])

    def state_dict(self) -> dict[str, Shaped[Tensor, "..."]]:
        """All that `load_state_dict` needs to go on with the very same batches."""
        position = torch.tensor(self._position)
        return {"generator": self._epoch_state, "position": position, "shape": self._shape()}

    def load_state_dict(self, state: dict[str, Shaped[Tensor, "..."]]) -> None:
        """Continue a stream from `state_dict`. ValueError where that stream had other images or batches."""
        if not torch.equal(state["shape"], self._shape()):
            theirs, ours = state["shape"].tolist(), self._shape().tolist()
            raise ValueError(f"the saved stream had [images, batch size, augment] = {theirs}, this one has {ours}")
        self.generator.set_state(state["generator"])
        self._begin_epoch()
        self._position = int(state["position"])


def check_index(index: Int64[Tensor, " n"], count: int) -> None:
    """ValueError unless `index` is a tensor of the numbers of some of `count` images."""
    if not isinstance(index, Tensor):
        raise ValueError(f"index is a {type(index).__name__}: expected an int64 tensor [n], by torch.as_tensor(index)")
    if index.dtype != torch.int64 or index.ndim != 1:
        raise ValueError(f"index is {index.dtype} {list(index.shape)}: expected the images' numbers, int64 [n]")
    low, high = map(int, index.aminmax())
    if low < 0 or high >= count:
        raise ValueError(f"index holds {low if low < 0 else high}: expected numbers from 0 to {count - 1}")


def eval_batches(
    images: UInt8[Tensor, "n 3 h w"], mean: Float[Tensor, "3"], std: Float[Tensor, "3"], size: int
) -> Iterator[Float32[Tensor, "b 3 h w"]]:
    """The images in order and un-augmented, `size` at a time (see `places`), normalised, channels-last.

    ValueError for a `size` below 1.
    """
    if size < 1:
        raise ValueError(f"size is {size}: expected at least one image at a time")
    return (normalise(images[place], mean, std) for place in places(len(images), size, images.shape[-1]))
