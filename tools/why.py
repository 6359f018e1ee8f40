"""Say in one message why a stage failed, from the log that papermill left.

python tools/why.py RUN.txt
"""

import sys
from pathlib import Path

MARK = "Exception encountered at"


def why(log: str) -> str:
    """What the failed cell said; where no cell failed, the last line of the log."""
    if MARK in log:
        return log.rpartition(MARK)[2].partition("\n")[2].strip()
    lines = log.strip().splitlines()
    return lines[-1].strip() if lines else "the run left no log"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        message = why(Path(name).read_text(errors="replace"))
        print(f"{Path(name).stem}: {message}\n  the whole log: {name}", file=sys.stderr)
