"""Data sets of one's own, looked into before a grid runs: a fault is found at once, not after hours of training."""

import sys
from collections.abc import Iterable
from pathlib import Path

import project  # noqa: F401

from imbnas import records
from imbnas.data import BENCHMARKS, load, parse_target, split
from imbnas.names import TARGETS
from imbnas.places import own_data, record_name


def check_name(name: str) -> None:
    """ValueError for a data set that is neither known by name nor there as a file or folder."""
    if name not in BENCHMARKS and not own_data(name):
        known = ", ".join(BENCHMARKS)
        raise ValueError(f"no data set {name!r}: take one of {known}, or the path of an .npz or of a folder")


def refuse_faulty_images(settings: dict[str, str]) -> None:
    """SystemExit, in the library's words, where data of one's own can't be read, or cut to a target that is asked for.

    The source is trained as it is, balanced; the target to each of its label distributions.
    """
    seed = int(settings.get("split_seed", 0))
    targets = settings.get("targets", "").split() or TARGETS
    for name, cuts in ((settings.get("source"), ["balance"]), (settings.get("target_data"), targets)):
        if name and name not in BENCHMARKS:
            refuse_fault(name, cuts, seed)


def refuse_fault(name: str, targets: Iterable[str], seed: int) -> None:
    """SystemExit where the data set `name` can't be read, or be cut to one of the targets."""
    try:
        dataset = load(name)
        for target in targets:
            split(dataset, *parse_target(target), seed=seed, validation="from-train")
    except ValueError as fault:
        sys.exit(f"{fault}. Nothing was run.")


def refuse_records_of_others(settings: dict[str, str]) -> None:
    """SystemExit where there are records of another data set of the same name, which would be overwritten or mixed in.

    The message names one of the records and both data sets. SystemExit for a damaged record in their folders too.
    """
    out = Path(settings.get("out", "results")) / settings.get("profile", "smoke")
    for given in filter(None, (settings.get("source"), settings.get("target_data"))):
        name = record_name(given)
        folders = [folder for folder in out.glob("*") if name in folder.name]
        try:
            found = [record for folder in folders for record in records.read(folder)]
        except records.RecordError as fault:
            sys.exit(str(fault))
        for record in found:
            for known in {record["config"].get("source"), record["config"].get("data")} - {None, given}:
                if record_name(known) == name:
                    sys.exit(
                        f"{record['file']} is of {known}, and {given} is asked for: rename one of the two data "
                        "sets, or give the records another folder (OUT=…)"
                    )
