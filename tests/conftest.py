"""What holds for all tests."""

import gc
import os
import sys

import pytest

import wganbench  # noqa: F401  # sets what torch reads while it is imported, which test modules do first

REHEARSED = "WGANBENCH_REHEARSAL" in os.environ
"""As in `tests.values`, which is not importable wherever this file is read."""
STAND_IN = "CUDA stand-in"
"""How the names of the devices begin on which a rehearsal may run."""


def pytest_configure():
    if not REHEARSED:
        return
    import torch

    if not torch.cuda.is_available() or not torch.cuda.get_device_name().startswith(STAND_IN):
        pytest.exit(f"a rehearsal needs a device whose name begins with {STAND_IN!r}", returncode=2)


def pytest_report_teststatus(report):
    """Keeps a rehearsal from reporting that tests passed."""
    if REHEARSED and report.when == "call" and report.passed:
        return "rehearsed", "r", "REHEARSED"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Takes what is imported and collected out of every later search for garbage: it stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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
