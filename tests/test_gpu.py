"""On CUDA: the same step, the same path. Run with ``pytest -m gpu``."""

from __future__ import annotations

import pytest
import torch

from wganbench.plan import Cohort, expand
from wganbench.runner.cohort import make_trainer, train_cohort
from wganbench.spec import load
from wganbench.streams import Streams

pytestmark = pytest.mark.gpu
VARIANTS = list(load("gaussians8").variants)


class MovedStreams(Streams):
    """Draws on the CPU and moves them, so that both devices see the same numbers."""

    def normal(self, *shape):
        return super().normal(*shape).cuda()

    def uniform(self, *shape):
        return super().uniform(*shape).cuda()


class MovedData:
    def __init__(self, data):
        self.data = data.to("cpu")

    def draw(self, n, rng):
        return self.data.draw(n, rng).cuda()


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_step_on_cuda_agrees_with_the_cpu(variant):
    setting, seeds = load("gaussians8").setting(variant, "smoke"), (0, 3)
    here, there = (make_trainer(setting, seeds, torch.device(name)) for name in ("cpu", "cuda"))
    there.streams = {name: MovedStreams(seeds, name) for name in there.streams}
    there.data = MovedData(there.data)
    for trainer in (here, there):
        trainer.step()
    torch.testing.assert_close(there.critic_loss.cpu(), here.critic_loss, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(there.generator_loss.cpu(), here.generator_loss, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_runs_on_cuda_and_the_record_names_the_card(variant):
    runs = expand(load("gaussians8"), "smoke", [0, 1], [variant])
    for outcome in train_cohort(Cohort(tuple(runs)), torch.device("cuda"), artefact_of=runs[0]):
        assert outcome.record.status == "finished", outcome.record.note
        assert None not in outcome.record.measures.values()
        assert outcome.record.provenance.device == torch.cuda.get_device_name()
