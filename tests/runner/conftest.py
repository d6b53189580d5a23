from __future__ import annotations

from pathlib import Path

import pytest

TINY = """
version = 1
title = "tiny"
source = "a test"
steps = 4
batch_size = 8
latent_dim = 3
measured_samples = 60
stack = 2
data = "gaussian_ring"
objective = "wasserstein"
generator = { name = "mlp", hidden = [4] }
critic = { name = "mlp", hidden = [4] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
clouds = [0.0, 1.0]
[measures]
modes_covered = { points = 3 }
sectors_occupied = { points = 3 }
[profiles.smoke]
says = "4 steps"
[variants.clip]
constraint = { name = "clip", clip_value = 0.1 }
[variants.gp]
constraint = "gradient_penalty"
"""


@pytest.fixture
def tiny(tmp_path: Path):
    """Writes a small spec, with ``extra`` TOML behind it, and gives its path."""

    def write(extra: str = "", name: str = "tiny") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(TINY + extra)
        return path

    return write
