"""Run a slice of a record run on a machine that has Python with torch, and nothing else of what the book needs.

    python3 run.py                take in what came along: code, wheels, parts of the data
    python3 run.py OUT            and run for 500 seconds, leaving in OUT what there is to take back
    python3 run.py OUT --seconds 300 --at-once 4 --only supernet retrain-P1
    python3 run.py OUT --streams 6    all stages in one process, six at once: on a GPU, as streams side by side

Made by `make record-pack`, which lays its modules, plan, code, wheels and data beside it. Each slice continues from the
one before, on this machine or on a fresh one whose pack was made after `make record-merge`. Needs the standard library
alone.
"""

import argparse
import contextlib
import lzma
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from record.leave import leave
from record.numbers import whole
from record.slice import Slice
from record.steps import Step
from record.take_in import RunFailed, read_plan, take_in

PACK = Path(__file__).resolve().parent


def chosen(steps: list[Step], only: list[str]) -> list[Step]:
    """The steps that leave what one of `only` names; all of them when none is given.

    The beginning of a file's name, or, with a "/", a pattern of its whole path, as in "results/paper/*/path-0*".
    """

    def named(leaves: str, one: str) -> bool:
        return fnmatch(leaves, f"{one}*") if "/" in one else Path(leaves).name.startswith(one)

    found = [step for step in steps if not only or any(named(step["leaves"], one) for one in only)]
    if not found:
        names = ", ".join(Path(step["leaves"]).stem for step in steps)
        raise RunFailed(f"no step begins with {' or '.join(only)}; the plan has {names}")
    return found


def why(work: Path, log: Path) -> str:
    """Why a step failed, in one message."""
    tool = [sys.executable, str(work / "code" / "tools" / "why.py"), str(log)]
    return subprocess.run(tool, capture_output=True, text=True).stderr.strip()


def run_slice(arguments: argparse.Namespace, plan: dict[str, Any], begin: float) -> int:
    """Run, and after every step that ends, and when stopped, renew what is in OUT, so that nothing is lost."""
    work, out = arguments.work.resolve(), arguments.out.resolve()
    lines: list[str] = []
    steps = chosen(plan["steps"], arguments.only)
    under_way = Slice(steps, work, arguments.seconds, arguments.at_once, begin, arguments.streams)
    out.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    try:
        for step, state in under_way.run():
            say(f"{time.monotonic() - begin:5.0f} s  {state:10} {step['name']}")
            if state == "failed":
                say(under_way.message(step) or why(work, under_way.logs[step["leaves"]]))
            leave(work, out, plan, under_way.states, under_way.ended_logs(), lines)
        states = list(under_way.states.values())
        say(" · ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)))
    finally:
        # checkpoints too, where this is stopped before a step has ended
        leave(work, out, plan, under_way.states, under_way.ended_logs(), lines)
    return 1 if "failed" in states else 0


def duration(text: str) -> float:
    """Seconds."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"'{text}'; expected seconds, more than 0")


def main() -> int:
    begin = time.monotonic()
    count = whole("'{}'; expected a whole number from 1", 1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT", help="an empty folder for what is to be taken back")
    parser.add_argument("--seconds", type=duration, default=500, help="when to stop, counted from here (default 500)")
    parser.add_argument("--at-once", type=count, default=1, help="processes side by side (default 1)")
    parser.add_argument("--streams", type=count, default=1, help="stages of one process at once (default 1)")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="beginnings of records' names, or patterns of their paths: results/paper/*/path-0",
    )
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "imbnas-record-run", help="(default %(default)s)"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what runs is stopped, and nothing outlives this
    try:
        plan = read_plan(PACK)
        take_in(PACK, arguments.work.resolve(), plan, will_run=bool(arguments.out))
        return run_slice(arguments, plan, begin) if arguments.out else 0
    except (RunFailed, OSError, lzma.LZMAError, tarfile.TarError) as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
