"""A pack: how many paths it plans, and the wheels that it carries."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import fits
import pytest
import record_pack
from packing import PackFailed, wheels


@pytest.mark.parametrize(
    ("option", "told"),
    [(f"--again={odd}", f"'{odd}' is not how many of the 48 paths get a second seed") for odd in ("-1", "49", "many")]
    + [(f"--paths={odd}", f"'{odd}' is not how many of the 48 paths are retrained") for odd in ("0", "49", "²")]
    + [(f"--seeds={odd}", f"'{odd}' are not whole numbers with spaces between") for odd in ("0, 1", "1 ²", "")],
)
def test_a_number_that_cannot_be_is_refused(
    option: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["record_pack.py", str(tmp_path / "pack"), option])
    monkeypatch.setattr(record_pack, "pack", lambda *_: "packed")
    with pytest.raises(SystemExit):
        record_pack.main()
    assert f"argument {option.partition('=')[0]}: {told}" in capsys.readouterr().err


def test_wheels_are_wanted_whatever_their_bounds_and_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("SciPy~=1.13  # statistics\nruff>=0.15\npandas != 2.3\n# end\n")
    monkeypatch.setattr(fits, "REQUIREMENTS", tmp_path / "requirements.txt")
    assert wheels.requirements() == ["SciPy~=1.13", "pandas != 2.3"]


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

        monkeypatch.setattr(wheels.subprocess, "run", run)
        return asked

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name.split("-")[0] for path in folder.glob("*.whl"))

    def test_they_are_fetched_anew_where_something_else_is_wanted(
        self, tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "wheels"
        for there, count in ((["numpy"], 1), (["numpy"], 1), (["NumPy", "SciPy"], 2)):
            wheels.pack_wheels(folder, there)
            assert len(fetched) == count
        assert self.names(folder) == []
        wheels.pack_wheels(folder, [])
        assert self.names(folder) == ["numpy", "scipy"]
        monkeypatch.setattr(wheels, "requirements", lambda: ["scipy>=2"])
        wheels.pack_wheels(folder, [])
        assert fetched[3:] == ["scipy>=2"]

    def test_those_put_there_by_hand_are_taken_until_something_else_is_wanted(
        self, tmp_path: Path, fetched: list[str]
    ) -> None:
        folder = tmp_path / "wheels"
        folder.mkdir()
        (folder / "own-1.0-py3-none-any.whl").touch()
        wheels.pack_wheels(folder, [])
        wheels.pack_wheels(folder, [])
        assert self.names(folder) == ["own"] and not fetched
        fetched.append("no network")
        mend = f"no route to host.*: fill {folder} with wheels .*, remove {folder / wheels.STAMP}, and run the"
        with pytest.raises(PackFailed, match=mend):
            wheels.pack_wheels(folder, ["numpy"])
        assert self.names(folder) == ["own"]
