"""A plain training loop for one seed, as anybody would write it, against which the runner's speed is measured.

Modules are called directly, critic steps are a loop, a penalty uses ``torch.autograd.grad``, and optimisers update one
parameter after the other. Nothing here is stacked, fused, captured or differentiated in closed form. The loop shares
only the networks' layers, the data set and the optimiser classes with the runner's step, and layers that wganbench
writes for speed are replaced by torch's own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim.lr_scheduler import LambdaLR

from wganbench.data.images import Epochs, Images
from wganbench.networks.mlp import Linear
from wganbench.networks.nonlinearity import Nonlinearity
from wganbench.rng import generator as stream
from wganbench.runner import resolve
from wganbench.spec import Component, Setting
from wganbench.training.stack import build

CRITIC_LOSS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "minimax": lambda real, fake: softplus(-real).mean() + softplus(fake).mean(),
    "non_saturating": lambda real, fake: softplus(-real).mean() + softplus(fake).mean(),
    "least_squares": lambda real, fake: 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean(),
    "wasserstein": lambda real, fake: fake.mean() - real.mean(),
}
GENERATOR_LOSS: dict[str, Callable[[Tensor], Tensor]] = {
    "minimax": lambda fake: -softplus(fake).mean(),
    "non_saturating": lambda fake: softplus(-fake).mean(),
    "least_squares": lambda fake: ((fake - 1) ** 2).mean(),
    "wasserstein": lambda fake: -fake.mean(),
}
PENALTY: dict[str, Callable[[Tensor], Tensor]] = {
    "gradient_penalty": lambda norm: ((norm - 1) ** 2).mean(),
    "one_sided_penalty": lambda norm: (torch.relu(norm - 1) ** 2).mean(),
    "one_sided_linear_penalty": lambda norm: torch.relu(norm - 1).mean(),
}
"""Each penalty as a function of the norms of the critic's gradient, one per sample."""
PROJECTIONS = ("clip", "rescale")


def unwritten(setting: Setting) -> str | None:
    """Returns the reason why there is no plain loop for a setting, in a few words; None if there is one."""
    names = [each.name for each in setting.constraints]
    if setting.objective.name not in CRITIC_LOSS:
        return f"no plain loop is written for the objective {setting.objective.name!r}"
    for name in names:
        if name not in (*PENALTY, *PROJECTIONS):
            return f"no plain loop is written for the constraint {name!r}"
    if len(names) > 1 or setting.pack is not None or setting.updates != "alternating":
        return "no plain loop is written for several constraints, packing and other orders of updates"
    if setting.unroll is not None and setting.unroll.order == "second":
        return "no plain loop is written for unrolling of second order"
    if setting.auxiliary_classifier is not None:
        return "no plain loop is written for an auxiliary classifier"
    return None


class PlainLoop:
    """The training of one seed, from the same initial weights as in the runner.

    Args:
        setting: A setting for which ``unwritten`` returns None.

    Raises:
        DataError, ExtensionError: If data or an object is not available.
    """

    def __init__(self, setting: Setting, seed: int, device: torch.device):
        self.setting, self.device = setting, device
        self.data = resolve.factory("data set", setting.data)().to(device)
        shape = tuple(self.data.sample_shape)
        make_critic = resolve.factory("network", setting.critic)
        (self.critic,) = build(lambda: with_torchs_own(make_critic(shape, ())), [seed], "critic", device)
        self.schedules: list[LambdaLR] = []
        self.critic_optimizer = self._optimizer(setting.critic_optimizer, self.critic)
        self.rng = {name: stream(seed, name, device) for name in ("data", "latent", "penalty", "dequantisation")}
        self.order = None
        if isinstance(self.data, Images):
            self.order = Epochs(len(self.data), setting.batch_size, self.rng["data"])
        if setting.fixed_generator is not None:
            self.fixed = resolve.factory("fixed generator", setting.fixed_generator)()
            return
        assert setting.generator and setting.generator_optimizer and setting.latent_dim  # the setting has checked this
        latent_dim, make_generator = setting.latent_dim, resolve.factory("network", setting.generator)
        (self.generator,) = build(
            lambda: with_torchs_own(make_generator((latent_dim,), shape)), [seed], "generator", device
        )
        self.generator_optimizer = self._optimizer(setting.generator_optimizer, self.generator)

    def step(self) -> None:
        """Takes the critic steps and then one generator step; with a fixed generator, the critic steps alone."""
        kept = None
        for _ in range(self.setting.unroll.steps if self.setting.unroll else self.setting.n_critic):
            real = self._real()
            self.critic_step(real, self._fake(real))
            if kept is None and self.setting.unroll:
                kept = [weight.detach().clone() for weight in self.critic.parameters()]
        if self.setting.fixed_generator is None:
            self.generator_step(self._latent(self.setting.generator_batch_size))
        if kept is not None:
            with torch.no_grad():
                for weight, old in zip(self.critic.parameters(), kept, strict=True):
                    weight.copy_(old)
        for schedule in self.schedules:
            schedule.step()

    def critic_step(self, real: Tensor, fake: Tensor, alpha: Tensor | None = None) -> None:
        """Takes one step of the critic.

        Args:
            real, fake: Shape ``(batch, *sample_shape)``.
            alpha: The weight of fake in the points at which the penalty is evaluated, ``(batch,)`` in [0, 1]; None
                draws it at random.
        """
        setting = self.setting
        if setting.project == "before":
            self._project()
        loss = CRITIC_LOSS[setting.objective.name](self.critic(real), self.critic(fake))
        for constraint in setting.constraints:
            if constraint.name in PENALTY:
                loss = loss + self._penalty(constraint, real, fake, alpha)
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        if setting.project == "after":
            self._project()

    def generator_step(self, z: Tensor) -> None:
        """Takes one step of the generator; ``z`` has shape ``(batch, latent_dim)``."""
        for weight in self.critic.parameters():
            weight.requires_grad_(False)  # saves computing gradients that are not used
        loss = GENERATOR_LOSS[self.setting.objective.name](self.critic(self.generator(z)))
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()
        for weight in self.critic.parameters():
            weight.requires_grad_(True)

    def _penalty(self, constraint: Component, real: Tensor, fake: Tensor, alpha: Tensor | None) -> Tensor:
        if alpha is None:
            alpha = torch.rand(len(real), generator=self.rng["penalty"], device=self.device)
        alpha = alpha.view(-1, *[1] * (real.ndim - 1))
        points = (alpha * fake + (1 - alpha) * real).requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(points).sum(), points, create_graph=True)
        weight: float = constraint.options["penalty_weight"]
        return weight * PENALTY[constraint.name](gradient.flatten(1).norm(dim=1))

    @torch.no_grad()
    def _project(self) -> None:
        for constraint in self.setting.constraints:
            if constraint.name not in PROJECTIONS:
                continue
            bound: float = constraint.options["clip_value"]
            for weight in self.critic.parameters():
                if constraint.name == "clip":
                    weight.clamp_(-bound, bound)
                else:
                    weight.div_((weight.abs().max() / bound).clamp(min=1.0))

    def _real(self) -> Tensor:
        if self.order is not None:
            return self.data.take(self.order.batch(), self.rng["dequantisation"])
        return self.data.draw(self.setting.batch_size, self.rng["data"])

    def _latent(self, n: int | None = None) -> Tensor:
        shape = (n or self.setting.batch_size, self.setting.latent_dim or 0)
        return torch.randn(shape, generator=self.rng["latent"], device=self.device)

    @torch.no_grad()
    def _fake(self, real: Tensor) -> Tensor:
        if self.setting.fixed_generator is None:
            return self.generator(self._latent())
        source = self._real() if self.fixed.independent else real
        noise = torch.randn(source.shape, generator=self.rng["latent"], device=self.device)
        return self.fixed(source, noise)

    def _optimizer(self, component: Component, network: nn.Module) -> torch.optim.Optimizer:
        slower = {"foreach": False} if component.name in ("adam", "rmsprop", "rmsprop_tf") else {}
        made = resolve.factory("optimizer", component)(network.parameters(), **slower)
        assert isinstance(made, torch.optim.Optimizer)
        if self.setting.lr_decay:
            steps = self.setting.steps
            self.schedules.append(LambdaLR(made, lambda done: max(0.0, 1 - done / steps)))
        return made


def with_torchs_own(network: nn.Module) -> nn.Module:
    """Replaces the ReLUs and linear layers of a network by torch's own, in place, and returns the network."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Nonlinearity) and child.name in ("relu", "leaky_relu"):
                setattr(module, name, nn.ReLU() if child.name == "relu" else nn.LeakyReLU(child.leak))
            elif type(child) is Linear and not child.spectral:
                own = nn.Linear(child.in_features, child.out_features, device="meta")
                own.weight, own.bias = child.weight, child.bias
                setattr(module, name, own)
    return network
