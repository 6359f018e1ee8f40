"""What targets, procedures and comparisons are called: code, records, parameters and tables spell them alike.

Nothing here needs torch: the plan of the grid is made of these names too.
"""

from numbers import Real

TARGETS = ("balance", "exp-0.1", "exp-0.01", "step-0.01")
LONG_TAILED = TARGETS[1:]
# finds in the name of a file every target that `parse_target` knows
ANY_TARGET = r"balance|natural|(?:exp|step)-(?:0\.\d+|\d(?:\.\d+)?e-\d+|1)"
PROCEDURES = ("P0", "P1", "P2", "P3")  # the paper's
BASELINES = ("resnet32-ce", "resnet32-drw")
BESIDE = {  # what Table 2 is held against
    "control": "control",
    "P1-random": "random paths, P1's score",
    "largest": "largest allowed path",
    "resnet32-ce": "ResNet-32, plain",
    "resnet32-drw": "ResNet-32, late weights",
}
ROWS = (*PROCEDURES, *BESIDE)
COMPARED = ("control", "P1-random")  # further searches
SEARCHED = (*PROCEDURES, *COMPARED)
SCORED = ("P0", "P0-tracked", "control", "P1", "P1-ce", "P1-untrained", "P1-frozen", "P2", "P3")  # on the fixed set
JUDGED = ("control", "P1", "P1-ce", "P2", "P3")  # against published accuracies
ON_SOURCE = ("P0", "P0-tracked")  # score on source images, whatever the target
# the folder of the records of each kind of arm of the validity study
HOMES = {"arms": "validity", "brief": "brief", "sources": "sources", "profiles": "validity"}
ARM = "constant"  # of the validity study: its super-networks are the ones adapted


def check_factor(factor: float) -> None:
    """ValueError for what is no imbalance factor."""
    if not isinstance(factor, Real) or not 0.0 < factor <= 1.0:
        wrong = "outside" if isinstance(factor, Real) else "no number in"
        raise ValueError(
            f"imbalance factor {factor!r} is {wrong} (0, 1]: it is n_min / n_max, "
            "so 0.01 means a head class a hundred times larger than a tail class, and 1 means balance"
        )


def parse_target(text: str) -> tuple[str, float]:
    """Kind and imbalance factor of a target's name: "exp-0.01" gives ("exp", 0.01).

    "balance" and "natural" (the data set's own counts) have the factor 1. ValueError for anything else, and for a
    factor that is not spelt as Python prints it ("exp-0.010"; 1 without a point): the name is that of records.
    """
    kind, dash, number = str(text).partition("-")
    if kind in ("balance", "natural") and not dash:
        return kind, 1.0
    try:
        factor = float(number) if kind in ("exp", "step") else None
    except ValueError:
        factor = None
    if factor is None:
        raise ValueError(f'target {text!r} is not known: write "balance", "natural", "exp-0.01" or "step-0.01"')
    check_factor(factor)
    if text != (plain := f"{kind}-{str(factor).removesuffix('.0')}"):
        raise ValueError(f"target {text!r} is not spelt as file names have it: write {plain} for {text}")
    return kind, factor
