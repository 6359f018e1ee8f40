"""Long-tailed splits: disjoint, counted, nested, and the same whatever the order of the source file."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from untyped import untyped

from imbnas.data import Dataset, class_counts, load, parse_target, split
from imbnas.data.sources import data_folder

KINDS = st.tuples(st.just("exp"), st.floats(0.05, 1)) | st.tuples(st.just("step"), st.floats(0.05, 1))
TARGETS = KINDS | st.just(("balance", 1.0))
VALIDATIONS = st.sampled_from(["held-out", "from-train"])
SIZES = st.lists(st.integers(20, 40), min_size=2, max_size=5)


def toy(sizes, order=None):
    """A data set of random 2 x 2 images with `sizes` of each class, its training images in a given order."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    images = torch.randint(256, (len(labels), 3, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    order = slice(None) if order is None else order
    names = tuple(map(str, range(len(sizes))))
    return Dataset("toy", images[order], labels[order], images[:1], labels[:1], names)


def per_class(dataset, index):
    return torch.bincount(dataset.train_labels[index], minlength=dataset.num_classes).tolist()


@given(sizes=SIZES, target=TARGETS, seed=st.integers(0, 2**32 - 1), validation=VALIDATIONS)
@settings(max_examples=60)
def test_roles_are_disjoint_and_counted(sizes, target, seed, validation):
    dataset = toy(sizes)
    chosen = split(dataset, *target, seed=seed, validation=validation)
    search, held, full = (set(part.tolist()) for part in (chosen.search_train, chosen.validation, chosen.full_train))
    assert not search & held
    assert search == full - held
    assert len(chosen.full_train) == len(full) and len(chosen.validation) == len(held)
    assert chosen.counts == per_class(dataset, chosen.full_train)
    assert chosen.counts == class_counts(*target, num_classes=len(sizes), per_class=min(sizes))
    assert chosen.search_counts == per_class(dataset, chosen.search_train)
    if validation == "held-out":
        assert per_class(dataset, chosen.validation) == [max(sizes) // 10] * len(sizes)
    else:
        assert held <= full
        assert per_class(dataset, chosen.validation) == [max(1, n // 5) if n > 1 else 0 for n in chosen.counts]


@given(target=TARGETS, seed=st.integers(0, 100), validation=VALIDATIONS, shuffle=st.integers(0, 100))
@settings(max_examples=40)
def test_the_order_of_the_source_file_does_not_matter(target, seed, validation, shuffle):
    order = torch.randperm(90, generator=torch.Generator().manual_seed(shuffle))
    ours, theirs = toy([30, 25, 35]), toy([30, 25, 35], order)
    one, other = (split(dataset, *target, seed=seed, validation=validation) for dataset in (ours, theirs))
    assert one.hash == other.hash
    for role in ("search_train", "validation", "full_train"):
        assert torch.equal(ours.train_images[getattr(one, role)], theirs.train_images[getattr(other, role)])


@given(factors=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted), kind=st.sampled_from(["exp", "step"]))
@settings(max_examples=40)
def test_a_smaller_factor_gives_a_subset(factors, kind):
    small, large = (set(split(toy([40] * 4), kind, factor).full_train.tolist()) for factor in factors)
    assert small <= large <= set(split(toy([40] * 4), "balance").full_train.tolist())


def test_held_out_validation_is_the_same_for_every_target():
    parts = [split(toy([40] * 4), *parse_target(t)).validation.tolist() for t in ("balance", "exp-0.1", "step-0.05")]
    assert parts[0] == parts[1] == parts[2]


def test_the_draw_written_out():
    """The rule, from the documentation, in plain numpy: sort by digest, one RandomState, classes in label order."""
    dataset, random = toy([30, 30]), np.random.RandomState(5)
    chosen = split(dataset, "step", 0.5, seed=5)
    by_hand = []
    for label, count in ((0, 30), (1, 15)):
        members = [i for i in range(60) if dataset.train_labels[i] == label]
        members.sort(key=lambda i: dataset.train_digests[i])
        random.shuffle(members)
        by_hand += members[:count]
    assert chosen.full_train.tolist() == by_hand


def test_the_hash_tells_splits_apart():
    dataset = toy([30, 30])
    other_pixels = toy([30, 30])
    other_pixels.train_images[split(dataset, "exp", 0.5).full_train[0]] += 1
    variants = [
        split(dataset, "exp", 0.5),
        split(dataset, "exp", 0.5, seed=1),
        split(dataset, "exp", 0.4),
        split(dataset, "exp", 0.5, validation="from-train"),
        split(other_pixels, "exp", 0.5),
    ]
    assert len({variant.hash for variant in variants}) == 5


def test_natural_counts_are_kept():
    dataset = toy([50, 12, 1])
    chosen = split(dataset, "natural", validation="from-train")
    assert chosen.counts == [50, 12, 1]
    assert chosen.search_counts == [40, 10, 1]


def test_a_class_with_one_image_keeps_it_for_training():
    dataset = toy([10, 1])
    chosen = split(dataset, "natural", validation="from-train")
    assert per_class(dataset, chosen.search_train) == [8, 1]
    assert per_class(dataset, chosen.validation) == [2, 0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: split(toy([50, 5]), "natural"), 'class 1 has 5 .*too few to hold 5 out.*"from-train"'),
        (lambda: split(toy([1, 1]), "natural", validation="from-train"), "toy: natural .*none to spare for validation"),
        (lambda: split(toy([50, 50]), "natural", 0.1), "leave it out"),
        (lambda: split(toy([50, 50]), "balance", validation="test"), "'test'.*held-out, from-train"),
        (lambda: split(toy([50, 50]), "exp", 0.01), "class 1 without an image"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_sizes_that_differ_are_told_where_a_tail_leaves_too_little():
    """Classes of 60, 25, 9 and 3 images are first cut to 3 each, and exp-0.1 of 3 leaves the last without any."""
    mine = toy([60, 25, 9, 3])
    assert split(mine, "balance", validation="from-train").counts == [3, 3, 3, 3]
    with pytest.raises(ValueError, match=r'without an image.*cut to the smallest, class 3; "natural" keeps'):
        split(mine, "exp", 0.1, validation="from-train")
    with pytest.raises(ValueError) as even:
        split(toy([3, 3, 3, 3]), "exp", 0.1, validation="from-train")
    assert "smallest" not in str(even.value)
    with untyped(), pytest.raises(ValueError, match="dataset is 'glyphs10': expected a Dataset, as `load` returns it"):
        split("glyphs10", "exp", 0.1)


@pytest.mark.parametrize("seed", [None, [0, 1], 1.5, -1, 2**32])
def test_a_seed_is_a_whole_number_from_0(seed):
    with untyped(), pytest.raises(ValueError, match="expected a whole number from 0"):
        split(toy([30, 30]), "balance", seed=seed)


# --- the real data, where IMBNAS_DATA points at it --------------------------------------------------------------


def cifar(name):
    path = Path(data_folder()) / f"{name}.npz"
    if "IMBNAS_DATA" not in os.environ or not path.exists():
        pytest.skip(f"needs {name}.npz in the folder that IMBNAS_DATA names")
    return load(name, download=False)


@pytest.fixture(scope="module")
def cifar100():
    return cifar("cifar100")


def test_cifar100_has_the_official_pixels(cifar100):
    assert cifar100.train_images.shape == (50_000, 3, 32, 32)
    official = torch.tensor([0.50707516, 0.48654887, 0.44091784])
    torch.testing.assert_close(cifar100.mean, official, rtol=0, atol=1e-6)
    assert per_class(cifar100, slice(None)) == [500] * 100


def test_cifar100_exp_001_is_pinned(cifar100):
    chosen = split(cifar100, "exp", 0.01)
    assert (len(chosen.full_train), len(chosen.validation), len(chosen.search_train)) == (10_847, 5_000, 10_765)
    assert chosen.hash == "3b548249325f0d1a7c0bd629cca5a8ccf049c2e3ddae4c475d2c8ce78f16c062"


def test_cifar10_holds_500_of_each_class_back():
    dataset = cifar("cifar10")
    chosen = split(dataset, "step", 0.01)
    assert per_class(dataset, chosen.validation) == [500] * 10
    assert chosen.counts == [5000] * 5 + [50] * 5
    assert chosen.search_counts == [4500] * 5 + [50] * 5
