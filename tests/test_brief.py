"""What moves a ranking: hand-made records of brief arms beside a base; the committed table beside the raw scores."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from imbnas import records
from imbnas.benchmark import distinct
from imbnas.evidence import brief
from imbnas.plots import ranking
from imbnas.stages.arms import arms
from imbnas.stages.validity import sample_cells

CELLS = sample_cells(30)
TRUTH = distinct()["cifar10"].loc[CELLS]
UPSIDE_DOWN = -TRUTH


def record(arm: str, seed: int, moments: Mapping[int, pd.Series]) -> dict[str, Any]:
    """A record with these accuracies at its steps."""
    known = arms() | arms("brief")
    told = [{"step": step, "accuracy": dict(scores), "loss": {}} for step, scores in moments.items()]
    return {"config": records.plain({"arm": known[arm], "seed": seed}), "results": {"moments": told}}


BASES = [record("constant", seed, {3000: scores, 12000: TRUTH}) for seed, scores in ((0, TRUTH), (1, UPSIDE_DOWN))]


def test_a_change_is_held_against_the_base_of_its_seed_after_as_many_images() -> None:
    found = brief.changes([record("batch-128-brief", 1, {1500: TRUTH})], BASES).set_index(["arm", "seed"])
    row = found.loc[("batch-128-brief", 1)]
    assert (row.tau, row.change, row.changed) == (pytest.approx(1), pytest.approx(2), "batches of 128")
    assert row.change_low == row.change_high == pytest.approx(2)  # right beside wrong, in every draw of cells
    assert row["mean"] == pytest.approx(TRUTH.mean())


def test_chance_is_another_seed_of_the_base() -> None:
    found = brief.changes([record("fair-brief", 0, {3000: UPSIDE_DOWN})], BASES).set_index(["arm", "seed"])
    assert found.loc[("constant", 1), "change"] == pytest.approx(-2)
    assert found.loc[("constant", 0), ["change", "change_low", "change_high"]].tolist() == [0, 0, 0]
    assert list(found.index) == [("constant", 0), ("constant", 1), ("fair-brief", 0)]


def test_in_print_a_base_beside_itself_has_no_change() -> None:
    found = brief.changes([record("fair-brief", 0, {3000: UPSIDE_DOWN})], BASES)
    texts = brief.printed(found)
    assert list(texts.index) == ["nothing but the seed", "nothing but the seed", "strict fairness"]
    assert list(texts["τ"]) == ["1.00", "−1.00", "−1.00"] and list(texts.seed) == [0, 1, 0]
    assert list(texts["changed by"]) == ["", *["−2.00 [−2.00,\u00a0−2.00]"] * 2]


def test_an_arm_without_a_base_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"fair-brief: no base has seed 0 and 256,000 images"):
        brief.changes([record("fair-brief", 0, {4000: TRUTH})], BASES)
    with pytest.raises(ValueError, match="no base has seed 2"):
        brief.changes([record("fair-brief", 2, {3000: TRUTH})], BASES)


def test_records_that_do_not_go_together_are_refused_by_name() -> None:
    bases = [base | {"file": f"base-{number}.json"} for number, base in enumerate(BASES)]
    fair = record("fair-brief", 0, {3000: UPSIDE_DOWN}) | {"file": "fair.json"}
    with pytest.raises(ValueError, match="again.json and fair.json are both of fair-brief, seed 0"):
        brief.changes([fair, fair | {"file": "again.json"}], bases)
    with pytest.raises(ValueError, match="twin.json and base-0.json are both of constant, seed 0"):
        brief.changes([fair], [*bases, bases[0] | {"file": "twin.json"}])
    elsewhere = fair | {"results": fair["results"] | {"split": "other images"}}
    with pytest.raises(ValueError, match="base-0.json has another split than fair.json"):
        brief.changes([elsewhere], bases)


def test_without_records_the_figure_says_which_line_writes_them() -> None:
    assert brief.changes([], BASES).empty
    assert "-p arm fair-brief" in ranking.changes(brief.changes([], BASES), brief.MISSING).texts[0].get_text()


def test_the_figure_has_a_mark_for_every_seed_of_every_change() -> None:
    runs = [record("fair-brief", seed, {3000: scores}) for seed, scores in ((0, UPSIDE_DOWN), (1, TRUTH))]
    ax = ranking.changes(brief.changes(runs, BASES))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["nothing but the seed", "strict fairness"]
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert sorted(marks) == [pytest.approx(-2), pytest.approx(-2), pytest.approx(2)]


def test_an_arm_at_full_length_is_held_against_the_base_at_every_moment() -> None:
    fair = record("fair", 1, {3000: TRUTH, 12000: UPSIDE_DOWN})
    found = brief.along([*BASES, fair])
    rows = {tuple(row[:4]): tuple(row[8:]) for row in found.drop(columns="changed").itertuples(index=False)}
    good = int((TRUTH > 90).sum())
    assert [len(found), *found.cells] == [6, 30, 30, good, 30, 30, good]
    assert rows["fair", 1, 192_000, 0] == pytest.approx((2, 2, 2))  # that seed of the base is upside down there
    assert rows["fair", 1, 768_000, 0] == rows["fair", 1, 768_000, 90] == pytest.approx((-2, -2, -2))
    assert rows["constant", 1, 192_000, 0] == pytest.approx((-2, -2, -2))
    assert rows["constant", 1, 768_000, 90] == (0, 0, 0)  # at the end both seeds are right
    texts = brief.printed(found)
    assert texts["images seen"].tolist() == ["192,000", "768,000", "768,000"] * 2
    assert texts["cells"].tolist() == ["30", "30", f"{good} above 90 %"] * 2


def test_arms_at_full_length_must_have_scored_as_many_cells() -> None:
    other = record("fair", 0, {12000: TRUTH}) | {"file": "fair.json"}
    other["config"]["arm"]["cells"] = 150
    with pytest.raises(ValueError, match=r"fair\.json"):
        brief.along([BASES[0] | {"file": "base.json"}, other])


def test_every_arm_of_the_study_is_called_something() -> None:
    assert {brief.plain_name(arm) for arm in arms("brief") | arms()} == set(brief.CHANGES)


def test_the_committed_table_is_what_the_raw_scores_say() -> None:
    runs, study = brief.read()
    assert runs
    for folder, table in (("brief", brief.changes(runs, study)), ("validity", brief.along(study))):
        text = table.to_csv(index=False, float_format="%.4f")
        file = brief.FOLDER.parent / folder / "changes.csv"
        assert file.read_text() == text, "python -m imbnas.evidence.brief writes it anew"
