"""The glyph data sets: complete, repeatable, cached where possible, and out of a linear classifier's reach."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.ft2font import FT2Font

from imbnas.data import glyphs, load, normalise


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def glyphs100(folder):
    return load("glyphs100", root=folder)


def test_every_font_has_every_character():
    wanted = set(map(ord, glyphs.characters("glyphs10") + glyphs.characters("glyphs100")))
    assert len(wanted) == 110
    for font in glyphs.FONTS:
        path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
        assert wanted <= set(FT2Font(str(path)).get_charmap()), font


@pytest.mark.parametrize("make", [glyphs.characters, glyphs.render])
def test_other_glyphs_are_refused(make):
    with pytest.raises(ValueError, match="'glyphs50': expected one of glyphs10, glyphs100"):
        make("glyphs50")


@pytest.mark.parametrize(
    ("name", "classes", "train", "test"), [("glyphs10", 10, 500, 100), ("glyphs100", 100, 200, 50)]
)
def test_balanced_and_of_the_right_size(name, classes, train, test, folder):
    dataset = load(name, root=folder)
    assert (dataset.name, dataset.num_classes, dataset.image_size) == (name, classes, 32)
    assert len(set(dataset.class_names)) == classes
    assert torch.bincount(dataset.train_labels).tolist() == [train] * classes
    assert torch.bincount(dataset.test_labels).tolist() == [test] * classes


def test_no_image_is_there_twice(glyphs100):
    test = glyphs100.test_images.permute(0, 2, 3, 1).contiguous().numpy()
    assert len({*glyphs100.train_digests, *(image.tobytes() for image in test)}) == 25_000


def test_masks_are_distinct_also_mirrored():
    """Every two characters differ in a quarter of their ink at least, and no mask is empty or cut off."""
    masks = np.stack([glyphs._mask(character, "DejaVuSans") for character in glyphs.characters("glyphs100")])
    assert not masks[:, [0, -1]].any() and not masks[:, :, [0, -1]].any()
    shapes = torch.from_numpy(masks).float() / 255
    plain, both = shapes.flatten(1), torch.cat([shapes, shapes.flip(-1)]).flatten(1)
    assert plain.sum(1).min() > 100
    apart = torch.cdist(plain, both, p=1) / torch.maximum(plain.sum(1)[:, None], both.sum(1))
    apart += torch.eye(100).repeat(1, 2)  # a character and its own mirror image may be alike
    assert apart.min() > 0.25


def test_rendering_repeats_exactly_on_any_processor():
    """In another Python, without the vector instructions that this machine may have."""
    code = "import hashlib; from imbnas.data import glyphs; images = glyphs.render('glyphs10')['test_images']"
    code += "; print(hashlib.sha256(images.tobytes()).hexdigest())"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    plain = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    ours = hashlib.sha256(glyphs.render("glyphs10")["test_images"].tobytes()).hexdigest()
    assert plain.stdout.strip() == ours


def test_the_cache_is_read_and_a_damaged_one_is_replaced(folder, tmp_path, monkeypatch):
    fresh = load("glyphs10", root=tmp_path)
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    with monkeypatch.context() as context:
        context.setattr(glyphs, "render", None)
        assert torch.equal(load("glyphs10", root=tmp_path).train_images, fresh.train_images)
    path.write_bytes(whole[:1000])
    assert torch.equal(load("glyphs10", root=tmp_path).train_images, fresh.train_images)
    assert path.read_bytes() == whole


def test_a_data_folder_that_cannot_be_written_still_works(tmp_path):
    blocked = tmp_path / "data"
    blocked.write_text("a file where the folder should be")
    assert load("glyphs10", root=blocked).num_classes == 10


def test_a_linear_classifier_is_lost(glyphs100):
    """Ridge regression on the pixels of every other image: well above chance (1 %), far below what shapes allow."""
    train, test = (
        normalise(images, glyphs100.mean, glyphs100.std).reshape(len(images), -1)
        for images in (glyphs100.train_images[::2], glyphs100.test_images)
    )
    targets = torch.nn.functional.one_hot(glyphs100.train_labels[::2]).float() - 0.01
    factor = torch.linalg.cholesky(train.T @ train + 3e4 * torch.eye(3072))
    scores = test @ torch.cholesky_solve(train.T @ targets, factor)
    accuracy = (scores.argmax(1) == glyphs100.test_labels).float().mean()
    assert 0.1 < accuracy < 0.6
