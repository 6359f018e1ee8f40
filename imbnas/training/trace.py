"""Walks over a backbone that find out which pieces a path is made of, and where each adds its output."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import nn

from imbnas.models import carries
from imbnas.training.graphs import Recorder
from imbnas.training.value import Piece, Value

IDENTITY = nn.Identity()


@runtime_checkable
class Places(Protocol):
    """What a trace asks of a step: its pieces, and the values between them."""

    recorder: Recorder | None

    def piece(self, module: nn.Module, source: Value, target: Value) -> Piece: ...

    def end_of(self, module: nn.Module) -> Value: ...

    def nothing(self, like: Value) -> Value: ...


class Chosen(NamedTuple):
    """An operation on a value, before it is known where its output is added."""

    edge: nn.Module
    operation: nn.Module
    source: Value


class Meeting:
    """An algebra for `Backbone.walk` in which every edge carries something: finds the value at which each ends."""

    def __init__(self, learns: bool) -> None:
        self.learns = learns
        self.ends: dict[int, Value] = {}  # by the edge's id

    def carries(self, edge: nn.Module, selection: Any) -> bool:
        return True

    def apply(self, module: nn.Module, value: Value) -> Value:
        return Value()

    def choose(self, edge: nn.Module, value: Value, selection: Any) -> nn.Module:
        return edge

    def add(self, values: Sequence[Any], like: Value) -> Value:
        target = Value(learns=self.learns)
        self.ends |= {id(edge): target for edge in values if isinstance(edge, nn.Module)}
        return target


class Trace:
    """An algebra for `Backbone.walk` that runs the forward parts of a path and remembers them."""

    carries = staticmethod(carries)

    def __init__(self, step: Places) -> None:
        self.step, self.pieces = step, []

    def run(self, module: nn.Module, source: Value, target: Value) -> Value:
        piece = self.step.piece(module, source, target)
        piece.forward(self.step.recorder)
        self.pieces.append(piece)
        return target

    def apply(self, module: nn.Module, value: Value) -> Value:
        return self.run(module, value, self.step.end_of(module))

    def choose(self, edge: nn.ModuleList, value: Value, selection: int) -> Chosen:
        return Chosen(edge, edge[selection], value)

    def add(self, values: Sequence[Chosen | Value], like: Value) -> Value:
        chosen = [value for value in values if isinstance(value, Chosen)]
        if not chosen:
            return self.step.nothing(like)
        target = self.step.end_of(chosen[0].edge)
        for value in values:
            plain = isinstance(value, Value)
            self.run(IDENTITY if plain else value.operation, value if plain else value.source, target)
        return target
