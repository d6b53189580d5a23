"""What a spec's tables need: published numbers, thresholds of success, and ablations. No run depends on them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from wganbench.spec.claims import Thresholds
from wganbench.spec.strict import Model, Name, Words


class SuccessTable(Model):
    """The number of random architectures that score above each threshold with either method alone, both, or neither.

    Attributes:
        measure: The label of the measure that decides; higher must be better.
        methods: The two methods.
        score: The score network that ``thresholds`` and ``published`` refer to.
        thresholds: The thresholds for that score network. For any other network the same number of thresholds is
            placed at equal steps from 1 to ``real``.
        real: The label of the measure that scores the real data.
        source: The source of the published counts.
        published: The published counts: for each threshold, the number of architectures that succeed with only the
            first method, only the second, both, and neither.
    """

    measure: str
    methods: Annotated[list[str], Field(min_length=2, max_length=2)]
    score: Name = "inception"
    thresholds: Thresholds
    real: str
    source: Words
    published: list[Annotated[list[NonNegativeInt], Field(min_length=4, max_length=4)]]

    @model_validator(mode="after")
    def _check_rows(self) -> SuccessTable:
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
    """A published number, shown beside a measured one if ``variant`` is given, otherwise as context without a verdict.

    Attributes:
        measure: The label of the measure that the number is a value of.
        value: The number, in the measure's unit.
        source: The publication, with its table or figure.
        row: The name of the method in the source.
        variant: The variant that the number is shown beside.
        spread: The number after the ±.
        spread_over: A description of what the ± is taken over, such as ``"10 runs"``; required with ``spread``.
        configuration: The differences in the source's set-up, if any.
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
    def _check_fields(self) -> Published:
        if (self.spread is None) != (self.spread_over is None):
            raise ValueError("spread and spread_over go together: every ± says what it is over")
        if self.variant is None and self.row is None:
            raise ValueError("needs variant (beside a measured row) or row (context)")
        return self


class Ablations(Model):
    """Variants that each differ from a baseline in one respect, so that the difference in score is its effect.

    Attributes:
        baseline: The unchanged variant.
        factors: The changed variants.
        measures: The labels of the measures on which they are compared.
    """

    baseline: str
    factors: Annotated[list[str], Field(min_length=1)]
    measures: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_factors(self) -> Ablations:
        if self.baseline in self.factors or len(set(self.factors)) < len(self.factors):
            raise ValueError("factors: must be variants beside the baseline, each once")
        return self
