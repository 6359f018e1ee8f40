"""The figures on a profile's card are those that its records give."""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from imbnas import profiles, records
from imbnas.evidence.card import bounds, card, main, signal, validity
from imbnas.stages.arms import arm_called
from imbnas.stages.gate import figures
from imbnas.stages.truth import recipe_of
from imbnas.stages.validity import sample_cells
from imbnas.statistics.bootstrap import bootstrap_draws

WITH_CARD = [name for name in profiles.names() if profiles.load(name).card]
GATES = [record for name in profiles.names() for record in records.read(profiles.ROOT / "results" / name, "gate")]


@pytest.mark.parametrize("name", WITH_CARD)
def test_the_card_is_what_its_records_give(name):
    profile = profiles.load(name)
    assert records.plain(card(profile)) == profile.card


@pytest.mark.parametrize(("arguments", "said"), [((), "name one profile: "), (("nosuch",), 'profile is "nosuch"; ')])
def test_the_card_of_no_profile_is_one_message(arguments, said):
    with pytest.raises(SystemExit, match=f"^{said}"):
        main(*arguments)


@pytest.mark.parametrize("record", GATES, ids=lambda record: "-".join(Path(record["file"]).parts[-4:]))
def test_a_gates_figures_are_those_of_its_raw_scores(record):
    """By the gate's own formula, and by hand; raw scores are kept with six digits."""
    told, images = record["results"], record["config"]["scoring"]["images"]
    first, second = (told["scores"][f"P1-s{record['config']['seed'] + more}"] for more in (0, 1))
    assert len(told["paths"]) == len(first) == record["config"]["paths"]
    for name, value in figures([first, second], told["scores"]["P0"], told["macs"], images).items():
        assert told[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    mean = sum(first) / len(first)
    assert told["tau_between_seeds"] == pytest.approx(kendalltau(first, second).statistic, abs=1e-5)
    assert told["binomial_error"] == pytest.approx((mean * (100 - mean) / images) ** 0.5, rel=1e-4)


@pytest.mark.parametrize("name", WITH_CARD)
def test_the_cards_gates_are_those_of_raw_scores(name):
    """Every figure on the card from the record's scores alone, not from what the record says of them."""
    for row in profiles.load(name).card["signal"] or []:
        (record,) = (r for r in GATES if Path(r["file"]).parts[-4:-1] == (row["profile"], row["pair"], row["space"])
                     and all(r["config"][key] == row[key] for key in ("target", "seed")))  # fmt: skip
        told = record["results"]
        p1 = [told["scores"][f"P1-s{row['seed'] + more}"] for more in (0, 1)]
        found = figures(p1, told["scores"]["P0"], told["macs"], record["config"]["scoring"]["images"])
        for figure, value in found.items():
            assert row[figure] == pytest.approx(value, rel=1e-4, abs=1e-5), figure
        assert row["ratio"] == pytest.approx(statistics.stdev(p1[0]) / found["binomial_error"], rel=1e-4)
        assert row["tau_low"] < row["tau_between_seeds"] <= row["tau_high"] and row["ratio_low"] < row["ratio_high"]


def gate_record(first: list[float], second: list[float], images: int = 2500) -> dict[str, Any]:
    """As much of a gate's record as its bounds take."""
    told = figures([first, second], first, list(range(len(first))), images)
    return {"results": told | {"scores": {"P1-s0": first, "P1-s1": second, "P0": first}}}


def test_a_gates_bounds_are_those_of_plain_loops(monkeypatch):
    monkeypatch.setattr("imbnas.evidence.card.REPEATS", 400)
    first, second = [40.0, 44.0, 46.0, 51.0, 53.0, 60.0], [41.0, 43.0, 50.0, 49.0, 55.0, 54.0]
    found = bounds(gate_record(first, second))
    taus, ratios = [], []
    for draw in bootstrap_draws(6, 400):
        one, other = np.array(first)[draw], np.array(second)[draw]
        taus.append(kendalltau(one, other).statistic)
        ratios.append(one.std(ddof=1) / (one.mean() * (100 - one.mean()) / 2500) ** 0.5)
    assert found["ratio"] == pytest.approx(statistics.stdev(first) / (49 * 51 / 2500) ** 0.5)
    for name, drawn in (("tau", taus), ("ratio", ratios)):
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        assert [found[f"{name}_low"], found[f"{name}_high"]] == pytest.approx([low, high])


def test_a_gate_with_nothing_to_rank_has_no_bounds_of_tau():
    found = bounds(gate_record([50.0] * 12, [50.0] * 12))
    assert found == {"ratio": 0, "tau_low": None, "tau_high": None, "ratio_low": 0, "ratio_high": 0}


@pytest.mark.parametrize("percent", [0.0, 100.0])
def test_a_gate_of_paths_all_right_or_all_wrong_has_no_bounds(percent):
    names = ["ratio", "tau_low", "tau_high", "ratio_low", "ratio_high"]
    found = bounds(gate_record([percent] * 12, [percent] * 12))
    assert list(found) == names == list(bounds(gate_record([50.0] * 12, [50.0] * 12)))
    assert set(found.values()) == {None}


def test_without_records_there_are_no_figures(tmp_path):
    profile = profiles.load("laptop")
    assert validity(profile, tmp_path) is None and signal(profile, tmp_path) is None


def test_a_card_tells_the_adaptations_of_its_own_recipe_alone(tmp_path):
    """Those that started from another profile's super-network, as the study's own arms, are no part of it."""
    cells = sample_cells(20)
    scores = {"accuracy": dict(zip(cells, map(float, range(20)), strict=True))}
    scores["loss"] = scores["accuracy"]

    def adaptation(place: str, arm: str, procedure: str, **more: Any) -> None:
        config = {"arm": arm_called(arm), "procedure": procedure, "data": "cifar100", "target": "balance", "seed": 0}
        name = "-".join([arm, procedure, *more])
        records.write(tmp_path / place / f"{name}.json", "truth", config | more, {"split": "x", **scores}, {})

    for arm in ("constant", "fair", "paper"):
        results = {"split": "x", "moments": [{"step": 9, **scores}]}
        config = {"arm": arm_called(arm), "seed": 0}
        records.write(tmp_path / "validity" / f"{arm}-s0.json", "validity", config, results, {})
    adaptation("truth", "constant", "P2")
    adaptation("probes", "paper", "P1")
    adaptation("probes", "paper", "P1", variant={"name": "half"})
    found = validity(profiles.load("paper"), tmp_path)
    assert found["arm"] == "paper"
    assert [row["procedure"] for row in found["adapted_to_balanced_cifar100"]] == ["P0", "P1"]
    single_path = validity(profiles.load("laptop"), tmp_path)
    assert (single_path["arm"], len(single_path["by_accuracy"])) == ("constant", 1)  # fair's recipe is the same


def test_the_gate_of_a_profiles_own_data_comes_first(tmp_path, monkeypatch):
    """Its folder is called after the last part of their path, and another pair's stands before it in the alphabet."""
    mine = replace(profiles.load("smoke"), source="cifar10", target_data="a/photos.npz", space="cell3-c16-n1")
    monkeypatch.setattr(profiles, "load", lambda name: mine)
    told = gate_record([40.0, 44.0, 46.0, 51.0], [41.0, 43.0, 50.0, 49.0])["results"]
    for pair in ("cifar10-cats", "cifar10-photos"):
        config = {"space": mine.space, "target": "natural", "seed": 0}
        records.write(tmp_path / "smoke" / pair / mine.space / "gate-natural-s0.json", "gate", config, told, {})
    assert [row["pair"] for row in signal(mine, tmp_path)] == ["cifar10-photos", "cifar10-cats"]


def test_an_arm_of_another_precision_is_on_no_card(tmp_path):
    """paper-float32 has paper's recipe: what was trained in bfloat16 says nothing of it."""
    scores = {"accuracy": dict(zip(sample_cells(20), map(float, range(20)), strict=True))}
    results = {"split": "x", "moments": [{"step": 9, **scores, "loss": scores["accuracy"]}]}
    config = {"arm": arm_called("paper"), "seed": 0}
    records.write(tmp_path / "validity" / "paper-s0.json", "validity", config, results, {})
    assert profiles.load("paper-float32").supernet == profiles.load("paper").supernet
    assert validity(profiles.load("paper"), tmp_path)["arm"] == "paper"
    assert validity(profiles.load("paper-float32"), tmp_path) is None


def test_an_arm_that_is_a_profiles_trains_and_adapts_by_that_profile():
    paper, arm = profiles.load("paper"), arm_called("paper")
    assert arm.recipe == paper.supernet and arm.precision == paper.precision
    assert [recipe_of(arm, procedure) for procedure in ("P1", "P2", "P3")] == [paper.p1, paper.p2, paper.p3]
    constant = arm_called("constant")
    assert recipe_of(constant, "P3") == constant.recipe and recipe_of(constant, "P1").unit == "steps"
