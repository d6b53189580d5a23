"""What is met by another attempt or by smaller stacks: the ways in which memory is short, and nothing else."""

from __future__ import annotations

import pytest
import torch

from wganbench.runner import cohort as module
from wganbench.runner.cohort import Attempt, OutOfMemory, is_out_of_memory, train_cohort
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand

ADVICE = "\nSearch for the error in the CUDA Runtime API documentation.\nCompile with `TORCH_USE_CUDA_DSA` if in doubt."
SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
    torch.AcceleratorError(f"CUDA error: out of memory{ADVICE}"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]
OTHER = [
    torch.AcceleratorError(f"CUDA error: an illegal memory access was encountered{ADVICE}"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED\nThis can be out of memory elsewhere"),
    ValueError("out of memory, says something custom"),
]


@pytest.mark.parametrize(("errors", "expected"), [(SHORT, True), (OTHER, False)])
def test_a_lack_of_memory_is_known_by_type_and_first_line(errors, expected):
    assert [is_out_of_memory(error) for error in errors] == [expected] * len(errors)


def trained(tiny, monkeypatch, error, *, memory_is_short):
    """The outcomes of three seeds, of which the device takes two at a time and else raises ``error``."""
    make = module.make_trainer

    def crowded(setting, seeds, device):
        if len(seeds) > 2:
            raise error
        return make(setting, seeds, device)

    monkeypatch.setattr(module, "make_trainer", crowded)
    runs = expand(load(str(tiny())), "smoke", range(3), ["clip"])
    return list(train_cohort(Cohort(tuple(runs)), Attempt(memory_is_short=memory_is_short)))


@pytest.mark.parametrize("error", SHORT[1:3], ids=lambda error: str(error)[:40])
def test_each_lack_of_memory_is_tried_alone_and_then_in_halves(tiny, monkeypatch, error):
    with pytest.raises(OutOfMemory):
        trained(tiny, monkeypatch, error, memory_is_short=False)
    records = [outcome.record for outcome in trained(tiny, monkeypatch, error, memory_is_short=True)]
    assert [record.status for record in records] == ["finished"] * 3
    assert [len(record.cohort) for record in records] == [2, 2, 1]
    assert records[0].note.startswith("trained in a stack of at most 2: no memory for 3 (")
    assert "\n" not in records[0].note


@pytest.mark.parametrize("memory_is_short", [False, True])
@pytest.mark.parametrize("error", OTHER, ids=lambda error: str(error)[:40])
def test_any_other_error_fails_all_runs_at_once(tiny, monkeypatch, error, memory_is_short):
    records = [outcome.record for outcome in trained(tiny, monkeypatch, error, memory_is_short=memory_is_short)]
    assert [record.status for record in records] == ["failed"] * 3
    assert [len(record.cohort) for record in records] == [3] * 3
