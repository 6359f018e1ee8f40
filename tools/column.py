"""Columns of Table 2 in one process: on a GPU, whatever can run at the same time does, as streams side by side.

    python tools/column.py PROFILE TARGET [TARGET …] [--seed 0] [--streams 6] [--seconds 600] [--out FOLDER]

The steps are those of a record run, and their records the same; one that exists is not made again. What is unfinished
when the time is over goes on by the same line.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from packing.grid import Grid
from project import ROOT
from record.numbers import whole
from record.steps import as_chapter

from imbnas.names import parse_target
from imbnas.stages.streams import STREAMS
from imbnas.stages.together import Step, together


def of_column(step: dict[str, Any], root: Path) -> Step:
    """A step as one process runs it, its records below `root`; data lie wherever this project finds them."""
    needs = [need for need in step["needs"] if not need.startswith("data/")]
    chapter = as_chapter(step | {"needs": needs}, root)
    return Step(**chapter | {"notebook": str(ROOT / chapter["notebook"])})


def main() -> int:
    count = whole("'{}'; expected a whole number from 1", 1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile")
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="such as exp-0.01")
    parser.add_argument("--seed", type=whole("'{}'; expected a whole number from 0", 0), default=0)
    parser.add_argument("--streams", type=count, default=STREAMS, help="stages at once on a GPU (default %(default)s)")
    parser.add_argument("--seconds", type=count, help="when to stop (default: at the end)")
    parser.add_argument("--out", type=Path, default=ROOT / "results", help="the folder of the records")
    given = parser.parse_args()
    try:
        for target in given.targets:
            parse_target(target)
        out = given.out.resolve()
        table = Grid(given.profile, out=out.name).table(given.seed, given.targets)
        outcome = together([of_column(step, out.parent) for step in table], given.streams, given.seconds)
        print(outcome, "; the same line goes on" if outcome.unfinished else "", sep="")
        return 1 if outcome.failed or outcome.unfinished else 0
    except ValueError as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
