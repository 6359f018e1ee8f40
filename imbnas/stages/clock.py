"""Where a stage stands and what it costs: its progress, its seconds, its memory, its device."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from imbnas import records
from imbnas.models.precision import has_bfloat16
from imbnas.stages.device import SHARED

try:
    import resource
except ImportError:  # Windows
    resource = None


@dataclass
class Clock:
    """Seconds per part, and the moment at which `max_seconds` are over."""

    max_seconds: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float | None:
        return None if self.max_seconds is None else self.start + self.max_seconds

    @property
    def over(self) -> bool:
        """Whether `max_seconds` have passed, the part under way included."""
        return self.deadline is not None and time.monotonic() > self.deadline

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin


def cost(clock: Clock, device: torch.device, **more: Any) -> dict[str, Any]:
    """The `cost` block of a record: what depends on the machine.

    Where stages ran side by side, seconds are longer and memory is that of all; where a processor cannot multiply
    bfloat16, seconds are longer too. `device` says so, and stands for another device wherever seconds are compared.
    """
    without = ", without bfloat16" if device.type == "cpu" and not has_bfloat16() else ""
    beside = f", shared by {SHARED.get()}" if SHARED.get() > 1 else ""
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_resident_bytes()
    peak_mib = None if peak is None else round(peak / 2**20)
    return {
        "seconds": {name: round(value, 2) for name, value in clock.seconds.items()},
        "peak_memory_mib": peak_mib,
        "device": records.device_name(device) + without + beside,
        "processor": records.processor(),
        "versions": records.versions(),
        **more,
    }


def peak_resident_bytes() -> int | None:
    """The most memory this process has held; None where the system does not say (Windows)."""
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def progress(prefix: str) -> Callable[[str], None]:
    """One clean line of progress at a time: rewritten in a terminal, printed line by line in a log."""
    interactive = os.isatty(1)

    def report(line: str) -> None:
        print(f"{prefix} · {line}", end="\r" if interactive else "\n", flush=True)

    return report
