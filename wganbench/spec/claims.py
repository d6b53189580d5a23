"""Claims: the checkable sentences of a source, each with the checks that decide on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from wganbench.spec.seeds import SeedList
from wganbench.spec.strict import Model, Name, Words, digest

Statistic = Literal["final", "best", "mean"]
Moments = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1, max_length=100)]
Thresholds = Annotated[list[float], Field(min_length=1)]
SettingId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}-[0-9a-f]{10}$")]
"""A run id without its seed."""


class Superseded(Model):
    """The reason why a claim no longer counts; the claim keeps its last verdict.

    Attributes:
        version: The spec version that replaced the claim.
        reason: A description of what was wrong with the claim.
        by: Ids of the claims that replace it, if any.
        judged_on: A map from variant to the setting id of the records that the claim was judged on. Needed only where
            the variant's setting has changed since, or where the variant has been removed from the spec.
    """

    version: PositiveInt
    reason: Words
    by: list[Name] = Field(default_factory=list)
    judged_on: dict[Name, SettingId] = Field(default_factory=dict)


class _Check(Model):
    """The fields that all checks share. ``check_digest`` must omit a field added here while it has its default.

    Attributes:
        id: An id that is unique among the checks of the spec.
        profile: The profile at which the check is judged; records of other profiles are ignored.
        statistic: The value to use: the measure's last one, the best one over its schedule, or the mean of those at the
            moments ``at``.
        at: The moments of ``statistic = "mean"``, as fractions of the steps of a run. At each, the value at the nearest
            step of the measure's schedule counts.
        drift_at_most: The largest drift of a converged critic, as a fraction: 0.02 for 2 %. If the median of ``drift``
            over a variant's runs exceeds it, the critic has not converged and the check is undecided.
        gap_at_least: The smallest gap of an optimal critic, as a fraction of the exact distance, for critics trained
            alone under the two-sided penalty. If the gap of any run is smaller, that critic is not optimal, even if it
            no longer changes, and the check is undecided.
    """

    id: Name
    profile: str = "paper"
    statistic: Statistic = "final"
    at: Moments | None = None
    drift_at_most: Annotated[float, Field(gt=0, le=1)] | None = None
    gap_at_least: PositiveFloat | None = None

    @model_validator(mode="after")
    def _check_moments(self) -> _Check:
        if (self.statistic == "mean") != (self.at is not None):
            raise ValueError("statistic = 'mean' and at go together: the moments whose mean is taken")
        twice = [moment for moment in dict.fromkeys(self.at or ()) if (self.at or ()).count(moment) > 1]
        if twice:
            raise ValueError(f"at: the moment {twice[0]:g} is there twice; each is counted once")
        return self

    def variants(self) -> tuple[str, ...]:
        """Returns the variants that the check names; empty for a check of architectures."""
        return ()

    def methods(self) -> tuple[str, ...]:
        """Returns the methods of random architectures that the check names; empty for a check of variants."""
        return ()

    def sides(self) -> dict[str, tuple[str, ...]]:
        """Returns the groups of values that the check compares, by name, each with its variants or its method."""
        return {name: (name,) for name in self.variants() or self.methods()}

    def measured(self) -> tuple[str, ...]:
        """Returns the labels of the measures that the check reads."""
        raise NotImplementedError


class _OfMeasure(_Check):
    """The field of a check of one measure.

    Attributes:
        measure: The label of a measure that all variants or methods of the check have.
    """

    measure: str

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class _OfVariant(_Check):
    """The field of a check of one variant.

    Attributes:
        variant: The variant whose runs are judged.
    """

    variant: str

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)


class _Ordered(_OfMeasure):
    """The fields of a check that one side scores better than the other."""

    better: str
    worse: str

    @model_validator(mode="after")
    def _check_sides(self) -> _Ordered:
        if self.better == self.worse:
            kind = "methods" if self.methods() else "variants"
            raise ValueError(f"better and worse are both {self.better!r}; a comparison needs two {kind}")
        return self


class _Bound(Model):
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _check_bounds(self) -> _Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs one of at_least, at_most")
        return self


class Comparison(_Ordered):
    """``better`` scores better than ``worse`` on ``measure`` by more than ``margin``, in the measure's own direction.

    Attributes:
        test: The test to apply. ``permutation``: a two-sample permutation test of the difference of means; ``paired``:
            a sign-flip test of the differences by seed; ``welch``: for unbounded continuous measures only. The first
            two are exact up to 100,000 arrangements (9 runs against 9, or 16 pairs); of more, 10,000 are drawn with a
            fixed seed.
        better: The variant that scores better.
        worse: The variant that scores worse.
        margin: The margin, in the measure's unit. A negative margin states how much worse ``better`` may score, for a
            check of "no worse".
    """

    test: Literal["permutation", "paired", "welch"]
    margin: float = 0.0

    def variants(self) -> tuple[str, ...]:
        return (self.better, self.worse)


class Level(_OfMeasure, _OfVariant, _Bound):
    """``measure`` lies above ``at_least``, or below ``at_most``: its median by a sign test, its mean by a t test.

    Attributes:
        test: The test to apply. ``sign``: exact for any distribution; ``t``: for unbounded continuous measures only.
        at_least: The lower bound, in the measure's unit.
        at_most: The upper bound, in the measure's unit.
    """

    test: Literal["sign", "t"]


class Criterion(_Bound):
    """An inclusive bound that a single run either meets or misses.

    Attributes:
        measure: The label of a measure of the variant.
        at_least: The lower bound, in the measure's unit.
        at_most: The upper bound, in the measure's unit.
    """

    measure: str


class Success(_OfVariant):
    """More than ``rate`` of the runs meet all ``criteria``; a diverged run meets none.

    Attributes:
        test: The test to apply: ``binomial``, which is exact.
        criteria: The bounds that a run must meet to succeed.
        rate: The share of the runs, between 0 and 1.
    """

    test: Literal["binomial"]
    criteria: Annotated[list[Criterion], Field(min_length=1)]
    rate: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def measured(self) -> tuple[str, ...]:
        return tuple(criterion.measure for criterion in self.criteria)


class Counts(_Check):
    """Of the runs of one seed, more with ``better`` meet all ``criteria`` than with ``worse``, by more than ``margin``.

    Only seeds of which every variant of a side has a run count. A diverged run meets no criterion.

    Attributes:
        test: The test to apply: ``counts``, a two-sample permutation test of the difference of the mean counts,
            exact or drawn as for ``Comparison``.
        better: The variants of one side, such as one method with each of several architectures.
        worse: The variants of the other side, as many.
        criteria: The bounds that a run must meet to be counted.
        margin: The margin, in runs.
    """

    test: Literal["counts"]
    better: Annotated[list[str], Field(min_length=1)]
    worse: Annotated[list[str], Field(min_length=1)]
    criteria: Annotated[list[Criterion], Field(min_length=1)]
    margin: float = 0.0

    @model_validator(mode="after")
    def _check_sides(self) -> Counts:
        names = self.variants()
        if len(self.better) != len(self.worse):
            raise ValueError(f"better has {len(self.better)} variants and worse {len(self.worse)}; as many are counted")
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise ValueError(f"variant {twice[0]!r} is there twice; each is counted once")
        if abs(self.margin) >= len(self.better):
            n = len(self.better)
            raise ValueError(f"margin: must be between -{n} and {n}, the most runs of a side, got {self.margin:g}")
        return self

    def variants(self) -> tuple[str, ...]:
        return (*self.better, *self.worse)

    def sides(self) -> dict[str, tuple[str, ...]]:
        return {_and_more(side): tuple(side) for side in (self.better, self.worse)}

    def measured(self) -> tuple[str, ...]:
        return tuple(criterion.measure for criterion in self.criteria)


def _and_more(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


class Equality(_OfMeasure, _OfVariant):
    """The mean of ``measure`` lies within ``within`` of ``equals``.

    Attributes:
        test: The test to apply: ``tost``, two one-sided t tests, for unbounded continuous measures only.
        equals: The published value.
        within: The margin, in the measure's unit.
    """

    test: Literal["tost"]
    equals: float
    within: PositiveFloat


class Equivalence(_OfMeasure):
    """The means of ``measure`` over two variants differ by less than ``within`` in either direction.

    Attributes:
        test: The test to apply: ``paired_equivalence``, two one-sided sign-flip tests of the differences by seed,
            exact or drawn as for ``Comparison``.
        first: One variant.
        second: The other variant.
        within: The margin, in the measure's unit.
    """

    test: Literal["paired_equivalence"]
    first: str
    second: str
    within: PositiveFloat

    @model_validator(mode="after")
    def _check_variants(self) -> Equivalence:
        if self.first == self.second:
            raise ValueError(f"first and second are both {self.first!r}; an equivalence needs two variants")
        return self

    def variants(self) -> tuple[str, ...]:
        return (self.first, self.second)


class _TwoMethods(_Ordered):
    """A check that compares two methods over random architectures."""

    def methods(self) -> tuple[str, ...]:
        return (self.better, self.worse)


class OverArchitectures(_TwoMethods):
    """Over random architectures, the method ``better`` scores better than ``worse`` by more than ``margin``.

    Each architecture counts once: its score under a method is the mean over the seeds that it has under both methods.

    Attributes:
        test: The test to apply. ``architectures``: a sign-flip test of the mean difference, exact or drawn as for
            ``Comparison``; ``architectures_sign``: an exact sign test that ``better`` wins in more than half of the
            architectures.
        better: The method that scores better.
        worse: The method that scores worse.
        margin: The margin, in the measure's unit; as for ``Comparison``, it may be negative.
    """

    test: Literal["architectures", "architectures_sign"]
    margin: float = 0.0


class McNemar(_TwoMethods):
    """More than half of the architectures that succeed with exactly one method succeed with ``better``.

    Attributes:
        test: The test to apply: ``mcnemar``, the exact binomial form of McNemar's test.
        measure: The label of a measure that both methods have; higher must be better.
        better: The method with which more architectures succeed.
        worse: The other method.
        threshold: The score that an architecture must exceed to succeed, in the measure's unit.
    """

    test: Literal["mcnemar"]
    threshold: float


class SuccessCurve(_OfMeasure):
    """At every threshold, the share of architectures that score higher lies within ``within`` of the published share.

    Attributes:
        test: The test to apply: ``success_curve``, two one-sided tests per threshold, all of which must pass. They are
            exact binomial tests, or two-sample score tests if ``published_n`` is given.
        measure: The label of a measure of the method; higher must be better.
        method: The method whose architectures are judged.
        thresholds: The thresholds, in the measure's unit.
        published: The share of the source's architectures above each threshold, 0 to 1.
        published_n: The number of architectures behind the published shares; if given, their sampling error counts too.
        within: The margin, as a share.
    """

    test: Literal["success_curve"]
    method: str
    thresholds: Thresholds
    published: list[Annotated[float, Field(ge=0, le=1)]]
    published_n: PositiveInt | None = None
    within: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _check_shares(self) -> SuccessCurve:
        if len(self.published) != len(self.thresholds):
            raise ValueError(f"published: {len(self.published)} shares for {len(self.thresholds)} thresholds; one each")
        return self

    def methods(self) -> tuple[str, ...]:
        return (self.method,)


Check = Annotated[
    Comparison | Level | Success | Counts | Equality | Equivalence | OverArchitectures | McNemar | SuccessCurve,
    Field(discriminator="test"),
]

NORMAL_THEORY = ("t", "welch", "tost")
"""Tests for unbounded continuous measures only: on counts, their intervals cover far less than their nominal level."""


def check_digest(check: Check) -> str:
    """Returns a digest of the fields that decide the outcome of a check."""
    content = check.model_dump(mode="json")
    # Omitted when None, so that the digests of older checks stay valid.
    later = ("at", "drift_at_most", "gap_at_least", "published_n")
    return digest({key: value for key, value in content.items() if value is not None or key not in later})


def claim_key(claim: Claim) -> str:
    """Returns the key under which a run keeps what a claim's checks share; no id of a check has a space."""
    return f"claim {claim.id}"


def is_claim_key(key: str) -> bool:
    """Returns whether a key is one of ``claim_key``, and not the id of a check."""
    return key.startswith("claim ")


Role = Literal["primary", "secondary"]
MAX_PRIMARY = 5
"""The most primary claims under one profile of a spec."""


class Claim(Model):
    """A sentence of a source with the checks that decide on it.

    A claim holds if all of its checks do, or with ``any`` if one of them does. In a spec, fields of a check that stand
    in the claim itself count for all of its checks, and a claim without ``checks`` is its own check, with its id.

    Attributes:
        id: An id that is unique among the claims of the spec.
        says: The checkable sentence.
        source: The source of the sentence with its place, such as ``"Gulrajani et al. 2017, figure 1b"``; by default
            the spec's source.
        role: ``primary`` for what the source asserts, at most five under a profile; ``secondary`` for what helps to
            understand it. The verdicts of each role are adjusted apart.
        any: Whether one check that holds is enough.
        seeds: The seeds that the claim is judged on, such as ``"1024-1031"``: exactly these; by default the spec's.
        known_contradiction: The reason why a contradicted verdict is expected; the check accepts it and the report
            shows it.
        since: The spec version in which the claim was first stated.
        superseded: The reason why the claim no longer counts, if a later version restated it.
        restated_as: Ids of claims that ask the same of other runs, such as with another margin after a pilot. The claim
            itself still counts.
        checks: The checks, all of one profile.
    """

    id: Name
    says: Words
    source: Words | None = None
    role: Role = "primary"
    any: bool = False
    seeds: SeedList | None = None
    known_contradiction: Words | None = None
    since: PositiveInt = 1
    superseded: Superseded | None = None
    restated_as: list[Name] = Field(default_factory=list)
    checks: Annotated[list[Check], Field(min_length=1, max_length=200)]

    @model_validator(mode="before")
    @classmethod
    def _with_checks(cls, given: object) -> object:
        """Moves the fields of checks that stand in the claim into its checks."""
        if not isinstance(given, Mapping):
            return given
        own = {key: value for key, value in given.items() if key in cls.model_fields}
        shared = {key: value for key, value in given.items() if key not in own}
        listed = given.get("checks", [{"id": given["id"]} if "id" in given else {}])
        if isinstance(listed, list):
            own["checks"] = [{**shared, **check} if isinstance(check, Mapping) else check for check in listed]
        return own

    @model_validator(mode="after")
    def _is_whole(self) -> Claim:
        profiles = list(dict.fromkeys(check.profile for check in self.checks))
        if len(profiles) > 1:
            raise ValueError(f"checks of profiles {' and '.join(map(repr, profiles))}; all must be of one")
        return self

    @property
    def profile(self) -> str:
        """The profile at which the claim is judged."""
        return self.checks[0].profile

    def lived_in(self, version: int) -> bool:
        """Returns whether the claim counted in a version of its spec."""
        return self.since <= version and (self.superseded is None or version < self.superseded.version)

    def judged_on(self) -> dict[str, str]:
        """Returns, by variant, the setting id whose records the claim keeps; empty if the current settings count."""
        return self.superseded.judged_on if self.superseded else {}

    def variants(self) -> tuple[str, ...]:
        """Returns the variants that its checks name, each once."""
        return tuple(dict.fromkeys(variant for check in self.checks for variant in check.variants()))

    def methods(self) -> tuple[str, ...]:
        """Returns the methods of random architectures that its checks name, each once."""
        return tuple(dict.fromkeys(method for check in self.checks for method in check.methods()))

    def measured(self) -> tuple[str, ...]:
        """Returns the labels of the measures that its checks read, each once."""
        return tuple(dict.fromkeys(label for check in self.checks for label in check.measured()))


def claim_digest(claim: Claim) -> str:
    """Returns a digest of what decides the verdict: the checks, how they combine, the role and the seeds.

    The wording, the reason for a known contradiction and the history may change without changing it.
    """
    alone = len(claim.checks) == 1 and (claim.role, claim.any, claim.seeds) == ("primary", False, None)
    if alone:  # as before claims had checks
        return check_digest(claim.checks[0])
    return digest([*map(check_digest, claim.checks), claim.role, claim.any, claim.seeds])
