"""What holds for all tests."""

import os
import sys

import pytest

os.environ.setdefault("TORCH_DISABLE_NATIVE_JIT", "1")  # as the package does, but many tests import torch first


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk():
    """Files are not forced onto the disk: nobody cuts the power, and each would wait for milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True)
def one_thread():
    """Tests compare numbers, so they run on one thread, whatever an earlier test chose."""
    if "torch" in sys.modules:  # not imported here: some tests show that nothing needs it
        sys.modules["torch"].set_num_threads(1)
