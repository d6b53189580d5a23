"""What becomes of a claim: outcome, reason, numbers, and what enters."""

import math

import pytest

from tests.analysis.recorded import judge
from tests.cpu import at_most
from wganbench.analysis import verdict as verdicts
from wganbench.analysis.prospect import reachable
from wganbench.analysis.results import Results
from wganbench.analysis.tables.scoreboard import n_units
from wganbench.errors import SpecError
from wganbench.spec import claim_digest, load
from wganbench.spec.plan import family

COMPARISON = {"test": "permutation", "measure": "modes_covered", "better": "a", "worse": "b"}
LEVEL = {"test": "sign", "measure": "modes_covered", "variant": "a", "at_least": 6.0}
SUCCESS = {"test": "binomial", "variant": "a", "criteria": [{"measure": "modes_covered", "at_least": 8.0}]}
EQUALITY = {"test": "tost", "measure": "exact_wasserstein", "variant": "a", "equals": 1.0, "within": 0.1}
EQUIVALENCE = {
    "test": "paired_equivalence",
    "measure": "exact_wasserstein",
    "first": "a",
    "second": "b",
    "within": 0.1,
}
DRIFT = "\n[measures.drift]\n"
HIGH, LOW = [8.0] * 8, [1.0] * 8


def toml(**fields):
    lines = []
    for key, value in {"id": "claim", "says": "it holds", **fields}.items():
        if isinstance(value, list):
            tables = (
                "{" + ", ".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in table.items()) + "}"
                for table in value
            )
            lines.append(f"{key} = [{', '.join(tables)}]")
        else:
            lines.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}")
    return "\n".join(["[[claims]]", *lines])


@pytest.fixture
def make_records(make_record):
    """Records of one measure by variant, a seed each; ``inf`` stands for a diverged run, ``None`` for no number."""

    def make(experiment, measure="modes_covered", **values):
        made = [
            make_record(
                experiment,
                variant,
                seed,
                {measure: value if value != math.inf else None},
                status="diverged" if value == math.inf else "finished",
            )
            for variant, numbers in values.items()
            for seed, value in enumerate(numbers)
        ]
        return {record.id: record for record in made}

    return make


def by_id(*records):
    return {record.id: record for record in records}


# ---- outcomes -------------------------------------------------------------------------------------------------------


def test_a_separated_comparison_is_reproduced(make_experiment, make_records):
    experiment = make_experiment(toml(**COMPARISON))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=HIGH, b=LOW)))
    assert (verdict.outcome, verdict.why) == ("reproduced", "")
    assert (verdict.p_for, verdict.p_against) == (1 / 12870, 1.0)
    assert (verdict.adjusted_for, verdict.adjusted_against) == (1 / 12870, 1.0)
    assert (verdict.checks[0].estimate, verdict.checks[0].estimate_of) == (7.0, "mean modes_covered of a minus b")
    assert (verdict.checks[0].interval.low, verdict.checks[0].interval.high) == (7.0, 7.0)
    assert [unit.seed for unit in verdict.checks[0].units["b"]] == list(range(8))
    assert (verdict.n_diverged, verdict.post_hoc) == (0, False)


@pytest.mark.parametrize(
    ("margin", "outcome"), [(0.0, "reproduced"), (6.9, "reproduced"), (7.0, "inconclusive"), (7.1, "contradicted")]
)
def test_margin_decides(make_experiment, make_records, margin, outcome):
    experiment = make_experiment(toml(**COMPARISON, margin=margin))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=HIGH, b=LOW)))
    assert verdict.outcome == outcome
    assert verdict.checks[0].estimate == 7.0


@pytest.mark.parametrize(
    ("margin", "outcome"), [(-7.1, "reproduced"), (-7.0, "inconclusive"), (-6.9, "contradicted"), (0.0, "contradicted")]
)
def test_below_a_margin_of_nought_the_better_may_be_as_much_worse(make_experiment, make_records, margin, outcome):
    experiment = make_experiment(toml(**COMPARISON, margin=margin))
    (verdict,) = judge(Results(experiment, make_records(experiment, "modes_covered", a=[1.0] * 6, b=[8.0] * 6)))
    assert verdict.outcome == outcome


@pytest.mark.parametrize("test", ["permutation", "paired", "welch"])
def test_lower_is_better_turns_the_difference(make_experiment, make_records, test):
    claim = {**COMPARISON, "test": test, "measure": "exact_wasserstein", "margin": 0.4}
    experiment = make_experiment(toml(**claim))
    near, far = [0.1, 0.12, 0.08, 0.11, 0.1, 0.09], [0.9, 1.1, 1.0, 0.95, 1.05, 1.2]
    (verdict,) = judge(Results(experiment, make_records(experiment, "exact_wasserstein", a=near, b=far)))
    assert verdict.outcome == "reproduced"
    assert verdict.checks[0].estimate == pytest.approx(sum(far) / 6 - sum(near) / 6)
    assert verdict.checks[0].estimate_of == "mean exact_wasserstein of b minus a"
    assert 0.4 < verdict.checks[0].interval.low < verdict.checks[0].estimate < verdict.checks[0].interval.high
    (verdict,) = judge(Results(experiment, make_records(experiment, "exact_wasserstein", a=far, b=near)))
    assert verdict.outcome == "contradicted"
    assert verdict.checks[0].estimate < 0


@pytest.mark.parametrize(
    ("bound", "values", "outcome"),
    [
        ({"at_least": 6.0}, [7, 8, 8, 7, 8, 7], "reproduced"),
        ({"at_least": 6.0}, [1, 2, 1, 1, 3, 1], "contradicted"),
        ({"at_least": 6.0}, [8, 8, 8, 8, 8, 1], "inconclusive"),
        ({"at_most": 2.0}, [1, 1, 1, 1, 1, 1], "reproduced"),
        ({"at_most": 2.0}, [3, 8, 3, 3, 8, 5], "contradicted"),
    ],
)
def test_levels(make_experiment, make_records, bound, values, outcome):
    claim = {key: value for key, value in LEVEL.items() if key != "at_least"}
    experiment = make_experiment(toml(**claim, **bound))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=values)))
    assert verdict.outcome == outcome
    assert verdict.checks[0].estimate == sorted(values)[2] / 2 + sorted(values)[3] / 2
    assert (verdict.checks[0].interval.low, verdict.checks[0].interval.high) == (min(values), max(values))
    assert verdict.checks[0].interval.level == pytest.approx(1 - 2 / 64)


def test_level_by_t_has_a_student_interval(make_experiment, make_records):
    claim = {"test": "t", "measure": "exact_wasserstein", "variant": "a", "at_most": 0.5}
    experiment = make_experiment(toml(**claim))
    (verdict,) = judge(
        Results(experiment, make_records(experiment, "exact_wasserstein", a=[0.1, 0.2, 0.15, 0.12, 0.18]))
    )
    assert verdict.outcome == "reproduced"
    assert (verdict.checks[0].estimate, verdict.checks[0].estimate_of) == (
        pytest.approx(0.15),
        "mean exact_wasserstein of a",
    )
    assert verdict.checks[0].interval.method == "mean, Student's t"
    assert verdict.checks[0].interval.high < 0.5


@pytest.mark.parametrize(
    ("values", "p_for", "outcome"),
    [([8] * 6, 1 / 64, "reproduced"), ([7] * 6, 1.0, "contradicted"), ([8] * 5 + [7], 7 / 64, "inconclusive")],
)
def test_successes_are_counted(make_experiment, make_records, values, p_for, outcome):
    experiment = make_experiment(toml(**SUCCESS))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=values)))
    assert (verdict.outcome, verdict.p_for) == (outcome, pytest.approx(p_for))
    assert verdict.checks[0].estimate == sum(value >= 8 for value in values) / 6
    assert verdict.checks[0].estimate_of == "share of a runs that succeed"
    assert verdict.checks[0].interval.method == "success rate, Wilson"
    assert [unit.value for unit in verdict.checks[0].units["a"]] == [float(value >= 8) for value in values]


def test_success_needs_every_criterion_and_the_bounds_are_inclusive(make_experiment, make_record):
    criteria = [{"measure": "modes_covered", "at_least": 8.0}, {"measure": "reverse_kl", "at_most": 0.5}]
    experiment = make_experiment(toml(**{**SUCCESS, "criteria": criteria}))
    measured = [(8, 0.5), (8, 0.6), (7, 0.1), (8, None), (8, 0.0)]
    records = [
        make_record(experiment, "a", seed, {"modes_covered": modes, "reverse_kl": kl})
        for seed, (modes, kl) in enumerate(measured)
    ]
    (verdict,) = judge(Results(experiment, by_id(*records)))
    assert [unit.value for unit in verdict.checks[0].units["a"]] == [1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([1.0, 1.01, 0.99, 1.02, 0.98], "reproduced"),
        ([1.5, 1.51, 1.49, 1.52, 1.48], "contradicted"),
        ([0.5, 1.5, 1.0, 0.2, 1.8], "inconclusive"),  # its interval holds 1.0, which shows nothing
        ([1.08, 1.09, 1.1, 1.11, 1.12], "inconclusive"),
    ],
)
def test_equality_with_a_published_value(make_experiment, make_records, values, outcome):
    experiment = make_experiment(toml(**EQUALITY))
    (verdict,) = judge(Results(experiment, make_records(experiment, "exact_wasserstein", a=values)))
    assert verdict.outcome == outcome
    assert verdict.checks[0].interval.low < verdict.checks[0].estimate < verdict.checks[0].interval.high


FAR_APART = [1.0, 30.0, 2.0, 7.0, 5.0, 4.0]


@pytest.mark.parametrize(
    ("differences", "tails", "outcome"),
    [
        ([0.0] * 6, (1 / 64, 1.0), "reproduced"),
        ([0.09, -0.09, 0.05, 0.01, 0.0, -0.03], (1 / 64, 1.0), "reproduced"),
        ([0.11] * 6, (1.0, 1 / 64), "contradicted"),
        ([-0.11] * 6, (1.0, 1 / 64), "contradicted"),
        ([0.1] * 6, (1.0, 1.0), "inconclusive"),
        ([0.3, -0.3, 0.3, -0.3, 0.3, -0.3], None, "inconclusive"),  # their mean is 0, which shows nothing
    ],
)
def test_equivalence_is_judged_by_the_differences_of_seeds_either_way(
    make_experiment, make_records, differences, tails, outcome
):
    experiment = make_experiment(toml(**EQUIVALENCE))
    a = [value + difference for value, difference in zip(FAR_APART, differences, strict=True)]
    (verdict,) = judge(Results(experiment, make_records(experiment, "exact_wasserstein", a=a, b=FAR_APART)))
    assert verdict.outcome == outcome
    assert tails is None or (verdict.p_for, verdict.p_against) == tails
    assert (verdict.checks[0].estimate, verdict.checks[0].estimate_of) == (
        pytest.approx(sum(differences) / 6, abs=1e-12),
        "mean exact_wasserstein of a minus b",
    )
    limits = (verdict.checks[0].interval.low, verdict.checks[0].interval.high)
    assert limits == pytest.approx((min(differences), max(differences)))


def test_equivalence_needs_no_direction_and_has_none(make_experiment, make_records):
    claim = {**EQUIVALENCE, "measure": "wasserstein_estimate"}
    forward = make_experiment(toml(**claim))
    backward = make_experiment(toml(**{**claim, "first": "b", "second": "a"}), name="backward")
    records = make_records(forward, "wasserstein_estimate", a=[0.05, 0.2, -0.08, 0.0, 0.1, 0.06], b=[0.0] * 6)
    (one,), (other,) = judge(Results(forward, records)), judge(Results(backward, records))
    assert (one.p_for, one.p_against) == (other.p_for, other.p_against)
    assert (one.checks[0].estimate, other.checks[0].estimate_of) == (
        -other.checks[0].estimate,
        "mean wasserstein_estimate of b minus a",
    )


# ---- what blocks a verdict ------------------------------------------------------------------------------------------


def test_without_runs_of_a_variant_the_claim_is_not_run(make_experiment, make_records):
    experiment = make_experiment(toml(**COMPARISON))
    for records, missing in [({}, "a or b"), (make_records(experiment, a=HIGH), "b")]:
        (verdict,) = judge(Results(experiment, records))
        assert (verdict.outcome, verdict.why) == ("not run", f"no run of {missing} under profile paper")
        assert (verdict.p_for, verdict.p_against, verdict.adjusted_for) == (1.0, 1.0, 1.0)
        assert (verdict.checks[0].estimate, verdict.checks[0].interval, verdict.checks[0].units["b"]) == (
            None,
            None,
            (),
        )
    assert len(verdict.checks[0].units["a"]) == 8


def test_four_units_are_too_few_though_shown(make_experiment, make_records):
    experiment = make_experiment(toml(**COMPARISON))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=HIGH[:4], b=LOW[:4])))
    assert (verdict.outcome, verdict.why) == ("inconclusive", "4 units of a, at least 5 needed")
    assert (verdict.p_for, verdict.p_against) == (1.0, 1.0)
    assert (verdict.checks[0].estimate, verdict.checks[0].interval.low) == (7.0, 7.0)


def test_one_unit_has_an_estimate_and_no_interval(make_experiment, make_records):
    experiment = make_experiment(toml(**LEVEL))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=[8])))
    assert (verdict.outcome, verdict.checks[0].estimate, verdict.checks[0].interval) == ("inconclusive", 8.0, None)


@pytest.mark.parametrize(
    "claim", [{**COMPARISON, "test": "paired"}, {**EQUIVALENCE, "measure": "modes_covered", "within": 1.1}]
)
def test_pairs_are_by_seed_and_the_claim_waits_for_those_that_one_side_lacks(make_experiment, make_record, claim):
    experiment = make_experiment(toml(**claim))
    a = [make_record(experiment, "a", seed, {"modes_covered": 5.0 + seed % 3}) for seed in range(2, 8)]
    b = [make_record(experiment, "b", seed, {"modes_covered": 4.0 + seed % 3}) for seed in range(2, 8)]
    (verdict,) = judge(Results(experiment, by_id(*a, *reversed(b))))
    seeds = [[unit.seed for unit in verdict.deciding.units[variant]] for variant in "ab"]
    assert seeds == [[2, 3, 4, 5, 6, 7]] * 2
    assert (verdict.outcome, verdict.p_for, verdict.deciding.estimate) == ("reproduced", 1 / 64, pytest.approx(1.0))
    (verdict,) = judge(Results(experiment, by_id(*a[:4], *b)))
    assert (verdict.outcome, verdict.why) == ("inconclusive", "incomplete: 4 of 6 runs of a")
    assert [unit.seed for unit in verdict.deciding.units["b"]] == [2, 3, 4, 5]


def test_a_failed_run_blocks(make_experiment, make_records, make_record):
    experiment = make_experiment(toml(**COMPARISON))
    failed = [make_record(experiment, "b", seed, status="failed") for seed in (8, 9)]
    sound = make_records(experiment, a=HIGH + HIGH[:2], b=LOW + LOW[:2])
    (verdict,) = judge(Results(experiment, {**sound, **by_id(failed[0])}))
    assert (verdict.outcome, verdict.why) == ("inconclusive", f"run {failed[0].id} failed")
    assert (verdict.p_for, verdict.checks[0].estimate, verdict.checks[0].interval) == (1.0, None, None)
    assert len(verdict.checks[0].units["b"]) == 10
    (verdict,) = judge(Results(experiment, {**sound, **by_id(*failed)}))
    assert verdict.why == f"run {failed[0].id} failed and 1 more"


def test_a_failed_run_blocks_a_claim_of_successes_too(make_experiment, make_records, make_record):
    experiment = make_experiment(toml(**SUCCESS))
    failed = make_record(experiment, "a", 8, status="failed")
    (verdict,) = judge(Results(experiment, {**make_records(experiment, a=HIGH), **by_id(failed)}))
    assert (verdict.outcome, verdict.why) == ("inconclusive", f"run {failed.id} failed")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"score_protocol": "inception-2"}, "the runs were scored by different protocols"),
        ({"data_checksum": "abc"}, "the runs were trained on different copies of the data"),
    ],
)
def test_unlike_runs_are_not_pooled(make_experiment, make_records, make_record, changes, why):
    experiment = make_experiment(toml(**COMPARISON))
    odd = make_record(experiment, "b", 7, {"modes_covered": 1.0}, **changes)
    (verdict,) = judge(Results(experiment, {**make_records(experiment, a=HIGH, b=LOW), **by_id(odd)}))
    assert (verdict.outcome, verdict.why) == ("inconclusive", why)


@pytest.fixture
def make_drifting(make_record):
    """Six records a variant, clear for ``COMPARISON``, with these drifts."""

    def make(experiment, **drifts):
        modes = {"a": 8.0, "b": 1.0}
        made = [
            make_record(
                experiment,
                variant,
                seed,
                {"modes_covered": modes[variant], "drift": drift if drift != math.inf else None},
                status="diverged" if drift == math.inf else "finished",
            )
            for variant, numbers in drifts.items()
            for seed, drift in enumerate(numbers)
        ]
        return {record.id: record for record in made}

    return make


STEADY = [0.01, 0.0, 0.02, 0.005, 0.01, 0.015]


@pytest.mark.parametrize(
    ("drifts", "why"),
    [
        (STEADY, ""),
        ([0.02] * 6, ""),  # just at the bound
        ([0.02, 0.02, 0.02, 9.0, 9.0], ""),  # the median of five is the third
        ([*STEADY[:4], math.inf, math.inf], ""),
        ([0.02, 0.07, 0.071, 0.071, 0.5, 0.01], "median drift 7.05 % over 6 runs, at most 2 % allowed"),
        ([*STEADY[:3], *[math.inf] * 3], "median drift inf % over 6 runs, at most 2 % allowed"),
        ([math.inf] * 5, "median drift inf % over 5 runs, at most 2 % allowed"),
    ],
)
@pytest.mark.parametrize("variant", ["a", "b"])
def test_a_critic_that_drifts_blocks(make_experiment, make_drifting, drifts, why, variant):
    experiment = make_experiment(toml(**COMPARISON, drift_at_most=0.02) + DRIFT)
    both = {"a": STEADY[: len(drifts)], "b": STEADY[: len(drifts)], variant: drifts}
    (verdict,) = judge(Results(experiment, make_drifting(experiment, **both)))
    if why:
        assert verdict.why == f"the critic of {variant} had not converged: {why}"
        assert (verdict.outcome, verdict.p_for, verdict.p_against) == ("inconclusive", 1.0, 1.0)
        assert verdict.checks[0].estimate is not None
        assert verdict.checks[0].interval is not None
    else:
        assert "converged" not in verdict.why
        assert verdict.p_for < 0.1


def test_drift_is_asked_for_by_the_claim_alone_and_is_the_final_one(make_experiment, make_drifting):
    claims = [COMPARISON, {**COMPARISON, "id": "gated", "drift_at_most": 0.02, "statistic": "best"}]
    experiment = make_experiment("\n".join(toml(**claim) for claim in claims) + DRIFT)
    records = make_drifting(experiment, a=[0.03] * 6, b=STEADY)
    best = {"modes_covered": 8.0, "drift": 0.0}
    records = {key: record.model_copy(update={"best": best}) for key, record in records.items()}
    free, gated = judge(Results(experiment, records))
    assert free.outcome == "reproduced"
    assert gated.why == "the critic of a had not converged: median drift 3 % over 6 runs, at most 2 % allowed"


def test_a_finished_run_without_a_drift_blocks(make_experiment, make_drifting):
    experiment = make_experiment(toml(**COMPARISON, drift_at_most=0.02) + DRIFT)
    records = make_drifting(experiment, a=STEADY, b=[*STEADY[:4], None, math.inf])
    (verdict,) = judge(Results(experiment, records))
    (without,) = [
        key
        for key, record in records.items()
        if record.status == "finished" and record.seed == 4 and record.variant == "b"
    ]
    assert (verdict.outcome, verdict.why, verdict.p_for) == ("inconclusive", f"run {without} has no drift", 1.0)
    older = {key: record.model_copy(update={"measures": {"modes_covered": 1.0}}) for key, record in records.items()}
    assert judge(Results(experiment, older))[0].why.endswith("-s0 has no drift")


def test_failed_and_too_few_runs_are_told_before_a_drift(make_experiment, make_drifting, make_record):
    experiment = make_experiment(toml(**COMPARISON, drift_at_most=0.02) + DRIFT)
    records = make_drifting(experiment, a=[1.0] * 4, b=[1.0] * 4)
    assert judge(Results(experiment, records))[0].why == "4 units of a, at least 5 needed"
    failed = make_record(experiment, "a", 3, status="failed")
    assert judge(Results(experiment, {**records, **by_id(failed)}))[0].why == f"run {failed.id} failed"
    assert judge(Results(experiment, {}))[0].outcome == "not run"


# ---- diverged runs --------------------------------------------------------------------------------------------------


def test_a_diverged_run_takes_the_worst_value(make_experiment, make_records):
    experiment = make_experiment(toml(**COMPARISON))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=[8, 8, 8, 8, 8, 8, math.inf, math.inf], b=LOW)))
    assert [unit.value for unit in verdict.checks[0].units["a"]] == [8.0] * 6 + [0.0] * 2
    assert (verdict.n_diverged, verdict.checks[0].estimate) == (2, 5.0)
    assert verdict.outcome == "reproduced"
    assert verdict.p_for > 1 / 12870


def test_a_diverged_run_is_never_a_success_whatever_it_measured(make_experiment, make_record):
    experiment = make_experiment(toml(**SUCCESS))
    records = [make_record(experiment, "a", seed, {"modes_covered": 8.0}, status="diverged") for seed in range(6)]
    (verdict,) = judge(Results(experiment, by_id(*records)))
    assert (verdict.outcome, verdict.checks[0].estimate, verdict.n_diverged) == ("contradicted", 0.0, 6)


def test_a_finished_run_without_a_number_takes_the_worst_value_too(make_experiment, make_records):
    experiment = make_experiment(toml(**{**COMPARISON, "measure": "reverse_kl"}))
    (verdict,) = judge(Results(experiment, make_records(experiment, "reverse_kl", a=[0.1] * 6, b=[None] * 6)))
    assert [unit.value for unit in verdict.checks[0].units["b"]] == [math.log(8)] * 6  # of a ring of eight modes
    assert (verdict.outcome, verdict.checks[0].estimate) == ("reproduced", pytest.approx(math.log(8) - 0.1))
    assert (verdict.n_undefined, verdict.n_diverged, n_units(verdict)) == (6, 0, "6 + 6, 6 without a number")
    (verdict,) = judge(Results(experiment, make_records(experiment, "reverse_kl", a=[None] * 6, b=[None] * 6)))
    assert (verdict.outcome, verdict.checks[0].estimate) == ("inconclusive", 0.0)


def test_a_worst_value_that_a_finished_run_falls_below_leaves_it_open(make_experiment, make_records):
    experiment = make_experiment(toml(**COMPARISON))
    records = make_records(experiment, a=[math.inf] * 6, b=[-1.0] * 6)  # the worst value of modes_covered is 0
    (verdict,) = judge(Results(experiment, records))
    diverged, finished = (next(name for name in records if name.startswith(variant)) for variant in "ab")
    counts = f"run {diverged} diverged and counts as 0, better than the -1 of {finished}"
    assert verdict.outcome == "inconclusive"
    assert verdict.why == f"{counts}; modes_covered needs another worst value"
    (verdict,) = judge(Results(experiment, make_records(experiment, a=[math.inf] * 6, b=[0.0] * 6)))
    assert verdict.why == "adjusted p is 1 for and 1 against, neither at most 0.025"
    (verdict,) = judge(Results(experiment, make_records(experiment, a=[None] * 6, b=[-1.0] * 6)))
    assert verdict.why == counts.replace("diverged", "has no number") + "; modes_covered needs another worst value"


def test_a_measure_without_a_bound_leaves_a_run_without_a_number_infinitely_bad(make_experiment, make_records):
    experiment = make_experiment(toml(**{**COMPARISON, "measure": "exact_wasserstein"}))
    (verdict,) = judge(Results(experiment, make_records(experiment, "exact_wasserstein", a=[0.1] * 6, b=[None] * 6)))
    assert [unit.value for unit in verdict.checks[0].units["b"]] == [math.inf] * 6
    assert (verdict.outcome, verdict.checks[0].estimate, verdict.checks[0].interval) == ("reproduced", math.inf, None)
    (verdict,) = judge(Results(experiment, make_records(experiment, "exact_wasserstein", a=[None] * 6, b=[None] * 6)))
    assert (verdict.outcome, verdict.checks[0].estimate) == ("inconclusive", None)


def test_a_t_test_cannot_weigh_an_infinite_value(make_experiment, make_records):
    experiment = make_experiment(toml(**{**COMPARISON, "test": "welch", "measure": "exact_wasserstein"}))
    records = make_records(experiment, "exact_wasserstein", a=[0.1, 0.2, 0.1, 0.2, 0.1], b=[1, 1.1, 0.9, 1, math.inf])
    (verdict,) = judge(Results(experiment, records))
    (diverged,) = [record for record in records.values() if record.status == "diverged"]
    assert verdict.outcome == "inconclusive"
    assert verdict.why == f"run {diverged.id} counts as infinite, which a t test cannot weigh"


def test_without_a_declared_worst_value_a_diverged_run_leaves_it_open(make_experiment, make_records):
    claim = {"test": "t", "measure": "wasserstein_estimate", "variant": "a", "at_least": 0.0}
    experiment = make_experiment(toml(**claim))
    records = make_records(experiment, "wasserstein_estimate", a=[1.0, 1.1, 0.9, 1.2, math.inf])
    (verdict,) = judge(Results(experiment, records))
    (diverged,) = [record for record in records.values() if record.status == "diverged"]
    assert verdict.why == f"run {diverged.id} has no value, and the measure declares no worst one"
    assert (verdict.outcome, verdict.checks[0].estimate) == ("inconclusive", None)


# ---- what enters ----------------------------------------------------------------------------------------------------


def test_records_of_another_profile_or_override_never_enter(make_experiment, make_record):
    experiment = make_experiment(toml(**LEVEL))
    other = make_experiment(toml(**LEVEL), variants=("b", "a"))  # its a has another batch size
    quick = [make_record(experiment, "a", seed, {"modes_covered": 8.0}, profile="quick") for seed in range(6)]
    foreign = [make_record(other, "a", seed, {"modes_covered": 8.0}) for seed in range(6)]
    (verdict,) = judge(Results(experiment, by_id(*quick, *foreign)))
    assert verdict.outcome == "not run"


def test_records_of_another_experiment_with_the_same_setting_enter(make_experiment, make_record):
    experiment, source = make_experiment(toml(**LEVEL)), make_experiment(name="source")
    records = [make_record(source, "a", seed, {"modes_covered": 8.0}) for seed in range(6)]
    (verdict,) = judge(Results(experiment, by_id(*records)))
    assert verdict.outcome == "reproduced"
    assert verdict.checks[0].units["a"][0].run_id == f"{family('a', experiment.setting('a', 'paper'))}-s0"


def test_statistic_best_reads_the_best(make_experiment, make_record):
    experiment = make_experiment(toml(**LEVEL) + "\n" + toml(**{**LEVEL, "id": "best", "statistic": "best"}))
    records = [
        make_record(experiment, "a", seed, {"modes_covered": 1.0}, best={"modes_covered": 8.0}) for seed in range(8)
    ]
    final, best = judge(Results(experiment, by_id(*records)))
    assert (final.checks[0].estimate, final.checks[0].estimate_of) == (1.0, "median modes_covered of a")
    assert (best.checks[0].estimate, best.checks[0].estimate_of) == (8.0, "median best modes_covered of a")
    assert (final.outcome, best.outcome) == ("contradicted", "reproduced")


# ---- the family of claims -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_claims", "outcome"), [(1, "reproduced"), (3, "reproduced"), (4, "inconclusive")])
def test_claims_that_are_open_count_in_holm_and_those_not_run_do_not(make_experiment, make_records, n_claims, outcome):
    others = [toml(**{**LEVEL, "id": f"other-{place}", "variant": "b"}) for place in range(n_claims - 1)]
    experiment = make_experiment("\n".join([toml(**LEVEL), *others]))
    sevens = [8] * 7
    verdict, *unclear = judge(Results(experiment, make_records(experiment, a=sevens, b=[6.0] * 7)))
    assert (verdict.p_for, verdict.adjusted_for, verdict.outcome) == (1 / 128, n_claims / 128, outcome)
    assert {other.outcome for other in unclear} <= {"inconclusive"}
    verdict, *unrun = judge(Results(experiment, make_records(experiment, a=sevens)))
    assert (verdict.p_for, verdict.adjusted_for, verdict.outcome) == (1 / 128, 1 / 128, "reproduced")
    assert {other.outcome for other in unrun} <= {"not run"}


@pytest.mark.parametrize("apart", [{"profile": "quick"}, {"role": "secondary"}])
def test_claims_of_another_profile_or_role_are_another_family(make_experiment, make_record, apart):
    claims = [toml(**LEVEL), toml(**{**LEVEL, "id": "other"}, **apart), toml(**{**LEVEL, "id": "third"}, **apart)]
    experiment = make_experiment("\n".join(claims))
    records = [
        make_record(experiment, "a", seed, {"modes_covered": 8.0}, profile=profile)
        for profile in ("paper", "quick")
        for seed in range(7)
    ]
    verdicts = judge(Results(experiment, by_id(*records)))
    assert [verdict.adjusted_for for verdict in verdicts] == [1 / 128, 2 / 128, 2 / 128]


# ---- claims of several checks ---------------------------------------------------------------------------------------

BOUNDS = """[[claims]]
id = "claim"
says = "it holds"
test = "sign"
measure = "modes_covered"
at_least = 6.0
checks = [{ id = "of-a", variant = "a" }, { id = "of-b", variant = "b" }, { id = "of-c", variant = "c" }]
"""


@pytest.mark.parametrize(
    ("values", "p_for", "p_against", "outcome"),
    [
        # of seven runs k above 6: p for is P(X >= k), p against P(X >= 7 - k), X of 7 tosses
        ((7, 7, 7), 1 / 128, 1.0, "reproduced"),
        ((7, 7, 6), 8 / 128, 1.0, "inconclusive"),  # the largest p for: a conjunction holds as its weakest check
        ((7, 7, 0), 1.0, 3 / 128, "contradicted"),  # the smallest p against, times three
        ((7, 7, 1), 127 / 128, 3 * 8 / 128, "inconclusive"),
        ((0, 0, 0), 1.0, 3 / 128, "contradicted"),
    ],
)
def test_a_claim_holds_if_all_checks_do(make_experiment, make_records, values, p_for, p_against, outcome):
    experiment = make_experiment(BOUNDS, variants="abc")
    above = dict(zip("abc", ([8.0] * k + [1.0] * (7 - k) for k in values), strict=True))
    (verdict,) = judge(Results(experiment, make_records(experiment, **above)))
    assert (verdict.p_for, verdict.p_against) == (pytest.approx(p_for), pytest.approx(p_against))
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("values", "p_for", "p_against", "outcome"),
    [
        ((0, 7, 0), 3 / 128, 1.0, "reproduced"),  # the smallest p for, times three
        ((0, 0, 0), 1.0, 1 / 128, "contradicted"),  # the largest p against
        ((0, 0, 1), 1.0, 8 / 128, "inconclusive"),
        ((6, 6, 6), 3 * 8 / 128, 127 / 128, "inconclusive"),
    ],
)
def test_with_any_one_check_is_enough(make_experiment, make_records, values, p_for, p_against, outcome):
    experiment = make_experiment(BOUNDS.replace("checks =", "any = true\nchecks ="), variants="abc")
    above = dict(zip("abc", ([8.0] * k + [1.0] * (7 - k) for k in values), strict=True))
    (verdict,) = judge(Results(experiment, make_records(experiment, **above)))
    assert verdict.p_for == pytest.approx(min(p_for, 1.0))
    assert (verdict.p_against, verdict.outcome) == (pytest.approx(p_against), outcome)


def test_the_deciding_check_is_the_weakest_and_each_says_what_it_shows(make_experiment, make_records):
    experiment = make_experiment(BOUNDS, variants="abc")
    records = make_records(experiment, a=[8.0] * 7, b=[8.0] * 4 + [1.0] * 3, c=[1.0] * 7)
    (verdict,) = judge(Results(experiment, records))
    assert [verdict.outcome_of(each) for each in verdict.checks] == ["holds", "open", "fails"]
    assert verdict.deciding.check.id == "of-c"


def test_a_claim_with_one_check_without_runs_is_open_and_takes_a_place(make_experiment, make_records):
    experiment = make_experiment(BOUNDS + toml(**{**LEVEL, "id": "other"}), variants="abc")
    both, other = judge(Results(experiment, make_records(experiment, a=[8.0] * 7, b=[8.0] * 7)))
    assert (both.outcome, both.p_for) == ("inconclusive", 1.0)
    assert both.why == "of-c: no run of c under profile paper"
    assert other.adjusted_for == 2 / 128


def test_the_two_directions_are_separate_families_and_the_order_is_the_specs(make_experiment, make_records):
    experiment = make_experiment(
        "\n".join([toml(**{**LEVEL, "id": "z", "at_least": 9.0}), toml(**{**LEVEL, "id": "b"})])
    )
    against, for_ = judge(Results(experiment, make_records(experiment, a=[8] * 7)))
    assert (against.claim.id, against.outcome, against.adjusted_against) == ("z", "contradicted", 2 / 128)
    assert (for_.claim.id, for_.outcome, for_.adjusted_for) == ("b", "reproduced", 2 / 128)


def test_inconclusive_says_by_how_much(make_experiment, make_records):
    experiment = make_experiment(toml(**LEVEL))
    (verdict,) = judge(Results(experiment, make_records(experiment, a=[8] * 5)))
    assert verdict.why == "adjusted p is 0.031 for and 1 against, neither at most 0.025"


def test_no_claims_no_verdicts(make_experiment):
    assert judge(Results(make_experiment(), {})) == []


# ---- post hoc -------------------------------------------------------------------------------------------------------


def changed(records, claims):
    return {
        key: record.model_copy(update={"claims": claims(seed)}) for seed, (key, record) in enumerate(records.items())
    }


def test_a_claim_written_or_changed_after_any_of_its_runs_is_post_hoc(make_experiment, make_records):
    experiment = make_experiment(toml(**LEVEL))
    records = make_records(experiment, a=[8] * 6)
    knew = {"claim": claim_digest(experiment.claims[0])}
    assert not judge(Results(experiment, {}))[0].post_hoc
    assert not judge(Results(experiment, changed(records, lambda seed: knew)))[0].post_hoc
    assert judge(Results(experiment, changed(records, lambda seed: {})))[0].post_hoc
    assert judge(Results(experiment, changed(records, lambda seed: {"claim": "another"} if seed == 5 else knew)))[
        0
    ].post_hoc
    assert judge(Results(experiment, changed(records, lambda seed: {} if seed == 0 else knew)))[0].post_hoc


def test_wording_may_change_and_the_bound_may_not(make_experiment, make_records):
    records = make_records(make_experiment(toml(**LEVEL)), a=[8] * 6)
    assert not judge(Results(make_experiment(toml(**LEVEL, known_contradiction="a reason")), records))[0].post_hoc
    assert judge(Results(make_experiment(toml(**{**LEVEL, "at_least": 5.0})), records))[0].post_hoc


@pytest.mark.parametrize(
    ("old", "new", "is_post_hoc"),
    [
        ("", "", False),
        ('says = "it holds"', 'says = "in other words"', False),
        ('says = "it holds"', 'says = "it holds"\nrole = "secondary"', False),
        ('says = "it holds"', 'says = "it holds"\nany = true', True),
        ('says = "it holds"', 'says = "it holds"\nseeds = "0-5"', True),
        ('says = "it holds"', 'says = "it holds"\nseeds = "0-4"', False),  # the spec's own
        (', { id = "of-c", variant = "c" }', "", True),
        ('id = "claim"', 'id = "another"', True),
        (
            '{ id = "of-a", variant = "a" }, { id = "of-b", variant = "b" }',
            '{ id = "of-b", variant = "b" }, { id = "of-a", variant = "a" }',
            False,
        ),
    ],
)
def test_how_a_claim_is_judged_may_not_change_after_its_runs(make_experiment, make_records, old, new, is_post_hoc):
    records = make_records(make_experiment(BOUNDS, variants="abc"), a=HIGH, b=HIGH, c=HIGH)
    (found,) = verdicts.judge(Results(make_experiment(BOUNDS.replace(old, new), variants="abc"), records))
    assert found.post_hoc is is_post_hoc


def test_seeds_that_were_set_for_once_change_no_claim(make_experiment, make_record):
    spec = make_experiment(BOUNDS, variants="abc")
    once = load(spec.path, ["seeds=3"])
    few = [make_record(once, variant, seed, {"modes_covered": 8.0}) for variant in "abc" for seed in range(3)]
    rest = [make_record(spec, variant, seed, {"modes_covered": 8.0}) for variant in "abc" for seed in range(3, 5)]
    (found,) = verdicts.judge(Results(spec, by_id(*few, *rest)))
    assert ([len(some) for some in found.checks[0].units.values()], found.post_hoc) == ([5], False)


def test_runs_from_before_claims_were_kept_as_a_whole_are_judged_by_their_checks(make_experiment, make_records):
    records = make_records(make_experiment(BOUNDS, variants="abc"), a=HIGH, b=HIGH, c=HIGH)
    knew = next(iter(records.values())).claims
    assert sorted(knew) == ["claim claim", "of-a", "of-b", "of-c"]
    older = changed(records, lambda seed: {name: of for name, of in knew.items() if " " not in name})
    shorter = make_experiment(BOUNDS.replace('says = "it holds"', 'says = "it holds"\nseeds = "0-5"'), variants="abc")
    (found,) = verdicts.judge(Results(shorter, older))
    assert not found.post_hoc


def test_inherited_runs_may_ignore_a_claim_that_own_runs_know(make_experiment, make_records):
    source, experiment = make_experiment(name="source"), make_experiment(toml(**COMPARISON))
    baseline = make_records(source, b=LOW)
    assert not judge(Results(experiment, {**baseline, **make_records(experiment, a=HIGH)}))[0].post_hoc
    assert judge(Results(experiment, {**baseline, **make_records(source, a=HIGH)}))[0].post_hoc


def test_an_inherited_claim_keeps_its_foresight(make_experiment, make_records):
    source, experiment = make_experiment(toml(**LEVEL), name="source"), make_experiment(toml(**LEVEL))
    assert not judge(Results(experiment, make_records(source, a=[8] * 6)))[0].post_hoc


# ---- what seeds can show --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "n_claims", "enough"),
    [
        (COMPARISON, 1, 5),  # 1/252
        (COMPARISON, 6, 5),  # 6/252 = 0.0238
        (COMPARISON, 7, 6),  # 7/252 = 0.0278
        ({**COMPARISON, "test": "paired"}, 1, 6),
        (EQUIVALENCE, 1, 6),
        (EQUIVALENCE, 3, 7),
        (LEVEL, 3, 7),
        ({**SUCCESS, "rate": 0.9}, 1, 36),  # 0.9^35 = 0.02503
        ({**SUCCESS, "rate": 0.99999}, 1, 368_887),
        ({**COMPARISON, "test": "welch", "measure": "exact_wasserstein"}, 50, 5),
    ],
)
def test_reachable_tells_the_fewest_seeds(make_experiment, claim, n_claims, enough):
    many = (toml(**{**claim, "id": f"c{place}", "role": "secondary"}) for place in range(n_claims))
    experiment = make_experiment("\n".join(many))
    assert [told[1:] for told in reachable(experiment, enough)] == [(True, enough)] * n_claims
    assert [told[1:] for told in reachable(experiment, enough - 1)] == [(False, enough)] * n_claims


def test_reachable_is_about_the_seeds_of_each_claim(make_experiment):
    claims = [toml(**COMPARISON), toml(**{**LEVEL, "id": "level"}), toml(**{**LEVEL, "id": "more", "seeds": "0-9"})]
    told = reachable(make_experiment("\n".join(claims)))  # 5 seeds in the spec, too few for a sign test
    assert [(claim.id, reached) for claim, reached, _ in told] == [("claim", True), ("level", False), ("more", True)]


@pytest.mark.parametrize("n", [5, 6, 8])
def test_what_is_reachable_is_reached_by_clear_runs(make_experiment, make_records, n):
    claims = [COMPARISON, {**COMPARISON, "test": "paired", "id": "p"}, {**LEVEL, "id": "l"}, {**SUCCESS, "id": "s"}]
    claims += [{**EQUIVALENCE, "id": "e", "measure": "modes_covered", "within": 8.0}]
    experiment = make_experiment("\n".join(toml(**claim) for claim in claims))
    verdicts = judge(Results(experiment, make_records(experiment, a=HIGH[:n], b=LOW[:n])))
    assert [verdict.outcome == "reproduced" for verdict in verdicts] == [told[1] for told in reachable(experiment, n)]


def test_reachable_of_as_many_claims_as_a_spec_may_have_is_told_within_a_second(make_experiment):
    many = (toml(**{**LEVEL, "id": f"c{place}", "role": "secondary"}) for place in range(200))
    experiment = make_experiment("\n".join(many))
    reachable(experiment, 5)  # scipy imports what it needs
    with at_most(1):
        assert len(reachable(experiment, 5)) == 200


# ---- seconds ----

SECONDS = {"test": "permutation", "measure": "training_seconds", "better": "a", "worse": "b"}
CLOCK = "\n[measures.training_seconds]\n"


def timed(experiment, make_record, variant, seconds, *, stack, **changes):
    """Records of seeds that trained ``stack`` together and took as long as each other."""
    records = [
        make_record(experiment, variant, seed, {"training_seconds": seconds[seed // stack]}, **changes)
        for seed in range(stack * len(seconds))
    ]
    blocks = [records[start : start + stack] for start in range(0, len(records), stack)]
    return by_id(*(each.model_copy(update={"cohort": [one.id for one in block]}) for block in blocks for each in block))


def test_eight_seeds_of_one_stack_are_one_sample_of_its_seconds(make_experiment, make_record):
    experiment = make_experiment(toml(**SECONDS) + CLOCK)
    fast, slow = (timed(experiment, make_record, v, [s], stack=8) for v, s in (("a", 10.0), ("b", 50.0)))
    (verdict,) = judge(Results(experiment, fast | slow))
    assert (verdict.outcome, verdict.why) == ("inconclusive", "1 units of a, at least 5 needed")
    assert [len(units) for units in verdict.checks[0].units.values()] == [1, 1]


def test_stacks_of_two_seeds_are_as_many_samples_as_stacks(make_experiment, make_record):
    experiment = make_experiment(toml(**SECONDS) + CLOCK)
    fast = timed(experiment, make_record, "a", [10.0, 11.0, 12.0, 13.0, 14.0], stack=2)
    slow = timed(experiment, make_record, "b", [50.0, 51.0, 52.0, 53.0, 54.0], stack=2)
    (verdict,) = judge(Results(experiment, fast | slow))
    assert (verdict.outcome, verdict.p_for, verdict.checks[0].estimate) == ("reproduced", 1 / 252, 40.0)
    assert [unit.seed for unit in verdict.checks[0].units["a"]] == [0, 2, 4, 6, 8]


def test_a_stack_succeeds_in_time_if_all_its_runs_do(make_experiment, make_record):
    claim = {**SUCCESS, "criteria": [{"measure": "training_seconds", "at_most": 12.0}]}
    experiment = make_experiment(toml(**claim) + CLOCK, variants="a")
    found = timed(experiment, make_record, "a", [10.0] * 6, stack=2)
    late = next(iter(found.values()))
    found[late.id] = late.model_copy(update={"measures": {"training_seconds": 13.0}})
    (verdict,) = judge(Results(experiment, found))
    assert [unit.value for unit in verdict.checks[0].units["a"]] == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_seconds_of_two_devices_are_not_compared(make_experiment, make_record):
    experiment = make_experiment(toml(**SECONDS) + CLOCK)
    fast, slow = (timed(experiment, make_record, v, [s] * 5, stack=1) for v, s in (("a", 10.0), ("b", 50.0)))
    other = next(iter(slow.values()))
    elsewhere = other.provenance.model_copy(update={"threads": 2})
    slow[other.id] = other.model_copy(update={"provenance": elsewhere})
    (verdict,) = judge(Results(experiment, fast | slow))
    assert verdict.why == "the runs were timed on different devices"


def test_seconds_are_not_paired_by_seed(make_experiment):
    with pytest.raises(SpecError, match="'training_seconds' reads the clock, which the seeds of a stack share"):
        make_experiment(toml(**{**SECONDS, "test": "paired"}) + CLOCK)
