"""Run what is missing of the experiment grid through Snakemake, or show what would run.

    python tools/grid.py profile=smoke seeds="0 1" [source=…] [target_data=…] [space=…] [out=…]

One grid runs at a time in a working folder. A grid that was killed left its lock behind: where no other
grid lives, the lock is lifted and the same line goes on.
"""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROFILES = ROOT / "profiles"
KEYS = ("profile", "seeds", "source", "target_data", "space", "split_seed", "out", "targets", "paths")
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def one_of(names: Iterable[str], what: str, name: str) -> str:
    """The name, where it is one of those that `profiles/` holds."""
    names = sorted(names)
    if name not in names:
        raise argparse.ArgumentTypeError(f"there is no {what} '{name}'; profiles/ holds {', '.join(names)}")
    return name


def way_to_run(name: str) -> str:
    """A folder of `profiles/` that says how Snakemake runs."""
    return one_of((path.parent.name for path in PROFILES.glob("*/config.yaml")), "way to run", name)


def setting(text: str) -> str:
    """`key=value` as Snakemake is to read it."""
    name, equals, value = text.partition("=")
    key = name.lower()
    if not equals or key not in KEYS or not value:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(f'{key}=…' for key in KEYS)}")
    if key == "profile":
        one_of((path.stem for path in PROFILES.glob("*.yaml")), "profile", value)
    if key == "seeds" and not value.replace(" ", "").isdigit():
        raise argparse.ArgumentTypeError(f"seeds '{value}' are not whole numbers with spaces between, as in \"0 1 2\"")
    if key == "targets":
        check_targets(value.split())
    if key == "split_seed" and not value.isdigit():
        raise argparse.ArgumentTypeError(f"split_seed '{value}' is not a whole number, as in 1")
    if key == "paths" and not (value.isdigit() and 1 <= int(value) <= 48):
        raise argparse.ArgumentTypeError(f"paths '{value}' is not how many of the 48 paths are retrained, as in 24")
    return f"{key}={value}"


def check_targets(names: list[str]) -> None:
    """Refuse what is no label distribution, with the library's own message."""
    from imbnas.data import parse_target

    for name in names:
        try:
            parse_target(name)
        except ValueError as fault:
            raise argparse.ArgumentTypeError(f"targets: {fault}") from None


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


def take_records_as_they_are(line: list[str]) -> None:
    """In a fresh clone every file is as old as the clone: mark the records that came with it as up to date."""
    subprocess.run([*line, "--touch"], capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="local", type=way_to_run)
    parser.add_argument("--at-once", type=int, help="stages side by side; by default 1 on a GPU, else one per core")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--goals", nargs="+", default=[], metavar="RULE", help="table (the default), baselines, …")
    parser.add_argument("settings", nargs="+", type=setting, metavar="key=value")
    arguments = parser.parse_args()
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
    if not Path(".snakemake/metadata").exists():
        take_records_as_they_are(line)
    if arguments.dry_run:
        return subprocess.run([*line, "--dry-run"]).returncode
    if not alone():
        print("Another grid is running in this folder: wait for it, or stop it first.", file=sys.stderr)
        return 1
    if any(Path(".snakemake/locks").glob("*")):
        subprocess.run([*line, "--unlock"], check=True, capture_output=True)
    os.execv(sys.executable, line)


if __name__ == "__main__":
    sys.exit(main())
