"""Figures of the failure museum: their axes hold what the inputs say."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from imbnas import plots
from imbnas.plots import museum
from imbnas.plots.theme import ORANGE

NAMES = list("abcdefgh")


@pytest.fixture(autouse=True)
def figures():
    with plt.rc_context():
        plots.theme()
        yield
        plt.close("all")


def test_a_move_by_a_quarter_of_the_list_stands_out() -> None:
    first = pd.Series(range(8, 0, -1), NAMES, dtype=float)  # a is first, h last
    second = first.copy()
    second[["a", "b", "c"]] = [5.5, 8.5, 7.5]  # a falls to place 3, b and c move up by one
    ax = museum.crossings(first, second, ("one", "other"))
    ax.figure.canvas.draw()
    far = [line for line in ax.get_lines() if line.get_color() == ORANGE]
    assert [list(line.get_ydata()) for line in far] == [[1, 3]]
    assert ax.get_title(loc="left") == "1 of 8 paths move a quarter of the list"


def test_the_means_of_the_chosen_and_of_the_others_are_marked() -> None:
    first = pd.Series([50.0, 40, 30, 20], list("abcd"))
    second = pd.Series([44.0, 40, 32, 22], list("abcd"))
    ax = museum.twice(first, second, ["a", "b"])
    ax.figure.canvas.draw()
    means = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.get_lines() if line.get_marker() == "P"]
    assert means == [(25, 27), (45, 42)]


def test_pairs_are_ordered_by_the_first() -> None:
    ax = museum.pairs({"floor": [3.0, 1.0, 2.0], "round": [3.5, 0.5, 2.5]}, "draws", "accuracy")
    ax.figure.canvas.draw()
    assert [list(line.get_ydata()) for line in ax.get_lines()] == [[1, 2, 3], [0.5, 2.5, 3.5]]


def test_a_panel_says_how_far_two_rankings_agree() -> None:
    one = pd.Series(range(8), NAMES, dtype=float)
    panels = {"the same": (one[::-1], one), "the reverse": (-one, one)}
    axes = museum.agreement(panels, ["across", "across"], "score")
    axes[0].figure.canvas.draw()
    assert [ax.get_title(loc="left") for ax in axes] == ["the same: τ = 1.00", "the reverse: τ = −1.00"]


def test_an_odd_number_of_panels_leaves_the_last_place_empty() -> None:
    values = pd.Series([1.0, 2, 3], list("abc"))
    shown = museum.agreement({name: (values, values) for name in "xyz"}, ["", "", "across"], "up")
    assert len(shown) == 3 and shown[-1].get_xlabel() == "across"
    assert [ax.axison for ax in shown[0].figure.axes] == [True, True, True, False]
