"""A record run on another machine: the order, what travels there, what comes back, and what is refused."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import papermill.cli
import pytest
import record_merge
import record_pack
import record_plan
import torch
import yaml
from record.files import pack, sha256, unpack
from record.leave import PARTS, cut, leave, unfinished_work
from record.slice import Slice
from record.steps import bundle, joint_command
from record.take_in import NEEDED, RunFailed, refuse_without

from imbnas import names, records
from imbnas.benchmark import nasbench201
from imbnas.evidence import probes
from imbnas.space import parse_space
from imbnas.stages.validity import arm_called, work_folder
from imbnas.training import save_tensors

PLACE = "results/paper/cifar10-cifar100/cell3-c32-n1"


class TestPlan:
    steps = record_plan.by_value("paper", [0, 1])

    def names(self) -> list[str]:
        """The records of the grid and its comparisons."""
        return [name for name in self.own() if not name.startswith(("path", "scores", "gate"))]

    def own(self) -> list[str]:
        """All records of the profile in its own space."""
        return [Path(step["leaves"]).stem for step in self.steps if step["leaves"].startswith(f"{PLACE}/")]

    def order(self) -> list[str]:
        """Where all records are left, in their order."""
        return [step["leaves"].removesuffix(".json") for step in self.steps]

    def test_the_most_valuable_comes_first(self) -> None:
        names = self.names()
        assert names[:5] == [
            "supernet-s0",
            "search-P0-s0",
            "retrain-P0-exp-0.01-s0",
            "search-P1-exp-0.01-s0",
            "retrain-P1-exp-0.01-s0",
        ]
        in_order = ["exp-0.01-s0", "step-0.01-s0", "exp-0.1-s0", "balance-s0"]
        firsts = [names.index(f"retrain-P0-{end}") for end in in_order]
        milestones = [*firsts, names.index("baseline-resnet32-ce-exp-0.01-s0"), names.index("supernet-s1")]
        assert milestones == sorted(milestones)

    def test_a_seed_is_the_grid_with_its_comparisons(self) -> None:
        assert len(self.names()) == len(set(self.names())) == 2 * (30 + 8 + 4 + 8 + 8)

    def test_what_can_be_trusted_is_known_before_the_second_seed(self) -> None:
        order = self.order()
        early = [f"{PLACE}/{name}" for name in ("retrain-P3-balance-s0", "baseline-resnet32-drw-balance-s0")]
        early += [f"{PLACE}/{name}" for name in ("path-23-exp-0.01-s0", "scores-P3-exp-0.01-s0", "gate-exp-0.01-s0")]
        early += ["results/validity/paper-s0", "results/probes/paper-P1-balance-s0"]
        early += [PLACE.replace("paper", "paper-float32") + "/retrain-largest-exp-0.01-s0"]
        early += [f"results/nasbench201/cifar10-cifar10/cell1-c16-n5/named-ce-{cell}-balance-s0"
                  for cell in ("333333", "303101", "111111")]  # fmt: skip
        assert set(early) <= set(order[: order.index(f"{PLACE}/supernet-s1")])
        first, last = (order.index(f"{PLACE}/{name}") for name in ("path-00-step-0.01-s0", "path-24-exp-0.01-s0"))
        assert order.index(f"{PLACE}/retrain-P3-balance-s1") < first < last

    def test_all_paths_on_all_targets_and_every_procedures_scores(self) -> None:
        own = self.own()
        for target in record_plan.TARGETS:
            paths = [name for name in own if name.startswith("path") and f"-{target}-s" in name]
            assert len(paths) == 48 + 6 and f"path-05-{target}-s1" in paths and f"path-47-{target}-s0" in paths
            scores = [name for name in own if name.startswith("scores") and f"-{target}-s" in name]
            assert len(scores) == 2 * 7  # seven procedures look at the target, two at the source alone
        assert len([name for name in own if re.fullmatch(r"scores-P0(-tracked)?-s[01]", name)]) == 4
        few = [Path(step["leaves"]).name for step in record_plan.by_value("paper", [0], again=3, paths=12)]
        assert len([name for name in few if name.startswith("path-") and "step-0.01" in name]) == 12 + 3

    def test_the_cells_of_the_benchmark_meet_the_long_tail_with_both_losses(self) -> None:
        place = "results/nasbench201/cifar10-cifar100/cell1-c16-n5"
        found = [Path(name).name for name in self.order() if name.startswith(place)]
        for loss in ("named-ce", "named-drw"):
            assert len({name for name in found if name.startswith(loss) and name.endswith("exp-0.01-s0")}) == 48
        assert len(found) == 2 * 48
        (one,) = (step for step in self.steps if step["leaves"] == f"{place}/{found[0]}.json")
        given = one["command"]
        values = {given[i + 1]: given[i + 2] for i, word in enumerate(given) if word == "-p"}
        assert (values["target_data"], values["procedure"]) == ("cifar100", "named-ce")
        path = parse_space("cell1-c16-n5").from_string(values["path"])
        assert "".join(map(str, path)) in found[0] and one["needs"] == ["data/cifar100.npz"]

    def test_the_three_cells_are_the_published_ones(self) -> None:
        table = nasbench201()["cifar10"]
        assert [round(table[cell], 2) for cell in record_plan.PUBLISHED] == [93.76, 93.91, 54.3]

    def test_the_studies_come_last_and_are_those_of_the_goal(self) -> None:
        order = self.order()
        names = {"-".join(filter(None, key)) for key in probes.PROBES}
        for seed in (0, 1):
            study = [name for name in order if re.match(rf"results/(truth|probes)/(?!paper).*-s{seed}$", name)]
            assert {Path(name).name.removesuffix(f"-s{seed}") for name in study} == names
        committed = {"/".join(Path(record["file"]).with_suffix("").parts[-3:]) for record in probes.read()}
        assert committed and {name for name in committed if name.endswith("-s0")} <= set(order)
        assert order[-1].endswith("-s1") and order[-1].startswith("results/probes/")

    def test_unfinished_work_of_a_study_is_found_in_its_folder(self, tmp_path: Path) -> None:
        arm = arm_called("paper")
        own = work_folder(arm, 0, tmp_path / "results") / "training.safetensors"
        other = work_folder(arm, 1, tmp_path / "results") / "training.safetensors"
        for file in (own, other):
            file.parent.mkdir(parents=True)
            file.write_text("weights")
        assert unfinished_work(tmp_path, [record_plan.arm("paper", 0)]) == [own]

    def test_resnet32_is_trained_on_three_draws_of_the_images(self) -> None:
        """Published accuracies are held against their mean; every draw has a folder of its own."""
        files = [step["leaves"] for step in self.steps if "baseline-resnet32-drw-exp-0.01-s0" in step["leaves"]]
        assert [Path(file).parent.name for file in files if not file.startswith("trial")] == [
            "cell3-c32-n1", "cell3-c32-n1-split1", "cell3-c32-n1-split2",
        ]  # fmt: skip
        for step in self.steps:
            given = step["command"]
            split = given[given.index("split_seed") + 1] if "split_seed" in given else "0"
            assert step["leaves"].split("/")[-2].endswith(f"-split{split}") == (split != "0")

    def test_whatever_a_step_needs_was_left_before_or_is_data(self) -> None:
        there = {"data/cifar10.npz", "data/cifar100.npz"}
        for step in self.steps:
            assert set(step["needs"]) <= there
            there.add(step["leaves"])

    def test_every_stage_is_tried_first_and_beside_the_records(self) -> None:
        in_trial = [step["leaves"].startswith("trial/results/smoke") for step in self.steps]
        assert in_trial == sorted(in_trial, reverse=True) and any(in_trial)

        def kinds(trial: bool) -> set[str]:
            """Of what belongs to a profile: a study has no smaller size than its own."""
            steps = zip(self.steps, in_trial, strict=True)
            left = [Path(step["leaves"]) for step, tried in steps if tried is trial]
            studies = ("validity", "sources", "truth", "probes")
            return {file.name.split("-")[0] for file in left if file.parent.name not in studies}

        assert kinds(True) == kinds(False) - {"speed.txt"}

    def test_a_profile_without_cifar_has_nothing_that_needs_it(self) -> None:
        """What would wait for data that no pack brings is not in the plan."""
        steps = record_plan.by_value("smoke", [0])
        assert all(not need.startswith("data/") for step in steps for need in step["needs"])

    def test_names_are_those_of_everywhere(self) -> None:
        """Targets in an order of their own; what is compared and adapted as Table 2 has it."""
        assert sorted(record_plan.TARGETS) == sorted(names.TARGETS)
        assert record_plan.ADAPTED == ("P1", "P2", "P3") and record_plan.COMPARED == ("control", "P1-random")

    def test_stages_of_an_unwritten_chapter_are_left_out(self) -> None:
        written = {"command": ["-m", "papermill", "book/06-p0.ipynb"]}
        assert record_plan.can_run(written)
        assert not record_plan.can_run({"command": ["-m", "papermill", "book/99-unwritten.ipynb"]})

    def test_the_trial_of_smoke_is_part_of_its_grid(self) -> None:
        assert not any(step["leaves"].startswith("trial") for step in record_plan.by_value("smoke", [0]))


def step(name: str, code: str, **more: Any) -> dict[str, Any]:
    """A step that is a line of Python; `work` is the folder that it may write to."""
    prelude = "import pathlib, sys, time; work = pathlib.Path(r'{work}'); (work / 'runs').mkdir(exist_ok=True); "
    defaults = {"leaves": f"runs/{name}.txt", "needs": [], "work": [], "log": f"runs/{name}.log"}
    return {"name": name, "command": ["-c", prelude + code]} | defaults | more


def leaving(name: str, **more: Any) -> dict[str, Any]:
    return step(
        name, f"(work / 'runs/{name}.txt').write_text('done'); open(work / 'order', 'a').write('{name} ')", **more
    )


class Machine:
    """A pack and a work folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.pack, self.work, self.out = folder / "pack", folder / "work", folder / "out"
        self.pack.mkdir(parents=True)
        (self.work / "code").mkdir(parents=True)
        record_pack.pack_script(self.pack)
        self.needs("json")  # for lines of Python, which the steps here are

    def needs(self, modules: str) -> None:
        """Have steps there that import these modules."""
        self.edit("take_in.py", r'NEEDED = ".*"', f'NEEDED = "{modules}"')

    def edit(self, module: str, pattern: str, line: str) -> None:
        """Replace the beginning of one line, which the pattern matches, in a module of the script there."""
        file = self.pack / "record" / module
        text, changed = re.subn(f"^{pattern}", line, file.read_text(), flags=re.M)
        assert changed == 1
        file.write_text(text)

    def explains(self) -> None:
        """Have the tool there that says why a step failed."""
        tool = self.work / "code" / "tools" / "why.py"
        tool.parent.mkdir()
        tool.write_text((record_pack.ROOT / "tools" / "why.py").read_text())

    def plan(self, *steps: dict[str, Any], data: dict[str, Any] | None = None, taken: Any = None) -> None:
        plan = {"profile": "paper", "data": data or {}, "taken": taken or {}, "steps": steps}
        (self.pack / "plan.json").write_text(json.dumps(plan))

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, self.pack / "run.py", *options, "--work", self.work]
        return subprocess.run(command, capture_output=True, text=True)

    def slice(self, *options: str) -> dict[str, str]:
        """How the steps of a slice ended."""
        self.said = self.run(str(self.out), *options)
        return json.loads((self.out / "slice.json").read_text())["states"]

    def end_once(self, file: Path) -> int:
        """Begin a slice and end it from outside as soon as a step has made `file`; its exit status."""
        running = subprocess.Popen([sys.executable, self.pack / "run.py", self.out, "--work", self.work])
        while not file.exists():
            time.sleep(0.05)
        running.terminate()
        return running.wait()


def only_part(out: Path) -> Path:
    """The part of a slice that has one."""
    (part,) = out.glob("slice.tar.*")
    return part


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class TestSlice:
    def test_steps_run_in_order_each_after_what_it_needs(self, machine: Machine) -> None:
        machine.plan(leaving("b", needs=["runs/a.txt"]), leaving("a"), leaving("c", needs=["data/none.npz"]))
        assert machine.slice() == {"b": "finished", "a": "finished", "c": "waiting"}
        assert (machine.work / "order").read_text() == "a b "
        assert machine.said.returncode == 0
        assert machine.slice() == {"b": "finished before", "a": "finished before", "c": "waiting"}

    def test_steps_run_side_by_side_but_a_measurement_runs_alone(self, machine: Machine) -> None:
        note = "print('{0}', file=open(work / 'order', 'a'))"
        meet = "(work / '{0}').touch(); [time.sleep(0.05) for _ in iter(lambda: (work / '{1}').exists(), True)]; "
        a, b = (step(name, meet.format(name, other) + note.format(name)) for name, other in ("ab", "ba"))
        speed = step("speed", f"{note.format('begin')}; time.sleep(0.5); {note.format('end')}", alone=True)
        machine.plan(a, b, speed, step("c", note.format("c")))
        machine.slice("--at-once", "3", "--seconds", "120")
        order = (machine.work / "order").read_text().split()
        assert sorted(order[:2]) == ["a", "b"] and order[2:] == ["begin", "end", "c"]

    @pytest.mark.parametrize(
        "option",
        [("--at-once", "0"), ("--streams", "0"), ("--seconds", "nan"), ("--seconds", "inf"), ("--seconds", "0")],
    )
    def test_options_that_would_run_nothing_are_refused(self, machine: Machine, option: tuple[str, str]) -> None:
        machine.plan(leaving("a"))
        said = self.refused(machine, 2, *option)
        assert f"argument {option[0]}: '{option[1]}'; expected" in said

    @pytest.mark.parametrize(
        ("plan", "what"),
        [
            ('{"st', "is damaged"),
            ("3", "is damaged"),
            ('{"profile": "paper"}', "lacks steps, taken, data"),
            ('{"steps": [], "taken": {}}', "lacks data"),
        ],
    )
    def test_a_damaged_plan_is_named(self, machine: Machine, plan: str, what: str) -> None:
        (machine.pack / "plan.json").write_text(plan)
        said = self.refused(machine, 1)
        assert said.startswith(f"{machine.pack / 'plan.json'} {what}") and len(said.splitlines()) == 1
        assert said.endswith("copy it again, or make the pack anew\n")

    def test_a_machine_that_cannot_run_the_stages_is_refused_each_time(self, machine: Machine) -> None:
        machine.plan(leaving("a"))
        machine.needs("json, nowhere")
        for _ in range(2):
            assert "this machine can't run the stages" in self.refused(machine, 1)
        assert machine.run().returncode == 0  # takes in what came along; more may follow

    def refused(self, machine: Machine, status: int, *options: str) -> str:
        """What a slice says that must not begin."""
        run = machine.run(str(machine.out), *options)
        assert run.returncode == status and not machine.out.exists()
        return run.stderr

    def test_a_failure_is_told_and_the_rest_goes_on(self, machine: Machine) -> None:
        machine.plan(step("bad", "raise SystemExit('no such target')"), leaving("good"))
        machine.explains()
        assert machine.slice() == {"bad": "failed", "good": "finished"}
        assert machine.said.returncode == 1
        assert "no such target" in machine.said.stdout and "no such target" in (machine.out / "log.txt").read_text()

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("SIGSEGV", f"ended by signal {signal.SIGSEGV:d} (SIGSEGV)"),
            ("SIGKILL", "ended by signal 9 (SIGKILL), as where memory runs out"),
        ],
    )
    def test_a_step_that_a_signal_ended_has_failed(self, machine: Machine, name: str, told: str) -> None:
        """Such as one that takes too much memory; what this run itself stops is unfinished."""
        code = f"import os, signal; print('begun', flush=True); os.kill(os.getpid(), signal.{name})"
        machine.plan(step("bad", code), leaving("good"))
        machine.explains()
        assert machine.slice() == {"bad": "failed", "good": "finished"}
        assert machine.said.returncode == 1
        assert f"bad: {told}\n" in machine.said.stdout and told in (machine.work / "runs" / "bad.log").read_text()

    def test_what_crashed_before_the_kill_has_failed(self, tmp_path: Path) -> None:
        (tmp_path / "code").mkdir()
        steps = [step("bad", "import os; os.abort()"), step("long", "time.sleep(60)")]
        part = Slice(steps, tmp_path, 60, 2, time.monotonic())
        part.fill()
        part.running["runs/bad.txt"][1].wait()
        part.kill()
        assert [state for _, state in part.collect()] == ["failed", "unfinished"]

    def test_unfinished_work_comes_back_and_a_fresh_machine_goes_on_from_it(
        self, machine: Machine, tmp_path: Path
    ) -> None:
        half = (
            "f = work / 'runs/half-1'; f.exists() and (work / 'runs/half.txt').write_text(''); f.write_text('weights')"
        )
        machine.plan(step("half", half, work=["runs/half-*"]))
        assert machine.slice() == {"half": "unfinished"}
        root = tmp_path / "project"
        assert record_merge.merge(machine.out, root) == []
        assert (root / "runs" / "half-1").read_text() == "weights"

        fresh = Machine(tmp_path / "fresh")
        fresh.plan(step("half", half, work=["runs/half-*"]))
        (fresh.work / "runs").mkdir()
        (fresh.work / "runs" / "half-1").write_bytes((root / "runs" / "half-1").read_bytes())
        assert fresh.slice() == {"half": "finished"}
        record_merge.merge(fresh.out, tmp_path / "again")
        assert {path.name for path in (tmp_path / "again" / "runs").iterdir()} == {"half.txt", "half.log"}

    def test_a_retraining_is_continued_from_its_own_checkpoint_alone(self, tmp_path: Path) -> None:
        for name in ("retrain-t-01-s0-x", "retrain-t-02-s0-x"):
            (tmp_path / name).write_text("")
        retraining = step("r", "", needs=["search-P1-s0.json"], work=["retrain-t-{network}-s0-*"])
        assert unfinished_work(tmp_path, [retraining]) == []
        (tmp_path / "search-P1-s0.json").write_text('{"results": {"best": {"path": "02"}}}')
        assert unfinished_work(tmp_path, [retraining]) == [tmp_path / "retrain-t-02-s0-x"]

    def test_a_file_that_is_being_written_is_no_unfinished_work(self, tmp_path: Path) -> None:
        """Nor is what a kill left half-written."""
        for name in ("training.safetensors", ".training.safetensors.1f"):
            (tmp_path / name).write_text("weights")
        assert unfinished_work(tmp_path, [step("a", "", work=["*"])]) == [tmp_path / "training.safetensors"]

    def test_unfinished_work_that_vanishes_is_left_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wherever it happens: a step removes its checkpoint once its record is there."""
        out, kept, gone = tmp_path / "out", tmp_path / "runs" / "a-1", tmp_path / "runs" / "a-2"
        out.mkdir()
        kept.parent.mkdir()
        kept.write_text("weights")
        (kept.parent / "a-3").symlink_to(gone)  # as listed, and gone at the next look
        plan = {"steps": [step("a", "", work=["runs/a-*"])], "taken": {}}
        assert unfinished_work(tmp_path, plan["steps"]) == [kept]
        pack(tmp_path / "archive", tmp_path, [gone, kept])
        with tarfile.open(tmp_path / "archive") as tar:
            assert tar.getnames() == ["runs/a-1"]
        monkeypatch.setattr("record.leave.unfinished_work", lambda *_: [gone, kept])
        leave(tmp_path, out, plan, {}, [], [])
        record_merge.merge(out, tmp_path / "project")
        assert [path.name for path in (tmp_path / "project" / "runs").iterdir()] == ["a-1"]

    def test_what_does_not_stop_is_killed(self, machine: Machine) -> None:
        machine.edit("slice.py", "GRACE = 20", "GRACE = 0.2")
        machine.edit("slice.py", "START = 10", "START = 0")
        machine.plan(step("long", "time.sleep(60)"))
        assert machine.slice("--seconds", "1") == {"long": "unfinished"}

    def test_what_was_killed_may_be_killed_again(self, tmp_path: Path) -> None:
        """As where a signal ends a slice between its kill and its next look."""
        (tmp_path / "code").mkdir()
        steps = [step(name, "time.sleep(60)") for name in ("one", "two")]
        part = Slice(steps, tmp_path, 60, 2, time.monotonic())
        part.fill()
        for _ in range(2):
            part.kill()
        assert [process.returncode for _, process in part.running.values()] == [-9, -9]

    def test_what_has_no_time_to_work_is_not_begun(self, machine: Machine) -> None:
        machine.plan(leaving("a"))
        assert machine.slice("--seconds", "5") == {"a": "waiting"}

    def test_a_second_slice_tells_its_own_failure(self, machine: Machine) -> None:
        told = "print('second' if (work / 'seen').exists() else 'first')"
        machine.plan(step("bad", f"{told}; (work / 'seen').touch(); sys.exit(1)"))
        for said in ("first", "second"):
            machine.slice()
            assert (machine.work / "runs" / "bad.log").read_text() == f"{said}\n"

    def test_what_is_ended_from_outside_leaves_its_checkpoint(self, machine: Machine, tmp_path: Path) -> None:
        machine.plan(
            step(
                "long",
                "(work / 'new').write_text('weights'); (work / 'new').rename(work / 'runs/long-1'); time.sleep(60)",
                work=["runs/long-*"],
            )
        )
        assert machine.end_once(machine.work / "runs" / "long-1") == 1
        record_merge.merge(machine.out, tmp_path / "project")
        assert (tmp_path / "project" / "runs" / "long-1").read_text() == "weights"

    @pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found through /proc")
    def test_a_kernel_in_a_session_of_its_own_is_stopped_too(self, machine: Machine) -> None:
        (machine.work / "kernel.py").write_text(
            "import pathlib, time; here = pathlib.Path(__file__).parent\n"
            "(here / 'begun').touch(); time.sleep(4); (here / 'outlived').touch()\n"
        )
        start = "subprocess.Popen([sys.executable, work / 'kernel.py'], start_new_session=True).wait()"
        machine.plan(step("long", f"import subprocess; {start}"))
        assert machine.end_once(machine.work / "begun") == 1
        time.sleep(4.5)
        assert not (machine.work / "outlived").exists()

    def test_nothing_outlives_a_slice_that_is_ended(self, machine: Machine) -> None:
        machine.plan(step("long", "(work / 'begun').touch(); time.sleep(5); (work / 'outlived').touch()"))
        assert machine.end_once(machine.work / "begun") == 1
        time.sleep(5)
        assert not (machine.work / "outlived").exists()

    def test_only_what_is_named(self, machine: Machine) -> None:
        machine.plan(leaving("a"), leaving("b"))
        assert machine.slice("--only", "b") == {"a": "not chosen", "b": "finished"}
        said = machine.run(str(machine.out), "--only", "z").stderr
        assert said == "no step begins with z; the plan has a, b\n"

    def test_the_trial_stays_where_it_is(self, machine: Machine, tmp_path: Path) -> None:
        leaving_it = "p = work / 'trial/t.txt'; p.parent.mkdir(exist_ok=True); p.write_text('')"
        machine.plan(step("t", leaving_it, leaves="trial/t.txt", log="trial/t.log"))
        assert machine.slice() == {"t": "finished"}
        assert record_merge.merge(machine.out, tmp_path / "project") == []
        assert not (tmp_path / "project").exists()


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
    return record_plan.chapter_step("p", chapter, record, "results", given, [], [])


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
        draws = [record_plan.Grid("paper", split_seed=n).baseline(0, "resnet32-ce", "exp-0.01") for n in (0, 1, 2)]
        assert bundle(draws, 6) == draws
        command = joint_command(draws)
        assert command[command.index("-y") + 1] == "split_seed: [0, 1, 2]" and "split_seed" not in command
        assert command[-2:] == draws[0]["command"][-2:]

    @pytest.mark.parametrize("words", [("0", "12"), (*record_plan.PUBLISHED, 'say "so": [a]'), ("None", "0.5", "P1")])
    def test_values_are_what_papermill_would_have_read(self, words: tuple[str, ...]) -> None:
        command = joint_command([stage(path=word) for word in words])
        given = yaml.safe_load(command[command.index("-y") + 1])["path"]
        assert given == [papermill.cli._resolve_type(word) for word in words]


class TestUnpack:
    @pytest.fixture
    def archive(self, tmp_path: Path) -> Path:
        """A record with curves beside it, as the project has them."""
        for name in ("a.json", "a.csv"):
            (tmp_path / "results").mkdir(exist_ok=True)
            (tmp_path / "results" / name).write_text("of the project")
        pack(tmp_path / "taken.tar", tmp_path, [tmp_path / "results" / n for n in ("a.json", "a.csv")])
        return tmp_path / "taken.tar"

    def test_what_is_there_stays(self, archive: Path, tmp_path: Path) -> None:
        own = tmp_path / "work" / "results" / "a.csv"
        own.parent.mkdir(parents=True)
        own.write_text("made here")
        unpack(archive, tmp_path / "work")
        assert own.read_text() == "made here" and own.with_suffix(".json").read_text() == "of the project"
        assert [path.name for path in (tmp_path / "work").iterdir()] == ["results"]

    def test_files_come_whole_or_not_at_all(
        self, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where it is killed in the middle; the next call takes them in."""

        def half(source: Any, target: Any, *_: Any, **__: Any) -> None:
            target.write(source.read(3))
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(tarfile, "copyfileobj", half)
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a kill leaves no time to tidy up
            with pytest.raises(KeyboardInterrupt):
                unpack(archive, tmp_path / "work")
        assert not (tmp_path / "work" / "results").exists()
        unpack(archive, tmp_path / "work")
        assert {path.read_text() for path in (tmp_path / "work" / "results").iterdir()} == {"of the project"}
        assert [path.name for path in (tmp_path / "work").iterdir()] == ["results"]

    def test_a_record_comes_after_what_belongs_to_it(
        self, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "work" / "results").mkdir(parents=True)

        def fails_at_the_second(source: Path, target: Path) -> None:
            if list(target.parent.iterdir()):
                raise OSError("no space left")
            source.rename(target)

        monkeypatch.setattr(Path, "replace", fails_at_the_second)
        with pytest.raises(OSError, match="no space left"):
            unpack(archive, tmp_path / "work")
        assert [path.name for path in (tmp_path / "work" / "results").iterdir()] == ["a.csv"]


class TestOut:
    def test_files_of_bounded_size_and_what_finds_no_room_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("record.leave.PART", 40_000)
        work, out = tmp_path / "work", tmp_path / "out"
        out.mkdir()
        (work / "runs").mkdir(parents=True)
        for name in ("a-1", "b-1", "b-2"):
            (work / "runs" / name).write_bytes(bytes(90_000 if name == "b-1" else 60_000))
        steps = [leaving(name, work=[f"runs/{name}-*"]) for name in "ab"]
        lines: list[str] = []
        leave(work, out, {"steps": steps, "taken": {}}, {}, [], lines)
        assert [line for line in lines if "left out" in line] != []
        assert len(list(out.iterdir())) <= PARTS + 2
        assert max(path.stat().st_size for path in out.iterdir()) <= 40_000
        record_merge.merge(out, tmp_path / "project")
        assert len(list((tmp_path / "project" / "runs").iterdir())) == 2

    @pytest.mark.parametrize("last", range(3))
    def test_what_is_there_can_be_taken_back_wherever_a_kill_comes(
        self, last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As it was before, or as it is now: after each file that the second slice writes."""
        work, out = tmp_path / "work", tmp_path / "out"
        out.mkdir()
        (work / "runs").mkdir(parents=True)
        plan = {"steps": [step("a", "", work=["runs/a-1"])], "taken": {}}

        def leave_again(text: str) -> None:
            (work / "runs" / "a-1").write_text(text)
            leave(work, out, plan, {}, [], [])

        leave_again("first")
        replace, left = Path.replace, [last]

        def killed(source: Path, target: Path) -> Path:
            if target.parent == out:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
            return replace(source, target)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Path, "replace", killed)
            leave_again("second")
        record_merge.merge(out, tmp_path / "project")
        assert (tmp_path / "project" / "runs" / "a-1").read_text() == ("first", "first", "second")[last]
        leave_again("third")
        assert sorted(path.name for path in out.iterdir() if path != only_part(out)) == ["log.txt", "slice.json"]

    def test_what_the_project_has_is_not_sent_again(self, tmp_path: Path) -> None:
        work, out = tmp_path / "work", tmp_path / "out"
        out.mkdir()
        (work / "runs").mkdir(parents=True)
        (work / "runs" / "a.txt").write_text("done")
        taken = {"runs/a.txt": sha256(work / "runs" / "a.txt")}
        leave(work, out, {"steps": [leaving("a")], "taken": taken}, {}, [], [])
        record_merge.merge(out, tmp_path / "project")
        assert not (tmp_path / "project").exists()


class TestData:
    @pytest.fixture
    def packed(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
        monkeypatch.setenv("IMBNAS_DATA", str(machine.pack.parent))
        np.savez(machine.pack.parent / "cifar10.npz", train_images=pixels)
        monkeypatch.setattr(record_pack, "PART", 50_000)
        card = record_pack.pack_data(machine.pack / "data", "cifar10")
        assert len(card["parts"]) == 3
        machine.plan(data={"cifar10.npz": card})
        return card

    def test_parts_that_come_one_by_one_are_joined(self, machine: Machine, packed: dict[str, Any]) -> None:
        waiting = machine.pack.parent / "waiting"
        (machine.pack / "data").rename(waiting)
        (machine.pack / "data").mkdir()
        for part in packed["parts"]:
            assert not (machine.work / "data" / "cifar10.npz").exists()
            (waiting / part).rename(machine.pack / "data" / part)
            assert machine.run().returncode == 0
            (machine.pack / "data" / part).unlink()
        whole = machine.work / "data" / "cifar10.npz"
        assert whole.read_bytes() == (machine.pack.parent / "cifar10.npz").read_bytes()
        assert not list((machine.work / "parts").iterdir())

    def test_a_damaged_part_is_named(self, machine: Machine, packed: dict[str, Any]) -> None:
        part = machine.pack / "data" / list(packed["parts"])[1]
        part.write_bytes(part.read_bytes()[:-1] + b"x")
        run = machine.run()
        assert run.returncode == 1 and run.stderr == f"{part} is damaged: copy it again, or make the pack anew\n"

    def test_data_of_an_earlier_pack_are_taken_anew(self, machine: Machine, packed: dict[str, Any]) -> None:
        """A part that waits for others, too: joined to them, it would never be what was packed."""
        whole, part = machine.work / "data" / "cifar10.npz", machine.work / "parts" / next(iter(packed["parts"]))
        for stale in (whole, part):
            stale.parent.mkdir()
            stale.write_text("of another pack")
        run = machine.run()
        assert run.returncode == 0, run.stderr
        assert whole.read_bytes() == (machine.pack.parent / "cifar10.npz").read_bytes()
        assert not list(part.parent.iterdir())

    def test_data_of_an_earlier_pack_are_not_used_while_parts_are_missing(
        self, machine: Machine, packed: dict[str, Any]
    ) -> None:
        (machine.work / "data").mkdir()
        (machine.work / "data" / "cifar10.npz").write_text("of another pack")
        (machine.pack / "data" / next(iter(packed["parts"]))).unlink()
        machine.plan(leaving("a", needs=["data/cifar10.npz"]), data={"cifar10.npz": packed})
        assert machine.slice() == {"a": "waiting"}

    def test_a_module_that_is_missing_is_named_before_anything_runs(self, tmp_path: Path) -> None:
        with pytest.raises(RunFailed, match="No module named 'nowhere'.*: pack again, with no more in HAS"):
            refuse_without("json, nowhere", tmp_path)
        refuse_without(NEEDED, tmp_path)

    def test_the_same_data_are_not_packed_twice(self, machine: Machine, packed: dict[str, Any]) -> None:
        before = {path.name: path.stat().st_mtime_ns for path in (machine.pack / "data").iterdir()}
        assert record_pack.pack_data(machine.pack / "data", "cifar10") == packed
        assert {path.name: path.stat().st_mtime_ns for path in (machine.pack / "data").iterdir()} == before

    def test_missing_data_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IMBNAS_DATA", str(tmp_path))
        with pytest.raises(record_pack.PackFailed, match="cifar100.npz does not exist: put"):
            record_pack.pack_data(tmp_path / "data", "cifar100")


@pytest.mark.parametrize("again", ["-1", "49", "many"])
def test_a_number_of_paths_that_cannot_be_is_refused(
    again: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["record_pack.py", str(tmp_path / "pack"), f"--again={again}"])
    monkeypatch.setattr(record_pack, "pack", lambda *_: "packed")
    with pytest.raises(SystemExit):
        record_pack.main()
    assert f"argument --again: '{again}' is not how many of the 48 paths get a second" in capsys.readouterr().err


class TestWheels:
    """Of one package that the machine lacks, and one that it has."""

    @pytest.fixture
    def fetched(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Stands in for the network: what was asked for, one line a time."""
        asked: list[str] = []

        def run(line: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            if asked and asked[-1] == "no network":
                return subprocess.CompletedProcess(line, 1, "", "no route to host\n")
            folder = Path(line[line.index("--dest") + 1])
            folder.mkdir()
            for name in ("scipy-1.0", "numpy-2.0"):
                (folder / f"{name}-py3-none-any.whl").touch()
            asked.append(line[-1])
            return subprocess.CompletedProcess(line, 0, "", "")

        monkeypatch.setattr(record_pack.subprocess, "run", run)
        return asked

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name.split("-")[0] for path in folder.glob("*.whl"))

    def test_they_are_fetched_anew_where_something_else_is_wanted(
        self, tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "wheels"
        for there, count in ((["numpy"], 1), (["numpy"], 1), (["NumPy", "SciPy"], 2)):
            record_pack.pack_wheels(folder, there)
            assert len(fetched) == count
        assert self.names(folder) == []
        record_pack.pack_wheels(folder, [])
        assert self.names(folder) == ["numpy", "scipy"]
        monkeypatch.setattr(record_pack, "requirements", lambda: ["scipy>=2"])
        record_pack.pack_wheels(folder, [])
        assert fetched[3:] == ["scipy>=2"]

    def test_those_put_there_by_hand_are_taken_until_something_else_is_wanted(
        self, tmp_path: Path, fetched: list[str]
    ) -> None:
        folder = tmp_path / "wheels"
        folder.mkdir()
        (folder / "own-1.0-py3-none-any.whl").touch()
        record_pack.pack_wheels(folder, [])
        record_pack.pack_wheels(folder, [])
        assert self.names(folder) == ["own"] and not fetched
        fetched.append("no network")
        mend = f"no route to host.*: fill {folder} with wheels .*, remove {folder / record_pack.STAMP}, and run the"
        with pytest.raises(record_pack.PackFailed, match=mend):
            record_pack.pack_wheels(folder, ["numpy"])
        assert self.names(folder) == ["own"]


class TestMerge:
    """A slice with one finished step, whose record has curves and weights beside it."""

    name = f"{PLACE}/supernet-s0"

    def record(self, root: Path, seconds: float = 1.0, accuracy: float = 50.0) -> Path:
        file = root / f"{self.name}.json"
        record = records.write(file, "supernet", {"seed": 0}, {"accuracy": accuracy}, {"seconds": seconds})
        records.write_curves(file.with_suffix(".csv"), [{"step": 1, "loss": 0.5}])
        save_tensors(file.with_suffix(".safetensors"), {"a": torch.arange(3)}, {"identity": record["identity"]})
        return file

    def slice(self, tmp_path: Path) -> Path:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        steps = [step("supernet", "", leaves=f"{self.name}.json")]
        leave(tmp_path / "work", out, {"steps": steps, "taken": {}}, {}, [], [])
        return out

    def test_a_record_comes_with_what_is_beside_it(self, tmp_path: Path) -> None:
        self.record(tmp_path / "work")
        assert record_merge.merge(self.slice(tmp_path), tmp_path) == [Path(f"{self.name}.json")]
        for suffix in (".json", ".csv", ".safetensors"):
            file = (tmp_path / self.name).with_suffix(suffix)
            assert file.read_bytes() == (tmp_path / "work" / self.name).with_suffix(suffix).read_bytes()
        ages = {path.stat().st_mtime for path in (tmp_path / PLACE).iterdir()}
        assert len(ages) == 1  # so that the grid does not find one older than another

    def test_an_equal_record_stays_as_it_is(self, tmp_path: Path) -> None:
        self.record(tmp_path / "work", seconds=2.0)
        here = self.record(tmp_path, seconds=1.0)
        before = here.read_text()
        assert record_merge.merge(self.slice(tmp_path), tmp_path) == []
        assert here.read_text() == before

    @pytest.mark.parametrize(
        ("fault", "complaint"),
        [
            ("other results", "is there already, and differs"),
            ("other schema", "has schema 2"),
            ("edited", "was changed after it was written"),
            ("cut short", "supernet-s0.json is damaged"),
            ("no record", "comes without its record"),
            ("words in curves", "is no table of numbers"),
            ("other weights", "does not belong to the record"),
            ("half weights", "is not a whole safetensors file"),
            ("a damaged part", "is missing or damaged"),
            ("a stranger", "holds elsewhere/x"),
            ("no slice", "has no slice.json"),
        ],
    )
    def test_all_or_nothing(self, fault: str, complaint: str, tmp_path: Path) -> None:
        file = self.record(tmp_path / "work")
        project = tmp_path / "project"
        curves, weights, text = file.with_suffix(".csv"), file.with_suffix(".safetensors"), file.read_text()
        match fault:
            case "other results":
                self.record(project, accuracy=51.0)
            case "other schema":
                file.write_text(text.replace('"schema": 1', '"schema": 2'))
            case "edited":
                file.write_text(text.replace('"seed": 0', '"seed": 1'))
            case "cut short":
                file.write_text(text[:-20])
            case "words in curves":
                curves.write_text("step,loss\n1,low\n")
            case "other weights":
                save_tensors(weights, {"a": torch.arange(3)}, {"identity": "another"})
            case "half weights":
                weights.write_bytes(weights.read_bytes()[:-3])
        out = self.slice(tmp_path)
        if fault in ("no record", "a stranger"):
            self.pack_by_hand(out, curves, "elsewhere/x" if fault == "a stranger" else f"{self.name}.csv")
        if fault == "a damaged part":
            only_part(out).write_bytes(b"x" + only_part(out).read_bytes()[1:])
        if fault == "no slice":
            (out / "slice.json").unlink()
        before = sorted(path.read_bytes() for path in project.rglob("*") if path.is_file())
        with pytest.raises(ValueError, match=complaint):
            record_merge.merge(out, project)
        assert sorted(path.read_bytes() for path in project.rglob("*") if path.is_file()) == before

    @pytest.fixture
    def two_files(self, tmp_path: Path) -> Path:
        """A slice of the record, and of unfinished work, which is put in place before it."""
        self.record(tmp_path / "work")
        (tmp_path / "work" / "runs").mkdir()
        (tmp_path / "work" / "runs" / "half-1").write_text("weights")
        out = tmp_path / "out"
        out.mkdir()
        steps = [step("supernet", "", leaves=f"{self.name}.json"), step("half", "", work=["runs/half-*"])]
        leave(tmp_path / "work", out, {"steps": steps, "taken": {}}, {}, [], [])
        return out

    def said(self, out: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> str:
        """What a merge says that fails."""
        take_back = record_merge.merge
        monkeypatch.setattr(record_merge, "merge", lambda folder: take_back(folder, project))
        monkeypatch.setattr(sys, "argv", ["record_merge.py", str(out)])
        assert record_merge.main() == 1
        return capsys.readouterr().err

    def test_nothing_takes_its_place_where_a_later_file_cannot_be_written(
        self, two_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        project = tmp_path / "project"
        project.mkdir()
        (project / "results").write_text("in the way of a folder")
        assert self.said(two_files, project, monkeypatch, capsys).startswith("nothing was taken back: ")
        assert [path.name for path in project.rglob("*") if path.is_file()] == ["results"]

    def test_what_was_taken_back_before_an_error_is_told(
        self, two_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        project = tmp_path / "project"
        blocked = (project / self.name).with_suffix(".csv")
        blocked.mkdir(parents=True)
        said = self.said(two_files, project, monkeypatch, capsys)
        assert said.startswith(f"1 of 4 files were taken back, {self.name}.csv not (") and "run the same line" in said
        assert [path.name for path in project.rglob("*") if path.is_file()] == ["half-1"]
        blocked.rmdir()
        monkeypatch.undo()
        assert record_merge.merge(two_files, project) == [Path(f"{self.name}.json")]

    def pack_by_hand(self, out: Path, file: Path, name: str) -> None:
        with tarfile.open(out / "all.tar", "w") as tar:
            tar.add(file, name)
        (out / "slice.json").write_text(json.dumps({"parts": cut(out / "all.tar", out)}))

    def test_one_message_and_no_traceback(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["record_merge.py", str(tmp_path)])
        assert record_merge.main() == 1
        assert capsys.readouterr().err.startswith(
            f"nothing was taken back: {tmp_path} has no slice.json: name the folder"
        )
