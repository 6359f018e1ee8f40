"""Say in one message why a stage failed, from the log that papermill left.

python tools/why.py RUN.txt
"""

import argparse
import sys
from pathlib import Path

MARK = "Exception encountered at"


def why(log: str) -> str:
    """What the failed cell said; where no cell failed, the last line of the log."""
    if MARK in log:
        return log.rpartition(MARK)[2].partition("\n")[2].strip()
    lines = log.strip().splitlines()
    return lines[-1].strip() if lines else "the run left no log"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path, metavar="RUN.txt", help="what papermill printed")
    missing = False
    for path in parser.parse_args().logs:
        try:
            message = f"{why(path.read_text(errors='replace'))}\n  the whole log: {path}"
        except OSError as fault:
            missing, message = True, f"no log can be read ({fault}): name the file that the run printed to"
        print(f"{path.stem}: {message}", file=sys.stderr)
    return missing


if __name__ == "__main__":
    sys.exit(main())
