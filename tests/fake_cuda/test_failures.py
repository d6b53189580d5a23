"""What happens to the runs of a command if a GPU fails, a worker is killed or memory is short; and on two devices."""

from __future__ import annotations

import re

import pytest

from tests.fake_cuda import commands, counters
from tests.fake_cuda.steps import CUDA
from wganbench.runner.cohort import Attempt, OutOfMemory, train_cohort
from wganbench.runner.precision import numerics
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand

pytestmark = pytest.mark.slow
BREAK = "once() and ctypes.CDLL(None).fake_break_after(ctypes.c_long(0))"
"""After this every call fails, in this process and no other."""
HOST_ALLOCATION_FAILED = 4003
"""Also called CUDNN_STATUS_ALLOC_FAILED."""
KILL = "once() and os.kill(os.getpid(), signal.SIGKILL)"


def statuses(found):
    return sorted(status for status, *_ in found["runs"].values())


@pytest.mark.parametrize("capture", [[], ["--no-capture"]], ids=["captured", "not captured"])
def test_a_failed_gpu_ends_an_inline_command_in_one_line_and_the_same_command_does_the_rest(
    fake_cuda, capture, tmp_path
):
    first = fake_cuda(commands.run, str(tmp_path), BREAK, "--executor", "inline", *capture)
    assert first["code"] == 1
    assert first["err"] == "wganbench: the GPU failed; records and checkpoints are kept, the same command resumes\n"
    ((status, note, *_),) = first["runs"].values()
    assert status == "failed"
    assert "device-side assert triggered" in note
    rest = fake_cuda(commands.run, str(tmp_path), BREAK, "--executor", "inline", *capture)
    assert (rest["code"], len(rest["runs"])) == (0, 4)
    assert "failed" not in statuses(rest)


def test_a_local_worker_whose_gpu_failed_is_replaced_and_the_other_cohorts_finish(fake_cuda, tmp_path):
    found = fake_cuda(commands.run, str(tmp_path), BREAK, "--executor", "local", "--jobs", "1")
    assert found["code"] == 1
    assert found["err"] == "wganbench: 1 of 4 runs failed; the tracebacks are in their records\n"
    assert len(found["runs"]) == 4
    assert statuses(found).count("failed") == 1


def test_two_workers_share_a_gpu_and_one_that_is_killed_is_replaced(fake_cuda, tmp_path):
    found = fake_cuda(commands.run, str(tmp_path), KILL, "--executor", "local", "--per-gpu", "2")
    assert found["code"] == 0
    assert re.fullmatch(r"wganbench: \S+: its worker died; it continues from step 0\n", found["err"])
    assert len(found["runs"]) == 4
    assert "failed" not in statuses(found)
    assert sorted(retries for _, _, retries, *_ in found["runs"].values()) == [0, 0, 0, 1]


def test_two_workers_on_each_of_two_gpus(fake_cuda, tmp_path):
    options = ("--executor", "local", "--per-gpu", "2")
    found = fake_cuda(commands.run, str(tmp_path), "pass", *options, FAKE_CUDA_DEVICES=2)
    assert (found["code"], found["err"]) == (0, "")
    devices = sorted(device for _, _, _, device, _ in found["runs"].values())
    assert devices == ["CUDA stand-in 0", "CUDA stand-in 0", "CUDA stand-in 1", "CUDA stand-in 1"]


STOP = "fault.calls == 3 and once() and os.kill(os.getpid(), signal.SIGTERM)"


def test_a_run_that_was_stopped_goes_on_from_a_file_with_a_graph(fake_cuda, tmp_path):
    options = ("--executor", "inline", "--stack", "4", "--deterministic")
    first = fake_cuda(commands.run, str(tmp_path), STOP, *options, "--no-capture")
    assert (first["code"], first["runs"]) == (143, {})
    rest = fake_cuda(commands.run, str(tmp_path), STOP, *options)
    assert (rest["code"], rest["err"]) == (0, "")
    assert "found checkpoints of 1 cohort, the furthest at step 3 of 4" in rest["out"]
    assert [captured for *_, captured in rest["runs"].values()] == [True] * 4


FAIL = "once() and ctypes.CDLL(None).fake_fail({call!r}, {status}, ctypes.c_long(2))"
"""The first attempt and the one alone on the GPU fail; the halves do not."""
SHORT = {
    "the allocator": ("torch.empty(len(real) ** 2 << 26, dtype=torch.uint8, device=real.device)", "CUDA out of memory"),
    "a kernel": (FAIL.format(call=b"cudaLaunchKernel", status=2), "CUDA error: out of memory"),
    "cuBLAS": (FAIL.format(call=b"cublas", status=3), "CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
}
"""What needs memory. The allocator has 800 MiB; two seeds ask it for 256 MiB, four for 1 GiB."""


@pytest.mark.parametrize("what", SHORT)
def test_a_stack_without_memory_is_trained_in_halves(fake_cuda, what, tmp_path):
    change, reason = SHORT[what]
    arguments = (str(tmp_path), change, "--executor", "inline", "--stack", "4", "--no-capture")
    found = fake_cuda(commands.run, *arguments, FAKE_CUDA_MEBIBYTES=800)
    again = "the device had no memory for it beside others; it is tried again alone"
    assert (found["code"], found["err"].count(again), found["err"].count("wganbench:")) == (0, 1, 1)
    assert len(found["runs"]) == 4
    for status, note, *_ in found["runs"].values():
        assert status != "failed"
        assert note.startswith(f"trained in a stack of at most 2: no memory for 4 ({reason}")


GRAPH = "once() and ctypes.CDLL(None).fake_fail(b'cudaGraphInstantiate', 2, ctypes.c_long(1))"


def test_a_stack_without_memory_for_a_graph_is_trained_without_one(fake_cuda, tmp_path):
    found = fake_cuda(commands.run, str(tmp_path), GRAPH, "--executor", "inline", "--stack", "4")
    assert (found["code"], statuses(found).count("failed")) == (0, 0)
    assert found["err"].endswith("steps are launched operation by operation: CUDA error: out of memory\n")
    assert [note for _, note, *_ in found["runs"].values()] == [None] * 4


def image_networks_without_a_handle():
    """A cohort's notes, if cuDNN can give it a handle only at the third attempt."""
    spec = load("table2", ["measures.real_inception_score.samples=500"])
    runs = tuple(expand(spec, "smoke", range(4), ["dcgan"]))
    counters.fail("cudnnCreate", HOST_ALLOCATION_FAILED, 2)
    with numerics(CUDA, 1):
        with pytest.raises(OutOfMemory, match="CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"):
            list(train_cohort(Cohort(runs), Attempt(device=CUDA)))
        attempt = Attempt(device=CUDA, memory_is_short=True)
        return [outcome.record.note for outcome in train_cohort(Cohort(runs), attempt)]


def test_cudnn_without_memory_is_known_too(fake_cuda):
    notes = fake_cuda(image_networks_without_a_handle)
    assert len(notes) == 4
    for note in notes:
        assert note.startswith("trained in a stack of at most 2: no memory for 4 (cuDNN error: CUDNN_STATUS_INTERNAL")
