"""Run what is missing of the experiment grid through Snakemake, or show what would run.

    python tools/grid.py profile=smoke seeds="0 1" [source=…] [target_data=…] [space=…] [out=…]

One grid runs at a time in a working folder. A grid that was killed left its lock behind: where no other
grid lives, the lock is lifted and the same line goes on.
"""

import argparse
import contextlib
import difflib
import fcntl
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from project import ROOT
from record.numbers import whole, wholes

PROFILES = ROOT / "profiles"
KEYS = ("profile", "seeds", "source", "target_data", "space", "split_seed", "out", "targets", "paths", "again")
GOALS = ("table", "baselines", "controls", "gate", "ranking", "premise")  # rules of the Snakefile
GOALS += ("validity", "brief", "truth", "darts", "landscape")  # those that belong to no profile
NUMBERS = {
    "seeds": wholes("seeds '{}' are not whole numbers with spaces between, as in \"0 1 2\""),
    "split_seed": whole("split_seed '{}' is not a whole number, as in 1"),
    "paths": whole("paths '{}' is not how many of the 48 paths are retrained, as in 24", 1, 48),
    "again": whole("again '{}' is not how many paths get a second seed, as in 6", 0, 48),
}
MADE = (".json", ".csv", ".safetensors")  # what the grid leaves among its records
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def one_of(names: Iterable[str], what: str, name: str) -> str:
    """The name, where it is one of those that `profiles/` holds."""
    names = sorted(names)
    if name not in names:
        raise argparse.ArgumentTypeError(f"there is no {what} '{name}'; profiles/ holds {', '.join(names)}")
    return name


def way_to_run(name: str) -> str:
    """A folder of `profiles/` that says how Snakemake runs."""
    one_of((path.parent.name for path in PROFILES.glob("*/config.yaml")), "way to run", name)
    executor = yaml.safe_load((PROFILES / name / "config.yaml").read_text()).get("executor", "local")
    plugin = f"snakemake_executor_plugin_{executor}".replace("-", "_")
    if executor != "local" and importlib.util.find_spec(plugin) is None:
        raise argparse.ArgumentTypeError(f"RUN={name} needs `pip install {plugin.replace('_', '-')}`")
    return name


def setting(text: str) -> str:
    """`key=value` as Snakemake is to read it."""
    name, equals, value = text.partition("=")
    key = name.lower()
    if not equals or key not in KEYS or not value:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(f'{key}=…' for key in KEYS)}")
    if key == "profile":
        one_of((path.stem for path in PROFILES.glob("*.yaml")), "profile", value)
        refused_by(lambda profiles: profiles.load(value), "imbnas.profiles", "profile")
    if key == "space":
        refused_by(lambda space: space.parse_space(value), "imbnas.space", "space")
    if key in ("source", "target_data"):
        refused_by(lambda own: own.check_name(value), "own_data", key)
    if key == "out":
        value = str(Path(value))  # without a slash at its end, as Snakemake wants it
    if key in NUMBERS:
        NUMBERS[key](value)
    if key == "targets":
        for name in value.split():
            refused_by(lambda names, name=name: names.parse_target(name), "imbnas.names", "targets")
    return f"{key}={value}"


def refused_by(door: Callable[[ModuleType], Any], module: str, key: str) -> None:
    """Refuse what the library refuses, in its own words, before anything runs."""
    try:
        door(importlib.import_module(module))
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{key}: {fault}") from None


def goal(name: str) -> str:
    """A goal of the Snakefile."""
    if name not in GOALS:
        raise argparse.ArgumentTypeError(f"there is no goal '{name}'; expected {', '.join(GOALS)}")
    return name


def refuse_unknown_variables(flags: str) -> None:
    """SystemExit where `make` was given a variable that its Makefile doesn't know, and would leave unread.

    flags: MAKEFLAGS, as make hands it down; the variables of its command line stand behind two dashes.
    """
    given = [word.partition("=")[0] for word in shlex.split(flags.partition("-- ")[2]) if "=" in word]
    known = set(re.findall(r"[A-Z][A-Z_]+", (ROOT / "Makefile").read_text(encoding="utf-8"))) if given else set()
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), 1)
            meant = f"did you mean {near[0]}?" if near else "its head says which there are"
            sys.exit(f"the Makefile knows no variable {name}: {meant}")


def alone() -> bool:
    """Hold this folder's grid until this process and the Snakemake that takes its place end; False if another does."""
    folder = ROOT / ".snakemake"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / "grid.lock", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def stages_at_once() -> int:
    """One on a GPU, which a stage fills; one per core without."""
    return 1 if shutil.which("nvidia-smi") else os.cpu_count() or 1


def take_records_as_they_are(out: Path) -> None:
    """In a fresh clone files are as old as the moment they were copied: make all records of one age, up to date.

    A plan needs it as well: where Snakemake has no notes of its own it goes by the age of files, whatever it is told.
    Files that the grid does not make stay as they are.
    """
    now = time.time()
    for file in out.rglob("*"):
        if file.suffix in MADE:
            with contextlib.suppress(FileNotFoundError):  # a link to nothing
                os.utime(file, (now, now))


def lift_the_lock(line: list[str]) -> int:
    """Snakemake's status of `--unlock`; what it said is shown only where that failed."""
    run = subprocess.run([*line, "--unlock"], capture_output=True, text=True)
    if run.returncode:
        print(f"{run.stdout}{run.stderr}The lock of the last grid was not lifted.", file=sys.stderr)
    return run.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="local", type=way_to_run)
    at_once = whole("'{}' stages side by side; expected a whole number from 1", 1)
    parser.add_argument("--at-once", type=at_once, help="stages side by side; by default 1 on a GPU, else one per core")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--goals", nargs="+", default=[], type=goal, metavar="GOAL", help=", ".join(GOALS))
    parser.add_argument("settings", nargs="+", type=setting, metavar="key=value")
    arguments = parser.parse_args()
    refuse_unknown_variables(os.environ.get("MAKEFLAGS", ""))
    line = [
        *SNAKEMAKE,
        *arguments.goals,
        "--workflow-profile",
        f"profiles/{arguments.run}",
        "--config",
        *arguments.settings,
    ]
    if arguments.run == "local":
        line += ["--resources", f"gpu={arguments.at_once or stages_at_once()}"]
    os.chdir(ROOT)
    settings = dict(setting.split("=", 1) for setting in arguments.settings)
    if settings.keys() & {"source", "target_data"}:
        own = importlib.import_module("own_data")
        own.refuse_records_of_others(settings)
        own.refuse_faulty_images(settings)
    if not arguments.dry_run and not alone():
        print("Another grid is running in this folder: wait for it, or stop it first.", file=sys.stderr)
        return 1
    if not Path(".snakemake/metadata").exists():
        take_records_as_they_are(ROOT / settings.get("out", "results"))
    if arguments.dry_run:
        return subprocess.run([*line, "--dry-run"]).returncode
    if any(Path(".snakemake/locks").glob("*")) and (status := lift_the_lock(line)):
        return status
    os.execv(sys.executable, line)


if __name__ == "__main__":
    sys.exit(main())
