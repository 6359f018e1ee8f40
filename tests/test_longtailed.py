"""The project's own benchmark: the committed table is what its records say, and its loader reads it back."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from imbnas import records
from imbnas.benchmark import longtailed
from imbnas.evidence.domain import COLUMNS as OF_DOMAIN
from imbnas.evidence.longtailed import COLUMNS, FOLDER, RESULTS, every_retraining, filled, main, tables
from imbnas.space import parse_space
from tests.test_quality import path_record, scores_record

FOLDER_OF_GRID = "laptop/cifar10-cifar100/cell3-c16-n1"


def kept(results: Path, record: dict[str, Any]) -> None:
    """Write a made-up record where its stage would."""
    if record["stage"] == "retrain":
        record["config"]["recipe"] = {"length": 2000, "unit": "steps"}
        record["results"]["test"] |= {"many": 50.0, "medium": 20.0, "few": None}
    records.write(results / FOLDER_OF_GRID / record["file"], record["stage"], record["config"], record["results"],
                  record["cost"])  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for number in range(12):
        kept(tmp_path, path_record(number, 30.0 + number))
    for number in range(6):
        again = path_record(number, 30.5 + number, seed=1)
        again["results"]["test"]["tail"] += 0.5  # a whole point between the seeds
        kept(tmp_path, again)
    kept(tmp_path, scores_record("P1", [float(i) for i in range(12)]))
    return tmp_path


def test_the_committed_tables_are_those_of_the_records() -> None:
    held = {path.name: path.read_text() for path in (RESULTS / FOLDER).glob("*.csv")}
    assert held == tables(), "renew them: python -m imbnas.evidence.longtailed"


def test_the_data_card_says_what_is_there() -> None:
    said = filled(every_retraining())
    assert said in (RESULTS / FOLDER / "longtailed.md").read_text(), f"the card has to say: {said}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a,b\n1,2\n", "has no column overall, path, profile, record, tail, target"),
        (b"\xff\xfe\x00broken", "is no such table"),
        (b"", "is no such table"),
        ((RESULTS / FOLDER / "longtailed.csv").read_bytes()[:900], "is cut short in row"),
    ],
)
def test_another_or_a_damaged_table_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "longtailed.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} {complaint}.*fetch it from the repository again"):
        longtailed(file)


def test_every_retraining_is_a_row_with_its_origin(results: Path) -> None:
    main(results)
    table = longtailed(results / FOLDER / "longtailed.csv")
    assert len(table) == 18 and table.overall.tolist()[:3] == [37.0, 37.5, 38.0]
    first = table.iloc[0]
    assert (first.profile, first.data, first.target, first.path) == ("laptop", "cifar100", "exp-0.01", "0" * 18)
    assert first.split == "hash of exp-0.01" and first.device == "a CPU" and len(first.record) == 12
    assert table.few.isna().all() and (table.length == 2000).all()


def test_the_conclusions_stand_beside_it(results: Path) -> None:
    main(results)
    ranking, ceiling = (pd.read_csv(results / FOLDER / f"{name}.csv") for name in ("ranking", "ceiling"))
    assert ranking.set_index("procedure").loc["P1", "tau"] == 1.0
    assert ceiling.loc[0, ["paths", "repeated"]].tolist() == [12, 6]
    # pairs half a point apart: SD sqrt(0.125) within a path; in the tail twice as far
    assert ceiling.part.tolist() == ["overall", "head", "middle", "tail"]
    assert ceiling.seed_sd.tolist() == pytest.approx([0.125**0.5] * 3 + [0.5**0.5], abs=1e-4)
    assert ceiling.expected[3] < ceiling.expected[0] and ceiling.spread.nunique() == 1


def test_a_table_that_no_record_gives_is_removed(results: Path, tmp_path: Path) -> None:
    main(results)
    for file in (results / FOLDER_OF_GRID).glob("*.json"):
        file.unlink()
    main(results)
    assert not list((results / FOLDER).glob("*.csv"))
    with pytest.raises(ValueError, match="comes with the repository.*make grid GOALS=ranking PROFILE=laptop"):
        longtailed(results / FOLDER / "longtailed.csv")


def test_the_card_is_told_what_is_there_and_keeps_the_rest(results: Path) -> None:
    card = results / FOLDER / "longtailed.md"
    records.write_text(card, "# Paths\n\n**What is there.** Nothing yet.\n\n**Origin.** Here.\n")
    main(results)
    said = filled(every_retraining(results))
    assert card.read_text() == f"# Paths\n\n**What is there.** {said}\n\n**Origin.** Here.\n"


def test_no_other_file_is_removed(results: Path) -> None:
    mine = results / FOLDER / "mine.csv"
    records.write_text(mine, "a,b\n")
    main(results)
    assert mine.read_text() == "a,b\n"


def test_the_data_card_names_every_file_and_its_columns() -> None:
    text = (RESULTS / FOLDER / "longtailed.md").read_text()
    assert set(COLUMNS) <= set(re.findall(r"`(\w+)`", text))
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| `[\w-]+\.csv`", line)]
    described = {file.strip("`"): re.findall(r"`(\w+)`", columns) for file, _, columns in rows}
    assert described.pop("domain.csv") == OF_DOMAIN
    held = {path.name: path.read_text().splitlines()[0].split(",") for path in (RESULTS / FOLDER).glob("*.csv")}
    assert {name: held[name] for name in held if name not in ("longtailed.csv", "domain.csv")} == described


def test_a_mixture_is_refused(results: Path) -> None:
    other = path_record(13, 30.0)
    other["config"]["precision"] = "float32"
    kept(results, other)
    with pytest.raises(ValueError, match="path-13-exp-0.01-s0.json has another precision"):
        every_retraining(results)


@pytest.mark.skipif(not (RESULTS / FOLDER / "longtailed.csv").exists(), reason="no retrained path yet")
def test_the_committed_paths_are_of_their_space_and_cost_what_is_said() -> None:
    for row in longtailed().drop_duplicates("path").itertuples():
        space = parse_space(row.space)
        path = tuple(map(int, row.path))
        assert space.to_string(path) == row.architecture and space.is_alive(path)
        assert (row.macs, row.params) == (space.cost(path).macs, space.cost(path).params)
