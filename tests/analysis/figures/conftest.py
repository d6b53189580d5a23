"""Axes to draw on, and an empty results folder."""

from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wganbench.records.store import Store


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")
