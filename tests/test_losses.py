"""Class weights and losses, against published ratios and formulas written out in float64."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from untyped import untyped

from imbnas.data import class_counts
from imbnas.losses import Deferred, class_weights, combined_loss, weighted_cross_entropy, weights_for

COUNTS = st.lists(st.integers(1, 5000), min_size=2, max_size=100)


@pytest.fixture
def batch():
    """Logits, labels and weights of a small, unbalanced batch, in float64."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(12, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
    return logits, labels, class_weights([300, 90, 30, 10]).double()


def each_loss(logits, labels):
    """-log softmax of the true class, image by image, in plain Python."""
    rows = zip(logits.tolist(), labels.tolist(), strict=True)
    return [math.log(sum(map(math.exp, row))) - row[label] for row, label in rows]


# Tail weight over head weight (Cui et al.'s formula), published sets.
@pytest.mark.parametrize(
    ("classes", "per_class", "factor", "beta", "ratio"),
    [
        (100, 500, 0.01, 0.9, 2.4),
        (100, 500, 0.01, 0.99, 20.3),
        (100, 500, 0.01, 0.999, 78.9),
        (100, 500, 0.01, 0.9999, 97.6),
        (100, 500, 0.1, 0.999, 8.1),
        (100, 500, 0.1, 0.9999, 9.8),
        (10, 5000, 0.01, 0.9, 1.01),
        (10, 5000, 0.01, 0.99, 2.5),
        (10, 5000, 0.01, 0.999, 20.4),
        (10, 5000, 0.01, 0.9999, 78.9),
        (10, 5000, 0.1, 0.9999, 8.1),
    ],
)
def test_tail_to_head_ratio(classes, per_class, factor, beta, ratio):
    weights = class_weights(class_counts("exp", factor, num_classes=classes, per_class=per_class), beta)
    digits = 2 if ratio < 2 else 1
    assert round(float(weights[-1] / weights[0]), digits) == ratio


@pytest.mark.parametrize(
    ("kind", "factor", "mean"),
    [("exp", 0.01, 0.20), ("step", 0.01, 0.040), ("exp", 0.1, 0.65), ("step", 0.1, 0.33)],
)
def test_mean_weight_of_an_image(kind, factor, mean):
    counts = class_counts(kind, factor, num_classes=100, per_class=500)
    weights = class_weights(counts)
    assert float(weights @ torch.tensor(counts).float()) / sum(counts) == pytest.approx(mean, rel=0.03)


@given(counts=COUNTS, scheme=st.sampled_from(["effective", "inverse", "sqrt"]))
def test_weights_have_mean_one_and_fall_with_the_count(counts, scheme):
    weights = weights_for(counts, scheme)
    assert float(weights.mean()) == pytest.approx(1, abs=1e-5)
    order = sorted(range(len(counts)), key=counts.__getitem__)
    assert (weights[order].diff() <= 0).all()


@pytest.mark.parametrize("scheme", ["effective", "inverse", "sqrt"])
def test_a_balanced_set_has_weights_of_one(scheme):
    assert torch.equal(weights_for([500] * 100, scheme), torch.ones(100))


def test_beta_spans_no_weighting_to_inverse_frequency():
    counts = [500, 100, 20, 5]
    assert torch.equal(class_weights(counts, beta=0.0), torch.ones(4))
    torch.testing.assert_close(class_weights(counts, 1 - 1e-9), weights_for(counts, "inverse"), rtol=1e-5, atol=0)


def test_named_schemes_by_hand():
    assert weights_for([4, 1], "inverse").tolist() == pytest.approx([0.4, 1.6])
    assert weights_for([4, 1], "sqrt").tolist() == pytest.approx([2 / 3, 4 / 3])
    assert weights_for([4, 1], "none") is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: class_weights([3, 0]), "at least 1 image"),
        (lambda: class_weights([]), "at least 1 image"),
        (lambda: class_weights([3, 1], beta=1.0), "beta 1.0"),
        (lambda: class_weights([math.nan, 10]), r"\[nan, 10\]: expected whole numbers"),
        (lambda: class_weights([1.5, 10]), r"\[1.5, 10\]: expected whole numbers"),
        (lambda: weights_for([3, 1], "focal"), "'focal'.*effective, inverse, sqrt, none"),
    ],
)
def test_bad_input_is_named(call, words):
    with untyped(), pytest.raises(ValueError, match=words):
        call()


def test_weighted_cross_entropy_is_the_weighted_mean(batch):
    logits, labels, weights = batch
    losses, chosen = each_loss(logits, labels), weights[labels].tolist()
    expected = sum(w * loss for w, loss in zip(chosen, losses, strict=True)) / sum(chosen)
    assert float(weighted_cross_entropy(logits, labels, weights)) == pytest.approx(expected, rel=1e-12)
    assert float(weighted_cross_entropy(logits, labels)) == pytest.approx(sum(losses) / 12, rel=1e-12)


def test_low_precision_logits_keep_the_weights_exact(batch):
    logits, labels, weights = batch
    low, weights = logits.bfloat16(), weights.float()
    loss = weighted_cross_entropy(low, labels, weights)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, weighted_cross_entropy(low.float(), labels, weights))


@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0, 3.0])
def test_equation_1_as_a_sum_is_a_weighted_mean(batch, lam):
    logits, labels, weights = batch
    total = float(combined_loss(logits, labels, weights, lam))
    losses, chosen = each_loss(logits, labels), weights[labels].tolist()
    by_hand = sum(losses) / 12 + lam * sum(w * x for w, x in zip(chosen, losses, strict=True)) / sum(chosen)
    assert total == pytest.approx(by_hand, rel=1e-12)
    rescaled = 1 + lam * 12 / sum(chosen) * weights
    assert total == pytest.approx((1 + lam) * float(weighted_cross_entropy(logits, labels, rescaled)), rel=1e-12)


def test_equation_1_on_a_balanced_batch_has_weights_one_plus_w(batch):
    logits, _, weights = batch
    labels = torch.arange(4).repeat(3)
    expected = 2 * weighted_cross_entropy(logits, labels, 1 + weights)
    torch.testing.assert_close(combined_loss(logits, labels, weights, 1.0), expected, rtol=1e-7, atol=0)


def test_deferred_switches_at_its_start():
    weights = class_weights([10, 1])
    schedule = Deferred(weights, start=160)
    assert [schedule.at(step) is weights for step in (0, 159, 160, 161)] == [False, False, True, True]
    assert schedule.at(159) is None
    assert Deferred(weights).at(0) is weights
    assert Deferred(None, start=5).at(9) is None
