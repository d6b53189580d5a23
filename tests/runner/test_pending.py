"""Distances that several threads compute: the same values in the same places, and the same errors."""

import threading

import pytest
import torch

from wganbench.measures import transport
from wganbench.runner import cohort as cohorts
from wganbench.runner import loop
from wganbench.runner.cohort import Attempt, train_cohort
from wganbench.runner.jobs.options import Execution
from wganbench.runner.loop import MAX_MEASURING_THREADS, _measuring_threads
from wganbench.runner.pending import Pending
from wganbench.runner.trace import Trace
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
MEASURES = ["steps=10", "measures.exact_wasserstein={points=6, samples=100}"]


def outcomes(threads, overrides=(), **about):
    runs = expand(load("gaussians8", [*MEASURES, *overrides]), "smoke", [0, 1, 2], ["gan"])
    return list(train_cohort(Cohort(tuple(runs)), Attempt(measuring_threads=threads, **about)))


def contents(found):
    return [
        (list(each.record.curves), each.record.model_dump(exclude={"wall_seconds": True, "provenance": True}))
        for each in found
    ]


def test_values_take_the_places_that_they_were_added_in_whichever_is_known_first():
    trace, second_is_known, pending = Trace(), threading.Event(), Pending(3)

    def first():
        assert second_is_known.wait(20)
        return 1.25

    def second():
        second_is_known.set()
        return float("inf")

    pending.add(trace, "a", 0, first)
    pending.add(trace, "a", 5, second)
    trace.add("b", 5, 3.0)
    pending.settle()
    pending.close()
    assert trace.curves == {"a": ([0, 5], [1.25, None]), "b": ([5], [3.0])}
    assert list(trace.curves) == ["a", "b"]


def test_no_more_values_are_computed_at_a_time_than_there_are_threads_with_the_waiting_one_among_them():
    pending, trace, at_once, most, lock = Pending(3), Trace(), [], [], threading.Lock()
    together = threading.Barrier(3)

    def compute():
        with lock:
            at_once.append(threading.get_ident())
            most.append(len(at_once))
        together.wait(20)
        with lock:
            at_once.remove(threading.get_ident())
        return 0.0

    for step in range(6):
        pending.add(trace, "a", step, compute)
    pending.settle()
    pending.close()
    assert max(most) == 3


def test_one_thread_is_the_calling_one():
    pending, trace, seen = Pending(1), Trace(), []
    pending.add(trace, "a", 0, lambda: float(seen.append(threading.get_ident()) or 2.0))
    assert trace.curves == {"a": ([0], [2.0])} and seen == [threading.get_ident()]


def failing(message):
    def compute():
        raise ValueError(message)

    return compute


def test_the_first_error_in_order_is_raised_and_what_is_known_after_it_is_kept():
    pending, trace = Pending(3), Trace()
    for step, compute in enumerate((lambda: 1.0, failing("the first"), failing("the second"), lambda: 4.0)):
        pending.add(trace, "a", step, compute)
    for place in pending._places:
        place.value.exception(20)
    with pytest.raises(ValueError, match=r"^the first$"):
        pending.settle()
    pending.close()
    assert trace.curves["a"] == ([0, 1, 2, 3], [1.0, None, None, 4.0])


@pytest.mark.parametrize("overlaps", [False, True])
def test_records_do_not_depend_on_the_number_of_threads(overlaps, monkeypatch):
    alone = outcomes(1)
    assert len(alone[0].record.curves["exact_wasserstein"].steps) == 5
    threads, exact = set(), transport.ot.emd2

    def emd2(*arguments, **options):
        threads.add(threading.get_ident())
        return exact(*arguments, **options)

    monkeypatch.setattr(transport.ot, "emd2", emd2)
    monkeypatch.setattr(cohorts, "overlaps", lambda attempt, setting: overlaps)
    assert contents(outcomes(3)) == contents(alone)
    assert len(threads) > 1
    assert not [each.name for each in threading.enumerate() if each.name.startswith("wganbench-measure")]


def test_an_error_in_a_thread_ends_the_runs_as_one_without_threads(monkeypatch):
    def emd2(*arguments, **options):
        raise ValueError("no solution")

    monkeypatch.setattr(transport.ot, "emd2", emd2)
    for threads in (1, 3):
        found = outcomes(threads)
        assert {each.record.status for each in found} == {"failed"}
        assert all("ValueError: no solution" in each.record.note for each in found)


def test_distances_are_computed_beside_training_only_on_a_gpu_where_nothing_reads_them_at_once(tmp_path):
    setting = load("gaussians8").setting("gan", "smoke")
    banded = load("gaussians8", ["band.of='exact_wasserstein'", "band.regain=0.1"]).setting("gan", "smoke")
    assert cohorts.overlaps(Attempt(device=CUDA), setting)
    assert not cohorts.overlaps(Attempt(device=CPU), setting)
    assert not cohorts.overlaps(Attempt(device=CUDA), banded)
    assert not cohorts.overlaps(Attempt(device=CUDA, tensorboard=tmp_path), setting)


@pytest.mark.parametrize(
    ("device", "options", "n_cores", "expected"),
    [
        (CPU, {"threads": 1}, 16, 1),
        (CPU, {"threads": 4}, 16, 4),
        (CUDA, {"threads": 1}, 12, 12),
        (CUDA, {"threads": 1}, 128, MAX_MEASURING_THREADS),
        (CUDA, {"threads": 20}, 8, 20),
        (CUDA, {"threads": 1, "executor": "local"}, 16, 4),
        (CUDA, {"threads": 1, "executor": "slurm"}, 16, 1),
        (CUDA, {"threads": 3, "executor": "ray"}, 16, 3),
    ],
)
def test_the_cpu_gives_the_threads_asked_for_and_a_gpu_its_share_of_the_cores(
    device, options, n_cores, expected, monkeypatch
):
    monkeypatch.setattr(loop, "cores", lambda: n_cores)
    monkeypatch.setattr(loop, "slots", lambda execution, device: ["0", "1", "0", "1"])
    assert _measuring_threads(Execution(**options), device) == expected
