"""P0 to P3: what each trains, what it must not touch, and with which loss."""

import pytest
import torch
from torch.nn import functional as F

from imbnas.adaptation import adapt_p0, adapt_p1, adapt_p2, search_p3
from imbnas.data import Batches, Dataset
from imbnas.models import SuperNet
from imbnas.space import CellSpace
from imbnas.training import Recipe

SPACE = CellSpace(4, 1, 1)
RECIPE = Recipe(6, 0.1, unit="steps", batch_size=16, reweight_from=0)


def source(classes: int = 3) -> SuperNet:
    net = SuperNet(SPACE, classes, torch.Generator().manual_seed(1))
    net.train()
    return net


def target(classes: int = 5) -> Batches:
    pixels = torch.randint(256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(40) % classes
    data = Dataset("toy", pixels, labels, pixels, labels, tuple(map(str, range(classes))))
    return Batches(data, torch.arange(40), 16, torch.Generator().manual_seed(3))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_p0_is_the_source_itself():
    net = source()
    assert adapt_p0(net)[0] is net


def test_p1_leaves_the_backbone_bit_identical_statistics_included():
    net = source()
    before = state(net)
    adapted, log = adapt_p1(net, 5, target(), RECIPE, generator(), torch.ones(5))
    assert equal(state(net), before)
    assert equal(state(adapted.backbone), state(net.backbone))
    assert adapted.classifier.weight.shape == (5, 16) and log.rows[-1]["step"] == 6
    assert float(adapted.classifier.weight.detach().abs().max()) > 0.05  # it was trained from N(0, 0.01)


def test_p1_needs_no_gradient_of_the_backbone():
    adapted, _ = adapt_p1(source(), 5, target(), RECIPE, generator())
    assert all(parameter.grad is None for parameter in adapted.backbone.parameters())
    assert all(parameter.grad is not None for parameter in adapted.classifier.parameters())


@pytest.mark.parametrize("adapt", [adapt_p2, None])
def test_p2_and_p3_train_everything(adapt):
    net = source()
    before = state(net)
    if adapt is None:
        adapted, _ = search_p3(SPACE, 5, target(), RECIPE, generator())
        start = state(SuperNet(SPACE, 5, generator()).backbone)
    else:
        adapted, _ = adapt(net, 5, target(), RECIPE, generator())
        start = state(net.backbone)
    assert equal(state(net), before)
    moved = [not torch.equal(start[n], p) for n, p in adapted.backbone.named_parameters()]
    assert sum(moved) > len(moved) / 2
    assert not torch.equal(start["stem.0.weight"], adapted.backbone.stem[0].weight)


@pytest.mark.parametrize("adapt", [adapt_p1, adapt_p2])
def test_the_classifier_is_fresh_even_for_as_many_classes(adapt):
    """What the source's own classifier knows has no part: two that differ in it alone end alike."""
    one, other = source(), source()
    torch.nn.init.ones_(other.classifier.weight)
    first, second = (adapt(net, 3, target(3), RECIPE, generator())[0] for net in (one, other))
    assert equal(state(first), state(second))


@pytest.mark.parametrize("adapt", [adapt_p1, adapt_p2, None], ids=["P1", "P2", "P3"])
@pytest.mark.parametrize(
    ("classes", "weights", "words"),
    [
        (3, None, "a label is 4; expected 0 to 2: there are 3 classes"),
        (5, torch.ones(4), "there are 4 class weights for 5 classes; expected one per class"),
    ],
)
def test_labels_and_weights_of_other_classes_are_refused(adapt, classes, weights, words):
    start = SPACE if adapt is None else source()
    with pytest.raises(ValueError, match=words):
        (adapt or search_p3)(start, classes, target(), RECIPE, generator(), weights)


def test_p1_is_reweighted_from_the_first_step_and_p2_later():
    """One step of P1 with weights that look at class 0 alone equals SGD on class 0's images alone."""
    weights = torch.tensor([5.0, 0, 0, 0, 0])
    recipe = Recipe(1, 0.1, unit="steps", batch_size=16, reweight_from=0, weight_decay=0.0)
    adapted, _ = adapt_p1(source(), 5, target(), recipe, generator(), weights)
    net, draw = source(), generator()
    net.reset_classifier(5, draw)
    first = net.classifier.weight.detach().clone()
    images, labels = target().next()
    from imbnas.models import use_batch_statistics

    use_batch_statistics(net)
    features = net.features(images, SPACE.sample(draw)).detach()
    logits = net.classifier(features)
    F.cross_entropy(logits[labels == 0], labels[labels == 0]).backward()
    expected = first - 0.1 * net.classifier.weight.grad
    assert torch.allclose(adapted.classifier.weight, expected, atol=1e-6)

    late = Recipe(1, 0.1, unit="steps", batch_size=16, reweight_from=1, weight_decay=0.0)
    plain, _ = adapt_p2(source(), 5, target(), late, generator(), weights)
    none, _ = adapt_p2(source(), 5, target(), late, generator(), None)
    assert equal(state(plain), state(none))
