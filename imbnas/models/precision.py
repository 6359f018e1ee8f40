"""The precision in which a network computes: bfloat16, or that of its weights."""

import contextlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

PRECISIONS = ("bf16", "float32", "float64")
EXPECTED = '"bf16", "float32" or "float64"'


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """bfloat16 where `precision` is "bf16"; the weights' own where it is "float32" or "float64".

    ValueError for any other. `check_precision` refuses float64 for other weights.
    """
    if precision not in PRECISIONS:
        raise ValueError(f'precision is "{precision}"; expected {EXPECTED}')
    if precision != "bf16":
        return contextlib.nullcontext()
    return rounded() if device.type == "cpu" and not has_bfloat16() else torch.autocast(device.type, torch.bfloat16)


def check_precision(net: nn.Module, precision: str) -> None:
    """ValueError where "float64" is asked of weights that are not: they would compute in their own precision."""
    own = {parameter.dtype for parameter in net.parameters()}
    if precision == "float64" and own - {torch.float64}:
        raise ValueError('precision is "float64", but the weights are not; expected a network after net.double()')


@lru_cache(maxsize=1)
def has_bfloat16() -> bool:
    """Whether torch convolves bfloat16 on this processor with instructions made for it, or nearly."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


@contextlib.contextmanager
def rounded() -> Iterator[None]:
    """torch's bfloat16, with `Rounded` convolutions and linear maps."""
    with torch.autocast("cpu", torch.bfloat16), Rounded():
        yield


class Rounded(TorchFunctionMode):
    """bfloat16 on a processor that cannot multiply it: rounded as there, multiplied and summed in float32.

    A product of two bfloat16 numbers is exact in float32, and a sum of them is rounded once in the end, forward and
    backward: the same numbers, up to the order of a sum, as where the processor can. torch's own way there goes number
    by number, and a step of training takes ten times as long.
    """

    def __torch_function__(self, function: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if function not in (F.conv2d, F.linear):
            return function(*args, **named)
        with torch.autocast("cpu", enabled=False):
            return function(*map(in_float32, args), **{name: in_float32(it) for name, it in named.items()}).bfloat16()


def in_float32(argument: Any) -> Any:
    """A tensor's values, rounded to bfloat16, as float32; anything else as it is."""
    return argument.bfloat16().float() if isinstance(argument, Tensor) else argument
