"""What a record run does and in which order: the most valuable record first, so that a run cut short is worth most.

One step is one command that leaves one file. The steps are those of the Snakefile, by value instead of by rule;
a plan is plain data, so that the machine that runs it needs to know nothing else (`record_run.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from record_run import TRIAL

from imbnas.data.sources import CIFAR
from imbnas.lines import CHAPTER
from imbnas.quality import ON_SOURCE
from imbnas.space import parse_space
from imbnas.stages import Run, ranked_paths
from imbnas.stages.ranking import NORM
from imbnas.stages.ranking import PROCEDURES as SCORED
from imbnas.stages.retrain import largest_path
from imbnas.stages.search import adaptation, digits, max_cost

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("exp-0.01", "step-0.01", "exp-0.1", "balance")
ADAPTED = ("P1", "P2", "P3")
BASELINES = ("resnet32-ce", "resnet32-drw")
COMPARED = ("control", "P1-random")
CHECKED_ON, SPLITS = "exp-0.01", (0, 1, 2)  # where ResNet-32 has published accuracies, means over splits
RANKED_ON, RANKED, AGAIN = "exp-0.01", 24, 6  # paths of the fixed set that are retrained, and again with another seed
Step = dict[
    str, Any
]  # name, command (after "python"), leaves, needs, log, work; alone, where nothing may run beside it


@dataclass(frozen=True)
class Grid:
    """The records of one profile in one space; `out` is their folder, as the machine that runs them sees it."""

    profile: str
    space: str = ""
    out: str = "results"
    split_seed: int = 0

    def run(self, seed: int, target: str = "exp-0.01") -> Run:
        named = {"space": self.space, "split_seed": self.split_seed, "out": self.out}
        return Run(self.profile, target=target, seed=seed, **named)

    def step(
        self, run: Run, chapter: str, parts: tuple[str, ...], needs: list[str], work: list[str], **more: str
    ) -> Step:
        """The step that leaves the record of `parts` by running a chapter. `work` are globs of its unfinished work."""
        record = run.file(*parts)
        runs = Path(self.out).parent / "runs" / run.folder.relative_to(self.out)
        given = {"profile": run.profile, "space": run.space, "target": run.target, "seed": run.seed}
        given |= {"split_seed": run.split_seed, **more}
        name = f"{{work}}/{runs / record.stem}"
        command = ["-m", "papermill", "--no-progress-bar", "--log-output", "-p", "out", f"{{work}}/{self.out}"]
        command += ["-p", "max_seconds", "{seconds}"]
        command += [word for key, value in given.items() for word in ("-p", key, str(value))]
        return {
            "name": f"{run.profile} {run.folder.name} {record.stem}",
            "command": [*command, f"book/{CHAPTER[chapter]}.ipynb", f"{name}.ipynb"],
            "leaves": str(record),
            "needs": needs,
            "log": str(runs / f"{record.stem}.txt"),
            "work": [str(runs / glob) for glob in work],
        }

    def supernet(self, seed: int) -> Step:
        run = self.run(seed, "balance")
        return self.step(run, "supernet", ("supernet",), data(run.source), [f"supernet-s{seed}-*"])

    def search(self, seed: int, procedure: str, target: str = "balance") -> Step:
        run = self.run(seed, target)
        parts = ("search", procedure, *([] if procedure == "P0" else [target]))
        start = [] if procedure == "P3" else [str(run.file("supernet"))]
        more = {"procedure": procedure} if procedure in COMPARED else {}  # searched by a chapter that can do both
        needs = start + data(run.source if procedure == "P0" else run.target_data)
        work = [f"adapt-{adaptation(procedure)}-{target}-s{seed}-*", f"search-{procedure}-{target}-s{seed}-*"]
        return self.step(run, procedure, parts, needs, work, **more)

    def retrain(self, seed: int, procedure: str, target: str) -> Step:
        run = self.run(seed, target)
        found = run.file("search", procedure, *([] if procedure == "P0" else [target]))
        searched = procedure != "largest"
        network = "{network}" if searched else most(run.profile, run.space)  # known once the search has found it
        work = [f"retrain-{target}-{network}-s{seed}-*"]
        needs = [*([str(found)] if searched else []), *data(run.target_data)]
        return self.step(run, "retrain", ("retrain", procedure, target), needs, work, procedure=procedure)

    def baseline(self, seed: int, name: str, target: str) -> Step:
        run, work = self.run(seed, target), [f"retrain-{target}-resnet32-s{seed}-*"]
        return self.step(run, "retrain", ("baseline", name, target), data(run.target_data), work, procedure=name)

    def ranked(self, seed: int, number: int, target: str = RANKED_ON) -> Step:
        """The retraining of one path of the fixed set."""
        run = self.run(seed, target)
        network = networks(run.space)[number]
        parts, work = ("path", f"{number:02d}", target), [f"retrain-{target}-{network}-s{seed}-*"]
        return self.step(run, "ranking", parts, data(run.target_data), work, path=str(number))

    def scores(self, seed: int, procedure: str, target: str = RANKED_ON) -> Step:
        """A procedure's scores of the fixed set."""
        on_source = procedure in ON_SOURCE
        run = self.run(seed, "balance" if on_source else target)
        parts = ("scores", procedure, *([] if on_source else [target]))
        read = data(run.source) if on_source or procedure in NORM else []
        needs = [str(run.file("supernet")), *read, *([] if on_source else data(run.target_data))]
        work = [f"adapt-{adaptation(procedure)}-{target}-s{seed}-*"]
        return self.step(run, "ranking", parts, needs, work, procedure=procedure)

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

    def ranking(self, seed: int) -> Iterator[Step]:
        """Every procedure's scores of one fixed set of paths."""
        yield from (self.scores(seed, procedure) for procedure in SCORED)

    def truth(self, seed: int, again: int = AGAIN) -> Iterator[Step]:
        """What those paths reach when they are retrained; the first `again`, for what a seed is worth."""
        yield from (self.ranked(seed, number) for number in range(RANKED))
        yield from (self.ranked(seed + 1, number) for number in range(min(RANKED, again)))


@cache
def networks(space: str) -> list[str]:
    """The fixed set of paths on which rankings are judged, as digits."""
    return [digits(path) for path in ranked_paths(parse_space(space), RANKED)]


@cache
def most(profile: str, space: str) -> str:
    """The largest allowed path, as digits."""
    run = Run(profile, space=space)
    return digits(largest_path(run, max_cost(run)))


def data(name: str) -> list[str]:
    """The file that a data set needs: glyphs are drawn where they are used."""
    return [f"data/{name}.npz"] if name in CIFAR else []


def trial(profile: str) -> Iterator[Step]:
    """Every kind of stage once, at smoke size; beside the records of any other profile, not among them."""
    grid = Grid("smoke", out="results" if profile == "smoke" else f"{TRIAL}/results")
    yield from grid.table(0, ("exp-0.01",))
    yield from grid.comparisons(0, ("exp-0.01",))
    yield from (grid.ranked(0, 0), grid.scores(0, "P0"))


def speed(profile: str) -> Step:
    """How fast this machine trains, one network at a time and several side by side."""
    file = f"runs/{profile}/speed.txt"
    command = ["-m", "benchmarks.device", "--out", f"{{work}}/{file}"]
    return {
        "name": "speed",
        "command": command,
        "leaves": file,
        "needs": [],
        "log": f"runs/{profile}/speed.log",
        "work": [],
        "alone": True,
    }


def by_value(profile: str, seeds: list[int], other_space: str = "", again: int = AGAIN) -> list[Step]:
    """The whole plan: a trial, the speed, then seed after seed, and the other space for the first seed at the end."""
    grid, steps = Grid(profile), [*trial(profile), speed(profile)]
    for seed in seeds:
        once = [*grid.checks(seed), *grid.truth(seed, again)] if seed == seeds[0] else []
        steps += [*grid.table(seed), *grid.comparisons(seed), *once, *grid.ranking(seed)]
    if other_space:
        steps += Grid(profile, other_space).table(seeds[0])
    return list({step["leaves"]: step for step in steps if can_run(step)}.values())


def can_run(step: Step) -> bool:
    """A stage whose chapter is not written yet is left out of the plan."""
    return all((ROOT / word).exists() for word in step["command"] if word.startswith("book/"))
