"""On CUDA: image networks, epochs, large stacks and score networks. Run with ``pytest -m gpu``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.test_gpu import CUDA, MovedStreams, assert_close, trained
from tests.values import of_values
from wganbench.data import shapes10
from wganbench.measures.scores.inception import inception
from wganbench.networks.normalisation import spectral_norm
from wganbench.runner import resolve
from wganbench.runner.build import make_trainer
from wganbench.runner.precision import numerics
from wganbench.spec import Component, load
from wganbench.training.cuda_graph import capture

pytestmark = pytest.mark.gpu
CPU = torch.device("cpu")
N_IMAGES = 90
RESNETS = ["wgan-gp", "wgan-gp-conditional", "gan-resnet", "sn-resnet", "upsample-second", "flips"]
DCGANS = ["dcgan", "lsgan", "wgan-clip", "wgan-rescale", "wgan-gp-dcgan"]


@pytest.fixture(autouse=True)
def few_images(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": N_IMAGES, "test": 20})
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))


def of_table3(variant, *overrides):
    """A setting with images of 16×16 in batches of 8, all of them in another order each epoch."""
    return load("table3", list(overrides)).setting(variant, "smoke")


class MovedBatches:
    """Real batches that are drawn on the CPU and moved, so that both devices see the same images."""

    def __init__(self, batches):
        self.batches, self.epochs = batches, []

    def host_step(self, n):
        self.batches.host_step(n)

    def draw(self, n):
        return [real.cuda() for real in self.batches.draw(n)]

    def labels(self, n):
        return [each if each is None else each.cuda() for each in self.batches.labels(n)]


@pytest.mark.parametrize("variant", [*DCGANS, *RESNETS])
def test_a_step_of_an_image_network_on_cuda_agrees_with_the_cpu(variant):
    setting = of_table3(variant, "n_critic=1")
    here, source, there = (make_trainer(setting, [0], device) for device in (CPU, CPU, CUDA))
    there.streams = {name: MovedStreams([0], name) for name in there.streams}
    there.batches = {name: MovedBatches(own) for name, own in source.batches.items()}
    with numerics(CUDA, 1):
        for trainer in (here, there):
            trainer.step()
    for name, loss in here.losses.items():
        theirs = there.losses[name].cpu()
        with of_values():
            torch.testing.assert_close(theirs, loss, rtol=1e-3, atol=1e-4)
    for name, stack in here.networks.items():
        for weight in trained(stack):
            gradient, theirs = stack.parameters[weight].grad, there.networks[name].parameters[weight].grad.cpu()
            # The generator's is at a critic after a step of Adam, which amplifies the rounding of small gradients.
            with of_values():
                assert (gradient - theirs).norm() <= (1e-3 if name == "critic" else 2e-2) * gradient.norm(), weight


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("variant", ["flips", "wgan-gp-conditional", "sn-resnet"])
def test_captured_steps_of_the_resnet_with_noise_and_flips_are_the_eager_ones(variant, precision):
    setting = of_table3(variant, f"precision='{precision}'")
    with numerics(CUDA, 1, precision=precision):
        eager, captured = (make_trainer(setting, [0], CUDA) for _ in range(2))
        step = capture(captured)
        for _ in range(3):
            eager.step()
            step()
    with of_values():
        for name, loss in eager.losses.items():
            torch.testing.assert_close(captured.losses[name], loss, rtol=0.05, atol=0.05)
    for name, streams in eager.drawn_from.items():
        for own, other in zip(streams.generators, captured.drawn_from[name].generators, strict=True):
            assert torch.equal(own.get_state(), other.get_state()), f"the stream of {name} is at another place"


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_spectral_norms_are_rounded_in_no_precision(precision):
    weight = torch.randn(128, 128, 3, 3, generator=torch.Generator().manual_seed(0))
    autocast = torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16")
    with numerics(CUDA, 1, precision=precision), autocast:
        found = spectral_norm(weight.cuda())
    found, expected = found.item(), spectral_norm(weight.double()).item()
    with of_values():
        assert found == pytest.approx(expected, rel=1e-5)


def test_captured_steps_go_through_the_end_of_an_epoch_as_eager_ones_do():
    setting = of_table3("wgan-gp")
    assert N_IMAGES // setting.batch_size < 3 * setting.n_critic, "three steps reach the next epoch"
    with numerics(CUDA, 1):
        eager, captured = (make_trainer(setting, [0], CUDA) for _ in range(2))
        step = capture(captured)
        (began,) = (order.state()["began"] for order in captured.epochs["data"])
        for _ in range(6):
            eager.step()
            step()
        assert_close(captured, eager)
    (own,), (other,) = eager.epochs["data"], captured.epochs["data"]
    assert own.state()["position"] == other.state()["position"]
    assert torch.equal(own.state()["began"], other.state()["began"])
    assert not torch.equal(began, other.state()["began"])


@pytest.mark.parametrize("variant", ["gan", "wgan-gp", "wgan-clip"])
def test_64_seeds_in_a_stack_are_captured_and_each_is_trained_as_alone(variant):
    setting = load("gaussians8").setting(variant, "smoke")
    with numerics(CUDA, 1):
        stack, alone = make_trainer(setting, range(64), CUDA), make_trainer(setting, [41], CUDA)
        step = capture(stack)
        step()
        alone.step()
    with of_values():
        assert stack.finite.all()
        for name, loss in alone.losses.items():
            torch.testing.assert_close(stack.losses[name][41:42], loss, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("file", ["shapes10-16-8c9f1cc8", "shapes10-32-e38e9d3b", "mnist-16-05e1af67"])
def test_a_classifier_on_cuda_agrees_with_the_cpu(file):
    here, there = (resolve.score(Component.resolve("score", {"name": "classifier", "file": file})) for _ in range(2))
    shape = (64, here.about.channels, here.about.size, here.about.size)
    assert_agree(here, there.to(CUDA), shape)


def test_inception_on_cuda_agrees_with_the_cpu():
    weights = os.environ.get("WGANBENCH_INCEPTION_WEIGHTS")
    if not weights or not Path(weights).is_file():
        pytest.skip("WGANBENCH_INCEPTION_WEIGHTS names no file")
    here, there = (inception(Path(weights)) for _ in range(2))
    assert_agree(here, there.to(CUDA), (16, 3, 32, 32))


def assert_agree(here, there, shape):
    images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with numerics(CUDA, 1, precision="tf32"):  # scores do not depend on the precision of training
        for own, other in zip(here(images), there(images.cuda()), strict=True):
            theirs = other.cpu()
            with of_values():
                assert (own - theirs).norm() <= 1e-4 * own.norm()
