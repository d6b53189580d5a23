"""Images of 8×8 that a classifier learns in a second."""

import torch

from wganbench.data.images import Images


def striped(n: int, seed: int, *, size: int = 8, channels: int = 3) -> Images:
    """Class 0: flat, 1: stripes across, 2: stripes down; any two shades, under noise."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    low, high = 70 * torch.rand(2, n, 1, 1, 1, generator=rng) + torch.tensor([20, 150])[:, None, None, None, None]
    odd = (torch.arange(size) % 2).bool()
    flat = torch.zeros(size, size, dtype=torch.bool)
    masks = torch.stack([flat, odd[:, None] | flat, odd | flat])[labels][:, None]
    images = torch.where(masks, high, low) + 10 * torch.randn(n, channels, size, size, generator=rng)
    return Images("stripes", images.clamp(0, 255).to(torch.uint8), labels, f"{seed:064x}")
