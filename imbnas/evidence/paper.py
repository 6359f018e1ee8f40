"""The paper's own Table 2, and what one run of it can tell."""

import numpy as np
import pandas as pd

from imbnas.names import PROCEDURES, TARGETS
from imbnas.statistics.scores import binomial_error

# Table 2 of arXiv:2406.16972: one run each, top-1 on the 10,000 test images of CIFAR-100, in percent.
PAPER = pd.DataFrame(
    [
        (52.83, 48.43, 41.18, 38.43),
        (52.76, 49.39, 42.37, 39.58),
        (52.71, 49.05, 42.02, 39.21),
        (52.86, 49.54, 42.32, 39.49),
    ],
    index=pd.Index(PROCEDURES, name="procedure"),
    columns=pd.Index(TARGETS, name="target"),
)


def paper_gaps(first: str, second: str) -> pd.DataFrame:
    """The paper's `first` minus `second`, in points, with its standard error from the test images alone.

    One row per target. The two accuracies count as independent, which errs on the large side: both networks were
    tested on the same images. Training seeds come on top.
    """
    error = PAPER.map(binomial_error)
    gaps = pd.DataFrame({"difference": PAPER.loc[first] - PAPER.loc[second]})
    gaps["error"] = np.hypot(error.loc[first], error.loc[second])
    return gaps.assign(errors=gaps.difference / gaps.error)
