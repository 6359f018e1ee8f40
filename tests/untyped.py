"""The library as its users run it: without the checks of types and shapes that the tests put around every call."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


@contextmanager
def untyped() -> Iterator[None]:
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
