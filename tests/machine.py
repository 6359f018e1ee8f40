"""A machine for a record run: the pack, where it works and what it leaves; and steps that are a line of Python each."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import record_pack

PLACE = "results/paper/cifar10-cifar100/cell3-c32-n1"  # of the records of the paper profile


def step(name: str, code: str, **more: Any) -> dict[str, Any]:
    """A step that is a line of Python; `work` is the folder that it may write to."""
    prelude = "import pathlib, sys, time; work = pathlib.Path(r'{work}'); (work / 'runs').mkdir(exist_ok=True); "
    defaults = {"leaves": f"runs/{name}.txt", "needs": [], "work": [], "log": f"runs/{name}.log"}
    return {"name": name, "command": ["-c", prelude + code]} | defaults | more


def leaving(name: str, **more: Any) -> dict[str, Any]:
    return step(
        name, f"(work / 'runs/{name}.txt').write_text('done'); open(work / 'order', 'a').write('{name} ')", **more
    )


class Machine:
    """A pack and a work folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.pack, self.work, self.out = folder / "pack", folder / "work", folder / "out"
        self.pack.mkdir(parents=True)
        (self.work / "code").mkdir(parents=True)
        record_pack.pack_script(self.pack)
        self.needs("json")  # for lines of Python, which the steps here are

    def needs(self, modules: str) -> None:
        """Have steps there that import these modules."""
        self.edit("take_in.py", r'NEEDED = ".*"', f'NEEDED = "{modules}"')

    def edit(self, module: str, pattern: str, line: str) -> None:
        """Replace the beginning of one line, which the pattern matches, in a module of the script there."""
        file = self.pack / "record" / module
        text, changed = re.subn(f"^{pattern}", line, file.read_text(), flags=re.M)
        assert changed == 1
        file.write_text(text)

    def explains(self) -> None:
        """Have the tool there that says why a step failed."""
        tool = self.work / "code" / "tools" / "why.py"
        tool.parent.mkdir()
        tool.write_text((record_pack.ROOT / "tools" / "why.py").read_text())

    def plan(self, *steps: dict[str, Any], data: dict[str, Any] | None = None, taken: Any = None) -> None:
        plan = {"profile": "paper", "data": data or {}, "taken": taken or {}, "steps": steps}
        (self.pack / "plan.json").write_text(json.dumps(plan))

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, self.pack / "run.py", *options, "--work", self.work]
        return subprocess.run(command, capture_output=True, text=True)

    def slice(self, *options: str) -> dict[str, str]:
        """How the steps of a slice ended."""
        self.said = self.run(str(self.out), *options)
        return json.loads((self.out / "slice.json").read_text())["states"]

    def end_once(self, file: Path) -> int:
        """Begin a slice and end it from outside as soon as a step has made `file`; its exit status."""
        running = subprocess.Popen([sys.executable, self.pack / "run.py", self.out, "--work", self.work])
        while not file.exists():
            time.sleep(0.05)
        running.terminate()
        return running.wait()

    def refused(self, status: int, *options: str) -> str:
        """What a slice says that must not begin."""
        run = self.run(str(self.out), *options)
        assert run.returncode == status and not self.out.exists()
        return run.stderr


def only_part(out: Path) -> Path:
    """The part of a slice that has one."""
    (part,) = out.glob("slice.tar.*")
    return part
