"""What is read from the runs at the paper's own schedules, against cases by hand."""

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import kendalltau
from test_quality import DOWN, MIXED, UP, paths, scores_record

from imbnas import records
from imbnas.evidence.full_length import column, full_length, ranked_across


def retrained(procedure: str, accuracy: float, seed: int = 0, target: str = "exp-0.01", **best: Any) -> dict[str, Any]:
    """The record of a winner or a baseline."""
    config = {"data": "cifar100", "target": target, "space": "cell3-c32-n1", "precision": "bf16", "split_seed": 0}
    config |= {"recipe": {"length": 200}, "procedure": procedure, "seed": seed, "network": procedure}
    groups = dict.fromkeys(("many", "medium", "few", "middle"), accuracy)
    test = {"class_mean": accuracy, "head": accuracy + 20, "tail": accuracy - 20, **groups}
    results = {"split": {"cifar100": "one"}, "test": test} | ({"best": best} if best else {})
    cost = {"training_seconds": 1.0, "device": "a GPU", "seconds": {}}
    file = f"retrain-{procedure}-{target}-s{seed}.json"
    return {"schema": 1, "stage": "retrain", "config": config, "results": results, "cost": cost, "file": file}


def test_a_column_has_means_over_seeds_beside_the_papers_number() -> None:
    found = [retrained("P3", 44.0, path="1", macs=2e6), retrained("P0", 42.0, path="2", macs=4e6),
             retrained("P0", 43.0, seed=1, path="3", macs=5e6), retrained("resnet32-ce", 38.0),
             retrained("P1", 40.0, target="balance", path="2", macs=4e6)]  # fmt: skip
    table = column([*found, scores_record("P0", UP)], "exp-0.01")
    assert list(table.index) == ["P0", "P3", "ResNet-32, plain"]
    assert list(table.accuracy) == [42.5, 44.0, 38.0] and list(table.seeds) == [2, 1, 1]
    assert list(table.paper[:2]) == [41.18, 42.32] and table.paper.isna().iloc[2]
    assert list(table["multiply-adds"][:2]) == [4.5, 2.0] and table["multiply-adds"].isna().iloc[2]
    assert table["tail"]["P0"] == 22.5


def test_scores_of_a_long_training_are_held_against_accuracies_of_a_brief_one() -> None:
    shorter = [*paths(UP), scores_record("P0", MIXED), scores_record("P1", UP), scores_record("P3", DOWN)]
    longer = [scores_record("P0", UP), scores_record("P3", MIXED), scores_record("P3", UP, seed=1)]
    table = ranked_across(longer, shorter, repeats=200).set_index("procedure")
    assert list(table.index) == ["P0", "P3"]  # P1 has no long scores, P3's second seed no brief ones
    mixed = kendalltau(MIXED, UP).statistic
    assert list(table.tau) == pytest.approx([1.0, mixed]) and (table.paths == 10).all()
    assert list(table.gain) == pytest.approx([1 - mixed, mixed + 1])
    assert list(table.over_size) == pytest.approx([0.0, mixed - 1])
    assert table.over_p0["P3"] == pytest.approx(mixed - 1) and table.over_p0.isna()["P0"]
    assert (table.gain_low <= table.gain).all() and (table.gain <= table.gain_high).all()


def test_another_targets_scores_and_too_few_paths_are_no_rows() -> None:
    brief = [*paths(UP), scores_record("P3", UP)]
    assert ranked_across([scores_record("P3", UP, target="balance")], brief, 50).empty
    assert ranked_across([scores_record("P3", UP[:8])], brief, 50).empty
    few = [*paths(UP[:8]), scores_record("P3", UP)]
    assert ranked_across([scores_record("P3", UP)], few, 50).empty
    assert ranked_across([], brief, 50).empty


def test_without_a_record_there_is_no_grid(tmp_path: Path) -> None:
    assert full_length(tmp_path).found == []
    record = retrained("P0", 42.0, path="2", macs=4e6)
    folder = tmp_path / "paper" / "cifar10-cifar100" / "cell3-c32-n1"
    records.write(folder / record["file"], "retrain", record["config"], record["results"], record["cost"])
    assert full_length(tmp_path).profile == "paper" and len(full_length(tmp_path).of("retrain")) == 1
