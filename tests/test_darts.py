"""DARTS: the relaxation, gradients through the inner problem, the search, and what stops it."""

import copy
import math
import re
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call

from imbnas.benchmark import nasbench201
from imbnas.darts import (
    DartsRecipe,
    Search,
    SkipDropout,
    check_halves,
    cured,
    discretise,
    dominant_eigenvalue,
    first_order,
    fix_classifier,
    halves,
    mixed_difference,
    mixed_exact,
    mixture,
    search,
    second_order,
    start_alpha,
    stopping_point,
)
from imbnas.data import Dataset, normalise
from imbnas.models import SuperNet, use_batch_statistics
from imbnas.profiles import Scoring
from imbnas.profiles import Search as Find
from imbnas.records import equal, read_one
from imbnas.space import CellSpace, MacroSpace
from imbnas.stages.darts import arms, darts, run_arm
from imbnas.training import NotFinite, Recipe, Unfinished

CELL, CELLS, MACRO = CellSpace(4, 1, 1), CellSpace(4, 1, 3), MacroSpace(4, (1, 1, 1))
SPACES = [CELL, CELLS, MACRO]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dataset(count: int = 48) -> Dataset:
    """Three classes of coloured noise, 8 x 8 pixels."""
    labels = torch.arange(count) % 3
    images = torch.randint(0, 120, (count, 3, 8, 8), generator=generator(), dtype=torch.uint8)
    images[torch.arange(count), labels] += 100
    return Dataset("noise", images, labels, images, labels, ("red", "green", "blue"))


DATA = dataset()
PARTS = halves(DATA.train_labels, torch.arange(48), generator())
TINY = DartsRecipe(Recipe(6, 0.05, unit="steps", shape="cosine", batch_size=8, clip=5.0), alpha_rate=0.05)


def run(recipe: DartsRecipe = TINY, space: CellSpace | MacroSpace = CELL, **options):
    return search(SuperNet(space, 3, generator()), DATA, PARTS, recipe, generator(1), **options)


# -------------------------------------------------------------------------------------------- relaxation


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_softmax_weights_sum_to_one_per_edge_and_start_nearly_equal(space):
    weights = mixture(start_alpha(space, generator()))
    assert weights.shape == (space.genes, space.choices)
    assert torch.allclose(weights.sum(1), torch.ones(space.genes), atol=1e-6)
    assert (weights - 1 / space.choices).abs().max() < 2e-3


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_a_decided_alpha_is_the_path_bit_for_bit(space):
    """Where α leaves no doubt, its softmax is one-hot and Eq. 3 runs the discretised path alone."""
    path = tuple(max(gene, 1) for gene in space.sample(generator(3)))
    alpha = torch.zeros(space.genes, space.choices)
    alpha[torch.arange(space.genes), torch.tensor(path)] = 200.0
    assert discretise(space, alpha) == path
    net, images = SuperNet(space, 3, generator()), torch.randn(4, 3, 8, 8, generator=generator())
    assert torch.equal(net(images, mixture(alpha)), net(images, path))


def test_none_wins_only_where_it_may():
    alpha = torch.zeros(6, 5)
    alpha[:, 0], alpha[:, 3], alpha[2, 4] = 2.0, 1.0, 1.5
    assert discretise(CELL, alpha) == (3, 3, 4, 3, 3, 3)
    dead = discretise(CELL, alpha, none=True)
    assert dead == (0,) * 6 and not CELL.is_alive(dead)
    skips = torch.tensor([[1.0, 0, 0, 0]]).repeat(3, 1)
    assert discretise(MACRO, skips) == (0, 0, 0), "the macro space's skip is a choice like any other"


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 5))
def test_halves_share_every_class_and_no_image(labels, seed):
    labels = torch.tensor(labels)
    index = torch.arange(len(labels))
    one, other = halves(labels, index, generator(seed))
    assert sorted(one.tolist() + other.tolist()) == index.tolist()
    for label in labels.unique():
        a, b = (labels[part].eq(label).sum() for part in (one, other))
        assert a - b in (0, 1)
    check_halves(one, other)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 30))
def test_halves_keep_so_many_images_of_a_class(labels, most):
    labels = torch.tensor(labels)
    counts = labels[torch.cat(halves(labels, torch.arange(len(labels)), generator(), most))].bincount(minlength=3)
    assert counts.tolist() == labels.bincount(minlength=3).clamp(max=most).tolist()


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match=r"share 2 images \(the first is 3\)"):
        check_halves(torch.tensor([1, 3, 4]), torch.tensor([4, 3, 9]))
    with pytest.raises(ValueError, match="share 24 images"):
        search(SuperNet(CELL, 3, generator()), DATA, (PARTS[0], PARTS[0]), TINY, generator())
    with pytest.raises(ValueError, match="index is of 0 images; expected at least one"):
        halves(DATA.train_labels, torch.arange(0), generator())
    for odd in (-1, 0):
        with pytest.raises(ValueError, match=f"per_class is {odd}: expected a whole number from 1"):
            halves(DATA.train_labels, torch.arange(48), generator(), odd)
    with pytest.raises(ValueError, match=r"alpha has shape \(5, 5\); cell1-c4-n1 needs \(6, 5\)"):
        discretise(CELL, torch.zeros(5, 5))
    with pytest.raises(ValueError, match="not finite"):
        discretise(CELL, torch.full((6, 5), math.nan))
    with pytest.raises(ValueError, match='order is "third"'):
        replace(TINY, order="third")
    with pytest.raises(ValueError, match='cure is "dropout"; expected one of none, warm-up'):
        cured(TINY, "dropout")
    with pytest.raises(ValueError, match="measure it"):
        replace(TINY, stop_ratio=0.75)
    with pytest.raises(ValueError, match="no skip_connect to drop"):
        run(cured(TINY, "skip-dropout"), MACRO)
    with pytest.raises(ValueError, match="20 equiangular classes"):
        fix_classifier(SuperNet(CELL, 20, generator()), generator())
    with pytest.raises(ValueError, match="1 class, .* expected at least 2 classes"):
        fix_classifier(SuperNet(CELL, 1, generator()), generator())


@pytest.mark.parametrize(
    ("entry", "value"),
    [("warmup", -1), ("skip_dropout", 1), ("curvature_every", -1), ("stop_after", -1), ("window", 0)]
    + [("record_every", 0), ("warmup", 1.5), ("window", 2.0), ("alpha_rate", math.nan), ("alpha_rate", -1)]
    + [("alpha_rate", math.inf), ("alpha_betas", (2, 2)), ("alpha_betas", (0.9,)), ("alpha_betas", (0.9, 1))]
    + [("alpha_betas", ("a", "b")), ("alpha_decay", -1), ("alpha_decay", math.nan), ("alpha_decay", None)],
)
def test_a_darts_recipe_refuses_by_name_what_it_cannot_search_by(entry, value):
    recipe = object.__new__(DartsRecipe)  # as without the type checks of the tests, which refuse some of these first
    vars(recipe).update(vars(TINY) | {entry: value})
    with pytest.raises(ValueError, match=re.escape(f"{entry} is {value}; expected ")):
        recipe.__post_init__()


def test_a_warm_up_to_the_end_is_refused():
    assert run(replace(TINY, warmup=5)).images == 6 * 8 + 8
    net = SuperNet(CELL, 3, generator())
    with pytest.raises(ValueError, match="warmup is 6 of 6 turns: alpha would never move"):
        search(net, DATA, PARTS, replace(TINY, warmup=6, skip_dropout=0.5), generator(1))
    assert not any(module._forward_hooks for module in net.modules())


def test_a_cure_that_counts_turns_needs_a_recipe_that_does():
    epochs = replace(TINY, weights=replace(TINY.weights, unit="epochs"))
    assert cured(epochs, "skip-dropout").skip_dropout == 0.5
    assert cured(TINY, "warm-up").warmup == 3
    for cure in ("warm-up", "early-stopping"):
        with pytest.raises(ValueError, match=f'the cure "{cure}" counts turns, the recipe epochs'):
            cured(epochs, cure)


# ---------------------------------------------------------------------------------------------- gradients


def toy_training(weights, alpha):
    """DARTS, Fig. 2: L_train = w² - 2αw + α², whose best w is α."""
    return weights[0] ** 2 - 2 * alpha * weights[0] + alpha**2


def toy_validation(weights, alpha):
    """L_val = αw - 2α + 1: at w = α it is (α - 1)²."""
    return alpha * weights[0] - 2 * alpha + 1


@pytest.mark.parametrize("product", [mixed_exact, mixed_difference])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_toy_gradients_are_those_computed_by_hand(product, rate):
    """First order w - 2; second order (w' - 2) + 2ξα with w' = w - 2ξ(w - α)."""
    w, alpha = torch.tensor(-2.0, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64)
    assert first_order(toy_validation, [w], alpha) == -4
    ahead = -2 - 2 * rate * (-2 - 2)
    expected = ahead - 2 + 2 * rate * 2
    got = second_order(toy_training, toy_validation, [w], alpha, rate, product)
    assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5])
def test_turns_on_the_toy_end_where_algebra_says(rate):
    """At rest w = α and α = 2 / (1 + 2ξ): first order stops at 2, and ξ = 1/2, one exact step, finds the true 1."""
    w, alpha = torch.tensor(-2.0, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64)
    for _ in range(2000):
        alpha = alpha - 0.05 * second_order(toy_training, toy_validation, [w], alpha, rate)
        w = w - 0.05 * (2 * w - 2 * alpha)
    assert alpha == pytest.approx(2 / (1 + 2 * rate), abs=1e-6) and w == pytest.approx(float(alpha), abs=1e-6)


def small_search(space=CELL):
    """A search in float64 with some momentum in its buffers, and one batch for each loss."""
    net = SuperNet(space, 3, generator()).double()
    under_way = Search(net, DATA, PARTS, TINY, generator(1))
    batches = under_way.training.next(), under_way.validation.next()
    return under_way, *(under_way.loss((images.double(), labels)) for images, labels in batches)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_finite_difference_agrees_with_autograd_in_float64(space):
    """The mixed product on a whole super-network, against differentiating twice."""
    under_way, training, _ = small_search(space)
    vector = [torch.randn(w.shape, generator=generator(5), dtype=w.dtype) for w in under_way.weights]
    exact = mixed_exact(training, under_way.weights, under_way.alpha, vector)
    close = mixed_difference(training, under_way.weights, under_way.alpha, vector, scale=1e-6)
    assert exact.norm() > 1e-4
    assert (close - exact).norm() < 1e-5 * exact.norm()


def test_second_order_is_the_derivative_of_the_loss_after_a_step():
    """Against central differences of α -> L_val(w'(α), α), inertia and decay included."""
    under_way, training, validation = small_search()
    weights, alpha, rate, decay = under_way.weights, under_way.alpha.detach(), 0.1, 0.01
    inertia = [torch.randn(w.shape, generator=generator(6), dtype=w.dtype) * 0.01 for w in weights]

    def after_a_step(alpha):
        slopes = torch.autograd.grad(training(weights, alpha), weights)
        step = [m + s + decay * w for m, s, w in zip(inertia, slopes, weights, strict=True)]
        return validation([w - rate * s for w, s in zip(weights, step, strict=True)], alpha).item()

    got = second_order(training, validation, weights, alpha, rate, mixed_exact, inertia=inertia, decay=decay)
    for gene, choice in ((0, 1), (3, 3), (5, 0)):
        nudge = torch.zeros_like(alpha)
        nudge[gene, choice] = 1e-6
        slope = (after_a_step(alpha + nudge) - after_a_step(alpha - nudge)) / 2e-6
        assert got[gene, choice] == pytest.approx(slope, rel=1e-3, abs=1e-7)


def test_second_order_without_a_step_is_first_order():
    under_way, training, validation = small_search()
    direct = first_order(validation, under_way.weights, under_way.alpha)
    assert torch.allclose(second_order(training, validation, under_way.weights, under_way.alpha, 0.0), direct)


def test_what_is_linear_has_no_curvature():
    assert dominant_eigenvalue(lambda a: (2 * a).sum(), torch.zeros(3), generator()) == 0


def test_power_iteration_finds_the_largest_eigenvalue():
    """Of a quadratic by hand, a negative one in front, and of a super-network against its whole Hessian."""
    diagonal = torch.tensor([1.0, -5.0, 3.0], dtype=torch.float64)
    found = dominant_eigenvalue(lambda a: (diagonal * a * a).sum() / 2, torch.zeros(3).double(), generator(), 100, 1e-9)
    assert found == pytest.approx(-5, abs=1e-5)
    under_way, _, validation = small_search()
    weights = [w.detach() for w in under_way.weights]
    hessian = torch.autograd.functional.hessian(lambda a: validation(weights, a), under_way.alpha.detach())
    values = torch.linalg.eigvalsh(hessian.reshape(30, 30))
    expected = values[values.abs().argmax()]
    got = dominant_eigenvalue(lambda a: validation(weights, a), under_way.alpha, generator(), 500, 1e-9)
    assert got == pytest.approx(float(expected), rel=1e-3)


# ----------------------------------------------------------------------------------------------- a search


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
@pytest.mark.parametrize("order", ["first", "second"])
def test_a_search_moves_alpha_and_weights_on_both_spaces(space, order):
    net = SuperNet(space, 3, generator())
    before = [w.detach().clone() for w in net.parameters()]
    found = search(net, DATA, PARTS, replace(TINY, order=order), generator(1))
    assert list(found.trajectory) == [0, 6] and len(found.losses) == 6
    assert (found.trajectory[6] - found.trajectory[0]).abs().max() > 0.05
    assert any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert found.images == 6 * 8 * replace(TINY, order=order).passes
    assert space.is_alive(discretise(space, found.alpha))


def test_turns_of_second_order_equal_plain_loops(monkeypatch):
    """In float64: Adam on α, by a gradient that autograd takes through the next step of SGD, then SGD on w."""
    monkeypatch.setattr(sys.modules[Search.__module__], "mixed_difference", mixed_exact)
    weighing, m, d = torch.tensor([2.0, 0.5, 0.5], dtype=torch.float64), 0.8, 0.02
    sgd = Recipe(6, 0.4, "steps", "cosine", batch_size=8, clip=0.5, momentum=m, weight_decay=d)
    recipe = DartsRecipe(sgd, "second", alpha_rate=0.05, alpha_betas=(0.6, 0.9), alpha_decay=0.03)
    net = SuperNet(CELL, 3, generator()).double()
    under_way = Search(net, DATA, PARTS, recipe, generator(1), weighing)
    twin = SuperNet(CELL, 3, generator()).double()
    use_batch_statistics(twin)

    def loss(batch, values, alpha):
        values = dict(zip((name for name, _ in twin.named_parameters()), values, strict=True))
        logits = functional_call(twin, values, (batch[0].double(), alpha.softmax(1)))
        each = logits.logsumexp(1) - logits[range(len(logits)), batch[1]]
        return (weighing[batch[1]] * each).sum() / weighing[batch[1]].sum()

    at = under_way.loss
    monkeypatch.setattr(under_way, "loss", lambda batch, *more: at((batch[0].double(), batch[1]), *more))
    streams = [copy.deepcopy(stream) for stream in (under_way.training, under_way.validation)]
    alpha, w = under_way.alpha.detach().clone(), [p.detach().clone() for p in net.parameters()]
    momentum, mean, square = [torch.zeros_like(p) for p in w], torch.zeros_like(alpha), torch.zeros_like(alpha)
    for turn in range(3):
        under_way.turn()
        training, validation = (stream.next() for stream in streams)
        rate = 0.2 * (1 + math.cos(math.pi * turn / 6))
        alpha.requires_grad_()
        leaf = [p.requires_grad_() for p in w]
        slopes = torch.autograd.grad(loss(training, leaf, alpha), leaf, create_graph=True)
        ahead = [p - rate * (m * b + g + d * p) for p, b, g in zip(leaf, momentum, slopes, strict=True)]
        gradient = torch.autograd.grad(loss(validation, ahead, alpha), alpha)[0]
        assert (under_way.alpha.grad - gradient).norm() < 1e-6 * gradient.norm()
        with torch.no_grad():
            gradient = under_way.alpha.grad + 0.03 * alpha
            mean, square = 0.6 * mean + 0.4 * gradient, 0.9 * square + 0.1 * gradient**2
            first, second = mean / (1 - 0.6 ** (turn + 1)), square / (1 - 0.9 ** (turn + 1))
            alpha = alpha - 0.05 * first / (second.sqrt() + 1e-8)
        assert torch.allclose(under_way.alpha, alpha, atol=1e-9)
        slopes = torch.autograd.grad(loss(training, leaf, alpha), leaf)
        shrink = min(1.0, 0.5 / float(sum(g.square().sum() for g in slopes)) ** 0.5)
        momentum = [m * b + shrink * g + d * p.detach() for b, g, p in zip(momentum, slopes, leaf, strict=True)]
        w = [p.detach() - rate * b for p, b in zip(leaf, momentum, strict=True)]
        assert all(torch.allclose(p, q, atol=1e-5) for p, q in zip(net.parameters(), w, strict=True))
        w = [p.detach().clone() for p in net.parameters()]


def test_skip_connections_come_back_by_equal_steps(monkeypatch):
    """A third of the images lose one in the first of six turns, and a sixth of that in the last."""
    drawn, draw = [], SkipDropout.draw
    monkeypatch.setattr(SkipDropout, "draw", lambda self, rate, images: (drawn.append(rate), draw(self, rate, images)))
    run(replace(TINY, skip_dropout=0.3))
    assert drawn == pytest.approx([0.3, 0.25, 0.2, 0.15, 0.1, 0.05])


def test_the_curvature_is_that_of_the_plain_images_for_alpha():
    """Twice a batch of the second half, neither cropped nor flipped."""
    under_way = Search(SuperNet(CELL, 3, generator()), DATA, PARTS, TINY, generator(1))
    images, labels = under_way.probe
    theirs = normalise(DATA.train_images[PARTS[1]], DATA.mean, DATA.std)
    found = [(theirs == image).flatten(1).all(1).nonzero().flatten().tolist() for image in images]
    assert len(labels) == 16 and all(len(places) == 1 for places in found)
    assert torch.equal(DATA.train_labels[PARTS[1]][torch.tensor(found).flatten()], labels)


def test_alpha_rests_during_warm_up():
    found = run(replace(TINY, warmup=4, record_every=1))
    start = found.trajectory[0]
    assert all(torch.equal(found.trajectory[turn], start) for turn in range(5))
    assert not torch.equal(found.trajectory[5], start)
    assert found.images == 6 * 8 + 2 * 8


@pytest.mark.parametrize(
    ("order", "cure"),
    [("second", "none"), ("first", "warm-up"), ("second", "skip-dropout"), ("first", "early-stopping")],
)
def test_a_search_stopped_after_every_turn_ends_the_same_bit_for_bit(tmp_path, cure, order):
    recipe = replace(cured(TINY, cure), order=order, record_every=2)
    whole, file, stops = run(recipe), tmp_path / "search.safetensors", 0
    while True:
        try:
            parts = run(recipe, checkpoint=file, deadline=0.0)
            break
        except Unfinished:
            stops += 1
    assert stops == 5
    assert list(parts.trajectory) == list(whole.trajectory)
    assert all(torch.equal(parts.trajectory[turn], alpha) for turn, alpha in whole.trajectory.items())
    assert parts.losses == whole.losses and parts.curvature == whole.curvature and parts.images == whole.images


def test_a_checkpoint_of_another_search_is_refused(tmp_path):
    file = tmp_path / "search.safetensors"
    found = run(checkpoint=file)
    assert run(checkpoint=file).losses == found.losses
    longer = replace(TINY, weights=replace(TINY.weights, length=12))
    for other in (longer, replace(TINY, skip_dropout=0.5)):
        with pytest.raises(ValueError, match="search.safetensors belongs to another recipe: delete it, or give"):
            run(other, checkpoint=file)
    with pytest.raises(ValueError, match="search.safetensors belongs to another space"):
        run(space=MACRO, checkpoint=file)
    with pytest.raises(ValueError, match="search.safetensors belongs to another choice of class weights"):
        run(class_weights=torch.tensor([2.0, 0.5, 0.5]), checkpoint=file)
    with pytest.raises(ValueError, match="search.safetensors belongs to another precision"):
        run(precision="bf16", checkpoint=file)
    assert run(checkpoint=str(file)).losses == found.losses


def test_a_checkpoint_of_other_images_is_refused_and_the_network_left_alone(tmp_path):
    """As many images in both halves, then fewer in one."""
    file = tmp_path / "search.safetensors"
    run(checkpoint=file)
    for parts in (PARTS[::-1], (PARTS[0], PARTS[1][1:])):
        net = SuperNet(CELL, 3, generator(9))
        before = copy.deepcopy(net.state_dict())
        with pytest.raises(ValueError, match="search.safetensors belongs to another training set"):
            search(net, DATA, parts, TINY, generator(1), checkpoint=file)
        assert all(map(torch.equal, before.values(), net.state_dict().values()))


def test_skip_dropout_loses_whole_images_and_keeps_the_mean():
    net = SuperNet(CELL, 3, generator())
    dropout = SkipDropout(net, generator(4))
    skip, x = net.backbone.stages[0][0][0][1], torch.ones(4000, 2, 1, 1)
    dropout.draw(0.25, 4000)
    lost = skip(x)
    assert lost.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(lost[:, 0], lost[:, 1]) and lost.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(skip(x), lost), "every pass of a turn meets the same network"
    dropout.draw(0.0, 0)
    assert torch.equal(skip(x), x)
    dropout.close()
    dropout.draw(0.5, 4000)
    assert torch.equal(skip(x), x)


def test_early_stopping_goes_back_to_before_the_rise():
    flat = {turn: 1.0 for turn in range(10, 70, 10)}
    assert stopping_point(flat, 3, 0.75) is None
    risen = {10: 1.0, 20: 1.0, 30: 1.0, 40: 1.0, 50: 1.2, 60: 2.0}
    assert stopping_point(risen, 3, 0.75) == 30, "3 / 4.2 is below 0.75"
    assert stopping_point({turn: -value for turn, value in risen.items()}, 3, 0.75) == 30, "its size is what counts"
    assert stopping_point(dict(list(risen.items())[:5]), 3, 0.75) is None, "five looks are too few for two windows"


def test_a_search_that_stops_early_stands_by_the_earlier_alpha(monkeypatch):
    recipe = replace(TINY, curvature_every=1, stop_ratio=0.75, window=1, record_every=10)
    values = iter([1.0, 1.0, 3.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr(Search, "curvature", lambda self: next(values))
    found = run(recipe)
    assert found.stopped == 2 and max(found.trajectory) == 3
    assert torch.equal(found.alpha, found.trajectory[2])


def test_looks_before_their_time_do_not_stop_a_search(monkeypatch):
    """It rises threefold from turn 2 to 3 and from 4 to 5; until turn 2 no look counts, and of turn 3 on each."""
    recipe = replace(TINY, curvature_every=1, stop_ratio=0.75, window=1, stop_after=2)
    values = iter([1.0, 1.0, 3.0, 3.0, 9.0, 9.0])
    monkeypatch.setattr(Search, "curvature", lambda self: next(values))
    assert run(recipe).stopped == 4


def test_a_fixed_classifier_is_equiangular_and_stays():
    net = SuperNet(CELL, 3, generator())
    fix_classifier(net, generator(2))
    angles = net.classifier.weight @ net.classifier.weight.T
    assert torch.allclose(angles, torch.eye(3) * 1.5 - 0.5, atol=1e-6), "unit vectors at cosine -1 / (classes - 1)"
    before = net.classifier.weight.clone()
    search(net, DATA, PARTS, TINY, generator(1))
    assert torch.equal(net.classifier.weight, before)


def test_class_weights_reach_both_losses():
    weights = torch.tensor([2.0, 0.5, 0.5])
    plain, weighted = run(), run(class_weights=weights)
    assert plain.losses[0] != weighted.losses[0]
    assert not torch.equal(plain.alpha, weighted.alpha)


def test_weights_and_labels_of_other_classes_are_refused():
    with pytest.raises(ValueError, match="there are 2 class weights for 3 classes"):
        run(class_weights=torch.ones(2))
    with pytest.raises(ValueError, match="a label is 2; expected 0 to 1: there are 2 classes"):
        search(SuperNet(CELL, 2, generator()), DATA, PARTS, TINY, generator(1))


def test_a_loss_that_explodes_is_named():
    with pytest.raises(NotFinite, match="not finite in turn .: lower the learning rate"):
        run(replace(TINY, weights=replace(TINY.weights, rate=1e30, clip=None, length=40)))


def test_weights_spoilt_by_a_step_are_not_saved(tmp_path):
    """Every loss before is finite: it is the update that overflows."""
    file = tmp_path / "search.safetensors"
    spoilt = replace(TINY, weights=replace(TINY.weights, rate=1e39, clip=None, length=4))
    with pytest.raises(NotFinite, match="not finite in turn 1: lower the learning rate"):
        run(spoilt, checkpoint=file, checkpoint_seconds=0.0)
    assert not file.exists()


# ---------------------------------------------------------------------------------------------- the study


def tiny_arm(name: str):
    """An arm of the study on a few glyphs."""
    arm = arms()[name]
    recipe, scoring = replace(arm.recipe, batch_size=8), Scoring(1, 32, 32)
    budget = Find(generations=1, population=3, crossovers=1, mutations=1, parents=2)
    small = {"images": 80, "channels": 4, "cells": 2, "precision": "float32", "data": "glyphs10"}
    return replace(arm, **small, recipe=recipe, scoring=scoring, search=budget)


@pytest.mark.parametrize("name", ["first-order", "long-tail-fixed", "evolution", "random-search"])
def test_every_method_spends_its_images_and_names_a_published_cell(tmp_path, name):
    arm = tiny_arm(name)
    record = run_arm(arm, 0, str(tmp_path / "results"))
    assert record == read_one(tmp_path / "results" / "darts" / f"{name}-s0.json")
    best = record["results"]["best"]
    path = tuple(map(int, best["path"]))
    assert arm.space.to_string(path) == best["architecture"] and arm.space.is_alive(path)
    assert best["published"] == pytest.approx(nasbench201().loc[best["architecture"]].to_dict(), abs=1e-3)
    assert best["skips"] == best["architecture"].count("skip_connect")
    assert record["results"]["images"] == 80


def test_the_arms_of_the_study_cost_the_same():
    """Images through a network and back: two batches a turn in first order, five in second, one in a warm-up."""
    for arm in arms().values():
        recipe = arm.darts_recipe
        turns, passes = recipe.weights.length, recipe.passes
        images = arm.recipe.batch_size * (recipe.warmup + passes * (turns - recipe.warmup))
        assert images == pytest.approx(arm.images, rel=0.01)


def test_a_study_that_was_stopped_continues_to_the_same_record(tmp_path):
    arm = tiny_arm("evolution")
    whole, stops = run_arm(arm, 1, str(tmp_path / "a" / "results")), 0
    while True:
        try:
            parts = run_arm(arm, 1, str(tmp_path / "b" / "results"), max_seconds=1e-6)
            break
        except Unfinished:
            stops += 1
    assert stops >= 9 and equal(whole, parts)


def test_the_balanced_control_has_as_many_images_as_the_long_tail():
    tail = [min(4500, int(5000 * 0.01 ** (c / 9))) for c in range(10)]  # a tenth of the largest class validates
    assert arms()["few-images"].per_class == sum(tail) // 10


def test_an_arm_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match='DARTS arm is "frist-order"; expected one of first-order'):
        darts("frist-order")
    with pytest.raises(ValueError, match='method is "annealing"'):
        replace(tiny_arm("first-order"), method="annealing")


def test_an_arm_whose_length_would_not_follow_from_its_images_is_refused():
    arm = tiny_arm("first-order")
    with pytest.raises(ValueError, match='unit is "epochs"; expected "steps": how many there are follows from images'):
        replace(arm, recipe=replace(arm.recipe, unit="epochs"))
    with pytest.raises(ValueError, match='precision is "bf61"; expected "bf16", "float32" or "float64"'):
        replace(arm, precision="bf61")
