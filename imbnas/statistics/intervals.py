"""Intervals and corrections for a few values: Student's, chi-square, Holm's."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats


def tail(confidence: float) -> float:
    """The share that an interval of this confidence leaves on either side; ValueError unless it is between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: expected a share between 0 and 1, as 0.95 for 95 %")
    return (1 - confidence) / 2


def t_interval(values: Iterable[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean; NaN where there are too few values for one. ValueError as `tail`."""
    values, outside = np.asarray(list(values), dtype=float), tail(confidence)
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.isf(outside, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def welch(first: Iterable[float], second: Iterable[float]) -> dict[str, float]:
    """The `difference` of two means, `low` and `high` of its 95 % interval, and `p`, two-sided, by Welch's t."""
    first, second = (np.asarray(list(values), dtype=float) for values in (first, second))
    test = stats.ttest_ind(first, second, equal_var=False)
    low, high = test.confidence_interval()
    gap = first.mean() - second.mean()
    return {"difference": float(gap), "low": float(low), "high": float(high), "p": float(test.pvalue)}


def probability_positive(values: Iterable[float]) -> float:
    """The one-sided confidence that the mean behind `values` is above zero, by Student's t; NaN for fewer than two.

    It is one minus the p of a one-sided test, and no probability of the mean itself, for which a prior would be needed.
    """
    values = np.asarray(list(values), dtype=float)
    if len(values) < 2:
        return float("nan")
    error = values.std(ddof=1) / np.sqrt(len(values))
    if error == 0:
        return float(0.5 * (1 + np.sign(values.mean())))
    return float(stats.t.cdf(values.mean() / error, len(values) - 1))


def pooled_sd(groups: Iterable[Iterable[float]]) -> tuple[float, int]:
    """The standard deviation within groups, and its degrees of freedom; NaN without any group of two."""
    values = [group for group in (np.asarray(list(group), dtype=float) for group in groups) if len(group)]
    freedom = sum(len(group) - 1 for group in values)
    squares = sum(((group - group.mean()) ** 2).sum() for group in values)
    return (float(np.sqrt(squares / freedom)) if freedom else float("nan")), freedom


def sd_interval(sd: float, freedom: int, confidence: float = 0.95) -> tuple[float, float]:
    """The chi-square interval of a standard deviation of normal values with so many degrees of freedom.

    ValueError as `tail`.
    """
    outside = tail(confidence)
    low, high = (np.sqrt(freedom / stats.chi2.ppf(q, freedom)) for q in (1 - outside, outside))
    return float(sd * low), float(sd * high)


def holm(p: pd.Series) -> pd.Series:
    """P-values corrected for their number (Holm 1979): the k-th smallest of n times n + 1 - k, never falling."""
    values = p.to_numpy(dtype=float)
    order = values.argsort()[: p.count()]  # NaN comes last
    corrected = np.full(len(values), np.nan)
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)).clip(max=1)
    return pd.Series(corrected, p.index, name=p.name)
