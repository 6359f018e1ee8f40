"""Chapters of a record run share a process, as streams side by side."""

import json
import tarfile
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill.cli
import pytest
import record_plan
from machine import Machine, leaving, only_part, step
from nbformat.v4 import new_code_cell, new_notebook
from packing.steps import chapter_step
from project import ROOT
from record.slice import Slice
from record.steps import as_chapter, is_chapter

# In a chapter's place: leaves the record of what it is given, but not for "bad" and "slow".
PARAMETERS = "target = ''\npath = None\nprocedure = ''\nout = ''\nmax_seconds = None"
STAGE = """
import os, pathlib
given = [str(value) for value in (target, path, procedure) if value not in ('', None)]
work = pathlib.Path(out).parent
with open(work / "calls", "a") as file:
    print(os.getpid(), *given, file=file)
if procedure == "bad":
    raise ValueError("no such procedure: bad")
if procedure != "slow":
    pathlib.Path(out).mkdir(exist_ok=True)
    (pathlib.Path(out) / ("-".join(given) + ".json")).write_text("{}")
"""


def stage(chapter: str = "ranking", **given: Any) -> dict[str, Any]:
    """A step that runs a chapter."""
    record = Path("results") / ("-".join(map(str, given.values())) + ".json")
    return chapter_step("p", chapter, record, "results", given, [], [])


def paths(count: int, **given: Any) -> list[dict[str, Any]]:
    return [stage(**given, path=number) for number in range(count)]


class TestStreams:
    @pytest.fixture(autouse=True)
    def stand_in(self, machine: Machine) -> None:
        code = machine.work / "code"
        (code / "imbnas").symlink_to(ROOT / "imbnas")
        (code / "book").mkdir()
        self.chapters(machine, STAGE)
        machine.explains()

    def chapters(self, machine: Machine, stage: str) -> None:
        notebook = new_notebook(
            cells=[new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(stage)]
        )
        for name in ("10-table-2", "12-ranking"):
            nbformat.write(notebook, machine.work / "code" / "book" / f"{name}.ipynb")

    def came_back(self, machine: Machine) -> set[str]:
        """The files of the slice."""
        with tarfile.open(only_part(machine.out)) as tar:
            names = [Path(name).name for name in tar.getnames()]
        assert len(names) == len(set(names))
        return set(names)

    def calls(self, machine: Machine) -> list[list[str]]:
        """The process, and the parameters, of every stage, in their order."""
        return [line.split() for line in (machine.work / "calls").read_text().splitlines()]

    def test_chapters_share_one_process_each_after_what_it_needs(self, machine: Machine) -> None:
        first, second = stage("retrain", target="t", procedure="P1"), stage(target="t", path=0)
        second["needs"] = [first["leaves"]]
        machine.plan(first, second, *paths(2))
        assert list(machine.slice("--streams", "3").values()) == ["finished"] * 4
        calls = self.calls(machine)
        assert len({process for process, *_ in calls}) == 1
        assert [given for _, *given in calls] == [["t", "P1"], ["t", "0"], ["0"], ["1"]]
        assert self.came_back(machine) >= {"t-0.json", "t-P1.json", "0.json", "1.json"}

    def test_each_step_has_its_own_state_and_its_own_message(self, machine: Machine) -> None:
        machine.plan(*(stage(target="t", procedure=name) for name in ("P0", "bad", "P1", "slow")))
        assert list(machine.slice("--streams", "6").values()) == ["finished", "failed", "finished", "unfinished"]
        assert machine.said.returncode == 1 and len(self.calls(machine)) == 4
        assert machine.said.stdout.count("p t-bad: ValueError: no such procedure: bad") == 1
        assert self.came_back(machine) == {"t-P0.json", "t-P1.json", "t-P0.txt"}

    def test_what_needs_a_step_that_failed_is_not_run(self, machine: Machine) -> None:
        bad, good = stage(target="t", procedure="bad"), stage(target="t", procedure="P1")
        machine.plan(bad, good | {"needs": [bad["leaves"]]}, stage(target="t", procedure="P2"))
        assert list(machine.slice("--streams", "6").values()) == ["failed", "unfinished", "finished"]
        assert len(self.calls(machine)) == 2

    def test_the_next_slice_goes_on_with_what_is_unfinished(self, machine: Machine) -> None:
        machine.plan(*(stage(target="t", procedure=name) for name in ("P0", "slow", "P1", "slow-too")))
        assert list(machine.slice("--streams", "6", "--only", "t-P", "t-slow.").values())[0] == "finished"
        self.chapters(machine, STAGE.replace('!= "slow"', '!= ""'))
        states = list(machine.slice("--streams", "6").values())
        assert states == ["finished before", "finished", "finished before", "finished"]

    def test_a_process_that_cannot_begin_has_failed_with_all_its_steps(self, machine: Machine) -> None:
        (machine.work / "code" / "imbnas").unlink()
        (machine.work / "code" / "imbnas.py").write_text("raise ImportError('no such library')")
        machine.plan(*paths(2))
        assert list(machine.slice("--streams", "6").values()) == ["failed", "failed"]
        assert "no such library" in machine.said.stdout

    def test_what_runs_alone_parts_what_is_before_it_from_what_follows(self, machine: Machine) -> None:
        first, second, third, fourth = paths(4)
        speed = step("speed", "(work / 'runs/speed.txt').write_text('fast')", alone=True)
        machine.plan(first, second, speed, third, fourth)
        assert list(machine.slice("--streams", "6").values()) == ["finished"] * 5
        one, same, other, too = (process for process, *_ in self.calls(machine))
        assert one == same != other == too
        told = [line.split()[-1] for line in machine.said.stdout.splitlines()[:5]]
        assert told == ["0", "1", "speed", "2", "3"]

    def test_no_time_is_given_to_what_begins_too_late(self, machine: Machine) -> None:
        machine.edit("slice.py", "START = 10", "START = 0")
        self.chapters(machine, STAGE + "import time; time.sleep(max_seconds if path == 0 else 0)")
        machine.plan(*paths(3))
        assert list(machine.slice("--streams", "2", "--seconds", "12").values())[1:] == ["unfinished"] * 2
        assert len(self.calls(machine)) == 1

    def test_what_a_process_leaves_is_collected_while_it_runs(self, machine: Machine) -> None:
        """So that it is taken back even where the machine ends before the process does."""
        self.chapters(machine, STAGE + "import time; time.sleep(60 * (procedure == 'slow'))")
        part = Slice([stage(procedure=name) for name in ("P0", "slow")], machine.work, 60, 1, time.monotonic(), 2)
        part.fill()
        try:
            while not (told := part.collect()):
                time.sleep(0.05)
            assert [(step["name"], state) for step, state in told] == [("p P0", "finished")]
            assert part.collect() == []
            assert len(part.running) == 1
        finally:
            part.kill()
        assert [(step["name"], state) for step, state in part.collect()] == [("p slow", "unfinished")]

    def test_one_chapter_a_process_is_papermills(self, machine: Machine) -> None:
        first, second = paths(2)
        (machine.work / "runs").mkdir()
        for streams, module in ((1, "papermill"), (2, "imbnas.stages.together")):
            part = Slice([first, second], machine.work, 60, 1, time.monotonic(), streams)
            assert part.along(first) == [first, second][:streams] and part.command([first])[1] == module


class TestChapter:
    def test_lines_of_python_and_measurements_share_no_process(self) -> None:
        assert not is_chapter(leaving("a")) and not is_chapter(stage(path=0) | {"alone": True})
        assert is_chapter(stage(path=0))

    def test_what_it_is_told_is_what_papermill_would_be(self, tmp_path: Path) -> None:
        told = as_chapter(
            stage("retrain", target="exp-0.01", seed=1, procedure="P1") | {"needs": ["a/b.json"]}, tmp_path
        )
        assert told == {
            "name": "p exp-0.01-1-P1",
            "notebook": "book/10-table-2.ipynb",
            "parameters": {"out": str(tmp_path / "results"), "target": "exp-0.01", "seed": 1, "procedure": "P1"},
            "leaves": str(tmp_path / "results/exp-0.01-1-P1.json"),
            "needs": [str(tmp_path / "a/b.json")],
        }
        json.dumps(told)

    @pytest.mark.parametrize("word", ["0", "12", *record_plan.PUBLISHED, 'say "so": [a]', "None", "0.5", "P1"])
    def test_values_are_what_papermill_would_have_read(self, word: str, tmp_path: Path) -> None:
        assert as_chapter(stage(path=word), tmp_path)["parameters"]["path"] == papermill.cli._resolve_type(word)
