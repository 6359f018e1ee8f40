"""Numbers in the prose that come from records: write them anew, or say which ones are out of date.

    python tools/prose.py            rewrite README.md and book/
    python tools/prose.py --check    name every number that its record does not hold

A bound number is followed, without a blank, by a comment that names the statistic (where the file has a `*`), the
file in results/, the place in it, and the format, as in

    42.4<!-- mean laptop/cifar10-cifar100/cell3-c16-n1/retrain-P1-exp-0.01-s*.json results/test/overall .1f -->

In a CSV the place is `row/column`, the row by its first column, or by its first ones with a comma between.
"""

import argparse
import csv
import json
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from project import ROOT

from imbnas.files import whole

BOUND = re.compile(r"(?P<shown>[−+-]?\d[\d,.]*%?)<!--\s*(?P<source>[^>]*?)\s*-->")
BINDING = re.compile(r"<!--\s*(?:\w+\s+)?[^\s>]+\.(?:json|csv)\s+[^\s>]+\s+[^\s>]+\s*-->")
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "sd": statistics.stdev,
    "min": min,
    "max": max,
    "count": len,
}


def in_json(path: Path, place: str) -> float:
    """The number at `place`, keys and list positions with slashes between."""
    value: Any = json.loads(path.read_text())
    for key in place.split("/"):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return float(value)


def in_csv(path: Path, place: str) -> float:
    """The number at `row/column`."""
    row, column = place.split("/")
    keys = row.split(",")
    for line in csv.DictReader(path.read_text().splitlines()):
        if list(line.values())[: len(keys)] == keys:
            return float(line[column])
    raise KeyError(row)


def number(source: str, results: Path) -> str:
    """What the text should show for the words of a comment. ValueError where no record holds it."""
    *statistic, pattern, place, style = source.split()
    if statistic and statistic[0] not in STATISTICS or ("*" in pattern) != bool(statistic):
        raise ValueError(f"'{source}': files with a * need one of {', '.join(STATISTICS)} before them, others none")
    files = sorted(results.glob(pattern))
    if not files:
        raise ValueError(f"'{source}': results/ holds no {pattern}")
    try:
        values = [(in_csv if file.suffix == ".csv" else in_json)(file, place) for file in files]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"'{source}': {files[0].name} holds no number at {place} ({error})") from error
    value = STATISTICS[statistic[0]](values) if statistic else values[0]
    shown = format(round(value) if style.endswith("d") else value, style)
    return shown.replace("-", "−" if set(shown) & set("123456789") else "")  # no sign before a zero


def bound(text: str, results: Path) -> Iterator[tuple[str, str, str]]:
    """Every bound number of a text: what it shows, what it should show, and the words of its comment."""
    for match in BOUND.finditer(text):
        yield match["shown"], number(match["source"], results), match["source"]


def loose(text: str) -> Iterator[str]:
    """Every comment that would bind a number but is right behind none, with the words before it: nothing renews it."""
    bound = {match.end() for match in BOUND.finditer(text)}
    for match in BINDING.finditer(text):
        if match.end() not in bound:
            before = text[: match.start()].rpartition("\n")[2][-20:]
            yield f"'{before}{match[0]}' binds no number: write one right before it, in digits, without a blank"


def renew(text: str, results: Path) -> str:
    """The text with every bound number as its record has it."""
    return BOUND.sub(lambda match: f"{number(match['source'], results)}<!-- {match['source']} -->", text)


def documents() -> list[Path]:
    """Everything with prose in it."""
    return [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "book").glob("*.ipynb"))]


def prose(path: Path) -> list[str]:
    """The texts of a document: the whole of a page, the markdown cells of a notebook."""
    if path.suffix != ".ipynb":
        return [path.read_text()]
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]


def rewrite(path: Path, results: Path) -> None:
    """Renew a document in its place, whole or not at all; one without bound numbers is not touched."""
    if any(BOUND.search(text) for text in prose(path)):
        text = renewed_notebook(path, results) if path.suffix == ".ipynb" else renew(path.read_text(), results)
        with whole(path) as file:
            file.write(text.encode())


def renewed_notebook(path: Path, results: Path) -> str:
    """A notebook's file with its markdown cells renewed."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = renew(cell.source, results)
    return nbformat.writes(notebook) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, name what is out of date")
    check, results, faults = parser.parse_args().check, ROOT / "results", []
    for path in documents():
        faults += [f"{path.name}: {fault}" for text in prose(path) for fault in loose(text)]
        try:
            if check:
                found = (entry for text in prose(path) for entry in bound(text, results))
                faults += [
                    f"{path.name}: {shown} should be {held} ({source})"
                    for shown, held, source in found
                    if shown != held
                ]
            else:
                rewrite(path, results)
        except ValueError as error:
            faults.append(f"{path.name}: {error}")
    print("\n".join(faults), end="\n" if faults else "", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
