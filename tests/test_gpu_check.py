"""`tools/gpu-check.sh`: its options and limits, and what becomes of parts that fail, hang or leave processes behind."""

from __future__ import annotations

import json
import math
import re
import resource
import runpy
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools/gpu-check.sh"
NAMES = ["versions", "tests", "methods", "memory", "table3", "ring", "depth20", "resume", "workers", "scores"]
NAMES += ["surfaces"]


@pytest.fixture
def tool(monkeypatch):
    """The module, and a function that makes a part of a line of Python."""
    module = runpy.run_path(str(ROOT / "tools/gpu_check.py"))
    names = module["main"].callback.__globals__
    monkeypatch.setitem(names, "stand_in", lambda folder: {})
    monkeypatch.setitem(names, "MAX_BYTES", resource.getrlimit(resource.RLIMIT_AS)[1])
    monkeypatch.setitem(names, "GRACE_SECONDS", 0.5)
    monkeypatch.setitem(names, "LEAST_SECONDS", 0.5)

    def part(name, line, seconds=20.0, **others):
        return module["Part"](name, "a test", seconds, lambda *about: [sys.executable, "-c", line], **others)

    def run(parts, *options):
        monkeypatch.setitem(names, "PARTS", tuple(parts))
        return CliRunner().invoke(module["main"], [str(option) for option in options])

    return part, run


def outcomes(folder):
    return [(each["part"], each["status"]) for each in json.loads((folder / "outcomes.json").read_text())]


def test_a_part_that_fails_costs_a_line_and_the_rest_goes_on(tool, tmp_path):
    part, run = tool
    parts = [
        part("one", "print('a result')"),
        part("two", "print('failed: it is 3, not 2'); raise SystemExit(1)"),
        part("three", "raise ArithmeticError"),
        part("four", "print('another')"),
    ]
    ended = run(parts, tmp_path)
    assert ended.exit_code == 1
    assert outcomes(tmp_path) == [("one", "passed"), ("two", "failed"), ("three", "failed"), ("four", "passed")]
    assert "   a result\n" in ended.output and "   another\n" in ended.output
    whole = ended.output.partition("── all parts\n")[2].splitlines()
    assert re.fullmatch(r"two +failed +\d+\.\d s  it is 3, not 2", whole[1])
    assert whole[2].endswith(f"see {tmp_path}/logs/three.err")
    assert (tmp_path / "logs/three.err").read_text().endswith("ArithmeticError\n")
    assert (tmp_path / "logs/one.log").read_text() == "a result\n"


def test_if_all_pass_it_says_so(tool, tmp_path):
    part, run = tool
    assert run([part("one", "0"), part("two", "0")], tmp_path).exit_code == 0
    assert run([part("one", "0"), part("two", "1/0")], tmp_path, "--only", "one").exit_code == 0
    assert outcomes(tmp_path) == [("one", "passed")]


def test_a_part_that_hangs_is_ended_with_all_that_it_started(tool, tmp_path):
    part, run = tool
    child = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']); "
    )
    child += "print(p.pid, flush=True); time.sleep(99)"
    began = time.monotonic()
    ended = run([part("hangs", child, 1.0), part("next", "0")], tmp_path)
    assert time.monotonic() - began < 30
    assert outcomes(tmp_path) == [("hangs", "failed"), ("next", "passed")]
    assert "stopped after 1 s" in ended.output
    (process,) = re.findall(r"^   (\d+)$", ended.output, flags=re.MULTILINE)
    assert not psutil.pid_exists(int(process)) or psutil.Process(int(process)).status() == psutil.STATUS_ZOMBIE


def test_parts_for_which_no_time_is_left_are_not_run_and_the_check_has_not_passed(tool, tmp_path):
    part, run = tool
    parts = [part("long", "import time; time.sleep(99)", None), part("late", "0")]
    ended = run(parts, tmp_path, "--minutes", "0.03")
    assert ended.exit_code == 1
    assert outcomes(tmp_path) == [("long", "failed"), ("late", "not run")]


def test_without_a_gpu_nothing_else_is_started(tool, tmp_path):
    part, run = tool
    ended = run([part("one", "raise SystemExit(3)"), part("two", "0")], tmp_path)
    assert (ended.exit_code, outcomes(tmp_path)) == (1, [("one", "failed"), ("two", "not run")])


def test_of_a_part_with_many_lines_only_some_are_printed(tool, tmp_path):
    part, run = tool
    ended = run([part("one", "print('dull'); print('FAILED it')", shown="^FAILED")], tmp_path)
    assert "   FAILED it\n" in ended.output and "dull" not in ended.output
    assert (tmp_path / "logs/one.log").read_text() == "dull\nFAILED it\n"


def test_in_a_rehearsal_no_part_passes_and_its_records_are_deleted(tool, tmp_path, monkeypatch):
    part, run = tool
    monkeypatch.setenv("WGANBENCH_REHEARSAL", "1")
    made = part("one", f"import os; os.mkdir({str(tmp_path / 'results')!r}); print('a loss of 0'); print('───')")
    ended = run([made], tmp_path, "--rehearse")
    assert ended.exit_code == 0, ended.output
    assert outcomes(tmp_path) == [("one", "rehearsed")]
    assert "   a loss of 0  (rehearsal: values not checked)\n   ───\n" in ended.output
    assert re.search(r"^one +rehearsed +\d+\.\d s  rehearsal: values not checked$", ended.output, re.MULTILINE)
    assert not (tmp_path / "results").exists()
    assert run([part("two", "1/0")], tmp_path, "--rehearse").exit_code == 1


@pytest.mark.parametrize(
    ("losses", "line"),
    [([0.0, 0.0], "all losses are 0, as if nothing had been computed"), ([1.0, math.nan], "a loss is not finite")],
)
def test_losses_that_no_kernel_computed_fail_a_part_and_are_let_through_in_a_rehearsal(monkeypatch, losses, line):
    module = runpy.run_path(str(ROOT / "tools/gpu_parts.py"))
    require_numbers = module["require_numbers"]
    with pytest.raises(module["PartFailedError"], match=line):
        require_numbers([torch.tensor(losses)])
    monkeypatch.setitem(require_numbers.__globals__, "REHEARSED", True)
    require_numbers([torch.tensor(losses)])


def script(*options, **environment):
    return subprocess.run([SCRIPT, *options], capture_output=True, text=True, **environment)


def test_the_script_lists_its_parts_in_order_of_worth_and_knows_no_other():
    listed = script("--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == NAMES
    wrong = script("--only", "tabel3")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].startswith("Error: --only: no part 'tabel3'; known: versions, tests, ")
