"""From a chapter's parameters to its stage: what papermill injected is checked, run, and the batch run ended."""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from imbnas.stages.common import Run
from imbnas.training import Unfinished

PARAMETERS = tuple(f.name for f in fields(Run))
PLAIN = (str, int, float, bool, list, tuple, dict, type(None))


def runs(namespace: Mapping[str, Any], extra: tuple[str, ...] = ()) -> list[Run]:
    """One `Run` per target of a chapter's parameters; a misspelt or unknown one is refused.

    namespace: the chapter's `globals()` right after its parameters. extra: parameters of this chapter alone.
    """
    known = (*PARAMETERS, *extra)
    for name, value in namespace.items():
        if not name.startswith("_") and isinstance(value, PLAIN) and name not in (*known, "In", "Out"):
            close = difflib.get_close_matches(name, known, 1)
            guess = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"unknown parameter {name}{guess} (this chapter knows {', '.join(known)})")
    given = {name: namespace[name] for name in PARAMETERS if name in namespace}
    targets = given.pop("target", "exp-0.01")
    return [Run(**given, target=t) for t in (targets if isinstance(targets, list | tuple) else [targets])]


def batch(namespace: Mapping[str, Any], stage: Callable[..., dict[str, Any]], **options: Any) -> None:
    """Run `stage` for every target given, then skip the rest of the chapter: it is for a reader.

    An option that is a list runs the stage for each of its values. `Unfinished` ends the run without a record and
    says so; the same line continues it.
    """
    quiet_errors()
    lists = {name: value if isinstance(value, list | tuple) else [value] for name, value in options.items()}
    for run in runs(namespace, tuple(options)):
        for choice in combinations(lists):
            try:
                record = stage(run, **choice)
                print(f"{record['stage']} {record['identity']} written")
            except Unfinished as pause:
                print(f"unfinished: {pause}; run the same line again to continue")
    end_here()


def combinations(lists: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Every choice of one value per name."""
    found: list[dict[str, Any]] = [{}]
    for name, values in lists.items():
        found = [{**chosen, name: value} for chosen in found for value in values]
    return found


def end_here() -> None:
    """Make every following cell of the notebook under way empty."""
    shell = interactive_shell()
    if shell is not None:
        shell.input_transformers_cleanup.append(lambda lines: [])


def quiet_errors() -> None:
    """Show bad input as its one message, not as a traceback."""
    shell = interactive_shell()
    if shell is not None and not os.environ.get("IMBNAS_TRACEBACK"):
        shell.set_custom_exc((ValueError, ArithmeticError), show_message)


def show_message(shell: Any, kind: type, value: Exception, trace: Any, tb_offset: int | None = None) -> list[str]:
    """An IPython exception hook: the message alone."""
    lines = [f"{kind.__name__}: {value}"]
    shell._showtraceback(kind, value, lines)
    return lines


def interactive_shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
