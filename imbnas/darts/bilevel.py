"""Two problems, one inside the other: α for the validation loss, under the weights that α itself leads to.

    min over α of L_val(w*(α), α),  where  w*(α) minimises L_train(w, α) over w

It is the paper's Eq. 4, the search for the best path, with a smooth α. DARTS (Liu et al., arXiv:1806.09055) puts one
step of training, w' = w - ξ ∇_w L_train(w, α), in the place of w*(α).
A loss here is any function of weights and α, so that the same lines serve one number and a whole network.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import grad

Weights = Sequence[Tensor]
Loss = Callable[[Weights, Tensor], Tensor]
Product = Callable[[Loss, Weights, Tensor, Weights], Tensor]


def leaves(tensors: Weights) -> list[Tensor]:
    """The same values, cut off from whatever computed them, to be differentiated by."""
    return [tensor.detach().requires_grad_() for tensor in tensors]


def first_order(validation: Loss, weights: Weights, alpha: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """∇_α L_val(w, α), the weights taken as they are: ξ = 0."""
    (alpha,) = leaves([alpha])
    return grad(validation([w.detach() for w in weights], alpha), alpha)[0]


def mixed_exact(loss: Loss, weights: Weights, alpha: Float[Tensor, "..."], vector: Weights) -> Float[Tensor, "..."]:
    """∇²_{α,w} L(w, α) · vector by differentiating twice: exact, at several times the memory."""
    weights, (alpha,) = leaves(weights), leaves([alpha])
    slopes = grad(loss(weights, alpha), weights, create_graph=True)
    return grad(sum((slope * v).sum() for slope, v in zip(slopes, vector, strict=True)), alpha)[0]


def mixed_difference(
    loss: Loss, weights: Weights, alpha: Float[Tensor, "..."], vector: Weights, scale: float = 0.01
) -> Float[Tensor, "..."]:
    """The same product from two first derivatives, at w ± ε vector with ε = `scale` / |vector| (DARTS, Eq. 8)."""
    length = torch.sqrt(sum(v.square().sum() for v in vector))
    if length == 0:
        return torch.zeros_like(alpha)
    epsilon = scale / length
    ahead, behind = (
        first_order(loss, [w + sign * epsilon * v for w, v in zip(weights, vector, strict=True)], alpha)
        for sign in (1, -1)
    )
    return (ahead - behind) / (2 * epsilon)


def second_order(
    training: Loss,
    validation: Loss,
    weights: Weights,
    alpha: Float[Tensor, "..."],
    rate: float,
    product: Product = mixed_difference,
    *,
    inertia: Weights | None = None,
    decay: float = 0.0,
) -> Float[Tensor, "..."]:
    """d/dα L_val(w', α) with w' = w - ξ (inertia + ∇_w L_train + decay w), ξ = `rate` (DARTS, Eq. 7).

    inertia: what the optimiser adds to the gradient, momentum times its buffer; it does not depend on α.
    """
    weights, (alpha,) = leaves(weights), leaves([alpha])
    slopes = grad(training(weights, alpha.detach()), weights)
    inertia = [torch.zeros_like(w) for w in weights] if inertia is None else inertia
    with torch.no_grad():
        step = [m + slope + decay * w for m, slope, w in zip(inertia, slopes, weights, strict=True)]
        ahead = [w - rate * s for w, s in zip(weights, step, strict=True)]
    ahead = leaves(ahead)
    direct, *vector = grad(validation(ahead, alpha), [alpha, *ahead])
    return direct - rate * product(training, weights, alpha, vector)


def dominant_eigenvalue(
    loss: Callable[[Tensor], Tensor],
    alpha: Float[Tensor, "..."],
    generator: torch.Generator,
    iterations: int = 10,
    tolerance: float = 1e-2,
) -> float:
    """The eigenvalue of ∇²_α loss(α) that is largest in size, by power iteration with Hessian-vector products.

    Ends after `iterations`, or when the estimate moves by less than `tolerance` of itself. 0 where `loss` is linear.
    """
    (alpha,) = leaves([alpha])
    slope = grad(loss(alpha), alpha, create_graph=True)[0]
    if not slope.requires_grad:
        return 0.0
    vector = torch.randn(alpha.shape, generator=generator, dtype=alpha.dtype).to(alpha.device)
    value = 0.0
    for _ in range(iterations):
        vector = vector / vector.norm()
        image = grad((slope * vector).sum(), alpha, retain_graph=True)[0]
        last, value = value, float((image * vector).sum())
        if image.norm() == 0 or abs(value - last) <= tolerance * abs(value):
            break
        vector = image
    return value
