"""The project's root, on Python's path: a tool finds the library wherever it is called from, inside `make` or not."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
