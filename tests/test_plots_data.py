"""What the figures of the first two chapters draw: the heights, rows and regions that were given, no more."""

import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from torch import nn

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from imbnas import records
from imbnas.data import class_counts
from imbnas.evidence.baselines import at_full_length, baselines, mean_of
from imbnas.models.small import SmallNet
from imbnas.plots import data as figures

COUNTS = class_counts("exp", 0.01, num_classes=100, per_class=500)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def texts(ax: plt.Axes) -> str:
    return " ".join(text.get_text() for text in ax.texts)


def test_the_long_tail_has_a_bar_for_every_class_and_names_the_groups() -> None:
    ax = figures.long_tail(COUNTS)
    heights = sorted((bar.get_height() for bar in ax.patches), reverse=True)
    assert heights == COUNTS
    assert "35 classes" in texts(ax) and "8,824 images" in texts(ax) and "305 images" in texts(ax)


def test_a_group_without_a_class_is_left_out() -> None:
    assert "few" not in texts(figures.long_tail(class_counts("exp", 0.1, num_classes=100, per_class=500)))


def test_distributions_name_their_totals() -> None:
    ax = figures.distributions({"exp-0.01": COUNTS, "balance": [500] * 100})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "exp-0.01: 10,847 images",
        "balance: 50,000 images",
    ]
    assert list(ax.lines[0].get_ydata()) == COUNTS


def test_a_row_of_images_breaks_off_where_the_class_does() -> None:
    images = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
    ax = figures.images_by_class(images, torch.tensor([0, 0, 0, 0, 1]), ("a", "b"), columns=3)
    page = np.asarray(ax.images[0].get_array())
    assert page.shape == (16, 24, 3)
    assert (page[:8] == 0).all() and (page[8:, :8] == 0).all() and (page[8:, 8:] == 255).all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["“a”    4", "“b”    1"]


def test_more_validation_than_training_is_shaded() -> None:
    shaded, plain = plt.subplots(1, 2)[1]
    figures.train_beside_validation([90, 20, 5], [10, 10, 10], "held-out", shaded)
    figures.train_beside_validation([90, 20, 5], [9, 2, 0], "from-train", plain)
    assert [len(ax.patches) for ax in (shaded, plain)] == [1, 0]
    assert np.isnan(plain.lines[1].get_ydata()[2])  # a class without validation images has no point on a log axis


def test_the_mean_of_every_scale_is_written_beside_it() -> None:
    ax = figures.scale_of_steps({"weighted": [1.0, 1.0], "plain": [0.1, 0.3]})
    assert [text.get_text() for text in ax.texts] == ["1", "0.2"]


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0])
def test_regions_lie_where_the_classifier_says(angle: float) -> None:
    direction = torch.tensor([np.cos(angle), np.sin(angle)], dtype=torch.float32)
    line = nn.Linear(2, 2).requires_grad_(False)
    line.weight.copy_(torch.stack([direction, -direction]))
    line.bias.zero_()
    points, labels = torch.eye(2).repeat(3, 1), torch.tensor([0, 0, 0, 1, 1, 1])
    ax = figures.boundary(points, labels, line, "a line", plt.subplots()[1], limit=2.0)
    picture = np.asarray(ax.images[0].get_array())
    size = len(picture)
    for x, y in [(1.5, 1.0), (-1.5, 1.0), (1.5, -1.0), (-1.5, -1.0)]:
        row, column = (int((value + 2) / 4 * (size - 1)) for value in (y, x))
        first = x * direction[0] + y * direction[1] > 0
        opposite = picture[size - 1 - row, size - 1 - column]
        assert (picture[row, column] != opposite).any()  # the line passes through the middle
        bluish = picture[row, column][2] > picture[row, column][0]
        assert bluish == first  # the first class is drawn in blue


def test_thirds_write_every_height() -> None:
    ax = figures.thirds({"plain": {"head": 70.0, "tail": 2.0}, "deferred": {"head": 65.0, "tail": 20.0}})
    assert [text.get_text() for text in ax.texts] == ["70", "2", "65", "20"]
    assert [bar.get_height() for bar in ax.patches] == [70.0, 2.0, 65.0, 20.0]


def test_thirds_draw_intervals() -> None:
    ax = figures.thirds({"plain": {"tail": 10.0}}, {"plain": {"tail": (8.0, 13.0)}})
    low, high = ax.collections[0].get_segments()[0][:, 1]
    assert (low, high) == (8.0, 13.0)


def test_lines_show_what_was_given() -> None:
    accuracy = figures.class_accuracy({"plain": [90.0, 10.0], "even": [50.0, 50.0]}, [500, 5])
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[90.0, 10.0], [50.0, 50.0]]
    weights = figures.class_weights({"w": [0.1, 1.9]})
    assert list(weights.lines[1].get_ydata()) == [0.1, 1.9]
    numbers = figures.effective_numbers({"β = 0.5": np.array([1.0, 1.5])}, np.array([1, 2]))
    assert [list(line.get_ydata()) for line in numbers.lines] == [[1, 2], [1.0, 1.5]]


def test_chance_is_drawn_around_the_truth() -> None:
    once, best = np.array([39.0, 40.0, 41.0]), np.array([40.5, 41.0, 41.5])
    ax = figures.chance(once, best, truth=40.0, count=20)
    assert sum(bar.get_height() for bar in ax.patches) == 6
    assert ax.get_legend().get_texts()[1].get_text() == "best of 20 readings"


def test_the_small_network_is_the_same_for_the_same_generator() -> None:
    nets = [SmallNet(10, generator=torch.Generator().manual_seed(seed)).eval() for seed in (0, 0, 1)]
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    one, same, other = (net(images) for net in nets)
    assert one.shape == (4, 10)
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(one, nets[0].classifier(nets[0].backbone(images)))


def written(folder: Path, procedure: str, seed: int, accuracy: float) -> None:
    config = {"stage": "retrain", "procedure": procedure, "target": "exp-0.01", "seed": seed}
    test = {"overall": accuracy, "head": accuracy + 30}
    records.write(folder / f"baseline-{procedure}-s{seed}.json", "retrain", config, {"test": test}, {})


def test_baselines_come_from_the_largest_profile_and_are_averaged(tmp_path: Path) -> None:
    assert baselines(results=tmp_path) == ("", {})
    written(tmp_path / "smoke" / "a-b" / "cell", "resnet32-ce", 0, 10.0)
    assert baselines(results=tmp_path)[0] == "smoke"
    for seed, accuracy in enumerate((38.0, 40.0)):
        written(tmp_path / "laptop" / "a-b" / "cell", "resnet32-ce", seed, accuracy)
    written(tmp_path / "laptop" / "a-b" / "cell", "P1", 0, 45.0)
    profile, tests = baselines(results=tmp_path)
    assert (profile, list(tests)) == ("laptop", ["cross-entropy"])
    assert mean_of(tests["cross-entropy"], "overall") == 39.0 and mean_of(tests["cross-entropy"], "head") == 69.0
    assert baselines("balance", tmp_path) == ("laptop", {})


def test_a_changed_baseline_is_named(tmp_path: Path) -> None:
    written(tmp_path / "smoke" / "a-b" / "cell", "resnet32-ce", 0, 10.0)
    file = next(tmp_path.rglob("*.json"))
    record = json.loads(file.read_text())
    record["config"]["seed"] = 7
    file.write_text(json.dumps(record))
    with pytest.raises(records.RecordError, match=file.name):
        baselines(results=tmp_path)


def test_resnet32_reaches_the_published_accuracies_at_full_length() -> None:
    """Best epochs, means over three draws of the images; published are 38.3 to 39.9 % and 40.4 to 41.6 %."""
    table = at_full_length()
    draws = ["draw 0", "draw 1", "draw 2"]
    assert table[draws].notna().all(axis=None) and np.allclose(table["mean"], table[draws].mean(axis=1))
    best = table.xs("best epoch", level=1)
    assert 38.3 - 2.5 < best["mean"]["cross-entropy"] < 39.9 + 2.5
    assert 40.4 - 2.5 < best["mean"]["deferred re-weighting"] < 41.6 + 2.5
    gain = best.loc["deferred re-weighting", draws] - best.loc["cross-entropy", draws]
    assert gain.between(1.9, 3.3).all() and 2.5 < gain.mean() < 3.5  # "about three points"
    assert (best[draws] - table.xs("last epoch", level=1)[draws]).max(axis=None) < 0.4


def test_best_and_last_epoch_of_every_draw_by_hand(tmp_path: Path) -> None:
    """Three draws of the images; another target and another seed stand beside them and do not count."""
    kinds = [("exp-0.01", 0, draw, 40.0 + draw**2) for draw in (0, 1, 2)]
    kinds += [("balance", 0, 0, 70.0), ("exp-0.01", 1, 0, 9.0)]
    for target, seed, draw, best in kinds:
        config = {"procedure": "resnet32-drw", "target": target, "seed": seed, "split_seed": draw}
        results = {"best_epoch": {"test": best}, "test": {"class_mean": best - 1.5, "overall": 5.0}}
        folder = tmp_path / "paper" / "cifar10-cifar100" / f"cell3-c32-n1{f'-split{draw}' if draw else ''}"
        records.write(folder / f"retrain-{target}-s{seed}.json", "retrain", config, results, {})
    about = {"stage": "supernet", "source": "cifar10", "seed": 0}
    records.write(folder / "supernet-s0.json", "supernet", about, {}, {})  # and one that is no retraining
    wider = folder.parent / "cell3-c32-n10"  # nor is another space, whose name begins alike
    records.write(wider / "retrain-s0.json", "retrain", config | {"target": "exp-0.01", "seed": 0}, results, {})
    table = at_full_length(tmp_path).loc["deferred re-weighting"]
    draws = ["draw 0", "draw 1", "draw 2", "mean"]
    assert table.loc["best epoch", draws].tolist() == pytest.approx([40, 41, 44, 125 / 3])
    assert table.loc["last epoch", draws].tolist() == pytest.approx([38.5, 39.5, 42.5, 125 / 3 - 1.5])


def test_without_records_there_is_no_table_of_full_length(tmp_path: Path) -> None:
    assert at_full_length(tmp_path).empty
