"""Ray's workers record what this process records, whatever is lost or stopped meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from collections import Counter
from importlib.util import find_spec
from types import SimpleNamespace

import psutil
import pytest

from wganbench.errors import ExtensionError, SpecError, WganbenchError
from wganbench.records.store import Store
from wganbench.runner.executors.ray import QUIET, Ray, batches
from wganbench.runner.jobs.job import WorkFolder
from wganbench.runner.jobs.stop import Stop
from wganbench.runner.loop import Execution, run_all
from wganbench.spec import load
from wganbench.spec.plan import CPU_CORE_FLOPS, expand

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
TOKEN = "WGANBENCH_TEST_RAY"
"""In the environment of every process that Ray starts for these tests."""
NICE = {"RAY_worker_niceness": "0"}
"""Ray's is 15, with which a worker hardly gets to work on a busy machine."""


def execute(path, store, seeds, executor="ray", variants=(), overrides=(), profile="smoke", stack=1, **options):
    spec = load(str(path), overrides)
    runs = expand(spec, profile, seeds, variants)
    about = {name: options.pop(name) for name in ("address", "jobs", "checkpoint_seconds") if name in options}
    execution = Execution(device="cpu", stack=stack, threads=1, executor=executor, **about)
    return run_all(runs, store, execution, **options)


def numbers(records):
    return {record.id: (record.status, record.measures, record.curves) for record in records}


def started(token):
    """Ids of the processes that Ray has started, and they."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN) == token and process.pid != os.getpid():
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_behind():
    token = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        told = {TOKEN: token, **QUIET, **NICE}  # QUIET here as well, as tests import Ray before the executor
        for name, value in told.items():
            patch.setenv(name, value)
        yield
    wait_for(lambda: not started(token))


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a core each; the first is said to have a GPU, the second may be removed."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1, "include_dashboard": False})
    made.second = made.add_node(num_cpus=1)
    yield made
    made.shutdown()


def workers(store):
    """The processes that hold leases, each with the run that it has yet to record."""
    held = WorkFolder(store).leases.held().items()
    begun = {folder.log()[-1].get("worker") for folder in WorkFolder(store).jobs() if folder.log()}
    left = {owner.process: run for run, owner in held if owner and not list(store.root.glob(f"*/{run}.json"))}
    return {process: run for process, run in left.items() if str(process) in begun}


def caught(store, node):
    """A worker on a node, held still amid a training; None where there is none just now."""
    raylet = node.all_processes["raylet"][0].process.pid
    for pid, run in workers(store).items():
        try:
            process = psutil.Process(pid)
            if process.ppid() != raylet:
                continue
            process.suspend()
        except psutil.NoSuchProcess:
            continue
        wait_for(lambda process=process: process.status() == psutil.STATUS_STOPPED)
        if workers(store).get(pid) == run:
            return process
        process.resume()
    return None


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.01)
    return found


@needs_ray
def test_a_cluster_of_this_machine_alone_records_what_this_process_records_and_is_gone_after(tiny, tmp_path, capfd):
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    inline = list(execute(tiny(), Store(tmp_path / "inline"), range(3), "inline", stack=2))
    on_ray = list(execute(tiny(), Store(tmp_path / "ray"), range(3), stack=2, jobs=1))
    assert numbers(on_ray) == numbers(inline)
    assert len(on_ray) == 6
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) == handler
    assert not list((tmp_path / "ray" / ".work" / "going").iterdir())
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@needs_ray
def test_a_stop_leaves_checkpoints_and_the_next_command_goes_on_from_them(tiny, tmp_path, cluster):
    long = ("profiles.smoke.steps=100000",)
    store, stop, told = Store(tmp_path / "results"), Stop(), []
    began = []

    def report(cohort, step):
        if step > 5 and not began:
            began.append(time.monotonic())
            stop.ask("interrupted")

    common = {"address": cluster.address, "variants": ["clip"], "overrides": long}
    assert list(execute(tiny(), store, range(5), stop=stop, on_progress=report, on_event=told.append, **common)) == []
    assert time.monotonic() - began[0] < 10.0
    stopped = [event for event in told if event["event"] == "stop"]
    assert stopped
    assert {event["reason"] for event in stopped} == {"terminated"}
    assert max(folder.checkpointed() for folder in WorkFolder(store).jobs()) == max(e["step"] for e in stopped) > 5
    assert workers(store) == {}


@pytest.mark.slow
@needs_ray
def test_what_a_lost_worker_had_not_come_to_is_no_attempt(tiny, tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(
        "wganbench.runner.executors.Ray", lambda execution, store, device: Ray(execution, store, "cuda")
    )
    store, told, seen, killed = Store(tmp_path / "results"), [], set(), []

    def report(cohort, step):
        seen.add(cohort)
        if len(seen) == 2 and not killed:
            killed.append(wait_for(lambda: caught(store, cluster.head_node)))
            killed[0].kill()

    longer = ("profiles.smoke.steps=1500",)
    options = {"variants": ["clip"], "overrides": longer, "address": cluster.address}
    records = list(execute(tiny(), store, range(4), on_progress=report, on_event=told.append, **options))
    assert sorted(record.retries for record in records) == [0, 0, 0, 1]
    workers = Counter(event["worker"] for event in told if event["event"] == "start")
    assert (len(workers), workers.total()) == (3, 5), "the lost worker, one for the rest, one that tries again"


@pytest.mark.slow
@needs_ray
def test_a_lost_worker_and_a_lost_node_cost_an_attempt_and_nothing_else(tmp_path, cluster, capfd):
    common = {"variants": ["gan", "wgan-clip"], "overrides": ("profiles.smoke.steps=80",)}
    store, told, records = Store(tmp_path / "ray"), [], []
    options = {"address": cluster.address, "checkpoint_seconds": 0.05, "on_event": told.append}
    for record in execute("gaussians8", store, range(3), **common, **options):
        records.append(record)
        if len(records) == 1:
            wait_for(lambda: caught(store, cluster.head_node)).kill()
        if len(records) == 2:
            worker = wait_for(lambda: caught(store, cluster.second))
            cluster.remove_node(cluster.second, allow_graceful=False)
            worker.kill()
    starts = [event for event in told if event["event"] == "start"]
    assert sorted(record.retries for record in records) == 4 * [0] + 2 * [1]
    assert len(starts) == 6 + 2
    inline = numbers(execute("gaussians8", Store(tmp_path / "inline"), range(3), "inline", **common))
    assert len(records) == len(store.load()) == 6
    assert numbers(records) == numbers(store.load().values()) == inline
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@needs_ray
def test_a_cluster_that_goes_away_ends_the_command_with_a_line(tiny, tmp_path):
    from ray.cluster_utils import Cluster

    cluster, told, long = Cluster(initialize_head=True), [], ("profiles.smoke.steps=100000",)

    def report(cohort, step):
        if step > 5 and not told:
            told.append(step)
            for (info,) in cluster.head_node.all_processes.values():
                info.process.terminate()

    try:
        with pytest.raises(WganbenchError, match=r"^--executor ray: the cluster is gone; |: Ray cannot be reached "):
            list(execute(tiny(), Store(tmp_path), [0], overrides=long, address=cluster.address, on_progress=report))
    finally:
        cluster.shutdown()


@pytest.mark.slow
@needs_ray
def test_what_no_node_has_is_said_before_it_is_waited_for(tiny, tmp_path, cluster):
    execution = Execution(executor="ray", device="cpu", threads=1000, address=cluster.address)
    spec = load(str(tiny()))
    with pytest.raises(SpecError, match="no node has 1000 cores and 1 GiB; --threads asks for fewer"):
        list(run_all(expand(spec, "smoke", [0]), Store(tmp_path / "results"), execution))
    assert not list(tmp_path.glob("results/*/*.json"))


# ---- without a cluster ----------------------------------------------------------------------------------------------


def job(name, seconds):
    return SimpleNamespace(name=name, flops=None if seconds is None else seconds * CPU_CORE_FLOPS)


@pytest.mark.parametrize(
    ("costs", "most", "expected"),
    [
        ([30, 8, 3, 3, 3, 3], 9, [1, 1, 3, 1]),  # less than ten seconds together
        ([5, 5, 5], 9, [1, 1, 1]),
        ([None, 1, 1, None, 1], 9, [1, 2, 1, 1]),  # the unknown alone
        ([1] * 7, 3, [3, 3, 1]),  # every worker has something
        ([], 3, []),
    ],
)
def test_short_jobs_are_put_together_in_their_order(costs, most, expected):
    jobs = [job(str(i), cost) for i, cost in enumerate(costs)]
    found = batches(jobs, 10.0, most)
    assert [len(batch) for batch in found] == expected
    assert [each for batch in found for each in batch] == jobs


def test_without_a_time_to_fill_every_job_is_alone():
    assert [len(batch) for batch in batches([job("a", 0), job("b", 1)], 0.0, 9)] == [1, 1]


@needs_ray
def test_what_no_node_has_is_told_with_what_asks_for_less(tmp_path):
    executor = Ray(Execution(executor="ray"), Store(tmp_path), "cpu")
    nodes = [{"Alive": True, "Resources": {"CPU": 2.0, "memory": 2.0**33}}, {"Alive": False, "Resources": {"CPU": 9e9}}]
    executor.ray = SimpleNamespace(nodes=lambda: nodes)
    executor._check_room(executor._request(2, whole_gpu=False))
    with pytest.raises(SpecError, match="no node has 1000 cores and 1 GiB; --threads asks for fewer"):
        executor._check_room(executor._request(1000, whole_gpu=False))


def test_without_ray_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtensionError, match=r"^--executor ray: .*; pip install 'wganbench\[ray\]'$"):
        Ray(Execution(executor="ray"), Store(tmp_path), "cpu")


def test_a_client_of_a_cluster_is_refused_as_it_does_not_see_the_files(tmp_path):
    with pytest.raises(SpecError, match=r"^--address ray://host:10001: must be host:port or auto"):
        Ray(Execution(executor="ray", address="ray://host:10001"), Store(tmp_path), "cpu")


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1:port", "nonsense"])
def test_an_address_where_no_cluster_is_found_is_refused_at_once(tmp_path, address):
    executor = Ray(Execution(executor="ray", address=address), Store(tmp_path), "cpu")
    began = time.monotonic()
    with pytest.raises(
        SpecError, match=rf"^--address {address}: Ray cannot be reached \(.+\); 'ray start --head' begins"
    ):
        executor._connect(1)
    assert time.monotonic() - began < 10.0
