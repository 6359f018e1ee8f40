"""Stages side by side: on a GPU as streams of one process, elsewhere one after the other."""

import threading
import time
from collections.abc import Callable

import pytest
import torch

from imbnas.stages import common, streams
from imbnas.stages.streams import STREAMS, side_by_side


class FakeStream:
    """Stands in for a CUDA stream, which it is entered as."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that seems to have a GPU."""
    monkeypatch.setattr(streams, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "Stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)


def noting(seen: list[int], name: int) -> Callable[[], None]:
    return lambda: seen.append(name)


def test_a_processor_takes_one_after_the_other() -> None:
    seen: list[tuple[int, int]] = []
    side_by_side([lambda i=i: seen.append((i, common.SHARED.get())) for i in range(3)])
    assert seen == [(0, 1), (1, 1), (2, 1)]


def test_a_gpu_takes_several_at_once(gpu: None) -> None:
    """Each waits for the others, so that they would stand still for ever one after the other."""
    together, shared = threading.Barrier(STREAMS, timeout=20), []

    def job() -> None:
        together.wait()
        shared.append(common.SHARED.get())

    side_by_side([job] * (2 * STREAMS))
    assert shared == [STREAMS] * (2 * STREAMS)
    assert common.SHARED.get() == 1


def test_what_fails_stops_no_other_and_is_told(gpu: None) -> None:
    seen: list[int] = []

    def fault() -> None:
        raise ValueError("a bad path")

    with pytest.raises(ValueError, match="a bad path"):
        side_by_side([fault, lambda: time.sleep(0.1), noting(seen, 1), noting(seen, 2)])
    assert sorted(seen) == [1, 2]
