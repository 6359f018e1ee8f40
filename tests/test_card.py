"""The figures on a profile's card are those that its records give."""

import pytest

from imbnas import profiles, records
from imbnas.card import card, signal, validity

WITH_CARD = [name for name in profiles.names() if profiles.load(name).card]


@pytest.mark.parametrize("name", WITH_CARD)
def test_the_card_is_recomputed_from_raw_scores(name):
    profile = profiles.load(name)
    assert records.plain(card(profile)) == profile.card


def test_without_records_there_are_no_figures(tmp_path):
    profile = profiles.load("laptop")
    assert validity(profile, tmp_path) is None and signal(profile, tmp_path) is None
