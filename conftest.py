"""What every test and every notebook kernel under test shares."""

import os
from pathlib import Path

ROOT = str(Path(__file__).parent)

# One thread for each test worker: two workers with two threads each are slower on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Kernels start in the chapter's own folder and must find the library.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
