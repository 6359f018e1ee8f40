"""The one message of a failed stage, out of papermill's log."""

import subprocess
import sys
from pathlib import Path

WHY = Path(__file__).parents[1] / "tools" / "why.py"

LOG = """Executing Cell 4---------------------------------------
Traceback (most recent call last):
  File "cli.py", line 235, in papermill
papermill.exceptions.PapermillExecutionError:
---------------------------------------------------------------------------
Exception encountered at "In [3]":
ValueError: unknown parameter targte; did you mean target?
"""


def said(folder: Path, log: str) -> str:
    (folder / "search-P1.txt").write_text(log)
    return subprocess.run([sys.executable, WHY, folder / "search-P1.txt"], capture_output=True, text=True).stderr


def test_a_cell_that_failed(tmp_path: Path) -> None:
    first = said(tmp_path, LOG).splitlines()[0]
    assert first == "search-P1: ValueError: unknown parameter targte; did you mean target?"


def test_a_run_that_never_began(tmp_path: Path) -> None:
    assert said(tmp_path, "one\nNo such kernel named python9\n").startswith("search-P1: No such kernel named python9\n")


def test_no_log_at_all(tmp_path: Path) -> None:
    assert "the run left no log" in said(tmp_path, "")


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("it ended\n")
    command = [sys.executable, WHY, tmp_path / "a.txt", tmp_path / "b.txt"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    first, second, _ = run.stderr.splitlines()
    assert first.startswith("a: no log can be read (") and first.endswith("name the file that the run printed to")
    assert second == "b: it ended"


def test_no_name_of_a_log() -> None:
    run = subprocess.run([sys.executable, WHY], capture_output=True, text=True)
    assert run.returncode == 2 and "RUN.txt" in run.stderr
