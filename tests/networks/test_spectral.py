"""Spectral norms against torch's singular values."""

from __future__ import annotations

import pytest
import torch

from wganbench.networks.convolution import Conv, Linear
from wganbench.networks.resnet import ResnetCritic
from wganbench.networks.spectral import spectral_norm, spectrally_normalised

F64 = torch.float64


@pytest.mark.parametrize("shape", [(128, 32, 3, 3), (64, 3, 3, 3), (1, 20), (20, 1), (5, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_norm_is_the_largest_singular_value(shape, dtype, size):
    torch.manual_seed(0)
    weight = size * torch.randn(shape, dtype=dtype)
    assert spectral_norm(weight).item() == pytest.approx(torch.linalg.svdvals(weight.flatten(1))[0].item(), rel=1e-3)


def test_one_matrix_in_which_all_values_are_equal_or_nearly_so():
    assert spectral_norm(3 * torch.eye(9)).item() == pytest.approx(3)
    near = torch.linspace(0.99, 1.0, 100, dtype=F64)
    assert 0.997 < spectral_norm(torch.diag(near)).item() <= 1


def test_its_derivative_is_the_product_of_the_singular_vectors():
    torch.manual_seed(0)
    weight = torch.randn(4, 6, dtype=F64, requires_grad=True)
    (gradient,) = torch.autograd.grad(spectral_norm(weight), weight)
    u, _, v = torch.linalg.svd(weight.detach(), full_matrices=False)
    torch.testing.assert_close(gradient, u[:, :1] @ v[:1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [lambda on: Linear(4, 3, spectral=on), lambda on: Conv(4, 3, 3, spectral=on)])
def test_a_layer_applies_its_normalised_weights(make):
    torch.manual_seed(0)
    normalised, plain = make(True), make(False)
    with torch.no_grad():
        normalised.weight.mul_(7)
        plain.weight.copy_(spectrally_normalised(normalised.weight))
    x = torch.randn(2, 4) if plain.weight.ndim == 2 else torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(normalised(x), plain(x))
    assert torch.linalg.svdvals(plain.weight.flatten(1))[0].item() == pytest.approx(1, rel=1e-3)


def test_a_critics_scores_do_not_depend_on_the_size_of_any_weight():
    torch.manual_seed(0)
    critic, x = ResnetCritic((3, 8, 8), (), dim=4, spectral_norm=True).double(), torch.randn(3, 3, 8, 8, dtype=F64)
    before = critic(x)
    weights = [tensor for name, tensor in critic.named_parameters() if name.endswith("weight")]
    assert len(weights) == 11
    with torch.no_grad():
        for i, tensor in enumerate(weights):
            tensor.mul_(2 + i)
    torch.testing.assert_close(critic(x), before)
