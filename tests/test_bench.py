"""What measures speed measures the library's own step, and refuses numbers that measure nothing."""

import pytest
import torch

from benchmarks import __main__, device, quantities
from imbnas.training.steps import PlainStep


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (__main__.main, ["--rounds", "0"]),
        (__main__.main, ["--rounds", "many"]),
        (device.main, ["--steps", "0"]),
        (device.main, ["--at-once", "2", "-1"]),
    ],
)
def test_numbers_below_one_are_refused(main, words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"argument {words[0]}: '{words[-1]}' is no whole number from 1" in capsys.readouterr().err


def test_an_unknown_quantity_is_refused_with_those_there_are(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "speed"])
    with pytest.raises(SystemExit):
        __main__.main()
    assert f"unknown speed; expected {', '.join(quantities.ALL)}" in capsys.readouterr().err


def test_our_step_is_the_one_of_fit(monkeypatch):
    taken = []
    monkeypatch.setattr(PlainStep, "__call__", lambda step, *given: taken.append((step.precision, given[2:])))
    net = torch.nn.Linear(3 * 32 * 32, 10)
    quantities.our_step(list(net.parameters()), lambda images: net(images.flatten(1)), *quantities.floats(4))()
    assert taken == [("bf16", (0.01, None))]
