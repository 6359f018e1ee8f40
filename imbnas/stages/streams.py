"""Stages side by side: on a GPU, as streams of one process; on a CPU, one after the other.

One narrow network leaves most of a GPU idle. Kernels of several streams run at the same time, those of several
processes only take turns.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import NamedTuple

import torch

from imbnas.stages.device import SHARED, best_device

STREAMS = 6


def side_by_side(jobs: Sequence[Callable[[], None]], streams: int = STREAMS) -> None:
    """Run all jobs, on a GPU up to `streams` at once.

    One that fails does not stop the others: all errors are told, and the first is raised. An interrupt (Ctrl-C) waits
    for those that run on a GPU, and begins no other.
    """
    ended = in_order([Job(str(number), job) for number, job in enumerate(jobs)], streams)
    if faults := [fault for _, fault in sorted(ended.items(), key=lambda one: int(one[0])) if fault]:
        for fault in faults[1:]:
            print(f"{type(fault).__name__}: {fault}")
        raise faults[0]


class Job(NamedTuple):
    """Something to do once all jobs that it `needs`, by their names, have been done."""

    name: str
    do: Callable[[], None]
    needs: tuple[str, ...] = ()


def in_order(jobs: Sequence[Job], streams: int = STREAMS) -> dict[str, BaseException | None]:
    """Run jobs of which some need others, on a GPU up to `streams` at once; what each failed with, or None.

    Of those that are ready, the first in the list begins first; where others need the very first, the GPU serves it
    before them. What needs a job that failed is not run and has no entry. An interrupt (Ctrl-C) waits for those that
    run on a GPU, and begins no other.
    """
    count = min(len(jobs), streams) if best_device().type == "cuda" else 1
    if count < 2:
        (order := Order(jobs)).work()
        return order.ended
    if any(jobs[0].name in job.needs for job in jobs):
        jobs = [jobs[0]._replace(do=partial(served_first, jobs[0].do)), *jobs[1:]]
    order = Order(jobs)
    with ThreadPoolExecutor(count, initializer=begin_stream, initargs=(count,)) as pool:
        try:
            wait(workers := [pool.submit(order.work) for _ in range(count)])
        except BaseException:
            order.stop()
            raise
    for worker in workers:
        worker.result()  # a stream that could not be made, or an exit from inside a job
    return order.ended


class Order:
    """Which jobs wait, run and have ended."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.waiting, self.running, self.ended = list(jobs), 0, {}
        self.change = threading.Condition()

    def work(self) -> None:
        """Run whatever is ready, until nothing will be."""
        while job := self.take():
            fault: BaseException | None = None
            try:
                fault = fault_of(job.do)
            except BaseException as end:
                fault = end
                raise
            finally:
                with self.change:
                    self.ended[job.name] = fault
                    self.running -= 1
                    self.change.notify_all()

    def take(self) -> Job | None:
        """The next job, waited for while one that runs may make it ready; None when there is none to come."""
        with self.change:
            while True:
                ready = (job for job in self.waiting if all(self.succeeded(need) for need in job.needs))
                if job := next(ready, None):
                    self.waiting.remove(job)
                    self.running += 1
                    return job
                if not self.running:
                    return None
                self.change.wait()

    def succeeded(self, name: str) -> bool:
        return name in self.ended and self.ended[name] is None

    def stop(self) -> None:
        """Begin no other."""
        with self.change:
            self.waiting.clear()
            self.change.notify_all()


def fault_of(job: Callable[[], None]) -> Exception | None:
    """Run a job; what it failed with, None where it did not."""
    try:
        job()
    except Exception as fault:
        return fault
    return None


def begin_stream(count: int) -> None:
    """A stream for each thread: the memory of one is of no use to another."""
    SHARED.set(count)
    torch.cuda.set_stream(torch.cuda.Stream())


def served_first(do: Callable[[], None]) -> None:
    """Do something on a stream whose kernels the GPU takes before those of others."""
    with torch.cuda.stream(torch.cuda.Stream(priority=-1)):
        do()
