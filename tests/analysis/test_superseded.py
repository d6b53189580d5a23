"""Claims that were restated: they keep their verdicts, and count no more."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.analysis.factory import BAD, CLAIMS, GOOD, fill, made, records
from wganbench.analysis.check import check
from wganbench.analysis.prospect import reachable
from wganbench.analysis.report import compose, write_report
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.cli import cli
from wganbench.errors import SpecError
from wganbench.records.record import write_text
from wganbench.records.store import Store
from wganbench.spec import claim_digest, load
from wganbench.spec.plan import expand

AFTER = "version = 2\n"
SUPERSEDED = 'superseded = { version = 2, reason = "too easy", by = ["good-is-close-restated"] }\n'
RESTATED = """
[[claims]]
id = "good-is-close-restated"
since = 2
says = "good comes within 0.5 of the data"
test = "t"
measure = "exact_wasserstein"
variant = "good"
at_most = 0.5
"""


def restated(folder, *, end=SUPERSEDED, more=RESTATED, name="made", **changes):
    """The made-up experiment, whose second claim was restated in version 2."""
    path = folder / f"{name}.toml"
    first = made(folder, CLAIMS, name=name)
    text = path.read_text().replace("version = 1\n", AFTER, 1).replace("at_most = 1.0\n", f"at_most = 1.0\n{end}")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text + more)
    return first, load(path)


def by_claim(experiment, found):
    return {verdict.claim.id: verdict for verdict in judge(Results(experiment, found))}


def test_what_became_of_a_claim_is_no_part_of_what_decides_its_verdict(tmp_path):
    first, now = restated(tmp_path)
    assert [claim_digest(claim) for claim in first.claims] == [claim_digest(claim) for claim in now.claims[:2]]
    assert [claim.id for claim in now.live_claims] == ["good-beats-bad", "good-is-close-restated"]
    (run, *_) = expand(now, "paper", [0])
    assert len(run.claims) == 2 * 3, "a run that a superseded claim reads knows it still"


def test_a_superseded_claim_is_adjusted_over_the_claims_of_the_version_before(tmp_path):
    three_more = "".join(RESTATED.replace("restated", f"{place}").replace("0.5", f"0.{place}") for place in (6, 7, 8))
    first, now = restated(tmp_path, more=RESTATED + three_more)
    found = {
        each.id: each for variant, values in (("good", GOOD), ("bad", BAD)) for each in records(first, variant, values)
    }
    before, after = by_claim(first, found), by_claim(now, found)
    old, old_now = before["good-is-close"], after["good-is-close"]
    assert (old_now.outcome, old_now.adjusted_for) == (old.outcome, old.adjusted_for) == ("reproduced", 2 * old.p_for)
    beats = after["good-beats-bad"]
    assert beats.p_for == 1 / 12870
    assert beats.adjusted_for == pytest.approx(1 / 12870)  # after four with smaller p-values, of the five that count
    assert {verdict.post_hoc for verdict in after.values() if verdict.claim.since == 1} == {False}
    assert after["good-is-close-restated"].post_hoc, "stated after the runs"
    assert [claim.id for claim, _, _ in reachable(now, 8)] == [claim.id for claim in now.live_claims]


def test_it_is_judged_on_the_records_it_names_whatever_became_of_the_variant(tmp_path):
    first, _ = restated(tmp_path)
    found = {each.id: each for each in records(first, "good", GOOD)}
    kept = first.family("good", "paper")
    named = SUPERSEDED.replace(" }", f', judged_on = {{ good = "{kept}" }} }}')
    gone = "[variants.good]\n", "[variants.better]\nbatch_size = 5\n"
    _, now = restated(
        tmp_path,
        end=named,
        more=RESTATED.replace("good", "better"),
        **{
            gone[0]: gone[1],
            'by = ["good-is-close-restated"]': 'by = ["better-is-close-restated"]',
            'better = "good"': 'better = "better"',
        },
    )
    verdict = by_claim(now, found)["good-is-close"]
    assert verdict.outcome == "reproduced"
    assert verdict.adjusted_for == by_claim(first, found)["good-is-close"].adjusted_for
    assert len(verdict.checks[0].units["good"]) == 8
    assert by_claim(now, {})["good-is-close"].why == "no run of good under profile paper"


@pytest.mark.parametrize(
    ("end", "more", "message"),
    [
        ('version = 2, reason = "x"', RESTATED.replace("= 2", "= 3"), "since: 3, and the spec is at version 2; raise"),
        (
            'version = 3, reason = "x"',
            "",
            "superseded.version: must be after the claim's 1 and at most the spec's 2, got 3",
        ),
        (
            'version = 1, reason = "x"',
            "",
            "superseded.version: must be after the claim's 1 and at most the spec's 2, got 1",
        ),
        ('version = 2, reason = "x", by = ["none"]', "", "superseded.by: no claim 'none'"),
        (
            'version = 2, reason = "x", by = ["good-is-close"]',
            "",
            "superseded.by: 'good-is-close' is no claim of version 2",
        ),
        ('version = 2, reason = "x", judged_on = { good = "good" }', "", "superseded.judged_on.good: "),
        (
            'version = 2, reason = "x", judged_on = { bad = "bad-0123456789" }',
            "",
            "judged_on: the claim is not about 'bad'",
        ),
        ('version = 2, reason = ""', "", "superseded.reason: "),
    ],
)
def test_its_history_is_checked(tmp_path, end, more, message):
    with pytest.raises(SpecError) as caught:
        restated(tmp_path, end=f"superseded = {{ {end} }}\n", more=more)
    assert message in str(caught.value)


def test_a_claim_about_a_variant_that_is_gone_must_name_its_records(tmp_path):
    with pytest.raises(SpecError, match="good-is-close: no variant 'good'"):
        restated(
            tmp_path,
            more="",
            **{
                "[variants.good]": "[variants.fine]",
                'better = "good"': 'better = "fine"',
                ', by = ["good-is-close-restated"]': "",
            },
        )


def test_a_spec_that_extends_another_takes_over_the_claims_that_count(tmp_path):
    restated(tmp_path)
    child = tmp_path / "child.toml"
    child.write_text('extends = "made.toml"\nversion = 1\ninherit_claims = true\n')
    assert [(claim.id, claim.since) for claim in load(child).claims] == [
        ("good-beats-bad", 1),
        ("good-is-close-restated", 1),
    ]


@pytest.fixture
def committed(tmp_path):
    """A report of version 1, and after it the spec of version 2 with fresh records for what it restates."""
    first, now = restated(tmp_path)
    store = Store(tmp_path / "results")
    fill(store, first)
    path = tmp_path / "made.toml"
    text = path.read_text()
    path.write_text(text.partition("[[claims]]")[0].replace(AFTER, "version = 1\n") + CLAIMS)
    write_report([load(path)], store, store.root)
    path.write_text(text)
    return now, store


def test_the_report_has_it_in_a_table_of_its_own_and_counts_it_apart(committed):
    now, store = committed
    report = compose([now], store, store.load(), store.root)
    board, section = report.pages["README.md"], report.pages["made/README.md"]
    assert "2 claims: 2 reproduced, and 1 superseded." in board
    assert "within 1.0 of the data" not in board
    table = section.partition("1 superseded claim, with the verdicts they had")[2]
    row = next(line for line in table.splitlines() if line.startswith("| `good-is-close` "))
    for cell in (
        "**reproduced**",
        "good comes within 1.0 of the data",
        "version 2: too easy",
        "`good-is-close-restated`",
    ):
        assert cell in row
    assert list(report.ledger.experiments["made"].claims) == [claim.id for claim in now.claims]


def test_check_holds_the_verdict_that_it_had(committed):
    now, store = committed
    assert [each for each in check([now], store) if each.subject == "good-is-close"] == []
    content = json.loads((store.root / "verdicts.json").read_text())
    content["experiments"]["made"]["claims"]["good-is-close"]["outcome"] = "inconclusive"
    (store.root / "verdicts.json").write_text(json.dumps(content))
    (found,) = [each for each in check([now], store) if each.subject == "good-is-close"]
    assert (found.check, found.text) == (
        "verdict changed",
        "was inconclusive, now reproduced; a superseded claim keeps its verdict, and judged_on names its records",
    )


@pytest.mark.parametrize("known", ["", 'known_contradiction = "hm"\n'])
def test_a_superseded_contradiction_is_no_finding(tmp_path, known):
    store = Store(tmp_path / "results")
    _, now = restated(tmp_path, **{"at_most = 1.0\n": f"at_least = 1.0\n{known}"})
    for each in fill(store, now).values():
        store.path(each).write_text(write_text(each))
    write_report([now], store, store.root)
    assert by_claim(now, store.load())["good-is-close"].outcome == "contradicted"
    assert check([now], store, strict=True) == []


def test_explain_and_check_say_what_became_of_it(committed):
    _, store = committed
    spec = store.root.parent / "made.toml"
    done = CliRunner().invoke(cli, ["explain", f"{spec}:good-is-close", "--results", str(store.root)])
    assert "superseded   in version 2 of the spec, by good-is-close-restated: too easy" in done.output
    assert "since" not in done.output
    done = CliRunner().invoke(cli, ["check", str(spec), "--results", str(store.root)])
    assert "checked 2 claims (and 1 superseded) of 1 experiment:" in done.output
