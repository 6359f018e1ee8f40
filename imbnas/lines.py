"""Which chapter runs which stage, and the line to type for a record that is missing."""

import shlex
from typing import Any

from imbnas.revision import LIBRARY

CHAPTER = {  # stage, or the procedure of a search: the notebook in book/
    "darts": "03-darts",
    "supernet": "04-super-network",
    "validity": "04-super-network",
    "landscape": "05-search",
    "P0": "06-p0",
    "control": "06-p0",
    "P1": "07-p1",
    "P1-random": "07-p1",
    "gate": "07-p1",
    "truth": "07-p1",
    "P2": "08-p2",
    "P3": "09-p3",
    "retrain": "10-table-2",
    "ranking": "12-ranking",
}


def line(stage: str, run: Any, **more: Any) -> str:
    """The papermill line that writes a record of `run`, by the chapter of `stage`.

    run: a `stages.Run`, of which this module knows nothing, so that a plan of the grid needs no torch.
    more: parameters of that chapter, such as the procedure. What the profile says, or a chapter does unasked, is left
    out.
    """
    usual = {name: getattr(run.settings, name) for name in ("source", "target_data", "space")}
    usual |= {"split_seed": 0, "out": str(LIBRARY.parent / "results")}
    named = {name: getattr(run, name) for name in usual if getattr(run, name) != usual[name]}
    given = {"profile": run.profile, **named, **more, "seed": run.seed}
    words = ["python", "-m", "papermill", f"book/{CHAPTER[stage]}.ipynb", "run.ipynb"]
    return shlex.join(words + [word for name, value in given.items() for word in ("-p", name, str(value))])
