"""The paper's claims about Table 2, each a predicate over records, and in words only what the records allow.

A verdict is "agrees", "contradicts", "open", "one seed" or "not run". It rests on the 95 % interval of the difference,
seeds paired, the three long-tailed targets of a seed as one observation: "agrees" and "contradicts" need the number of
seeds that was planned and an interval that lies wholly on one side; everything else is "open".
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from imbnas.evidence.in_print import figure, signed
from imbnas.evidence.paper import paper_gaps
from imbnas.evidence.power import images_error
from imbnas.evidence.table2 import paired_differences
from imbnas.names import LONG_TAILED

PLANNED = 3  # seeds, fixed before the second was run: who looks after each and stops when it shows finds too much
MARGIN = 0.5  # points: the size of one standard error of one accuracy on 10,000 images; less is "as good as"


@dataclass(frozen=True)
class Claim:
    """`first` is "better than", "as good as" or "no worse than" `second` on `target` ("long-tailed": all three)."""

    text: str
    first: str
    second: str
    kind: str
    target: str = "long-tailed"

    def holds(self, low: float, high: float) -> str:
        """The verdict for a difference, `first` minus `second`, that lies between `low` and `high`."""
        if math.isnan(low):
            return "one seed"
        if self.kind == "better than":
            return "agrees" if low > 0 else "contradicts" if high < 0 else "open"
        if self.kind == "no worse than":
            return "agrees" if low > -MARGIN else "contradicts" if high < -MARGIN else "open"
        within, beyond = low > -MARGIN and high < MARGIN, low > MARGIN or high < -MARGIN
        return "agrees" if within else "contradicts" if beyond else "open"

    @property
    def targets(self) -> list[str]:
        """The paper's targets that the claim is about."""
        return list(LONG_TAILED) if self.target == "long-tailed" else [self.target]

    def paper(self) -> float:
        """The paper's difference, in points."""
        return float(paper_gaps(self.first, self.second).difference[self.targets].mean())


CLAIMS = (
    Claim("P1 beats P0 on the long-tailed targets", "P1", "P0", "better than"),
    Claim("P1 beats P2 on the long-tailed targets", "P1", "P2", "better than"),
    Claim("P1 keeps up with P3, the search from scratch", "P1", "P3", "no worse than"),
    Claim("P2 beats P0 on the long-tailed targets", "P2", "P0", "better than"),
    Claim("On balanced data, adapting the classifier changes nothing", "P1", "P0", "as good as", "balance"),
)


def judge(runs: pd.DataFrame, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """One row per claim: the paper's difference, ours with its interval and seeds, and the verdict.

    `paper_errors`: the standard error of the paper's difference from its test images alone, as `power.images_error`.
    With fewer seeds than were `PLANNED` a verdict stays "open".
    """
    rows = []
    for claim in claims:
        ours = paired_differences(runs, claim.first, claim.second).set_index("target")
        row = {"claim": claim.text, "kind": claim.kind, "first": claim.first, "paper": claim.paper(), "seeds": 0}
        row |= {"paper_errors": images_error(claim.first, claim.second, claim.targets)}
        row |= dict.fromkeys(("difference", "low", "high", "probability"), float("nan")) | {"verdict": "not run"}
        if claim.target in ours.index:
            found = ours.loc[claim.target]
            verdict = claim.holds(found.low, found.high)
            early = found.seeds < PLANNED and verdict != "one seed"
            row |= found.to_dict() | {"seeds": int(found.seeds), "verdict": "open" if early else verdict}
        rows.append(row)
    return pd.DataFrame(rows)


# --------------------------------------------------------------------------------------------------- in words

HEADINGS = {
    "agrees": "What agrees with the paper",
    "contradicts": "What does not",
    "open": "What stays open",
    "one seed": "Seen in one seed, which decides nothing yet",
    "not run": "Not run yet: no seed of ours has all the cells that it needs",
}


def in_words(judged: pd.DataFrame) -> str:
    """Markdown: the claims under their verdicts, with figures only where a record holds them."""
    parts = []
    for verdict, heading in HEADINGS.items():
        rows = judged[judged.verdict == verdict]
        if len(rows):
            parts.append(f"**{heading}**\n\n" + "\n".join(f"- {sentence(row)}" for row in rows.itertuples()))
    return "\n\n".join(parts)


def sentence(row) -> str:
    """One judged claim as a sentence."""
    apart, shared = (f"{error:.1f}" for error in row.paper_errors)
    error = apart if apart == shared else f"{apart} to {shared}"
    paper = f"the paper has {signed(row.paper)} points, with a standard error of {error} from its test images alone"
    if row.verdict == "not run":
        return f"{row.claim}: {paper}."
    if row.verdict == "one seed":
        return f"{row.claim}: {signed(row.difference)} points; {paper}."
    seeds = f"{row.seeds} of {PLANNED} planned seeds" if row.seeds < PLANNED else f"{row.seeds} seeds"
    interval = f"95 % interval {signed(row.low)} to {signed(row.high)}, {seeds}"
    interval += f", one-sided confidence that {row.first} is better {row.probability:.2f}"
    return f"{row.claim}: {signed(row.difference)} points, {interval}; {paper}."


def ranks_in_words(frame: pd.DataFrame, procedure: str) -> str:
    """Whether `procedure` ranks the published cells as P0 does: `adapted.adapted` as a sentence in Markdown."""
    seeds = frame.loc[procedure].index if procedure in frame.index else []
    seeds = [seed for seed in seeds if ("P0", seed) in frame.index]
    if not len(seeds):
        return 'Not measured yet: `make grid GOALS="validity truth"` does it.'

    def taus(ranking: str, seed: int) -> str:
        return figure(frame.loc[(ranking, seed)], "tau", "low", "high")

    one, other = frame.loc[procedure].loc[seeds], frame.loc["P0"].loc[seeds]
    figures = ", ".join(f"{taus(procedure, s)} against P0's {taus('P0', s)} (seed {s})" for s in seeds)
    if (one.high < other.low).all():
        return f"In every seed {procedure} ranks these cells worse than P0 does: {figures}."
    if (one.low > other.high).all():
        return f"In every seed {procedure} ranks these cells better than P0 does: {figures}."
    return f"The intervals of {procedure} and P0 overlap, or the seeds differ: {figures}."
