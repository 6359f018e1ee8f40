"""How the validity study is read: against hand-made records, and the committed table against the raw scores."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbnas import records
from imbnas.benchmark import SPACE, distinct, kendall, naive_rankings
from imbnas.evidence import adapted, agreement, families
from imbnas.stages.arms import arms
from imbnas.stages.validity import sample_cells

CELLS = sample_cells(40)
TRUTH = distinct()["cifar10"].loc[CELLS]


def record(scores: list[Mapping[str, float]], seed: int = 0, arm: str = "constant") -> dict[str, Any]:
    """A record of the study with these accuracies at its moments; the loss is 100 minus them."""
    moments = [
        {"step": 1000 * number, "accuracy": dict(s), "loss": {cell: 100 - value for cell, value in s.items()}}
        for number, s in enumerate(scores, 1)
    ]
    return {"config": records.plain({"arm": arms()[arm], "seed": seed}), "results": {"moments": moments}}


def test_a_perfect_super_network_agrees_fully_by_either_score() -> None:
    table = agreement.compared([record([TRUTH])])
    assert table.loc["constant s0, accuracy", "tau"] == pytest.approx(1)
    assert table.loc["constant s0, loss", "tau"] == pytest.approx(1)
    macs = kendall(naive_rankings(CELLS)["macs"])
    assert table.loc["multiply-adds", "tau"] == pytest.approx(macs)
    assert table.loc["constant s0, accuracy", "gain"] == pytest.approx(1 - macs)
    assert list(table.index[:4]) == list(agreement.YARDSTICKS) and table.loc["multiply-adds", "gain"] == 0


def test_only_good_cells_count_above() -> None:
    upside_down = {cell: (value if value > 90 else 200 - value) for cell, value in TRUTH.items()}
    table = agreement.compared([record([upside_down])], above=90)
    assert table.loc["constant s0, accuracy", ["tau", "cells"]].tolist() == [pytest.approx(1), (TRUTH > 90).sum()]


def test_too_few_good_cells_are_no_number() -> None:
    table = agreement.compared([record([TRUTH.nsmallest(15)])], above=90)
    assert math.isnan(table.loc["constant s0, accuracy", "tau"]) and math.isnan(table.loc["multiply-adds", "gain"])


def test_growth_stays_on_the_common_cells() -> None:
    early = TRUTH.iloc[:20]
    late = {**early, **{cell: 100 - value for cell, value in TRUTH.iloc[20:].items()}}  # wrong on the late cells only
    rows = agreement.growth([record([-early, late])])
    assert rows.cells.tolist() == [20, 20] and rows.tau.tolist() == [pytest.approx(-1), pytest.approx(1)]
    assert rows.images.tolist() == [64_000, 128_000]


def test_any_number_of_records() -> None:
    assert agreement.compared([]).empty and agreement.growth([]).empty
    assert agreement.panels([]) == {} and agreement.lines([]) == {}
    two = [record([TRUTH], seed) for seed in (0, 1)]
    assert len(agreement.compared(two)) == 4 + 2 * 2 and list(agreement.panels(two)) == ["constant"]
    assert agreement.panels(two)["constant"][1].to_dict() == TRUTH.to_dict()


def of_file(name: str, one: dict[str, Any], split: str = "a", **arm: Any) -> dict[str, Any]:
    """A record as if it came from a file, its arm and split changed."""
    config = one["config"] | {"arm": one["config"]["arm"] | arm}
    return one | {"file": name, "config": config, "results": one["results"] | {"split": split}}


def test_records_that_do_not_go_together_are_refused_by_name() -> None:
    seeds = {"a": 0, "b": 0, "c": 1}
    first, again, other = (of_file(f"{name}.json", record([TRUTH], seed)) for name, seed in seeds.items())
    for read in (agreement.compared, agreement.growth):
        with pytest.raises(ValueError, match="b.json and a.json are both of constant, seed 0"):
            read([first, again])
        with pytest.raises(
            ValueError, match="c.json has another arm.recipe.rate of constant than a.json .0.1 and 0.05"
        ):
            read([first, of_file("c.json", other, recipe=first["config"]["arm"]["recipe"] | {"rate": 0.1})])
        with pytest.raises(ValueError, match="c.json has another split of constant than a.json"):
            read([first, of_file("c.json", other, "b")])
        with pytest.raises(ValueError, match="c.json has another arm.new of constant than a.json .1 and not set"):
            read([first, of_file("c.json", other, new=1)])
        assert len(read([first, other]))


@pytest.mark.parametrize(("changed", "said"), [({"data": "cifar100"}, "arm.data"), ({"cells": 100}, "arm.cells")])
def test_one_table_is_of_one_data_set_and_sample(changed: dict[str, Any], said: str) -> None:
    first, other = (of_file(f"{arm}.json", record([TRUTH], arm=arm)) for arm in ("constant", "annealed"))
    assert len(agreement.compared([first, other])) == 4 + 2 * 2
    with pytest.raises(ValueError, match=f"annealed.json has another {said} than constant.json"):
        agreement.compared([first, of_file("annealed.json", other, **changed)])


def test_an_adaptation_is_compared_with_the_super_network_that_it_started_from() -> None:
    """P0's scores come from the study, P1's from another record: of one arm, trained by one recipe, each once."""
    plain = of_file("p0.json", record([TRUTH]))
    config = plain["config"] | {"procedure": "P1", "target": "balance", "data": "cifar100", "recipe": {"rate": 0.1}}
    told = {"file": "p1.json", "config": config, "results": {"accuracy": dict(TRUTH)}}
    elsewhere = of_file("p1.json", told, channels=8)
    twice = told | {"file": "p1-again.json", "config": config | {"recipe": {"rate": 0.2}}}
    for read in (adapted.adapted, adapted.repeats):
        read([plain], [told])
        with pytest.raises(ValueError, match="p1.json has another arm.channels of constant than p0.json .8 and 16"):
            read([plain], [elsewhere])
        with pytest.raises(ValueError, match="p1-again.json has another recipe.rate of P1 than p1.json"):
            read([plain], [told, twice])
        with pytest.raises(ValueError, match="p1-again.json and p1.json are both of P1, seed 0"):
            read([plain], [told, told | {"file": "p1-again.json"}])
    assert adapted.adapted([plain], [told]).index.tolist() == [("P0", 0), ("P1", 0)]


def test_procedures_are_held_against_each_other_and_against_counting() -> None:
    """P0 is the truth itself and the control its reverse, so that they differ by 2, and P0 from counting by 1 − τ."""
    plain = record([cifar100 := distinct().cifar100.loc[sample_cells(40)]])
    config = plain["config"] | {"procedure": "control", "target": "balance", "data": "cifar100", "recipe": {}}
    told = {"file": "c.json", "config": config, "results": {"accuracy": dict(-cifar100)}}
    table = adapted.adapted_differences([plain], [told]).set_index(["first", "second"])
    assert list(table.index) == [("P0", "multiply-adds"), ("control", "P0")] and (table.cells == 40).all()
    assert table.tau["control", "P0"] == table.low["control", "P0"] == pytest.approx(-2)
    counted = agreement.yardsticks(cifar100.index, "cifar100").tau["multiply-adds"]
    assert table.tau["P0", "multiply-adds"] == pytest.approx(1 - counted)
    assert np.isnan(table.partial["P0", "multiply-adds"]) and table.partial["control", "P0"] == pytest.approx(-2)
    last = adapted.adapted_csv([plain], [told]).splitlines()[-1]
    assert last.startswith(f"multiply-adds,,40,{counted:.4f}")


def test_two_arms_are_not_two_seeds_of_one_procedure() -> None:
    study = [of_file("a.json", record([TRUTH])), of_file("b.json", record([TRUTH], 1, "annealed"))]
    with pytest.raises(ValueError, match="b.json has another arm.name of P0 than a.json .annealed and constant"):
        adapted.repeats(study, [])


def test_errors_are_what_a_line_leaves() -> None:
    assert families.errors(3 * TRUTH - 7, "cifar10").abs().max() == pytest.approx(0, abs=1e-9)
    bent = TRUTH.copy()
    bent[TRUTH.idxmax()] += 5
    assert families.errors(bent, "cifar10").idxmax() == TRUTH.idxmax()
    good = TRUTH > 90
    apart = (3 * TRUTH).where(good, 0)  # what the others score has no part
    assert families.errors(apart, "cifar10").abs().max() == pytest.approx(0, abs=1e-9)
    assert set(families.errors(apart, "cifar10").index) == set(TRUTH.index[good])


def test_relatives_differ_in_one_gene_of_some_isomorph() -> None:
    cells = sample_cells(100)
    pairs = families.relatives(cells)
    members = distinct()["members"]

    def apart(one: str, other: str) -> int:
        paths = [[SPACE.from_string(member) for member in members[cell]] for cell in (one, other)]
        return min(sum(x != y for x, y in zip(a, b, strict=True)) for a in paths[0] for b in paths[1])

    assert pairs and all(apart(*pair) == 1 for pair in pairs)
    strangers = [(a, b) for a, b in itertools.combinations(cells[:15], 2) if (min(a, b), max(a, b)) not in set(pairs)]
    assert all(apart(*pair) > 1 for pair in strangers)


def test_what_runs_in_families_is_found_and_what_does_not_is_not() -> None:
    cells = sample_cells(300)
    inherited = pd.Series({cell: float(cell.count("skip_connect")) for cell in cells})
    found = families.family(inherited)
    assert found["correlation"] > found["high"] and found["pairs"] == len(families.relatives(cells))
    noise = pd.Series(np.random.default_rng(1).normal(size=300), cells)
    found = families.family(noise)
    assert found["low"] < found["correlation"] < found["high"]


def test_the_committed_table_is_what_the_raw_scores_say() -> None:
    study = records.read(agreement.FOLDER, "validity")
    table = agreement.FOLDER / "agreement.csv"
    assert study and table.read_text() == agreement.as_csv(study), "run python -m imbnas.evidence.agreement"


def test_the_committed_tables_of_adaptation_are_what_the_raw_scores_say() -> None:
    study, truths = records.read(agreement.FOLDER, "validity"), records.read(adapted.FOLDER, "truth")
    texts = adapted.tables(study, truths)
    told = {name: (adapted.FOLDER / name).read_text() for name in texts}
    assert truths and len(texts) == 6 and told == texts, "run python -m imbnas.evidence.adapted"


def test_a_loss_ranks_with_a_minus_and_the_control_has_none() -> None:
    """P0's loss falls as the truth rises, and P1's rises with it; the control's ridge regression has none."""
    plain = record([cifar100 := distinct().cifar100.loc[sample_cells(40)]])
    plain["results"]["moments"][-1]["loss"] = dict(100 - cifar100)
    config = plain["config"] | {"target": "balance", "data": "cifar100"}
    told = [
        {"config": config | {"procedure": "P1", "recipe": {}}, "results": {"accuracy": dict(cifar100)}},
        {"config": config | {"procedure": "control"}, "results": {"accuracy": dict(cifar100)}},
    ]
    told[0]["results"]["loss"] = dict(cifar100)
    by_loss = adapted.adapted([plain], told, "loss")
    assert by_loss.index.tolist() == [("P0", 0), ("P1", 0)] and by_loss.tau.tolist() == pytest.approx([1, -1])
    gaps = adapted.adapted_differences([plain], told, "loss").set_index(["first", "second"])
    assert gaps.tau["P1", "P0"] == pytest.approx(-2)
    again = [told[0] | {"config": told[0]["config"] | {"seed": 1}, "results": {"loss": dict(-cifar100)}}, *told]
    assert adapted.repeats([], again, "loss").values.tolist() == [["P1", 0, 1, pytest.approx(-1)]]


def test_the_committed_table_of_other_sources_is_what_the_raw_scores_say() -> None:
    study = agreement.trained_on_cifar100(agreement.FOLDER.parent)
    table = agreement.FOLDER.parent / "sources" / "agreement.csv"
    assert study and table.read_text() == agreement.as_csv(study), "run python -m imbnas.evidence.agreement"


def test_repeats_by_hand() -> None:
    """Twelve cells, one pair exchanged: 1 of 66 pairs is discordant, so tau is 64 / 66."""
    cells = list(distinct().index[:12])
    scores = {cell: float(i) for i, cell in enumerate(cells)}
    swapped = scores | {cells[0]: 1.0, cells[1]: 0.0}

    def record(seed: int, accuracy: dict[str, float]) -> dict:
        return {
            "config": {"arm": {"name": "constant"}, "procedure": "P1", "target": "balance", "seed": seed},
            "results": {"accuracy": accuracy},
        }

    found = adapted.repeats([], [record(0, scores), record(1, swapped)])
    assert found.values.tolist() == [["P1", 0, 1, pytest.approx(64 / 66)]]
