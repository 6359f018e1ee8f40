"""Running what can run: steps in processes side by side, until none is left or the time is over."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .steps import Step, bundle, joint_command

START = 10  # seconds that a stage needs before its own clock runs
GRACE = 20  # seconds after which a stage that does not stop in time is killed; its checkpoint is younger than that


class Slice:
    """Steps in their order, as many at once as there is room for, until none is left or the time is over.

    at_once: processes side by side. streams: steps that one process may run, where they are alike.
    """

    def __init__(
        self, steps: list[Step], work: Path, seconds: float, at_once: int, begin: float, streams: int = 1
    ) -> None:
        self.steps, self.work, self.at_once, self.streams = steps, work, at_once, streams
        self.deadline = begin + seconds
        self.running: dict[str, tuple[list[Step], subprocess.Popen]] = {}
        self.logs: dict[str, Path] = {}  # where each step that was started is told of
        self.killed: set[str] = set()  # the first step of each process that `kill` ended
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

    def start(self, steps: list[Step]) -> None:
        """Start one process for steps that are alike; its log and its notebook are the first one's."""
        first = steps[0]["leaves"]
        seconds = max(1, int(self.left - START))
        command = [word.format(work=self.work, seconds=seconds) for word in joint_command(steps)]
        paths = [str(self.work / "code"), str(self.work / "site"), os.environ.get("PYTHONPATH", "")]
        own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "IMBNAS_DATA": str(self.work / "data")}
        log = self.work / steps[0]["log"]
        log.parent.mkdir(parents=True, exist_ok=True)
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
            failed = bool(status) and first not in self.killed
            if failed and status < 0:
                tell_signal(self.logs[first], -status)
            for step in steps:
                open_yet = self.states[step["leaves"]] == "running"
                if open_yet and (status is not None or (self.work / step["leaves"]).exists()):
                    self.states[step["leaves"]] = self.state_after(step, failed)
                    ended.append((step, self.states[step["leaves"]]))
        return ended

    def state_after(self, step: Step, failed: bool) -> str:
        """How a step ended, whose process failed or did not."""
        return "finished" if (self.work / step["leaves"]).exists() else "failed" if failed else "unfinished"

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
            self.start(bundle(ready, self.streams))

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
