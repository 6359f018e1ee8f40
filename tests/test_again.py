"""Winners retrained with further seeds: which count, and Welch's t by the formula."""

import math

import pytest
from scipy import stats

from imbnas.evidence.again import winners_again
from tests.test_evidence import record

TABLE = [record("P1", accuracy=24.0, path="011"), record("P2", accuracy=28.0, path="022")]


def further(path: str, *accuracies: float, **more) -> list[dict]:
    """Retrainings of one architecture by its name, with the seeds 1, 2, …"""
    return [record("named-drw", seed=seed, accuracy=a, path=path, **more) for seed, a in enumerate(accuracies, start=1)]


def test_the_gap_is_between_further_seeds_alone() -> None:
    one, other = [25.0, 26.0, 24.5], [26.0, 27.0, 28.5]
    row = winners_again([*TABLE, *further("011", *one), *further("022", *other)]).iloc[0]
    assert (row["first"], row.second, row.target, row.in_table, row.seeds) == ("P1", "P2", "exp-0.01", -4.0, 3)
    assert row.again == pytest.approx(sum(one) / 3 - sum(other) / 3)
    squares = [sum((value - sum(v) / 3) ** 2 for value in v) / 2 / 3 for v in (one, other)]
    error = math.sqrt(sum(squares))
    freedom = sum(squares) ** 2 / sum(square**2 / 2 for square in squares)
    assert row.p == pytest.approx(2 * stats.t.sf(abs(row.again) / error, freedom))
    half = stats.t.ppf(0.975, freedom) * error
    assert (row.low, row.high) == pytest.approx((row.again - half, row.again + half))
    assert row.seed_sd == pytest.approx(math.sqrt(sum(squares) * 3 / 2))  # variances of as many seeds: their mean


def test_the_seed_of_the_table_is_not_counted_again() -> None:
    again = record("named-drw", seed=0, accuracy=99.0, path="011")
    row = winners_again([*TABLE, again, *further("011", 25.0, 26.0), *further("022", 27.0, 28.5)]).iloc[0]
    assert (row.seeds, row.again) == (2, pytest.approx(25.5 - 27.75))


def test_one_further_seed_and_one_path_of_two_procedures_tell_nothing() -> None:
    assert winners_again([*TABLE, *further("011", 25.0), *further("022", 27.0, 28.0)]).empty
    same = [TABLE[0], record("P2", accuracy=24.0, path="011"), *further("011", 25.0, 26.0)]
    assert winners_again(same).empty and winners_again([]).empty


def test_another_recipe_is_refused() -> None:
    other = further("011", 25.0, 26.0, recipe={"length": 99})
    with pytest.raises(ValueError, match="named-drw-exp-0.01-s1-a.json has another recipe than P1-exp-0.01-s0-a.json"):
        winners_again([*TABLE, *other])
