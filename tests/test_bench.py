"""What measures speed measures the library's own step, and refuses numbers that measure nothing."""

import pytest
import torch

from benchmarks import __main__, device, quantities
from imbnas import records
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


def test_speeds_leave_a_record_that_names_the_machine(monkeypatch, tmp_path):
    file = tmp_path / "speed" / "paper.json"
    monkeypatch.setattr(device, "measured", lambda *_: iter([("2 × ResNet-32, bf16, processes", 812.5, "images/s")]))
    monkeypatch.setattr("sys.argv", ["device", "--steps", "3", "--at-once", "2", "--out", str(file)])
    assert device.main() == 0
    record = records.read_one(file)
    assert record["stage"] == "speed" and record["config"]["at_once"] == [2] and record["config"]["steps"] == 3
    speeds = record["results"]["speeds"]
    assert speeds == {"2 × ResNet-32, bf16, processes": {"value": 812.5, "unit": "images/s"}}
    assert {"device", "processor", "versions"} <= set(record["cost"])


@pytest.mark.parametrize("can", [True, False])
@pytest.mark.parametrize(("gate", "status"), [(1.5, 0), (2.5, 1)])
def test_a_ratio_below_its_gate_fails_and_is_named(gate, status, can, monkeypatch, capsys):
    monkeypatch.setattr(__main__, "has_bfloat16", lambda: can)
    seconds = {"plain": 2.0, "ours": 1.0}
    monkeypatch.setattr(quantities, "ALL", {"it": quantities.Quantity("it", gate, 3.0, lambda: ("plain", "ours"))})
    monkeypatch.setattr(__main__, "measure", lambda *_: (*seconds.values(), [2.0]))
    monkeypatch.setattr("sys.argv", ["benchmarks"])
    assert __main__.main() == status
    said = capsys.readouterr()
    assert said.err == ("below its gate: it\n" if status else "")
    assert ("this processor cannot multiply bfloat16" in said.out) is not can
    assert said.out.splitlines()[-1].split() == f"it 1000.0 ms 2000.0 ms 2.00 2.00..2.00 {gate} 3.0".split()
