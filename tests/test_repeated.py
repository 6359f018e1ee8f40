"""Noise taken out: tau within and across targets against scipy, a correlation that is known, and who counts."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from imbnas.evidence.paths import retrained_paths
from imbnas.evidence.repeated import true_correlation, without_noise
from imbnas.statistics.bootstrap import bootstrap_draws
from tests.test_quality import path_record

RNG = np.random.default_rng(3)
TRUTH = RNG.normal(30, 3, 14)
B0, B1, T0, T1 = (TRUTH + sd * RNG.normal(size=14) for sd in (1, 1, 0.5, 0.5))


def records(*columns: np.ndarray, numbers: int = 14) -> list:
    """Four trainings of each path: two on balance, two on exp-0.01."""
    places = (("balance", 0), ("balance", 1), ("exp-0.01", 0), ("exp-0.01", 1))
    pairs = zip(places, columns, strict=False)
    return [
        path_record(number, float(column[number]), target=target, seed=seed)
        for (target, seed), column in pairs
        for number in range(numbers)
    ]


def tau(one: np.ndarray, other: np.ndarray) -> float:
    return kendalltau(one, other).statistic


def row_of(*columns: np.ndarray, **options: int) -> pd.Series:
    return without_noise(retrained_paths(records(*columns, **options)), 200).iloc[0]


def test_taus_within_and_across_targets_are_of_different_seeds() -> None:
    row = row_of(B0, B1, T0, T1)
    assert (row.target, row.paths) == ("exp-0.01", 14)
    assert row.within == pytest.approx((tau(B0, B1) + tau(T0, T1)) / 2)
    assert row.across == pytest.approx((tau(B0, T1) + tau(B1, T0)) / 2)
    assert row.difference == pytest.approx(row.across - row.within)


def test_intervals_are_those_of_a_plain_loop() -> None:
    row, gaps, correlations = row_of(B0, B1, T0, T1), [], []
    for draw in bootstrap_draws(14, 200):
        b0, b1, t0, t1 = (column[draw] for column in (B0, B1, T0, T1))
        gaps.append((tau(b0, t1) + tau(b1, t0) - tau(b0, b1) - tau(t0, t1)) / 2)
        (_, bb, _, bt), (_, _, tb, _), (*_, tt) = np.cov([b0, b1, t0, t1])[:3]
        correlations.append((bt + tb) / 2 / math.sqrt(bb * tt))
    assert [row.difference_low, row.difference_high] == pytest.approx(np.quantile(gaps, [0.025, 0.975]))
    assert [row.correlation_low, row.correlation_high] == pytest.approx(np.quantile(correlations, [0.025, 0.975]))


def test_a_tail_that_changes_nothing_but_scale_has_a_correlation_of_one() -> None:
    row = row_of(TRUTH, TRUTH, TRUTH / 2 + 5, TRUTH / 2 + 5)
    assert (row.across, row.difference, row.correlation) == pytest.approx((1, 0, 1))
    assert [row.correlation_low, row.correlation_high] == pytest.approx([1, 1])


def test_noise_is_taken_out() -> None:
    """Two truths that correlate by 0.7, measured twice with more noise than they spread."""
    rng = np.random.default_rng(0)
    one, other = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 200_000).T
    measured = np.stack([truth + 1.2 * rng.normal(size=one.size) for truth in (one, one, other, other)], axis=1)
    plain = np.corrcoef(measured[:, 0], measured[:, 3])[0, 1]
    assert true_correlation(measured[None])[0] == pytest.approx(0.7, abs=0.02) and plain < 0.3


def test_what_size_alone_explains_is_gone() -> None:
    """Accuracies that follow the size on both targets, and apart from it go opposite ways."""
    found = records(*[np.zeros(14)] * 4)
    size = np.log([record["results"]["path"]["macs"] for record in found[:14]])
    own = RNG.normal(size=14)
    own -= np.polyval(np.polyfit(size, own, 1), size)  # nothing of it follows the size
    columns = [1000 * size + own * sign for sign in (1, 1, -1, -1)]
    row = row_of(*columns)
    assert row.correlation > 0.5 and row.size_out == pytest.approx(-1)


def test_only_paths_that_have_all_four_trainings_count() -> None:
    few = retrained_paths([*records(B0, B1, T0), *records(T1, numbers=0), *records(*[T1] * 4, numbers=9)[27:]])
    row = without_noise(few, 50).iloc[0]
    assert row.paths == 9 and math.isnan(row.correlation)
    assert without_noise(retrained_paths(records(B0, B1, T0)), 50).empty
    assert without_noise(retrained_paths(records(B0)), 50).empty


def test_measurements_that_do_not_vary_together_tell_no_correlation() -> None:
    row = row_of(TRUTH, -TRUTH, T0, T1)
    assert math.isnan(row.correlation) and not math.isnan(row.across)
