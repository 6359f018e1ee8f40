"""The retrained paths of the fixed set, and what every procedure scores them: records into rows and rankings."""

import math
from collections.abc import Iterable

import pandas as pd

from imbnas.evidence.mixture import Record, Seen, file_of
from imbnas.names import ON_SOURCE

COLUMNS = ["target", "number", "seed", "path", "architecture", "macs", "params", "conv3x3"]
ACCURACIES = ["overall", "head", "middle", "tail"]
YARDSTICKS = {"multiply-adds": "macs", "parameters": "params", "3×3 convolutions": "conv3x3"}
FEWEST_PATHS = 10  # for an interval over paths
FEWEST_DRAWN = 5  # for a mean of what nobody chose
ROUNDED = 1e-5  # a cap in a record (`records.plain`) may be less than the path of that cost, which was allowed
Rankings = dict[tuple[str, str], pd.Series]  # scores by path, of a procedure and seed; yardsticks have no seed


def retrained_paths(found: Iterable[Record], seen: Seen | None = None) -> pd.DataFrame:
    """One row per retraining of a path of the set: target, number, seed, path, its cost, accuracies in percent.

    `overall` is the mean over classes, as scores are: the plain accuracy where the test set is balanced, and no reward
    for giving the tail up where it is not.

    ValueError, with the names of both files, where records are of more than one profile's recipe, data, space, split
    or schema, where two are of the same path, target and seed, or where a number stands for two paths.
    """
    rows, seen, names = [], seen or Seen(), dict[int, tuple[str, str]]()
    for record in found:
        if not is_path(record):
            continue
        config, path, test = record["config"], record["results"]["path"], record["results"]["test"]
        seen.check(record, f"path {path['number']}")
        file = file_of(record)
        known, other = names.setdefault(path["number"], (config["network"], file))
        if known != config["network"]:
            raise ValueError(f"{file} and {other} call different paths number {path['number']}: delete one of them")
        cells = {"target": config["target"], "seed": config["seed"], "path": config["network"]}
        rows.append(cells | {name: path[name] for name in ("number", "architecture", "macs", "params")}
                    | {"conv3x3": convolutions(path["architecture"])}
                    | {name: test["class_mean" if name == "overall" else name] for name in ACCURACIES})  # fmt: skip
    table = pd.DataFrame(rows, columns=[*COLUMNS, *ACCURACIES])
    return table.sort_values(["target", "number", "seed"], ignore_index=True)


def is_path(record: Record) -> bool:
    """Whether a record is of a path of the set that was retrained."""
    return record["stage"] == "retrain" and record["config"]["procedure"] == "path"


def convolutions(architecture: str) -> int:
    """How many 3×3 convolutions a printed architecture of cells or of layers chooses; `conv3x3_twice` counts twice."""
    return sum(architecture.count(name) for name in ("nor_conv_3x3", "conv3x3", "conv3x3_twice"))


def first_seed(runs: pd.DataFrame, target: str) -> pd.DataFrame:
    """The rows of a target's first seed, by path; runs: `retrained_paths`."""
    rows = runs[runs.target == target]
    return rows[rows.seed == rows.seed.min()].set_index("path")


def scored_on(procedure: str, target: str) -> str:
    """What the scores of a procedure are kept under: "any" where it scores on the source, whatever the target."""
    return "any" if procedure in ON_SOURCE else target


def scores_of(found: Iterable[Record], seen: Seen) -> dict[tuple[str, str, str], pd.Series]:
    """The scores of every record of them, by target (`scored_on`), procedure and seed.

    ValueError, with the names of both files, where two are of different profiles, spaces, splits or schemas.
    """
    scored = {}
    for record in found:
        if record["stage"] != "scores":
            continue
        config, file = record["config"], file_of(record)
        procedure, seed = config["procedure"], str(config["seed"])
        target = scored_on(procedure, config["target"])
        common = {name: config[name] for name in ("space", "precision", "split_seed", "scoring")}
        common |= {"schema": record.get("schema"), f"recipe of {procedure}": config.get("recipe")}
        if config.get("supernet", "untrained") != "untrained":
            common[f"super-network of seed {seed}"] = config["supernet"]
        if target != "any":
            common |= {"data": config["data"], f"split of {target}": record["results"]["split"]}
        seen.folder(record)
        for name, value in common.items():
            seen.same(name, str(value), file)
        seen.once(f"scores of {procedure} on {target} target, seed {seed}", file)
        scored[target, procedure, seed] = pd.Series(record["results"]["scored"], dtype=float)
    return scored


def retrained_and_scored(found: Iterable[Record]) -> dict[str, tuple[pd.Series, Rankings]]:
    """Per target: test accuracy by path, of the first seed, and every ranking of these paths by procedure and seed.

    "P1-less-untrained" is what P1 scores beyond the same path on a backbone of random weights. Yardsticks, which
    count instead of scoring, stand at the end; their seed is "". Where paths have a second seed,
    it tells the noise (`retrained_spread`) and is left out here, so that every path is measured equally well.
    """
    found, seen = list(found), Seen()
    runs = retrained_paths(found, seen)
    scored = scores_of(found, seen)
    targets = {}
    for target in sorted(set(runs.target)):
        rows = first_seed(runs, target)
        names = sorted((procedure, seed) for on, procedure, seed in scored if on in (target, "any"))
        rankings = {(p, s): scored.get((target, p, s), scored.get(("any", p, s))) for p, s in names}
        bare = {s: rankings["P1-untrained", s] for p, s in names if p == "P1-untrained" and ("P1", s) in names}
        rankings |= {("P1-less-untrained", s): rankings["P1", s] - scores for s, scores in bare.items()}
        rankings |= {(name, ""): rows[column].astype(float) for name, column in YARDSTICKS.items()}
        targets[target] = rows.overall, rankings
    return targets


def largest_allowed(found: Iterable[Record]) -> float:
    """The most multiply-adds that a path may have in the searches among the records; infinite without a search.

    A little more than the records say, by 1 in 100,000: they hold the cap rounded to six digits.
    """
    caps = [record["results"]["max_cost"] for record in found if record["stage"] == "search"]
    return max(caps, default=math.inf) * (1 + ROUNDED)


def good_on_balance(found: Iterable[Record]) -> list[Record]:
    """The records without what was retrained on balance, and without the half of the paths that did worse there.

    Where a search ends, all paths are good. That they are is told by another target than those that are left, so that
    no accuracy is chosen by its own luck.
    """
    found = list(found)
    balanced = first_seed(retrained_paths(found), "balance").overall.astype(float)
    good = set(balanced.nlargest(len(balanced) // 2).index)

    def kept(record: Record) -> bool:
        return record["config"]["target"] != "balance" and record["config"]["network"] in good

    return [record for record in found if not is_path(record) or kept(record)]


def among_random(runs: pd.DataFrame, winners: pd.DataFrame, cap: float) -> pd.DataFrame:
    """Where winners stand among paths that nobody chose: one row per target with five of them, and procedure.

    runs: `retrained_paths`; the first seed counts, and only paths of at most `cap` multiply-adds, which a search
    might have found too. winners: `table2.table_2`. Columns: `accuracy` of the winner; `paths`, their `mean` and
    `sd`, in percent; `better`, how many of them are better than the winner.
    """
    rows = []
    for winner in winners.itertuples():
        drawn = first_seed(runs, winner.target)
        drawn = drawn.overall[drawn.macs <= cap]
        if len(drawn) >= FEWEST_DRAWN:
            rows.append(
                {"target": winner.target, "procedure": winner.procedure, "accuracy": winner.accuracy}
                | {"paths": len(drawn), "mean": drawn.mean(), "sd": drawn.std(ddof=1)}
                | {"better": int((drawn > winner.accuracy).sum())}
            )
    return pd.DataFrame(rows, columns=["target", "procedure", "accuracy", "paths", "mean", "sd", "better"])
