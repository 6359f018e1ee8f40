"""Small colour images of characters in the fonts that matplotlib ships: a data set without a download.

Each image is one character in one of thirteen typefaces, turned, sheared, scaled and shifted, in random
colours, mostly light on dark, on a graded ground with a stray stroke and noise. Training and test images are
drawn alike, in equal numbers per class. A ridge classifier on the pixels reaches 33 % of glyphs100.

The arithmetic is float64 and the draws are uniform, so that the rounded pixels are the same everywhere.
"""

import math
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from jaxtyping import Float64, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from .arrays import DataError, from_arrays, read_arrays, write_npz
from .dataset import Dataset

SIZE = 32  # of an image, in pixels
MASK, GLYPH = 64, 48  # the canvas a character is drawn on once, and its longer side there
VERSION = 1  # of the images; counts up with every change to them, and names the cached file

SIZES = {"glyphs10": (500, 100), "glyphs100": (200, 50)}  # training and test images per class
DIGITS = "0123456789"
# No two alike, mirrored or not (training flips images): no d beside b, no q beside P, no Λ beside A.
LETTERS = "ABCDEFGHKLMNOPQRSTUVWXYZ" + "abefghijmnrt" + "ΔΞΣΦΨΩ" + "βδζηλμξσω" + "ДЖЦЧШЫЮЂ"
SIGNS = "!?#$%&@*+={[<~§¶£€¥©÷±∞√∫Æ∇≠≤≈≡∈∩→↑◊«¬∠∝⊥"

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol")),
)


def characters(name: str) -> str:
    """The classes of "glyphs10" (the digits) or "glyphs100" (none of them), in label order; ValueError otherwise."""
    if name not in SIZES:
        raise ValueError(f"there are no glyphs {name!r}: expected one of {', '.join(SIZES)}")
    if name == "glyphs10":
        return DIGITS
    # Mixed once and for all, so that head and tail classes come from every alphabet.
    order = np.random.RandomState(0).permutation(100)
    return "".join((LETTERS + SIGNS)[i] for i in order)


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    return ImageFont.truetype(str(path), 96, layout_engine=ImageFont.Layout.BASIC)


def _mask(character: str, font: str) -> UInt8[np.ndarray, "64 64"]:
    """A character's shape, 0 to 255, its longer side 48 pixels, in the middle of a 64 x 64 canvas."""
    face = _font(font)
    left, top, right, bottom = face.getbbox(character)
    shape = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(shape).text((-left, -top), character, fill=255, font=face)
    scale = GLYPH / max(shape.size)
    shape = shape.resize([max(1, round(side * scale)) for side in shape.size], Image.Resampling.BOX)
    canvas = Image.new("L", (MASK, MASK))
    canvas.paste(shape, ((MASK - shape.width) // 2, (MASK - shape.height) // 2))
    return np.asarray(canvas)


class _Draw:
    """Uniform float64 numbers from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def __call__(self, low: float, high: float, *shape: int) -> Float64[Tensor, "..."]:
        return low + (high - low) * torch.rand(shape, dtype=torch.float64, generator=self.generator)


def _ink(draw: _Draw, masks: Float64[Tensor, "f 64 64"], count: int) -> Float64[Tensor, "n 1 32 32"]:
    """How much of each pixel the character covers, after a random affine map."""
    face = (draw(0, 1, count) * len(masks)).long()
    turn, shear = draw(-0.2, 0.2, count), draw(-0.15, 0.15, count)
    across, down = draw(18, 27, count), draw(0.85, 1.18, count)
    inverse = torch.stack([turn.cos(), turn.sin() + shear, -turn.sin(), turn.cos()], -1).view(-1, 2, 2)
    # From image pixels to the canvas, both measured from -1 to 1, where the character's side is GLYPH / MASK.
    size = torch.stack([across, across * down], -1) * MASK / (GLYPH * SIZE)
    inverse = inverse / size[:, :, None]
    shift = draw(-0.16, 0.16, count, 2, 1)
    affine = torch.cat([inverse, -inverse @ shift], -1)
    grid = affine_grid(affine, [count, 1, SIZE, SIZE], align_corners=False)
    return grid_sample(masks[face, None], grid, align_corners=False)


def _stroke(draw: _Draw, count: int) -> Float64[Tensor, "n 1 32 32"]:
    """How much of each pixel a stray straight stroke covers."""
    angle, reach = draw(0, 2 * math.pi, count, 1, 1), draw(3, 8, count, 1, 1)
    x, y = draw(0, SIZE, count, 1, 1), draw(0, SIZE, count, 1, 1)
    column, row = torch.arange(SIZE) + 0.5 - x, torch.arange(SIZE)[:, None] + 0.5 - y
    along = column * angle.cos() + row * angle.sin()
    aside = row * angle.cos() - column * angle.sin()
    cover = (1.6 - aside.abs()).clamp(0, 1) * (reach - along.abs()).clamp(0, 1)
    return cover[:, None]


def _colours(draw: _Draw, level: Float64[Tensor, " n"], tint: float) -> Float64[Tensor, "n 3 1 1"]:
    return level[:, None, None, None] + draw(-tint, tint, len(level), 3, 1, 1)


def _ground(draw: _Draw, level: Float64[Tensor, " n"]) -> Float64[Tensor, "n 3 32 32"]:
    """A colour that changes evenly across the image."""
    ramp = torch.linspace(-0.5, 0.5, SIZE, dtype=torch.float64)
    slope = draw(-0.3, 0.3, 2, len(level), 3, 1, 1)
    return _colours(draw, level, 0.2) + slope[0] * ramp + slope[1] * ramp[:, None]


def _images(draw: _Draw, character: str, count: int) -> UInt8[np.ndarray, "n 32 32 3"]:
    masks = torch.from_numpy(np.stack([_mask(character, font) for font in FONTS])).double() / 255
    level = draw(0, 0.55, count)
    picture = _ground(draw, level)
    picture = picture.lerp(_colours(draw, draw(0, 1, count), 0.2), _stroke(draw, count))
    contrast = (level + draw(0.4, 0.6, count)) % 1  # mostly lighter than the ground
    picture = picture.lerp(_colours(draw, contrast, 0.15), _ink(draw, masks, count))
    picture = picture + draw(-0.06, 0.06, count, 3, SIZE, SIZE)
    return (picture * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def render(name: str) -> dict[str, np.ndarray]:
    """The arrays of "glyphs10" or "glyphs100", the same on every call (1 and 3 seconds on one thread)."""
    classes = characters(name)
    train, test = SIZES[name]
    draw = _Draw(torch.Generator().manual_seed(VERSION))
    images = np.stack([_images(draw, character, train + test) for character in classes])
    arrays: dict[str, np.ndarray] = {"class_names": np.array(list(classes))}
    for part, count, chosen in (("train", train, images[:, :train]), ("test", test, images[:, train:])):
        arrays[f"{part}_images"] = chosen.reshape(-1, SIZE, SIZE, 3)
        arrays[f"{part}_labels"] = np.repeat(np.arange(len(classes)), count)
    return arrays


def read_glyphs(name: str, folder: Path) -> Dataset:
    """The data set "glyphs10" or "glyphs100", rendered once and kept in `folder` where that can be written."""
    path = folder / f"{name}-{VERSION}.npz"
    try:
        return from_arrays(name, read_arrays(path), path)
    except DataError:
        arrays = render(name)
    try:
        write_npz(path, arrays)
    except OSError:
        pass  # A data folder that cannot be written costs a rendering each time, nothing else.
    return from_arrays(name, arrays, path)
