"""Speed beside the plain way: `make bench` prints ours, the plain way, their ratio and its range,
beside the least that passes and the goal. It fails where a ratio is below its gate.

Method: one thread, processor seconds, all variants of a quantity in random order in every round, the ratio taken
inside each round, median and range over rounds. Machines are noisy; ratios within a round are less so.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable

import torch

from benchmarks import from_one, quantities
from imbnas.models.precision import has_bfloat16

ROUNDS = 7


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(plain: Callable[[], object], ours: Callable[[], object], rounds: int) -> tuple[float, float, list[float]]:
    """Median seconds of the plain way and of ours, and the ratio of every round; each runs once before."""
    plain(), ours()
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(rounds):
        for name, work in random.sample([("plain", plain), ("ours", ours)], 2):
            seconds[name].append(cpu_seconds(work))
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    return statistics.median(seconds["plain"]), statistics.median(seconds["ours"]), ratios


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="quantities to measure; all when none is given")
    parser.add_argument("--rounds", type=from_one, default=ROUNDS)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(quantities.ALL)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; expected {', '.join(quantities.ALL)}")
    torch.set_num_threads(1)
    if not has_bfloat16():
        print("this processor cannot multiply bfloat16; the gates are for one that can")
    print(f"{'quantity':42} {'ours':>9} {'plain':>9} {'ratio':>6}  {'range':>13}  {'gate':>5} {'goal':>5}")
    below = []
    for name in arguments.names or quantities.ALL:
        quantity = quantities.ALL[name]
        plain, ours, ratios = measure(*quantity.prepare(), arguments.rounds)
        ratio, spread = statistics.median(ratios), f"{min(ratios):.2f}..{max(ratios):.2f}"
        print(
            f"{quantity.title:42} {1000 * ours:6.1f} ms {1000 * plain:6.1f} ms {ratio:6.2f}  {spread:>13}"
            f"  {quantity.gate:5.1f} {quantity.goal:5.1f}",
            flush=True,
        )
        if ratio < quantity.gate:
            below.append(quantity.title)
    for title in below:
        print(f"below its gate: {title}", file=sys.stderr)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
