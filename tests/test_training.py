"""The one loop: schedules, what a step may move, checkpoints and resume, the stop on a loss that is not finite."""

import copy
import fcntl
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import torch
from torch import nn
from untyped import untyped

from imbnas.data import Batches, Dataset
from imbnas.models import SubNet, SuperNet
from imbnas.space import CellSpace
from imbnas.training import NotFinite, PathSampler, Recipe, Unfinished, fit, load_tensors, save_tensors, sgd
from imbnas.training.alone import Wait, alone

SPACE = CellSpace(4, 1, 1)


def toy(images: int = 40, classes: int = 3) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(images) % classes
    noise = torch.randint(100, (images, 3, 8, 8), generator=generator)
    pixels = (noise + 70 * labels[:, None, None, None]).to(torch.uint8)  # brighter by class: can be learnt
    return Dataset("toy", pixels, labels, pixels, labels, tuple(map(str, range(classes))))


def prepared(batch_size: int = 16):
    """A tiny super-network in float32, its sampler and its batches, all from fixed seeds."""
    data = toy()
    net = SuperNet(SPACE, data.num_classes, torch.Generator().manual_seed(1))
    sampler = PathSampler(SPACE, torch.Generator().manual_seed(2))
    index = torch.arange(len(data.train_labels))
    return net, sampler, Batches(data, index, batch_size, torch.Generator().manual_seed(3))


def run(recipe: Recipe, **options):
    net, sampler, batches = prepared()
    net.train()
    log = fit(net, lambda x: net(x, sampler()), batches, recipe, generators={"paths": sampler.generator}, **options)
    return net, log


def test_the_papers_schedule_multiplies_by_a_hundredth():
    recipe = Recipe(200, 0.1, milestones=(160, 180), factor=0.01)
    per_epoch = 85
    found = [recipe.rate_at(epoch * per_epoch, per_epoch) for epoch in (0, 159, 160, 179, 180, 199)]
    assert found == pytest.approx([0.1, 0.1, 1e-3, 1e-3, 1e-5, 1e-5])
    assert recipe.total_steps(per_epoch) == 17_000  # facts: 200 epochs of CIFAR-100 exp 0.01


def test_warm_up_rises_linearly_and_cosine_ends_at_zero():
    warm = Recipe(10, 0.1, warmup=5)
    assert [warm.rate_at(step, 4) for step in (0, 9, 19, 20)] == pytest.approx([0.005, 0.05, 0.1, 0.1])
    cosine = Recipe(100, 0.2, unit="steps", shape="cosine")
    assert cosine.rate_at(50, 7) == pytest.approx(0.1)
    assert cosine.rate_at(99, 7) == pytest.approx(0.1 * (1 + math.cos(math.pi * 0.99)))
    both = replace(cosine, warmup=20)
    assert [both.rate_at(step, 7) for step in (19, 20, 60)] == pytest.approx([0.2, 0.2, 0.1])


def test_deferred_weights_begin_with_their_epoch():
    weights = torch.tensor([0.5, 1.5])
    deferred = Recipe(200, 0.1, reweight_from=160).deferred(weights, 85)
    assert deferred.at(160 * 85 - 1) is None and torch.equal(deferred.at(160 * 85), weights)
    assert Recipe(200, 0.1).deferred(weights, 85).at(200 * 85) is None
    assert torch.equal(Recipe(200, 0.1, reweight_from=0).deferred(weights, 85).at(0), weights)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"unit": "epoch"}, 'unit is "epoch"; expected "epochs" or "steps"'),
        ({"shape": "linear"}, 'shape is "linear"; expected "steps"'),
        ({"length": 0}, "length is 0; expected a number of epochs above 0"),
        ({"length": 0.4, "unit": "steps"}, "length is 0.4; expected a whole number of steps"),
        ({"warmup": 2.5, "unit": "steps"}, "warmup is 2.5; expected a whole number of steps"),
        ({"rate": math.nan}, "rate is nan; expected a number above 0"),
        ({"milestones": (3, 10)}, r"milestones is \(3, 10\); expected increasing moments.* and the length, 10"),
        ({"milestones": (0, 3)}, "milestones is"),
        ({"milestones": (5, 3)}, "milestones is"),
        ({"factor": 0}, "factor is 0"),
        ({"warmup": -1}, "warmup is -1; expected a number of epochs from 0 to the length, 10"),
        ({"warmup": 11}, "warmup is 11"),
        ({"reweight_from": -1}, "reweight_from is -1"),
        ({"reweight_from": 11}, "reweight_from is 11; expected .* or None: never"),
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"momentum": 1}, "momentum is 1; expected a number from 0 to below 1"),
        ({"weight_decay": -1e-4}, "weight_decay is -0.0001"),
        ({"clip": 0}, "clip is 0; expected a number above 0, or None"),
        ({"nesterov": True, "momentum": 0}, "nesterov is True; expected False without momentum"),
        ({"shape": "constant", "milestones": (3,)}, r'milestones is \(3,\); expected none with the shape "constant"'),
        ({"shape": "cosine", "milestones": (3,)}, r'milestones is \(3,\); expected none with the shape "cosine"'),
        ({"batch_size": 1.5}, "batch_size is 1.5; expected a whole number"),
        ({"length": "3"}, 'length is "3"; expected a number'),
        ({"rate": None}, "rate is None; expected a number"),
        ({"clip": "5"}, 'clip is "5"; expected a number'),
        ({"milestones": 3}, "milestones is 3; expected a tuple of numbers"),
        ({"milestones": ("3",)}, "milestones is .*; expected a tuple of numbers"),
    ],
)
def test_a_recipe_refuses_by_name_what_nobody_can_train_by(fault, message):
    recipe = object.__new__(Recipe)  # as without the type checks of the tests, which refuse some of these first
    vars(recipe).update(vars(Recipe(10, 0.1)) | fault)
    with pytest.raises(ValueError, match=message):
        recipe.__post_init__()


def test_moments_at_the_ends_and_parts_of_epochs_are_a_recipe():
    whole = {"length": 10, "rate": 0.1, "unit": "steps"}
    assert [Recipe(**whole, reweight_from=moment).reweight_from for moment in (None, 0, 10)] == [None, 0, 10]
    assert Recipe(**whole, warmup=10, momentum=0, weight_decay=0).total_steps(3) == 10
    assert Recipe(0.5, 0.1, warmup=0.25).total_steps(8) == 4
    with pytest.raises(ValueError, match="length is 0.01 epochs of 8 steps; expected at least one step"):
        Recipe(0.01, 0.1).total_steps(8)


def test_sgd_equals_the_formula_in_float64():
    """v = m v + g + d w; w = w - r (g + d w + m v) with Nesterov."""
    parameter = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = sgd([parameter], Recipe(1, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True))
    w, v = parameter.detach().clone(), torch.zeros(2, dtype=torch.float64)
    for gradient in (torch.tensor([0.3, 0.1]), torch.tensor([-0.2, 0.5])):
        parameter.grad = gradient.double()
        optimizer.step()
        full = gradient.double() + 0.01 * w
        v = 0.9 * v + full
        w = w - 0.1 * (full + 0.9 * v)
        assert torch.allclose(parameter, w, atol=1e-15)


def test_a_training_equals_a_plain_loop_in_float64():
    """Warm-up, a milestone, a clipped gradient, momentum, decay, late class weights, and short batches at the ends."""
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    recipe = Recipe(7, 0.2, "steps", "steps", (5,), 0.1, 2, reweight_from=4, momentum=0.8, weight_decay=0.01, clip=0.5)
    net, streams = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double(), [prepared()[2] for _ in range(2)]
    nn.init.normal_(net[1].weight, std=0.1, generator=torch.Generator().manual_seed(4))
    nn.init.zeros_(net[1].bias)
    w = torch.cat([net[1].weight, net[1].bias[:, None]], 1).detach().T.clone()
    log = fit(net, lambda x: net(x.double()), streams[0], recipe, weights=weights, precision="float64")
    v, sums, rows, clipped = torch.zeros_like(w), [0.0, 0.0, 0], [], 0
    for step, rate in enumerate([0.1, 0.2, 0.2, 0.2, 0.2, 0.02, 0.02]):
        images, labels = streams[1].next()
        x = torch.cat([images.double().flatten(1), torch.ones(len(images), 1, dtype=torch.float64)], 1)
        shares, each = (x @ w).softmax(1), weights[labels] if step >= 4 else torch.ones(len(x), dtype=torch.float64)
        loss = -(each * shares[range(len(x)), labels].log()).sum() / each.sum()
        right = int((shares.argmax(1) == labels).sum())
        sums = [sums[0] + float(loss) * len(x), sums[1] + right, sums[2] + len(x)]
        gradient = x.T @ (each[:, None] * (shares - nn.functional.one_hot(labels, 3))) / each.sum()
        clipped += bool(gradient.norm() > 0.5)
        v = 0.8 * v + gradient * min(1, 0.5 / float(gradient.norm())) + 0.01 * w
        w = w - rate * v
        if step in (2, 5, 6):
            rows.append((step + 1, rate, sums[0] / sums[2], 100 * sums[1] / sums[2]))
            sums = [0.0, 0.0, 0]
    assert clipped > 0
    assert torch.allclose(torch.cat([net[1].weight, net[1].bias[:, None]], 1).T, w, atol=1e-5)
    assert [tuple(row.values()) for row in log.rows] == [pytest.approx(row, rel=1e-5) for row in rows]


def test_unsampled_operations_neither_decay_nor_coast():
    """A long momentum behind them, a large decay in front of them: they stay where they are."""
    net, sampler, batches = prepared()
    net.train()
    every_conv = (3,) * 6
    recipe = Recipe(3, 0.1, unit="steps", weight_decay=0.5)
    snapshots = []

    def forward(x):
        snapshots.append({n: p.detach().clone() for n, p in net.backbone.stages.named_parameters()})
        return net(x, every_conv if len(snapshots) < 3 else (2,) * 6)

    fit(net, forward, batches, recipe)
    after = dict(net.backbone.stages.named_parameters())
    moved = {name: not torch.equal(snapshots[2][name], after[name]) for name in after}
    assert {name.split(".")[3] for name, did in moved.items() if did} == {"2"}
    assert {name.split(".")[3] for name, did in moved.items() if not did} == {"3"}


def test_training_learns_and_logs_every_epoch():
    _, log = run(Recipe(12, 0.05, momentum=0.9))
    assert [row["step"] for row in log.rows] == [3 * epoch for epoch in range(1, 13)]
    assert log.rows[-1]["loss"] < 0.8 * log.rows[0]["loss"]
    assert log.images == 12 * 40


def test_stopped_and_continued_equals_undisturbed_bit_for_bit(tmp_path):
    recipe = Recipe(20, 0.05, unit="steps", warmup=3, milestones=(12,), clip=5.0)
    whole, whole_log = run(recipe)
    checkpoint = tmp_path / "training.safetensors"
    stops = 0
    while True:
        try:
            parts, parts_log = run(recipe, checkpoint=checkpoint, deadline=time.monotonic() - 1)
            break
        except Unfinished:
            stops += 1
    assert stops == 19
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True))
    assert parts_log.rows == whole_log.rows
    assert parts_log.images == whole_log.images


def test_two_trainings_of_one_checkpoint_are_one(tmp_path):
    """Side by side, the second waits and finds it finished."""
    steps = []

    def one(_):
        net, log = run(Recipe(6, 0.05, unit="steps"), checkpoint=tmp_path / "x.safetensors", on_step=steps.append)
        return net, log.rows

    with ThreadPoolExecutor(2) as pool:
        (first, rows), (second, same_rows) = pool.map(one, range(2))
    assert steps == [1, 2, 3, 4, 5, 6] and rows == same_rows
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


SHARED = """
import sys, time
sys.path.insert(0, {tests!r})
from test_training import Recipe, run
begun = open({begun!r}, "a", buffering=1)
def note(step):
    begun.write(f"{{step}}\\n")
    time.sleep(0.1)
print("ready", flush=True)
sys.stdin.readline()
print(run(Recipe(6, 0.05, unit="steps"), checkpoint={file!r}, on_step=note)[1].rows)
"""


def test_two_processes_on_one_checkpoint_train_it_once(tmp_path):
    """As stages that run at once and share an adaptation: the second process waits and finds it finished."""
    file, begun = tmp_path / "runs" / "shared.safetensors", tmp_path / "steps"
    code = SHARED.format(tests=str(Path(__file__).parent), file=str(file), begun=str(begun))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    (rows, _), (same_rows, _) = [process.communicate(timeout=120) for process in processes]
    assert begun.read_text().split() == list("123456") and rows == same_rows != ""
    assert [path.name for path in file.parent.glob("shared*")] == [file.name]  # the lock is no work to take along


def test_a_folder_that_cannot_be_written_gives_the_error_of_writing_and_keeps_what_is_finished(tmp_path, monkeypatch):
    recipe, file = Recipe(4, 0.05, unit="steps"), tmp_path / "x.safetensors"
    _, log = run(recipe, checkpoint=file)
    opened = Path.open

    def read_only(path, mode="r", *more, **options):
        if set(mode) & set("wax"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode, *more, **options)

    monkeypatch.setattr(Path, "open", read_only)
    assert run(recipe, checkpoint=file)[1] == log
    with pytest.raises(PermissionError, match="new.safetensors"):
        run(recipe, checkpoint=tmp_path / "new.safetensors")
    monkeypatch.undo()
    with pytest.raises(FileExistsError, match="x.safetensors"):
        run(recipe, checkpoint=file / "inside.safetensors")


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    file, recipe = tmp_path / "training.safetensors", Recipe(2, 0.05, unit="steps")
    _, log = run(recipe, checkpoint=file)
    assert run(recipe, checkpoint=file)[1] == log
    for other in (replace(recipe, length=4), replace(recipe, rate=0.1)):
        with pytest.raises(ValueError, match="training.safetensors belongs to another recipe: delete it, or give"):
            run(other, checkpoint=file)


def test_equal_recipes_are_one(tmp_path):
    file, recipe = tmp_path / "x.safetensors", Recipe(2, 0.05, unit="steps", milestones=(1,))
    _, log = run(recipe, checkpoint=file)
    with untyped():
        assert (same := replace(recipe, length=2.0, milestones=(1.0,), nesterov=0)) == recipe
        assert run(same, checkpoint=file)[1] == log


def test_a_checkpoint_of_other_images_is_refused_and_the_network_left_alone(tmp_path):
    """As many images, of the same size; then as many labels."""
    file, recipe, data = tmp_path / "x.safetensors", Recipe(2, 0.05, unit="steps"), toy()

    def train(net, data, size=16):
        batches = Batches(data, torch.arange(40), size, torch.Generator().manual_seed(3))
        return fit(net, lambda x: net(x, (3,) * 6), batches, recipe, checkpoint=file)

    log = train(SuperNet(SPACE, 3), data)
    assert train(SuperNet(SPACE, 3), data) == log
    inverted = replace(data, train_images=255 - data.train_images)
    relabelled = replace(data, train_labels=data.train_labels.flip(0))
    for other, size, words in (
        (inverted, 16, "x.safetensors belongs to another training set: delete it"),
        (relabelled, 16, "x.safetensors belongs to another training set"),
        (data, 20, r"\[40, 16, 1\], this one has \[40, 20, 1\]"),
    ):
        net = SuperNet(SPACE, 3)
        before = copy.deepcopy(net.state_dict())
        with pytest.raises(ValueError, match=words):
            train(net, other, size)
        assert all(map(torch.equal, before.values(), net.state_dict().values()))


def test_parameters_of_another_network_are_refused_before_the_first_step():
    net, sampler, batches = prepared()
    steps, recipe, strange = [], Recipe(2, 0.1, unit="steps"), list(nn.Linear(2, 2).parameters())
    for parameters, count in ((strange, "2 of 2"), ([*net.classifier.parameters(), *strange], "2 of 4")):
        with pytest.raises(ValueError, match=f"{count} parameters are not the network's; expected its own alone"):
            fit(net, lambda x: net(x, sampler()), batches, recipe, parameters=parameters, on_step=steps.append)
    assert not steps


def test_a_deadline_ends_the_wait_for_another_training(tmp_path):
    """Which is told once; another process holds the lock, then another thread."""
    file, said, recipe = tmp_path / "x.safetensors", [], Recipe(2, 0.05, unit="steps")
    options = {"checkpoint": file, "report": said.append}
    with (tmp_path / ".x.safetensors.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Unfinished, match="another training still has the checkpoint .*x.safetensors"):
            run(recipe, deadline=time.monotonic() + 0.3, **options)
    assert said == [f"waiting for another training, which has the checkpoint {file}"] and not file.exists()
    with alone(Wait(file, None, None)), pytest.raises(Unfinished, match="another training still has"):
        run(recipe, deadline=time.monotonic() + 0.3, **options)
    run(recipe, **options)
    assert file.exists()


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("network", {"channels": 8}),
        ("choice of parameters", {"parameters": lambda net: list(net.classifier.parameters())}),
        ("choice of class weights", {"weights": torch.tensor([1.0, 2.0, 4.0])}),
        ("choice of class weights", {"weights": None}),
        ("precision", {"precision": "bf16"}),
        ("choice of generators", {"generators": {}}),
        ("choice of generators", {"generators": {"paths": torch.Generator(), "noise": torch.Generator()}}),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, what, changes):
    """Its file is given as text, which will do."""

    def train(channels=4, parameters=lambda net: None, **options):
        _, _, batches = prepared()
        space = CellSpace(channels, 1, 1)
        net = SuperNet(space, 3, torch.Generator().manual_seed(1)).train()
        sampler = PathSampler(space, torch.Generator().manual_seed(2))
        options = {"weights": torch.ones(3), "generators": {"paths": sampler.generator}} | options
        recipe, file = Recipe(2, 0.05, unit="steps", reweight_from=0), str(tmp_path / "training.safetensors")
        return fit(
            net, lambda x: net(x, sampler()), batches, recipe, parameters=parameters(net), checkpoint=file, **options
        )

    assert train() == train()
    with pytest.raises(ValueError, match=f"training.safetensors belongs to another {what}: delete it, or give"):
        train(**changes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: SuperNet(CellSpace(4, 1, 1), 3), lambda: SuperNet(CellSpace(4, 1, 3), 3)),
        (lambda: SubNet(SPACE, (1, 1, 1, 3, 1, 1), 3), lambda: SubNet(SPACE, (4, 1, 0, 3, 1, 1), 3)),
    ],
    ids=["space", "path"],
)
def test_networks_apart_by_operations_without_tensors_are_told_apart(tmp_path, one, other):
    _, _, batches = prepared()
    recipe, file = Recipe(2, 0.05, unit="steps"), tmp_path / "training.safetensors"

    def train(net):
        forward = (lambda x: net(x, (3,) * net.space.genes)) if isinstance(net, SuperNet) else net
        return fit(net, forward, batches, recipe, checkpoint=file)

    shapes = [{name: tensor.shape for name, tensor in net().state_dict().items()} for net in (one, other)]
    assert shapes[0] == shapes[1] and train(one()) == train(one())
    with pytest.raises(ValueError, match="training.safetensors belongs to another network: delete it, or give"):
        train(other())


def test_a_checkpoint_that_does_not_say_whose_it_is_is_refused(tmp_path):
    file, recipe = tmp_path / "training.safetensors", Recipe(2, 0.05, unit="steps")
    run(recipe, checkpoint=file)
    tensors, card = load_tensors(file)
    save_tensors(file, tensors, {name: card[name] for name in ("progress", "recipe")})
    with pytest.raises(ValueError, match="training.safetensors belongs to another network"):
        run(recipe, checkpoint=file)


@pytest.mark.parametrize(
    ("classes", "weights", "words"),
    [
        (2, None, "a label is 2; expected 0 to 1: there are 2 classes"),
        (3, torch.ones(2), "there are 2 class weights for 3 classes; expected one per class"),
        (3, torch.ones(4), "there are 4 class weights for 3 classes"),
    ],
)
def test_labels_and_weights_of_other_classes_are_refused_before_the_first_step(classes, weights, words):
    _, sampler, batches = prepared()
    net, steps = SuperNet(SPACE, classes), []
    recipe = Recipe(4, 0.1, unit="steps", reweight_from=2)
    with pytest.raises(ValueError, match=words):
        fit(net, lambda x: net(x, sampler()), batches, recipe, weights=weights, on_step=steps.append)
    assert not steps


def test_too_few_weights_are_found_out_by_the_labels_of_a_network_without_a_classifier():
    _, _, batches = prepared()
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    with pytest.raises(ValueError, match="a label is 2; expected 0 to 1"):
        fit(net, net, batches, Recipe(4, 0.1, unit="steps", reweight_from=2), weights=torch.ones(2))


def test_single_precision_is_not_called_double():
    with pytest.raises(ValueError, match='precision is "float64", but the weights are not; expected .* net.double()'):
        run(Recipe(2, 0.05, unit="steps"), precision="float64")


def test_without_a_moment_for_them_class_weights_are_never_used():
    plain, weighted = (run(Recipe(4, 0.05, unit="steps"), weights=w)[0] for w in (None, torch.tensor([9.0, 1.0, 1.0])))
    assert all(map(torch.equal, plain.state_dict().values(), weighted.state_dict().values()))


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_training import Recipe, run
run(Recipe(400, 0.05, unit="steps"), checkpoint=Path({file!r}), checkpoint_seconds=0.05)
"""


def test_killed_and_continued_equals_undisturbed(tmp_path):
    """kill -9 in the middle, several times; the checkpoint is always whole."""
    file = tmp_path / "training.safetensors"
    code = KILLED.format(tests=str(Path(__file__).parent), file=str(file))
    for _ in range(2):
        before = file.stat().st_mtime_ns if file.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", code])
        while process.poll() is None and not (file.exists() and file.stat().st_mtime_ns > before):
            time.sleep(0.02)
        process.kill()
        process.wait()
        load_tensors(file)
    recipe = Recipe(400, 0.05, unit="steps")
    whole, whole_log = run(recipe)
    parts, parts_log = run(recipe, checkpoint=file)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True))
    assert parts_log.rows == whole_log.rows


def test_a_loss_that_is_not_finite_names_step_and_path_and_keeps_the_last_good_state(tmp_path):
    checkpoint = tmp_path / "training.safetensors"
    net, sampler, batches = prepared()
    net.train()

    def forward(x):
        logits = net(x, sampler())
        return logits * float("nan") if forward.calls == 4 else logits

    def count(step):
        forward.calls = step

    forward.calls = 0
    options = {"checkpoint": checkpoint, "checkpoint_seconds": 0.0, "describe": sampler.describe, "on_step": count}
    with pytest.raises(NotFinite, match="at step 4 on path") as fault:
        fit(net, forward, batches, Recipe(10, 0.1, unit="steps"), **options)
    assert sampler.describe() in str(fault.value)
    tensors, _ = load_tensors(checkpoint)
    assert all(torch.isfinite(value).all() for value in tensors.values() if value.is_floating_point())


@pytest.mark.parametrize("last", [3, 10])
def test_an_update_that_overflows_is_neither_saved_nor_returned(tmp_path, last):
    """The loss of the step was sound; its gradient was not."""
    checkpoint = tmp_path / "training.safetensors"
    net, sampler, batches = prepared()
    net.train()
    steps = []
    net.classifier.weight.register_hook(lambda gradient: gradient * (float("inf") if len(steps) == 2 else 1))
    options = {"checkpoint": checkpoint, "checkpoint_seconds": 0.0, "on_step": steps.append}
    with pytest.raises(NotFinite, match="classifier.weight is not finite after 3 steps"):
        fit(net, lambda x: net(x, sampler()), batches, Recipe(last, 0.1, unit="steps"), **options)
    tensors, _ = load_tensors(checkpoint)
    assert all(torch.isfinite(value).all() for value in tensors.values() if value.is_floating_point())


def test_only_named_parameters_are_trained():
    net, sampler, batches = prepared()
    net.train()
    before = {n: p.detach().clone() for n, p in net.backbone.named_parameters()}
    head = list(net.classifier.parameters())
    fit(net, lambda x: net(x, (3,) * 6), batches, Recipe(4, 0.1, unit="steps"), parameters=head)
    assert all(torch.equal(before[n], p) for n, p in net.backbone.named_parameters())


def test_bf16_training_follows_float32_at_first():
    """The first losses agree to bfloat16's three digits; whole curves are not compared."""
    _, plain = run(Recipe(2, 0.01, unit="steps"))
    _, half = run(Recipe(2, 0.01, unit="steps"), precision="bf16")
    assert half.rows[-1]["loss"] == pytest.approx(plain.rows[-1]["loss"], rel=0.02)


def test_a_damaged_checkpoint_is_named(tmp_path):
    file = tmp_path / "broken.safetensors"
    save_tensors(file, {"a": torch.arange(5)}, {"note": "x"})
    tensors, card = load_tensors(file)
    assert torch.equal(tensors["a"], torch.arange(5)) and card == {"note": "x"}
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ValueError, match="broken.safetensors is not a whole"):
        load_tensors(file)
    with pytest.raises(FileNotFoundError, match="none.safetensors does not exist; expected a safetensors file"):
        load_tensors(tmp_path / "none.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.safetensors"]


def test_two_streams_of_one_process_may_write_the_same_checkpoint(tmp_path, monkeypatch):
    """As where two procedures found the same path, or share an adaptation: both write at the same time."""
    both = Barrier(2, timeout=20)
    monkeypatch.setattr("os.fsync", lambda file: both.wait())
    file = tmp_path / "same.safetensors"
    with ThreadPoolExecutor(2) as pool:
        for written in [pool.submit(save_tensors, file, {"a": torch.arange(5)}, {}) for _ in range(2)]:
            written.result()
    assert torch.equal(load_tensors(file)[0]["a"], torch.arange(5))
    assert [path.name for path in tmp_path.iterdir()] == ["same.safetensors"]
