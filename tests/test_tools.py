"""The tools behind make: chapters are run beside the committed ones, bad input gets one clear line."""

import argparse
import fcntl
import os
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from imbnas import names
from imbnas.data import parse_target
from tools import chapters, fits, grid, own_data, slim


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of its own, in a project of its own."""
    for name, folder in {"ROOT": "", "BOOK": "book", "EXECUTED": "_build/executed"}.items():
        monkeypatch.setattr(chapters, name, tmp_path / folder)
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    return tmp_path / "book"


def chapter(book: Path, *code: str) -> Path:
    """A chapter with these code cells, never executed."""
    path = book / "01-chapter.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in code]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": chapters.KERNELSPEC})
    nbformat.write(notebook, path)
    return path


def test_a_chapter_is_run_beside_the_committed_one(book: Path) -> None:
    path = chapter(book, "import os\nprint(os.path.basename(os.getcwd()))")
    before = path.read_bytes()
    copy = chapters.execute(path)
    ran = nbformat.read(copy, as_version=4)
    assert path.read_bytes() == before
    assert ran.cells[0].outputs[0].text == "book\n"
    assert "papermill" not in ran.metadata and "papermill" not in ran.cells[0].metadata
    first = copy.stat().st_mtime_ns
    assert chapters.execute(path).stat().st_mtime_ns == first  # nothing has changed, so nothing runs
    (chapters.ROOT / "results").mkdir()
    (chapters.ROOT / "results" / "record.json").write_text("{}")
    assert chapters.execute(path).stat().st_mtime_ns > first


def test_a_failing_chapter_is_named_with_its_cell(book: Path) -> None:
    path = chapter(book, "x = 1", "raise ValueError('no such target')")
    with pytest.raises(chapters.BookFailed, match=r"(?s)01-chapter.ipynb failed in.*raise.*ValueError: no such target"):
        chapters.execute_all([path])
    assert not list(chapters.EXECUTED.glob("*.sha256"))  # it is not taken for finished next time


def test_settings_of_the_grid_are_checked() -> None:
    assert grid.setting("seeds=0 1") == "seeds=0 1"
    assert grid.setting("profile=smoke") == "profile=smoke"
    for text, complaint in {
        "sedes=0": "is none of",
        "seeds=one": "not whole numbers",
        "seeds=²": "seeds '²' are not whole numbers with spaces between",
        "seeds= ": "not whole numbers",
        "paths=²": "paths '²' is not how many of the 48 paths",
        "paths=0": "is not how many",
        "profile=tiny": "there is no profile 'tiny'",
        "split_seed=first": "is not a whole number",
        "targets=exp-0.1 exp-1.5": "1.5",
        "profile=": "is none of",
    }.items():
        with pytest.raises(argparse.ArgumentTypeError, match=complaint):
            grid.setting(text)


@pytest.mark.parametrize("name", [*names.TARGETS, "natural", "step-1", "exp-0.1234567", "exp-1e-05", "exp-1.25e-05"])
def test_a_target_that_the_library_knows_is_one_for_the_grid_and_the_snakefile(name: str) -> None:
    parse_target(name)
    assert grid.setting(f"targets={name}") == f"targets={name}"
    found = re.fullmatch(rf"retrain-P1-(?P<target>{names.ANY_TARGET})-s0", f"retrain-P1-{name}-s0")
    assert found and found["target"] == name


@pytest.mark.parametrize(
    "name", ["exp-0.010", "exp-1e-5", "exp-0.00001", "step-1.0", "exp-0.0", "exp-1.5", "pareto-0.1"]
)
def test_a_target_that_the_library_refuses_is_refused_by_the_grid_in_its_words(name: str) -> None:
    with pytest.raises(ValueError) as said:
        parse_target(name)
    with pytest.raises(argparse.ArgumentTypeError, match=f"targets: {re.escape(str(said.value))}"):
        grid.setting(f"targets={name}")


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the grid in which nothing has run yet, with one old record."""
    record = tmp_path / "results" / "smoke" / "glyphs10-mine" / "cell3-c8-n1" / "supernet-s0.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")
    os.utime(record, (1, 1))
    monkeypatch.setattr(grid, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["grid.py", "profile=smoke"])
    return record


def test_a_damaged_record_beside_data_of_ones_own_is_told_in_a_line(fresh: Path) -> None:
    with pytest.raises(SystemExit, match="supernet-s0.json is damaged .*: delete it and run its stage again$"):
        own_data.refuse_records_of_others({"target_data": "a/mine"})


def test_images_of_ones_own_are_looked_into_before_anything_is_trained(tmp_path: Path) -> None:
    for part, sizes in (("train", (9, 3)), ("test", (2, 2))):
        for name, size in zip(("cat", "dog"), sizes, strict=True):
            (folder := tmp_path / "mine" / part / name).mkdir(parents=True)
            for number in range(size):
                Image.fromarray(np.full((8, 8, 3), 20 * number + size, np.uint8)).save(folder / f"{number}.png")
    mine = str(tmp_path / "mine")
    own_data.refuse_faulty_images({"source": "cifar10", "target_data": mine, "targets": "natural exp-0.5"})
    with pytest.raises(SystemExit, match="too few|exp"):
        own_data.refuse_faulty_images({"target_data": mine, "targets": "natural exp-0.01"})
    (tmp_path / "mine" / "test" / "dog" / "1.png").write_text("no image")
    for key in ("source", "target_data"):
        with pytest.raises(SystemExit, match="1.png cannot be read as an image .* Nothing was run."):
            own_data.refuse_faulty_images({key: mine})


def test_a_plan_takes_old_records_as_a_run_does(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[list[str]] = []
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(subprocess, "run", lambda line, **_: (lines.append(line), done)[1])
    monkeypatch.setattr(os, "execv", lambda _, line: lines.append(line))
    for options in (["--dry-run"], []):
        os.utime(fresh, (1, 1))
        monkeypatch.setattr("sys.argv", ["grid.py", "profile=smoke", *options])
        grid.main()
        assert fresh.stat().st_mtime > 1
    plan, run = lines
    assert plan == [*run, "--dry-run"]


def test_what_the_grid_did_not_make_keeps_its_age(fresh: Path) -> None:
    results = Path("results")
    (results / "notes.txt").write_text("mine")
    (results / "nothing.json").symlink_to("nowhere.json")
    os.utime(results / "notes.txt", (1, 1))
    grid.take_records_as_they_are(results)
    assert (results / "notes.txt").stat().st_mtime == 1 and fresh.stat().st_mtime > 1


def test_beside_another_grid_records_keep_their_age(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = Path(".snakemake/grid.lock")
    lock.parent.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert grid.main() == 1
    assert "Another grid is running" in capsys.readouterr().err and fresh.stat().st_mtime == 1


def test_make_takes_a_python_whose_path_has_a_space(tmp_path: Path) -> None:
    python = Path(sys.executable)
    (tmp_path / "my env").symlink_to(python.parents[1])
    python = tmp_path / "my env" / python.parent.name / python.name
    for goal in ("which-python", "bench"):
        command = ["make", "--dry-run", f"PYTHON={python}", goal]
        run = subprocess.run(command, cwd=grid.ROOT, capture_output=True, text=True)
        assert run.returncode == 0 and str(python) in shlex.split(run.stdout), run.stdout + run.stderr


def test_a_lock_that_cannot_be_lifted_says_why(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = Path(".snakemake/locks/0.input.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    failed = subprocess.CompletedProcess([], 3, stdout="", stderr="Permission denied\n")
    monkeypatch.setattr(subprocess, "run", lambda line, **_: failed)
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it went on"))
    assert grid.main() == 3
    assert capsys.readouterr().err == "Permission denied\nThe lock of the last grid was not lifted.\n"


def test_the_plan_of_the_grid_needs_no_torch() -> None:
    code = "import sys; from imbnas import lines, names, places, revision; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_environment_fits_or_does_not() -> None:
    assert fits.satisfied("pytest>=1")
    assert not fits.satisfied("pytest>=999")
    assert not fits.satisfied("a-package-that-nobody-has>=1")


@pytest.mark.parametrize(("bound", "fit"), [("1", True), ("999", False)])
def test_requirements_may_have_comments(bound: str, fit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text(f"# tests\n\npytest >= {bound}  # runs them\n  # no more\n")
    monkeypatch.setattr(fits, "REQUIREMENTS", tmp_path / "requirements.txt")
    assert fits.fits() is fit


def test_a_plot_gets_a_palette_and_a_photograph_keeps_its_colours(tmp_path: Path) -> None:
    plot = np.full((200, 300, 3), 255, np.uint8)
    plot[50:150, 50:250] = (42, 111, 151)
    photograph = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    for name, pixels in {"plot": plot, "photograph": photograph}.items():
        path = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(path)
        slim.with_palette(path)
        with Image.open(path) as saved:
            assert saved.mode == ("P" if name == "plot" else "RGB")
            assert (np.asarray(saved.convert("RGB")) == pixels).all()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("grid.py", "profile=smoke", "seeds=a"), 2, "seeds 'a' are not whole numbers"),
        (("record_merge.py", "nowhere"), 1, "nowhere has no slice.json"),
        (("record_pack.py", "--profile", "smoke"), 2, "arguments are required"),
        (("prose.py", "--chek"), 2, "unrecognized arguments: --chek"),
    ],
)
def test_a_tool_is_called_as_its_docstring_says(words: tuple[str, ...], status: int, said: str, tmp_path: Path) -> None:
    """Outside `make`, which puts the library on Python's path, and from anywhere."""
    name, *options = words
    command = [sys.executable, Path(grid.__file__).parent / name, *options]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert run.returncode == status and said in run.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("w -- TARGETDATA=/mine SEEDS=0\\ 1", "the Makefile knows no variable TARGETDATA: did you mean TARGET_DATA?"),
        (" -- seeds=0", "the Makefile knows no variable seeds: did you mean SEEDS?"),
        (" -- PROFILE=laptop SEEDS=0\\ 1 AT_ONCE=2", ""),
        ("", ""),
    ],
)
def test_a_variable_that_the_makefile_does_not_know_is_refused(flags: str, words: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(words)) if words else nullcontext():
        grid.refuse_unknown_variables(flags)
