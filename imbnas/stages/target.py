"""The target of a procedure: a long-tailed data set, its class weights, the batches on which paths are scored."""

from dataclasses import dataclass

import torch
from torch import Tensor

from imbnas.data import BENCHMARKS, Dataset, Split, eval_batches, load, parse_target, split
from imbnas.evaluation import class_worth
from imbnas.losses import class_weights
from imbnas.profiles import Scoring
from imbnas.stages.device import at_once


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

    @property
    def validation_labels(self) -> Tensor:
        return self.dataset.train_labels[self.split.validation.to(self.dataset.device)]


def load_target(name: str, target: str, split_seed: int, device: torch.device) -> Target:
    """The data set `name`, on `device`, cut to the label distribution `target`.

    Your own data have no images beyond the long tail, so their validation images are cut from it.
    """
    dataset = load(name).to(device)
    validation = "held-out" if name in BENCHMARKS else "from-train"
    return Target(dataset, split(dataset, *parse_target(target), seed=split_seed, validation=validation))


def worth_images(target: Target, labels: Tensor) -> float:
    """How many images a score off these is as sure as: all of them, or fewer where the rare classes' count for more."""
    return len(labels) ** 2 / float((class_worth(labels) ** 2).sum()) if target.class_mean else len(labels)


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

    labels = data.train_labels[validation.to(data.device)]
    return batches(chosen, scoring.batch_size), batches(validation, at_once(data.device, scoring.batch_size)), labels
