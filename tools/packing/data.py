"""Data, compressed and cut into parts, so that they can travel in several goes."""

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

from record.files import sha256, write

from imbnas.places import data_folder

from . import PackFailed

PART = 45_000_000  # bytes of a part of the data
# A natural image is predicted from the pixel to the left, three bytes back, and from the one above, a row of 32 back.
FILTERS = [
    {"id": lzma.FILTER_DELTA, "dist": 96},
    {"id": lzma.FILTER_DELTA, "dist": 3},
    {"id": lzma.FILTER_LZMA2, "preset": 0},
]


def pack_data(folder: Path, name: str) -> dict[str, str | dict[str, str]]:
    """One data file, compressed and cut into parts; parts of an earlier pack of the same file are kept."""
    source = data_folder() / f"{name}.npz"
    if not source.exists():
        raise PackFailed(f"{source} does not exist: put {name}.npz there, or point IMBNAS_DATA at a folder that has it")
    card = folder / f"{name}.json"
    whole = sha256(source)
    if card.exists():
        kept = json.loads(card.read_text())
        if kept["sha256"] == whole and all((folder / part).exists() for part in kept["parts"]):
            return kept
    folder.mkdir(exist_ok=True)
    parts = {}
    for number, block in enumerate(blocks(source)):
        part = folder / f"{name}.npz.xz.{number}"
        write(part, block)
        parts[part.name] = sha256(part)
    found = {"sha256": whole, "parts": parts}
    write(card, json.dumps(found))
    return found


def blocks(source: Path) -> Iterator[bytes]:
    """The file, compressed, `PART` bytes at a time."""
    held = bytearray()
    for compressed in compress(source):
        held += compressed
        while len(held) > PART:
            yield bytes(held[:PART])
            del held[:PART]
    yield bytes(held)


def compress(source: Path) -> Iterator[bytes]:
    compressor = lzma.LZMACompressor(format=lzma.FORMAT_XZ, filters=FILTERS)
    with open(source, "rb") as file:
        while chunk := file.read(1 << 22):
            yield compressor.compress(chunk)
    yield compressor.flush()
