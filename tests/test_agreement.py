"""How the validity study is read: against hand-made records, and the committed table against the raw scores."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbnas import agreement, records
from imbnas.benchmark import SPACE, distinct, kendall, naive_rankings
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


def test_errors_are_what_a_line_leaves() -> None:
    assert agreement.errors(3 * TRUTH - 7, "cifar10").abs().max() == pytest.approx(0, abs=1e-9)
    bent = TRUTH.copy()
    bent[TRUTH.idxmax()] += 5
    assert agreement.errors(bent, "cifar10").idxmax() == TRUTH.idxmax()


def test_relatives_differ_in_one_gene_of_some_isomorph() -> None:
    cells = sample_cells(100)
    pairs = agreement.relatives(cells)
    members = distinct()["members"]

    def apart(one: str, other: str) -> int:
        paths = [[SPACE.from_string(member) for member in members[cell]] for cell in (one, other)]
        return min(sum(x != y for x, y in zip(a, b, strict=True)) for a in paths[0] for b in paths[1])

    assert pairs and all(apart(*pair) == 1 for pair in pairs)
    strangers = [(a, b) for a, b in itertools.combinations(cells[:15], 2) if (min(a, b), max(a, b)) not in set(pairs)]
    assert all(apart(*pair) > 1 for pair in strangers)


def test_what_runs_in_families_is_found_and_what_does_not_is_not() -> None:
    cells = sample_cells(300)
    inherited = pd.Series({cell: float(cell.count("skip_connect")) for cell in cells})
    found = agreement.family(inherited)
    assert found["correlation"] > found["high"] and found["pairs"] == len(agreement.relatives(cells))
    noise = pd.Series(np.random.default_rng(1).normal(size=300), cells)
    found = agreement.family(noise)
    assert found["low"] < found["correlation"] < found["high"]


def test_the_committed_table_is_what_the_raw_scores_say() -> None:
    study = records.read(agreement.FOLDER, "validity")
    table = agreement.FOLDER / "agreement.csv"
    assert not study or table.read_text() == agreement.as_csv(study), "run python -m imbnas.agreement"


def test_the_committed_table_of_adaptation_is_what_the_raw_scores_say() -> None:
    folder = agreement.FOLDER.parent / "truth"
    study, truths = records.read(agreement.FOLDER, "validity"), records.read(folder, "truth")
    table = folder / "agreement.csv"
    assert not truths or table.read_text() == agreement.adapted_csv(study, truths), "run python -m imbnas.agreement"


def test_the_committed_table_of_repeats_is_what_the_raw_scores_say() -> None:
    folder = agreement.FOLDER.parent / "truth"
    study = [r for r in records.read(agreement.FOLDER, "validity") if r["config"]["arm"]["name"] == agreement.ARM]
    truths = records.read(folder, "truth")
    table = folder / "repeats.csv"
    assert not truths or table.read_text() == agreement.repeats_csv(study, truths), "run python -m imbnas.agreement"


def test_repeats_by_hand() -> None:
    """Twelve cells, one pair exchanged: 1 of 66 pairs is discordant, so tau is 64 / 66."""
    cells = list(distinct().index[:12])
    scores = {cell: float(i) for i, cell in enumerate(cells)}
    swapped = scores | {cells[0]: 1.0, cells[1]: 0.0}

    def record(seed: int, accuracy: dict[str, float]) -> dict:
        return {
            "config": {"arm": {"name": "constant"}, "procedure": "P1", "target": "balance", "seed": seed},
            "results": {"accuracy": accuracy},
        }

    found = agreement.repeats([], [record(0, scores), record(1, swapped)])
    assert found.values.tolist() == [["P1", 0, 1, pytest.approx(64 / 66)]]
