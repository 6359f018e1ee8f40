"""Your own data: a folder of images with a long tail of its own, from disk to the record of a stage."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imbnas import records, stages
from imbnas.data import load, split
from imbnas.evaluation import class_worth, rank
from imbnas.models import SuperNet
from imbnas.space import CellSpace
from imbnas.stages.gate import scored_images
from imbnas.stages.run import Run
from imbnas.stages.target import load_target

COUNTS = {"cat": 40, "dog": 12, "owl": 3}
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Noise around a colour for each class; three test images a class."""
    random = np.random.default_rng(0)
    for level, (name, count) in enumerate(COUNTS.items()):
        for part, size in (("train", count), ("test", 3)):
            (tmp_path / "zoo" / part / name).mkdir(parents=True)
            for number in range(size):
                pixels = random.integers(80 * level, 80 * level + 80, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "zoo" / part / name / f"{number}.png")
    return tmp_path / "zoo"


def test_validation_is_cut_from_the_tail(folder: Path) -> None:
    target = load_target(str(folder), "natural", 0, CPU)
    assert target.split.validation_kind == "from-train" and target.class_mean
    assert target.split.counts == list(COUNTS.values())
    assert target.split.search_counts == [32, 10, 2]
    assert len(target.split.validation) + len(target.split.search_train) == sum(COUNTS.values())


def test_benchmarks_hold_validation_out() -> None:
    target = load_target("glyphs10", "exp-0.01", 0, CPU)
    assert target.split.validation_kind == "held-out" and not target.class_mean


def test_every_class_is_worth_the_same() -> None:
    labels = torch.tensor([0, 0, 0, 0, 2, 2])
    assert class_worth(labels).tolist() == [0.75] * 4 + [1.5] * 2


def test_the_gate_knows_how_sure_a_mean_over_unequal_classes_is(folder: Path) -> None:
    """Its variance by hand: p (1 - p) / C^2 sum 1 / n_c, which so many independent images would have."""
    run = Run("smoke", target_data=str(folder), target="natural")
    target = load_target(str(folder), "natural", 0, CPU)
    counts = torch.bincount(target.dataset.train_labels[target.split.validation]).tolist()
    assert counts == [8, 2, 1]
    assert scored_images(run, target) == pytest.approx(9 / (1 / 8 + 1 / 2 + 1 / 1))
    balanced = load_target("glyphs10", "balance", 0, CPU)
    assert scored_images(run, balanced) == run.settings.scoring.images < len(balanced.split.validation)


def test_scores_are_means_over_classes_where_asked() -> None:
    space = CellSpace(4, 1, 1)
    net = SuperNet(space, 3, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    images, path = torch.randn(8, 3, 8, 8, generator=generator), (3,) * 6
    labels = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2])
    right = {
        label: rank(net, [path], [images], [images[labels == label]], labels[labels == label]).accuracy[0]
        for label in (0, 1, 2)
    }
    by_class = rank(net, [path], [images], [images[:5], images[5:]], labels, class_mean=True).accuracy[0]
    overall = rank(net, [path], [images], [images[:5], images[5:]], labels).accuracy[0]
    assert by_class == pytest.approx(sum(right.values()) / 3)
    assert overall == pytest.approx((5 * right[0] + 2 * right[1] + right[2]) / 8)


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    capsys.readouterr()


def test_a_stage_runs_on_a_folder(folder: Path, tmp_path: Path, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Run("smoke").settings
    short = settings.p3.__class__(length=2, rate=0.1, unit="steps", batch_size=8, reweight_from=1)
    small = settings.__class__(**{**vars(settings), "p3": short})
    monkeypatch.setattr(Run, "settings", small)
    run = Run("smoke", target_data=str(folder), target="natural", space="cell3-c4-n1", out=str(tmp_path / "results"))
    record = stages.search(run, "P3")
    assert records.read_one(run.file("search", "P3", "natural")) == record
    expected = split(load(str(folder)), "natural", validation="from-train").hash
    assert record["results"]["split"] == {str(folder): expected}
    assert run.folder == tmp_path / "results" / "smoke" / "glyphs10-zoo" / "cell3-c4-n1"


@pytest.mark.parametrize("stage", ["supernet", "search", "baseline"])
def test_another_folder_of_the_same_name_is_refused_before_anything_is_lost(
    stage: str, folder: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "results")
    run = Run("smoke", source=str(folder), target_data=str(folder), target="natural", space="cell3-c4-n1", out=out)
    files = {
        "supernet": run.file("supernet"),
        "search": run.file("search", "P3", "natural"),
        "baseline": run.file("baseline", "resnet32-ce", "natural"),
    }
    calls = {
        "supernet": lambda: stages.supernet(run),
        "search": lambda: stages.search(run, "P3"),
        "baseline": lambda: stages.baseline(run, "resnet32-ce"),
    }
    records.write(files[stage], stage, {"source": "/elsewhere/zoo", "data": "/elsewhere/zoo"}, {}, {})
    curves = files[stage].with_suffix(".csv")
    curves.write_text("its curves")
    with pytest.raises(
        records.RecordError, match="/elsewhere/zoo, this one is of .* give one of the two files another"
    ):
        calls[stage]()
    assert curves.read_text() == "its curves" and sorted(curves.parent.iterdir()) == sorted([curves, files[stage]])
