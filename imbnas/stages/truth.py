"""Adaptation against truth: every procedure's scores on the study's cells, for a target whose truth is published.

The target is CIFAR-100. For "balance" the published CIFAR-100 accuracies are the truth, and nothing needs to be
retrained; a long-tailed target shows how far the ranking depends on the label distribution at all.
"""

from pathlib import Path
from typing import Any

import torch

from imbnas import profiles, records
from imbnas.adaptation import adapt_p1, adapt_p2, search_p3
from imbnas.data import Batches
from imbnas.models import SuperNet
from imbnas.profiles import build
from imbnas.stages.common import Clock, Target, best_device, cost, load_target, named_generator, progress
from imbnas.stages.control import ridge_scores
from imbnas.stages.validity import Arm, arm_called, sample_cells, score_cells, study, trained
from imbnas.training import Log, Recipe

PROCEDURES = ("control", "P1", "P1-ce", "P2", "P3")


def truth(
    arm: str,
    procedure: str,
    target: str = "balance",
    seed: int = 0,
    out: str = "",
    max_seconds: float | None = None,
) -> dict[str, Any]:
    """Adapt the super-network of a validity `arm` to CIFAR-100 and score the study's cells.

    Writes <out>/truth/<arm>-<procedure>-<target>-s<seed>.json. "control" adapts nothing: a ridge classifier per cell;
    "P1-ce" is P1 with plain cross-entropy, which differs on a long-tailed target only.
    """
    if procedure not in PROCEDURES:
        raise ValueError(f'procedure is "{procedure}"; expected one of {", ".join(PROCEDURES)}')
    folder, device, clock = Path(out or profiles.ROOT / "results"), best_device(), Clock(max_seconds)
    settings = study()["truth"]
    chosen = arm_called(arm)
    recipe = build(Recipe, settings["recipes"].get(procedure.removesuffix("-ce"), {"length": 1, "rate": 1}), procedure)
    if procedure == "P3":
        recipe = chosen.recipe
    config = {
        "arm": chosen,
        "procedure": procedure,
        "data": "cifar100",
        "target": target,
        "recipe": recipe,
        "seed": seed,
    }
    data = load_target("cifar100", target, 0, device)
    kept = (
        folder.parent
        / "runs"
        / "truth"
        / f"{arm}-{procedure}-{target}-s{seed}-{records.identity(records.plain(config))}"
    )
    with clock.part("source"):
        source = trained(chosen, seed, folder, device)
    with clock.part("adaptation"):
        net, log = adapted(procedure, source, chosen, data, recipe, seed, kept, clock.deadline)
    with clock.part("scoring"):
        scores = scored(procedure, net, chosen, data, settings)
    file = folder / "truth" / f"{arm}-{procedure}-{target}-s{seed}.json"
    records.write_curves(file.with_suffix(".csv"), log.rows)
    return records.write(file, "truth", config, {"split": data.split.hash, **scores}, cost(clock, device))


def adapted(
    procedure: str,
    source: SuperNet,
    arm: Arm,
    data: Target,
    recipe: Recipe,
    seed: int,
    kept: Path,
    deadline: float | None,
) -> tuple[SuperNet, Log]:
    """The super-network that `procedure` makes of `source` for the target."""
    if procedure == "control":
        return source, Log()
    names = ("truth", procedure)
    draws = named_generator(seed, *names, "data")
    batches = Batches(data.dataset, data.split.search_train, recipe.batch_size, draws)
    options = {
        "weights": None if procedure == "P1-ce" else data.weights,
        "precision": arm.precision,
        "checkpoint": kept / "training.safetensors",
        "deadline": deadline,
        "report": progress(f"truth {procedure} s{seed}"),
    }
    generator, classes = named_generator(seed, *names, "paths"), data.dataset.num_classes
    if procedure == "P3":
        return search_p3(source.space, classes, batches, recipe, generator, **options)
    adapt = adapt_p2 if procedure == "P2" else adapt_p1
    return adapt(source, classes, batches, recipe, generator, **options)


def scored(procedure: str, net: SuperNet, arm: Arm, data: Target, settings: dict[str, Any]) -> dict[str, Any]:
    """Scores of the study's cells: accuracy, and the loss where there is a shared classifier."""
    if procedure != "control":
        return score_cells(net, arm.cells, data, arm.scoring)
    cells = sample_cells(arm.cells)
    paths = [net.space.from_string(cell) for cell in cells]
    generator = named_generator(0, "validity", "scoring")
    with torch.inference_mode():
        scores = ridge_scores(net, paths, data, arm.scoring, generator, images=settings["ridge_images"])
    return {"accuracy": dict(zip(cells, scores, strict=True))}
