"""The rows that `judge` puts a candidate into, and the specs that it writes for it."""

import pytest
import tomli_w

from tests.shipped import every_experiment, shipped
from wganbench.errors import SpecError
from wganbench.runner.battery import judged_experiments
from wganbench.spec import load
from wganbench.spec.judged import BUDGETS, JudgedRow
from wganbench.spec.judging import Candidate, name_in, rows_for, slug, spec_of

PENALTY = {"constraint": {"name": "one_sided_penalty", "penalty_weight": 3.0}}


def row_of(**fields):
    common = {"variant": "wgan-gp", "measures": {"exact_wasserstein": 0.1}}
    return JudgedRow.model_validate({**common, "budgets": {"evening": {"profile": "quick", "seeds": "0-6"}}, **fields})


def test_a_budget_takes_the_share_of_the_next_smaller_and_none_below_the_smallest():
    row = row_of()
    assert row.share("minutes") is None
    assert row.share("evening") == row.share("days") == row.budgets.evening


@pytest.mark.parametrize(
    ("name", "made"),
    [("mine:zero_penalty", "mine-zero_penalty"), ("R3GAN.losses:Rp", "r3gan.losses-rp"), (":::", "candidate")],
)
def test_a_candidate_is_named_after_its_object(name, made):
    assert slug(name) == made


@pytest.mark.parametrize(
    ("changes", "n_rows"),
    [
        ([PENALTY], 2),
        ([PENALTY | {"objective": "wasserstein"}], 2),
        ([{"objective": {"name": "relativistic_paired"}}], 0),
        ([PENALTY, {"objective": "hinge"}], 0),  # all candidates are compared on the same rows
    ],
)
def test_the_estimate_of_a_distance_judges_methods_with_the_same_objective(changes, n_rows):
    candidates = [Candidate(f"mine-{i}", change) for i, change in enumerate(changes)]
    assert len(rows_for(shipped("penalties"), "evening", candidates)) == n_rows
    assert len(rows_for(shipped("gaussians8"), "evening", candidates)) == 1


def test_an_experiment_without_a_row_for_a_candidate_is_no_suggestion_for_itself():
    with pytest.raises(SpecError) as found:
        judged_experiments("evening", [Candidate("mine", {"objective": "hinge"})], ["penalties"])
    line, _, known = str(found.value).partition("; known: ")
    assert line == "--experiment penalties: has no row for these candidates on the budget evening"
    assert "swissroll" in known and "penalties" not in known


@pytest.mark.parametrize("experiment", [each.name for each in every_experiment() if each.judge])
def test_a_candidate_differs_from_what_it_replaces_in_its_method_alone(experiment, tmp_path):
    spec = shipped(experiment)
    path = tmp_path / f"{experiment}.toml"
    path.write_text(tomli_w.dumps(spec_of(spec, spec.judge, "mine", PENALTY)))
    made = load(path)
    for row in spec.judge:
        for budget in BUDGETS:
            share = row.share(budget)
            if share is None:
                continue
            mine = made.setting(name_in("mine", row), share.profile)
            theirs = spec.setting(row.variant, share.profile)
            assert mine.constraint.options == {"penalty_weight": 3.0}
            assert mine.model_copy(update={"constraint": theirs.constraint}) == theirs
            assert made.family(row.variant, share.profile) == spec.family(row.variant, share.profile)
    assert made.judge == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('variant = "wgan"', "judge.0: variant: no variant 'wgan'"),
        ("measures = { exact_wassertein = 0.1 }", "measures: 'exact_wassertein' is not measured; did you mean"),
        ("measures = { wasserstein_estimate = 0.1 }", "neither direction is better; give the best value as target"),
        ("measures = { exact_wasserstein = 0 }", "judge.0.measures.exact_wasserstein: must be greater than 0"),
        ('budgets = { week = { profile = "quick", seeds = "0-6" } }', "judge.0.budgets: unknown field 'week'"),
        ('budgets = { days = { profile = "qick", seeds = "0-6" } }', "budgets.days.profile: no profile 'qick'"),
    ],
)
def test_a_wrong_row_is_one_line(fields, said, tmp_path):
    base = {
        "variant": 'variant = "wgan-gp"',
        "measures": "measures = { exact_wasserstein = 0.1 }",
        "budgets": 'budgets = { days = { profile = "quick", seeds = "0-6" } }',
    }
    base[fields.partition(" ")[0]] = fields
    path = tmp_path / "mine.toml"
    path.write_text('version = 1\nextends = "gaussians8"\n[[judge]]\n' + "\n".join(base.values()))
    with pytest.raises(SpecError) as raised:
        load(path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
