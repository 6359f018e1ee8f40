"""Stages side by side: on a GPU as streams of one process, elsewhere one after the other."""

import contextlib
import contextvars
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
import torch

from imbnas.stages import clock, streams
from imbnas.stages import device as of_device
from imbnas.stages.streams import STREAMS, Job, in_order, side_by_side


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that seems to have a GPU."""
    monkeypatch.setattr(streams, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda **priority: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)


def noting(seen: list[int], name: int) -> Callable[[], None]:
    return lambda: seen.append(name)


def test_a_processor_takes_one_after_the_other() -> None:
    seen: list[tuple[int, int]] = []
    side_by_side([lambda i=i: seen.append((i, of_device.SHARED.get())) for i in range(3)])
    assert seen == [(0, 1), (1, 1), (2, 1)]


def test_a_gpu_takes_several_at_once(gpu: None) -> None:
    """Each waits for the others, so that they would stand still for ever one after the other."""
    together, shared = threading.Barrier(STREAMS, timeout=20), []

    def job() -> None:
        together.wait()
        shared.append(of_device.SHARED.get())

    side_by_side([job] * (2 * STREAMS))
    assert shared == [STREAMS] * (2 * STREAMS)
    assert of_device.SHARED.get() == 1


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_fails_stops_no_other_and_all_is_told(
    device: str, gpu: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(streams, "best_device", lambda: torch.device(device))
    seen: list[int] = []

    def fault(said: str) -> None:
        raise ValueError(said)

    jobs = [partial(fault, "a bad path"), partial(fault, "another"), lambda: time.sleep(0.1), noting(seen, 1)]
    with pytest.raises(ValueError, match="a bad path"):
        side_by_side([*jobs, noting(seen, 2)])
    assert sorted(seen) == [1, 2] and capsys.readouterr().out == "ValueError: another\n"


def test_an_interrupt_on_a_processor_stops_at_once() -> None:
    seen: list[int] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side([noting(seen, 1), interrupt, noting(seen, 2)])
    assert seen == [1]


def test_an_interrupt_waits_for_what_runs_and_begins_no_other(gpu: None) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def job(number: int) -> None:
        begun.append(number)
        time.sleep(0.4)
        ended.append(number)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            side_by_side([partial(job, number) for number in range(3 * STREAMS)])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert sorted(begun) == sorted(ended) == list(range(STREAMS))
    time.sleep(0.1)
    assert len(begun) == STREAMS


def test_beside_others_no_kernels_are_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    of_device.best_device()
    assert torch.backends.cudnn.benchmark and not torch.backends.cudnn.allow_tf32
    contextvars.copy_context().run(lambda: (of_device.SHARED.set(2), of_device.best_device()))
    assert not torch.backends.cudnn.benchmark


def test_a_cost_that_was_shared_is_of_another_device() -> None:
    def device() -> str:
        return clock.cost(clock.Clock(), torch.device("cpu"))["device"]

    alone = device()
    assert contextvars.copy_context().run(lambda: (of_device.SHARED.set(6), device())[1]) == f"{alone}, shared by 6"


# ------------------------------------------------------------------------------------------ jobs that need others


def test_what_a_job_needs_is_done_before_it(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(streams, "best_device", lambda device=device: torch.device(device))
        seen: list[str] = []
        jobs = [letter(seen, "c", "a", "b"), *(letter(seen, name) for name in "ab")]
        assert in_order(jobs, 2) == dict.fromkeys("abc")
        assert seen[-1] == "c"


def test_independent_jobs_run_at_once_on_a_gpu(gpu: None) -> None:
    """Two that wait for each other, while a third waits for one of them."""
    together = threading.Barrier(2, timeout=20)
    jobs = [Job("a", lambda: together.wait() and None), Job("b", lambda: together.wait() and None)]
    assert in_order([*jobs, Job("c", lambda: None, ("a",))], 3) == dict.fromkeys("abc")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_needs_a_job_that_failed_is_not_run(device: str, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "best_device", lambda: torch.device(device))
    seen: list[str] = []

    def fault() -> None:
        raise ValueError("no such path")

    jobs = [Job("a", fault), letter(seen, "b", "a"), letter(seen, "c", "b"), letter(seen, "d")]
    ended = in_order(jobs, 2)
    assert set(ended) == {"a", "d"} and ended["d"] is None and seen == ["d"]
    assert str(ended["a"]) == "no such path"


def letter(seen: list[str], name: str, *needs: str) -> Job:
    return Job(name, lambda: seen.append(name), needs)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_job_that_leaves_the_program_holds_no_other_for_ever(
    device: str, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "best_device", lambda: torch.device(device))
    seen: list[str] = []
    with pytest.raises(SystemExit):
        in_order([Job("a", lambda: sys.exit("enough")), letter(seen, "b", "a")], 2)
    assert seen == []


def test_a_stream_that_cannot_be_made_is_told(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_stream(**options: int) -> None:
        raise RuntimeError("no memory on the device")

    monkeypatch.setattr(torch.cuda, "Stream", no_stream)
    with pytest.raises(RuntimeError):
        in_order([letter([], "a"), letter([], "b")], 2)


def test_the_first_job_has_a_stream_that_is_served_first(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda priority=0: made.append(priority) or contextlib.nullcontext())
    in_order([letter([], "a"), letter([], "b", "a")], 2)
    assert made.count(-1) == 1 < len(made)
    made.clear()
    in_order([letter([], "a"), letter([], "b")], 2)
    assert set(made) == {0}
