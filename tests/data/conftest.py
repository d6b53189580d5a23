"""Small images and a data folder that is this test's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder, in the environment."""
    folder = tmp_path / "data"
    monkeypatch.setenv("WGANBENCH_DATA", str(folder))
    return folder


@pytest.fixture
def make_folder(tmp_path):
    """Writes PNGs: ``make_folder("faces", {"train/cat/a.png": (width, height), …})``; grey level by position."""

    def make(name: str, sizes: dict[str, tuple[int, int]]) -> Path:
        for position, (place, (width, height)) in enumerate(sizes.items()):
            path = tmp_path / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((height, width, 3), 10 * position + 10, np.uint8)).save(path)
        return tmp_path / name

    return make
