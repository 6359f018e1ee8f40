"""The page that lists the library: the doors are there, and docstrings survive as they were written."""

import ast
import re

import pytest

from tools import api


@pytest.fixture(scope="module")
def page() -> str:
    return api.page()


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("data", ["class_counts", "from_arrays", "load", "split"]),
        ("names", ["parse_target"]),
        ("losses", ["class_weights"]),
        ("space", ["CellSpace", "MacroSpace"]),
        ("models", ["SuperNet", "SubNet", "ResNet32"]),
        ("evolution", ["evolve", "random_search"]),
        ("adaptation", ["adapt_p0", "adapt_p1", "adapt_p2", "search_p3"]),
        ("evaluation", ["accuracy", "rank"]),
        ("records", ["read", "table"]),
        ("benchmark", ["nasbench201"]),
        ("evidence.quality", ["quality", "differences"]),
    ],
)
def test_lists_every_door(page: str, module: str, names: list[str]) -> None:
    section = page.split(f"## `imbnas.{module}`\n")[1].split("\n## ")[0]
    assert [name for name in names if f"### `{name}`\n" not in section] == []


def test_markdown_keeps_words_and_lists_parameters() -> None:
    docstring = "Train n_c * 2 of `[B, C]`.\n\nrate: the step, in (0, 1]\n  of lr.\nx, y: $cost$."
    assert api.markdown(docstring).splitlines() == [
        r"Train n\_c \* 2 of `[B, C]`.",
        "",
        r"- `rate`: the step, in (0, 1\]",
        "  of lr.",
        r"- `x`, `y`: \$cost\$.",
    ]


def test_rows_of_tables_become_lists() -> None:
    """A table is too wide for a phone."""
    text = api.markdown("About.\n\n| a | b |\n|---|---|\n| c_1 | `d_2` |\n| e | f |\n\nMore.")
    assert text == "About.\n\n- a: c\\_1 · b: `d_2`\n- a: e · b: f\n\nMore."


def test_a_long_signature_is_cut_at_its_own_commas() -> None:
    source = "def f(self, images: Float[Tensor, 'b 3 h w'], w: dict[str, int] | None = None, *, r: float = 0.1): ..."
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert api.signature(function, "Net.").splitlines() == [
        "Net.f(",
        "    images: Float[Tensor, 'b 3 h w'],",
        "    w: dict[str, int] | None = None,",
        "    *,",
        "    r: float = 0.1,",
        ")",
    ]


GLOSSARY = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (api.ROOT / "book" / "glossary.md").read_text().splitlines()
    if line.startswith("|") and "`imbnas." in line
]


@pytest.mark.parametrize("row", GLOSSARY, ids=lambda row: row[1][:40])
def test_the_glossary_names_what_exists(row: list[str]) -> None:
    *_, code, where = row
    sources = ""
    for module in re.findall(r"`imbnas\.([\w.]+)`", where):
        place = api.LIBRARY.joinpath(*module.split("."))
        files = [place.with_suffix(".py")] if place.with_suffix(".py").exists() else sorted(place.glob("*.py"))
        sources += "".join(path.read_text() for path in files)
    words = {word for name in re.findall(r"`([^`]+)`", code) for word in name.split(".")}
    assert words and [word for word in sorted(words) if not re.search(rf"\b{word}\b", sources)] == []
