"""What a slice leaves: new records and unfinished work, in files of bounded size."""

import tarfile
from pathlib import Path

import pytest
import record_merge
from machine import Machine, leaving, only_part, step
from record.files import pack, sha256
from record.leave import PARTS, leave, unfinished_work


class TestUnfinishedWork:
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

    def test_the_trial_stays_where_it_is(self, machine: Machine, tmp_path: Path) -> None:
        leaving_it = "p = work / 'trial/t.txt'; p.parent.mkdir(exist_ok=True); p.write_text('')"
        machine.plan(step("t", leaving_it, leaves="trial/t.txt", log="trial/t.log"))
        assert machine.slice() == {"t": "finished"}
        assert record_merge.merge(machine.out, tmp_path / "project") == []
        assert not (tmp_path / "project").exists()
