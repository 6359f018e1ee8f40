"""Steps of a plan as plain data: which of them are alike, and the one command that runs those."""

import contextlib
import json
from typing import Any

TRIAL = "trial"  # the folder of records that show that this machine works; they stay here
LISTS = ("target", "seed", "split_seed", "procedure", "path")  # parameters of a chapter that may be lists
# name, command (after "python"), leaves, needs, log, work; alone, where nothing may run beside it
Step = dict[str, Any]


def bundle(ready: list[Step], most: int) -> list[Step]:
    """The first step and, up to `most` in all, later ones that differ from it in the value of the same parameter."""
    first, *later = ready
    alike: dict[int, list[Step]] = {}
    for step in later:
        place = difference(first, step)
        if place is not None and len(alike.setdefault(place, [])) < most - 1:
            alike[place].append(step)
    return [first, *max(alike.values(), key=len, default=[])]


def difference(one: Step, other: Step) -> int | None:
    """Where in their commands the parameter's value stands in which alone two steps differ; None: they are not alike.

    The last word is the notebook that a run leaves, which no two steps share.
    """
    words, others = one["command"][:-1], other["command"][:-1]
    if one.get("alone") or other.get("alone") or len(words) != len(others):
        return None
    places = [i for i in range(2, len(words)) if words[i] != others[i]]
    if len(places) != 1 or words[:2] != others[:2]:
        return None
    flag, name = words[places[0] - 2 : places[0]]
    return places[0] if flag == "-p" and name in LISTS else None


def joint_command(steps: list[Step]) -> list[str]:
    """The first step's command, with the list of all values in place of the one in which the steps differ."""
    command = steps[0]["command"]
    place = difference(steps[0], steps[-1])
    if place is None:
        return command
    values = json.dumps([as_given(step["command"][place]) for step in steps])
    return [*command[: place - 2], "-y", f"{command[place - 1]}: {values}", *command[place + 1 :]]


def as_given(word: str) -> int | float | bool | str | None:
    """What papermill takes a word of its command line for."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return {"True": True, "False": False, "None": None}.get(word, word)
