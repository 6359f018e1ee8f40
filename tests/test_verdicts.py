"""Sentences about retrained paths: no verdict without an interval on one side, no figure where there are too few."""

from typing import Any

import pandas as pd
import pytest

from imbnas.evidence.ceiling import ceiling
from imbnas.evidence.in_print import p_value, plain, signed
from imbnas.evidence.paths import retrained_paths
from imbnas.evidence.premise import premise
from imbnas.evidence.quality import PAIRS, differences, quality
from imbnas.evidence.spread import retrained_spread
from imbnas.evidence.verdicts import (
    QUESTIONS,
    answer,
    ceiling_in_words,
    differences_in_print,
    gate_in_words,
    premise_in_words,
    quality_in_print,
    spread_in_words,
)
from imbnas.stages.gate import figures
from tests.test_quality import DOWN, MIXED, UP, path_record, paths, scores_record

ROW = {"first": "P1", "second": "P0", "paths": 24, "corrected": 0.01}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.4, "P1"),
        (-0.1, 0.4, "undecided"),
        (-0.4, -0.01, "P0"),
        (float("nan"), float("nan"), "undecided"),
        (-0.4, -0.001, "undecided"),  # prints as [−0.40, 0.00], which holds zero
    ],
)
def test_an_answer_needs_an_interval_on_one_side(low: float, high: float, said: str) -> None:
    assert answer(ROW | {"tau": 0.2 if low > 0 else -0.2, "low": low, "high": high}) == said


def test_an_answer_that_does_not_stand_correction_is_a_perhaps() -> None:
    better = ROW | {"tau": 0.2, "low": 0.1, "high": 0.3}
    assert answer(better | {"corrected": 0.05}) == "perhaps P1" and answer(better | {"corrected": 0.049}) == "P1"


def test_every_pair_that_is_measured_has_its_question() -> None:
    assert set(QUESTIONS) == set(PAIRS)


def test_too_few_paths_have_no_figure() -> None:
    few = [*paths(UP[:9]), scores_record("P0", DOWN[:9]), scores_record("P1", UP[:9])]
    row = differences_in_print(differences(few)).iloc[0]
    assert (row.better, row["τ"], row["size out"], row.p) == ("too few paths (9 of 10)", "", "", "")
    printed = quality_in_print(quality([*paths(UP[:9]), scores_record("P1", UP)]))
    assert (printed["τ"] == "too few paths").all()


def test_every_question_is_asked_of_what_was_measured() -> None:
    found = [*paths(UP), scores_record("P0", DOWN), scores_record("P1", UP), scores_record("P3", MIXED)]
    printed = differences_in_print(differences(found)).set_index("asked")
    asked = ["P1 − P0", "P3 − P0", "P3 − P1", "P1 − multiply-adds", "P0 − multiply-adds", "P3 − multiply-adds"]
    assert [pair.replace("\u00a0", " ") for pair in printed.index] == asked
    assert printed.question.iloc[0] == QUESTIONS["P1", "P0"]
    first = printed.iloc[0]
    assert (first.target, first.better, first["τ"], first.p) == (
        "exp-0.01",
        "P1",
        "+2.00 [+2.00,\u00a0+2.00]",
        "below 0.01",
    )


def test_without_records_the_command_is_named() -> None:
    assert differences_in_print(differences([])).empty
    assert "make grid GOALS=ranking" in premise_in_words(premise(retrained_paths([])))
    assert "0 paths are retrained" in spread_in_words(retrained_spread([]))


def test_the_printed_table_by_hand() -> None:
    row = quality_in_print(quality([*paths(UP), scores_record("P1", DOWN)])).iloc[0]
    assert (row.ranking, row.paths, row["τ"]) == ("P1", 10, "−1.00 [−1.00,\u00a0−1.00]")
    assert row["regret"] == "5.0" and row["size out"] == ""  # the truth is the order of sizes
    scored = [scores_record("P1", DOWN), scores_record("P1", UP, seed=1)]
    assert list(quality_in_print(quality([*paths(UP), *scored])).ranking[:2]) == ["P1, seed 0", "P1, seed 1"]


def test_what_has_no_interval_stands_alone() -> None:
    """Bounds that too few draws give are left out, and a partial tau that can't be is an empty cell."""
    nan = float("nan")
    row = {"target": "exp-0.01", "procedure": "P0", "seed": "0", "first": "P1", "second": "P0", "paths": 24}
    row |= {"tau": 0.5, "low": 0.2, "high": 0.7, "partial": 0.6, "partial_low": nan, "partial_high": nan}
    row |= {"regret": 1.0, "by_chance": 2.0, "corrected": 0.01}
    for partial, ranked, asked in ((0.6, "0.60", "+0.60"), (nan, "", "")):
        frame = pd.DataFrame([row | {"partial": partial}])
        assert quality_in_print(frame).loc[0, ["τ", "size out"]].tolist() == ["0.50 [0.20,\u00a00.70]", ranked]
        assert differences_in_print(frame).loc[0, ["τ", "size out"]].tolist() == ["+0.50 [+0.20,\u00a0+0.70]", asked]
    pair = {"first": "balance", "second": "exp-0.01", "first_part": "overall", "second_part": "overall"}
    pair |= {"spearman": 0.6, "spearman_low": 0.3, "spearman_high": 0.8}
    words = premise_in_words(pd.DataFrame([row | pair, row | pair | {"partial": nan}])).splitlines()
    assert words[0].endswith("and τ = 0.60 with the size partialled out.")
    assert words[1].endswith("and τ = an unknown figure with the size partialled out.")


def test_a_p_value_never_prints_as_zero() -> None:
    assert [p_value(value) for value in (0.0, 0.0049, 0.005, 0.234)] == ["below 0.01", "below 0.01", "0.01", "0.23"]


def test_the_gate_in_words() -> None:
    again = [path_record(number, number + 1.0, seed=1) for number in range(5)]
    words = spread_in_words(retrained_spread([*paths(UP), *again]))
    assert "spread by 3.03 points" in words and "by 0.71 [" in words and "4.28 times" in words
    assert "from 1.75 to 6.86 as far" in words and "gate passes, by its estimate only" in words
    noisy = [path_record(number, number + 4.0, seed=1) for number in range(5)]
    assert "does not pass" in spread_in_words(retrained_spread([*paths(UP), *noisy]))


def gate_record(first: list[float], second: list[float], images: int = 2500) -> dict[str, Any]:
    """The record of a signal gate with these scores of its two classifiers."""
    told = figures([first, second], first, list(range(len(first))), images)
    told |= {"scores": {"P1-s0": first, "P1-s1": second, "P0": first}, "paths": [str(n) for n in range(len(first))]}
    return {"stage": "gate", "config": {"target": "exp-0.01", "seed": 0}, "results": told}


FAR = [30.0 + 3 * number for number in range(12)]  # 10.8 points of spread; one image in 2,500 gives an error of 1


class TestSignalGate:
    def test_a_pass_has_its_figures(self) -> None:
        """Mean 46.5: the error is sqrt(46.5 * 53.5 / 2500) = 0.9975, the spread 3 * sqrt(13), the ratio 10.84."""
        words = gate_in_words([gate_record(FAR, FAR)])
        assert words.startswith("The signal gate on exp-0.01, seed 0, passes, as far as it has been run: two P1 ")
        assert "12 paths with τ 1.00 [1.00, 1.00] (0.5 is asked)" in words and "images, by 10.84 [" in words
        assert "between seeds, by an unknown figure (2 is asked)" in words and "resolvable" not in words
        # chi-square of 5 degrees: 0.831 and 12.83; 3.0277 / (0.7071 * sqrt(5 / 0.831)) = 1.75, and so on
        again = [path_record(number, number + 1.0, seed=1) for number in range(5)]
        whole = gate_in_words([gate_record(FAR, FAR), *paths(UP), *again])
        assert (
            "seed 0, passes, by its estimates only (an interval" in whole
            and "between seeds, by 4.28 [1.75, 6.86]" in whole
        )

    def test_where_it_fails_nothing_is_resolvable(self) -> None:
        near = [50.0 + number / 100 for number in range(12)]
        for first, second in ((FAR, FAR[::-1]), (near, near), ([50.0] * 12, [50.0] * 12)):
            words = gate_in_words([gate_record(first, second)])
            assert words.startswith("**Not resolvable at this size:** the signal gate on exp-0.01, seed 0, fails: ")
        assert "12 paths with τ an unknown figure" in words
        noisy = [path_record(number, number + 4.0, seed=1) for number in range(5)]
        assert "Not resolvable" in gate_in_words([gate_record(FAR, FAR), *paths(UP), *noisy])  # by the third part alone

    def test_a_failure_that_other_paths_might_undo_says_so(self) -> None:
        middle = [48.2, 48.3, 48.4, 48.5, 48.6, 48.7, 50.0, 50.1, 50.2, 50.3, 53.0, 53.5]
        words = gate_in_words([gate_record(middle, middle)])
        assert "seed 0, fails, by its estimates only (an interval reaches to the other side): " in words

    def test_without_a_record_the_line_runs_it(self) -> None:
        assert "`make grid GOALS=gate PROFILE=laptop` runs it" in gate_in_words([])
        mine = path_record(0, 30.0, file="results/mine/cifar10-cifar100/cell3-c8-n1/x.json", space="cell3-c8-n1")
        words = gate_in_words([mine])
        assert words.startswith("The signal gate has not been run") and "PROFILE=mine SPACE=cell3-c8-n1" in words


def test_the_ceiling_in_words() -> None:
    again = [path_record(number, number + 1.0, seed=1) for number in range(6)]
    words = ceiling_in_words(ceiling(retrained_paths([*paths(UP), *again]), "exp-0.01"))
    assert "τ = 1.00 on the 6 paths that have two seeds, too few for an interval" in words
    assert "not enough paths" in ceiling_in_words(ceiling(retrained_paths(paths(UP)), "exp-0.01"))


def test_the_premise_in_words() -> None:
    found = [*paths(UP, target="balance"), *paths(MIXED, target="exp-0.01")]
    words = premise_in_words(premise(retrained_paths(found), 50))
    assert words.startswith("- balance (all classes) and exp-0.01, 10 paths: τ = 0.") and "(tail third)" in words


def test_signs() -> None:
    assert (signed(0.354), signed(-1.2), signed(-0.001), signed(0.04, 1)) == ("+0.35", "−1.20", "0.00", "0.0")
    assert (plain(-0.354), plain(-0.004), plain(0.5)) == ("−0.35", "0.00", "0.50")
