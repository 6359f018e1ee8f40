"""Tensors on disk: safetensors, written whole or not at all; nothing that is read is executed."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from imbnas.files import whole


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file atomically: whole, or not at all; equal contents give equal bytes."""
    data = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, dict(metadata))
    with whole(path) as file:
        file.writelines(in_order(data))


def in_order(data: bytes) -> tuple[bytes, memoryview]:
    """Header and tensors of a safetensors file, the header sorted: as written, its order changes from run to run."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__", {}).items()))} | dict(sorted(header.items()))
    text = json.dumps(ordered, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text, memoryview(data)[end:]


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file; nothing in it is executed.

    FileNotFoundError where there is none, ValueError where it is not whole.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a safetensors file: give the path of one")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except Exception as fault:
        raise ValueError(f"{path} is not a whole safetensors file ({fault}); delete it and run again") from fault
