"""Ranking quality: rows, spread, tau and regret against cases by hand and scipy; and what is refused."""

from typing import Any

import numpy as np
import pytest

from imbnas.quality import pooled_sd, retrained_paths, retrained_spread, sd_interval


def path_record(
    number: int, accuracy: float, seed: int = 0, target: str = "exp-0.01", **changes: Any
) -> dict[str, Any]:
    """The record of a retrained path, as far as it is read here."""
    config = {"data": "cifar100", "target": target, "space": "cell3-c16-n1", "network": f"{number:018d}"}
    config |= {"recipe": {"length": 10}, "precision": "bf16", "split_seed": 0, "procedure": "path", "seed": seed}
    about = {"architecture": f"cell {number}", "number": number, "macs": 1000 + number, "params": 100 + number}
    test = {"overall": accuracy, "head": accuracy + 20, "middle": accuracy, "tail": accuracy - 20}
    results = {"split": {"cifar100": f"hash of {target}"}, "path": about, "test": test}
    cost = {"training_seconds": 2.0, "device": "a CPU", "seconds": {}, "images": 1280}
    file = f"path-{number:02d}-{target}-s{seed}.json"
    record = {"schema": 1, "stage": "retrain", "config": config, "results": results, "cost": cost, "file": file}
    for name, value in changes.items():
        record |= {name: value} if name in record else {"config": config | {name: value}}
    return record


def paths(accuracies: list[float], seed: int = 0, target: str = "exp-0.01") -> list[dict[str, Any]]:
    return [path_record(number, value, seed, target) for number, value in enumerate(accuracies)]


class TestRows:
    def test_none_is_an_empty_table(self) -> None:
        assert retrained_paths([]).empty and "overall" in retrained_paths([])

    def test_winners_and_searches_are_not_paths_of_the_set(self) -> None:
        winner = path_record(3, 30.0, procedure="P1")
        search = path_record(3, 30.0, stage="search")
        assert list(retrained_paths([winner, search, path_record(4, 31.0)]).number) == [4]

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"recipe": {"length": 99}}, "another recipe"),
            ({"space": "macro-w32-4-4-4"}, "another space"),
            ({"split_seed": 1}, "another split_seed"),
            ({"schema": 2}, "another schema"),
        ],
    )
    def test_a_mixture_is_refused_and_named(self, changes: dict[str, Any], named: str) -> None:
        with pytest.raises(ValueError, match=f"path-01-exp-0.01-s0.json has {named} than path-00-exp-0.01-s0.json"):
            retrained_paths([path_record(0, 30.0), path_record(1, 31.0, **changes)])

    def test_other_images_are_refused(self) -> None:
        other = path_record(1, 31.0)
        other["results"]["split"] = {"cifar100": "others"}
        with pytest.raises(ValueError, match="another split of exp-0.01 than path-00"):
            retrained_paths([path_record(0, 30.0), other])

    def test_the_same_cell_twice(self) -> None:
        with pytest.raises(ValueError, match="both of path 0 on exp-0.01, seed 0"):
            retrained_paths([path_record(0, 30.0), path_record(0, 31.0)])

    def test_one_number_for_two_paths(self) -> None:
        with pytest.raises(ValueError, match="call different paths number 0"):
            retrained_paths([path_record(0, 30.0), path_record(0, 31.0, seed=1, network="1")])


class TestSpread:
    def test_pooled_sd_by_hand(self) -> None:
        # squares around the means: 0.5 + 2.0 + 0, over 1 + 1 + 0 degrees of freedom
        assert pooled_sd([[1.0, 2.0], [3.0, 5.0], [9.0]]) == (pytest.approx(1.25**0.5), 2)
        assert np.isnan(pooled_sd([[1.0], [2.0]])[0])

    def test_chi_square_interval_from_a_printed_table(self) -> None:
        # 6 degrees of freedom: the 2.5 % and 97.5 % points of chi-square are 1.237 and 14.449
        assert sd_interval(1.0, 6) == pytest.approx(((6 / 14.449) ** 0.5, (6 / 1.237) ** 0.5), abs=1e-3)

    def test_ten_paths_by_hand(self) -> None:
        # accuracies 0..9: SD sqrt(82.5 / 9) = 3.0277; pairs 1 apart: within-path SD sqrt(0.5)
        again = [path_record(number, number + 1.0, seed=1) for number in range(5)]
        found = retrained_spread(paths([float(i) for i in range(10)]) + again)
        assert (found["paths"], found["repeated"]) == (10, 5)
        assert found["spread"] == pytest.approx(3.02765, abs=1e-5)
        assert found["seed_sd"] == pytest.approx(0.5**0.5)
        assert found["ratio"] == pytest.approx(4.2817, abs=1e-4) and found["retrained_differ"] is True

    def test_seeds_as_far_apart_as_paths_do_not_differ(self) -> None:
        again = [path_record(number, number + 4.0, seed=1) for number in range(5)]
        assert retrained_spread(paths([float(i) for i in range(10)]) + again)["retrained_differ"] is False

    @pytest.mark.parametrize(("count", "repeated"), [(0, 0), (9, 9), (10, 4), (24, 0)])
    def test_too_few_give_no_verdict(self, count: int, repeated: int) -> None:
        again = [path_record(number, number + 1.0, seed=1) for number in range(repeated)]
        found = retrained_spread(paths([float(i) for i in range(count)]) + again)
        assert found["retrained_differ"] is None and found["ratio"] is None
        assert (found["paths"], found["repeated"]) == (count, repeated)

    def test_another_target_does_not_count(self) -> None:
        assert retrained_spread(paths([1.0, 2.0], target="balance"))["paths"] == 0
