"""Augmented batches: equal to the PIL transforms for the same draws, every image once an epoch, exact to resume."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from untyped import untyped

from imbnas.data import Batches, Dataset, augment, eval_batches, normalise
from imbnas.data.sources import torchvision
from imbnas.models import SuperNet
from imbnas.space import MacroSpace

MEAN, STD = torch.tensor([0.49, 0.48, 0.45]), torch.tensor([0.20, 0.21, 0.22])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(count=50, size=8):
    """Random images, each labelled with its own number, so that a batch tells which images it holds."""
    images = torch.randint(256, (count, 3, size, size), generator=seeded(), dtype=torch.uint8)
    labels, names = torch.arange(count), tuple(map(str, range(count)))
    return Dataset("toy", images, labels, images, labels, names)


def draws(count, seed=1):
    dy, dx = torch.randint(9, (2, count), generator=seeded(seed))
    return dy, dx, torch.rand(count, generator=seeded(seed)) < 0.5


@pytest.mark.parametrize("size", [32, 20])
def test_augmentation_equals_the_usual_pil_transforms(size):
    functional = torchvision().transforms.functional
    images = toy(64, size).train_images
    dy, dx, flip = draws(64)
    ours = normalise(augment(images, dy, dx, flip), MEAN, STD)
    for i, image in enumerate(images):
        theirs = functional.pad(Image.fromarray(image.permute(1, 2, 0).numpy()), 4)
        theirs = functional.crop(theirs, int(dy[i]), int(dx[i]), size, size)
        theirs = functional.hflip(theirs) if flip[i] else theirs
        theirs = functional.normalize(functional.to_tensor(theirs), MEAN.tolist(), STD.tolist())
        assert (ours[i] - theirs).abs().max() < 1e-6


def test_the_centre_crop_is_the_image_itself():
    images = toy().train_images
    middle = torch.full((50,), 4)
    assert torch.equal(augment(images, middle, middle, torch.zeros(50, dtype=torch.bool)), images)


def test_normalise_against_float64():
    images = toy().train_images
    exact = (images.double() / 255 - MEAN.double()[:, None, None]) / STD.double()[:, None, None]
    ours = normalise(images, MEAN, STD)
    assert (ours - exact).abs().max() < 1e-6
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_normalising_leaves_the_images_alone():
    dataset = toy()
    before = dataset.train_images.clone()
    normalise(dataset.train_images, MEAN, STD)
    assert torch.equal(dataset.train_images, before)


def test_normalising_leaves_images_of_float32_alone():
    images = torch.full((1, 3, 8, 8), 255.0).contiguous(memory_format=torch.channels_last)
    with untyped():
        normalise(images, MEAN, STD)
    assert images.eq(255).all()


@given(count=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_every_epoch_holds_every_image_once(count, batch_size, seed):
    index = torch.randperm(50, generator=seeded(seed))[:count]
    batches = Batches(toy(size=15), index, batch_size, seeded(seed))
    assert batches.steps_per_epoch == -(-count // batch_size)
    for _ in range(2):
        labels = [batches.next()[1] for _ in range(batches.steps_per_epoch)]
        assert all(len(part) == batch_size for part in labels[:-1])
        assert sorted(torch.cat(labels).tolist()) == sorted(index.tolist())


def test_every_epoch_has_an_order_of_its_own():
    stream = Batches(toy(), torch.arange(50), 50, seeded())
    assert len({tuple(stream.next()[1].tolist()) for _ in range(3)}) == 3


def test_no_small_image_is_left_alone_in_a_batch():
    """Batch norm cannot be trained on one value per channel: a network shows at which sizes there is only one."""
    space = MacroSpace(width=4, layers=(1, 1, 1))
    net = SuperNet(space, 3, seeded()).train()
    for size in (8, 14, 15, 16, 32):
        try:
            net(torch.zeros(1, 3, size, size), (1, 1, 1))
            sizes = [16, 1]
        except ValueError:
            sizes = [15, 2]
        batches = Batches(toy(size=size), torch.arange(17), 16, seeded())
        assert batches.steps_per_epoch == 2
        for _ in range(2):
            epoch = [batches.next() for _ in range(2)]
            assert [len(labels) for _, labels in epoch] == sizes
            assert sorted(torch.cat([labels for _, labels in epoch]).tolist()) == list(range(17))
            assert all(net(images, (1, 1, 1)).isfinite().all() for images, _ in epoch)
        shown = list(eval_batches(toy(17, size).test_images, MEAN, STD, 16))
        assert [len(images) for images in shown] == sizes
        assert torch.equal(torch.cat(shown), normalise(toy(17, size).test_images, MEAN, STD))


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(1, 16, [1]), (3, 2, [2, 1]), (33, 16, [16, 15, 2]), (2, 16, [2])]
)
def test_a_batch_gives_one_image_away_where_it_keeps_two(count, size, sizes):
    shown = eval_batches(toy(count).test_images, MEAN, STD, size)
    assert [len(images) for images in shown] == sizes


def test_images_and_labels_belong_together():
    dataset = toy()
    batches = Batches(dataset, torch.arange(10, 40), 7, seeded(), augment=False)
    images, labels = batches.next()
    torch.testing.assert_close(images, normalise(dataset.train_images[labels], dataset.mean, dataset.std))
    assert images.dtype == torch.float32 and labels.dtype == torch.int64
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_every_offset_and_both_directions_are_drawn():
    """A single bright pixel in the middle shows where each image went: 9 x 9 places, as often mirrored as not."""
    images = torch.zeros(8100, 3, 16, 16, dtype=torch.uint8)
    images[:, :, 8, 8] = 255
    labels = torch.zeros(8100, dtype=torch.int64)
    dataset = Dataset("dot", images, labels, images[:1], labels[:1], ("dot",))
    seen, _ = Batches(dataset, torch.arange(8100), 8100, seeded()).next()
    rows, columns = (seen[:, 0] == seen.max()).nonzero()[:, 1:].T
    assert torch.bincount(rows).nonzero().flatten().tolist() == list(range(4, 13))
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == 9 * 10  # no row goes with its column alone
    # Plain images lie in columns 4 to 12, mirrored ones in 3 to 11: the ends tell them apart.
    counts = torch.bincount(columns).tolist()
    assert counts[:3] == [0, 0, 0] and len(counts) == 13
    assert counts[3] == pytest.approx(450, abs=90) and counts[12] == pytest.approx(450, abs=90)


@pytest.mark.parametrize("steps", [0, 1, 3, 5, 8])
def test_a_stream_resumes_exactly(steps):
    """Also at an epoch's first and last batch (5 an epoch), from a generator in any state."""
    stream, fresh = (Batches(toy(), torch.arange(50), 11, seeded(seed)) for seed in (0, 99))
    for _ in range(steps):
        stream.next()
    state = {name: value.clone() for name, value in stream.state_dict().items()}
    fresh.load_state_dict(state)
    for _ in range(12):
        (images, labels), (again, same) = stream.next(), fresh.next()
        assert torch.equal(images, again) and torch.equal(labels, same)


def test_whole_epochs_are_the_same_batches(monkeypatch):
    """What a GPU makes at the start of an epoch, in chunks that divide neither it nor a batch."""
    monkeypatch.setattr("imbnas.data.batches.CHUNK", 7)
    index = torch.arange(50)
    one, other = (Batches(toy(), index, 16, seeded(3)) for _ in range(2))
    other.whole_epochs = True
    other.load_state_dict(one.state_dict())
    for _ in range(2 * one.steps_per_epoch + 1):
        (images, labels), (same_images, same_labels) = one.next(), other.next()
        assert torch.equal(images, same_images) and torch.equal(labels, same_labels)
        assert images.stride() == same_images.stride()


def test_a_stream_depends_on_its_generator_alone():
    one, same, other = (Batches(toy(), torch.arange(50), 25, seeded(seed)) for seed in (3, 3, 4))
    torch.manual_seed(0)
    first = one.next()[0]
    torch.manual_seed(1)
    assert torch.equal(first, same.next()[0])
    assert not torch.equal(first, other.next()[0])


def test_another_streams_state_is_refused():
    state = Batches(toy(), torch.arange(50), 10, seeded()).state_dict()
    with pytest.raises(ValueError, match=r"\[50, 10, 1\], this one has \[50, 20, 1\]"):
        Batches(toy(), torch.arange(50), 20, seeded()).load_state_dict(state)


@pytest.mark.parametrize(("images", "size"), [(0, 10), (10, 0)])
def test_empty_batches_are_refused(images, size):
    with pytest.raises(ValueError, match="at least 1"):
        Batches(toy(), torch.arange(images), size, seeded())


def test_evaluation_batches_are_in_order_and_whole():
    dataset = toy()
    parts = list(eval_batches(dataset.test_images, MEAN, STD, 20))
    assert [len(part) for part in parts] == [20, 20, 10]
    assert torch.equal(torch.cat(parts), normalise(dataset.test_images, MEAN, STD))
    assert not list(eval_batches(dataset.test_images[:0], MEAN, STD, 20))


@pytest.mark.parametrize("size", [0, -5])
def test_evaluation_batches_of_no_images_are_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}: expected at least one image"):
        eval_batches(toy().test_images, MEAN, STD, size)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ([0, 1], r"a list: expected an int64 tensor \[n\], by torch.as_tensor"),
        (np.array([0, 1]), "a ndarray: expected an int64 tensor"),
        (torch.ones(50, dtype=torch.bool), r"torch.bool \[50\]: expected the images' numbers, int64"),
        (torch.tensor([[0, 1]]), r"int64 \[1, 2\]: expected"),
        (torch.tensor([3, -1]), "holds -1: expected numbers from 0 to 49"),
        (torch.tensor([3, 50]), "holds 50: expected numbers from 0 to 49"),
    ],
)
def test_an_index_is_of_numbers_of_images(index, words):
    with untyped(), pytest.raises(ValueError, match=words):
        Batches(toy(), index, 10, seeded())


@pytest.mark.parametrize("shift", [9, -1])
def test_a_crop_outside_its_image_is_refused(shift):
    """It would show rows of the next image, or of the one before."""
    images, middle = toy(2).train_images, torch.full((2,), 4)
    for name, where in (("dy", (middle.clone(), middle)), ("dx", (middle, middle.clone()))):
        where[name == "dx"][0] = shift
        with pytest.raises(ValueError, match=f"{name} has {shift}: expected pixels from 0 to 8"):
            augment(images, *where, torch.zeros(2, dtype=torch.bool))
