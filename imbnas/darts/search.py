"""The search: α and the weights take turns, until the turns are over or the curvature says stop."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn
from torch.func import functional_call

from imbnas.darts.bilevel import Loss, dominant_eigenvalue, first_order, mixed_difference, second_order
from imbnas.darts.cures import SkipDropout, stopping_point
from imbnas.darts.recipe import DartsRecipe
from imbnas.darts.relaxation import Alpha, check_halves, mixture, start_alpha
from imbnas.data import Batches, Dataset
from imbnas.losses import weighted_cross_entropy
from imbnas.models import SuperNet, use_batch_statistics
from imbnas.models.checks import check_classes
from imbnas.models.precision import autocast, check_precision
from imbnas.training import NotFinite, Unfinished, load_tensors, save_tensors, sgd
from imbnas.training.alone import one_at_a_time
from imbnas.training.moments import Moments
from imbnas.training.owner import check_owner, digest, layout, spelled, told


@dataclass
class Found:
    """What a search leaves: α by turn, the loss of w by turn, the eigenvalue where it was measured.

    `stopped` is the turn to which early stopping returned. `images` were taken through the network and back.
    """

    trajectory: dict[int, Alpha] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    curvature: dict[int, float] = field(default_factory=dict)
    stopped: int | None = None
    images: int = 0
    seconds: float = 0.0

    @property
    def alpha(self) -> Alpha:
        """The α that the search stands by."""
        return self.trajectory[max(self.trajectory) if self.stopped is None else self.stopped]


class Search:
    """A search under way: everything that a checkpoint must hold, and `turn`, which is one step of α and one of w."""

    def __init__(
        self,
        net: SuperNet,
        dataset: Dataset,
        parts: tuple[Int64[Tensor, " a"], Int64[Tensor, " b"]],
        recipe: DartsRecipe,
        generator: Generator,
        class_weights: Float[Tensor, " classes"] | None = None,
        precision: str = "float32",
    ) -> None:
        check_halves(*parts)
        check_classes(net, dataset.train_labels, class_weights)
        check_precision(net, precision)
        self.net, self.recipe, self.precision = net, recipe, precision
        self.class_weights = None if class_weights is None else class_weights.to(next(net.parameters()).device)
        streams = [child(generator) for _ in range(5)]
        size = recipe.weights.batch_size
        self.training, self.validation = (
            Batches(dataset, part, size, stream, recipe.augment) for part, stream in zip(parts, streams, strict=False)
        )
        self.probe = Batches(dataset, parts[1], min(2 * size, len(parts[1])), streams[2], augment=False).next()
        self.dropout = SkipDropout(net, streams[3]) if recipe.skip_dropout else None
        first = start_alpha(net.space, streams[4])
        self.alpha = first.to(next(net.parameters())).requires_grad_()
        self.architect = torch.optim.Adam(
            [self.alpha], recipe.alpha_rate, recipe.alpha_betas, weight_decay=recipe.alpha_decay
        )
        self.names, self.weights = zip(*((n, p) for n, p in net.named_parameters() if p.requires_grad), strict=True)
        self.optimizer = sgd(list(self.weights), recipe.weights)
        self.step, self.found = 0, Found()
        use_batch_statistics(net)
        self.look()

    @property
    def total(self) -> int:
        return self.recipe.weights.total_steps(self.training.steps_per_epoch)

    def loss(self, batch: tuple[Tensor, Tensor], precision: str | None = None) -> Loss:
        """The loss on one batch as a function of the weights and of α; `precision`: the search's, if not said."""
        images, labels = batch

        def at(weights, alpha: Tensor) -> Tensor:
            with autocast(images.device, precision or self.precision):
                logits = functional_call(
                    self.net, dict(zip(self.names, weights, strict=True)), (images, mixture(alpha))
                )
            return weighted_cross_entropy(logits, labels, self.class_weights)

        return at

    def turn(self) -> None:
        """One step of α on its half of the images, then one step of the weights on theirs."""
        recipe, rate = self.recipe, self.recipe.weights.rate_at(self.step, self.training.steps_per_epoch)
        if self.dropout:
            self.dropout.draw(recipe.skip_dropout * (1 - self.step / self.total), recipe.weights.batch_size)
        training = self.training.next()
        if self.step >= recipe.warmup:
            validation = self.validation.next()
            self.alpha.grad = self.alpha_gradient(training, validation, rate)
            self.check_finite("gradient of alpha", self.alpha.grad)
            self.architect.step()
            self.found.images += len(validation[1]) + (3 * len(training[1]) if recipe.order == "second" else 0)
        self.weights_step(training, rate)
        self.found.images += len(training[1])
        self.step += 1
        self.look()

    def alpha_gradient(self, training: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], rate: float) -> Alpha:
        """∇_α L_val; where the order is second, through the weights' next step, neither clipped nor Nesterov's."""
        if self.recipe.order == "first":
            return first_order(self.loss(validation), self.weights, self.alpha)

        def product(_: Loss, *at) -> Alpha:  # bfloat16 would round away the difference of two gradients this close
            return mixed_difference(self.loss(training, "float32"), *at)

        inertia = [self.recipe.weights.momentum * self.optimizer.state[w]["momentum_buffer"] for w in self.weights]
        options = {"inertia": inertia, "decay": self.recipe.weights.weight_decay}
        losses = self.loss(training), self.loss(validation)
        return second_order(*losses, self.weights, self.alpha, rate, product, **options)

    def weights_step(self, batch: tuple[Tensor, Tensor], rate: float) -> None:
        """One step of w under the mixture as it is."""
        loss = self.loss(batch)(self.weights, self.alpha.detach())
        self.check_finite("loss", loss)
        self.found.losses.append(loss.item())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.weights.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.recipe.weights.clip)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()

    def refuse_overflow(self) -> None:
        """`NotFinite` where a step spoilt α or a weight although its loss was sound: nothing of it is saved."""
        for what, value in (("alpha", self.alpha), *zip(self.names, self.weights, strict=True)):
            self.check_finite(what, value)

    def check_finite(self, what: str, value: Tensor) -> None:
        if not torch.isfinite(value).all():
            raise NotFinite(
                f"the {what} is not finite in turn {self.step}: lower the learning rate of the weights or of alpha"
            )

    def look(self) -> None:
        """Record α, and measure the curvature, where it is time to; find out whether the search must end."""
        recipe = self.recipe
        measure = recipe.curvature_every and self.step > recipe.warmup and self.step % recipe.curvature_every == 0
        if measure or self.step % recipe.record_every == 0 or self.step == self.total:
            self.found.trajectory[self.step] = self.alpha.detach().clone()
        if measure:
            self.found.curvature[self.step] = self.curvature()
            if recipe.stop_ratio is not None:
                judged = {turn: v for turn, v in self.found.curvature.items() if turn > recipe.stop_after}
                self.found.stopped = stopping_point(judged, recipe.window, recipe.stop_ratio)

    def curvature(self) -> float:
        """The dominant eigenvalue of ∇²_α L_val on the same validation images every time, no skip dropped."""
        if self.dropout:
            self.dropout.draw(0.0, 0)
        loss, weights = self.loss(self.probe), [w.detach() for w in self.weights]
        return dominant_eigenvalue(lambda alpha: loss(weights, alpha), self.alpha, Generator().manual_seed(self.step))

    @property
    def over(self) -> bool:
        return self.step >= self.total or self.found.stopped is not None

    # ------------------------------------------------------------------------------------------ checkpoints

    @property
    def owner(self) -> dict[str, str]:
        """Whose a checkpoint is: no other search may go on from it."""
        return {
            "space": self.net.space.name,
            "recipe": spelled(self.recipe),
            "network": layout(self.net),
            "choice of class weights": told(self.class_weights),
            "precision": self.precision,
            "training set": digest([self.training.digest, self.validation.digest]),
        }

    def save(self, path: Path) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.net.state_dict().items()}
        for name, w in zip(self.names, self.weights, strict=True):
            tensors[f"momentum.{name}"] = self.optimizer.state[w]["momentum_buffer"]
        tensors["alpha"] = self.alpha
        tensors |= {f"adam.{name}": value for name, value in self.architect.state[self.alpha].items()}
        for stream in ("training", "validation"):
            state = getattr(self, stream).state_dict()
            tensors |= {f"{stream}.{name}": value for name, value in state.items()}
        if self.dropout:
            tensors["dropout"] = self.dropout.generator.get_state()
        tensors |= {f"trajectory.{turn}": alpha for turn, alpha in self.found.trajectory.items()}
        progress = {**vars(self.found), "trajectory": {}, "step": self.step}
        save_tensors(path, tensors, {"progress": json.dumps(progress), **self.owner})

    def load(self, path: Path) -> None:
        tensors, card = load_tensors(path)
        check_owner(path, card, self.owner)

        def part(kind: str) -> dict[str, Tensor]:
            return {name.removeprefix(f"{kind}."): t for name, t in tensors.items() if name.startswith(f"{kind}.")}

        for stream in ("training", "validation"):  # first: where one refuses, the network is still as it was
            getattr(self, stream).load_state_dict(part(stream))
        self.net.load_state_dict(part("model"))
        momentum = part("momentum")
        for name, w in zip(self.names, self.weights, strict=True):
            self.optimizer.state[w]["momentum_buffer"].copy_(momentum[name])
        with torch.no_grad():
            self.alpha.copy_(tensors["alpha"])
        moments = {
            name: value if name == "step" else value.to(self.alpha.device) for name, value in part("adam").items()
        }
        self.architect.state[self.alpha].update(moments)
        if self.dropout:
            self.dropout.generator.set_state(tensors["dropout"])
        progress = json.loads(card["progress"])
        trajectory = {int(turn): alpha.to(self.alpha.device) for turn, alpha in part("trajectory").items()}
        progress["trajectory"] = dict(sorted(trajectory.items()))
        progress["curvature"] = {int(turn): value for turn, value in progress["curvature"].items()}
        self.step = progress.pop("step")
        self.found = Found(**progress)


@one_at_a_time
def search(
    net: SuperNet,
    dataset: Dataset,
    parts: tuple[Int64[Tensor, " a"], Int64[Tensor, " b"]],
    recipe: DartsRecipe,
    generator: Generator,
    *,
    class_weights: Float[Tensor, " classes"] | None = None,
    precision: str = "float32",
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 30.0,
    deadline: float | None = None,
    report: Callable[[str], None] | None = None,
) -> Found:
    """Search `net`'s space by turns of α and w, on `parts` = (images for w, images for α) of `dataset`.

    class_weights: for both losses and from the first turn on, whatever the recipe's `reweight_from`, float [classes];
    None for plain cross-entropy. Parameters of `net` that ask for no gradient stay as they are.
    checkpoint, checkpoint_seconds, deadline: as in `imbnas.training.fit`; a search that was stopped and called again
    ends as if it had never stopped.

    ValueError where the halves overlap, the recipe asks for something that the space has not, α would rest to the
    end, labels or class weights are of other classes than the network's, or the checkpoint is of another recipe, space,
    network, training set, precision or choice of class weights.
    """
    run = Search(net, dataset, parts, recipe, generator, class_weights, precision)
    try:
        if recipe.warmup >= run.total:
            raise ValueError(f"warmup is {recipe.warmup} of {run.total} turns: alpha would never move; expected fewer")
        if checkpoint is not None and checkpoint.exists():
            run.load(checkpoint)
        seconds = None if checkpoint is None else checkpoint_seconds
        take_turns(run, Moments(run.total, recipe.record_every, seconds, deadline), checkpoint, report)
    finally:
        if run.dropout:
            run.dropout.close()
    return run.found


def take_turns(run: Search, moments: Moments, checkpoint: Path | None, report: Callable[[str], None] | None) -> None:
    """Turn after turn until the search is over; an "epoch" of `moments` is the turns from one report to the next."""
    clock = time.monotonic()
    while not run.over:
        run.turn()
        before, clock = clock, time.monotonic()
        run.found.seconds += clock - before
        now = moments.after(run.step, run.over)
        if now.save or now.last:
            run.refuse_overflow()
        if now.save:
            run.save(checkpoint)
            moments.was_saved()
        if now.over:
            raise Unfinished(f"stopped after {run.step} of {run.total} turns")
        if now.ends_epoch and report is not None:
            report(f"turn {run.step}/{run.total} · loss {run.found.losses[-1]:.3f}")


def child(generator: Generator) -> Generator:
    """A generator of its own, seeded by a draw."""
    return Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
