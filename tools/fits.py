"""Exit with 0 when the Python that runs this file satisfies requirements.txt, else with 1."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"


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
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    try:
        return all(satisfied(line) for line in lines)
    except ImportError:
        return False


if __name__ == "__main__":
    sys.exit(not fits())
