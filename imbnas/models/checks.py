"""What a network is given, checked once at the door: labels, class weights, parameters not its own."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn


def classes_of(net: nn.Module) -> int | None:
    """How many classes the network's `classifier` tells apart; None for a network that has none of this name."""
    return getattr(getattr(net, "classifier", None), "out_features", None)


def check_labels(labels: Int[Tensor, " images"], num_classes: int, what: str = "label") -> None:
    """ValueError unless every label (or `what` else the numbers are) is one of `num_classes` classes."""
    low, high = map(int, labels.aminmax()) if len(labels) else (0, 0)
    if low < 0 or high >= num_classes:
        odd = low if low < 0 else high
        raise ValueError(f"a {what} is {odd}; expected 0 to {num_classes - 1}: there are {num_classes} classes")


def check_weights(weights: Float[Tensor, " classes"] | None, num_classes: int) -> None:
    """ValueError unless there is one weight per class; None, for no weights at all, will do."""
    if weights is not None and len(weights) != num_classes:
        raise ValueError(f"there are {len(weights)} class weights for {num_classes} classes; expected one per class")


def check_classes(
    net: nn.Module, labels: Int[Tensor, " images"], weights: Float[Tensor, " classes"] | None = None
) -> None:
    """ValueError unless every label is one of `net`'s classes and each of them has one weight, if there are weights.

    Of a network without a `classifier` the class weights alone say how many classes there are.
    """
    found = classes_of(net)
    num_classes = found if found is not None or weights is None else len(weights)
    if num_classes is not None:
        check_labels(labels, num_classes)
        check_weights(weights, num_classes)


def check_parameters(net: nn.Module, parameters: Sequence[nn.Parameter]) -> None:
    """ValueError where some of the `parameters` that are to be trained are not `net`'s."""
    own = {id(parameter) for parameter in net.parameters()}
    if strange := sum(id(parameter) not in own for parameter in parameters):
        raise ValueError(f"{strange} of {len(parameters)} parameters are not the network's; expected its own alone")
