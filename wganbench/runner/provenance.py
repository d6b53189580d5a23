"""Collects for the records where and with what software a cohort is trained."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

import torch

from wganbench.records.custom_code import digests, read_file
from wganbench.records.record import Provenance
from wganbench.runner.precision import Precision, convolutions_are_rounded
from wganbench.spec import Setting

LIBRARIES = ("wganbench", "torch", "numpy", "scipy", "POT")
Format = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: dict[str, Format] = {
    "highest": "float32",
    "high": "tf32",
    "medium": "bfloat16",
}
"""The lowest-precision number format that each of torch's settings for float32 matrix products allows."""
PACKAGE = Path(__file__).resolve().parents[1]
SOURCE = ("wganbench", "benchmarks", "pyproject.toml", "constraints.txt")
NOT_TRAINED_WITH = ("analysis", "cli", "api.py", "__main__.py")
"""Parts of the package that no training imports, so that they cannot change a number."""
TRAINED_WITH = (".py", ".txt")
"""Endings of the files that a training can use: code and texts that ship with the package."""


def provenance(device: torch.device, precision: Precision = "fp32") -> Provenance:
    """Returns the provenance of a training of this precision that starts now with torch's present settings."""
    commit, dirty = checkout()
    products = PRECISIONS[torch.get_float32_matmul_precision()]
    convolutions: Format = "tf32" if device.type == "cuda" and convolutions_are_rounded() else "float32"
    if precision == "bf16":
        products = convolutions = "bfloat16"
    return Provenance(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        commit=commit,
        dirty=dirty,
        libraries={"python": platform.python_version(), **versions()},
        started=datetime.now(UTC).isoformat(timespec="microseconds"),
        precision=products,
        convolutions=convolutions,
    )


_read_once = cache(read_file)


def loaded_code(setting: Setting, folders: Sequence[str]) -> dict[str, str]:
    """Returns digests of a setting's custom code, for its records.

    Each file is read only once, as its module is loaded only once, so later changes on disk have no effect.
    """
    return digests(setting, folders, _read_once)


@cache
def checkout() -> tuple[str | None, bool | None]:
    """Returns the commit of this package's checkout and whether the source differs from it; None if installed.

    This is looked up only once, as the code is loaded only once, so later changes on disk have no effect.
    """
    root = PACKAGE.parent
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        return commit, bool(_git(root, "status", "--porcelain", "--", *SOURCE).strip())
    except (OSError, subprocess.CalledProcessError):
        return None, None


@cache
def training_code(package: Path = PACKAGE) -> str:
    """Returns 16 hexadecimal digits of the SHA-256 of those files of a package that a training can use.

    They are looked up only once, as the code is loaded only once, so later changes on disk have no effect.
    """
    whole = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        if path.suffix in TRAINED_WITH and parts[0] not in NOT_TRAINED_WITH and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{digest} {'/'.join(parts)}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()[:16]


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout


@cache
def versions() -> dict[str, str]:
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions
