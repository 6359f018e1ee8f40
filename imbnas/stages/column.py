"""Columns of Table 2 in one process: on a GPU, whatever can run at the same time does, as streams side by side.

    python -m imbnas.stages.column PROFILE TARGET [TARGET ...] [--procedures P0 P1 P2 P3 largest] [--seed 0]
                                   [--seconds 600] [--streams 6] [--out FOLDER]

The stages are those that the chapters run, and so are their records; one that exists is not made again. What is
unfinished when the time is over goes on by the same line.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from imbnas.names import BASELINES, PROCEDURES, SEARCHED
from imbnas.stages.chapter import left, stand_alone
from imbnas.stages.run import Run
from imbnas.stages.search import search, search_file
from imbnas.stages.streams import STREAMS, Job, in_order
from imbnas.stages.supernet import supernet

SUPERNET = "supernet"
ALSO = ("largest", *BASELINES)  # what is retrained without a search


def column_jobs(runs: Sequence[Run], procedures: Sequence[str]) -> list[Job]:
    """What the columns of `runs`, one for each target of one seed, are made of, but for records that exist.

    The source super-network, a search for every procedure that has one, and the retrainings.
    """
    begin, first = time.monotonic(), runs[0]
    wanted: dict[str, tuple[Path, Callable[..., Any], tuple[str, ...]]] = {
        SUPERNET: (first.file(SUPERNET), partial(limited, begin, supernet, first), ())
    }
    for run, procedure in searches(runs, procedures):
        file = search_file(run, procedure)
        needs = () if procedure == "P3" else (SUPERNET,)
        wanted[file.stem] = (file, partial(limited, begin, search, run, procedure), needs)
    for run in runs:
        for procedure in procedures:
            kind = "baseline" if procedure in BASELINES else "retrain"
            file = run.file(kind, procedure, run.target)
            needs = (search_file(run, procedure).stem,) if procedure in SEARCHED else ()
            wanted[file.stem] = (file, partial(limited, begin, stand_alone, run, procedure), needs)
    done = {name for name, (file, _, _) in wanted.items() if file.exists()}
    return [
        Job(name, do, tuple(need for need in needs if need not in done))
        for name, (_, do, needs) in wanted.items()
        if name not in done
    ]


def searches(runs: Sequence[Run], procedures: Sequence[str]) -> Iterator[tuple[Run, str]]:
    """P3's first, which wait for nothing; P0's search is the same for every target."""
    for procedure in sorted(set(procedures) & set(SEARCHED), key=lambda name: (name != "P3", name)):
        yield from ((run, procedure) for run in (runs[:1] if procedure == "P0" else runs))


def limited(begin: float, stage: Callable[..., Any], run: Run, *choice: str | int) -> None:
    """Run a stage for what is left of the run's time since `begin`, and say what became of it."""
    name = "-".join([stage.__name__, *map(str, choice), run.target])
    try:
        stage(replace(run, max_seconds=left(run.max_seconds, begin)), *choice)
    except BaseException as fault:
        print(f"{time.monotonic() - begin:5.0f} s  {name}: {type(fault).__name__}: {fault}", flush=True)
        raise
    print(f"{time.monotonic() - begin:5.0f} s  {name} written", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m imbnas.stages.column", description=__doc__.split("\n")[0])
    parser.add_argument("profile")
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="such as exp-0.01")
    parser.add_argument("--procedures", nargs="+", default=PROCEDURES, choices=[*SEARCHED, *ALSO])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, help="when to stop (default: at the end)")
    parser.add_argument("--streams", type=int, default=STREAMS, help="jobs at once on a GPU (default %(default)s)")
    parser.add_argument("--out", default="", help="the folder of the records (default: the project's results/)")
    given = parser.parse_args()
    try:
        runs = [
            Run(given.profile, target=target, seed=given.seed, out=given.out, max_seconds=given.seconds)
            for target in given.targets
        ]
    except ValueError as fault:
        print(fault, file=sys.stderr)
        return 1
    jobs = column_jobs(runs, given.procedures)
    ended = in_order(jobs, given.streams)
    made = sum(fault is None for fault in ended.values())
    print(f"{made} of {len(jobs)} records made")
    return 0 if made == len(jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
