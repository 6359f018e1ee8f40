"""What every stage needs: its description, its files, its random numbers, its device, its clock."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imbnas import profiles, records
from imbnas.data import BENCHMARKS, Dataset, Split, eval_batches, load, parse_target, split
from imbnas.losses import class_weights
from imbnas.profiles import Profile, Scoring
from imbnas.revision import revision
from imbnas.space import Path as PathOf
from imbnas.space import Space, parse_space


def named_generator(seed: int, *names: str) -> torch.Generator:
    """A generator of its own for everything that is drawn, so that no draw moves another."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def work_name(name: str, config: Any) -> str:
    """The name of unfinished work: what it is of, its configuration, and the code that computes it."""
    return f"{name}-{records.identity(records.plain(config))}-{revision()}"


WHOLE = ("seed", "split_seed")  # parameters that are whole numbers

SHARED: ContextVar[int] = ContextVar("shared", default=1)  # stages that have the device together, this one counted


def best_device() -> torch.device:
    """The GPU where there is one. There float32 means float32, not TF32.

    A stage that has it alone tries out which kernels are fastest. Beside others it must not: cuDNN then gives memory
    back to the driver, which spoils what another stream is recording (`imbnas.training.graphs`).
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = False, SHARED.get() == 1
    return torch.device("cuda")


def check_kind(name: str, value: Any, entries: Sequence[Any], more: str = "") -> None:
    """ValueError where an entry of the parameter `name` of a `Run` is not of its kind.

    value: the parameter as it was given, for the message: one entry, or a list of `entries`. more: what else is
    expected.
    """
    if name in WHOLE:
        right, expected = all(type(entry) is int and entry >= 0 for entry in entries), "a whole number from 0"
    elif name == "max_seconds":
        right, expected = value is None or (isinstance(value, int | float) and value > 0), "seconds, more than 0"
    else:
        right, expected = all(isinstance(entry, str) for entry in entries), "text"
    if not right:
        raise ValueError(f"{name} is {value!r}; expected {expected}{more}")


@dataclass(frozen=True)
class Run:
    """One cell of the grid: the parameters of a chapter. Empty `source`, `target_data`, `space`: the profile's.

    `target` is such as "exp-0.01"; `out` is the folder of the records (default: the project's results/); unfinished
    work is kept in runs/ beside it. `max_seconds` ends the stage cleanly as unfinished, to be continued by the
    same line. ValueError, by name, for what can't be run by.
    """

    profile: str
    source: str = ""
    target_data: str = ""
    target: str = "exp-0.01"
    space: str = ""
    seed: int = 0
    split_seed: int = 0
    out: str = ""
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            check_kind(parameter.name, value, [value])
        settings = profiles.load(self.profile)
        for name in ("source", "target_data", "space"):
            object.__setattr__(self, name, getattr(self, name) or getattr(settings, name))
        object.__setattr__(self, "out", self.out or str(profiles.ROOT / "results"))
        parse_target(self.target)
        parse_space(self.space)

    @cached_property
    def settings(self) -> Profile:
        return profiles.load(self.profile)

    @cached_property
    def space_of_paths(self) -> Space:
        return parse_space(self.space)

    @property
    def folder(self) -> Path:
        """Records of one folder compare: another split of the data has a folder of its own, <space>-split<number>."""
        pair = "-".join(Path(data).name.removesuffix(".npz") for data in (self.source, self.target_data))
        split = f"-split{self.split_seed}" if self.split_seed else ""
        return Path(self.out) / self.profile / pair / f"{self.space}{split}"

    def file(self, *parts: str, suffix: str = ".json") -> Path:
        """The record of a stage: results/<profile>/<source>-<target data>/<space>/<parts>-s<seed>.json."""
        return self.folder / f"{'-'.join([*parts, f's{self.seed}'])}{suffix}"

    def work_file(self, config: Any, *parts: str, split: str, suffix: str = ".safetensors") -> Path:
        """Where a stage keeps its unfinished work; other images, another configuration or code get another file.

        split: the hash of the images that it is done on (`Split.hash`).
        """
        name = work_name("-".join([*parts, f"s{self.seed}"]), {"config": config, "split": split})
        return Path(self.out).parent / "runs" / self.folder.relative_to(self.out) / f"{name}{suffix}"


MANY = 2_500  # images that a GPU classifies at once


def random_paths(run: Run, count: int) -> list[PathOf]:
    """The same distinct paths for every seed of a space."""
    generator, drawn = named_generator(0, "gate", "paths"), {}
    while len(drawn) < count:
        drawn[run.space_of_paths.sample(generator)] = None
    return list(drawn)


@dataclass
class Clock:
    """Seconds per part, and the moment at which `max_seconds` are over."""

    max_seconds: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float | None:
        return None if self.max_seconds is None else self.start + self.max_seconds

    @property
    def over(self) -> bool:
        """Whether `max_seconds` have passed, the part under way included."""
        return self.deadline is not None and time.monotonic() > self.deadline

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin


def cost(clock: Clock, device: torch.device, **more: Any) -> dict[str, Any]:
    """The `cost` block of a record: what depends on the machine.

    Where stages ran side by side, seconds are longer and memory is that of all; `device` says so, and stands for
    another device wherever seconds are compared.
    """
    beside = f", shared by {SHARED.get()}" if SHARED.get() > 1 else ""
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_resident_bytes()
    return {
        "seconds": {name: round(value, 2) for name, value in clock.seconds.items()},
        "peak_memory_mib": round(peak / 2**20),
        "device": records.device_name(device) + beside,
        "processor": records.processor(),
        "versions": records.versions(),
        **more,
    }


def peak_resident_bytes() -> int:
    """The most memory this process has held."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@dataclass(frozen=True)
class Target:
    """A long-tailed data set ready to be trained and scored on."""

    dataset: Dataset
    split: Split

    @property
    def weights(self) -> Tensor:
        return class_weights(self.split.search_counts)

    @property
    def class_mean(self) -> bool:
        """Whether scores must be means over classes, because the validation images are long-tailed themselves."""
        return self.split.validation_kind == "from-train"


def load_target(name: str, target: str, split_seed: int, device: torch.device) -> Target:
    """The data set `name`, on `device`, cut to the label distribution `target`.

    Your own data have no images beyond the long tail, so their validation images are cut from it.
    """
    dataset = load(name).to(device)
    validation = "held-out" if name in BENCHMARKS else "from-train"
    return Target(dataset, split(dataset, *parse_target(target), seed=split_seed, validation=validation))


def scoring_batches(target: Target, scoring: Scoring, generator: torch.Generator) -> tuple[list, list, Tensor]:
    """Batches for batch-norm statistics, batches to be scored, and their labels; the same for every path."""
    data, train = target.dataset, target.split.search_train
    size = min(scoring.batches * scoring.batch_size, len(train))
    chosen = train[torch.randperm(len(train), generator=generator)[:size]]
    validation = target.split.validation
    if scoring.images is not None and scoring.images < len(validation):
        validation = validation[torch.randperm(len(validation), generator=generator)[: scoring.images]]

    def batches(index: Tensor, size: int) -> list[Tensor]:
        images = data.train_images[index.to(data.device)]
        return list(eval_batches(images, data.mean, data.std, size))

    at_once = MANY if data.device.type == "cuda" else scoring.batch_size  # a score hardly depends on how many
    labels = data.train_labels[validation.to(data.device)]
    return batches(chosen, scoring.batch_size), batches(validation, at_once), labels


def progress(prefix: str):
    """One clean line of progress at a time: rewritten in a terminal, printed line by line in a log."""
    interactive = os.isatty(1)

    def report(line: str) -> None:
        print(f"{prefix} · {line}", end="\r" if interactive else "\n", flush=True)

    return report
