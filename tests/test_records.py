"""Records and profiles: written whole, read back, refused by name when damaged."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from imbnas import profiles, records
from imbnas.training import Recipe
from imbnas.typed import build


@dataclass(frozen=True)
class Config:
    seed: int
    rates: tuple[float, ...] = (0.1, 0.2)


def write(tmp_path, name="a.json", seed=0, seconds=1.0, value=1.5):
    return records.write(
        tmp_path / name, "stage", Config(seed), {"value": value, "inner": {"x": 1}}, {"seconds": seconds}
    )


def test_a_record_comes_back_and_equality_ignores_cost(tmp_path):
    one = write(tmp_path)
    assert records.read_one(tmp_path / "a.json") == one
    assert one["config"] == {"seed": 0, "rates": [0.1, 0.2]}
    assert records.equal(one, write(tmp_path, "b.json", seconds=9.0))
    assert not records.equal(one, write(tmp_path, "c.json", value=1.6))
    assert not records.equal(one, write(tmp_path, "d.json", seed=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "c.json", "d.json"]


def test_data_of_another_folder_do_not_take_a_records_place(tmp_path):
    for name in ("data", "source"):
        records.write(tmp_path / f"{name}.json", "stage", {name: "/a/mine.npz"}, {}, {})
        records.write(tmp_path / f"{name}.json", "stage", {name: "/a/mine.npz"}, {"again": 1}, {})
        with pytest.raises(ValueError, match="record of .* /a/mine.npz, this one is of /b/mine.npz"):
            records.write(tmp_path / f"{name}.json", "stage", {name: "/b/mine.npz"}, {}, {})


def test_the_table_has_a_row_per_record(tmp_path):
    write(tmp_path, "s0.json", seed=0), write(tmp_path, "s1.json", seed=1, value=2.5)
    table = records.table(records.read(tmp_path, "stage"))
    assert table.seed.tolist() == [0, 1] and table.value.tolist() == [1.5, 2.5] and table["inner.x"].tolist() == [1, 1]
    assert records.read(tmp_path, "another") == []


def test_faulty_records_are_named(tmp_path):
    write(tmp_path)
    text = (tmp_path / "a.json").read_text()
    faults = {
        "cut.json": (text[:-30], "damaged"),
        "old.json": (text.replace('"schema": 1', '"schema": 0'), "schema 0, this version reads 1"),
        "edited.json": (text.replace('"seed": 0', '"seed": 7'), "identity differs"),
        "short.json": (json.dumps({"schema": 1}), "lacks stage"),
        "list.json": ("[]", "schema list"),
        "null.json": (json.dumps(json.loads(text) | {"results": None}), "has no entries in results"),
        "rows.json": (json.dumps(json.loads(text) | {"config": [], "cost": 3}), "has no entries in config, cost"),
    }
    for name, (content, message) in faults.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(records.RecordError, match=f"{name}.*{message}"):
            records.read_one(tmp_path / name)
    with pytest.raises(records.RecordError, match="no record .*missing.json"):
        records.read_one(tmp_path / "missing.json")
    with pytest.raises(records.RecordError, match="no record .*missing.json: `make it` writes it"):
        records.read_one(tmp_path / "missing.json", "make it")


def test_numbers_that_are_not_finite_never_reach_a_record(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        write(tmp_path, "nan.json", value=float("nan"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (float("nan"), ValueError, "nan can't go into a record"),
        (np.float32("inf"), ValueError, "inf can't go into a record"),
        (Path("a"), TypeError, "is a PosixPath; expected text, numbers"),
        (torch.ones(2), TypeError, "is a Tensor; expected text, numbers"),
        (np.ones(2), TypeError, "is a ndarray; expected text, numbers"),
    ],
)
@pytest.mark.parametrize("block", ["config", "results", "cost"])
def test_what_can_not_go_into_a_record_is_named_by_its_place(tmp_path, block, value, kind, message):
    blocks = {"config": {}, "results": {}, "cost": {}} | {block: {"deep": {"a": [1.0, value]}}}
    with pytest.raises(kind, match=rf"^{block}\.deep\.a\.1:? {message}"):
        records.write(tmp_path / "a.json", "stage", **blocks)
    assert list(tmp_path.iterdir()) == []


def test_numpys_numbers_are_pythons_in_a_record(tmp_path):
    results = {"count": np.int64(3), "rate": np.float32(0.1), "sure": np.bool_(True), "third": np.float64(1 / 3)}
    written = records.write(tmp_path / "a.json", "stage", {"seed": np.int64(7)}, results, {})
    assert records.read_one(tmp_path / "a.json") == written
    assert written["results"] == {"count": 3, "rate": 0.1, "sure": True, "third": 0.333333}
    assert written["identity"] == records.identity({"seed": 7})


def test_a_path_may_be_a_text(tmp_path):
    written = records.write(f"{tmp_path}/a.json", "stage", {}, {}, {})
    assert records.read_one(f"{tmp_path}/a.json") == written


def test_what_would_be_in_a_records_way_is_told_before(tmp_path):
    file, config = tmp_path / "new" / "a.json", {"data": "/a/mine.npz", "recipe": Recipe(3, 0.1)}
    records.refuse_unwritable(file, config)
    assert not file.parent.exists()
    records.write(file, "stage", config, {}, {})
    records.refuse_unwritable(file, config)
    with pytest.raises(records.RecordError, match="is a record of data /a/mine.npz, this one is of /b/mine.npz"):
        records.refuse_unwritable(file, config | {"data": "/b/mine.npz"})
    with pytest.raises(records.RecordError, match="a.json is a file: name a folder that can be made"):
        records.refuse_unwritable(file / "b.json", config)
    file.write_text('{"a"')
    with pytest.raises(records.RecordError, match="a.json is damaged .*: delete it and run its stage again"):
        records.refuse_unwritable(file, config)


def test_a_folder_that_can_not_be_written_is_told_before(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # whoever runs the tests may write everywhere
    with pytest.raises(records.RecordError, match=f"records go to {tmp_path}/new, but {tmp_path} can't be written"):
        records.refuse_unwritable(tmp_path / "new" / "a.json", {})


def test_a_folder_that_may_not_be_searched_is_told_before(tmp_path, monkeypatch):
    locked, stat = tmp_path / "locked", os.stat
    locked.mkdir()

    def refusing(path, **options):
        if locked in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refusing)  # whoever runs the tests may search everywhere
    monkeypatch.setattr(os, "access", lambda place, mode: place != locked)
    with pytest.raises(records.RecordError, match=f"records go to {locked}/results, but {locked} can't be written"):
        records.refuse_unwritable(locked / "results" / "a.json", {})


def test_what_is_no_file_is_no_record(tmp_path):
    (tmp_path / "file").write_text("{}")
    for place, why in ((tmp_path / "file" / "x.json", "Not a directory"), (tmp_path, "Is a directory")):
        with pytest.raises(records.RecordError, match=f"^{place} can't be read .{why}.: name a record"):
            records.read_one(place)


def test_curves_are_csv(tmp_path):
    records.write_curves(tmp_path / "c.csv", [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 1 / 3}])
    assert (tmp_path / "c.csv").read_text() == "step,loss\n1,0.5\n2,0.333333\n"


def test_every_profile_loads_and_the_papers_is_the_papers():
    assert {"smoke", "laptop", "paper"} <= set(profiles.names())
    for name in profiles.names():
        assert profiles.load(name).name == name
    paper = profiles.load("paper")
    assert (paper.supernet.length, paper.supernet.milestones, paper.supernet.rate) == (500, (300, 400), 0.1)
    assert (paper.p1.length, paper.p1.rate, paper.p1.milestones, paper.p1.reweight_from) == (200, 0.01, (100,), 0)
    assert (paper.p2.reweight_from, paper.p3.length, paper.p3.reweight_from) == (100, 500, 350)
    assert (paper.retrain.length, paper.retrain.milestones, paper.retrain.reweight_from) == (200, (160, 180), 160)
    assert all(r.factor == 0.01 for r in (paper.supernet, paper.p1, paper.p2, paper.p3, paper.retrain))
    search = paper.search
    assert (search.generations, search.population, search.crossovers, search.mutations) == (20, 50, 25, 25)
    assert (search.mutation_rate, search.parents) == (0.1, 10)


def test_unknown_profile_and_misspelt_entry_are_refused():
    with pytest.raises(ValueError, match='profile is "smok"; expected one of .*smoke'):
        profiles.load("smok")
    with pytest.raises(ValueError, match="x.yaml, p1: unknown lenght"):
        build(Recipe, {"lenght": 3}, "x.yaml, p1")
    with pytest.raises(ValueError, match="x.yaml, p1.*rate"):
        build(Recipe, {"length": 3}, "x.yaml, p1")


def test_versions_and_device_are_named():
    assert records.versions()["torch"] == torch.__version__
    assert "CPU" in records.device_name(torch.device("cpu"))
    assert records.processor()


def test_the_origin_of_a_number(tmp_path):
    seconds = {"data": 1800.0, "training and scoring": 3600.0, "scoring": 900.0}  # the last is part of the second
    for name, code, split in (("new", "abc123", {"x": "1" * 64, "y": "2" * 64}), ("old", "not installed", "3" * 64)):
        cost = {"seconds": seconds, "device": "a GPU", "versions": {"imbnas": code}}
        records.write(tmp_path / f"{name}-s4.json", "stage", Config(4), {"split": split}, cost)
    table = records.origin(records.read(tmp_path))
    assert table.loc["new-s4"].tolist()[2:] == ["11111111 22222222", 1.5, "a GPU", "abc123"]
    assert (table.loc["old-s4", "split"], table.loc["old-s4", "code"], table.loc["old-s4", "seed"]) == (8 * "3", "", 4)
    assert table.loc["new-s4", "identity"] == records.identity({"seed": 4, "rates": [0.1, 0.2]})
    assert records.origin([]).empty


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    files = ["r/laptop/c16/ce-s0.json", "r/paper/c32/ce-s0.json", "r/paper/c32-split1/ce-s0.json"]
    assert records.told_apart(files) == ["c16/ce-s0", "c32/ce-s0", "c32-split1/ce-s0"]
    assert records.told_apart([*files[:2], "r/new/c32/ce-s0.json"]) == [
        "laptop/c16/ce-s0",
        "paper/c32/ce-s0",
        "new/c32/ce-s0",
    ]
    assert records.told_apart(["a/one.json", "b/two.json"]) == ["one", "two"]
    assert records.told_apart(["a/one.json", "a/one.json"]) == ["one", "one"] and records.told_apart([]) == []
