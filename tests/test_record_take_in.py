"""What came with a pack is taken in whole or not at all, and what cannot be used is refused."""

import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from machine import Machine, leaving
from packing import PackFailed, data
from record.files import pack, unpack
from record.take_in import NEEDED, RunFailed, refuse_without


class TestRefused:
    """Before the first step."""

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
        said = machine.refused(1)
        assert said.startswith(f"{machine.pack / 'plan.json'} {what}") and len(said.splitlines()) == 1
        assert said.endswith("copy it again, or make the pack anew\n")

    def test_a_machine_that_cannot_run_the_stages_is_refused_each_time(self, machine: Machine) -> None:
        machine.plan(leaving("a"))
        machine.needs("json, nowhere")
        for _ in range(2):
            assert "this machine can't run the stages" in machine.refused(1)
        assert machine.run().returncode == 0  # takes in what came along; more may follow

    def test_a_module_that_is_missing_is_named_before_anything_runs(self, tmp_path: Path) -> None:
        with pytest.raises(RunFailed, match="No module named 'nowhere'.*: pack again, with no more in HAS"):
            refuse_without("json, nowhere", tmp_path)
        refuse_without(NEEDED, tmp_path)


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


class TestData:
    @pytest.fixture
    def packed(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
        monkeypatch.setenv("IMBNAS_DATA", str(machine.pack.parent))
        np.savez(machine.pack.parent / "cifar10.npz", train_images=pixels)
        monkeypatch.setattr(data, "PART", 50_000)
        card = data.pack_data(machine.pack / "data", "cifar10")
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

    def test_the_same_data_are_not_packed_twice(self, machine: Machine, packed: dict[str, Any]) -> None:
        before = {path.name: path.stat().st_mtime_ns for path in (machine.pack / "data").iterdir()}
        assert data.pack_data(machine.pack / "data", "cifar10") == packed
        assert {path.name: path.stat().st_mtime_ns for path in (machine.pack / "data").iterdir()} == before

    def test_missing_data_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IMBNAS_DATA", str(tmp_path))
        with pytest.raises(PackFailed, match="cifar100.npz does not exist: put"):
            data.pack_data(tmp_path / "data", "cifar100")
