"""Where data sets lie, and what their records are called.

Nothing here needs torch: the plan of the grid asks it too.
"""

import os
from pathlib import Path


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """`root`, else the environment variable IMBNAS_DATA, else ./data."""
    return Path(root or os.environ.get("IMBNAS_DATA") or "data").expanduser()


def own_data(name: str, root: str | os.PathLike[str] | None = None) -> Path | None:
    """The .npz or folder that `name` is the path of, as it stands or inside the data folder; None where there is none.

    root: the data folder, as in `data_folder`.
    """
    own = Path(name).expanduser()
    return next((place for place in (own, data_folder(root) / own) if place.exists()), None)


def record_name(data: str) -> str:
    """What the files of records call a data set: the last part of its path, without .npz."""
    return Path(data).name.removesuffix(".npz")
