"""Inside an epoch of `fit` nothing waits for the device: no value is read back, nothing is sent there."""

import contextlib
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from imbnas.data import Batches, Dataset
from imbnas.models import SuperNet
from imbnas.space import CellSpace
from imbnas.training import PathSampler, Recipe, fit, loop, steps
from imbnas.training.pieces import PathStep
from imbnas.training.steps import PlainStep

SPACE = CellSpace(4, 1, 1)
CLASSES, IMAGES, BATCH = 3, 48, 8
PER_EPOCH = IMAGES // BATCH
RECIPE = Recipe(2, 0.05, clip=5.0, reweight_from=1)  # two epochs: one plain, one re-weighted
WEIGHTS = torch.tensor([0.5, 1.0, 1.5])
DRAWS = 4  # of an epoch, sent at its start: order, two shifts, flips


class Sent(TorchDispatchMode):
    """Counts the tensors that go to `device` from elsewhere."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device, self.count = device, 0

    def __torch_dispatch__(self, call: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = call(*arguments, **(options or {}))
        self.count += self.device in devices(result) and bool(devices((arguments, options)) - {self.device})
        return result


def devices(tree: Any) -> set[str]:
    return {leaf.device.type for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}


def prepared(device: str) -> tuple[SuperNet, PathSampler, Batches]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(IMAGES) % CLASSES
    pixels = torch.randint(256, (IMAGES, 3, 8, 8), generator=generator).to(torch.uint8)
    data = Dataset("noise", pixels, labels, pixels, labels, tuple("abc"))
    batches = Batches(data, torch.arange(IMAGES), BATCH, generator)
    for name in ("padded", "labels", "mean", "std"):
        setattr(batches, name, getattr(batches, name).to(device))
    batches._begin_epoch()
    net = SuperNet(SPACE, CLASSES, generator).to(device).train()
    return net, PathSampler(SPACE, generator), batches


def test_nothing_is_read_or_sent_inside_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values on the device "meta" do not exist, so whatever reads one fails; only the log is not read."""
    looks: list[int] = []
    monkeypatch.setattr(loop, "collect", lambda run, pending: looks.append(run.step))
    monkeypatch.setattr(loop, "refuse_overflow", lambda run: looks.append(run.step))
    monkeypatch.setattr(loop, "close_epoch", lambda *_: None)
    monkeypatch.setattr(loop, "check_classes", lambda *_: None)  # reads the labels once, before the first step
    monkeypatch.setattr(steps, "autocast", lambda *_: contextlib.nullcontext())  # the device has no autocast,
    monkeypatch.setattr(loop, "sgd", lambda parameters, recipe: torch.optim.SGD(parameters, recipe.rate))  # nor fused
    net, sampler, batches = prepared("meta")
    with Sent("meta") as sent:
        fit(net, lambda images: net(images, sampler()), batches, RECIPE, weights=WEIGHTS)
    assert looks == [PER_EPOCH, 2 * PER_EPOCH, 2 * PER_EPOCH]  # the log at every epoch's end, the weights at the last
    assert sent.count == DRAWS + 1  # at the start of the second epoch, and the class weights once


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("recorded", [False, True], ids=["plain", "recorded"])
def test_a_gpu_is_not_waited_for_inside_an_epoch(recorded: bool) -> None:
    """CUDA itself refuses to wait from an epoch's first step to its last; recorded steps once all are recorded."""
    net, sampler, batches = prepared("cuda")
    epochs, watched = (40, 39) if recorded else (2, 0)
    recipe = replace(RECIPE, length=epochs, clip=None, batch_size=BATCH)

    def watch(step: int) -> None:
        inside = step % PER_EPOCH and step // PER_EPOCH >= watched
        torch.cuda.set_sync_debug_mode("error" if inside else "default")

    options = {"weights": WEIGHTS, "precision": "bf16", "on_step": watch}
    options["step"] = partial(PathStep, net, sampler) if recorded else PlainStep
    log = fit(net, lambda images: net(images, sampler()), batches, recipe, **options)
    assert log.images == epochs * IMAGES
