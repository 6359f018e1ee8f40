"""Pack what a bare GPU machine needs to run the grid without a network: code, wheels, data, and the script that runs.

    python tools/record_pack.py DIR --profile paper --seeds "0 1 2" [--other-space SPACE] [--has "scipy …"]

DIR/run.py is the one script there; DIR/record holds its modules, and DIR/plan.json says what it does. Data come in
parts, so that they can travel in several goes.

What the project already has of these records, and unfinished work in runs/, goes along: a fresh machine resumes.
"""

import argparse
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import record.files
import record_plan
from project import ROOT
from record.files import partial, sha256, write
from record.leave import results, unfinished_work
from record.steps import Step
from record.take_in import PLAN, plain_name

from imbnas import profiles
from imbnas.data import BENCHMARKS
from imbnas.data.sources import CIFAR, data_folder
from imbnas.stages.ranking import COUNT

CODE = ("imbnas", "profiles", "tools", "benchmarks")
PART = 45_000_000  # bytes of a part of the data
PYTHON = "3.12"
STAMP = "wanted.sha256"  # beside the wheels: what they were fetched for
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17, 12, 5)] + ["manylinux2014_x86_64"]
# What a stage imports, torch and torchvision apart; requirements.txt has their bounds.
WANTED = ("scipy", "pandas", "matplotlib", "pyyaml", "safetensors", "jaxtyping", "papermill", "ipykernel")
# What torch and torchvision bring with them.
THERE = "filelock fsspec jinja2 markupsafe mpmath networkx numpy pillow setuptools sympy typing-extensions"
# A natural image is predicted from the pixel to the left, three bytes back, and from the one above, a row of 32 back.
FILTERS = [
    {"id": lzma.FILTER_DELTA, "dist": 96},
    {"id": lzma.FILTER_DELTA, "dist": 3},
    {"id": lzma.FILTER_LZMA2, "preset": 0},
]


class PackFailed(ValueError):
    """Something that the pack needs is missing; the message says how to mend it."""


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


def pack_data(folder: Path, name: str) -> dict[str, str | dict[str, str]]:
    """One data file, compressed and cut into parts; parts of an earlier pack of the same file are kept."""
    source = data_folder() / f"{name}.npz"
    if not source.exists():
        raise PackFailed(f"{source} does not exist: put {name}.npz there, or point IMBNAS_DATA at a folder that has it")
    card = folder / f"{name}.json"
    whole = sha256(source)
    if card.exists():
        kept = json.loads(card.read_text())
        if kept["sha256"] == whole and all((folder / part).exists() for part in kept["parts"]):
            return kept
    folder.mkdir(exist_ok=True)
    parts = {}
    for number, block in enumerate(blocks(source)):
        part = folder / f"{name}.npz.xz.{number}"
        write(part, block)
        parts[part.name] = sha256(part)
    found = {"sha256": whole, "parts": parts}
    write(card, json.dumps(found))
    return found


def blocks(source: Path) -> Iterator[bytes]:
    """The file, compressed, `PART` bytes at a time."""
    held = bytearray()
    for compressed in compress(source):
        held += compressed
        while len(held) > PART:
            yield bytes(held[:PART])
            del held[:PART]
    yield bytes(held)


def compress(source: Path) -> Iterator[bytes]:
    compressor = lzma.LZMACompressor(format=lzma.FORMAT_XZ, filters=FILTERS)
    with open(source, "rb") as file:
        while chunk := file.read(1 << 22):
            yield compressor.compress(chunk)
    yield compressor.flush()


def requirements() -> list[str]:
    """The lines of requirements.txt that a stage needs."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    return [line for line in wanted if plain_name(re.split(r"[<>=]", line)[0]) in WANTED]


def pack_wheels(folder: Path, there: Iterable[str]) -> None:
    """Fetch the wheels that the machine lacks; those that were put there by hand, or fetched for the same, stay."""
    present, stamp = {plain_name(name) for name in there}, folder / STAMP
    wanted = hashlib.sha256(json.dumps([PYTHON, requirements(), sorted(present)]).encode()).hexdigest()
    if list(folder.glob("*.whl")):
        if not stamp.exists():
            write(stamp, wanted)
        if stamp.read_text() == wanted:
            return
    shutil.rmtree(partial(folder), ignore_errors=True)
    line = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    line += ["--dest", str(partial(folder))]
    line += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON]
    line += [word for platform in PLATFORMS for word in ("--platform", platform)]
    run = subprocess.run([*line, *requirements()], capture_output=True, text=True)
    if run.returncode:
        reason = run.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        mend = f"fill {folder} with wheels for Python {PYTHON} where there is a network, "
        mend += f"remove {stamp}, " if stamp.exists() else ""
        mend += "and run the same line again"
        raise PackFailed(f"the wheels could not be fetched ({reason[0]}): {mend}")
    for wheel in partial(folder).glob("*.whl"):
        if plain_name(wheel.name.split("-")[0]) in present:
            wheel.unlink()
    write(partial(folder) / STAMP, wanted)
    shutil.rmtree(folder, ignore_errors=True)
    partial(folder).replace(folder)


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


def whole_numbers(text: str) -> list[int]:
    if not text.replace(" ", "").isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' are not whole numbers with spaces between, as in \"0 1 2\"")
    return [int(word) for word in text.split()]


def number_of_paths(text: str) -> int:
    """How many of the fixed set."""
    if not text.isdigit() or not 1 <= int(text) <= COUNT:
        raise argparse.ArgumentTypeError(f"'{text}' is not how many of the {COUNT} paths are retrained, as in 24")
    return int(text)


def number_again(text: str) -> int:
    """How many of the fixed set get a second seed."""
    if not text.isdecimal() or int(text) > COUNT:
        raise argparse.ArgumentTypeError(f"'{text}' is not how many of the {COUNT} paths get a second seed, as in 6")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--seeds", default="0 1 2", type=whole_numbers, help='such as "0 1 2"')
    parser.add_argument("--has", default="", help="packages beyond torch and torchvision that the machine has")
    parser.add_argument("--other-space", default="", help="a second space, whose table comes last; none if empty")
    parser.add_argument(
        "--again",
        default=record_plan.AGAIN,
        type=number_again,
        help="paths retrained with a second seed (default %(default)s)",
    )
    parser.add_argument(
        "--paths", default=COUNT, type=number_of_paths, help="paths retrained on each target (default %(default)s)"
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
