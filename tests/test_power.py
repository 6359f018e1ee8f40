"""Power against printed tables and simulation; cost against hand-made records."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from imbnas.evidence.paper import paper_gaps
from imbnas.evidence.power import (
    detectable,
    hindsight_in_print,
    image_rate,
    images_error,
    in_hindsight,
    noise_of,
    paper_needs,
    power,
    refuse_seeds,
    search_seconds,
    seed_hours,
    seeds_needed,
    stage_seconds,
    winners_sd,
)
from imbnas.statistics.intervals import sd_interval, t_interval


class TestSeeds:
    @pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
    def test_the_textbook_sample_sizes(self, effect: float, pairs: int) -> None:
        """Cohen's small, medium and large effects, paired, two-sided, 5 %, power 0.8: G*Power's 199, 34 and 15."""
        assert seeds_needed(effect, 1.0) == pairs
        assert seeds_needed(-effect, 1.0) == pairs

    def test_power_is_that_of_simulated_tests(self) -> None:
        drawn = np.random.default_rng(0).normal(0.6, 1.0, (4000, 12))
        shown = stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
        assert power(12, 0.6, 1.0) == pytest.approx(shown.mean(), abs=0.025)

    def test_no_gap_shows_as_often_as_chance_has_it(self) -> None:
        assert power(5, 0.0, 1.0) == pytest.approx(0.05, abs=1e-5)

    def test_one_seed_shows_nothing(self) -> None:
        assert power(1, 10.0, 0.1) == 0 and detectable(1, 0.1) == math.inf

    @pytest.mark.parametrize("seeds", [2, 3, 10, 200])
    def test_the_detectable_gap_needs_these_seeds(self, seeds: int) -> None:
        gap = detectable(seeds, 0.7)
        assert power(seeds, gap, 0.7) == pytest.approx(0.8, abs=1e-6)
        assert seeds_needed(gap * 1.001, 0.7) == seeds

    def test_in_hindsight_the_spread_of_the_seeds_at_hand_counts(self) -> None:
        """Ten pairs show a gap of one standard deviation with probability 0.80 (G*Power)."""
        gaps = 2 * stats.zscore(np.arange(10.0), ddof=1)  # mean 0, standard deviation 2
        runs = pd.DataFrame(
            {"procedure": p, "target": "exp-0.1", "seed": s, "accuracy": value}
            for p, values in {"P0": np.zeros(10), "P1": gaps}.items()
            for s, value in enumerate(values)
        )
        (row,) = in_hindsight(runs, [("P1", "P0")], ["exp-0.1", "balance"]).itertuples()
        assert (row.pair, row.target, row.seeds) == ("P1 − P0", "exp-0.1", 10)
        assert row.smallest == pytest.approx(2.0, rel=0.01)
        one = in_hindsight(runs[runs.seed == 0], [("P1", "P0")], ["exp-0.1"])
        assert one.smallest.iloc[0] == math.inf and math.isnan(one.low.iloc[0])
        assert hindsight_in_print(one).iloc[0].tolist()[1:] == [1, "−2.97", "takes two seeds", "takes two seeds"]
        assert in_hindsight(runs, [("P3", "P1")]).empty and detectable(5, 0.0) == 0

    @pytest.mark.parametrize(("gap", "sd"), [(0.0, 1.0), (0.5, 0.0), (0.5, -1.0), (math.nan, 1.0), (0.5, math.nan)])
    def test_what_has_no_answer(self, gap: float, sd: float) -> None:
        with pytest.raises(ValueError, match="expected a gap that is not 0"):
            seeds_needed(gap, sd)
        with pytest.raises(ValueError, match="more than 1,000,000 seeds"):
            seeds_needed(1e-5, 1.0)

    @pytest.mark.parametrize(("gap", "sd"), [(0.5, 0.0), (math.nan, 1.0), (math.inf, 1.0)])
    def test_power_takes_a_spread_and_a_finite_gap(self, gap: float, sd: float) -> None:
        with pytest.raises(ValueError, match=f"gap {gap}, sd {sd}: expected a finite gap, and an sd above 0"):
            power(3, gap, sd)

    @pytest.mark.parametrize("confidence", [95.0, 1.0, 0.0, -0.5, math.nan])
    def test_a_confidence_is_a_share(self, confidence: float) -> None:
        calls = (
            lambda: power(5, 1.0, 1.0, confidence),
            lambda: seeds_needed(1.0, 1.0, confidence=confidence),
            lambda: detectable(3, 1.0, confidence=confidence),
            lambda: t_interval([1.0, 2.0, 3.0], confidence),
            lambda: sd_interval(1.0, 3, confidence),
        )
        for call in calls:
            with pytest.raises(ValueError, match=f"confidence is {confidence}: expected a share between 0 and 1"):
                call()

    @pytest.mark.parametrize("wanted", [0.01, 0.04, 1.0, 2.0, math.nan])
    def test_a_power_lies_between_chance_and_certainty(self, wanted: float) -> None:
        with pytest.raises(ValueError, match=f"power {wanted}: expected sd from 0, power above 0.05 and below 1"):
            detectable(3, 1.0, wanted)

    def test_a_gap_may_be_hundreds_of_standard_deviations(self) -> None:
        """The edge of t with one degree of freedom is 636.6 for 99.9 % (printed tables)."""
        gap = detectable(2, 1.0, confidence=0.999)
        assert gap > 100 and power(2, gap, 1.0, 0.999) == pytest.approx(0.8, abs=1e-6)

    @pytest.mark.parametrize("seeds", [0, -1, 2.5, math.nan, math.inf])
    def test_seeds_are_counted(self, seeds: float) -> None:
        with pytest.raises(ValueError, match=f"seeds is {seeds}: expected a whole number, at least 1"):
            refuse_seeds(seeds)
        if isinstance(seeds, int):
            for call in (power, lambda *given: detectable(*given[::2])):
                with pytest.raises(ValueError, match="expected a whole number"):
                    call(seeds, 1.0, 1.0)


class TestNoise:
    def test_the_test_images_by_hand(self) -> None:
        errors = paper_gaps("P1", "P2").loc[["exp-0.1", "exp-0.01", "step-0.01"], "error"]
        apart, shared = images_error("P1", "P2")
        assert apart == pytest.approx(math.sqrt(sum(e * e for e in errors)) / 3) == pytest.approx(0.40, abs=0.01)
        assert shared == pytest.approx(sum(errors) / 3) == pytest.approx(0.70, abs=0.01)
        assert images_error("P1", "P2", ["exp-0.01"]) == (pytest.approx(errors["exp-0.01"]),) * 2

    def test_winners_differ_within_target_and_seed(self) -> None:
        """Squares around the means 2 and 10: 2 over one degree of freedom, 0.5 over one; a path counts once a seed."""
        rows = [("a", 0, "x", 1.0), ("a", 0, "y", 3.0), ("a", 0, "x", 1.0), ("b", 0, "x", 9.5), ("b", 1, "x", 9.5)]
        runs = pd.DataFrame([*rows, ("b", 1, "z", 10.5)], columns=["target", "seed", "path", "accuracy"])
        assert winners_sd(runs) == (pytest.approx(1.25**0.5), 2)
        assert math.isnan(winners_sd(runs.iloc[:1])[0])

    def test_a_difference_of_two_over_three_targets(self) -> None:
        # each difference has sqrt(2) * 0.6; the mean of three 1 / sqrt(3) of that
        assert noise_of(0.6) == pytest.approx(0.6 * math.sqrt(2) / math.sqrt(3))

    def test_the_papers_gaps(self) -> None:
        table = paper_needs(0.5, [("P1", "P0"), ("P1", "P2")])
        assert table.gap.tolist() == [pytest.approx(1.10), pytest.approx(0.35333, abs=1e-4)]
        assert table.seeds.tolist() == [seeds_needed(1.10, 0.5), seeds_needed(1.06 / 3, 0.5)]


def record(
    stage: str, seconds: float, search: float = 0.0, procedure: str = "", images: int = 1000, device: str = "a CPU"
) -> dict[str, Any]:
    cost = {"training_seconds": seconds, "seconds": {"search": search} if search else {}, "device": device}
    config = {"procedure": procedure} if procedure else {}
    return {"stage": stage, "config": config, "cost": cost | {"images": images}}


FOUND = [
    record("supernet", 3600.0, images=360_000),
    record("search", 0.0, 900.0, "P0"),
    record("search", 600.0, 1200.0, "P1"),
    record("search", 1000.0, 1400.0, "P1"),
    record("retrain", 500.0, procedure="P0"),
    record("retrain", 700.0, procedure="path"),
    record("gate", 9.0),
]


class TestCost:
    def test_means_by_stage(self) -> None:
        table = stage_seconds(FOUND)
        assert table.loc[("search", "P1"), ["seconds", "records"]].tolist() == [2100.0, 2]
        assert table.loc[("retrain", "any"), ["seconds", "records"]].tolist() == [600.0, 2]
        assert table.loc[("supernet", "source"), "device"] == "a CPU" and len(table) == 4
        assert image_rate(FOUND) == 100

    def test_an_ordinary_network_is_no_winner(self) -> None:
        table = stage_seconds(
            [*FOUND, *(record("retrain", 9000.0, procedure=f"resnet32-{by}") for by in ("ce", "drw"))]
        )
        assert table.loc[("retrain", "any"), ["seconds", "records"]].tolist() == [600.0, 2]

    def test_two_devices_make_no_mean(self) -> None:
        """Six records are of the CPU; what a GPU did alone has no price on it, and is estimated from the CPU's."""
        gpu = [record("supernet", 10.0, images=360_000, device="a GPU"), record("retrain", 1.0, device="a GPU"),
               record("search", 2.0, 3.0, "P2", device="a GPU")]  # fmt: skip
        for found in (FOUND + gpu, gpu + FOUND):
            assert stage_seconds(found).equals(stage_seconds(FOUND)) and image_rate(found) == 100
            assert search_seconds(found, "P2", 200_000) == (pytest.approx(2000 + 1100), False)
        assert set(stage_seconds(gpu).device) == {"a GPU"}

    def test_a_seed_by_hand(self) -> None:
        # 3600 + P0's one search 900 + three of P1 2100 + six retrainings 600
        assert seed_hours(FOUND, "P1", "P0", {}) == (pytest.approx((3600 + 900 + 6300 + 3600) / 3600), [])

    def test_what_no_record_tells_is_estimated_and_named(self) -> None:
        # 200,000 images at 100 a second, and the mean search of P0 (900) and P1 (1300)
        assert search_seconds(FOUND, "P2", 200_000) == (pytest.approx(2000 + 1100), False)
        hours, estimated = seed_hours(FOUND, "P1", "P2", {"P2": 200_000})
        assert estimated == ["P2"] and hours == pytest.approx((3600 + 6300 + 3 * 3100 + 3600) / 3600)

    def test_without_records_no_cost(self) -> None:
        assert stage_seconds([]).empty and image_rate([]) is None
        assert seed_hours([], "P1", "P0", {}) is None and search_seconds([], "P1", 100) is None
        assert seed_hours(FOUND, "P1", "P3", {}) is None
