"""Taking in what came with a pack: its plan, code, wheels, unfinished work and data."""

import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from .files import partial, sha256, unpack

PLAN = "plan.json"
NEEDED = "torch, papermill, ipykernel.kernelapp, matplotlib, pandas, scipy, yaml, safetensors, jaxtyping"


class RunFailed(Exception):
    """A pack or a part of it that cannot be used; the message says how to mend it."""


def read_plan(pack: Path) -> dict[str, Any]:
    """What the pack's plan says is to be done."""
    try:
        plan = json.loads((pack / PLAN).read_text())
        missing = [name for name in ("steps", "taken", "data") if name not in plan]
    except (ValueError, TypeError) as fault:
        raise RunFailed(f"{pack / PLAN} is damaged ({fault}): copy it again, or make the pack anew") from None
    if missing:
        raise RunFailed(f"{pack / PLAN} lacks {', '.join(missing)}: copy it again, or make the pack anew")
    return plan


def take_in(pack: Path, work: Path, plan: dict[str, Any], will_run: bool) -> None:
    """Lay out what this pack brought; what earlier calls brought stays. `RunFailed` where steps will not run here."""
    work.mkdir(parents=True, exist_ok=True)
    if (pack / "code.tar.gz").exists():
        shutil.rmtree(work / "code", ignore_errors=True)
        unpack(pack / "code.tar.gz", work / "code")
    if (pack / "taken.tar").exists():
        unpack(pack / "taken.tar", work)
    if install(sorted(pack.glob("wheels/*.whl")), work / "site") or will_run:
        refuse_without(NEEDED, work / "site")
    for name, data in plan["data"].items():
        take_data(pack / "data", work, name, data)


def plain_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def install(wheels: list[Path], site: Path) -> bool:
    """Install, into a folder of their own, the wheels of packages that this Python lacks; whether there were any."""
    there = {plain_name(found.name) for found in distributions(path=[*sys.path, str(site)]) if found.name}
    lacking = [wheel for wheel in wheels if plain_name(wheel.name.split("-")[0]) not in there]
    if lacking:
        options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", "--target", str(site)]
        run = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, *lacking], capture_output=True, text=True
        )
        if run.returncode:
            raise RunFailed(f"the wheels could not be installed: {run.stderr.strip()}")
    return bool(lacking)


def refuse_without(modules: str, site: Path) -> None:
    """`RunFailed` where something can't be imported: before the first step, and not by every one of them."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    run = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["Python said nothing"])[-1]
        raise RunFailed(f"this machine can't run the stages ({said}): pack again, with no more in HAS than is there")


def take_data(folder: Path, work: Path, name: str, data: dict[str, Any]) -> None:
    """Keep the parts that came along; once all are here, join them to `name`. What an earlier pack brought goes."""
    whole = work / "data" / name
    parts = [work / "parts" / part for part in data["parts"]]
    drop_unlike(whole, data["sha256"])
    for part in parts:
        drop_unlike(part, data["parts"][part.name])
        source = folder / part.name
        if source.exists() and not part.exists() and not whole.exists():
            if sha256(source) != data["parts"][part.name]:
                raise RunFailed(f"{source} is damaged: copy it again, or make the pack anew")
            part.parent.mkdir(exist_ok=True)
            shutil.copy(source, partial(part))
            partial(part).replace(part)
    if not whole.exists() and all(part.exists() for part in parts):
        join(parts, whole, data["sha256"])


def drop_unlike(path: Path, expected: str) -> None:
    """Remove a file that is not what the plan names, as where another pack brought it."""
    if path.exists() and sha256(path) != expected:
        path.unlink()


def join(parts: list[Path], whole: Path, expected: str) -> None:
    """Decompress the parts, one after the other, to one file."""
    whole.parent.mkdir(exist_ok=True)
    decompressor = lzma.LZMADecompressor()
    with open(partial(whole), "wb") as file:
        for part in parts:
            file.write(decompressor.decompress(part.read_bytes()))
    if sha256(partial(whole)) != expected:
        raise RunFailed(f"{whole.name} is not what was packed: make the pack anew")
    partial(whole).replace(whole)
    for part in parts:
        part.unlink()
