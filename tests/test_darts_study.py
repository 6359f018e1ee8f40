"""What the DARTS study found: read back from records, with means, gaps and distances worked out by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from imbnas import records
from imbnas.benchmark import nasbench201
from imbnas.darts import discretise
from imbnas.evidence import darts_study
from imbnas.space import CellSpace
from imbnas.stages.darts import judged, run_arm
from tests.test_darts import tiny_arm

SPACE = CellSpace(stages=1)
SKIPS, CONVOLUTIONS = (1,) * 6, (3,) * 6


def record(arm: str, seed: int, path: tuple[int, ...], mixture: list | None = None) -> dict[str, Any]:
    """As much of a record as the tables read."""
    relaxed = {"mixture": mixture, "turns": [0, 9], "losses": [2.3], "curvature": {"5": 0.1}, "stopped": None}
    results = {"best": judged(SPACE, path), "images": 64} | (relaxed if mixture else {})
    return {"config": {"arm": {"name": arm}, "seed": seed}, "results": results, "cost": {"seconds": {"search": 120.0}}}


def ending(*row: float) -> list:
    """A mixture's way: all the same at first, then every edge weighed as `row`."""
    return [[[0.2] * 5] * 6, [list(row)] * 6]


def test_cells_are_judged_by_what_is_published() -> None:
    found = darts_study.cells([record("evolution", 0, SKIPS), record("evolution", 1, CONVOLUTIONS)])
    published = nasbench201().cifar10
    assert found.accuracy.tolist() == pytest.approx([published[SPACE.to_string(p)] for p in (SKIPS, CONVOLUTIONS)])
    assert found.skips.tolist() == [6, 0] and found.convolutions.tolist() == [0, 6]
    arm = darts_study.arms(found).iloc[0]
    half = stats.t.ppf(0.975, 1) * abs(found.accuracy[0] - found.accuracy[1]) / 2
    assert arm.seeds == 2 and arm.accuracy == pytest.approx(found.accuracy.mean())
    assert (arm.high - arm.low) / 2 == pytest.approx(half) and arm.minutes == 2


def test_an_arm_that_the_study_no_longer_has_stands_last(tmp_path: Path) -> None:
    for arm, seed in (("b-gone", 0), ("a-gone", 1), ("second-order", 0), ("first-order", 1), ("first-order", 0)):
        told = record(arm, seed, SKIPS)
        records.write(tmp_path / f"{arm}-s{seed}.json", "darts", told["config"], told["results"], told["cost"])
    found = darts_study.cells(darts_study.read(tmp_path))
    assert list(zip(found.arm, found.seed, strict=True)) == [
        ("first-order", 0), ("first-order", 1), ("second-order", 0), ("a-gone", 1), ("b-gone", 0)
    ]  # fmt: skip


def test_one_seed_has_no_interval() -> None:
    arm = darts_study.arms(darts_study.cells([record("evolution", 0, SKIPS)])).iloc[0]
    assert math.isnan(arm.low) and math.isnan(arm.high)


def test_records_that_do_not_go_together_are_refused_by_name() -> None:
    flat = ending(0.2, 0.2, 0.2, 0.2, 0.2)
    first, again, later = (record("first-order", seed, SKIPS, flat) | {"file": f"{name}.json"}
                           for name, seed in (("a", 0), ("b", 0), ("c", 1)))  # fmt: skip
    later["config"]["arm"] = {"name": "first-order", "alpha_rate": 0.1}
    for read in (darts_study.cells, darts_study.relaxed):
        with pytest.raises(ValueError, match="b.json and a.json are both of first-order, seed 0"):
            read([first, again])
        with pytest.raises(ValueError, match="c.json has another arm.alpha_rate of first-order than a.json"):
            read([first, later])


def test_gaps_are_paired_by_seed() -> None:
    study = [record("first-order", 0, SKIPS), record("first-order", 1, CONVOLUTIONS),
             record("evolution", 1, SKIPS), record("evolution", 2, SKIPS)]  # fmt: skip
    found = darts_study.cells(study)
    row = darts_study.gaps(found).set_index("arm").loc["evolution"]
    assert row.seeds == 1 and row.gap == pytest.approx(found.accuracy[2] - found.accuracy[1]) and row.gap < 0
    assert darts_study.gaps(found[found.arm == "evolution"]).empty  # nothing to hold it against


def test_cures_are_held_against_the_network_they_are_tried_in() -> None:
    study = [record("narrow", 0, CONVOLUTIONS), record("deep", 0, SKIPS), record("deep-warm-up", 0, CONVOLUTIONS)]
    rows = darts_study.gaps(darts_study.cells(study)).set_index("arm")
    assert rows.beside.to_dict() == {"deep": "narrow", "deep-warm-up": "deep"}
    assert rows.gap["deep-warm-up"] == -rows.gap["deep"] > 0


def test_alpha_comes_back_from_its_mixture(tmp_path) -> None:
    arm = tiny_arm("first-order")
    made = run_arm(arm, 0, str(tmp_path))
    (found,) = darts_study.relaxed(darts_study.read(tmp_path / "darts")).values()
    assert list(found.trajectory) == made["results"]["turns"]
    assert torch.allclose(found.alpha.softmax(1).sum(1), torch.ones(6))
    assert "".join(map(str, discretise(arm.space, found.alpha))) == made["results"]["best"]["path"]


def test_distances_leave_out_pairs_of_one_seed() -> None:
    flat, skip, half = ending(0.2, 0.2, 0.2, 0.2, 0.2), ending(0.05, 0.8, 0.05, 0.05, 0.05), ending(0, 0.5, 0, 0.5, 0)
    study = [record("first-order", 0, SKIPS, flat), record("first-order", 1, SKIPS, skip),
             record("long-tail", 0, SKIPS, half), record("evolution", 0, SKIPS)]  # fmt: skip
    frame = darts_study.distances(darts_study.relaxed(study)).set_index("arm")
    assert list(frame.index) == ["first-order", "long-tail"]
    assert frame.moved["first-order"] == pytest.approx(0.6) and frame.pairs["first-order"] == 1
    # seed 0 of the tail beside seed 1 of the plain: |0.5 - 0.8| + |0.5 - 0.05| + 3 * 0.05 = 0.9, half of it
    assert frame.moved["long-tail"] == pytest.approx(0.45) and frame.pairs["long-tail"] == 1


def test_weights_are_means_over_the_edges() -> None:
    row = darts_study.weights(darts_study.relaxed([record("first-order", 0, SKIPS, ending(0.1, 0.6, 0.1, 0.1, 0.1))]))
    assert row.loc[("first-order", 0), "skip_connect"] == pytest.approx(0.6)


def test_the_committed_tables_are_those_of_the_records() -> None:
    if not (study := darts_study.read()):
        pytest.skip("no record in results/darts yet: make grid GOALS=darts")
    for table, frame in darts_study.tables(study).items():
        text = frame.to_csv(index=False, float_format="%.4f")
        assert (darts_study.FOLDER / f"{table}.csv").read_text() == text, (
            "python -m imbnas.evidence.darts_study writes it anew"
        )


def test_a_study_without_records_gives_empty_tables(tmp_path) -> None:
    assert all(frame.empty for frame in darts_study.tables(records.read(tmp_path)).values())
