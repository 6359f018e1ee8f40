"""Domain against imbalance: cells of the public table, retrained, against what is published of them."""

import math
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from imbnas.benchmark import SPACE, distinct, nasbench201
from imbnas.evidence.domain import domain, tail_and_domain
from imbnas.evidence.grid import leading
from imbnas.evidence.paths import retrained_paths
from imbnas.evidence.verdicts import domain_in_print
from imbnas.space import CellSpace
from imbnas.stages.ranking import ranked_paths
from tests.test_evidence import record, written
from tests.test_quality import path_record

CELLS = list(distinct().index[100:112])
PUBLISHED = nasbench201().loc[CELLS]


def retrained(accuracies: list[float], target: str) -> list[dict]:
    found = [path_record(number, value, target=target) for number, value in enumerate(accuracies)]
    for cell, one in zip(CELLS, found, strict=False):
        one["results"]["path"]["architecture"] = cell
    return found


def test_the_set_of_the_one_cell_space_is_of_distinct_living_cells_spread_over_the_costs() -> None:
    space = CellSpace(channels=16, cells=1, stages=1)
    names = [space.to_string(path) for path in ranked_paths(space)]
    assert len({SPACE.canonical(SPACE.from_string(name)) for name in names}) == 48
    assert all(name in nasbench201().index and SPACE.is_alive(SPACE.from_string(name)) for name in names)
    costs = [SPACE.cost(SPACE.from_string(name)).macs for name in names]
    assert max(costs[:6]) > 2 * min(costs[:6])  # a beginning is spread, too
    assert len(set(costs)) > 12  # many cells cost the same


def test_every_order_is_held_against_every_target() -> None:
    found = [*retrained([-c for c in PUBLISHED.cifar10], "balance"), *retrained(list(PUBLISHED.cifar10), "exp-0.01")]
    table = domain(retrained_paths(found), 50).set_index(["first", "second", "part"])
    means = distinct().loc[CELLS]  # isomorphic cells share their mean
    alone = kendalltau(means.cifar10, means.cifar100).statistic
    assert table.tau["cifar10", "cifar100", "overall"] == pytest.approx(alone)
    assert table.tau["balance", "exp-0.01", "tail"] == pytest.approx(-1)
    # the cell that is best on balance is here the worst of the tail: all is lost that can be
    all_of_it = PUBLISHED.cifar10.max() - PUBLISHED.cifar10.min()
    assert table.regret["balance", "exp-0.01", "overall"] == pytest.approx(all_of_it)
    assert len(table) == 1 + 2 * 2 * 4 + 4 and (table.cells == 12).all()
    shown = domain_in_print(table.reset_index())
    assert shown.columns.tolist() == [
        "order of",
        "held against",
        "cells",
        "τ",
        "head",
        "middle",
        "tail",
        "regret of the first",
    ]
    assert shown["order of"].tolist() == ["CIFAR-10, published"] * 3 + ["CIFAR-100, published"] * 2 + ["balance"]


def test_too_few_cells_have_no_figure_and_none_no_row() -> None:
    table = domain(retrained_paths(retrained([1.0, 2.0, 3.0], "exp-0.01")), 50)
    assert (table.cells == 3).all() and math.isnan(table.tau[0])
    assert "too few cells" in domain_in_print(table)["τ"].tolist()
    assert domain(retrained_paths([])).empty and domain_in_print(domain(retrained_paths([]))).empty


def test_the_one_cell_space_does_not_take_the_place_of_the_profiles_own(tmp_path: Path) -> None:
    for space, procedures in (("cell3-c16-n1", ("P0",)), ("cell1-c16-n1", ("P0", "P1"))):
        for p in procedures:
            written(tmp_path / "laptop" / "cifar10-cifar100" / space, "retrain", f"retrain-{p}", record(p))
    assert leading(tmp_path).folder.name == "cell3-c16-n1"
    assert leading(tmp_path, space="cell1-c16-n1").folder.name == "cell1-c16-n1"
    assert leading(tmp_path, space="cell1-c8-n1").folder == Path()


def test_the_tail_beside_the_other_data_set() -> None:
    """The same order on both targets, so that only the published accuracies disagree."""
    found = [*retrained(list(PUBLISHED.cifar10), "balance"), *retrained(list(PUBLISHED.cifar10), "exp-0.01")]
    row = tail_and_domain(retrained_paths(found), 200).iloc[0]
    means = distinct().loc[CELLS]
    published = kendalltau(means.cifar10, means.cifar100).statistic
    assert (row.target, row.cells, row["tail"]) == ("exp-0.01", 12, pytest.approx(1))
    assert row.domain == pytest.approx(published) and row.difference == pytest.approx(1 - published)
    assert 0 <= row.low <= row.difference <= row.high


def test_the_tail_needs_balance_and_ten_cells() -> None:
    few = [*retrained([1.0, 2.0], "balance"), *retrained([2.0, 1.0], "exp-0.01")]
    row = tail_and_domain(retrained_paths(few)).iloc[0]
    assert row.cells == 2 and math.isnan(row.difference)
    assert tail_and_domain(retrained_paths(retrained([1.0, 2.0], "exp-0.01"))).empty
