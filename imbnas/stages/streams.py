"""Stages side by side: on a GPU, as streams of one process; on a CPU, one after the other.

One narrow network leaves most of a GPU idle. Kernels of several streams run at the same time, those of several
processes only take turns.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from imbnas.stages.common import SHARED, best_device

STREAMS = 6


def side_by_side(jobs: Sequence[Callable[[], None]]) -> None:
    """Run all jobs. One that fails does not stop the others; its error is raised when all have ended."""
    count = min(len(jobs), STREAMS) if best_device().type == "cuda" else 1
    if count < 2:
        for job in jobs:
            job()
        return

    def on_a_stream(job: Callable[[], None]) -> None:
        SHARED.set(count)
        with torch.cuda.stream(torch.cuda.Stream()):
            job()

    with ThreadPoolExecutor(count) as pool:
        for ended in [pool.submit(on_a_stream, job) for job in jobs]:
            ended.result()
