"""Images whose channels lie last in memory stay so in the layers where torch's own kernels on CUDA would copy them."""

from __future__ import annotations

import pytest
import torch

from wganbench.networks.normalisation import LayerNorm

pytestmark = pytest.mark.slow
CHANNELS_LAST = [288, 1, 48, 8]
CHANNELS_FIRST = [288, 36, 6, 1]


def strides_of_layer_norm(memory_format):
    """The strides of the output, of its gradient by the input, and of that gradient's gradient."""
    made = LayerNorm(8).cuda()
    x = torch.zeros(4, 8, 6, 6, device="cuda").contiguous(memory_format=memory_format).requires_grad_()
    y = made(x)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    gradient.square().sum().backward()
    return [list(each.stride()) for each in (y, gradient, x.grad)]


def strides_in_both_layouts():
    return [strides_of_layer_norm(each) for each in (torch.channels_last, torch.contiguous_format)]


def test_layer_norm_keeps_the_layout_of_images_in_each_derivative(fake_cuda):
    assert fake_cuda(strides_in_both_layouts) == [[CHANNELS_LAST] * 3, [CHANNELS_FIRST] * 3]
