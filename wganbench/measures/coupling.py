"""Properties of a critic under an optimal coupling of real and fake rows (Gulrajani et al. 2017, Prop. 1, Cor. 1).

The penalty is soft. If rows are coupled in training at one distance d, the gain ``s·d − λ(s − 1)²`` of a slope s along
the pairs is largest at ``s = 1 + d/(2λ)``, so the critic's gap should be compared with ``d(1 + d/(2λ))``, not with d.
If the distances differ and the gradient points along the pairs, its mean norm on them is still ``1 + W/(2λ)``, because
the gain along f* itself, ``W − 2λ E[‖∇f‖ − 1]``, vanishes at the optimum. The gap then follows no such law.

Row i of ``fake`` is the image of row i of ``real`` under the fixed generator.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wganbench.data.closed_form import ClosedForm
from wganbench.data.fixed_generators import Data, Fixed
from wganbench.errors import DataError
from wganbench.measures.critic import wasserstein_estimate
from wganbench.measures.transport import exact_wasserstein

Critic = Callable[[Tensor], Tensor]


def segment_norm_excess(
    critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator, penalty_weight: float
) -> float:
    """The mean of ``‖∇f‖ − (1 + d/(2λ))``, with ∇f at a uniform point between the rows of a pair at distance d.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``; must not mix rows.
        real, fake: Tensors of the same shape, ``(n, *sample_shape)``.

    Returns:
        Any sign, in critic units per unit of the samples; closer to 0, the law, is better. NaN if a fake sample or λ is
        not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    gradient, way = _along_segments(critic, real, fake, rng)
    law = 1 + way.norm(dim=1) / (2 * penalty_weight)
    return (gradient.norm(dim=1) - law).mean().item()


def segment_cosine(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> float:
    """The mean cosine between ∇f, at a uniform point between the rows of a pair, and the step from fake to real.

    Gulrajani et al. 2017, Prop. 1.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``; must not mix rows.
        real, fake: Tensors of the same shape, ``(n, *sample_shape)``; pairs at distance 0 are left out.

    Returns:
        −1 to 1, higher is better; 1 by the proposition. A gradient of 0 counts as cosine 0. NaN if a fake sample is not
        finite or every distance is 0.
    """
    if not fake.isfinite().all():
        return math.nan
    gradient, way = _along_segments(critic, real, fake, rng)
    apart = way.norm(dim=1) > 0
    return (_unit(gradient) * _unit(way)).sum(dim=1)[apart].mean().item()


def gap_over_distance(critic: Critic, real: Tensor, fake: Tensor, data: Data, fixed: Fixed) -> float:
    """The ratio of the critic's gap to the true distance, ``(E f(real) − E f(fake)) / W``.

    Returns:
        Any sign, in critic units per unit of the samples; 1 for an optimal 1-Lipschitz critic. NaN if a fake sample is
        not finite, or W is 0 or has no closed form.
    """
    return _ratio(wasserstein_estimate(critic, real, fake), fixed.distance(data))


def gap_law_ratio(critic: Critic, real: Tensor, fake: Tensor, data: Data, fixed: Fixed, penalty_weight: float) -> float:
    """The ratio of the critic's gap to `wasserstein_law`, the gap under a penalty of weight λ for a single distance.

    Returns:
        Any sign, dimensionless; closer to 1, the law, is better. NaN if a fake sample or λ is not finite, or W is 0 or
        has no closed form.
    """
    return _ratio(wasserstein_estimate(critic, real, fake), wasserstein_law(data, fixed, penalty_weight))


def closed_form_distance(data: Data, fixed: Fixed) -> float:
    """The Wasserstein-1 distance W between the data and the fixed generator's output, by formula.

    Returns:
        At least 0, in the units of the samples, neither better nor worse; NaN if there is no formula.
    """
    return fixed.distance(data)


def gradient_norm_law(data: Data, fixed: Fixed, penalty_weight: float) -> float:
    """The mean gradient norm along the pairs under a squared penalty of weight λ, two- or one-sided: ``1 + W/(2λ)``.

    Returns:
        At least 1, neither better nor worse; NaN if W has no formula or there is no λ.
    """
    return 1 + fixed.distance(data) / (2 * penalty_weight)


def wasserstein_law(data: Data, fixed: Fixed, penalty_weight: float) -> float:
    """The best critic's gap under a squared penalty of weight λ, ``W(1 + W/(2λ))``, for a single distance W.

    Returns:
        At least 0, in critic units, neither better nor worse; NaN if W has no formula or there is no λ.
    """
    return fixed.distance(data) * gradient_norm_law(data, fixed, penalty_weight)


def transport_distance(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """The exact Wasserstein-1 distance between points that represent the data and their images by the fixed generator.

    Args:
        data: The real distribution; one with a closed form.
        fixed: A fixed generator without noise.
        samples: Number of points, as passed to `exact_wasserstein`.

    Returns:
        At least 0, in the units of the samples, neither better nor worse; equal to `closed_form_distance` up to the
        error of representing the data by points. NaN if the solver stopped short of the optimum.
    """
    real, fake = even_pairs(data, fixed, samples)
    return exact_wasserstein(fake, real, samples=samples)


def transport_error(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """The absolute difference of `transport_distance` and `closed_form_distance`; same arguments as the former.

    Returns:
        At least 0, in the units of the samples, lower is better; NaN if the solver stopped short of the optimum.
    """
    return abs(transport_distance(data, fixed, samples=samples) - fixed.distance(data))


def even_pairs(data: Data, fixed: Fixed, samples: int) -> tuple[Tensor, Tensor]:
    """Points that represent the data and their images by a fixed generator, coupled row by row, without randomness.

    Returns:
        Real and fake, each ``(samples, dim)``, float64, on the CPU.
    """
    if not isinstance(data, ClosedForm) or math.isnan(fixed.distance(data)):
        raise DataError(f"even points: need data and a fixed generator with a closed form, got {data} and {fixed}")
    real = data.even(samples)
    return real, fixed(real, torch.zeros_like(real))


def _along_segments(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """∇f at one uniform point of each segment, and the step from fake to real, each ``(n, size)``, float64."""
    part = torch.rand(len(real), *[1] * (real.ndim - 1), generator=rng, device=rng.device)
    points = (fake + part * (real - fake)).detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic(points).sum(), points)  # rows do not mix: the gradient of each row
    return gradient.double().flatten(1), (real.double() - fake.double()).flatten(1)


def _unit(vectors: Tensor) -> Tensor:
    """Scales each row to length 1; a row of zeros stays 0."""
    length = vectors.norm(dim=1, keepdim=True)
    return vectors / length.where(length > 0, 1)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
