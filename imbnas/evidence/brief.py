"""What moves a super-network's ranking? A quarter of the training with one thing changed, beside the unchanged one.

python -m imbnas.evidence.brief     write changes.csv in results/brief, and in results/validity that of the arms at full
                                    length; the book's prose reads both
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from imbnas import benchmark, profiles, records
from imbnas.evidence.agreement import GOOD, agreement, images, scores_of, truth_of
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.in_print import difference, plain, unbroken
from imbnas.evidence.mixture import Record, comparable, unmixed
from imbnas.names import ARM

FOLDER = profiles.ROOT / "results" / "brief"
CHANGES = {  # what an arm changes, in words; a brief arm and one at full length have one name
    ARM: "nothing but the seed",
    "batch-32": "batches of 32",
    "batch-128": "batches of 128",
    "rate-0.025": "learning rate 0.025",
    "rate-0.1": "learning rate 0.1",
    "cosine": "rate annealed to 0",
    "annealed": "rate annealed to 0",
    "no-decay": "no weight decay",
    "no-clip": "gradients not clipped",
    "fair": "strict fairness",
    "two-cells": "two cells per stage",
    "tracked": "batch norm not re-estimated",
}
CHANGE = ["change", "change_low", "change_high"]
COLUMNS = ["arm", "seed", "changed", "cells", "mean", "tau", "low", "high", *CHANGE]
ALONG = ["arm", "seed", "images", "above", "changed", "cells", "tau", "low", "high", *CHANGE]
MISSING = (
    "No record of a brief arm yet.\n"
    "`papermill book/04-super-network.ipynb run.ipynb -p arm fair-brief`\n"
    "writes the first one."
)


def read(folder: Path = FOLDER) -> tuple[list[Record], list[Record]]:
    """The records of the brief arms, and those of the study that they stand beside."""
    return records.read(folder, "validity"), records.read(folder.parent / "validity", "validity")


def unchanged(bases: Sequence[Record], seen: int, seed: int) -> pd.Series | None:
    """The base's scores after `seen` training images, by cell; None where no record of this seed has that moment."""
    for record in bases:
        if record["config"]["seed"] == seed:
            for moment in record["results"]["moments"]:
                if images(record, moment) == seen:
                    return scores_of(moment, "accuracy")
    return None


def changes(brief: Sequence[Record], study: Sequence[Record]) -> pd.DataFrame:
    """One row per brief arm and seed: its agreement with the published accuracies, and how far this is from the base's.

    The base is the unchanged super-network of the same seed after as many images, on the same cells; the interval of
    the change comes from draws of cells that both share. The first rows are the base itself, other seeds held against
    seed 0: what chance alone moves. ValueError where an arm has seen another number of images than any base, and, with
    the names of both files, where records do not go together (`imbnas.evidence.mixture`).
    """
    rows, bases = [], [record for record in study if record["config"]["arm"]["name"] == ARM]
    comparable(unmixed([*brief, *bases]), "data")
    for record in brief:
        arm, seed = record["config"]["arm"]["name"], record["config"]["seed"]
        moment, truth = record["results"]["moments"][-1], truth_of(record)
        if (base := unchanged(bases, seen := images(record, moment), seed)) is None:
            raise ValueError(f"{record.get('file', arm)}: no base has seed {seed} and {seen:,} images, to compare with")
        rows.append(row(arm, seed, scores_of(moment, "accuracy"), base, truth))
    seen = {images(record, record["results"]["moments"][-1]) for record in brief}
    seeds = sorted(record["config"]["seed"] for record in bases)
    early = {seed: unchanged(bases, min(seen), seed) for seed in seeds} if seen else {}
    for seed, scores in early.items():
        if scores is not None and early.get(0) is not None:
            rows.append(row(ARM, seed, scores, early[0], truth_of(bases[0])))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["arm", "seed"], key=in_order, ignore_index=True)


def along(study: Sequence[Record]) -> pd.DataFrame:
    """How far the study's own arms, those at full length, are from the base at every moment, and at last on good cells.

    One row per arm, seed, number of images and part of the cells: all that were scored, and at the end those `above`
    `GOOD` percent alone. As in `changes` an arm is held against the base of its seed, another seed of the base against
    seed 0; a moment at which that base was not scored has no row. ValueError, with the names of both files, where
    records do not go together (`imbnas.evidence.mixture`).
    """
    rows, bases = [], [record for record in study if record["config"]["arm"]["name"] == ARM]
    comparable(unmixed(study), "data", "cells")
    for record in study:
        arm, seed = record["config"]["arm"]["name"], record["config"]["seed"]
        moments = record["results"]["moments"]
        for moment, above in [*((moment, None) for moment in moments), (moments[-1], GOOD)]:
            base = unchanged(bases, seen := images(record, moment), 0 if arm == ARM else seed)
            if (arm, seed) != (ARM, 0) and base is not None:
                found = row(arm, seed, scores_of(moment, "accuracy"), base, truth_of(record), above)
                rows.append(found | {"images": seen, "above": int(above or 0)})
    return pd.DataFrame(rows, columns=ALONG).sort_values(ALONG[:4], key=in_order, ignore_index=True)


def row(
    arm: str, seed: int, scores: pd.Series, base: pd.Series, truth: str, above: float | None = None
) -> dict[str, Any]:
    """What is known of one arm and seed; for the base's own seed 0 the change is zero."""
    moved = benchmark.difference(scores, base, truth, above=above)
    found = {"arm": arm, "seed": seed, "changed": CHANGES.get(plain_name(arm), arm), "mean": scores.mean()}
    change = dict(zip(CHANGE, (moved.tau, *moved.interval), strict=True))
    return found | agreement(scores, truth, above) | change


def in_order(column: pd.Series) -> pd.Series:
    """Arms as `CHANGES` lists them, whatever else it holds last; seeds as they are."""
    places = {arm: place for place, arm in enumerate(CHANGES)}
    return column.map(plain_name).map(places).fillna(99) if column.name == "arm" else column


def plain_name(arm: str) -> str:
    """An arm's name without the word for a short training."""
    return arm.removesuffix("-brief")


def printed(frame: pd.DataFrame) -> pd.DataFrame:
    """`changes` or `along` as texts, called by what is changed; a base beside itself has no change."""
    rows = frame.to_dict("records")
    cells: dict[str, list] = {"seed": list(frame.seed)}
    if "images" in frame:
        cells["images seen"] = [f"{row['images']:,}" for row in rows]
        cells["cells"] = [f"{row['cells']}" + f" above {row['above']:g} %" * bool(row["above"]) for row in rows]
    if "mean" in frame:
        cells["mean accuracy (%)"] = [f"{row['mean']:.1f}" for row in rows]
    cells["τ"] = [plain(row["tau"]) for row in rows]
    cells["changed by"] = [difference(row, *CHANGE) if any(row[name] for name in CHANGE) else "" for row in rows]
    return unbroken(pd.DataFrame(cells, index=list(frame.changed)))


def main(folder: Path = FOLDER) -> None:
    """Write both tables, each beside its records."""
    brief, study = read(folder)
    records.write_text(folder / "changes.csv", in_csv(changes(brief, study)))
    records.write_text(folder.parent / "validity" / "changes.csv", in_csv(along(study)))


if __name__ == "__main__":
    refuse_arguments()
    main()
