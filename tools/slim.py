"""Make a built book smaller without taking anything from its readers."""

from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

UNREAD = (
    "_static/**/*.map",
    "_static/locales/**/*.*",
    "_static/**/*.ttf",
)  # for debuggers, other languages, old browsers


def slim(html: Path) -> None:
    """Drop what no page reads, the outputs of the notebooks that are offered for download, and unused colours."""
    for pattern in UNREAD:
        for path in html.glob(pattern):
            path.unlink()
    for path in html.glob("_sources/**/*.ipynb"):
        without_outputs(path)
    for path in html.glob("_images/*.png"):
        with_palette(path)


def without_outputs(path: Path) -> None:
    """A notebook for download is to be run; its outputs are on the page."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)


def with_palette(path: Path) -> None:
    """Save a figure with 256 colours where nobody could tell: plots do with them, photographs do not."""
    with Image.open(path) as figure:
        if figure.mode == "RGBA" and figure.getextrema()[3][0] < 255:
            return
        original = figure.convert("RGB")
    reduced = original.quantize(256, dither=Image.Dither.NONE)
    error = np.abs(np.asarray(original, dtype=int) - np.asarray(reduced.convert("RGB"))).mean()
    if error < 0.1:  # of 255
        reduced.save(path, optimize=True)
