"""`tools/gpu-check.sh` on the stand-in, where its parts execute and no number is right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(*arguments, **options):
    return subprocess.run([ROOT / "tools/gpu-check.sh", *arguments], capture_output=True, text=True, **options)


def outcomes(folder):
    return [(each["part"], each["status"]) for each in json.loads((folder / "outcomes.json").read_text())]


@pytest.mark.slow
def test_a_rehearsal_executes_parts_and_says_in_each_line_that_no_number_is_checked(fake_cuda, tmp_path):
    ended = check("--rehearse", tmp_path, "--only", "versions", "--only", "scores", "--stretch", "4")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert outcomes(tmp_path) == [("versions", "rehearsed"), ("scores", "rehearsed")]
    assert "1 of CUDA stand-in 0" in ended.stdout
    assert "classifier: " in ended.stdout
    results = [line for line in ended.stdout.splitlines() if line.startswith("   ")]
    assert results and all(line.endswith("  (rehearsal: values not checked)") for line in results)
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "outcomes.json", "stand-in"}


@pytest.mark.slow
def test_the_check_itself_refuses_the_stand_in(fake_cuda, tmp_path):
    ended = check(tmp_path, "--only", "versions", "--stretch", "4", env=fake_cuda.environment)
    assert ended.returncode == 1, ended.stderr
    assert outcomes(tmp_path) == [("versions", "failed")]
    assert "a rehearsal, and nothing else, runs on the stand-in, and this is CUDA stand-in 0" in ended.stdout
