"""Execute the chapters: copies of them for the book, or the committed notebooks themselves.

python tools/chapters.py book             run copies, build _build/html from those; book/ is left alone
python tools/chapters.py rewrite [NAME…]  run book/NAME*.ipynb anew and write the outputs back
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import api
import nbformat
import yaml
from slim import slim

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"  # run copies, reused until their chapter or what it reads changes
SOURCE = BUILD / "source"  # what Jupyter Book sees: the book with the run copies in place
READ_BY_CHAPTERS = ("imbnas", "profiles", "results")
AT_ONCE = 2
JUPYTER_BOOK = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
COLOUR = re.compile(r"\x1b\[[\d;]*m")
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class BookFailed(Exception):
    """A chapter that ended in an error, or pages that do not fit together; the message says where."""


def fingerprint(chapter: Path) -> str:
    """SHA-256 over the chapter and over every file that its code may read."""
    files = (path for folder in READ_BY_CHAPTERS for path in sorted((ROOT / folder).rglob("*")))
    digest = hashlib.sha256(chapter.read_bytes())
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what differs from run to run: durations, time stamps, paths, versions."""
    notebook.metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    return notebook


def failure(chapter: Path, run: Path, messages: str) -> BookFailed:
    """What went wrong in a run that ended early, in the words of the cell that failed."""
    for cell in nbformat.read(run, as_version=4).cells if run.exists() else []:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                code = "\n".join(f"    {line}" for line in cell.source.splitlines())
                error = f"{output.ename}: {output.evalue}"
                return BookFailed(f"{chapter.name} failed in\n{code}\n{error}\nThe run up to there: {run}")
    return BookFailed(f"{chapter.name} failed:\n{messages.strip()}")


def execute(chapter: Path) -> Path:
    """Run the chapter top to bottom in a fresh kernel; the tidy copy, which an earlier run may have left."""
    copy, key = EXECUTED / chapter.name, EXECUTED / f"{chapter.stem}.sha256"
    expected = fingerprint(chapter)
    if copy.exists() and key.exists() and key.read_text() == expected:
        return copy
    key.unlink(missing_ok=True)
    copy.unlink(missing_ok=True)
    start = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        "--cwd",
        str(BOOK),
        str(chapter),
        str(copy),
    ]
    environment = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", **os.environ}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise failure(chapter, copy, run.stderr)
    nbformat.write(tidy(nbformat.read(copy, as_version=4)), copy)
    key.write_text(expected)
    print(f"  {chapter.stem:32} {time.perf_counter() - start:5.1f} s", flush=True)
    return copy


def execute_all(chapters: list[Path]) -> list[Path]:
    """Run the chapters, two at a time; every failure is reported before the first is raised."""
    EXECUTED.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(execute, chapter) for chapter in chapters]
    failures = [str(run.exception()) for run in runs if run.exception()]
    if failures:
        raise BookFailed("\n\n".join(failures))
    return [run.result() for run in runs]


def for_readers(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without marks for the tests; what hides a whole cell is called a solution."""
    for cell in notebook.cells:
        cell.source = cell.source.removeprefix("# NBVAL_CHECK_OUTPUT\n")
        if "hide-cell" in cell.metadata.get("tags", []):
            words = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
            cell.metadata["mystnb"] = {**words, **cell.metadata.get("mystnb", {})}
    return notebook


def stage(copies: list[Path]) -> None:
    """Lay out what Jupyter Book builds from; time stamps are kept, so that it rebuilds only what changed."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(BOOK, SOURCE / "book", ignore=shutil.ignore_patterns("*.ipynb", ".*"))
    shutil.copytree(ROOT / "_static", SOURCE / "_static")
    reference = SOURCE / "book" / "api.md"
    reference.write_text(reference.read_text().replace(api.MARK, api.page()))
    shutil.copy2(ROOT / "_toc.yml", SOURCE)
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    if not config["repository"]["url"]:
        config["launch_buttons"] = {}  # with buttons and no address, the theme fails
    (SOURCE / "_config.yml").write_text(yaml.safe_dump(config))
    for copy in copies:
        page = SOURCE / "book" / copy.name
        nbformat.write(for_readers(nbformat.read(copy, as_version=4)), page)
        shutil.copystat(copy, page)


def build() -> None:
    """Build the book with warnings as errors."""
    shutil.rmtree(BUILD / "html", ignore_errors=True)
    options = ["--path-output", str(ROOT), "-W", "-n", "--keep-going", "-q"]
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(SOURCE), *options]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        said = COLOUR.sub("", run.stdout).replace(str(SOURCE) + os.sep, "")
        faults = [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
        raise BookFailed("\n".join(faults) or said)
    slim(BUILD / "html")
    print(f"The book: {(BUILD / 'html' / 'index.html').relative_to(ROOT)}")


def rewrite(chapters: list[Path]) -> None:
    """Run the chapters anew, whatever earlier runs left, and put the runs in their place."""
    for chapter in chapters:
        (EXECUTED / f"{chapter.stem}.sha256").unlink(missing_ok=True)
    for copy in execute_all(chapters):
        os.replace(copy, BOOK / copy.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["book", "rewrite"])
    parser.add_argument("names", nargs="*", help="beginnings of chapter names, for rewrite; all when none is given")
    arguments = parser.parse_args()
    chapters = sorted(path for path in BOOK.glob("*.ipynb") if path.name.startswith(tuple(arguments.names) or ""))
    if not chapters:
        print(f"no chapter of book/ begins with {' or '.join(arguments.names)}", file=sys.stderr)
        return 1
    try:
        if arguments.task == "rewrite":
            rewrite(chapters)
        else:
            stage(execute_all(chapters))
            build()
    except BookFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
