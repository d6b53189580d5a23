"""The JSON schema of a spec as a user writes it, for editors that complete and check TOML.

It is generated from the models that check a spec and from the catalogue, so that it cannot disagree with them. It
leaves nearly all checks for missing fields to ``load``, since a variant has only what differs, and a spec that extends
another has even less.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from wganbench.spec import ABOUT, SCHEDULED, Experiment, Fitting, Kind, MeasureUse, Model, Setting, catalogue

Schema = dict[str, Any]


def spec_schema() -> Schema:
    """Returns the JSON Schema (draft 2020-12) of a spec."""
    about = _of_model(Experiment)
    definitions = about.pop("$defs")
    definitions |= {_key(kind): _component(kind) for kind in catalogue.NAMES if kind != "measure"}
    setting = _setting_fields(definitions)
    fields = {key: value for key, value in about["properties"].items() if key in ABOUT}
    for table in ("variants", "profiles"):
        fields[table] = _keyed(fields[table], {"$ref": f"#/$defs/{table.removesuffix('s')}"})
    definitions["variant"] = _table(setting, "What this variant has of its own.")
    definitions["profile"] = _table({**_of_profile(), **setting}, "What every variant has under this profile.")
    definitions["method"] = _table(
        {"normalised": {"$ref": "#/$defs/variant"}, **setting},
        "What every architecture has under this method; normalised: what goes over it where the critic is normalised.",
    )
    architectures = definitions["Architectures"]
    architectures["properties"]["methods"] = _keyed(architectures["properties"]["methods"], {"$ref": "#/$defs/method"})
    del architectures["required"]  # a spec that extends another may change only one field
    required = [key for key in about["required"] if key in ABOUT]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An experiment of wganbench",
        **_table({**fields, **setting}, "What it is about, and beside that the defaults of every variant's setting."),
        "anyOf": [{"required": ["extends"]}, {"required": required}],
        "$defs": definitions,
    }


def _of_profile() -> Schema:
    """Returns the properties of a profile in addition to the fields of a setting."""
    return {
        "says": {"type": "string", "description": "What the profile is, in a line."},
        "variants": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "Names of the variants that the profile has; all, where it does not say.",
        },
        "only": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/variant"},
            "description": "By variant, what the profile changes of that one alone, over all else.",
        },
        "architectures": _of_model(Fitting),
    }


def _key(kind: str) -> str:
    return kind.replace(" ", "_")


def _table(properties: Schema, description: str) -> Schema:
    return {"type": "object", "description": description, "properties": properties, "additionalProperties": False}


def _of_model(model: type[Model]) -> Schema:
    """Returns pydantic's schema of a model with descriptions from docstrings and without null, which TOML lacks."""
    schema = model.model_json_schema()
    described = {each.__name__: _described(each) for each in _subclasses(Model)}
    for table in (schema, *schema.get("$defs", {}).values()):
        table["description"] = table.get("description", "").partition("\n\n")[0].replace("\n", " ")
        for key, field in table.get("properties", {}).items():
            field |= {"description": text} if (text := described[table["title"]].get(key)) else {}
            table["properties"][key] = _without_null(field)
    return schema


def _subclasses(model: type[Model]) -> Iterator[type[Model]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


def _described(model: type[Model]) -> dict[str, str]:
    """Returns the description of each field, from the ``Attributes`` sections of a model and its bases."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        _, _, attributes = inspect.cleandoc(each.__doc__ or "").partition("Attributes:\n")
        parts = re.split(r"^ {4}(\w+): ", attributes, flags=re.MULTILINE)[1:]
        found |= {key: " ".join(text.split()) for key, text in zip(parts[::2], parts[1::2], strict=True)}
    return found


def _without_null(field: Schema) -> Schema:
    field = {key: value for key, value in field.items() if key != "title" and (key, value) != ("default", None)}
    choices = [choice for choice in field.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) > 1:
        field["anyOf"] = choices
    return {**choices[0], **field} if len(choices) == 1 else field


# ---- settings -------------------------------------------------------------------------------------------------------


def _setting_fields(definitions: Schema) -> Schema:
    """Returns the fields of a setting as they appear in a file; puts the schemas they refer to in ``definitions``."""
    schema = _of_model(Setting)
    definitions |= {name: schema["$defs"][name] for name in ("Unrolling", "AuxiliaryClassifier")}
    fields: Schema = {}
    for key, field in Setting.model_fields.items():
        kind = _kind(field)
        about = schema["properties"][key]
        if kind is None:
            fields[key] = about
            continue
        fields[key] = {"$ref": f"#/$defs/{_key(kind.name)}", "description": about["description"]}
        if kind.optional:
            fields[key] = {"anyOf": [{"const": "none"}, {"$ref": fields[key].pop("$ref")}], **fields[key]}
    for key in ("unroll", "auxiliary_classifier"):
        fields[key] |= {"anyOf": [{"const": "none"}, {"$ref": fields[key].pop("$ref")}]}
    for key in ("lr_decay", "generator_average"):
        own = {name: fields[key].pop(name) for name in fields[key].keys() - {"description"}}
        fields[key] = {"anyOf": [{"const": "none"}, own], **fields[key]}
    definitions["Unrolling"].pop("required")  # a variant may change only one of the two fields
    fields["pictures"] = _keyed(fields["pictures"], {"$ref": "#/$defs/picture"})
    uses = {name: {"$ref": f"#/$defs/measure.{name}"} for name in catalogue.NAMES["measure"]}
    of_use = {key: field for key, field in _of_model(MeasureUse)["properties"].items() if key != "measure"}
    scheduled = {key: of_use[key] for key in SCHEDULED}
    definitions |= {f"measure.{name}": _use(name, scheduled) for name in uses}
    any_use = {"anyOf": [*uses.values(), _custom(of_use)]}
    fields["measures"] = {**_keyed(fields["measures"], any_use), "properties": uses}
    return fields


def _keyed(table: Schema, value: Schema) -> Schema:
    """Returns the schema of a table of tables, with pydantic's key pattern and with ``value`` for its values."""
    (pattern,) = table["patternProperties"]
    return {**table, "patternProperties": {pattern: value}, "additionalProperties": False}


def _kind(field: FieldInfo) -> Kind | None:
    return next((item for item in field.metadata if isinstance(item, Kind)), None)


def _component(kind: str) -> Schema:
    """Returns the schema of a component: a bare name, or a table of a name and its options.

    A table without a name adds options to the inherited component.
    """
    return {
        "anyOf": [
            {"enum": list(catalogue.NAMES[kind])},
            {"type": "string", "pattern": catalogue.DOTTED.pattern},
            *(_options(kind, name) for name in catalogue.NAMES[kind]),
            _custom({}),
        ]
    }


def _options(kind: str, name: str) -> Schema:
    entry = catalogue.NAMES[kind][name]
    properties = entry.options.model_json_schema().get("properties", {})
    options = {key: _without_null(option) for key, option in properties.items()}
    return _table({"name": {"const": name}, **options}, f"{name}, which is {entry.path}")


def _custom(fields: Schema) -> Schema:
    name = {"type": "string", "pattern": catalogue.DOTTED.pattern}
    about = "An object of your own, package.module:object, with its options."
    return {**_table({"name": name, **fields}, about), "required": ["name"], "additionalProperties": True}


def _use(name: str, scheduled: Schema) -> Schema:
    """Returns the schema of an entry in ``measures``: the measure's options and its schedule."""
    plain = _options("measure", name)
    return {**plain, "properties": {**scheduled, **plain["properties"]}}
