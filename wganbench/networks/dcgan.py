"""DCGAN generators and critics for square images, from the official scripts to the random architectures of table 1.

The critic halves the image, rounding up, until its side is at most 4. The first halving has ``filters`` (d) channels,
and each further one doubles them. A halving is a 5×5 convolution of stride 2; one linear layer follows the last. The
generator is the mirror image: a linear layer, then transposed 5×5 convolutions, where a side that was rounded up loses
its last row and column. For example, sides 32, 16, 8, 4 give a critic of d, 2d, 4d channels and 4 layers with weights;
28 goes through 14, 7, 4; 64 has one more halving, and 16 has one less, with d and 2d channels.

``depth`` counts the layers with weights. Layers beyond those that the side requires are 3×3 convolutions at the
second-smallest side, which is 8 (7 for 28): they keep the number of channels and are followed by normalisation and
nonlinearity. At 32 they have 2d channels, as in the authors' lab script, and depths 4, 8, 12, 20 insert 0, 4, 8, 16
layers; at 16, which requires only 3 layers, the same depths insert 1, 5, 9, 17.

=========  =========================================================================================================
official   options
=========  =========================================================================================================
32 px      ``filters = 128``; generator ``unit_norm = true``; critic ``norm = "batch"`` but for WGAN-GP (gan_cifar)
28 px      ``filters = 64, norm = "none"``; generator ``output = "sigmoid"`` on pixels in [0, 1] (gan_mnist, WGAN-GP)
64 px      ``filters = 64, init_std = 0.02``; critic ``norm = "batch"``, ``"layer"`` for WGAN-GP (gan_64x64, baseline)
=========  =========================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wganbench.networks import layout
from wganbench.networks.convolution import Conv, Deconv, Linear
from wganbench.networks.layout import Layer
from wganbench.networks.nonlinearity import Nonlinearity
from wganbench.networks.normalisation import NORMALISATIONS


class DcganGenerator(nn.Module):
    """Latent vectors ``(batch, latent)`` → images ``(batch, channels, side, side)``.

    Args:
        input_shape, output_shape: ``(latent,)`` and ``(channels, side, side)``.
        filters: Channels before the last layer.
        constant: Whether all layers before the last have ``filters`` channels, as in the smaller of the generators that
            Arjovsky et al. (2017, figure 6) and Gulrajani et al. (2017, figure 2) try.
        depth: Number of layers with weights; None for the fewest possible.
        activation: ``relu``, ``leaky_relu`` (slope 0.2), ``tanh``, ``softplus`` (softplus(2x + 2)/2 − 1) or ``elu``;
            not applied after the last layer.
        norm: ``batch`` (always with the batch's own statistics), ``layer`` or ``none``; not applied after the last
            layer.
        unit_norm: Whether to normalise each unit of the linear layer separately, instead of each channel of the image
            that the units form.
        output: The function applied to the last layer: ``tanh``, for pixels in [−1, 1], or ``sigmoid``, for [0, 1].
        init_std: Standard deviation of all weights; None for each layer's own (``wganbench.networks.convolution``).

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        filters: int,
        constant: bool = False,
        depth: int | None = None,
        activation: str = "relu",
        norm: str = "batch",
        unit_norm: bool = False,
        output: str = "tanh",
        init_std: float | None = None,
    ):
        super().__init__()
        first, *others = layout.dcgan_generator(
            input_shape,
            output_shape,
            filters=filters,
            constant=constant,
            depth=depth,
            norm=norm,
            unit_norm=unit_norm,
        )
        to_image = [nn.Unflatten(1, (others[0].inputs, others[0].side_in, others[0].side_in))]
        norms = _normalisation(first, norm)
        behind = [*norms, *to_image] if unit_norm else [*to_image, *norms]
        layers = [_weights(first, init_std), *behind, Nonlinearity(activation)]
        for layer in others[:-1]:
            layers += [_weights(layer, init_std), *_normalisation(layer, norm), Nonlinearity(activation)]
        self.layers = nn.Sequential(*layers, _weights(others[-1], init_std))
        self.output = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[output]

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.layers(x.flatten(1)))


class DcganCritic(nn.Module):
    """Images ``(batch, channels, side, side)`` → scores ``(batch,)``.

    Args:
        input_shape, output_shape: ``(channels, side, side)`` and ``()``.
        filters: Channels after the first layer.
        depth, activation, init_std: As for ``DcganGenerator``.
        norm: ``batch``, ``layer`` (for a penalty, which needs a critic that does not mix rows) or ``none``; not applied
            after the first layer.
        spectral_norm: Whether to divide the weights of every layer by their spectral norm.

    Raises:
        SpecError: If no such network exists for the images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        filters: int,
        depth: int | None = None,
        activation: str = "leaky_relu",
        norm: str = "none",
        init_std: float | None = None,
        spectral_norm: bool = False,
    ):
        super().__init__()
        *convolutions, last = layout.dcgan_critic(input_shape, filters=filters, depth=depth, norm=norm)
        self.output_shape = tuple(output_shape)
        layers: list[nn.Module] = []
        for layer in convolutions:
            weights = _weights(layer, init_std, spectral=spectral_norm)
            layers += [weights, *_normalisation(layer, norm), Nonlinearity(activation)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), _weights(last, init_std, spectral=spectral_norm))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).reshape(x.shape[0], *self.output_shape)


def _weights(layer: Layer, std: float | None, *, spectral: bool = False) -> nn.Module:
    if layer.kind == "linear":
        return Linear(layer.inputs, layer.outputs, std=std, spectral=spectral)
    if layer.kind == "conv":
        return Conv(layer.inputs, layer.outputs, layer.kernel, layer.stride, std=std, spectral=spectral)
    return Deconv(layer.inputs, layer.outputs, layer.kernel, layer.side_out, std=std)


def _normalisation(layer: Layer, norm: str) -> list[nn.Module]:
    return [NORMALISATIONS[norm](layer.normed)] if layer.normed else []
