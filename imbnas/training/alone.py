"""Trainings of one checkpoint are one and the same: they wait for each other, in this process and among all."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import IO, Any, TypeVar

from imbnas.training.moments import Unfinished

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

UNDER_WAY: dict[Path, Lock] = {}  # by checkpoint
BETWEEN_LOOKS = 0.1  # seconds

Trained = TypeVar("Trained", bound=Callable[..., Any])


def one_at_a_time(train: Trained) -> Trained:
    """Of two trainings of one checkpoint, the second waits, until its deadline, and finds it finished."""

    @wraps(train)
    def turn(*arguments: Any, checkpoint: str | Path | None = None, **options: Any) -> Any:
        if checkpoint is None:
            return train(*arguments, **options)
        file = Path(checkpoint)
        with alone(Wait(file, options.get("deadline"), options.get("report"))):
            return train(*arguments, checkpoint=file, **options)

    return turn


@dataclass
class Wait:
    """What is waited for, and for how long: `time.monotonic()` of the end, or None."""

    checkpoint: Path
    deadline: float | None
    report: Callable[[str], None] | None
    told: bool = False

    def until(self, taken: Callable[[], bool]) -> None:
        """Try until it is `taken`. `Unfinished` where the deadline comes first."""
        while not taken():
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise Unfinished(f"another training still has the checkpoint {self.checkpoint}: nothing was done")
            if self.report is not None and not self.told:
                self.report(f"waiting for another training, which has the checkpoint {self.checkpoint}")
            self.told = True
            time.sleep(BETWEEN_LOOKS)


@contextmanager
def alone(wait: Wait) -> Iterator[None]:
    """Hold a checkpoint in this process, and the lock file beside it, .<its name>.lock, among all.

    The lock file stays there; a process that dies lets it go. Where none can be held (a folder that is read-only,
    Windows) no other process is waited for: what is finished can be read all the same, and what is not fails when its
    checkpoint is written.
    """
    here = UNDER_WAY.setdefault(wait.checkpoint, Lock())
    with ExitStack() as held:
        wait.until(lambda: here.acquire(blocking=False))
        held.callback(here.release)
        if fcntl is not None:
            with suppress(OSError):
                wait.checkpoint.parent.mkdir(parents=True, exist_ok=True)
                lock = held.enter_context(wait.checkpoint.with_name(f".{wait.checkpoint.name}.lock").open("ab"))
                wait.until(lambda: locked(lock))
        yield


def locked(lock: IO[bytes]) -> bool:
    """Whether the lock file is now this process's; OSError where it can't be locked at all."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
