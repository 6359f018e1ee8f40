"""From a chapter's parameters to its stage: what papermill injected is checked, run, and the batch run ended."""

import ast
import difflib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

from imbnas.names import BASELINES, SCORED, SEARCHED
from imbnas.stages.gate import gate
from imbnas.stages.ranking import NAMED, retrain_named, retrain_path, score_paths
from imbnas.stages.retrain import baseline, largest, retrain
from imbnas.stages.run import Run, check_kind
from imbnas.stages.search import search
from imbnas.stages.streams import side_by_side
from imbnas.training import Unfinished

PARAMETERS = tuple(f.name for f in fields(Run))
LISTS = {"target": ", or a list of texts", "seed": ", or a list of them", "split_seed": ", or a list of them"}
PLAIN = (str, int, float, bool, list, tuple, dict, type(None))
Record = dict[str, Any]
INJECTED = "# Parameters\n"  # how papermill's own cell begins
FIRST_CELLS = 3  # the parameters, those that papermill injects, and the cell that asks


def batch(
    namespace: Mapping[str, Any], stage: Callable[..., Record], also: tuple[str, ...] = (), **options: Any
) -> None:
    """Where a profile is given, run `stage` for every target, then skip the rest of the chapter: it is for a reader.

    namespace: the chapter's `globals()` right after its parameters. A target, a seed or an option that is a list runs
    the stage for each of its values, one after the other, or on a GPU several side by side. `Unfinished` ends the run
    without a record and says so; the same line continues it. The `max_seconds` are for all of them together.
    also: parameters of the chapter that this stage does without.
    ValueError, shown as its message alone, for a misspelt parameter or a value that can't be; without a profile too.
    """
    known = (*own(namespace, options), *also)
    if not namespace.get("profile"):
        return check_names(namespace, known)
    quiet_errors()
    given, begin = runs(namespace, known), time.monotonic()

    def job(run: Run, choice: dict[str, Any]) -> None:
        attempt(stage, replace(run, max_seconds=left(run.max_seconds, begin)), **choice)

    side_by_side([partial(job, run, choice) for run in given for choice in combinations(options)])
    end_here()


def left(max_seconds: float | None, begin: float) -> float | None:
    """What is left of `max_seconds` since `begin`; something always is, so that the stage can say that it stopped."""
    return None if max_seconds is None else max(1e-3, max_seconds - (time.monotonic() - begin))


def study(
    namespace: Mapping[str, Any], stage: Callable[..., Record], also: tuple[str, ...] = (), **options: Any
) -> None:
    """Where an `arm` is given, run a `stage` that belongs to no profile, then skip the rest of the chapter.

    An option that is a list runs the stage for each of its values; `max_seconds` are for all of them together.
    also: parameters of the chapter that this stage does without.
    """
    known = (*own(namespace, options), *also)
    if namespace.get("arm") in (None, ""):
        return check_names(namespace, known)
    quiet_errors()
    check_kinds(parameters(namespace, known))
    begin = time.monotonic()

    def job(choice: dict[str, Any]) -> None:
        limit = {"max_seconds": left(choice["max_seconds"], begin)} if "max_seconds" in choice else {}
        attempt(stage, **choice | limit)

    side_by_side([partial(job, choice) for choice in combinations(options)])
    end_here()


def check_names(namespace: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse a misspelt parameter of a chapter that is read: a misspelt `profile` would run nothing in silence.

    A value of the wrong kind is refused, too. On the first pass only: later the chapter's own variables stand beside
    its parameters. IPython's list `In` has a first entry that is no cell, and the cell under way is its last.
    """
    if len(namespace.get("In", ())) <= FIRST_CELLS + 1:
        check_kinds(parameters(namespace, known))


def refuse_misspelt(namespace: Mapping[str, Any]) -> None:
    """Refuse what papermill injected into a chapter whose parameters cell assigns no such name.

    For a chapter that is no stage: namespace is its `globals()`, asked for in any cell after its parameters. Where
    nothing was injected, as for a reader, nothing is refused. ValueError names the parameter and the one meant.
    """
    first, second = (*namespace.get("In", ()), "", "", "")[1:3]
    if second.startswith(INJECTED):
        known = assigned(first)
        for name in assigned(second):
            if name not in known:
                raise unknown(name, known)


def assigned(cell: str) -> list[str]:
    """The names that a cell of code assigns, in its order."""
    names = (node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Name))
    return [node.id for node in names if isinstance(node.ctx, ast.Store)]


def own(namespace: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    """The options that are handed on from parameters of this chapter alone."""
    return tuple(name for name, value in options.items() if name not in PARAMETERS and namespace.get(name) is value)


def attempt(stage: Callable[..., Record], *arguments: Any, **options: Any) -> None:
    """Run a stage and say what became of it."""
    try:
        record = stage(*arguments, **options)
        print(f"{record['stage']} {record['identity']} written")
    except Unfinished as pause:
        print(f"unfinished: {pause}; run the same line again to continue")


def runs(namespace: Mapping[str, Any], own: tuple[str, ...] = ()) -> list[Run]:
    """One `Run` per target and seed of a chapter's parameters; a misspelt or unknown one is refused.

    own: parameters of this chapter alone.
    """
    given = parameters(namespace, own)
    check_kinds(given)
    lists = {name: given.pop(name) for name in LISTS if name in given}
    return [Run(**given, **one) for one in combinations({"target": "exp-0.01", **lists})]


def parameters(namespace: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """The parameters that every chapter may have; a plain value that is neither one of them nor `own` is refused."""
    known = (*PARAMETERS, *own)
    for name, value in namespace.items():
        if not name.startswith("_") and isinstance(value, PLAIN) and name not in (*known, "In", "Out"):
            raise unknown(name, known)
    return {name: namespace[name] for name in PARAMETERS if name in namespace}


def unknown(name: str, known: Sequence[str]) -> ValueError:
    """What refuses a parameter that a chapter has not."""
    return ValueError(f"unknown parameter {name}{guess(name, known)} (this chapter knows {', '.join(known)})")


def check_kinds(given: Mapping[str, Any]) -> None:
    """Refuse a parameter that is not of its kind, as in `seed: "0 1"`."""
    for name, value in given.items():
        entries = value if name in LISTS and isinstance(value, list | tuple) and value else [value]
        check_kind(name, value, entries, LISTS.get(name, ""))


def guess(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, as the middle of a message."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def combinations(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every choice of one value per name, of options whose values may be lists; ValueError for an empty one."""
    found: list[dict[str, Any]] = [{}]
    for name, value in options.items():
        values = value if isinstance(value, list | tuple) else [value]
        if not values:
            raise ValueError(f"{name} is {value!r}; expected one value, or a list of at least one")
        found = [{**chosen, name: one} for chosen in found for one in values]
    return found


# ------------------------------------------------------------------------- stages that a parameter chooses


def unadapted(run: Run, procedure: str) -> Record:
    """What P0's chapter runs: its search on the source, or the control, ranked on the target."""
    return one_of(procedure, {"P0": search, "control": search})(run, procedure)


def on_frozen_backbone(run: Run, procedure: str) -> Record:
    """What P1's chapter runs: its search, as many random paths under the same score, or the signal gate."""
    known = {"P1": search, "P1-random": search, "gate": lambda run, procedure: gate(run)}
    return one_of(procedure, known)(run, procedure)


def stand_alone(run: Run, procedure: str) -> Record:
    """What Table 2's chapter runs: the retraining of a procedure's winner, or of a baseline."""
    known = dict.fromkeys(SEARCHED, retrain) | dict.fromkeys(BASELINES, baseline)
    known["largest"] = lambda run, procedure: largest(run)
    return one_of(procedure, known)(run, procedure)


def of_the_set(run: Run, procedure: str, path: int | str | None) -> Record:
    """What the ranking's chapter runs: the retraining of one path of the set, or a procedure's scores of them all.

    A path that is not of the set is a printed architecture, beside the procedure that says how it is retrained.
    """
    if procedure in NAMED:
        return retrain_named(run, path, procedure)
    if isinstance(path, str):
        raise ValueError(
            f'path is the architecture "{path}" and procedure is "{procedure}"; expected beside an architecture how '
            f"it is retrained, {' or '.join(NAMED)}"
        )
    if (path is None) == (not procedure):
        raise ValueError(
            f'path is {path} and procedure is "{procedure}"; expected one of the two: the number of a path to be '
            "retrained, or the procedure whose scores are wanted"
        )
    if path is not None:
        return retrain_path(run, path)
    return one_of(procedure, dict.fromkeys(SCORED, score_paths))(run, procedure)


def one_of(procedure: str, stages: Mapping[str, Callable[..., Record]]) -> Callable[..., Record]:
    """The stage called `procedure`."""
    if procedure not in stages:
        meant = guess(str(procedure), stages)
        raise ValueError(f'procedure is "{procedure}"{meant} (this chapter knows {", ".join(stages)})')
    return stages[procedure]


# ------------------------------------------------------------------------------------ the notebook under way


def end_here() -> None:
    """Make every following cell of the notebook under way empty."""
    shell = interactive_shell()
    if shell is not None:
        shell.input_transformers_cleanup.append(lambda lines: [])


def quiet_errors() -> None:
    """Show bad input as its one message, not as a traceback (IMBNAS_TRACEBACK=1 shows the whole)."""
    shell = interactive_shell()
    if shell is not None and not os.environ.get("IMBNAS_TRACEBACK"):
        shell.set_custom_exc((ValueError, ArithmeticError, OSError), show_message)


def show_message(shell: Any, kind: type, value: Exception, trace: Any, tb_offset: int | None = None) -> list[str]:
    """An IPython exception hook: the message alone."""
    lines = [f"{kind.__name__}: {value}"]
    shell._showtraceback(kind, value, lines)
    return lines


def interactive_shell() -> Any:
    """IPython's shell where this runs inside one."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()
