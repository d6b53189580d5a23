"""A step launches exactly what launches.json says: more of it is a slower step on a GPU.

If the numbers move, look whether that is meant; ``counters.by_name("kernels")`` tells which kernels came or went. Then

    WRITE_LAUNCHES=1 .tox/py/bin/pytest -m slow tests/fake_cuda/test_launches.py

writes the new ones. They hold for one version of torch, which is written beside them; with another there is nothing to
compare.

``kernels``, ``library calls``, ``fills`` and ``copies`` are those of the device's part of an eager step. Launches
beside graphs are those of the host's part of replayed steps, and those that torch adds to a replay for random numbers.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from pathlib import Path

import pytest

from tests.fake_cuda.steps import REPLAYS, take
from tests.training.test_meta import objective
from wganbench.spec import load

pytestmark = pytest.mark.slow
LAUNCHES = ("kernels", "library_calls", "fills", "copies_on_device")
BESIDE = f"launches beside {REPLAYS} graphs"
FILE = Path(__file__).with_name("launches.json")
TORCH = importlib.metadata.version("torch").partition("+")[0]
KNOWN_WITH = json.loads(FILE.read_text())["torch"]
same_torch = pytest.mark.skipif(
    KNOWN_WITH != TORCH and "WRITE_LAUNCHES" not in os.environ,
    reason=f"launches.json was written with torch {KNOWN_WITH}, and this is {TORCH}",
)
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
    "averaged, rates that fall": ("gaussians8", "gan", 2, "generator_average=0.9", "lr_decay='linear'"),
    "minimax, noised samples": ("gaussians8", "gan-noised", 2),
    "clipped, batch normalisation": ("swissroll", "clip-0.01-batch", 2),
    "weight normalisation": ("swissroll", "weight-norm", 2),
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
    "DCGAN, layer normalisation, penalty, TF32": ("table2", "dcgan-wgan-gp", 1, "precision='tf32'"),
    "DCGAN, packed": ("stacked-mnist", "pacgan2", 2),
    "DCGAN, relativistic, R1 and R2": ("stacked-mnist", "r3gan", 2),
    "DCGAN, spectral normalisation, hinge": ("stacked-mnist", "hinge-spectral", 2),
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
    "DCGAN, gated, penalty": ("lsun", "gated-gp", 2),
    "DCGAN, gated, least squares": ("lsun", "gated-lsgan", 2),
    "bottleneck ResNet, penalty": ("lsun", "resnet-gp", 2),
    "one-dimensional ResNet, penalty": ("language", "wgan-gp", 2),
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


@same_torch
def test_a_step_launches_exactly_what_it_is_known_to(fake_cuda):
    found = fake_cuda(launches, KINDS, seconds=280)
    if "WRITE_LAUNCHES" in os.environ:
        rows = ",\n".join(f"  {json.dumps(kind)}: {json.dumps(row)}" for kind, row in found.items())
        FILE.write_text(f'{{\n "torch": "{TORCH}",\n "a step": {{\n{rows}\n }}\n}}\n')
    known = json.loads(FILE.read_text())
    assert found == known["a step"]


def launches_with_a_wasteful_objective():
    owner, attribute, planted = objective(lambda scores: scores * 1)
    setattr(owner, attribute, planted)
    return described(*KINDS["penalty"])


@same_torch
def test_a_kernel_more_is_noticed(fake_cuda):
    found = fake_cuda(launches_with_a_wasteful_objective)
    known = json.loads(FILE.read_text())["a step"]["penalty"]
    more = {what: found[what] - known[what] for what in found if found[what] != known[what]}
    assert more == {"kernels": 10, "nodes of the graph": 10}, "one forward and one backward in each of 5 critic steps"
