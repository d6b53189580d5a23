"""Where the two players of a Dirac-GAN are, and how fast they approach each other (Mescheder et al. 2018)."""

import math

from torch import Tensor, nn

from wganbench.measures.over_steps import Curves, curve_of


def generator_position(fake: Tensor) -> float:
    """The mean of the samples, which is θ for a generator that makes a single point.

    Args:
        fake: Shape ``(n, 1)``.

    Returns:
        Any sign, neither better nor worse; 0 at the equilibrium.
    """
    return fake.double().mean().item()


def critic_slope(network: nn.Module) -> float:
    """The parameter ψ of a linear critic ψ·x; of a critic with more parameters, their sum.

    Returns:
        Any sign, neither better nor worse; 0 at the equilibrium.
    """
    return sum(parameter.detach().double().sum().item() for parameter in network.parameters())


def equilibrium_distance(fake: Tensor, network: nn.Module) -> float:
    """The distance of (θ, ψ) from the equilibrium of the Dirac-GAN, which is the origin.

    Args:
        fake: Shape ``(n, 1)``.

    Returns:
        At least 0, lower is better.
    """
    return math.hypot(generator_position(fake), critic_slope(network))


def contraction(curves: Curves, *, of: str) -> float:
    """The factor by which a distance changes in a step, as a geometric mean over the second half of a run.

    Near an equilibrium this is the spectral radius of the update's Jacobian.

    Args:
        of: Label of a distance that the spec names before this one; its value nearest to the middle of the run, and its
            last one, are compared.

    Returns:
        Lower is better, and below 1 the distance shrinks; NaN if one of the two values is 0 or not finite.
    """
    steps, values = curve_of(curves, of)
    middle = int(abs(steps - steps[-1] / 2).argmin())
    passed = int(steps[-1] - steps[middle])
    if not passed or not values[middle] or not values[-1]:
        return math.nan
    return float((values[-1] / values[middle]) ** (1 / passed))
