"""What a record run's pack is made of: data in parts, wheels, and the steps of its plan."""

import project  # noqa: F401  the library is found from anywhere


class PackFailed(ValueError):
    """Something that the pack needs is missing; the message says how to mend it."""
