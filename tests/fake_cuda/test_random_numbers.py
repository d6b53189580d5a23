"""A stack of 64 seeds takes few launches for its random numbers, and none of them within the graph."""

import pytest
import torch

from tests.fake_cuda import counters
from wganbench.runner.build import make_trainer
from wganbench.runner.precision import numerics
from wganbench.spec import load
from wganbench.training.cuda_graph import capture
from wganbench.training.step_streams import MAX_STEPS

CUDA = torch.device("cuda")
STEPS = 2 * MAX_STEPS


def launches(name, variant, n_seeds):
    with numerics(CUDA, 1):
        trainer = make_trainer(load(name).setting(variant, "paper"), range(n_seeds), CUDA)
        trainer.step()
        trainer.host_step()
        counters.reset()
        trainer.device_step()
        in_graph = counters.counts()
        step = capture(trainer)
        counters.reset()
        for _ in range(STEPS):
            step()
        return in_graph, counters.counts()


@pytest.mark.slow
def test_random_numbers_of_64_seeds_take_few_launches(fake_cuda):
    """Drawn step by step, they took 640 of 1,109 kernels, and 384 fills of generators' positions beside the graph."""
    in_graph, beside = fake_cuda(launches, "gaussians8", "wgan-gp", 64)
    assert in_graph["kernels"] <= 500
    assert beside["graph_launches"] == STEPS
    each = ("kernels", "library_calls", "fills", "copies_on_device", "copies_to_device")
    assert sum(beside[what] for what in each) <= 16 * STEPS
