"""Is a super-network's ranking right? Its scores on NAS-Bench-201 cells, beside what was published of them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imbnas import profiles, records
from imbnas.benchmark import distinct
from imbnas.data import Batches
from imbnas.evaluation import Scores, rank
from imbnas.models import SuperNet
from imbnas.places import work_root
from imbnas.profiles import Scoring
from imbnas.space import CellSpace
from imbnas.stages.arms import Arm, arm_called, arm_file
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.device import best_device
from imbnas.stages.draws import named_generator
from imbnas.stages.run import work_name
from imbnas.stages.supernet import load_supernet, save_supernet
from imbnas.stages.target import Target, load_target, scoring_batches
from imbnas.training import Log, PathSampler, fit


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


@dataclass
class Course:
    """An arm under way: the network and what it is trained on."""

    arm: Arm
    seed: int
    net: SuperNet
    target: Target
    sampler: PathSampler
    batches: Batches

    def forward(self, images: Tensor) -> Tensor:
        if not self.arm.fair:
            return self.net(images, self.sampler())
        paths = disjoint_paths(self.net.space, self.sampler.generator)
        parts = zip(images.chunk(len(paths)), paths, strict=False)
        return torch.cat([self.net(part, path) for part, path in parts])

    def train(self, kept: Path, deadline: float | None = None, on_step: Callable[[int], None] | None = None) -> Log:
        self.net.train()
        return fit(
            self.net,
            self.forward,
            self.batches,
            self.arm.recipe,
            generators={"paths": self.sampler.generator},
            precision=self.arm.precision,
            checkpoint=kept / "training.safetensors",
            deadline=deadline,
            describe=self.sampler.describe,
            report=progress(f"validity {self.arm.name} s{self.seed}"),
            on_step=on_step,
        )


def begin(arm: Arm, seed: int, device: torch.device) -> Course:
    """An arm's network, its paths and its batches, before the first step."""
    target = load_target(arm.data, "balance", 0, device)
    net = SuperNet(arm.space, target.dataset.num_classes, named_generator(seed, "validity", "weights")).to(device)
    draws = named_generator(seed, "validity", "data")
    batches = Batches(target.dataset, target.split.search_train, arm.recipe.batch_size, draws)
    return Course(arm, seed, net, target, PathSampler(arm.space, named_generator(seed, "validity", "paths")), batches)


def work_folder(arm: Arm, seed: int, folder: Path) -> Path:
    """Where an arm keeps its unfinished work: in runs/ beside the records."""
    return work_root(folder) / "validity" / work_name(f"{arm.name}-s{seed}", {"arm": arm, "seed": seed})


def identity(arm: Arm, seed: int) -> str:
    """What names an arm and a seed in its record and its weights."""
    return records.identity(records.plain({"arm": arm, "seed": seed}))


def trained(arm: Arm, seed: int, folder: Path, device: torch.device, deadline: float | None = None) -> SuperNet:
    """The super-network of an arm: the weights beside its record where they are kept, trained to the end where not.

    deadline: as of `imbnas.training.fit`, for the training.
    """
    weights = arm_file(arm, seed, folder, ".safetensors")
    if weights.exists():
        return load_supernet(weights, arm.space, device, identity(arm, seed), f"the arm {arm.name}")
    course = begin(arm, seed, device)
    course.train(work_folder(arm, seed, folder), deadline)
    return course.net


def validity(arm: str, seed: int = 0, out: str = "", max_seconds: float | None = None) -> dict[str, Any]:
    """Train `arm`, score it as it goes, and write <out>/validity/<arm>-s<seed>.json (out: the project's results/).

    Brief arms go to <out>/brief/, the further super-networks that only probes start from to <out>/sources/.

    The weights go beside the record, as safetensors. Unfinished work is kept in runs/ beside `out`; the same call
    continues it.
    """
    chosen, clock, device = arm_called(arm), Clock(max_seconds), best_device()
    folder, config = Path(out or profiles.ROOT / "results"), {"arm": chosen, "seed": seed}
    file = arm_file(chosen, seed, folder, ".json")
    records.refuse_unwritable(file, config)
    course = begin(chosen, seed, device)
    kept = work_folder(chosen, seed, folder)
    total = chosen.recipe.total_steps(course.batches.steps_per_epoch)
    early = {max(1, round(fraction * total)) for fraction in chosen.measure}
    moments = dict.fromkeys(early, chosen.early_cells) | {total: chosen.cells}

    def measure(step: int) -> None:
        refuse_lost(kept, [moment for moment in moments if moment < step])
        if step in moments and not (part := kept / f"{step}.json").exists():
            begin_scoring = time.monotonic()
            scores = score_cells(course.net, moments[step], course.target, chosen.scoring)
            seconds = time.monotonic() - begin_scoring
            records.write_text(
                part, json.dumps(records.plain({"seconds": seconds, "scores": {"step": step, **scores}}))
            )

    log = course.train(kept, clock.deadline, measure)
    measure(total)
    measured = [json.loads((kept / f"{step}.json").read_text(encoding="utf-8")) for step in sorted(moments)]
    clock.seconds = {"training": log.seconds, "scoring": sum(one["seconds"] for one in measured)}  # before a stop too
    results = {
        "split": course.target.split.hash,
        "images": {step: step * chosen.recipe.batch_size for step in moments},
        "moments": [one["scores"] for one in measured],
    }
    save_supernet(file.with_suffix(".safetensors"), course.net, identity(chosen, seed))
    records.write_curves(file.with_suffix(".csv"), log.rows)
    run_cost = cost(clock, device, images_per_second=log.images_per_second)
    return records.write(file, "validity", config, results, run_cost)


def refuse_lost(kept: Path, passed: list[int]) -> None:
    """ValueError where the scores of a step that the training has passed are gone: they can't be made any more."""
    if lost := [f"{step}.json" for step in sorted(passed) if not (kept / f"{step}.json").exists()]:
        raise ValueError(
            f"{kept} lacks {', '.join(lost)}, scores of steps that its training has passed: delete the folder and run "
            "the arm again, from the beginning"
        )


def score_cells(net: SuperNet, count: int, target: Target, scoring: Scoring) -> dict[str, dict[str, float]]:
    """Accuracy and loss of the first `count` cells of the study, by printed architecture."""
    cells = sample_cells(count)
    statistics, validation, labels = scoring_batches(target, scoring, named_generator(0, "validity", "scoring"))
    paths = [net.space.from_string(cell) for cell in cells]
    return cell_scores(cells, rank(net, paths, statistics, validation, labels, scoring.precision))


def cell_scores(cells: list[str], scores: Scores) -> dict[str, dict[str, float]]:
    """Accuracy and loss by printed architecture, as records have them."""
    return {kind: dict(zip(cells, getattr(scores, kind), strict=True)) for kind in ("accuracy", "loss")}
