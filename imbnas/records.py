"""What a run leaves behind: one JSON file, its curves as CSV, read back as tables.

A record names everything that its numbers depend on: configuration, seed, split hash, versions and device. Two
records are equal when they agree in everything but the `cost` block, which holds what the machine decided.
"""

import csv
import hashlib
import io
import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from imbnas.files import whole
from imbnas.revision import revision

SCHEMA = 1
MAPPINGS = ("config", "results", "cost")
BLOCKS = ("schema", "stage", "identity", *MAPPINGS)


class RecordError(ValueError):
    """A record that is missing, damaged, or of another schema."""


def identity(config: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that name a configuration."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def plain(value: Any, place: str = "") -> Any:
    """`value` as JSON knows it: dataclasses as dicts, tuples as lists, floats at six significant digits.

    place: where in a record it stands, such as "results.test.overall", for the message. ValueError for a number that
    is not finite, TypeError for what JSON has no word for.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value), place)
    if isinstance(value, Mapping):
        return {str(key): plain(item, within(place, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, within(place, position)) for position, item in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place or 'value'}: {value} can't go into a record: every number in it must be finite")
        return float(f"{value:.6g}")
    if value is not None and not isinstance(value, str | int):
        raise TypeError(
            f"{place or 'value'} is a {type(value).__name__}; expected text, numbers, true or false, None, or lists, "
            "mappings and dataclasses of them: turn it into one, as by .tolist() or str()"
        )
    return value


def within(place: str, name: Any) -> str:
    """A place one level deeper, names joined by dots."""
    return f"{place}.{name}" if place else str(name)


def versions() -> dict[str, str]:
    """Of everything that moves a number; of this library, the `revision` of its code."""
    others = {name: version(name) for name in ("torch", "numpy")}
    return {"python": platform.python_version(), "imbnas": revision(), **others}


def device_name(device: torch.device) -> str:
    """The accelerator's name, or the processor's with the threads in use."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def processor() -> str:
    """The model of the processor, where the system tells, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all, making its folder where needed."""
    with whole(path) as file:
        file.write(text.encode())


def refuse_unwritable(path: Path, config: Any) -> None:
    """RecordError, before anything is trained, where the record of `config` could not be written to `path` at the end.

    So it is where the folder can't be made or written, and where a damaged record, or one of other data, is in the way.
    """
    folder = path.parent
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.exists(place))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is a file" if not there.is_dir() else "can't be written"
        raise RecordError(
            f"records go to {folder}, but {there} {what}: name a folder that can be made or written (out)"
        )
    refuse_other_data(path, plain(config, "config"))


def write(path: Path | str, stage: str, config: Any, results: Any, cost: Any) -> dict[str, Any]:
    """Write the record of one run, whole or not at all, and return it.

    RecordError where the file holds a record of other data: names of data sets are their files', without folders.
    ValueError or TypeError, with the place in the record, for what can't go into one (`plain`).
    """
    path, config = Path(path), plain(config, "config")
    refuse_other_data(path, config)
    record = {
        "schema": SCHEMA,
        "stage": stage,
        "identity": identity(config),
        "config": config,
        "results": plain(results, "results"),
        "cost": plain(cost, "cost"),
    }
    write_text(path, json.dumps(record, indent=1) + "\n")
    return record


def refuse_other_data(path: Path, config: Mapping[str, Any]) -> None:
    """Two data sets of one file name, in two folders, must not take each other's place."""
    if not path.exists():
        return
    known = read_one(path)["config"]
    for name in ("source", "data"):
        if name in known and name in config and known[name] != config[name]:
            raise RecordError(
                f"{path} is a record of {name} {known[name]}, this one is of {config[name]}: give one of the two files "
                "another name, or another folder for the records (out)"
            )


def write_curves(path: Path, rows: Iterable[Mapping[str, float]]) -> None:
    """The rows of a training log as CSV."""
    rows = [plain(dict(row)) for row in rows]
    if not rows:
        return
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def read_one(path: Path | str, made_by: str = "") -> dict[str, Any]:
    """One record; RecordError that names the file and the way to mend it.

    made_by: the line that writes the record, where the caller knows it.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        mend = f"`{made_by}` writes it" if made_by else "run the stage that writes it (make grid-plan lists them)"
        raise RecordError(f"no record {path}: {mend}") from None
    except OSError as error:
        raise RecordError(f"{path} can't be read ({error.strerror}): name a record, a file that may be read") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} is damaged ({error}): delete it and run its stage again") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, dict) else type(record).__name__
        raise RecordError(f"{path} has schema {found}, this version reads {SCHEMA}: delete it and run its stage again")
    if what := fault(record):
        raise RecordError(f"{path} {what}: delete it and run its stage again")
    return record


def fault(record: Mapping[str, Any]) -> str | None:
    """What is wrong with the blocks of a record; None where nothing is."""
    if missing := [block for block in BLOCKS if block not in record]:
        return f"lacks {', '.join(missing)}"
    if empty := [block for block in MAPPINGS if not isinstance(record[block], dict)]:
        return f"has no entries in {', '.join(empty)}"
    changed = identity(record["config"]) != record["identity"]
    return "was changed after it was written (identity differs)" if changed else None


def read(folder: Path | str, stage: str | None = None) -> list[dict[str, Any]]:
    """Every record under `folder`, in name order, each with its file's path as `file`; one stage's only if named."""
    found = []
    for path in sorted(Path(folder).rglob("*.json")):
        record = read_one(path)
        if stage is None or record["stage"] == stage:
            found.append(record | {"file": str(path)})
    return found


def equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records agree in everything but what they cost."""
    return all(one[block] == other[block] for block in BLOCKS if block != "cost")


def table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per record: its configuration, its results and its file; nested names joined by dots, lists left out."""
    rows = ({"file": r.get("file"), **flat(r["config"]), **flat(r["results"])} for r in records)
    return pd.DataFrame([{name: value for name, value in row.items() if not isinstance(value, list)} for row in rows])


def origin(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Where numbers come from: a row per record, by its file's name and as much of its folder as it takes.

    Seed, `identity` of its configuration, the first digits of its splits' hashes, hours of work, device, and `code`,
    the revision of the library, empty in records that were written before it was kept.
    """
    found, rows = list(found), {}
    for name, record in zip(told_apart([record["file"] for record in found]), found, strict=True):
        split, cost = record["results"].get("split", {}), record["cost"]
        hashes = split.values() if isinstance(split, Mapping) else [split]
        code = cost["versions"]["imbnas"]
        rows[name] = {
            "seed": record["config"].get("seed"),
            "identity": record["identity"],
            "split": " ".join(value[:8] for value in hashes),
            "hours": round(hours(cost["seconds"]), 2),
            "device": cost["device"],
            "code": "" if code == "not installed" else code,
        }
    columns = ["seed", "identity", "split", "hours", "device", "code"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("record")


def told_apart(files: Sequence[str]) -> list[str]:
    """The files without their endings, and with so much of their folders that no two are called alike."""
    parts = [Path(file).with_suffix("").parts for file in files]
    longest = max(map(len, parts), default=1)
    depth = next((n for n in range(1, longest) if len({p[-n:] for p in parts}) == len(set(parts))), longest)
    return ["/".join(p[-depth:]) for p in parts]


def hours(seconds: Mapping[str, float]) -> float:
    """The parts of a cost together; a part that is named as the sum of others, "a and b", has theirs in it."""
    within = {part for name in seconds for part in name.split(" and ") if part != name}
    return sum(value for name, value in seconds.items() if name not in within) / 3600


def flat(block: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, names joined by dots."""
    rows: dict[str, Any] = {}
    for name, value in block.items():
        if isinstance(value, Mapping):
            rows |= flat(value, f"{prefix}{name}.")
        else:
            rows[prefix + name] = value
    return rows
