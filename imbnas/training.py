"""The one training loop: super-networks, classifiers, fine-tuning, retraining and ResNet-32 all go through `fit`.

`fit` owns the schedule, the precision, the checkpoint, the resume, the stop on a loss that is not finite, and the
log. It knows neither the network nor the procedure: it is given a function from images to logits.
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from imbnas.data import Batches
from imbnas.losses import Deferred, weighted_cross_entropy


@dataclass(frozen=True)
class Recipe:
    """How something is trained. Lengths (`length`, `milestones`, `warmup`, `reweight_from`) count in `unit`.

    The learning rate is `rate`, times `factor` at each milestone, or falling to zero along a half cosine with
    `shape="cosine"`; `warmup` units of linear rise come first. `reweight_from` is where deferred re-weighting
    begins (None: never; 0: from the first step).
    """

    length: float
    rate: float
    unit: str = "epochs"
    shape: str = "steps"
    milestones: tuple[float, ...] = ()
    factor: float = 0.1
    warmup: float = 0
    reweight_from: float | None = None
    batch_size: int = 128
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 2e-4
    clip: float | None = None

    def __post_init__(self) -> None:
        if self.unit not in ("epochs", "steps"):
            raise ValueError(f'unit is "{self.unit}"; a recipe counts in "epochs" or in "steps"')
        if self.shape not in ("steps", "cosine", "constant"):
            raise ValueError(f'shape is "{self.shape}"; expected "steps", "cosine" or "constant"')
        if self.length <= 0 or self.rate <= 0 or self.batch_size < 1:
            raise ValueError(f"length, rate and batch_size must be positive; got {self}")

    def in_steps(self, length: float, steps_per_epoch: int) -> int:
        """`length` of this recipe's units as optimiser steps."""
        return round(length * steps_per_epoch) if self.unit == "epochs" else round(length)

    def total_steps(self, steps_per_epoch: int) -> int:
        return self.in_steps(self.length, steps_per_epoch)

    def rate_at(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of 0-based optimiser step `step`."""
        total, warmup = self.total_steps(steps_per_epoch), self.in_steps(self.warmup, steps_per_epoch)
        if step < warmup:
            return self.rate * (step + 1) / warmup
        if self.shape == "cosine":
            return self.rate * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))) / 2
        passed = sum(step >= self.in_steps(milestone, steps_per_epoch) for milestone in self.milestones)
        return self.rate * self.factor**passed

    def deferred(self, weights: Float[Tensor, " classes"] | None, steps_per_epoch: int) -> Deferred:
        """The loss's class weights as a schedule in steps."""
        start = self.total_steps(steps_per_epoch) if self.reweight_from is None else self.reweight_from
        if self.reweight_from is not None:
            start = self.in_steps(start, steps_per_epoch)
        return Deferred(None if self.reweight_from is None else weights, int(start))


class Unfinished(Exception):
    """`max_seconds` were over: the checkpoint is written, and the same call continues from it."""


class NotFinite(ArithmeticError):
    """A loss became NaN or infinite; the last good checkpoint is kept."""


@dataclass
class Log:
    """What a training leaves: one row per epoch, and what it cost."""

    rows: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    images: int = 0

    @property
    def images_per_second(self) -> float:
        return self.images / max(self.seconds, 1e-9)


@dataclass
class Epoch:
    """Running sums of the epoch under way."""

    loss: float = 0.0
    correct: float = 0.0
    images: int = 0


def sgd(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.SGD:
    """SGD whose momentum buffers exist from the start.

    A parameter without a gradient takes no step at all, neither decay nor momentum: an operation that is not on
    the sampled path stays as it is.
    """
    optimizer = torch.optim.SGD(
        parameters,
        lr=recipe.rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    for parameter in parameters:
        buffer = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        optimizer.state[parameter]["momentum_buffer"] = buffer
    return optimizer


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """bfloat16 where `precision` is "bf16", nothing where it is "float32" or "float64"."""
    if precision not in ("bf16", "float32", "float64"):
        raise ValueError(f'precision is "{precision}"; expected "bf16", "float32" or "float64"')
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


@dataclass
class Training:
    """Everything that a checkpoint must hold to continue as if nothing had happened."""

    model: nn.Module
    optimizer: torch.optim.SGD
    names: dict[nn.Parameter, str]
    batches: Batches
    generators: Mapping[str, torch.Generator]
    step: int = 0
    epoch: Epoch = field(default_factory=Epoch)
    log: Log = field(default_factory=Log)

    def save(self, path: Path) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for parameter, name in self.names.items():
            tensors[f"momentum.{name}"] = self.optimizer.state[parameter]["momentum_buffer"]
        tensors |= {f"batches.{name}": tensor for name, tensor in self.batches.state_dict().items()}
        tensors |= {f"generator.{name}": g.get_state() for name, g in self.generators.items()}
        progress = {"step": self.step, "epoch": asdict(self.epoch), "log": asdict(self.log)}
        save_tensors(path, tensors, {"progress": json.dumps(progress)})

    def load(self, path: Path) -> None:
        tensors, metadata = load_tensors(path)
        part = {kind: {} for kind in ("model", "momentum", "batches", "generator")}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            part[kind][rest] = tensor
        self.model.load_state_dict(part["model"])
        for parameter, name in self.names.items():
            self.optimizer.state[parameter]["momentum_buffer"].copy_(part["momentum"][name])
        self.batches.load_state_dict(part["batches"])
        for name, generator in self.generators.items():
            generator.set_state(part["generator"][name])
        progress = json.loads(metadata["progress"])
        self.step, self.epoch, self.log = progress["step"], Epoch(**progress["epoch"]), Log(**progress["log"])


def fit(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    batches: Batches,
    recipe: Recipe,
    *,
    weights: Float[Tensor, " classes"] | None = None,
    parameters: list[nn.Parameter] | None = None,
    generators: Mapping[str, torch.Generator] | None = None,
    precision: str = "float32",
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 30.0,
    deadline: float | None = None,
    describe: Callable[[], str] = lambda: "",
    report: Callable[[str], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Log:
    """Train `model` by `recipe` on `batches`, with logits = forward(images), and return the log.

    weights: class weights of the deferred schedule, float [classes]; None for plain cross-entropy.
    parameters: what is trained (default: all of `model`); the rest is neither decayed nor moved.
    generators: the random number generators that `forward` draws from, saved and restored with the checkpoint.
    checkpoint: a file that is written every `checkpoint_seconds` and continued from when it exists.
    deadline: `time.monotonic()` at which the training stops with `Unfinished`, its checkpoint written.
    describe: names what the last forward ran (the path), for the message of `NotFinite`.
    on_step: called with the number of steps done, after each; what it changes must not touch the training.
    """
    parameters = list(model.parameters()) if parameters is None else parameters
    chosen = {id(parameter) for parameter in parameters}
    names = {p: name for name, p in model.named_parameters() if id(p) in chosen}
    run = Training(model, sgd(parameters, recipe), names, batches, generators or {})
    if checkpoint is not None and checkpoint.exists():
        run.load(checkpoint)
    per_epoch = batches.steps_per_epoch
    deferred, total = recipe.deferred(weights, per_epoch), recipe.total_steps(per_epoch)
    device = next(model.parameters()).device
    saved = clock = time.monotonic()
    pending: list[tuple[Tensor, Tensor, int, str]] = []
    while run.step < total:
        run.optimizer.param_groups[0]["lr"] = recipe.rate_at(run.step, per_epoch)
        images, labels = batches.next()
        with autocast(device, precision):
            logits = forward(images)
        loss = weighted_cross_entropy(logits.float(), labels, deferred.at(run.step))
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(parameters, recipe.clip)
        run.optimizer.step()
        run.step += 1
        with torch.no_grad():
            pending.append((loss.detach(), (logits.argmax(1) == labels).sum(), len(labels), describe()))
        if on_step is not None:
            on_step(run.step)
        last = run.step == total
        ends_epoch = run.step % per_epoch == 0 or last
        now = time.monotonic()
        over = deadline is not None and now > deadline and not last
        due = checkpoint is not None and (now - saved > checkpoint_seconds or over or last)
        if ends_epoch or due or over or device.type == "cpu":
            collect(run, pending)
        if ends_epoch:
            run.log.seconds, clock = run.log.seconds + time.monotonic() - clock, time.monotonic()
            close_epoch(run, recipe, total, report)
        if due:
            run.log.seconds, clock = run.log.seconds + time.monotonic() - clock, time.monotonic()
            run.save(checkpoint)
            saved = time.monotonic()
        if over:
            raise Unfinished(f"stopped after {run.step} of {total} steps")
    return run.log


def collect(run: Training, pending: list[tuple[Tensor, Tensor, int, str]]) -> None:
    """Read the losses of the steps since the last look; this is the only place that waits for the device."""
    first = run.step - len(pending)
    for offset, (loss, correct, count, what) in enumerate(pending):
        if not math.isfinite(loss.item()):
            raise NotFinite(
                f"the loss is {loss.item()} at step {first + offset}{' on path ' + what if what else ''}; the last "
                "checkpoint is from before: lower the learning rate or clip the gradient, and run the same line again"
            )
        run.epoch.loss += loss.item() * count
        run.epoch.correct += correct.item()
        run.epoch.images += count
    pending.clear()


def close_epoch(run: Training, recipe: Recipe, total: int, report: Callable[[str], None] | None) -> None:
    """Turn the running sums into a row of the log and one line of progress."""
    epoch, run.epoch = run.epoch, Epoch()
    run.log.images += epoch.images
    row = {
        "step": run.step,
        "rate": run.optimizer.param_groups[0]["lr"],
        "loss": epoch.loss / epoch.images,
        "accuracy": 100 * epoch.correct / epoch.images,
    }
    run.log.rows.append(row)
    if report is not None:
        speed = run.log.images_per_second
        report(
            f"step {run.step}/{total} · loss {row['loss']:.3f} · train {row['accuracy']:.1f} % · {speed:.0f} images/s"
        )


# --------------------------------------------------------------------------------------------- checkpoints


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, dict(metadata))
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with open(partial, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file; nothing in it is executed."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except Exception as fault:
        raise ValueError(f"{path} is not a whole safetensors file ({fault}); delete it and run again") from fault


class PathSampler:
    """Uniform single-path sampling, one path per batch (paper, Eq. 2); remembers the last path drawn."""

    def __init__(self, space, generator: torch.Generator) -> None:
        self.space, self.generator, self.last = space, generator, None

    def __call__(self) -> tuple[int, ...]:
        self.last = self.space.sample(self.generator)
        return self.last

    def describe(self) -> str:
        return "" if self.last is None else self.space.to_string(self.last)


def batches_of(images: Tensor, size: int) -> Iterator[Tensor]:
    """`images` in consecutive slices of `size`."""
    yield from images.split(size)
