"""bfloat16 where the processor cannot multiply it: the same numbers, against torch's own way and against float64."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from imbnas.models import ResNet32, precision
from imbnas.models.precision import autocast, rounded
from imbnas.stages.clock import Clock, cost

CPU = torch.device("cpu")


def own() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def drawn(*shape: int, whole: bool, seed: int) -> Tensor:
    """Normal numbers, or whole ones so small that every sum of products is exact."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(shape, generator=generator) if not whole else torch.randint(-1, 2, shape, generator=generator)
    return numbers.float().requires_grad_()


def answers(way, whole: bool, **options) -> list[Tensor]:
    """Of a convolution and a linear map: what they give, and the gradients by all that went in."""
    x, matrix = drawn(2, 4, 5, 5, whole=whole, seed=1), drawn(3, 6, whole=whole, seed=2)
    kernel, bias = drawn(6, 4 // options["groups"], 3, 3, whole=whole, seed=3), drawn(6, whole=whole, seed=4)
    with way():
        seen = F.conv2d(x, kernel, bias, padding=1, **options)
        found = F.linear(seen[:, :, 0, 0], matrix)
    (seen.float().sum() + found.float().sum()).backward()
    return [seen, found, x.grad, kernel.grad, bias.grad, matrix.grad]


@pytest.mark.parametrize("groups", [1, 2])
def test_whole_numbers_are_those_of_torchs_own_bfloat16_bit_for_bit(groups):
    for ours, torchs in zip(answers(rounded, True, groups=groups), answers(own, True, groups=groups), strict=True):
        assert ours.dtype == torchs.dtype and torch.equal(ours, torchs)


def test_real_numbers_and_their_gradients_differ_from_torchs_own_by_a_rounding_at_most():
    for ours, torchs in zip(answers(rounded, False, groups=1), answers(own, False, groups=1), strict=True):
        assert ours.dtype == torchs.dtype
        assert (ours - torchs).abs().max() <= 2**-7 * torchs.abs().max()


def test_a_convolution_is_that_of_float64_between_two_roundings():
    x, kernel = drawn(2, 16, 8, 8, whole=False, seed=1), drawn(8, 16, 3, 3, whole=False, seed=2)
    exact = F.conv2d(x.bfloat16().double(), kernel.bfloat16().double(), padding=1)
    with rounded():
        found = F.conv2d(x, kernel, padding=1)
    assert found.dtype == torch.bfloat16
    assert ((found.double() - exact).abs() <= 2**-8 * exact.abs() + 1e-5).all()  # half a unit of eight digits
    with torch.no_grad():
        assert not torch.equal(found.float(), F.conv2d(x, kernel, padding=1))


@pytest.mark.parametrize("can", [True, False])
def test_it_stands_in_only_where_the_processor_cannot(can, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: can)
    monkeypatch.setattr("imbnas.stages.clock.has_bfloat16", lambda: can)
    seen = []
    monkeypatch.setattr(precision, "in_float32", lambda it: seen.append(it) or it)
    with autocast(CPU, "bf16"):
        F.linear(torch.ones(1, 2), torch.ones(3, 2))
    assert bool(seen) is not can
    assert cost(Clock(), CPU)["device"].endswith(", without bfloat16") is not can


def test_what_it_does_ends_with_the_block():
    x, kernel = torch.full((1, 1, 1, 1), 1 + 2**-10), torch.ones(1, 1, 1, 1)
    with rounded():
        assert F.conv2d(x, kernel).item() == 1
    assert F.conv2d(x, kernel).item() == 1 + 2**-10


def test_a_whole_network_computes_as_in_torchs_own():
    """ResNet-32 as a whole, through 31 convolutions, each of whose roundings may fall the other way."""
    net = ResNet32(10, torch.Generator().manual_seed(0)).eval()
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        with own():
            expected = net(x)
        with rounded():
            found = net(x)
    assert found.dtype == expected.dtype
    assert (found - expected).abs().max() <= 2**-5 * expected.abs().max()
