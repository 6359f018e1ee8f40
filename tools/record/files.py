"""Files and archives, each whole or not at all."""

import contextlib
import hashlib
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

SAFE = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11 knows filters from 3.11.4 on


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    partial(path).write_bytes(content.encode() if isinstance(content, str) else content)
    partial(path).replace(path)


def pack(archive: Path, root: Path, files: Iterable[Path]) -> None:
    """An archive of files by their names under `root`; one that is replaced meanwhile goes in as it was.

    One that is gone meanwhile is left out: a step removes its checkpoints once its record is there.
    """
    with tarfile.open(partial(archive), "w") as tar:
        for path in files:
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                tar.addfile(tar.gettarinfo(arcname=str(path.relative_to(root)), fileobj=file), file)
    partial(archive).replace(archive)


def unpack(archive: Path, folder: Path) -> None:
    """Files that the folder lacks, each whole or not at all; what this machine made is at least as new.

    A record comes after what belongs to it, since a step is finished once its record is there.
    """
    scratch = partial(folder / archive.name)
    shutil.rmtree(scratch, ignore_errors=True)  # of a call that was killed
    try:
        with tarfile.open(archive) as tar:
            missing = [member for member in tar if member.isfile() and not (folder / member.name).exists()]
            tar.extractall(scratch, missing, **SAFE)
        for name in sorted({member.name for member in missing}, key=lambda name: name.endswith(".json")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).replace(folder / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
