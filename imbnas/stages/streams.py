"""Stages side by side: on a GPU, as streams of one process; on a CPU, one after the other.

One narrow network leaves most of a GPU idle. Kernels of several streams run at the same time, those of several
processes only take turns.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import torch

from imbnas.stages.device import SHARED, best_device

STREAMS = 6


def side_by_side(jobs: Sequence[Callable[[], None]], streams: int = STREAMS) -> None:
    """Run all jobs, on a GPU up to `streams` at once.

    One that fails does not stop the others: all errors are told, and the first is raised. An interrupt (Ctrl-C) waits
    for those that run on a GPU, and begins no other.
    """
    count = min(len(jobs), streams) if best_device().type == "cuda" else 1
    ended = [fault_of(job) for job in jobs] if count < 2 else faults_of_streams(jobs, count)
    if faults := [fault for fault in ended if fault]:
        for fault in faults[1:]:
            print(f"{type(fault).__name__}: {fault}")
        raise faults[0]


def fault_of(job: Callable[[], None]) -> Exception | None:
    """Run a job; what it failed with, None where it did not."""
    try:
        job()
    except Exception as fault:
        return fault
    return None


def faults_of_streams(jobs: Sequence[Callable[[], None]], count: int) -> list[BaseException | None]:
    """Run the jobs on `count` streams; what each failed with."""

    def begin() -> None:
        """A stream for each thread: the memory of one is of no use to another."""
        SHARED.set(count)
        torch.cuda.set_stream(torch.cuda.Stream())

    with ThreadPoolExecutor(count, initializer=begin) as pool:
        try:
            wait(ended := [pool.submit(job) for job in jobs])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the end of the block waits for those that run
            raise
    return [job.exception() for job in ended]
