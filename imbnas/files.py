"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """An open file that takes the place of `path` when the block ends.

    Its folder is made where needed. After any error `path` is as it was and nothing is left beside it. Where the power
    fails right after, `path` is as it was or the whole new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid4().hex}")  # opened by name, not by tempfile: others may read it too
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
