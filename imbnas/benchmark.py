"""Ground truth: the published accuracy of every NAS-Bench-201 cell, and how well a ranking agrees with it."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Generator

from imbnas.space import CellSpace
from imbnas.space.base import check_whole
from imbnas.statistics.bootstrap import bootstrap_draws, bootstrap_taus, percentiles
from imbnas.statistics.regret import expected_regret
from imbnas.statistics.scores import tau_b

SPACE = CellSpace(stages=1, channels=16, cells=5)
TABLE = Path(__file__).parent / "tables" / "nasbench201.csv.gz"
LONGTAILED = Path(__file__).parents[1] / "results" / "benchmark" / "longtailed.csv"
SHA256 = "54f653aff1e35c0bc3370a5978e4d97dec45781743985f380908a49f4295b42b"
FEWEST_CELLS = 10

Scores = Mapping[str, float] | pd.Series


def nasbench201(file: Path | str = TABLE) -> pd.DataFrame:
    """The published table: 15,625 rows indexed by the printed architecture, top-1 test accuracy in percent.

    Columns `cifar10`, `cifar100`, `imagenet16_120` (200 epochs) and the same with `_12_epochs`; origin,
    licence and noise are in the data card beside the file. Raises ValueError when it is missing or damaged.
    """
    return _read(Path(file)).copy()


def longtailed(file: Path | str = LONGTAILED) -> pd.DataFrame:
    """This project's own table: one row for each retraining of a path of the fixed set on a (long-tailed) target.

    Accuracies in percent on the balanced test set: `overall`, `many`, `medium`, `few`, `head`, `middle`, `tail`;
    every column, the noise and the licence are in the data card beside the file. ValueError when there is no table,
    which lies in the repository, not in an installed package, or when the file is another one or cut short.
    """
    file = Path(file)
    if not file.is_file():
        raise ValueError(
            f"there is no table {file.name} in {file.parent}: it comes with the repository, not with the installed "
            "package; take a clone and name its file, or work there. In the clone it is made anew by "
            "`make grid GOALS=ranking PROFILE=laptop`, which retrains the paths, and "
            "`python -m imbnas.evidence.longtailed`"
        )
    mend = (
        "fetch it from the repository again, or `python -m imbnas.evidence.longtailed` there writes it from the records"
    )
    try:
        table = pd.read_csv(file, dtype={"path": str})
    except ValueError as fault:  # what pandas and the decoder raise
        raise ValueError(f"{file} is no such table ({fault}): {mend}") from None
    if missing := {"profile", "target", "path", "overall", "tail", "record"} - set(table):
        raise ValueError(f"{file} has no column {', '.join(sorted(missing))}: {mend}")
    if table.record.isna().any() or not table.record.str.fullmatch("[0-9a-f]{12}").all():
        raise ValueError(f"{file} is cut short in row {len(table)}: {mend}")
    return table


def distinct() -> pd.DataFrame:
    """One row per distinct cell (6,466): the mean of its isomorphs, named by the first of them in the table.

    The column `members` holds all their names.
    """
    return _distinct().copy()


@cache
def _read(file: Path) -> pd.DataFrame:
    content = file.read_bytes() if file.is_file() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        state = f"is damaged (SHA-256 {found[:12]}..., expected {SHA256[:12]}...)" if content else "is missing"
        raise ValueError(f"the table {file.name} {state}; install imbnas again, or fetch the file from its repository")
    return pd.read_csv(io.BytesIO(gzip.decompress(content)), index_col="architecture")


@cache
def _distinct() -> pd.DataFrame:
    table = _read(TABLE)
    classes = [SPACE.canonical(SPACE.from_string(architecture)) for architecture in table.index]
    groups = table.reset_index().groupby(classes, sort=False)
    members = groups["architecture"].agg(tuple)
    cells = groups[list(table.columns)].mean().assign(members=members)
    return cells.set_index(members.str[0].rename("architecture"))


@cache
def _representatives() -> dict[str, str]:
    """Every architecture's distinct cell."""
    return {member: cell for cell, members in _distinct()["members"].items() for member in members}


@dataclass(frozen=True)
class Ranking:
    """How well scores rank cells: Kendall's tau-b to the truth with its bootstrap interval over cells.

    `interval`: NaN where too many draws of cells are all ties (`statistics.bootstrap.percentiles`). `regret`: the best
    cell's accuracy minus the best accuracy among the `top` best scored, in points; where equal scores compete for the
    last places, the mean over all choices among them.
    """

    tau: float
    interval: tuple[float, float]
    regret: float
    cells: int


@dataclass(frozen=True)
class Difference:
    """The tau of one ranking minus another's on the same cells, with its paired bootstrap interval."""

    tau: float
    interval: tuple[float, float]
    cells: int


def kendall(scores: Scores, truth: str | Scores = "cifar10", *, above: float | None = None) -> float:
    """Kendall's tau-b between scores and truth, both by printed architecture; see `ranking`."""
    return tau_b(*_paired([scores], truth, above).T)


def ranking(
    scores: Scores,
    truth: str | Scores = "cifar10",
    *,
    above: float | None = None,
    top: int = 5,
    confidence: float = 0.95,
    repeats: int = 1000,
    generator: Generator | None = None,
) -> Ranking:
    """Hold scores, higher is better, against the truth.

    `truth` is a column of `distinct()` (isomorphs share their mean) or the accuracy of each architecture in
    percent. With `above`, only cells whose truth exceeds it count. `generator` draws the bootstrap (default:
    seed 0).

    Raises ValueError that names it for an unknown or malformed architecture, a missing truth, NaN, fewer than
    ten cells, scores or truths that are all equal, and a `top`, `confidence` or `repeats` that can't be.
    """
    check_whole(1, top=top, repeats=repeats)
    pairs = _paired([scores], truth, above)
    regret = expected_regret(*pairs.T, top)
    taus = bootstrap_taus(pairs, bootstrap_draws(len(pairs), repeats, generator))[0]
    return Ranking(tau_b(*pairs.T), percentiles(taus, confidence), regret, len(pairs))


def difference(
    first: Scores,
    second: Scores,
    truth: str | Scores = "cifar10",
    *,
    above: float | None = None,
    confidence: float = 0.95,
    repeats: int = 1000,
    generator: Generator | None = None,
) -> Difference:
    """The tau of `first` minus that of `second`, on the same cells, resampled together; see `ranking`."""
    check_whole(1, repeats=repeats)
    rows = _paired([first, second], truth, above)
    taus = bootstrap_taus(rows, bootstrap_draws(len(rows), repeats, generator))
    gap = tau_b(rows[:, 0], rows[:, 2]) - tau_b(rows[:, 1], rows[:, 2])
    return Difference(gap, percentiles(taus[0] - taus[1], confidence), len(rows))


def naive_rankings(architectures: Iterable[str]) -> pd.DataFrame:
    """What needs no training: multiply-adds and parameters (ten classes), number of 3x3 convolutions."""
    names = list(architectures)
    costs = [SPACE.cost(SPACE.from_string(name)) for name in names]
    columns = {
        "macs": [cost.macs for cost in costs],
        "params": [cost.params for cost in costs],
        "conv3x3": [name.count("nor_conv_3x3") for name in names],
    }
    return pd.DataFrame(columns, index=pd.Index(names, name="architecture"))


def stratified(n: int, generator: Generator) -> list[str]:
    """`n` distinct living cells, one from each of `n` equal strata of multiply-adds, cheapest first."""
    cells = _living_costs()
    if not 1 <= n <= len(cells):
        raise ValueError(f"{n} cells asked for: expected 1 to {len(cells)}, the distinct living cells")
    order = torch.randperm(len(cells), generator=generator).tolist()
    by_cost = sorted(order, key=cells.to_numpy().__getitem__)  # cells of equal cost in random order
    edges = [len(cells) * stratum // n for stratum in range(n + 1)]
    widths = torch.tensor(edges[1:]) - torch.tensor(edges[:-1])
    picks = (torch.rand(n, generator=generator, dtype=torch.float64) * widths).long().tolist()
    return [cells.index[by_cost[edge + pick]] for edge, pick in zip(edges[:-1], picks, strict=True)]


@cache
def _living_costs() -> pd.Series:
    """The multiply-adds of the distinct living cells."""
    living = [name for name in _distinct().index if SPACE.is_alive(SPACE.from_string(name))]
    return naive_rankings(living)["macs"]


def _paired(all_scores: list[Scores], truth: str | Scores, above: float | None) -> np.ndarray:
    """One row per cell: its score by each method, then its truth; checked."""
    series = [_numbers(scores, "scores") for scores in all_scores]
    names = series[0].index
    for other in series[1:]:
        if set(other.index) != set(names):
            odd = sorted(set(other.index) ^ set(names))[0]
            raise ValueError(f"{odd!r} is scored by one method only: expected the same cells in both")
    rows = np.column_stack([*(each.reindex(names) for each in series), _truths(names, truth)])
    if above is not None:
        rows = rows[rows[:, -1] > above]
    return _enough(rows, above)


def _enough(rows: np.ndarray, above: float | None) -> np.ndarray:
    if len(rows) < FEWEST_CELLS:
        where = "" if above is None else f" above {above} %"
        raise ValueError(f"{len(rows)} cells{where}: expected at least {FEWEST_CELLS} to rank")
    for column, what in zip(rows.T, ["scores"] * (rows.shape[1] - 1) + ["truths"], strict=True):
        if np.ptp(column) == 0:
            raise ValueError(f"all {len(rows)} {what} are {column[0]}: ties everywhere, nothing to rank")
    return rows


def _numbers(values: Scores, what: str) -> pd.Series:
    series = pd.Series(values)
    numbers = pd.to_numeric(series, errors="coerce")
    if (words := series.index[numbers.isna() & series.notna()]).size:
        raise ValueError(f"the {what} hold {series[words[0]]!r} for {words[0]!r}: expected a number")
    series = numbers.astype(float)
    if (twice := series.index[series.index.duplicated()]).size:
        raise ValueError(f"{twice[0]!r} stands twice among the {what}: expected each architecture once")
    if (missing := series.index[~np.isfinite(series)]).size:
        raise ValueError(f"the {what} hold {series[missing[0]]} for {missing[0]!r}: expected a finite number")
    return series


def _truths(names: pd.Index, truth: str | Scores) -> pd.Series:
    if not isinstance(truth, str):
        series = _numbers(truth, "truths")
        if (unknown := names.difference(series.index)).size:
            raise ValueError(f"architecture {unknown[0]!r} has no truth: score only what was measured")
        return series[names]
    columns = [column for column in _distinct() if column != "members"]
    if truth not in columns:
        raise ValueError(f"truth {truth!r} is unknown: expected one of {', '.join(columns)}")
    return _distinct()[truth].loc[[_representative(name) for name in names]]


def _representative(name: str) -> str:
    if name not in _representatives():
        SPACE.from_string(str(name))  # says what is wrong with it
    return _representatives()[name]
