"""What P1's scores measure: read from hand-made records, and the committed tables against the raw scores."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from imbnas import records
from imbnas.benchmark import distinct
from imbnas.evidence import probes
from imbnas.names import ARM
from imbnas.space import CellSpace
from imbnas.stages.arms import arm_called
from imbnas.stages.truth import variants
from imbnas.stages.validity import sample_cells

SPACE, CELLS = CellSpace(stages=1), sample_cells(200)
TRUTH = {data: distinct()[data].loc[CELLS] for data in ("cifar10", "cifar100")}


def record(
    scores: pd.Series, arm: str = "constant", procedure: str = "P1", variant: str = "", target: str = "balance"
) -> dict[str, Any]:
    changed = {"variant": {"name": variant} | vars(variants()[variant])} if variant else {}
    config = {"arm": arm_called(arm), "procedure": procedure, "target": target, "seed": 0} | changed
    data = {"data": variants()[variant].data}
    return {"config": records.plain(config | data), "results": {"accuracy": scores.to_dict()}}


def additive(terms: np.ndarray) -> pd.Series:
    """Scores to which every edge adds its operation's term."""
    paths = [SPACE.from_string(cell) for cell in CELLS]
    return pd.Series([sum(terms[edge, choice] for edge, choice in enumerate(path)) for path in paths], CELLS)


def test_effects_find_the_terms_of_an_additive_score() -> None:
    terms = np.random.default_rng(0).normal(size=(6, 5))
    scores = additive(terms)
    frame, explained = probes.effects(3 * scores + 7)
    centred = (terms - terms.mean(1, keepdims=True)) / scores.std()
    assert np.allclose(frame, centred, atol=1e-8) and explained == pytest.approx(1)
    assert list(frame.columns) == list(SPACE.operations) and frame.index[3] == "0→3"


def test_effects_explain_little_of_noise() -> None:
    noise = pd.Series(np.random.default_rng(1).normal(size=200), CELLS)
    assert probes.effects(noise)[1] < 0.3  # 24 free terms among 200 cells: 0.12 by chance


def test_every_probe_is_held_against_its_own_targets_truth() -> None:
    told = [record(TRUTH["cifar100"]), record(TRUTH["cifar10"], variant="on-cifar10"),
            record(100 - TRUTH["cifar100"], variant="untrained")]  # fmt: skip
    table = probes.table(told).set_index("probe")
    assert list(table.index) == ["plain", "on-cifar10", "untrained"]
    assert table.tau.tolist() == pytest.approx([1, 1, -1]) and (table.cells == 150).all()
    assert table.with_p1["plain"] == pytest.approx(1) and table.with_p1["untrained"] == pytest.approx(-1)
    assert table.change["untrained"] == pytest.approx(-2) == table.change_low["untrained"]
    assert table.change[["plain", "on-cifar10"]].isna().all()  # itself, and another truth
    mean = TRUTH["cifar100"].iloc[:150].mean()
    assert table.error["plain"] == pytest.approx(math.sqrt(mean * (100 - mean) / 2500))


def test_skips_are_counted_in_the_printed_cell() -> None:
    cell = "|skip_connect~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|"
    assert probes.skips([cell]).tolist() == [2]


def test_probes_lie_beside_the_studys_own_adaptations() -> None:
    own, changed = (records.read(probes.FOLDER.parent / name, "truth") for name in ("truth", "probes"))
    plain = [r["config"]["arm"]["name"] == ARM and "variant" not in r["config"] for r in own + changed]
    assert plain == [True] * len(own) + [False] * len(changed)
    assert probes.read() == changed + own


def test_a_score_made_of_wiring_and_learning_is_taken_apart() -> None:
    learnt, wiring = TRUTH["cifar100"], pd.Series(np.random.default_rng(2).normal(50, 5, 200), CELLS)
    told = [record(wiring, variant="untrained"), record(wiring + learnt)]
    source = {name: told[1]["config"][name] for name in ("arm", "seed")}
    study = [{"config": source, "results": {"moments": [{"accuracy": learnt.to_dict()}]}}]
    row = probes.account(study, told).iloc[0]
    first = slice(0, 150)
    whole = (wiring + learnt)[first].std()
    assert row.wiring == pytest.approx(wiring[first].std() / whole)
    assert row.learnt == pytest.approx(learnt[first].std() / whole)
    assert row.explained == pytest.approx(1) and row.tau == pytest.approx(1, abs=1e-3)  # ties fall apart
    # the untrained score upside down has an agreement of its own, and only what lies beyond it was added
    alone = kendalltau(-wiring[first], learnt[first]).statistic
    assert row.bare == pytest.approx(alone) and row.gain == pytest.approx(row.tau - alone)
    assert row.gain_low <= row.gain <= row.gain_high
    # a probe of another source is made of what that one has learnt
    other = pd.Series(np.random.default_rng(3).normal(50, 5, 200), CELLS)
    wide = record(wiring + other, arm="wide")
    of_wide = {name: wide["config"][name] for name in ("arm", "seed")}
    both = [*study, {"config": of_wide, "results": {"moments": [{"accuracy": other.to_dict()}]}}]
    second = probes.account(both, [*told, wide]).set_index("probe").loc["wide"]
    assert second.explained == pytest.approx(1) and second.learnt > 0.5
    assert probes.account(study, told[1:]).empty and probes.account([], told).empty
    elsewhere = record(wiring + learnt)
    elsewhere["config"]["data"] = "cifar10"
    assert probes.account(study, [told[0], elsewhere]).empty  # the wiring was measured on other images


def test_any_number_of_records() -> None:
    assert probes.table([]).empty and probes.compared([], []) == {}


def test_records_that_do_not_go_together_are_refused_by_name() -> None:
    first, again = (record(TRUTH["cifar100"]) | {"file": f"{name}.json"} for name in "ab")
    study = [{"file": "p0.json", "config": {name: first["config"][name] for name in ("arm", "seed")},
              "results": {"moments": [{"accuracy": TRUTH["cifar10"].to_dict()}]}}]  # fmt: skip
    for read in (probes.table, lambda truths: probes.account(study, truths)):
        with pytest.raises(ValueError, match="b.json and a.json are both of constant P1 balance, seed 0"):
            read([first, again])
        later = again | {"config": again["config"] | {"seed": 1, "recipe": {"rate": 0.2}}}
        with pytest.raises(ValueError, match="b.json has another recipe.rate of constant P1 balance than a.json"):
            read([first, later])
    elsewhere = first | {"config": first["config"] | {"arm": first["config"]["arm"] | {"channels": 8}}}
    with pytest.raises(ValueError, match="a.json has another arm.channels of constant than p0.json .8 and 16"):
        probes.account(study, [elsewhere])


def test_a_loss_ranks_with_a_minus_and_only_where_there_is_one() -> None:
    """A loss that rises with the truth ranks it backwards; the ridge classifier has none, and no row."""
    told = [record(TRUTH["cifar100"]), record(TRUTH["cifar100"], procedure="control")]
    told[0]["results"]["loss"] = TRUTH["cifar100"].to_dict()
    assert probes.table(told).probe.tolist() == ["plain", "ridge"]
    found = probes.table(told, kind="loss")
    assert found.probe.tolist() == ["plain"] and found.tau.tolist() == pytest.approx([-1]) and found.error.isna().all()


def test_on_its_own_source_p1_is_held_against_p0() -> None:
    """P0 is the truth and P1 its reverse: they differ by 2, and P1 from size by −1 less size's own tau."""
    config = {name: record(TRUTH["cifar10"])["config"][name] for name in ("arm", "seed")}
    study = [{"config": config, "results": {"moments": [{"accuracy": TRUTH["cifar10"].to_dict()}]}}]
    told = [record(TRUTH["cifar100"]), record(-TRUTH["cifar10"], variant="on-cifar10")]
    found = probes.on_the_source(study, told).set_index("against")
    assert found.probe.tolist() == ["on-cifar10"] * 2 and found.cells.tolist() == [150, 150]
    assert found.change["P0"] == found.change_high["P0"] == pytest.approx(-2)
    cells = CELLS[:150]
    size = kendalltau([SPACE.cost(SPACE.from_string(cell)).macs for cell in cells], TRUTH["cifar10"][cells]).statistic
    assert found.change["multiply-adds"] == pytest.approx(-1 - size)


def test_what_is_no_probe_has_no_row() -> None:
    """The stage accepts every procedure with every variant; a table is of those that were asked for."""
    config = {name: record(TRUTH["cifar10"])["config"][name] for name in ("arm", "seed")}
    study = [{"config": config, "results": {"moments": [{"accuracy": TRUTH["cifar10"].to_dict()}]}}]
    told = [record(TRUTH["cifar10"], procedure="P2", variant="on-cifar10")]
    assert probes.on_the_source(study, told).empty and probes.table(told).empty and probes.account(study, told).empty


def test_every_variant_is_a_named_probe() -> None:
    assert {variant for _, _, variant, _ in probes.PROBES} == set(variants())
    assert all(arm_called(arm) for arm, *_ in probes.PROBES)
    names = [name for name, _ in probes.PROBES.values()]
    assert len(set(names)) == len(names) and not any("," in name for name in names)


def test_the_committed_tables_are_the_records() -> None:
    texts = probes.tables(*probes.read_sources(), probes.read())
    told = {name: (probes.FOLDER / name).read_text() for name in texts}
    assert len(texts) == 5 and told == texts, "run python -m imbnas.evidence.probes"
