"""Is a super-network's ranking right? Its scores on NAS-Bench-201 cells, beside what was published of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from imbnas import profiles, records
from imbnas.benchmark import distinct
from imbnas.data import Batches
from imbnas.evaluation import rank
from imbnas.models import SuperNet
from imbnas.profiles import Scoring, build
from imbnas.space import CellSpace
from imbnas.stages.common import (
    Clock,
    best_device,
    cost,
    load_target,
    named_generator,
    progress,
    scoring_batches,
)
from imbnas.training import PathSampler, Recipe, fit

STUDY = profiles.FOLDER / "studies" / "validity.yaml"


@dataclass(frozen=True)
class Arm:
    """One way to train a super-network over NAS-Bench-201's cells, and when it is looked at.

    `measure` are fractions of the training at which `early_cells` cells are scored; at the end all `cells` are.
    `fair`: strict fairness, every step trains five paths that share no operation, a fifth of the batch each.
    """

    name: str
    recipe: Recipe
    data: str = "cifar10"
    channels: int = 16
    cells_per_stage: int = 1
    fair: bool = False
    measure: tuple[float, ...] = (0.25, 0.5, 0.75)
    cells: int = 300
    early_cells: int = 100
    precision: str = "bf16"
    scoring: Scoring = field(default_factory=Scoring)


def arms() -> dict[str, Arm]:
    """Every arm of the study: the base of profiles/studies/validity.yaml with each arm's changes."""
    study = yaml.safe_load(STUDY.read_text())
    return {name: read_arm(name, study["base"], changes or {}) for name, changes in study["arms"].items()}


def read_arm(name: str, base: dict[str, Any], changes: dict[str, Any]) -> Arm:
    values = {**base, **changes}
    for kind, entry in ((Recipe, "recipe"), (Scoring, "scoring")):
        merged = {**base.get(entry, {}), **changes.get(entry, {})}
        values[entry] = build(kind, merged, f"validity arm {name}, {entry}")
    return build(Arm, {"name": name} | values, f"validity arm {name}")


def sample_cells(count: int) -> list[str]:
    """`count` distinct living cells, drawn once; a smaller count is the beginning of a larger one."""
    space = CellSpace(stages=1)
    living = [text for text in distinct().index if space.is_alive(space.from_string(text))]
    order = torch.randperm(len(living), generator=named_generator(0, "validity", "cells"))
    return [living[i] for i in order[:count]]


def disjoint_paths(space: CellSpace, generator: torch.Generator) -> list[tuple[int, ...]]:
    """As many paths as there are choices, every choice of every gene in exactly one of them (FairNAS)."""
    columns = [torch.randperm(space.choices, generator=generator).tolist() for _ in range(space.genes)]
    return list(zip(*columns, strict=True))


def validity(arm: str, seed: int = 0, out: str = "", max_seconds: float | None = None) -> dict[str, Any]:
    """Train `arm`, score it as it goes, and write <out>/validity/<arm>-s<seed>.json (out: the project's results/).

    Unfinished work is kept in runs/ beside `out`; the same call continues it.
    """
    if arm not in arms():
        raise ValueError(f'validity arm is "{arm}"; expected one of {", ".join(arms())}')
    chosen, clock, device = arms()[arm], Clock(max_seconds), best_device()
    folder = Path(out or profiles.ROOT / "results")
    config = {"arm": chosen, "seed": seed}
    identity = records.identity(records.plain(config))
    space = CellSpace(channels=chosen.channels, cells=chosen.cells_per_stage, stages=1)
    target = load_target(chosen.data, "balance", 0, device)
    net = SuperNet(space, target.dataset.num_classes, named_generator(seed, "validity", "weights")).to(device)
    sampler = PathSampler(space, named_generator(seed, "validity", "paths"))
    batches = Batches(
        target.dataset, target.split.search_train, chosen.recipe.batch_size, named_generator(seed, "validity", "data")
    )

    def forward(images: Tensor) -> Tensor:
        if not chosen.fair:
            return net(images, sampler())
        paths = disjoint_paths(space, sampler.generator)
        return torch.cat([net(part, path) for part, path in zip(images.chunk(len(paths)), paths, strict=False)])

    total = chosen.recipe.total_steps(batches.steps_per_epoch)
    moments = {round(fraction * total): chosen.early_cells for fraction in chosen.measure} | {total: chosen.cells}
    kept = folder.parent / "runs" / "validity" / f"{arm}-s{seed}-{identity}"

    def measure(step: int) -> None:
        if step in moments and not (file := kept / f"{step}.json").exists():
            with clock.part("scoring"):
                scores = score_cells(net, moments[step], target, chosen.scoring)
            records.write_text(file, json.dumps(records.plain({"step": step, **scores})))

    with clock.part("training and scoring"):
        log = fit(
            net,
            forward,
            batches,
            chosen.recipe,
            generators={"paths": sampler.generator},
            precision=chosen.precision,
            checkpoint=kept / "training.safetensors",
            deadline=clock.deadline,
            describe=sampler.describe,
            report=progress(f"validity {arm} s{seed}"),
            on_step=measure,
        )
        measure(total)
    results = {
        "split": target.split.hash,
        "images": {step: step * chosen.recipe.batch_size for step in moments},
        "moments": [json.loads((kept / f"{step}.json").read_text()) for step in sorted(moments)],
    }
    file = folder / "validity" / f"{arm}-s{seed}.json"
    records.write_curves(file.with_suffix(".csv"), log.rows)
    return records.write(
        file, "validity", config, results, cost(clock, device, images_per_second=log.images_per_second)
    )


def score_cells(net: SuperNet, count: int, target, scoring: Scoring) -> dict[str, dict[str, float]]:
    """Accuracy and loss of the first `count` cells of the study, by printed architecture."""
    cells = sample_cells(count)
    statistics, validation, labels = scoring_batches(target, scoring, named_generator(0, "validity", "scoring"))
    paths = [net.space.from_string(cell) for cell in cells]
    scores = rank(net, paths, statistics, validation, labels, scoring.precision)
    return {
        "accuracy": dict(zip(cells, scores.accuracy, strict=True)),
        "loss": dict(zip(cells, scores.loss, strict=True)),
    }
