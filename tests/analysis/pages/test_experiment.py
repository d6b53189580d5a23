"""The page of an experiment: what it says of claims, figures, measures, runs and deviations."""

import re
from pathlib import Path

import pytest

from tests.analysis import drawn
from tests.analysis.factory import CLAIMS, FIGURES, GOOD, PROVENANCE, PUBLISHED, SPEC, fill, made, record, records
from wganbench.analysis import report
from wganbench.analysis.pages.measured import provenance
from wganbench.analysis.report import write_report
from wganbench.records.store import Store


@pytest.fixture
def store(tmp_path: Path):
    return Store(tmp_path / "results")


@pytest.fixture
def experiment(tmp_path: Path):
    return made(tmp_path, CLAIMS, PUBLISHED, FIGURES)


def text_of(experiment, store):
    """The page of an experiment, without drawing."""
    return report.compose([experiment], store, store.load(), store.root).pages[f"{experiment.name}/README.md"]


def test_a_page_has_its_parts_in_order_and_each_claim_in_a_line(experiment, store):
    fill(store, experiment)
    text = text_of(experiment, store)
    assert re.findall(r"^#+ .*", text, flags=re.MULTILINE) == [
        "# made: A made-up experiment",
        "## Claims",
        "## Published beside measured",
        "### Profile `paper`",
        "## Deviations from the source",
        "## To run it",
    ]
    assert "\n2 claims: 2 reproduced.\n" in text
    (line,) = (line for line in text.splitlines() if line.startswith("- **reproduced**: good spreads"))
    assert line.startswith("- **reproduced**: good spreads over more sectors than bad. Mean sectors_occupied of ")
    assert " of good minus bad: 6.5 [" in line
    assert line.endswith("]; n = 8 + 8, adjusted p < 0.0001 for (`good-beats-bad`, profile `paper`).")
    folded = text[text.index("<details><summary>Sources, tests and checks of each claim") : text.index("</details>")]
    assert "**`good-beats-bad`** (primary, profile `paper`, permutation test): **reproduced**." in folded


@pytest.mark.parametrize("n_checks", [2, 3, 4])
def test_the_line_of_a_claim_with_few_checks_has_the_estimate_of_each(tmp_path, store, n_checks):
    bounds = [10.0, 20.0, 0.0, 30.0][:n_checks]
    checks = ", ".join(f'{{ id = "at-most-{bound:g}", at_most = {bound} }}' for bound in bounds)
    experiment = made(
        tmp_path,
        f"""
[[claims]]
id = "good-is-low"
test = "sign"
measure = "sectors_occupied"
variant = "good"
checks = [{checks}]
says = "good occupies few sectors"
""",
    )
    fill(store, experiment)
    (line,) = (line for line in text_of(experiment, store).splitlines() if "good occupies few sectors." in line)
    each = "median sectors_occupied of good: 8, median in [7, 8] at 99.2 %"
    held = {2: f"2 of 2 checks hold ({each}; {each}); ", 3: f"2 of 3 checks hold ({each}; {each}; {each}); "}
    assert held.get(n_checks, "few sectors. 3 of 4 checks hold; n = ") in line


def test_a_page_asks_the_question_before_it_names_the_source(tmp_path, store):
    plain = made(tmp_path, name="plain")
    asked = made(tmp_path, spec=SPEC.replace("source =", 'question = "Is it so?"\nsource ='))
    for experiment, words in ((plain, "Source: nobody 2017"), (asked, "Is it so? Source: nobody 2017")):
        assert text_of(experiment, store).splitlines()[2].startswith(words)


def test_an_incomplete_claim_says_so_in_its_line(experiment, store):
    fill(store, experiment, n=7)
    line = next(line for line in text_of(experiment, store).splitlines() if "good spreads over more" in line)
    assert line.startswith("- **inconclusive**: ")
    assert "; incomplete: 7 of 8 runs of good" in line


def test_primary_claims_come_first_in_the_order_of_the_spec(tmp_path, store):
    mixed = CLAIMS.replace('id = "good-beats-bad"', 'id = "good-beats-bad"\nrole = "secondary"')
    text = text_of(made(tmp_path, mixed), store)
    assert re.findall(r"^- .*\(`([a-z-]+)`, profile", text, flags=re.MULTILINE) == ["good-is-close", "good-beats-bad"]
    assert re.findall(r"^\*\*`([a-z-]+)`\*\*", text, flags=re.MULTILINE) == ["good-is-close", "good-beats-bad"]
    text = text_of(made(tmp_path, CLAIMS), store)
    assert re.findall(r"^- .*\(`([a-z-]+)`, profile", text, flags=re.MULTILINE) == ["good-beats-bad", "good-is-close"]


def test_a_claim_after_a_pilot_says_whether_its_runs_are_recorded(tmp_path, store):
    pilot = SPEC.replace("seeds = 8", 'seeds = "10-17"\npilot = { seeds = "0-3", before = 1 }')
    experiment = made(tmp_path, CLAIMS, spec=pilot)
    without = "Stated after a pilot of seeds 0-3, none of whose runs is recorded here; judged on fresh seeds alone."
    assert text_of(experiment, store).count(without) == 2
    for each in records(experiment, "good", GOOD, n=1):
        store.write(each)
    text = text_of(experiment, store)
    assert text.count("Stated after a pilot of seeds 0-3, of which 1-3 are not recorded here; judged on") == 2
    for each in records(experiment, "good", GOOD):
        store.write(each)
    text = text_of(experiment, store)
    assert text.count("Stated after a pilot of seeds 0-3; judged on fresh seeds alone.") == 2
    assert "pilot" not in text_of(made(tmp_path, CLAIMS, name="plain"), store)


def test_a_profile_that_no_claim_is_judged_at_is_folded_away(experiment, store):
    fill(store, experiment)
    for each in records(experiment, "good", GOOD, profile="quick", n=1):
        store.write(each)
    text = text_of(experiment, store)
    assert "### Profile `quick`" not in text
    assert "<details><summary>Profile <code>quick</code>, which no claim is judged at</summary>" in text


def test_the_commands_run_what_the_page_shows(experiment, store):
    fill(store, experiment)
    block, _, after = text_of(experiment, store).partition("```sh\n")[2].partition("```")
    assert after.split("\n\n")[1] == (
        "`wganbench run made.toml:CLAIM` trains the runs that one claim is judged on, and no others."
    )
    assert block.splitlines() == [
        "wganbench run made.toml --profile paper",
        "wganbench report made.toml",
        "wganbench explain made.toml:good-beats-bad",
    ]


def test_a_spec_of_ones_own_with_the_name_of_one_that_ships_is_named_by_its_file(tmp_path, store):
    own = made(tmp_path, CLAIMS, name="theorem2")
    fill(store, own)
    assert "\nwganbench run theorem2.toml --profile paper\n" in text_of(own, store)


def test_a_section_links_its_figures_and_lists_deviations(experiment, store):
    fill(store, experiment)
    write_report([experiment], store, store.root)
    text = (store.root / "made" / "README.md").read_text()
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert links == ["figures/clouds.png", "figures/curves.png"]
    assert all((store.root / "made" / link).is_file() for link in links)
    assert "- nothing is trained" in text
    assert "16 finished; 16 on cpu; 16 s of wall time, with measures; torch 2.14.1; commit 0123456789." in text


def test_a_profile_other_than_the_paper_s_is_said_to_be_one(experiment, store):
    for each in records(experiment, "good", GOOD, profile="quick", n=1):
        store.write(each)
    assert "**Not the paper's protocol: 10 of the paper's 100 steps.**" in text_of(experiment, store)


def test_without_records_every_claim_is_not_run_and_nothing_is_drawn(experiment, store):
    found = report.compose([experiment], store, {}, store.root)
    text = found.pages["made/README.md"]
    assert "2 claims: 2 not run." in text
    assert "No runs yet, 0 of 8 runs: good, bad." in text
    assert "Not drawn, as there are no runs with the data: clouds; curves." in text
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
    assert "*Post hoc*: written or changed after runs that it is judged on." in text


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


def test_mixed_devices_are_warned_of_under_the_table(experiment, store):
    card = PROVENANCE.model_copy(update={"device": "NVIDIA H100"})
    for each in [*records(experiment, "good", GOOD, n=2), record(experiment, "bad", 0, {}, provenance=card)]:
        store.write(each)
    assert "Warning: the rows mix devices: NVIDIA H100 (1 run), cpu (2 runs)." in text_of(experiment, store)


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


def random_architectures(folder, store, n=40):
    experiment = drawn.spec(folder)
    found = drawn.runs(experiment, [(1.0 + place / 20, 6.0 + place / 20) for place in range(n)])
    return experiment, report.compose([experiment], store, drawn.by_id(found), store.root).pages["drawn/README.md"]


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
    text = report.compose([experiment], store, found, store.root).pages["drawn/README.md"]
    rest = text[text.index("## Other runs") :]
    title = rest.index("**drawn, paper with steps=3000: architectures that score above a threshold**")
    assert title < rest.index("Direction only: imagenet32, ") < rest.index("<details><summary>All of them: ")


def test_without_a_success_table_nothing_is_said_of_architectures(experiment, store):
    fill(store, experiment)
    assert "architecture" not in text_of(experiment, store).replace(
        "n counts runs, one number a variant, or architectures", ""
    )


@pytest.mark.parametrize(
    ("note", "told"), [(None, "no reason given"), (" \n", "no reason given"), ("\x1b[2Ja\nb", "?[2Ja")]
)
def test_a_failed_run_s_note_may_be_anything(experiment, note, told):
    failed = record(experiment, "good", 0, {}, status="failed", note=note)
    assert f"- failed: `{failed.id}`: {told}" in "\n".join(provenance([failed]))
