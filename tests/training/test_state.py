"""Training that stops and goes on from its state, against training that never stopped: equal to the last bit."""

import copy
import io
from functools import partial

import pytest
import torch
from torch import nn

from tests.values import of_values
from wganbench.data.fixed_generators import Noised
from wganbench.data.images import Images
from wganbench.data.toy import SwissRoll, gaussian_ring
from wganbench.losses import constraints, objectives
from wganbench.networks.mlp import Mlp
from wganbench.training.critic_trainer import CriticTrainer, Player
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.lr_decay import begin
from wganbench.training.method import Method, Unroll
from wganbench.training.rmsprop_tf import RmspropTf
from wganbench.training.stack import Stack, build
from wganbench.training.state import copy_plain

BEFORE, AFTER = 3, 4
ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.9), fused=True)
PLAIN_ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.9))
RMSPROP = partial(torch.optim.RMSprop, lr=1e-2, alpha=0.9, foreach=True)
RMSPROP_TF = partial(RmspropTf, lr=1e-2)


class Counting(nn.Module):
    """A critic with a buffer that each call changes and reads."""

    def __init__(self):
        super().__init__()
        self.inner = Mlp((2,), (), hidden=[6])
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        return self.inner(x * (1 + self.calls.clone() / 8))


def make_critic():
    return Mlp((2,), (), hidden=[6], activation="tanh")


def make_images():
    """Two batches of eight an epoch, three images left out."""
    pixels = torch.arange(19 * 2, dtype=torch.uint8).reshape(19, 2, 1, 1) * 6
    return Images("dots", pixels, torch.zeros(19, dtype=torch.int64), "0" * 64, "256-dequantised")


def falling(params):
    optimizer = ADAM(params)
    begin(optimizer)
    return optimizer


GAN, WGAN = objectives.NonSaturating(), objectives.Wasserstein()
PENALISED = Method(WGAN, penalty=constraints.gradient_penalty, n_critic=2)
DRAWN = {"data", "latent"}

CASES = {  # how it is trained, what it is built with, which streams it draws from
    "gan": (Method(GAN), {}, DRAWN),
    "gan, plain Adam": (Method(GAN), {"optimizer": PLAIN_ADAM}, DRAWN),
    "gan, RMSprop": (Method(GAN), {"optimizer": RMSPROP}, DRAWN),
    "gan, RMSprop of TensorFlow": (Method(GAN), {"optimizer": RMSPROP_TF}, DRAWN),
    "gan, rates that fall": (Method(GAN, decay_steps=9), {"optimizer": falling}, DRAWN),
    "gan on the roll": (Method(GAN), {"data": SwissRoll}, DRAWN),
    "a buffer": (Method(GAN), {"critic": Counting}, DRAWN),
    "unrolled, first order": (Method(GAN, unroll=Unroll(3, "first")), {}, DRAWN),
    "unrolled, second order": (Method(GAN, unroll=Unroll(3, "second")), {}, DRAWN),
    "clip": (
        Method(WGAN, projection=partial(constraints.clip, clip_value=0.3), project="before", n_critic=2),
        {"optimizer": RMSPROP},
        DRAWN,
    ),
    "rescale": (Method(WGAN, projection=partial(constraints.rescale, clip_value=0.3), n_critic=2), {}, DRAWN),
    "penalty": (PENALISED, {}, {*DRAWN, "penalty"}),
    "fixed": (PENALISED, {"fixed": Noised(std=0.5)}, {"data", "noise", "penalty"}),
    "fixed, independent": (
        PENALISED,
        {"fixed": Noised(std=0.5, independent=True)},
        {"data", "data of the generator", "noise", "penalty"},
    ),
    "images": (Method(GAN), {"data": make_images}, {"latent", "dequantisation"}),
    "images, fixed, independent": (
        Method(GAN),
        {"data": make_images, "fixed": Noised(std=0.5, independent=True)},
        {"dequantisation", "noise"},
    ),
}


def make(case, n_seeds=3, device="cpu", *, seeds=(), **changes):
    method, options, _ = CASES[case]
    options = {"optimizer": ADAM, "critic": make_critic, "data": gaussian_ring, "fixed": None, **options, **changes}
    seeds = seeds or (3, 4, 9)[:n_seeds]
    critic = Stack(build(options["critic"], seeds, "critic", device))
    of_critic = (player(critic, options["optimizer"]), method, options["data"]().to(device))
    if options["fixed"] is not None:
        return CriticTrainer(seeds, *of_critic, options["fixed"], batch_size=8)
    generator = Stack(build(lambda: Mlp((4,), (2,), hidden=[6]), seeds, "generator", device))
    return GanTrainer(seeds, player(generator, options["optimizer"]), *of_critic, latent_dim=4, batch_size=8)


def player(stack, optimizer):
    return Player(stack, optimizer(list(stack.parameters.values())))


def trained(trainer, steps):
    for _ in range(steps):
        trainer.step()
    return trainer


def by_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def bits(value):
    """Everything of nested content that could differ, tensors with dtype, device and strides."""
    if isinstance(value, torch.Tensor):
        layout = (value.dtype, value.device.type, tuple(value.shape), value.stride())
        return (*layout, value.detach().cpu().contiguous().numpy().tobytes())
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value] if isinstance(value, list | tuple) else value


def seen(trainer):
    """What a trainer holds, without a look at its own ``state``."""
    return bits(
        {
            "parameters": [stack.parameters for stack in trainer.networks.values()],
            "buffers": [stack.buffers for stack in trainer.networks.values()],
            "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
            "streams": {name: [rng.get_state() for rng in own.generators] for name, own in trainer.streams.items()},
            "losses": trainer.losses,
            "finite": trainer.finite,
        }
    )


def check_resumption(case, n_seeds, device):
    straight = trained(make(case, n_seeds, device), BEFORE)
    state = by_file(straight.state())
    saved = bits(state)
    resumed = make(case, n_seeds, device)
    held = [tensor.data_ptr() for stack in resumed.networks.values() for tensor in stack.parameters.values()]
    resumed.restore(state)
    assert seen(resumed) == seen(straight)
    for _ in range(AFTER):
        straight.step()
        resumed.step()
        found, expected = seen(resumed), seen(straight)
        with of_values():
            assert found == expected
    assert held == [tensor.data_ptr() for stack in resumed.networks.values() for tensor in stack.parameters.values()]
    assert bits(state) == saved, "training went on in the tensors of the state"
    resumed.restore(state)
    found, expected = seen(trained(resumed, AFTER)), seen(straight)
    with of_values():
        assert found == expected, "a trainer cannot go back to an earlier state"


@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_a_new_trainer_goes_on_as_if_nothing_had_stopped(case, n_seeds):
    check_resumption(case, n_seeds, "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_a_new_trainer_goes_on_as_if_nothing_had_stopped_on_cuda(case, n_seeds):
    check_resumption(case, n_seeds, "cuda")


@pytest.mark.gpu
def test_a_state_from_the_cpu_is_refused_on_cuda():
    with pytest.raises(ValueError, match=r"state\.streams\.data\.0: uint8 \(5056,\), here uint8 \(16,\)"):
        make("gan", device="cuda").restore(make("gan").state())


def parts(case):
    """Paths of what this case's next steps read; a bias may be without gradient, and stay as it was."""
    for name, own in make(case).state()["networks"].items():
        yield from (("networks", name, "parameters", key) for key in own["parameters"] if key.endswith("weight"))
        yield from (("networks", name, "buffers", key) for key in own["buffers"])
        yield "networks", name, "moments"
    yield from (("streams", name) for name in CASES[case][2])
    yield from (("epochs", name) for name in make(case).epochs)
    if CASES[case][0].decay_steps is not None:
        yield ("steps_done",)


@pytest.mark.parametrize("case", CASES)
def test_without_any_one_part_of_the_state_the_training_goes_on_otherwise(case):
    straight = trained(make(case), BEFORE)
    state, fresh = straight.state(), make(case).state()
    trained(straight, 2)
    other = make(case)
    for *place, last in parts(case):
        lacking, new = copy.deepcopy(state), fresh
        inner = lacking
        for key in place:
            inner, new = inner[key], new[key]
        assert bits(inner[last]) != bits(new[last])
        inner[last] = new[last]
        other.restore(lacking)
        assert seen(trained(other, 2))["parameters"] != seen(straight)["parameters"], (*place, last)
    unused = state["streams"].keys() - CASES[case][2]
    assert all(bits(state["streams"][name]) == bits(fresh["streams"][name]) for name in unused)


def test_a_seed_that_has_diverged_stays_so_and_the_losses_come_back():
    straight = make("gan")
    with torch.no_grad():
        next(iter(straight.critic.parameters.values()))[1] = float("nan")
    trained(straight, 1)
    resumed = make("gan")
    resumed.restore(by_file(straight.state()))
    assert resumed.finite.tolist() == [True, False, True]
    assert bits(resumed.losses) == bits(straight.losses)
    assert bits(resumed.losses) != bits(make("gan").losses)


def test_a_state_before_the_first_step_undoes_all_steps():
    trainer = make("penalty")
    state, before = trainer.state(), seen(trainer)
    trained(trainer, 2).restore(state)
    assert seen(trainer) == before


def test_a_state_does_not_change_as_training_goes_on():
    trainer = trained(make("penalty"), 1)
    state = trainer.state()
    before = bits(state)
    trained(trainer, 2)
    assert bits(state) == before


def test_strides_survive_the_way_through_a_file():
    tensor = torch.arange(24.0).view(2, 3, 4).transpose(1, 2)
    (kept,) = by_file(copy_plain([tensor], "here"))
    assert bits(kept) == bits(tensor)
    assert kept.stride() == (12, 1, 4)


def test_what_a_file_could_not_hold_is_refused_at_once():
    trainer = trained(make("gan"), 1)
    entry = trainer.generator_optimizer.state[next(iter(trainer.generator.parameters.values()))]
    entry["past"] = [1, {2}]
    with pytest.raises(ValueError, match=r"^generator\.moments\.0\.past\.1: a set; must be a tensor, a number"):
        trainer.state()


def wider():
    return Mlp((2,), (), hidden=[7], activation="tanh")


def without_stream(state):
    del state["streams"]["latent"]


def without_loss(state):
    del state["losses"]["generator_loss"]


def with_short_moments(state):
    state["networks"]["critic"]["moments"][0]["exp_avg"] = torch.zeros(3, 6)


def with_a_strange_moment(state):
    state["networks"]["critic"]["moments"][99] = {}


def with_a_strange_count(state):
    state["steps_done"] = -1


def in_double(state):
    own = state["networks"]["generator"]["parameters"]
    own["layers.0.bias"] = own["layers.0.bias"].double()


def as_it_is(state):
    pass


WEIGHT = "state.networks.critic.parameters.layers.0.weight"


@pytest.mark.parametrize(
    ("given", "change", "line"),
    [
        ({"critic": wider}, as_it_is, f"{WEIGHT}: float32 (3, 7, 2), here float32 (3, 6, 2); "),
        ({"seeds": (3, 4)}, as_it_is, f"{WEIGHT}: float32 (2, 6, 2), here float32 (3, 6, 2); "),
        (
            {"critic": Counting},
            as_it_is,
            "state.networks.critic.parameters.layers.0.weight: not there, here float32 (3, 6, 2); ",
        ),
        ({"optimizer": RMSPROP}, as_it_is, "state.networks.critic.groups.0.betas.0: not there, here no tensor; "),
        (
            {"fixed": Noised()},
            as_it_is,
            "state.networks.generator.parameters.layers.0.weight: not there, here float32 (3, 6, 4); ",
        ),
        ({}, without_stream, "state.streams.latent.0: not there, here uint8 (5056,); "),
        ({}, without_loss, "state.losses.generator_loss: not there in shape (3,); "),
        ({}, in_double, "state.networks.generator.parameters.layers.0.bias: float64 (3, 6), here float32 (3, 6); "),
        (
            {},
            with_short_moments,
            "state.networks.critic.moments.0.exp_avg: float32 (3, 6), here float32 (3, 6, 2); ",
        ),
        ({}, with_a_strange_count, "state.steps_done: -1, here a number from 0; "),
        ({}, with_a_strange_moment, "state.networks.critic.moments.99: of a parameter unknown here; "),
    ],
)
def test_a_state_of_something_else_is_refused_and_changes_nothing(given, change, line):
    state = trained(make("gan", **given), 1).state()
    change(state)
    trainer = trained(make("gan"), 2)
    before = seen(trainer)
    with pytest.raises(ValueError, match=r"; must be of the same setting, seeds and kind of device$") as caught:
        trainer.restore(state)
    assert line in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert seen(trainer) == before
