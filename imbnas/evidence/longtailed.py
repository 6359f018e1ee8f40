"""The table of all retrained paths, and what is concluded from it, as CSV beside the records.

    python -m imbnas.evidence.longtailed     write results/benchmark/ anew from the records there are

`longtailed.csv` holds every retraining of a path of the fixed set, of every profile and space. The other tables are of
the grid that the book shows: `ranking.csv` how well each procedure ranks, `differences.csv` one against another, both
as `…-allowed.csv` among the paths that a search may choose and as `…-good.csv` among those that do well on balance;
`repeatability.csv` how alike two super-networks rank, `spread.csv` whether scores differ by more than chance,
`crossed.csv` scores taken on another target, `loss-to-the-tail.csv` and `without-score-noise.csv` what a low rank
correlation comes from, `premise.csv` one target against another, `predicting.csv` balanced
accuracy as a score, among all paths and among few, `ceiling.csv` what the noise of the seed leaves, `tail-and-seed.csv`
whether the tail reorders paths more than that, `without-noise.csv` how two targets agree once that noise is taken out,
`gaps.csv` the retrained winners of Table 2 one against another, over seeds, `winners-apart.csv` in each seed, beside
chance, `winners-over-random.csv` against paths drawn blindly, `winners-again.csv` those with further seeds,
`full-length.csv` how scores at the paper's own length rank these paths.
`domain.csv` is of the one-cell space: its cells, retrained, beside what is published of them; `tail-and-domain.csv`
which of the two, a tail or other images, changes their order more.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from imbnas import profiles, records
from imbnas.benchmark import LONGTAILED, longtailed
from imbnas.evidence.again import winners_again
from imbnas.evidence.causes import loss_to_the_tail, without_score_noise
from imbnas.evidence.ceiling import ceiling
from imbnas.evidence.domain import SPACE, domain, tail_and_domain
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.full_length import full_length, ranked_across
from imbnas.evidence.grid import leading, paths_are_ranked
from imbnas.evidence.paths import ACCURACIES, good_on_balance, is_path, largest_allowed, retrained_paths
from imbnas.evidence.premise import predicting, premise, tail_and_seed
from imbnas.evidence.quality import crossed, differences, quality, repeatability
from imbnas.evidence.repeated import without_noise
from imbnas.evidence.spread import retrained_spread, scores_spread
from imbnas.evidence.table2 import paired_differences, retrainings, targets_of
from imbnas.evidence.winners import over_random, winners_apart
from imbnas.names import PROCEDURES

RESULTS = profiles.ROOT / "results"
FOLDER = "benchmark"
RETRAININGS = "longtailed.csv"
CARD, THERE = "longtailed.md", "**What is there.**"
PATH = ("number", "architecture", "macs", "params")
TEST = ("overall", "many", "medium", "few", "head", "middle", "tail")
COLUMNS = ["profile", "data", "target", "space", "seed", "split_seed", "path", *PATH, *TEST, "length", "unit"]
COLUMNS += ["seconds", "device", "split", "record"]


def every_retraining(results: Path = RESULTS) -> pd.DataFrame:
    """One row per retraining of a path of the set under results/<profile>/; columns as in the data card.

    ValueError, naming both files, where the records of one folder are not of one profile, space and split.
    """
    rows = []
    for profile in profiles.names():
        folders: dict[Path, list[dict[str, Any]]] = {}
        for record in records.read(results / profile, "retrain"):
            folders.setdefault(Path(record["file"]).parent, []).append(record)
        for found in folders.values():
            retrained_paths(found)  # refuses a mixture
            rows += [row(profile, record) for record in found if is_path(record)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["profile", "data", "space", "target", "number", "seed"], ignore_index=True)


def row(profile: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """One retraining as a row of the table."""
    config, results, cost = record["config"], record["results"], record["cost"]
    cells = {name: config[name] for name in ("data", "target", "space", "seed", "split_seed")}
    cells |= {name: results["path"][name] for name in PATH} | {name: results["test"][name] for name in TEST}
    cells |= {"profile": profile, "path": config["network"], "record": record["identity"]}
    cells |= {name: config["recipe"][name] for name in ("length", "unit")}
    return cells | {
        "seconds": cost["training_seconds"],
        "device": cost["device"],
        "split": results["split"][config["data"]],
    }


def origin(space: str, table: Path = LONGTAILED) -> pd.DataFrame:
    """Where the accuracies of a space's retrained paths come from: a row per target and seed; empty without any.

    `paths`, `hours` of work, the first digits of the hash of their `split`, `profile` and `device`.
    """
    rows = longtailed(table) if table.exists() else pd.DataFrame(columns=COLUMNS)
    groups = rows[rows.space == space].groupby(["target", "seed", "split", "profile", "device"])
    told = groups.agg(paths=("path", "size"), hours=("seconds", "sum")).reset_index(["split", "profile", "device"])
    hours, digits = (told.hours.astype(float) / 3600).map("{:.1f}".format), told.split.str[:8]
    return told.assign(hours=hours, split=digits)[["paths", "hours", "split", "profile", "device"]]


def ceilings(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per target and part of the classes, all of them first: the ceiling of any agreement, spread and noise."""
    found = list(found)
    runs = retrained_paths(found)
    rows = []
    for target, part in itertools.product(targets_of(runs), ACCURACIES):
        spread = retrained_spread(found, target, part)
        low, high = spread.pop("seed_sd_interval") or (None, None)
        rows.append(ceiling(runs, target, part) | spread | {"seed_sd_low": low, "seed_sd_high": high})
    return pd.DataFrame(rows)


def winners_gaps(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Each procedure's winners against every other's: a row per pair and target, last the long-tailed ones together."""
    runs = retrainings(found)
    pairs = itertools.permutations(PROCEDURES, 2)
    frames = [
        paired_differences(runs, first, second).assign(first=first, second=second)
        for first, second in pairs
        if {first, second} <= set(runs.procedure)
    ]
    columns = ["first", "second", "target", "seeds", "difference", "low", "high", "probability", "sd"]
    return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)


class Given(NamedTuple):
    """What tables are concluded from: the records of the grid that the book shows, and of the one-cell space."""

    found: list[dict[str, Any]]
    good: list[dict[str, Any]]  # of the paths that do well on balance
    cap: float  # multiply-adds that a search allows
    paths: pd.DataFrame  # `retrained_paths` of the grid, and of the cells
    cells: pd.DataFrame
    winners: list[dict[str, Any]]
    longer: list[dict[str, Any]]  # the records at the paper's own length


def given_by(results: Path) -> Given:
    """The records of one folder, read once for all tables."""
    found = leading(results, enough=paths_are_ranked).found
    cells = retrained_paths(leading(results, space=SPACE, enough=paths_are_ranked).found)
    winners, longer = leading(results).of("retrain"), full_length(results).found
    return Given(found, good_on_balance(found), largest_allowed(found), retrained_paths(found), cells, winners, longer)


CONCLUSIONS: dict[str, Callable[[Given], pd.DataFrame]] = {
    "ranking.csv": lambda given: quality(given.found),
    "ranking-allowed.csv": lambda given: quality(given.found, cap=given.cap),
    "differences.csv": lambda given: differences(given.found),
    "differences-allowed.csv": lambda given: differences(given.found, cap=given.cap),
    "ranking-good.csv": lambda given: quality(given.good),
    "differences-good.csv": lambda given: differences(given.good),
    "repeatability.csv": lambda given: repeatability(given.found),
    "spread.csv": lambda given: scores_spread(given.found),
    "crossed.csv": lambda given: crossed(given.found),
    "loss-to-the-tail.csv": lambda given: loss_to_the_tail(given.found),
    "without-score-noise.csv": lambda given: without_score_noise(given.found),
    "premise.csv": lambda given: premise(given.paths),
    "predicting.csv": lambda given: predicting(given.found),
    "ceiling.csv": lambda given: ceilings(given.found),
    "tail-and-seed.csv": lambda given: tail_and_seed(given.paths),
    "without-noise.csv": lambda given: without_noise(given.paths),
    "gaps.csv": lambda given: winners_gaps(given.winners),
    "winners-apart.csv": lambda given: winners_apart(given.winners),
    "winners-over-random.csv": lambda given: over_random(given.winners, given.cap),
    "winners-again.csv": lambda given: winners_again(given.winners),
    "full-length.csv": lambda given: ranked_across(given.longer, given.found),
    "domain.csv": lambda given: domain(given.cells),
    "tail-and-domain.csv": lambda given: tail_and_domain(given.cells),
}


def tables(results: Path = RESULTS) -> dict[str, str]:
    """Every table as CSV by its file's name; none without a retrained path, nor one that would be empty."""
    table = every_retraining(results)
    if table.empty:
        return {}
    given = given_by(results)
    frames = {name: conclude(given) for name, conclude in CONCLUSIONS.items()}
    return {RETRAININGS: table.to_csv(index=False)} | {name: in_csv(f, 6) for name, f in frames.items() if len(f)}


def filled(table: pd.DataFrame) -> str:
    """Which rows there are, as a sentence of the data card. table: `every_retraining`."""
    parts = []
    for (profile, space, target), rows in table.groupby(["profile", "space", "target"]):
        again = (rows.groupby("number").seed.nunique() > 1).sum()
        paths = f"{rows.number.nunique()} paths" + (f", {again} of them with another seed" if again else "")
        parts.append(f"`{target}` {paths} (`{profile}`, `{space}`)")
    return f"{len(table)} rows: {'; '.join(parts)}."


def main(results: Path = RESULTS) -> None:
    """Write the tables, and the line of the data card that says what is there.

    Those of the tables that the records no longer give are removed, and no other file.
    """
    folder, texts = results / FOLDER, tables(results)
    if (card := folder / CARD).exists():
        line = f"{THERE} {filled(every_retraining(results))}"
        records.write_text(card, re.sub(f"{re.escape(THERE)}.*", lambda _: line, card.read_text(encoding="utf-8")))
    for name, text in texts.items():
        records.write_text(folder / name, text)
    for name in {RETRAININGS, *CONCLUSIONS} - set(texts):
        (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    refuse_arguments()
    main()
