"""Batch norm, the operations of the spaces, and an edge that holds all of them (paper, Eq. 3)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.Module):
    """Batch normalisation whose statistics can be followed, ignored or used, one choice at a time.

    `mode` is "track" (normalise by the batch, follow it with `momentum`; set by `train()`), "batch" (normalise by
    the batch, remember nothing: how a frozen backbone is run) or "stored" (use what was followed; set by `eval()`).
    There is no batch counter, so a training step launches nothing for it.
    """

    def __init__(self, channels: int, affine: bool) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.mode, self.momentum = "track", 0.1

    def train(self, mode: bool = True) -> "BatchNorm":
        self.mode = "track" if mode else "stored"
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = (None, None) if self.mode == "batch" else (self.mean, self.variance)
        return F.batch_norm(x, mean, variance, self.weight, self.bias, self.mode != "stored", self.momentum, 1e-5)


def use_batch_statistics(net: nn.Module) -> None:
    """Normalise by the batch at hand and leave every stored statistic as it is."""
    for module in net.modules():
        if isinstance(module, BatchNorm):
            module.mode = "batch"


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; every module as it was after it, also where batch norm ignores statistics."""
    before = [(module, module.training, getattr(module, "mode", None)) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training, mode in before:
            module.training = training
            if isinstance(module, BatchNorm):
                module.mode = mode


class Zero(nn.Module):
    """An edge that carries nothing: `none` in a cell, the residual part of `skip` in a macro layer."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class AveragePool(nn.Module):
    """The mean of a pixel's 3x3 neighbourhood, as far as it lies inside the image: [B, C, H, W] to the same.

    On a processor a depthwise convolution sums: torch's own pooling of channels-last bfloat16 takes longer there than
    a 3x3 convolution with all its weights, and a step of the super-network a fifth more. On a GPU it is the way back
    that takes long in torch's own (`Pooling`).
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return Pooling.apply(x)
        ones, shares = neighbourhood(*x.shape[1:], x.dtype)
        return F.conv2d(x, ones, padding=1, groups=len(ones)) * shares


class Pooling(torch.autograd.Function):
    """torch's 3x3 average pooling, and a gradient that is pooled in the same way.

    A pixel gets back from each neighbour a share as large as the one it gave, which depends on how many that one has.
    """

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "..."]:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "..."]:
        return sum_of_neighbours(gradient / sum_of_neighbours(torch.ones_like(gradient[:1, :1])))


def sum_of_neighbours(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "..."]:
    """Of every pixel's 3x3 neighbourhood, as far as it lies inside the image."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, divisor_override=1)


@lru_cache(maxsize=64)
def neighbourhood(
    channels: int, height: int, width: int, dtype: torch.dtype
) -> tuple[Float[Tensor, "channels 1 3 3"], Float[Tensor, "1 channels height width"]]:
    """A depthwise 3x3 kernel of ones, and one over the number of neighbours of every pixel."""
    with torch.inference_mode(False):
        ones = torch.ones(channels, 1, 3, 3, dtype=dtype)
        shares = 1 / sum_of_neighbours(torch.ones(1, 1, height, width, dtype=torch.float64))
        return ones, shares.expand(1, channels, -1, -1).to(dtype).contiguous(memory_format=torch.channels_last)


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution with same padding, batch norm: [B, inputs, H, W] to [B, outputs, H / stride, W / stride]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, affine: bool, stride: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        super().__init__(nn.ReLU(), conv, BatchNorm(outputs, affine))


class Reduction(nn.Module):
    """NAS-Bench-201's residual block between stages: half the size, `outputs` channels."""

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ReLUConvBN(inputs, outputs, 3, affine, stride=2), ReLUConvBN(outputs, outputs, 3, affine)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


def operation(name: str, channels: int, affine: bool) -> nn.Module:
    """The operation called `name`, from `channels` to `channels` at the same size."""
    half = channels // 2
    make: dict[str, Callable[[], nn.Module]] = {
        "none": Zero,
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: ReLUConvBN(channels, channels, 1, affine),
        "nor_conv_3x3": lambda: ReLUConvBN(channels, channels, 3, affine),
        "avg_pool_3x3": AveragePool,
        "skip": Zero,
        "conv3x3": lambda: ReLUConvBN(channels, channels, 3, affine),
        "conv3x3_twice": lambda: nn.Sequential(*(ReLUConvBN(channels, channels, 3, affine) for _ in range(2))),
        "bottleneck5x5": lambda: nn.Sequential(
            ReLUConvBN(channels, half, 1, affine),
            ReLUConvBN(half, half, 5, affine),
            ReLUConvBN(half, channels, 1, affine),
        ),
    }
    return make[name]()


class MixedOp(nn.ModuleList):
    """Every choice of one edge, side by side (paper, Eq. 3).

    `forward(x, choice)` runs one operation; `forward(x, weights)`, with `weights` float [choices], returns
    sum_o weights[o] * o(x). With one-hot weights the two are equal bit for bit.
    """

    def __init__(self, names: Sequence[str], channels: int, affine: bool = False) -> None:
        super().__init__(operation(name, channels, affine) for name in names)

    def forward(self, x: Tensor, selection: int | Float[Tensor, " choices"]) -> Tensor:
        if isinstance(selection, int):
            return self[selection](x)
        terms = [w * op(x) for w, op in zip(selection, self, strict=True) if not isinstance(op, Zero)]
        return sum(terms[1:], terms[0])
