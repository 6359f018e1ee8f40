"""Chapters' stages in one process: what runs of a chapter, in which order, and what is said of what fails."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from project import ROOT

from imbnas import records
from imbnas.stages.together import Outcome, Step, jobs_of, run_chapter, together
from imbnas.training import Unfinished

STAGE = "import pathlib\nif word == 'bad':\n    raise ValueError('no such word')\npathlib.Path(out).write_text(word)"


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    """A notebook whose stage writes a word to a file; the cell after it must not run."""
    cells = [new_markdown_cell("# Title"), new_code_cell("word, out, max_seconds = 'none', '', None")]
    cells += [new_code_cell(STAGE), new_code_cell("1 / 0")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "chapter.ipynb")
    return tmp_path / "chapter.ipynb"


def steps_of(chapter: Path, *words: str, needs: dict[str, list[str]] | None = None) -> list[Step]:
    """A step for each word; needs: of some, the words whose files must be there."""

    def file(word: str) -> str:
        return str(chapter.parent / f"{word}.txt")

    def step(word: str) -> Step:
        before = [file(need) for need in (needs or {}).get(word, [])]
        return Step(word, str(chapter), {"word": word, "out": file(word)}, file(word), before)

    return [step(word) for word in words]


def run(chapter: Path, steps: list[Step], **options: Any) -> Outcome:
    return together(steps, report=chapter.parent / "steps.failed.json", **options)


def test_a_chapter_is_its_parameters_those_given_and_its_stage(chapter: Path) -> None:
    run_chapter(chapter, {"out": str(chapter.parent / "a.txt")})
    run_chapter(chapter, {"out": str(chapter.parent / "b.txt"), "word": "b"})
    assert [(chapter.parent / f"{name}.txt").read_text() for name in "ab"] == ["none", "b"]


def test_a_step_waits_for_what_it_needs_and_a_finished_one_is_not_run(chapter: Path) -> None:
    (chapter.parent / "there.txt").write_text("before")
    steps = steps_of(chapter, "a", "b", "there", "orphan", needs={"b": ["a", "there"], "orphan": ["nobody"]})
    assert [(job.name, job.needs) for job in jobs_of(steps, None, lambda *_: None)] == [
        (steps[0].leaves, ()),
        (steps[1].leaves, (steps[0].leaves,)),
    ]
    assert run(chapter, steps) == (2, 0, 1)
    assert {file.stem: file.read_text() for file in chapter.parent.glob("*.txt")} == {
        "a": "a",
        "b": "b",
        "there": "before",
    }


def test_what_fails_is_named_and_stops_only_what_needs_it(chapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run(
        chapter, steps_of(chapter, "bad", "after", "good", "orphan", needs={"after": ["bad"], "orphan": ["x"]})
    )
    assert outcome == (1, 1, 2)
    assert {file.stem for file in chapter.parent.glob("*.txt")} == {"good"}
    said = capsys.readouterr().out
    assert "bad: ValueError: no such word" in said and "not run: orphan needs" in said
    report = json.loads((chapter.parent / "steps.failed.json").read_text())
    assert report == {str(chapter.parent / "bad.txt"): "bad: ValueError: no such word"}
    assert run(chapter, steps_of(chapter, "good")) == (0, 0, 0)


def test_without_time_nothing_begins_and_nothing_has_failed(chapter: Path) -> None:
    steps = steps_of(chapter, "a", "b", needs={"b": ["a"]})
    assert run(chapter, steps, seconds=0.5) == (0, 0, 2)
    assert not list(chapter.parent.glob("*.txt"))
    (job, _) = jobs_of(steps, 0.5, lambda *_: None)
    with pytest.raises(Unfinished, match="a left nothing yet"):
        job.do()


@pytest.mark.slow
def test_a_column_of_the_table_from_its_one_line(tmp_path: Path) -> None:
    """Its records are those of the chapters run one by one, and none is made twice."""
    command = [sys.executable, "tools/column.py", "smoke", "exp-0.01", "--out", str(tmp_path / "results")]
    for _ in range(2):
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert said.returncode == 0, said.stdout + said.stderr
    found = records.read(tmp_path / "results")
    names = sorted(Path(record["file"]).stem for record in found)
    searches = ["search-P0-s0", *(f"search-P{i}-exp-0.01-s0" for i in (1, 2, 3))]
    assert names == [*(f"retrain-P{i}-exp-0.01-s0" for i in range(4)), *searches, "supernet-s0"]
    assert "written" not in said.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["smok", "exp-0.01"], 'profile is "smok"'),
        (["smoke", "exp"], "exp"),
        (["smoke", "balance", "--seed", "x"], "'x'"),
    ],
)
def test_a_column_that_cannot_be_is_refused(words: list[str], told: str) -> None:
    said = subprocess.run([sys.executable, "tools/column.py", *words], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode and told in said.stderr and "Traceback" not in said.stderr
