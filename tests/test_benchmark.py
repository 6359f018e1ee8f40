"""The published table against the papers' figures, and the measures of a ranking against hand-made ones."""

import math
import shutil
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau
from torch import Generator

from imbnas.benchmark import (
    SPACE,
    TABLE,
    difference,
    distinct,
    kendall,
    longtailed,
    naive_rankings,
    nasbench201,
    ranking,
    stratified,
)
from imbnas.statistics.bootstrap import bootstrap_draws, bootstrap_taus, estimate, percentiles, whole_and_draws
from tests.untyped import untyped

ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
DATASETS = ["cifar10", "cifar100", "imagenet16_120"]


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------ the table


def test_the_table_holds_the_published_optima_and_the_all_skip_cell():
    table = nasbench201()
    assert len(table) == table.index.nunique() == 15_625
    assert table[DATASETS].max().round(2).tolist() == [94.37, 73.51, 47.31]
    assert table.loc[ALL_SKIP, DATASETS].round(2).tolist() == [54.30, 15.61, 16.32]
    assert table.cifar10.max() == 94.373
    assert table.notna().all(axis=None) and table.gt(0).all(axis=None) and table.lt(100).all(axis=None)


def test_the_table_is_every_path_of_the_space():
    paths = {SPACE.from_string(name) for name in nasbench201().index}
    assert len(paths) == SPACE.size


def test_changing_a_table_changes_nobody_elses():
    table, cells = nasbench201(), distinct()
    table.loc[ALL_SKIP] = 0.0
    cells["cifar10"] = 0.0
    assert nasbench201().loc[ALL_SKIP, "cifar10"] > 0
    assert distinct()["cifar10"].min() > 0


def test_distinct_cells_are_means_of_their_members():
    table, cells = nasbench201(), distinct()
    assert len(cells) == 6466
    members = [name for names in cells.members for name in names]
    assert sorted(members) == sorted(table.index)
    assert (cells.index == cells.members.str[0]).all()
    for name in cells.index[[0, 7, 100, 5000]]:
        own = table.loc[list(cells.members[name])]
        assert cells.loc[name, table.columns].tolist() == pytest.approx(own.mean().tolist())
    most = cells.members.map(len).idxmax()
    assert len({SPACE.canonical(SPACE.from_string(name)) for name in cells.members[most]}) == 1


@pytest.mark.parametrize("harm", ["flip a byte", "cut short", "remove"])
def test_a_damaged_table_is_refused(tmp_path, harm):
    file = tmp_path / "nasbench201.csv.gz"
    shutil.copy(TABLE, file)
    content = bytearray(file.read_bytes())
    if harm == "flip a byte":
        content[1000] ^= 1
        file.write_bytes(content)
    elif harm == "cut short":
        file.write_bytes(content[:1000])
    else:
        file.unlink()
    with pytest.raises(ValueError, match="nasbench201.csv.gz is (damaged|missing)"):
        nasbench201(file)


# -------------------------------------------------------------------------------------- known rankings


def test_one_data_set_ranks_another_as_published():
    cells = distinct()
    assert kendall(cells.cifar10, "cifar100") == pytest.approx(0.860, abs=0.001)
    assert kendall(cells.cifar100, "imagenet16_120") == pytest.approx(0.804, abs=0.001)
    assert kendall(cells.cifar10_12_epochs, "cifar10") == pytest.approx(0.69, abs=0.005)
    assert (cells.cifar10 > 90).sum() == 4340
    assert kendall(cells.cifar100, "cifar10", above=90) == pytest.approx(0.758, abs=0.002)
    best = cells.cifar10.idxmax()
    assert cells.cifar100[best] == pytest.approx(73.22, abs=0.01)
    assert ranking(cells.cifar10, "cifar100", repeats=2).regret == pytest.approx(0, abs=0.3)


def test_naive_rankings_are_as_good_as_measured_beforehand():
    naive = naive_rankings(distinct().index)
    assert kendall(naive.macs) == pytest.approx(0.60, abs=0.01)
    assert kendall(naive.conv3x3) == pytest.approx(0.54, abs=0.01)
    assert kendall(naive.macs, above=90) == pytest.approx(0.47, abs=0.01)
    assert kendall(naive.conv3x3, above=90) == pytest.approx(0.43, abs=0.01)
    assert naive.loc[ALL_SKIP].tolist() == [7_783_050, 73_306, 0]


def slow_tau(scores: list[float], truths: list[float]) -> float:
    """Kendall's tau-b by its definition, pair by pair."""
    pairs = [(np.sign(a - c), np.sign(b - d)) for (a, b), (c, d) in combinations(zip(scores, truths, strict=True), 2)]
    agreement = sum(x * y for x, y in pairs)
    return agreement / math.sqrt(sum(x != 0 for x, _ in pairs) * sum(y != 0 for _, y in pairs))


def test_tau_regret_and_filter_on_a_hand_made_truth():
    names = list("abcdefghijkl")
    truth = dict(zip(names, [10, 20, 30, 40, 50, 60, 70, 80, 90, 91, 92, 93], strict=True))
    scores = dict(zip(reversed(names), [1, 1, 2, 3, 9, 8, 8, 7, 6, 5, 4, 0], strict=True))
    paired = [truth[name] for name in scores]
    result = ranking(scores, truth, repeats=50)
    assert result.tau == pytest.approx(slow_tau(list(scores.values()), paired))
    assert result.interval[0] < result.tau < result.interval[1]
    assert result.cells == 12
    assert result.regret == 93 - 80  # the five best scored are h, f, g, e, d
    over = ranking(scores, truth, above=25, repeats=2)
    assert over.cells == 10
    assert over.tau == pytest.approx(slow_tau(list(scores.values())[:10], paired[:10]))


def test_a_perfect_and_a_reversed_ranking():
    cells = distinct().sample(60, random_state=0)
    perfect = ranking(cells.cifar100, "cifar100", repeats=50)
    assert (perfect.tau, perfect.regret) == pytest.approx((1, 0))
    assert perfect.interval == pytest.approx((1, 1))
    assert kendall(-cells.cifar100, "cifar100") == pytest.approx(-1)


def test_an_isomorph_has_the_truth_of_its_class():
    cells = distinct()
    families = cells[cells.members.map(len) > 1].iloc[:40]
    last = {members[-1]: score for members, score in zip(families.members, families.cifar10, strict=True)}
    assert kendall(last) == pytest.approx(1)


def test_the_interval_covers_the_tau_of_all_cells():
    """24 samples of 60 cells: the 90 % interval holds the whole table's tau in about nine of ten."""
    naive = naive_rankings(distinct().index)
    names, generator = list(naive.index), seeded(0)
    samples = [[names[i] for i in torch.randperm(len(names), generator=generator)[:60]] for _ in range(24)]
    intervals = [ranking(naive.macs[s], confidence=0.9, repeats=200).interval for s in samples]
    whole = kendall(naive.macs)
    assert 18 <= sum(low <= whole <= high for low, high in intervals) <= 24
    assert all(0.1 < high - low < 0.4 for low, high in intervals)


def test_differences_are_paired():
    cells = distinct().sample(80, random_state=1)
    naive = naive_rankings(cells.index)
    gap = difference(cells.cifar10_12_epochs, naive.conv3x3)
    assert gap.tau == pytest.approx(kendall(cells.cifar10_12_epochs) - kendall(naive.conv3x3))
    assert gap.interval[0] <= gap.tau <= gap.interval[1]
    same = difference(naive.macs, naive.macs * 2 + 1)
    assert (same.tau, same.interval) == (0, (0, 0))  # resampled apart, the interval would be wide


def test_the_bootstrap_comes_from_its_generator():
    naive = naive_rankings(stratified(30, seeded(0)))
    first, second = (ranking(naive.macs, repeats=100, generator=seeded(seed)) for seed in (1, 2))
    assert first == ranking(naive.macs, repeats=100, generator=seeded(1))
    assert first.tau == second.tau and first.interval != second.interval


# ------------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("n", [1, 24, 300])
def test_stratified_cells_are_distinct_alive_and_spread_over_cost(n):
    names = stratified(n, seeded(0))
    paths = [SPACE.from_string(name) for name in names]
    assert len({SPACE.canonical(path) for path in paths}) == n
    assert all(SPACE.is_alive(path) for path in paths)
    macs = [SPACE.cost(path).macs for path in paths]
    assert macs == sorted(macs)
    assert names == stratified(n, seeded(0))
    assert n < 24 or (names != stratified(n, seeded(1)) and macs[-1] > 5 * macs[0])


def test_strata_hold_equal_numbers_of_cells():
    """Four strata: over many draws each quarter of the cells by cost gives one of four."""
    living = [name for name in distinct().index if SPACE.is_alive(SPACE.from_string(name))]
    quartiles = naive_rankings(living).macs.quantile([0.25, 0.5, 0.75]).tolist()
    for seed in range(20):
        first, second, third, fourth = naive_rankings(stratified(4, seeded(seed))).macs
        assert first <= quartiles[0] <= second <= quartiles[1] <= third <= quartiles[2] <= fourth


# ----------------------------------------------------------------------------------------- bad input


def some(n: int = 20) -> pd.Series:
    return distinct().cifar100.iloc[:n]


@pytest.mark.parametrize(
    ("scores", "fault"),
    [
        (lambda: {**some().to_dict(), "|sep~0|+|none~0|none~1|+|none~0|none~1|none~2|": 1.0}, "operation 'sep'"),
        (lambda: {**some().to_dict(), "resnet": 1.0}, "'resnet' has 1 nodes"),
        (lambda: some(9), "9 cells: expected at least 10"),
        (lambda: some() * 0, "all 20 scores are 0.0: ties everywhere"),
        (lambda: some().where(some().index != some().index[3]), "hold nan for '|"),
        (lambda: {**some().to_dict(), ALL_SKIP: "high"}, f"hold 'high' for '{ALL_SKIP}': expected a number"),
        (lambda: pd.concat([some(), some(1)]), "stands twice among the scores"),
    ],
)
def test_rankings_of_bad_scores_are_refused(scores, fault):
    with pytest.raises(ValueError) as error:
        ranking(scores())
    assert fault in str(error.value)


def test_rankings_against_bad_truths_are_refused():
    with pytest.raises(ValueError, match="truth 'cifar11' is unknown: expected one of cifar10, cifar100"):
        ranking(some(), "cifar11")
    with pytest.raises(ValueError, match="has no truth"):
        ranking(some(), some(19))
    with pytest.raises(ValueError, match="all 20 truths are 0.0"):
        ranking(some(), some() * 0)
    with pytest.raises(ValueError, match="0 cells above 99 %"):
        ranking(some(), above=99)
    with pytest.raises(ValueError, match="by one method only"):
        difference(some(), some(19))


def test_rankings_that_ask_for_the_impossible_are_refused():
    for top in (0, -1):
        with pytest.raises(ValueError, match=f"top is {top}: expected"):
            ranking(some(), top=top)
    for asked, fault in (({"confidence": 95}, "confidence is 95: expected a share"), ({"repeats": 0}, "repeats is 0")):
        with pytest.raises(ValueError, match=fault):
            ranking(some(), **asked)
        with pytest.raises(ValueError, match=fault):
            difference(some(), some() ** 2, **asked)


@pytest.mark.parametrize(("name", "value"), [("top", 2.5), ("repeats", 10.5)])
def test_what_is_counted_is_a_whole_number(name, value):
    with untyped(), pytest.raises(ValueError, match=f"^{name} is {value}: expected a whole number from 1"):
        ranking(some(), **{name: value})
    if name == "repeats":
        with untyped(), pytest.raises(ValueError, match=f"^{name} is {value}: expected a whole number from 1"):
            difference(some(), some() ** 2, repeats=value)


def test_a_tables_file_may_be_a_text():
    assert nasbench201(str(TABLE)).equals(nasbench201())
    for read in (nasbench201, longtailed):
        with untyped(), pytest.raises(ValueError, match="nowhere.csv"):
            read("/nonexistent/nowhere.csv")


def test_an_interval_needs_nearly_all_of_its_draws() -> None:
    """Of 1000 draws a tail holds 25 for 95 %, and 50 for 90 %: so many may be without a value."""
    values = np.arange(1000.0)
    for lost, confidence, kept in ((24, 0.95, True), (26, 0.95, False), (49, 0.9, True), (51, 0.9, False)):
        holes = np.where(values < lost, np.nan, values)
        assert np.isfinite(percentiles(holes, confidence)).tolist() == [kept] * 2
    assert np.isnan(percentiles(np.full(3, np.nan))).all()
    with pytest.raises(ValueError, match="0 bootstrap values; expected at least one"):
        percentiles(np.array([]))


def test_an_estimate_is_of_all_rows_and_its_interval_of_the_draws() -> None:
    values = np.arange(12.0) ** 2
    draws = whole_and_draws(12, 200)
    assert draws.shape == (201, 12) and draws[0].tolist() == list(range(12))
    means = values[bootstrap_draws(12, 200)].mean(axis=1)
    assert estimate(values[draws].mean(axis=1)) == (values.mean(), *percentiles(means))


def test_draws_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rows to draw from: expected at least 1"):
        bootstrap_draws(0)


@pytest.mark.parametrize("n", [0, -1, 6466])
def test_impossible_samples_are_refused(n):
    with pytest.raises(ValueError, match=f"{n} cells asked for"):
        stratified(n, seeded(0))


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_the_fast_bootstrap_is_the_plain_one(seed):
    """Against scipy on the drawn cells themselves, ties and cells drawn twice included."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 8, (12, 3)).astype(float)
    draws = random.integers(0, 12, (5, 12))
    plain = [[kendalltau(rows[d, c], rows[d, 2]).statistic for d in draws] for c in (0, 1)]
    np.testing.assert_allclose(bootstrap_taus(rows, draws), plain, atol=1e-12)


def test_the_bootstrap_of_more_rows_than_fit_into_matrices_is_the_plain_one(monkeypatch):
    random = np.random.default_rng(0)
    rows, draws = random.integers(0, 8, (12, 3)).astype(float), random.integers(0, 12, (5, 12))
    plain = [[kendalltau(rows[d, c], rows[d, 2]).statistic for d in draws] for c in (0, 1)]
    monkeypatch.setattr("imbnas.statistics.bootstrap.MOST_IN_MATRICES", 11)
    np.testing.assert_allclose(bootstrap_taus(rows, draws), plain, atol=1e-12)
