"""A linear classifier in closed form."""

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

from imbnas.models.checks import check_labels, check_weights


def ridge(
    train: Float[Tensor, "images channels"],
    train_labels: Int64[Tensor, " images"],
    num_classes: int,
    weights: Float[Tensor, " classes"] | None = None,
    penalty: float = 1.0,
) -> Float[Tensor, "channels_and_one classes"]:
    """A ridge classifier in closed form: least squares on one-hot labels, class-weighted, with an intercept.

    penalty: times the sum of the squares of all coefficients, the intercept's too, is what is added to the sum of the
    weighted squared errors.
    Returns the coefficients, the last row the intercept; predict with `ridge_predict`. ValueError unless there is one
    label for each row, all of them below `num_classes`, and one weight for each class.
    """
    if len(train) != len(train_labels):
        raise ValueError(
            f"there are {len(train_labels)} labels for {len(train)} rows of features; expected one per row"
        )
    check_labels(train_labels, num_classes)
    check_weights(weights, num_classes)
    x = torch.cat([train.double(), torch.ones(len(train), 1, dtype=torch.float64, device=train.device)], 1)
    y = nn.functional.one_hot(train_labels, num_classes).double()
    w = torch.ones(len(x), 1, dtype=torch.float64, device=x.device)
    if weights is not None:
        w = weights.double().to(x.device)[train_labels].unsqueeze(1)
    gram = x.T @ (w * x) + penalty * torch.eye(x.shape[1], dtype=torch.float64, device=x.device)
    return torch.linalg.solve(gram, x.T @ (w * y))


def ridge_predict(x: Float[Tensor, "images channels"], coefficients: Tensor) -> Int[Tensor, " images"]:
    """The class of every row of features by a classifier from `ridge`."""
    return (x.double() @ coefficients[:-1] + coefficients[-1]).argmax(1)
