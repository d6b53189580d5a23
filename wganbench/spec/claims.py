"""Claims, published numbers and figures: what a spec says about runs, none of which changes a run's numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from wganbench.spec.strict import Model, Name, Words, digest

Statistic = Literal["final", "best"]
Thresholds = Annotated[list[float], Field(min_length=1, max_length=100)]
SettingId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}-[0-9a-f]{10}$")]
"""A run id without its seed."""


class Superseded(Model):
    """Why a claim counts no more; it keeps the verdict that it had.

    Attributes:
        version: The spec version that replaced it.
        reason: What was wrong with it.
        by: Ids of the claims that replace it, if any do.
        judged_on: By variant, the setting id of the records it was judged on, where that variant's setting has changed
            since or the spec has the variant no more.
    """

    version: PositiveInt
    reason: Words
    by: Annotated[list[Name], Field(max_length=20)] = Field(default_factory=list)
    judged_on: Annotated[dict[Name, SettingId], Field(max_length=1000)] = Field(default_factory=dict)


class _Claim(Model):
    """What all claims have in common. A field added here must stay out of ``claim_digest`` where it says nothing new.

    Attributes:
        id: Unique in the spec.
        says: The checkable sentence.
        profile: Where it is judged; records of no other profile enter.
        statistic: The measure's last value, or the best over its schedule.
        drift_at_most: Where the median of the measure ``drift`` over a variant's runs exceeds this, its critic has not
            converged, and the claim gets no verdict.
        gap_at_least: Where the gap of any run of a critic trained alone under the two-sided penalty is less than this
            part of the exact distance, that critic is no optimum, even if it rests, and the claim gets no verdict.
        known_contradiction: Why a contradicted verdict is no surprise; the check passes over it, the report shows it.
        since: The spec version in which the claim was stated.
        superseded: Why it counts no more, where a later version restated it.
    """

    id: Name
    says: Words
    profile: str = "paper"
    statistic: Statistic = "final"
    drift_at_most: PositiveFloat | None = None
    gap_at_least: PositiveFloat | None = None
    known_contradiction: Words | None = None
    since: PositiveInt = 1
    superseded: Superseded | None = None

    def lived_in(self, version: int) -> bool:
        """Whether the claim counted in a version of its spec."""
        return self.since <= version and (self.superseded is None or version < self.superseded.version)

    def judged_on(self) -> dict[str, str]:
        """By variant, the setting id whose records the claim keeps; empty where those of the spec as it is count."""
        return self.superseded.judged_on if self.superseded else {}

    def variants(self) -> tuple[str, ...]:
        """Those that it names; empty where it is about architectures."""
        return ()

    def methods(self) -> tuple[str, ...]:
        """Of random architectures, that it is about; empty where it is about variants."""
        return ()

    def measured(self) -> tuple[str, ...]:
        """Labels of the measures that it reads."""
        raise NotImplementedError


class Comparison(_Claim):
    """``better`` scores better than ``worse`` on ``measure`` by more than ``margin``, in the measure's own direction.

    Attributes:
        test: ``permutation``: exact two-sample test of the difference of means; ``paired``: exact sign-flip test of the
            differences by seed; ``welch``: for unbounded continuous measures alone.
        measure: Label of a measure of both variants.
        better: The variant that scores better.
        worse: The variant that scores worse.
        margin: In the measure's unit; below 0, by how much ``better`` may score worse, as a claim of "no worse" has it.
    """

    test: Literal["permutation", "paired", "welch"]
    measure: str
    better: str
    worse: str
    margin: float = 0.0

    @model_validator(mode="after")
    def _compares_two(self) -> Comparison:
        if self.better == self.worse:
            raise ValueError(f"better and worse are both {self.better!r}; a comparison needs two variants")
        return self

    def variants(self) -> tuple[str, ...]:
        return (self.better, self.worse)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class _Bound(Model):
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> _Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs one of at_least, at_most")
        return self


class Level(_Claim, _Bound):
    """``measure`` lies above ``at_least``, or below ``at_most``: its median by a sign test, its mean by a t test.

    Attributes:
        test: ``sign``: exact, whatever the distribution; ``t``: for unbounded continuous measures alone.
        measure: Label of a measure of the variant.
        variant: Whose runs are judged.
        at_least: Lower bound, in the measure's unit.
        at_most: Upper bound, in the measure's unit.
    """

    test: Literal["sign", "t"]
    measure: str
    variant: str

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class Criterion(_Bound):
    """A bound, inclusive, that one run meets or not.

    Attributes:
        measure: Label of a measure of the variant.
        at_least: Lower bound, in the measure's unit.
        at_most: Upper bound, in the measure's unit.
    """

    measure: str


class Success(_Claim):
    """More than ``rate`` of the runs meet all ``criteria``; a diverged run meets none.

    Attributes:
        test: ``binomial``: exact.
        variant: Whose runs are judged.
        criteria: What a run must meet to succeed.
        rate: Share of the runs, between 0 and 1.
    """

    test: Literal["binomial"]
    variant: str
    criteria: Annotated[list[Criterion], Field(min_length=1, max_length=20)]
    rate: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def measured(self) -> tuple[str, ...]:
        return tuple(criterion.measure for criterion in self.criteria)


class Equality(_Claim):
    """The mean of ``measure`` lies within ``within`` of ``equals``.

    Attributes:
        test: ``tost``: two one-sided t tests, for unbounded continuous measures alone.
        measure: Label of a measure of the variant.
        variant: Whose runs are judged.
        equals: The published value.
        within: The margin, in the measure's unit.
    """

    test: Literal["tost"]
    measure: str
    variant: str
    equals: float
    within: PositiveFloat

    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class Equivalence(_Claim):
    """The means of ``measure`` of two variants differ by less than ``within``, either way.

    Attributes:
        test: ``paired_equivalence``: two one-sided exact sign-flip tests of the differences by seed.
        measure: Label of a measure of both variants.
        first: One variant.
        second: The other.
        within: The margin, in the measure's unit.
    """

    test: Literal["paired_equivalence"]
    measure: str
    first: str
    second: str
    within: PositiveFloat

    @model_validator(mode="after")
    def _compares_two(self) -> Equivalence:
        if self.first == self.second:
            raise ValueError(f"first and second are both {self.first!r}; an equivalence needs two variants")
        return self

    def variants(self) -> tuple[str, ...]:
        return (self.first, self.second)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class OverArchitectures(_Claim):
    """Over random architectures, the method ``better`` scores better than ``worse`` by more than ``margin``.

    The sample is the architecture: its score under a method is the mean over the seeds that it has under both.

    Attributes:
        test: ``architectures``: exact sign-flip test of the mean difference; ``architectures_sign``: exact sign test
            that it is so in more than half of the architectures.
        measure: Label of a measure of both methods.
        better: The method that scores better.
        worse: The method that scores worse.
        margin: In the measure's unit.
    """

    test: Literal["architectures", "architectures_sign"]
    measure: str
    better: str
    worse: str
    margin: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _compares_two(self) -> OverArchitectures:
        if self.better == self.worse:
            raise ValueError(f"better and worse are both {self.better!r}; a comparison needs two methods")
        return self

    def methods(self) -> tuple[str, ...]:
        return (self.better, self.worse)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class McNemar(_Claim):
    """Of the architectures that succeed with one method alone, more than half do so with ``better``.

    Attributes:
        test: ``mcnemar``: McNemar's test, the exact binomial one.
        measure: Label of a measure of both methods, of which more is better.
        better: The method with which more architectures succeed.
        worse: The other method.
        threshold: What an architecture must score more than to succeed, in the measure's unit.
    """

    test: Literal["mcnemar"]
    measure: str
    better: str
    worse: str
    threshold: float

    @model_validator(mode="after")
    def _compares_two(self) -> McNemar:
        if self.better == self.worse:
            raise ValueError(f"better and worse are both {self.better!r}; a comparison needs two methods")
        return self

    def methods(self) -> tuple[str, ...]:
        return (self.better, self.worse)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


class SuccessCurve(_Claim):
    """At every threshold, the share of architectures that score more lies within ``within`` of the published share.

    Attributes:
        test: ``success_curve``: two one-sided tests a threshold; all of them must pass. They are exact binomial tests,
            and score tests of two samples where ``published_n`` says of how many the published share is.
        measure: Label of a measure of the method, of which more is better.
        method: Whose architectures are judged.
        thresholds: In the measure's unit.
        published: Share of the source's architectures above each threshold, 0 to 1.
        published_n: Architectures that the published shares are of, whose sampling error then counts too.
        within: The margin, as a share.
    """

    test: Literal["success_curve"]
    measure: str
    method: str
    thresholds: Thresholds
    published: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1, max_length=100)]
    published_n: PositiveInt | None = None
    within: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _one_share_a_threshold(self) -> SuccessCurve:
        if len(self.published) != len(self.thresholds):
            raise ValueError(f"published: {len(self.published)} shares for {len(self.thresholds)} thresholds; one each")
        return self

    def methods(self) -> tuple[str, ...]:
        return (self.method,)

    def measured(self) -> tuple[str, ...]:
        return (self.measure,)


Claim = Annotated[
    Comparison | Level | Success | Equality | Equivalence | OverArchitectures | McNemar | SuccessCurve,
    Field(discriminator="test"),
]

NORMAL_THEORY = ("t", "welch", "tost")
"""Tests that only an unbounded continuous measure allows: on counts their intervals cover far less than they say."""


def claim_digest(claim: Claim) -> str:
    """Stands for what decides the verdict: the wording, a known contradiction's reason and its history may change."""
    content = claim.model_dump(mode="json", exclude={"says", "known_contradiction", "since", "superseded"})
    later = ("drift_at_most", "gap_at_least", "published_n")  # say nothing new of the claims before them
    return digest({key: value for key, value in content.items() if value is not None or key not in later})


class SuccessTable(Model):
    """Of random architectures, how many score above each threshold: with either method alone, both, neither.

    Attributes:
        measure: Label of the measure that decides, of which more is better.
        methods: The two methods.
        score: The score network that ``thresholds`` and ``published`` are of.
        thresholds: Of that score. For any other there are as many, at equal steps from 1 to ``real``.
        real: Label of the measure of what the real data score.
        source: Of the published counts.
        published: For each threshold, architectures with only the first, only the second, both, neither.
    """

    measure: str
    methods: Annotated[list[str], Field(min_length=2, max_length=2)]
    score: Name = "inception"
    thresholds: Thresholds
    real: str
    source: Words
    published: list[Annotated[list[NonNegativeInt], Field(min_length=4, max_length=4)]]

    @model_validator(mode="after")
    def _fits(self) -> SuccessTable:
        if self.methods[0] == self.methods[1]:
            raise ValueError(f"methods: both are {self.methods[0]!r}; the table needs two")
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError("thresholds: must rise")
        if len(self.published) != len(self.thresholds):
            raise ValueError(f"published: {len(self.published)} rows for {len(self.thresholds)} thresholds; one each")
        if len({sum(row) for row in self.published}) > 1 or not sum(self.published[0]):
            raise ValueError("published: each row must add up to the same number of architectures")
        return self


class Published(Model):
    """A published number, beside a measured one where ``variant`` is given, else as context without a verdict.

    Attributes:
        measure: Label of the measure that it is a value of.
        value: The number, in the measure's unit.
        source: Work and table or figure.
        row: What the source calls the method.
        variant: The variant that it stands beside.
        spread: The number after the ±.
        spread_over: What the ± is over, such as ``"10 runs"``; required with ``spread``.
        configuration: How the source's set-up differs, where it does.
    """

    measure: str
    value: float
    source: Words
    row: str | None = None
    variant: str | None = None
    spread: PositiveFloat | None = None
    spread_over: str | None = None
    configuration: str | None = None

    @model_validator(mode="after")
    def _spread_is_over_something(self) -> Published:
        if (self.spread is None) != (self.spread_over is None):
            raise ValueError("spread and spread_over go together: every ± says what it is over")
        if self.variant is None and self.row is None:
            raise ValueError("needs variant (beside a measured row) or row (context)")
        return self


class Ablations(Model):
    """Variants that differ from one in a single thing each, so that their distance from it is what that costs.

    Attributes:
        baseline: The variant that they are changes of.
        factors: The changed variants.
        measures: Labels of the measures that they are compared on.
    """

    baseline: str
    factors: Annotated[list[str], Field(min_length=1, max_length=100)]
    measures: Annotated[list[str], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _are_changes(self) -> Ablations:
        if self.baseline in self.factors or len(set(self.factors)) < len(self.factors):
            raise ValueError("factors: must be variants beside the baseline, each once")
        return self


FigureKind = Literal["clouds", "curves", "layers", "histograms", "surfaces", "points", "grids", "success", "factors"]


class Figure(Model):
    """A figure of the report.

    Attributes:
        kind: ``clouds`` (samples, methods × moments), ``curves`` (measures over steps), ``layers`` (a picture of one
            number a layer, seeds as a band), ``histograms`` (a picture of shares between edges, a panel a variant),
            ``surfaces`` (level sets of a picture of critic values, with the data over them), ``points`` (measures over
            a number of the setting), ``grids`` (generated images, methods × moments, and animated), ``success`` (of the
            success table's methods, the share of architectures above a threshold) or ``factors`` (of the same, the
            measure by what was chosen of an architecture).
        profile: Whose records are drawn.
        variants: Which are drawn; all, where none is named.
        measures: Labels of the measures that are drawn as curves or points.
        against: Of ``curves``: label of the measure on the x axis in place of the step, such as ``training_seconds``.
        laws: Of ``points``: for each of ``measures``, the label of the measure drawn behind it as a line, or "".
        x: Of ``points``: path of the number in the setting, such as ``"fixed_generator.by"``.
        x_label: What the axis says instead of that path.
        groups: Of ``points``: variants of one colour, by the name in the legend; one group of all, where none is named.
        picture: Of ``layers``, ``histograms`` and ``surfaces``: label of the picture.
        columns: Of ``surfaces``: variants in a row.
        window: Half the width of the clouds' square, in the data's unit.
        title: Above the figure.
    """

    kind: FigureKind
    profile: str = "paper"
    variants: list[str] = Field(default_factory=list)
    measures: list[str] = Field(default_factory=list)
    against: str | None = None
    laws: list[str] = Field(default_factory=list)
    x: str | None = None
    x_label: Words | None = None
    groups: dict[str, list[str]] = Field(default_factory=dict)
    picture: str | None = None
    columns: PositiveInt = 3
    window: PositiveFloat = 4.0
    title: str | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Figure:
        if self.kind in ("layers", "histograms", "surfaces") and self.picture is None:
            raise ValueError(f"picture: missing; a figure of kind {self.kind!r} draws one")
        if self.kind == "points" and (self.x is None or not self.measures):
            raise ValueError("a figure of kind 'points' needs x and measures")
        if self.against is not None and self.kind != "curves":
            raise ValueError(f"against: a figure of kind {self.kind!r} has none; it is for kind 'curves'")
        if self.laws and len(self.laws) != len(self.measures):
            raise ValueError(f"laws: {len(self.laws)} for {len(self.measures)} measures; one each, or none")
        return self
