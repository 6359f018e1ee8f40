"""What is said of scores where they are made: how alike two orders are, how sure one accuracy is."""

import numpy as np
from scipy.stats import kendalltau

TEST_IMAGES = 10_000  # of CIFAR-10 and CIFAR-100


def tau_b(scores: np.ndarray, truths: np.ndarray) -> float:
    """Kendall's tau-b of two orders of the same things; NaN where one is all ties."""
    return float(kendalltau(scores, truths).statistic)


def binomial_error(accuracy: float, images: float = TEST_IMAGES) -> float:
    """The standard error of an accuracy in percent that was read off `images` independent images, in points.

    images: whole or not: a mean over classes of unequal size is as sure as 1562.5, say.
    """
    return float(np.sqrt(accuracy * (100 - accuracy) / images))
