"""Label distributions against published counts, and data sets read from files, good and bad."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from untyped import untyped

from imbnas.data import (
    DataError,
    Dataset,
    class_counts,
    from_arrays,
    load,
    normalise,
    parse_target,
    shot_groups,
    sources,
)
from imbnas.data import arrays as npz

CIFAR = {"cifar10": {"num_classes": 10, "per_class": 5000}, "cifar100": {"num_classes": 100, "per_class": 500}}

# --- how many images each class gets ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "factor", "total"),
    [
        ("cifar10", "exp", 0.1, 20_431),
        ("cifar10", "exp", 0.01, 12_406),
        ("cifar10", "step", 0.1, 27_500),
        ("cifar10", "step", 0.01, 25_250),
        ("cifar100", "exp", 0.1, 19_573),
        ("cifar100", "exp", 0.01, 10_847),
        ("cifar100", "step", 0.1, 27_500),
        ("cifar100", "step", 0.01, 25_250),
        ("cifar100", "balance", 1.0, 50_000),
    ],
)
def test_published_totals(name, kind, factor, total):
    assert sum(class_counts(kind, factor, **CIFAR[name])) == total


@pytest.mark.parametrize(
    ("factor", "every_tenth"),
    [
        (0.1, [500, 396, 314, 248, 197, 156, 123, 98, 77, 61, 50]),
        (0.01, [500, 314, 197, 123, 77, 48, 30, 19, 12, 7, 5]),
    ],
)
def test_every_tenth_class_of_cifar100_and_the_last(factor, every_tenth):
    counts = class_counts("exp", factor, **CIFAR["cifar100"])
    assert [*counts[::10], counts[-1]] == every_tenth


def test_cifar10_class_by_class():
    exp = class_counts("exp", 0.01, **CIFAR["cifar10"])
    assert exp == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert class_counts("step", 0.01, **CIFAR["cifar10"]) == [5000] * 5 + [50] * 5


def test_the_usual_groups():
    sizes = [
        [len(group) for group in shot_groups(class_counts("exp", factor, **CIFAR["cifar100"])).values()]
        for factor in (0.01, 0.1)
    ]
    assert sizes == [[35, 35, 30], [69, 31, 0]]
    assert shot_groups([101, 100, 20, 19]) == {"many": [0], "medium": [1, 2], "few": [3]}


@given(
    kind=st.sampled_from(["exp", "step"]),
    factors=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    num_classes=st.integers(2, 50),
    per_class=st.integers(100, 5000),
)
def test_counts_fall_from_head_to_tail_and_with_the_factor(kind, factors, num_classes, per_class):
    low, high = (class_counts(kind, f, num_classes=num_classes, per_class=per_class) for f in factors)
    assert low[0] == per_class
    assert low[-1] == int(per_class * factors[0])
    assert low == sorted(low, reverse=True)
    assert all(a <= b for a, b in zip(low, high, strict=True))


def test_targets_are_parsed():
    assert parse_target("exp-0.01") == ("exp", 0.01)
    assert parse_target("step-1") == ("step", 1.0)
    assert parse_target("exp-1e-05") == ("exp", 1e-05)
    assert parse_target("balance") == ("balance", 1.0)
    assert parse_target("natural") == ("natural", 1.0)


BAD = ["exp", "exp-", "exp-x", "exp-nan", "exp-0", "exp-2", "balance-0.1", "pareto-0.1", "", 0.01]


@pytest.mark.parametrize("text", BAD)
def test_bad_targets_are_refused(text):
    with untyped(), pytest.raises(ValueError, match="target|factor"):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("exp-0.010", "exp-0.01"),
        ("step-1e-2", "step-0.01"),
        ("exp-0.01 ", "exp-0.01"),
        ("exp-0_1", "exp-1"),
        ("exp-1.0", "exp-1"),
        ("exp-0.00001", "exp-1e-05"),
        ("exp-٠.1", "exp-0.1"),
    ],
)
def test_a_target_has_one_spelling_which_is_named(text, plain):
    with pytest.raises(ValueError, match=f"write {plain} for "):
        parse_target(text)


@pytest.mark.parametrize("per_class", [3, 7, 49, 98, 103, 500, 5000])
def test_the_factor_recommended_leaves_every_class_an_image(per_class):
    with pytest.raises(ValueError, match="take a factor of at least") as refusal:
        class_counts("exp", 0.5 / per_class, num_classes=2, per_class=per_class)
    factor = float(str(refusal.value).split()[-1])
    assert class_counts("exp", factor, num_classes=2, per_class=per_class) == [per_class, 1]
    assert factor == pytest.approx(1 / per_class, rel=1e-5)


def test_a_factor_that_rounding_makes_too_small_is_told_from_the_one_recommended():
    """49 * (1 / 49) is 0.9999999999999999."""
    with pytest.raises(ValueError, match="step-0.02040816326530612 of 49 .* at least 0.0204082"):
        class_counts("step", 1 / 49, num_classes=2, per_class=49)


def test_the_middle_class_of_a_stepped_set_is_a_head_class():
    assert class_counts("step", 0.1, num_classes=5, per_class=100) == [100, 100, 100, 10, 10]


@pytest.mark.parametrize("odd", [{"per_class": 100.5}, {"num_classes": 2.5}, {"per_class": 0}, {"num_classes": 1}])
def test_classes_and_images_are_whole_numbers(odd):
    with untyped(), pytest.raises(ValueError, match="whole numbers of at least 2 classes and 1 image"):
        class_counts("balance", **{"num_classes": 2, "per_class": 100} | odd)


@pytest.mark.parametrize(
    ("kind", "factor", "words"),
    [
        ("exp", 0.0, "outside"),
        ("exp", 1.5, "outside"),
        ("exp", "0.1", r"factor '0\.1' is no number in \(0, 1\]"),
        ("pareto", 0.1, "'pareto'.*balance"),
        ("natural", 1.0, "for split"),
        ("balance", 0.1, "no imbalance factor"),
        ("exp", 0.001, "class 90 without an image.*0.002"),
    ],
)
def test_bad_distributions_are_refused(kind, factor, words):
    with untyped(), pytest.raises(ValueError, match=words):
        class_counts(kind, factor, **CIFAR["cifar100"])


# --- in memory ---------------------------------------------------------------------------------------------------

IMAGES, LABELS = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (IMAGES.float(), LABELS, r"test_images are torch.float32 \[4, 3, 8, 8\].*expected images of 0 to 255, uint8"),
        (IMAGES[:, :1], LABELS, r"uint8 \[4, 1, 8, 8\].*uint8 \[N, 3, H, W\]"),
        (torch.zeros(4, 3, 8, 16, dtype=torch.uint8), LABELS, r"square images, uint8 \[N, 3, H, H\]"),
        (torch.zeros(4, 3, 16, 16, dtype=torch.uint8), LABELS, "8 pixels a side, test_images 16: expected equal"),
        (IMAGES, LABELS[:3], r"int64 \[3\].*each of the 4 images"),
        (IMAGES, LABELS.float(), r"test_labels torch.float32.*int64 \[N\]"),
        (IMAGES, LABELS + 1, "labels from 0 to 1, but they go from 1 to 2"),
        (IMAGES, LABELS - 1, "labels from 0 to 1, but they go from -1 to 0"),
    ],
)
def test_a_data_set_of_wrong_tensors_is_refused(images, labels, words):
    with untyped(), pytest.raises(ValueError, match=f"^toy: .*{words}"):
        Dataset("toy", IMAGES, LABELS, images, labels, ("a", "b"))


def test_a_data_set_of_arrays_is_told_to_take_tensors():
    with (
        untyped(),
        pytest.raises(ValueError, match="^toy: train_images is of the type ndarray: expected torch tensors"),
    ):
        Dataset("toy", IMAGES.numpy(), LABELS, IMAGES, LABELS, ("a", "b"))
    with untyped(), pytest.raises(ValueError, match="^toy: test_labels is of the type list: expected torch tensors"):
        Dataset("toy", IMAGES, LABELS, IMAGES, LABELS.tolist(), ("a", "b"))


# --- .npz files --------------------------------------------------------------------------------------------------


def plain_arrays(size=8, classes=3):
    random = np.random.RandomState(0)
    parts = {"train": 4 * classes, "test": 2 * classes}
    images = {
        f"{part}_images": random.randint(0, 256, (n, size, size, 3)).astype(np.uint8) for part, n in parts.items()
    }
    return images | {f"{part}_labels": np.arange(n) % classes for part, n in parts.items()}


def save(path, **changes):
    arrays = plain_arrays() | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return str(path)


def test_an_own_npz(tmp_path):
    arrays = plain_arrays()
    dataset = load(save(tmp_path / "mine.npz"))
    assert (dataset.name, dataset.class_names, dataset.num_classes, dataset.image_size) == (
        "mine",
        ("0", "1", "2"),
        3,
        8,
    )
    assert np.array_equal(dataset.train_images.permute(0, 2, 3, 1).numpy(), arrays["train_images"])
    assert np.array_equal(dataset.test_labels.numpy(), arrays["test_labels"])
    assert dataset.train_images.is_contiguous(memory_format=torch.channels_last)
    pixels = arrays["train_images"].astype(np.float64) / 255
    assert np.allclose(dataset.mean.numpy(), pixels.mean((0, 1, 2)), atol=1e-7)
    assert np.allclose(dataset.std.numpy(), pixels.std((0, 1, 2)), atol=1e-7)


def test_medmnist_habits(tmp_path):
    """Grey images, labels in a column of uint8, and a validation part, which is left alone."""
    plain = plain_arrays()
    grey = {f"{part}_images": plain[f"{part}_images"][..., 0] for part in ("train", "test")}
    column = {f"{part}_labels": plain[f"{part}_labels"].astype(np.uint8)[:, None] for part in ("train", "test")}
    dataset = load(save(tmp_path / "grey.npz", **grey, **column, val_images=np.zeros(5), val_labels=np.zeros(5)))
    assert torch.equal(dataset.train_images, torch.from_numpy(grey["train_images"])[:, None].expand(-1, 3, -1, -1))
    assert dataset.train_labels.tolist() == plain["train_labels"].tolist()


def test_grey_images_may_have_a_channel_of_their_own(tmp_path):
    plain = plain_arrays()
    grey = {f"{part}_images": plain[f"{part}_images"][..., :1] for part in ("train", "test")}
    images = load(save(tmp_path / "grey.npz", **grey)).train_images
    assert np.array_equal(images[:, 2].numpy(), plain["train_images"][..., 0])


def test_a_channel_that_never_varies_is_only_centred(tmp_path):
    plain = plain_arrays()
    whole = load(save(tmp_path / "whole.npz"))
    plain["train_images"][..., 1] = 77
    dataset = load(save(tmp_path / "mine.npz", train_images=plain["train_images"]))
    assert dataset.std.tolist() == [float(whole.std[0]), 1.0, float(whole.std[2])]
    assert not normalise(dataset.train_images, dataset.mean, dataset.std)[:, 1].any()


def test_names_are_looked_for_in_the_data_folder_too(tmp_path, monkeypatch):
    save(tmp_path / "mine.npz", class_names=np.array(["a", "b", "c"]))
    assert load("mine.npz", root=tmp_path).class_names == ("a", "b", "c")
    monkeypatch.setenv("IMBNAS_DATA", str(tmp_path))
    assert load("mine.npz").class_names == ("a", "b", "c")
    monkeypatch.delenv("IMBNAS_DATA")
    assert sources.data_folder() == Path("data")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, root in (("~/mine.npz", None), ("mine.npz", "~")):
        assert load(name, root=root).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_labels": None}, r"no array 'test_labels'.*: train_images, train_labels, .* are needed"),
        ({"train_images": np.zeros((12, 8, 8, 3), np.float32)}, r"train_images is float32.*\(images \* 255\)\.astype"),
        ({"train_images": np.full((12, 8, 8, 3), np.nan)}, r"is float64.*replace the values that are NaN or infinite"),
        ({"train_images": np.zeros((12, 8, 8, 3), np.int64)}, r"is int64.*by images\.astype\('uint8'\)"),
        ({"train_images": np.zeros((12, 3, 8, 8), np.uint8)}, r"channels last, by images\.transpose\(0, 2, 3, 1\)"),
        ({"train_images": np.zeros((12, 8, 8, 4), np.uint8)}, r"three channels of 4, by images\[\.\.\., :3\]"),
        ({"train_images": np.zeros((12, 192), np.uint8)}, r"is uint8 \[12, 192\].*reshape them"),
        ({"train_images": np.zeros((12, 8, 9, 3), np.uint8)}, "square.*crop or resize"),
        ({"train_images": np.zeros((12, 7, 7, 3), np.uint8)}, "at least 8 x 8 pixels.*crop or resize"),
        ({"train_images": np.zeros((12, 0, 0, 3), np.uint8)}, "at least 8 x 8 pixels.*crop or resize"),
        ({"train_images": np.zeros((0, 8, 8, 3), np.uint8)}, r"train_images is uint8 \[0, .*add some"),
        ({"test_images": np.zeros((6, 9, 9, 3), np.uint8)}, "differ in size"),
        ({"train_labels": np.arange(11) % 3}, "each of the 12 images.*give each image its label"),
        ({"train_labels": np.zeros((12, 14), np.int64)}, r"one whole number.*labels\.argmax\(1\)"),
        ({"train_labels": np.linspace(0, 2, 12)}, "one whole number.*number the classes from 0"),
        ({"train_labels": np.arange(12) % 3 - 1}, "label -1"),
        ({"train_labels": np.arange(12) * 10**15}, "label 11000000000000000 for 12 images.*without a gap"),
        ({"test_labels": np.arange(6) % 4}, "label 3"),
        (
            {"train_labels": np.arange(12) % 3 + 1, "test_labels": np.arange(6) % 3 + 1},
            "the labels begin at 1.*by labels - 1 in train and test",
        ),
        ({"class_names": np.array(list("ab"))}, "label 2, but the 2 classes.*give one for each"),
        ({"train_labels": np.arange(12) % 2 * 2}, "no image of class 1"),
        ({"train_labels": np.zeros(12, int), "test_labels": np.zeros(6, int)}, "at least two classes.*it has 1"),
        ({"class_names": np.array(list("abcd"))}, r"no image of class 3 \(d\)"),
        ({"class_names": np.array("abc")}, r"class_names is \[\], but one name for each class"),
        ({"class_names": np.array(list("aba"))}, "two classes are called 'a'"),
        (
            {"class_names": np.array(list("abc"), object)},
            "array 'class_names'.*by np.savez with the arrays",
        ),
    ],
)
def test_a_faulty_npz_is_named(tmp_path, changes, words):
    path = save(tmp_path / "faulty.npz", **changes)
    with pytest.raises(DataError, match=rf"faulty\.npz.*{words}"):
        load(path)


def test_arrays_make_a_data_set_without_a_file(tmp_path) -> None:
    arrays = plain_arrays() | {"class_names": np.array(list("abc"))}
    made, read = from_arrays("mine", arrays), load(save(tmp_path / "mine.npz", **arrays))
    assert (made.name, made.class_names) == (read.name, read.class_names)
    assert torch.equal(made.train_images, read.train_images) and torch.equal(made.test_labels, read.test_labels)


def test_arrays_that_torch_can_not_share_are_copied() -> None:
    """Those that may not be written, that run backwards, and whose channels come first in memory."""
    arrays = plain_arrays()
    images = arrays["train_images"]
    images.setflags(write=False)
    first = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    for odd in (images, images[::-1][::-1], images[::-1], first):
        made = from_arrays("mine", arrays | {"train_images": odd}).train_images
        assert made.is_contiguous(memory_format=torch.channels_last)
        assert np.array_equal(made.permute(0, 2, 3, 1).numpy(), odd)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_images": [[0]]}, "^mine: train_images is a list, but a numpy array is needed.*by np.asarray"),
        ({"test_labels": torch.zeros(6)}, "^mine: test_labels is a Tensor, but a numpy array"),
        ({"class_names": ("a", "b", "c")}, "^mine: class_names is a tuple, but a numpy array"),
        ({"train_labels": np.arange(11) % 3}, "^mine: train_labels is int64.*give each image its label"),
    ],
)
def test_faulty_arrays_are_named(changes, words) -> None:
    with pytest.raises(DataError, match=words):
        from_arrays("mine", plain_arrays() | changes)
    with pytest.raises(DataError, match=r"^mine has no array 'test_labels' \(it has test_images, train_images"):
        from_arrays("mine", {name: array for name, array in plain_arrays().items() if name != "test_labels"})


def test_a_single_array_is_no_data_set(tmp_path):
    with (tmp_path / "mine.npz").open("wb") as file:
        np.save(file, np.zeros((12, 8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"mine\.npz.*one array without a name.*arrays train_images, train_labels"):
        load(str(tmp_path / "mine.npz"))


@pytest.mark.parametrize("damage", ["cut", "scrambled", "text", "empty"])
def test_a_damaged_npz_is_named(tmp_path, damage):
    path = Path(save(tmp_path / "cifar10.npz"))
    whole = path.read_bytes()
    middle = len(whole) // 2
    broken = {
        "cut": whole[:middle],
        "scrambled": whole[: middle - 50] + bytes(100) + whole[middle + 50 :],
        "text": b"not an archive",
        "empty": b"",
    }
    path.write_bytes(broken[damage])
    with pytest.raises(DataError, match=r"cifar10\.npz is damaged.*make it again") as said:
        load("cifar10", root=tmp_path)
    assert "allow_pickle" not in str(said.value)  # no advice to open it unsafely


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_an_npz_packed_in_no_known_way_is_named(tmp_path):
    """Bytes 8 and 10 of a zip's local and central headers say how a file is packed; 99 is none."""
    path = Path(save(tmp_path / "mine.npz"))
    data = bytearray(path.read_bytes())
    data[8] = data[data.index(b"PK\x01\x02") + 10] = 99
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"mine\.npz is damaged.*make it again"):
        load(str(path))


def test_nothing_is_unpickled(tmp_path):
    trap = tmp_path / "sprung"
    path = save(tmp_path / "trap.npz", train_images=np.array([Trap(trap)], dtype=object))
    with pytest.raises(DataError, match=r"trap\.npz"):
        load(path)
    assert not trap.exists()


def test_an_npz_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "whole.npz"
    npz.write_npz(path, plain_arrays())

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        npz.write_npz(path, plain_arrays())
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["whole.npz"]


def test_an_npz_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "any").touch()
    npz.write_npz(tmp_path / "new.npz", plain_arrays())
    assert (tmp_path / "new.npz").stat().st_mode == (tmp_path / "any").stat().st_mode


# --- CIFAR's download, by way of torchvision --------------------------------------------------------------------


def stand_in(fail=None):
    """What `torchvision` would be, with a tiny CIFAR-10 behind it."""
    plain = plain_arrays()

    def cifar10(root, train, download):
        assert download and Path(root).is_dir()
        if fail:
            raise fail
        part = "train" if train else "test"
        (Path(root) / "archive").write_bytes(b"...")
        targets = plain[f"{part}_labels"].tolist()
        return SimpleNamespace(data=plain[f"{part}_images"], targets=targets, classes=["a", "b", "c"])

    return SimpleNamespace(datasets=SimpleNamespace(CIFAR10=cifar10))


def test_cifar_is_downloaded_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "torchvision", stand_in)
    first = load("cifar10", root=tmp_path / "new")
    assert os.listdir(tmp_path / "new") == ["cifar10.npz"]
    monkeypatch.setattr(sources, "torchvision", None)
    again = load("cifar10", root=tmp_path / "new", download=False)
    assert again.class_names == ("a", "b", "c")
    assert torch.equal(first.train_images, again.train_images)
    assert np.array_equal(again.train_images.permute(0, 2, 3, 1).numpy(), plain_arrays()["train_images"])


def test_a_failed_download_leaves_nothing_and_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "torchvision", lambda: stand_in(fail=OSError("no route")))
    with pytest.raises(DataError, match=r"cifar10\.npz does not exist.*no route.*IMBNAS_DATA"):
        load("cifar10", root=tmp_path)
    assert os.listdir(tmp_path) == []


def test_no_download_unless_allowed(tmp_path):
    with pytest.raises(DataError, match=r"cifar100\.npz does not exist and downloading is off: put cifar100\.npz"):
        load("cifar100", root=tmp_path, download=False)


def test_torchvision_can_be_imported_beside_any_torch():
    assert sources.torchvision().datasets.CIFAR10.__name__ == "CIFAR10"


# --- folders of images ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Three training and two test images of each of two classes, lossless."""
    random = np.random.RandomState(1)
    for part, count in (("train", 3), ("test", 2)):
        for name in ("cat", "ant"):
            (tmp_path / "zoo" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.randint(0, 256, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "zoo" / part / name / f"{i}.png")
    (tmp_path / "zoo" / "train" / "ant" / ".hidden").write_text("not an image")
    return tmp_path / "zoo"


def test_a_folder_of_images(folder):
    dataset = load(str(folder))
    assert (dataset.name, dataset.class_names) == ("zoo", ("ant", "cat"))
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test_labels.tolist() == [0, 0, 1, 1]
    pixels = np.asarray(Image.open(folder / "train" / "cat" / "2.png"))
    assert np.array_equal(dataset.train_images[5].permute(1, 2, 0).numpy(), pixels)


def large(file):
    Image.new("RGB", (9, 8)).save(file)


def grey(file):
    Image.new("L", (8, 8)).save(file)


def transparent(file):
    Image.new("RGBA", (8, 8)).save(file)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:80])


def text(file):
    file.write_text("not an image")


def folder_inside(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (large, "is 9 x 8 RGB, but .*0.png is 8 x 8 RGB"),
        (grey, "is 8 x 8 L, but"),
        (transparent, "has the type RGBA"),
        (cut_short, "cannot be read"),
        (text, "cannot be read"),
        (folder_inside, "is a folder inside a class, but a data folder holds .*: move its images up"),
    ],
)
def test_the_image_at_fault_is_named(folder, spoil, words):
    spoil(folder / "test" / "cat" / "1.png")
    with pytest.raises(DataError, match=rf"test.cat.1\.png {words}"):
        load(str(folder))


def test_images_too_small_for_the_networks_are_named(folder):
    for file in folder.rglob("*.png"):
        Image.new("RGB", (4, 4)).save(file)
    with pytest.raises(DataError, match=r"train.ant.0\.png is 4 x 4 pixels, but at least 8 x 8 are needed"):
        load(str(folder))


def test_train_and_test_must_have_the_same_classes(folder):
    (folder / "test" / "bee").mkdir()
    with pytest.raises(DataError, match="'bee' is in only one"):
        load(str(folder))
    (folder / "train" / "bee").mkdir()
    with pytest.raises(DataError, match=r"train_labels has no image of class 1 \(bee\)"):
        load(str(folder))


def test_a_folder_without_the_layout_is_refused(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"test does not exist: a data folder holds \{train,test\}/<class>/<image>"):
        load(str(tmp_path))
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        load(str(tmp_path))


@pytest.mark.parametrize("name", [None, 5, ""])
def test_what_is_no_name_is_refused(name):
    with untyped(), pytest.raises(DataError, match=f"data set is {name!r}: take one of cifar10, .* or the path of"):
        load(name)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="'cifar11'.*cifar10, cifar100, glyphs10, glyphs100"):
        load("cifar11", root=tmp_path)


def test_a_home_of_nobody_has_no_data(tmp_path):
    with pytest.raises(DataError, match="no data set '~nosuchuser/x': take one of cifar10"):
        load("~nosuchuser/x", root=tmp_path)


def test_a_photograph_that_lies_on_its_side_is_read_upright(tmp_path):
    """Orientation 6 of EXIF: turn by a quarter, clockwise, to see it as it was taken."""
    lying = np.zeros((8, 8, 3), np.uint8)
    lying[:, :4] = 255  # left is bright: upright, the upper half is
    exif = Image.Exif()
    exif[0x0112] = 6
    for part in ("train", "test"):
        (tmp_path / part / "one").mkdir(parents=True)
        Image.fromarray(lying).save(tmp_path / part / "one" / "a.png", exif=exif)
        (tmp_path / part / "two").mkdir()
        Image.fromarray(lying).save(tmp_path / part / "two" / "a.png")
    turned, plain = load(str(tmp_path)).train_images
    assert turned[:, :4].min() == 255 and turned[:, 4:].max() == 0
    assert plain[:, :, :4].min() == 255 and plain[:, :, 4:].max() == 0
