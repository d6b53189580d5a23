"""Learning rates that fall: what each step has, and that optimisers step by it."""

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from wganbench.errors import ExtensionError
from wganbench.runner.build import make_trainer
from wganbench.runner.cohort import train_cohort
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand
from wganbench.training.lr_decay import begin, set_rates
from wganbench.training.rmsprop_tf import RmspropTf

STEPS = 5
OPTIMIZERS = {
    "fused Adam": lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.5, 0.9), fused=True),
    "plain Adam": lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.5, 0.9)),
    "foreach Adam": lambda w: torch.optim.Adam(w, lr=0.1, betas=(0.5, 0.9), foreach=True),
    "RMSprop": lambda w: torch.optim.RMSprop(w, lr=0.1, foreach=True),
    "RMSprop of TensorFlow": lambda w: RmspropTf(w, lr=0.1),
    "SGD": lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.5),
}


def weights():
    return [torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_each_step_is_that_of_torchs_own_linear_schedule(make):
    (mine,), (theirs,) = weights(), weights()
    optimizer, other = make([mine]), make([theirs])
    begin(optimizer)
    schedule = LambdaLR(other, lambda done: 1 - done / STEPS)
    for done in range(STEPS):
        set_rates([optimizer], done, STEPS)
        (rate,) = (group["lr"] for group in optimizer.param_groups)
        assert float(rate) == pytest.approx(0.1 * (1, 0.8, 0.6, 0.4, 0.2)[done], rel=1e-6)
        for tensor, one in ((mine, optimizer), (theirs, other)):
            one.zero_grad()
            tensor.sin().sum().backward()
            one.step()
        schedule.step()
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "in_a_tensor"), list(zip(OPTIMIZERS, (True, True, False, True, True, False), strict=True))
)
def test_a_rate_that_a_graph_may_read_stays_in_its_tensor(name, in_a_tensor):
    optimizer = OPTIMIZERS[name](weights())
    begin(optimizer)
    (group,) = optimizer.param_groups
    before = group["lr"]
    set_rates([optimizer], 1, STEPS)
    assert isinstance(before, torch.Tensor) == in_a_tensor
    assert (group["lr"] is before) == in_a_tensor


def test_beyond_the_last_step_nothing_moves():
    (weight,) = weights()
    optimizer = OPTIMIZERS["fused Adam"]([weight])
    begin(optimizer)
    set_rates([optimizer], STEPS + 3, STEPS)
    weight.sin().sum().backward()
    optimizer.step()
    assert torch.equal(weight, weights()[0])


def test_a_trainer_lets_both_rates_fall_and_only_where_asked():
    spec = load("swissroll", ["lr_decay='linear'", "steps=4"])
    falling = make_trainer(spec.setting("wgan-gp", "smoke"), [0], torch.device("cpu"))
    steady = make_trainer(load("swissroll").setting("wgan-gp", "smoke"), [0], torch.device("cpu"))
    seen = []
    for trainer in (falling, steady):
        for _ in range(4):
            trainer.step()
            seen.append([float(optimizer.param_groups[0]["lr"]) for optimizer in trainer.optimizers])
    first = seen[4]
    assert all(rates == first for rates in seen[4:])
    assert isinstance(steady.critic_optimizer.param_groups[0]["lr"], float)
    for done, rates in enumerate(seen[:4]):
        assert rates == pytest.approx([rate * (1 - done / 4) for rate in first], rel=1e-6)


def test_the_further_critic_steps_of_a_warm_up_have_the_rate_of_their_step(monkeypatch):
    of_clip = ["n_critic=2", "critic_warmup={steps=3, first=1, every=2}"]
    spec = load("gaussians8", ["lr_decay='linear'", "steps=4", *(f"variants.wgan-clip.{each}" for each in of_clip)])
    trainer = make_trainer(spec.setting("wgan-clip", "smoke"), [0], torch.device("cpu"))
    seen, plain = [], trainer.critic_optimizer.step
    first = float(trainer.critic_optimizer.param_groups[0]["lr"])

    def step():
        seen.append((trainer.steps_done, float(trainer.critic_optimizer.param_groups[0]["lr"]) / first))
        plain()

    monkeypatch.setattr(trainer.critic_optimizer, "step", step)
    for _ in range(4):
        trainer.step()
    # a further step is taken before its generator step counts: after none of them, and after two
    expected = [(0, 1), (1, 1), (1, 1), (2, 0.75), (2, 0.75), (2, 0.5), (3, 0.5), (3, 0.5), (4, 0.25), (4, 0.25)]
    assert seen == [(done, pytest.approx(rate, rel=1e-6)) for done, rate in expected]


class NoRate(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {})

    def step(self):
        pass


def test_an_optimiser_without_a_rate_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.optim, "NoRate", NoRate, raising=False)
    overrides = ["lr_decay='linear'", "variants.wgan-gp.critic_optimizer={name='torch.optim:NoRate'}"]
    spec = load("swissroll", overrides)
    (run,) = expand(spec, "smoke", [0], ["wgan-gp"])
    line = r"^optimizer 'torch\.optim:NoRate': must have a learning rate 'lr' in each group for lr_decay, got None$"
    with pytest.raises(ExtensionError, match=line):
        list(train_cohort(Cohort((run,))))
