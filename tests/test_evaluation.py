"""Accuracy by groups, and the ranking through shared computations against each path alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from untyped import untyped

from imbnas.evaluation import Plan, accuracy, confusion, features, rank, ridge, ridge_predict
from imbnas.models import BatchNorm, SubNet, SuperNet, use_batch_statistics
from imbnas.space import CellSpace, MacroSpace

SPACES = [CellSpace(4, 2, 1), CellSpace(4, 1, 3), MacroSpace(4, (2, 1, 1))]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def alone(net, path, statistics, validation):
    """One path the plain way: reset every batch norm, follow a cumulative average, evaluate."""
    norms = [module for module in net.modules() if isinstance(module, BatchNorm)]
    for norm in norms:
        norm.mean, norm.variance = torch.zeros_like(norm.mean), torch.ones_like(norm.variance)
    net.train()
    with torch.inference_mode():
        for seen, images in enumerate(statistics):
            for norm in norms:
                norm.momentum = 1 / (seen + 1)
            net(images, path)
        net.eval()
        return torch.cat([net(images, path) for images in validation])


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_a_population_scores_as_each_path_alone_exactly(space):
    net = SuperNet(space, 5, torch.Generator().manual_seed(1)).double()
    generator = torch.Generator().manual_seed(2)
    paths = [space.sample(generator) for _ in range(8)]
    paths += [space.mutate(paths[0], 0.2, generator) for _ in range(4)] + [paths[3]]
    statistics = [drawn(6, 3, 16, 16, seed=s) for s in range(3)]
    validation, labels = [drawn(5, 3, 16, 16, seed=9), drawn(4, 3, 16, 16, seed=8)], torch.arange(9) % 5
    scores = rank(net, paths, statistics, validation, labels, "float64")
    for path, percent, loss in zip(paths, scores.accuracy, scores.loss, strict=True):
        logits = alone(net, path, statistics, validation)
        assert percent == 100 * float((logits.argmax(1) == labels).sum()) / 9
        assert loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-6)
    plan = Plan(net, paths)
    plan.estimate(statistics)
    with torch.inference_mode():
        found = dict(plan.run(validation[0]))
        for path, number in zip(paths, plan.outputs, strict=True):
            assert torch.equal(net.classifier(found[number]), alone(net, path, statistics, validation)[:5])


def test_without_images_for_it_batch_norm_is_what_training_followed():
    space = CellSpace(4, 1, 3)
    net = SuperNet(space, 5, torch.Generator().manual_seed(1)).double().train()
    generator = torch.Generator().manual_seed(2)
    for seed in range(20):
        net(drawn(6, 3, 16, 16, seed=seed), space.sample(generator))
    paths, validation, labels = (
        [space.sample(generator) for _ in range(4)],
        drawn(9, 3, 16, 16, seed=99),
        torch.arange(9),
    )
    scores = rank(net, paths, [], [validation], labels % 5, "float64")
    net.eval()
    with torch.no_grad():
        expected = [float(F.cross_entropy(net(validation, path), labels % 5)) for path in paths]
    assert scores.loss == pytest.approx(expected, rel=1e-6) and len(set(scores.loss)) == 4


def test_every_class_that_is_there_counts_the_same_where_asked():
    """Validation images with a long tail, in two batches, and none of class 2."""
    space = CellSpace(4, 1, 1)
    net = SuperNet(space, 4, torch.Generator().manual_seed(1)).double()
    generator = torch.Generator().manual_seed(2)
    paths, statistics = [space.sample(generator) for _ in range(6)], [drawn(6, 3, 16, 16)]
    validation, labels = [drawn(6, 3, 16, 16, seed=9), drawn(5, 3, 16, 16, seed=8)], torch.tensor([0, 3, 1] + [0] * 8)
    labels[-1] = 1
    scores = rank(net, paths, statistics, validation, labels, "float64", class_mean=True)
    for path, percent in zip(paths, scores.accuracy, strict=True):
        right = alone(net, path, statistics, validation).argmax(1) == labels
        assert percent == pytest.approx(100 * float(sum(right[labels == c].double().mean() for c in (0, 1, 3))) / 3)
    assert len(set(scores.accuracy)) > 1


def test_ranking_leaves_the_network_as_it_was():
    net = SuperNet(CellSpace(4, 1, 1), 3, torch.Generator().manual_seed(1))
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = drawn(4, 3, 16, 16).float()
    rank(net, [(3,) * 6, (1, 2, 3, 4, 1, 2)], [x], [x], torch.tensor([0, 1, 2, 0]))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(m.mode == "track" and m.momentum == 0.1 for m in net.modules() if isinstance(m, BatchNorm))


def test_a_ranking_that_fails_leaves_the_network_as_it_was():
    """In the stem's norm, while it has the statistics that the ranking follows."""
    net = SuperNet(CellSpace(4, 1, 1), 3, torch.Generator().manual_seed(1)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    images = drawn(4, 3, 16, 16).float()
    net.backbone.stem[1].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rank(net, [(3,) * 6], [images], [images], torch.tensor([0, 1, 2, 0]))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(m.mode == "track" and m.momentum == 0.1 for m in net.modules() if isinstance(m, BatchNorm))


@pytest.mark.parametrize(
    ("paths", "batches", "labels", "words"),
    [
        ([(3,) * 6], [4, 4], 7, "8 validation images with 7 labels"),
        ([(3,) * 6], [4, 4], 9, "8 validation images with 9 labels"),
        ([(3,) * 6], [], 0, "0 validation images with 0 labels: expected .* at least one"),
        ([(3,) * 6, (3, 3, 3, -1, 3, 3)], [4], 4, "gene 3 is -1, not 0 to 4"),
        ([(3,) * 6, (3,) * 5], [4], 4, "has 5 genes: expected 6"),
        ([(3,) * 6, (3,) * 7], [4], 4, "has 7 genes: expected 6"),
    ],
)
def test_what_cannot_be_ranked_is_refused(paths, batches, labels, words):
    net, images = SuperNet(CellSpace(4, 1, 1), 3), drawn(6, 3, 16, 16).float()
    with pytest.raises(ValueError, match=words):
        rank(net, paths, [images], [images[:size] for size in batches], torch.zeros(labels, dtype=torch.int64))


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_that_the_classifier_does_not_know_is_refused(label):
    net, images = SuperNet(CellSpace(4, 1, 1), 3), drawn(2, 3, 16, 16).float()
    with pytest.raises(ValueError, match=f"a label is {label}; expected 0 to 2: there are 3 classes"):
        rank(net, [(3,) * 6], [images], [images], torch.tensor([0, label]))


def test_single_precision_is_not_called_double():
    net, images = SuperNet(CellSpace(4, 1, 1), 3), drawn(2, 3, 16, 16).float()
    with pytest.raises(ValueError, match='precision is "float64", but the weights are not; expected .* net.double()'):
        rank(net, [(3,) * 6], [images], [images], torch.tensor([0, 1]), "float64")


def test_double_precision_scores_in_double_precision():
    net, images = SuperNet(CellSpace(4, 1, 1), 3, torch.Generator().manual_seed(1)).double(), drawn(8, 3, 16, 16)
    labels, path = torch.arange(8) % 3, (3,) * 6
    loss = F.cross_entropy(net.eval()(images, path), labels)
    assert rank(net, [path], [], [images], labels, "float64").loss == pytest.approx([float(loss.detach())], rel=1e-13)


def test_equal_computations_are_done_once():
    """Two paths that differ on the last edge alone share all but that edge, the sum and what follows."""
    space = CellSpace(4, 1, 3)
    net = SuperNet(space, 3)
    one = (3,) * 18
    other = (*one[:-1], 2)
    first, both = len(Plan(net, [one]).nodes), len(Plan(net, [one, other]).nodes)
    assert both - first == 2 + 1 + 4  # conv and its norm (the ReLU is shared), sum, head of four
    assert len(Plan(net, [one, one, one]).nodes) == first


def test_isomorphic_cells_share_everything():
    space = CellSpace(4, 1, 1)
    net = SuperNet(space, 3)
    pool, skip, none = 4, 1, 0
    one, other = (pool, none, skip, none, none, skip), (skip, pool, none, none, none, skip)
    plan = Plan(net, [one, other])
    assert plan.outputs[0] == plan.outputs[1]


def test_features_are_what_the_classifier_sees():
    space = CellSpace(4, 1, 1)
    net = SuperNet(space, 3, torch.Generator().manual_seed(0)).double()
    statistics, validation = [drawn(6, 3, 16, 16)], [drawn(5, 3, 16, 16, seed=3)]
    path = (3, 2, 1, 3, 4, 1)
    with torch.inference_mode():
        logits = net.classifier(features(net, [path], statistics, validation)[0])
    assert torch.equal(logits, alone(net, path, statistics, validation))


class Fixed(torch.nn.Module):
    """Predicts what it is shown, one of so many classes."""

    def __init__(self, classes=4):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        return F.one_hot(x.long(), self.classes).float()


def test_confusion_and_groups_by_hand():
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    predicted = torch.tensor([0, 0, 1, 0, 2, 3, 3, 0])
    counts = confusion(Fixed(), predicted.split(3), labels, 4)
    assert counts.tolist() == [[2, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]]
    found = accuracy(counts, [101, 100, 20, 19])
    assert found.per_class == [100, 50, 50, 50]
    assert (found.overall, found.many, found.medium, found.few) == (62.5, 100, 50, 50)
    assert (found.head, found.middle, found.tail) == (75, 50, 50)
    assert accuracy(counts, [500] * 4).few is None


def test_predicting_leaves_the_network_in_its_mode():
    net = SubNet(CellSpace(4, 1, 1), (3,) * 6, 3).train()
    use_batch_statistics(net.backbone.stages)
    before = [(module.training, getattr(module, "mode", None)) for module in net.modules()]
    confusion(net, [drawn(4, 3, 16, 16).float()], torch.tensor([0, 1, 2, 0]), 3)
    assert [(module.training, getattr(module, "mode", None)) for module in net.modules()] == before


@pytest.mark.parametrize(
    ("predicted", "labels", "words"),
    [
        ([4, 4, 4, 4, 4], [0, 1, 0, 0, 1], "a predicted class is 4; expected 0 to 2: there are 3 classes"),
        ([0, 1, 2], [0, 1, 3], "a label is 3; expected 0 to 2"),
        ([0, 1, 2], [0, 1, -1], "a label is -1; expected 0 to 2"),
        ([0, 1, 2], [0, 1], "3 images with 2 labels: expected one label each"),
        ([0], [0, 1], "1 images with 2 labels: expected one label each"),
        ([], [], "0 images with 0 labels: expected .* at least one"),
    ],
)
def test_answers_that_no_matrix_can_count_are_refused(predicted, labels, words):
    shown = torch.tensor(predicted, dtype=torch.int64).split(2) if predicted else []
    with pytest.raises(ValueError, match=words):
        confusion(Fixed(5), shown, torch.tensor(labels, dtype=torch.int64), 3)


@pytest.mark.parametrize(
    ("counts", "train_counts", "words"),
    [
        ([[2, 0, 0], [0, 0, 0], [1, 0, 1]], [9, 9, 9], "class 1 has no test image"),
        ([[0, 0], [0, 0]], [9, 9], "class 0 has no test image"),
        ([[5]], [9], "counts are of 1 classes; expected at least two"),
        ([[1, 0], [0, 1]], [9], "1 training counts for 2 classes; expected one per class"),
        ([[1, 0], [0, 1]], [9, 9, 9], "3 training counts for 2 classes"),
    ],
)
def test_classes_without_an_accuracy_or_a_group_are_refused(counts, train_counts, words):
    with pytest.raises(ValueError, match=words):
        accuracy(torch.tensor(counts), train_counts)


def test_thirds_follow_the_training_counts():
    """Own classes come in any order: here the last is the largest; equal ones stay in theirs."""
    counts = torch.diag(torch.tensor([10, 20, 30, 40, 50])) + torch.tensor([90, 80, 70, 60, 50]).diag().roll(1, 1)
    found = accuracy(counts, [7, 9, 8, 8, 60])
    assert (found.head, found.middle, found.tail) == (35, 35, 10)  # classes 4 and 1, 2 and 3, 0


def test_two_classes_have_a_head_and_a_tail():
    found = accuracy(torch.tensor([[1, 3], [0, 4]]), [5, 30])
    assert (found.head, found.middle, found.tail) == (100, None, 25)
    assert (found.many, found.medium, found.few) == (None, 100, 25)


def test_a_large_class_does_not_carry_the_class_mean():
    """One of two right, and eight of eight."""
    found = accuracy(torch.tensor([[1, 1], [0, 8]]), [5, 30])
    assert (found.overall, found.class_mean) == (90, 75)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 5), st.integers(0, 100))
def test_overall_accuracy_of_a_balanced_test_set_is_the_class_mean(classes, seed):
    labels = torch.arange(classes).repeat_interleave(6)
    predicted = torch.randint(classes, (len(labels),), generator=torch.Generator().manual_seed(seed))
    counts = torch.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
    found = accuracy(counts, [10] * classes)
    assert found.overall == pytest.approx(found.class_mean)


def test_ridge_against_the_normal_equations():
    x, labels = drawn(40, 3), torch.arange(40) % 4
    weights = torch.tensor([0.1, 2.0, 1.0, 0.9])
    found = ridge(x, labels, 4, weights, penalty=0.7)
    with_one = torch.cat([x, torch.ones(40, 1, dtype=torch.float64)], 1)
    root = weights.double()[labels].sqrt()[:, None]
    rows = torch.cat([root * with_one, 0.7**0.5 * torch.eye(4, dtype=torch.float64)])
    wanted = torch.cat([root * F.one_hot(labels, 4), torch.zeros(4, 4, dtype=torch.float64)])
    assert torch.allclose(found, torch.linalg.lstsq(rows, wanted).solution, atol=1e-10)
    assert torch.equal(ridge_predict(x, found), (with_one @ found).argmax(1))


@pytest.mark.parametrize(
    ("labels", "weights", "words"),
    [
        ([0, 1, 2, 4], None, "a label is 4; expected 0 to 3: there are 4 classes"),
        ([0, 1, 2, 3], torch.ones(3), "there are 3 class weights for 4 classes; expected one per class"),
        ([0, 1, 2, 3], torch.ones(5), "there are 5 class weights for 4 classes"),
    ],
)
def test_ridge_refuses_labels_and_weights_of_other_classes(labels, weights, words):
    with pytest.raises(ValueError, match=words):
        ridge(drawn(4, 3), torch.tensor(labels), 4, weights)


def test_ridge_refuses_rows_without_a_label():
    with untyped(), pytest.raises(ValueError, match="there are 9 labels for 10 rows of features; expected one per row"):
        ridge(drawn(10, 3), torch.zeros(9, dtype=torch.int64), 4)


def test_batches_that_can_be_read_once_score_as_a_list():
    net = SuperNet(SPACES[0], 5, torch.Generator().manual_seed(0)).double()
    paths = [SPACES[0].sample(torch.Generator().manual_seed(s)) for s in range(3)]
    statistics, validation, labels = [drawn(4, 3, 8, 8)], [drawn(6, 3, 8, 8, seed=1)], torch.arange(6) % 5
    once = rank(net, paths, iter(statistics), iter(validation), labels, "float64")
    assert once == rank(net, paths, statistics, validation, labels, "float64")


def test_a_network_that_is_not_finite_has_no_accuracy():
    """Its answer would be class 0 for every image, which a test set rewards."""
    net = SuperNet(SPACES[0], 5, torch.Generator().manual_seed(0))
    path, images, labels = SPACES[0].sample(torch.Generator()), drawn(6, 3, 8, 8).float(), torch.zeros(6).long()
    with torch.no_grad():
        net.classifier.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="1 of 1 losses are not finite"):
        rank(net, [path], [images], [images], labels)
    with pytest.raises(ValueError, match="some logits are not finite"):
        confusion(Always(float("nan")), [images], labels, 5)


class Always(torch.nn.Module):
    """One number as every logit."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 5), self.value)
