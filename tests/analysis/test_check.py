import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.analysis.factory import CLAIMS, FIGURES, GOOD, PUBLISHED, SPEC, fill, made, record, records
from tests.analysis.judged.submitted import apart, submit
from wganbench.analysis import check as module
from wganbench.analysis.check import Finding, cases, check, junit
from wganbench.analysis.report import BEGIN, END, write_report
from wganbench.errors import RecordError
from wganbench.records.record import write_text
from wganbench.records.store import Store

CONTRADICTED = CLAIMS.replace('better = "good"\nworse = "bad"', 'better = "bad"\nworse = "good"')
KNOWN = CONTRADICTED.replace('worse = "good"', 'worse = "good"\nknown_contradiction = "the paper trained longer"')
MORE = '[[figures]]\nid = "more"\nkind = "curves"\nmeasures = ["wasserstein_floor"]\n'
UNDECIDED = CLAIMS.replace("at_most = 1.0", "at_most = 0.31")


@pytest.fixture
def store(tmp_path: Path):
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, CLAIMS, PUBLISHED, FIGURES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with records, report, figures and a README that are all as they should be; drawn once."""
    folder = tmp_path_factory.mktemp("whole")
    experiment, store = made(folder, CLAIMS, PUBLISHED, FIGURES), Store(folder / "results")
    found = fill(store, experiment)
    (folder / "README.md").write_text(f"# made\n{BEGIN}\n{END}\n")
    write_report([experiment], store, store.root)
    return folder, found


@pytest.fixture
def committed(whole, store):
    """A copy of it in ``store``; its records by id."""
    folder, found = whole
    shutil.copytree(folder, store.root.parent, dirs_exist_ok=True)
    return found


def names(findings):
    return {(finding.check, finding.experiment, finding.subject) for finding in findings}


def refused(experiment, store):
    """What a report says that would drop or change something, and so writes nothing; without the last line."""
    before = files(store.root.parent)
    with pytest.raises(RecordError) as caught:
        write_report([experiment], store, store.root)
    assert files(store.root.parent) == before
    *lines, last = str(caught.value).splitlines()
    assert last.endswith("nothing was written; 'wganbench report --accept' drops or changes what these lines say")
    return lines


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_whole_results_have_no_findings(experiment, store, committed):
    assert check([experiment], store, strict=True) == []


# ---- claims -------------------------------------------------------------------------------------------------------


def test_a_finding_is_one_line_whatever_a_claim_says():
    assert str(Finding("contradicted", "made", "x", "that\nit\tis")) == "made x: contradicted: that it is"


def judged(tmp_path, store, claims, **options):
    """Findings about the claims of a spec whose runs were made under it."""
    experiment = made(tmp_path, claims)
    fill(store, experiment)
    write_report([experiment], store, store.root)
    return names(check([experiment], store, **options))


def test_a_contradicted_claim_is_a_finding_unless_it_is_known(tmp_path, store):
    assert judged(tmp_path, store, CONTRADICTED) == {("contradicted", "made", "good-beats-bad")}
    assert judged(tmp_path, store, KNOWN, strict=True) == set()


def test_a_known_contradiction_that_is_none_is_a_finding(tmp_path, store):
    claims = CLAIMS.replace("at_most = 1.0", 'at_most = 1.0\nknown_contradiction = "no reason"')
    assert judged(tmp_path, store, claims) == {("no known contradiction", "made", "good-is-close")}


def test_a_known_contradiction_that_was_not_run_is_no_finding(tmp_path, store):
    experiment = made(tmp_path, KNOWN)
    store.root.mkdir()
    write_report([experiment], store, store.root)
    assert check([experiment], store) == []


def test_inconclusive_claims_are_findings_only_when_strict(tmp_path, store):
    assert judged(tmp_path, store, UNDECIDED) == set()
    assert judged(tmp_path, store, UNDECIDED, strict=True) == {("inconclusive", "made", "good-is-close")}


def test_claims_that_were_not_run_are_findings_only_when_strict(experiment, store):
    write_report([experiment], store, store.root)
    assert check([experiment], store) == []
    findings = check([experiment], store, strict=True)
    assert {finding.check for finding in findings} == {"not run"}
    assert str(findings[0]) == "made good-beats-bad: not run: no run of good or bad under profile paper"


def test_a_claim_changed_after_its_records_is_a_finding(tmp_path, store, committed):
    changed = made(tmp_path, CLAIMS.replace("at_most = 1.0", "at_most = 0.5"), PUBLISHED)
    write_report([changed], store, store.root)
    assert names(check([changed], store)) == {("post hoc", "made", "good-is-close")}


def test_a_claim_that_had_a_verdict_and_was_deleted_is_a_finding(tmp_path, store, committed):
    fewer = made(tmp_path, CLAIMS.split('[[claims]]\nid = "good-is-close"')[0], PUBLISHED, FIGURES)
    assert ("verdict lost", "made", "good-is-close") in names(check([fewer], store))


# ---- records ------------------------------------------------------------------------------------------------------


def test_a_deleted_record_is_noticed(experiment, store, committed):
    store.path(next(iter(committed.values()))).unlink()
    assert ("out of date", "", "made/README.md") in names(check([experiment], store))


def test_so_many_deleted_records_that_a_verdict_is_lost(experiment, store, committed):
    for each in committed.values():
        if each.variant == "good" and each.seed > 3:
            store.path(each).unlink()
    findings = check([experiment], store)
    assert {("verdict lost", "made", claim.id) for claim in experiment.claims} <= names(findings)
    (lost, *_) = [finding for finding in findings if finding.check == "verdict lost"]
    assert lost.text == "was reproduced, now inconclusive (incomplete: 4 of 8 runs of good)"


@pytest.mark.parametrize("field", ["measures", "best", "curves", "wall_seconds"])
def test_any_number_edited_in_a_record_with_a_new_checksum_is_noticed(experiment, store, committed, field):
    one = next(iter(committed.values()))
    curve = next(iter(one.curves.values()))
    edited = {
        "measures": {**one.measures, "wasserstein_floor": 0.2},
        "best": {**one.best, "wasserstein_floor": 0.2},
        "curves": {**one.curves, "sectors_occupied": curve.model_copy(update={"values": [0.0, 1.0, 8.0]})},
        "wall_seconds": 2.0,
    }[field]
    store.path(one).write_text(write_text(one.model_copy(update={field: edited})))
    assert ("out of date", "", "made/README.md") in names(check([experiment], store))


def test_a_number_edited_in_a_record_with_its_old_checksum_is_an_error(experiment, store, committed):
    path = store.path(next(iter(committed.values())))
    path.write_text(path.read_text().replace('"wall_seconds": 1.0', '"wall_seconds": 2.0'))
    with pytest.raises(RecordError, match="does not match its checksum"):
        check([experiment], store)


def test_a_failed_run_among_a_claim_s_runs_loses_its_verdict(experiment, store, committed):
    store.write(record(experiment, "bad", 7, {}, status="failed", note="RuntimeError: no memory"), replace=True)
    assert ("verdict lost", "made", "good-beats-bad") in names(check([experiment], store))


def test_a_changed_or_missing_artefact_is_noticed(experiment, store, committed):
    one, two = (each for each in committed.values() if each.artefacts)
    (store.root / "made" / one.artefacts[0].file).write_bytes(b"changed")
    (store.root / "made" / two.artefacts[0].file).unlink()
    assert names(check([experiment], store)) == {
        ("artefact damaged", "made", one.artefacts[0].file),
        ("artefact damaged", "made", two.artefacts[0].file),
    }


# ---- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["README.md", "made/README.md", "verdicts.json", "../README.md"])
def test_an_edited_text_is_noticed(experiment, store, committed, file):
    path = store.root / file
    path.write_text(path.read_text(encoding="utf-8").replace("reproduced", "not run", 1), encoding="utf-8")
    (finding,) = check([experiment], store)
    assert (finding.check, finding.subject) == ("out of date", file)
    assert "first in line" in finding.text


def test_text_around_the_readme_s_scoreboard_is_free(experiment, store, committed):
    path = store.root.parent / "README.md"
    path.write_text(path.read_text(encoding="utf-8").replace("# made", "# other words"), encoding="utf-8")
    assert check([experiment], store) == []


@pytest.mark.parametrize("file", ["README.md", "made/README.md"])
def test_a_missing_page_is_noticed(experiment, store, committed, file):
    (store.root / file).unlink()
    assert names(check([experiment], store)) == {("out of date", "", file)}


def test_a_page_that_no_report_wrote_is_not_replaced_unasked(experiment, store, committed):
    path = store.root / "made" / "README.md"
    path.write_text("# My own notes\n")
    (line,) = refused(experiment, store)
    assert line == "made/README.md: not a page: was not written by a report, which would replace it; move it away"
    write_report([experiment], store, store.root, accept=True)
    assert check([experiment], store) == []


def test_a_missing_verdicts_json_is_noticed_and_no_report_takes_its_place_unasked(experiment, store, committed):
    (store.root / "verdicts.json").unlink()
    assert names(check([experiment], store)) == {("missing", "", "verdicts.json")}
    assert [line.partition(": ")[0] for line in refused(experiment, store)] == ["verdicts.json"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"made": 3}', '{"experiments": {}, "version": 3}', '{"experiments": {}, "experiments": {}}'],
)
def test_a_damaged_verdicts_json_is_noticed_and_no_report_takes_its_place_unasked(
    experiment, store, committed, content
):
    path = store.root / "verdicts.json"
    path.write_text(content)
    (finding,) = check([experiment], store)
    assert (finding.check, finding.subject) == ("unreadable", "verdicts.json")
    assert str(finding).endswith("; restore it, or 'wganbench report --accept' writes a new one")
    assert refused(experiment, store) == [str(finding)]
    assert path.read_text() == content


def test_a_missing_figure_is_noticed(experiment, store, committed):
    (store.root / "made" / "figures" / "curves.png").unlink()
    assert names(check([experiment], store)) == {("figure missing", "made", "figures/curves.png")}


@pytest.mark.parametrize("change", ["swap", "empty", "edit"])
def test_a_figure_that_is_not_what_the_report_drew_is_noticed_and_drawn_again(experiment, store, committed, change):
    clouds, curves = (store.root / "made" / "figures" / f"{name}.png" for name in ("clouds", "curves"))
    before = clouds.read_bytes(), curves.read_bytes()
    if change == "swap":
        clouds.write_bytes(before[1])
        curves.write_bytes(before[0])
    else:
        curves.write_bytes(b"" if change == "empty" else before[1][:-1] + b"x")
    changed = {"clouds", "curves"} if change == "swap" else {"curves"}
    assert names(check([experiment], store)) == {("figure changed", "made", f"figures/{name}.png") for name in changed}
    write_report([experiment], store, store.root)
    assert (clouds.read_bytes(), curves.read_bytes()) == before
    assert check([experiment], store) == []


def test_a_figure_of_other_settings_is_noticed_although_its_file_is_as_it_was(tmp_path, store, committed):
    other = made(tmp_path, CLAIMS, PUBLISHED, FIGURES.replace('kind = "clouds"', 'kind = "clouds"\nwindow = 3.0'))
    assert names(check([other], store)) == {("figure out of date", "made", "figures/clouds.png")}


def test_a_figure_that_the_report_has_no_more_is_noticed_and_removed_by_the_next_and_no_other(
    tmp_path, experiment, store, committed
):
    figures = store.root / "made" / "figures"
    before = {path.name for path in figures.iterdir()}
    more = made(tmp_path, CLAIMS, PUBLISHED, FIGURES, MORE)
    write_report([more], store, store.root)
    assert {path.name for path in figures.iterdir()} == {*before, "more.png"}
    (figures / "notes.png").write_bytes(b"")
    assert {("left over", "", "made/figures/more.png"), ("stray file", "", "made/figures/notes.png")} == {
        each for each in names(check([experiment], store)) if each[0] != "out of date"
    }
    write_report([experiment], store, store.root)
    assert {path.name for path in figures.iterdir()} == {*before, "notes.png"}
    assert names(check([experiment], store)) == {("stray file", "", "made/figures/notes.png")}


FORMER = ("REPORT.md", "figures/made-curves-paper.png", "figures/made-grids-paper-good.gif")


def test_the_one_page_and_the_figures_of_former_reports_are_left_over_and_removed(experiment, store, committed):
    for name in (*FORMER, "figures/notes.png"):
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_bytes(b"")
    assert names(check([experiment], store)) == {
        *(("left over", "", name) for name in FORMER),
        ("stray file", "", "figures/notes.png"),
    }
    write_report([experiment], store, store.root)
    assert names(check([experiment], store)) == {("stray file", "", "figures/notes.png")}


def test_checking_draws_and_writes_nothing(experiment, store, committed):
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    check([experiment], store)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


# ---- one experiment of several ------------------------------------------------------------------------------------


@pytest.fixture
def beside(experiment, tmp_path, store, committed):
    """A second experiment with records and a report on both."""
    other = made(tmp_path, CONTRADICTED, FIGURES, name="other", spec=SPEC.replace("steps = 100", "steps = 101"))
    for each in records(other, "good", GOOD, n=8):
        store.write(each)
    write_report([experiment, other], store, store.root)
    return other


def test_a_check_of_one_experiment_is_about_its_claims_figures_and_page_alone(experiment, beside, store):
    assert check([experiment], store, whole=False) == []
    (store.root / "other" / "figures" / "curves.png").unlink()
    page = store.root / "other" / "README.md"
    page.write_text(page.read_text().replace("# other: A made-up", "# other: Another"))
    assert check([experiment], store, whole=False) == []
    assert names(check([beside], store, whole=False)) == {
        ("figure missing", "other", "figures/curves.png"),
        ("out of date", "other", "README.md"),
    }
    page = store.root / "made" / "README.md"
    page.write_text(page.read_text().replace("**reproduced**: good comes", "**contradicted**: good comes"))
    assert names(check([experiment], store, whole=False)) == {("out of date", "made", "README.md")}


def test_a_report_of_one_experiment_renews_its_page_and_its_part_of_verdicts_json_alone(experiment, beside, store):
    before = files(store.root)
    page, ledger = store.root / "made" / "README.md", store.root / "verdicts.json"
    page.write_text(page.read_text().replace("**reproduced**: good comes", "**contradicted**: good comes"))
    ledger.write_text(ledger.read_text().replace('"reproduced"', '"inconclusive"', 1))
    front = store.root / "README.md"
    front.write_text(front.read_text() + "edited\n")
    write_report([experiment], store, store.root, whole=False)
    assert {path for path, content in files(store.root).items() if content != before[path]} == {front}


def test_a_check_of_one_experiment_sees_verdicts_of_its_own_that_were_edited(experiment, beside, store):
    path = store.root / "verdicts.json"
    path.write_text(path.read_text().replace('"reproduced"', '"inconclusive"', 1))
    assert names(check([experiment], store, whole=False)) == {("out of date", "made", "verdicts.json")}
    assert check([beside], store, whole=False) == []


# ---- JUnit --------------------------------------------------------------------------------------------------------


def test_junit_has_a_case_a_claim_and_fails_those_with_findings(experiment):
    findings = [
        Finding("contradicted", "made", "good-is-close", "said & <done>\x00"),
        Finding("post hoc", "made", "good-is-close", "changed"),
        Finding("figure missing", "made", "figures/x.png", "missing"),
    ]

    suite = ElementTree.fromstring(junit(findings, cases([experiment])).encode())[0]

    failed = {case.get("name"): case[0] for case in suite if len(case)}
    every = ["good-beats-bad", "good-is-close", *module.FILES, "figures/x.png"]
    assert [case.get("name") for case in suite] == every
    assert (suite.get("tests"), suite.get("failures")) == (str(len(every)), "2")
    assert set(failed) == {"good-is-close", "figures/x.png"}
    assert failed["good-is-close"].get("message") == "contradicted; post hoc"
    assert "said & <done>?" in (failed["good-is-close"].text or "")


def test_junit_skips_a_claim_that_was_not_run_unless_it_is_a_finding(experiment, committed):
    some = {name: each for name, each in committed.items() if each.variant == "good"}
    skipped = module.not_run([experiment], some)
    assert skipped == {("made", "good-beats-bad"): "not run: no run of bad under profile paper"}
    suite = ElementTree.fromstring(junit([], cases([experiment]), skipped).encode())[0]
    marked = {case.get("name"): (case[0].tag, case[0].get("message")) for case in suite if len(case)}
    assert marked == {"good-beats-bad": ("skipped", "not run: no run of bad under profile paper")}
    assert (suite.get("skipped"), suite.get("failures")) == ("1", "0")
    strictly = [Finding("not run", "made", "good-beats-bad", "no run of bad")]
    suite = ElementTree.fromstring(junit(strictly, cases([experiment]), skipped).encode())[0]
    assert (suite.get("skipped"), suite.get("failures")) == ("0", "1")


def test_junit_of_whole_results_has_no_failure(experiment, store, committed):
    suite = ElementTree.fromstring(junit(check([experiment], store), cases([experiment])).encode())[0]
    assert suite.get("failures") == "0"


# ---- submissions ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_submission_beside_the_records_is_checked_and_is_no_stray_file(experiment, store, committed):
    kept = submit(store.root / "judge" / "mine", apart(0.5))

    def found():
        every = check([experiment], store, {**committed, **kept.reference})
        return {(each.check, each.subject) for each in every if each.check in ("submission", "stray file")}

    assert found() == set()
    (kept.folder / "judge.json").write_text("{}")
    (kept.folder / "notes.txt").write_text("")
    assert found() == {("submission", "judge/mine/judge.json"), ("submission", "judge/mine/notes.txt")}
    (kept.folder / "submission.json").unlink()
    assert ("stray file", "judge/mine/judge.json") in found()
