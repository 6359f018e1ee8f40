"""Figures of Table 2: bars that say what they are of, and what a winner costs with and without its source."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from imbnas.plots import table2


@pytest.fixture(autouse=True)
def closed() -> None:
    yield
    plt.close("all")


def runs(*rows: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["procedure", "accuracy"]).assign(target="exp-0.01")


def bars(ax: plt.Axes) -> dict[tuple[float, float], float]:
    """Line widths by the ends of every bar."""
    return {
        tuple(line.get_xdata()): line.get_linewidth() for line in ax.lines if line.get_marker() in ("None", "none", "")
    }


def test_one_seed_has_the_thin_bar_of_its_test_images_and_two_have_students() -> None:
    grid = table2.levels(runs(("P0", 50.0), ("P1", 20.0), ("P1", 20.2)), "laptop")
    ax = next(ax for ax in grid if ax.get_title() == "exp-0.01")
    found, half = bars(ax), 1.96 * 0.5  # half a point: sqrt(50 · 50 / 10,000)
    assert found[50.0 - half, 50.0 + half] < 1
    half = 12.706 * 0.1  # the quantile of Student's t with one degree of freedom, and the error of the mean
    assert [width for ends, width in found.items() if ends == pytest.approx((20.1 - half, 20.1 + half), abs=0.001)] > [
        2
    ]
    seeds = [tuple(line.get_xdata()) for line in ax.lines if line.get_marker() == "."]
    assert seeds == [(20.0, 20.2)]


def test_an_interval_wider_than_its_seeds_leaves_the_figure_to_them() -> None:
    paper = {"P1 minus P0": pd.DataFrame({"difference": [1.0], "error": [0.7]}, index=["exp-0.01"])}
    ours = {"P1 minus P0": pd.DataFrame({"exp-0.01": [-5.0, 1.0, np.nan]})}
    (ax,) = table2.gaps(ours, paper, "laptop")
    low, high = ax.get_xlim()
    assert -6.5 < low < -5 and 2.4 < high < 3.5  # half a width of 38 points by two seeds, 1.4 by the paper's images
    assert [tuple(line.get_xdata()) for line in ax.lines if line.get_marker() == "."] == [(-5.0, 1.0)]
    assert any(tuple(line.get_xdata()) == (-2.0,) for line in ax.lines)  # the mean


def test_hollow_marks_add_the_source_where_there_is_one() -> None:
    costs = pd.DataFrame(
        [("source", "balance", 600.0, 0.0), ("P0", "balance", 0.0, 60.0), ("P1", "exp-0.01", 60.0, 60.0)]
        + [("P1", "balance", 6000.0, 60.0), ("P3", "exp-0.01", 300.0, 60.0)],
        columns=["procedure", "target", "training", "search"],
    )
    shown = runs(*((name, 30.0 + 5 * place) for place, name in enumerate(("P0", "P1", "P3"))))
    ax = table2.cost_against_accuracy(costs, shown, "exp-0.01")
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1 and line.get_marker() != "."]
    hollow = [line.get_markerfacecolor() == "white" for line in marks]
    places = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in marks]
    assert [place for place, empty in zip(places, hollow, strict=True) if not empty] == [(1, 30), (2, 35), (6, 40)]
    assert [place for place, empty in zip(places, hollow, strict=True) if empty] == [(11, 30), (12, 35)]


def test_without_records_the_command_stands_in_the_figure() -> None:
    costs = pd.DataFrame(columns=["procedure", "target", "training", "search"], dtype=float)
    ax = table2.cost_against_accuracy(costs, runs(), "exp-0.01")
    assert "make grid PROFILE=laptop" in ax.texts[0].get_text()
