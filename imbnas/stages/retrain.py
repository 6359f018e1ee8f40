"""Train one network from scratch on the target and read the test set once: the numbers of Table 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from imbnas import records
from imbnas.data import Batches, eval_batches
from imbnas.evaluation import Accuracy, accuracy, confusion
from imbnas.lines import line
from imbnas.losses import class_weights
from imbnas.models import ResNet32, SubNet
from imbnas.names import BASELINES, PROCEDURES, SEARCHED
from imbnas.space import digits
from imbnas.stages.clock import Clock, cost, progress
from imbnas.stages.device import at_once, best_device
from imbnas.stages.draws import named_generator
from imbnas.stages.run import Run
from imbnas.stages.search import max_cost, search_config, search_file
from imbnas.stages.target import Target, load_target
from imbnas.training import Log, fit
from imbnas.training.graphs import fixed_step
from imbnas.typed import expect_one_of


def retrain_config(run: Run, network: str, reweight: bool = True) -> dict[str, Any]:
    """What a stand-alone training depends on: not the procedure, so that equal winners share one."""
    return {
        "stage": "retrain",
        "data": run.target_data,
        "target": run.target,
        "space": run.space,
        "network": network,
        "reweight": reweight,
        "recipe": run.settings.retrain,
        "precision": run.settings.precision,
        "seed": run.seed,
        "split_seed": run.split_seed,
    }


def retrain(run: Run, procedure: str) -> dict[str, Any]:
    """Retrain the path that `procedure` found for this target. ValueError for a procedure that searches nothing."""
    expect_one_of("procedure", procedure, SEARCHED)
    found = winner(run, procedure)
    path = tuple(map(int, found["path"]))
    record_file = run.file("retrain", procedure, run.target)
    config = retrain_config(run, found["path"])
    return train_and_test(run, alone(run, path), config, record_file, {"procedure": procedure, "best": found})


def alone(run: Run, path: tuple[int, ...]) -> Callable[[int], SubNet]:
    """What makes a path a network of its own for so many classes, with fresh weights."""
    return lambda classes: SubNet(run.space_of_paths, path, classes, named_generator(run.seed, "retrain", digits(path)))


def winner(run: Run, procedure: str) -> dict[str, Any]:
    """What the search of `procedure` found; refused where another configuration than the run's has searched."""
    beside = {} if procedure in PROCEDURES else {"procedure": procedure}  # searched by a chapter that can do both
    made_by = line(procedure, run, **beside, target=run.target)
    record = records.read_one(file := search_file(run, procedure), made_by)
    if record["config"] != records.plain(search_config(run, procedure)):
        raise ValueError(f"{file} is of another configuration than the profile now names: `{made_by}` searches anew")
    return record["results"]["best"]


def largest(run: Run) -> dict[str, Any]:
    """Retrain the largest allowed path: one of those that multiply-adds could choose, without any search."""
    space = run.space_of_paths
    cap = max_cost(run)
    path = largest_path(run, cap)
    network, price = digits(path), space.cost(path)
    best = {"path": network, "architecture": space.to_string(path), "score": None, **vars(price)}
    told = {"procedure": "largest", "best": best, "max_cost": cap}
    file = run.file("retrain", "largest", run.target)
    return train_and_test(run, alone(run, path), retrain_config(run, network), file, told)


def largest_path(run: Run, cap: float) -> tuple[int, ...]:
    """Of as many random paths as the median cost is taken of, the first with most multiply-adds, at most `cap`.

    All operations count, those on no way from input to output too, as they do for the cap of a search.
    """
    space, generator = run.space_of_paths, named_generator(0, "median cost")
    drawn = [space.sample(generator) for _ in range(run.settings.search.cost_samples)]
    return max((path for path in drawn if space.cost(path).macs <= cap), key=lambda path: space.cost(path).macs)


def baseline(run: Run, name: str) -> dict[str, Any]:
    """Train ResNet-32 on the target, with plain cross-entropy ("resnet32-ce") or re-weighted ("resnet32-drw").

    The published numbers it is held against are the best epoch's on the test set, so that one is recorded beside the
    last, and every epoch's in the curves. Nothing is chosen by it.
    """
    expect_one_of("baseline", name, BASELINES)
    config = retrain_config(run, "resnet32", name.endswith("drw"))
    file = run.file("baseline", name, run.target)

    def net(classes: int) -> ResNet32:
        return ResNet32(classes, named_generator(run.seed, "retrain", "resnet32"))

    return train_and_test(run, net, config, file, {"procedure": name}, watch=True)


def train_and_test(
    run: Run,
    network: Callable[[int], nn.Module],
    config: dict[str, Any],
    file: Path,
    more: dict[str, Any],
    watch: bool = False,
) -> dict[str, Any]:
    """One stand-alone training on the whole long-tailed set, last epoch, deferred re-weighting; then the test set.

    network: makes the network for a number of classes.
    watch: read the test set after every epoch too, for the record only.
    """
    clock, device = Clock(run.max_seconds), best_device()
    records.refuse_unwritable(file, config)
    with clock.part("data"):
        target = load_target(run.target_data, run.target, run.split_seed, device)
    net = network(target.dataset.num_classes).to(device).train()
    log = trained(run, net, target, config, more["procedure"], clock.deadline, watch)
    clock.seconds["training"] = log.seconds  # those before a stop too
    with clock.part("test"):
        tested = test(net, target)
    records.write_curves(file.with_suffix(".csv"), log.rows)
    results = {"split": {run.target_data: target.split.hash}, **more, "test": tested, "final": log.rows[-1]}
    if watch:
        results["best_epoch"] = max(log.rows, key=lambda row: row["test"])
    run_cost = cost(clock, device, images=log.images, training_seconds=round(log.seconds, 2))
    return records.write(file, "retrain", config | {"procedure": more["procedure"]}, results, run_cost)


def trained(
    run: Run,
    net: nn.Module,
    target: Target,
    config: dict[str, Any],
    procedure: str,
    deadline: float | None,
    watch: bool,
) -> Log:
    """The log of the training of `net`, which goes on from where it was stopped; watch: as in `train_and_test`."""
    recipe, names = config["recipe"], ("retrain", run.target, config["network"])
    data = named_generator(run.seed, *names, "data")

    def watched() -> dict[str, float]:
        return {"test": test(net, target).class_mean}

    return fit(
        net,
        net,
        Batches(target.dataset, target.split.full_train, recipe.batch_size, data),
        recipe,
        weights=class_weights(target.split.counts) if config["reweight"] else None,
        precision=config["precision"],
        step=fixed_step(target.dataset.device),
        checkpoint=run.work_file(config, *names, split=target.split.hash),
        deadline=deadline,
        report=progress(f"retrain {procedure} {run.target} s{run.seed}"),
        on_epoch=watched if watch else None,
    )


def test(net: nn.Module, target: Target) -> Accuracy:
    """Accuracy on the balanced test set, overall, per class and by groups."""
    data = target.dataset
    batches = eval_batches(data.test_images, data.mean, data.std, at_once(data.device, 500))
    return accuracy(confusion(net, batches, data.test_labels, data.num_classes), target.split.counts)
