"""On CUDA: the same step, the same path. Run with ``pytest -m gpu``."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from wganbench import speeds
from wganbench.cli import cli
from wganbench.plan import Cohort, expand
from wganbench.runner.cohort import make_trainer, train_cohort
from wganbench.spec import load
from wganbench.streams import Streams

pytestmark = pytest.mark.gpu
ONE_OF_EACH = {
    "swissroll": ["clip-0.001", "wgan-gp"],
    "surfaces": ["ring-gp", "roll-clip"],
    "parallel-lines": ["critic-p050", "discriminator-m100"],
    "optimal-critic": ["translation64-10", "gaussians-10-independent"],
    "penalties": ["ring-linear", "circles-one-sided"],
    "estimate-quality": ["roll-gp"],
}
VARIANTS = [("gaussians8", variant) for variant in load("gaussians8").variants]
VARIANTS += [(name, variant) for name, variants in ONE_OF_EACH.items() for variant in variants]


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


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_one_step_on_cuda_agrees_with_the_cpu(name, variant):
    setting, seeds = load(name).setting(variant, "smoke"), (0, 3)
    here, there = (make_trainer(setting, seeds, torch.device(name)) for name in ("cpu", "cuda"))
    there.streams = {name: MovedStreams(seeds, name) for name in there.streams}
    there.data = MovedData(there.data)
    for trainer in (here, there):
        trainer.step()
    for label, loss in here.losses.items():
        torch.testing.assert_close(there.losses[label].cpu(), loss, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_runs_on_cuda_and_the_record_names_the_card(name, variant):
    runs = expand(load(name), "smoke", [0, 1], [variant])
    for outcome in train_cohort(Cohort(tuple(runs)), torch.device("cuda"), drawn=runs[0].id):
        assert outcome.record.status == "finished", outcome.record.note
        undefined = {label for label, value in outcome.record.measures.items() if value is None}
        assert undefined <= {"drift", "rank_correlation"}, "these need more than a few steps"
        assert outcome.record.provenance.device == torch.cuda.get_device_name()


def test_speed_is_measured_on_cuda_and_kept_by_the_name_of_the_card(tmp_path):
    chosen = ["gaussians8", "--profile", "smoke", "--variant", "wgan-gp", "--seeds", "4", "--seconds", "1"]
    result = CliRunner().invoke(cli, ["speed", *chosen, "--device", "cuda", "--results", str(tmp_path)])
    assert result.exit_code == 0, result.output
    (device,) = speeds.load(tmp_path)
    assert (device.device, device.name) == ("cuda", torch.cuda.get_device_name())
    (row,) = device.rows
    assert row.matmul.median > 1e12, "a card does more than a trillion operations a second"
    assert 0 < row.share.median < 1
    assert 2**10 < row.memory_bytes < 2**30
    assert row.ratio.median > 1, "four launch-bound seeds in a stack are faster than one after the other"
