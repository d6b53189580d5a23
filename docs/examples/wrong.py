"""Two penalties that look right. `wganbench judge` says what is wrong with them."""

import torch


def slopes(critic, real, fake, rng):
    """The critic's gradient at one point between each real and its fake, ``(seeds, batch, entries of a sample)``."""
    position = rng.uniform(real.shape[1]).to(real.dtype).reshape(*real.shape[:2], *[1] * (real.ndim - 2))
    x = (real + position * (fake.detach() - real)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(2)


def coupled(critic, real, fake, rng):
    """Meant as WGAN-GP's, but the norm is that of the whole batch, and the seeds share their mean."""
    norm = slopes(critic, real, fake, rng).flatten(1).norm(dim=1)
    return ((norm - 1) ** 2).mean().expand(real.shape[0])


def summed(critic, real, fake, rng):
    """Meant as WGAN-GP's, but a sum over the batch, with a root that has no gradient where the critic is constant."""
    norm = slopes(critic, real, fake, rng).square().sum(2).sqrt()
    return ((norm - 1) ** 2).sum(1)
