"""Take back what a slice of a record run left: records, curves and weights into results/, unfinished work into runs/.

    python tools/record_merge.py DIR      the folder that was given to run.py as OUT

All of it, or none: damaged files, records of another schema and records that differ from one that is already here
are refused before anything is written.
"""

import argparse
import csv
import json
import os
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from project import ROOT
from record.files import SAFE, partial, sha256

from imbnas import records
from imbnas.files import whole
from imbnas.training import load_tensors

PLACES = ("results", "runs")
LAST = ".json"  # a record stands for the files beside it, so it is put there after them


class MergeFailed(ValueError):
    """A slice that must not be taken back; the message says what is wrong and how to mend it."""


class MergeCutShort(OSError):
    """Only a part of a slice could be taken back; the message says how much, and how to go on."""


def open_slice(folder: Path, scratch: Path) -> Path:
    """The slice's files, unpacked under `scratch`; only plain files in results/ and runs/ are accepted."""
    try:
        parts = json.loads((folder / "slice.json").read_text())["parts"].items()
    except FileNotFoundError:
        raise MergeFailed(f"{folder} has no slice.json: name the folder that was given to run.py as OUT") from None
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise MergeFailed(f"{folder / 'slice.json'} is damaged ({fault}): copy the slice again") from None
    archive = scratch / "slice.tar"
    with open(archive, "wb") as file:
        for name, expected in parts:
            part = folder / name
            if not part.exists() or sha256(part) != expected:
                raise MergeFailed(f"{part} is missing or damaged: copy the slice again")
            file.write(part.read_bytes())
    with tarfile.open(archive) as tar:
        for member in tar:
            place = Path(member.name).parts
            if not member.isfile() or place[0] not in PLACES or ".." in place:
                raise MergeFailed(f"{folder} holds {member.name}: a slice holds files in {' and '.join(PLACES)} alone")
        tar.extractall(scratch / "slice", **SAFE)
    return scratch / "slice"


def check_record(path: Path, here: Path) -> bool:
    """Whether the record is new here. MergeFailed where another one with other results is in its place."""
    record = records.read_one(path)
    check_beside(path, record)
    if not here.exists():
        return True
    if not records.equal(record, records.read_one(here)):
        raise MergeFailed(f"{here} is there already, and differs: move it away if the new one is to take its place")
    return False


def check_beside(path: Path, record: dict) -> None:
    """Curves that are a table; weights that are whole and belong to the record."""
    curves, weights = path.with_suffix(".csv"), path.with_suffix(".safetensors")
    if curves.exists():
        try:
            for row in csv.DictReader(curves.read_text().splitlines()):
                list(map(float, row.values()))
        except (TypeError, ValueError, UnicodeDecodeError):
            raise MergeFailed(f"{curves.name} is no table of numbers: copy the slice again") from None
    if weights.exists() and load_tensors(weights)[1].get("identity") != record["identity"]:
        raise MergeFailed(f"{weights.name} does not belong to the record {path.name}: copy the slice again")


def new_files(slice_: Path, root: Path) -> list[Path]:
    """What is to be put in place, relative to the project, records after what belongs to them. Checks everything."""
    found = sorted(path for path in (slice_ / "results").rglob("*") if path.is_file())
    new = []
    for path in found:
        record = path.with_suffix(".json")
        if record not in found:
            raise MergeFailed(f"{path.name} comes without its record: copy the slice again")
        if check_record(record, root / record.relative_to(slice_)):
            new.append(path.relative_to(slice_))
    work = sorted(path.relative_to(slice_) for path in (slice_ / "runs").rglob("*") if path.is_file())
    return work + sorted(new, key=lambda path: path.suffix == LAST)


def put(slice_: Path, root: Path, files: list[Path]) -> None:
    """All files, written in full before the first takes its place; `MergeCutShort` where a later one then can't.

    They have one time stamp, so that none of them seems older than what it was made from.
    """
    now = time.time()
    with ExitStack() as written:
        for name in files:
            waiting = partial(root / name)
            with whole(waiting) as file:
                file.write((slice_ / name).read_bytes())
            written.callback(waiting.unlink, missing_ok=True)
            os.utime(waiting, (now, now))
        take_places(root, files)


def take_places(root: Path, files: list[Path]) -> None:
    """Put what is written in full where it belongs, in this order."""
    for done, name in enumerate(files):
        try:
            partial(root / name).replace(root / name)
        except OSError as fault:
            if not done:
                raise
            said = f"{done} of {len(files)} files were taken back, {name} not ({fault})"
            raise MergeCutShort(f"{said}: mend this and run the same line again, which takes the rest") from None


def merge(folder: Path, root: Path = ROOT) -> list[Path]:
    """Take a slice back; the new records."""
    with tempfile.TemporaryDirectory() as scratch:
        slice_ = open_slice(folder, Path(scratch))
        files = new_files(slice_, root)
        put(slice_, root, files)
    return [name for name in files if name.suffix == LAST and name.parts[0] == "results"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    try:
        taken = merge(arguments.folder)
    except MergeCutShort as fault:
        print(fault, file=sys.stderr)
        return 1
    except (ValueError, OSError, tarfile.TarError) as fault:
        print(f"nothing was taken back: {fault}", file=sys.stderr)
        return 1
    print(f"{len(taken)} new records", *taken, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
