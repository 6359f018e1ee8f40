"""The four procedures (paper, Table 1): what is trained, with which loss, from which start.

| procedure | backbone | classifier | loss on the target |
|---|---|---|---|
| P0 | source's, as it is | source's, as it is | none: no adaptation |
| P1 | source's, frozen | fresh, trained | re-weighted from the first step (Eq. 6) |
| P2 | source's, trained on | fresh, trained | deferred re-weighting (Eq. 7) |
| P3 | fresh, trained | fresh, trained | deferred re-weighting (Eq. 8) |

Each returns a super-network that is ready to be ranked, and the log of its training. Every training step draws one
path uniformly. `weights` are the target's class weights, float [classes], used from the recipe's `reweight_from` on:
0 for P1. Where that is None, as it is by default, or without weights, plain cross-entropy trains. ValueError for labels
or weights of other classes than `num_classes`. Further keywords go to `imbnas.training.fit` (precision, checkpoint,
deadline, report).
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from imbnas.data import Batches
from imbnas.models import SuperNet, use_batch_statistics
from imbnas.space import Path, Space
from imbnas.training import Log, PathSampler, Recipe, fit
from imbnas.training.pieces import path_step


def train_supernet(
    net: SuperNet,
    batches: Batches,
    recipe: Recipe,
    generator: torch.Generator,
    weights: Float[Tensor, " classes"] | None = None,
    **options: Any,
) -> Log:
    """Single-path training of all of `net` (paper, Eq. 2 and 5): one uniformly drawn path per batch."""
    net.train()
    return train_paths(net, net, batches, recipe, generator, weights=weights, **options)


def train_paths(
    net: SuperNet,
    logits: Callable[[Tensor, Path], Tensor],
    batches: Batches,
    recipe: Recipe,
    generator: torch.Generator,
    **options: Any,
) -> Log:
    """`fit` with a path drawn for every batch: logits(images, path).

    On a GPU the steps are made of recorded pieces (`pieces.PathStep`), which compute `net`'s own logits, and train of
    them what is in `parameters`. Batches that are shorter than the recipe's, and all batches of a recipe with `clip`,
    take plain steps there too.
    """
    sampler = PathSampler(net.space, generator)
    return fit(
        net,
        lambda images: logits(images, sampler()),
        batches,
        recipe,
        generators={"paths": generator},
        describe=sampler.describe,
        step=path_step(net, sampler),
        **options,
    )


def adapt_p0(source: SuperNet) -> tuple[SuperNet, Log]:
    """No adaptation: paths are ranked on the source's validation images with the source's classifier."""
    return source, Log()


def adapt_p1(
    source: SuperNet,
    num_classes: int,
    batches: Batches,
    recipe: Recipe,
    generator: torch.Generator,
    weights: Float[Tensor, " classes"] | None = None,
    **options: Any,
) -> tuple[SuperNet, Log]:
    """A fresh classifier, shared by all paths, on a frozen backbone (Eq. 6).

    The backbone runs on batch statistics and remembers none: not a bit of it changes.
    """
    net = copy.deepcopy(source)
    net.reset_classifier(num_classes, generator)
    use_batch_statistics(net)

    def logits(images: Tensor, path: Path) -> Tensor:
        with torch.no_grad():
            features = net.features(images, path)
        return net.classifier(features)

    head = list(net.classifier.parameters())
    return net, train_paths(net, logits, batches, recipe, generator, weights=weights, parameters=head, **options)


def adapt_p2(
    source: SuperNet,
    num_classes: int,
    batches: Batches,
    recipe: Recipe,
    generator: torch.Generator,
    weights: Float[Tensor, " classes"] | None = None,
    **options: Any,
) -> tuple[SuperNet, Log]:
    """Everything fine-tuned from the source, with a fresh classifier and delayed re-weighting (Eq. 7)."""
    net = copy.deepcopy(source)
    net.reset_classifier(num_classes, generator)
    return net, train_supernet(net, batches, recipe, generator, weights, **options)


def search_p3(
    space: Space,
    num_classes: int,
    batches: Batches,
    recipe: Recipe,
    generator: torch.Generator,
    weights: Float[Tensor, " classes"] | None = None,
    **options: Any,
) -> tuple[SuperNet, Log]:
    """A super-network trained on the target alone, from random weights, with delayed re-weighting (Eq. 8)."""
    net = SuperNet(space, num_classes, generator).to(batches.labels.device)
    return net, train_supernet(net, batches, recipe, generator, weights, **options)
