"""What the stages give their trainings, scores and tests: images, recipes, class weights, starts. Each is looked at.

The images say which they are: all pixels of training image number n are n, in two channels.
"""

import copy
import importlib
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imbnas import adaptation, stages
from imbnas.data import Dataset, split
from imbnas.evaluation import ridge
from imbnas.losses import class_weights
from imbnas.models import SuperNet
from imbnas.profiles import Scoring
from imbnas.space import CellSpace
from imbnas.stages.control import ridge_scores
from imbnas.stages.retrain import test as read_the_test_set
from imbnas.stages.target import Target, load_target, scoring_batches
from imbnas.training import fit
from tests.tiny import run

CLASSES, EACH, SIDE = 10, 60, 8
SPACE = CellSpace(4, 1, 1)
ALIVE = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
MODULES = {
    name: importlib.import_module(f"imbnas.stages.{name}") for name in ("target", "control", "retrain", "scoring")
}


def numbered(name: str = "numbered") -> Dataset:
    """600 training images of ten classes, each with its number as its pixels, and a test set of another brightness."""

    def images(numbers: Tensor) -> Tensor:
        pixels = torch.stack([numbers // 256, numbers % 256, (7 * numbers) % 256], 1).to(torch.uint8)
        return pixels[:, :, None, None].expand(-1, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last)

    numbers = torch.arange(CLASSES * EACH)
    names = tuple(f"class {label}" for label in range(CLASSES))
    return Dataset(
        name, images(numbers), numbers % CLASSES, images(60_000 + numbers[:50]), numbers[:50] % CLASSES, names
    )


def number(images: Tensor, data: Dataset) -> Tensor:
    """Which images these are, from one pixel of the middle of each, normalised or not."""
    pixels = images[:, :2, images.shape[2] // 2, images.shape[3] // 2].float()
    if images.dtype != torch.uint8:
        pixels = (pixels * data.std[:2] + data.mean[:2]) * 255
    high, low = pixels.round().long().T
    return 256 * high + low


@dataclass
class Given:
    """What one training was given."""

    images: Tensor
    recipe: Any
    weights: Tensor | None
    parameters: list[nn.Parameter] | None
    start: dict[str, Tensor]
    model: nn.Module


@pytest.fixture
def trainings(monkeypatch, tiny) -> list[Given]:
    """Everything that was trained, in order, on the numbered images; it is trained as it would be."""
    seen = []

    def looked_at(model: nn.Module, forward: Any, batches: Any, recipe: Any, **options: Any) -> Any:
        start = copy.deepcopy(model.state_dict())
        images = number(batches.padded.permute(0, 3, 1, 2), numbered())
        seen.append(Given(images, recipe, options.get("weights"), options.get("parameters"), start, model))
        return fit(model, forward, batches, recipe, **options)

    monkeypatch.setattr(MODULES["target"], "load", numbered)
    for module in (adaptation, MODULES["retrain"]):
        monkeypatch.setattr(module, "fit", looked_at)
    return seen


def backbone(state: dict[str, Tensor]) -> list[Tensor]:
    return [tensor for name, tensor in state.items() if name.startswith("backbone.") and not name.endswith("variance")]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_every_training_has_its_own_images_recipe_weights_and_start(tmp_path, trainings: list[Given]) -> None:
    one = run(tmp_path, target="exp-0.1", split_seed=1)
    stages.supernet(one)
    for procedure in ("P1", "P2", "P3"):
        stages.search(one, procedure)
    stages.score_paths(one, "P1-ce")
    stages.retrain(one, "P1")
    stages.baseline(one, "resnet32-ce")
    source, p1, p2, p3, plain, path, resnet = trainings
    ours, balanced = (split(numbered(), *kind, seed=1) for kind in (("exp", 0.1), ("balance",)))

    def are(given: Given, index: Tensor) -> bool:
        return given.images.tolist() == index.tolist()

    assert are(source, balanced.search_train) and source.weights is None
    assert all(are(given, ours.search_train) for given in (p1, p2, p3, plain))
    assert are(path, ours.full_train) and are(resnet, ours.full_train)
    assert not set(ours.validation.tolist()) & set(p1.images.tolist())

    settings = one.settings
    recipes = [
        settings.supernet,
        settings.p1,
        settings.p2,
        settings.p3,
        settings.p1,
        settings.retrain,
        settings.retrain,
    ]
    assert [given.recipe for given in trainings] == recipes and len(set(map(str, recipes))) == 5

    counts = torch.bincount(p1.images % CLASSES)
    assert counts[0] > 5 * counts[-1]
    for given in (p1, p2, p3):
        assert torch.allclose(given.weights, class_weights(counts.tolist()))
    assert torch.allclose(path.weights, class_weights(torch.bincount(path.images % CLASSES).tolist()))
    assert not torch.allclose(path.weights, p1.weights)
    assert plain.weights is None and resnet.weights is None

    trained = backbone(source.model.state_dict())
    assert (
        same(trained, backbone(p1.start)) and same(trained, backbone(p2.start)) and same(trained, backbone(plain.start))
    )
    assert not same(trained, backbone(p3.start))
    assert set(map(id, p1.parameters)) == set(map(id, p1.model.classifier.parameters()))
    assert p2.parameters is p3.parameters is path.parameters is None


def test_the_test_set_is_read_and_nothing_else() -> None:
    """A network that is right about what it sees: the test images alone are of numbers beyond the training set's."""

    class Knows(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen = number(images, data)
            right = torch.where(seen >= 60_000, (seen - 60_000) % CLASSES, (seen + 1) % CLASSES)
            return nn.functional.one_hot(right, CLASSES).float()

    data = numbered()
    found = read_the_test_set(Knows(), Target(data, split(data, "exp", 0.1)))
    assert found.overall == found.class_mean == 100


def test_batch_norm_sees_training_images_and_scores_are_of_validation_images(monkeypatch) -> None:
    monkeypatch.setattr(MODULES["target"], "load", numbered)
    target = load_target("glyphs100", "exp-0.1", 1, torch.device("cpu"))
    ours = split(numbered(), "exp", 0.1, seed=1)
    assert target.split.hash == ours.hash != split(numbered(), "exp", 0.1, seed=0).hash
    statistics, validation, labels = scoring_batches(target, Scoring(4, 16, None), torch.Generator())
    seen = number(torch.cat(statistics), target.dataset).tolist()
    assert len(seen) == len(set(seen)) == 64 and set(seen) <= set(ours.search_train.tolist())
    assert number(torch.cat(validation), target.dataset).tolist() == ours.validation.tolist()
    assert labels.tolist() == (ours.validation % CLASSES).tolist()


def natural() -> Target:
    """Your own data: ten classes of 60 to 15 images, and validation images in the same proportions."""
    data = numbered()
    keep = torch.cat([torch.arange(EACH - 5 * label) * CLASSES + label for label in range(CLASSES)])
    data = Dataset(
        "mine", data.train_images[keep], data.train_labels[keep], data.test_images, data.test_labels, data.class_names
    )
    return Target(data, split(data, "natural", validation="from-train"))


def test_scores_on_your_own_data_are_means_over_classes(monkeypatch) -> None:
    """What always answers with the largest class is right for a tenth of the classes, and for more of the images."""
    target, asked = natural(), []
    share = float((target.dataset.train_labels[target.split.validation] == 0).double().mean())
    assert share > 0.12

    net, path = SuperNet(SPACE, CLASSES), SPACE.from_string(ALIVE)

    def rank(*arguments: Any) -> Any:
        asked.append(arguments[-1])
        return type("Scores", (), {"accuracy": [0.0]})

    monkeypatch.setattr(MODULES["scoring"], "rank", rank)
    for of, expected in ((target, True), (Target(numbered(), split(numbered(), "exp", 0.1)), False)):
        MODULES["scoring"].scorer(net, of, Scoring(1, 16, None), torch.Generator())([path])
        assert asked.pop() is expected

    monkeypatch.setattr(MODULES["control"], "features", lambda net, paths, statistics, batches: [
        torch.zeros(sum(map(len, batches)), 3) for _ in paths
    ])  # fmt: skip
    monkeypatch.setattr(MODULES["control"], "ridge_predict", lambda rows, _: torch.zeros(len(rows), dtype=torch.long))
    found = ridge_scores(net, [path], target, Scoring(1, 16, None), torch.Generator())
    assert found == pytest.approx([100 / CLASSES])


def test_the_controls_classifier_is_class_weighted(monkeypatch) -> None:
    target, given = Target(numbered(), split(numbered(), "exp", 0.1)), []

    def looked_at(rows: Tensor, labels: Tensor, classes: int, weights: Tensor | None) -> Tensor:
        given.append((labels, weights))
        return ridge(rows, labels, classes, weights)

    monkeypatch.setattr(MODULES["control"], "features", lambda net, paths, statistics, batches: [
        torch.randn(sum(map(len, batches)), 3) for _ in paths
    ])  # fmt: skip
    monkeypatch.setattr(MODULES["control"], "ridge", looked_at)
    net, path = SuperNet(SPACE, CLASSES), SPACE.from_string(ALIVE)
    ridge_scores(net, [path], target, Scoring(1, 16, None), torch.Generator())
    [(labels, weights)] = given
    assert labels.tolist() == (target.split.search_train % CLASSES).tolist()
    assert torch.allclose(weights, class_weights(torch.bincount(labels).tolist()))


def test_the_gates_two_classifiers_are_two(tmp_path, trainings: list[Given]) -> None:
    one = run(tmp_path, target="exp-0.1")
    stages.supernet(one)
    stages.gate(one, paths=12)
    _, first, second = trainings
    assert not torch.equal(first.start["classifier.weight"], second.start["classifier.weight"])
    assert same(backbone(first.start), backbone(second.start))
