"""Kept weights as files: safetensors with the setting in their metadata, from which the network is built again.

Nothing in a file is run: it holds numbers and text alone, and a file that names a custom network is not opened by
itself, since building that network would import code that the file names.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from wganbench.errors import RecordError, SpecError, first_line
from wganbench.files import with_sorted_header
from wganbench.records.record import KeptWeights
from wganbench.runner import resolve
from wganbench.spec import MAX_STEPS, RECORDED, Component, Setting
from wganbench.spec.plan import Run
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.stack import Functional, Stack

FORMAT = "wganbench weights 1"
"""The first entry of the metadata; a change of the format raises the number."""
MAX_HEADER = 2**24
"""The largest header in bytes: a network of a hundred thousand tensors."""

Role = Literal["generator", "critic"]
State = Mapping[str, Tensor]
"""The parameters and buffers of one network, by name; float32, on the CPU."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of one network of one run after a step.

    Attributes:
        run: The run's id.
        network: Which network it is. The generator is the one that measures sample from: the averaged one, if any.
        step: The number of generator steps before.
        setting: The run's setting.
        sample_shape: The shape of a sample, ``(channels, height, width)`` or ``(dim,)``.
        scaling: The scaling of images, see ``wganbench.data.images``; None for points.
        state: The weights.
    """

    run: str
    network: Role
    step: int
    setting: Setting
    sample_shape: tuple[int, ...]
    scaling: str | None
    state: State

    @property
    def component(self) -> Component:
        """The network as the setting names it."""
        component = self.setting.generator if self.network == "generator" else self.setting.critic
        assert component is not None  # checked when the file was read
        return component

    def empty(self) -> nn.Module:
        """Makes the network of the setting on torch's ``meta`` device, which needs no memory.

        Raises:
            RecordError: If there is no such network, as a damaged or foreign file may ask for.
        """
        shapes = ((self.setting.latent_dim or 0,), self.sample_shape)
        make = resolve.factory("network", self.component)
        try:
            with torch.device("meta"):
                network = make(*shapes) if self.network == "generator" else make(self.sample_shape, ())
        except Exception as error:  # a network may raise anything for sizes that it was not made for
            raise RecordError(f"{self.run}, {self.network}: cannot be built ({first_line(error)})") from None
        assert isinstance(network, nn.Module)
        return network

    def module(self, device: torch.device) -> nn.Module:
        """Builds the network with these weights, in ``eval()``.

        Raises:
            RecordError: If a tensor is missing, too many, of another shape or not finite.
        """
        network = self.empty()
        self.check(network)
        held = {name: tensor.to(device) for name, tensor in self.state.items()}
        return Functional(network).evaluated().holding(held).requires_grad_(False)

    def check(self, network: nn.Module) -> None:
        """Raises RecordError, with a line that says where, unless these are finite weights for ``network``."""
        expected = {name: tuple(each.shape) for name, each in (*network.named_parameters(), *network.named_buffers())}
        for name in sorted(expected.keys() ^ self.state.keys()):
            wrong = "is missing" if name in expected else "is not of this network"
            raise RecordError(f"{self.run}, {self.network}: tensor {name!r} {wrong}; restore the file of its weights")
        for name, tensor in self.state.items():
            found = tuple(tensor.shape)
            if found != expected[name]:
                raise RecordError(f"{self.run}, {self.network}: tensor {name!r} is {found}; must be {expected[name]}")
            if not tensor.isfinite().all():
                raise RecordError(f"{self.run}, {self.network}: tensor {name!r} is not finite; nothing can be drawn")


def pack_trained(
    run: Run, trainer: StackTrainer, step: int, states: Mapping[Role, State]
) -> Iterator[tuple[KeptWeights, bytes]]:
    """Yields what a record says of each network's weights, and the content of their file."""
    scaling = None if trainer.images is None else trainer.images.scaling
    shape = tuple(getattr(trainer.data, "sample_shape"))  # noqa: B009  # every data set has one
    for role, state in states.items():
        content = pack(Weights(run.id, role, step, run.setting, shape, scaling, state))
        yield KeptWeights(network=role, step=step, sha256=hashlib.sha256(content).hexdigest()), content


def of_trainer(trainer: StackTrainer, index: int) -> dict[Role, State]:
    """Copies the weights of one seed: of the generator to sample from, if one is trained, and of the critic."""
    generator = trainer.sampled
    stacks: dict[Role, Stack] = {} if generator is None else {"generator": generator}
    return {role: _of_stack(stack, index) for role, stack in (stacks | {"critic": trainer.critic}).items()}


def _of_stack(stack: Stack, index: int) -> State:
    tensors = {**stack.parameters, **stack.buffers}
    return {name: tensor[index].detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


@torch.no_grad()
def put_into(trainer: StackTrainer, weights: Mapping[Role, State]) -> None:
    """Copies weights into a trainer of one seed, so that it is measured as the run was."""
    stacks = {"critic": [trainer.critic]}
    if isinstance(trainer, GanTrainer):
        stacks["generator"] = [trainer.generator, *([trainer.average] if trainer.average is not None else [])]
    for role, state in weights.items():
        for stack in stacks[role]:
            for name, tensor in (*stack.parameters.items(), *stack.buffers.items()):
                tensor.copy_(state[name][None])


# ---- files ----------------------------------------------------------------------------------------------------------


def pack(weights: Weights) -> bytes:
    """Returns the content of the file; the same bytes for the same weights."""
    about = {
        "format": FORMAT,
        "run": weights.run,
        "network": weights.network,
        "step": str(weights.step),
        "setting": weights.setting.model_dump_json(),
        "sample_shape": json.dumps(list(weights.sample_shape)),
        **({} if weights.scaling is None else {"scaling": weights.scaling}),
    }
    return with_sorted_header(save(dict(weights.state), about))


def unpack(content: bytes, where: Path) -> Weights:
    """Reads what `pack` wrote.

    Raises:
        RecordError: If the content is damaged, or no file of weights of this version.
    """
    about = _metadata(content, where)
    if about.get("format") != FORMAT:
        found = about.get("format", "no format")
        raise RecordError(f"{where}: {found!r}, not {FORMAT!r}; 'wganbench run --keep-weights' makes such a file")
    try:
        state = load(content)
    except SafetensorError as error:
        raise RecordError(f"{where}: not a whole safetensors file ({first_line(error)}); restore it") from None
    try:
        return _weights(about, state)
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(f"{where}: metadata of no run ({type(error).__name__}); restore it") from None


def _metadata(content: bytes, where: Path) -> dict[str, Any]:
    try:
        (length,) = struct.unpack("<Q", content[:8])
        if length > min(MAX_HEADER, len(content) - 8):
            raise ValueError("cut off")
        found = json.loads(content[8 : 8 + length])["__metadata__"]
        return dict(found)
    except (ValueError, KeyError, TypeError, struct.error, RecursionError):
        raise RecordError(f"{where}: not a safetensors file of wganbench, or cut off; restore it") from None


def _weights(about: Mapping[str, Any], state: State) -> Weights:
    setting = Setting.model_validate_json(about["setting"], context=RECORDED)
    network, step = about["network"], int(about["step"])
    shape = tuple(int(side) for side in json.loads(about["sample_shape"]))
    if network not in ("generator", "critic") or not 0 <= step <= MAX_STEPS:
        raise ValueError
    if (network == "generator") > (setting.generator is not None) or not shape or min(shape) < 1:
        raise ValueError
    return Weights(str(about["run"]), network, step, setting, shape, about.get("scaling"), state)


def check_built_in(weights: Weights, where: Path) -> None:
    """Checks a network that a file names before it is built.

    Raises:
        RecordError: If an option of the network is unknown or out of its range.
        SpecError: If the network is custom; it must be built from the run's own record instead.
    """
    if weights.component.is_custom:
        raise SpecError(
            f"{where}: the network {weights.component.name!r} is custom code, which a file of weights alone does not "
            f"import; name the run {weights.run}"
        )
    try:
        Component.resolve("network", {"name": weights.component.name, **weights.component.options})
    except ValueError as error:
        raise RecordError(f"{where}: {first_line(error)}") from None
