"""What the intro, the README and the chapters claim in words, held against the records that the words are about."""

import pandas as pd
import pytest

from imbnas import profiles, records
from imbnas.evidence import binomial_error, retrainings
from imbnas.quality import differences, largest_allowed

RESULTS = profiles.ROOT / "results"


def contains_zero(row: pd.Series, low: str = "low", high: str = "high") -> bool:
    return row[low] <= 0 <= row[high]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_super_network_is_not_shown_to_rank_better_than_counting(seed: int) -> None:
    arms = pd.read_csv(RESULTS / "validity" / "agreement.csv")
    row = arms[(arms.ranking == f"constant-s{seed}-accuracy") & (arms.above == 0)].iloc[0]
    assert contains_zero(row, "gain_low", "gain_high")


@pytest.mark.parametrize("seed", [0, 1])
def test_adapting_lost_the_ranking_where_the_truth_is_published(seed: int) -> None:
    tau = pd.read_csv(RESULTS / "truth" / "agreement.csv").set_index(["procedure", "seed"])
    assert tau.low["P0", seed] > max(tau.high["P1", seed], tau.high["P2", seed])
    assert tau.partial_low["P0", seed] > 0.4 and tau.partial_high["P1", seed] < 0.2  # and not for its size


def test_it_is_the_change_of_classes_and_not_the_imbalance() -> None:
    probes = pd.read_csv(RESULTS / "probes" / "agreement.csv").set_index(["probe", "seed"])
    own, tailed, changed = (probes.loc[name, 0] for name in ("on-cifar10", "on-cifar10-exp-0.01", "plain"))
    assert changed.high < own.low and changed.high < tailed.low
    assert own.low < tailed.tau < own.high


def test_retrained_paths_differ_by_several_times_the_luck_of_the_seed() -> None:
    own = profiles.load("laptop").card["signal"][0]
    assert own["retrained_ratio"] > 3 and own["retrained_differ"]


def test_the_gate_is_decided_by_hundredths_in_the_grids_space_and_clearly_elsewhere() -> None:
    rows = pd.DataFrame(profiles.load("laptop").card["signal"])
    ratio = rows.spread / rows.binomial_error
    cells = rows.space.str.startswith("cell3") & (rows.pair == "cifar10-cifar100")
    assert rows.rankings_agree.all() and cells.sum() == 4
    assert ratio[cells].between(1.95, 2.05).all() and (ratio[~cells] < 1.5).all()
    own = (rows.profile == "laptop") & rows.space.isin(["cell3-c16-n1", "cell3-c8-n1"]) & cells
    assert (rows.paths_differ == own).all()


def of_the_long_tail(table: str) -> pd.DataFrame:
    found = pd.read_csv(RESULTS / "benchmark" / f"{table}.csv", dtype={"seed": str})
    return found[found.target == "exp-0.01"].set_index(["first", "second", "seed"])


def test_adapting_ranked_worse_than_not_adapting() -> None:
    found = of_the_long_tail("differences")
    assert (found.paths == 48).all()
    for worse in (("P1", "P0"), ("P2", "P0"), ("P3", "P0"), ("control", "P0"), ("P1", "P2")):
        assert found.high[(*worse, "mean")] < 0 and found.corrected[(*worse, "mean")] < 0.05
    for open_ in (("P3", "P1"), ("P0", "multiply-adds"), ("P1", "control")):
        assert contains_zero(found.loc[(*open_, "mean")])
    assert found.high["P1", "P0", "0"] < 0 and found.high["P1", "P0", "1"] < 0
    assert found.high["P2", "P0", "0"] < 0 and contains_zero(found.loc[("P2", "P0", "1")])
    for better in (("P0", "P0-tracked"), ("P1", "P1-frozen")):
        assert found.low[(*better, "0")] > 0 and found.corrected[(*better, "0")] < 0.05
    assert contains_zero(found.loc[("P1-less-untrained", "P1", "0")])


def test_it_is_not_a_matter_of_size() -> None:
    found, allowed = of_the_long_tail("differences"), of_the_long_tail("differences-allowed")
    assert found.partial_high["P1", "P0", "mean"] < 0
    assert -0.05 < found.partial_high["P3", "P0", "mean"] < 0 < found.partial_high["P2", "P0", "mean"] < 0.05
    assert (allowed.paths == 24).all()
    assert allowed.high["P1", "P0", "mean"] < 0 and allowed.corrected["P1", "P0", "mean"] > 0.05
    assert contains_zero(allowed.loc[("P2", "P0", "mean")]) and contains_zero(allowed.loc[("P3", "P0", "mean")])
    stands = allowed.index[allowed.corrected < 0.05]
    assert list(stands) == [("P0", "multiply-adds", "mean")] and allowed.low["P0", "multiply-adds", "mean"] > 0


def test_half_way_through_the_set_nothing_was_left_without_the_size() -> None:
    """Chapter 11 says that on 24 paths P1 − P0 with the size partialled out was −0.01."""
    folder = RESULTS / "laptop" / "cifar10-cifar100" / "cell3-c16-n1"
    found = [r for r in records.read(folder) if not (is_path(r) and r["results"]["path"]["number"] >= 24)]
    half = differences(found, [("P1", "P0")], repeats=10).set_index(["target", "seed"]).loc["exp-0.01", "mean"]
    assert half.paths == 24 and f"{half.partial:.2f}" == "-0.01"


def is_path(record: dict) -> bool:
    return record["stage"] == "retrain" and record["config"]["procedure"] == "path"


def test_counting_ranks_all_sizes_and_chooses_badly() -> None:
    ranked = pd.read_csv(RESULTS / "benchmark" / "ranking.csv", dtype={"seed": str}, keep_default_na=False)
    ranked = ranked[ranked.target == "exp-0.01"].set_index(["procedure", "seed"])
    allowed = pd.read_csv(RESULTS / "benchmark" / "ranking-allowed.csv").set_index(["target", "procedure"])
    assert float(ranked.low["multiply-adds", ""]) > 0 > allowed.low["exp-0.01", "multiply-adds"]
    assert float(ranked.tau["P0", "mean"]) > float(ranked.tau["multiply-adds", ""])
    folder = RESULTS / "laptop" / "cifar10-cifar100" / "cell3-c16-n1"
    largest = records.read_one(folder / "retrain-largest-exp-0.01-s0.json")["results"]["test"]["overall"]
    runs = pd.read_csv(RESULTS / "benchmark" / "longtailed.csv")
    cap = largest_allowed(records.read(folder, "search"))
    mine = (runs.space == "cell3-c16-n1") & (runs.target == "exp-0.01") & (runs.seed == 0) & (runs.macs <= cap)
    others = [
        r["results"]["test"]["overall"] for r in records.read(folder, "retrain") if r["config"]["procedure"] != "path"
    ]
    assert largest < runs.overall[mine].mean() and largest == min(others)


def test_what_p1_adds_to_the_wiring_upside_down() -> None:
    parts = pd.read_csv(RESULTS / "probes" / "account.csv").set_index(["probe", "seed"])
    rows = parts.loc["plain"]
    assert (rows.gain_low > 0).all() and (rows.bare > rows.gain).all() and (rows.wiring > rows.learnt).all()


def test_p1_repeats_over_super_networks_as_p0_does() -> None:
    alike = pd.read_csv(RESULTS / "benchmark" / "repeatability.csv").set_index("procedure")
    ranked = pd.read_csv(RESULTS / "benchmark" / "ranking.csv", dtype={"seed": str})
    right = ranked[(ranked.target == "exp-0.01") & (ranked.seed != "mean")].groupby("procedure").tau.max()
    assert (alike.tau > right[alike.index])[["P1", "P2", "control"]].all()
    assert abs(alike.tau["P0"] - right["P0"]) < 0.1
    assert alike.tau[["P0", "P1", "P2", "control"]].between(0.5, 0.7).all() and alike.tau["P3"] < 0.5


def test_the_first_pair_of_the_premise_is_open_in_both_directions() -> None:
    pairs = pd.read_csv(RESULTS / "benchmark" / "premise.csv").set_index(["first", "second"])
    both = pairs[(pairs.first_part == "overall") & (pairs.second_part == "overall")].loc[("balance", "exp-0.01")]
    ceiling = (
        pd.read_csv(RESULTS / "benchmark" / "ceiling.csv").set_index(["target", "part"]).expected["exp-0.01", "overall"]
    )
    assert 10 <= both.paths < 24 and both.low < 0 < ceiling < both.high
    assert contains_zero(both, "partial_low", "partial_high")


def test_the_first_column_of_table_2_tells_nothing() -> None:
    runs = retrainings(records.read(RESULTS / "laptop" / "cifar10-cifar100" / "cell3-c16-n1", "retrain"))
    first = runs[(runs.target == "exp-0.01") & (runs.seed == 0)].set_index("procedure").accuracy
    assert first[["P0", "P1", "P3"]].max() - first[["P0", "P1", "P3"]].min() < 0.5
    below = first[["P0", "P1", "P3"]] - first["P2"]
    assert 1.35 < below.min() and below.max() < 1.95 and below.min() > 2 * 2**0.5 * 0.46
    ceilings = pd.read_csv(RESULTS / "benchmark" / "ceiling.csv").set_index(["target", "part"])
    seed_sd = ceilings.seed_sd["exp-0.01", "overall"]
    errors = below / (2**0.5 * (binomial_error(first["P0"]) ** 2 + seed_sd**2) ** 0.5)
    assert errors.between(1.5, 2.5).all()  # "about two standard errors of test images and seed together"
    assert binomial_error(first["P0"]) == pytest.approx(0.46, abs=0.01)


def test_what_moves_a_ranking_and_what_may_be_luck() -> None:
    moved = pd.read_csv(RESULTS / "brief" / "changes.csv").set_index(["arm", "seed"])
    seed = moved.change["constant", 1]
    assert contains_zero(moved.loc[("constant", 1)], "change_low", "change_high") and seed > 0
    for arm in ("cosine", "batch-128", "rate-0.1", "rate-0.025", "no-decay"):
        change = moved.loc[(f"{arm}-brief", 0)]
        assert change.change_high < 0 and -1.5 * seed > change.change > -5 * seed
    for arm in ("batch-32", "no-clip", "two-cells"):
        assert 0.5 * seed < -moved.change[f"{arm}-brief", 0] < 1.2 * seed
    fair = moved.loc[("fair-brief", 0)]
    assert fair.change_low > 0 and fair.change < 1.2 * seed
    assert moved.tau["cosine-brief", 0] < 0
    assert 0 < moved["mean"]["constant", 0] - moved["mean"]["no-decay-brief", 0] < 2


def test_neither_batch_norm_nor_the_last_normalisation_is_behind_p1() -> None:
    probes = pd.read_csv(RESULTS / "probes" / "agreement.csv").set_index(["probe", "seed"])
    for probe in ("source-statistics", "before-norm", "plain"):
        assert contains_zero(probes.loc[probe, 0]) and probes.high[probe, 0] < probes.low["on-cifar10", 0]


def darts_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """What every operation weighs at the end, and the cells found, by arm and seed."""
    names = ("weights", "cells")
    return tuple(pd.read_csv(RESULTS / "darts" / f"{name}.csv").set_index(["arm", "seed"]) for name in names)


def test_depth_alone_turns_the_race_to_the_skips() -> None:
    weights, cells = darts_tables()
    narrow, deep = weights.loc["narrow", 0], weights.loc["deep", 0]
    assert narrow.skip_connect < 0.2 < deep.skip_connect and deep.idxmax() == "skip_connect"
    assert cells.skips["narrow", 0] == 0 and cells.skips["deep", 0] == 3 and cells.accuracy["deep", 0] > 93
    assert cells.cell["deep", 0].split("+")[2].count("skip_connect") == 3  # all edges into the output
    assert (cells.skips.loc["first-order"] == 0).all() and len(cells.loc["first-order"]) == 3
    way = records.read_one(RESULTS / "darts" / "deep-s0.json")["results"]
    means = {turn: pd.DataFrame(mixture).mean() for turn, mixture in zip(way["turns"], way["mixture"], strict=True)}
    assert all(mean.idxmax() == 1 for turn, mean in means.items() if turn >= 100)  # operation 1 is the skip


def test_what_the_cures_did() -> None:
    weights, cells = darts_tables()
    skips = weights.skip_connect
    assert skips["deep-skip-dropout", 0] < 0.1 and cells.skips["deep-skip-dropout", 0] == 0
    assert weights.avg_pool_3x3["deep-skip-dropout", 0] > weights.avg_pool_3x3["deep", 0]
    assert cells.cell["deep-early-stopping", 0] == cells.cell["deep", 0]
    assert weights.loc["deep-warm-up", 0].idxmax() == "skip_connect" and cells.skips["deep-warm-up", 0] >= 3
    none = cells.accuracy["deep", 0]
    assert all(cells.accuracy[f"deep-{cure}", 0] <= none for cure in ("warm-up", "skip-dropout", "early-stopping"))


def test_the_tail_gives_the_skips_weight_and_a_fixed_classifier_takes_it_back() -> None:
    weights, cells = darts_tables()
    skips = weights.skip_connect
    assert cells.skips.loc[["first-order", "few-images"]].tolist() == [0, 0, 0, 0, 1]
    balanced = pd.concat([skips.loc["first-order"], skips.loc["few-images"]])
    for tailed in ("long-tail", "long-tail-reweighted"):
        assert skips.loc[tailed].min() > balanced.max() and len(skips.loc[tailed]) == 2
    assert skips.loc["long-tail-fixed"].max() < balanced.min()
    none = weights.none.loc["long-tail-reweighted"]
    assert none[0] > 0.3 and none[1] < 0.25  # two seeds, two answers


def test_second_order_is_not_told_from_first() -> None:
    gaps = pd.read_csv(RESULTS / "darts" / "gaps.csv").set_index("arm").loc["second-order"]
    assert gaps.seeds == 3 and contains_zero(gaps)
    moved = pd.read_csv(RESULTS / "darts" / "distances.csv").set_index("arm").moved
    assert abs(moved["second-order"] - moved["first-order"]) < 0.01 < moved["few-images"] - moved["first-order"]
