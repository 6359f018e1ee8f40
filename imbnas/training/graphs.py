"""CUDA graphs: kernels are launched once, recorded, and from then on replayed with a single launch.

The narrow networks of this book keep a GPU busy for a fraction of the time that launching their kernels one by one
takes. What is recorded reads and writes the same memory at every replay, so that inputs are copied to where it looks.
Recording computes nothing. On a CPU nothing is recorded, and the same code runs as it is.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from imbnas.models.networks import Images
from imbnas.training.recipe import Recipe
from imbnas.training.steps import Forward, Labels, MakeStep, PlainStep, Taken, Weights

ALONE = threading.Lock()  # held by the one thread that records
WARM = 2  # ordinary runs before a recording: libraries choose their kernels meanwhile


def wanted(device: torch.device) -> bool:
    """Whether steps on `device` are to be recorded: on a GPU, unless IMBNAS_GRAPHS is "off"."""
    return device.type == "cuda" and os.environ.get("IMBNAS_GRAPHS", "on") != "off"


def fixed_step(device: torch.device) -> MakeStep:
    """How a network that does the same in every step is trained on `device`."""
    return RecordedStep if wanted(device) else PlainStep


class Recorder:
    """Records and replays on one stream, that of the thread where it has one of its own."""

    def __init__(self) -> None:
        current = torch.cuda.current_stream()
        self.stream = torch.cuda.Stream() if current == torch.cuda.default_stream() else current

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """All of a step happens on this stream, its ordinary runs too: gradients know on which they are added."""
        outside = torch.cuda.current_stream()
        self.stream.wait_stream(outside)
        with torch.cuda.stream(self.stream):
            yield
        outside.wait_stream(self.stream)

    def record(self, *functions: Callable[[], Any]) -> tuple[list[torch.cuda.CUDAGraph], list[Any]]:
        """The kernels of each function, and what it returned: tensors that every replay fills anew.

        The functions are always replayed in this order, so that they share a pool of memory. No other recording
        does: what one has left there for its next part, another would overwrite between the two.
        """
        pool, graphs, results = torch.cuda.graph_pool_handle(), [], []
        for function in functions:
            graphs.append(torch.cuda.CUDAGraph())
            with ALONE:
                graphs[-1].capture_begin(pool=pool, capture_error_mode="thread_local")
                try:
                    results.append(function())
                except BaseException:
                    with contextlib.suppress(RuntimeError):  # it would hide what went wrong
                        graphs[-1].capture_end()
                    raise
                graphs[-1].capture_end()
        return graphs, results


def in_turn(recorder: Recorder | None) -> contextlib.AbstractContextManager:
    """The recorder's turn, where there is one."""
    return contextlib.nullcontext() if recorder is None else recorder.turn()


class StaticRate:
    """A learning rate that recorded kernels read from the device, in float32: to seven digits."""

    def __init__(self, device: torch.device) -> None:
        self.tensor, self.value = torch.zeros((), device=device), 0.0

    def set(self, rate: float) -> None:
        if rate != self.value:
            self.tensor.fill_(rate)
            self.value = rate


class StaticWeights:
    """Class weights that recorded kernels read from the device: always at the same place, once there are any."""

    def __init__(self) -> None:
        self.tensor: Tensor | None = None

    def set(self, weights: Weights | None) -> Weights | None:
        """The place of the weights, which now holds these; None for None."""
        if weights is None:
            return None
        if self.tensor is None:
            self.tensor = torch.empty_like(weights)
        return self.tensor.copy_(weights)


class RecordedStep:
    """The steps of a network that does the same every time, each as one graph: forward, backward and update.

    There is one recording for every size of batch, with and without class weights. The sums are those of an ordinary
    step, but for the learning rate, which is rounded to float32 (`StaticRate`).
    """

    def __init__(self, forward: Forward, optimizer: torch.optim.SGD, recipe: Recipe, precision: str) -> None:
        self.plain = PlainStep(forward, optimizer, recipe, precision)
        device = optimizer.param_groups[0]["params"][0].device
        self.rate, self.weights = StaticRate(device), StaticWeights()
        self.recorder = Recorder() if device.type == "cuda" else None
        self.kinds: dict[tuple[int, bool], Kind] = {}

    def __call__(self, images: Images, labels: Labels, rate: float, weights: Weights | None) -> Taken:
        name = (len(labels), weights is not None)
        if name not in self.kinds:
            self.kinds[name] = Kind(images, labels)
        kind = self.kinds[name]
        with in_turn(self.recorder):
            self.rate.set(rate)
            kind.images.copy_(images)
            kind.labels.copy_(labels)
            return self.take(kind, self.weights.set(weights))

    def take(self, kind: "Kind", weights: Weights | None) -> Taken:
        def step() -> Taken:
            return self.plain(kind.images, kind.labels, self.rate.tensor, weights)

        if self.recorder is None or kind.runs < WARM:
            kind.runs += 1
            return step()
        if kind.graph is None:
            (kind.graph,), (kind.result,) = self.recorder.record(step)
        kind.graph.replay()
        loss, correct = kind.result
        return loss.clone(), correct.clone()


class Kind:
    """The place of one kind of batch, and what is recorded of its steps."""

    def __init__(self, images: Images, labels: Labels) -> None:
        self.images, self.labels = torch.empty_like(images), torch.empty_like(labels)
        self.runs = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Taken | None = None
