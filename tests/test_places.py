"""Where data sets are looked for, and what records call them: one answer for the library, the grid and its tool."""

from pathlib import Path

import pytest

from imbnas.places import data_folder, own_data, record_name
from tools import grid


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working folder, home and data folder, each with a data set of its own."""
    for place in ("here/near", "home/mine", "data/far"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IMBNAS_DATA", str(tmp_path / "data"))
    return tmp_path


def test_own_data_lie_where_their_path_says_or_in_the_data_folder(places: Path) -> None:
    assert data_folder() == places / "data"
    assert own_data("near") == Path("near")
    assert own_data("~/mine") == places / "home" / "mine"
    assert own_data("far") == places / "data" / "far"
    assert own_data("far", root=places / "home") is None
    assert own_data("mine", root="~") == places / "home" / "mine"
    assert own_data("~nosuchuser/mine") is None and data_folder("~nosuchuser") == Path("~nosuchuser")


def test_the_grid_takes_data_from_all_these_places(places: Path) -> None:
    for name in ("near", "~/mine", "far", "glyphs10"):
        assert grid.setting(f"target_data={name}") == f"target_data={name}"


@pytest.mark.parametrize("path", ["mine", "mine.npz", "~/mine", "/a/mine.npz", "a/mine/"])
def test_records_call_data_by_the_last_part_of_their_path(path: str) -> None:
    assert record_name(path) == "mine"
