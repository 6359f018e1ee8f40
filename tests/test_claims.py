"""The paper's claims: a verdict only where an interval allows it, and words that say no more than the verdict."""

import pandas as pd
import pytest

from imbnas.evidence.claims import CLAIMS, MARGIN, PLANNED, Claim, in_words, judge, ranks_in_words
from imbnas.names import PROCEDURES, TARGETS

NAN = float("nan")


def runs(seeds: int, step: dict[str, float], wobble: float = 0.01) -> pd.DataFrame:
    """`seeds` seeds of all 16 cells; each procedure is `step[procedure]` points above 40, almost alike in each seed."""
    return pd.DataFrame(
        {
            "procedure": procedure,
            "target": target,
            "seed": seed,
            "path": procedure,
            "accuracy": 40 + step.get(procedure, 0.0) + wobble * seed * (1 + PROCEDURES.index(procedure)),
        }
        for procedure in PROCEDURES
        for target in TARGETS
        for seed in range(seeds)
    )


@pytest.mark.parametrize(
    ("kind", "low", "high", "verdict"),
    [
        ("better than", 0.1, 0.9, "agrees"),
        ("better than", -0.1, 0.9, "open"),
        ("better than", -0.9, -0.1, "contradicts"),
        ("better than", NAN, NAN, "one seed"),
        ("no worse than", -MARGIN + 0.1, 9.0, "agrees"),
        ("no worse than", -MARGIN - 0.1, 9.0, "open"),
        ("no worse than", -9.0, -MARGIN - 0.1, "contradicts"),
        ("as good as", -MARGIN + 0.1, MARGIN - 0.1, "agrees"),
        ("as good as", -MARGIN - 0.1, MARGIN - 0.1, "open"),
        ("as good as", MARGIN + 0.1, 9.0, "contradicts"),
        ("as good as", -9.0, -MARGIN - 0.1, "contradicts"),
    ],
)
def test_a_verdict_follows_from_the_interval(kind: str, low: float, high: float, verdict: str) -> None:
    assert Claim("", "P1", "P0", kind).holds(low, high) == verdict


def test_no_records_no_verdict_no_number_of_ours() -> None:
    judged = judge(runs(0, {}).reindex(columns=["procedure", "target", "seed", "path", "accuracy"]))
    assert set(judged.verdict) == {"not run"}
    assert judged.difference.isna().all()
    assert "no seed of ours" in in_words(judged)


def test_one_seed_gives_no_verdict() -> None:
    judged = judge(runs(1, {"P1": 3.0}))
    assert set(judged.verdict) == {"one seed"}
    assert "decides nothing yet" in in_words(judged) and "agrees" not in in_words(judged)


def test_a_clear_advantage_agrees_and_a_clear_disadvantage_contradicts() -> None:
    better, worse = judge(runs(3, {"P1": 3.0})), judge(runs(3, {"P1": -3.0}))
    assert list(better.verdict[:3]) == ["agrees"] * 3
    assert list(worse.verdict[:3]) == ["contradicts"] * 3
    assert better.verdict.iloc[4] == worse.verdict.iloc[4] == "contradicts"  # balance moved by 3 points as well


def test_with_an_interval_stands_the_confidence_that_the_first_is_better() -> None:
    words = in_words(judge(runs(3, {"P1": 3.0})))
    assert "3 seeds, one-sided confidence that P1 is better 1.00; the paper has +1.10 points" in words
    assert "confidence" not in in_words(judge(runs(1, {"P1": 3.0})))


def test_no_verdict_before_the_planned_seeds() -> None:
    """Two seeds that are as clear as three would be decide nothing: stopping when it shows finds too much."""
    early = judge(runs(PLANNED - 1, {"P1": 3.0}))
    assert set(early.verdict) == {"open"} and (early.low[:3] > 0).all()
    assert "2 of 3 planned seeds" in in_words(early)


def test_noise_is_open() -> None:
    noisy = runs(3, {})
    noisy["accuracy"] += [(-1) ** i * (i % 5) for i in range(len(noisy))]
    assert "open" in set(judge(noisy).verdict)


def test_the_papers_differences_by_hand() -> None:
    # (0.96 + 1.19 + 1.15) / 3 and (0.34 + 0.35 + 0.37) / 3
    assert CLAIMS[0].paper() == pytest.approx(1.10)
    assert CLAIMS[1].paper() == pytest.approx(0.35333, abs=1e-4)
    assert CLAIMS[4].paper() == pytest.approx(-0.07)
    words = in_words(judge(runs(1, {})))
    assert "the paper has +1.10 points, with a standard error of 0.4 to 0.7 from its test images alone" in words
    assert "the paper has −0.07 points, with a standard error of 0.7 from" in words  # one target shares nothing


def test_every_claim_is_said_once() -> None:
    judged = pd.concat([judge(runs(3, {"P1": 3.0})), judge(runs(1, {}))])
    assert set(judged.verdict) <= {"agrees", "contradicts", "open", "one seed", "not run"}
    assert sum(line.startswith("- ") for line in in_words(judged).splitlines()) == len(judged)


@pytest.mark.parametrize(
    ("taus", "said"),
    [
        ([0.1, 0.2], "In every seed P1 ranks these cells worse than P0 does: 0.10 [0.05, 0.15] against P0's 0.60"),
        ([0.8, 0.9], "In every seed P1 ranks these cells better"),
        ([0.1, 0.9], "overlap, or the seeds differ"),
        ([0.1, 0.6], "overlap, or the seeds differ"),
    ],
)
def test_ranks_in_words(taus: list[float], said: str) -> None:
    rows = [("P0", seed, 0.6) for seed in (0, 1)] + [("P1", seed, tau) for seed, tau in enumerate(taus)]
    frame = pd.DataFrame(rows, columns=["procedure", "seed", "tau"]).set_index(["procedure", "seed"])
    frame["low"], frame["high"] = frame.tau - 0.05, frame.tau + 0.05
    assert said in ranks_in_words(frame, "P1")
    assert ranks_in_words(frame, "P2").startswith("Not measured yet: `make grid GOALS=")
