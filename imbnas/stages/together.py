"""Stages of chapters in one process: on a GPU, whatever can run at the same time does, as streams side by side.

    python -m imbnas.stages.together STEPS.json [--streams 6] [--seconds 600]

STEPS.json lists what is to be run (`Step`), the first before the others where several can. What papermill would run of
a chapter runs here: its parameters, those that are given, and its stage. What fails is told in STEPS.failed.json too.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from imbnas import records
from imbnas.stages.chapter import left
from imbnas.stages.streams import STREAMS, Job, in_order
from imbnas.training import Unfinished


class Step(NamedTuple):
    """A chapter with parameters, the file that its stage leaves, and the files that must be there before."""

    name: str
    notebook: str
    parameters: dict[str, Any]
    leaves: str
    needs: list[str]


def run_chapter(notebook: Path, parameters: dict[str, Any]) -> None:
    """The first two code cells of a chapter, with the parameters set between them. Errors are the stage's own."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    defaults, stage = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"][:2]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(defaults, f"{notebook}, parameters", "exec"), namespace)
    namespace |= parameters
    exec(compile(stage, f"{notebook}, stage", "exec"), namespace)


def jobs_of(steps: Sequence[Step], seconds: float | None, failed: Callable[[Step, Exception], None]) -> list[Job]:
    """A job for every step whose file does not exist and whose needs exist or are made here; others are named.

    seconds: for all of them together, counted from here. failed: told of each step that fails.
    """
    begin, jobs = time.monotonic(), dict[str, Job]()

    def job(step: Step) -> None:
        try:
            run_for(step, left(seconds, begin))
        except Unfinished:
            raise
        except Exception as fault:
            failed(step, fault)
            raise
        print(f"{time.monotonic() - begin:5.0f} s  {step.name}", flush=True)

    for step in steps:
        missing = [need for need in step.needs if not Path(need).exists()]
        if Path(step.leaves).exists():
            continue
        if nowhere := [need for need in missing if need not in jobs]:
            print(f"not run: {step.name} needs {nowhere[0]}", flush=True)
        else:
            jobs[step.leaves] = Job(step.leaves, partial(job, step), tuple(missing))
    return list(jobs.values())


def run_for(step: Step, seconds: float | None) -> None:
    """Run a step for so long; `Unfinished` where its file is not there then."""
    if seconds is None or seconds > 1:
        limit = {} if seconds is None else {"max_seconds": seconds}
        run_chapter(Path(step.notebook), step.parameters | limit)
    if not Path(step.leaves).exists():
        raise Unfinished(f"{step.name} left nothing yet")


class Outcome(NamedTuple):
    """How many steps left their file, failed, and are unfinished or wait for such."""

    made: int
    failed: int
    unfinished: int

    def __str__(self) -> str:
        return f"{self.made} made, {self.failed} failed, {self.unfinished} unfinished"


def together(
    steps: Sequence[Step], streams: int = STREAMS, seconds: float | None = None, report: Path | None = None
) -> Outcome:
    """Run the steps that have not left their file yet; report: where it is told what failed, by that file."""
    faults, alone = dict[str, str](), threading.Lock()

    def failed(step: Step, fault: Exception) -> None:
        with alone:
            faults[step.leaves] = f"{step.name}: {type(fault).__name__}: {fault}"
            print(faults[step.leaves], flush=True)
            if report:
                records.write_text(report, json.dumps(faults))

    before = sum(Path(step.leaves).exists() for step in steps)
    in_order(jobs_of(steps, seconds, failed), streams)
    there = sum(Path(step.leaves).exists() for step in steps)
    return Outcome(there - before, len(faults), len(steps) - there - len(faults))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m imbnas.stages.together", description=__doc__.split("\n")[0])
    parser.add_argument("steps", type=Path, metavar="STEPS.json")
    parser.add_argument("--streams", type=int, default=STREAMS, help="stages at once on a GPU (default %(default)s)")
    parser.add_argument("--seconds", type=float, help="when to stop (default: at the end)")
    given = parser.parse_args()
    steps = [Step(**step) for step in json.loads(given.steps.read_text(encoding="utf-8"))]
    (report := given.steps.with_suffix(".failed.json")).unlink(missing_ok=True)
    print(outcome := together(steps, given.streams, given.seconds, report))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
