"""The paths on which rankings are judged, and the study of what P1's scores measure."""

import bisect
import dataclasses
import itertools
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from imbnas import records, stages
from imbnas.names import ON_SOURCE, SCORED
from imbnas.profiles import Scoring
from imbnas.space import CellSpace, MacroSpace, digits
from imbnas.stages import ranking
from imbnas.stages.arms import arm_called
from imbnas.stages.ranking import COUNT, ranked_paths
from imbnas.stages.search import search_config
from imbnas.stages.target import load_target
from imbnas.stages.truth import Variant, part_trained, scored, source_of, variants
from imbnas.stages.validity import begin
from tests.tiny import run


@pytest.mark.parametrize("space", [CellSpace(16, 1, 3), MacroSpace()], ids=lambda s: s.name)
def test_every_beginning_of_the_set_is_spread_over_the_costs(space):
    paths = ranked_paths(space)
    assert len(set(paths)) == COUNT and all(space.is_alive(path) for path in paths)
    by_cost = sorted(range(COUNT), key=lambda i: (space.cost(paths[i]).macs, i))
    strata = {number: place for place, number in enumerate(by_cost)}
    for count in (6, 12, 24, 48):
        places = sorted(strata[number] for number in range(count))
        apart = [later - earlier for earlier, later in pairwise(places)]
        assert max(apart) <= 2 * COUNT // count + 1  # equal costs may change places
        assert ranked_paths(space, count) == paths[:count]
    with pytest.raises(ValueError, match="count is 49; expected 1 to 48 paths"):
        ranked_paths(space, 49)


@pytest.mark.parametrize("layers", [(2, 2, 2), (1, 1, 1)], ids=str)  # 4,096 and 64 paths, where 4,800 were drawn
def test_a_small_space_has_smaller_strata(layers):
    space = MacroSpace(16, layers)
    paths = ranked_paths(space)
    assert len(set(paths)) == COUNT
    costs = sorted(space.cost(path).macs for path in itertools.product(range(4), repeat=space.genes))
    stratum = len(costs) / COUNT
    for number, cost in enumerate(sorted(space.cost(path).macs for path in paths)):
        assert bisect.bisect_left(costs, cost) < (number + 3) * stratum
        assert bisect.bisect_right(costs, cost) > (number - 2) * stratum


def test_a_space_of_fewer_paths_than_strata_is_refused():
    class TwoChoices(MacroSpace):
        operations = ("skip", "conv3x3")

    with pytest.raises(ValueError, match="has 8 paths; expected at least 48"):
        ranked_paths(TwoChoices(16, (1, 1, 1)))


def test_a_path_of_the_set_is_retrained_as_a_winner_would_be(tmp_path, tiny):
    one = run(tmp_path, target="exp-0.01")
    record = stages.retrain_path(one, 5)
    chosen = ranked_paths(one.space_of_paths)[5]
    assert record["config"]["network"] == digits(chosen)
    assert record["results"]["path"]["macs"] == one.space_of_paths.cost(chosen).macs
    assert one.file("path", "05", "exp-0.01").exists()
    winner = {"best": {"path": digits(chosen), "architecture": one.space_of_paths.to_string(chosen)}}
    records.write(one.file("search", "P1", "exp-0.01"), "search", search_config(one, "P1"), winner, {})
    assert stages.retrain(one, "P1")["results"]["test"] == record["results"]["test"]
    for wrong in (48, -1):
        with pytest.raises(ValueError, match="expected the number of a path of the set, 0 to 47"):
            stages.retrain_path(one, wrong)


def test_every_procedure_scores_the_same_paths_and_shares_its_searchs_adaptation(tmp_path, tiny, monkeypatch):
    one = run(tmp_path, target="exp-0.01")
    few = ranked_paths(one.space_of_paths, 3)  # all validation images are scored: three paths are enough
    monkeypatch.setattr(ranking, "ranked_paths", lambda space: few)
    stages.supernet(one)
    searched = stages.search(one, "P1")
    found = {p: stages.score_paths(one, p) for p in SCORED}
    expected = [digits(path) for path in few]
    assert all(list(r["results"]["scored"]) == expected for r in found.values())
    assert found["P0"]["config"]["data"] == one.source and found["control"]["config"]["data"] == one.target_data
    assert found["P1"]["config"]["recipe"] == searched["config"]["recipe"]
    assert found["P1"]["cost"]["seconds"]["adaptation"] == searched["cost"]["seconds"]["adaptation"]  # the shared one's
    assert found["P1"]["config"]["scoring"]["images"] is None
    held_out = len(load_target(one.target_data, one.target, 0, torch.device("cpu")).split.validation)
    assert {r["results"]["images"] for p, r in found.items() if p not in ON_SOURCE} == {held_out}
    tracked, frozen = found["P0-tracked"]["config"], found["P1-frozen"]["config"]
    assert tracked == found["P0"]["config"] | {"procedure": "P0-tracked", "statistics": "tracked"}
    assert frozen == found["P1"]["config"] | {"procedure": "P1-frozen", "statistics": "source"}
    assert found["P1-frozen"]["results"]["scored"] != found["P1"]["results"]["scored"]
    bare, plain = found["P1-untrained"], found["P1"]
    assert bare["config"]["supernet"] == "untrained" and bare["config"]["recipe"] == plain["config"]["recipe"]
    assert one.file("scores", "P0").exists() and one.file("scores", "P1-ce", "exp-0.01").exists()
    assert sorted(p.name.split("-s0")[0] for p in (tmp_path / "runs").rglob("adapt-*.safetensors")) == [
        "adapt-P1-exp-0.01",  # one for the search and the scores, one without weights, one on random weights
        "adapt-P1-exp-0.01",
        "adapt-P1-exp-0.01",
        "adapt-P2-exp-0.01",
        "adapt-P3-exp-0.01",
    ]
    with pytest.raises(ValueError, match='procedure is "P4"; expected one of P0, P0-tracked, control'):
        stages.score_paths(one, "P4")


# ------------------------------------------------------------------- what P1's scores measure: variants of a truth


def small_arm():
    arm = arm_called("constant")
    recipe = dataclasses.replace(arm.recipe, length=4, batch_size=8)
    return dataclasses.replace(arm, recipe=recipe, data="glyphs10", channels=4, precision="float32")


def test_every_variant_changes_one_thing_of_the_plain_adaptation():
    named = variants()
    assert named.pop("") == Variant()
    plain = vars(Variant())
    for name, variant in named.items():
        changed = {key for key, value in vars(variant).items() if value != plain[key]} - {"cells"}
        assert len(changed) == 1, name
    with pytest.raises(ValueError, match='truth variant is "nothing"; expected one of on-cifar10'):
        stages.truth("constant", "P1", variant="nothing")


def test_a_part_of_a_training_is_its_beginning(tmp_path):
    arm, device = small_arm(), torch.device("cpu")
    fresh = begin(arm, 0, device).net.state_dict()
    untrained = part_trained(arm, 0, 0, tmp_path, device).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in untrained.items())
    course, seen = begin(arm, 0, device), {}

    def look(step):
        seen[step] = {name: value.clone() for name, value in course.net.state_dict().items()}

    course.train(tmp_path / "whole", on_step=look)
    half = part_trained(arm, 0.5, 0, tmp_path, device).state_dict()
    weights = [name for name, _ in course.net.named_parameters()]
    assert all(torch.equal(half[name], seen[2][name]) for name in weights)
    assert not all(torch.equal(half[name], seen[4][name]) for name in weights)


def test_an_annealed_arm_has_no_beginning(tmp_path):
    arm = small_arm()
    annealed = dataclasses.replace(arm, recipe=dataclasses.replace(arm.recipe, shape="cosine"))
    with pytest.raises(ValueError, match="only an arm of constant rate can be stopped early"):
        part_trained(annealed, 0.5, 0, tmp_path, torch.device("cpu"))


def test_features_before_the_last_norm_are_the_averaged_sums_themselves(tmp_path):
    arm, device = small_arm(), torch.device("cpu")
    course = begin(arm, 0, device)
    net = source_of(arm, Variant(after=0, last_norm=False), 0, tmp_path, device)
    images, path = (
        course.batches.next()[0],
        net.space.from_string("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"),
    )
    sums = []
    plain = course.net
    plain.backbone.head.register_forward_pre_hook(lambda module, inputs: sums.append(inputs[0]))
    plain.features(images, path)
    assert torch.allclose(net.features(images, path), sums[0].mean((2, 3)), atol=1e-5)


def test_source_statistics_change_the_scores_and_nothing_else(tmp_path):
    arm = dataclasses.replace(small_arm(), scoring=Scoring(1, 64, 64))
    net = begin(arm, 0, torch.device("cpu")).net
    data = load_target("glyphs100", "balance", 0, torch.device("cpu"))
    net.reset_classifier(100, torch.Generator().manual_seed(0))
    target, source = (
        scored("P1", net, arm, Variant(statistics=statistics, cells=4), data) for statistics in ("target", "source")
    )
    assert list(target["loss"]) == list(source["loss"]) and len(target["loss"]) == 4
    assert target["loss"] != source["loss"]
    assert (
        scored("P1", net, dataclasses.replace(arm, data="glyphs100"), Variant(statistics="source", cells=4), data)
        == target
    )


def test_brief_arms_differ_from_the_base_in_one_thing_and_see_as_many_images():
    from imbnas.stages.arms import arm_file, arms

    base = arm_called("constant")
    images = 0.25 * base.recipe.length * base.recipe.batch_size
    for name, arm in arms("brief").items():
        assert arm.recipe.length * arm.recipe.batch_size == images and arm.cells == base.early_cells == 100
        alike = dataclasses.replace(arm.recipe, length=base.recipe.length)
        changed = [field for field, value in vars(alike).items() if value != vars(base.recipe)[field]]
        changed += [field for field in ("fair", "cells_per_stage", "channels", "data", "precision", "scoring")
                    if getattr(arm, field) != getattr(base, field)]  # fmt: skip
        assert len(changed) == 1, name
        assert arm_file(arm, 0, Path(), ".json") == Path("brief") / f"{name}-s0.json"
    assert arm_file(base, 1, Path(), ".csv") == Path("validity") / "constant-s1.csv"
    assert arm_file(arm_called("hundred"), 0, Path(), ".csv") == Path("sources") / "hundred-s0.csv"
