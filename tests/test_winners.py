"""Gaps between two winners of one seed, beside what test images and seeds alone would make of them."""

import math

import pytest
from scipy import stats

from imbnas.evidence.winners import seed_noise, winners_apart
from tests import test_evidence
from tests.test_quality import path_record


def record(*arguments, **more) -> dict:
    return test_evidence.record(*arguments, **more) | {"stage": "retrain"}


TABLE = [record("P0", accuracy=30.0, path="000"), record("P1", accuracy=26.0, path="011")]


def test_a_gap_by_hand() -> None:
    """Errors of 0.4583 and 0.4386 through the images, of 0.5 through the seed of either."""
    (row,) = winners_apart(TABLE, (0.5, 24)).itertuples()
    assert (row.first, row.second, row.target, row.seed, row.difference) == ("P0", "P1", "exp-0.01", 0, 4.0)
    images = (30 * 70 + 26 * 74) / 10_000
    assert row.error == pytest.approx(math.sqrt(images + 0.5)) and round(row.error, 3) == 0.950
    freedom = (images + 0.5) ** 2 / (0.5**2 / 24)
    assert row.p == row.corrected == pytest.approx(2 * stats.t.sf(4 / row.error, freedom))


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
