"""The one training loop: super-networks, classifiers, fine-tuning, retraining and ResNet-32 all go through `fit`.

`fit` owns the schedule, the precision, the checkpoint, the resume, the stop on a loss that is not finite, and the
log. It knows neither the network nor the procedure: it is given a function from images to logits.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imbnas.data import Batches
from imbnas.losses import Deferred
from imbnas.models.checks import check_classes, check_parameters
from imbnas.models.precision import check_precision
from imbnas.training.alone import one_at_a_time
from imbnas.training.checkpoint import load_tensors, save_tensors
from imbnas.training.moments import Moments, Unfinished
from imbnas.training.owner import check_owner, digest, layout, spelled, told
from imbnas.training.recipe import Recipe
from imbnas.training.steps import MakeStep, PlainStep, Step, sgd

Result = TypeVar("Result")
GENTLER = "lower the learning rate or clip the gradient; with another recipe the training begins anew"


class NotFinite(ArithmeticError):
    """A loss or a weight became NaN or infinite; the last good checkpoint is kept."""


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


@dataclass
class Training:
    """Everything that a checkpoint must hold to continue as if nothing had happened."""

    model: nn.Module
    optimizer: torch.optim.SGD
    names: dict[nn.Parameter, str]
    batches: Batches
    generators: Mapping[str, torch.Generator]
    recipe: Recipe
    deferred: Deferred
    precision: str
    step: int = 0
    rate: float = 0.0
    epoch: Epoch = field(default_factory=Epoch)
    log: Log = field(default_factory=Log)
    clock: float = 0.0

    def resume_clock(self) -> None:
        self.clock = time.monotonic()

    def take_time(self) -> None:
        """Add the seconds since the last look to the log."""
        now = time.monotonic()
        self.log.seconds, self.clock = self.log.seconds + now - self.clock, now

    def beside(self, look: Callable[[], Result]) -> Result:
        """What `look` returns; what is looked at beside the training is no part of its time."""
        self.take_time()
        found = look()
        self.resume_clock()
        return found

    @property
    def owner(self) -> dict[str, str]:
        """Whose a checkpoint is: no other training may go on from it."""
        return {
            "recipe": spelled(self.recipe),
            "network": layout(self.model),
            "choice of parameters": digest(list(self.names.values())),
            "choice of class weights": told(self.deferred.weights),
            "precision": self.precision,
            "choice of generators": digest(sorted(self.generators)),
            "training set": self.batches.digest,
        }

    def save(self, path: Path) -> None:
        """Write all of it to a safetensors file."""
        self.take_time()
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for parameter, name in self.names.items():
            tensors[f"momentum.{name}"] = self.optimizer.state[parameter]["momentum_buffer"]
        tensors |= {f"batches.{name}": tensor for name, tensor in self.batches.state_dict().items()}
        tensors |= {f"generator.{name}": g.get_state() for name, g in self.generators.items()}
        progress = {"step": self.step, "epoch": asdict(self.epoch), "log": asdict(self.log)}
        save_tensors(path, tensors, {"progress": json.dumps(progress), **self.owner})

    def load(self, path: Path) -> None:
        """Continue from what `save` wrote."""
        tensors, metadata = load_tensors(path)
        check_owner(path, metadata, self.owner)
        part = {kind: {} for kind in ("model", "momentum", "batches", "generator")}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            part[kind][rest] = tensor
        self.batches.load_state_dict(part["batches"])  # first: where it refuses, the network is still as it was
        self.model.load_state_dict(part["model"])
        for parameter, name in self.names.items():
            self.optimizer.state[parameter]["momentum_buffer"].copy_(part["momentum"][name])
        for name, generator in self.generators.items():
            generator.set_state(part["generator"][name])
        progress = json.loads(metadata["progress"])
        self.step, self.epoch, self.log = progress["step"], Epoch(**progress["epoch"]), Log(**progress["log"])


@one_at_a_time
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
    step: MakeStep = PlainStep,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 30.0,
    deadline: float | None = None,
    describe: Callable[[], str] = lambda: "",
    report: Callable[[str], None] | None = None,
    on_step: Callable[[int], None] | None = None,
    on_epoch: Callable[[], Mapping[str, float]] | None = None,
) -> Log:
    """Train `model` by `recipe` on `batches`, with logits = forward(images), and return the log.

    weights: class weights, float [classes], from the recipe's `reweight_from` on. Where that is None, as it is by
    default, or without weights, the loss is plain cross-entropy to the end.
    parameters: what is trained (default: all of `model`); the rest is neither decayed nor moved.
    generators: the random number generators that `forward` draws from, saved and restored with the checkpoint.
    step: how a step is made; what replays recordings on a GPU does the same sums (`graphs`, `pieces`).
    precision: "bf16", or the weights' own: "float32" or "float64".
    checkpoint: a file that is written every `checkpoint_seconds` and continued from when it exists; one of another
    recipe, network, training set, precision, choice of parameters, class weights or generators is refused. Where
    another training has it, that one is waited for, and `report` is told.
    deadline: `time.monotonic()` at which the training stops with `Unfinished`, its checkpoint written; or the wait.
    describe: names what the last forward ran (the path), for the message of `NotFinite`.
    on_step: called with the number of steps done, after each; what it changes must not touch the training, and the
    network must be in training mode again when it returns.
    on_epoch: called at the end of each epoch; what it returns is added to the epoch's row of the log.

    ValueError for labels or class weights of other classes than the network's, parameters that are not its own, another
    precision than its own, and another's checkpoint; `NotFinite` and `Unfinished` as they say.
    """
    run = begun(model, batches, recipe, weights, parameters, generators or {}, precision)
    if checkpoint is not None and checkpoint.exists():
        run.load(checkpoint)
    per_epoch = batches.steps_per_epoch
    total, on_cpu = recipe.total_steps(per_epoch), batches.labels.device.type == "cpu"
    one_step = step(forward, run.optimizer, recipe, precision)
    moments = Moments(total, per_epoch, None if checkpoint is None else checkpoint_seconds, deadline)
    run.resume_clock()
    pending: list[Outcome] = []
    while run.step < total:
        rate = recipe.rate_at(run.step, per_epoch)
        pending.append(Outcome(*take_step(run, one_step, rate), describe()))
        if on_step is not None:
            run.beside(lambda: on_step(run.step))
        now = moments.after(run.step)
        if now.ends_epoch or now.save or now.over or on_cpu:
            collect(run, pending)
        if now.ends_epoch:
            close_epoch(run, total, report, {} if on_epoch is None else run.beside(on_epoch))
        if now.save or now.last:
            refuse_overflow(run)
        if now.save:
            run.save(checkpoint)
            moments.was_saved()
        if now.over:
            raise Unfinished(f"stopped after {run.step} of {total} steps")
    return run.log


def begun(
    model: nn.Module,
    batches: Batches,
    recipe: Recipe,
    weights: Float[Tensor, " classes"] | None,
    parameters: list[nn.Parameter] | None,
    generators: Mapping[str, torch.Generator],
    precision: str,
) -> Training:
    """A training before its first step; what does not belong together is refused, as `fit` says."""
    check_classes(model, batches.labels, weights)
    check_precision(model, precision)
    parameters = list(model.parameters()) if parameters is None else parameters
    check_parameters(model, parameters)
    chosen = {id(parameter) for parameter in parameters}
    names = {p: name for name, p in model.named_parameters() if id(p) in chosen}
    # once: a copy in every step would wait every time
    weights = None if weights is None else weights.to(batches.labels.device)
    deferred = recipe.deferred(weights, batches.steps_per_epoch)
    return Training(model, sgd(parameters, recipe), names, batches, generators, recipe, deferred, precision)


class Outcome(NamedTuple):
    """What a step leaves on the device until it is read: loss, images classified correctly, images, the path."""

    loss: Float[Tensor, ""]
    correct: Int[Tensor, ""]
    count: int
    what: str


def take_step(run: Training, step: Step, rate: float) -> tuple[Float[Tensor, ""], Int[Tensor, ""], int]:
    """One optimiser step on the next batch; nothing in it waits for the device."""
    images, labels = run.batches.next()
    loss, correct = step(images, labels, rate, run.deferred.at(run.step))
    run.step, run.rate = run.step + 1, rate
    return loss, correct, len(labels)


def collect(run: Training, pending: list[Outcome]) -> None:
    """Read the steps since the last look; this and `refuse_overflow` are the only places that wait for the device."""
    losses = torch.stack([outcome.loss for outcome in pending]).tolist()
    correct = torch.stack([outcome.correct for outcome in pending]).tolist()
    for step, (loss, right, outcome) in enumerate(zip(losses, correct, pending, strict=True), run.step - len(pending)):
        if not math.isfinite(loss):
            where = f" on path {outcome.what}" if outcome.what else ""
            raise NotFinite(f"the loss is {loss} at step {step}{where}: {GENTLER}")
        run.epoch.loss += loss * outcome.count
        run.epoch.correct += right
        run.epoch.images += outcome.count
    pending.clear()


def refuse_overflow(run: Training) -> None:
    """`NotFinite` where an update spoilt a weight although its loss was sound: nothing of it is saved or returned."""
    sound = torch.stack([parameter.isfinite().all() for parameter in run.names]).tolist()
    if spoilt := [name for name, is_sound in zip(run.names.values(), sound, strict=True) if not is_sound]:
        raise NotFinite(f"{spoilt[0]} is not finite after {run.step} steps: {GENTLER}")


def close_epoch(run: Training, total: int, report: Callable[[str], None] | None, more: Mapping[str, float]) -> None:
    """Turn the running sums, and what more there is, into a row of the log; print one line of progress."""
    epoch, run.epoch = run.epoch, Epoch()
    run.log.images += epoch.images
    run.take_time()
    row = {
        "step": run.step,
        "rate": run.rate,
        "loss": epoch.loss / epoch.images,
        "accuracy": 100 * epoch.correct / epoch.images,
        **more,
    }
    run.log.rows.append(row)
    if report is not None:
        speed = f"{run.log.images_per_second:.0f} images/s"
        report(f"step {run.step}/{total} · loss {row['loss']:.3f} · train {row['accuracy']:.1f} % · {speed}")
