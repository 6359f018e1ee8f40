"""The library's rooms: arrows between them go one way only."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from imbnas import evidence

LIBRARY = Path(__file__).parents[1] / "imbnas"


def imported(file: Path) -> Iterator[str]:
    """The rooms of the library that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("imbnas."))
        elif isinstance(node, ast.ImportFrom) and node.module == "imbnas":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imbnas."):
            yield node.module.split(".")[1]


def arrows() -> dict[str, set[str]]:
    """Every module or package of the library, and the others that it imports from."""
    found: dict[str, set[str]] = {}
    for file in LIBRARY.rglob("*.py"):
        room = file.relative_to(LIBRARY).with_suffix("").parts[0]
        found.setdefault(room, set()).update(set(imported(file)) - {room})
    return found


def test_arrows_never_close_a_circle() -> None:
    order = list(TopologicalSorter(arrows()).static_order())  # CycleError names the circle
    assert order.index("data") < order.index("training") < order.index("stages") < order.index("evidence")


def test_the_evidence_tells_of_all_its_rooms() -> None:
    rooms = sorted((LIBRARY / "evidence").glob("[a-z]*.py"))
    assert [file.stem for file in rooms if f"`{file.stem}`" not in (evidence.__doc__ or "")] == []


def test_rooms_know_nothing_of_what_is_above_them() -> None:
    found = arrows()
    assert found["files"] == found["typed"] == found["space"] == found["statistics"] == found["names"] == set()
    assert found["data"] <= {"files", "names", "places"}
    assert found["losses"] <= {"data"} and found["models"] <= {"space"} and found["evolution"] <= {"space"}
    for room in ("training", "adaptation", "evaluation", "darts"):
        assert not found[room] & {"records", "stages", "evidence", "plots"}, room
    assert "training" not in found["evaluation"] | found["models"]
    assert "plots" not in found["stages"] | found["evidence"]
