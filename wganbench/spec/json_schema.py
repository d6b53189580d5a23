"""The JSON schema of a spec as a user writes it, for editors that complete and check TOML.

It is generated from the models that check a spec and from the catalogue, so that it cannot disagree with them. It
leaves nearly all checks for missing fields to ``load``, since a variant has only what differs, and a spec that extends
another has even less. A placeholder such as ``{theta}`` may stand wherever the matrix of a spec can fill it in.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from wganbench.spec import ABOUT, SCHEDULED, Experiment, Fitting, Kind, MeasureUse, Model, Setting, catalogue
from wganbench.spec.matrix import AXIS, NAME
from wganbench.spec.setting import Undone

Schema = dict[str, Any]

PLACEHOLDER = r"\{[a-z][a-z0-9_.]*\}"
"""The pattern of a text with a placeholder."""


def spec_schema() -> Schema:
    """Returns the JSON Schema (draft 2020-12) of a spec."""
    experiment = _of_model(Experiment)
    definitions = experiment.pop("$defs")
    definitions |= {_key(kind): _component(kind) for kind in catalogue.NAMES if kind != "measure"}
    setting = _setting_fields(definitions)
    _split_claims(definitions)
    fields = {key: value for key, value in experiment["properties"].items() if key in ABOUT}
    for table in ("variants", "profiles"):
        fields[table] = _keyed(fields[table], {"$ref": f"#/$defs/{table.removesuffix('s')}"})
    definitions["variant"] = _table(setting, "The fields in which this variant differs from the defaults.")
    definitions["profile"] = _table({**_of_profile(), **setting}, "The fields that this profile changes.")
    definitions["method"] = _table(
        {"normalised": {"$ref": "#/$defs/variant"}, **setting},
        "The fields of an architecture under this method; normalised: overrides for a normalised critic.",
    )
    architectures = definitions["Architectures"]
    architectures["properties"]["methods"] = _keyed(architectures["properties"]["methods"], {"$ref": "#/$defs/method"})
    del architectures["required"]  # a spec that extends another may change only one field
    pilots = {key: value for key, value in fields["pilot"].items() if key != "description"}
    fields["pilot"] = {"anyOf": [pilots["items"], pilots], "description": fields["pilot"]["description"]}
    required = [key for key in experiment["required"] if key in ABOUT]
    schema = _table({**fields, **setting}, "The experiment, and defaults for the setting of every variant.")
    schema = _with_placeholders({**schema, "$defs": definitions})
    schema["properties"]["matrix"] = _matrix(setting)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An experiment of wganbench",
        **schema,
        "anyOf": [{"required": ["extends"]}, {"required": required}],
    }


def _of_profile() -> Schema:
    """Returns the properties of a profile in addition to the fields of a setting."""
    return {
        "says": {"type": "string", "description": "A description of the profile, in a line."},
        "variants": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "Names of the variants that the profile has; all by default.",
        },
        "only": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/variant"},
            "description": "By variant, the fields that the profile changes in that one alone, over all others.",
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


# ---- claims ---------------------------------------------------------------------------------------------------------


def _split_claims(definitions: Schema) -> None:
    """Writes the schema of a claim as a file has it: with the fields of its only check, or of several and of all.

    Leaves the schema of a check as an entry of ``checks``, where only its id is required.
    """
    claim = definitions.pop("Claim")
    own = claim["properties"]
    listed = own.pop("checks")
    names = [choice["$ref"].removeprefix("#/$defs/") for choice in listed["items"].pop("oneOf")]
    required = [key for key in claim["required"] if key != "checks"]
    fields: dict[str, list[Schema]] = {}
    said: dict[str, str] = {}
    for name in names:
        check = definitions[name]
        alone = _table({**check["properties"], **own}, check["description"])
        definitions[f"claim.{name}"] = {**alone, "required": list(dict.fromkeys([*required, *check["required"]]))}
        check["required"] = ["id"]
        for key, field in check["properties"].items():
            said.setdefault(key, field["description"])
            form = {keyword: item for keyword, item in field.items() if keyword != "description"}
            if form not in fields.setdefault(key, []):
                fields[key].append(form)
    shared = {key: {"anyOf": forms, "description": said[key]} for key, forms in fields.items()}
    listed["items"] = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}
    several = _table({**shared, **own, "checks": listed}, claim["description"])
    definitions["claim.checks"] = {**several, "required": [*required, "checks"]}
    forms = [*(f"claim.{name}" for name in names), "claim.checks"]
    definitions["Claim"] = {"anyOf": [{"$ref": f"#/$defs/{form}"} for form in forms]}


# ---- the matrix -----------------------------------------------------------------------------------------------------


def _matrix(setting: Schema) -> Schema:
    """Returns the schema of ``matrix``; a table of settings may have fields of its own, for texts."""
    value = {"type": ["number", "string", "boolean"]}
    says = {"type": "string", "description": "The entry in prose."}
    table = {**_table({"says": says, **setting}, "Settings with a name."), "additionalProperties": True}
    entries = {
        "type": "object",
        "minProperties": 1,
        "properties": {"of": {"type": ["number", "boolean", "object"]}},
        "patternProperties": {f"^{NAME.pattern}$": {"anyOf": [value, table]}},
        "additionalProperties": False,
    }
    names = {"type": "array", "minItems": 1, "items": value}
    parts = [
        _table({"of": {"type": "string"}, key: names}, f"{key.capitalize()} these.") for key in ("only", "without")
    ]
    forms = [names, *({**part, "required": [*part["properties"]]} for part in parts), entries]
    excluded = {"type": "object", "minProperties": 1, "additionalProperties": value}
    exclude = {"type": "array", "items": excluded, "description": "Cells that are left out, each by axis and entry."}
    schema = _table(
        {"exclude": exclude}, "The axes that variants, claims and figures range over, each with its entries."
    )
    return {**schema, "patternProperties": {f"^(?!exclude$){AXIS.pattern}$": {"anyOf": forms}}}


def _with_placeholders(schema: Schema) -> Schema:
    """Returns a schema that also accepts placeholders, as values of any type, within texts and within keys."""
    found: Schema = {}
    for key, item in schema.items():
        if key in ("properties", "$defs"):
            found[key] = {name: _with_placeholders(each) for name, each in item.items()}
        elif key == "patternProperties":
            found[key] = {f"{pattern}|{PLACEHOLDER}": _with_placeholders(each) for pattern, each in item.items()}
        elif key in ("items", "additionalProperties") and isinstance(item, dict):
            found[key] = _with_placeholders(item)
        elif key in ("anyOf", "oneOf", "prefixItems"):  # a placeholder may suit several of them
            found["anyOf" if key == "oneOf" else key] = [_with_placeholders(each) for each in item]
        else:
            found[key] = item
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        choice = {key: found.pop(key) for key in ("type", "enum", "const") if key in found}
        found["anyOf"] = [choice, {"type": "string", "pattern": PLACEHOLDER}]
    elif kind == "string" and "pattern" in schema:
        found["pattern"] = f"{schema['pattern']}|{PLACEHOLDER}"
    elif kind is not None and kind != "string":
        found |= {"type": [kind, "string"], "pattern": f"^{PLACEHOLDER}$"}
    if schema.get("additionalProperties") is False:
        found.setdefault("patternProperties", {PLACEHOLDER: {}})
    if schema.get("minItems", 0) > 1:  # one text with a placeholder may become several
        several = {
            "anyOf": [{"minItems": found.pop("minItems")}, {"contains": {"type": "string", "pattern": PLACEHOLDER}}]
        }
        found = {**found, "minItems": 1, **several}
    return found


# ---- settings -------------------------------------------------------------------------------------------------------


def _setting_fields(definitions: Schema) -> Schema:
    """Returns the fields of a setting as they appear in a file; puts the schemas they refer to in ``definitions``."""
    schema = _of_model(Setting)
    definitions |= {key: table for key, table in schema["$defs"].items() if key not in ("Component", "MeasureUse")}
    fields: Schema = {}
    for key, field in Setting.model_fields.items():
        own = schema["properties"][key]
        description, kind = own.pop("description"), _kind(field)
        if kind is not None:
            own = {"$ref": f"#/$defs/{_key(kind.name)}"}
        if kind is not None and kind.several:
            own = {"anyOf": [own, {"type": "array", "items": own, "minItems": 1}]}
        if Undone in field.metadata or (kind is not None and kind.optional):
            own = {"anyOf": [{"const": "none"}, own]}
        fields[key] = {**own, "description": description}
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
    return _table({"name": {"const": name}, **options}, f"{name}, an alias of {entry.path}")


def _custom(fields: Schema) -> Schema:
    name = {"type": "string", "pattern": catalogue.DOTTED.pattern}
    table = _table({"name": name, **fields}, "A custom object, package.module:object, with its options.")
    return {**table, "required": ["name"], "additionalProperties": True}


def _use(name: str, scheduled: Schema) -> Schema:
    """Returns the schema of an entry in ``measures``: the measure's options and its schedule."""
    plain = _options("measure", name)
    return {**plain, "properties": {**scheduled, **plain["properties"]}}
