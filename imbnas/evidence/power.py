"""How many seeds does it take to see a gap, and what do they cost? Student's paired test, and the cost of records.

`gap` and `sd` are in points of accuracy: the true mean of a paired difference, and its standard deviation over seeds.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from imbnas.evidence.baselines import NAMES
from imbnas.evidence.grid import of_one_device
from imbnas.evidence.in_print import plain, signed
from imbnas.evidence.mixture import Record
from imbnas.evidence.paper import PAPER, paper_gaps
from imbnas.evidence.table2 import paired_differences
from imbnas.names import LONG_TAILED
from imbnas.statistics.intervals import pooled_sd, tail

POWER = 0.8  # how probable it shall be that an interval excludes zero where there is a gap
MOST_SEEDS = 1_000_000


def power(seeds: int, gap: float, sd: float, confidence: float = 0.95) -> float:
    """The probability that the `confidence` interval of the paired mean of `seeds` differences excludes zero.

    0 for one seed. ValueError for an sd that is not positive, a gap that is not finite, seeds that are no whole number
    from 1, and as `statistics.intervals.tail`.
    """
    refuse_seeds(seeds)
    outside = tail(confidence)
    if not (sd > 0 and np.isfinite(gap)):
        raise ValueError(f"gap {gap}, sd {sd}: expected a finite gap, and an sd above 0")
    if seeds < 2:
        return 0.0
    freedom, shift = seeds - 1, gap / sd * np.sqrt(seeds)
    edge = stats.t.isf(outside, freedom)
    nodes, weights = np.polynomial.legendre.leggauss(200)  # over the estimated sd: scipy's non-central t has gaps
    estimated = np.sqrt(stats.chi2.ppf((nodes + 1) / 2, freedom) / freedom)
    beyond = stats.norm.sf(edge * estimated - shift) + stats.norm.cdf(-edge * estimated - shift)
    return float(np.average(beyond, weights=weights))


def seeds_needed(gap: float, sd: float, wanted: float = POWER, confidence: float = 0.95) -> int:
    """The fewest seeds with which a gap shows with probability `wanted`.

    ValueError where no number would do, and as `statistics.intervals.tail`.
    """
    if not (gap and np.isfinite(gap) and sd > 0 and 0 < wanted < 1):
        raise ValueError(f"gap {gap}, sd {sd}, power {wanted}: expected a gap that is not 0, sd > 0, power in (0, 1)")
    normal = ((stats.norm.isf(tail(confidence)) + stats.norm.ppf(wanted)) * sd / gap) ** 2
    if normal > MOST_SEEDS:
        raise ValueError(f"a gap of {gap} at an sd of {sd} takes more than {MOST_SEEDS:,} seeds")
    seeds = max(2, int(normal))
    while power(seeds, abs(gap), sd, confidence) < wanted:
        seeds += 1
    return seeds


def detectable(seeds: int, sd: float, wanted: float = POWER, confidence: float = 0.95) -> float:
    """The smallest gap that `seeds` show with probability `wanted`; infinite for one seed, 0 without spread.

    ValueError for a negative sd, a `wanted` that a gap of zero reaches by chance or none reaches, and as `power`.
    """
    refuse_seeds(seeds)
    if seeds < 2:
        return float("inf")
    by_chance = power(seeds, 0.0, 1.0, confidence)
    if not (sd >= 0 and by_chance < wanted < 1):
        raise ValueError(f"sd {sd}, power {wanted}: expected sd from 0, power above {by_chance:.2g} and below 1")
    if sd == 0:
        return 0.0
    most = sd
    while power(seeds, most, sd, confidence) < wanted:
        most *= 2
    return float(brentq(lambda gap: power(seeds, gap, sd, confidence) - wanted, 0.0, most))


def refuse_seeds(seeds: float) -> None:
    """ValueError where `seeds` is no whole number from 1."""
    if not (seeds >= 1 and seeds % 1 == 0):
        raise ValueError(f"seeds is {seeds}: expected a whole number, at least 1")


def in_hindsight(
    runs: pd.DataFrame, pairs: Iterable[tuple[str, str]], targets: Sequence[str] = ("long-tailed",)
) -> pd.DataFrame:
    """Paired differences beside the smallest gap that as many seeds with their spread show: a row per pair and target.

    runs: `table2.retrainings`. Columns as `table2.paired_differences`, and `smallest`, in points, shown with
    probability `POWER`: infinite for one seed. Two or three seeds estimate a spread badly, and `smallest` with it.
    """
    rows = []
    for first, second in pairs:
        found = paired_differences(runs, first, second).set_index("target")
        for target, row in found.loc[[t for t in targets if t in found.index]].iterrows():
            smallest = detectable(int(row.seeds), row.sd)
            rows.append({"pair": f"{first} − {second}", "target": target} | row.to_dict() | {"smallest": smallest})
    columns = ["pair", "target", "seeds", "difference", "low", "high", "probability", "sd", "smallest"]
    return pd.DataFrame(rows, columns=columns).astype({"seeds": int})


def hindsight_in_print(frame: pd.DataFrame) -> pd.DataFrame:
    """`in_hindsight` as texts; what takes two seeds says so."""

    def text(value: float, style: Callable[[float], str]) -> str:
        return style(value) if np.isfinite(value) else "takes two seeds"

    shown = frame[["target", "seeds"]].set_axis(frame["pair"].str.replace(" ", "\u00a0"))  # on one line
    shown["difference (points)"] = [text(value, signed) for value in frame.difference]
    shown["one-sided confidence that the first is better"] = [text(value, plain) for value in frame.probability]
    shown["smallest gap that would show"] = [text(value, plain) for value in frame.smallest]
    return shown.rename_axis(None)


# ------------------------------------------------------------------------------------- how large is the noise


def images_error(first: str, second: str, targets: Sequence[str] = LONG_TAILED) -> tuple[float, float]:
    """The standard error that the choice of 10,000 test images gives the paper's mean difference over `targets`.

    Two networks counted as independent; first as if every target had test images of its own, then as if all targets
    shared their luck, which they do in part. All seeds are tested on the same images: more seeds do not lessen it,
    and an interval over seeds does not hold it.
    """
    errors = paper_gaps(first, second).loc[list(targets), "error"]
    return float(np.sqrt((errors**2).sum()) / len(errors)), float(errors.mean())


def noise_of(sd: float, targets: int = len(LONG_TAILED)) -> float:
    """The SD of the mean over `targets` of the difference of two retrainings that have nothing in common.

    sd: of one retraining, in points: between seeds of one path, or between winners (`winners_sd`).
    """
    return float(np.sqrt(2 / targets) * sd)


def winners_sd(runs: pd.DataFrame) -> tuple[float, int]:
    """The SD between the accuracies of different winners of one target and seed, and its degrees of freedom.

    runs: `table2.retrainings`. Each winner was trained once, so that the luck of the seed is in it. It stands for
    what another super-network, and so another winner, would change; nan where no two winners differ.
    """
    distinct = runs.drop_duplicates(["target", "seed", "path"])
    return pooled_sd(group.accuracy for _, group in distinct.groupby(["target", "seed"]))


def paper_needs(sd: float, pairs: Iterable[tuple[str, str]], wanted: float = POWER) -> pd.DataFrame:
    """The paper's mean gap over the long-tailed targets, pair by pair, and the seeds that it would take to see it."""
    rows = []
    for first, second in pairs:
        gap = float((PAPER.loc[first] - PAPER.loc[second])[list(LONG_TAILED)].mean())
        seeds = seeds_needed(gap, sd, wanted) if abs(gap) > 1e-9 else None
        rows.append({"pair": f"{first} − {second}", "gap": gap, "seeds": seeds})
    return pd.DataFrame(rows).set_index("pair")


# ------------------------------------------------------------------------------------------ what a seed costs


def priced(found: Iterable[Record]) -> list[Record]:
    """The records that a comparison is made of, ResNet-32 left out, of the device that made most of them."""
    stages = ("supernet", "search", "retrain")
    return of_one_device(r for r in found if r["stage"] in stages and r["config"].get("procedure") not in NAMES)


def stage_seconds(found: Iterable[Record]) -> pd.DataFrame:
    """Mean seconds of each kind of stage in the records, by stage and procedure, with `records` and their `device`.

    Of `priced` records alone. Retrainings of paths are one kind, "any": all of them have one recipe.
    """
    rows = []
    for record in priced(found):
        stage, procedure, cost = record["stage"], record["config"].get("procedure", "source"), record["cost"]
        search = cost["seconds"].get("search", 0.0)
        kind = "any" if stage == "retrain" else procedure
        rows.append((stage, kind, cost["training_seconds"] + search, search, cost["device"]))
    table = pd.DataFrame(rows, columns=["stage", "procedure", "seconds", "search", "device"])
    groups = table.groupby(["stage", "procedure"])
    means = groups[["seconds", "search"]].mean().assign(records=groups.size())
    return means.assign(device=groups.device.first())


def machine(found: Iterable[Record]) -> str:
    """The device of the `priced` records, with the processors that they name; older records name none."""
    made = priced(found)
    named = Counter(record["cost"]["processor"] for record in made if record["cost"].get("processor"))
    processors = "; ".join(f"{name} in {count} of {len(made)} records" for name, count in sorted(named.items()))
    devices = {record["cost"]["device"] for record in made}
    return ", ".join(sorted(devices)) + (f" ({processors})" if processors else "")


def image_rate(found: Iterable[Record]) -> float | None:
    """Training images per second of the source super-network, which trains every weight; None without its record."""
    costs = [record["cost"] for record in priced(found) if record["stage"] == "supernet"]
    return float(np.mean([cost["images"] / cost["training_seconds"] for cost in costs])) if costs else None


def search_seconds(found: Sequence[Record], procedure: str, images: int | None) -> tuple[float, bool] | None:
    """Seconds of one search and whether they were measured.

    Where no record of the procedure exists, they are estimated: the `images` of its training at the super-network's
    rate, and the time that another procedure's search took. None where even that can't be had.
    """
    table, rate = stage_seconds(found), image_rate(found)
    if ("search", procedure) in table.index:
        return float(table.loc[("search", procedure), "seconds"]), True
    others = table.loc["search", "search"] if "search" in table.index.get_level_values("stage") else []
    if images is None or rate is None or not len(others):
        return None
    return images / rate + float(np.mean(others)), False


def seed_hours(
    found: Sequence[Record], first: str, second: str, images: Mapping[str, int], targets: int = len(LONG_TAILED)
) -> tuple[float, list[str]] | None:
    """Hours that one more seed of a comparison takes on `targets`, and the procedures whose share is estimated.

    A source super-network, a search for each procedure and target (P0's serves all), and a retraining of every
    winner. None where the records don't tell.
    """
    table = stage_seconds(found)
    if ("retrain", "any") not in table.index or ("supernet", "source") not in table.index:
        return None
    seconds = 2 * targets * float(table.loc[("retrain", "any"), "seconds"])
    seconds += float(table.loc[("supernet", "source"), "seconds"])
    estimated = []
    for procedure in (first, second):
        search = search_seconds(found, procedure, images.get(procedure))
        if search is None:
            return None
        seconds += search[0] * (1 if procedure == "P0" else targets)
        estimated += [] if search[1] else [procedure]
    return seconds / 3600, estimated
