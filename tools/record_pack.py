"""Pack what a bare GPU machine needs to run the grid without a network: code, wheels, data, and the script that runs.

    python tools/record_pack.py DIR --profile paper --seeds "0 1 2" [--other-space SPACE] [--has "scipy …"]

DIR/run.py is the one script there; DIR/record holds its modules, and DIR/plan.json says what it does. Data come in
parts, so that they can travel in several goes.

What the project already has of these records, and unfinished work in runs/, goes along: a fresh machine resumes.
"""

import argparse
import json
import shutil
import sys
import tarfile
from pathlib import Path

import record.files
import record_plan
from packing import PackFailed
from packing.data import pack_data
from packing.wheels import THERE, pack_wheels
from project import ROOT
from record.files import partial, sha256, write
from record.leave import results, unfinished_work
from record.numbers import whole, wholes
from record.steps import Step
from record.take_in import PLAN

from imbnas import profiles
from imbnas.data import BENCHMARKS
from imbnas.data.sources import CIFAR
from imbnas.stages.ranking import COUNT

CODE = ("imbnas", "profiles", "tools", "benchmarks")


def pack_code(file: Path, steps: list[Step]) -> None:
    """The working tree's part that the steps run, without what running it leaves."""
    chapters = {word for step in steps for word in step["command"] if word.startswith("book/")}

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if Path(member.name).name.startswith((".", "__pycache__")) else member

    with tarfile.open(partial(file), "w:gz", compresslevel=6) as tar:
        for name in (*CODE, *sorted(chapters)):
            tar.add(ROOT / name, name, filter=wanted)
    partial(file).replace(file)


def pack_script(folder: Path) -> None:
    """The script that runs there, and its modules, which need the standard library alone."""
    tools = ROOT / "tools"
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(tools / "record", folder / "record", ignore=compiled, dirs_exist_ok=True)
    shutil.copy(tools / "record_run.py", folder / "run.py")


def pack_taken(file: Path, steps: list[Step]) -> dict[str, str]:
    """Unfinished work, and the records that the project has with what is beside them, and the checksums of these."""
    found = results(ROOT, steps)
    record.files.pack(file, ROOT, [*found, *unfinished_work(ROOT, steps)])
    return {str(path.relative_to(ROOT)): sha256(path) for path in found}


def pack(
    folder: Path, profile: str, seeds: list[int], there: list[str], other_space: str, again: int, paths: int
) -> str:
    """Fill the folder; what it holds, in one line."""
    settings = profiles.load(profile)
    names = sorted({settings.source, settings.target_data})
    if own := [name for name in names if name not in BENCHMARKS]:
        raise PackFailed(f"profile {profile} uses {own[0]}: a pack carries {', '.join(BENCHMARKS)} and no other data")
    folder.mkdir(parents=True, exist_ok=True)
    steps = record_plan.by_value(profile, seeds, other_space, again, paths)
    data = {f"{name}.npz": pack_data(folder / "data", name) for name in names if name in CIFAR}
    pack_wheels(folder / "wheels", there)
    pack_code(folder / "code.tar.gz", steps)
    taken = pack_taken(folder / "taken.tar", steps)
    pack_script(folder)
    write(folder / PLAN, json.dumps({"profile": profile, "data": data, "taken": taken, "steps": steps}, indent=1))
    done = sum(step["leaves"] in taken for step in steps)
    return (
        f"{folder}: {len(steps)} steps, {done} of them done; {sizes(folder)}. There: python3 {folder.name}/run.py OUT"
    )


def sizes(folder: Path) -> str:
    """Megabytes of code, wheels and data."""
    files = {
        "code": [folder / "code.tar.gz", folder / "taken.tar"],
        "wheels": [*folder.glob("wheels/*")],
        "data": [*folder.glob("data/*.xz.*")],
    }
    return ", ".join(f"{name} {sum(f.stat().st_size for f in found) / 1e6:.0f} MB" for name, found in files.items())


def main() -> int:
    seeds = wholes("'{}' are not whole numbers with spaces between, as in \"0 1 2\"")
    again = whole(f"'{{}}' is not how many of the {COUNT} paths get a second seed, as in 6", 0, COUNT)
    paths = whole(f"'{{}}' is not how many of the {COUNT} paths are retrained, as in 24", 1, COUNT)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--seeds", default="0 1 2", type=seeds, help='such as "0 1 2"')
    parser.add_argument("--has", default="", help="packages beyond torch and torchvision that the machine has")
    parser.add_argument("--other-space", default="", help="a second space, whose table comes last; none if empty")
    parser.add_argument(
        "--again",
        default=record_plan.AGAIN,
        type=again,
        help="paths retrained with a second seed (default %(default)s)",
    )
    parser.add_argument(
        "--paths", default=COUNT, type=paths, help="paths retrained on each target (default %(default)s)"
    )
    given = parser.parse_args()
    there = f"{THERE} {given.has}".split()
    try:
        print(pack(given.folder, given.profile, given.seeds, there, given.other_space, given.again, given.paths))
    except (ValueError, OSError) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
