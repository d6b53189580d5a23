"""``classifier``: a score network that the suite trains itself; its scores are never compared with published ones.

Its file has the weights in safetensors, is named by their SHA-256, and has metadata that `protocol` reads.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.backends import cudnn
from torch.nn.functional import max_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

from wganbench.errors import DataError, first_line
from wganbench.files import with_sorted_header
from wganbench.measures.scores.network_outputs import Outputs
from wganbench.measures.scores.protocol import ENDING, FORMAT, MAX_BYTES, About, about_in, of_classifier, read_content

SMALLEST = 8
"""Smallest height and width that the three poolings allow."""
BATCH = 500
"""The number of images that are classified at a time."""


class Classifier:
    """A trained network with its weights rounded as in its file, so that every load computes with the same weights.

    Attributes:
        name: Name of its file, without the suffix.
        about: Metadata from the file, including the test accuracy.
    """

    def __init__(self, name: str, about: About, state: Mapping[str, Tensor]):
        self.name, self.about = name, about
        with torch.device("meta"):  # draws nothing from torch's global stream
            self.network = Network(about.channels, about.classes, about.width, folded=True)
        self.network.load_state_dict({key: tensor.float() for key, tensor in state.items()}, assign=True)
        self.network.requires_grad_(False).to(memory_format=torch.channels_last)
        self.device = torch.device("cpu")

    @property
    def protocol(self) -> str:
        """The protocol of its scores, such as ``classifier@shapes10-32-1a2b3c4d``: data set, size and file hash."""
        return of_classifier(self.name)

    def to(self, device: torch.device | str) -> Classifier:
        """Moves the network to ``device`` and returns the object itself."""
        self.network.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Outputs:
        """Computes the outputs for images ``(n, channels, size, size)``, uint8, which are not resized.

        Raises:
            DataError: If the images have another shape or dtype.
        """
        shape = (self.about.channels, self.about.size, self.about.size)
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != shape:
            found = f"{tuple(images.shape)} {images.dtype}"
            raise DataError(f"{self.protocol}: images must be (n, {str(shape)[1:-1]}) torch.uint8, got {found}")
        # By default, convolutions on CUDA use TF32, and would differ from those on other devices.
        with cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            moved = (rows.to(self.device, memory_format=torch.channels_last) for rows in images.split(BATCH))
            features = [self.network.features(rows) for rows in moved]
            logits = [self.network.last(rows) for rows in features]
        return Outputs(torch.cat(logits).cpu(), torch.cat(features).cpu())

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """The share of ``images`` whose largest logit is that of their label; ``labels`` has shape ``(n,)``."""
        found = self(images).logits.argmax(dim=1)
        return (found == labels.cpu()).double().mean().item()


def classifier(folder: Path, *, file: str) -> Classifier:
    """Loads the classifier from a file.

    Args:
        folder: Folder of the classifier files, such as ``results/classifiers``.
        file: Name without the suffix, such as ``shapes10-32-1a2b3c4d``; as it contains the hash of the content, a run
            that names it is tied to these weights.

    Raises:
        DataError: If the file does not exist, or its content does not match its name.
    """
    path = folder / f"{file}{ENDING}"
    about, state = read_file(path)
    return Classifier(file, about, state)


# ---- the network ----------------------------------------------------------------------------------------------------


class Network(nn.Module):
    """A slim ResNet-9: eight convolutions, four of them in residual pairs, and a linear layer.

    Args:
        channels: Number of channels of the images.
        classes: Number of logits.
        width: Number of channels of the first layer; the network has about 365 · width² parameters.
        folded: Whether to omit batch normalisation, because the convolutions' weights include it.
    """

    def __init__(self, channels: int, classes: int, width: int, *, folded: bool = False):
        super().__init__()
        wide, wider, widest = 2 * width, 8 * width // 3, 4 * width
        self.first = _block(channels, width, folded)
        self.second = _block(width, wide, folded)
        self.second_pair = nn.Sequential(_block(wide, wide, folded), _block(wide, wide, folded))
        self.third = _block(wide, wider, folded)
        self.third_pair = nn.Sequential(_block(wider, wider, folded), _block(wider, wider, folded))
        self.fourth = _block(wider, widest, folded)
        self.last = nn.Linear(widest, classes)

    def features(self, images: Tensor) -> Tensor:
        """The means of the last feature maps, ``(n, 4 · width)``, of images ``(n, channels, height, width)``, uint8."""
        x = self.first(images.float() / 127.5 - 1)
        x = max_pool2d(self.second(x), 2)
        x = x + self.second_pair(x)
        x = max_pool2d(self.third(x), 2)
        x = x + self.third_pair(x)
        x = max_pool2d(self.fourth(x), 2)
        return x.mean(dim=(2, 3))  # torch's adaptive pooling has no deterministic gradient on CUDA

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits, ``(n, classes)``."""
        logits: Tensor = self.last(self.features(images))
        return logits


def _block(before: int, after: int, folded: bool) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=folded)
    norm = nn.Identity() if folded else nn.BatchNorm2d(after)
    return nn.Sequential(convolution, norm, nn.ReLU())


def folded_state(network: Network) -> dict[str, Tensor]:
    """The state of the folded network with the same logits as ``network`` in evaluation mode; float16, on the CPU.

    The rounding to float16 is part of the network, so that a file of weights is the same network for everyone: its
    accuracy and all else in its metadata are measured after the rounding.
    """
    network = copy.deepcopy(network).cpu().eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv2d):
            assert isinstance(module[1], nn.BatchNorm2d)
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return {name: tensor.to(torch.float16) for name, tensor in network.state_dict().items()}


def shapes_of(channels: int, classes: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a ``folded_state``, by name."""
    with torch.device("meta"):
        network = Network(channels, classes, width, folded=True)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


# ---- its file -------------------------------------------------------------------------------------------------------


def content_of(about: About, state: Mapping[str, Tensor]) -> tuple[str, bytes]:
    """Returns the name, without the suffix, and the content of a classifier's file.

    Args:
        about: Metadata of the classifier.
        state: Weights as returned by ``network.folded_state``.

    Raises:
        DataError: If the file would be larger than `MAX_BYTES`.
    """
    said = {key: value if isinstance(value, str) else repr(value) for key, value in asdict(about).items()}
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    content = with_sorted_header(save(tensors, {"format": FORMAT, **said}))
    if len(content) > MAX_BYTES:
        raise DataError(f"classifier: {len(content):,} bytes; a file has at most {MAX_BYTES:,}: take a smaller width")
    return f"{about.data}-{about.size}-{hashlib.sha256(content).hexdigest()[:8]}", content


def read_file(path: Path) -> tuple[About, dict[str, Tensor]]:
    """Reads the metadata of a classifier and its weights, float16.

    Raises:
        DataError: If the file is missing, incomplete, not a classifier's, or does not match the hash in its name.
    """
    content = read_content(path)
    about = about_in(content, path)
    if not (min(about.channels, about.classes, about.width) >= 1 and about.size >= SMALLEST):
        raise DataError(f"{path}: channels, classes and width must be at least 1 and size at least {SMALLEST}")
    try:
        state = load(content)
    except SafetensorError as error:
        raise DataError(f"{path}: not a whole safetensors file ({first_line(error)}); restore it") from None
    _check_weights(path, about, state)
    return about, state


def _check_weights(path: Path, about: About, state: Mapping[str, Tensor]) -> None:
    expected = shapes_of(about.channels, about.classes, about.width)
    if odd := sorted(state.keys() ^ expected.keys()):
        raise DataError(f"{path}: tensor {odd[0]!r} is too many or missing; must be those of width {about.width}")
    for name, tensor in state.items():
        if tensor.dtype != torch.float16 or tuple(tensor.shape) != expected[name]:
            found = f"{tuple(tensor.shape)} {tensor.dtype}"
            raise DataError(f"{path}: tensor {name!r} is {found}; must be {expected[name]} torch.float16")
        if not tensor.isfinite().all():
            raise DataError(f"{path}: tensor {name!r} is not finite; train the classifier again")
