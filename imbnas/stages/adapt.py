"""What every stage that adapts a super-network does: a procedure's training on a target."""

from typing import Any

import torch

from imbnas.adaptation import adapt_p1, adapt_p2, search_p3
from imbnas.data import Batches
from imbnas.models import SuperNet
from imbnas.space import Space
from imbnas.stages.target import Target
from imbnas.training import Log, Recipe

TRAINED = {"P1": adapt_p1, "P2": adapt_p2, "P3": search_p3}


def adapt(
    procedure: str,
    start: SuperNet | Space,
    target: Target,
    recipe: Recipe,
    data: torch.Generator,
    paths: torch.Generator,
    reweight: bool = True,
    **options: Any,
) -> tuple[SuperNet, Log]:
    """The super-network that `procedure`, of "P1" to "P3", makes for the target.

    start: the super-network that is adapted; for P3, which begins anew, the space. data, paths: draw batches with
    their augmentation, and what is left: first weights and paths. reweight: by the target's class weights, as the
    recipe says. Further keywords go to `imbnas.training.fit`.
    """
    batches = Batches(target.dataset, target.split.search_train, recipe.batch_size, data)
    weights = target.weights if reweight else None
    return TRAINED[procedure](start, target.dataset.num_classes, batches, recipe, paths, weights, **options)
