"""Leaving in OUT what is to be taken back: records, logs and unfinished work, in files of bounded size."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .files import pack, sha256, write
from .steps import TRIAL, Step

PART = 15_000_000  # bytes of a file of OUT; PARTS of them, and two small ones, are all that is left there
PARTS = 4


def leave(
    work: Path, out: Path, plan: dict[str, Any], states: dict[str, str], logs: list[Path], lines: list[str]
) -> None:
    """Put into `out` what the project does not have yet: results first, then unfinished work while there is room."""
    steps, taken = plan["steps"], plan["taken"]
    new = [path for path in results(work, steps) if taken.get(str(path.relative_to(work))) != sha256(path)]
    sent, room = [], PART * PARTS - 20_000
    for path in dict.fromkeys([*new, *logs, *unfinished_work(work, steps)]):
        if path.is_relative_to(work / TRIAL) or not (there := still_there(path)):
            continue
        size = 2048 + there.st_size
        if size <= room:
            sent.append(path)
            room -= size
        elif (line := f"left out, no room: {path.relative_to(work)}") not in lines:
            lines.append(line)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        archive = Path(scratch) / "slice.tar"
        pack(archive, work, sent)
        parts = cut(archive, out)
    summary = {"parts": parts, "states": {step["name"]: states.get(step["leaves"], "not chosen") for step in steps}}
    write(out / "slice.json", json.dumps(summary, indent=1))
    for path in out.glob("*slice.tar.*"):  # only now, so that slice.json always names parts that are there
        if path.name not in parts:
            path.unlink()
    write(out / "log.txt", "\n".join(lines) + "\n")


def results(work: Path, steps: Iterable[Step]) -> list[Path]:
    """What finished steps left, with curves and weights beside it."""
    leaves = [work / step["leaves"] for step in steps]
    beside = [leaf.with_suffix(suffix) for leaf in leaves if leaf.exists() for suffix in (".csv", ".safetensors")]
    return [path for path in [*leaves, *beside] if path.exists()]


def unfinished_work(work: Path, steps: Iterable[Step]) -> list[Path]:
    """Checkpoints and search states of the steps that have left nothing yet, the newest first.

    What another process is still writing, or left half-written, has a name that begins with a dot.
    """
    open_steps = [step for step in steps if not (work / step["leaves"]).exists()]
    found = {path for step in open_steps for glob in globs(work, step) for path in work.glob(glob)}
    seen = {path: there for path in found if not path.name.startswith(".") and (there := still_there(path))}
    return sorted(seen, key=lambda path: -seen[path].st_mtime)


def still_there(path: Path) -> os.stat_result | None:
    """What the system knows of a file; None where the step that wrote it has removed it since it was listed."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat()
    return None


def globs(work: Path, step: Step) -> list[str]:
    """Names of a step's unfinished work; "{network}" in them is the best path of the record that it needs first."""
    record = work / step["needs"][0] if step["needs"] else work
    network = json.loads(record.read_text())["results"]["best"]["path"] if is_search(record) else "no network"
    return [glob.replace("{network}", network) for glob in step["work"]]


def is_search(record: Path) -> bool:
    return record.name.startswith("search-") and record.exists()


def cut(archive: Path, out: Path) -> dict[str, str]:
    """The archive in parts of `PART` bytes in `out`, beside earlier ones with other contents, and their checksums."""
    parts = {}
    with open(archive, "rb") as file:
        while block := file.read(PART):
            checksum = hashlib.sha256(block).hexdigest()
            name = f"slice.tar.{len(parts)}-{checksum[:8]}"
            write(out / name, block)
            parts[name] = checksum
    return parts
