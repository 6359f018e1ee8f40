"""The steps of one profile in one space, by name and in the groups that a plan orders."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from record.steps import Step

from imbnas.names import BASELINES, COMPARED, ON_SOURCE, PROCEDURES, SCORED
from imbnas.space import digits, parse_space
from imbnas.stages import Run, ranked_paths
from imbnas.stages.ranking import NORM
from imbnas.stages.retrain import largest_path
from imbnas.stages.search import adaptation, max_cost, search_file

from .steps import chapter_step, data

TARGETS = ("exp-0.01", "step-0.01", "exp-0.1", "balance")  # as `names.TARGETS`, the one that tells most first
ADAPTED = PROCEDURES[1:]
CHECKED_ON, SPLITS = "exp-0.01", (0, 1, 2)  # where ResNet-32 has published accuracies, means over splits
RANKED_ON = "exp-0.01"  # where the paths of the fixed set are retrained first


@dataclass(frozen=True)
class Grid:
    """The records of one profile in one space; `out` is their folder, as the machine that runs them sees it.

    Empty `space`, `target_data`: the profile's.
    """

    profile: str
    space: str = ""
    out: str = "results"
    split_seed: int = 0
    target_data: str = ""

    def run(self, seed: int, target: str = "exp-0.01") -> Run:
        named = {name: getattr(self, name) for name in ("space", "split_seed", "out", "target_data")}
        return Run(self.profile, target=target, seed=seed, **named)

    def step(self, run: Run, chapter: str, record: Path, needs: list[str], work: list[str], **more: str) -> Step:
        """The step that leaves `record` by running a chapter. `work` are globs of its unfinished work."""
        given = {"profile": run.profile, "space": run.space, "target": run.target, "seed": run.seed}
        given |= {"split_seed": run.split_seed, **more}
        if self.target_data:
            given["target_data"] = self.target_data
        name = f"{run.profile} {run.folder.name}"
        return chapter_step(name, chapter, record, self.out, given, needs, work)

    def supernet(self, seed: int) -> Step:
        run = self.run(seed, "balance")
        return self.step(run, "supernet", run.file("supernet"), data(run.source), [f"supernet-s{seed}-*"])

    def search(self, seed: int, procedure: str, target: str = "balance") -> Step:
        run = self.run(seed, target)
        start = [] if procedure == "P3" else [str(run.file("supernet"))]
        more = {"procedure": procedure} if procedure in COMPARED else {}  # searched by a chapter that can do both
        needs = start + data(run.source if procedure == "P0" else run.target_data)
        work = [f"adapt-{adaptation(procedure)}-{target}-s{seed}-*", f"search-{procedure}-{target}-s{seed}-*"]
        return self.step(run, procedure, search_file(run, procedure), needs, work, **more)

    def retrain(self, seed: int, procedure: str, target: str) -> Step:
        run = self.run(seed, target)
        searched = procedure != "largest"
        network = "{network}" if searched else most(run.profile, run.space)  # known once the search has found it
        work = [f"retrain-{target}-{network}-s{seed}-*"]
        needs = [*([str(search_file(run, procedure))] if searched else []), *data(run.target_data)]
        record = run.file("retrain", procedure, target)
        return self.step(run, "retrain", record, needs, work, procedure=procedure)

    def baseline(self, seed: int, name: str, target: str) -> Step:
        run, work = self.run(seed, target), [f"retrain-{target}-resnet32-s{seed}-*"]
        record = run.file("baseline", name, target)
        return self.step(run, "retrain", record, data(run.target_data), work, procedure=name)

    def ranked(self, seed: int, number: int, target: str = RANKED_ON) -> Step:
        """The retraining of one path of the fixed set."""
        run = self.run(seed, target)
        network = networks(run.space)[number]
        record, work = run.file("path", f"{number:02d}", target), [f"retrain-{target}-{network}-s{seed}-*"]
        return self.step(run, "ranking", record, data(run.target_data), work, path=str(number))

    def named(self, seed: int, architecture: str, procedure: str, target: str) -> Step:
        """The retraining of an architecture by its printed form, with the loss that the procedure names."""
        run = self.run(seed, target)
        network = digits(run.space_of_paths.from_string(architecture))
        record, work = run.file(procedure, network, target), [f"retrain-{target}-{network}-s{seed}-*"]
        more = {"path": architecture, "procedure": procedure}
        return self.step(run, "ranking", record, data(run.target_data), work, **more)

    def gate(self, seed: int, target: str = RANKED_ON) -> Step:
        """The signal gate."""
        run = self.run(seed, target)
        needs = [str(run.file("supernet")), *data(run.source), *data(run.target_data)]
        work = [f"gate-{target}-classifier*-s{seed}-*"]
        return self.step(run, "gate", run.file("gate", target), needs, work, procedure="gate")

    def scores(self, seed: int, procedure: str, target: str = RANKED_ON) -> Step:
        """A procedure's scores of the fixed set."""
        on_source = procedure in ON_SOURCE
        run = self.run(seed, "balance" if on_source else target)
        record = run.file("scores", procedure, *([] if on_source else [target]))
        read = data(run.source) if on_source or procedure in NORM else []
        needs = [str(run.file("supernet")), *read, *([] if on_source else data(run.target_data))]
        work = [f"adapt-{adaptation(procedure)}-{target}-s{seed}-*"]
        return self.step(run, "ranking", record, needs, work, procedure=procedure)

    def column(self, seed: int, target: str) -> Iterator[Step]:
        """One column of Table 2: every procedure on one target, each retraining right after its search."""
        yield self.retrain(seed, "P0", target)
        for procedure in ADAPTED:
            yield self.search(seed, procedure, target)
            yield self.retrain(seed, procedure, target)

    def table(self, seed: int, targets: tuple[str, ...] = TARGETS) -> Iterator[Step]:
        """Table 2 for one seed."""
        yield self.supernet(seed)
        yield self.search(seed, "P0")
        for target in targets:
            yield from self.column(seed, target)

    def comparisons(self, seed: int, targets: tuple[str, ...] = TARGETS) -> Iterator[Step]:
        """What Table 2 is held against: ResNet-32, the largest allowed path, and other searches at equal cost."""
        for target in targets:
            yield from (self.baseline(seed, name, target) for name in BASELINES)
        for target in targets:
            yield self.retrain(seed, "largest", target)
            for procedure in COMPARED:
                yield self.search(seed, procedure, target)
                yield self.retrain(seed, procedure, target)

    def checks(self, seed: int) -> Iterator[Step]:
        """Is the training itself right? ResNet-32 where its accuracy is published, on three draws of the images."""
        for split_seed in SPLITS:
            grid = replace(self, split_seed=split_seed)
            yield from (grid.baseline(seed, name, CHECKED_ON) for name in BASELINES)

    def ranking(self, seed: int, target: str = RANKED_ON) -> Iterator[Step]:
        """Every procedure's scores of one fixed set of paths."""
        yield from (self.scores(seed, procedure, target) for procedure in SCORED)

    def retrained(self, seed: int, paths: range, again: int, target: str = RANKED_ON) -> Iterator[Step]:
        """What those paths reach when they are retrained; the first `again` of all, for what a seed is worth."""
        yield from (self.ranked(seed, number, target) for number in paths)
        yield from (self.ranked(seed + 1, number, target) for number in paths if number < again)


@cache
def networks(space: str) -> list[str]:
    """The fixed set of paths on which rankings are judged, as digits."""
    return [digits(path) for path in ranked_paths(parse_space(space))]


@cache
def most(profile: str, space: str) -> str:
    """The largest allowed path, as digits."""
    run = Run(profile, space=space)
    return digits(largest_path(run, max_cost(run)))


def printed(grid: Grid) -> list[str]:
    """The fixed set of paths in their printed form."""
    space = grid.run(0).space_of_paths
    return [space.to_string(path) for path in ranked_paths(space)]
