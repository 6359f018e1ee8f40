"""Which code computes a result: a name that changes when the code does, and not with its comments or its layout."""

import ast
import hashlib
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parent
TRAINING = ("data", "space", "models", "training", "losses.py", "adaptation.py", "evaluation", "evolution.py")
# what is said of scores, what a profile leaves unsaid, which targets there are
TRAINING += ("statistics/scores.py", "profiles.py", "typed.py", "names.py")
COMPUTING = (*TRAINING, "darts", "stages", "benchmark.py", "statistics")  # all statistics: the benchmark's rankings


@cache
def revision(*parts: str) -> str:
    """Six hexadecimal digits of the modules and packages named, by default of all that decide a result."""
    digest = hashlib.sha256()
    for file in sorted({file for part in parts or COMPUTING for file in modules(LIBRARY / part)}):
        digest.update(meaning(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:6]


def modules(part: Path) -> list[Path]:
    """The files of a package, or of a module."""
    return list(part.rglob("*.py")) if part.is_dir() else [part]


def meaning(source: str) -> str:
    """The code without what moves no number: comments, docstrings, layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return as_text(tree)


def as_text(node: ast.AST | list | object) -> str:
    """A syntax tree as text that is the same in every version of Python: what is empty or absent is left out."""
    if isinstance(node, ast.AST):
        fields = (
            f"{name}={as_text(value)}" for name, value in ast.iter_fields(node) if value is not None and value != []
        )
        return f"{type(node).__name__}({','.join(fields)})"
    return f"[{','.join(map(as_text, node))}]" if isinstance(node, list) else repr(node)
