from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from wganbench.networks.convolution import Conv, Linear
from wganbench.networks.dcgan import DcganCritic
from wganbench.networks.mlp import Mlp
from wganbench.networks.normalisation import (
    NORMALISATIONS,
    BatchNorm,
    ConditionalBatchNorm,
    LayerNorm,
    layer_norm_with_channels_last,
    spectral_norm,
    spectrally_normalised,
    unrounded_products,
)
from wganbench.networks.resnet import ResnetCritic
from wganbench.networks.text_resnet import TextCritic

F64 = torch.float64


def normalised(x: Tensor, axes: tuple[int, ...], scale: Tensor, offset: Tensor) -> Tensor:
    """By the formula, with the biased variance and a scale and an offset a channel."""
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    shape = (1, -1, *[1] * (x.ndim - 2))
    return (x - mean) / (variance + 1e-5).sqrt() * scale.view(shape) + offset.view(shape)


def layer(name: str, channels: int) -> torch.nn.Module:
    made = NORMALISATIONS[name](channels).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


@pytest.mark.parametrize("shape", [(6, 3, 4, 4), (6, 5)])
@pytest.mark.parametrize("name", NORMALISATIONS)
def test_each_is_its_formula(name, shape):
    torch.manual_seed(0)
    made, x = layer(name, shape[1]), 0.01 * torch.randn(shape, dtype=F64) + 3  # so small that ε counts
    rows = (0, *range(2, len(shape)))
    axes = rows if name == "batch" else tuple(range(1, len(shape)))
    torch.testing.assert_close(made(x), normalised(x, axes, made.weight, made.bias), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_they_start_with_scale_one_and_offset_zero_and_keep_nothing_of_a_batch(name):
    made = NORMALISATIONS[name](3)
    assert made.weight.tolist() == [1.0] * 3
    assert made.bias.tolist() == [0.0] * 3
    assert not list(made.buffers())
    x = torch.randn(5, 3, 2, 2)
    first = made(x)
    made(100 * x)
    assert torch.equal(made.eval()(x), first)  # the statistics of the batch, also where there is no training


def test_layer_norm_does_not_mix_rows_and_batch_norm_does():
    torch.manual_seed(0)
    x = torch.randn(4, 3, 2, 2, dtype=F64)
    torch.testing.assert_close(LayerNorm(3).double()(x)[:1], LayerNorm(3).double()(x[:1]))
    assert not torch.allclose(BatchNorm(3).double()(x)[:1], BatchNorm(3).double()(x[:1]))


def test_layer_norm_of_channels_last_is_the_other_one_to_the_second_derivative_and_keeps_the_layout():
    torch.manual_seed(0)
    found = []
    x = torch.randn(4, 3, 5, 5, dtype=F64).contiguous(memory_format=torch.channels_last).requires_grad_()
    made, along = layer("layer", 3), torch.randn(4, 3, 5, 5, dtype=F64)
    parameters = [x, *made.parameters()]
    for y in (layer_norm_with_channels_last(x, made.weight, made.bias), made(x)):
        (gradient,) = torch.autograd.grad((y * along).sum(), x, create_graph=True)
        first = torch.autograd.grad(y.square().sum(), parameters, retain_graph=True)
        second = torch.autograd.grad(gradient.square().sum(), parameters[:2])
        found.append([y, gradient, *first, *second])
    for own, other in zip(*found, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-10, atol=1e-12)
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in found[0][:3])


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_their_derivatives_are_right_to_the_second(name):
    torch.manual_seed(0)
    made, x = layer(name, 2), torch.randn(3, 2, 2, 2, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(made, x)
    assert torch.autograd.gradgradcheck(made, x)


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_have_statistics_of_their_own_while_training(parts):
    torch.manual_seed(0)
    whole, parted, x = BatchNorm(3).double(), BatchNorm(3, parts).double(), torch.randn(6, 3, 4, 4, dtype=F64)
    with torch.no_grad():
        parted.weight.copy_(whole.weight.normal_())
    n = 6 // parts
    expected = [whole(x[i * n : (i + 1) * n]) for i in range(parts)]
    torch.testing.assert_close(parted(x), torch.cat(expected))
    assert not torch.allclose(parted(x), whole(x))
    assert torch.equal(parted.eval()(x), whole(x))


def test_a_batch_that_has_no_equal_parts_is_refused():
    with pytest.raises(ValueError, match=r"^a batch of 7 has no 2 equal parts$"):
        BatchNorm(3, 2)(torch.randn(7, 3))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("shape", [(6, 3, 4, 4), (6, 3)])
def test_a_conditional_one_has_the_scales_and_offsets_of_each_rows_class(parts, shape):
    torch.manual_seed(0)
    made, x, labels = layer_of_classes(4, parts), torch.randn(shape, dtype=F64), torch.tensor([3, 0, 0, 1, 3, 2])
    found = made(x, labels)
    for row, label in enumerate(labels):
        own = BatchNorm(3, parts).double()
        with torch.no_grad():
            own.weight.copy_(made.weight[label])
            own.bias.copy_(made.bias[label])
        torch.testing.assert_close(found[row], own(x)[row])


def layer_of_classes(classes: int, parts: int) -> ConditionalBatchNorm:
    made = ConditionalBatchNorm(3, classes, parts).double()
    assert made.weight.tolist() == [[1.0] * 3] * classes
    assert made.bias.tolist() == [[0.0] * 3] * classes
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def test_a_class_that_no_row_has_is_not_trained():
    made = layer_of_classes(3, 1)
    made(torch.randn(4, 3, dtype=F64), torch.tensor([0, 2, 2, 0])).square().sum().backward()
    assert made.weight.grad is not None and made.bias.grad is not None
    assert [row.abs().max().item() > 0 for row in made.weight.grad] == [True, False, True]
    assert [row.abs().max().item() > 0 for row in made.bias.grad] == [True, False, True]


def test_labels_that_are_no_class_are_refused():
    with pytest.raises(IndexError):
        ConditionalBatchNorm(3, 2)(torch.randn(2, 3), torch.tensor([0, 2]))


# ---- spectral norms against torch's singular values ------------------------------------------------------------------


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


def test_it_is_the_same_under_autocast_whose_rounding_the_squarings_would_multiply():
    torch.manual_seed(0)
    weight = torch.randn(128, 32, 3, 3, requires_grad=True)
    found = spectral_norm(weight)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = spectral_norm(weight)
    assert torch.equal(rounded, found)
    assert all(map(torch.equal, torch.autograd.grad(rounded, weight), torch.autograd.grad(found, weight)))


@pytest.mark.parametrize("precision", ["high", "highest"])
def test_on_cuda_it_leaves_tf32_as_well_and_comes_back_to_it(precision, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: precision)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    with unrounded_products(SimpleNamespace(device=torch.device("cuda"))):
        asked.append("products")
    assert asked == ["highest", "products", precision]


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


@pytest.mark.parametrize(
    ("make", "shape", "options", "n_weights"),
    [
        (ResnetCritic, (3, 8, 8), {"dim": 4}, 11),
        (DcganCritic, (3, 9, 9), {"filters": 2}, 3),
        (TextCritic, (5, 6), {"dim": 3}, 12),
        (Mlp, (3,), {"hidden": [40, 4]}, 3),
        (Mlp, (20,), {"hidden": [4], "summed_outputs": 3}, 2),
    ],
)
def test_a_critics_scores_do_not_depend_on_the_size_of_any_weight(make, shape, options, n_weights):
    torch.manual_seed(0)
    critic, x = make(shape, (), **options, spectral_norm=True).double(), torch.randn(3, *shape, dtype=F64)
    before = critic(x)
    weights = [tensor for name, tensor in critic.named_parameters() if name.endswith("weight")]
    assert len(weights) == n_weights
    with torch.no_grad():
        for i, tensor in enumerate(weights):
            tensor.mul_(2 + i)
    torch.testing.assert_close(critic(x), before)
