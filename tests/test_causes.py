"""Why a procedure ranks worse than P0: the tail's part and the noise's, against cases by hand and by scipy."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau

from imbnas.evidence.causes import clear, loss_to_the_tail, without_score_noise
from tests.test_quality import DOWN, MIXED, UP, paths, scores_record

TAU = float(kendalltau(UP, MIXED).statistic)


def both_targets(*scores) -> list:
    """Ten paths whose accuracies rise on both targets, and the scores."""
    return [*paths(UP), *paths(UP, target="balance"), scores_record("P0", UP), *scores]


def test_a_loss_that_is_there_without_the_tail() -> None:
    """P1 ranks alike on both targets, below P0: none of its loss is the tail's."""
    found = both_targets(scores_record("P1", MIXED), scores_record("P1", MIXED, target="balance"))
    (row,) = loss_to_the_tail(found, 200).itertuples()
    assert (row.target, row.procedure, row.paths) == ("exp-0.01", "P1", 10)
    assert row.tail == row.balance == pytest.approx(TAU - 1)
    assert (row.change, row.change_low, row.change_high, row.p) == (0, 0, 0, 1)


def test_a_loss_that_is_the_tails() -> None:
    """On balance P1 ranks as P0 does, on the tail the other way round, with two super-networks on average half so."""
    found = both_targets(
        scores_record("P0", UP, seed=1),
        *(scores_record("P1", UP, seed, "balance") for seed in (0, 1)),
        scores_record("P1", DOWN),
        scores_record("P1", UP, seed=1),
        scores_record("P2", UP, target="balance"),  # never scored on the tail
        scores_record("P3", UP, seed=7),  # no P0 of this seed
    )
    (row,) = loss_to_the_tail(found, 200).itertuples()
    assert (row.tail, row.balance, row.change) == (-1, 0, -1) and row.change_high < 0 and row.p == pytest.approx(0.01)


def test_only_paths_that_are_retrained_on_both_count() -> None:
    scores = scores_record("P1", UP), scores_record("P1", UP, target="balance"), scores_record("P0", UP)
    twelve = [float(i) for i in range(12)]
    assert loss_to_the_tail([*paths(twelve), *paths(UP, target="balance"), *scores], 50).paths.tolist() == [10]
    assert loss_to_the_tail([*paths(twelve), *paths(UP[:9], target="balance"), *scores], 50).empty  # too few
    assert loss_to_the_tail([*paths(twelve), *scores], 50).empty and loss_to_the_tail([]).empty


def test_the_correction_for_attenuation_by_hand() -> None:
    """Normal scores of correlation 0.4 with the truth and 0.64 with their repetition: 0.4 / 0.8 is 0.5, τ a third."""
    tau, alike = (2 / math.pi * math.asin(r) for r in (0.4, 0.64))
    assert clear(np.array([tau]), np.array([alike]))[0] == pytest.approx(1 / 3)
    assert np.isnan(clear(np.array([tau, tau]), np.array([-0.1, 0.0]))).all()
    assert clear(np.array([0.9]), np.array([0.1]))[0] == pytest.approx(1)


def test_simulated_scores_give_back_what_was_put_in() -> None:
    """Two super-networks see the same thing, which has τ 0.6 to the truth, through noise as large as itself."""
    rng, size = np.random.default_rng(0), 400
    truth, rest = rng.normal(size=(2, size))
    r = math.sin(math.pi / 2 * 0.6)
    seen = r * truth + math.sqrt(1 - r**2) * rest
    noisy = [(seen + rng.normal(size=size)).tolist() for _ in (0, 1)]
    found = [*paths(truth.tolist()), *(scores_record("P1", scores, seed) for seed, scores in enumerate(noisy))]
    found += [scores_record("P0", seen.tolist(), seed) for seed in (0, 1)]
    table = without_score_noise(found, 100).set_index("procedure")
    assert table.tau["P1"] < 0.45 and table.cleared["P1"] == pytest.approx(0.6, abs=0.07)
    assert table.cleared["P0"] == pytest.approx(table.tau["P0"]) and table.alike["P0"] == pytest.approx(1)
    assert table.over_p0_low["P1"] < 0 < table.over_p0_high["P1"] and np.isnan(table.over_p0["P0"])


def test_one_super_network_has_no_noise_to_be_taken_out() -> None:
    assert without_score_noise(both_targets(scores_record("P1", MIXED)), 50).empty
