"""A component: an object that a spec names, with its options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, PositiveInt, ValidationError, ValidationInfo, field_validator
from pydantic_core import CoreSchema, core_schema

from wganbench.spec import catalogue
from wganbench.spec.strict import Model, Table, check_values, mistakes, short

RECORDED = {"recorded": True}
"""Validation context for a setting read from a record: it was resolved against the catalogue when it was made."""


class Component(Model):
    """A named object and its options, with all defaults filled in; in TOML, a bare name or a table with ``name``."""

    name: str
    protocol: PositiveInt
    options: Table

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: Table) -> Table:
        problems = list(check_values(options))
        if problems:
            raise ValueError("\n".join(problems))
        return options

    @property
    def is_custom(self) -> bool:
        """True for an object of the user's own, named ``package.module:object``."""
        return catalogue.is_dotted(self.name)

    @property
    def arguments(self) -> Table:
        """The options as keyword arguments of the object; a built-in network gets its filters divided."""
        return self.options if self.is_custom else catalogue.divide_filters(self.options)

    @classmethod
    def resolve(cls, kind: str, value: object) -> Component:
        """Checks a spec's name and options against the catalogue.

        Raises:
            ValueError: If the name or an option is wrong; lists every mistake, one per line, with the nearest name.
        """
        table = {"name": value} if isinstance(value, str) else value
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise ValueError(f"must be the {kind}'s name, or a table with one, got {short(value)}")
        name = table["name"]
        entry = catalogue.find(kind, name)
        options = {key: item for key, item in table.items() if key != "name"}
        try:
            if catalogue.is_dotted(name):
                return cls(name=name, protocol=options.pop("protocol", 1), options=options)
            # Validate via JSON: strict mode then rejects "5" and true as numbers but still accepts a list as a tuple.
            checked = entry.options.model_validate_json(json.dumps(options), strict=True)
        except ValidationError as error:
            raise ValueError("\n".join(mistakes(error, cls if catalogue.is_dotted(name) else entry.options))) from None
        return cls(name=name, protocol=entry.protocol, options=checked.model_dump(mode="json"))


@dataclass(frozen=True)
class Kind:
    """Marks a field as a component of this kind.

    Attributes:
        optional: True if it may be ``"none"`` to undo an inherited value.
        several: True if it may be a list of components; a list of one is that one.
    """

    name: str
    optional: bool = False
    several: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._resolve, handler(source))

    def _resolve(self, value: object, info: ValidationInfo) -> object:
        if isinstance(value, Component) or info.context == RECORDED:
            return value
        if self.optional and value in (None, "none", {"name": "none"}):
            return None
        if self.several and isinstance(value, list):
            found = [Component.resolve(self.name, each) for each in value]
            if not found:
                raise ValueError("a list of none; use 'none'")
            return found if len(found) > 1 else found[0]
        return Component.resolve(self.name, value)
