"""What a record run does and in which order: the most valuable record first, so that a run cut short is worth most.

One step is one command that leaves one file. The steps are those of the Snakefile, by value instead of by rule;
a plan is plain data, so that the machine that runs it needs to know nothing else (`record_run.py`, `record/`).
"""

from collections.abc import Iterator

from packing.grid import ADAPTED, RANKED_ON, TARGETS, Grid, printed
from packing.steps import adaptation_step, arm, can_run, speed
from record.steps import TRIAL, Step

from imbnas import profiles, records
from imbnas.data.sources import CIFAR
from imbnas.evidence.probes import PROBES
from imbnas.stages.arms import arms, trains_as
from imbnas.stages.ranking import COUNT, NAMED

RANKED, AGAIN = 24, 6  # paths of the fixed set that come early, and again with another seed
BENCHMARK, LONG_TAILED = "nasbench201", "cifar100"  # the profile of its recipe, and where its cells meet the long tail
PUBLISHED = (  # cells whose published CIFAR-10 accuracies say whether that recipe is right: 93.76, 93.91, 54.30
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
)


def trial(profile: str) -> Iterator[Step]:
    """Every kind of stage once, at smoke size; beside the records of any other profile, not among them."""
    grid = Grid("smoke", out="results" if profile == "smoke" else f"{TRIAL}/results")
    yield from grid.table(0, ("exp-0.01",))
    yield from grid.comparisons(0, ("exp-0.01",))
    yield from (grid.ranked(0, 0), grid.scores(0, "P0"), grid.gate(0))
    yield grid.named(0, printed(grid)[0], "named-ce", "exp-0.01")


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
    profile = profiles.load(grid.profile)
    for name, one in {**arms("arms"), **arms("profiles")}.items():
        if trains_as(records.plain(one), profile):
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
