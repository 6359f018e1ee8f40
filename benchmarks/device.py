"""How fast this machine trains: images a second of every kind of training, and of several networks side by side.

    python -m benchmarks.device [--steps 100] [--at-once 1 2 4 8] [--out FILE]

Everything goes through `imbnas.training.fit`, on the GPU where there is one: what is measured is what a stage gets,
waiting for the device at the end included. Side by side means processes of their own, each training a ResNet-32.
"""

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.quantities import BATCH, generator, pixels
from imbnas import records
from imbnas.data import Batches
from imbnas.models import ResNet32, SubNet, SuperNet, use_batch_statistics
from imbnas.profiles import load
from imbnas.space import parse_space
from imbnas.stages.common import best_device
from imbnas.training import PathSampler, Recipe, fit

IMAGES = 100 * BATCH
PRECISIONS = ("bf16", "float32")
Training = tuple[torch.nn.Module, Callable[[Tensor], Tensor], dict[str, Any]]


def resnet() -> Training:
    net = ResNet32(10, generator())
    return net, net, {}


def retraining() -> Training:
    space = parse_space(load("paper").space)
    net = SubNet(space, space.sample(generator(1)), 10, generator())
    return net, net, {}


def supernet() -> Training:
    space = parse_space(load("paper").space)
    net, sampler = SuperNet(space, 10, generator()), PathSampler(space, generator(1))
    return net, lambda images: net(images, sampler()), {}


def classifier() -> Training:
    """P1: a frozen backbone and a classifier that learns."""
    net, _, _ = supernet()
    sampler = PathSampler(net.space, generator(1))

    def logits(images: Tensor) -> Tensor:
        with torch.no_grad():
            seen = net.features(images, sampler())
        return net.classifier(seen)

    return net, logits, {"parameters": list(net.classifier.parameters())}


KINDS = {"ResNet-32": resnet, "retraining": retraining, "super-network": supernet, "P1": classifier}


def images_per_second(kind: str, precision: str, steps: int, ready: Callable[[], object] = lambda: None) -> float:
    """Of a training of `steps` steps, after one of a tenth that warms up; `ready` is called between the two."""
    device = best_device()
    net, forward, options = KINDS[kind]()
    net.to(device).train()
    if kind == "P1":
        use_batch_statistics(net)
    batches = Batches(pixels(IMAGES).to(device), torch.arange(IMAGES), BATCH, generator())

    def train(length: int) -> float:
        recipe = Recipe(length, 0.01, unit="steps")
        return fit(net, forward, batches, recipe, precision=precision, **options).images_per_second

    train(max(1, steps // 10))
    ready()
    return train(steps)


def one_of_many(barrier: Any, speeds: Any, steps: int) -> None:
    torch.set_num_threads(1)
    speeds.put(images_per_second("ResNet-32", "bf16", steps, barrier.wait))


def side_by_side(count: int, steps: int) -> float:
    """Images a second of `count` processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, speeds = context.Barrier(count, timeout=120), context.Queue()  # one that fails must not hold the others
    workers = [context.Process(target=one_of_many, args=(barrier, speeds, steps), daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    total = sum(speeds.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join()
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--out", type=Path, help="a file for the lines printed")
    arguments = parser.parse_args()
    lines = [f"{records.device_name(best_device())}, torch {torch.__version__}, batch {BATCH}, images/s"]
    print(*lines, flush=True)

    def say(what: str, speed: float) -> None:
        lines.append(f"{what:34} {speed:9.0f}")
        print(lines[-1], flush=True)

    for kind in KINDS:
        for precision in PRECISIONS:
            say(f"{kind}, {precision}", images_per_second(kind, precision, arguments.steps))
    for count in arguments.at_once:
        say(f"{count} × ResNet-32, bf16, together", side_by_side(count, arguments.steps))
    if arguments.out:
        records.write_text(arguments.out, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
