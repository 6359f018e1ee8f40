"""A dataclass from what a file says, and what its values must be: all of the kind expected, or one clear message."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, fields
from numbers import Integral, Real
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints


def build(kind: type, values: Any, where: str) -> Any:
    """A dataclass from the mapping `values`: lists as tuples, numbers that YAML 1.1 takes for text (5e-4) as numbers.

    ValueError, beginning with `where`, for an entry that is misspelt, missing, of the wrong kind or out of range.
    """
    known = get_type_hints(kind)
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    if not isinstance(values, dict):
        found = "is missing or empty" if values is None else f"is {values!r}"
        raise ValueError(f"{where}: {found}; expected entries like {', '.join(needed or known)}")
    if unknown := set(map(str, values)) - set(known):
        raise ValueError(f"{where}: unknown {', '.join(sorted(unknown))}; expected {', '.join(sorted(known))}")
    if missing := [name for name in needed if name not in values]:
        raise ValueError(f"{where}: {', '.join(missing)} missing; give a value")
    try:
        return kind(**{name: entry(name, known[name], value) for name, value in values.items()})
    except ValueError as fault:
        raise ValueError(f"{where}: {fault}") from None


def entry(name: str, hint: Any, value: Any) -> Any:
    """The value of a dataclass's field. ValueError where it is not of the field's type `hint`."""
    try:
        return fitted(hint, value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; expected {wanted(hint)}") from None


def fitted(hint: Any, value: Any) -> Any:
    """`value` as the type `hint` has it; TypeError or ValueError where it can't be."""
    outer, inner = get_origin(hint), get_args(hint)
    if NoneType in inner:
        return None if value is None else fitted(inner[0], value)
    if outer is tuple and isinstance(value, list | tuple):
        return tuple(fitted(inner[0], each) for each in value)
    if hint in (int, float):
        return number(hint, value)
    if not isinstance(value, outer or hint):
        raise TypeError
    return value


def number(hint: type, value: Any) -> int | float:
    """A finite number, written as one or as a text; a whole one stays as it is, since records are named by it."""
    if isinstance(value, str):
        value = float(value)
    if isinstance(value, bool) or not math.isfinite(value):
        raise TypeError
    if hint is int and value != int(value):
        raise ValueError
    return int(value) if hint is int else value


def wanted(hint: Any) -> str:
    """A type in words."""
    outer, inner = get_origin(hint), get_args(hint)
    if NoneType in inner:
        return f"{wanted(inner[0])}, or null"
    if outer is tuple:
        return f"a list in brackets, each entry {wanted(inner[0])}"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", dict: "a mapping"}
    return names.get(outer or hint, f"a {hint.__name__}")


def expect(of: Any, rules: Mapping[str, tuple[bool, str]]) -> None:
    """ValueError for the first field of `of` whose rule, whether it holds and what is expected, does not hold."""
    for name, (holds, expected) in rules.items():
        if not holds:
            found = getattr(of, name)
            shown = f'"{found}"' if isinstance(found, str) else found
            raise ValueError(f"{name} is {shown}; expected {expected}")


def expect_numbers(of: Any, names: Iterable[str], kind: type[Real] = Real) -> None:
    """ValueError for the first of the fields named that is no number, or with `Integral` no whole one."""
    expected = "a whole number" if kind is Integral else "a number"
    expect(of, {name: (isinstance(getattr(of, name), kind), expected) for name in names})


def all_numbers(values: Any) -> bool:
    """Whether these are several numbers."""
    return isinstance(values, tuple | list) and all(isinstance(value, Real) for value in values)


def expect_one_of(name: str, value: str, known: Collection[str]) -> None:
    """ValueError for a `value` of `name` that is none of those known."""
    if value not in known:
        raise ValueError(f'{name} is "{value}"; expected one of {", ".join(known)}')
