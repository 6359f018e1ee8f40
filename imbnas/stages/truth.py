"""Adaptation against truth: every procedure's scores on the study's cells, for a target whose truth is published.

The target is CIFAR-100, or the data set that a variant names. For "balance" its published accuracies are the truth, and
nothing needs to be retrained; a long-tailed target shows how far the ranking depends on the label distribution at all.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imbnas import profiles, records
from imbnas.evaluation import rank
from imbnas.models import SuperNet
from imbnas.names import ARM, JUDGED
from imbnas.places import work_root
from imbnas.space import Space
from imbnas.stages.adapt import adapt
from imbnas.stages.arms import Arm, arm_called, arms, study
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.control import ridge_scores
from imbnas.stages.device import best_device
from imbnas.stages.draws import named_generator
from imbnas.stages.run import work_name
from imbnas.stages.target import Target, load_target, scoring_batches
from imbnas.stages.validity import begin, cell_scores, sample_cells, trained, work_folder
from imbnas.training import Log, Recipe
from imbnas.typed import build, expect, expect_one_of


@dataclass(frozen=True)
class Variant:
    """One thing changed about an adaptation, to find out what its scores measure.

    data: the target's data set, whose published accuracies are the truth. after: the part of the source's training
    that was done, 0 for random weights. statistics: whose images batch norm is re-estimated on at scoring, "target"
    or "source". last_norm: whether the features pass the last batch norm before they are averaged. ValueError, by name,
    for what can't be.
    """

    data: str = "cifar100"
    after: float = 1.0
    statistics: str = "target"
    last_norm: bool = True
    cells: int = 300

    def __post_init__(self) -> None:
        rules = {
            "after": (0 <= self.after <= 1, "a part of the training, from 0 to 1"),
            "statistics": (self.statistics in ("target", "source"), '"target" or "source"'),
            "cells": (self.cells >= 1, "at least 1"),
        }
        expect(self, rules)


def variants() -> dict[str, Variant]:
    """Every variant of the study's file by its name; "" changes nothing."""
    named = study()["truth"]["variants"]
    return {"": Variant()} | {name: build(Variant, values, f"truth variant {name}") for name, values in named.items()}


def variant_called(name: str) -> Variant:
    """One variant by its name."""
    if name not in variants():
        raise ValueError(f'truth variant is "{name}"; expected one of {", ".join(filter(None, variants()))}')
    return variants()[name]


def truth(
    arm: str,
    procedure: str,
    target: str = "balance",
    seed: int = 0,
    out: str = "",
    max_seconds: float | None = None,
    variant: str = "",
) -> dict[str, Any]:
    """Adapt the super-network of a validity `arm` to CIFAR-100, or to the variant's data; score the study's cells.

    Writes <out>/truth/<arm>-<procedure>[-<variant>]-<target>-s<seed>.json, or in <out>/probes/ what has a variant or
    starts from another arm than `names.ARM`. "control" adapts nothing: a ridge classifier per cell; "P1-ce" is P1
    with plain cross-entropy, which differs on a long-tailed target only. A profile's arm adapts by the profile's
    recipes.
    """
    expect_one_of("procedure", procedure, JUDGED)
    chosen, changed = arm_called(arm), variant_called(variant)
    folder, device, clock = Path(out or profiles.ROOT / "results"), best_device(), Clock(max_seconds)
    config = truth_config(chosen, procedure, target, seed, variant)
    file = truth_file(folder, arm, procedure, target, seed, variant)
    records.refuse_unwritable(file, config)
    kept = work_root(folder) / "truth" / work_name(file.stem, config)
    data = load_target(changed.data, target, 0, device)
    with clock.part("source"):
        begun = (chosen, changed, seed, folder, device, clock.deadline)
        start = chosen.space if procedure == "P3" else source_of(*begun)
    net, log = adapted(procedure, start, data, chosen.precision, config["recipe"], seed, kept, clock.deadline)
    clock.seconds["adaptation"] = log.seconds  # before a stop too
    with clock.part("scoring"):
        scores = scored(procedure, net, chosen, changed, data)
    records.write_curves(file.with_suffix(".csv"), log.rows)
    return records.write(file, "truth", config, {"split": data.split.hash, **scores}, cost(clock, device))


def truth_config(arm: Arm, procedure: str, target: str, seed: int, variant: str) -> dict[str, Any]:
    """What the scores depend on."""
    changed = variant_called(variant)
    config = {
        "arm": arm,
        "procedure": procedure,
        "data": changed.data,
        "target": target,
        "recipe": recipe_of(arm, procedure),
        "seed": seed,
    }
    return config | ({"variant": {"name": variant} | vars(changed)} if variant else {})


def truth_file(folder: Path, arm: str, procedure: str, target: str, seed: int, variant: str) -> Path:
    """Where the record lies under the folder of records: among the study's own, or among the probes."""
    name = "-".join(filter(None, [arm, procedure, variant, target, f"s{seed}"]))
    return folder / ("truth" if arm == ARM and not variant else "probes") / f"{name}.json"


def recipe_of(arm: Arm, procedure: str) -> Recipe:
    """What a procedure trains by: an arm that is a profile's has the profile's recipes, others have the study's."""
    if arm.name in arms("profiles") and procedure != "control":
        return getattr(profiles.load(arm.name), procedure.removesuffix("-ce").lower())
    return arm.recipe if procedure == "P3" else adaptation_recipe(procedure)


def adaptation_recipe(procedure: str) -> Recipe:
    """The study's recipe of a procedure; the control trains nothing."""
    entry = study()["truth"]["recipes"].get(procedure.removesuffix("-ce"), {"length": 1, "rate": 1})
    return build(Recipe, entry, procedure)


def source_of(
    arm: Arm, variant: Variant, seed: int, folder: Path, device: torch.device, deadline: float | None = None
) -> SuperNet:
    """The arm's super-network after the part of its training that `variant` asks for."""
    if variant.after == 1:
        net = trained(arm, seed, folder, device, deadline)
    else:
        net = part_trained(arm, variant.after, seed, folder, device, deadline)
    if not variant.last_norm:
        net.backbone.head[0], net.backbone.head[1] = nn.Identity(), nn.Identity()
    return net


def part_trained(
    arm: Arm, part: float, seed: int, folder: Path, device: torch.device, deadline: float | None = None
) -> SuperNet:
    """The beginning of an arm's training; its rate must be constant, or the beginning would not be one."""
    if arm.recipe.shape != "constant":
        raise ValueError(f"the arm {arm.name} anneals its rate: only an arm of constant rate can be stopped early")
    course = begin(arm, seed, device)
    steps = round(part * arm.recipe.total_steps(course.batches.steps_per_epoch))
    if steps:
        course.arm = dataclasses.replace(arm, recipe=dataclasses.replace(arm.recipe, length=steps, unit="steps"))
        course.train(work_folder(course.arm, seed, folder), deadline)
    return course.net


def adapted(
    procedure: str,
    start: SuperNet | Space,
    data: Target,
    precision: str,
    recipe: Recipe,
    seed: int,
    kept: Path,
    deadline: float | None,
) -> tuple[SuperNet, Log]:
    """The super-network that `procedure` makes for the target; start: the source's, of P3 the space alone."""
    if procedure == "control":
        return start, Log()
    plain = procedure.removesuffix("-ce")  # P1-ce differs from P1 by its loss alone
    return adapt(
        plain,
        start,
        data,
        recipe,
        named_generator(seed, "truth", plain, "data"),
        named_generator(seed, "truth", plain, "paths"),
        reweight=plain == procedure,
        precision=precision,
        checkpoint=kept / "training.safetensors",
        deadline=deadline,
        report=progress(f"truth {procedure} s{seed}"),
    )


def scored(procedure: str, net: SuperNet, arm: Arm, variant: Variant, data: Target) -> dict[str, Any]:
    """Scores of the study's cells: accuracy, and the loss where there is a shared classifier."""
    cells = sample_cells(variant.cells)
    paths, generator = [net.space.from_string(cell) for cell in cells], named_generator(0, "validity", "scoring")
    if procedure == "control":
        images = study()["truth"]["ridge_images"]
        scores = ridge_scores(net, paths, data, arm.scoring, generator, images)
        return {"accuracy": dict(zip(cells, scores, strict=True))}
    statistics, validation, labels = scoring_batches(data, arm.scoring, generator)
    if variant.statistics == "source":
        source = load_target(arm.data, "balance", 0, data.dataset.device)
        statistics, _, _ = scoring_batches(source, arm.scoring, named_generator(0, "validity", "scoring"))
    return cell_scores(cells, rank(net, paths, statistics, validation, labels, arm.scoring.precision))
