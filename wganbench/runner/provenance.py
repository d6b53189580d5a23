"""Where and with what a cohort is trained, for its records."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from wganbench.record import Provenance

LIBRARIES = ("wganbench", "torch", "numpy", "scipy", "POT")
SOURCE = ("wganbench", "benchmarks", "pyproject.toml", "constraints.txt")


def provenance(device: torch.device) -> Provenance:
    commit, dirty = checkout()
    return Provenance(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        commit=commit,
        dirty=dirty,
        libraries={"python": platform.python_version(), **_versions()},
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def checkout() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package lies in, and whether its source differs from it; None if installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        return commit, bool(_git(root, "status", "--porcelain", "--", *SOURCE).strip())
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout


def _versions() -> dict[str, str]:
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions
