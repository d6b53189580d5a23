"""Claims with one check and with several: what is said of wrong ones, and which digests stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wganbench.errors import SpecError
from wganbench.spec import Claim, check_digest, claim_digest, load
from wganbench.spec.checks import _check_history

TEXT = """
version = 1
title = "A test"
source = "nowhere"
data = "gaussian_ring"
objective = "wasserstein"
latent_dim = 2
batch_size = 4
steps = 10
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [2] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
modes_covered = {}
wasserstein_estimate = {}
[profiles.quick]
measures.drift.points = 1
[profiles.paper]
[variants.clip]
constraint = { name = "clip", clip_value = 0.01 }
[variants.gp]
constraint = "gradient_penalty"
measures.peaks = { name = "kde_peaks" }
"""
EQUIVALENCE = {
    "id": "alike",
    "says": "both estimate the same",
    "test": "paired_equivalence",
    "measure": "wasserstein_estimate",
    "first": "clip",
    "second": "gp",
    "within": 0.1,
}
SUCCESS = {
    "id": "succeeds",
    "says": "most runs cover two modes",
    "test": "binomial",
    "variant": "gp",
    "criteria": {"measure": "modes_covered", "at_least": 2},
}

Made = Callable[..., Claim]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The claim of these fields, from a spec that ``load`` has checked; None leaves a field out."""

    def made(**fields: object) -> Claim:
        lines = [f"{key} = {_inline(value)}" for key, value in fields.items() if value is not None]
        path = tmp_path / "mine.toml"
        path.write_text("\n".join([TEXT, "[[claims]]", *lines]), encoding="utf-8")
        (claim,) = load(path).claims
        return claim

    return made


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "[{" + ", ".join(f"{key} = {_inline(item)}" for key, item in value.items()) + "}]"
    return json.dumps(value)


def test_an_equivalence_reads_one_measure_of_both(made):
    claim = made(**EQUIVALENCE)
    assert (claim.variants(), claim.measured()) == (("clip", "gp"), ("wasserstein_estimate",))
    assert claim.checks[0].drift_at_most is None


@pytest.mark.parametrize(
    "claim", [EQUIVALENCE, SUCCESS, {**EQUIVALENCE, "measure": "modes_covered"}, {**EQUIVALENCE, "measure": "drift"}]
)
def test_a_drift_that_is_measured_under_the_claims_profile_may_be_asked_for(made, claim):
    (check,) = made(**claim, profile="quick", drift_at_most=0.02).checks
    assert check.drift_at_most == 0.02


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"measure": "peaks"}, ["claims.alike: variant 'clip' does not measure 'peaks'"]),
        (
            {"measure": "modes"},
            [
                "claims.alike: variant 'clip' does not measure 'modes'",
                "claims.alike: variant 'gp' does not measure 'modes'",
            ],
        ),
        (
            {"drift_at_most": 0.02},
            [
                "claims.alike: variant 'clip' does not measure 'drift', which drift_at_most is about",
                "claims.alike: variant 'gp' does not measure 'drift', which drift_at_most is about",
            ],
        ),
        (
            {"statistic": "best"},
            ["claims.alike: 'wasserstein_estimate' is neither better high nor low, so it has no best"],
        ),
        (
            {"statistic": "mean"},
            ["claims.alike: statistic = 'mean' and at go together: the moments whose mean is taken"],
        ),
        (
            {"at": [0.5]},
            ["claims.alike: statistic = 'mean' and at go together: the moments whose mean is taken"],
        ),
        ({"statistic": "mean", "at": [1.5]}, ["claims.alike.at.0: must be at most 1, got 1.5"]),
        (
            {"statistic": "mean", "at": [0.5, 1.0, 0.5]},
            ["claims.alike: at: the moment 0.5 is there twice; each is counted once"],
        ),
        (
            {"profile": "quick", "measure": "drift", "statistic": "mean", "at": [0.1, 1.0]},
            [
                "claims.alike: at: 2 moments, but variant 'clip' measures 'drift' at 1 points; raise points",
                "claims.alike: at: 2 moments, but variant 'gp' measures 'drift' at 1 points; raise points",
            ],
        ),
        ({"second": "gpp"}, ["claims.alike: no variant 'gpp'; did you mean 'gp'?"]),
        ({"second": "clip"}, ["claims.alike: first and second are both 'clip'; an equivalence needs two variants"]),
        ({"within": 0}, ["claims.alike.within: must be greater than 0, got 0"]),
        ({"within": None}, ["claims.alike.within: missing"]),
        ({"drift_at_most": 2}, ["claims.alike.drift_at_most: must be at most 1, got 2"]),
        ({"drift_at_most": 0}, ["claims.alike.drift_at_most: must be greater than 0, got 0"]),
    ],
)
def test_a_wrong_equivalence_is_reported(made, changes, lines):
    with pytest.raises(SpecError) as caught:
        made(**{**EQUIVALENCE, **changes})
    mistakes = caught.value.mistakes
    assert len(mistakes) == len(lines)
    for mistake, line in zip(mistakes, lines, strict=True):
        assert mistake.startswith(f"mine.toml, {line}")


@pytest.mark.parametrize(
    ("name", "position", "digest"), [("gaussians8", 7, "701d6f939e"), ("gaussians25", 1, "851a5b8d9f")]
)
def test_a_check_that_asks_for_no_drift_has_the_digest_that_its_records_hold(name, position, digest):
    (check,) = load(name).claims[position].checks
    assert check.drift_at_most is None
    assert check_digest(check) == digest
    assert check_digest(check.model_copy(update={"drift_at_most": 0.02})) != digest


def test_the_digest_of_an_equivalence_changes_with_its_margin_and_its_drift(made):
    quick = {**EQUIVALENCE, "profile": "quick"}
    claims = [made(**quick), made(**quick, drift_at_most=0.02), made(**quick, drift_at_most=0.03)]
    claims += [made(**{**quick, "within": 0.2}), made(**{**quick, "first": "gp", "second": "clip"})]
    assert len({claim_digest(claim) for claim in claims}) == 5
    assert claim_digest(made(**{**quick, "says": "in other words"})) == claim_digest(claims[0])


# ---- claims with several checks -------------------------------------------------------------------------------------

SEVERAL = """
[[claims]]
id = "c"
says = "both are as estimated"
test = "tost"
measure = "wasserstein_estimate"
within = 0.1
checks = [{ id = "a", variant = "clip", equals = 1.0 }, { id = "b", variant = "gp", equals = 2.0 }]
"""


def mistakes_of(folder: Path, text: str) -> list[str]:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(path)
    return list(caught.value.mistakes)


def test_checks_share_the_fields_of_their_claim(tmp_path):
    (tmp_path / "mine.toml").write_text(TEXT + SEVERAL.replace("equals = 2.0", "equals = 2.0, within = 0.2"))
    (claim,) = load(tmp_path / "mine.toml").claims
    assert [(check.id, check.variants(), check.within) for check in claim.checks] == [
        ("a", ("clip",), 0.1),
        ("b", ("gp",), 0.2),
    ]
    assert (claim.variants(), claim.measured(), claim.profile) == (("clip", "gp"), ("wasserstein_estimate",), "paper")


def test_a_digest_is_that_of_the_checks_with_how_they_combine_the_role_and_the_seeds(tmp_path):
    def digest_of(old: str = "", new: str = "") -> str:
        (tmp_path / "mine.toml").write_text(TEXT + SEVERAL.replace(old, new))
        (claim,) = load(tmp_path / "mine.toml").claims
        return claim_digest(claim)

    before = digest_of()
    assert digest_of("both are", "each is") == before
    additions = ("any = true", 'role = "secondary"', 'seeds = "100-107"')
    changed = [digest_of('test = "tost"', f'test = "tost"\n{line}') for line in additions]
    changed += [digest_of("equals = 2.0", "equals = 2.5"), digest_of('id = "b"', 'id = "other"')]
    assert len({before, *changed}) == 6


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            '"wasserstein_estimate"',
            '"wasserstein_estimate"\nrolle = "primary"',
            "claims.c: unknown field 'rolle'; did you mean 'role'?",
        ),
        ("within = 0.1", "withn = 0.1\nwithin = 0.1", "claims.c: unknown field 'withn'; did you mean 'within'?"),
        ("equals = 2.0", "equals = 2.0, withn = 1", "claims.c.checks.b: unknown field 'withn'; did you mean 'within'?"),
        ("within = 0.1", "within = 0", "claims.c.within: must be greater than 0, got 0"),
        ("equals = 2.0", "equals = 2.0, within = 0", "claims.c.checks.b.within: must be greater than 0, got 0"),
        (", equals = 2.0", "", "claims.c.checks.b.equals: missing"),
        ('id = "b", ', "", "claims.c.checks.1.id: missing"),
        ('"tost"', '"tots"', "claims.c.test: unknown value 'tots'; did you mean 'tost'?"),
        (
            "equals = 2.0",
            'equals = 2.0, test = "tots"',
            "claims.c.checks.b.test: unknown value 'tots'; did you mean 'tost'?",
        ),
        ('variant = "gp"', 'variant = "pg"', "claims.c.checks.b: no variant 'pg'; known: clip, gp"),
        ("checks = [", "checks = [] # [", "claims.c.checks: must have at least 1 item, got []"),
        ("checks = [", "checks = 3 # [", "claims.c.checks: must be a valid list, got 3"),
        (
            'id = "b"',
            'id = "a"',
            "claims.c.checks.a: the id is used 2 times; ids are unique among the checks of a spec",
        ),
        (
            "equals = 2.0",
            'equals = 2.0, profile = "quick"',
            "claims.c: checks of profiles 'paper' and 'quick'; all must be of one",
        ),
        ('"tost"', '"tost"\nseeds = "0-10000"', "claims.c.seeds: 0-10000: more than 10,000 seeds"),
        ('"tost"', '"tost"\nseeds = "32"', "claims.c.seeds: must be a list such as '1024-1031', got '32'"),
        ('"tost"', '"tost"\nrole = "main"', "claims.c.role: must be 'primary' or 'secondary', got 'main'"),
    ],
)
def test_a_mistake_in_a_claim_is_one_line_where_it_stands(tmp_path, old, new, line):
    assert old in SEVERAL
    assert mistakes_of(tmp_path, TEXT + SEVERAL.replace(old, new, 1)) == [f"mine.toml, {line}"]


TWINS = """
[variants.long]
steps = 20
[[claims]]
id = "c"
says = "both are alike"
test = "paired_equivalence"
measure = "wasserstein_estimate"
first = "long"
second = "base"
within = 0.1
[variants.base]
"""


def test_variants_that_a_profile_makes_the_same_are_not_compared(tmp_path):
    (tmp_path / "mine.toml").write_text(TEXT + TWINS)
    assert load(tmp_path / "mine.toml").variants.keys() == {"clip", "gp", "long", "base"}
    text = TEXT.replace("[profiles.paper]", "[profiles.paper]\nsteps = 30") + TWINS
    same = "'long' and 'base' have the same setting under profile 'paper'; compare two that differ"
    assert mistakes_of(tmp_path, text) == [f"mine.toml, claims.c: {same}"]
    over = '[claims.superseded]\nversion = 2\nreason = "they are the same"\n[variants.base]'
    (tmp_path / "mine.toml").write_text(text.replace("version = 1", "version = 2").replace("[variants.base]", over))
    assert load(tmp_path / "mine.toml").live_claims == []


def test_a_check_may_not_have_the_id_of_another_claims_check(tmp_path):
    lines = mistakes_of(tmp_path, TEXT + SEVERAL + SEVERAL.replace('"c"', '"d"').replace('id = "b"', 'id = "c"'))
    twice = "the id is used 2 times; ids are unique among the checks of a spec"
    assert lines == [f"mine.toml, claims.d.checks.a: {twice}"]


@pytest.mark.parametrize(("own", "both"), [("", "0-4"), ('seeds = "6-20"', "6-7")])
def test_a_claim_that_was_stated_after_the_pilot_has_other_seeds_than_it(tmp_path, own, both):
    text = 'pilot = { seeds = "0-7", before = 1 }' + TEXT + SEVERAL.replace('"tost"', f'"tost"\n{own}')
    line = f"claims.c: seeds: {both} are of a pilot; a claim that was stated after it needs fresh ones"
    assert mistakes_of(tmp_path, text) == [f"mine.toml, {line}"]
    later = text.replace("before = 1", "before = 2")
    assert mistakes_of(tmp_path, later) == ["mine.toml, pilot: before = 2, and the spec is at version 1; raise version"]
    (tmp_path / "mine.toml").write_text(later.replace("version = 1", "version = 2"))
    assert load(tmp_path / "mine.toml").seen_before(load(tmp_path / "mine.toml").claims[0]) == []


def test_a_claim_of_a_second_round_has_other_seeds_than_both_pilots(tmp_path):
    pilots = 'pilot = [{ seeds = "5-7", before = 1 }, { seeds = "10-12", before = 2 }]'
    text = pilots + TEXT.replace("version = 1", "version = 2") + SEVERAL
    (tmp_path / "mine.toml").write_text(text)
    assert load(tmp_path / "mine.toml").seen_before(load(tmp_path / "mine.toml").claims[0]) == [5, 6, 7]
    later = text.replace('"tost"', '"tost"\nsince = 2\nseeds = "6-11"')
    line = "claims.c: seeds: 6-7, 10-11 are of a pilot; a claim that was stated after it needs fresh ones"
    assert mistakes_of(tmp_path, later) == [f"mine.toml, {line}"]


@pytest.mark.parametrize(
    ("named", "line"),
    [
        ("d", "restated_as: no claim 'd'; known: c"),
        ("c", "restated_as: 'c' is this claim; name another"),
    ],
)
def test_a_claim_is_restated_as_others_that_count(tmp_path, named, line):
    text = TEXT + SEVERAL.replace('"tost"', f'"tost"\nrestated_as = ["{named}"]', 1)
    assert mistakes_of(tmp_path, text) == [f"mine.toml, claims.c: {line}"]


def test_a_claim_is_not_restated_as_one_that_is_superseded():
    spec = load("surfaces")
    gone = next(claim for claim in spec.claims if claim.superseded)
    live = spec.live_claims[0].model_copy(update={"restated_as": [gone.id]})
    changed = spec.model_copy(update={"claims": [gone, live]})
    assert [*_check_history(live, changed)] == [f"restated_as: '{gone.id}' is superseded; name another"]


def test_as_what_a_claim_was_restated_does_not_change_its_digest(tmp_path):
    (tmp_path / "mine.toml").write_text(TEXT + SEVERAL)
    (claim,) = load(tmp_path / "mine.toml").claims
    assert claim_digest(claim.model_copy(update={"restated_as": ["d"]})) == claim_digest(claim)


def test_a_profile_has_at_most_five_primary_claims(tmp_path):
    claims = [
        SEVERAL.replace('"c"', f'"c{i}"').replace('id = "a"', f'id = "a{i}"').replace('id = "b"', f'id = "b{i}"')
        for i in range(6)
    ]
    line = "mine.toml, claims: 6 primary claims at profile 'paper'; at most 5"
    assert mistakes_of(tmp_path, TEXT + "".join(claims)) == [line]
    claims[3] = claims[3].replace('"tost"', '"tost"\nrole = "secondary"')
    (tmp_path / "mine.toml").write_text(TEXT + "".join(claims))
    assert len(load(tmp_path / "mine.toml").claims) == 6
