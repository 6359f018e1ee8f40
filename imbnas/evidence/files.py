"""Tables as files, and the commands that write them."""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

import pandas as pd


def in_csv(frame: pd.DataFrame, digits: int = 4) -> str:
    """A table as CSV without its index, with so many digits after the point."""
    return frame.to_csv(index=False, float_format=f"%.{digits}f")


def refuse_arguments() -> None:
    """SystemExit, with a usage line, where the running module was given arguments; --help prints what it does."""
    running = sys.modules["__main__"]
    name = f"python -m {running.__spec__.name}" if running.__spec__ else None
    ArgumentParser(name, description=running.__doc__, formatter_class=RawDescriptionHelpFormatter).parse_args()
