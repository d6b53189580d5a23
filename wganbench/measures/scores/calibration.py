"""What real images scored with certain weights here, kept in the data folder: whether scores are of the published kind.

A file each for the weights, the versions of the libraries that compute with them, and the kind of device; with another
of these, the test has to be passed anew.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

from wganbench.data.locations import data_folder
from wganbench.errors import DataError
from wganbench.files import replacing

REAL_SCORE = 11.24
REAL_TOLERANCE = 0.12
REAL_SAMPLES = 50_000
"""CIFAR-10's training images under the published protocol: 11.24 ± 0.12 (Miyato et al. 2018, table 2)."""

LIBRARIES = ("torch", "torchvision", "torch-fidelity")


def path_of(weights_hash: str, device: str) -> Path:
    """Of the file.

    Args:
        weights_hash: Eight hex digits, of the weights' file.
        device: Its kind, ``cpu`` or ``cuda``.
    """
    versions = "-".join(f"{library}{metadata.version(library)}" for library in LIBRARIES)
    return data_folder() / "inception" / f"{weights_hash}-{device}-{versions}.json"


def keep(weights_hash: str, device: str, score: float, spread: float) -> None:
    """Writes what the real images scored, whatever it is; of an earlier test nothing stays.

    Raises:
        DataError: If the disk refuses.
    """
    path = path_of(weights_hash, device)
    content = {"score": score, "spread": spread, "samples": REAL_SAMPLES}
    try:
        with replacing(path) as file:
            file.write(json.dumps(content).encode() + b"\n")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); make room there, or name another folder with --data-dir"
        ) from None


def passed(weights_hash: str, device: str) -> bool:
    """Whether the real images scored what they are known to; a file that cannot be read counts as none."""
    try:
        content = json.loads(path_of(weights_hash, device).read_text(encoding="utf-8"))
        return content["samples"] == REAL_SAMPLES and is_known(float(content["score"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def is_known(score: float) -> bool:
    """Whether it is the score that real images are known to have."""
    return abs(score - REAL_SCORE) <= REAL_TOLERANCE
