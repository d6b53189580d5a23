"""Tests compare numbers, so they run on one thread, whatever an earlier test chose."""

import sys

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    if "torch" in sys.modules:  # not imported here: some tests show that nothing needs it
        sys.modules["torch"].set_num_threads(1)
