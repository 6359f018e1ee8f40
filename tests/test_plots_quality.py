"""Figures of ranking quality, the premise and power: they draw what the frames hold, and say what is missing."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from imbnas.evidence.paths import retrained_paths
from imbnas.evidence.premise import premise
from imbnas.evidence.quality import quality
from imbnas.plots import quality as figures
from tests.test_quality import MIXED, UP, paths, scores_record


@pytest.fixture(autouse=True)
def closed() -> None:
    yield
    plt.close("all")


def texts(ax: plt.Axes) -> str:
    return "\n".join([text.get_text() for text in ax.texts] + [label.get_text() for label in ax.get_yticklabels()])


def test_without_paths_the_command_stands_in_the_figure() -> None:
    (ax,) = figures.quality(quality([]), "exp-0.01")
    assert "make grid GOALS=ranking" in texts(ax)
    assert "make grid GOALS=ranking" in texts(figures.between_targets(premise(retrained_paths([])), {}))
    (few,) = figures.quality(quality([*paths(UP[:9]), scores_record("P1", UP)]), "exp-0.01")
    assert "make grid GOALS=ranking" in texts(few)


def test_a_row_for_each_ranking_its_interval_and_the_lines_across() -> None:
    frame = quality([*paths(UP), scores_record("P1", MIXED), scores_record("P0", UP)])
    left, right = figures.quality(frame, "exp-0.01", 0.9)
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["P0, seed 0", "P1, seed 0", "multiply-adds", "parameters"]
    p1 = frame.iloc[1]
    assert [p1.low, p1.high] in [list(line.get_xdata()) for line in left.lines]
    assert [0.9, 0.9] in [list(line.get_xdata()) for line in left.lines]
    assert [p1.by_chance] * 2 in [list(line.get_xdata()) for line in right.lines]


def test_super_networks_stand_below_their_mean() -> None:
    scores = [scores_record("P1", UP), scores_record("P1", MIXED, seed=1)]
    frame = quality([*paths(UP), *scores])
    left, _right = figures.quality(frame, "exp-0.01")
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["P1", "multiply-adds", "parameters"]
    first, second, mean = frame.tau.iloc[:3]
    drawn = {line.get_marker(): list(line.get_xdata()) for line in left.lines[:3]}
    assert (drawn["D"], drawn["o"]) == ([mean], [first, second]) and first != second


def test_pairs_of_targets_and_their_lower_ceiling() -> None:
    runs = retrained_paths([*paths(UP, target="balance"), *paths(MIXED, target="exp-0.01")])
    table = premise(runs, 50)
    ax = figures.between_targets(table, {"balance": 0.8, "exp-0.01": 0.7})
    assert "balance\nexp-0.01" in texts(ax) and "balance\nexp-0.01, tail" in texts(ax)
    assert [0.7, 0.7] in [list(line.get_xdata()) for line in ax.lines]
    assert len(ax.get_yticks()) == 1 + 1 + 2  # the pair, balance and tail, head and tail of each


def test_curves_of_power_and_of_paths() -> None:
    curve = pd.Series([40, 10, 3], [0.2, 0.4, 1.0])
    ax = figures.seeds_for_gaps({"seeds": curve}, {"P1 − P2": 0.35})
    assert list(ax.lines[0].get_ydata()) == [40, 10, 3] and "P1 − P2" in texts(ax)
    ax = figures.widths(pd.DataFrame({"no noise": [0.1, 0.5]}, index=[12, 24]))
    assert list(ax.lines[0].get_ydata()) == [10.0, 50.0]


def test_the_set_of_paths() -> None:
    ax = figures.strata([5_000_000] * 48)
    assert len(ax.lines[0].get_xdata()) == 48 and "first 24" in texts(ax)
