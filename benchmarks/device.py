"""How fast this machine trains: images a second of every kind of training, and of several networks side by side.

    python -m benchmarks.device [--steps 200] [--at-once 1 2 4 8] [--out RECORD]

Everything goes through `imbnas.training.fit`, on the GPU where there is one: what is measured is what a stage gets,
waiting for the device at the end included. There every kind is measured twice, launching kernel after kernel and
replaying what was recorded of them. Side by side means processes of their own, and on a GPU streams of one process.
"""

import argparse
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks import from_one
from benchmarks.quantities import BATCH, generator, pixels
from imbnas import records
from imbnas.data import Batches, eval_batches
from imbnas.evaluation import rank
from imbnas.models import ResNet32, SubNet, SuperNet, use_batch_statistics
from imbnas.profiles import load
from imbnas.space import parse_space
from imbnas.stages.clock import Clock, cost
from imbnas.stages.device import best_device
from imbnas.stages.streams import side_by_side
from imbnas.training import PathSampler, Recipe, fit
from imbnas.training.graphs import RecordedStep
from imbnas.training.pieces import PathStep
from imbnas.training.steps import MakeStep, PlainStep

IMAGES = 100 * BATCH
PRECISIONS = ("bf16", "float32")
WARM = 100  # steps before the clock starts: until then nearly all of a super-network's operations are recorded


class Training(NamedTuple):
    net: nn.Module
    forward: Callable[[Tensor], Tensor]
    recorded: MakeStep  # how its steps are recorded on a GPU
    parameters: list[nn.Parameter] | None = None  # None: all


def resnet() -> Training:
    net = ResNet32(10, generator())
    return Training(net, net, RecordedStep)


def retraining() -> Training:
    space = parse_space(load("paper").space)
    net = SubNet(space, space.sample(generator(1)), 10, generator())
    return Training(net, net, RecordedStep)


def supernet() -> Training:
    space = parse_space(load("paper").space)
    net, sampler = SuperNet(space, 10, generator()), PathSampler(space, generator(1))
    return Training(net, lambda images: net(images, sampler()), partial(PathStep, net, sampler))


def classifier() -> Training:
    """P1: a frozen backbone and a classifier that learns."""
    net = supernet().net
    sampler = PathSampler(net.space, generator(1))
    use_batch_statistics(net)

    def logits(images: Tensor) -> Tensor:
        with torch.no_grad():
            seen = net.features(images, sampler())
        return net.classifier(seen)

    return Training(net, logits, partial(PathStep, net, sampler), list(net.classifier.parameters()))


KINDS = {"ResNet-32": resnet, "retraining": retraining, "super-network": supernet, "P1": classifier}


def waited(device: torch.device) -> float:
    """The time when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.current_stream().synchronize()
    return time.perf_counter()


def images_per_second(
    kind: str, precision: str, steps: int, recorded: bool, ready: Callable[[], object] = lambda: None
) -> float:
    """Of `steps` steps after `WARM` others; `ready` is called between the two."""
    device = best_device()
    net, forward, own_step, parameters = KINDS[kind]()
    net.to(device)
    batches = Batches(pixels(IMAGES).to(device), torch.arange(IMAGES), BATCH, generator())
    begin = 0.0

    def start(step: int) -> None:
        nonlocal begin
        if step == WARM:
            ready()
            begin = waited(device)

    recipe, step = Recipe(WARM + steps, 0.01, unit="steps"), own_step if recorded else PlainStep
    options = {"precision": precision, "parameters": parameters, "on_step": start, "step": step}
    fit(net, forward, batches, recipe, **options)
    return steps * BATCH / (waited(device) - begin)


def seconds_of_scoring(precision: str) -> float:
    """For 50 paths, as a search asks for them: 2,048 images for batch norm and 5,000 that are classified."""
    device, data = best_device(), pixels(7_048)
    net, sampler = supernet().net.to(device), PathSampler(parse_space(load("paper").space), generator(2))
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    mean, std = data.mean.to(device), data.std.to(device)
    statistics = list(eval_batches(images[:2_048], mean, std, BATCH))
    validation = list(eval_batches(images[2_048:], mean, std, BATCH))
    paths = [sampler() for _ in range(50)]
    rank(net, paths[:2], statistics, validation, labels[2_048:], precision)
    begin = waited(device)
    rank(net, paths, statistics, validation, labels[2_048:], precision)
    return waited(device) - begin


def one_of_many(barrier: Any, speeds: Any, kind: str, steps: int, recorded: bool) -> None:
    torch.set_num_threads(1)
    speeds.put(images_per_second(kind, "bf16", steps, recorded, barrier.wait))


def in_processes(count: int, kind: str, steps: int, recorded: bool) -> float:
    """Images a second of `count` processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, speeds = context.Barrier(count, timeout=120), context.Queue()  # one that fails must not hold the others
    given = (barrier, speeds, kind, steps, recorded)
    workers = [context.Process(target=one_of_many, args=given, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    total = sum(speeds.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join()
    return total


def on_streams(count: int, kind: str, steps: int) -> float:
    """Images a second of `count` streams of one process together, as the stages of a list run."""
    barrier, speeds = threading.Barrier(count, timeout=120), []

    def one() -> None:
        speeds.append(images_per_second(kind, "bf16", steps, True, barrier.wait))

    side_by_side([one] * count, count)
    return sum(speeds)


def measured(steps: int, counts: list[int], device: torch.device) -> Iterator[tuple[str, float, str]]:
    """Everything that is measured, one after the other: what, its value, and its unit."""
    ways = {"plain": False, "recorded": True} if device.type == "cuda" else {"plain": False}
    for kind in KINDS:
        for precision in PRECISIONS:
            for way, recorded in ways.items():
                speed = images_per_second(kind, precision, steps, recorded)
                yield f"{kind}, {precision}, {way}", speed, "images/s"
    for precision in PRECISIONS if device.type == "cuda" else ():  # on a processor it takes minutes
        yield f"50 paths scored, {precision}", seconds_of_scoring(precision), "s"
    for kind in ("ResNet-32", "super-network"):
        for count in counts:
            speed = in_processes(count, kind, steps, device.type == "cuda")
            yield f"{count} × {kind}, bf16, processes", speed, "images/s"
        for count in counts if device.type == "cuda" else ():
            yield f"{count} × {kind}, bf16, streams", on_streams(count, kind, steps), "images/s"


def told(what: str, value: float, unit: str) -> str:
    return f"{what:36} {value:11,.{0 if value > 100 else 2}f} {unit}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("--steps", type=from_one, default=200)
    parser.add_argument("--at-once", type=from_one, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--out", type=Path, help="the record of what is printed")
    arguments = parser.parse_args()
    device, clock, found = best_device(), Clock(), {}
    config = {"stage": "speed", "batch": BATCH, "steps": arguments.steps, "at_once": arguments.at_once}
    if arguments.out:
        records.refuse_unwritable(arguments.out, config)
    print(f"{records.device_name(device)}, torch {torch.__version__}, batch {BATCH}", flush=True)
    with clock.part("measuring"):
        for what, value, unit in measured(arguments.steps, arguments.at_once, device):
            print(told(what, value, unit), flush=True)
            found[what] = {"value": value, "unit": unit}
    if arguments.out:
        records.write(arguments.out, "speed", config, {"speeds": found}, cost(clock, device))
    return 0


if __name__ == "__main__":
    sys.exit(main())
