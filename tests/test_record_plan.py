"""The plan of a record run: its order, and that it is the grid with its comparisons and studies."""

import re
from pathlib import Path

import record_plan
from machine import PLACE
from packing import grid
from packing.grid import Grid
from packing.steps import arm, can_run
from record.leave import unfinished_work

from imbnas import names
from imbnas.benchmark import nasbench201
from imbnas.evidence import probes
from imbnas.space import parse_space
from imbnas.stages.arms import arm_called
from imbnas.stages.validity import work_folder


class TestPlan:
    steps = record_plan.by_value("paper", [0, 1])

    def names(self) -> list[str]:
        """The records of the grid and its comparisons."""
        return [name for name in self.own() if not name.startswith(("path", "scores", "gate"))]

    def own(self) -> list[str]:
        """All records of the profile in its own space."""
        return [Path(step["leaves"]).stem for step in self.steps if step["leaves"].startswith(f"{PLACE}/")]

    def order(self) -> list[str]:
        """Where all records are left, in their order."""
        return [step["leaves"].removesuffix(".json") for step in self.steps]

    def test_the_most_valuable_comes_first(self) -> None:
        names = self.names()
        assert names[:5] == [
            "supernet-s0",
            "search-P0-s0",
            "retrain-P0-exp-0.01-s0",
            "search-P1-exp-0.01-s0",
            "retrain-P1-exp-0.01-s0",
        ]
        in_order = ["exp-0.01-s0", "step-0.01-s0", "exp-0.1-s0", "balance-s0"]
        firsts = [names.index(f"retrain-P0-{end}") for end in in_order]
        milestones = [*firsts, names.index("baseline-resnet32-ce-exp-0.01-s0"), names.index("supernet-s1")]
        assert milestones == sorted(milestones)

    def test_a_seed_is_the_grid_with_its_comparisons(self) -> None:
        assert len(self.names()) == len(set(self.names())) == 2 * (30 + 8 + 4 + 8 + 8)

    def test_what_can_be_trusted_is_known_before_the_second_seed(self) -> None:
        order = self.order()
        early = [f"{PLACE}/{name}" for name in ("retrain-P3-balance-s0", "baseline-resnet32-drw-balance-s0")]
        early += [f"{PLACE}/{name}" for name in ("path-23-exp-0.01-s0", "scores-P3-exp-0.01-s0", "gate-exp-0.01-s0")]
        early += ["results/validity/paper-s0", "results/probes/paper-P1-balance-s0"]
        early += [PLACE.replace("paper", "paper-float32") + "/retrain-largest-exp-0.01-s0"]
        early += [f"results/nasbench201/cifar10-cifar10/cell1-c16-n5/named-ce-{cell}-balance-s0"
                  for cell in ("333333", "303101", "111111")]  # fmt: skip
        assert set(early) <= set(order[: order.index(f"{PLACE}/supernet-s1")])
        first, last = (order.index(f"{PLACE}/{name}") for name in ("path-00-step-0.01-s0", "path-24-exp-0.01-s0"))
        assert order.index(f"{PLACE}/retrain-P3-balance-s1") < first < last

    def test_all_paths_on_all_targets_and_every_procedures_scores(self) -> None:
        own = self.own()
        for target in grid.TARGETS:
            paths = [name for name in own if name.startswith("path") and f"-{target}-s" in name]
            assert len(paths) == 48 + 6 and f"path-05-{target}-s1" in paths and f"path-47-{target}-s0" in paths
            scores = [name for name in own if name.startswith("scores") and f"-{target}-s" in name]
            assert len(scores) == 2 * 7  # seven procedures look at the target, two at the source alone
        assert len([name for name in own if re.fullmatch(r"scores-P0(-tracked)?-s[01]", name)]) == 4
        few = [Path(step["leaves"]).name for step in record_plan.by_value("paper", [0], again=3, paths=12)]
        assert len([name for name in few if name.startswith("path-") and "step-0.01" in name]) == 12 + 3

    def test_the_cells_of_the_benchmark_meet_the_long_tail_with_both_losses(self) -> None:
        place = "results/nasbench201/cifar10-cifar100/cell1-c16-n5"
        found = [Path(name).name for name in self.order() if name.startswith(place)]
        for loss in ("named-ce", "named-drw"):
            assert len({name for name in found if name.startswith(loss) and name.endswith("exp-0.01-s0")}) == 48
        assert len(found) == 2 * 48
        (one,) = (step for step in self.steps if step["leaves"] == f"{place}/{found[0]}.json")
        given = one["command"]
        values = {given[i + 1]: given[i + 2] for i, word in enumerate(given) if word == "-p"}
        assert (values["target_data"], values["procedure"]) == ("cifar100", "named-ce")
        path = parse_space("cell1-c16-n5").from_string(values["path"])
        assert "".join(map(str, path)) in found[0] and one["needs"] == ["data/cifar100.npz"]

    def test_the_three_cells_are_the_published_ones(self) -> None:
        table = nasbench201()["cifar10"]
        assert [round(table[cell], 2) for cell in record_plan.PUBLISHED] == [93.76, 93.91, 54.3]

    def test_the_studies_come_last_and_are_those_of_the_goal(self) -> None:
        order = self.order()
        names = {"-".join(filter(None, key)) for key in probes.PROBES}
        for seed in (0, 1):
            study = [name for name in order if re.match(rf"results/(truth|probes)/(?!paper).*-s{seed}$", name)]
            assert {Path(name).name.removesuffix(f"-s{seed}") for name in study} == names
        committed = {"/".join(Path(record["file"]).with_suffix("").parts[-3:]) for record in probes.read()}
        assert committed and {name for name in committed if name.endswith("-s0")} <= set(order)
        assert order[-1].endswith("-s1") and order[-1].startswith("results/probes/")

    def test_unfinished_work_of_a_study_is_found_in_its_folder(self, tmp_path: Path) -> None:
        studied = arm_called("paper")
        own = work_folder(studied, 0, tmp_path / "results") / "training.safetensors"
        other = work_folder(studied, 1, tmp_path / "results") / "training.safetensors"
        for file in (own, other):
            file.parent.mkdir(parents=True)
            file.write_text("weights")
        assert unfinished_work(tmp_path, [arm("paper", 0)]) == [own]

    def test_resnet32_is_trained_on_three_draws_of_the_images(self) -> None:
        """Published accuracies are held against their mean; every draw has a folder of its own."""
        files = [step["leaves"] for step in self.steps if "baseline-resnet32-drw-exp-0.01-s0" in step["leaves"]]
        assert [Path(file).parent.name for file in files if not file.startswith("trial")] == [
            "cell3-c32-n1", "cell3-c32-n1-split1", "cell3-c32-n1-split2",
        ]  # fmt: skip
        for step in self.steps:
            given = step["command"]
            split = given[given.index("split_seed") + 1] if "split_seed" in given else "0"
            assert step["leaves"].split("/")[-2].endswith(f"-split{split}") == (split != "0")

    def test_whatever_a_step_needs_was_left_before_or_is_data(self) -> None:
        there = {"data/cifar10.npz", "data/cifar100.npz"}
        for step in self.steps:
            assert set(step["needs"]) <= there
            there.add(step["leaves"])

    def test_every_stage_is_tried_first_and_beside_the_records(self) -> None:
        in_trial = [step["leaves"].startswith("trial/results/smoke") for step in self.steps]
        assert in_trial == sorted(in_trial, reverse=True) and any(in_trial)

        def kinds(trial: bool) -> set[str]:
            """Of what belongs to a profile: a study has no smaller size than its own."""
            steps = zip(self.steps, in_trial, strict=True)
            left = [Path(step["leaves"]) for step, tried in steps if tried is trial]
            studies = ("validity", "sources", "truth", "probes", "speed")
            return {file.name.split("-")[0] for file in left if file.parent.name not in studies}

        assert kinds(True) == kinds(False)

    def test_a_profile_without_cifar_has_nothing_that_needs_it(self) -> None:
        """What would wait for data that no pack brings is not in the plan."""
        steps = record_plan.by_value("smoke", [0])
        assert all(not need.startswith("data/") for step in steps for need in step["needs"])

    def test_a_profiles_card_gets_arms_of_its_own_precision(self) -> None:
        """paper-float32 has paper's recipe, but paper's super-network on published cells trains in bfloat16."""
        for profile, seen in (("paper", True), ("paper-float32", False)):
            carded = [step["leaves"] for step in record_plan.carded(Grid(profile), 0)]
            assert ("results/validity/paper-s0.json" in carded) == seen

    def test_names_are_those_of_everywhere(self) -> None:
        """Targets in an order of their own; what is compared and adapted as Table 2 has it."""
        assert sorted(grid.TARGETS) == sorted(names.TARGETS)
        assert grid.ADAPTED == ("P1", "P2", "P3") and grid.COMPARED == ("control", "P1-random")

    def test_stages_of_an_unwritten_chapter_are_left_out(self) -> None:
        written = {"command": ["-m", "papermill", "book/06-p0.ipynb"]}
        assert can_run(written)
        assert not can_run({"command": ["-m", "papermill", "book/99-unwritten.ipynb"]})

    def test_the_trial_of_smoke_is_part_of_its_grid(self) -> None:
        assert not any(step["leaves"].startswith("trial") for step in record_plan.by_value("smoke", [0]))
