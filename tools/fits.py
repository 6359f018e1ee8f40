"""Exit with 0 when the Python that runs this file satisfies requirements.txt, else with 1."""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"


def required() -> list[str]:
    """The lines of requirements.txt without their comments."""
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in REQUIREMENTS.read_text().splitlines()]
    return list(filter(None, lines))


def satisfied(text: str) -> bool:
    """Whether the requirement, as requirements.txt spells it, is installed here."""
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def fits() -> bool:
    """Whether every line of requirements.txt is satisfied; no packaging means that nothing is."""
    try:
        return all(map(satisfied, required()))
    except ImportError:
        return False


if __name__ == "__main__":
    sys.exit(not fits())
