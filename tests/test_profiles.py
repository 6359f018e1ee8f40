"""What a reader writes by hand, profiles and the line that makes the table, is refused in one message, by name."""

import re
from pathlib import Path

import pandas as pd
import pytest

from imbnas import profiles, records
from imbnas.evidence import table2
from imbnas.profiles import Scoring, Search
from imbnas.training import Recipe
from imbnas.typed import build

SMOKE = (profiles.FOLDER / "smoke.yaml").read_text()


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Search, {"population": 0}, "population is 0; expected at least 1"),
        (Search, {"parents": 0}, "parents is 0; expected at least 1"),
        (Search, {"parents": 51}, "parents is 51; expected at most the population, 50"),
        (Search, {"crossovers": 30}, "crossovers is 30; expected with the 25 mutations at most the population, 50"),
        (Search, {"generations": -1}, "generations is -1; expected at least 0"),
        (Search, {"cost_samples": 0}, "cost_samples is 0; expected at least 1"),
        (Search, {"mutation_rate": 1.5}, "mutation_rate is 1.5; expected a probability from 0 to 1"),
        (Scoring, {"batches": -1}, "batches is -1; expected at least 0"),
        (Scoring, {"batch_size": 0}, "batch_size is 0; expected at least 1"),
        (Scoring, {"images": 0}, "images is 0; expected at least 1, or None: all"),
        (Scoring, {"precision": "fp16"}, 'precision is "fp16"; expected "bf16", "float32" or "float64"'),
    ],
)
def test_sizes_that_cannot_be_are_refused(kind, values, message):
    with pytest.raises(ValueError, match=message):
        kind(**values)


def test_numbers_that_yaml_takes_for_text_are_numbers():
    """Records are named by these values: what YAML reads as a number stays the very same."""
    recipe = build(Recipe, {"length": 12, "rate": "5e-2", "milestones": ["1e0", 3], "batch_size": "1e2"}, "p1")
    assert recipe == Recipe(12, 0.05, milestones=(1, 3), batch_size=100)
    assert [type(value) for value in (recipe.length, recipe.rate, recipe.batch_size)] == [int, float, int]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"milestones": 45}, "x.yaml, p1: milestones is 45; expected a list in brackets, each entry a number"),
        ({"milestones": [45, "x"]}, "x.yaml, p1: milestones is [45, 'x']; expected a list"),
        ({"rate": "fast"}, "x.yaml, p1: rate is 'fast'; expected a number"),
        ({"rate": None}, "x.yaml, p1: rate is None; expected a number"),
        ({"rate": True}, "x.yaml, p1: rate is True; expected a number"),
        ({"clip": "none"}, "x.yaml, p1: clip is 'none'; expected a number, or null"),
        ({"batch_size": 1.5}, "x.yaml, p1: batch_size is 1.5; expected a whole number"),
        ({"nesterov": "maybe"}, "x.yaml, p1: nesterov is 'maybe'; expected true or false"),
        ({"unit": 3}, "x.yaml, p1: unit is 3; expected a text"),
        ({"clip": -1}, "x.yaml, p1: clip is -1; expected a number above 0"),
        ({"lenght": 3}, "x.yaml, p1: unknown lenght; expected batch_size, clip"),
    ],
)
def test_entries_of_another_kind_are_refused(values, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        build(Recipe, {"length": 60, "rate": 0.1} | values, "x.yaml, p1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.yaml is empty; expected entries like source, space, supernet"),
        ("just words", "mine.yaml holds no entries"),
        (SMOKE.replace("length: 120", "length: [120", 1), "mine.yaml, line 6: not YAML"),
        (re.sub("^p1:.*", "", SMOKE, flags=re.MULTILINE), "mine.yaml, p1: is missing or empty; expected entries like"),
        (re.sub("^p1:.*", "p1: 60", SMOKE, flags=re.MULTILINE), "mine.yaml, p1: is 60; expected entries like length"),
        (re.sub("^space:.*", "", SMOKE, flags=re.MULTILINE), "mine.yaml: space missing"),
        (SMOKE.replace("precision: float32", "precision: float16"), 'mine.yaml: precision is "float16"'),
        (SMOKE.replace("batches: 2", "batches: -2"), "mine.yaml, scoring: batches is -2"),
    ],
)
def test_files_that_are_no_profile_are_refused(tmp_path, monkeypatch, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        profiles.load("mine")


# ------------------------------------------------------------------------------------- the table of records


def stopped(*arguments: str) -> str:
    """The one message with which `python -m imbnas.evidence.table2 ARGUMENTS` ends."""
    with pytest.raises(SystemExit) as end:
        table2.main(*arguments)
    return str(end.value.code)


def test_a_table_of_nothing_is_not_written(tmp_path: Path):
    table = tmp_path / "table.csv"
    assert "python -m imbnas.evidence.table2 RECORDS TABLE.csv" in stopped() == stopped("records") == stopped(*"abc")
    assert stopped(str(tmp_path / "nowhere"), str(table)).startswith(
        f"no retraining of P0, P1, P2, P3 under {tmp_path}"
    )
    for config, missing in (({"seed": 0}, "procedure"), ({"procedure": "P0"}, "data")):
        records.write(tmp_path / "retrain.json", "retrain", config, {}, {})
        assert stopped(str(tmp_path), str(table)).startswith(f"{tmp_path / 'retrain.json'} lacks the entry '{missing}'")
    assert not table.exists()


def test_a_table_goes_into_a_file_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert stopped("records", str(tmp_path)) == f"{tmp_path} is a folder: name a file in it, as {tmp_path}/table.csv"
    runs = pd.DataFrame([{"procedure": "P0", "target": "balance", "seed": 0, "path": "0", "accuracy": 90.0}])
    monkeypatch.setattr(table2, "retrainings", lambda found: runs)
    (tmp_path / "file").touch()
    assert stopped(str(tmp_path), str(tmp_path / "file" / "table.csv")).startswith(
        f"{tmp_path / 'file' / 'table.csv'} can't be written ("
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_papers_search_scores_as_many_paths_whether_evolved_or_drawn() -> None:
    """50 at first and 50 in each of 20 generations; evolution is given what `evolve` takes, and nothing else."""
    search = profiles.load("paper").search
    assert search.budget == 1050
    assert search.evolution == {
        "generations": 20,
        "population": 50,
        "crossovers": 25,
        "mutations": 25,
        "mutation_rate": 0.1,
        "parents": 10,
    }
