"""The small residual network behind ``classifier``, in its trained and its stored form."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

SMALLEST = 8
"""Smallest height and width that the three poolings allow."""


class Network(nn.Module):
    """A slim ResNet-9: eight convolutions, four of them in residual pairs, and a linear layer.

    Args:
        channels: Number of channels of the images.
        classes: Number of logits.
        width: Number of channels of the first layer; the network has about 365 · width² parameters.
        folded: Whether to omit batch normalisation, because the convolutions' weights include it.
    """

    def __init__(self, channels: int, classes: int, width: int, *, folded: bool = False):
        super().__init__()
        wide, wider, widest = 2 * width, 8 * width // 3, 4 * width
        self.first = _block(channels, width, folded)
        self.second = _block(width, wide, folded)
        self.second_pair = nn.Sequential(_block(wide, wide, folded), _block(wide, wide, folded))
        self.third = _block(wide, wider, folded)
        self.third_pair = nn.Sequential(_block(wider, wider, folded), _block(wider, wider, folded))
        self.fourth = _block(wider, widest, folded)
        self.last = nn.Linear(widest, classes)

    def features(self, images: Tensor) -> Tensor:
        """The means of the last feature maps, ``(n, 4 · width)``, of images ``(n, channels, height, width)``, uint8."""
        x = self.first(images.float() / 127.5 - 1)
        x = max_pool2d(self.second(x), 2)
        x = x + self.second_pair(x)
        x = max_pool2d(self.third(x), 2)
        x = x + self.third_pair(x)
        x = max_pool2d(self.fourth(x), 2)
        return x.mean(dim=(2, 3))  # torch's adaptive pooling has no deterministic gradient on CUDA

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits, ``(n, classes)``."""
        logits: Tensor = self.last(self.features(images))
        return logits


def _block(before: int, after: int, folded: bool) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=folded)
    norm = nn.Identity() if folded else nn.BatchNorm2d(after)
    return nn.Sequential(convolution, norm, nn.ReLU())


def folded_state(network: Network) -> dict[str, Tensor]:
    """The state of the folded network with the same logits as ``network`` in evaluation mode; float16, on the CPU.

    The rounding to float16 is part of the network, so that a file of weights is the same network for everyone: its
    accuracy and all else in its metadata are measured after the rounding.
    """
    network = copy.deepcopy(network).cpu().eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv2d):
            assert isinstance(module[1], nn.BatchNorm2d)
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return {name: tensor.to(torch.float16) for name, tensor in network.state_dict().items()}


def shapes_of(channels: int, classes: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a ``folded_state``, by name."""
    with torch.device("meta"):
        network = Network(channels, classes, width, folded=True)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
