"""Table 2 from records: intervals and pairs against hand-computed cases, and what a table refuses to mix."""

import itertools
import math
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from imbnas import profiles, records
from imbnas.evidence.grid import Grid, costs, leading, own_place, paths_are_ranked, table_is_whole, winners
from imbnas.evidence.paper import PAPER, paper_gaps
from imbnas.evidence.paths import FEWEST_PATHS
from imbnas.evidence.power import stage_seconds
from imbnas.evidence.table2 import beside, by_group, main, paired_differences, printed, retrainings, same_path, table_2
from imbnas.losses import class_weights
from imbnas.names import BESIDE, PROCEDURES, ROWS, TARGETS
from imbnas.statistics.intervals import t_interval
from imbnas.statistics.scores import binomial_error


def record(procedure="P0", target="exp-0.01", seed=0, accuracy=30.0, path="012", split="a", **config) -> dict:
    """A retraining's record, as far as evidence reads it."""
    config = {"data": "cifar100", "space": "cell3-c16-n1", "recipe": {"length": 10}, "precision": "bf16"} | config
    config |= {"split_seed": 0, "network": path, "procedure": procedure, "target": target, "seed": seed}
    test = {"overall": accuracy + 7, "class_mean": accuracy, "many": 60.0, "medium": 40.0, "few": None}
    test |= {"head": 50.0, "middle": 30.0, "tail": 5.0}
    results = {"split": {"cifar100": f"{target} {split}"}, "test": test}
    if not procedure.startswith("resnet"):
        results["best"] = {"path": path, "macs": 1000}
    cost = {"training_seconds": 2.0, "device": "a CPU", "seconds": {}, "images": 1280}
    return {"config": config, "results": results, "cost": cost, "file": f"{procedure}-{target}-s{seed}-{split}.json"}


def runs_of(accuracies: dict[tuple[str, str], list[float]], **more) -> pd.DataFrame:
    """Rows for accuracies by procedure and target, one per seed."""
    return retrainings(
        record(p, t, seed, value, path=f"{p}{seed}", **more)
        for (p, t), values in accuracies.items()
        for seed, value in enumerate(values)
    )


def written(folder: Path, stage: str, name: str, one: dict) -> None:
    records.write(folder / f"{name}.json", stage, one["config"], one["results"], one["cost"])


class TestThePapersFigures:
    def test_no_gap_reaches_two_standard_errors(self) -> None:
        for first, second in (("P1", "P0"), ("P2", "P0"), ("P3", "P0"), ("P1", "P2"), ("P3", "P1"), ("P3", "P2")):
            assert paper_gaps(first, second).errors.abs().max() < 2

    def test_the_largest_gap_by_hand(self) -> None:
        # sqrt(42.37 * 57.63 / 10000) = 0.49414 and sqrt(41.18 * 58.82 / 10000) = 0.49216; together 0.69743
        gap = paper_gaps("P1", "P0").loc["exp-0.01"]
        assert gap.difference == pytest.approx(1.19)
        assert gap.error == pytest.approx(0.69743, abs=1e-5)
        assert gap.errors == pytest.approx(1.7063, abs=1e-4)

    def test_binomial_error_of_half(self) -> None:
        assert binomial_error(50.0, 2500) == pytest.approx(1.0)

    def test_images_need_not_be_whole(self) -> None:
        """A mean over classes is as sure as 1562.5 images (50 % of 50 %, over 1.6)."""
        assert binomial_error(50.0, 1562.5) == pytest.approx(1.6**0.5)

    def test_the_paragon_is_not_the_best_of_two_columns(self) -> None:
        assert (PAPER.loc["P1"] > PAPER.loc["P3"]).sum() == 2


class TestIntervals:
    def test_three_values_by_hand(self) -> None:
        # mean 2, standard deviation 1, t(0.975, 2) = 4.30265: half a width of 4.30265 / sqrt(3) = 2.48414
        assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((-0.48414, 4.48414), abs=1e-5)

    @pytest.mark.parametrize("values", [[], [1.0]])
    def test_too_few_values_have_none(self, values: list[float]) -> None:
        assert all(map(math.isnan, t_interval(values)))

    def test_the_accuracy_of_a_cell_is_the_mean_over_its_seeds(self) -> None:
        row = table_2(runs_of({("P0", "balance"): [30.0, 31.0, 35.0]})).iloc[0]
        assert (row.seeds, row.accuracy) == (3, pytest.approx(32.0)) and row.high - 32 == pytest.approx(32 - row.low)

    def test_a_cell_with_one_seed_has_no_interval(self) -> None:
        row = table_2(runs_of({("P0", "balance"): [30.0]})).iloc[0]
        assert (row.seeds, row.accuracy) == (1, 30.0)
        assert math.isnan(row.low) and math.isnan(row.high)


class TestTable:
    def test_an_empty_table_has_its_columns(self) -> None:
        assert table_2(retrainings([])).empty
        assert paired_differences(retrainings([]), "P1", "P0").empty

    def test_rows_in_the_papers_order(self) -> None:
        table = table_2(runs_of({(p, t): [30.0] for t in reversed(TARGETS) for p in reversed(PROCEDURES)}))
        assert list(zip(table.procedure, table.target, strict=True)) == [(p, t) for p in PROCEDURES for t in TARGETS]

    def test_targets_of_your_own_stand_behind_the_papers(self) -> None:
        table = table_2(runs_of({("P1", "natural"): [30.0], ("P1", "step-0.01"): [30.0], ("P0", "natural"): [30.0]}))
        assert list(zip(table.procedure, table.target, strict=True)) == [
            ("P0", "natural"), ("P1", "step-0.01"), ("P1", "natural"),
        ]  # fmt: skip

    def test_baselines_are_left_out_unless_asked_for(self) -> None:
        found = [record("P0"), record("resnet32-ce", path="resnet32")]
        assert list(retrainings(found).procedure) == ["P0"]
        assert list(retrainings(found, ("resnet32-ce",)).path) == ["resnet32-ce"]

    def test_beside_the_table_stands_what_was_run(self) -> None:
        found = [
            record("P0", path="012"),
            record("largest", path="012"),
            record("resnet32-ce", seed=0, path="resnet32"),
        ]
        found += [record("resnet32-ce", seed=1, path="resnet32"), record("resnet32-drw", path="resnet32")]
        shown = beside(found)["exp-0.01"]
        assert list(beside(found).columns) == list(TARGETS) and len(shown) == len(BESIDE)
        assert shown[BESIDE["largest"]].endswith("(1; same path as P0)") and shown[BESIDE["control"]] == "not run"
        assert "(2)" in shown[BESIDE["resnet32-ce"]] and "same" not in shown[BESIDE["resnet32-drw"]]

    def test_beside_a_baselines_last_epoch_stands_its_best(self) -> None:
        found = [record("resnet32-ce", seed=seed, path="resnet32") for seed in (0, 1)]
        for one, best in zip(found, (32.0, 33.0), strict=True):
            one["results"]["best_epoch"] = {"test": best}
        shown = beside([*found, record("largest")])["exp-0.01"]
        assert shown[BESIDE["resnet32-ce"]].endswith("; best epoch 32.50") and "best" not in shown[BESIDE["largest"]]

    def test_on_a_balanced_target_there_is_nothing_to_re_weight(self) -> None:
        assert class_weights([450] * 100).tolist() == pytest.approx([1.0] * 100, abs=1e-6)
        shown = beside([record("resnet32-ce", "balance"), record("resnet32-ce", "exp-0.1")])
        assert shown.balance[BESIDE["resnet32-drw"]].startswith("the same")
        assert shown["exp-0.1"][BESIDE["resnet32-drw"]] == "not run"
        own = beside([record("resnet32-ce", "balance"), record("resnet32-drw", "balance", accuracy=31.0)])
        assert own.balance[BESIDE["resnet32-drw"]].startswith("31.00")

    def test_the_same_path_is_marked(self) -> None:
        runs = retrainings([record("P0", path="012"), record("P1", path="012"), record("P2", path="210")])
        assert [same_path(runs, p, "exp-0.01") for p in ("P0", "P1", "P2")] == ["", "P0", ""]

    def test_the_same_path_in_one_seed_of_two_names_it(self) -> None:
        runs = retrainings(record(p, seed=s, path=f"{p if s else 'both'}") for p in ("P0", "P3") for s in (0, 1))
        assert same_path(runs, "P3", "exp-0.01") == "P0 (seed 0)"

    def test_an_accuracy_is_the_mean_over_classes(self) -> None:
        (row,) = retrainings([record("P0", "natural", accuracy=30.0)]).itertuples()  # its `overall` is 37
        assert (row.accuracy, row.many, row.tail) == (30.0, 60.0, 5.0) and math.isnan(row.few)

    def test_groups_of_classes_as_means_over_seeds_without_those_that_are_empty(self) -> None:
        found = [record("P1", seed=seed, accuracy=value) for seed, value in enumerate((30.0, 31.0, 38.0))]
        found.append(record("largest"))
        table = by_group(retrainings([*found, record("P1", "balance", accuracy=90.0)], ROWS), "exp-0.01")
        assert list(table.index) == ["P1", BESIDE["largest"]]
        assert list(table.columns) == ["accuracy", "many", "medium", "head", "middle", "tail", "seeds"]
        assert table.seeds.tolist() == [3, 1]
        assert table.loc["P1"].tolist() == [33.0, 60.0, 40.0, 50.0, 30.0, 5.0, 3.0]

    def test_csv_of_a_folder(self, tmp_path: Path) -> None:
        for p in ("P0", "P1"):
            written(tmp_path, "retrain", f"retrain-{p}-exp-0.01-s0", record(p))
        main(str(tmp_path), str(tmp_path / "table.csv"))
        table = pd.read_csv(tmp_path / "table.csv")
        assert list(table.procedure) == ["P0", "P1"] and list(table.same_path_as.fillna("")) == ["", "P0"]

    def test_in_print(self) -> None:
        found = [record("P0", seed=0, accuracy=30.0), record("P0", seed=1, accuracy=31.0, path="210"), record("P1")]
        shown = printed(table_2(retrainings(found)))
        # t(0.975, 1) = 12.7062, standard deviation 0.70711: 12.7062 * 0.70711 / sqrt(2) = 6.3531
        assert list(shown.loc["P0"]) == ["not run", "not run", "30.50 ± 6.35 (2)", "not run"]
        assert list(shown.loc["P0, paper"]) == ["52.83", "48.43", "41.18", "38.43"]
        assert shown.loc["P1", "exp-0.01"] == "30.00 (1; same path as P0 (seed 0))"

    def test_in_print_without_records(self) -> None:
        assert (printed(table_2(retrainings([]))) == "not run").to_numpy().sum() == 16


class TestPairs:
    def test_differences_are_paired_by_seed(self) -> None:
        runs = runs_of({("P0", "exp-0.01"): [10.0, 20.0, 30.0], ("P1", "exp-0.01"): [11.0, 22.0, 33.0]})
        row = paired_differences(runs, "P1", "P0").iloc[0]
        assert (row.target, row.seeds, row.difference) == ("exp-0.01", 3, pytest.approx(2.0))
        assert (row.low, row.high) == pytest.approx((-0.48414, 4.48414), abs=1e-5)
        # t = 2 / (1 / sqrt(3)) = 3.4641 with 2 degrees: 1/2 + t / (2 sqrt(2 + t²)) = 0.96291
        assert row.probability == pytest.approx(0.96291, abs=1e-5)

    def test_a_procedure_that_does_not_exist_is_named(self) -> None:
        with pytest.raises(ValueError, match="there is no procedure 'p1'; expected one of P0, P1, P2, P3, control"):
            paired_differences(retrainings([]), "p1", "P0")

    def test_a_seed_that_only_one_has_does_not_count(self) -> None:
        runs = runs_of({("P0", "exp-0.01"): [10.0], ("P1", "exp-0.01"): [11.0, 99.0]})
        row = paired_differences(runs, "P1", "P0").iloc[0]
        assert (row.seeds, row.difference) == (1, 1.0)
        assert math.isnan(row.low) and math.isnan(row.probability)

    def test_a_seed_that_lacks_a_long_tailed_target_does_not_count_for_all_three(self) -> None:
        gaps = {"exp-0.1": [1.0], "exp-0.01": [2.0, 9.0], "step-0.01": [3.0, 9.0]}  # the second seed has two of them
        cells = {("P0", t): [0.0] * len(values) for t, values in gaps.items()}
        found = paired_differences(runs_of(cells | {("P1", t): values for t, values in gaps.items()}), "P1", "P0")
        row = found.set_index("target").loc["long-tailed"]
        assert (row.seeds, row.difference) == (1, pytest.approx(2.0))

    def test_the_three_long_tailed_targets_of_a_seed_are_one_observation(self) -> None:
        gaps = {"exp-0.1": [1.0, 2.0], "exp-0.01": [2.0, 3.0], "step-0.01": [3.0, 4.0], "balance": [90.0, 90.0]}
        cells = {("P0", t): [0.0, 0.0] for t in gaps} | {("P1", t): values for t, values in gaps.items()}
        row = paired_differences(runs_of(cells), "P1", "P0").set_index("target").loc["long-tailed"]
        assert (row.seeds, row.difference) == (2, 2.5)

    def test_without_all_three_there_is_no_long_tailed_mean(self) -> None:
        runs = runs_of({("P0", "exp-0.1"): [1.0], ("P1", "exp-0.1"): [2.0]})
        assert list(paired_differences(runs, "P1", "P0").target) == ["exp-0.1"]

    def test_your_own_target_is_compared_as_well(self) -> None:
        runs = runs_of({("P0", "natural"): [10.0, 20.0], ("P1", "natural"): [11.0, 22.0]})
        row = paired_differences(runs, "P1", "P0").iloc[0]
        assert (row.target, row.seeds, row.difference) == ("natural", 2, pytest.approx(1.5))
        assert row.sd == pytest.approx(0.5**0.5)  # of 1 and 2

    def test_equal_differences_are_certain(self) -> None:
        runs = runs_of({("P0", "exp-0.1"): [1.0, 2.0], ("P1", "exp-0.1"): [2.0, 3.0]})
        assert paired_differences(runs, "P1", "P0").probability.iloc[0] == 1.0


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("data", "cifar10"), ("space", "macro-w32-4-4-4"), ("recipe", {"length": 99}), ("precision", "float32")],
    )
    def test_mixed_settings(self, name: str, value: object) -> None:
        with pytest.raises(ValueError, match=rf"P1-exp-0.01-s0-a.json has another {name} than P0-exp-0.01-s0-a.json"):
            retrainings([record("P0"), record("P1", **{name: value})])

    def test_another_profile_whose_recipe_is_the_same(self) -> None:
        """Profiles may differ in the super-network alone, which no retraining's settings tell; the folder does."""
        here, there = (
            record(p) | {"file": f"{folder}/a-b/c/{p}.json"} for p, folder in (("P0", "x"), ("P1", "x-long"))
        )
        searches = [{**one, "stage": "search"} for one in (here, there)]
        for table, found in ((retrainings, [here, there]), (costs, searches), (stage_seconds, searches)):
            with pytest.raises(ValueError, match="x-long/a-b/c/P1.json has another folder than x/a-b/c/P0.json"):
                table(found)

    def test_another_split_of_the_same_target(self) -> None:
        with pytest.raises(ValueError, match="P1-balance-s0-b.json has another split of balance than P0-balance"):
            retrainings([record("P0", "balance"), record("P1", "balance", split="b")])

    def test_every_target_has_a_split_of_its_own(self) -> None:
        assert len(retrainings(record("P0", target) for target in TARGETS)) == 4

    def test_two_records_of_one_cell(self) -> None:
        with pytest.raises(ValueError, match="are both of P0 on exp-0.01, seed 0"):
            retrainings([record("P0"), record("P0")])


class TestTheLeadingGrid:
    def test_no_records(self, tmp_path: Path) -> None:
        grid = leading(tmp_path / "nothing")
        assert (grid.profile, grid.found) == ("", [])

    def test_paper_leads_laptop_leads_smoke(self, tmp_path: Path) -> None:
        for profile in ("smoke", "laptop"):
            written(tmp_path / profile / "a-b" / "space", "retrain", "retrain-P0", record("P0"))
        assert leading(tmp_path).profile == "laptop"

    def test_a_run_under_way_takes_no_page_from_one_that_is_done(self, tmp_path: Path) -> None:
        for procedure, target in itertools.product(PROCEDURES, TARGETS):
            one = record(procedure, target)
            written(tmp_path / "laptop" / "a-b" / "space", "retrain", f"retrain-{procedure}-{target}-s0", one)
        assert leading(tmp_path).profile == "laptop"
        written(tmp_path / "paper" / "a-b" / "space", "retrain", "retrain-P0-exp-0.01-s0", record("P0"))
        assert leading(tmp_path).profile == "laptop" and table_is_whole(leading(tmp_path))
        assert leading(tmp_path, enough=paths_are_ranked).profile == "paper"  # none ranks paths: the largest leads
        for number in range(FEWEST_PATHS):
            path = record("path", path=f"{number:02}")
            written(tmp_path / "laptop" / "a-b" / "space", "retrain", f"path-{number:02}-exp-0.01-s0", path)
        assert leading(tmp_path, enough=paths_are_ranked).profile == "laptop"

    def test_a_table_is_whole_by_one_seed(self) -> None:
        cells = [record(p, t, seed=int(p in ("P2", "P3"))) | {"stage": "retrain"} for p in PROCEDURES for t in TARGETS]
        again = [record(p, t) | {"stage": "retrain"} for p in ("P2", "P3") for t in TARGETS]
        for found, whole in ((cells, False), ([*cells, *again[:-1]], False), (cells + again, True)):
            assert table_is_whole(Grid("laptop", Path(), found)) == whole

    def test_a_path_of_two_seeds_is_one_path(self) -> None:
        found = [record("path", path=f"{number:02}", seed=s) for number in range(FEWEST_PATHS) for s in (0, 1)]
        found = [one | {"stage": "retrain"} for one in found]
        assert paths_are_ranked(Grid("laptop", Path(), found))
        assert not paths_are_ranked(Grid("laptop", Path(), found[2:]))

    def test_its_seeds_are_those_of_the_table(self) -> None:
        """Not those of a fixed path, nor the further ones of a winner that was retrained by its name."""
        found = [record("P0"), record("largest", seed=1), record("path", seed=2), record("named-drw", seed=3)]
        grid = Grid("laptop", Path("a-b") / "space", [one | {"stage": "retrain"} for one in found])
        assert str(grid).endswith(", seeds 0, 1.")

    def test_the_fuller_folder_leads(self, tmp_path: Path) -> None:
        for folder, procedures in (("a-b", ("P0",)), ("c-d", ("P0", "P1"))):
            for p in procedures:
                written(tmp_path / "laptop" / folder / "space", "retrain", f"retrain-{p}", record(p))
        assert leading(tmp_path).folder == tmp_path / "laptop" / "c-d" / "space"

    def test_a_profiles_own_data_lie_in_a_folder_of_their_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though another pair has more records."""
        smoke = profiles.load("smoke")
        mine = replace(smoke, source="cifar10", target_data="a/photos.npz", space="cell3-c16-n1")
        monkeypatch.setattr(profiles, "load", lambda name: mine)
        for pair, procedures in (("cifar10-a", ("P0", "P1")), ("cifar10-photos", ("P0",))):
            for p in procedures:
                written(tmp_path / "smoke" / pair / "cell3-c16-n1", "retrain", f"retrain-{p}", record(p))
        assert own_place("smoke") == Path("smoke/cifar10-photos/cell3-c16-n1")
        assert leading(tmp_path).folder == tmp_path / own_place("smoke")

    def test_a_profile_without_the_stage_is_passed_over(self, tmp_path: Path) -> None:
        written(tmp_path / "paper" / "a-b" / "space", "search", "search-P0", record("P0"))
        written(tmp_path / "smoke" / "a-b" / "space", "retrain", "retrain-P0", record("P0"))
        assert leading(tmp_path).profile == "smoke"


def test_costs_of_super_networks_and_searches() -> None:
    source = {"stage": "supernet", **record()}
    del source["config"]["procedure"], source["config"]["target"]
    search = {"stage": "search", **record("P1")}
    search["cost"]["seconds"] = {"search": 7.0}
    rows = costs([source, search, {"stage": "retrain", **record("P1")}])
    assert list(rows.procedure) == ["source", "P1"]
    assert list(rows.training) == [2.0, 2.0] and list(rows.search) == [0.0, 7.0]
    other = search | {"cost": search["cost"] | {"device": "a GPU", "training_seconds": 0.1}}
    assert costs([other, source, search]).equals(rows) and set(costs([other]).device) == {"a GPU"}
    assert costs([]).empty


def test_what_a_search_found() -> None:
    search = {"stage": "search", **record("P1")}
    search["results"] |= {"best": {"path": "012", "score": 9.5, "macs": 7}, "tau_score_cost": 0.25}
    search["results"]["scored"] = {"012": 9.5, "000": 1.0}
    row = winners([search, {"stage": "search", **record("P2")}], "P1").iloc[0]
    assert (row.target, row.seed, row.score, row.macs, row.paths, row.path) == ("exp-0.01", 0, 9.5, 7, 2, "012")


def test_a_grid_says_where_its_numbers_come_from() -> None:
    assert "make grid PROFILE=laptop" in str(Grid())
    found = [{"stage": "retrain", **record(seed=seed)} for seed in (0, 2)]
    said = str(Grid("laptop", Path("results/laptop/cifar10-cifar100/cell3-c16-n1"), found))
    assert said == "Profile `laptop`, `cifar10 → cifar100`, space `cell3-c16-n1`, seeds 0, 2."
    grid = Grid("laptop", Path("results/laptop/cifar10-cifar100/cell3-c16-n1"), found)
    assert grid.sentence() == "Profile `laptop`, `cifar10 → cifar100`, space `cell3-c16-n1`."
    assert grid.sentence("super-network", grid.of("scores")).endswith(", super-network none yet.")
    assert grid.sentence("super-network", grid.of("retrain")).endswith(", super-networks 0, 2.")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
@pytest.mark.parametrize(
    "module",
    [
        *(f"evidence.{name}" for name in ("agreement", "adapted", "brief", "darts_study", "longtailed", "probes")),
        "play",
    ],
)
def test_commands_without_arguments_refuse_them_before_they_write(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(records, "write_text", lambda path, text: pytest.fail(f"{path} was written"))
    for argument, code in (("results/mine", 2), ("--help", 0)):
        monkeypatch.setattr(sys, "argv", ["", argument])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(f"imbnas.{module}", run_name="__main__", alter_sys=True)
        assert end.value.code == code
    told = capsys.readouterr()
    assert f"usage: python -m imbnas.{module} [-h]" in told.err and "arguments: results/mine" in told.err
    assert f"python -m imbnas.{module}     " in told.out  # its docstring
