"""How a stage scores paths: what it asks of them, and on which images."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imbnas.evaluation import rank
from imbnas.models import SuperNet
from imbnas.profiles import Scoring
from imbnas.space import Path
from imbnas.stages.control import ridge_scores
from imbnas.stages.draws import named_generator
from imbnas.stages.run import Run
from imbnas.stages.target import Target, load_target, scoring_batches
from imbnas.statistics.scores import tau_b


def scores_of(run: Run, net: SuperNet, target: Target, config: dict[str, Any]) -> Callable[[list[Path]], list[float]]:
    """What is asked of paths: the super-network's own classifier, or, for the control, a ridge classifier per path."""
    scoring = config["scoring"]

    def draws(where: str = config["target"]) -> torch.Generator:
        return named_generator(run.seed, "scoring", where)

    if config["procedure"] == "control":
        return lambda paths: ridge_scores(net, paths, target, scoring, draws())
    statistics = None
    if config.get("statistics") == "tracked":
        statistics = []
    if config.get("statistics") == "source":
        source = load_target(run.source, "balance", run.split_seed, target.dataset.device)
        statistics, _, _ = scoring_batches(source, scoring, draws("balance"))
    return scorer(net, target, scoring, draws(), statistics)


def scorer(
    net: SuperNet, target: Target, scoring: Scoring, generator: torch.Generator, statistics: list[Tensor] | None = None
) -> Callable[[list[Path]], list[float]]:
    """From paths to their accuracy (percent) on the target's validation images; `Target.class_mean` says which.

    Batch norm is re-estimated on training images of the target, or on the `statistics` given (`evaluation.rank`).
    """
    own, validation, labels = scoring_batches(target, scoring, generator)
    statistics = own if statistics is None else statistics

    def scores(paths: list[Path]) -> list[float]:
        return rank(net, paths, statistics, validation, labels, scoring.precision, target.class_mean).accuracy

    return scores


def tau(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau; None where all values of one side are equal and there is nothing to rank."""
    found = tau_b(np.asarray(one), np.asarray(other))
    return None if math.isnan(found) else found
