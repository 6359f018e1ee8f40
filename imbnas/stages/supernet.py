"""The source super-network: trained once on balanced data, kept as safetensors, loaded by every procedure."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from imbnas import records
from imbnas.adaptation import train_supernet
from imbnas.data import Batches
from imbnas.lines import line
from imbnas.models import SuperNet
from imbnas.space import Space, digits
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.device import best_device
from imbnas.stages.draws import named_generator, random_paths
from imbnas.stages.run import Run
from imbnas.stages.scoring import scorer
from imbnas.stages.target import Target, load_target
from imbnas.training import Log, load_tensors, save_tensors

SAMPLE = 24  # paths whose scores a record tells


def supernet_config(run: Run) -> dict[str, Any]:
    """What the source super-network depends on; every stage that starts from it names this too."""
    settings = run.settings
    return {
        "stage": "supernet",
        "source": run.source,
        "space": run.space,
        "recipe": settings.supernet,
        "precision": settings.precision,
        "seed": run.seed,
        "split_seed": run.split_seed,
    }


def supernet(run: Run) -> dict[str, Any]:
    """Train the super-network on the balanced source and write its record and its checkpoint (paper, Eq. 5).

    The checkpoint names data and recipe; the record has the scores of a few fixed paths and the checkpoint's SHA-256.
    """
    config, clock, device = supernet_config(run), Clock(run.max_seconds), best_device()
    records.refuse_unwritable(run.file("supernet"), config)
    with clock.part("data"):
        source = load_target(run.source, "balance", run.split_seed, device)
    net, log = trained(run, source, config, clock.deadline)
    clock.seconds["training"] = log.seconds  # those before a stop too
    weights_file, plain = run.file("supernet", suffix=".safetensors"), records.plain(config)
    about = {"data": run.source, "recipe": json.dumps(plain["recipe"]), "precision": config["precision"]}
    save_supernet(weights_file, net, records.identity(plain), **about)
    with clock.part("scoring"):
        sample = sample_scores(run, net, source)
    records.write_curves(run.file("supernet", suffix=".csv"), log.rows)
    results = {
        "split": {run.source: source.split.hash},
        "final": log.rows[-1],
        "parameters": sum(p.numel() for p in net.parameters()),
        "sample": sample,
        "sha256": hashlib.sha256(weights_file.read_bytes()).hexdigest(),
    }
    run_cost = cost(clock, device, images=log.images, training_seconds=round(log.seconds, 2))
    return records.write(run.file("supernet"), "supernet", config, results, run_cost)


def trained(run: Run, source: Target, config: dict[str, Any], deadline: float | None) -> tuple[SuperNet, Log]:
    """The super-network after its training on `source`, which goes on from where it was stopped, and the log."""
    data, recipe = source.dataset, config["recipe"]
    weights, images, paths = (named_generator(run.seed, "supernet", name) for name in ("weights", "data", "paths"))
    net = SuperNet(run.space_of_paths, data.num_classes, weights).to(data.device)
    log = train_supernet(
        net,
        Batches(data, source.split.search_train, recipe.batch_size, images),
        recipe,
        paths,
        precision=config["precision"],
        checkpoint=run.work_file(config, "supernet", split=source.split.hash),
        deadline=deadline,
        report=progress(f"supernet {run.source} s{run.seed}"),
    )
    return net, log


def sample_scores(run: Run, net: SuperNet, source: Target) -> dict[str, Any]:
    """Validation accuracy, percent, of the first of the paths that the signal gate draws, as P0 scores them."""
    paths, scoring = random_paths(run.space_of_paths, SAMPLE), run.settings.scoring
    found = scorer(net, source, scoring, named_generator(run.seed, "scoring", "balance"))(paths)
    scored = {digits(path): score for path, score in zip(paths, found, strict=True)}
    return {"scoring": scoring, "accuracy": scored}


def save_supernet(file: Path, net: SuperNet, identity: str, **about: str) -> None:
    """The weights, with the space and the configuration they belong to; batch statistics are re-estimated anyway.

    about: what more the file tells of itself.
    """
    card = {"space": net.space.name, "classes": str(net.classifier.out_features), "identity": identity, **about}
    save_tensors(file, dict(net.state_dict()), card)


def load_source(run: Run, device: torch.device) -> SuperNet:
    """The source super-network of a run; refused where another configuration than the run's has trained it."""
    identity = records.identity(records.plain(supernet_config(run)))
    file, made_by = run.file("supernet", suffix=".safetensors"), line("supernet", run)
    return load_supernet(file, run.space_of_paths, device, identity, f"`{made_by}`")


def load_supernet(
    file: Path,
    space: Space,
    device: torch.device,
    identity: str | None = None,
    made_by: str = "the super-network stage",
) -> SuperNet:
    """The super-network of a checkpoint; refused where it is not over `space`, or not of the `identity` asked for.

    made_by: what makes the checkpoint, for the message where it must be made.
    """
    if not file.exists():
        raise ValueError(f"no super-network {file}: {made_by} makes it")
    tensors, card = load_tensors(file)
    if card.get("space") != space.name:
        raise ValueError(f"{file} holds a super-network over {card.get('space')}, not over {space.name}")
    if identity is not None and card.get("identity") != identity:
        raise ValueError(
            f"{file} was trained by another configuration ({card.get('identity')}) than is asked for "
            f"({identity}): {made_by} makes it anew"
        )
    net = SuperNet(space, int(card["classes"]), torch.Generator())
    net.load_state_dict(tensors)
    return net.to(device)
