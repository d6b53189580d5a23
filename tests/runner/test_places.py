"""Which jobs share a GPU: small ones do, a big one has it alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from wganbench.records.store import Store
from wganbench.runner.executors.local import _WorkerPool
from wganbench.runner.executors.ray import BATCH_SECONDS, Ray, batches
from wganbench.runner.jobs.job import BIG_STEP_FLOPS, JobFolder, Planned
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution

STEPS = 50


class Worker:
    """Takes every job, and ends when it is told to."""

    def __init__(self) -> None:
        self.planned, self.slot, self.places = None, None, ()

    def begin(self, planned, results, places: Sequence[str | None]) -> bool:
        self.planned, self.slot, self.places = planned, places[0], places
        return True


def job(step_flops):
    about = SimpleNamespace(setting=SimpleNamespace(steps=STEPS))
    return Planned(JobFolder(Path("x")), about, None if step_flops is None else step_flops * STEPS)


BIG, SMALL, UNKNOWN = job(BIG_STEP_FLOPS), job(BIG_STEP_FLOPS * 0.99), job(None)


def shift(jobs, slots):
    local = SimpleNamespace(store=SimpleNamespace(root=Path("results")), start=Worker)
    made = _WorkerPool(local, jobs, slots, Stop())
    made.fill()
    return made


def under_way(made):
    return [("big" if worker.planned.is_big else "small", [*worker.places]) for worker in made.busy]


def end(made, index):
    worker = made.busy.pop(index)
    made.free.extend(worker.places)
    made.fill()


TWO_GPUS = ["0", "1", "0", "1"]


@pytest.mark.parametrize(
    ("jobs", "slots", "expected"),
    [
        ([SMALL] * 5, TWO_GPUS, [("small", [gpu]) for gpu in TWO_GPUS]),
        ([UNKNOWN] * 2, TWO_GPUS, [("small", ["0"]), ("small", ["1"])]),
        ([BIG] * 3, TWO_GPUS, [("big", ["0", "0"]), ("big", ["1", "1"])]),
        ([BIG, SMALL, SMALL, SMALL], TWO_GPUS, [("big", ["0", "0"]), ("small", ["1"]), ("small", ["1"])]),
        ([SMALL, BIG, SMALL], TWO_GPUS, [("small", ["0"]), ("big", ["1", "1"]), ("small", ["0"])]),
        ([BIG, BIG], ["0"], [("big", ["0"])]),
        ([BIG, BIG], ["0", "1", "0"], [("big", ["0", "0"]), ("big", ["1"])]),
        ([BIG] * 3, [None, None], [("big", [None]), ("big", [None])]),
    ],
)
def test_a_big_job_has_a_gpu_to_itself_and_small_ones_share(jobs, slots, expected):
    assert under_way(shift(jobs, slots)) == expected


def test_a_place_is_free_for_whoever_is_next_once_its_job_has_ended():
    made = shift([BIG, BIG, BIG, SMALL, SMALL, SMALL], TWO_GPUS)
    end(made, 0)
    assert under_way(made) == [("big", ["1", "1"]), ("big", ["0", "0"])]
    end(made, 0)
    assert under_way(made) == [("big", ["0", "0"]), ("small", ["1"]), ("small", ["1"])]
    end(made, 0)
    assert under_way(made) == [("small", ["1"]), ("small", ["1"]), ("small", ["0"])]
    for _ in range(3):
        end(made, 0)
    assert sorted(made.free) == sorted(TWO_GPUS)


def test_a_big_job_waits_until_all_of_a_gpu_is_free():
    made = shift([SMALL, SMALL, SMALL, SMALL, BIG], TWO_GPUS)
    end(made, 0)  # of GPU 0
    end(made, 0)  # of GPU 1
    assert [kind for kind, _ in under_way(made)] == ["small", "small"]
    end(made, 0)
    assert under_way(made) == [("small", ["1"]), ("big", ["0", "0"])]


def test_no_big_job_shares_a_task_of_ray_whatever_else_there_is():
    jobs = [SMALL, BIG, job(0.0), job(0.0), BIG]
    found = batches(jobs, BATCH_SECONDS, 99)
    assert all(len(batch) == 1 for batch in found if any(planned.is_big for planned in batch))


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_rays_request_for_a_big_job_is_a_whole_gpu(tmp_path):
    executor = Ray(Execution(executor="ray", per_gpu=4), Store(tmp_path), "cuda")
    assert executor._request(1, whole_gpu=False)["GPU"] == 0.25
    assert executor._request(1, whole_gpu=True)["GPU"] == 1
