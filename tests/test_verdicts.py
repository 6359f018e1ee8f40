"""Sentences about retrained paths: no verdict without an interval on one side, no figure where there are too few."""

import math

import pandas as pd
import pytest

from imbnas.premise import ceiling, premise
from imbnas.quality import PAIRS, differences, quality, retrained_paths, retrained_spread
from imbnas.verdicts import (
    QUESTIONS,
    ceiling_in_words,
    corrected_in_words,
    difference_in_words,
    differences_in_words,
    plain,
    premise_in_words,
    quality_in_print,
    signed,
    spread_in_words,
)
from tests.test_quality import DOWN, MIXED, UP, path_record, paths, scores_record

ROW = {"target": "exp-0.01", "seed": "0", "paths": 24, "partial": 0.1, "partial_low": -0.2, "partial_high": 0.3}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.4, "paths: yes, by its own interval; τ"),
        (-0.1, 0.4, "cannot be told"),
        (-0.4, -0.01, "no, it ranks worse, by its own"),
        (-0.4, -0.001, "cannot be told"),  # prints as [−0.40, 0.00], which holds zero
    ],
)
def test_a_verdict_needs_an_interval_on_one_side(low: float, high: float, said: str) -> None:
    sentence = difference_in_words(ROW | {"tau": (low + high) / 2, "low": low, "high": high})
    assert said in sentence and "24 paths" in sentence and "size partialled out +0.10 [−0.20, +0.30]." in sentence


def test_every_pair_that_is_measured_has_its_question() -> None:
    assert set(QUESTIONS) == set(PAIRS)


def test_too_few_paths_have_no_figure() -> None:
    few = difference_in_words(ROW | {"paths": 9, "tau": math.nan, "low": math.nan, "high": math.nan})
    assert few == "exp-0.01, seed 0, 9 paths: too few for an interval (it takes 10)."
    printed = quality_in_print(quality([*paths(UP[:9]), scores_record("P1", UP)]))
    assert (printed["τ"] == "too few paths").all()


def test_every_question_is_asked_of_what_was_measured() -> None:
    found = [*paths(UP), scores_record("P0", DOWN), scores_record("P1", UP), scores_record("P3", MIXED)]
    words = differences_in_words(differences(found))
    assert words.count("**") == 2 * 6  # P1 - P0, P3 - P0, P3 - P1, and each of the three against counting
    assert (
        "rank better than not adapting?** (P1 − P0)\n\n- exp-0.01, seed 0, 10 paths: yes, by its own interval; τ +2.00"
        in words
    )
    assert QUESTIONS["P1", "P2"] not in words


def test_what_is_left_after_correction_is_named() -> None:
    rows = [("exp-0.01", "P1", "P0", 0.2), ("exp-0.01", "P2", "P0", 0.04), ("balance", "P1", "P0", 0.3)]
    frame = pd.DataFrame(rows, columns=["target", "first", "second", "corrected"])
    assert corrected_in_words(frame).splitlines() == [
        "- exp-0.01: of 2 questions P2 − P0 stays below 5%; the least corrected p is 0.04 (P2 − P0).",
        "- balance: of 1 questions none stays below 5%; the least corrected p is 0.30 (P1 − P0).",
    ]
    assert "No difference" in corrected_in_words(frame.assign(corrected=math.nan))


def test_without_records_the_command_is_named() -> None:
    assert "make grid GOALS=ranking" in differences_in_words(differences([]))
    assert "make grid GOALS=ranking" in premise_in_words(premise(retrained_paths([])))
    assert "0 paths are retrained" in spread_in_words(retrained_spread([]))


def test_the_printed_table_by_hand() -> None:
    row = quality_in_print(quality([*paths(UP), scores_record("P1", DOWN)])).iloc[0]
    assert (row.ranking, row.paths, row["τ"]) == ("P1", 10, "−1.00 [−1.00, −1.00]")
    assert row["regret"] == "5.0" and row["size out"] == ""  # the truth is the order of sizes
    scored = [scores_record("P1", DOWN), scores_record("P1", UP, seed=1)]
    assert list(quality_in_print(quality([*paths(UP), *scored])).ranking[:2]) == ["P1, seed 0", "P1, seed 1"]


def test_the_gate_in_words() -> None:
    again = [path_record(number, number + 1.0, seed=1) for number in range(5)]
    words = spread_in_words(retrained_spread([*paths(UP), *again]))
    assert "spread by 3.03 points" in words and "by 0.71 [" in words and "4.3 times" in words
    assert "from 1.7 to 6.9 as far" in words and "gate passes, by its estimate only" in words
    noisy = [path_record(number, number + 4.0, seed=1) for number in range(5)]
    assert "does not pass" in spread_in_words(retrained_spread([*paths(UP), *noisy]))


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
