"""The seven pairs of Gulrajani et al., figure 2, as the spec has them, against the layers of the official script.

The paper publishes no numbers of parameters; these are counted by hand from the layers of ``gan_64x64.py``.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from wganbench.runner.resolve import import_object
from wganbench.spec import load

LATENT, IMAGE = (128,), (3, 64, 64)


def n_weights(*layers):
    """Weights and biases of layers, each given by its inputs, its pixels of a filter and its outputs."""
    return sum((inputs * pixels + 1) * outputs for inputs, pixels, outputs in layers)


def up(*widths):
    return n_weights(*((a, 25, b) for a, b in pairwise(widths)))


FROM_LATENT = n_weights((128, 1, 512 * 16))
TO_SCORE = n_weights((512 * 16, 1, 1))
SCALES_OF_G = 2 * (512 + 256 + 128 + 64)
SCALES_OF_D = 2 * (128 + 256 + 512)
DCGAN_G = FROM_LATENT + up(512, 256, 128, 64, 3)
DCGAN_D = up(3, 64, 128, 256, 512) + TO_SCORE
GATED_G = n_weights((128, 1, 1024 * 16), (512, 25, 512), (256, 25, 256), (128, 25, 128), (64, 25, 3))
GATED_D = n_weights((3, 25, 128), (64, 25, 256), (128, 25, 512), (256, 25, 1024)) + TO_SCORE

COUNTED = {
    "baseline": (DCGAN_G + SCALES_OF_G, DCGAN_D + SCALES_OF_D),
    "constant": (n_weights((128, 1, 64 * 16)) + up(64, 64, 64, 64, 3), DCGAN_D + SCALES_OF_D),
    "mlp": (n_weights((128, 1, 512), *[(512, 1, 512)] * 3, (512, 1, 3 * 64 * 64)), DCGAN_D + SCALES_OF_D),
    "unnormalised": (DCGAN_G, DCGAN_D),
    "gated": (GATED_G + 2 * SCALES_OF_G, GATED_D + 2 * SCALES_OF_D),
    "tanh": (DCGAN_G + SCALES_OF_G, DCGAN_D + SCALES_OF_D),
    "resnet": (9_189_587, 7_618_801),  # counted in test_bottleneck.py
}


@pytest.fixture(scope="module")
def spec():
    return load("lsun")


@pytest.mark.parametrize("architecture", COUNTED)
def test_the_networks_have_as_many_parameters_as_those_of_the_script(spec, architecture):
    for method in ("gan", "gp"):  # batch and layer normalisation have as many
        setting = spec.setting(f"{architecture}-{method}", "paper")
        found = []
        for network, shapes in ((setting.generator, (LATENT, IMAGE)), (setting.critic, (IMAGE, ()))):
            with torch.device("meta"):
                module = import_object("network", network.name)(*shapes, **network.arguments)
            found.append(sum(parameter.numel() for parameter in module.parameters()))
        assert tuple(found) == COUNTED[architecture], method
        assert {role: cost.parameters for role, cost in setting.costs().items()} == dict(
            zip(("generator", "critic"), found, strict=True)
        )


@pytest.mark.parametrize("architecture", COUNTED)
def test_each_method_has_the_optimisers_of_appendix_e_and_its_normalisation(spec, architecture):
    optimisers = {
        "gan": ("adam", 2e-4, [0.5, 0.999]),
        "lsgan": ("rmsprop_tf", 1e-4, None),
        "clip": ("rmsprop_tf", 5e-5, None),
        "gp": ("adam", 1e-4, [0.5, 0.9]),
    }
    for method, expected in optimisers.items():
        setting = spec.setting(f"{architecture}-{method}", "paper")
        for optimiser in (setting.generator_optimizer, setting.critic_optimizer):
            assert (optimiser.name, optimiser.options["lr"], optimiser.options.get("betas")) == expected
        assert (setting.n_critic, setting.batch_size, setting.steps) == (
            5 if method in ("clip", "gp") else 1,
            64,
            200_000,
        )
        norm = "layer" if method == "gp" else "batch"
        assert setting.critic.options["norm"] == ("none" if architecture == "unnormalised" else norm)
