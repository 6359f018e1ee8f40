"""Runs of the profile of a few steps that the fixture `tiny` makes."""

from imbnas import stages


def run(tmp_path, **changes):
    """A run of that profile whose records lie under `tmp_path`."""
    return stages.Run(profile="smoke", out=str(tmp_path / "results"), **changes)
