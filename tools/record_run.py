"""Run a slice of a record run on a machine that has Python with torch, and nothing else of what the book needs.

    python3 run.py                take in what came along: code, wheels, parts of the data
    python3 run.py OUT            and run for 500 seconds, leaving in OUT what there is to take back
    python3 run.py OUT --seconds 300 --at-once 4 --only supernet retrain-P1
    python3 run.py OUT --streams 6    up to six steps that are alike in one process: on a GPU, as streams side by side

Made by `make record-pack`, which lays plan, code, wheels and data beside it. Each slice continues from the one before,
on this machine or on a fresh one whose pack was made after `make record-merge`. Needs the standard library alone.
"""

import argparse
import contextlib
import hashlib
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

PACK = Path(__file__).resolve().parent
PLAN = "plan.json"
SAFE = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11 knows filters from 3.11.4 on
TRIAL = "trial"  # the folder of records that show that this machine works; they stay here
PART = 15_000_000  # bytes of a file of OUT; PARTS of them, and two small ones, are all that is left there
PARTS = 4
START = 10  # seconds that a stage needs before its own clock runs
GRACE = 20  # seconds after which a stage that does not stop in time is killed; its checkpoint is younger than that
NEEDED = "torch, papermill, ipykernel.kernelapp, matplotlib, pandas, scipy, yaml, safetensors, jaxtyping"
LISTS = ("target", "seed", "split_seed", "procedure", "path")  # parameters of a chapter that may be lists
Step = dict[str, Any]


class RunFailed(Exception):
    """A pack or a part of it that cannot be used; the message says how to mend it."""


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ------------------------------------------------------------------------------------ taking in the pack


def take_in(pack: Path, work: Path, plan: dict[str, Any], will_run: bool) -> None:
    """Lay out what this pack brought; what earlier calls brought stays. `RunFailed` where steps will not run here."""
    work.mkdir(parents=True, exist_ok=True)
    if (pack / "code.tar.gz").exists():
        shutil.rmtree(work / "code", ignore_errors=True)
        unpack(pack / "code.tar.gz", work / "code")
    if (pack / "taken.tar").exists():
        unpack(pack / "taken.tar", work)
    if install(sorted(pack.glob("wheels/*.whl")), work / "site") or will_run:
        refuse_without(NEEDED, work / "site")
    for name, data in plan["data"].items():
        take_data(pack / "data", work, name, data)


def read_plan(pack: Path) -> dict[str, Any]:
    """What the pack's plan says is to be done."""
    try:
        plan = json.loads((pack / PLAN).read_text())
        missing = [name for name in ("steps", "taken", "data") if name not in plan]
    except (ValueError, TypeError) as fault:
        raise RunFailed(f"{pack / PLAN} is damaged ({fault}): copy it again, or make the pack anew") from None
    if missing:
        raise RunFailed(f"{pack / PLAN} lacks {', '.join(missing)}: copy it again, or make the pack anew")
    return plan


def unpack(archive: Path, folder: Path) -> None:
    """Files that the folder lacks, each whole or not at all; what this machine made is at least as new.

    A record comes after what belongs to it, since a step is finished once its record is there.
    """
    scratch = partial(folder / archive.name)
    shutil.rmtree(scratch, ignore_errors=True)  # of a call that was killed
    try:
        with tarfile.open(archive) as tar:
            missing = [member for member in tar if member.isfile() and not (folder / member.name).exists()]
            tar.extractall(scratch, missing, **SAFE)
        for name in sorted({member.name for member in missing}, key=lambda name: name.endswith(".json")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).replace(folder / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def plain_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def install(wheels: list[Path], site: Path) -> bool:
    """Install, into a folder of their own, the wheels of packages that this Python lacks; whether there were any."""
    there = {plain_name(found.name) for found in distributions(path=[*sys.path, str(site)]) if found.name}
    lacking = [wheel for wheel in wheels if plain_name(wheel.name.split("-")[0]) not in there]
    if lacking:
        options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", "--target", str(site)]
        run = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, *lacking], capture_output=True, text=True
        )
        if run.returncode:
            raise RunFailed(f"the wheels could not be installed: {run.stderr.strip()}")
    return bool(lacking)


def refuse_without(modules: str, site: Path) -> None:
    """`RunFailed` where something can't be imported: before the first step, and not by every one of them."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    run = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        said = (run.stderr.strip().splitlines() or ["Python said nothing"])[-1]
        raise RunFailed(f"this machine can't run the stages ({said}): pack again, with no more in HAS than is there")


def take_data(folder: Path, work: Path, name: str, data: dict[str, Any]) -> None:
    """Keep the parts that came along; once all are here, join them to `name`. What an earlier pack brought goes."""
    whole = work / "data" / name
    parts = [work / "parts" / part for part in data["parts"]]
    drop_unlike(whole, data["sha256"])
    for part in parts:
        drop_unlike(part, data["parts"][part.name])
        source = folder / part.name
        if source.exists() and not part.exists() and not whole.exists():
            if sha256(source) != data["parts"][part.name]:
                raise RunFailed(f"{source} is damaged: copy it again, or make the pack anew")
            part.parent.mkdir(exist_ok=True)
            shutil.copy(source, partial(part))
            partial(part).replace(part)
    if not whole.exists() and all(part.exists() for part in parts):
        join(parts, whole, data["sha256"])


def drop_unlike(path: Path, expected: str) -> None:
    """Remove a file that is not what the plan names, as where another pack brought it."""
    if path.exists() and sha256(path) != expected:
        path.unlink()


def partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def join(parts: list[Path], whole: Path, expected: str) -> None:
    """Decompress the parts, one after the other, to one file."""
    whole.parent.mkdir(exist_ok=True)
    decompressor = lzma.LZMADecompressor()
    with open(partial(whole), "wb") as file:
        for part in parts:
            file.write(decompressor.decompress(part.read_bytes()))
    if sha256(partial(whole)) != expected:
        raise RunFailed(f"{whole.name} is not what was packed: make the pack anew")
    partial(whole).replace(whole)
    for part in parts:
        part.unlink()


# ------------------------------------------------------------------------------------ running what can run


class Slice:
    """Steps in their order, as many at once as there is room for, until none is left or the time is over.

    at_once: processes side by side. streams: steps that one process may run, where they are alike.
    """

    def __init__(
        self, steps: list[Step], work: Path, seconds: float, at_once: int, begin: float, streams: int = 1
    ) -> None:
        self.steps, self.work, self.at_once, self.streams = steps, work, at_once, streams
        self.deadline = begin + seconds
        self.running: dict[str, tuple[list[Step], subprocess.Popen]] = {}
        self.logs: dict[str, Path] = {}  # where each step that was started is told of
        self.killed: set[str] = set()  # the first step of each process that `kill` ended
        self.states = {step["leaves"]: self.state_before(step) for step in steps}

    def state_before(self, step: Step) -> str:
        return "finished before" if (self.work / step["leaves"]).exists() else "waiting"

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    def ready(self) -> Iterator[Step]:
        """What has not been tried in this slice, and needs nothing that is missing."""
        for step in self.steps:
            if self.states[step["leaves"]] == "waiting" and all((self.work / need).exists() for need in step["needs"]):
                yield step

    def start(self, steps: list[Step]) -> None:
        """Start one process for steps that are alike; its log and its notebook are the first one's."""
        first = steps[0]["leaves"]
        seconds = max(1, int(self.left - START))
        command = [word.format(work=self.work, seconds=seconds) for word in joint_command(steps)]
        paths = [str(self.work / "code"), str(self.work / "site"), os.environ.get("PYTHONPATH", "")]
        own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "IMBNAS_DATA": str(self.work / "data")}
        log = self.work / steps[0]["log"]
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w") as file:  # of this slice alone, so that an earlier one's failure is not told again
            self.running[first] = (
                steps,
                subprocess.Popen(
                    [sys.executable, *command],
                    cwd=self.work / "code",
                    env={"OMP_NUM_THREADS": "1", **os.environ, **own},
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                ),
            )
        for step in steps:
            self.states[step["leaves"]], self.logs[step["leaves"]] = "running", log

    def collect(self) -> list[tuple[Step, str]]:
        """The steps that ended since the last look, and how; in a process that goes on, those that left a record."""
        ended = []
        for first, (steps, process) in list(self.running.items()):
            status = process.poll()
            if status is not None:
                del self.running[first]
            failed = bool(status) and first not in self.killed
            if failed and status < 0:
                tell_signal(self.logs[first], -status)
            for step in steps:
                open_yet = self.states[step["leaves"]] == "running"
                if open_yet and (status is not None or (self.work / step["leaves"]).exists()):
                    self.states[step["leaves"]] = self.state_after(step, failed)
                    ended.append((step, self.states[step["leaves"]]))
        return ended

    def state_after(self, step: Step, failed: bool) -> str:
        """How a step ended, whose process failed or did not."""
        return "finished" if (self.work / step["leaves"]).exists() else "failed" if failed else "unfinished"

    def ended_logs(self) -> list[Path]:
        """The logs of the steps that ended in this slice, each once."""
        return list(dict.fromkeys(log for leaves, log in self.logs.items() if self.states[leaves] != "running"))

    def kill(self) -> None:
        """Stop what runs, whose checkpoints from before are whole."""
        for first, (_, process) in self.running.items():
            if process.poll() is None:  # what crashed before has failed, though nobody has looked yet
                self.killed.add(first)
            further = below(process.pid)
            with contextlib.suppress(ProcessLookupError):  # killed before, and not yet collected
                os.killpg(process.pid, signal.SIGKILL)
            for pid in further:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()

    def fill(self) -> None:
        """Start what there is room for; a step that measures speed runs alone."""
        while self.left > START and len(self.running) < self.at_once and (ready := list(self.ready())):
            beside = [steps[0] for steps, _ in self.running.values()]
            if beside and any(one.get("alone") for one in (ready[0], *beside)):
                return
            self.start(bundle(ready, self.streams))

    def run(self) -> Iterator[tuple[Step, str]]:
        """Run, and yield each step that ended with how it ended."""
        try:
            while True:
                yield from self.collect()
                self.fill()
                if not self.running:
                    return
                if self.left < -GRACE:
                    self.kill()
                time.sleep(0.1)
        finally:
            self.kill()


def tell_signal(log: Path, number: int) -> None:
    """Add to a log that a signal ended the process, which could not say so itself."""
    name = next((known.name for known in signal.Signals if known == number), "unnamed")
    hint = ", as where memory runs out" if number == signal.SIGKILL else ""
    with open(log, "a") as file:
        file.write(f"\nended by signal {number} ({name}){hint}\n")


def bundle(ready: list[Step], most: int) -> list[Step]:
    """The first step and, up to `most` in all, later ones that differ from it in the value of the same parameter."""
    first, *later = ready
    alike: dict[int, list[Step]] = {}
    for step in later:
        place = difference(first, step)
        if place is not None and len(alike.setdefault(place, [])) < most - 1:
            alike[place].append(step)
    return [first, *max(alike.values(), key=len, default=[])]


def difference(one: Step, other: Step) -> int | None:
    """Where in their commands the parameter's value stands in which alone two steps differ; None: they are not alike.

    The last word is the notebook that a run leaves, which no two steps share.
    """
    words, others = one["command"][:-1], other["command"][:-1]
    if one.get("alone") or other.get("alone") or len(words) != len(others):
        return None
    places = [i for i in range(2, len(words)) if words[i] != others[i]]
    if len(places) != 1 or words[:2] != others[:2]:
        return None
    flag, name = words[places[0] - 2 : places[0]]
    return places[0] if flag == "-p" and name in LISTS else None


def joint_command(steps: list[Step]) -> list[str]:
    """The first step's command, with the list of all values in place of the one in which the steps differ."""
    command = steps[0]["command"]
    place = difference(steps[0], steps[-1])
    if place is None:
        return command
    values = json.dumps([as_given(step["command"][place]) for step in steps])
    return [*command[: place - 2], "-y", f"{command[place - 1]}: {values}", *command[place + 1 :]]


def as_given(word: str) -> int | float | bool | str | None:
    """What papermill takes a word of its command line for."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return {"True": True, "False": False, "None": None}.get(word, word)


def below(pid: int) -> list[int]:
    """The processes that a process started, and theirs: a chapter's kernel has a session of its own."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return [*found, *(deeper for child in found for deeper in below(child))]


# ------------------------------------------------------------------------------------ what is to be taken back


def unfinished_work(work: Path, steps: Iterable[Step]) -> list[Path]:
    """Checkpoints and search states of the steps that have left nothing yet, the newest first.

    What another process is still writing, or left half-written, has a name that begins with a dot.
    """
    open_steps = [step for step in steps if not (work / step["leaves"]).exists()]
    found = {path for step in open_steps for glob in globs(work, step) for path in work.glob(glob)}
    seen = {path: there for path in found if not path.name.startswith(".") and (there := still_there(path))}
    return sorted(seen, key=lambda path: -seen[path].st_mtime)


def still_there(path: Path) -> os.stat_result | None:
    """What the system knows of a file; None where the step that wrote it has removed it since it was listed."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat()
    return None


def globs(work: Path, step: Step) -> list[str]:
    """Names of a step's unfinished work; "{network}" in them is the best path of the record that it needs first."""
    record = work / step["needs"][0] if step["needs"] else work
    network = json.loads(record.read_text())["results"]["best"]["path"] if is_search(record) else "no network"
    return [glob.replace("{network}", network) for glob in step["work"]]


def is_search(record: Path) -> bool:
    return record.name.startswith("search-") and record.exists()


def results(work: Path, steps: Iterable[Step]) -> list[Path]:
    """What finished steps left, with curves and weights beside it."""
    leaves = [work / step["leaves"] for step in steps]
    beside = [leaf.with_suffix(suffix) for leaf in leaves if leaf.exists() for suffix in (".csv", ".safetensors")]
    return [path for path in [*leaves, *beside] if path.exists()]


def leave(
    work: Path, out: Path, plan: dict[str, Any], states: dict[str, str], logs: list[Path], lines: list[str]
) -> None:
    """Put into `out` what the project does not have yet: results first, then unfinished work while there is room."""
    steps, taken = plan["steps"], plan["taken"]
    new = [path for path in results(work, steps) if taken.get(str(path.relative_to(work))) != sha256(path)]
    sent, room = [], PART * PARTS - 20_000
    for path in dict.fromkeys([*new, *logs, *unfinished_work(work, steps)]):
        if path.is_relative_to(work / TRIAL) or not (there := still_there(path)):
            continue
        size = 2048 + there.st_size
        if size <= room:
            sent.append(path)
            room -= size
        elif (line := f"left out, no room: {path.relative_to(work)}") not in lines:
            lines.append(line)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        archive = Path(scratch) / "slice.tar"
        pack(archive, work, sent)
        parts = cut(archive, out)
    summary = {"parts": parts, "states": {step["name"]: states.get(step["leaves"], "not chosen") for step in steps}}
    write(out / "slice.json", json.dumps(summary, indent=1))
    for path in out.glob("*slice.tar.*"):  # only now, so that slice.json always names parts that are there
        if path.name not in parts:
            path.unlink()
    write(out / "log.txt", "\n".join(lines) + "\n")


def pack(archive: Path, root: Path, files: Iterable[Path]) -> None:
    """An archive of files by their names under `root`; one that is replaced meanwhile goes in as it was.

    One that is gone meanwhile is left out: a step removes its checkpoints once its record is there.
    """
    with tarfile.open(partial(archive), "w") as tar:
        for path in files:
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                tar.addfile(tar.gettarinfo(arcname=str(path.relative_to(root)), fileobj=file), file)
    partial(archive).replace(archive)


def cut(archive: Path, out: Path) -> dict[str, str]:
    """The archive in parts of `PART` bytes in `out`, beside earlier ones with other contents, and their checksums."""
    parts = {}
    with open(archive, "rb") as file:
        while block := file.read(PART):
            checksum = hashlib.sha256(block).hexdigest()
            name = f"slice.tar.{len(parts)}-{checksum[:8]}"
            write(out / name, block)
            parts[name] = checksum
    return parts


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    partial(path).write_bytes(content.encode() if isinstance(content, str) else content)
    partial(path).replace(path)


# ------------------------------------------------------------------------------------ the command


def chosen(steps: list[Step], only: list[str]) -> list[Step]:
    """The steps whose file's name begins with one of `only`; all of them when none is given."""
    found = [step for step in steps if not only or Path(step["leaves"]).name.startswith(tuple(only))]
    if not found:
        names = ", ".join(Path(step["leaves"]).stem for step in steps)
        raise RunFailed(f"no step begins with {' or '.join(only)}; the plan has {names}")
    return found


def why(work: Path, log: Path) -> str:
    """Why a step failed, in one message."""
    tool = [sys.executable, str(work / "code" / "tools" / "why.py"), str(log)]
    return subprocess.run(tool, capture_output=True, text=True).stderr.strip()


def run_slice(arguments: argparse.Namespace, plan: dict[str, Any], begin: float) -> int:
    """Run, and after every step that ends, and when stopped, renew what is in OUT, so that nothing is lost."""
    work, out = arguments.work.resolve(), arguments.out.resolve()
    lines: list[str] = []
    steps = chosen(plan["steps"], arguments.only)
    under_way = Slice(steps, work, arguments.seconds, arguments.at_once, begin, arguments.streams)
    out.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    try:
        for step, state in under_way.run():
            say(f"{time.monotonic() - begin:5.0f} s  {state:10} {step['name']}")
            if state == "failed":
                say(why(work, under_way.logs[step["leaves"]]))
            leave(work, out, plan, under_way.states, under_way.ended_logs(), lines)
        states = list(under_way.states.values())
        say(" · ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)))
    finally:
        # checkpoints too, where this is stopped before a step has ended
        leave(work, out, plan, under_way.states, under_way.ended_logs(), lines)
    return 1 if "failed" in states else 0


def count(text: str) -> int:
    """How many of something there may be."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}'; expected a whole number from 1")
    return int(text)


def duration(text: str) -> float:
    """Seconds."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"'{text}'; expected seconds, more than 0")


def main() -> int:
    begin = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT", help="an empty folder for what is to be taken back")
    parser.add_argument("--seconds", type=duration, default=500, help="when to stop, counted from here (default 500)")
    parser.add_argument("--at-once", type=count, default=1, help="processes side by side (default 1)")
    parser.add_argument("--streams", type=count, default=1, help="steps of one process, where alike (default 1)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="beginnings of records' names")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "imbnas-record-run", help="(default %(default)s)"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what runs is stopped, and nothing outlives this
    try:
        plan = read_plan(PACK)
        take_in(PACK, arguments.work.resolve(), plan, will_run=bool(arguments.out))
        return run_slice(arguments, plan, begin) if arguments.out else 0
    except (RunFailed, OSError, lzma.LZMAError, tarfile.TarError) as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
