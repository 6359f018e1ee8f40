"""A search's state on disk: what was scored, and how long it took."""

import json
import time
from pathlib import Path
from typing import Any

from imbnas import records
from imbnas.stages.clock import Clock
from imbnas.training import Unfinished


class Kept:
    """A search's state on disk, with the seconds that it has taken, those before a stop too."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self.file, self.clock, self.begin = file, clock, time.monotonic()
        self.state, self.before = read_state(file) if file.exists() else (None, 0.0)
        clock.seconds["search"] = self.before

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.begin

    def keep(self, state: dict[str, Any]) -> None:
        """Write it; `Unfinished` where the time is over."""
        records.write_text(self.file, json.dumps({"state": state, "seconds": self.seconds}))
        if self.clock.over:
            raise Unfinished(f"search stopped after {len(state['scored'])} scored paths")


def read_state(file: Path) -> tuple[dict[str, Any], float]:
    """What `Kept` wrote: the search's state and its seconds. ValueError that names a damaged file."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return known["state"], known["seconds"]
    except (ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{file} is damaged ({fault}): delete it, and the search begins anew") from None
