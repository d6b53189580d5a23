"""The simulated power of claims: against closed forms and loops with SciPy, and without an effect."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import scipy.stats
from click.testing import CliRunner

from tests.analysis.test_verdict import COMPARISON, EQUALITY, EQUIVALENCE, LEVEL, SUCCESS, toml
from wganbench.analysis import power, stats, tails
from wganbench.analysis.results import Results
from wganbench.cli import cli
from wganbench.records.store import Store
from wganbench.spec import Check, Claim

MODES = [8.0] * 7 + [1.0]


@pytest.fixture
def powers(make_experiment, make_record):
    """The powers of claims (TOML) at ``paper``, from records of ``modes_covered`` by variant, a seed each."""

    def simulated(claims, *, profile="paper", measure="modes_covered", **values):
        experiment = make_experiment(claims, variants="abc")
        made = [
            make_record(experiment, variant, seed, {measure: value}, profile=profile)
            for variant, numbers in values.items()
            for seed, value in enumerate(numbers)
        ]
        return power.simulate(Results(experiment, {record.id: record for record in made}), "paper")

    return simulated


@pytest.mark.parametrize(("n", "n_claims"), [(8, 1), (12, 1), (12, 3)])
def test_the_power_of_a_success_claim_is_that_of_scipys_binomial_test(powers, n, n_claims):
    """Draws from seven successes in eight are binomial, so the chance of a verdict is a sum over its counts.

    The other claims of the family succeed never, so they are contradicted and take a place in Holm's adjustment for.
    """
    others = [toml(**{**SUCCESS, "id": f"c{place}", "variant": "b", "seeds": f"0-{n - 1}"}) for place in range(2)]
    claims = [toml(**SUCCESS, seeds=f"0-{n - 1}"), *others[: n_claims - 1]]
    found = powers("\n".join(claims), a=MODES, b=[1.0] * 8)["claim"]
    counts = np.arange(n + 1)
    p_for = np.array([scipy.stats.binomtest(k, n, 0.5, alternative="greater").pvalue for k in counts])
    exact = scipy.stats.binom.pmf(counts[n_claims * p_for <= 0.025], n, 7 / 8).sum()
    assert found.reproduced == pytest.approx(exact, abs=4 * (exact * (1 - exact) / power.N_SIMULATED) ** 0.5)
    assert (found.n, found.unit, found.n_runs, found.profile) == (n, "seeds", 8, "paper")
    assert found.without_effect <= 0.05


def test_the_power_of_a_t_test_is_that_of_a_loop_with_scipy(powers):
    values = [0.9, 1.4, 0.7, 1.6, 1.2, 0.8, 1.1, 1.3, 1.7, 0.6]
    claim = {"test": "t", "measure": "exact_wasserstein", "variant": "a", "at_most": 1.5}
    found = powers(toml(**claim, seeds="0-6"), measure="exact_wasserstein", a=values)["claim"]
    rng = np.random.default_rng(1)
    drawn = rng.choice(values, (4000, 7))
    exact = (scipy.stats.ttest_1samp(drawn, 1.5, axis=1, alternative="less").pvalue <= 0.025).mean()
    assert 0.3 < exact < 0.99
    assert found.reproduced == pytest.approx(exact, abs=0.08)


def test_a_clear_claim_needs_as_many_seeds_as_its_smallest_p_value(powers):
    found = powers(toml(**COMPARISON), a=[8.0] * 6, b=[1.0] * 6)["claim"]
    assert (found.n, found.reproduced, found.contradicted, found.needed) == (5, 1.0, 0.0, 5)
    found = powers(toml(**LEVEL), a=[8.0] * 6)["claim"]
    assert (found.n, found.reproduced, found.needed) == (5, 0.0, 6)  # 1/32 with five seeds


def test_no_number_of_seeds_decides_a_claim_on_its_margin(powers):
    found = powers(toml(**COMPARISON, margin=7.0), a=[8.0] * 6, b=[1.0] * 6)["claim"]
    assert (found.reproduced, found.contradicted, found.needed) == (0.0, 0.0, None)


def test_pairs_stay_pairs(powers):
    """Far apart from seed to seed, always one apart within a seed: only the pairs show it."""
    apart = [1.0, 60.0, 20.0, 40.0, 5.0, 90.0, 33.0, 71.0]
    claims = [toml(**{**COMPARISON, "id": test, "test": test, "seeds": "0-7"}) for test in ("paired", "permutation")]
    found = powers("\n".join(claims), a=[value + 1 for value in apart], b=apart)
    assert (found["paired"].reproduced, found["permutation"].reproduced < 0.2) == (1.0, True)


def test_a_conjunction_is_as_sure_as_all_its_checks_together(powers):
    both = toml(**{**SUCCESS, "seeds": "0-11"}).replace('variant = "a"\n', "") + (
        '\nchecks = [{ id = "of-a", variant = "a" }, { id = "of-b", variant = "b" }]'
    )
    alone = powers(toml(**SUCCESS, seeds="0-11"), a=MODES)["claim"].reproduced
    found = powers(both, a=MODES, b=[*MODES, 8.0])["claim"].reproduced  # other seeds, so drawn by themselves
    share = scipy.stats.binom.sf(9, 12, 8 / 9)
    assert found == pytest.approx(alone * share, abs=0.08)


def test_runs_of_another_profile_serve_where_those_of_the_claims_own_are_missing(powers):
    assert powers(toml(**COMPARISON), a=[8.0] * 6) == {}
    assert powers(toml(**COMPARISON), a=[8.0] * 4, b=[1.0] * 6) == {}
    assert powers(toml(**COMPARISON), profile="quick", a=[8.0] * 6, b=[1.0] * 6)["claim"].profile == "quick"


def test_an_infinite_value_has_no_shift(powers):
    found = powers(toml(**{**COMPARISON, "measure": "exact_wasserstein"}), measure="exact_wasserstein", a=[0.1] * 6,
                   b=[1.0] * 5 + [None])["claim"]  # fmt: skip
    assert (found.without_effect, found.reproduced > 0.5) == (None, True)


CHECKS = [
    COMPARISON,
    {**COMPARISON, "margin": 0.5},
    {**COMPARISON, "test": "paired", "margin": 0.5},
    {**COMPARISON, "test": "welch", "margin": 0.2},
    LEVEL,
    {**LEVEL, "test": "t"},
    SUCCESS,
    {**EQUALITY, "equals": 5.0, "within": 1.0},
    {**EQUIVALENCE, "within": 1.0},
    {"test": "mcnemar", "measure": "m", "better": "a", "worse": "b", "threshold": 5.0},
    {"test": "architectures", "measure": "m", "better": "a", "worse": "b", "margin": 0.5},
    {"test": "architectures_sign", "measure": "m", "better": "a", "worse": "b"},
]
EXACT = {
    "permutation": stats.permutation_p,
    "paired": stats.paired_p,
    "welch": stats.welch_p,
    "sign": stats.sign_p,
    "t": stats.t_p,
    "tost": stats.tost_p,
    "paired_equivalence": stats.paired_equivalence_p,
    "mcnemar": stats.mcnemar_p,
    "architectures": stats.paired_p,
    "architectures_sign": lambda a, b: stats.sign_p(a - b, 0.0),
}


def check_of(fields) -> Check:
    (check,) = Claim.model_validate({"id": "claim", "says": "it holds", **fields}).checks
    return check


@pytest.mark.parametrize("fields", CHECKS, ids=lambda fields: fields["test"])
@pytest.mark.parametrize("diverged", [False, True])
def test_the_p_values_of_many_samples_are_those_of_each(fields, diverged):
    rng = np.random.default_rng(0)
    check = check_of(fields)
    groups = [np.round(rng.normal(5.0 + place, 2.0, (40, 6)), 1) for place in range(2)]
    if diverged:
        if check.test in ("welch", "t", "tost", "architectures_sign"):
            return  # which have no infinite values
        groups[1][::3, 0] = -np.inf
        groups[0][::6, 0] = -np.inf
    if check.test == "binomial":
        groups = [(groups[0] > 5).astype(float)]
    if not check.variants()[1:] and not check.methods():
        groups = groups[:1]
    limits = [getattr(check, name) for name in ("margin", "at_least", "threshold", "equals") if hasattr(check, name)]
    limits += [check.within] if hasattr(check, "within") else []
    for_, against = tails.tails_of(check, groups)
    for row in range(40):
        own = [group[row] for group in groups]
        if check.test == "binomial":
            expected = stats.binomial_p(int(own[0].sum()), 6, check.rate)
        elif check.test == "architectures_sign":
            expected = EXACT[check.test](*own)
        else:
            expected = EXACT[check.test](*own, *limits)
        assert (for_[row], against[row]) == pytest.approx(expected, abs=1e-9)


def test_holm_of_many_samples_is_that_of_each():
    p_values = np.random.default_rng(0).random((4, 50)) ** 3
    assert tails.holm(p_values).T.tolist() == [pytest.approx(stats.holm(list(column))) for column in p_values.T]


def test_without_an_effect_each_statistic_is_on_its_bound():
    rng = np.random.default_rng(0)
    first, second = rng.normal(5, 2, 9), rng.normal(3, 2, 9)
    for fields, statistic, bound in [
        ({**COMPARISON, "margin": 0.5}, lambda a, b: a.mean() - b.mean(), 0.5),
        (LEVEL, lambda a: np.median(a), 6.0),
        ({**EQUALITY, "within": 0.25}, lambda a: a.mean(), 1.25),  # from above
        (EQUIVALENCE, lambda a, b: a.mean() - b.mean(), 0.1),
    ]:
        check = check_of(fields)
        groups = (first, second) if check.variants()[1:] else (first,)
        assert statistic(*power._shift(check, *groups)) == pytest.approx(bound)


def test_plan_prints_the_power_and_has_it_as_json(make_experiment, make_record, tmp_path):
    experiment, store = make_experiment(toml(**COMPARISON)), Store(tmp_path / "results")
    store.prepare(["made"])
    for variant, seed in itertools.product("ab", range(6)):
        store.write(make_record(experiment, variant, seed, {"modes_covered": 8.0 if variant == "a" else 1.0}))
    about = ["plan", experiment.path, "--profile", "paper", "--results", str(store.root)]
    line = "claim claim: 100 % chance of a verdict with 5 seeds (100 % reproduced, 0 % contradicted), "
    printed = CliRunner().invoke(cli, about).output
    assert line in printed
    assert "; 5 seeds for 90 %; from 6 runs under 'paper'" in printed
    (claim,) = json.loads(CliRunner().invoke(cli, [*about, "--json"]).output)["claims"]
    assert (claim["power"]["reproduced"], claim["power"]["needed"], claim["power"]["profile"]) == (1.0, 5, "paper")
