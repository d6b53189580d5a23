import re
from pathlib import Path

import pytest

from tests.analysis import drawn
from tests.analysis.factory import BAD, CLAIMS, FIGURES, GOOD, PROVENANCE, PUBLISHED, SPEC, fill, made, record, records
from wganbench.analysis import page, report
from wganbench.analysis.report import BEGIN, END, write_report
from wganbench.analysis.tables import scoreboard
from wganbench.records.store import Store


@pytest.fixture
def store(tmp_path: Path):
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, CLAIMS, PUBLISHED, FIGURES)


def text_of(experiment, store):
    """REPORT.md without drawing."""
    return report.compose([experiment], store, store.load(), store.root).markdown


def test_the_same_records_give_the_same_bytes(experiment, store, tmp_path):
    fill(store, experiment)
    other = tmp_path / "elsewhere" / "results"

    write_report([experiment], store, store.root)
    write_report([experiment], store, other)

    files = ["REPORT.md", "verdicts.json", "figures/made-clouds-paper.png", "figures/made-curves-paper.png"]
    for file in files:
        assert (store.root / file).read_bytes() == (other / file).read_bytes()
    text = (other / "REPORT.md").read_text()
    assert str(tmp_path) not in text
    assert not re.search(r"\d{4}-\d{2}-\d{2}|\d:\d\d", text)


def test_the_scoreboard_comes_first_and_says_how_each_claim_ended(experiment, store):
    fill(store, experiment)
    text = text_of(experiment, store)
    heads = re.findall(r"^#+ .*", text, flags=re.MULTILINE)
    assert heads == [
        "# Report",
        "## Scoreboard",
        "## made: A made-up experiment",
        "### Claims",
        "### Profile `paper`",
        "### Deviations from the source",
    ]
    assert "2 claims: 2 reproduced." in text
    row = next(line for line in text.splitlines() if line.startswith("| good spreads over more sectors than bad |"))
    cells = [cell.strip() for cell in row.split("|")[2:6]]
    assert cells == ["nobody 2017, table 1", "made", "paper", "**reproduced**"]
    assert row.endswith("] | 8 + 8 | < 0.0001 for |")


def test_a_section_links_its_figures_and_lists_deviations(experiment, store):
    fill(store, experiment)
    write_report([experiment], store, store.root)
    text = (store.root / "REPORT.md").read_text()
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert links == ["figures/made-clouds-paper.png", "figures/made-curves-paper.png"]
    assert all((store.root / link).is_file() for link in links)
    assert "- nothing is trained" in text
    assert "16 finished; 16 on cpu; torch 2.14.1; commit 0123456789." in text


def test_a_profile_other_than_the_paper_s_is_said_to_be_one(experiment, store):
    for each in records(experiment, "good", GOOD, profile="quick", n=1):
        store.write(each)
    assert "**Not the paper's protocol: 10 of the paper's 100 steps.**" in text_of(experiment, store)


def test_without_records_every_claim_is_not_run_and_nothing_is_drawn(experiment, store):
    found = report.compose([experiment], store, {}, store.root)
    assert "2 claims: 2 not run." in found.markdown
    assert "No runs yet, 0 of 8 runs: good, bad." in found.markdown
    assert "Not drawn, as there are no runs with the data: clouds; curves." in found.markdown
    assert found.drawings == ()


def test_an_experiment_with_neither_claims_nor_runs_is_one_line(tmp_path, store):
    assert "No runs are recorded." in text_of(made(tmp_path), store)


def test_a_known_contradiction_carries_its_reason(tmp_path, store):
    reason = 'known_contradiction = "the paper trained longer"'
    claims = CLAIMS.replace('better = "good"\nworse = "bad"', f'better = "bad"\nworse = "good"\n{reason}')
    experiment = made(tmp_path, claims)
    fill(store, experiment)
    text = text_of(experiment, store)
    assert "**contradicted** (known)" in text
    assert "Known contradiction: the paper trained longer." in text


def test_a_claim_changed_after_its_runs_is_marked_post_hoc(tmp_path, store):
    fill(store, made(tmp_path, CLAIMS))
    changed = made(tmp_path, CLAIMS.replace("at_most = 1.0", "at_most = 0.5"))
    text = text_of(changed, store)
    assert text.count("**reproduced**, *post hoc*") == 1
    assert scoreboard.POST_HOC in text


@pytest.mark.parametrize(
    ("note", "told"), [(None, "no reason given"), (" \n", "no reason given"), ("\x1b[2Ja\nb", "?[2Ja")]
)
def test_a_failed_run_s_note_may_be_anything(experiment, note, told):
    failed = record(experiment, "good", 0, {}, status="failed", note=note)
    assert f"- failed: `{failed.id}`: {told}" in page._provenance([failed])


def test_diverged_and_failed_runs_are_counted_and_told(experiment, store):
    found = records(experiment, "good", GOOD, n=6)
    found.append(record(experiment, "good", 6, {}, status="diverged", note="loss is nan"))
    found.append(
        record(
            experiment,
            "good",
            7,
            {},
            status="failed",
            note='Traceback\n  File "step.py", line 1, in step\nRuntimeError: no memory',
        )
    )
    for each in found:
        store.write(each)
    text = text_of(experiment, store)
    assert f"- failed: `{found[-1].id}`: RuntimeError: no memory" in text
    assert "1 diverged, 1 failed, 6 finished" in text
    assert "| sectors_occupied ↑ | good | 7.5 ± 0.5 (10 runs) [1] | 6.57 | 8 [0, 8] at 98.4 % |" in text
    assert "| 8, 1 diverged, 1 failed, statistics over 7 |" in text


def test_every_figure_is_told_with_how_many_there_are(experiment, store):
    fill(store, experiment)
    told = []
    made_of = report.write_report([experiment], store, store.root, on_figure=lambda *counts: told.append(counts))
    n = len(made_of.drawings)
    assert n > 0
    assert told == [(drawn, n) for drawn in range(n + 1)]


def test_overridden_runs_appear_apart_and_enter_no_claim(tmp_path, experiment, store):
    fill(store, experiment)
    before = report.compose([experiment], store, store.load(), store.root)
    changed = made(tmp_path, CLAIMS, PUBLISHED, FIGURES, overrides=["variants.good.n_critic=9"])
    for each in records(changed, "good", BAD, n=2):
        store.write(each)

    after = report.compose([experiment], store, store.load(), store.root)

    section = after.markdown.split("## Other runs")[1]
    assert "good at paper with variants.good.n_critic=9" in section
    assert after.verdicts == before.verdicts
    assert "## Other runs" not in before.markdown


def test_any_byte_of_any_record_shows_in_the_fingerprint(experiment, store):
    found = fill(store, experiment)
    before = report.fingerprint(store, found)
    path = store.path(next(iter(found.values())))
    path.write_text(path.read_text().replace('"wall_seconds": 1.0', '"wall_seconds": 2.0'))
    assert report.fingerprint(store, found) != before


# ---- convergence ----------------------------------------------------------------------------------------------------


def drifting(tmp_path, store, drifts):
    """Lines of the report on convergence; ``drifts`` are those of each variant's runs."""
    measure = SPEC.replace("[measures]", "[measures]\nwasserstein_estimate = {}\ndrift = {}")
    experiment = made(
        tmp_path, *(f"[variants.{name}]\nn_critic = 3" for name in drifts if name == "more"), spec=measure
    )
    for variant, values in drifts.items():
        for seed, value in enumerate(values):
            status = "finished" if isinstance(value, float) else value
            numbers = {"drift": value} if isinstance(value, float) else {}
            store.write(record(experiment, variant, seed, numbers, status=status, note=None))
    return [line for line in text_of(experiment, store).splitlines() if "drift over runs" in line]


def test_each_profile_says_which_critics_have_converged_by_the_median_drift_over_runs(tmp_path, store):
    drifts = {"good": (0.001, 0.02, 0.5), "bad": (0.01, 0.071, 0.08), "more": (0.004,)}
    assert drifting(tmp_path, store, drifts) == [
        "Critic converged (median drift over runs at most 2 %): good (2 %), more (0.4 %); not converged: bad (7.1 %)."
    ]


def test_a_diverged_run_has_not_converged_and_a_failed_one_does_not_count(tmp_path, store):
    drifts = {"good": (0.001, "diverged", "diverged"), "bad": (0.03, "failed", "failed")}
    assert drifting(tmp_path, store, drifts) == [
        "Critic converged (median drift over runs at most 2 %): none; not converged: good (undefined), bad (3 %)."
    ]


def test_without_the_measure_nothing_is_said_of_convergence(experiment, store):
    fill(store, experiment)
    assert "converged" not in text_of(experiment, store)


# ---- the README beside the results folder ---------------------------------------------------------------------------


def readme(store, block="\n"):
    path = store.root.parent / "README.md"
    path.write_text(f"# before\n{BEGIN}{block}{END}\nafter\n", encoding="utf-8")
    return path


def test_the_scoreboard_goes_between_the_markers_of_the_readme(tmp_path, store):
    experiment = made(tmp_path, CLAIMS)
    fill(store, experiment)
    path = readme(store)

    found = write_report([experiment], store, store.root)

    text = path.read_text(encoding="utf-8")
    assert text == f"# before\n{BEGIN}\n{found.scoreboard}{END}\nafter\n"
    assert "2 claims: 2 reproduced." in text
    (row,) = [line for line in text.splitlines() if line.startswith("| [made]")]
    assert [cell.strip() for cell in row.split("|")[3:-1]] == ["2", "–", "–", "–"]
    anchor = row.partition("](results/REPORT.md#")[2].partition(")")[0]
    headings = [line for line in found.markdown.splitlines() if line.startswith("## made")]
    assert [heading[3:].lower().replace(":", "").replace(" ", "-") for heading in headings] == [anchor]
    assert "](results/REPORT.md)" in text


def test_a_readme_that_shows_another_results_folder_is_left_alone(tmp_path, store):
    experiment = made(tmp_path, CLAIMS)
    fill(store, experiment)
    path = readme(store, "\n[Tables](committed/REPORT.md)\n")
    before = path.read_text()
    write_report([experiment], store, store.root)
    assert path.read_text() == before


def test_a_readme_without_markers_is_left_alone(tmp_path):
    assert report.readme_of(tmp_path / "results") is None
    (tmp_path / "README.md").write_text("# no markers\n")
    assert report.readme_of(tmp_path / "results") is None


def test_mixed_devices_are_warned_of_under_the_table(experiment, store):
    card = PROVENANCE.model_copy(update={"device": "NVIDIA H100"})
    for each in [*records(experiment, "good", GOOD, n=2), record(experiment, "bad", 0, {}, provenance=card)]:
        store.write(each)
    assert "Warning: the rows mix devices: NVIDIA H100 (1 run), cpu (2 runs)." in text_of(experiment, store)


# ---- random architectures -------------------------------------------------------------------------------------------


def random_architectures(folder, store, n=40):
    experiment = drawn.spec(folder)
    found = drawn.runs(experiment, [(1.0 + place / 20, 6.0 + place / 20) for place in range(n)])
    return experiment, report.compose([experiment], store, drawn.by_id(found), store.root).markdown


def test_the_success_table_comes_before_the_runs_which_are_folded_away(tmp_path, store):
    _, text = random_architectures(tmp_path, store)
    section = text[text.index("### Profile `paper`") :]
    title = section.index("**drawn, paper: architectures that score above a threshold**")
    folded = section.index("<details><summary>All 80 rows</summary>\n\n| variant | inception_score ↑ ")
    assert title < section.index("| 1.5 | 0 | 11 | 29 | 0 |") < folded < section.index("| a039-wgan-gp |")
    assert section.index("</details>") > section.index("| a039-wgan-gp |")
    assert section.count("40 architectures with runs of both gan and wgan-gp") == 1
    assert "### Profile `quick`" not in text


def test_few_runs_are_not_folded_and_of_many_that_are_missing_some_are_named(tmp_path, store):
    _, text = random_architectures(tmp_path, store, n=2)
    assert "<summary>All" not in text
    assert "| a001-wgan-gp |" in text
    assert "No runs yet, 0 of 1 runs: a002-gan, a002-wgan-gp, a003-gan, " in text
    assert "a007-wgan-gp and 64 more." in text


def test_architectures_with_overrides_have_their_table_among_the_other_runs(tmp_path, store):
    changed = drawn.spec(tmp_path, overrides=["steps=3000"])
    found = drawn.by_id(drawn.runs(changed, [(1.0, 6.0)] * 40))
    experiment = drawn.spec(tmp_path)
    text = report.compose([experiment], store, found, store.root).markdown
    rest = text[text.index("## Other runs") :]
    title = rest.index("**drawn, paper with steps=3000: architectures that score above a threshold**")
    assert title < rest.index("Direction only: imagenet32, ") < rest.index("<details><summary>All of them</summary>")


def test_without_a_success_table_nothing_is_said_of_architectures(experiment, store):
    fill(store, experiment)
    assert "architecture" not in text_of(experiment, store).replace(
        "n counts runs, one number a variant, or architectures", ""
    )
