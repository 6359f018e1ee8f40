"""The wheels of what a stage imports and the machine lacks, fetched for its Python."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from fits import required
from packaging.requirements import Requirement
from record.files import partial, write
from record.take_in import plain_name

from . import PackFailed

PYTHON = "3.12"
STAMP = "wanted.sha256"  # beside the wheels: what they were fetched for
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17, 12, 5)] + ["manylinux2014_x86_64"]
# What a stage imports, torch and torchvision apart; requirements.txt has their bounds.
WANTED = ("scipy", "pandas", "matplotlib", "pyyaml", "safetensors", "jaxtyping", "papermill", "ipykernel")
# What torch and torchvision bring with them.
THERE = "filelock fsspec jinja2 markupsafe mpmath networkx numpy pillow setuptools sympy typing-extensions"


def requirements() -> list[str]:
    """The lines of requirements.txt that a stage needs."""
    return [line for line in required() if plain_name(Requirement(line).name) in WANTED]


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
