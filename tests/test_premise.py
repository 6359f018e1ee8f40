"""The premise: agreement between targets against scipy and hand-made cases, and the ceiling that noise leaves."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from imbnas.evidence.ceiling import ceiling, expected, if_alike
from imbnas.evidence.paths import retrained_paths
from imbnas.evidence.premise import agreement, predicting, premise, tail_and_seed
from imbnas.statistics.bootstrap import bootstrap_draws
from imbnas.statistics.correlation import partial_tau, tau_of
from tests.test_quality import path_record, paths

NOISE = np.random.default_rng(0).normal(size=(3, 12))
UP = [float(i) for i in range(12)]


def columns(*values: np.ndarray) -> list[pd.Series]:
    return [pd.Series(column, name=name) for column, name in zip(values, ("first", "second", "cost"), strict=True)]


class TestAgreement:
    def test_against_scipy(self) -> None:
        first, second, cost = columns(*NOISE)
        found = agreement(first, second, cost, 100)
        xy, xz, yz = (kendalltau(*pair).statistic for pair in ((first, second), (first, cost), (second, cost)))
        assert found["tau"] == pytest.approx(xy)
        assert found["spearman"] == pytest.approx(spearmanr(first, second).statistic)
        x, y, z = (math.sin(math.pi / 2 * tau) for tau in (xy, xz, yz))
        partial = (x - y * z) / math.sqrt((1 - y**2) * (1 - z**2))
        assert found["partial"] == pytest.approx(2 / math.pi * math.asin(partial))

    def test_intervals_are_those_of_plain_loops(self) -> None:
        first, second, cost = columns(*NOISE)
        found, (x, y, _) = agreement(first, second, cost, 200), NOISE
        draws = bootstrap_draws(12, 200)
        taus = [kendalltau(x[draw], y[draw]).statistic for draw in draws]
        rhos = [spearmanr(x[draw], y[draw]).statistic for draw in draws]
        assert [found["low"], found["high"]] == pytest.approx(np.quantile(taus, [0.025, 0.975]))
        assert [found["spearman_low"], found["spearman_high"]] == pytest.approx(np.quantile(rhos, [0.025, 0.975]))

    def test_partial_tau_by_hand(self) -> None:
        # taus of 1/3 are correlations of 1/2: (0.5 - 0.25) / 0.75 = 1/3, whose arc sine is 0.33984
        third = np.array([1 / 3])
        assert partial_tau(third, third, third)[0] == pytest.approx(2 / math.pi * 0.339837, abs=1e-5)

    def test_taus_that_no_three_variables_have_leave_nothing(self) -> None:
        """Three normal variables have these correlations where their matrix has no negative eigenvalue."""
        assert math.isnan(partial_tau(0.9, 0.9, -0.9)) and partial_tau(1.0, 0.5, 0.5) == pytest.approx(1)
        triples = np.random.default_rng(0).uniform(-1, 1, (500, 3))
        for taus in triples:
            both, one, other = np.sin(np.pi / 2 * taus)
            least = np.linalg.eigvalsh([[1, both, one], [both, 1, other], [one, other, 1]])[0]
            assert math.isnan(partial_tau(*taus)) == (least < 0)

    def test_what_cost_explains_is_gone(self) -> None:
        """Two normal variables that have nothing but a third in common, correlated with it by 0.8 and 0.6."""
        taus = [np.array([tau_of(r)]) for r in (0.48, 0.8, 0.6)]
        assert partial_tau(*taus)[0] == pytest.approx(0)

    def test_all_ties_are_named(self) -> None:
        first, second, cost = columns(np.full(12, 3.0), NOISE[1], NOISE[2])
        with pytest.raises(ValueError, match="all 12 values of first are 3.0: ties everywhere"):
            agreement(first, second, cost)


class TestPremise:
    def test_targets_are_paired_part_by_part(self) -> None:
        found = [*paths(UP, target="exp-0.01"), *paths(UP[::-1], target="balance"), *paths(UP, target="step-0.01")]
        table = premise(retrained_paths(found), 50)
        rows = table.set_index(["first", "first_part", "second", "second_part"])
        assert rows.loc[("balance", "overall", "exp-0.01", "overall"), "tau"] == pytest.approx(-1)
        assert rows.loc[("exp-0.01", "head", "step-0.01", "head"), "tau"] == pytest.approx(1)
        assert rows.loc[("balance", "overall", "exp-0.01", "tail"), "tau"] == pytest.approx(-1)
        assert rows.loc[("exp-0.01", "head", "exp-0.01", "tail"), "tau"] == pytest.approx(1)
        assert len(table) == 4 * 3 + 2 + 2 * 3 and (table.paths == 12).all()

    def test_only_common_paths_count_and_too_few_give_no_figure(self) -> None:
        found = [*paths(UP, target="exp-0.01"), *paths(UP[:9], target="balance")]
        row = premise(retrained_paths(found), 50).iloc[0]
        assert row.paths == 9 and math.isnan(row.tau) and math.isnan(row.low)
        assert premise(retrained_paths([])).empty


class TestCeiling:
    def test_tau_of_normal_variables(self) -> None:
        assert (tau_of(0.0), tau_of(1.0)) == (0.0, pytest.approx(1.0))
        assert tau_of(0.5) == pytest.approx(1 / 3)  # the arc sine of a half is pi / 6
        drawn = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 4000)
        assert kendalltau(*drawn.T).statistic == pytest.approx(1 / 3, abs=0.03)

    def test_what_noise_leaves(self) -> None:
        # noise of half the spread: the seeds correlate with 0.75, a perfect ranking with its square root
        found = expected(2.0, 1.0, 6)
        assert found["expected"] == pytest.approx(2 / math.pi * math.asin(0.75))
        assert found["perfect"] == pytest.approx(2 / math.pi * math.asin(0.75**0.5))
        assert found["expected_low"] < found["expected"] < found["expected_high"]
        assert expected(1.0, 2.0, 6)["expected"] == 0

    def test_the_simulated_ceiling_is_the_expected_one(self) -> None:
        rng = np.random.default_rng(2)
        true = rng.normal(0, math.sqrt(0.75), 3000)
        seeds = true[:, None] + rng.normal(0, 0.5, (3000, 2))
        assert kendalltau(*seeds.T).statistic == pytest.approx(expected(1.0, 0.5, 6)["expected"], abs=0.03)

    def test_if_alike_with_the_noise_of_other_paths(self) -> None:
        """Spreads of 10 and 20, noises of 6 and 12 from paths elsewhere: shares of 0.64 on both targets."""
        z = np.array([-1.0, 1.0] * 6) * math.sqrt(11 / 12)  # a standard deviation of one
        once = [*paths(list(50 + 10 * z), target="balance"), *paths(list(50 + 20 * z))]
        assert math.isnan(if_alike(retrained_paths(once), "exp-0.01"))
        twice = [
            path_record(number, 50 + sign * noise / math.sqrt(2), seed=seed, target=target)
            for target, noise in (("balance", 6), ("exp-0.01", 12))
            for seed, sign in ((0, 1), (1, -1))
            for number in range(12)
        ]
        for few in (once[:12], once[:13]):  # none, and a single path on the tail
            assert math.isnan(if_alike(retrained_paths(few), "exp-0.01", noise=retrained_paths(twice)))
        found = if_alike(retrained_paths(once), "exp-0.01", noise=retrained_paths(twice))
        assert found == pytest.approx(2 / math.pi * math.asin(0.64))

    def test_the_two_seeds_that_most_paths_have_are_compared(self) -> None:
        """Seed 1 was run for one path, seed 2 for six, in the reverse order of seed 0."""
        again = [path_record(0, 99.0, seed=1), *(path_record(n, 60.0 - n, seed=2) for n in range(6))]
        found = ceiling(retrained_paths([*paths(UP), *again]), "exp-0.01")
        assert found["repeated"] == 6 and found["tau"] == pytest.approx(-1)

    def test_few_repeated_paths_have_a_tau_but_no_interval(self) -> None:
        again = [path_record(number, UP[number] + 0.5, seed=1) for number in range(6)]
        found = ceiling(retrained_paths([*paths(UP), *again]), "exp-0.01")
        assert (found["paths"], found["repeated"], found["tau"]) == (12, 6, pytest.approx(1.0))
        assert math.isnan(found["low"]) and 0.9 < found["expected"] < 1

    def test_no_second_seed_no_ceiling(self) -> None:
        found = ceiling(retrained_paths(paths(UP)), "exp-0.01")
        assert found["repeated"] == 0 and math.isnan(found["tau"]) and math.isnan(found["expected"])

    def test_paths_that_all_tie_have_none(self) -> None:
        tied = [path_record(number, 50.0, seed=seed) for number in range(12) for seed in (0, 1)]
        found = ceiling(retrained_paths(tied), "exp-0.01")
        assert (found["paths"], found["repeated"]) == (12, 12)
        assert all(math.isnan(found[name]) for name in ("tau", "expected", "expected_low", "expected_high", "perfect"))

    def test_ten_repeated_paths_have_an_interval(self) -> None:
        again = [path_record(number, UP[number] + (-1) ** number, seed=1) for number in range(12)]
        found = ceiling(retrained_paths([*paths(UP), *again]), "exp-0.01")
        assert found["low"] < found["tau"] <= found["high"]


def test_balanced_accuracy_as_a_score_among_all_and_among_few() -> None:
    """Twenty paths rise together, but the ten good ones fall on the tail; the search allows the ten smallest."""
    tail = [float(number) for number in [*range(10), *range(40, 30, -1)]]
    found = [*paths(tail), *paths([float(number) for number in range(20)], target="balance")]
    found.append({"stage": "search", "results": {"max_cost": 1009}})
    told = predicting(found, 100).set_index(["second", "among"])
    assert told.index.tolist() == [("exp-0.01", "all"), ("exp-0.01", "allowed"), ("exp-0.01", "good")]
    assert told.paths.tolist() == [20, 10, 10] and told.tau["exp-0.01", "good"] == pytest.approx(-1)
    assert told.tau["exp-0.01", "allowed"] == pytest.approx(1) and told.regret["exp-0.01", "allowed"] == 0
    assert told.regret["exp-0.01", "all"] == pytest.approx(5)  # the five best on balance have 31 to 35 of 40 %
    assert 0 < told.tau["exp-0.01", "all"] < 1
    assert predicting(found[:20] + found[-1:], 100).tau.isna().all()  # nothing on balance


class TestTailAndSeed:
    """Twelve paths on balance, twice, and on a tail, of accuracies told by hand."""

    AGAIN = [float(number) for number in (1, 0, *range(2, 12))]  # two neighbours change places

    def rows(self, tail: list[float], again: list[float] = AGAIN, more: list | None = None) -> pd.Series:
        second = [path_record(number, value, target="balance", seed=1) for number, value in enumerate(again)]
        found = [*paths([float(n) for n in range(12)], target="balance"), *second, *paths(tail), *(more or [])]
        return tail_and_seed(retrained_paths(found), 200).iloc[0]

    def test_a_tail_that_reverses_the_order_reorders_more_than_a_seed(self) -> None:
        row = self.rows([float(-number) for number in range(12)])
        assert (row.paths, row.seed, row["tail"]) == (12, pytest.approx(64 / 66), pytest.approx(-64 / 66))
        assert row.difference == pytest.approx(-128 / 66) and row.low <= row.difference <= row.high < 0
        assert math.isnan(row.alike)  # the tail's noise is not known

    def test_a_tail_that_keeps_it_is_held_against_the_second_seed(self) -> None:
        row = self.rows(self.AGAIN)
        assert (row["tail"], row.difference) == (pytest.approx(1), pytest.approx(2 / 66))
        assert row.low >= 0  # the same draws of paths for both

    def test_only_paths_with_all_three_count(self) -> None:
        row = self.rows(self.AGAIN, self.AGAIN[:9])
        assert row.paths == 9 and math.isnan(row.difference)
        assert tail_and_seed(retrained_paths([*paths(UP), *paths(UP, target="balance")]), 50).empty

    def test_what_noise_alone_would_leave(self) -> None:
        """Seeds half a point apart on balance, a whole one on the tail: SDs of a half and one over the root of two."""
        values = [float(n) for n in range(12)]
        tail = [path_record(number, value + 1, seed=1) for number, value in enumerate(values)]
        row = self.rows(values, [value + 0.5 for value in values], tail)
        spread = np.var(values, ddof=1)
        shares = (1 - 0.5**2 / 2 / spread) * (1 - 1 / 2 / spread)
        assert row.alike == pytest.approx(2 / math.pi * math.asin(shares**0.5))
