"""What a slice left is taken back as a whole or not at all."""

import json
import sys
import tarfile
from pathlib import Path

import pytest
import record_merge
import torch
from machine import PLACE, only_part, step
from record.leave import cut, leave

from imbnas import records
from imbnas.training import save_tensors


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

    @pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"parts": []}', '{"parts": null}'])
    def test_a_list_of_parts_that_is_none_is_damaged(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "slice.json").write_text(text)
        with pytest.raises(record_merge.MergeFailed, match="slice.json is damaged .*: copy the slice again"):
            record_merge.merge(tmp_path, tmp_path)

    def test_one_message_and_no_traceback(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["record_merge.py", str(tmp_path)])
        assert record_merge.main() == 1
        assert capsys.readouterr().err.startswith(
            f"nothing was taken back: {tmp_path} has no slice.json: name the folder"
        )
