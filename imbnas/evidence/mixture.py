"""What a table refuses: two records of one cell and seed, and records that differ in more than they may."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from imbnas import records

Record = Mapping[str, Any]


class Seen:
    """What the records of one table must have in common, and who said so first."""

    def __init__(self) -> None:
        self.first: dict[str, tuple[str, str]] = {}

    def check(self, record: Record, what: str = "") -> None:
        """ValueError where `record` does not go with those before it; `what` it is of: the procedure, if not said."""
        config, file = record["config"], file_of(record)
        common = {name: str(config[name]) for name in ("data", "space", "recipe", "precision", "split_seed")}
        self.folder(record)
        common["schema"] = str(record.get("schema"))
        common[f"split of {config['target']}"] = str(record["results"]["split"])
        for name, value in common.items():
            self.same(name, value, file)
        self.once(f"{what or config['procedure']} on {config['target']}, seed {config['seed']}", file)

    def folder(self, record: Record) -> None:
        """ValueError where `record` lies beside others than those before it: a folder is of one profile."""
        file = file_of(record)
        self.same("folder", str(Path(file).parent), file)

    def same(self, name: str, value: str, file: str) -> None:
        """ValueError where an earlier file had another value by this name."""
        known, other = self.first.setdefault(name, (value, file))
        if known != value:
            raise ValueError(
                f"{file} has another {name} than {other} ({value} and {known}): a table is of one profile, data "
                "set, space and split; move one of them to a folder of its own"
            )

    def once(self, cell: str, file: str) -> None:
        """ValueError where an earlier file was of the same cell."""
        if cell in self.first:
            raise ValueError(f"{file} and {self.first[cell][1]} are both of {cell}: delete one of them")
        self.first[cell] = ("", file)


def cell_of(record: Record) -> str:
    """What a record is of, its seed aside: the arm and, of an adaptation, its procedure, variant and target."""
    config = record["config"]
    parts = (config["arm"]["name"], config.get("procedure"), config.get("variant", {}).get("name"))
    return " ".join(filter(None, (*parts, config.get("target"))))


def unmixed(found: Iterable[Record], cell: Callable[[Record], str] = cell_of) -> list[Record]:
    """The records as they are, in a list.

    ValueError, with the names of both files, where two are of the same cell and seed, or where two of one cell, or two
    that start from one arm, differ in any setting but the seed, or in the split.
    """
    found, seen = list(found), Seen()
    names = sorted({name for record in found for name in settings(record)})
    for record in found:
        mine, what, file = settings(record), cell(record), file_of(record)
        for name in names:
            held_by = {what, record["config"]["arm"]["name"]} if name.startswith("arm.") else {what}
            for one in sorted(held_by):
                seen.same(f"{name} of {one}", mine.get(name, "not set"), file)
        seen.once(f"{what}, seed {record['config']['seed']}", file)
    return found


def comparable(found: Iterable[Record], *shared: str) -> None:
    """ValueError, with the names of both files, where arms differ in the split or in one of the settings `shared`."""
    seen = Seen()
    for record in found:
        mine = settings(record)
        for name in ("split", *(f"arm.{name}" for name in shared)):
            seen.same(name, mine.get(name, "not set"), file_of(record))


def settings(record: Record) -> dict[str, str]:
    """Every setting of a record but its seed, nested names joined by dots, and its split."""
    config = {name: value for name, value in record["config"].items() if name != "seed"}
    named = {name: str(value) for name, value in records.flat(config).items()}
    return named | {"split": str(record["results"].get("split"))}


def file_of(record: Record) -> str:
    """Where a record was read from."""
    return str(record.get("file", "a record"))
