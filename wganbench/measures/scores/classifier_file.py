"""Classifier files: weights in safetensors, named by their SHA-256, with metadata that `protocol` reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from wganbench.errors import DataError, first_line
from wganbench.measures.scores.network import SMALLEST, shapes_of
from wganbench.measures.scores.protocol import FORMAT, About, about_in, read_content

MAX_BYTES = 2 * 10**6


def content_of(about: About, state: Mapping[str, Tensor]) -> tuple[str, bytes]:
    """Returns the name, without the suffix, and the content of a classifier's file.

    Args:
        about: Metadata of the classifier.
        state: Weights as returned by ``network.folded_state``.

    Raises:
        DataError: If the file would be larger than `MAX_BYTES`.
    """
    said = {key: value if isinstance(value, str) else repr(value) for key, value in asdict(about).items()}
    content = _in_order(save({name: tensor.contiguous() for name, tensor in state.items()}, {"format": FORMAT, **said}))
    if len(content) > MAX_BYTES:
        raise DataError(f"classifier: {len(content):,} bytes; a file has at most {MAX_BYTES:,}: take a smaller width")
    return f"{about.data}-{about.size}-{hashlib.sha256(content).hexdigest()[:8]}", content


def _in_order(content: bytes) -> bytes:
    """Sorts the header of a safetensors file, which the library writes in arbitrary order."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


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
