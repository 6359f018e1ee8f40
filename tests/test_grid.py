"""The smoke grid as a whole: 30 records and a table, the same after a kill, and only what changed runs again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
GRID = [sys.executable, "tools/grid.py", "profile=smoke", "seeds=0"]


def project(folder: Path) -> Path:
    """A copy of what the grid needs, with records and locks of its own."""
    for name in ("imbnas", "profiles", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(ROOT / "Snakefile", folder)
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
    assert steps and int(steps[1]) < 31  # what was finished before the kill is not run again
    assert records(folder) == records(undisturbed)


def test_a_change_runs_again_what_depends_on_it(undisturbed: Path) -> None:
    profile = undisturbed / "profiles" / "smoke.yaml"
    lines = profile.read_text().splitlines()
    changed = [
        line.replace("milestones: [45]", "milestones: [44]") if line.startswith("p1:") else line for line in lines
    ]
    assert changed != lines
    profile.write_text("\n".join(changed))
    plan = grid(undisturbed, "--dry-run")
    profile.write_text("\n".join(lines))
    counts = dict(
        line.split()[:2] for line in plan.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit()
    )
    assert counts == {"search": "4", "retrain": "4", "table": "1", "total": "9"}
