"""Ranking quality: rows, spread, tau and regret against cases by hand and scipy; and what is refused."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from imbnas import records
from imbnas.evidence.paths import (
    YARDSTICKS,
    among_random,
    convolutions,
    good_on_balance,
    largest_allowed,
    retrained_and_scored,
    retrained_paths,
)
from imbnas.evidence.quality import PAIRS, blind_regret, crossed, differences, judged, quality, repeatability, two_sided
from imbnas.evidence.spread import retrained_spread, scores_spread
from imbnas.evidence.verdicts import among_random_in_words
from imbnas.statistics.bootstrap import bootstrap_draws
from imbnas.statistics.intervals import holm, pooled_sd, sd_interval
from imbnas.statistics.regret import expected_regret


def path_record(
    number: int, accuracy: float, seed: int = 0, target: str = "exp-0.01", **changes: Any
) -> dict[str, Any]:
    """The record of a retrained path, as far as it is read here."""
    config = {"data": "cifar100", "target": target, "space": "cell3-c16-n1", "network": f"{number:018d}"}
    config |= {"recipe": {"length": 10}, "precision": "bf16", "split_seed": 0, "procedure": "path", "seed": seed}
    about = {"architecture": f"cell {number}", "number": number, "macs": 1000 + number, "params": 100 + number}
    test = {"overall": accuracy + 7, "class_mean": accuracy}
    test |= {"head": accuracy + 20, "middle": accuracy, "tail": accuracy - 20}
    results = {"split": {"cifar100": f"hash of {target}"}, "path": about, "test": test}
    cost = {"training_seconds": 2.0, "device": "a CPU", "seconds": {}, "images": 1280}
    file = f"path-{number:02d}-{target}-s{seed}.json"
    record = {"schema": 1, "stage": "retrain", "config": config, "results": results, "cost": cost, "file": file}
    for name, value in changes.items():
        record |= {name: value} if name in record else {"config": config | {name: value}}
    return record


def paths(accuracies: list[float], seed: int = 0, target: str = "exp-0.01") -> list[dict[str, Any]]:
    return [path_record(number, value, seed, target) for number, value in enumerate(accuracies)]


def scores_record(procedure: str, scores: list[float], seed: int = 0, target: str = "exp-0.01", **changes: Any) -> Any:
    """The record of a procedure's scores, of the same profile as `path_record`'s."""
    config = {"procedure": procedure, "space": "cell3-c16-n1", "precision": "bf16", "split_seed": 0, "seed": seed}
    config |= {"scoring": {"batches": 8}, "supernet": f"net {seed}", "data": "cifar100", "target": target}
    if procedure == "P0":
        config |= {"data": "cifar10", "target": "balance"}
    split = {config["data"]: f"hash of {config['target']}" + " of the source" * (procedure == "P0")}
    scored = {f"{number:018d}": score for number, score in enumerate(scores)}
    file = f"scores-{procedure}-{target}-s{seed}.json"
    record = {"schema": 1, "stage": "scores", "config": config, "file": file, "cost": {}}
    record["results"] = {"split": split, "scored": scored}
    for name, value in changes.items():
        record |= {name: value} if name in record else {"config": config | {name: value}}
    return record


UP, DOWN = [float(i) for i in range(10)], [float(-i) for i in range(10)]
MIXED = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.5, 3.5]


def test_two_super_networks_are_compared_procedure_by_procedure() -> None:
    """P1's two rankings are opposite, P0's differ as scipy says; P2 has one super-network, nothing to compare."""
    found = [scores_record("P1", UP), scores_record("P1", DOWN, seed=1), scores_record("P2", UP),
             scores_record("P0", UP), scores_record("P0", MIXED, seed=1)]  # fmt: skip
    table = repeatability(found).set_index("procedure")
    assert sorted(table.index) == ["P0", "P1"] and (table.paths == 10).all()
    assert (table.tau["P1"], table.high["P1"]) == pytest.approx((-1, -1))
    assert table.tau["P0"] == pytest.approx(kendalltau(UP, MIXED).statistic)
    assert table.low["P0"] < table.tau["P0"] < table.high["P0"]


def test_scores_of_another_target_are_held_against_a_targets_paths() -> None:
    """P3 scored on balance orders exp-0.01 rightly and P3 scored on exp-0.01 wrongly; P1's two seeds are averaged."""
    found = [*paths(UP), scores_record("P3", UP, target="balance"), scores_record("P3", DOWN), scores_record("P0", UP)]
    found += [scores_record("P1", scores, seed, on) for seed, on, scores in (
        (0, "balance", UP), (0, "exp-0.01", UP), (1, "balance", MIXED), (1, "exp-0.01", DOWN)
    )]  # fmt: skip
    found.append(scores_record("control", UP, target="balance"))  # never scored on exp-0.01
    table = crossed(found, 200).set_index(["procedure", "seed"])
    assert sorted(table.index) == [("P1", "0"), ("P1", "1"), ("P1", "mean"), ("P3", "0")]
    assert set(table.scored_on) == {"balance"} and set(table.target) == {"exp-0.01"} and (table.paths == 10).all()
    assert table.loc[("P3", "0"), ["tau", "change"]].tolist() == pytest.approx([1, 2])
    mixed = kendalltau(UP, MIXED).statistic
    assert table.loc[("P1", "mean"), ["tau", "change"]].tolist() == pytest.approx([(1 + mixed) / 2, (mixed + 1) / 2])
    assert table.alike["P3", "0"] == pytest.approx(-1)
    assert table.alike["P1", "mean"] == pytest.approx((1 - mixed) / 2)  # alike, and MIXED against DOWN
    assert crossed([*paths(UP[:9]), *found[10:]], 200).empty  # too few paths


def test_winners_among_paths_that_nobody_chose_by_hand() -> None:
    """Twelve paths of 20 to 31 %, the last two too dear: one of the ten others is above 28.5 %."""
    runs = retrained_paths(paths([20.0 + number for number in range(12)]))
    cap = float(runs.macs.sort_values().iloc[9])
    winners = pd.DataFrame({"procedure": ["P0", "P1"], "target": ["exp-0.01"] * 2, "accuracy": [28.5, 40.0]})
    found = among_random(runs, winners, cap)
    assert found.better.tolist() == [1, 0] and (found.paths == 10).all()
    assert found["mean"].tolist() == pytest.approx([24.5, 24.5]) and found.sd[0] == pytest.approx(3.0277, abs=1e-4)
    assert "over its seeds: P0 1, P1 none." in among_random_in_words(found)
    assert among_random(runs, winners, cap - 6).empty and "GOALS=ranking" in among_random_in_words(found.iloc[:0])


class TestQuality:
    def test_right_and_reversed_by_hand(self) -> None:
        found = quality([*paths(UP), scores_record("P0", UP), scores_record("P1", DOWN)]).set_index("procedure")
        assert list(found.index) == ["P0", "P1", "multiply-adds", "parameters"]
        # reversed, the five best are the paths 0 to 4, whose best has 4 % where 9 % can be had
        assert found.loc["P0", ["tau", "regret"]].tolist() == [pytest.approx(1.0), 0.0]
        assert found.loc["P1", ["tau", "regret"]].tolist() == [pytest.approx(-1.0), 5.0]
        assert found.loc["multiply-adds", "tau"] == pytest.approx(1.0) and found.loc["multiply-adds", "seed"] == ""
        assert (found.loc["P0", ["low", "high"]] == 1.0).all()

    def test_convolutions_are_a_yardstick_where_they_differ(self) -> None:
        """Nine paths with as many 3×3 convolutions as their number, and one with eight: a tie, and tau-b has it."""
        printed = [" / ".join(["|nor_conv_3x3~0|+|nor_conv_1x1~0|"] * min(number, 8)) for number in range(10)]
        found = paths(UP)
        for record, text in zip(found, printed, strict=True):
            record["results"]["path"]["architecture"] = text
        row = quality(found, 200).set_index("procedure").loc["3×3 convolutions"]
        assert row.tau == pytest.approx(44 / (44 * 45) ** 0.5) and row.seed == ""
        assert "3×3 convolutions" not in set(quality(paths(UP), 200).procedure)  # "cell 0" to "cell 9" have none

    def test_convolutions_in_print(self) -> None:
        assert convolutions("|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1| / |avg_pool_3x3~0|") == 2
        assert convolutions("|skip|conv3x3| / |conv3x3_twice|bottleneck5x5|") == 1 + 2

    def test_no_question_is_asked_of_a_yardstick_but_the_cost(self) -> None:
        assert {second for _, second in PAIRS} & set(YARDSTICKS) == {"multiply-adds"}

    def test_intervals_are_those_of_plain_loops(self) -> None:
        found = quality([*paths(UP), scores_record("P1", MIXED)], repeats=200).iloc[0]
        draws, truth, score = bootstrap_draws(10, 200), np.array(UP), np.array(MIXED)
        taus = [kendalltau(score[draw], truth[draw]).statistic for draw in draws]
        assert found.tau == pytest.approx(kendalltau(score, truth).statistic)
        assert [found.low, found.high] == pytest.approx(np.quantile(taus, [0.025, 0.975]))

    def test_blind_regret_over_all_choices(self) -> None:
        truth = pd.Series(MIXED)
        every = [max(MIXED) - max(chosen) for chosen in combinations(MIXED, 5)]
        assert blind_regret(truth) == pytest.approx(np.mean(every))

    @pytest.mark.parametrize(("count", "left"), [(5, 0.0), (3, 0.0), (1, 0.0), (0, math.nan)])
    def test_blind_regret_of_no_more_paths_than_are_drawn(self, count: int, left: float) -> None:
        assert blind_regret(pd.Series(MIXED[:count], dtype=float)) == pytest.approx(left, nan_ok=True)

    @pytest.mark.parametrize("top", [1, 2, 3, 5, 6, 9])
    def test_regret_of_equal_scores_is_the_mean_over_all_choices(self, top: int) -> None:
        """Two are surely among the first, five compete; in whatever order the rows stand."""
        scores, truths = np.array([7.0, 7, 3, 3, 3, 3, 3, 1, 0, 0]), np.array(MIXED)
        rows = list(zip(scores, truths, strict=True))
        losses = [max(MIXED) - max(truth for _, truth in chosen) for chosen in combinations(rows, top)
                  if sum(score for score, _ in chosen) == sum(sorted(scores)[-top:])]  # fmt: skip
        for order in (np.arange(10), np.arange(10)[::-1], np.random.default_rng(0).permutation(10)):
            assert expected_regret(scores[order], truths[order], top) == pytest.approx(np.mean(losses))

    def test_ties_are_broken_by_lot(self) -> None:
        scores = [9.0, 5.0, 5.0, 5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 0.0]  # one sure, four places for five
        truth = [0.0, 1.0, 1.0, 1.0, 1.0, 9.0, 2.0, 3.0, 4.0, 5.0]  # the best of all is one of these five
        for order in (list(range(10)), list(range(9, -1, -1))):
            found = [*paths([truth[place] for place in order]), scores_record("P1", [scores[p] for p in order])]
            # four of five are drawn: the best is left out in one of five choices, which loses 9 - 1 points
            assert quality(found, 10).regret[0] == pytest.approx(8 / 5)

    def test_only_paths_that_were_retrained_count(self) -> None:
        scores = scores_record("P1", [*UP, 99.0, 98.0])
        assert quality([*paths(UP), scores]).iloc[0].tau == pytest.approx(1.0)

    def test_the_second_seed_is_left_out(self) -> None:
        again = [path_record(number, 50.0 - number, seed=1) for number in range(6)]
        truth, _ = retrained_and_scored([*paths(UP), *again])["exp-0.01"]
        assert truth.tolist() == UP

    def test_too_few_paths_have_no_figure(self) -> None:
        found = quality([*paths(UP[:9]), scores_record("P1", UP)])
        assert (found.paths == 9).all() and found[["tau", "low", "regret"]].isna().all(axis=None)
        assert quality([]).empty and differences([]).empty

    @pytest.mark.parametrize(
        ("scores", "said"),
        [
            ([5.0] * 10, "P1, seed 0: all 10 scores are 5.0"),
            ([*UP[:9], float("nan")], "P1, seed 0: the scores hold nan"),
        ],
    )
    def test_scores_that_rank_nothing(self, scores: list[float], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            quality([*paths(UP), scores_record("P1", scores)])

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"space": "macro-w32-4-4-4"}, "another space than path-00"),
            ({"schema": 2}, "another schema than path-00"),
            ({"split_seed": 1}, "another split_seed than path-00"),
            ({"scoring": {"batches": 1}}, "another scoring than scores-P2"),
            ({"supernet": "other"}, "another super-network of seed 0 than scores-P2"),
        ],
    )
    def test_scores_of_something_else_are_refused(self, changes: dict[str, Any], named: str) -> None:
        with pytest.raises(ValueError, match=f"scores-P1-exp-0.01-s0.json has {named}"):
            quality([*paths(UP), scores_record("P2", UP), scores_record("P1", UP, **changes)])

    def test_scores_on_other_images_are_refused(self) -> None:
        other = scores_record("P1", UP)
        other["results"]["split"] = {"cifar100": "others"}
        with pytest.raises(ValueError, match="another split of exp-0.01 than path-00"):
            quality([*paths(UP), other])


class TestDifferences:
    def test_what_p1_scores_beyond_the_wiring_is_a_ranking_of_its_own(self) -> None:
        wiring = [9.0, 7.0, 5.0, 3.0, 1.0, 0.0, 2.0, 4.0, 6.0, 8.0]
        both = [learnt + bare for learnt, bare in zip(UP, wiring, strict=True)]
        found = [scores_record("P1", both), scores_record("P1-untrained", wiring, supernet="untrained")]
        table = quality([*paths(UP), *found]).set_index("procedure")
        assert table.loc["P1-less-untrained", "tau"] == pytest.approx(1.0) and table.loc["P1", "tau"] < 0.8
        assert "P1-less-untrained" not in set(quality([*paths(UP), found[0]]).procedure)

    def test_an_untrained_backbone_is_not_another_source(self) -> None:
        found = [scores_record("P1", UP), scores_record("P1-untrained", DOWN, supernet="untrained")]
        row = differences([*paths(UP), *found], [("P1", "P1-untrained")]).iloc[0]
        assert row.tau == pytest.approx(2.0)

    def test_seed_is_paired_with_seed_and_yardsticks_with_all(self) -> None:
        scores = [scores_record(p, UP, seed) for p, seed in (("P0", 0), ("P0", 1), ("P1", 1), ("P1", 2))]
        found = differences([*paths(UP), *scores], [("P1", "P0"), ("P1", "multiply-adds")])
        assert list(zip(found["first"], found.second, found.seed, strict=True)) == [
            ("P1", "P0", "1"),
            ("P1", "multiply-adds", "1"),
            ("P1", "multiply-adds", "2"),
            ("P1", "multiply-adds", "mean"),
        ]
        assert (found.tau == 0).all()

    def test_the_mean_over_two_super_networks_by_hand(self) -> None:
        """One ranks perfectly and one upside down: on average there is no agreement, in no draw of the paths."""
        scores = [scores_record("P1", UP), scores_record("P1", DOWN, seed=1)]
        scores += [scores_record("P0", UP), scores_record("P0", UP, seed=1)]
        table = quality([*paths(UP), *scores]).set_index(["procedure", "seed"])
        assert table.loc[("P1", "mean"), ["tau", "low", "high"]].tolist() == pytest.approx([0, 0, 0])
        assert table.regret["P1", "mean"] == pytest.approx((0 + 5) / 2)  # the five worst scored: 5 points lost
        row = differences([*paths(UP), *scores], [("P1", "P0")]).set_index("seed").loc["mean"]
        assert row[["tau", "low", "high"]].tolist() == pytest.approx([-1, -1, -1])

    def test_the_interval_is_paired_over_paths(self) -> None:
        found = differences([*paths(UP), scores_record("P0", DOWN), scores_record("P1", MIXED)], [("P1", "P0")], 200)
        truth, first, second = (np.array(values) for values in (UP, MIXED, DOWN))
        gaps = [kendalltau(first[d], truth[d]).statistic - kendalltau(second[d], truth[d]).statistic
                for d in bootstrap_draws(10, 200)]  # fmt: skip
        row = found.iloc[0]
        assert row.tau == pytest.approx(kendalltau(first, truth).statistic + 1)
        assert [row.low, row.high] == pytest.approx(np.quantile(gaps, [0.025, 0.975]))
        sides = np.mean(np.array(gaps) <= 0), np.mean(np.array(gaps) >= 0)
        assert row.p == pytest.approx(max(2 * min(sides), 2 / 200))
        assert row.paths == 10

    def test_draws_without_a_tau_do_not_count_for_p(self) -> None:
        """The second ranking tells one path from nine: a draw without that path has no tau, and says nothing."""
        first, second, truth = np.array(MIXED), np.array([*[0.0] * 9, 1.0]), np.array(UP)
        row = differences([*paths(UP), scores_record("P1", MIXED), scores_record("P0", list(second))],
                          [("P1", "P0")], 300).iloc[0]  # fmt: skip
        draws = [draw for draw in bootstrap_draws(10, 300) if 0 < (draw == 9).sum() < 10]
        gaps = [kendalltau(first[d], truth[d]).statistic - kendalltau(second[d], truth[d]).statistic for d in draws]
        assert 150 < len(gaps) < 250
        assert row.p == pytest.approx(2 * min(np.mean(np.array(gaps) <= 0), np.mean(np.array(gaps) >= 0)))
        assert math.isnan(two_sided(np.full(3, math.nan)))

    def test_a_draw_without_a_gap_is_on_both_sides(self) -> None:
        """Of eight draws five have none and one falls: six of eight don't rise, which is no rare case, twice."""
        assert two_sided(np.array([0.0, 0, 0, 0, 0, 0.1, 0.1, -0.1])) == 1
        assert two_sided(np.array([0.0, *[0.1] * 7])) == pytest.approx(2 / 8)
        assert two_sided(np.array([0.0, 0, *[-0.1] * 6])) == pytest.approx(2 * 2 / 8)

    def test_three_super_networks_are_averaged_and_not_their_middle_taken(self) -> None:
        """Every figure of the mean against the three rankings one by one, by scipy and the formula."""
        rankings = [
            [5.0, 1, 4, 2, 3, 9, 8, 6, 7, 0],
            [9.0, 8, 7, 6, 1, 2, 3, 4, 5, 0],
            [0.0, 9, 2, 3, 8, 7, 6, 5, 4, 1],
        ]
        found = [*paths(MIXED), *(scores_record("P1", scores, seed) for seed, scores in enumerate(rankings))]
        row = quality(found, 50).set_index(["procedure", "seed"]).loc[("P1", "mean")]
        taus, partial, regret = [], [], []
        for scores in rankings:
            xy, xz, yz = (kendalltau(*pair).statistic for pair in ((scores, MIXED), (scores, UP), (MIXED, UP)))
            x, y, z = (math.sin(math.pi / 2 * tau) for tau in (xy, xz, yz))
            taus.append(xy)
            partial.append(2 / math.pi * math.asin((x - y * z) / math.sqrt((1 - y * y) * (1 - z * z))))
            regret.append(9.0 - max(truth for score, truth in zip(scores, MIXED, strict=True) if score > 4.5))
        for name, values in (("tau", taus), ("partial", partial), ("regret", regret)):
            assert row[name] == pytest.approx(np.mean(values)) and abs(np.mean(values) - np.median(values)) > 0.01, name


class TestWhatSizeExplains:
    def test_a_ranking_that_knows_the_size_alone_has_nothing_left(self) -> None:
        """Scores and truth, each the size with luck of its own: tau is high, and about zero without the size."""
        rng = np.random.default_rng(0)
        size = np.arange(400.0)
        scores, truth = (size + 100 * rng.normal(size=400) for _ in range(2))
        cost, true = pd.Series(size), pd.Series(truth)
        found = judged([pd.Series(scores)], true, cost, 200)
        assert found["tau"] > 0.4 and abs(found["partial"]) < 0.08
        assert found["partial_low"] < 0 < found["partial_high"]

    def test_the_allowed_paths_alone(self) -> None:
        """Sizes are 1000 to 1011: with a cap of 1009 the ten first count, which these scores reverse."""
        scores = [*DOWN, 50.0, 60.0]
        found = [*paths([*UP, 10.0, 11.0]), scores_record("P1", scores), scores_record("P0", [*UP, 10.0, 11.0])]
        whole, allowed = (quality(found, 100, cap).set_index("procedure") for cap in (np.inf, 1009))
        assert whole.tau["P1"] > -1 and allowed.tau["P1"] == pytest.approx(-1)
        assert allowed.paths.tolist() == [10] * 4
        assert differences(found, [("P1", "P0")], 100, 1009).tau[0] == pytest.approx(-2)
        assert differences(found, [("P1", "P0")], 100, 1008).tau.isna().all()  # nine are too few

    def test_the_good_are_told_by_balance_and_judged_elsewhere(self) -> None:
        """The last 12 of 24 paths are good on balance; P1 reverses them on exp-0.01, and orders the others."""
        scores = [float(number) for number in range(12)] + [float(100 - number) for number in range(12)]
        tail = [float(number) for number in range(24)]
        found = [*paths(tail), *paths([50 + value for value in tail], target="balance"), scores_record("P1", scores)]
        good = good_on_balance(found)
        assert {record["config"]["target"] for record in good if record["stage"] == "retrain"} == {"exp-0.01"}
        judged_ones = quality(good, 100).set_index("procedure")
        assert judged_ones.paths["P1"] == 12 and judged_ones.tau["P1"] == pytest.approx(-1)
        assert quality(found, 100).set_index(["target", "procedure"]).tau["exp-0.01", "P1"] > 0
        winner = path_record(0, 1.0) | {"config": path_record(0, 1.0)["config"] | {"procedure": "P1"}}
        assert good_on_balance([winner]) == [winner]  # no path of the set, and nothing to choose by
        odd = [*paths(UP[:5], target="balance"), *paths(UP[:5])]
        assert [record["results"]["path"]["number"] for record in good_on_balance(odd)] == [3, 4]  # not the middle one

    def test_the_cap_is_that_of_the_searches(self) -> None:
        searches = [{"stage": "search", "results": {"max_cost": cost}} for cost in (10, 12)]
        assert largest_allowed([*searches, path_record(0, 1.0)]) == pytest.approx(12, rel=1e-4)
        assert largest_allowed([]) == np.inf

    def test_a_path_that_costs_as_much_as_the_cap_is_allowed(self) -> None:
        """A record holds six digits of the cap: 27419900 of 27419914. The next path, of 27420938, is not."""
        cap = largest_allowed([{"stage": "search", "results": records.plain({"max_cost": 27_419_914.0})}])
        assert 27_419_914 <= cap < 27_420_938


def test_holms_correction_by_hand() -> None:
    """0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06 as well, 0.5; none above one, none below the one before it."""
    p = pd.Series([0.03, 0.01, math.nan, 0.5, 0.02])
    assert holm(p).tolist() == pytest.approx([0.06, 0.04, math.nan, 0.5, 0.06], nan_ok=True)
    assert holm(pd.Series([0.6, 0.9])).tolist() == [1.0, 1.0]
    assert holm(pd.Series([0.5, 0.01], ["a", "a"])).tolist() == [0.5, 0.02]


def test_every_question_is_corrected_once_by_its_mean() -> None:
    scores = [scores_record(p, values, s) for p, values, s in (("P1", UP, 0), ("P1", MIXED, 1), ("P0", DOWN, 0),
              ("P0", MIXED, 1), ("P3", UP, 0))]  # fmt: skip
    found = differences([*paths(UP), *scores], [("P1", "P0"), ("P3", "P0")], 200)
    assert found.seed[found.corrected.notna()].tolist() == ["mean", "0"]
    assert (found.corrected.dropna() >= found.p[found.corrected.notna()]).all()


def test_the_questions_of_another_target_do_not_correct() -> None:
    found = [scores_record("P0", DOWN)]
    for target, values in (("exp-0.01", UP), ("exp-0.1", UP[:5] + UP[:4:-1])):
        found += [*paths(UP, target=target), scores_record("P1", values, target=target)]
    table = differences(found, [("P1", "P0")], 400)
    assert len(table) == 2 and (table.p < 0.5).all() and table.corrected.tolist() == table.p.tolist()


def test_scores_are_alike_or_not_over_all_scored_paths() -> None:
    """Ten of twelve paths are retrained; the two others stand in the opposite order in the two scores."""
    here, there = [*UP, 20.0, 30.0], [*UP, 30.0, 20.0]
    found = [*paths(UP), scores_record("P1", here), scores_record("P1", there, target="balance")]
    row = crossed(found, 50).iloc[0]
    assert row.tau == pytest.approx(1) and row.alike == pytest.approx(1 - 2 / 66)  # one of 66 pairs


class TestRows:
    def test_none_is_an_empty_table(self) -> None:
        assert retrained_paths([]).empty and "overall" in retrained_paths([])

    def test_winners_and_searches_are_not_paths_of_the_set(self) -> None:
        winner = path_record(3, 30.0, procedure="P1")
        search = path_record(3, 30.0, stage="search")
        assert list(retrained_paths([winner, search, path_record(4, 31.0)]).number) == [4]

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"recipe": {"length": 99}}, "another recipe"),
            ({"space": "macro-w32-4-4-4"}, "another space"),
            ({"split_seed": 1}, "another split_seed"),
            ({"schema": 2}, "another schema"),
        ],
    )
    def test_a_mixture_is_refused_and_named(self, changes: dict[str, Any], named: str) -> None:
        with pytest.raises(ValueError, match=f"path-01-exp-0.01-s0.json has {named} than path-00-exp-0.01-s0.json"):
            retrained_paths([path_record(0, 30.0), path_record(1, 31.0, **changes)])

    def test_other_images_are_refused(self) -> None:
        other = path_record(1, 31.0)
        other["results"]["split"] = {"cifar100": "others"}
        with pytest.raises(ValueError, match="another split of exp-0.01 than path-00"):
            retrained_paths([path_record(0, 30.0), other])

    def test_the_same_cell_twice(self) -> None:
        with pytest.raises(ValueError, match="both of path 0 on exp-0.01, seed 0"):
            retrained_paths([path_record(0, 30.0), path_record(0, 31.0)])

    def test_one_number_for_two_paths(self) -> None:
        with pytest.raises(ValueError, match="call different paths number 0"):
            retrained_paths([path_record(0, 30.0), path_record(0, 31.0, seed=1, network="1")])


class TestSpread:
    def test_pooled_sd_by_hand(self) -> None:
        # squares around the means: 0.5 + 2.0 + 0, over 1 + 1 + 0 degrees of freedom
        assert pooled_sd([[1.0, 2.0], [3.0, 5.0], [9.0]]) == (pytest.approx(1.25**0.5), 2)
        assert pooled_sd([[1.0, 2.0], [], [3.0, 5.0]]) == (pytest.approx(1.25**0.5), 2)
        assert np.isnan(pooled_sd([[1.0], [2.0]])[0])

    def test_chi_square_interval_from_a_printed_table(self) -> None:
        # 6 degrees of freedom: the 2.5 % and 97.5 % points of chi-square are 1.237 and 14.449
        assert sd_interval(1.0, 6) == pytest.approx(((6 / 14.449) ** 0.5, (6 / 1.237) ** 0.5), abs=1e-3)

    def test_ten_paths_by_hand(self) -> None:
        # accuracies 0..9: SD sqrt(82.5 / 9) = 3.0277; pairs 1 apart: within-path SD sqrt(0.5)
        again = [path_record(number, number + 1.0, seed=1) for number in range(5)]
        found = retrained_spread(paths([float(i) for i in range(10)]) + again)
        assert (found["paths"], found["repeated"]) == (10, 5)
        assert found["spread"] == pytest.approx(3.02765, abs=1e-5)
        assert found["seed_sd"] == pytest.approx(0.5**0.5)
        assert found["ratio"] == pytest.approx(4.2817, abs=1e-4) and found["retrained_differ"] is True

    def test_seeds_as_far_apart_as_paths_do_not_differ(self) -> None:
        again = [path_record(number, number + 4.0, seed=1) for number in range(5)]
        assert retrained_spread(paths([float(i) for i in range(10)]) + again)["retrained_differ"] is False

    @pytest.mark.parametrize(("count", "repeated"), [(0, 0), (9, 9), (10, 4), (24, 0)])
    def test_too_few_give_no_verdict(self, count: int, repeated: int) -> None:
        again = [path_record(number, number + 1.0, seed=1) for number in range(repeated)]
        found = retrained_spread(paths([float(i) for i in range(count)]) + again)
        assert found["retrained_differ"] is None and found["ratio"] is None
        assert (found["paths"], found["repeated"]) == (count, repeated)

    def test_another_target_does_not_count(self) -> None:
        assert retrained_spread(paths([1.0, 2.0], target="balance"))["paths"] == 0


def test_scores_are_held_against_counting_by_hand() -> None:
    """Half of ten scores are 40 % and half 60: their SD is 10.54, and the error of 50 % of 100 images is 5 points."""
    found = [scores_record("P1", [40.0] * 5 + [60.0] * 5), scores_record("P0", [50.0, 51.0] * 5)]
    table = scores_spread(found, images=100).set_index(["target", "procedure"])
    assert table.index.tolist() == [("any", "P0"), ("exp-0.01", "P1")]
    row = table.loc["exp-0.01", "P1"]
    assert row["error"] == pytest.approx(5) and row["spread"] == pytest.approx((1000 / 9) ** 0.5)
    assert row["ratio"] == pytest.approx(2.108, abs=1e-3) and row["paths"] == 10


def test_a_record_says_off_how_many_images_its_scores_are() -> None:
    """50 % of 2,500 images has an error of 1 point, of the 5,000 of CIFAR, where nothing is said, 0.707."""
    found = [scores_record("P1", [40.0] * 5 + [60.0] * 5), scores_record("P0", [40.0] * 5 + [60.0] * 5)]
    found[0]["results"]["images"] = 2500
    errors = scores_spread(found).set_index("procedure").error
    assert errors["P1"] == pytest.approx(1) and errors["P0"] == pytest.approx(0.5**0.5)
