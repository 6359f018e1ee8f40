"""Figures by class and by group: every bar is there and can be told from the next."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from imbnas.plots import by_class


@pytest.fixture(autouse=True)
def closed() -> None:
    yield
    plt.close("all")


def test_every_group_may_have_many_bars() -> None:
    """More columns than there are hatches, and than colours: both begin again."""
    ax = by_class.grouped_bars(pd.DataFrame([[1.0, 2, 3, 4, 5, 6, 7]], columns=list("abcdefg")), "accuracy (%)")
    looks = [(bar.get_facecolor(), bar.get_hatch()) for bar in ax.patches]
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 3, 4, 5, 6, 7] and len(set(looks)) == 7
