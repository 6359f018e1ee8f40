"""Steps of a record run that are alike share a process, as streams side by side."""

import json
import tarfile
import time
from pathlib import Path
from typing import Any

import papermill.cli
import pytest
import record_plan
import yaml
from machine import Machine, leaving, only_part
from packing.grid import Grid
from packing.steps import chapter_step
from record.slice import Slice
from record.steps import bundle, joint_command

# In papermill's place: leaves a record for all choices of the lists that it is given, but not for "bad" and "slow".
PAPERMILL = """
import itertools, json, pathlib, sys
words, given = sys.argv[1:], {}
while words[0].startswith("-"):
    if words[0] == "-p":
        given[words[1]], words = words[2], words[3:]
    elif words[0] == "-y":
        name, _, values = words[1].partition(": ")
        given[name], words = json.loads(values), words[2:]
    else:
        words = words[1:]
out, seconds = pathlib.Path(given.pop("out")), int(given.pop("max_seconds"))
with open(out.parent / "calls", "a") as file:
    print(json.dumps([given, words[0], pathlib.Path(words[1]).stem]), file=file)
out.mkdir(exist_ok=True)
lists = [values if isinstance(values, list) else [values] for values in given.values()]
for chosen in itertools.product(*lists):
    if not {"bad", "slow"} & set(chosen):
        (out / ("-".join(map(str, chosen)) + ".json")).write_text("{}")
if any("bad" in values for values in lists):
    sys.exit("no such procedure: bad")
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
        (machine.work / "code" / "papermill.py").write_text(PAPERMILL)
        machine.explains()

    def came_back(self, machine: Machine) -> set[str]:
        """The files of the slice."""
        with tarfile.open(only_part(machine.out)) as tar:
            names = [Path(name).name for name in tar.getnames()]
        assert len(names) == len(set(names))
        return set(names)

    def calls(self, machine: Machine) -> list[list[Any]]:
        """The parameters, the chapter and the notebook of every process, in their order."""
        return [json.loads(line) for line in (machine.work / "calls").read_text().splitlines()]

    def test_steps_that_differ_in_their_path_share_a_process(self, machine: Machine) -> None:
        machine.plan(*paths(5, target="exp-0.01"))
        states = machine.slice("--streams", "3")
        assert list(states.values()) == ["finished"] * 5
        (first, _, notebook), (second, *_) = self.calls(machine)
        assert first == {"target": "exp-0.01", "path": [0, 1, 2]} and notebook == "exp-0.01-0"
        assert second == {"target": "exp-0.01", "path": [3, 4]}
        told = [line.split()[-1] for line in machine.said.stdout.splitlines()[:5]]
        assert told == [f"exp-0.01-{number}" for number in range(5)]
        records = {f"exp-0.01-{number}.json" for number in range(5)}
        assert self.came_back(machine) == records | {"exp-0.01-0.txt", "exp-0.01-3.txt"}

    def test_steps_that_differ_in_their_procedure_share_a_process(self, machine: Machine) -> None:
        machine.plan(*(stage("retrain", target="t", procedure=name) for name in ("resnet32-ce", "resnet32-drw")))
        machine.slice("--streams", "6")
        ((given, chapter, _),) = self.calls(machine)
        assert given == {"target": "t", "procedure": ["resnet32-ce", "resnet32-drw"]} and "10-" in chapter

    def test_by_default_each_step_has_a_process_and_its_own_log(self, machine: Machine) -> None:
        machine.plan(*paths(2))
        assert list(machine.slice().values()) == ["finished"] * 2
        assert [given for given, *_ in self.calls(machine)] == [{"path": "0"}, {"path": "1"}]
        assert (machine.work / "runs" / "1.txt").exists()

    def test_each_step_has_its_own_state_and_a_failure_is_told_from_the_log_of_all(self, machine: Machine) -> None:
        machine.plan(*(stage(target="t", procedure=name) for name in ("P0", "bad", "P1")))
        states = machine.slice("--streams", "6")
        assert list(states.values()) == ["finished", "failed", "finished"]
        assert machine.said.returncode == 1 and len(self.calls(machine)) == 1
        assert machine.said.stdout.count("t-P0: no such procedure: bad") == 1
        assert self.came_back(machine) == {"t-P0.json", "t-P1.json", "t-P0.txt"}

    def test_what_is_unfinished_goes_on_alone(self, machine: Machine) -> None:
        machine.plan(*(stage(target="t", procedure=name) for name in ("P0", "slow", "P1")))
        assert list(machine.slice("--streams", "6").values()) == ["finished", "unfinished", "finished"]
        assert list(machine.slice("--streams", "6").values()) == ["finished before", "unfinished", "finished before"]
        assert self.calls(machine)[1][0] == {"target": "t", "procedure": "slow"}
        assert self.came_back(machine) >= {"t-slow.txt"}

    def test_what_needs_a_record_of_a_bundle_waits_for_it(self, machine: Machine) -> None:
        first, second, third = paths(3)
        machine.plan(first, second | {"needs": [first["leaves"]]}, third)
        machine.slice("--streams", "3")
        assert [given["path"] for given, *_ in self.calls(machine)] == [[0, 2], "1"]

    def test_only_what_is_named_is_taken_along(self, machine: Machine) -> None:
        machine.plan(*paths(3))
        assert list(machine.slice("--streams", "3", "--only", "0", "2").values())[1] == "not chosen"
        assert [given["path"] for given, *_ in self.calls(machine)] == [[0, 2]]

    def test_at_once_counts_processes(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        started: list[list[str]] = []

        def start(part: Slice, steps: list[dict[str, Any]]) -> None:
            started.append([step["leaves"] for step in steps])
            part.states |= dict.fromkeys(started[-1], "running")
            part.running[started[-1][0]] = steps, None

        monkeypatch.setattr(Slice, "start", start)
        Slice(paths(7), machine.work, 60, 2, time.monotonic(), 3).fill()
        assert [len(leaves) for leaves in started] == [3, 3]

    def test_what_a_bundle_leaves_is_collected_while_it_runs(self, machine: Machine) -> None:
        """So that it is taken back even where the machine ends before the process does."""
        (machine.work / "code" / "papermill.py").write_text(PAPERMILL + "import time; time.sleep(60)")
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

    def test_what_does_not_stop_is_killed_as_a_whole(self, machine: Machine) -> None:
        """What one of its steps has left by then counts."""
        (machine.work / "code" / "papermill.py").write_text(PAPERMILL + "import time; time.sleep(60)")
        steps = [stage(procedure=name) for name in ("P0", "slow")]
        part = Slice(steps, machine.work, 60, 1, time.monotonic(), 2)
        part.fill()
        while not (machine.work / "results" / "P0.json").exists():
            time.sleep(0.05)
        part.kill()
        assert [state for _, state in part.collect()] == ["finished", "unfinished"]


class TestBundle:
    def names(self, steps: list[dict[str, Any]], most: int = 6) -> list[str]:
        return [Path(step["leaves"]).stem for step in bundle(steps, most)]

    def test_not_across_two_parameters(self) -> None:
        first, other = stage(target="a", path=0), stage(target="b", path=1)
        assert self.names([first, other]) == ["a-0"]
        assert self.names([first, other, stage(target="a", path=1), stage(target="b", path=0)]) == ["a-0", "a-1"]

    def test_the_largest_and_on_ties_the_first_found(self) -> None:
        first, path, *targets = (stage(target=t, path=n) for t, n in ("a0", "a1", "b0", "c0"))
        assert self.names([first, path, *targets]) == ["a-0", "b-0", "c-0"]
        assert self.names([first, path, *targets], 2) == ["a-0", "a-1"]

    def test_only_the_five_parameters_of_one_chapter(self) -> None:
        first = stage(arm="a", seed=0)
        assert self.names([first, stage(arm="b", seed=0), stage("validity", arm="a", seed=1)]) == ["a-0"]
        assert self.names([first, stage(arm="a"), stage(arm="a", seed=1, procedure="P1")]) == ["a-0"]
        assert self.names([first, stage(arm="a", seed=1)]) == ["a-0", "a-1"]

    def test_what_runs_alone_takes_nothing_along_and_is_not_taken(self) -> None:
        first, second, third = paths(3)
        assert self.names([first, second | {"alone": True}, third]) == ["0", "2"]
        assert self.names([first | {"alone": True}, second, third]) == ["0"]

    def test_steps_of_no_chapter_stay_single(self) -> None:
        assert self.names([leaving("a"), leaving("b")]) == ["a"]

    def test_three_draws_of_the_images(self) -> None:
        """Each draw has a folder of its own, which the chapter finds by itself."""
        draws = [Grid("paper", split_seed=n).baseline(0, "resnet32-ce", "exp-0.01") for n in (0, 1, 2)]
        assert bundle(draws, 6) == draws
        command = joint_command(draws)
        assert command[command.index("-y") + 1] == "split_seed: [0, 1, 2]" and "split_seed" not in command
        assert command[-2:] == draws[0]["command"][-2:]

    @pytest.mark.parametrize("words", [("0", "12"), (*record_plan.PUBLISHED, 'say "so": [a]'), ("None", "0.5", "P1")])
    def test_values_are_what_papermill_would_have_read(self, words: tuple[str, ...]) -> None:
        command = joint_command([stage(path=word) for word in words])
        given = yaml.safe_load(command[command.index("-y") + 1])["path"]
        assert given == [papermill.cli._resolve_type(word) for word in words]
