"""Where data sets, records and unfinished work lie, and what records call a data set.

Nothing here needs torch: the plan of the grid asks it too.
"""

import os
from pathlib import Path


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """`root`, else the environment variable IMBNAS_DATA, else ./data."""
    return at_home(root or os.environ.get("IMBNAS_DATA") or "data")


def at_home(path: str | os.PathLike[str]) -> Path:
    """A path with the home folder in place of its ~; as it stands where nobody is called so."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def own_data(name: str, root: str | os.PathLike[str] | None = None) -> Path | None:
    """The .npz or folder that `name` is the path of, as it stands or inside the data folder; None where there is none.

    root: the data folder, as in `data_folder`.
    """
    own = at_home(name)
    return next((place for place in (own, data_folder(root) / own) if place.exists()), None)


def record_name(data: str) -> str:
    """What the files of records call a data set: the last part of its path, without .npz."""
    return Path(data).name.removesuffix(".npz")


def grid_folder(profile: str, source: str, target_data: str, space: str, split_seed: int = 0) -> Path:
    """The folder of a grid's records below that of all: <profile>/<source>-<target data>/<space>[-split<number>].

    Records of one folder compare: another split of the data has a folder of its own.
    """
    pair = "-".join(map(record_name, (source, target_data)))
    return Path(profile) / pair / f"{space}{f'-split{split_seed}' if split_seed else ''}"


def work_root(out: Path) -> Path:
    """Where unfinished work is kept: runs/ beside `out`, the folder of the records."""
    known = out.name not in ("", "..")  # "." and "a/.." do not say what they lie in
    return (out if known else out.resolve()).parent / "runs"
