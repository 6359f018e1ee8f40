"""A slice of a record run: what runs in which order, what a failure and a kill leave, and how each step ended."""

import signal
import time
from pathlib import Path

import pytest
import record_merge
from machine import Machine, leaving, step
from record.slice import Slice


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
        said = machine.refused(2, *option)
        assert f"argument {option[0]}: '{option[1]}'; expected" in said

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

    def test_a_pattern_names_whole_paths(self, machine: Machine) -> None:
        machine.plan(leaving("a"), leaving("b"), leaving("bc"))
        assert machine.slice("--only", "runs/b*", "other/a") == {"a": "not chosen", "b": "finished", "bc": "finished"}
