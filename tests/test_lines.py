"""The line to type for a missing record: by hand, and held against the chapters' own parameters."""

import shlex
from pathlib import Path

import nbformat
import pytest

from imbnas.lines import CHAPTER, line
from imbnas.stages import Run

ROOT = Path(__file__).parents[1]
PAPERMILL = "python -m papermill book/"


def test_what_the_profile_says_is_left_out() -> None:
    assert (
        line("supernet", Run("smoke", seed=2))
        == f"{PAPERMILL}04-super-network.ipynb run.ipynb -p profile smoke -p seed 2"
    )


def test_what_differs_from_the_profile_is_named() -> None:
    run = Run("laptop", source="my cats", space="cell3-c4-n1", split_seed=1, out="elsewhere")
    assert line("P1-random", run, procedure="P1-random", target="balance") == (
        f"{PAPERMILL}07-p1.ipynb run.ipynb -p profile laptop -p source 'my cats' -p space cell3-c4-n1 "
        "-p split_seed 1 -p out elsewhere -p procedure P1-random -p target balance -p seed 0"
    )


@pytest.mark.parametrize("stage", ["supernet", "P0", "control", "P1", "P1-random", "P2", "P3"])
def test_the_chapter_knows_every_parameter_that_is_named(stage: str) -> None:
    beside = {"procedure": stage} if stage in ("control", "P1-random") else {}
    run = Run("smoke", "a", "b", "balance", "cell3-c4-n1", 1, 1, "elsewhere")
    words = shlex.split(line(stage, run, **beside, target=run.target))
    cells = nbformat.read(ROOT / words[3], as_version=4).cells
    namespace: dict[str, object] = {}
    exec(next(cell.source for cell in cells if cell.id == "parameters"), namespace)
    named = [words[i + 1] for i, word in enumerate(words) if word == "-p"]
    assert len(named) >= 8 and set(named) <= set(namespace)


def test_every_chapter_is_there() -> None:
    assert [name for name in CHAPTER.values() if not (ROOT / "book" / f"{name}.ipynb").exists()] == []
