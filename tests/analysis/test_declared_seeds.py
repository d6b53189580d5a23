"""Seeds that a spec lists: claims are judged on exactly these, and on nothing before all are there."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tests.analysis.factory import BAD, CLAIMS, GOOD, SPEC, made, records
from wganbench.analysis.check import check, seed_notes
from wganbench.analysis.report import write_report
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.cli import cli
from wganbench.errors import SpecError
from wganbench.records.store import Store
from wganbench.spec.plan import expand

LISTED = SPEC.replace("seeds = 8", 'seeds = "100-107"')


def shifted(experiment, variant, values, places, by=100):
    """Records as the factory makes them, with seeds from ``by`` on."""
    found = [record for record in records(experiment, variant, values) if record.seed in places]
    return [
        record.model_copy(update={"seed": record.seed + by, "id": f"{record.family}-s{record.seed + by}"})
        for record in found
    ]


def verdicts(experiment, found):
    return {
        verdict.claim.id: verdict for verdict in judge(Results(experiment, {record.id: record for record in found}))
    }


def test_a_list_is_the_seeds_of_a_run_that_does_not_say_which(tmp_path):
    experiment = made(tmp_path, spec=LISTED)
    assert experiment.planned_seeds == list(range(100, 108))
    assert [run.seed for run in expand(experiment, "paper", experiment.planned_seeds, ["good"])] == list(
        range(100, 108)
    )
    assert made(tmp_path).planned_seeds == list(range(8))


def test_with_one_missing_the_claim_is_incomplete_however_clear_the_others_are(tmp_path):
    experiment = made(tmp_path, CLAIMS, spec=LISTED)
    every = shifted(experiment, "good", GOOD, range(8)) + shifted(experiment, "bad", BAD, range(8))
    assert verdicts(experiment, every)["good-beats-bad"].outcome == "reproduced"
    verdict = verdicts(experiment, every[:-1])["good-beats-bad"]
    assert (verdict.outcome, verdict.why) == (
        "inconclusive",
        "incomplete: 7 of 8 runs of bad",
    )
    assert (verdict.p_for, verdict.p_against) == (1.0, 1.0)


def test_other_seeds_never_enter(tmp_path):
    """Eight runs that say the contrary, of seeds that are not declared, change no digit."""
    experiment = made(tmp_path, CLAIMS, spec=LISTED)
    declared = shifted(experiment, "good", GOOD, range(8)) + shifted(experiment, "bad", BAD, range(8))
    others = records(experiment, "good", BAD) + records(experiment, "bad", GOOD)
    assert verdicts(experiment, declared + others) == verdicts(experiment, declared)


def test_with_runs_of_other_seeds_alone_the_verdict_says_which_would_count(tmp_path):
    experiment = made(tmp_path, CLAIMS, spec=LISTED)
    others = records(experiment, "good", GOOD, n=2) + shifted(experiment, "bad", BAD, range(8))
    found = verdicts(experiment, others)["good-beats-bad"]
    why = "no run of good under profile paper with seeds 100-107; seeds 0-1 never count"
    assert (found.outcome, found.why) == ("not run", why)
    assert verdicts(experiment, [])["good-beats-bad"].why == "no run of good or bad under profile paper"


def test_a_claim_may_state_its_own_seeds(tmp_path):
    """The runs of one claim say the contrary of those of the other, and neither reads the other's."""
    own = CLAIMS.replace("[[claims]]\n", '[[claims]]\nseeds = "100-107"\n', 1)
    experiment = made(tmp_path, own)
    found = shifted(experiment, "good", GOOD, range(8)) + shifted(experiment, "bad", BAD, range(8))
    first, second = verdicts(experiment, found + records(experiment, "good", BAD)).values()
    assert (first.outcome, second.outcome) == ("reproduced", "contradicted")
    assert [unit.seed for unit in first.deciding.units["good"]] == list(range(100, 108))
    assert [unit.seed for unit in second.deciding.units["good"]] == list(range(8))


def test_check_names_missing_and_surplus_seeds_and_neither_is_a_finding(tmp_path):
    experiment, store = made(tmp_path, CLAIMS, spec=LISTED), Store(tmp_path / "results")
    store.prepare(["made"])
    for record in shifted(experiment, "good", GOOD, range(3)) + shifted(experiment, "good", GOOD, [7], by=103):
        store.write(record)
    write_report([experiment], store, store.root)
    assert check([experiment], store) == []
    note = "made, good: under profile paper it lacks seeds 103-107 and has seeds 110, judged are 100-107"
    assert list(seed_notes([experiment], store.load())) == [note]
    done = CliRunner().invoke(cli, ["check", str(tmp_path / "made.toml"), "--results", str(store.root)])
    assert (done.exit_code, f"note: {note}" in done.output) == (0, True)


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ('"8"', "must be a count without quotes, or a list such as '1024-1031', got '8'"),
        ('"9-3"', "9-3: must be a count of at least 1 or a list such as 0,3,7-9"),
        ('"0-20000"', "0-20000: more than 10,000 seeds"),
        ('"1-2-3"', "1-2-3: must be a count of at least 1 or a list such as 0,3,7-9"),
        ("0", "must be between 1 and 10,000, got 0"),
    ],
)
def test_a_list_that_is_none_is_refused_with_its_place(tmp_path, seeds, text):
    with pytest.raises(SpecError) as caught:
        made(tmp_path, spec=SPEC.replace("seeds = 8", f"seeds = {seeds}"))
    assert str(caught.value) == f"made.toml, seeds: {text}"
