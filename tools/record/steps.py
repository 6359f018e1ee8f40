"""Steps of a plan as plain data: which of them may share a process, and what that process is told of them."""

import contextlib
from pathlib import Path
from typing import Any

TRIAL = "trial"  # the folder of records that show that this machine works; they stay here
PAPERMILL = ["-m", "papermill"]
# name, command (after "python"), leaves, needs, log, work; alone, where nothing may run beside it
Step = dict[str, Any]


def is_chapter(step: Step) -> bool:
    """Whether a step runs a chapter's stage, which can share a process with others."""
    return step["command"][:2] == PAPERMILL and not step.get("alone")


def as_chapter(step: Step, work: Path) -> dict[str, Any]:
    """A chapter's step as `imbnas.stages.together` reads it; its time is that of the process."""
    words = [word.format(work=work, seconds=0) for word in step["command"]]
    given = {words[i + 1]: as_given(words[i + 2]) for i, word in enumerate(words) if word == "-p"}
    given.pop("max_seconds", None)
    needs = [str(work / need) for need in step["needs"]]
    leaves = str(work / step["leaves"])
    return {"name": step["name"], "notebook": words[-2], "parameters": given, "leaves": leaves, "needs": needs}


def as_given(word: str) -> int | float | bool | str | None:
    """What papermill takes a word of its command line for."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return {"True": True, "False": False, "None": None}.get(word, word)
