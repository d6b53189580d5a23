"""A step launches exactly what launches.json says: more of it is a slower step on a GPU.

If the numbers move, look whether that is meant; ``counters.by_name("kernels")`` tells which kernels came or went. Then

    WRITE_LAUNCHES=1 pytest -m slow tests/fake_cuda/test_launches.py

writes the new ones. They hold for one version of torch; with another there is nothing to compare.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from pathlib import Path

import pytest

from tests.fake_cuda.steps import REPLAYS, take
from wganbench.spec import load

pytestmark = pytest.mark.slow
LAUNCHES = ("kernels", "library_calls", "fills", "copies_on_device")
BESIDE = f"launches beside {REPLAYS} graphs"
FILE = Path(__file__).with_name("launches.json")
TORCH = importlib.metadata.version("torch").partition("+")[0]
KINDS = {
    # plain networks
    "minimax": ("gaussians8", "gan", 2),
    "least squares": ("gaussians8", "lsgan", 2),
    "unrolled, first order": ("gaussians8", "unrolled", 2),
    "unrolled, second order": ("gaussians8", "unrolled-second-order", 2),
    "clipped": ("gaussians8", "wgan-clip", 2),
    "clipped, TensorFlow's RMSprop": ("swissroll", "clip-0.01", 2),
    "rescaled": ("gaussians8", "wgan-rescale", 2),
    "penalty": ("gaussians8", "wgan-gp", 2),
    "penalty, 1 seed": ("gaussians8", "wgan-gp", 1),
    "penalty, 64 seeds": ("gaussians8", "wgan-gp", 64),
    "penalty, one-sided": ("gaussians8", "wgan-gp-one-sided", 2),
    "penalty, deep": ("swissroll", "wgan-gp", 2),
    "penalty, linear": ("penalties", "ring-linear", 2),
    "unconstrained": ("penalties", "ring-none", 2),
    # fixed generators
    "critic alone, penalty": ("optimal-critic", "circles-10", 2),
    "critic alone, penalty, independent pairs": ("optimal-critic", "circles-10-independent", 2),
    "critic alone, discriminator": ("parallel-lines", "discriminator-p050", 2),
    "critic alone, noisy generator": ("surfaces", "ring-gp", 2),
    # convolutional networks
    "DCGAN, minimax": ("table3", "dcgan", 2),
    "DCGAN, clipped": ("fig3", "wgan-clip", 2),
    "DCGAN, rescaled": ("table3", "wgan-rescale", 2),
    "DCGAN, penalty, RMSprop": ("fig3", "wgan-gp-rmsprop", 2),
    "DCGAN, penalty": ("table3", "wgan-gp-dcgan", 2),
    "DCGAN, penalty, TF32": ("table3", "wgan-gp-dcgan", 1, "precision='tf32'"),
    "random architecture, minimax": ("table2", "a020-gan", 2),
    "random architecture, penalty": ("table2", "a020-wgan-gp", 2),
    "softplus, penalty": ("elu", "softplus", 2),
    "ResNet, penalty": ("table3", "wgan-gp", 2),
    "ResNet, penalty, float32": ("table3", "wgan-gp", 1, "precision='fp32'"),
    "ResNet, penalty, TF32": ("table3", "wgan-gp", 1, "precision='tf32'"),
    "ResNet, penalty, bfloat16": ("table3", "wgan-gp", 1, "precision='bf16'"),
    "ResNet, penalty, flips": ("table3", "flips", 2),
    "ResNet, penalty, classes": ("table3", "wgan-gp-conditional", 2),
    "ResNet, minimax": ("table3", "gan-resnet", 2),
    "ResNet, spectral normalisation": ("table3", "sn-resnet", 2),
}
"""The experiment and variant at smoke, the number of seeds, and what is set otherwise."""


def launches(kinds):
    return {kind: described(*given) for kind, given in kinds.items()}


def described(name, variant, n_seeds, *overrides):
    steps = take(load(name, overrides).setting(variant, "smoke"), range(n_seeds))
    assert steps["refused"] is None, steps["refused"]
    eager = steps["device"]
    return {
        "kernels": eager["kernels"],
        "library calls": eager["library_calls"],
        "fills": eager["fills"],
        "copies": eager["copies_on_device"],
        "nodes of the graph": steps["capture"]["graph_nodes"],
        BESIDE: sum(steps["replays"][what] for what in LAUNCHES),
    }


def test_a_step_launches_exactly_what_it_is_known_to(fake_cuda):
    found = fake_cuda(launches, KINDS, seconds=280)
    if "WRITE_LAUNCHES" in os.environ:
        rows = ",\n".join(f"  {json.dumps(kind)}: {json.dumps(row)}" for kind, row in found.items())
        FILE.write_text(f'{{\n "torch": "{TORCH}",\n "a step": {{\n{rows}\n }}\n}}\n')
    known = json.loads(FILE.read_text())
    if known["torch"] != TORCH:
        pytest.skip(f"launches.json was written with torch {known['torch']}, and this is {TORCH}")
    assert found == known["a step"]


class Wasteful(torch.autograd.Function):
    """The identity, which launches a kernel for each direction."""

    @staticmethod
    def forward(x):
        return x * 1

    @staticmethod
    def setup_context(context, inputs, output):
        pass

    @staticmethod
    def backward(context, gradient):
        return gradient * 1


def launches_of_a_wasteful_critic():
    scores = Stack.__call__
    Stack.__call__ = lambda self, x, *others, **named: scores(self, Wasteful.apply(x), *others, **named)
    return described(*KINDS["minimax"])


def test_a_kernel_more_is_noticed(fake_cuda):
    """Of the minimax game: four passes through a network a step, of which three are differentiated."""
    known = json.loads(FILE.read_text())["a step"]["minimax"]
    found = fake_cuda(launches_of_a_wasteful_critic)
    assert found["kernels"] > known["kernels"]
    assert found["nodes of the graph"] - known["nodes of the graph"] == found["kernels"] - known["kernels"]
