import json
import sys

import numpy as np
import pytest
import torch

from wganbench.errors import ExtensionError, RecordError
from wganbench.records.store import Store
from wganbench.runner.loop import Execution, run_all
from wganbench.runner.provenance import provenance
from wganbench.spec import load
from wganbench.spec.plan import expand


def execute(path, store, seeds=(0, 1, 2), variants=(), execution=None, overrides=(), **options):
    spec = load(path, overrides)
    runs = expand(spec, "smoke", list(seeds), variants)
    return list(run_all(runs, store, execution or Execution(device="cpu", stack=2), **options))


def numbers(records):
    return {record.id: (record.status, record.measures, record.curves) for record in records}


def test_every_planned_run_ends_in_one_record(tiny, tmp_path):
    store = Store(tmp_path / "results")
    new = execute(tiny(), store)
    stored = store.load()
    assert len(new) == 6
    assert numbers(new) == numbers(stored.values())
    assert {record.status for record in new} == {"finished"}
    assert {record.steps_done for record in new} == {4}
    assert [len(record.cohort) for record in new if record.variant == "clip"] == [2, 2, 1]
    assert execute(tiny(), store) == []


def test_curves_hold_the_schedule_and_end_on_the_final_measure(tiny, tmp_path):
    for record in execute(tiny(), Store(tmp_path / "results"), seeds=[0]):
        for label, value in record.measures.items():
            assert record.curves[label].steps == [0, 1, 4]
            assert record.curves[label].values[-1] == value
            assert record.best[label] == max(record.curves[label].values)
        assert record.curves["critic_loss"].steps == [1, 2, 3, 4]


def test_only_the_first_seed_keeps_its_samples(tiny, tmp_path):
    store = Store(tmp_path / "results")
    records = execute(tiny(), store, seeds=[3, 5], variants=["gp"])
    assert [len(record.artefacts) for record in records] == [1, 0]
    with np.load(store.path(records[0]).parent / records[0].artefacts[0].file) as clouds:
        assert clouds["steps"].tolist() == [0, 4]
        assert clouds["fake"].shape == (2, 60, 2)
        assert clouds["real"].shape == (60, 2)
        assert np.isfinite(clouds["fake"]).all()


def test_a_cohort_that_lacks_a_record_trains_whole_and_keeps_the_others(tiny, tmp_path):
    store = Store(tmp_path / "results")
    before = execute(tiny(), store, seeds=[0, 1], variants=["clip"])
    kept = store.path(before[0]).read_bytes()
    store.path(before[1]).unlink()
    again = execute(tiny(), store, seeds=[0, 1], variants=["clip"])
    assert numbers(again) == numbers(before[1:])
    assert store.path(before[0]).read_bytes() == kept


def test_processes_record_what_this_process_records(tiny, tmp_path):
    one = execute(tiny(), Store(tmp_path / "one"), execution=Execution(device="cpu", stack=2, threads=1))
    two = execute(
        tiny(), Store(tmp_path / "two"), execution=Execution(device="cpu", stack=2, executor="local", jobs=2, threads=1)
    )
    assert numbers(one) == numbers(two)


def test_an_override_makes_a_run_of_its_own(tiny, tmp_path):
    store = Store(tmp_path / "results")
    plain = execute(tiny(), store, seeds=[0], variants=["clip"])
    changed = execute(tiny(), store, seeds=[0], variants=["clip"], overrides=["variants.clip.latent_dim=2"])
    assert plain[0].id != changed[0].id
    assert changed[0].overrides == ["variants.clip.latent_dim=2"]


def test_divergence_is_an_outcome_of_that_seed_alone(tiny, tmp_path):
    (tmp_path / "unlucky.py").write_text(
        "import torch\n"
        "from wganbench.networks.mlp import Mlp\n"
        "class Unlucky(Mlp):\n"
        "    def __init__(self, *shapes, hidden):\n"
        "        super().__init__(*shapes, hidden=hidden)\n"
        "        if torch.initial_seed() == UNLUCKY:\n"
        "            self.layers[0].weight.data.fill_(float('nan'))\n"
        "UNLUCKY = None\n"
    )
    path = tiny('[variants.unlucky]\ngenerator = { name = "unlucky:Unlucky", hidden = [4] }\n')
    sys.path.insert(0, str(tmp_path))
    try:
        import unlucky

        from wganbench.rng import generator

        unlucky.UNLUCKY = generator(1, "generator").initial_seed()
        records = execute(path, Store(tmp_path / "results"), seeds=[0, 1], variants=["unlucky"])
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("unlucky", None)
    assert [record.status for record in records] == ["finished", "diverged"]
    assert records[1].measures == {"modes_covered": None, "sectors_occupied": None}
    assert records[1].note == "a loss or parameter was not finite by step 1"
    assert None not in records[0].measures.values()
    assert "NaN" not in Store(tmp_path / "results").path(records[1]).read_text()


def write_module(tmp_path, monkeypatch, source, name):
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_an_exception_fails_its_cohort_is_recorded_and_the_rest_goes_on(tiny, tmp_path, monkeypatch):
    source = (
        "def broken(critic, real):\n"
        "    if real.shape[1] == 8:  # in training, not in the checks before it\n"
        "        raise ArithmeticError('no such thing')\n"
        "    return critic(real).square().mean(1)\n"
    )
    write_module(tmp_path, monkeypatch, source, "broken_penalty")
    path = tiny('[variants.broken]\nconstraint = "broken_penalty:broken"\n')
    store = Store(tmp_path / "results")
    records = execute(path, store, seeds=[0], variants=["broken", "clip"])
    assert [record.status for record in records] == ["failed", "finished"]
    assert "ArithmeticError: no such thing" in records[0].note
    assert [r.id for r in execute(path, store, seeds=[0], variants=["broken"])] == [records[0].id]
    assert execute(path, store, seeds=[0], variants=["broken"], redo="none") == []


def test_a_network_that_cannot_be_stacked_is_trained_seed_by_seed_and_says_why(tiny, tmp_path, monkeypatch):
    source = (
        "from wganbench.networks.mlp import Mlp\n"
        "class Peeking(Mlp):\n"
        "    def forward(self, x):\n"
        "        assert x.sum().item() == x.sum().item()\n"  # .item() has no meaning under vmap
        "        return super().forward(x)\n"
    )
    write_module(tmp_path, monkeypatch, source, "peeking")
    path = tiny('[variants.peeking]\ncritic = { name = "peeking:Peeking", hidden = [4] }\n')
    records = execute(path, Store(tmp_path / "results"), seeds=[0, 1], variants=["peeking"])
    assert [record.status for record in records] == ["finished", "finished"]
    assert all(record.note.startswith("trained alone: ") and record.cohort == [record.id] for record in records)


def test_seeds_in_bfloat16_are_trained_one_after_the_other_and_their_records_say_so(tiny, tmp_path):
    path, store = tiny('[variants.rounded]\nprecision = "bf16"\n'), Store(tmp_path / "results")
    records = execute(path, store, seeds=[0, 1], variants=["rounded"])
    assert [record.status for record in records] == ["finished", "finished"]
    assert all(record.note.startswith("trained alone: vmap, by which seeds are stacked, ") for record in records)
    assert {(record.provenance.precision, record.provenance.convolutions) for record in records} == {("bfloat16",) * 2}


@pytest.mark.parametrize(
    ("source", "names", "says"),
    [
        ("", "absent", "has no attribute 'absent'"),
        ("import nowhere_to_be_found\ndef f(critic): ...\n", "f", "No module named 'nowhere_to_be_found'"),
        ("raise SystemError('at import')\n", "f", "at import"),
        ("f = 3\n", "f", "must be a class or function, got int"),
        ("def f(critic, weather): ...\n", "f", "takes critic, weather; its positional parameters must be among"),
    ],
)
def test_an_extension_that_does_not_fit_stops_before_any_training(tiny, tmp_path, monkeypatch, source, names, says):
    module = f"custom_{abs(hash((source, names)))}"
    write_module(tmp_path, monkeypatch, source, module)
    path = tiny(f'[variants.odd]\nconstraint = "{module}:{names}"\n')
    with pytest.raises(ExtensionError, match=says):
        execute(path, Store(tmp_path / "results"))
    assert not list(tmp_path.glob("results/*/*.json"))


def test_a_folder_that_cannot_be_written_stops_before_any_training(tiny, tmp_path):
    (tmp_path / "results").write_text("a file stands in the way")
    with pytest.raises(RecordError, match="cannot be written"):
        execute(tiny(), Store(tmp_path / "results"))


def test_two_trainings_of_a_run_are_distinguished_by_their_start():
    started = [provenance(torch.device("cpu")).started for _ in range(5)]
    assert len(set(started)) == 5


def test_a_record_says_what_it_was_made_with(tiny, tmp_path):
    (record,) = execute(tiny(), Store(tmp_path / "results"), seeds=[0], variants=["gp"])
    made_by = record.provenance
    assert made_by.device == "cpu"
    assert made_by.threads == torch.get_num_threads()
    assert made_by.libraries["torch"] == torch.__version__.split("+")[0]
    text = json.loads(Store(tmp_path / "results").path(record).read_text())
    assert str(tmp_path) not in json.dumps(text)
