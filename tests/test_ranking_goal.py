"""The goal `ranking` of the grid: what the ranking's chapter runs, and which records a dry run asks for."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from imbnas import stages
from imbnas.evidence import probes
from imbnas.stages import chapter
from imbnas.stages.arms import study
from tools import grid

ROOT = Path(__file__).parents[1]
RUN = stages.Run(profile="smoke")


def plan(*options: str) -> dict[str, int]:
    """The jobs of a dry run by rule."""
    line = [sys.executable, "-m", "snakemake", *options, "--dry-run"]
    run = subprocess.run(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    pairs = [line.split() for line in run.stdout.splitlines() if not line.startswith(" ")]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def test_every_goal_is_a_rule_and_has_a_line_in_the_chapter_on_the_grid() -> None:
    cells = nbformat.read(ROOT / "book" / "15-grid.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    assert tuple(re.findall(r"^\| `(\w+)` \| .* \| \{doc\}", text, re.M)) == grid.GOALS
    rules = re.findall(r"^rule (\w+):", (ROOT / "Snakefile").read_text(), re.M)
    assert set(grid.GOALS) <= set(rules)
    assert f'"{" ".join(grid.GOALS)}"' in (ROOT / "Makefile").read_text()


@pytest.mark.slow
def test_paths_per_target_and_every_procedure_are_planned(tmp_path: Path) -> None:
    settings = ["--config", "profile=smoke", f"out={tmp_path}/results", "seeds=0", "paths=12"]
    # 12 paths and the first 6 again, on each target; P0's two scores once, the other seven on each target
    planned = plan("ranking", "validity", *settings, "targets=exp-0.01 balance")
    assert planned["path"] == 2 * 18 and planned["scores"] == 2 + 7 * 2 and planned["supernet"] == 1
    assert planned["validity_arm"] == 6
    planned = plan("premise", *settings, "space=cell1-c8-n1", "targets=exp-0.01 balance")
    assert planned["path"] == 2 * 18 and "supernet" not in planned and "scores" not in planned
    assert plan("premise", *settings, "again=10", "targets=balance")["path"] == 12 + 10
    assert plan("premise", *settings, "again=40", "targets=balance")["path"] == 12 + 12


@pytest.mark.slow
def test_the_gate_is_held_for_every_seed_and_target(tmp_path: Path) -> None:
    settings = ["--config", "profile=smoke", f"out={tmp_path}/results", "seeds=0 1"]
    assert plan("gate", *settings) == {"supernet": 2, "signal_gate": 2, "gate": 1, "total": 5}
    assert plan("gate", *settings, "targets=balance exp-0.01")["signal_gate"] == 4


@pytest.mark.slow
def test_what_belongs_to_no_profile_is_planned(tmp_path: Path) -> None:
    settings = ["--config", "profile=smoke", f"out={tmp_path}/results", "seeds=0 1"]
    brief = study()["brief"]
    assert plan("brief", "landscape", *settings) == {
        "brief_arm": 2 * len(brief),
        "brief": 1,
        "landscape": 1,
        "total": 2 * len(brief) + 2,
    }
    plain = len(("P1", "P2", "P3", "control")) + len(("P1 on the long tail", "the same with plain cross-entropy"))
    variants = len(study()["truth"]["variants"]) + len(("on-cifar10 on the long tail", "before-norm for the control"))
    sources = len(("hundred", "annealed", "wide"))
    planned = plan("truth", *settings)
    assert planned["truth_record"] == 2 * (plain + variants + sources) == 2 * (6 + 9 + 3)
    assert planned["validity_arm"] == 2 * (1 + sources)  # the arm `constant` is the backbone of all others


@pytest.mark.slow
def test_adaptation_against_truth_asks_for_the_committed_records_and_for_the_tables_rows(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "snakemake", "truth", "--dry-run", "--config", "profile=smoke", f"out={tmp_path}/r"]
    run = subprocess.run(line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    asked = set(re.findall(r"output: \S+/r/((?:truth|probes)/\S+)\.json", run.stdout))
    committed = {"/".join(Path(record["file"]).with_suffix("").parts[-2:]) for record in probes.read()}
    assert committed and {name for name in committed if name.endswith("-s0")} <= asked
    rows = {"-".join([*filter(None, key), "s0"]) for key in probes.PROBES}
    assert {name.partition("/")[2] for name in asked} <= rows


@pytest.mark.slow
def test_columns_are_chosen_and_your_own_data_have_one(tmp_path: Path) -> None:
    settings = ["--config", "profile=smoke", f"out={tmp_path}/results", "seeds=0"]
    assert plan("table", *settings, "targets=natural", "target_data=/my/mine")["retrain"] == 4
    planned = plan("table", "baselines", *settings, "targets=exp-0.02 step-0.1")
    assert planned["retrain"] == 8 and planned["search"] == 6 and planned["baseline"] == 4


@pytest.mark.slow
def test_an_unknown_target_is_named(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "snakemake", "ranking", "--dry-run", "--config", "profile=smoke", "targets=exp-1.5"]
    run = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0 and "imbalance factor 1.5 is outside (0, 1]" in run.stdout + run.stderr


class TestDispatch:
    @pytest.fixture
    def done(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        done: list[Any] = []
        monkeypatch.setattr(chapter, "retrain_path", lambda run, path: done.append(path) or {})
        monkeypatch.setattr(chapter, "score_paths", lambda run, procedure: done.append(procedure) or {})
        return done

    def test_a_path_is_retrained_and_a_procedure_scores(self, done: list[Any]) -> None:
        chapter.of_the_set(RUN, "", 0)  # 0 is a number of a path
        chapter.of_the_set(RUN, "P1-ce", None)
        assert done == [0, "P1-ce"]

    def test_an_architecture_is_retrained_with_either_loss(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[Any] = []
        monkeypatch.setattr(chapter, "retrain_named", lambda run, *given: done.append(given) or {})
        for procedure in ("named-ce", "named-drw"):
            chapter.of_the_set(RUN, procedure, "|none~0|…")
        assert done == [("|none~0|…", "named-ce"), ("|none~0|…", "named-drw")]
        for procedure in ("", "P1"):
            with pytest.raises(ValueError, match=r"path is the architecture .*expected .* named-ce or named-drw"):
                chapter.of_the_set(RUN, procedure, "|none~0|…")

    @pytest.mark.parametrize(("procedure", "path"), [("", None), ("P1", 3)])
    def test_one_of_the_two(self, done: list[Any], procedure: str, path: int | None) -> None:
        with pytest.raises(ValueError, match="expected one of the two"):
            chapter.of_the_set(RUN, procedure, path)

    def test_an_unknown_procedure_is_named_with_what_was_meant(self, done: list[Any]) -> None:
        with pytest.raises(ValueError, match=r'procedure is "P1-cee"; did you mean P1-ce\?'):
            chapter.of_the_set(RUN, "P1-cee", None)
