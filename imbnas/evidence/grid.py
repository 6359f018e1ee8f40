"""The records of one grid: which of them the book shows, what its searches found, and what they cost."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from imbnas import profiles, records
from imbnas.evidence.mixture import Seen
from imbnas.evidence.paths import FEWEST_PATHS, is_path
from imbnas.names import PROCEDURES, ROWS, TARGETS
from imbnas.places import grid_folder

LEADING = ("paper", "laptop", "smoke")  # the profile that is shown is the first of these that has records
HOW = "`make grid PROFILE=laptop` writes them, about two hours a seed on two cores"


@dataclass(frozen=True)
class Grid:
    """The records of one profile, data pair and space. `profile` is empty where there are none."""

    profile: str = ""
    folder: Path = Path()
    found: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def __str__(self) -> str:
        """Where the numbers come from, as a sentence in Markdown, with the seeds of the table that is shown."""
        winners = [record for record in self.of("retrain") if record["config"]["procedure"] in ROWS]
        return self.sentence("seed", winners)

    def sentence(self, each: str = "", found: Iterable[Mapping[str, Any]] = ()) -> str:
        """Profile, data and space; with a name for `each`, also which seeds the records in `found` have."""
        if not self.profile:
            return f"There are no records yet: {HOW}."
        data, space = self.folder.parts[-2:]
        place = f"Profile `{self.profile}`, `{data.replace('-', ' → ')}`, space `{space}`"
        if not each:
            return f"{place}."
        seeds = sorted({record["config"]["seed"] for record in found})
        return f"{place}, {each}{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds)) or 'none yet'}."

    def of(self, stage: str) -> list[dict[str, Any]]:
        """The records of one stage."""
        return [record for record in self.found if record["stage"] == stage]


Enough = Callable[[Grid], bool]


def leading(
    results: Path = profiles.ROOT / "results", stage: str = "retrain", space: str = "", enough: Enough | None = None
) -> Grid:
    """The grid that the book shows: of the largest profile that has enough records, else of the largest that has any.

    So a run under way takes no page from one that is done.

    stage: has records of it. space: only grids of this space. enough: what the page needs, a whole table by default
    (`table_is_whole`, `paths_are_ranked`); any record of another `stage`.
    """
    shown = filter(None, (fullest(results, profile, stage, space) for profile in LEADING))
    enough = enough or (table_is_whole if stage == "retrain" else lambda grid: True)
    return max(shown, key=enough, default=Grid())


def fullest(results: Path, profile: str, stage: str, space: str) -> Grid | None:
    """Of the profile's grids with a record of `stage`, that of its own data and space, or the one with most of them."""
    folders: dict[Path, list[dict[str, Any]]] = {}
    for record in records.read(results / profile):
        folders.setdefault(Path(record["file"]).parent, []).append(record)
    grids = [Grid(profile, folder, found) for folder, found in folders.items() if space in ("", folder.name)]
    own = results / own_place(profile, space)
    grids = [grid for grid in grids if grid.of(stage)]
    return max(grids, key=lambda grid: (grid.folder == own, len(grid.of(stage))), default=None)


def table_is_whole(grid: Grid) -> bool:
    """Whether every cell of Table 2 has a record of one seed."""
    cells = ((r["config"]["seed"], r["config"]["procedure"], r["config"]["target"]) for r in grid.of("retrain"))
    in_table = {cell for cell in cells if cell[1] in PROCEDURES and cell[2] in TARGETS}
    return max(Counter(seed for seed, *_ in in_table).values(), default=0) == len(PROCEDURES) * len(TARGETS)


def paths_are_ranked(grid: Grid) -> bool:
    """Whether one target has enough retrained paths for an interval."""
    retrained = (r["config"] for r in grid.of("retrain") if is_path(r))
    by_target = Counter(target for _, target in {(config["network"], config["target"]) for config in retrained})
    return max(by_target.values(), default=0) >= FEWEST_PATHS


def own_place(profile: str, space: str = "") -> Path:
    """The folder, below that of all records, of the data pair that a profile names, and of its space or another."""
    settings = profiles.load(profile)
    return grid_folder(profile, settings.source, settings.target_data, space or settings.space)


def costs(found: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per super-network ("source") and search: procedure, target, seed, seconds of training and of search.

    `images` are the training images that passed through the super-network, which no machine changes. All rows are of
    one device, named in `device`: see `of_one_device`.
    """
    rows = []
    for record in of_one_device(record for record in found if record["stage"] in ("supernet", "search")):
        config, cost = record["config"], record["cost"]
        rows.append(
            {
                "procedure": config.get("procedure", "source"),
                "target": config.get("target", "balance"),
                "seed": config["seed"],
                "training": cost["training_seconds"],
                "search": cost["seconds"].get("search", 0.0),
                "images": cost["images"],
                "device": cost["device"],
            }
        )
    return pd.DataFrame(rows, columns=["procedure", "target", "seed", "training", "search", "images", "device"])


def of_one_device(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of the device that made most of them (of equals, the first): no mean is over seconds of two.

    ValueError, with the names of two files, where they are of more than one folder, and so profile, data or space.
    """
    found, seen = list(found), Seen()
    for record in found:
        seen.folder(record)
    devices = Counter(record["cost"]["device"] for record in found)
    return [record for record in found if record["cost"]["device"] == max(devices, key=devices.__getitem__)]


def winners(found: Iterable[Mapping[str, Any]], procedure: str) -> pd.DataFrame:
    """The path that each search of `procedure` ranked first: target, seed, score (percent), multiply-adds, path.

    `paths` were scored; `tau_cost` is Kendall's tau between their scores and their multiply-adds.
    ValueError where the searches are of more than one folder.
    """
    seen, searches = Seen(), [r for r in found if r["stage"] == "search" and r["config"]["procedure"] == procedure]
    for record in searches:
        seen.folder(record)
    rows = [
        {
            "target": record["config"]["target"],
            "seed": record["config"]["seed"],
            "score": record["results"]["best"]["score"],
            "macs": record["results"]["best"]["macs"],
            "paths": len(record["results"]["scored"]),
            "tau_cost": record["results"]["tau_score_cost"],
            "path": record["results"]["best"]["path"],
        }
        for record in searches
    ]
    return pd.DataFrame(rows, columns=["target", "seed", "score", "macs", "paths", "tau_cost", "path"])
