"""Running what can run: steps in processes side by side, until none is left or the time is over."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .steps import Step, as_chapter, is_chapter

START = 10  # seconds that a stage needs before its own clock runs
GRACE = 20  # seconds after which a stage that does not stop in time is killed; its checkpoint is younger than that


class Slice:
    """Steps in their order, as many at once as there is room for, until none is left or the time is over.

    at_once: processes side by side. streams: stages of chapters that one process runs at once; with more than one, it
    takes all that it can.
    """

    def __init__(
        self, steps: list[Step], work: Path, seconds: float, at_once: int, begin: float, streams: int = 1
    ) -> None:
        self.steps, self.work, self.at_once, self.streams = steps, work, at_once, streams
        self.deadline = begin + seconds
        self.running: dict[str, tuple[list[Step], subprocess.Popen]] = {}
        self.logs: dict[str, Path] = {}  # where each step that was started is told of
        self.killed: set[str] = set()  # the first step of each process that `kill` ended
        self.reports: dict[str, Path] = {}  # of each process of several steps, by its first one, which of them failed
        self.states = {step["leaves"]: self.state_before(step) for step in steps}

    def state_before(self, step: Step) -> str:
        return "finished before" if (self.work / step["leaves"]).exists() else "waiting"

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    def ready(self) -> Iterator[Step]:
        """What has not been tried in this slice, and needs nothing that is missing."""
        for step in self.steps:
            if self.states[step["leaves"]] == "waiting" and all((self.work / need).exists() for need in step["needs"]):
                yield step

    def along(self, first: Step) -> list[Step]:
        """The steps that share a process with the first that is ready: with streams, all chapters' up to one that runs
        alone, if what they need is there or is left by one of them."""
        if self.streams < 2 or not is_chapter(first):
            return [first]
        found: dict[str, Step] = {}
        for step in self.steps[self.steps.index(first) :]:
            if self.states[step["leaves"]] != "waiting":
                continue
            if step.get("alone"):
                break
            if is_chapter(step) and all((self.work / need).exists() or need in found for need in step["needs"]):
                found[step["leaves"]] = step
        return list(found.values())

    def command(self, steps: list[Step]) -> list[str]:
        """What a process is started with."""
        seconds = max(1, int(self.left - START))
        if self.streams < 2 or not is_chapter(steps[0]):
            return [word.format(work=self.work, seconds=seconds) for word in steps[0]["command"]]
        file = (self.work / steps[0]["log"]).with_suffix(".together.json")
        file.write_text(json.dumps([as_chapter(step, self.work) for step in steps]))
        self.reports[steps[0]["leaves"]] = report = file.with_suffix(".failed.json")
        report.unlink(missing_ok=True)  # of an earlier slice
        return ["-m", "imbnas.stages.together", str(file), f"--streams={self.streams}", f"--seconds={seconds}"]

    def start(self, steps: list[Step]) -> None:
        """Start one process for some steps; its log is the first one's."""
        first = steps[0]["leaves"]
        paths = [str(self.work / "code"), str(self.work / "site"), os.environ.get("PYTHONPATH", "")]
        own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "IMBNAS_DATA": str(self.work / "data")}
        log = self.work / steps[0]["log"]
        log.parent.mkdir(parents=True, exist_ok=True)
        command = self.command(steps)
        with open(log, "w") as file:  # of this slice alone, so that an earlier one's failure is not told again
            self.running[first] = (
                steps,
                subprocess.Popen(
                    [sys.executable, *command],
                    cwd=self.work / "code",
                    env={"OMP_NUM_THREADS": "1", **os.environ, **own},
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                ),
            )
        for step in steps:
            self.states[step["leaves"]], self.logs[step["leaves"]] = "running", log

    def collect(self) -> list[tuple[Step, str]]:
        """The steps that ended since the last look, and how; in a process that goes on, those that left a record."""
        ended = []
        for first, (steps, process) in list(self.running.items()):
            status = process.poll()
            if status is not None:
                del self.running[first]
            crashed = status if status and first not in self.killed else 0
            if crashed < 0:
                tell_signal(self.logs[first], -crashed)
            for step in steps:
                open_yet = self.states[step["leaves"]] == "running"
                if open_yet and (status is not None or (self.work / step["leaves"]).exists()):
                    self.states[step["leaves"]] = self.state_after(step, self.to_blame(first, step, crashed))
                    ended.append((step, self.states[step["leaves"]]))
        return ended

    def state_after(self, step: Step, failed: bool) -> str:
        """How a step ended, whose process failed or did not."""
        return "finished" if (self.work / step["leaves"]).exists() else "failed" if failed else "unfinished"

    def to_blame(self, first: str, step: Step, crashed: int) -> bool:
        """Whether a step of a process has failed: a report says which, where there is one and no signal ended all."""
        told = self.told(first)
        return str(self.work / step["leaves"]) in told or crashed < 0 or (crashed > 0 and not told)

    def told(self, first: str) -> dict[str, str]:
        """What the process of a first step reports of its steps that failed, by the file that they would have left."""
        report = self.reports.get(first)
        return json.loads(report.read_text()) if report and report.exists() else {}

    def message(self, step: Step) -> str:
        """What a step that failed in a process of several said; or ""."""
        told = [self.told(first).get(str(self.work / step["leaves"]), "") for first in self.reports]
        return next(filter(None, told), "")

    def ended_logs(self) -> list[Path]:
        """The logs of the steps that ended in this slice, each once."""
        return list(dict.fromkeys(log for leaves, log in self.logs.items() if self.states[leaves] != "running"))

    def kill(self) -> None:
        """Stop what runs, whose checkpoints from before are whole."""
        for first, (_, process) in self.running.items():
            if process.poll() is None:  # what crashed before has failed, though nobody has looked yet
                self.killed.add(first)
            further = below(process.pid)
            with contextlib.suppress(ProcessLookupError):  # killed before, and not yet collected
                os.killpg(process.pid, signal.SIGKILL)
            for pid in further:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()

    def fill(self) -> None:
        """Start what there is room for; a step that measures speed runs alone."""
        while self.left > START and len(self.running) < self.at_once and (ready := list(self.ready())):
            beside = [steps[0] for steps, _ in self.running.values()]
            if beside and any(one.get("alone") for one in (ready[0], *beside)):
                return
            self.start(self.along(ready[0]))

    def run(self) -> Iterator[tuple[Step, str]]:
        """Run, and yield each step that ended with how it ended."""
        try:
            while True:
                yield from self.collect()
                self.fill()
                if not self.running:
                    return
                if self.left < -GRACE:
                    self.kill()
                time.sleep(0.1)
        finally:
            self.kill()


def tell_signal(log: Path, number: int) -> None:
    """Add to a log that a signal ended the process, which could not say so itself."""
    name = next((known.name for known in signal.Signals if known == number), "unnamed")
    hint = ", as where memory runs out" if number == signal.SIGKILL else ""
    with open(log, "a") as file:
        file.write(f"\nended by signal {number} ({name}){hint}\n")


def below(pid: int) -> list[int]:
    """The processes that a process started, and theirs: a chapter's kernel has a session of its own."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return [*found, *(deeper for child in found for deeper in below(child))]
