"""Stages on glyphs at the smallest size: a description in, a record out, the same again after a stop."""

import hashlib
import json
import math
import re
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kendalltau

from imbnas import profiles, records, stages
from imbnas.evidence.paths import retrained_paths
from imbnas.models import ResNet32
from imbnas.places import work_root
from imbnas.space import CellSpace, MacroSpace, parse_space
from imbnas.stages import run as of_run
from imbnas.stages.arms import arm_called, arms
from imbnas.stages.clock import Clock, cost
from imbnas.stages.draws import distinct_paths, named_generator, random_paths
from imbnas.stages.gate import figures
from imbnas.stages.kept import Kept
from imbnas.stages.ranking import drawn_paths
from imbnas.stages.retrain import retrain_config, train_and_test
from imbnas.stages.run import Run
from imbnas.stages.search import search_config
from imbnas.stages.validity import disjoint_paths, sample_cells, work_folder
from imbnas.training import load_tensors, save_tensors
from tests.tiny import run


def test_one_column_of_the_grid_leaves_its_records(tmp_path, tiny):
    one = run(tmp_path, target="exp-0.01")
    source = stages.supernet(one)
    found = {p: stages.search(one, p) for p in ("P0", "P1", "P2", "P3")}
    tested = stages.retrain(one, "P1")
    names = sorted(path.name for path in one.folder.glob("*.json"))
    assert names == [
        "retrain-P1-exp-0.01-s0.json",
        "search-P0-s0.json",
        *(f"search-P{p}-exp-0.01-s0.json" for p in (1, 2, 3)),
        "supernet-s0.json",
    ]
    space = parse_space(one.space)
    for record in found.values():
        results = record["results"]
        assert len(results["scored"]) == 8
        best = results["best"]
        assert best["score"] == max(results["scored"].values())
        assert space.from_string(best["architecture"]) == tuple(map(int, best["path"]))
        assert best["macs"] == space.cost(tuple(map(int, best["path"]))).macs <= results["max_cost"]
    assert tested["results"]["best"] == found["P1"]["results"]["best"]
    assert len(tested["results"]["test"]["per_class"]) == 100
    assert source["results"]["final"]["step"] == 4
    assert {"seconds", "peak_memory_mib", "device", "versions"} <= set(tested["cost"])


def test_a_stage_stopped_by_max_seconds_continues_to_the_same_record(tmp_path, tiny):
    whole = stages.supernet(run(tmp_path / "whole"))
    stopped = run(tmp_path / "parts", max_seconds=1e-9)
    stops = 0
    while True:
        try:
            parts = stages.supernet(stopped)
            break
        except stages.Unfinished:
            stops += 1
            assert not stopped.file("supernet").exists()
    assert stops == 3
    assert records.equal(whole, parts)
    files = [r.file("supernet", suffix=".safetensors") for r in (run(tmp_path / "whole"), stopped)]
    (one, card), (other, same_card) = map(load_tensors, files)
    assert card == same_card and one.keys() == other.keys()
    assert files[0].read_bytes() == files[1].read_bytes()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_super_network_tells_what_it_is(tmp_path, tiny):
    """Data, schedule and checksum, and what its fixed sample of paths scores: P0's scores of them."""
    one = run(tmp_path)
    results = stages.supernet(one)["results"]
    weights = one.file("supernet", suffix=".safetensors")
    assert results["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    _, card = load_tensors(weights)
    assert card["data"] == "glyphs10" and json.loads(card["recipe"]) == records.plain(one.settings.supernet)
    gate = stages.gate(one, paths=24)["results"]
    assert results["sample"]["accuracy"] == dict(zip(gate["paths"], gate["scores"]["P0"], strict=True))
    assert results["sample"]["scoring"] == records.plain(one.settings.scoring)


def test_weights_that_tell_less_of_themselves_are_still_read(tmp_path, tiny):
    """As those that were committed before: space, classes and identity."""
    one = run(tmp_path)
    stages.supernet(one)
    weights = one.file("supernet", suffix=".safetensors")
    tensors, card = load_tensors(weights)
    save_tensors(weights, tensors, {name: card[name] for name in ("space", "classes", "identity")})
    assert stages.search(one, "P0")["results"]["best"]


def test_a_search_stopped_between_generations_continues_to_the_same_record(tmp_path, tiny):
    stages.supernet(run(tmp_path))
    whole = stages.search(run(tmp_path), "P0")
    stages.supernet(run(tmp_path / "b"))
    stops = 0
    while True:
        try:
            parts = stages.search(run(tmp_path / "b", max_seconds=1e-9), "P0")
            break
        except stages.Unfinished:
            stops += 1
    assert stops >= 1 and records.equal(whole, parts)


def test_the_seconds_of_a_search_hold_those_before_a_stop(tmp_path):
    file = tmp_path / "search.state.json"
    records.write_text(file, json.dumps({"state": {"scored": []}, "seconds": 100.0}))
    kept = Kept(file, clock := Clock())
    kept.keep(kept.state)
    assert 100 <= kept.seconds < 160 and clock.seconds["search"] == 100
    assert 100 <= json.loads(file.read_text())["seconds"] < 160


def test_the_clock_counts_the_part_under_way():
    """A search is one long part: `max_seconds` must be able to end it."""
    clock = Clock(0.05)
    with clock.part("search"):
        assert not Clock(None).over and not Clock(60).over
        time.sleep(0.1)
        assert clock.over


def test_the_gate_draws_as_many_paths_as_it_is_asked_for():
    """64 architectures, 24 draws of which would hit some twice."""
    drawn = random_paths(parse_space("macro-w32-1-1-1"), 24)
    assert len(set(drawn)) == len(drawn) == 24
    with pytest.raises(ValueError, match="65 distinct paths were asked of macro-w32-1-1-1; it has 64: ask for fewer"):
        random_paths(parse_space("macro-w32-1-1-1"), 65)


def test_a_space_whose_living_paths_run_out_is_refused():
    """Of the 64 paths only the three that end in two equal layers of 0 to 2 are alive here."""

    class Living(MacroSpace):
        def sample(self, generator: torch.Generator) -> tuple[int, ...]:
            return (0, *[int(torch.randint(3, (), generator=generator))] * 2)

    space, generator = Living(width=32, layers=(1, 1, 1)), torch.Generator().manual_seed(0)
    assert set(distinct_paths(space, 3, generator)) == {(0, 0, 0), (0, 1, 1), (0, 2, 2)}
    for refused in (lambda: random_paths(space, 4), lambda: drawn_paths(space)):
        with pytest.raises(ValueError, match="10,000 random draws in a row brought none beside the 3 found.*: ask for"):
            refused()


def test_unfinished_work_lies_beside_the_records_however_their_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    monkeypatch.chdir(tmp_path / "results")
    for out in (".", "a/..", f"{tmp_path}/results", "../results", "b/../../results"):
        kept = [Run("smoke", out=out).work_file({}, "supernet", split="a").parents[2], work_root(Path(out)) / "smoke"]
        assert [folder.resolve() for folder in kept] == [tmp_path / "runs" / "smoke"] * 2, out
        assert work_folder(arm_called("constant"), 0, Path(out)).resolve().parent == tmp_path / "runs" / "validity"
    monkeypatch.chdir(tmp_path)
    assert Run("smoke", out="results").work_file({}, "supernet", split="a").parts[:2] == ("runs", "smoke")


def test_the_gate_judges_agreement_and_spread(tmp_path, tiny):
    one = run(tmp_path)
    stages.supernet(one)
    record = stages.gate(one, paths=12)
    results = record["results"]
    first, second, p0 = (results["scores"][name] for name in ("P1-s0", "P1-s1", "P0"))
    assert len(results["paths"]) == len(first) == len(p0) == 12
    agreed = kendalltau(first, second).statistic
    assert first != second and results["tau_between_seeds"] == (None if math.isnan(agreed) else pytest.approx(agreed))
    assert results["spread"] == pytest.approx(statistics.stdev(first), rel=1e-5)
    assert set(record["cost"]["seconds"]) == {"adaptation", "scoring"}


@pytest.mark.parametrize(
    ("second", "spread_of", "agree", "differ"),
    [([1.0, 2, 3, 4, 5], 10, True, True), ([5.0, 4, 3, 2, 1], 10, False, True), ([1.0, 2, 3, 4, 5], 0.01, True, False)],
)
def test_the_gates_verdicts_by_hand(second, spread_of, agree, differ):
    """Mean 50 on 2,500 images: the binomial error is 1 point."""
    first = [50 + spread_of * (i - 2) for i in range(5)]
    found = figures([first, second], first, [1, 2, 3, 4, 5], 2500)
    assert found["binomial_error"] == pytest.approx(1)
    assert (found["rankings_agree"], found["paths_differ"]) == (agree, differ)


def test_a_gate_with_nothing_to_rank_is_not_passed():
    found = figures([[1.0] * 4, [1.0] * 4], [1.0, 2, 3, 4], [1, 2, 3, 4], 100)
    assert found["tau_between_seeds"] is None
    assert not found["rankings_agree"] and not found["paths_differ"]


@pytest.mark.parametrize("percent", [0.0, 100.0])
def test_paths_that_are_all_right_or_all_wrong_do_not_differ(percent):
    """No spread at all, and a binomial error of zero: twice nothing is no more than nothing."""
    found = figures([[percent] * 4, [percent] * 4], [1.0, 2, 3, 4], [1, 2, 3, 4], 100)
    assert found["spread"] == found["binomial_error"] == 0 and found["paths_differ"] is False


def test_equal_winners_share_one_retraining(tmp_path, tiny):
    one = run(tmp_path, target="step-0.01")
    stages.supernet(one)
    found = stages.search(one, "P1")
    config = search_config(one, "P2")
    records.write(one.file("search", "P2", one.target), "search", config, found["results"], found["cost"])
    first, second = stages.retrain(one, "P1"), stages.retrain(one, "P2")
    assert first["results"]["test"] == second["results"]["test"]
    assert len(list((tmp_path / "runs").rglob("retrain-*.safetensors"))) == 1
    assert second["cost"]["training_seconds"] == first["cost"]["training_seconds"]


def test_what_another_configuration_left_is_refused(tmp_path, tiny):
    one = run(tmp_path, target="step-0.01")
    stages.supernet(one)
    stages.search(one, "P1")
    found = records.read_one(one.file("search", "P1", one.target))
    config = found["config"] | {"precision": "bf16"}
    records.write(one.file("search", "P1", one.target), "search", config, found["results"], found["cost"])
    with pytest.raises(ValueError, match="of another configuration .*: `python .*07-p1.* searches anew$"):
        stages.retrain(one, "P1")
    weights = one.file("supernet", suffix=".safetensors")
    tensors, card = load_tensors(weights)
    save_tensors(weights, tensors, card | {"identity": "0" * 12})
    with pytest.raises(
        ValueError, match="trained by another configuration .*: `python .*04-super-network.* makes it anew$"
    ):
        stages.search(one, "P2")


def test_a_procedure_that_searches_nothing_has_no_winner_to_retrain(tmp_path, tiny):
    with pytest.raises(ValueError, match='procedure is "P9"; expected one of P0, P1, P2, P3, control, P1-random'):
        stages.retrain(run(tmp_path), "P9")


def test_a_gate_of_one_path_is_refused_before_it_is_trained(tmp_path, tiny):
    with pytest.raises(ValueError, match="paths is 1: expected a whole number from 2"):
        stages.gate(run(tmp_path), paths=1)
    assert not (tmp_path / "results").exists()


def test_a_system_that_does_not_tell_its_memory_costs_no_record(monkeypatch):
    """Windows has no module `resource`: that must not come out after hours of training."""
    monkeypatch.setattr("imbnas.stages.clock.resource", None)
    assert cost(Clock(), torch.device("cpu"))["peak_memory_mib"] is None
    monkeypatch.undo()
    assert cost(Clock(), torch.device("cpu"))["peak_memory_mib"] > 10


def test_a_baseline_is_watched_on_the_test_set_and_not_moved_by_it(tmp_path, tiny):
    one, other = (run(tmp_path / name, target="step-0.01") for name in ("watched", "unwatched"))
    watched = stages.baseline(one, "resnet32-drw")["results"]
    curves = pd.read_csv(one.file("baseline", "resnet32-drw", one.target, suffix=".csv"))
    assert watched["best_epoch"]["test"] == pytest.approx(curves.test.max())
    assert curves.test.iloc[-1] == pytest.approx(watched["test"]["overall"])
    net = ResNet32(len(watched["test"]["per_class"]), named_generator(0, "retrain", "resnet32"))
    told = {"procedure": "resnet32-drw"}
    again = train_and_test(
        other, lambda classes: net, retrain_config(other, "resnet32"), tmp_path / "again.json", told
    )["results"]
    assert again["test"] == watched["test"] and "best_epoch" not in again


def test_another_draw_of_the_images_has_a_folder_of_its_own(tmp_path):
    first, second = (run(tmp_path, split_seed=seed).file("supernet") for seed in (0, 1))
    assert second.parent.name == f"{first.parent.name}-split1" and second.name == first.name


def test_bad_input_is_refused_at_the_door(tmp_path, tiny):
    with pytest.raises(ValueError, match="profile"):
        stages.Run(profile="smokey")
    with pytest.raises(ValueError, match="cell9"):
        run(tmp_path, space="cell9")
    with pytest.raises(ValueError, match="exp-1.5|1.5"):
        run(tmp_path, target="exp-1.5")
    with pytest.raises(ValueError, match='procedure is "P4"'):
        stages.search(run(tmp_path), "P4")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed", "0", "a whole number from 0"),
        ("seed", -1, "a whole number from 0"),
        ("seed", 1.5, "a whole number from 0"),
        ("seed", None, "a whole number from 0"),
        ("seed", [0, 1], "a whole number from 0"),
        ("seed", np.int64(0), "a whole number from 0"),
        ("split_seed", 1.0, "a whole number from 0"),
        ("split_seed", True, "a whole number from 0"),
        ("max_seconds", "3", "seconds, more than 0"),
        ("max_seconds", 0, "seconds, more than 0"),
        ("target", ["balance"], "text"),
    ],
)
def test_a_run_is_of_parameters_of_their_kind(tmp_path, name, value, expected):
    """The rules of `Run` alone: the type checks of these tests would come before them."""
    one = run(tmp_path)
    object.__setattr__(one, name, value)
    with pytest.raises(ValueError, match=rf"^{name} is {re.escape(repr(value))}; expected {expected}$"):
        one.__post_init__()


IN_THE_WAY = {
    "supernet-s0": stages.supernet,
    "search-P1-exp-0.01-s0": lambda run: stages.search(run, "P1"),
    "scores-P0-s0": lambda run: stages.score_paths(run, "P0"),
    "scores-P1-exp-0.01-s0": lambda run: stages.score_paths(run, "P1"),
    "gate-exp-0.01-s0": stages.gate,
    "path-00-exp-0.01-s0": lambda run: stages.retrain_path(run, 0),
    "baseline-resnet32-ce-exp-0.01-s0": lambda run: stages.baseline(run, "resnet32-ce"),
}


@pytest.mark.parametrize(("name", "stage"), IN_THE_WAY.items(), ids=list(IN_THE_WAY))
def test_a_damaged_record_in_the_way_is_refused_at_the_door(tmp_path, tiny, name, stage):
    one = run(tmp_path)
    one.folder.mkdir(parents=True)
    (one.folder / f"{name}.json").write_text('{"a"')
    with pytest.raises(records.RecordError, match=f"{name}.json is damaged .*: delete it and run its stage again"):
        stage(one)
    assert not (tmp_path / "runs").exists()


def test_what_is_missing_is_named_with_the_line_that_makes_it(tmp_path, tiny):
    line = "`python -m papermill book/{} run.ipynb -p profile smoke -p out .*{} -p seed 0`"
    made = line.format("04-super-network.ipynb", "results")
    with pytest.raises(ValueError, match=f"no super-network .*supernet-s0.safetensors: {made} makes it$"):
        stages.search(run(tmp_path), "P0")
    made = line.format("07-p1.ipynb", "-p target exp-0.01")
    with pytest.raises(records.RecordError, match=f"no record .*search-P1-exp-0.01-s0.json: {made} writes it$"):
        stages.retrain(run(tmp_path), "P1")
    made = line.format("06-p0.ipynb", "-p procedure control -p target exp-0.01")
    with pytest.raises(records.RecordError, match=f"{made} writes it$"):
        stages.retrain(run(tmp_path), "control")
    assert not (tmp_path / "results").exists()


def test_a_super_network_of_another_space_is_refused(tmp_path, tiny):
    one = run(tmp_path)
    stages.supernet(one)
    with pytest.raises(ValueError, match="over cell3-c4-n1, not over cell3-c8-n1"):
        stages.load_supernet(
            one.file("supernet", suffix=".safetensors"), parse_space("cell3-c8-n1"), torch.device("cpu")
        )


def test_named_generators_are_independent_of_each_other():
    draws = {
        names: torch.rand(3, generator=named_generator(0, *names)).tolist() for names in (("a",), ("b",), ("a", "b"))
    }
    assert len({tuple(value) for value in draws.values()}) == 3
    assert draws[("a",)] == torch.rand(3, generator=named_generator(0, "a")).tolist()


def test_validity_cells_are_distinct_and_nested_and_fair_paths_share_nothing():
    cells = sample_cells(300)
    assert len(set(cells)) == 300 and sample_cells(100) == cells[:100]
    paths = disjoint_paths(CellSpace(stages=1), torch.Generator().manual_seed(0))
    assert all(sorted(column) == [0, 1, 2, 3, 4] for column in zip(*paths, strict=True))
    assert all(arm.data == "cifar10" for arm in arms().values())


def test_the_control_searches_as_the_procedures_do_and_its_winner_is_retrained(tmp_path, tiny):
    one = run(tmp_path, target="exp-0.01")
    stages.supernet(one)
    found, adapted = stages.search(one, "control"), stages.search(one, "P1")
    assert found["config"]["data"] == "glyphs100" and "recipe" not in found["config"]
    assert len(found["results"]["scored"]) == len(adapted["results"]["scored"])
    assert found["results"]["max_cost"] == adapted["results"]["max_cost"] >= found["results"]["best"]["macs"]
    tested = stages.retrain(one, "control")
    assert tested["config"]["network"] == found["results"]["best"]["path"]
    assert tested["config"]["procedure"] == "control"


def test_random_search_scores_as_many_paths_on_the_very_network_that_p1_adapted(tmp_path, tiny):
    one = run(tmp_path, target="exp-0.01")
    stages.supernet(one)
    evolved, found = stages.search(one, "P1"), stages.search(one, "P1-random")
    assert len(found["results"]["scored"]) == len(evolved["results"]["scored"]) == 8
    assert sum(g["children"]["random"] for g in found["results"]["history"]) == 8
    assert len(list((tmp_path / "runs").rglob("adapt-P1-*.safetensors"))) == 1
    assert stages.retrain(one, "P1-random")["config"]["network"] == found["results"]["best"]["path"]


def test_the_largest_allowed_path_is_retrained_without_a_search(tmp_path, tiny):
    one = run(tmp_path, target="exp-0.01")
    results, space = stages.largest(one)["results"], one.space_of_paths
    drawn = named_generator(0, "median cost")
    costs = sorted(space.cost(space.sample(drawn)).macs for _ in range(one.settings.search.cost_samples))
    assert results["best"]["macs"] == max(cost for cost in costs if cost <= statistics.median(costs))
    assert space.cost(tuple(map(int, results["best"]["path"]))).macs == results["best"]["macs"]


CELL = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|"


def test_a_named_architecture_is_retrained_with_either_loss_and_kept_apart(tmp_path, tiny):
    one = run(tmp_path, target="step-0.01", space="cell1-c4-n1")
    plain, deferred = (stages.retrain_named(one, CELL, procedure) for procedure in ("named-ce", "named-drw"))
    names = sorted(path.name for path in one.folder.glob("*.json"))
    assert names == ["named-ce-201003-step-0.01-s0.json", "named-drw-201003-step-0.01-s0.json"]
    for record, reweight in ((plain, False), (deferred, True)):
        assert record["results"]["path"]["architecture"] == CELL
        assert record["config"]["reweight"] is reweight and record["config"]["network"] == "201003"
    assert plain["results"]["final"]["loss"] != deferred["results"]["final"]["loss"]  # re-weighted from step 2 of 4
    assert len(list((tmp_path / "runs").rglob("retrain-*.safetensors"))) == 2
    assert retrained_paths(records.read(one.folder)).empty  # none of the fixed set


def test_a_named_architecture_of_the_set_is_trained_as_the_path_of_the_set_is(tmp_path, tiny):
    one = run(tmp_path, target="step-0.01")
    of_the_set = stages.retrain_path(one, 0)
    named = stages.retrain_named(one, of_the_set["results"]["path"]["architecture"], "named-drw")
    assert named["results"]["test"] == of_the_set["results"]["test"]
    assert len(list((tmp_path / "runs").rglob("retrain-*.safetensors"))) == 1
    assert len(retrained_paths(records.read(one.folder))) == 1


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("", "cell '' has 1 nodes: expected 3"),
        (CELL.replace("none~0", "max_pool~0"), "unknown operation 'max_pool'"),
        (CELL.replace("nor_conv_3x3~2", "none~2"), "is dead: every way through it is `none`; name a living one"),
        (f"{CELL} / {CELL}", "has 2 cells: expected 1"),
        (7, r"architecture is 7; expected its printed form, as \|"),
    ],
)
def test_an_architecture_that_is_none_is_refused_before_anything_is_trained(tmp_path, tiny, architecture, message):
    one = run(tmp_path, space="cell1-c4-n1")
    with pytest.raises(ValueError, match=message):
        stages.retrain_named(one, architecture, "named-ce")
    with pytest.raises(ValueError, match='procedure is "named"; expected one of named-ce, named-drw'):
        stages.retrain_named(one, CELL, "named")
    assert not (tmp_path / "results").exists()


def test_the_recipe_of_nasbench201_is_the_benchmarks():
    """200 epochs, rate 0.1 along a cosine to nothing, Nesterov, weight decay 5e-4, batches of 256, as in its code."""
    profile = profiles.load("nasbench201")
    recipe = profile.retrain
    told = (recipe.length, recipe.unit, recipe.rate, recipe.batch_size, recipe.nesterov, recipe.momentum)
    assert told == (200, "epochs", 0.1, 256, True, 0.9)
    assert (recipe.weight_decay, recipe.warmup, recipe.clip) == (5e-4, 0, None)
    assert [recipe.rate_at(step, 10) for step in (0, 1000, 2000)] == pytest.approx([0.1, 0.05, 0])
    assert parse_space(profile.space) == CellSpace(channels=16, cells=5, stages=1)


def test_the_float32_control_differs_from_the_papers_profile_by_its_precision():
    paper, control = profiles.load("paper"), profiles.load("paper-float32")
    assert (paper.precision, control.precision) == ("bf16", "float32")
    assert replace(control, name="paper", precision="bf16") == replace(paper, card={})


def test_work_that_other_code_left_is_not_continued(tmp_path, tiny, monkeypatch):
    one = run(tmp_path)
    now = one.work_file({}, "supernet", split="a")
    assert now == one.work_file({}, "supernet", split="a") != one.work_file({"seed": 1}, "supernet", split="a")
    assert one.work_file({}, "supernet", split="b") != now  # other images under the same name
    monkeypatch.setattr(of_run, "revision", lambda: "other")
    assert one.work_file({}, "supernet", split="a") != now
