"""Builds the trainer of a setting, and the function that takes its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from wganbench.errors import ExtensionError
from wganbench.runner import resolve
from wganbench.runner.precision import Precision
from wganbench.spec import Component, Setting
from wganbench.training import lr_decay
from wganbench.training.critic_trainer import CriticTrainer, Player, StackTrainer
from wganbench.training.cuda_graph import NotCapturedError, capture
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.method import Auxiliary, Method, Unroll, Warmup
from wganbench.training.stack import Stack, build, is_rowwise


def make_trainer(setting: Setting, seeds: Sequence[int], device: torch.device) -> StackTrainer:
    """Makes the trainer of a setting for a stack of seeds, with its networks, optimisers and streams."""
    data = resolve.factory("data set", setting.data)().to(device)
    shape = tuple(data.sample_shape)

    def player(network: Component, optimizer: Component, purpose: str, *shapes: tuple[int, ...]) -> Player:
        make: Callable[..., nn.Module] = resolve.factory("network", network)
        stack = Stack(build(lambda: make(*shapes), seeds, purpose, device), bf16=setting.precision == "bf16")
        if is_channels_last(device, setting.precision, shape):
            stack.lay_channels_last()
        return Player(stack, _optimizer(optimizer, stack, decays=setting.lr_decay is not None))

    judged = setting.judged_shape(shape)
    critic = player(setting.critic, setting.critic_optimizer, "critic", judged, ())
    method = _method(setting, single_pass=is_rowwise(critic.stack, judged))
    if setting.fixed_generator is not None:
        fixed = resolve.factory("fixed generator", setting.fixed_generator)()
        return CriticTrainer(seeds, critic, method, data, fixed, batch_size=setting.batch_size)
    assert setting.generator and setting.generator_optimizer and setting.latent_dim  # checked by the setting
    latent_dim = setting.latent_dim
    generator = player(setting.generator, setting.generator_optimizer, "generator", (latent_dim,), shape)
    if device.type != "cpu" and setting.classes is None:  # on a CPU it saves nothing, and would round otherwise
        method = replace(method, fakes_at_once=is_rowwise(generator.stack, (latent_dim,)))
    return GanTrainer(seeds, generator, critic, method, data, latent_dim=latent_dim, batch_size=setting.batch_size)


def _method(setting: Setting, *, single_pass: bool) -> Method:
    penalty, projection = resolve.constraint(setting.constraints)
    objective = resolve.objective(setting.objective)
    classifier, auxiliary = setting.auxiliary_classifier, None
    if classifier is not None and setting.classes is not None:
        auxiliary = Auxiliary(setting.classes, classifier.critic, classifier.generator)
    return Method(
        objective=objective,
        penalty=penalty,
        projection=projection,
        project=setting.project,
        single_pass=single_pass,
        generator_reads_real=objective.generator_reads_real,
        pack=setting.pack or 1,
        updates=setting.updates,
        n_critic=setting.n_critic,
        warmup=Warmup(**dict(setting.critic_warmup)) if setting.critic_warmup else None,
        generator_batch_size=setting.generator_batch_size,
        unroll=Unroll(setting.unroll.steps, setting.unroll.order) if setting.unroll else None,
        auxiliary=auxiliary,
        decay_steps=setting.steps if setting.lr_decay else None,
        generator_average=setting.generator_average,
    )


def _optimizer(component: Component, stack: Stack, *, decays: bool) -> torch.optim.Optimizer:
    faster: dict[str, Any] = {"adam": {"fused": True}, "rmsprop": {"foreach": True}}.get(component.name, {})
    made = resolve.factory("optimizer", component)(list(stack.parameters.values()), **faster)
    assert isinstance(made, torch.optim.Optimizer)
    if decays:
        try:
            lr_decay.begin(made)
        except ValueError as error:
            raise ExtensionError(f"optimizer {component.name!r}: {error}") from None
    return made


def is_channels_last(device: torch.device, precision: Precision, sample_shape: Sequence[int]) -> bool:
    """Returns whether convolutions are faster with channels last: on a CPU, and on the tensor cores of a GPU."""
    return len(sample_shape) == 3 and (device.type == "cpu" or precision != "fp32")


def make_step(
    trainer: StackTrainer, *, graph: bool, on_message: Callable[[str], None]
) -> tuple[Callable[[], None], bool]:
    """Returns a function that takes a step, and whether it replays a graph, as asked by ``graph`` if possible."""
    if not graph or trainer.device.type != "cuda":
        return trainer.step, False
    try:
        return capture(trainer), True
    except NotCapturedError as reason:
        on_message(f"steps are launched operation by operation: {reason}")
        return trainer.step, False
