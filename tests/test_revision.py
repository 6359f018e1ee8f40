"""The name of the code: it follows what the code does, and neither its comments nor its layout."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from imbnas import revision

CODE = '''"""A module."""
RATE = 0.1  # per step


def step(x):
    """One step."""
    return x - RATE * x
'''


def test_comments_docstrings_and_layout_do_not_count() -> None:
    bare = "RATE = 0.1\ndef step(x):\n    return (x\n      - RATE * x)\n"
    assert revision.meaning(CODE) == revision.meaning(bare)
    assert revision.meaning(CODE) != revision.meaning(CODE.replace("0.1", "0.2"))
    assert revision.meaning(CODE) != revision.meaning(CODE.replace("x - RATE", "x + RATE"))


def test_the_name_is_the_same_in_every_version_of_python() -> None:
    """Python 3.12 prints f-strings otherwise, and its tree has type parameters: a name must hang on neither."""
    assert revision.meaning("def f(x): return f'{x:>{3}}'") == (
        "Module(body=[FunctionDef(name='f',args=arguments(args=[arg(arg='x')]),body=[Return(value=JoinedStr(values=["
        "FormattedValue(value=Name(id='x',ctx=Load()),conversion=-1,format_spec=JoinedStr(values=[Constant(value='>'),"
        "FormattedValue(value=Constant(value=3),conversion=-1)]))]))])])"
    )


def test_the_name_does_not_hang_on_the_locale() -> None:
    """The sources hold τ and α, which ASCII can't read."""
    told = [
        subprocess.run(
            [sys.executable, "-c", "from imbnas.revision import revision; print(revision())"],
            env=os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": utf8},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for utf8 in ("0", "1")
    ]
    assert told[0] == told[1]


def imported(file: Path) -> set[Path]:
    """The library's files that a file of it imports, by name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imbnas"):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                place = revision.LIBRARY.parent.joinpath(*name.split("."))
                found |= {f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()}
    return found


def test_what_a_stage_imports_counts_unless_it_only_names_or_writes() -> None:
    """Followed from the stages on; a module that is left out must be one that moves no number."""
    reached, left = set(), {revision.LIBRARY / "stages" / "__init__.py"}
    while left:
        reached |= left
        left = set().union(*map(imported, left)) - reached
    counted = {file for part in revision.COMPUTING for file in revision.modules(revision.LIBRARY / part)}
    names = {str(file.relative_to(revision.LIBRARY)) for file in reached - counted}
    assert len(reached) > 50 and names <= {
        "files.py",
        "lines.py",
        "names.py",
        "places.py",
        "records.py",
        "revision.py",
        "__init__.py",
    }


def test_a_statistic_that_only_tables_use_renames_no_stage() -> None:
    """Of the statistics, what the stages themselves import counts in the name of each; not intervals, nor Holm."""
    statistics = revision.LIBRARY / "statistics"
    used = set().union(*map(imported, (revision.LIBRARY / "stages").glob("*.py")))
    counted = {file for part in revision.TRAINING for file in revision.modules(revision.LIBRARY / part)}
    of_statistics = {file.name for file in counted if file.parent == statistics}
    assert {file.name for file in used if file.parent == statistics} - {"__init__.py"} == of_statistics == {"scores.py"}


def test_everything_that_decides_a_result_counts(tmp_path: Path, monkeypatch) -> None:
    seen = {file.name for part in revision.COMPUTING for file in revision.modules(revision.LIBRARY / part)}
    assert {"operations.py", "loop.py", "splits.py", "losses.py", "adaptation.py", "cures.py", "retrain.py"} <= seen
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "cell.py").write_text(CODE)
    (tmp_path / "losses.py").write_text(CODE)
    monkeypatch.setattr(revision, "LIBRARY", tmp_path)
    names = revision.revision.__wrapped__
    before, only = names("models", "losses.py"), names("losses.py")
    (tmp_path / "models" / "cell.py").write_text(CODE.replace("0.1", "0.3"))
    assert names("models", "losses.py") != before and names("losses.py") == only
