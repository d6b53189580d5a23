"""What holds for all tests."""

import os
import sys

import pytest

import wganbench  # noqa: F401  # sets what torch reads while it is imported, which test modules do first


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
