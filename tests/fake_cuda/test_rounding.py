"""Which matrix products are rounded: to TF32 by cuBLAS's mode, to bfloat16 by the call that takes their type."""

from __future__ import annotations

import pytest
import torch

from tests.fake_cuda import counters
from tests.fake_cuda.steps import CUDA
from wganbench.networks.normalisation import SQUARINGS, spectral_norm
from wganbench.runner.precision import numerics

pytestmark = pytest.mark.slow
PLAIN = ("cublasSgemm_v2", "cublasSgemmStridedBatched")
"""cuBLAS's products of float32 matrices."""


def products(precision):
    """The library calls of an ordinary product, and of a spectral norm in the same place."""
    weight = torch.ones(8, 8, device=CUDA)
    stack = torch.ones(2, 8, 8, device=CUDA)
    found = []
    with numerics(CUDA, 1, precision=precision), torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
        for step in (
            lambda: weight @ weight,
            lambda: spectral_norm(weight),
            lambda: torch.vmap(spectral_norm)(stack),
            lambda: weight @ weight,
        ):
            counters.reset()
            step()
            found.append(counters.by_name("library calls"))
    return found


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_the_squarings_of_a_spectral_norm_are_never_rounded(fake_cuda, precision):
    ordinary, alone, stacked, after = fake_cuda(products, precision)
    assert after == ordinary, "what was set for the norm is put back"
    assert sum(alone.values()) == sum(stacked.values()) == SQUARINGS + 2
    assert set(alone) | set(stacked) <= set(PLAIN)
    (name,) = ordinary
    assert (name in PLAIN) == (precision == "fp32")
    assert name.endswith(" tf32") == (precision == "tf32")
