"""What a record run does and in which order: the most valuable record first, so that a run cut short is worth most.

One step is one command that leaves one file. The steps are those of the Snakefile, by value instead of by rule;
a plan is plain data, so that the machine that runs it needs to know nothing else (`record_run.py`, `record/`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from project import ROOT
from record.steps import TRIAL, Step

from imbnas import profiles
from imbnas.data.sources import CIFAR
from imbnas.evidence.probes import PROBES
from imbnas.lines import CHAPTER
from imbnas.names import ARM, BASELINES, COMPARED, ON_SOURCE, PROCEDURES, SCORED
from imbnas.space import digits, parse_space
from imbnas.stages import Run, ranked_paths
from imbnas.stages.ranking import COUNT, NAMED, NORM
from imbnas.stages.retrain import largest_path
from imbnas.stages.search import adaptation, max_cost
from imbnas.stages.truth import variant_called
from imbnas.stages.validity import arm_called, arm_file, arms

TARGETS = ("exp-0.01", "step-0.01", "exp-0.1", "balance")  # as `names.TARGETS`, the one that tells most first
ADAPTED = PROCEDURES[1:]
CHECKED_ON, SPLITS = "exp-0.01", (0, 1, 2)  # where ResNet-32 has published accuracies, means over splits
RANKED_ON, RANKED, AGAIN = "exp-0.01", 24, 6  # paths of the fixed set that come early, and again with another seed
BENCHMARK, LONG_TAILED = "nasbench201", "cifar100"  # the profile of its recipe, and where its cells meet the long tail
PUBLISHED = (  # cells whose published CIFAR-10 accuracies say whether that recipe is right: 93.76, 93.91, 54.30
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
)


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

    def step(
        self, run: Run, chapter: str, parts: tuple[str, ...], needs: list[str], work: list[str], **more: str
    ) -> Step:
        """The step that leaves the record of `parts` by running a chapter. `work` are globs of its unfinished work."""
        given = {"profile": run.profile, "space": run.space, "target": run.target, "seed": run.seed}
        given |= {"split_seed": run.split_seed, **more}
        if self.target_data:
            given["target_data"] = self.target_data
        name = f"{run.profile} {run.folder.name}"
        return chapter_step(name, chapter, run.file(*parts), self.out, given, needs, work)

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

    def named(self, seed: int, architecture: str, procedure: str, target: str) -> Step:
        """The retraining of an architecture by its printed form, with the loss that the procedure names."""
        run = self.run(seed, target)
        network = digits(run.space_of_paths.from_string(architecture))
        parts, work = (procedure, network, target), [f"retrain-{target}-{network}-s{seed}-*"]
        more = {"path": architecture, "procedure": procedure}
        return self.step(run, "ranking", parts, data(run.target_data), work, **more)

    def gate(self, seed: int, target: str = RANKED_ON) -> Step:
        """The signal gate."""
        run = self.run(seed, target)
        needs = [str(run.file("supernet")), *data(run.source), *data(run.target_data)]
        work = [f"gate-{target}-classifier*-s{seed}-*"]
        return self.step(run, "gate", ("gate", target), needs, work, procedure="gate")

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

    def ranking(self, seed: int, target: str = RANKED_ON) -> Iterator[Step]:
        """Every procedure's scores of one fixed set of paths."""
        yield from (self.scores(seed, procedure, target) for procedure in SCORED)

    def retrained(self, seed: int, paths: range, again: int, target: str = RANKED_ON) -> Iterator[Step]:
        """What those paths reach when they are retrained; the first `again` of all, for what a seed is worth."""
        yield from (self.ranked(seed, number, target) for number in paths)
        yield from (self.ranked(seed + 1, number, target) for number in paths if number < again)


def chapter_step(
    name: str, chapter: str, record: Path, out: str, given: dict[str, Any], needs: list[str], work: list[str]
) -> Step:
    """The step that leaves `record`, which lies under `out`, by running a chapter with the parameters `given`."""
    runs = Path(out).parent / "runs" / record.parent.relative_to(out)
    command = ["-m", "papermill", "--no-progress-bar", "--log-output", "-p", "out", f"{{work}}/{out}"]
    command += ["-p", "max_seconds", "{seconds}"]
    command += [word for key, value in given.items() for word in ("-p", key, str(value))]
    return {
        "name": f"{name} {record.stem}",
        "command": [*command, f"book/{CHAPTER[chapter]}.ipynb", f"{{work}}/{runs / record.stem}.ipynb"],
        "leaves": str(record),
        "needs": needs,
        "log": str(runs / f"{record.stem}.txt"),
        "work": [str(runs / glob) for glob in work],
    }


def arm(name: str, seed: int) -> Step:
    """The training and scoring of an arm of the validity study."""
    record = arm_file(arm_called(name), seed, Path("results"), ".json")
    given = {"arm": name, "seed": seed}
    step = chapter_step("validity", "validity", record, "results", given, data(arm_called(name).data), [])
    return step | {"work": [f"runs/validity/{name}-s{seed}-*/*"]}


def adaptation_step(name: str, procedure: str, variant: str, target: str, seed: int) -> Step:
    """The adaptation of an arm's super-network, held against published accuracies."""
    stem, changed = "-".join(filter(None, [name, procedure, variant, target, f"s{seed}"])), variant_called(variant)
    record = Path("results") / ("truth" if name == ARM and not variant else "probes") / f"{stem}.json"
    given = {"arm": name, "procedure": procedure, "variant": variant, "target": target, "seed": seed}
    source, whole = arm_called(name), changed.after == 1
    needs = [str(arm_file(source, seed, Path("results"), ".json"))] if whole else []
    needs += dict.fromkeys([*data(changed.data), *data(source.data)])
    given = {key: value for key, value in given.items() if value != ""}
    step = chapter_step("truth", "truth", record, "results", given, needs, [])
    begun = [] if whole else [f"runs/validity/{name}-s{seed}-*/*"]  # the beginning of the arm's training
    return step | {"work": [f"runs/truth/{stem}-*/*", *begun]}


@cache
def networks(space: str) -> list[str]:
    """The fixed set of paths on which rankings are judged, as digits."""
    return [digits(path) for path in ranked_paths(parse_space(space))]


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
    yield from (grid.ranked(0, 0), grid.scores(0, "P0"), grid.gate(0))
    yield grid.named(0, printed(grid)[0], "named-ce", "exp-0.01")


def printed(grid: Grid) -> list[str]:
    """The fixed set of paths in their printed form."""
    space = grid.run(0).space_of_paths
    return [space.to_string(path) for path in ranked_paths(space)]


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


def by_value(
    profile: str, seeds: list[int], other_space: str = "", again: int = AGAIN, paths: int = COUNT
) -> list[Step]:
    """The whole plan: a trial, the speed, then seed after seed, and what widens them at the end.

    Beside the first seed's table come its baselines, checks and comparisons, the first 24 of the `paths` and whatever
    says how far this machine's figures can be trusted. After all seeds: the other targets' paths and the rest of the
    paths, the table in the other space, and what needs no super-network of the profile.
    """
    grid, first = Grid(profile), seeds[0]
    early, late = range(min(RANKED, paths)), range(RANKED, paths)
    steps = [*trial(profile), speed(profile)]
    for seed in seeds:
        once = [*grid.checks(seed), *grid.retrained(seed, early, again)] if seed == first else []
        steps += [*grid.table(seed), *grid.comparisons(seed), *once, *grid.ranking(seed), *carded(grid, seed)]
        steps += trusted(grid, seed) if seed == first else []
    for target in TARGETS[1:]:
        steps += grid.retrained(first, early, again, target)
        steps += (step for seed in seeds for step in grid.ranking(seed, target))
    for target in TARGETS:
        steps += grid.retrained(first, late, again, target)
    if other_space:
        steps += Grid(profile, other_space).table(first)
    steps += further(seeds) if on_cifar(profile) else []
    return list({step["leaves"]: step for step in steps if can_run(step)}.values())


def on_cifar(profile: str) -> bool:
    """Whether both CIFAR data sets travel with a profile: what belongs to no profile needs them."""
    settings = profiles.load(profile)
    return {settings.source, settings.target_data} == set(CIFAR)


def carded(grid: Grid, seed: int) -> Iterator[Step]:
    """What the profile's card is made of: the signal gate, and its recipes on cells whose accuracy is published."""
    yield grid.gate(seed)
    supernet = profiles.load(grid.profile).supernet
    for name, one in {**arms("arms"), **arms("profiles")}.items():
        if one.recipe == supernet:
            yield arm(name, seed)
            yield from (adaptation_step(name, procedure, "", "balance", seed) for procedure in (*ADAPTED, "control"))


def trusted(grid: Grid, seed: int) -> Iterator[Step]:
    """What bfloat16 moves, where the profile has a float32 control, and what the benchmark's own recipe reaches."""
    if (control := f"{grid.profile}-float32") in profiles.names():
        yield Grid(control).retrain(seed, "largest", RANKED_ON)
    if on_cifar(grid.profile):
        yield from (Grid(BENCHMARK).named(seed, cell, "named-ce", "balance") for cell in PUBLISHED)


def further(seeds: list[int]) -> Iterator[Step]:
    """What belongs to no profile: NAS-Bench-201's cells on the long tail, then what the studies of P1 lack."""
    grid = Grid(BENCHMARK, target_data=LONG_TAILED)
    for cell in printed(grid):
        yield from (grid.named(seeds[0], cell, loss, RANKED_ON) for loss in NAMED)
    for seed in seeds:
        for name in dict.fromkeys([*arms("arms"), *(source for source, *_ in PROBES)]):
            yield arm(name, seed)
        for name, procedure, variant, target in PROBES:
            yield adaptation_step(name, procedure, variant, target, seed)


def can_run(step: Step) -> bool:
    """A stage whose chapter is not written yet is left out of the plan."""
    return all((ROOT / word).exists() for word in step["command"] if word.startswith("book/"))
