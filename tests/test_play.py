"""The small world of the chapters: what it is, and that its record covers all of it."""

import pytest
import torch

from imbnas import play


def test_the_target_is_cut_as_any_other() -> None:
    counts = play.target("exp-0.01").split.counts
    assert (counts[0], counts[-1], len(counts)) == (200, 2, 20)  # floor(200 * 0.01) images in the last class
    assert play.target("balance").split.counts == [200] * 20


def test_the_source_is_balanced_unless_it_is_cut() -> None:
    assert play.source().split.counts == [500] * 10
    assert play.source("step-0.1").split.counts == [500] * 5 + [50] * 5


def test_source_and_target_share_no_class() -> None:
    assert not set(play.source().dataset.class_names) & set(play.target().dataset.class_names)


@pytest.mark.parametrize("distribution", play.RETRAINED)
def test_every_path_was_retrained_with_every_seed(distribution: str) -> None:
    found = play.retrained(distribution)
    assert found.shape == (64, play.SEEDS) and len(set(found.index)) == 64
    assert not found.isna().any().any()


def test_the_kept_super_network_is_no_guesser() -> None:
    scores = play.scores(play.supernet(), play.source())
    assert list(scores.index) == [play.digits(path) for path in play.PATHS]
    assert scores.mean() > 20  # percent, of ten classes


def test_thirds_and_all_are_means_over_the_same_images() -> None:
    net = play.supernet()
    net.reset_classifier(20, torch.Generator().manual_seed(0))
    parts = play.thirds(net, play.target())
    right, labels = play.hits(net, play.target())
    assert parts["all"] == 100 * float(right.double().mean())
    assert parts["head third"] == 100 * float(right[:, labels < 7].double().mean())
    assert parts["middle third"] == 100 * float(right[:, (labels >= 7) & (labels <= 13)].double().mean())
    assert parts["tail third"] == 100 * float(right[:, labels > 13].double().mean())


def test_a_page_plays_with_the_first_target_of_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert (play.one("balance"), capsys.readouterr().out) == ("balance", "")
    assert play.one(["exp-0.1", "balance"]) == "exp-0.1"
    assert "plays with its first, exp-0.1" in capsys.readouterr().out


def test_a_target_without_retrainings_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert (play.with_record("balance"), capsys.readouterr().out) == ("balance", "")
    assert play.with_record("exp-0.37") == "exp-0.01"
    assert 'write_retrained("exp-0.37")' in capsys.readouterr().out


def test_every_call_gives_a_super_network_of_its_own() -> None:
    once, again = (play.supernet(seed=1, steps=2).state_dict() for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    once["classifier.weight"].zero_()
    assert again["classifier.weight"].any() and play.supernet(1, 2).state_dict()["classifier.weight"].any()
    assert not torch.equal(again["classifier.weight"], play.supernet(2, 2).state_dict()["classifier.weight"])


def test_a_short_training_has_a_short_warm_up() -> None:
    assert (play.recipe(300, 0.1).warmup, play.recipe(5, 0.1).warmup) == (20, 5)
