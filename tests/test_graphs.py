"""Recorded steps do the sums of ordinary ones: a whole network's step, and a path's in pieces."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from imbnas.adaptation import train_supernet
from imbnas.data import Batches, Dataset
from imbnas.models import ResNet32, SuperNet, use_batch_statistics
from imbnas.space import CellSpace, MacroSpace, Space
from imbnas.training import Log, PathSampler, Recipe, fit, graphs, sgd
from imbnas.training.graphs import RecordedStep, wanted
from imbnas.training.pieces import PathStep, path_step
from imbnas.training.steps import MakeStep, PlainStep

SPACES = [CellSpace(4, 1, 1), CellSpace(4, 2, 3), MacroSpace(4, (2, 2, 2))]
CLASSES, BATCH, STEPS = 3, 16, 60
WEIGHTS = torch.tensor([0.5, 1.0, 1.5])
RECIPE = Recipe(STEPS, 0.125, unit="steps", milestones=(40,), factor=0.5, reweight_from=20, batch_size=BATCH)
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Doubles(Batches):
    """Batches of noise, the last of an epoch short, in float64."""

    def next(self) -> tuple[Tensor, Tensor]:
        images, labels = super().next()
        return images.double(), labels


def noise(kind: type[Batches] = Doubles, device: str = "cpu") -> Batches:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(48) % CLASSES
    pixels = torch.randint(256, (48, 3, 8, 8), generator=generator).to(torch.uint8)
    data = Dataset("noise", pixels, labels, pixels, labels, tuple("abc")).to(torch.device(device))
    return kind(data, torch.arange(44), BATCH, generator)


def trained(
    space: Space, make: Callable[[SuperNet, PathSampler], MakeStep], frozen: bool = False, seed: int = 2, **changes: Any
) -> tuple[SuperNet, Log]:
    """A tiny super-network after `STEPS` steps in float64 on the paths of a seed, and its log."""
    net = SuperNet(space, CLASSES, torch.Generator().manual_seed(1)).double().train()
    if frozen:
        use_batch_statistics(net)
    sampler = PathSampler(space, torch.Generator().manual_seed(seed))
    only = list(net.classifier.parameters()) if frozen else None
    options = {"weights": WEIGHTS, "precision": "float64", "parameters": only, "step": make(net, sampler)}
    recipe = Recipe(**{**vars(RECIPE), **changes})
    return net, fit(net, lambda images: net(images, sampler()), noise(), recipe, **options)


def ordinary(net: SuperNet, sampler: PathSampler) -> MakeStep:
    return PlainStep


class Again:
    """Stands in for a graph: what was recorded is run anew at every replay."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.replay = function


class Recorder(graphs.Recorder):
    """Records as a GPU does: nothing is computed meanwhile."""

    def __init__(self) -> None:
        self.recorded: list[Any] = []

    def turn(self) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    def record(self, *functions: Callable[[], Any]) -> tuple[list[Again], list[None]]:
        self.recorded += functions
        return [Again(function) for function in functions], [None for _ in functions]


def in_pieces(recorder: Recorder | None = None, seen: list[PathStep] | None = None):
    def make(net: SuperNet, sampler: PathSampler) -> MakeStep:
        def step(*arguments: Any) -> PathStep:
            found = PathStep(net, sampler, *arguments)
            found.recorder = recorder
            if seen is not None:
                seen.append(found)
            return found

        return step

    return make


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a, b, rtol=1e-9, atol=1e-11) for a, b in pairs)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("frozen", [False, True], ids=["all", "classifier"])
@pytest.mark.parametrize("recorder", [None, Recorder()], ids=["run", "recorded"])
def test_a_path_in_pieces_is_trained_like_the_whole(space: Space, frozen: bool, recorder: Recorder | None) -> None:
    seen: list[PathStep] = []
    plain, plain_log = trained(space, ordinary, frozen)
    pieces, log = trained(space, in_pieces(recorder, seen), frozen)
    assert same(plain, pieces)
    assert [row["loss"] for row in log.rows] == pytest.approx([row["loss"] for row in plain_log.rows], rel=1e-9)
    assert [row["accuracy"] for row in log.rows] == [row["accuracy"] for row in plain_log.rows]
    assert len(seen[0].made) > space.genes  # and not by way of ordinary steps


@pytest.mark.parametrize("seed", [*range(24), 51, 125])
def test_whatever_paths_come_first_all_weights_learn(seed: int) -> None:
    """Dead nodes too: what first reaches a value may have no gradient, and what follows has."""
    few = {"seed": seed, "length": 8, "milestones": (), "reweight_from": 0}
    assert same(trained(SPACES[0], ordinary, **few)[0], trained(SPACES[0], in_pieces(), **few)[0])


def test_the_learning_rate_of_pieces_is_held_in_float32() -> None:
    """0.1 in float32 is 1.5e-8 of itself too large; the rates of the other tests are powers of two, and exact."""
    few = {"length": 30, "milestones": (), "rate": 0.1, "reweight_from": None}
    plain, pieces = trained(SPACES[0], ordinary, **few)[0], trained(SPACES[0], in_pieces(), **few)[0]
    states = [torch.cat([t.flatten() for t in net.state_dict().values()]) for net in (plain, pieces)]
    assert not torch.allclose(*states, rtol=0, atol=1e-10)
    assert torch.allclose(*states, rtol=0, atol=1e-6)


class Always(PathSampler):
    """Draws one path for ever."""

    def __call__(self) -> tuple[int, ...]:
        return (3, 2, 1, 3, 4, 1)


class Filling(Recorder):
    """Records as a GPU does: a replay fills the results anew."""

    def record(self, *functions: Callable[[], Any]) -> tuple[list[Again], list[Any]]:
        results = [(torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.int64)) for _ in functions]
        return [Again(partial(fill, *both)) for both in zip(functions, results, strict=True)], results


def fill(function: Callable[[], tuple[Tensor, Tensor]], places: tuple[Tensor, Tensor]) -> None:
    for place, value in zip(places, function(), strict=True):
        place.copy_(value)


@pytest.mark.parametrize("whole", [False, True], ids=["pieces", "whole"])
@pytest.mark.parametrize("recorded", [False, True], ids=["run", "recorded"])
def test_class_weights_may_change_from_step_to_step(whole: bool, recorded: bool) -> None:
    """At a learning rate of zero each loss is that of the network as it is, under the weights of the step."""
    net = SuperNet(SPACES[0], CLASSES, torch.Generator().manual_seed(1)).double().train()
    sampler, (images, labels) = Always(SPACES[0], torch.Generator()), noise().next()
    path, optimizer = sampler(), sgd(list(net.parameters()), RECIPE)
    given = (lambda x: net(x, path), optimizer, RECIPE, "float64")
    step = RecordedStep(*given) if whole else PathStep(net, sampler, *given)
    step.recorder = (Filling() if whole else Recorder()) if recorded else None
    logits = net(images, path).detach()
    for weights in (WEIGHTS, WEIGHTS, WEIGHTS, torch.tensor([4.0, 1.0, 0.25]), WEIGHTS):
        loss, _ = step(images, labels, 0.0, weights)
        assert float(loss) == pytest.approx(float(cross_entropy(logits, labels, weights.double())), rel=1e-9)


def test_pieces_find_nesterov_and_decay_too() -> None:
    changes = {"nesterov": True, "weight_decay": 0.01, "momentum": 0.5}
    plain, _ = trained(SPACES[0], ordinary, **changes)
    pieces, _ = trained(SPACES[0], in_pieces(), **changes)
    assert same(plain, pieces)
    assert not same(plain, trained(SPACES[0], in_pieces())[0])


def test_no_operation_is_recorded_twice() -> None:
    """Forward and backward of every operation that carries something, stem, reductions, head; two losses."""
    space, recorder = CellSpace(4, 1, 3), Recorder()
    seen: list[PathStep] = []
    trained(space, in_pieces(recorder, seen), length=400, milestones=())
    whole = [piece for piece in seen[0].made.values() if piece.source not in seen[0].empty.values()]
    assert len(whole) == space.genes * (space.choices - 1) + 4
    assert len({id(piece.module) for piece in whole}) == len(whole)
    recorded = [piece for piece in [*seen[0].made.values(), *seen[0].losses.values()] if piece.graphs]
    assert len(recorder.recorded) == sum(1 + piece.learns for piece in recorded) > 2 * len(whole)


def test_a_clipped_gradient_takes_an_ordinary_step() -> None:
    seen: list[PathStep] = []
    plain, _ = trained(SPACES[0], ordinary, clip=0.1)
    pieces, _ = trained(SPACES[0], in_pieces(seen=seen), clip=0.1)
    assert not seen[0].made
    assert same(plain, pieces)


def test_a_whole_network_recorded_is_trained_like_the_plain_one() -> None:
    def net(step: MakeStep) -> tuple[nn.Module, Log]:
        found = ResNet32(CLASSES, torch.Generator().manual_seed(1)).double().train()
        options = {"weights": WEIGHTS, "precision": "float64", "step": step}
        return found, fit(found, found, noise(), Recipe(**{**vars(RECIPE), "length": 24, "milestones": ()}), **options)

    (plain, plain_log), (recorded, log) = net(PlainStep), net(RecordedStep)
    assert same(plain, recorded)
    assert log.rows == plain_log.rows


def test_a_processor_takes_ordinary_steps() -> None:
    net = SuperNet(SPACES[0], CLASSES, torch.Generator())
    assert not wanted(torch.device("cpu"))
    assert path_step(net, PathSampler(SPACES[0], torch.Generator())) is PlainStep


def test_recording_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wanted(torch.device("cuda"))
    monkeypatch.setenv("IMBNAS_GRAPHS", "off")
    assert not wanted(torch.device("cuda"))


@GPU
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize(("kind", "precision", "tolerance"), [(Doubles, "float64", 1e-6), (Batches, "bf16", 0.05)])
def test_a_gpu_replays_paths_like_ordinary_steps(
    space: Space, kind: type[Batches], precision: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses(how: str) -> list[float]:
        monkeypatch.setenv("IMBNAS_GRAPHS", how)
        net = SuperNet(space, CLASSES, torch.Generator().manual_seed(1)).to("cuda")
        net = net.double() if precision == "float64" else net
        paths, recipe = torch.Generator().manual_seed(2), Recipe(**{**vars(RECIPE), "rate": 2**-7})
        log = train_supernet(net, noise(kind, "cuda"), recipe, paths, WEIGHTS, precision=precision)
        return [row["loss"] for row in log.rows]

    assert losses("on") == pytest.approx(losses("off"), rel=tolerance)


@GPU
@pytest.mark.parametrize(("kind", "precision", "tolerance"), [(Doubles, "float64", 1e-6), (Batches, "bf16", 0.05)])
def test_a_gpu_replays_a_whole_network_like_ordinary_steps(
    kind: type[Batches], precision: str, tolerance: float
) -> None:
    def losses(step: MakeStep) -> list[float]:
        net = ResNet32(CLASSES, torch.Generator().manual_seed(1)).to("cuda").train()
        net = net.double() if precision == "float64" else net
        recipe = Recipe(**{**vars(RECIPE), "rate": 2**-7})
        log = fit(net, net, noise(kind, "cuda"), recipe, weights=WEIGHTS, precision=precision, step=step)
        return [row["loss"] for row in log.rows]

    assert losses(RecordedStep) == pytest.approx(losses(PlainStep), rel=tolerance)
