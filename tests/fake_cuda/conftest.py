"""The stand-in for CUDA, built once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_cuda import build
from tests.fake_cuda.process import FakeCuda


@pytest.fixture(scope="session")
def fake_cuda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCuda]:
    """Calls functions in processes whose CUDA computes nothing; see `tests.fake_cuda.process`."""
    reason = build.missing()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("fake_cuda")
    made = FakeCuda(build.build(folder), folder)
    yield made
    made.end()
