"""The smoke grid as a whole: 30 records and a table, the same after a kill, and only what changed runs again.

And the record run, rehearsed with the commands that a GPU machine is given: its records are the grid's.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
import record_plan
from packing.grid import TARGETS
from PIL import Image

from imbnas import records as library

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
GRID = [sys.executable, "tools/grid.py", "profile=smoke", "seeds=0"]


def project(folder: Path) -> Path:
    """A copy of what the grid needs, with records and locks of its own."""
    for name in ("imbnas", "profiles", "tools", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns(".*"))
    for name in ("Snakefile", "Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """Without the outer test's settings: jobs find the copy's library."""
    return {**os.environ, "PYTHONPATH": str(folder), "IMBNAS_DATA": str(folder / "data")}


def grid(folder: Path, *options: str) -> str:
    """Run the grid to its end; what it said."""
    command = [*GRID, *options]
    run = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records by name, without what the machine decided."""
    found = {path.name: json.loads(path.read_text()) for path in (folder / "results").rglob("*.json")}
    return {name: {key: value for key, value in record.items() if key != "cost"} for name, record in found.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project(tmp_path_factory.mktemp("undisturbed"))
    grid(folder)
    return folder


def test_leaves_thirty_records_and_a_table(undisturbed: Path) -> None:
    assert len(records(undisturbed)) == 30
    (table,) = (undisturbed / "results").rglob("table-2.csv")
    assert len(table.read_text().splitlines()) == 1 + 16
    assert "Nothing to be done" in grid(undisturbed)


def test_a_record_run_plans_what_the_grid_knows(tmp_path: Path) -> None:
    folder = project(tmp_path / "plan")
    expected = would_leave(folder, ["table", "baselines", "controls", "gate"])
    expected |= would_leave(folder, ["ranking"], "paths=48", f"targets={' '.join(TARGETS)}")
    planned = {step["leaves"] for step in record_plan.by_value("smoke", [0]) if step["leaves"].endswith(".json")}
    planned = {file for file in planned if "/named-" not in file and "/speed/" not in file}  # of no goal
    others = {file for file in planned if "-split" in file}
    assert len(expected) >= 30 and planned - others == expected
    known = [would_leave(folder, ["baselines"], f"split_seed={split}") for split in (1, 2)]
    assert len(others) == 4 and others < set.union(*known)


def would_leave(folder: Path, goals: list[str], *settings: str) -> set[str]:
    """The records that the grid of the copy would make for these goals."""
    options = ["--config", "profile=smoke", "seeds=0", *settings, "--dry-run", "--cores", "1"]
    command = [sys.executable, "-m", "snakemake", *goals, *options]
    run = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    outputs = [line for line in (run.stdout + run.stderr).splitlines() if line.strip().startswith("output:")]
    return set(re.findall(r"results/\S+\.json", "\n".join(outputs)))


def make(folder: Path, *words: str) -> str:
    """Run make in the copy of the project; what it said."""
    command = ["make", f"PYTHON={sys.executable}", f"IMBNAS_DATA={folder / 'data'}", *words]
    run = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def a_wheel(folder: Path) -> None:
    """A package that the machine lacks, so that the folder of wheels is filled and nothing is fetched."""
    folder.mkdir(parents=True)
    about = "Metadata-Version: 2.1\nName: carried-along\nVersion: 1.0\n"
    with zipfile.ZipFile(folder / "carried_along-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried_along.py", "here = True\n")
        wheel.writestr("carried_along-1.0.dist-info/METADATA", about)
        wheel.writestr(
            "carried_along-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("carried_along-1.0.dist-info/RECORD", "")


def slice_of(project: Path, machine: Path, *options: str, stage_seconds: str = "{seconds}") -> str:
    """Pack, run a slice on a machine that has nothing but the pack, and take back what it left."""
    pack, out = machine / "pack", machine / "out"
    a_wheel(pack / "wheels")
    make(project, "record-pack", "PROFILE=smoke", "SEEDS=0", "OTHER_SPACE=", f"DIR={pack}")
    plan = pack / "plan.json"
    plan.write_text(plan.read_text().replace("{seconds}", stage_seconds))
    on_machine(machine)
    assert (machine / "work" / "site" / "carried_along.py").exists()
    said = on_machine(machine, str(out), *options)
    make(project, "record-merge", f"DIR={out}")
    return said


def on_machine(machine: Path, *words: str) -> str:
    """Run what was packed, in an environment that knows nothing of this project; what it said."""
    bare = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "IMBNAS_DATA")}
    command = [sys.executable, "pack/run.py", *words, "--work", "work"]
    run = subprocess.run(command, cwd=machine, env=bare, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_a_record_run_in_slices_on_fresh_machines_leaves_the_records_of_the_grid(
    undisturbed: Path, tmp_path: Path
) -> None:
    """In the first slice a stage is given one second, which is too little; the second continues from what came back.

    The second has a process for every stage, two at once; the third one for all of its stages, as on a GPU.
    """
    folder = project(tmp_path / "project")
    said = slice_of(folder, tmp_path / "first", "--only", "supernet", stage_seconds="1")
    assert "unfinished smoke cell3-c8-n1 supernet-s0" in " ".join(said.split()) and not records(folder)
    assert list((folder / "runs").rglob("supernet-s0-*.safetensors"))
    only = [Path(name).stem for name in records(undisturbed)]
    searched = [name for name in only if not name.startswith("retrain")]
    slice_of(folder, tmp_path / "second", "--at-once", "2", "--seconds", "1500", "--only", *searched)
    assert len(only) == 30 and len(records(folder)) == len(searched) == 14
    slice_of(folder, tmp_path / "third", "--streams", "6", "--seconds", "1500", "--only", *only)
    assert records(folder) == records(undisturbed)
    assert planned(folder) == {"table_2": 1, "table": 1, "total": 2}  # that is not a record


def test_a_killed_grid_goes_on_to_the_same_records(undisturbed: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "killed")
    running = subprocess.Popen(
        GRID,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 900
    while len(records(folder)) < 4:
        assert running.poll() is None and time.monotonic() < deadline, (
            "the grid ended or hung before it could be killed"
        )
        time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    steps = re.search(r"of (\d+) steps", grid(folder))
    assert steps and int(steps[1]) < 32  # what was finished before the kill is not run again
    assert records(folder) == records(undisturbed)


def test_a_change_runs_again_what_depends_on_it(undisturbed: Path) -> None:
    profile = undisturbed / "profiles" / "smoke.yaml"
    lines = profile.read_text().splitlines()
    changed = [
        line.replace("milestones: [45]", "milestones: [44]") if line.startswith("p1:") else line for line in lines
    ]
    assert changed != lines
    profile.write_text("\n".join(changed))
    plan = planned(undisturbed)
    profile.write_text("\n".join(lines))
    assert plan == {"search": 4, "retrain": 4, "table_2": 1, "table": 1, "total": 10}


def planned(folder: Path, *options: str) -> dict[str, int]:
    """How many jobs of each rule the grid would run."""
    words = (line.split() for line in grid(folder, *options, "--dry-run").splitlines())
    return {line[0]: int(line[1]) for line in words if len(line) == 2 and line[1].isdigit()}


def test_a_record_that_was_deleted_is_made_again(undisturbed: Path) -> None:
    (record,) = (undisturbed / "results").rglob("retrain-P2-exp-0.01-s0.json")
    kept = record.rename(undisturbed / "kept.json")
    plan = planned(undisturbed)
    kept.rename(record)
    assert plan == {"retrain": 1, "table_2": 1, "table": 1, "total": 3} and planned(undisturbed) == {}


def test_code_runs_stages_again_and_comments_do_not(undisturbed: Path) -> None:
    file = undisturbed / "imbnas" / "stages" / "retrain.py"
    source = file.read_text()
    (file.parent / "__pycache__").mkdir(exist_ok=True)
    file.write_text(source + "\n# a word\n")
    assert planned(undisturbed) == {}
    file.write_text(source + "\nMORE = 1\n")
    plan = planned(undisturbed)
    file.write_text(source)
    assert plan == {"retrain": 16, "table_2": 1, "table": 1, "total": 18}


def test_records_of_a_fresh_clone_are_taken_as_they_are(undisturbed: Path, tmp_path: Path) -> None:
    """Copied file by file, oldest last, and planned after another goal was."""
    folder = project(tmp_path / "clone")
    found = sorted((undisturbed / "results").rglob("*"), key=lambda file: -file.stat().st_mtime)
    for age, file in enumerate(file for file in found if file.is_file()):
        copy = folder / file.relative_to(undisturbed)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        os.utime(copy, (age, age))
    assert planned(folder, "--goals", "baselines")["baseline"] == 8
    assert planned(folder) == {}


def test_records_of_another_folder_of_the_same_name_are_not_taken_for_its_own(tmp_path: Path) -> None:
    folder = project(tmp_path / "clone")
    for place in ("a", "b"):
        for part in ("train", "test"):
            for name in ("cat", "dog"):
                (images := folder / place / "mine" / part / name).mkdir(parents=True)
                for number in range(2):
                    Image.new("L", (8, 8), number).save(images / f"{number}.png")
    about = {"data": "a/mine", "procedure": "P1", "target": "natural", "seed": 0}
    library.write(folder / "results/smoke/glyphs10-mine/cell3-c8-n1/search-P1-natural-s0.json", "search", about, {}, {})
    command = [*GRID, "targets=natural", "target_data=b/mine", "--dry-run"]
    refused = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "search-P1-natural-s0.json is of a/mine, and b/mine is asked for" in refused.stderr
    assert planned(folder, "targets=natural", "target_data=a/mine")["supernet"] == 1


@pytest.mark.parametrize(("code", "left"), [("file.write_text('{}')", True), ("raise OSError('full')", False)])
def test_a_project_and_an_environment_with_spaces_in_their_paths(code: str, left: bool, tmp_path: Path) -> None:
    """By a chapter that computes nothing; where it fails, its one message is found, too."""
    folder, python = project(tmp_path / "my copy"), Path(sys.executable)
    (tmp_path / "my env").symlink_to(python.parents[1])
    python = tmp_path / "my env" / python.parent.name / python.name
    chapter = folder / "book" / "05-search.ipynb"
    notebook = nbformat.read(chapter, as_version=4)
    (given,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    file = "from pathlib import Path\nfile = Path(out) / 'search' / 'true-landscape.json'\n"
    notebook.cells = [given, nbformat.v4.new_code_cell(f"{file}file.parent.mkdir(parents=True, exist_ok=True)\n{code}")]
    nbformat.write(notebook, chapter)
    command = ["make", f"PYTHON={python}", "grid", "GOALS=landscape", "OUT=my results", "AT_ONCE=1"]
    run = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    said = run.stdout + run.stderr
    assert ((folder / "my results/search/true-landscape.json").exists(), run.returncode == 0) == (left, left), said
    assert left or "landscape: " in said and "OSError: full" in said


def test_every_spelling_of_a_target_that_the_library_knows_is_planned(tmp_path: Path) -> None:
    folder = project(tmp_path / "targets")
    plan = planned(folder, "targets=exp-0.1234567 exp-1e-05 step-1")
    assert plan["retrain"] == 3 * 4 and plan["search"] == 3 * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["space=cell2-c8-n1"], "expected stages=1"),
        (["source=cifar1"], "no data set 'cifar1'"),
        (["target_data=/nowhere/mine.npz"], "no data set"),
        (["again=49"], "how many paths get a second seed"),
        (["targets=exp-1e-2"], "write exp-0.01 for exp-1e-2"),
        (["--at-once", "0"], "a whole number from 1"),
        (["--goals", "tabel"], "expected table, baselines"),
    ],
)
def test_what_can_never_run_is_refused_before_it_is_planned(words: list[str], said: str) -> None:
    run = subprocess.run([*GRID, *words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2 and said in run.stderr
