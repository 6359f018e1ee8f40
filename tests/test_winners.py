"""Gaps between two winners of one seed, beside what test images and seeds alone would make of them."""

import math

import pytest
from scipy import stats

from imbnas.evidence.winners import over_random, seed_noise, winners_apart
from imbnas.names import PROCEDURES
from tests import test_evidence
from tests.test_quality import path_record


def record(*arguments, **more) -> dict:
    return test_evidence.record(*arguments, **more) | {"stage": "retrain"}


TABLE = [record("P0", accuracy=30.0, path="000"), record("P1", accuracy=26.0, path="011")]


def test_a_gap_by_hand() -> None:
    """Errors of 0.5 through the seed of either; of 0.4583 and 0.4386 through the images, if they are not the same."""
    (row,) = winners_apart(TABLE, (0.5, 24)).itertuples()
    assert (row.first, row.second, row.target, row.seed, row.difference) == ("P0", "P1", "exp-0.01", 0, 4.0)
    assert row.error == pytest.approx(math.sqrt(0.5))
    assert row.p == row.corrected == pytest.approx(2 * stats.t.sf(4 / row.error, 24))
    images = (30 * 70 + 26 * 74) / 10_000
    assert row.other_error == pytest.approx(math.sqrt(images + 0.5)) and round(row.other_error, 3) == 0.950
    freedom = (images + 0.5) ** 2 / (0.5**2 / 24)
    assert row.other_p == row.other_corrected == pytest.approx(2 * stats.t.sf(4 / row.other_error, freedom))


def test_every_pair_of_a_seed_counts_and_none_between_seeds() -> None:
    other = [record("P0", seed=1, accuracy=31.0, path="000"), record("P2", seed=1, accuracy=31.0, path="022")]
    found = winners_apart([*TABLE, *other, record("P3", accuracy=26.5, path="011")], (0.5, 24))
    assert [(row.seed, row.first, row.second) for row in found.itertuples()] == [
        (0, "P0", "P1"), (0, "P0", "P3"), (1, "P0", "P2")
    ]  # P1 and P3 found the same path: what lies between them is luck  # fmt: skip
    assert list(found.corrected) == pytest.approx([3 * found.p[0], 2 * found.p[1], 1.0])


def test_the_noise_is_that_of_all_repeated_paths() -> None:
    """Five pairs, two points apart on one target and four on the other: variances of 2 and 8."""
    pairs = [(number, target, apart) for number in range(5) for target, apart in (("balance", 2.0), ("exp-0.01", 4.0))]
    paths = [
        path_record(number, 30.0 + seed * apart, seed=seed, target=target)
        for number, target, apart in pairs
        for seed in (0, 1)
    ]
    assert seed_noise(paths) == (pytest.approx(math.sqrt(5)), 10)


def test_without_enough_second_seeds_nothing_is_told() -> None:
    assert winners_apart(TABLE).empty and winners_apart([]).empty
    assert winners_apart(TABLE, (0.5, 4)).empty


def test_what_a_search_is_worth_by_hand() -> None:
    """Twelve paths, the last two too dear: ten of 20 to 29 %, and winners of 30 and 32 % in two seeds."""
    drawn = [path_record(number, 20.0 + number) for number in range(12)]
    won = [record(name, seed=seed, accuracy=30.0 + 2 * seed, path="000") for name in PROCEDURES for seed in (0, 1)]
    del won[-1]  # P3 has one seed, so that "all" is whole in one seed only
    table = over_random([*drawn, *won], cap=1009).set_index("procedure")
    assert list(table.index) == ["P0", "P1", "P2"] and set(table.target) == {"exp-0.01"}
    assert (table.seeds == 2).all() and (table.paths == 10).all()
    test = stats.ttest_ind([30, 32], range(20, 30), equal_var=False)
    assert table.difference["P0"] == pytest.approx(6.5) and table.p["P0"] == pytest.approx(test.pvalue)
    assert table.loc["P0", ["low", "high"]].tolist() == pytest.approx(list(test.confidence_interval()))
    assert over_random([*drawn, *won], cap=1008).empty and over_random([], 1).empty  # nine paths are too few


def test_targets_together_count_the_paths_that_are_on_all_of_them() -> None:
    """On balance a path more is drawn; a seed that lacks a winner on one target has no mean over both."""
    drawn = [path_record(n, 20.0 + n) for n in range(10)]
    drawn += [path_record(n, 30.0 + n, target="balance") for n in range(11)]
    won = [record("P0", target, seed, 40.0 + seed) for target in ("balance", "exp-0.01") for seed in (0, 1, 2)]
    table = over_random([*drawn, *won[:-1]], cap=2000).set_index("target")
    assert table.paths.to_dict() == {"balance": 11, "exp-0.01": 10, "together": 10}
    assert table.seeds.to_dict() == {"balance": 3, "exp-0.01": 2, "together": 2}
    assert table.difference["together"] == pytest.approx(40.5 - (24.5 + 34.5) / 2)
