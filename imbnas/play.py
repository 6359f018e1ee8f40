"""The whole comparison in half a minute: digits as source, twenty other characters as target, 64 paths.

    python -m imbnas.play     train the source super-network, retrain every path twice on each target: results/play/

The chapters play with it live. It is real and far too small to say anything about CIFAR; what it has over the grid is
that all of its paths were retrained, so that every ranking can be held against the truth.
"""

import copy
import itertools
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from imbnas import profiles, records
from imbnas.adaptation import train_supernet
from imbnas.data import Batches, Dataset, eval_batches, load, parse_target, split
from imbnas.evaluation import features
from imbnas.evidence.files import refuse_arguments
from imbnas.losses import class_weights
from imbnas.models import SubNet, SuperNet
from imbnas.profiles import Scoring
from imbnas.space import MacroSpace, digits
from imbnas.stages.clock import Clock, cost
from imbnas.stages.draws import named_generator
from imbnas.stages.retrain import test
from imbnas.stages.supernet import load_supernet, save_supernet
from imbnas.stages.target import Target, scoring_batches
from imbnas.training import Log, Recipe, fit

FOLDER = profiles.ROOT / "results" / "play"
SPACE = MacroSpace(width=8, layers=(1, 1, 1))
PATHS = tuple(itertools.product(range(SPACE.choices), repeat=SPACE.genes))
CLASSES, SEEDS = 20, 2
RETRAINED = ("exp-0.01", "balance")  # the distributions on which every path was retrained
CPU = torch.device("cpu")


def recipe(length: int, rate: float, reweight_from: int | None = None, batch_size: int = 32) -> Recipe:
    """Steps, at a rate that rises for 20 of them and then falls along a half cosine."""
    options = {"unit": "steps", "shape": "cosine", "warmup": min(20, length), "reweight_from": reweight_from}
    return Recipe(length, rate, batch_size=batch_size, **options)


SUPERNET = recipe(800, 0.1)
P1 = recipe(300, 0.1, reweight_from=0, batch_size=64)
P2 = recipe(200, 0.1, reweight_from=133)
RETRAIN = recipe(400, 0.05, reweight_from=280)


@cache
def source(distribution: str = "balance") -> Target:
    """The ten digits, cut to a label distribution."""
    data = load("glyphs10")
    return Target(data, split(data, *parse_target(distribution)))


@cache
def target(distribution: str = "exp-0.01") -> Target:
    """The first twenty characters of glyphs100, 200 images in the largest class, cut to a label distribution."""
    data = first_classes(load("glyphs100"), CLASSES)
    return Target(data, split(data, *parse_target(distribution)))


def one(targets: str | Sequence[str]) -> str:
    """The label distribution that a page plays with: of a list, which is for runs with a profile, the first."""
    if isinstance(targets, str):
        return targets
    print(f"target is a list, for runs with a profile: this page plays with its first, {targets[0]}")
    return targets[0]


def first_classes(data: Dataset, count: int) -> Dataset:
    """The data set of the classes below `count` alone."""
    train, tested = data.train_labels < count, data.test_labels < count
    return Dataset(
        f"{data.name}[:{count}]",
        data.train_images[train],
        data.train_labels[train],
        data.test_images[tested],
        data.test_labels[tested],
        data.class_names[:count],
    )


def draws(name: str, seed: int = 0) -> torch.Generator:
    """A generator for one purpose."""
    return named_generator(seed, "play", name)


def batches(on: Target, by: Recipe, seed: int = 0, whole: bool = False) -> Batches:
    """Un-augmented batches of the search-training images, or of the `whole` long-tailed set for retraining."""
    index = on.split.full_train if whole else on.split.search_train
    return Batches(on.dataset, index, by.batch_size, draws("batches", seed), augment=False)


def train_source(seed: int = 0, by: Recipe = SUPERNET) -> tuple[SuperNet, Log]:
    """A super-network of the digits: about seven seconds on one thread."""
    net = SuperNet(SPACE, 10, draws("weights", seed))
    return net, train_supernet(net, batches(source(), by, seed), by, draws("paths", seed))


def supernet(seed: int = 0, steps: int = int(SUPERNET.length)) -> SuperNet:
    """A super-network of the digits, yours to change: the committed one, or for other arguments one trained here."""
    if (seed, steps) == (0, SUPERNET.length):
        return load_supernet(FOLDER / "supernet-s0.safetensors", SPACE, CPU)
    return copy.deepcopy(trained(seed, steps))


@cache
def trained(seed: int, steps: int) -> SuperNet:
    """A super-network of the digits, trained once in a session: not to be changed."""
    return train_source(seed, recipe(steps, SUPERNET.rate))[0]


def batches_in_order(on: Target) -> list[Float32[Tensor, "batch 3 height width"]]:
    """The search-training images, un-augmented, in the order of the split."""
    data = on.dataset
    return list(eval_batches(data.train_images[on.split.search_train], data.mean, data.std, 128))


@torch.inference_mode()
def hits(net: SuperNet, on: Target) -> tuple[Bool[Tensor, "paths images"], Int64[Tensor, " images"]]:
    """Which validation images every path gets right, and their labels; batch norm re-estimated for each path."""
    statistics, validation, labels = scoring_batches(on, Scoring(batches=4), draws("scoring"))
    rows = features(net, PATHS, statistics, validation)
    return torch.stack([net.classifier(row).argmax(1) == labels for row in rows]), labels


def scores(net: SuperNet, on: Target) -> pd.Series:
    """Accuracy (percent) of every path on the validation images, by the path's digits."""
    return series((100 * hits(net, on)[0].double().mean(1)).tolist())


def thirds(net: SuperNet, on: Target) -> dict[str, float]:
    """Mean accuracy (percent) over the paths, for the head, middle and tail third of the classes, and for all."""
    right, labels = hits(net, on)
    head, _, tail = torch.arange(on.dataset.num_classes).tensor_split(3)
    parts = {"head third": labels <= head[-1], "middle third": (labels > head[-1]) & (labels < tail[0])}
    parts |= {"tail third": labels >= tail[0], "all": labels >= 0}
    return {name: float(100 * right[:, chosen].double().mean()) for name, chosen in parts.items()}


def series(values: Sequence[float]) -> pd.Series:
    """One value per path, by the path's digits."""
    return pd.Series(list(values), index=[digits(path) for path in PATHS])


def retrain(path: tuple[int, ...], on: Target, seed: int = 0) -> tuple[SubNet, Log]:
    """One path trained alone, from scratch, on the whole long-tailed set: about three seconds."""
    net = SubNet(SPACE, path, on.dataset.num_classes, draws(f"retrain {digits(path)}", seed)).train()
    weights = class_weights(on.split.counts)
    return net, fit(net, net, batches(on, RETRAIN, seed, whole=True), RETRAIN, weights=weights)


def retrained(distribution: str = "exp-0.01") -> pd.DataFrame:
    """Test accuracy (percent) of every path after retraining: one row per path, one column per seed."""
    record = records.read_one(retrained_file(distribution))
    return pd.DataFrame(record["results"]["overall"], index=record["results"]["paths"])


def retrained_file(distribution: str) -> Path:
    """The record of every path's retrainings on a label distribution."""
    return FOLDER / f"retrained-{distribution}.json"


def with_record(distribution: str) -> str:
    """The distribution if every path was retrained on it; else exp-0.01, said aloud, for a page to read on with."""
    if retrained_file(distribution).exists():
        return distribution
    print(
        f"No path was retrained on {distribution} yet: below, exp-0.01 stands in its place. "
        f'play.write_retrained("{distribution}") retrains all of them twice, in seven minutes or more.'
    )
    return "exp-0.01"


def main() -> None:
    """Write results/play/: the super-network, and the record of every path's retrainings on each distribution."""
    torch.set_num_threads(1)
    file = FOLDER / "supernet-s0.safetensors"
    config = {"stage": "play", "what": "supernet", "space": SPACE.name, "recipe": SUPERNET, "seed": 0}
    records.refuse_unwritable(file.with_suffix(".json"), config)
    net, log = train_source()
    save_supernet(file, net, records.identity(records.plain(config)))
    results = {"split": source().split.hash, "final": log.rows[-1]}
    records.write(file.with_suffix(".json"), "play", config, results, cost(Clock(), CPU, images=log.images))
    for distribution in RETRAINED:
        write_retrained(distribution)


def write_retrained(distribution: str) -> None:
    """Retrain every path twice on a label distribution and write the record: seven minutes on an idle core."""
    config = {"stage": "play", "what": "retrained", "space": SPACE.name, "target": distribution, "recipe": RETRAIN}
    config["seeds"] = SEEDS
    records.refuse_unwritable(retrained_file(distribution), config)
    clock, on = Clock(), target(distribution)
    overall: dict[str, list[float]] = {}
    for seed in range(SEEDS):
        with clock.part(f"seed {seed}"):
            overall[str(seed)] = [test(retrain(path, on, seed)[0], on).overall for path in PATHS]
    results = {"split": on.split.hash, "paths": [digits(path) for path in PATHS], "overall": overall}
    records.write(retrained_file(distribution), "play", config, results, cost(clock, CPU))


if __name__ == "__main__":
    refuse_arguments()
    main()
