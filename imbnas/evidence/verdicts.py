"""What the retrained paths tell, in words: sentences that say no more than their intervals allow."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from imbnas.evidence.card import bounds
from imbnas.evidence.in_print import difference, figure, interval, p_value, plain, unbroken
from imbnas.evidence.paths import FEWEST_PATHS
from imbnas.evidence.quality import MEAN, called
from imbnas.evidence.spread import FEWEST_REPEATED, retrained_spread
from imbnas.profiles import ENOUGH_AGREEMENT, ENOUGH_SPREAD

HOW = "`make grid GOALS=ranking PROFILE=laptop` retrains and scores them"
LEVEL = 0.05
DATA = {"cifar10": "CIFAR-10, published", "cifar100": "CIFAR-100, published"}
QUESTIONS = {  # what a difference between two rankings asks
    ("P1", "P0"): "adapting the classifier, or not adapting?",
    ("P2", "P0"): "fine-tuning everything, or not adapting?",
    ("P3", "P0"): "a super-network trained on the target, or one that never saw it?",
    ("control", "P0"): "a ridge classifier per path on the target, or not adapting?",
    ("P3", "P1"): "the search from scratch, or the cheap one?",
    ("P1", "P2"): "a frozen backbone, or all of it trained?",
    ("P1", "control"): "one trained classifier, or a ridge classifier per path?",
    ("P2", "control"): "fine-tuning everything, or a ridge classifier per path?",
    ("P3", "control"): "a super-network trained on the target, or a ridge classifier per path?",
    ("P1", "P1-ce"): "with class weights, or without?",
    ("P1", "P1-untrained"): "a backbone that the source has trained, or random weights?",
    ("P1", "P1-frozen"): "batch norm re-estimated on the target, or on the source?",
    ("P0", "P0-tracked"): "batch norm re-estimated per path, or tracked for all together?",
    ("P1-less-untrained", "P1"): "P1 less what random weights score, or P1 as it is?",
    ("P1", "multiply-adds"): "P1, or size alone?",
    ("P0", "multiply-adds"): "P0, or size alone?",
    ("P3", "multiply-adds"): "P3, or size alone?",
}


def differences_in_print(frame: pd.DataFrame) -> pd.DataFrame:
    """`quality.differences` as texts, a row per question in the order of `QUESTIONS`, and target.

    "asked": the pair, as "P1 − P0". "better" says which of the two ranks better, as `answer` has it; "p" is corrected
    for all questions of the target. "τ" is the first's minus the second's; "size out" the same with the multiply-adds
    partialled out.
    """
    columns, rows = ["asked", "question", "target", "better", "p", "τ", "size out"], []
    for (first, second), question in QUESTIONS.items():
        asked = frame[(frame["first"] == first) & (frame.second == second)]
        for row in asked.to_dict("records"):
            cells = dict.fromkeys(columns, "")
            cells |= {"asked": f"{first}\u00a0−\u00a0{second}", "question": question}
            cells |= {"target": row["target"], "better": answer(row)}
            if not math.isnan(row["tau"]):
                cells["τ"] = difference(row, "tau", "low", "high")
                cells["size out"] = difference(row, "partial", "partial_low", "partial_high")
                cells["p"] = "" if math.isnan(row["corrected"]) else p_value(row["corrected"])
            rows.append(cells)
    return unbroken(pd.DataFrame(rows, columns=columns))


def answer(row: Mapping[str, Any]) -> str:
    """Which of two rankings is the better one: "undecided" where the interval, as printed, holds zero, or is none.

    "perhaps" stands before it where the corrected p is not below 5 %: one of many questions answers so by chance.
    """
    if math.isnan(row["tau"]):
        return f"too few paths ({row['paths']} of {FEWEST_PATHS})"
    if not (round(row["low"], 2) > 0 or round(row["high"], 2) < 0):
        return "undecided"
    better = row["first"] if row["tau"] > 0 else row["second"]
    return better if row["corrected"] < LEVEL else f"perhaps {better}"


def among_random_in_words(frame: pd.DataFrame) -> str:
    """`paths.among_random` as sentences: a path drawn blindly, and how many of them beat each winner."""
    sentences = []
    for target, rows in frame.groupby("target", sort=False):
        first = rows.iloc[0]
        better = ", ".join(f"{row.procedure} {row.better or 'none'}" for row in rows.itertuples())
        sentences.append(
            f"On {target} the {first['paths']} allowed paths of the fixed set, which nobody chose, reach "
            f"{first['mean']:.1f} % on average, with a standard deviation of {first['sd']:.1f} points. So many of them "
            f"are better than a procedure's winner is on average over its seeds: {better}."
        )
    return "\n\n".join(sentences) or f"Too few paths that nobody chose are retrained yet: {HOW}."


def quality_in_print(frame: pd.DataFrame) -> pd.DataFrame:
    """`quality.quality` as texts, a row per ranking and target; seeds are named where a procedure has several.

    "size out" is τ with the multiply-adds partialled out. Regret is that of the five first, in points; "by chance" is
    that of five paths drawn blindly.
    """
    rows, several = [], set(frame.procedure[frame.seed == MEAN])
    for row in frame.to_dict("records"):
        ranking = called(row["procedure"], row["seed"]) if row["procedure"] in several else row["procedure"]
        cells = {"target": row["target"], "ranking": ranking, "paths": row["paths"]}
        if math.isnan(row["tau"]):
            cells |= dict.fromkeys(("τ", "size out", "regret", "by chance"), "too few paths")
        else:
            cells["τ"] = figure(row, "tau", "low", "high")
            cells["size out"] = figure(row, "partial", "partial_low", "partial_high")  # size itself has nothing left
            cells |= {"regret": f"{row['regret']:.1f}", "by chance": f"{row['by_chance']:.1f}"}
        rows.append(cells)
    return unbroken(pd.DataFrame(rows, columns=["target", "ranking", "paths", "τ", "size out", "regret", "by chance"]))


def spread_in_words(spread: Mapping[str, Any]) -> str:
    """`spread.retrained_spread` as a sentence: whether the paths differ at all."""
    target, paths, repeated = (spread[name] for name in ("target", "paths", "repeated"))
    if spread["ratio"] is None:
        return (
            f"On {target} {paths} paths are retrained, {repeated} of them with a second seed: too few to hold the "
            f"spread between paths against the noise of the seed (it takes {FEWEST_PATHS} and {FEWEST_REPEATED}). "
            f"{HOW}."
        )
    low, high = spread["seed_sd_interval"]
    least, most = spread["least"], spread["most"]
    sure = least >= ENOUGH_SPREAD or most < ENOUGH_SPREAD
    verdict = f"{'passes' if spread['retrained_differ'] else 'does not pass'}{'' if sure else ', by its estimate only'}"
    return (
        f"On {target} the {paths} retrained paths spread by {spread['spread']:.2f} points (standard deviation), two "
        f"seeds of one path by {spread['seed_sd']:.2f} [{low:.2f}, {high:.2f}] ({repeated} paths): "
        f"{spread['ratio']:.2f} times as much, from {least:.2f} to {most:.2f} as far as the seeds are known, where the "
        f"signal gate asks for {ENOUGH_SPREAD:g}. This part of the gate {verdict}."
    )


def gate_in_words(found: Sequence[Mapping[str, Any]]) -> str:
    """The signal gate of a grid's records as a sentence, for each target and seed that it was run on.

    Where it fails, a ranking at this size is not resolvable. The third part counts where enough paths are retrained.
    """
    if gates := [record for record in found if record["stage"] == "gate"]:
        return "\n\n".join(one_gate_in_words(gate, found) for gate in gates)
    return (
        f"The signal gate has not been run, so whether this size can tell paths apart is not known: {gate_line(found)}."
    )


def gate_line(found: Sequence[Mapping[str, Any]]) -> str:
    """The line that runs the gate of these records' profile and space, or of the laptop's."""
    profile = Path(found[0].get("file", "")).parts[-4:-3] if found else ()
    given = f"PROFILE={profile[0]} SPACE={found[0]['config']['space']}" if profile else "PROFILE=laptop"
    return f"`make grid GOALS=gate {given}` runs it"


def one_gate_in_words(gate: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> str:
    """One gate record with its figures, and those of the retrained paths beside it."""
    told, config, drawn = gate["results"], gate["config"], bounds(gate)
    third = retrained_spread(found, config["target"])
    parts = [
        (f"two P1 classifiers agree on {len(told['paths'])} paths with τ", told["tau_between_seeds"],
         drawn["tau_low"], drawn["tau_high"], ENOUGH_AGREEMENT, told["rankings_agree"]),
        ("the first one's scores spread, in errors of counting images, by", drawn["ratio"],
         drawn["ratio_low"], drawn["ratio_high"], ENOUGH_SPREAD, told["paths_differ"]),
        ("and retrained paths, in standard deviations between seeds, by", third["ratio"],
         third["least"], third["most"], ENOUGH_SPREAD, third["retrained_differ"]),
    ]  # fmt: skip
    told = "; ".join(f"{what} {part_in_words(*figures)}" for what, *figures, _ in parts)
    run = [(passed, low, high, enough) for _, _, low, high, enough, passed in parts if passed is not None]
    where = f"the signal gate on {called(config['target'], str(config['seed']))}"
    if all(passed for passed, *_ in run):
        sure = all(low is not None and low >= enough for _, low, _, enough in run)
        verdict = f"{where[0].upper()}{where[1:]}, passes" + ", as far as it has been run" * (len(run) < len(parts))
    else:
        sure = any(high is None or high < enough for passed, _, high, enough in run if not passed)
        verdict = f"**Not resolvable at this size:** {where}, fails"
    return f"{verdict}{'' if sure else ', by its estimates only (an interval reaches to the other side)'}: {told}."


def part_in_words(value: float | None, low: float | None, high: float | None, enough: float) -> str:
    """A figure of the gate with its interval and what is asked for."""
    if value is None:
        return f"an unknown figure ({enough:g} is asked)"
    bracket = "" if low is None else f" [{plain(low)}, {plain(high)}]"
    return f"{plain(value)}{bracket} ({enough:g} is asked)"


def ceiling_in_words(found: Mapping[str, Any]) -> str:
    """`ceiling.ceiling` as a sentence: how well two retrainings of the same paths agree."""
    if math.isnan(found["expected"]):
        return f"On {found['target']} there are not enough paths with two seeds for a ceiling."
    measured = f"τ = {plain(found['tau'])} on the {found['repeated']} paths that have two seeds"
    measured += ", too few for an interval" if math.isnan(found["low"]) else f" {interval(found, 'low', 'high')}"
    return (
        f"On {found['target']} two seeds agree with {measured}; spread and noise together predict "
        f"{plain(found['expected'])} {interval(found, 'expected_low', 'expected_high')} on all paths, and "
        f"{plain(found['perfect'])} for a ranking that makes no mistake, held against one seed."
    )


def premise_in_words(frame: pd.DataFrame) -> str:
    """`premise.premise` as Markdown, for whole accuracies: how far balanced accuracy orders paths as a tail does."""
    whole = frame[(frame["first"] == "balance") & (frame.first_part == "overall") & (frame.second != "balance")]
    if whole.empty:
        return (
            "Not measured yet: the paths have to be retrained on the balanced target and on a long-tailed one. "
            '`make grid GOALS=ranking PROFILE=laptop TARGETS="balance exp-0.01"` does it.'
        )
    return "\n".join(f"- {pair_in_words(row._asdict())}" for row in whole.itertuples())


def pair_in_words(row: Mapping[str, Any]) -> str:
    """One agreement between two targets."""
    where = f"balance (all classes) and {row['second']}" + (" (tail third)" if row["second_part"] == "tail" else "")
    if math.isnan(row["tau"]):
        return f"{where}: {row['paths']} common paths, too few for an interval (it takes {FEWEST_PATHS})."
    return (
        f"{where}, {row['paths']} paths: τ = {figure(row, 'tau', 'low', 'high')}, Spearman "
        f"{figure(row, 'spearman', 'spearman_low', 'spearman_high')}, and τ = "
        f"{figure(row, 'partial', 'partial_low', 'partial_high') or 'an unknown figure'} with the size partialled out."
    )


def domain_in_print(frame: pd.DataFrame) -> pd.DataFrame:
    """`domain.domain` as texts, a row per order and what it is held against: τ with its interval, by part, and regret.

    The regret is that of the order's first, in points. Thirds of the classes have no interval here; the frame has them.
    """
    columns = ["order of", "held against", "cells", "τ", "head", "middle", "tail", "regret of the first"]
    rows = []
    for (first, second), parts in frame.groupby(["first", "second"], sort=False):
        whole, thirds = parts.iloc[0], parts.iloc[1:]
        names = {"order of": DATA.get(first, first), "held against": DATA.get(second, second)}
        cells = dict.fromkeys(columns, "") | names | {"cells": whole.cells, "τ": "too few cells"}
        if not math.isnan(whole.tau):
            cells["τ"] = figure(whole.to_dict(), "tau", "low", "high")
            cells |= dict(zip(thirds.part, thirds.tau.map(plain), strict=True))
            cells["regret of the first"] = f"{whole.regret:.1f}"
        rows.append(cells)
    return unbroken(pd.DataFrame(rows, columns=columns))
