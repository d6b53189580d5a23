"""`tools/gpu-check.sh` on the stand-in, where its parts execute and no number is right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STARTED_WITH_THE_STANDIN = """
import sys, types

if not any("gpu_check" in each for each in sys.orig_argv):
    tests = sys.modules["tests"] = types.ModuleType("tests")
    tests.__path__ = [{folder!r}]
    from tests.fake_cuda.values import replace_decisions

    replace_decisions()
    del sys.modules["tests"]
"""


@pytest.mark.slow
def test_on_the_stand_in_parts_execute_and_do_not_pass_with_losses_that_nothing_computed(fake_cuda, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(STARTED_WITH_THE_STANDIN.format(folder=str(ROOT / "tests")))
    environment = fake_cuda.environment
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    command = [ROOT / "tools/gpu-check.sh", tmp_path, "--only", "versions", "--only", "memory", "--stretch", "4"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 1, ended.stderr
    outcomes = [(each["part"], each["status"]) for each in json.loads((tmp_path / "outcomes.json").read_text())]
    assert outcomes == [("versions", "failed"), ("memory", "passed")]
    assert "1 of CUDA stand-in 0" in ended.stdout
    assert "after capture 5: " in ended.stdout
