"""Costs in closed form against the modules themselves, torch's own counter and published numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wganbench.networks import cost
from wganbench.networks.layout import LAYOUTS
from wganbench.runner.resolve import import_object
from wganbench.spec import Component
from wganbench.spec.catalogue import NAMES

IMAGES = [(3, 16, 16), (3, 32, 32), (3, 64, 64), (1, 28, 28), (3, 23, 23)]
LATENT = (128,)


def resolved(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return Component.resolve("network", {"name": name, **options}).arguments


def shapes(name: str, image: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (LATENT, image) if name.endswith("generator") else (image, ())


def closed_form(name: str, image: tuple[int, ...], **options: Any) -> cost.Cost:
    found = cost.of_network(name, resolved(name, options), *shapes(name, image))
    assert found is not None
    return found


def counted(name: str, image: tuple[int, ...], **options: Any) -> tuple[int, int]:
    """Parameters, and torch's floating-point operations of one sample, of the module itself; nothing is computed."""
    given, made = shapes(name, image)
    with torch.device("meta"):
        network = import_object("network", name)(given, made, **resolved(name, options))
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(2, *given))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("name", "image", "options", "expected"),
    [
        ("dcgan_generator", (3, 32, 32), {"filters": 128, "unit_norm": True}, 5_179_907),
        ("dcgan_critic", (3, 32, 32), {"filters": 128}, 4_114_689),
        ("resnet_generator", (3, 32, 32), {}, 1_204_483),
        ("resnet_critic", (3, 32, 32), {}, 1_053_825),
        ("resnet_generator", (3, 32, 32), {"classes": 10}, 1_218_307),
        ("resnet_critic", (3, 32, 32), {"classes": 10}, 1_055_115),
        ("dcgan_generator", (1, 28, 28), {"filters": 64, "norm": "none"}, 1_554_177),
        ("dcgan_critic", (1, 28, 28), {"filters": 64}, 1_030_145),
        # 64 px by hand: linear, norms of 512 + 256 + 128 + 64 channels, four transposed convolutions
        (
            "dcgan_generator",
            (3, 64, 64),
            {"filters": 64},
            129 * 8192 + 2 * 960 + 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 256 + 128 + 64 + 3,
        ),
    ],
)
def test_published_parameter_counts(name, image, options, expected):
    assert closed_form(name, image, **options).parameters == expected


def test_a_small_critics_multiplications_are_those_counted_by_hand():
    # 16 px: 5×5 from 3 to 4 at 8×8 places, 3×3 from 4 to 4 at 8×8, 5×5 from 4 to 8 at 4×4, linear from 128
    by_hand = 25 * 3 * 4 * 64 + 9 * 4 * 4 * 64 + 25 * 4 * 8 * 16 + 128
    assert closed_form("dcgan_critic", (3, 16, 16), filters=4, depth=4).multiply_adds == by_hand
    assert closed_form("dcgan_critic", (3, 16, 16), filters=4, depth=4).flops == 2 * by_hand


REDUCED = [((3, 16, 16), depth, filters, 8) for depth, filters in product((4, 8, 12), (32, 64, 128))]
TABLE_1 = [((3, 32, 32), depth, filters, None) for depth, filters in product((4, 8, 12, 20), (32, 64, 128))]


@pytest.mark.parametrize(("image", "depth", "filters", "divided_by"), [*REDUCED, *TABLE_1])
@pytest.mark.parametrize("name", ["dcgan_generator", "dcgan_critic"])
def test_every_network_of_the_random_architectures_costs_what_the_module_does(name, image, depth, filters, divided_by):
    for norm in ("batch", "layer", "none"):
        options = {"depth": depth, "filters": filters, "filters_divided_by": divided_by, "norm": norm}
        options = {key: value for key, value in options.items() if value is not None}
        found = closed_form(name, image, **options)
        assert (found.parameters, found.flops) == counted(name, image, **options)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(
    "options", [{}, {"unit_norm": True}, {"norm": "layer", "unit_norm": True}, {"activation": "gated", "depth": 7}]
)
def test_so_do_the_official_ones(image, options):
    found = closed_form("dcgan_generator", image, filters=6, **options)
    assert (found.parameters, found.flops) == counted("dcgan_generator", image, filters=6, **options)


@pytest.mark.parametrize("options", [{"hidden": [512] * 3}, {"hidden": []}, {"hidden": [5, 7], "summed_outputs": 4}])
@pytest.mark.parametrize("output", [(), (2,), (3, 2)])
def test_so_do_perceptrons(options, output):
    filled = resolved("mlp", options)
    found = cost.of_network("mlp", filled, (2,), output)
    network = import_object("network", "mlp")((2,), output, **filled)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(3, 2))
    assert found == cost.Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 6)


@pytest.mark.parametrize("image", [(3, 8, 8), (3, 16, 16), (3, 32, 32), (1, 64, 64)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet_generator", {"dim": 128, "norm_batches": 2}),
        ("resnet_generator", {"dim": 12, "upsample": "second"}),
        ("resnet_generator", {"dim": 24, "filters_divided_by": 2}),
        ("resnet_critic", {"dim": 24, "filters_divided_by": 4, "norm": "layer"}),
        ("resnet_critic", {"dim": 128}),
        ("resnet_critic", {"dim": 12, "norm": "layer"}),
    ],
)
def test_so_do_residual_networks(image, name, options):
    found = closed_form(name, image, **options)
    assert (found.parameters, found.flops) == counted(name, image, **options)


@pytest.mark.parametrize("image", [(3, 16, 16), (3, 64, 64)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dcgan_critic", {"filters": 8, "norm": "layer", "activation": "gated"}),
        ("dcgan_critic", {"filters": 8, "filters_divided_by": 4, "activation": "gated"}),
        ("bottleneck_generator", {"dim": 64}),
        ("bottleneck_critic", {"dim": 64, "filters_divided_by": 4, "norm": "layer"}),
        ("bottleneck_critic", {"dim": 8}),
    ],
)
def test_so_do_gated_ones_and_bottlenecks(image, name, options):
    found = closed_form(name, image, **options)
    assert (found.parameters, found.flops) == counted(name, image, **options)


@pytest.mark.parametrize("name", ["text_generator", "text_critic"])
@pytest.mark.parametrize("options", [{"dim": 6}, {"dim": 24, "filters_divided_by": 2}])
def test_so_do_networks_of_texts(name, options):
    found = closed_form(name, (11, 9), **options)
    assert (found.parameters, found.flops) == counted(name, (11, 9), **options)


@pytest.mark.parametrize(
    ("upsample", "norm"), [("first", "none"), ("first", "layer"), ("second", "none"), ("second", "layer")]
)
def test_conditional_ones_have_as_many_parameters_as_the_module_and_the_head_costs_its_weights(upsample, norm):
    for name, options in (("resnet_generator", {"upsample": upsample}), ("resnet_critic", {"norm": norm})):
        found = closed_form(name, (3, 16, 16), dim=8, classes=10, **options)
        plain = closed_form(name, (3, 16, 16), dim=8, **options)
        with torch.device("meta"):
            network = import_object("network", name)(
                *shapes(name, (3, 16, 16)), **resolved(name, {"dim": 8, "classes": 10, **options})
            )
        assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
        assert found.multiply_adds - plain.multiply_adds == (80 if name == "resnet_critic" else 0)


def test_the_multiplications_of_the_resnet_are_those_counted_by_hand():
    d = 128 * 128
    # a 3×3 convolution beside a doubling or a halving has 16 weights at the places of the smaller side
    doubled = sum(d * (16 * s**2 + 9 * (2 * s) ** 2 + s**2) for s in (4, 8, 16))
    by_hand = 128 * 2048 + doubled + 9 * 128 * 3 * 32**2
    assert closed_form("resnet_generator", (3, 32, 32)).multiply_adds == by_hand
    doubled = sum(d * (9 * s**2 + 16 * s**2 + s**2) for s in (4, 8, 16))
    by_hand = 128 * 2048 + doubled + 9 * 128 * 3 * 32**2
    assert closed_form("resnet_generator", (3, 32, 32), upsample="second").multiply_adds == by_hand
    first = 9 * 3 * 128 * 32**2 + 16 * d * 16**2 + 3 * 128 * 16**2
    by_hand = first + d * (9 * 16**2 + 16 * 8**2 + 8**2) + 4 * 9 * d * 8**2 + 128
    assert closed_form("resnet_critic", (3, 32, 32)).multiply_adds == by_hand


def test_every_network_that_has_a_name_has_a_cost():
    assert LAYOUTS.keys() == NAMES["network"].keys()
    assert cost.of_network("a.b:c", {}, (2,), ()) is None
