"""A chapter as a stage: what its parameters may be, what becomes of them, and what a headless run shows."""

import time
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from imbnas import stages
from imbnas.stages import chapter
from imbnas.stages.chapter import batch, on_frozen_backbone, refuse_misspelt, runs, stand_alone, study, unadapted
from imbnas.training import Unfinished

GIVEN = {"profile": "smoke", "target": "exp-0.01", "seed": 0, "max_seconds": None, "In": [], "_": 3}
RUN = runs(GIVEN)[0]


class TestParameters:
    def test_a_misspelt_one_is_named_with_what_was_meant(self) -> None:
        with pytest.raises(ValueError, match=r"unknown parameter targte; did you mean target\?"):
            runs(GIVEN | {"targte": "exp-0.1"})

    def test_an_unknown_one_is_named_with_what_is_known(self) -> None:
        with pytest.raises(ValueError, match=r"unknown parameter zzz \(this chapter knows profile, source"):
            runs(GIVEN | {"zzz": 1})

    def test_one_of_another_chapter_is_refused(self) -> None:
        with pytest.raises(ValueError, match="unknown parameter procedure"):
            batch(GIVEN | {"procedure": "P3"}, fake_stage([]), procedure="P1")

    def test_modules_and_functions_are_not_parameters(self) -> None:
        assert len(runs(GIVEN | {"stages": chapter, "plot": print})) == 1

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("seed", "0 1", "a whole number"),
            ("seed", True, "a whole number"),
            ("seed", -1, "a whole number from 0"),
            ("split_seed", 1.5, "a whole number"),
            ("max_seconds", "soon", "seconds, more than 0"),
            ("max_seconds", -1, "seconds, more than 0"),
            ("target", 0.01, "text, or a list of texts"),
            ("out", 7, "text"),
        ],
    )
    def test_a_value_of_the_wrong_kind(self, name: str, value: Any, expected: str) -> None:
        with pytest.raises(ValueError, match=f"{name} is .*; expected {expected}"):
            runs(GIVEN | {name: value})

    @pytest.mark.parametrize(("name", "value"), [("profile", "smok"), ("target", "expo-0.1"), ("space", "cell")])
    def test_a_value_that_does_not_exist(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=value):
            runs(GIVEN | {name: value})

    def test_a_list_of_targets_is_a_run_each(self) -> None:
        targets = ["balance", "exp-0.1"]
        assert [run.target for run in runs(GIVEN | {"target": targets})] == targets

    def test_lists_of_seeds_and_splits_are_a_run_each(self) -> None:
        found = runs(GIVEN | {"seed": [0, 2], "split_seed": [0, 1], "target": ["balance", "exp-0.1"]})
        seen = [(run.seed, run.split_seed, run.target) for run in found]
        assert sorted(seen) == [(s, d, t) for s in (0, 2) for d in (0, 1) for t in ("balance", "exp-0.1")]

    def test_an_empty_list_is_no_seed(self) -> None:
        with pytest.raises(ValueError, match=r"seed is \[\]; expected a whole number from 0, or a list of them"):
            runs(GIVEN | {"seed": []})


def fake_stage(seen: list[tuple[str, str]]):
    def stage(run, procedure="P0") -> dict[str, Any]:
        seen.append((run.target, procedure))
        return {"stage": "fake", "identity": "0"}

    return stage


class TestBatch:
    def test_every_target_with_every_value_of_an_option(self) -> None:
        seen: list[tuple[str, str]] = []
        procedure = ["P0", "P1"]
        given = GIVEN | {"target": ["balance", "exp-0.1"], "procedure": procedure}
        batch(given, fake_stage(seen), procedure=procedure)
        assert seen == [(t, p) for t in ("balance", "exp-0.1") for p in ("P0", "P1")]

    def test_an_option_without_a_value_is_refused(self) -> None:
        """`-y "procedure: []"` would run nothing, and look like success."""
        seen: list[tuple[str, str]] = []
        with pytest.raises(ValueError, match=r"procedure is \[\]; expected one value, or a list of at least one"):
            batch(GIVEN | {"procedure": seen}, fake_stage(seen), procedure=seen)
        for given in ({"arm": "a", "seed": []}, {"arm": [], "seed": 0}):
            with pytest.raises(ValueError, match=r"(arm|seed) is \[\]; expected"):
                study(given, fake_stage(seen), **given)
        assert seen == []

    def test_unfinished_ends_cleanly(self, capsys: pytest.CaptureFixture[str]) -> None:
        def stage(run) -> dict[str, Any]:
            raise Unfinished("stopped after 3 of 9 steps")

        batch(GIVEN, stage)
        assert capsys.readouterr().out == (
            "unfinished: stopped after 3 of 9 steps; run the same line again to continue\n"
        )

    def test_a_list_of_targets_shares_its_seconds(self) -> None:
        left = []

        def stage(run) -> dict[str, Any]:
            left.append(run.max_seconds)
            time.sleep(0.6)
            return {"stage": "fake", "identity": "0"}

        batch(GIVEN | {"target": ["balance", "exp-0.1", "exp-0.01"], "max_seconds": 1}, stage)
        assert left[0] > 0.6 and left[1] <= 0.4 and left[2] == 1e-3

    def test_a_study_with_a_list_shares_its_seconds_too(self) -> None:
        seen = []

        def stage(arm, target, max_seconds) -> dict[str, Any]:
            seen.append((arm, target, max_seconds))
            time.sleep(0.02)
            return {"stage": "fake", "identity": "0"}

        given = {"arm": "a", "target": ["balance", "exp-0.1"], "max_seconds": 60}
        study(given, stage, **given)
        (*first, most), (*second, rest) = seen
        assert (first, second) == (["a", "balance"], ["a", "exp-0.1"]) and rest <= most - 0.02 < 60

    def test_a_misspelt_profile_is_refused_where_nothing_would_run(self) -> None:
        with pytest.raises(ValueError, match="unknown parameter profle; did you mean profile"):
            batch(GIVEN | {"profile": "", "profle": "smoke"}, fake_stage([]))
        with pytest.raises(ValueError, match="unknown parameter amr"):
            study({"arm": "", "amr": "first-order"}, fake_stage([]), arm="")

    def test_without_a_profile_nothing_runs(self) -> None:
        seen: list[tuple[str, str]] = []
        batch(GIVEN | {"profile": ""}, fake_stage(seen))
        assert seen == []

    def test_a_place_for_records_that_can_not_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ValueError, match="file is a file: name a folder that can be made"):
            batch(GIVEN | {"out": str(tmp_path / "file" / "results")}, stages.supernet)

    def test_every_procedure_has_its_stage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        called = []
        for name in ("retrain", "baseline", "search", "gate"):
            monkeypatch.setattr(chapter, name, lambda run, *rest, name=name: called.append((name, *rest)) or {})
        monkeypatch.setattr(chapter, "largest", lambda run: called.append(("largest",)) or {})
        for procedure in ("P3", "control", "resnet32-ce", "largest"):
            stand_alone(RUN, procedure)
        for procedure in ("P0", "control"):
            unadapted(RUN, procedure)
        on_frozen_backbone(RUN, "P1-random")
        on_frozen_backbone(RUN, "gate")
        assert called == [
            ("retrain", "P3"),
            ("retrain", "control"),
            ("baseline", "resnet32-ce"),
            ("largest",),
            ("search", "P0"),
            ("search", "control"),
            ("search", "P1-random"),
            ("gate",),
        ]

    @pytest.mark.parametrize(("stage", "known"), [(stand_alone, "P0, P1, P2, P3"), (unadapted, "P0, control")])
    def test_an_unknown_procedure(self, stage, known: str) -> None:
        with pytest.raises(ValueError, match=f'procedure is "P9".*{known}'):
            stage(RUN, "P9")


@pytest.mark.parametrize("name", ["06-p0", "07-p1", "08-p2", "09-p3"])
def test_a_stage_does_without_what_its_page_plays_with(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two cells of a procedure's chapter, as papermill runs them."""
    notebook = nbformat.read(Path(__file__).parents[1] / "book" / f"{name}.ipynb", as_version=4)
    first, second = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    assert first.metadata.tags == ["parameters"]
    seen: list[tuple[str, str]] = []
    for stage in ("search", "unadapted", "on_frozen_backbone"):
        monkeypatch.setattr(stages, stage, fake_stage(seen))
    namespace: dict[str, Any] = {}
    exec(first.source, namespace)
    exec(second.source, namespace)
    assert seen == []
    namespace |= {"profile": "smoke", "target": ["balance", "exp-0.1"], "out": str(tmp_path)}
    exec(second.source, namespace)
    procedure = name[-2:].upper()
    assert seen == [("balance", procedure), ("exp-0.1", procedure)]


PARAMETERS = 'profile = ""\ntarget = "exp-0.01"\nmarked = ""'
STAGE = """
from pathlib import Path
from imbnas import stages

def stage(run, marked):
    return {"stage": "fake", "identity": run.target}

stages.batch(globals(), stage, marked=marked)
"""
READ_ON = 'Path(marked).write_text("the reading part ran")'


def headless(folder: Path, *after: str, **parameters: Any) -> list[nbformat.NotebookNode]:
    """The outputs of a chapter that papermill ran; an error of the chapter is left in them.

    after: the cells behind its parameters, by default of a chapter that can be a stage.
    """
    source, run = folder / "chapter.ipynb", folder / "run.ipynb"
    cells = [new_code_cell(cell) for cell in (PARAMETERS, *(after or (STAGE, READ_ON)))]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), source)
    try:
        papermill.execute_notebook(source, run, parameters, progress_bar=False)
    except papermill.PapermillExecutionError:
        pass
    notebook = nbformat.read(run, as_version=4)
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.filterwarnings("default")  # of the notebook client's event loop
class TestHeadless:
    def test_the_reading_part_is_skipped(self, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        outputs = headless(tmp_path, profile="smoke", target=["balance", "exp-0.1"], marked=str(mark))
        assert "".join(output.text for output in outputs) == "fake balance written\nfake exp-0.1 written\n"
        assert not mark.exists()

    def test_bad_input_shows_one_message(self, tmp_path: Path) -> None:
        (error,) = headless(tmp_path, profile="smoke", tarket="balance")
        assert error.ename == "ValueError" and "did you mean target?" in error.evalue
        assert error.traceback == [f"ValueError: {error.evalue}"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"profil": "smoke"}, "unknown parameter profil; did you mean profile?"),
        ({"target": 0.01}, "target is 0.01; expected text, or a list of texts"),
    ],
)
def test_what_papermill_injects_is_checked_where_no_stage_runs_too(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    outputs = headless(tmp_path, marked=str(tmp_path / "mark"), **given)
    assert said in str(outputs) and not (tmp_path / "mark").exists()


CHECK = "from imbnas import stages\nstages.refuse_misspelt(globals())"


@pytest.mark.filterwarnings("default")  # of the notebook client's event loop
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"marked": "here"}, ""),
        ({}, ""),
        (
            {"marked": "here", "tarket": "balance"},
            "unknown parameter tarket; did you mean target? (this chapter knows ",
        ),
    ],
)
def test_a_chapter_that_is_no_stage_refuses_what_it_has_not(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    outputs = headless(tmp_path, CHECK, 'print("read on")', **given)
    if said:
        assert outputs[0].ename == "ValueError" and outputs[0].evalue == said + "profile, target, marked)"
    else:
        assert [output.text for output in outputs] == ["read on\n"]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [""],
        ["", "a = 1"],
        ["", "a = 1", "b = 2"],
        ["", "not python", "more"],
        ["", "a: int = 1", "# Parameters\na = 2"],
    ],
)
def test_a_reader_may_assign_what_he_likes(cells: list[str]) -> None:
    refuse_misspelt({"In": cells})
    refuse_misspelt({})


def test_every_name_that_is_injected_must_be_a_parameter() -> None:
    cells = ["", "seed = 0\nsize, steps = 1, 2", "# Parameters\nseed = 1\nstep = 3\n", "refuse_misspelt(globals())"]
    with pytest.raises(
        ValueError, match=r"^unknown parameter step; did you mean steps\? \(.* knows seed, size, steps\)"
    ):
        refuse_misspelt({"In": cells})
