"""What the page says of a claim: its documents, its commands, and how its runs were made."""

from __future__ import annotations

import shlex

import pytest

from tests.analysis.factory import CLAIMS, PROVENANCE, made, record
from wganbench.analysis.commands import argument, explain_command, run_command
from wganbench.analysis.html.claims import documents
from wganbench.analysis.html.provenance import made_with
from wganbench.cli.options import select
from wganbench.cli.run import run
from wganbench.spec import load


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Gulrajani et al. 2017, § 5.5 and table 4", ("Gulrajani et al. 2017",)),
        ("Gulrajani et al. 2017, § 5.5; weight of the official toy script", ("Gulrajani et al. 2017",)),
        ("Arjovsky et al. 2017, figure 2; '[Paper Review] WGAN'", ("Arjovsky et al. 2017", "'[Paper Review] WGAN'")),
        ("'WGAN 笔记' (2018)", ("'WGAN 笔记' (2018)",)),
        ("musyoku 2017, 'Wasserstein GAN'; Arjovsky et al. 2017, § 4", ("musyoku 2017", "Arjovsky et al. 2017")),
        ("musyoku 2017: weight decay captures the distribution", ("musyoku 2017",)),
        ("this suite's own question", ("this suite's own question",)),
    ],
)
def test_the_documents_that_a_source_names(source, found):
    assert documents(source) == found


def test_the_run_command_of_every_claim_selects_exactly_its_runs():
    for name in ("gaussians8", "theorem2", "table2"):
        experiment = load(name)
        for claim in experiment.live_claims:
            program, command, *rest = shlex.split(run_command(experiment, claim))
            assert (program, command) == ("wganbench", "run")
            with run.make_context("run", rest) as context:
                options = {key: context.params[key] for key in ("experiment", "profile", "variants", "seeds")}
            selected = select(**options, overrides=(), data=())
            assert {one.profile for one in selected.runs} == {claim.profile}
            assert {one.seed for one in selected.runs} == experiment.seeds_of(claim)
            assert {one.variant for one in selected.runs} == set(experiment.judged_variants(claim))


def test_a_spec_of_one_s_own_is_named_by_its_quoted_path(tmp_path):
    folder = tmp_path / "my specs"
    folder.mkdir()
    experiment = made(folder, CLAIMS)
    assert argument(experiment) == experiment.path
    command = shlex.split(explain_command(experiment, experiment.claims[0], tmp_path / "my runs"))
    where = ["--results", str(tmp_path / "my runs")]
    assert command == ["wganbench", "explain", f"{experiment.path}:good-beats-bad", *where]
    assert argument(load("elu")) == "elu"


def test_a_claim_that_no_longer_counts_has_no_run_command():
    claims = load("surfaces").claims
    assert {bool(run_command(load("surfaces"), claim)) for claim in claims if claim.superseded} == {False}


def test_runs_are_grouped_by_what_differs_in_how_they_were_made(tmp_path):
    experiment = made(tmp_path)
    newer = PROVENANCE.model_copy(update={"commit": "f" * 40, "libraries": {"torch": "2.15.0", "numpy": "2"}})
    runs = [record(experiment, "good", seed, {}) for seed in range(3)]
    runs += [record(experiment, "good", seed, {}, provenance=newer) for seed in (3, 4)]
    runs.append(record(experiment, "good", 5, {}, status="failed", note="Error: no memory", provenance=newer))
    found = made_with(runs, "t")
    shared = dict(found.shared)
    assert (shared["device"], shared["threads"]) == ("cpu", "1")
    assert not {"commit", "torch", "numpy", "status"} & shared.keys()
    assert [list(row.cells.values()) for row in found.groups.rows] == [
        ["3", "finished", "0123456789", "2.14.1", "–"],
        ["2", "finished", "ffffffffff", "2.15.0", "2"],
        ["1", "failed", "ffffffffff", "2.15.0", "2"],
    ]
    assert [name for name, _ in found.failures] == [runs[-1].id]
    assert found.failures[0][1] == "Error: no memory"


def test_runs_that_were_made_alike_have_no_groups(tmp_path):
    experiment = made(tmp_path)
    found = made_with([record(experiment, "good", seed, {}) for seed in range(3)], "t")
    assert found.groups.rows == () and dict(found.shared)["torch"] == "2.14.1"
