"""Arguments that are whole numbers; others are refused in words of one's own, in which {} is what was given."""

import argparse
from collections.abc import Callable
from math import inf


def is_whole(text: str, least: int = 0, most: float = inf) -> bool:
    """Whether `text` is a whole number from `least` to `most`, in the digits 0 to 9 alone."""
    return text.isascii() and text.isdigit() and least <= int(text) <= most


def whole(told: str, least: int = 0, most: float = inf) -> Callable[[str], int]:
    """The type of an argument that is one whole number from `least` to `most`."""

    def read(text: str) -> int:
        if not is_whole(text, least, most):
            raise argparse.ArgumentTypeError(told.format(text))
        return int(text)

    return read


def wholes(told: str) -> Callable[[str], list[int]]:
    """The type of an argument that is whole numbers from 0, with spaces between."""

    def read(text: str) -> list[int]:
        if not text.split() or not all(map(is_whole, text.split())):
            raise argparse.ArgumentTypeError(told.format(text))
        return [int(word) for word in text.split()]

    return read
