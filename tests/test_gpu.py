"""On CUDA: the same step, the same path. Run with ``pytest -m gpu``."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from tests.runner.test_classes import SPEC as CLASSED
from tests.runner.test_resume import described, train, train_until
from tests.values import of_values
from wganbench.cli import cli
from wganbench.data import shapes10
from wganbench.records import speeds
from wganbench.records.store import Store
from wganbench.rng import Streams
from wganbench.runner.build import make_trainer
from wganbench.runner.cohort import Attempt, train_cohort
from wganbench.runner.loop import Execution
from wganbench.runner.precision import numerics
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand
from wganbench.training.batches import Batches
from wganbench.training.cuda_graph import NotCapturedError, capture
from wganbench.training.stack import Stack, build

pytestmark = pytest.mark.gpu
CUDA = torch.device("cuda")
ONE_OF_EACH = {
    "swissroll": ["clip-0.001", "wgan-gp"],
    "surfaces": ["ring-gp", "roll-clip"],
    "parallel-lines": ["critic-p050", "discriminator-m100"],
    "optimal-critic": ["translation64-10", "gaussians-10-independent"],
    "penalties": ["ring-linear", "circles-one-sided"],
    "estimate-quality": ["roll-gp"],
    "observations": ["batch-norm", "elu"],
    "fig2": ["discriminator"],
    "theorem2": ["discriminator-near-1"],
    "language": ["wgan-gp"],
}
NEED_STEPS = {"drift", "rank_correlation", "rise_contrast", "detrended_distance_spread"}
"""Measures that are undefined after a few steps."""
VARIANTS = [("gaussians8", variant) for variant in load("gaussians8").variants]
VARIANTS += [(name, variant) for name, variants in ONE_OF_EACH.items() for variant in variants]


class MovedStreams(Streams):
    """Draws on the CPU and moves them, so that both devices see the same numbers."""

    def draw(self, *about):
        return super().draw(*about).cuda()


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_one_step_on_cuda_agrees_with_the_cpu(name, variant):
    setting, seeds = load(name).setting(variant, "smoke"), (0, 3)
    here, there = (make_trainer(setting, seeds, torch.device(name)) for name in ("cpu", "cuda"))
    there.streams = {name: MovedStreams(seeds, name) for name in there.streams}
    data, size = there.data.to("cpu"), setting.batch_size
    there.batches = {name: Batches(data, there.streams[name], size) for name in there.batches}
    for trainer in (here, there):
        trainer.step()
    for label, loss in here.losses.items():
        theirs = there.losses[label].cpu()
        with of_values():
            torch.testing.assert_close(theirs, loss, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_runs_on_cuda_and_the_record_names_the_card(name, variant):
    runs = expand(load(name), "smoke", [0, 1], [variant])
    for outcome in train_cohort(Cohort(tuple(runs)), Attempt(device=CUDA, drawn=runs[0].id)):
        assert outcome.record.status == "finished", outcome.record.note
        undefined = {label for label, value in outcome.record.measures.items() if value is None}
        with of_values():
            assert undefined <= NEED_STEPS
        assert outcome.record.provenance.device == torch.cuda.get_device_name()


FALLING = ["steps=40", "lr_decay='linear'", "generator_average=0.9"]
CAPTURED = {
    "gan": ("gaussians8", "gan", []),
    "wgan-clip": ("gaussians8", "wgan-clip", []),
    "wgan-clip, falling": ("gaussians8", "wgan-clip", FALLING),  # RMSprop
    "swissroll, clipped": ("swissroll", "clip-0.01", []),  # RMSprop of TensorFlow
    "swissroll, clipped, falling": ("swissroll", "clip-0.01", FALLING),
    "wgan-gp": ("swissroll", "wgan-gp", []),
    "wgan-gp, falling": ("swissroll", "wgan-gp", FALLING),  # Adam
    "dcgan": ("table2", "dcgan-wgan-gp", []),
    "unrolled to first order": ("gaussians8", "unrolled", []),
    "unrolled to second order": ("gaussians8", "unrolled-second-order", []),
    "rescaled": ("gaussians8", "wgan-rescale", []),
    "fixed generator": ("surfaces", "ring-gp", []),
    "fixed generator, clipped": ("surfaces", "roll-clip", []),
    "fixed generator of its own reals": ("optimal-critic", "translation2-10-independent", []),
}


def made(case, seeds=(0, 3)):
    name, variant, overrides = CAPTURED[case]
    profile = "quick" if name == "table2" else "smoke"
    setting = load(name, overrides).setting(variant, profile)
    return make_trainer(setting, seeds[: 1 if case == "dcgan" else None], CUDA)


def trained(stack):
    """Names of the parameters that the loss depends on.

    A bias before a batch normalisation has the gradient 0 but for rounding, which Adam turns into steps of full length.
    """
    norms = {name: tensor.grad.norm() for name, tensor in stack.parameters.items()}
    return [name for name, norm in norms.items() if norm > 1e-5 * max(norms.values())]


def assert_close(one, other):
    with of_values():
        _assert_close(one, other)


def _assert_close(one, other):
    for name, loss in one.losses.items():
        torch.testing.assert_close(loss, other.losses[name], rtol=1e-3, atol=1e-4)
    pairs = {name: (stack, other.networks[name]) for name, stack in one.networks.items()}
    if one.sampled is not None:
        pairs["sampled"] = one.sampled, other.sampled
    for name, (stack, theirs) in pairs.items():
        for weight in trained(other.networks["generator" if name == "sampled" else name]):
            apart = (stack.parameters[weight] - theirs.parameters[weight]).norm()
            assert apart <= 1e-3 * theirs.parameters[weight].norm() + 1e-5, f"{weight} of the {name}"


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_image_networks_on_tensor_cores_lie_channels_last_and_step_as_in_float32(precision):
    exact, rounded = (
        make_trainer(load("table2", [f"precision='{each}'"]).setting("dcgan-wgan-gp", "quick"), [0], CUDA)
        for each in ("fp32", precision)
    )
    for trainer, how in ((exact, "fp32"), (rounded, precision)):
        with numerics(CUDA, 1, precision=how):
            trainer.host_step()
            trainer.device_step()
    filters = [tensor for tensor in rounded.critic.parameters.values() if tensor.ndim == 5]
    assert all(tensor[0].is_contiguous(memory_format=torch.channels_last) for tensor in filters)
    assert all(tensor.grad[0].stride() == tensor[0].stride() for tensor in filters)
    with of_values():
        torch.testing.assert_close(rounded.critic_loss, exact.critic_loss, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_captured_steps_on_tensor_cores_are_the_eager_ones(precision):
    setting = load("table2", [f"precision='{precision}'"]).setting("dcgan-wgan-gp", "quick")
    with numerics(CUDA, 1, precision=precision):
        eager, captured = make_trainer(setting, [0], CUDA), make_trainer(setting, [0], CUDA)
        step = capture(captured)
        eager.step()
        step()
    with of_values():
        for name, loss in eager.losses.items():
            torch.testing.assert_close(captured.losses[name], loss, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("case", CAPTURED)
def test_twenty_captured_steps_are_the_eager_ones_to_rounding(case):
    with numerics(CUDA, 1):
        eager, captured = made(case), made(case)
        step = capture(captured)
        for _ in range(20):
            eager.step()
            step()
        assert_close(captured, eager)


@pytest.mark.parametrize("case", CAPTURED)
def test_captured_steps_go_on_from_a_checkpoint_of_captured_steps_and_of_eager_ones(case):
    with numerics(CUDA, 1):
        eager = made(case)
        for _ in range(5):
            eager.step()
        resumed = made(case)
        resumed.restore(eager.state())
        step = capture(resumed)
        for _ in range(5):
            step()
        last = made(case)
        last.restore(resumed.state())
        resumed.restore(last.state())  # into the memory that the graph works on
        for _ in range(5):
            step()
            last.step()
        for _ in range(10):
            eager.step()
        assert_close(resumed, eager)
        assert_close(last, eager)


@pytest.mark.parametrize("variant", ["wgan-gp", "wgan-clip"])
def test_a_run_that_goes_on_from_a_file_ends_bit_for_bit_as_an_undisturbed_one(variant, tmp_path, monkeypatch):
    execution = Execution(device="cuda", stack=2, threads=1, checkpoint_seconds=0.0, deterministic=True)
    whole, stopped = Store(tmp_path / "whole"), Store(tmp_path / "stopped")
    undisturbed = train(("gaussians8", variant), whole, execution=execution)
    train_until(5, ("gaussians8", variant), stopped, monkeypatch, execution=execution)
    resumed = train(("gaussians8", variant), stopped, execution=execution)
    assert [record.provenance.captured for record in undisturbed + resumed] == [True] * 4
    found, expected = described(stopped, resumed), described(whole, undisturbed)
    with of_values():
        assert found == expected


def test_captured_steps_with_classes_and_a_generator_batch_are_the_eager_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    path = tmp_path / "classed.toml"
    path.write_text(CLASSED)
    setting = load(path).setting("gp", "smoke")
    with numerics(CUDA, 1):
        eager, captured = (make_trainer(setting, (0, 3), CUDA) for _ in range(2))
        step = capture(captured)
        for _ in range(20):
            eager.step()
            step()
        assert_close(captured, eager)
        for stream, theirs in zip(captured.drawn_from.values(), eager.drawn_from.values(), strict=True):
            for mine, other in zip(stream.generators, theirs.generators, strict=True):
                assert torch.equal(mine.get_state(), other.get_state())


class Looks(nn.Module):
    """Asks the card for a number at each call, which a graph cannot."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return self.layer(x).squeeze(1) * float(x.detach().abs().max().item() >= 0)


def test_a_network_that_cannot_be_captured_is_trained_all_the_same():
    with numerics(CUDA, 1):
        plain, refused = (made("gan", (0,)) for _ in range(2))
        for trainer in (plain, refused):
            trainer.critic = Stack(build(Looks, [0], "critic", CUDA))
            parameters = list(trainer.critic.parameters.values())
            trainer.critic_optimizer = torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.9), fused=True)
        with pytest.raises(NotCapturedError) as reason:
            capture(refused)
        assert len(str(reason.value).splitlines()) == 1
        torch.randn(3, device="cuda")  # the GPU's own generator is out of the capture as well
        for _ in range(5):
            plain.step()
            refused.step()
        assert_close(refused, plain)


@pytest.mark.parametrize("asked", [True, False])
def test_a_record_tells_whether_its_steps_were_captured(asked):
    runs = expand(load("swissroll"), "smoke", [0], ["wgan-gp"])
    said = []
    attempt = Attempt(device=CUDA, capture=asked, on_message=said.append)
    (outcome,) = train_cohort(Cohort(tuple(runs)), attempt)
    assert (outcome.record.status, outcome.record.provenance.captured, said) == ("finished", asked, [])


def test_speed_is_measured_on_cuda_and_kept_by_the_name_of_the_card(tmp_path):
    chosen = ["gaussians8", "--profile", "smoke", "--variant", "wgan-gp", "--seeds", "4", "--seconds", "1"]
    result = CliRunner().invoke(cli, ["speed", *chosen, "--device", "cuda", "--results", str(tmp_path)])
    assert result.exit_code == 0, result.output
    (device,) = speeds.load(tmp_path)
    assert (device.device, device.name) == ("cuda", torch.cuda.get_device_name())
    (row,) = device.rows
    assert 2**10 < row.memory_bytes < 2**30
    with of_values():
        assert row.matmul.median > 1e12, "a GPU does more than a trillion operations a second"
        assert 0 < row.share.median < 1
        assert row.ratio.median > 1, "four launch-bound seeds in a stack are faster than one after the other"
