"""Steps of a plan: a chapter that leaves a record, an arm of a study, and how fast the machine is."""

from pathlib import Path
from typing import Any

from project import ROOT
from record.steps import Step

from imbnas.data.sources import CIFAR
from imbnas.lines import CHAPTER
from imbnas.names import ARM
from imbnas.places import work_root
from imbnas.stages.arms import arm_called, arm_file
from imbnas.stages.truth import variant_called


def chapter_step(
    name: str, chapter: str, record: Path, out: str, given: dict[str, Any], needs: list[str], work: list[str]
) -> Step:
    """The step that leaves `record`, which lies under `out`, by running a chapter with the parameters `given`."""
    runs = work_root(Path(out)) / record.parent.relative_to(out)
    command = ["-m", "papermill", "--no-progress-bar", "--log-output", "-p", "out", f"{{work}}/{out}"]
    command += ["-p", "max_seconds", "{seconds}"]
    command += [word for key, value in given.items() for word in ("-p", key, str(value))]
    return {
        "name": f"{name} {record.stem}",
        "command": [*command, f"book/{CHAPTER[chapter]}.ipynb", f"{{work}}/{runs / record.stem}.ipynb"],
        "leaves": str(record),
        "needs": needs,
        "log": str(runs / f"{record.stem}.txt"),
        "work": [str(runs / glob) for glob in work],
    }


def arm(name: str, seed: int) -> Step:
    """The training and scoring of an arm of the validity study."""
    record = arm_file(arm_called(name), seed, Path("results"), ".json")
    given = {"arm": name, "seed": seed}
    step = chapter_step("validity", "validity", record, "results", given, data(arm_called(name).data), [])
    return step | {"work": [f"runs/validity/{name}-s{seed}-*/*"]}


def adaptation_step(name: str, procedure: str, variant: str, target: str, seed: int) -> Step:
    """The adaptation of an arm's super-network, held against published accuracies."""
    stem, changed = "-".join(filter(None, [name, procedure, variant, target, f"s{seed}"])), variant_called(variant)
    record = Path("results") / ("truth" if name == ARM and not variant else "probes") / f"{stem}.json"
    given = {"arm": name, "procedure": procedure, "variant": variant, "target": target, "seed": seed}
    source, whole = arm_called(name), changed.after == 1
    needs = [str(arm_file(source, seed, Path("results"), ".json"))] if whole and procedure != "P3" else []
    needs += dict.fromkeys([*data(changed.data), *data(source.data)])
    given = {key: value for key, value in given.items() if value != ""}
    step = chapter_step("truth", "truth", record, "results", given, needs, [])
    begun = [] if whole else [f"runs/validity/{name}-s{seed}-*/*"]  # the beginning of the arm's training
    return step | {"work": [f"runs/truth/{stem}-*/*", *begun]}


def data(name: str) -> list[str]:
    """The file that a data set needs: glyphs are drawn where they are used."""
    return [f"data/{name}.npz"] if name in CIFAR else []


def speed(profile: str) -> Step:
    """How fast this machine trains, one network at a time and several side by side."""
    file = f"results/speed/{profile}.json"
    command = ["-m", "benchmarks.device", "--out", f"{{work}}/{file}"]
    return {
        "name": "speed",
        "command": command,
        "leaves": file,
        "needs": [],
        "log": f"runs/{profile}/speed.log",
        "work": [],
        "alone": True,
    }


def can_run(step: Step) -> bool:
    """A stage whose chapter is not written yet is left out of the plan."""
    return all((ROOT / word).exists() for word in step["command"] if word.startswith("book/"))
