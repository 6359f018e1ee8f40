"""Chapters whose stage belongs to no profile, and the search on the landscape that is known."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from imbnas import play, records, stages
from imbnas.names import HOMES
from imbnas.profiles import Scoring
from imbnas.stages import batch, study, truth, validity
from imbnas.stages.arms import arms
from imbnas.stages.landscape import Budget, best_so_far, landscape, published, repeat, summary, with_noise
from imbnas.training import Recipe, save_tensors

# the package names its functions as these modules
truth_stage, validity_stage = (import_module(f"imbnas.stages.{name}") for name in ("truth", "validity"))


def test_a_study_gets_its_options_and_nothing_else(capsys: pytest.CaptureFixture) -> None:
    given = {"profile": "", "seed": 3, "arm": "constant"}
    study(given, lambda arm, seed: {"stage": arm, "identity": f"s{seed}"}, arm=given["arm"], seed=given["seed"])
    assert capsys.readouterr().out == "constant s3 written\n"


def test_a_misspelt_parameter_of_a_study_is_refused() -> None:
    given = {"arm": "constant", "sede": 1}
    with pytest.raises(ValueError, match="unknown parameter sede; did you mean seed"):
        study(given, validity, arm=given["arm"])


def test_a_stage_may_do_without_a_parameter_of_its_chapter() -> None:
    given = {"profile": "smoke", "arm": ""}
    stage = lambda run: {"stage": run.profile, "identity": ""}  # noqa: E731
    batch(given, stage, also=("arm",))
    with pytest.raises(ValueError, match="unknown parameter arm"):
        batch(given, stage)


def called_by(chapter: str, given: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict]]:
    """What the first two cells of a chapter call, as papermill runs them: the stages, with their options."""
    notebook = nbformat.read(Path(__file__).parents[1] / "book" / f"{chapter}.ipynb", as_version=4)
    cells = {cell.id: cell.source for cell in notebook.cells}
    called = []
    for name in ("validity", "supernet", "truth", "on_frozen_backbone", "landscape"):
        stage = lambda *run, name=name, **options: (  # noqa: E731
            called.append((name, options)) or {"stage": name, "identity": ""}
        )
        monkeypatch.setattr(stages, name, stage)
    namespace: dict[str, object] = {}
    exec(cells["parameters"], namespace)
    namespace |= given
    exec(cells["stage"], namespace)
    return called


@pytest.mark.parametrize(
    ("chapter", "given", "asked"),
    [
        ("04-super-network", {"arm": "constant"}, "validity"),
        ("04-super-network", {"arm": "fair-brief"}, "validity"),
        ("04-super-network", {"profile": "smoke"}, "supernet"),
        ("05-search", {"record": True}, "landscape"),
        ("07-p1", {"profile": "smoke", "procedure": "gate"}, "on_frozen_backbone"),
        ("07-p1", {"arm": "constant"}, "truth"),
    ],
)
def test_the_chapter_runs_what_its_parameters_ask_for(
    chapter: str, given: dict[str, object], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [name for name, _ in called_by(chapter, given, monkeypatch)] == [asked]
    assert called_by(chapter, {}, monkeypatch) == []


def test_the_chapter_on_p1_hands_the_truth_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"arm": "constant", "procedure": "P2", "variant": "before-norm", "target": "balance", "seed": 3, "out": "o"}
    ((_, options),) = called_by("07-p1", given, monkeypatch)
    assert options == given | {"max_seconds": None}
    signature(truth).bind(**options)


def test_an_unknown_arm_is_refused() -> None:
    with pytest.raises(ValueError, match=f'validity arm is "constnat"; expected one of {", ".join(arms())}'):
        validity("constnat")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": (1.5,)}, r"measure is \(1.5,\); expected parts of the training, each above 0 and at most 1"),
        ({"measure": (0.5, 0.0)}, "measure is .* above 0"),
        ({"precision": "bf61"}, 'precision is "bf61"; expected "bf16", "float32" or "float64"'),
        ({"cells": 0}, "cells is 0; expected at least 1"),
        ({"early_cells": 0}, "early_cells is 0; expected at least 1"),
    ],
)
def test_an_arm_that_could_only_fail_at_the_end_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(arms()["constant"], **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"statistics": "sorce"}, 'statistics is "sorce"; expected "target" or "source"'),
        ({"after": 2.0}, "after is 2.0; expected a part of the training, from 0 to 1"),
        ({"after": -0.5}, "after is -0.5"),
        ({"cells": 0}, "cells is 0; expected at least 1"),
    ],
)
def test_a_variant_that_cannot_be_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        truth_stage.Variant(**changes)


def test_every_arm_and_variant_of_the_studies_can_be() -> None:
    assert [len(arms(kind)) > 0 for kind in HOMES] == [True] * len(HOMES)
    assert set(truth_stage.variants()) > {"", "source-statistics"}


@pytest.mark.parametrize("card", [{"identity": "0" * 12}, {}])
def test_weights_of_another_version_of_an_arm_are_refused(card: dict[str, str], tmp_path: Path) -> None:
    """Those that say nothing of themselves, too."""
    arm = arms()["constant"]
    file = tmp_path / "validity" / "constant-s0.safetensors"
    about = {"space": arm.space.name, "classes": "10"} | card if card else {}
    save_tensors(file, {"weight": torch.zeros(1)}, about)
    told = "than is asked for .*: the arm constant makes it anew" if card else "over None, not over cell1-c16-n1"
    with pytest.raises(ValueError, match=f"constant-s0.safetensors .*{told}$"):
        validity_stage.trained(arm, 0, tmp_path, torch.device("cpu"))


@pytest.fixture
def tiny_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every arm, every variant and every adaptation of the study is one of a few steps on glyphs."""
    recipe, scoring = Recipe(4, 0.05, unit="steps", batch_size=16), Scoring(1, 32, 32)
    small = {"data": "glyphs10", "channels": 4, "cells": 12, "early_cells": 10, "measure": (0.5,)}
    arm = validity_stage.Arm("tiny", recipe, precision="float32", scoring=scoring, **small)
    for stage in (validity_stage, truth_stage):
        monkeypatch.setattr(stage, "arm_called", lambda name: arm)
    monkeypatch.setattr(truth_stage, "variant_called", lambda name: truth_stage.Variant(data="glyphs10", cells=12))
    monkeypatch.setattr(truth_stage, "adaptation_recipe", lambda procedure: recipe)


def in_parts(stage: Callable[..., dict], *arguments: str, **options: str) -> tuple[dict, int]:
    """The record of a stage that is stopped as soon as its time is over, and how often it was."""
    for stops in range(100):
        with contextlib.suppress(stages.Unfinished):
            return stage(*arguments, **options, max_seconds=0.0), stops
    raise AssertionError("it never ends")


DOORS = {  # what each would begin with, and what it leaves
    "validity": ("begin", lambda out: validity("tiny", out=out), "validity/tiny-s0"),
    "truth": ("load_target", lambda out: truth("tiny", "P1", out=out), "probes/tiny-P1-balance-s0"),
    "darts": ("load_target", lambda out: stages.darts("first-order", out=out), "darts/first-order-s0"),
    "landscape": ("repeat", lambda out: landscape(2, 2, out), "search/true-landscape"),
}


@pytest.mark.parametrize("name", DOORS)
def test_a_damaged_record_in_the_way_is_refused_at_the_door(
    name: str, tmp_path: Path, tiny_arm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning, stage, leaves = DOORS[name]
    monkeypatch.setattr(import_module(f"imbnas.stages.{name}"), beginning, lambda *_, **__: pytest.fail("it began"))
    file = tmp_path / f"{leaves}.json"
    file.parent.mkdir()
    file.write_text('{"a"')
    with pytest.raises(records.RecordError, match=f"{leaves}.json is damaged .*: delete it and run its stage again"):
        stage(str(tmp_path))


def test_what_would_be_in_the_way_of_play_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "FOLDER", tmp_path)
    monkeypatch.setattr(play, "train_source", lambda: pytest.fail("it began"))
    monkeypatch.setattr(play, "retrain", lambda *_: pytest.fail("it began"))
    threads = torch.get_num_threads()
    for name, stage in (
        ("supernet-s0", play.main),
        ("retrained-exp-0.01", lambda: play.write_retrained("exp-0.01")),
    ):
        (tmp_path / f"{name}.json").write_text('{"a"')
        with pytest.raises(records.RecordError, match=f"{name}.json is damaged"):
            stage()
    torch.set_num_threads(threads)


def test_an_arm_in_parts_leaves_the_same_record_and_knows_what_it_cost(tmp_path: Path, tiny_arm: None) -> None:
    whole = validity("tiny", out=str(tmp_path / "whole" / "results"))
    parts, stops = in_parts(validity, "tiny", out=str(tmp_path / "parts" / "results"))
    assert stops >= 3 and records.equal(whole, parts)
    assert [len(moment["accuracy"]) for moment in whole["results"]["moments"]] == [10, 12]
    assert [moment.keys() for moment in whole["results"]["moments"]] == [{"step", "accuracy", "loss"}] * 2
    assert all(seconds > 0 for seconds in parts["cost"]["seconds"].values())
    assert set(parts["cost"]["seconds"]) == {"training", "scoring"}


@pytest.mark.parametrize("stops", [3, 4], ids=["half-trained", "trained"])
def test_lost_scores_of_an_arm_are_told_before_it_is_trained_on(tmp_path: Path, tiny_arm: None, stops: int) -> None:
    out = str(tmp_path / "results")
    for _ in range(stops):
        with contextlib.suppress(stages.Unfinished):
            validity("tiny", out=out, max_seconds=0.0)
    (lost,) = (tmp_path / "runs").rglob("2.json")
    (training,) = (tmp_path / "runs").rglob("training.safetensors")
    (tmp_path / "results" / "validity" / "tiny-s0.json").unlink(missing_ok=True)
    lost.unlink()
    before = training.read_bytes()
    with pytest.raises(ValueError, match=f"{lost.parent} lacks 2.json, .*: delete the folder and run the arm again"):
        validity("tiny", out=out)
    assert training.read_bytes() == before and not (tmp_path / "results" / "validity" / "tiny-s0.json").exists()


@pytest.mark.parametrize("procedure", ["control", "P1", "P2", "P3"])
def test_time_ends_the_training_of_the_source_too(tmp_path: Path, tiny_arm: None, procedure: str) -> None:
    whole = truth("tiny", procedure, out=str(tmp_path / "whole" / "results"))
    parts, stops = in_parts(truth, "tiny", procedure, out=str(tmp_path / "parts" / "results"))
    assert stops >= (3 if procedure in ("control", "P3") else 6) and records.equal(whole, parts)
    assert len(whole["results"]["accuracy"]) == 12
    sources = list((tmp_path / "parts" / "runs" / "validity").rglob("training.safetensors"))
    assert len(sources) == (procedure != "P3")  # which starts from nothing


def test_an_arm_too_short_for_its_early_looks_is_looked_at_after_its_first_step(
    tmp_path: Path, tiny_arm: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = replace(validity_stage.arm_called("tiny"), measure=(0.05, 0.1))
    monkeypatch.setattr(validity_stage, "arm_called", lambda name: arm)
    assert [moment["step"] for moment in validity("tiny", out=str(tmp_path))["results"]["moments"]] == [1, 4]


def test_plain_cross_entropy_differs_from_p1_by_the_loss_alone(tmp_path: Path, tiny_arm: None) -> None:
    """On balanced images all weights are one, and so nothing differs."""
    p1, plain = (truth("tiny", name, out=str(tmp_path / "results"))["results"] for name in ("P1", "P1-ce"))
    assert p1["accuracy"] == plain["accuracy"]
    assert p1["loss"] == pytest.approx(plain["loss"], rel=1e-5)


def test_best_so_far_keeps_the_first_of_equals() -> None:
    assert best_so_far(np.array([1.0, 3.0, 2.0, 3.0, 5.0, 4.0])).tolist() == [0, 1, 1, 1, 4, 4]


def test_a_budget_is_spent_in_whole_generations() -> None:
    assert Budget().evolution | {"generations": 20, "crossovers": 25, "mutations": 25} == Budget().evolution
    assert (Budget(population=100).spent, Budget(population=100).evolution["generations"]) == (1000, 9)
    runs = repeat("evolution", published("cifar10"), 2, Budget(paths=60, population=20))
    assert runs.scores.shape == (2, 60)
    assert runs.children.sum(2).tolist() == [[20, 20, 20]] * 2


@pytest.mark.parametrize("population", [0, 61])
def test_a_population_that_the_budget_does_not_allow_is_refused(population: int) -> None:
    with pytest.raises(ValueError, match=f"population is {population}; expected from 1 to the 60 scored paths"):
        Budget(paths=60, population=population)


def test_curves_follow_the_holder_of_the_best_score() -> None:
    truth = {path: -value for path, value in published("cifar10").items()}  # a score that is exactly wrong
    runs = repeat("random search", published("cifar10"), 3, Budget(paths=50), truth)
    assert (np.diff(runs.scores) >= 0).all() and (runs.truths == -runs.scores).all()


def test_noise_is_the_same_for_a_path_all_along_and_has_its_size() -> None:
    truth = published("cifar10")
    noisy = with_noise(truth, 2.0, torch.Generator().manual_seed(0))
    errors = np.array([noisy[path] - value for path, value in truth.items()])
    assert abs(errors.std() - 2) < 0.05 and abs(errors.mean()) < 0.1


def test_the_landscape_record(tmp_path: Path) -> None:
    record = landscape(2, 2, str(tmp_path), Budget(paths=40, population=20))
    assert record == records.read_one(tmp_path / "search" / "true-landscape.json")
    true = record["results"]["scores"]["cifar10"]["evolution"]
    assert true["final"]["truth"] == pytest.approx(np.mean([w["truth"] for w in true["winners"]]), abs=1e-3)
    assert true["paths"][0] == 1 and true["paths"][-1] == 40 and len(true["truth"]["q50"]) == len(true["paths"])
    assert [row["noise"] for row in record["results"]["noise"]] == [0, 0.25, 0.5, 1, 2]
    assert record["results"]["noise"][0]["evolution"]["score"] == record["results"]["noise"][0]["evolution"]["truth"]
    json.dumps(record)


@pytest.mark.parametrize(("asked", "name"), [((1, 2), "repeats"), ((2, 1), "noisy_repeats")])
def test_a_landscape_without_a_spread_is_refused_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[int, int], name: str
) -> None:
    monkeypatch.setattr(import_module("imbnas.stages.landscape"), "repeat", lambda *given: pytest.fail("it runs"))
    with pytest.raises(ValueError, match=f"^{name} is 1: expected a whole number from 2"):
        landscape(*asked, str(tmp_path))


def test_the_summary_of_two_runs() -> None:
    runs = repeat("random search", published("cifar10"), 2, Budget(paths=50))
    kept = summary(runs, every=10)
    assert kept["paths"] == [1, 10, 20, 30, 40, 50]
    assert kept["score"]["mean"] == pytest.approx(runs.scores[:, [0, 9, 19, 29, 39, 49]].mean(0))
    assert kept["children"]["random"] == [50.0]
