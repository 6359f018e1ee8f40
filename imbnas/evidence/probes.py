"""What do P1's scores measure? Adaptations with one thing changed, held against the published accuracies.

python -m imbnas.evidence.probes     write its tables (agreement by accuracy and by loss, source, effects, account) in
                                     results/probes, for the book
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from imbnas import profiles, records
from imbnas.benchmark import SPACE, difference, kendall, naive_rankings
from imbnas.evidence.agreement import agreement, distinct_truth, scores_of
from imbnas.evidence.files import in_csv, refuse_arguments
from imbnas.evidence.mixture import Record, unmixed
from imbnas.names import ARM
from imbnas.statistics.scores import binomial_error

FOLDER = profiles.ROOT / "results" / "probes"
CELLS = 150  # the cells that every probe has scored
PLAIN, UNTRAINED = (ARM, "P1", "", "balance"), (ARM, "P1", "untrained", "balance")
PROBES = {  # (arm, procedure, variant, target): its name in tables, and what was changed
    PLAIN: ("plain", "nothing: P1 on balanced CIFAR-100"),
    (ARM, "P1", "", "exp-0.01"): ("exp-0.01", "target: CIFAR-100, exp-0.01"),
    (ARM, "P1-ce", "", "exp-0.01"): ("ce-exp-0.01", "target: CIFAR-100, exp-0.01; loss not re-weighted"),
    (ARM, "P1", "on-cifar10", "balance"): ("on-cifar10", "target: CIFAR-10, the source itself"),
    (ARM, "P1", "on-cifar10", "exp-0.01"): ("on-cifar10-exp-0.01", "target: CIFAR-10, exp-0.01"),
    ("hundred", "P1", "on-cifar10", "balance"): ("hundred", "source: CIFAR-100; target: CIFAR-10"),
    UNTRAINED: ("untrained", "source: untrained"),
    (ARM, "P1", "eighth", "balance"): ("eighth", "source: 1/8 of its training"),
    (ARM, "P1", "quarter", "balance"): ("quarter", "source: 1/4 of its training"),
    (ARM, "P1", "half", "balance"): ("half", "source: 1/2 of its training"),
    ("annealed", "P1", "", "balance"): ("annealed", "source: rate annealed to 0"),
    ("wide", "P1", "", "balance"): ("wide", "source: 32 channels instead of 16"),
    (ARM, "P1", "source-statistics", "balance"): ("source-statistics", "batch norm: the source's statistics"),
    (ARM, "P2", "", "balance"): ("P2", "procedure: P2, everything fine-tuned"),
    (ARM, "P3", "", "balance"): ("P3", "procedure: P3, from scratch"),
    (ARM, "P1", "before-norm", "balance"): ("before-norm", "features: before the last norm"),
    (ARM, "control", "", "balance"): ("ridge", "classifier: a ridge per cell"),
    (ARM, "control", "before-norm", "balance"): ("ridge-before-norm", "classifier: a ridge, before the last norm"),
}
COLUMNS = ["probe", "seed", "changed", "cells", "tau", "low", "high"]
CHANGE = ["change", "change_low", "change_high"]
COLUMNS += ["mean", "spread", "error", "with_p1", "with_skips", *CHANGE]
ACCOUNT = ["probe", "seed", "changed", "wiring", "learnt", "explained", "cells", "tau", "low", "high"]
ACCOUNT += ["bare", "gain", "gain_low", "gain_high"]
MISSING = (
    "No record of P1 against the truth yet.\n"
    "`papermill book/07-p1.ipynb run.ipynb -p arm constant -p target balance`\n"
    "writes the first one."
)


def read(folder: Path = FOLDER) -> list[Record]:
    """The records of adaptation against truth: those with one thing changed, in `folder`, and the plain ones."""
    return records.read(folder, "truth") + records.read(folder.parent / "truth", "truth")


def key(record: Record) -> tuple[str, str, str, str]:
    """What identifies a probe among the truth records."""
    config = record["config"]
    return config["arm"]["name"], config["procedure"], config.get("variant", {}).get("name", ""), config["target"]


def scores(record: Record, cells: int | None = None, kind: str = "accuracy") -> pd.Series:
    """What a record scores its first `cells` cells: by accuracy, percent, or by loss, with a minus."""
    return scores_of(record["results"], kind).iloc[:cells]


def p0_scores(source: Record) -> pd.Series:
    """What a source super-network scores its cells by itself, at the end of its training."""
    return scores_of(source["results"]["moments"][-1], "accuracy")


def skips(cells: Iterable[str]) -> pd.Series:
    """How many skip connections each printed cell has."""
    cells = list(cells)
    return pd.Series([text.count("skip_connect") for text in cells], cells, dtype=float)


def table(truths: Sequence[Record], count: int = CELLS, kind: str = "accuracy") -> pd.DataFrame:
    """One row per probe and seed, in the order of `PROBES`, all on the same first `count` cells.

    kind: of the scores, "accuracy" or "loss", which the ridge classifiers do not have. tau, low, high: agreement with
    the published accuracies of the target's data set, balanced ones. mean, spread: of the scores, percent, with the
    binomial standard `error` of one of them, which losses do not have. with_p1: tau with the scores of
    plain P1 of the same seed. with_skips: tau with the number of skip connections. change: of tau against plain P1 of
    the same seed, with an interval over cells, where both are held against the same truth. ValueError, with the names
    of both files, where records do not go together (`imbnas.evidence.mixture.unmixed`).
    """
    found = {(key(r), r["config"]["seed"]): r for r in unmixed(truths) if kind in r["results"]}
    rows = []
    for what, (name, changed) in PROBES.items():
        for seed in sorted(seed for known, seed in found if known == what):
            record = found[what, seed]
            mine, images = scores(record, count, kind), record["config"]["arm"]["scoring"]["images"]
            base = found.get((PLAIN, seed))
            with_p1 = np.nan if base is None else kendall(mine, scores(base, count, kind).to_dict())
            error = binomial_error(mine.mean(), images) if kind == "accuracy" else np.nan
            rows.append(
                {"probe": name, "seed": seed, "changed": changed}
                | agreement(mine, record["config"]["data"])
                | {"mean": mine.mean(), "spread": mine.std(), "error": error}
                | {"with_p1": with_p1, "with_skips": kendall(mine, skips(mine.index).to_dict())}
                | changed_by(record, base, count, kind)
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def changed_by(record: Record, base: Record | None, count: int, kind: str = "accuracy") -> dict[str, float]:
    """How far a probe's tau is from that of plain P1, the `base`; empty for itself, and where the truths differ."""
    data = record["config"]["data"]
    if base is None or record is base or base["config"]["data"] != data:
        return {}
    moved = difference(scores(record, count, kind), scores(base, count, kind), data)
    return dict(zip(CHANGE, (moved.tau, *moved.interval), strict=True))


def on_the_source(study: Iterable[Record], truths: Iterable[Record], count: int = CELLS) -> pd.DataFrame:
    """P1 on the images that trained its backbone, against the rankings that need no P1: P0's and that by size.

    One row per probe of the source's own data set, and ranking `against`: `change`, with its interval over the first
    `count` cells, is P1's tau to the published accuracies minus the other's. ValueError as `table`.
    """
    study, truths, rows = list(study), list(truths), []
    unmixed([*study, *truths])
    sources = {(r["config"]["arm"]["name"], r["config"]["seed"]): r for r in study}
    for record in (record for record in truths if key(record) in PROBES):
        what, seed = key(record), record["config"]["seed"]
        source = sources.get((what[0], seed))
        if source is None or record["config"]["data"] != (data := source["config"]["arm"]["data"]):
            continue
        mine = scores(record, count)
        others = {"P0": p0_scores(source)[mine.index]}
        others["multiply-adds"] = naive_rankings(mine.index)["macs"].astype(float)
        for against, other in others.items():
            gap = difference(mine, other, data)
            row = {"probe": PROBES[what][0], "seed": seed, "against": against, "cells": len(mine)}
            rows.append(row | dict(zip(CHANGE, (gap.tau, *gap.interval), strict=True)))
    return pd.DataFrame(rows, columns=["probe", "seed", "against", "cells", *CHANGE])


def effects(values: pd.Series) -> tuple[pd.DataFrame, float]:
    """How much every operation on every edge adds to a score, in its standard deviations, and the share explained.

    Least squares with one term per edge and operation; on each edge the terms sum to zero. Rows are edges as (start,
    end), columns are operations. The share is R², of a model that knows nothing of how edges work together.
    """
    paths = [SPACE.from_string(cell) for cell in values.index]
    design = np.array([np.eye(SPACE.choices)[list(path)].ravel() for path in paths])
    design -= design.mean(0)
    target = standard(values)
    solution = np.linalg.lstsq(design, target, rcond=1e-8)[0]
    terms = solution.reshape(SPACE.genes, SPACE.choices)
    edges = pd.Index([f"{start}→{end}" for start, end in SPACE.edges], name="edge")
    frame = pd.DataFrame(terms - terms.mean(1, keepdims=True), edges, list(SPACE.operations))
    return frame, explained(target, design @ solution)


def explained(target: np.ndarray, fitted: np.ndarray) -> float:
    """R²: the share of the squares of `target`, whose mean is 0, that `fitted` takes away."""
    return float(1 - ((target - fitted) ** 2).sum() / (target**2).sum())


def compared(study: Sequence[Record], truths: Sequence[Record], seed: int = 0) -> dict[str, pd.Series]:
    """What has effects to be compared, by name: the truth, P0's scores, P1's, and P1's on an untrained backbone."""
    p0 = [r for r in study if (r["config"]["arm"]["name"], r["config"]["seed"]) == (ARM, seed)]
    found = {key(record): record for record in truths if record["config"]["seed"] == seed}
    plain_p1, untrained = found.get(PLAIN), found.get(UNTRAINED)
    if not p0 or plain_p1 is None:
        return {}
    mine = {"P0's score": p0_scores(p0[0]), "P1's score": scores(plain_p1)}
    if untrained is not None:
        mine["P1, untrained"] = scores(untrained)
    return {"published CIFAR-100": distinct_truth(mine["P1's score"].index, "cifar100"), **mine}


def labels(rows: pd.DataFrame) -> pd.Series:
    """What was changed, with the seed where a probe has several."""
    several = rows.groupby("changed").seed.transform("nunique") > 1
    return rows.changed.where(~several, rows.changed + ", seed " + rows.seed.astype(str))


def account(study: Iterable[Record], truths: Sequence[Record], count: int = CELLS) -> pd.DataFrame:
    """P1's scores as a sum of two: what the wiring alone gives, and what the source has learnt.

    One row per probe and seed on the data set of the untrained record, by least squares on standardised scores of the
    first `count` cells: `wiring` weighs P1's score on the untrained backbone, `learnt` P0's score of the probe's own
    source, `explained` is R². tau, low, high: agreement with the published accuracies once the untrained score is
    taken off, point by point. `bare`: that of the untrained score alone, with its sign turned; `gain` and its
    interval: tau minus `bare`, on the same draws, which is what the probe's own score adds. ValueError as `table`.
    """
    study = list(study)
    unmixed([*study, *truths])
    p0 = {(r["config"]["arm"]["name"], r["config"]["seed"]): p0_scores(r) for r in study}
    found = {(key(record), record["config"]["seed"]): record for record in truths if key(record) in PROBES}
    untrained, rows = found.get((UNTRAINED, 0)), []
    for (what, seed), record in sorted(found.items(), key=lambda item: (list(PROBES).index(item[0][0]), item[0][1])):
        if untrained is None or what == UNTRAINED or (what[0], seed) not in p0:
            continue
        if (data := record["config"]["data"]) != untrained["config"]["data"]:
            continue
        mine, wiring = scores(record, count), scores(untrained, count)
        parts = np.array([standard(wiring), standard(p0[what[0], seed][mine.index])]).T
        weights = np.linalg.lstsq(parts, standard(mine), rcond=None)[0]
        added = difference(mine - wiring, -wiring, data)
        name, changed = PROBES[what]
        row = {"probe": name, "seed": seed, "changed": changed}
        row |= dict(zip(("wiring", "learnt"), weights.tolist(), strict=True))
        row |= {"explained": explained(standard(mine), parts @ weights)} | agreement(mine - wiring, data)
        row |= {"bare": kendall(-wiring, data), "gain": added.tau}
        rows.append(row | dict(zip(("gain_low", "gain_high"), added.interval, strict=True)))
    return pd.DataFrame(rows, columns=ACCOUNT)


def standard(values: pd.Series) -> np.ndarray:
    """Values with mean 0 and standard deviation 1."""
    return ((values - values.mean()) / values.std()).to_numpy()


def effects_csv(series: Mapping[str, pd.Series]) -> str:
    """`effects` of all series as one long CSV: of, edge, operation, effect; and a line `explained` each."""
    lines = ["of,edge,operation,effect"]
    for name, values in series.items():
        short = name.replace("'s score", "").replace(", ", "-").replace(" ", "-")
        frame, share = effects(values)
        for edge, row in frame.iterrows():
            lines += [f"{short},{edge.replace('→', '-')},{operation},{value:.4f}" for operation, value in row.items()]
        lines.append(f"{short},all,explained,{share:.4f}")
    return "\n".join(lines) + "\n"


def tables(study: Sequence[Record], sources: Sequence[Record], truths: Sequence[Record]) -> dict[str, str]:
    """Every table as CSV by its file's name; study: the super-networks of the chapters, sources: all there are."""
    return {
        "agreement.csv": in_csv(table(truths)),
        "agreement-by-loss.csv": in_csv(table(truths, kind="loss")),
        "source.csv": in_csv(on_the_source(study, truths)),
        "account.csv": in_csv(account(sources, truths)),
        "effects.csv": effects_csv(compared(study, truths)),
    }


def read_sources(folder: Path = FOLDER) -> tuple[list[Record], list[Record]]:
    """The records of the validity study, and these with the further super-networks that only probes start from."""
    study = records.read(folder.parent / "validity", "validity")
    return study, study + records.read(folder.parent / "sources", "validity")


def main(folder: Path = FOLDER) -> None:
    """Write the tables beside the records of what was changed."""
    for name, text in tables(*read_sources(folder), read(folder)).items():
        records.write_text(folder / name, text)


if __name__ == "__main__":
    refuse_arguments()
    main()
