"""The precision in which a network computes: bfloat16, or that of its weights."""

import contextlib

import torch
from torch import nn

PRECISIONS = ("bf16", "float32", "float64")
EXPECTED = '"bf16", "float32" or "float64"'


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """bfloat16 where `precision` is "bf16"; the weights' own where it is "float32" or "float64".

    ValueError for any other. `check_precision` refuses float64 for other weights.
    """
    if precision not in PRECISIONS:
        raise ValueError(f'precision is "{precision}"; expected {EXPECTED}')
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def check_precision(net: nn.Module, precision: str) -> None:
    """ValueError where "float64" is asked of weights that are not: they would compute in their own precision."""
    own = {parameter.dtype for parameter in net.parameters()}
    if precision == "float64" and own - {torch.float64}:
        raise ValueError('precision is "float64", but the weights are not; expected a network after net.double()')
