"""What falls due after a step: the end of an epoch, a checkpoint, the end of the training or of its time."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple


class Unfinished(Exception):
    """`max_seconds` were over: what was done is in the checkpoint, and the same call continues from it."""


class Moment(NamedTuple):
    """What is due after one step; `over` where the time is up before the `last` step."""

    ends_epoch: bool
    save: bool
    over: bool
    last: bool


@dataclass
class Moments:
    """The moments of a training of `total` steps, `per_epoch` in an epoch.

    seconds: between two checkpoints; None where none is written. deadline: `time.monotonic()` of the end, or None.
    """

    total: int
    per_epoch: int
    seconds: float | None
    deadline: float | None
    saved: float = field(default_factory=time.monotonic)

    def after(self, step: int, ended: bool = False) -> Moment:
        """What is due when `step` steps are done; ended: none follows, although the length is not reached."""
        now, last = time.monotonic(), ended or step == self.total
        over = self.deadline is not None and now > self.deadline and not last
        save = self.seconds is not None and (now - self.saved > self.seconds or over or last)
        return Moment(step % self.per_epoch == 0 or last, save, over, last)

    def was_saved(self) -> None:
        """Count the seconds to the next checkpoint from now."""
        self.saved = time.monotonic()
