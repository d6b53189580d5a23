"""The rows of an experiment on which a method of one's own is judged."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from wganbench.spec.seeds import SeedList
from wganbench.spec.strict import Model, Name

Budget = Literal["minutes", "evening", "days"]
BUDGETS: tuple[Budget, ...] = get_args(Budget)
"""The budgets, the smallest first."""


class Counted(Model):
    """A measure that counts: two methods are equivalent whose mean difference lies within a margin.

    Attributes:
        within: The margin, in the measure's unit; positive.
        target: The value that is best, for a measure that neither has a better direction; then the distance from it
            counts.
    """

    within: Annotated[float, Field(gt=0)]
    target: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_number(cls, value: object) -> object:
        return {"within": float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema as a file has it: the margin alone, or a table."""
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, handler(schema)]}


class Share(Model):
    """The part of a budget that a row takes: a profile, and the seeds to train under it."""

    profile: Name
    seeds: SeedList


class Budgets(Model):
    """The share of each budget; a budget without one takes that of the next smaller."""

    minutes: Share | None = None
    evening: Share | None = None
    days: Share | None = None

    def shares(self) -> dict[Budget, Share]:
        """Returns the shares that are stated, the smallest budget first."""
        every: dict[Budget, Share | None] = {budget: getattr(self, budget) for budget in BUDGETS}
        return {budget: share for budget, share in every.items() if share is not None}


class JudgedRow(Model):
    """A variant whose objective or constraint is replaced by another, and the measures on which both are compared.

    Attributes:
        variant: The variant, which is the reference.
        measures: The measures that count, by label.
        same_objective: Whether the measures mean something only under the variant's own objective, as a critic's
            estimate of a distance does. Methods with another objective are then not judged on this row.
        budgets: The share of each budget; the row is left out of budgets below the smallest that has one.
    """

    variant: Name
    measures: Annotated[dict[str, Counted], Field(min_length=1)]
    same_objective: bool = False
    budgets: Budgets

    def share(self, budget: Budget) -> Share | None:
        """Returns the profile and the seeds for a budget; None if the row is too dear for it."""
        affordable = BUDGETS[: BUDGETS.index(budget) + 1]
        return next((share for name, share in reversed(self.budgets.shares().items()) if name in affordable), None)
