"""The table of all retrained paths, and what is concluded from it, as CSV beside the records.

    python -m imbnas.evidence.longtailed     write results/benchmark/ anew from the records there are

`longtailed.csv` holds every retraining of a path of the fixed set, of every profile and space. The other tables are of
the grid that the book shows: `ranking.csv` how well each procedure ranks, `differences.csv` one against another, both
as `…-allowed.csv` among the paths that a search may choose and as `…-good.csv` among those that do well on balance;
`repeatability.csv` how alike two super-networks rank, `spread.csv` whether scores differ by more than chance,
`crossed.csv` scores taken on another target, `premise.csv` one target against another, `predicting.csv` balanced
accuracy as a score, among all paths and among few, `ceiling.csv` what the noise of the seed leaves, `tail-and-seed.csv`
whether the tail reorders paths more than that, `without-noise.csv` how two targets agree once that noise is taken out,
`gaps.csv` the retrained winners of Table 2 one against another, over seeds, `winners-apart.csv` in each seed, beside
chance, `winners-again.csv` those with further seeds.
`domain.csv` is of the one-cell space: its cells, retrained, beside what is published of them.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from imbnas import profiles, records
from imbnas.evidence.again import winners_again
from imbnas.evidence.ceiling import ceiling
from imbnas.evidence.domain import SPACE, domain, tail_and_domain
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.grid import leading, paths_are_ranked
from imbnas.evidence.paths import ACCURACIES, good_on_balance, is_path, largest_allowed, retrained_paths
from imbnas.evidence.premise import predicting, premise, tail_and_seed, targets_of
from imbnas.evidence.quality import crossed, differences, quality, repeatability
from imbnas.evidence.repeated import without_noise
from imbnas.evidence.spread import retrained_spread, scores_spread
from imbnas.evidence.table2 import paired_differences, retrainings
from imbnas.evidence.winners import winners_apart
from imbnas.names import PROCEDURES

RESULTS = profiles.ROOT / "results"
FOLDER = "benchmark"
RETRAININGS = "longtailed.csv"
CARD, THERE = "longtailed.md", "**What is there.**"
CONCLUSIONS = (
    "ranking.csv",
    "ranking-allowed.csv",
    "differences.csv",
    "differences-allowed.csv",
    "ranking-good.csv",
    "differences-good.csv",
    "repeatability.csv",
    "spread.csv",
    "crossed.csv",
    "premise.csv",
    "predicting.csv",
    "ceiling.csv",
    "tail-and-seed.csv",
    "without-noise.csv",
    "gaps.csv",
    "winners-apart.csv",
    "winners-again.csv",
    "domain.csv",
    "tail-and-domain.csv",
)
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


def tables(results: Path = RESULTS) -> dict[str, str]:
    """Every table as CSV by its file's name; none without a retrained path."""
    table = every_retraining(results)
    if table.empty:
        return {}
    found = leading(results, enough=paths_are_ranked).found
    cap, good = largest_allowed(found), good_on_balance(found)
    cells = retrained_paths(leading(results, space=SPACE, enough=paths_are_ranked).found)
    winners = leading(results).of("retrain")
    frames = (
        quality(found),
        quality(found, cap=cap),
        differences(found),
        differences(found, cap=cap),
        quality(good),
        differences(good),
        repeatability(found),
        scores_spread(found),
        crossed(found),
        premise(retrained_paths(found)),
        predicting(found),
        ceilings(found),
        tail_and_seed(retrained_paths(found)),
        without_noise(retrained_paths(found)),
        winners_gaps(winners),
        winners_apart(winners),
        winners_again(winners),
        domain(cells),
        tail_and_domain(cells),
    )
    texts = {name: in_csv(frame, 6) for name, frame in zip(CONCLUSIONS, frames, strict=True) if len(frame)}
    return {RETRAININGS: table.to_csv(index=False)} | texts


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
