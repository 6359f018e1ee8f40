"""A cell of the grid: the parameters of a chapter, its records and its unfinished work."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from imbnas import profiles, records
from imbnas.data import parse_target
from imbnas.places import grid_folder, work_root
from imbnas.profiles import Profile
from imbnas.revision import revision
from imbnas.space import Space, parse_space

WHOLE = ("seed", "split_seed")  # parameters that are whole numbers


def work_name(name: str, config: Any) -> str:
    """The name of unfinished work: what it is of, its configuration, and the code that computes it."""
    return f"{name}-{records.identity(records.plain(config))}-{revision()}"


def check_kind(name: str, value: Any, entries: Sequence[Any], more: str = "") -> None:
    """ValueError where an entry of the parameter `name` of a `Run` is not of its kind.

    value: the parameter as it was given, for the message: one entry, or a list of `entries`. more: what else is
    expected.
    """
    if name in WHOLE:
        right, expected = all(type(entry) is int and entry >= 0 for entry in entries), "a whole number from 0"
    elif name == "max_seconds":
        right, expected = value is None or (isinstance(value, int | float) and value > 0), "seconds, more than 0"
    else:
        right, expected = all(isinstance(entry, str) for entry in entries), "text"
    if not right:
        raise ValueError(f"{name} is {value!r}; expected {expected}{more}")


@dataclass(frozen=True)
class Run:
    """One cell of the grid: the parameters of a chapter. Empty `source`, `target_data`, `space`: the profile's.

    `target` is such as "exp-0.01"; `out` is the folder of the records (default: the project's results/); unfinished
    work is kept in runs/ beside it. `max_seconds` ends the stage cleanly as unfinished, to be continued by the
    same line. ValueError, by name, for what can't be run by.
    """

    profile: str
    source: str = ""
    target_data: str = ""
    target: str = "exp-0.01"
    space: str = ""
    seed: int = 0
    split_seed: int = 0
    out: str = ""
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            check_kind(parameter.name, value, [value])
        for name in ("source", "target_data", "space"):
            object.__setattr__(self, name, getattr(self, name) or getattr(self.settings, name))
        object.__setattr__(self, "out", self.out or str(profiles.ROOT / "results"))
        parse_target(self.target)
        parse_space(self.space)

    @cached_property
    def settings(self) -> Profile:
        return profiles.load(self.profile)

    @cached_property
    def space_of_paths(self) -> Space:
        return parse_space(self.space)

    @property
    def folder(self) -> Path:
        """Where the records are (`places.grid_folder`)."""
        return Path(self.out) / grid_folder(self.profile, self.source, self.target_data, self.space, self.split_seed)

    def file(self, *parts: str, suffix: str = ".json") -> Path:
        """The record of a stage: results/<profile>/<source>-<target data>/<space>/<parts>-s<seed>.json."""
        return self.folder / f"{'-'.join([*parts, f's{self.seed}'])}{suffix}"

    def work_file(self, config: Any, *parts: str, split: str, suffix: str = ".safetensors") -> Path:
        """Where a stage keeps its unfinished work; other images, another configuration or code get another file.

        split: the hash of the images that it is done on (`Split.hash`).
        """
        name = work_name("-".join([*parts, f"s{self.seed}"]), {"config": config, "split": split})
        return work_root(Path(self.out)) / self.folder.relative_to(self.out) / f"{name}{suffix}"
