"""Figures of Table 2: bars that say what they are of, and what a winner costs with and without its source."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from imbnas.plots import results


@pytest.fixture(autouse=True)
def closed() -> None:
    yield
    plt.close("all")


def table(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    columns = ["procedure", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(target="exp-0.01")


def bars(ax: plt.Axes) -> dict[tuple[float, float], float]:
    """Line widths by the ends of every bar."""
    return {
        tuple(line.get_xdata()): line.get_linewidth() for line in ax.lines if line.get_marker() in ("None", "none", "")
    }


def test_one_seed_has_the_thin_bar_of_its_test_images() -> None:
    grid = results.levels(table(("P0", 50.0, np.nan, np.nan), ("P1", 20.0, 18.0, 22.0)), "laptop")
    found = bars(next(ax for ax in grid if ax.get_title() == "exp-0.01"))
    assert found[18.0, 22.0] > 2
    half = 1.96 * 0.5  # half a point: sqrt(50 · 50 / 10,000)
    assert found[50.0 - half, 50.0 + half] < 1


def test_hollow_marks_add_the_source_where_there_is_one() -> None:
    costs = pd.DataFrame(
        [("source", "balance", 600.0, 0.0), ("P0", "balance", 0.0, 60.0), ("P1", "exp-0.01", 60.0, 60.0)]
        + [("P1", "balance", 6000.0, 60.0), ("P3", "exp-0.01", 300.0, 60.0)],
        columns=["procedure", "target", "training", "search"],
    )
    shown = table(*((name, 30.0 + 5 * place, np.nan, np.nan) for place, name in enumerate(("P0", "P1", "P3"))))
    ax = results.cost_against_accuracy(costs, shown, "exp-0.01")
    marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
    hollow = [line.get_markerfacecolor() == "white" for line in marks]
    places = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in marks]
    assert [place for place, empty in zip(places, hollow, strict=True) if not empty] == [(1, 30), (2, 35), (6, 40)]
    assert [place for place, empty in zip(places, hollow, strict=True) if empty] == [(11, 30), (12, 35)]


def test_without_records_the_command_stands_in_the_figure() -> None:
    costs = pd.DataFrame(columns=["procedure", "target", "training", "search"], dtype=float)
    ax = results.cost_against_accuracy(costs, table(), "exp-0.01")
    assert "make grid PROFILE=laptop" in ax.texts[0].get_text()
