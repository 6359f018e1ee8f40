"""Numbers as a page prints them: a minus that is one, a sign where a difference is meant, an interval in brackets."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

Row = Mapping[str, Any] | pd.Series  # figures by name


def plain(value: float) -> str:
    """Two digits, with a minus that is one, and zero without."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign; nothing has none."""
    shown = f"{value:+.{digits}f}".replace("-", "−")
    return shown[1:] if float(shown[1:]) == 0 else shown


def p_value(value: float) -> str:
    """Two digits; what would print as zero is below a hundredth."""
    return "below 0.01" if value < 0.005 else f"{value:.2f}"


def interval(row: Row, low: str, high: str, text: Callable[[float], str] = plain) -> str:
    """Its bounds in brackets, as `text` (`plain`) has numbers; "" where they are NaN."""
    return "" if math.isnan(row[low]) else f"[{text(row[low])}, {text(row[high])}]"


def figure(row: Row, value: str, low: str, high: str, text: Callable[[float], str] = plain) -> str:
    """A value of a row with its interval, as `text` (`plain`) has numbers: alone without an interval, "" if NaN."""
    if math.isnan(row[value]):
        return ""
    return f"{text(row[value])} {interval(row, low, high, text)}".rstrip()


def difference(row: Row, value: str, low: str, high: str) -> str:
    """A difference with its sign, and its interval, as `figure`."""
    return figure(row, value, low, high, signed)


def unbroken(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every interval in one piece: no line breaks behind its comma."""
    return table.replace(r"\[(\S+), (\S+)\]", "[\\1,\u00a0\\2]", regex=True)
