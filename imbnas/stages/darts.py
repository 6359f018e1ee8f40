"""Searches of NAS-Bench-201 cells at one price: DARTS, one path at a time, at random; judged by what is published."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from imbnas import profiles, records
from imbnas.adaptation import train_supernet
from imbnas.benchmark import nasbench201
from imbnas.darts import CURES, DartsRecipe, cured, discretise, fix_classifier, halves, mixture, search
from imbnas.data import Batches, eval_batches
from imbnas.evaluation import confusion, rank
from imbnas.evolution import evolve, random_search
from imbnas.models import SubNet, SuperNet
from imbnas.models.precision import EXPECTED, PRECISIONS
from imbnas.places import work_root
from imbnas.profiles import Scoring, Search
from imbnas.space import CellSpace, digits
from imbnas.space import Path as PathOf
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.device import best_device
from imbnas.stages.draws import distinct_paths, named_generator
from imbnas.stages.kept import Kept
from imbnas.stages.run import work_name
from imbnas.stages.target import Target, load_target, scoring_batches
from imbnas.training import Recipe, fit
from imbnas.typed import build, expect, expect_one_of

STUDY = profiles.FOLDER / "studies" / "darts.yaml"
METHODS = ("darts", "evolution", "random-paths", "stand-alone")
CLASSIFIERS = ("learnt", "fixed")


@dataclass(frozen=True)
class Arm:
    """One way to search, worth `images` training images taken through a network and back.

    method: "darts"; "evolution" and "random-paths", which search a super-network trained one path at a time; or
    "stand-alone", random cells that share the images equally, each trained by itself. `recipe` trains the weights;
    its length follows from `images`. `target`, `per_class` (images of each class, at most), `reweight` and `classifier`
    ("learnt" or "fixed") are DARTS' alone. ValueError, by name, for what can't be searched by.
    """

    name: str
    images: int
    recipe: Recipe
    method: str = "darts"
    order: str = "first"
    cure: str = "none"
    alpha_rate: float = 3e-4
    data: str = "cifar10"
    target: str = "balance"
    per_class: int | None = None
    reweight: bool = False
    classifier: str = "learnt"
    channels: int = 16
    cells_per_stage: int = 1
    cells: int = 8
    precision: str = "bf16"
    search: Search = field(default_factory=Search)
    scoring: Scoring = field(default_factory=Scoring)

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("cure", CURES), ("classifier", CLASSIFIERS)):
            expect_one_of(name, getattr(self, name), known)
        expect(self, {"precision": (self.precision in PRECISIONS, EXPECTED)})
        expect(self.recipe, {"unit": (self.recipe.unit == "steps", '"steps": how many there are follows from images')})

    @property
    def space(self) -> CellSpace:
        return CellSpace(channels=self.channels, cells=self.cells_per_stage, stages=1)

    @property
    def darts_recipe(self) -> DartsRecipe:
        """The turns that `images` pay for; in half of them, with the warm-up, only the weights learn."""
        recipe = DartsRecipe(self.recipe, order=self.order, alpha_rate=self.alpha_rate)
        passes = (recipe.passes + 1) / 2 if self.cure == "warm-up" else recipe.passes
        turns = max(1, int(self.images / (passes * self.recipe.batch_size)))
        recipe = replace(recipe, weights=replace(self.recipe, length=turns), record_every=max(1, turns // 50))
        return cured(recipe, self.cure)

    def steps(self, share: float = 1.0) -> Recipe:
        """The recipe of a plain training worth a share of the images."""
        return replace(self.recipe, length=max(1, int(share * self.images / self.recipe.batch_size)))


def arms() -> dict[str, Arm]:
    """Every arm of the study: the base of profiles/studies/darts.yaml with each arm's changes."""
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    return {name: read_arm(name, study["base"] | (changes or {})) for name, changes in study["arms"].items()}


def read_arm(name: str, values: dict[str, Any]) -> Arm:
    """The arm called `name` of its entries. ValueError, by arm and entry, for what can't be searched by."""
    kinds = {"recipe": Recipe, "search": Search, "scoring": Scoring}
    built = {entry: build(kind, values.get(entry, {}), f"DARTS arm {name}, {entry}") for entry, kind in kinds.items()}
    return build(Arm, {"name": name} | values | built, f"DARTS arm {name}")


@dataclass(frozen=True)
class Attempt:
    """One seed of an arm: where it keeps its unfinished work, and until when it may go on."""

    arm: Arm
    seed: int
    target: Target
    kept: Path
    clock: Clock

    def draws(self, name: str) -> torch.Generator:
        return named_generator(self.seed, "darts", name)

    @property
    def options(self) -> dict[str, Any]:
        report = progress(f"darts {self.arm.name} s{self.seed}")
        return {"precision": self.arm.precision, "deadline": self.clock.deadline, "report": report}

    def supernet(self) -> SuperNet:
        net = SuperNet(self.arm.space, self.target.dataset.num_classes, self.draws("weights"))
        return net.to(self.target.dataset.device).train()

    def batches(self, name: str) -> Batches:
        return Batches(
            self.target.dataset, self.target.split.search_train, self.arm.recipe.batch_size, self.draws(name)
        )


def darts(arm: str, seed: int = 0, out: str = "", max_seconds: float | None = None) -> dict[str, Any]:
    """Search by `arm` and write <out>/darts/<arm>-s<seed>.json (out: the project's results/).

    Unfinished work is kept in runs/ beside `out`; the same call continues it.
    """
    expect_one_of("DARTS arm", arm, arms())
    return run_arm(arms()[arm], seed, out, max_seconds)


def run_arm(arm: Arm, seed: int = 0, out: str = "", max_seconds: float | None = None) -> dict[str, Any]:
    """The record of one arm and seed: the cell that was found, and the published accuracies of that cell."""
    folder, clock, device = Path(out or profiles.ROOT / "results"), Clock(max_seconds), best_device()
    config = {"arm": arm, "seed": seed}
    name = f"{arm.name}-s{seed}"
    file = folder / "darts" / f"{name}.json"
    records.refuse_unwritable(file, config)
    kept = work_root(folder) / "darts" / work_name(name, config)
    with clock.part("data"):
        target = load_target(arm.data, arm.target, 0, device)
    attempt = Attempt(arm, seed, target, kept, clock)
    with clock.part("search"):
        path, more = {"darts": relaxed, "stand-alone": stand_alone_cells}.get(arm.method, one_path)(attempt)
    clock.seconds["search"] = more.pop("seconds")  # those before a stop too
    results = {"split": target.split.hash, "best": judged(arm.space, path), **more}
    return records.write(file, "darts", config, results, cost(clock, device))


def judged(space: CellSpace, path: PathOf) -> dict[str, Any]:
    """A cell, how many skips and 3x3 convolutions it has, and the published accuracies of it (percent)."""
    text = space.to_string(path)
    return {
        "path": digits(path),
        "architecture": text,
        "skips": path.count(space.operations.index("skip_connect")),
        "convolutions": path.count(space.operations.index("nor_conv_3x3")),
        "published": nasbench201().loc[text].to_dict(),
    }


def relaxed(attempt: Attempt) -> tuple[PathOf, dict[str, Any]]:
    """DARTS: the path, α's whole way, the curvature; and the path where `none` may win."""
    arm, data, split = attempt.arm, attempt.target.dataset, attempt.target.split
    net = attempt.supernet()
    parts = halves(data.train_labels, split.search_train, attempt.draws("halves"), arm.per_class)
    if arm.classifier == "fixed":
        fix_classifier(net, attempt.draws("classifier"))
    found = search(
        net,
        data,
        parts,
        arm.darts_recipe,
        attempt.draws("search"),
        class_weights=attempt.target.weights if arm.reweight else None,
        checkpoint=attempt.kept / "search.safetensors",
        **attempt.options,
    )
    return discretise(arm.space, found.alpha), {
        "images": found.images,
        "seconds": found.seconds,
        "turns": list(found.trajectory),
        "mixture": [mixture(alpha).tolist() for alpha in found.trajectory.values()],
        "losses": found.losses[:: max(1, len(found.losses) // 200)],
        "curvature": found.curvature,
        "stopped": found.stopped,
        "with_none": judged(arm.space, discretise(arm.space, found.alpha, none=True)),
    }


def one_path(attempt: Attempt) -> tuple[PathOf, dict[str, Any]]:
    """A super-network trained one path at a time, then searched by evolution or at random with its scores."""
    arm, net = attempt.arm, attempt.supernet()
    file = attempt.kept / "training.safetensors"
    log = train_supernet(
        net, attempt.batches("data"), arm.steps(), attempt.draws("paths"), checkpoint=file, **attempt.options
    )
    scoring = scoring_batches(attempt.target, arm.scoring, attempt.draws("scoring"))
    score: Callable = lambda paths: rank(net, paths, *scoring, arm.scoring.precision).accuracy  # noqa: E731
    budget = {"budget": arm.search.budget}
    how, options = (evolve, arm.search.evolution) if arm.method == "evolution" else (random_search, budget)
    kept = Kept(attempt.kept / "search.json", attempt.clock)
    found = how(arm.space, score, attempt.draws("search"), **options, state=kept.state, on_scored=kept.keep)
    scored = {digits(path): value for path, value in found.scored.items()}
    return found.best, {"images": log.images, "scored": scored, "seconds": log.seconds + kept.seconds}


def stand_alone_cells(attempt: Attempt) -> tuple[PathOf, dict[str, Any]]:
    """Random search without sharing: every cell trained alone on its share, the best on validation images."""
    arm, target = attempt.arm, attempt.target
    cells = distinct_paths(arm.space, arm.cells, attempt.draws("cells"))
    logs, scores = [], []
    for number, path in enumerate(cells):
        net = SubNet(arm.space, path, target.dataset.num_classes, attempt.draws(f"cell {number}"))
        net = net.to(target.dataset.device).train()
        file = attempt.kept / f"cell-{number}.safetensors"
        batches = attempt.batches(f"data {number}")
        logs.append(fit(net, net, batches, arm.steps(1 / arm.cells), checkpoint=file, **attempt.options))
        scores.append(validated(net, target))
    found = {digits(path): score for path, score in zip(cells, scores, strict=True)}
    images, seconds = (sum(getattr(log, name) for log in logs) for name in ("images", "seconds"))
    return cells[scores.index(max(scores))], {"images": images, "scored": found, "seconds": seconds}


def validated(net: SubNet, target: Target) -> float:
    """Accuracy (percent) on all validation images."""
    data, index = target.dataset, target.split.validation.to(target.dataset.device)
    batches = eval_batches(data.train_images[index], data.mean, data.std, 500)
    counts = confusion(net, batches, data.train_labels[index], data.num_classes)
    return 100 * float(counts.diagonal().sum() / counts.sum())
