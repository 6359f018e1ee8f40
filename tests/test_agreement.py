"""How the validity study is read: against hand-made records, and the committed table against the raw scores."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from imbnas import agreement, records
from imbnas.benchmark import distinct, kendall, naive_rankings
from imbnas.stages.validity import arms, sample_cells

CELLS = sample_cells(40)
TRUTH = distinct()["cifar10"].loc[CELLS]


def record(scores: list[Mapping[str, float]], seed: int = 0, arm: str = "constant") -> dict[str, Any]:
    """A record of the study with these accuracies at its moments; the loss is 100 minus them."""
    moments = [
        {"step": 1000 * number, "accuracy": dict(s), "loss": {cell: 100 - value for cell, value in s.items()}}
        for number, s in enumerate(scores, 1)
    ]
    return {"config": records.plain({"arm": arms()[arm], "seed": seed}), "results": {"moments": moments}}


def test_a_perfect_super_network_agrees_fully_by_either_score() -> None:
    table = agreement.compared([record([TRUTH])])
    assert table.loc["constant s0, accuracy", "tau"] == pytest.approx(1)
    assert table.loc["constant s0, loss", "tau"] == pytest.approx(1)
    macs = kendall(naive_rankings(CELLS)["macs"])
    assert table.loc["multiply-adds", "tau"] == pytest.approx(macs)
    assert table.loc["constant s0, accuracy", "gain"] == pytest.approx(1 - macs)
    assert list(table.index[:4]) == list(agreement.YARDSTICKS) and table.loc["multiply-adds", "gain"] == 0


def test_only_good_cells_count_above() -> None:
    upside_down = {cell: (value if value > 90 else 200 - value) for cell, value in TRUTH.items()}
    table = agreement.compared([record([upside_down])], above=90)
    assert table.loc["constant s0, accuracy", ["tau", "cells"]].tolist() == [pytest.approx(1), (TRUTH > 90).sum()]


def test_too_few_good_cells_are_no_number() -> None:
    table = agreement.compared([record([TRUTH.nsmallest(15)])], above=90)
    assert math.isnan(table.loc["constant s0, accuracy", "tau"]) and math.isnan(table.loc["multiply-adds", "gain"])


def test_growth_stays_on_the_common_cells() -> None:
    early = TRUTH.iloc[:20]
    late = {**early, **{cell: 100 - value for cell, value in TRUTH.iloc[20:].items()}}  # wrong on the late cells only
    rows = agreement.growth([record([-early, late])])
    assert rows.cells.tolist() == [20, 20] and rows.tau.tolist() == [pytest.approx(-1), pytest.approx(1)]
    assert rows.images.tolist() == [64_000, 128_000]


def test_any_number_of_records() -> None:
    assert agreement.compared([]).empty and agreement.growth([]).empty
    assert agreement.panels([]) == {} and agreement.lines([]) == {}
    two = [record([TRUTH], seed) for seed in (0, 1)]
    assert len(agreement.compared(two)) == 4 + 2 * 2 and list(agreement.panels(two)) == ["constant"]
    assert agreement.panels(two)["constant"][1].to_dict() == TRUTH.to_dict()


def test_the_committed_table_is_what_the_raw_scores_say() -> None:
    study = records.read(agreement.FOLDER, "validity")
    table = agreement.FOLDER / "agreement.csv"
    assert not study or table.read_text() == agreement.as_csv(study), "run python -m imbnas.agreement"
