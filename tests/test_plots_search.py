"""Figures of the super-network and the search: their axes hold what the inputs say."""

import itertools

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.patches import PathPatch

from imbnas import plots
from imbnas.evolution import evolve
from imbnas.plots import ranking, search, space
from imbnas.plots.theme import RULE, note, style
from imbnas.space import CellSpace


@pytest.fixture(autouse=True)
def figures():
    with plt.rc_context():
        plots.theme()
        yield
        plt.close("all")


def drawn(ax) -> None:
    """Everything can be laid out and rendered; a warning would be an error."""
    ax.figure.canvas.draw()


def line(ax, label: str):
    return next(line for line in ax.get_lines() if line.get_label() == label)


def curves(top: float) -> dict:
    paths = [1, 10, 20]
    rising = {q: [top - 2, top - 1, top] for q in ("mean", "q10", "q50", "q90")}
    children = {"mutants": [0, 25, 20], "crossovers": [0, 25, 5], "random": [50, 0, 25]}
    winners = [{"score": top, "truth": 93.0}, {"score": top, "truth": 93.0}, {"score": top - 1, "truth": 94.0}]
    return {"paths": paths, "score": rising, "truth": rising, "children": children, "winners": winners}


def test_series_differ_in_more_than_colour() -> None:
    looks = [style(number) for number in range(6)]
    for what in ("color", "marker", "linestyle"):
        assert len({str(look[what]) for look in looks}) == 6


def test_a_path_lights_one_strand_per_edge_and_none_stays_dark() -> None:
    cell = CellSpace(stages=1)
    names = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "nor_conv_3x3"]
    path = tuple(cell.operations.index(name) for name in names)
    ax = space.path_in_supernetwork(cell, path)
    strands = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
    lit = [patch for patch in strands if patch.get_edgecolor() != matplotlib.colors.to_rgba(RULE)]
    assert len(strands) == 6 * 5 - 1 and len(lit) == 5  # `none` is a cross in place of its strand
    widths = [space.STROKES[name]["linewidth"] for name in names if name != "none"]
    assert [patch.get_linewidth() for patch in lit] == widths
    assert sum(mark.get_marker() == "x" for mark in ax.get_lines()) == 1
    drawn(ax)


def test_three_cells_are_three_rows_with_their_sizes() -> None:
    three = CellSpace(channels=8)
    ax = space.path_in_supernetwork(three, (3,) * 18)
    texts = [text.get_text() for text in ax.texts]
    assert [text for text in texts if "stage" in text] == [
        "stage 1\n8 channels\n32 × 32",
        "stage 2\n16 channels\n16 × 16",
        "stage 3\n32 channels\n8 × 8",
    ]
    assert texts.count("in") == texts.count("out") == 3
    drawn(ax)


def test_best_so_far_shows_the_medians() -> None:
    ax = search.best_so_far({"evolution": curves(94), "random search": curves(93)}, optimum=94.4, low=90)
    assert line(ax, "evolution").get_ydata().tolist() == [92, 93, 94]
    assert line(ax, "random search").get_xdata().tolist() == [1, 10, 20]
    assert ax.get_ylim()[0] == 90 and ax.get_ylim()[1] > 94.4
    drawn(ax)


def test_score_and_truth_are_two_panels() -> None:
    panels = search.score_and_truth({"evolution": curves(94)}, 94.4, (91, 91))
    assert [ax.get_ylabel() for ax in panels] == list(search.QUANTITIES.values())
    drawn(panels[0])


def test_children_are_stacked_by_kind() -> None:
    ax = search.children(curves(94))
    tops = {bars.get_label(): [bar.get_y() + bar.get_height() for bar in bars] for bars in ax.containers}
    assert tops == {"random": [50, 0, 25], "crossovers": [50, 25, 30], "mutants": [50, 50, 50]}
    drawn(ax)


def test_winners_are_as_large_as_they_were_frequent() -> None:
    ax = search.winners([90, 93, 94], [91, 94, 93], {"evolution": curves(94)}, "score (%)")
    everything, marks = ax.collections
    assert everything.get_offsets().tolist() == [[90, 91], [93, 94], [94, 93]]
    sizes = dict(zip(map(tuple, marks.get_offsets().tolist()), marks.get_sizes(), strict=True))
    assert sizes[94, 93] > sizes[93, 94]
    drawn(ax)


def test_a_map_of_the_search_shows_every_new_path_of_its_generations_once() -> None:
    cells = CellSpace(channels=4, cells=1, stages=1)
    truth = {path: float(sum(path)) for path in itertools.product(range(5), repeat=cells.genes)}
    costs = {path: float(path[0]) for path in truth}
    seen = []
    found = evolve(cells, lambda paths: [seen.append(p) or truth[p] for p in paths], torch.Generator().manual_seed(0))
    born = [search.born_in(found, number) for number in range(21)]
    assert [path for kinds in born for paths in kinds.values() for path in paths] == seen
    assert [len(kind) for kind in born[0].values()] == [0, 0, 50]
    best = sorted(seen[:50], key=truth.get, reverse=True)[:10]
    for child in born[1]["crossovers"]:
        assert any(
            all(gene in both for gene, both in zip(child, zip(one, other, strict=True), strict=True))
            for one, other in itertools.product(best, repeat=2)
        )
    panels = search.moving(found, costs, truth, [0, 1, 4, 20], low=0.0)
    drawn(panels[0, 0])
    for ax, number in zip(panels.flat, [0, 1, 4, 20], strict=True):
        dots = [tuple(dot) for group in ax.collections[1:] for dot in group.get_offsets().data]
        assert dots == [(costs[path], truth[path]) for paths in born[number].values() for path in paths]


def test_the_curse_shows_score_and_truth_of_both_searches() -> None:
    levels = [
        {"noise": n, "evolution": {"score": 94 + n, "truth": 94 - n}, "random search": {"score": 93.0, "truth": 92.0}}
        for n in (0.0, 1.0)
    ]
    ax = search.winners_curse(levels, 94.4)
    assert line(ax, "evolution: score").get_ydata().tolist() == [94, 95]
    assert line(ax, "evolution: truth").get_ydata().tolist() == [94, 93]
    assert line(ax, "random search: truth").get_ydata().tolist() == [92, 92]
    drawn(ax)


def test_stale_statistics_are_ordered_by_the_fresh() -> None:
    ax = ranking.stale_statistics([10, 30, 20], [50, 60, 40], chance=10)
    assert line(ax, "re-estimated for the path").get_ydata().tolist() == [40, 50, 60]
    assert line(ax, "shared, as training left them").get_ydata().tolist() == [20, 10, 30]
    drawn(ax)


def test_shared_work() -> None:
    ax = ranking.shared_work([1, 2], [10, 20], {"together": [10, 15]})
    assert line(ax, "path by path").get_ydata().tolist() == [10, 20]
    assert line(ax, "together").get_ydata().tolist() == [10, 15]
    drawn(ax)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_scatter_has_a_panel_for_every_arm(count: int) -> None:
    truth = pd.Series({"a": 91.0, "b": 80.0})
    scores = pd.Series({"b": 1.0, "a": 2.0})  # in another order
    shown = ranking.scatter({f"arm {n}": (truth, scores) for n in range(count)}, "truth", "score", 90)
    assert len(shown) == count
    assert all(ax.collections[-1].get_offsets().tolist() == [[91, 2], [80, 1]] for ax in shown)
    drawn(shown[0])


def test_agreements_show_every_interval() -> None:
    rows = pd.DataFrame({"tau": [0.6, 0.4], "low": [0.5, 0.3], "high": [0.7, 0.45]}, index=["count", "net"])
    left, right = ranking.agreements({"all": rows, "good": rows - 0.1}, marked=["count"])
    taus = [mark.get_xdata()[0] for mark in left.get_lines() if mark.get_marker() == "o"]
    spans = [list(mark.get_xdata()) for mark in right.get_lines()[:-1] if mark.get_marker() != "o"]
    assert taus == [0.6, 0.4]
    np.testing.assert_allclose(spans, [[0.4, 0.6], [0.2, 0.35]])
    assert [text.get_text() for text in left.get_yticklabels()] == ["count", "net"]
    drawn(left)


def test_growth_joins_the_means_of_seeds() -> None:
    columns = ["arm", "seed", "images", "tau", "low", "high"]
    rows = [("a", 0, 1000, 0.1, 0, 0.2), ("a", 0, 2000, 0.4, 0.3, 0.5)]
    rows += [("a", 1, 1000, 0.3, 0.2, 0.4), ("a", 1, 2000, 0.6, 0.5, 0.7), ("b", 0, 1000, 0.5, 0.4, 0.6)]
    ax = ranking.growth(pd.DataFrame(rows, columns=columns), {"multiply-adds": 0.6})
    joined = [list(line.get_ydata()) for line in ax.get_lines() if line.get_linestyle() != "None"]
    np.testing.assert_allclose(joined[0], [0.2, 0.5])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["a (2 seeds)", "b (1 seed)"]
    drawn(ax)


def test_without_records_a_figure_says_what_is_missing() -> None:
    empty = pd.DataFrame(columns=["tau", "low", "high"])
    for ax in (
        ranking.scatter({}, "", "", 90, "run this")[0],
        ranking.agreements({"all": empty}, missing="run this")[0],
        ranking.growth(pd.DataFrame(columns=["arm"]), {}, "run this"),
        note(plt.subplots()[1], "run this"),
    ):
        assert [text.get_text() for text in ax.texts] == ["run this"]
        drawn(ax)
