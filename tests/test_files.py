import errno
import os

import numpy as np
import pytest
import torch

from imbnas import records
from imbnas.data.arrays import write_npz
from imbnas.files import whole
from imbnas.training.checkpoint import save_tensors

WRITERS = {
    "text": lambda path: records.write_text(path, "new"),
    "tensors": lambda path: save_tensors(path, {"a": torch.ones(2)}, {}),
    "arrays": lambda path: write_npz(path, {"a": np.ones(2)}),
}


def test_a_file_takes_its_place_when_the_block_ends(tmp_path):
    path = tmp_path / "new folder" / "file"
    with whole(path) as file:
        file.write("ß".encode())
        assert not path.exists()
    assert path.read_bytes() == b"\xc3\x9f"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("write", WRITERS.values(), ids=list(WRITERS))
def test_a_full_disk_leaves_the_file_that_was_and_nothing_beside_it(tmp_path, monkeypatch, write):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("file", "old")]


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "file") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with whole(path) as one, whole(path) as other:
        one.write(b"first")
        other.write(b"second, longer")
    assert path.read_bytes() == b"first"  # the outer block ends last


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    records.write_text(tmp_path / "file", "τ\n")
    assert (tmp_path / "file").read_bytes() == b"\xcf\x84\n"
