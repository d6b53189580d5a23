"""The JSON schema against specs that ship and specs that are wrong, by a small validator of the keywords it uses."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.errors import SpecError
from wganbench.spec import Experiment, Setting, available, catalogue, load
from wganbench.spec.json_schema import spec_schema

SCHEMA = spec_schema()
TYPES = {
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
KEYWORDS = {
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "string": {"minLength", "maxLength", "pattern"},
    "array": {"minItems", "maxItems"},
    "object": {"minProperties", "maxProperties", "required"},
}
"""Keywords that speak of values of one type, and of no others."""
BOUNDS = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "maxLength": lambda value, bound: len(value) <= bound,
    "minItems": lambda value, bound: len(value) >= bound,
    "maxItems": lambda value, bound: len(value) <= bound,
    "minProperties": lambda value, bound: len(value) >= bound,
    "maxProperties": lambda value, bound: len(value) <= bound,
    "enum": lambda value, choices: value in choices,
    "const": lambda value, only: value == only,
    "pattern": lambda value, pattern: re.search(pattern, value),
    "required": lambda value, keys: value.keys() >= set(keys),
}
CHECKS = ("Comparison", "Level", "Success", "Counts", "Equality", "Equivalence")
SAID = {"$schema", "$defs", "title", "description", "default", "discriminator", "$ref", "type"}
APPLIED = {"anyOf", "items", "prefixItems", "contains", "properties", "patternProperties", "additionalProperties"}


def problems(value: Any, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Where ``value`` is not what ``schema`` says."""
    assert schema.keys() <= SAID | APPLIED | BOUNDS.keys(), "a keyword that this validator does not know"
    if "$ref" in schema:
        yield from problems(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], place)
    kinds = schema.get("type", [])
    if kinds and not any(TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{place}: no {kinds}"
        return
    apart = set().union(*(keywords for kind, keywords in KEYWORDS.items() if not TYPES[kind](value)))
    for keyword, holds in BOUNDS.items():
        if keyword in schema and keyword not in apart and not holds(value, schema[keyword]):
            yield f"{place}: {keyword}"
    if "anyOf" in schema and all(list(problems(value, choice, place)) for choice in schema["anyOf"]):
        yield f"{place}: anyOf"
    if isinstance(value, list):
        if "contains" in schema and all(list(problems(item, schema["contains"])) for item in value):
            yield f"{place}: contains"
        for position, item in enumerate(value):
            first = schema.get("prefixItems", [])
            inside = first[position] if position < len(first) else schema.get("items", {})
            yield from problems(item, inside, f"{place}.{position}")
    if isinstance(value, dict):
        for key, item in value.items():
            inside = [schema.get("properties", {}).get(key)]
            inside += [each for pattern, each in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
            known = [each for each in inside if each is not None]
            if not known and schema.get("additionalProperties") is False:
                yield f"{place}.{key}: unknown"
            for each in known:
                yield from problems(item, each, f"{place}.{key}")


def shipped(name: str) -> Any:
    return tomllib.loads(available()[name].read_text(encoding="utf-8"))


EQUIVALENT = """
extends = "gaussians8"

[[claims]]
id = "alike"
says = "both are as far from the data"
test = "paired_equivalence"
measure = "exact_wasserstein"
first = "gan"
second = "lsgan"
within = 0.1
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("within = 0.1", "within = 0"), ("first", "better"), ("within = 0.1", "within = 0.1\ndrift_at_most = 0")],
)
def test_an_equivalence_that_says_too_little_is_refused(old, new):
    assert ".claims.0: anyOf" in list(problems(tomllib.loads(EQUIVALENT.replace(old, new)), SCHEMA))


SWEPT = """
title = "A sweep"
source = "nowhere"
version = 2
extends = "gaussians8"
pilot = { seeds = "0-7", before = 2 }
deviations = ["{lr} with {eps}", "slow: {slow}", "fast: {fast}"]

[matrix]
lr = [1e-4, 1e-3]
eps = { small = 1e-8, none = 0.1 }
slow = { of = "lr", only = [1e-4] }
fast = { of = "lr", without = ["0.0001"] }
exclude = [{ lr = 1e-3, eps = "small" }]

[matrix.method.clipped]
says = "with clipped weights"
constraint = { name = "clip", clip_value = 0.01 }

[matrix.method.free]
latent_dim = 3

[variants."rate-{lr}"]
critic_optimizer = { lr = "{lr}" }

[variants."{method}"]

[variants.other]
steps = 7

[profiles.quick]
variants = ["rate-{lr}", "other"]
only."rate-{slow}".batch_size = 50

[[claims]]
id = "all-cover"
says = "at each rate all modes are covered"
role = "secondary"
seeds = "100-107"
any = true
test = "sign"
measure = "modes_covered"
at_least = 7
checks = [
  { id = "{lr}-covers", variant = "rate-{lr}" },
  { id = "other-covers", variant = "other", statistic = "best" },
]

[[claims]]
id = "{fast}-is-better"
says = "the rate {fast.says} is better"
test = "permutation"
measure = "modes_covered"
better = "rate-{fast}"
worse = "rate-0.0001"
margin = "{fast}"
"""


def test_a_spec_with_a_matrix_is_valid():
    assert list(problems(tomllib.loads(SWEPT), SCHEMA)) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("lr = [1e-4, 1e-3]", "lr = []", ".matrix.lr: anyOf"),
        ("lr = [1e-4, 1e-3]", "lr = 1e-4", ".matrix.lr: anyOf"),
        ("lr = [1e-4, 1e-3]", "lr = [[1e-4]]", ".matrix.lr: anyOf"),
        ("lr = [1e-4, 1e-3]", "Lr = [1e-4]", ".matrix.Lr: unknown"),
        ("only = [1e-4] }", "onyl = [1e-4] }", ".matrix.slow: anyOf"),
        ("only = [1e-4] }", "only = [1e-4], without = [1e-3] }", ".matrix.slow: anyOf"),
        ('[{ lr = 1e-3, eps = "small" }]', "{ lr = 1e-3 }", ".matrix.exclude: no array"),
        ("latent_dim = 3", "latent_dim = 0", ".matrix.method: anyOf"),
        ('lr = "{lr}"', 'lr = "{Lr}"', ".variants.rate-{lr}.critic_optimizer: anyOf"),
        ('lr = "{lr}"', 'lr = "1{lr}"', ".variants.rate-{lr}.critic_optimizer: anyOf"),
        ('"all-cover"', '"all cover"', ".claims.0: anyOf"),
        ('"100-107"', '"8"', ".claims.0: anyOf"),
        ('"secondary"', '"second"', ".claims.0: anyOf"),
        ("at_least = 7\n", "atleast = 7\n", ".claims.0: anyOf"),
        ('id = "{lr}-covers", ', "", ".claims.0: anyOf"),
        ('variant = "rate-{lr}"', 'varaint = "rate-{lr}"', ".claims.0: anyOf"),
        ("before = 2", "before = 0", ".pilot: anyOf"),
        ("before = 2", "after = 2", ".pilot: anyOf"),
    ],
)
def test_what_load_refuses_of_a_matrix_and_of_checks_the_schema_refuses_where_it_stands(tmp_path, old, new, place):
    assert old in SWEPT
    text = SWEPT.replace(old, new, 1)
    assert place in list(problems(tomllib.loads(text), SCHEMA))
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(SpecError):
        load(tmp_path / "mine.toml")


def test_a_spec_with_a_matrix_loads(tmp_path):
    (tmp_path / "mine.toml").write_text(SWEPT)
    experiment = load(tmp_path / "mine.toml")
    assert [claim.id for claim in experiment.claims] == ["all-cover", "0.001-is-better"]
    assert [check.id for check in experiment.claims[0].checks] == ["0.0001-covers", "0.001-covers", "other-covers"]


@pytest.mark.parametrize("name", available())
def test_shipped_specs_are_valid(name):
    assert list(problems(shipped(name), SCHEMA)) == []


@pytest.mark.parametrize(
    "text",
    [
        'extends = "gaussians8"',
        'extends = "gaussians8"\nobjective = "my.module:objective"',
        'extends = "gaussians8"\nvariants.x = { constraint = "none", unroll = "none", critic_optimizer = { lr = 1 } }',
        'extends = "gaussians8"\nvariants.x.constraint = { name = "my.module:f", anything = { at = "all" } }',
        'extends = "gaussians8"\nvariants.unrolled.unroll.steps = 3',
        'extends = "gaussians8"\n[measures]\nnear = { name = "modes_covered", within = 1.0, points = 3 }',
        'extends = "gaussians8"\n[measures]\nmine = { name = "my.module:f", points = 3, x = 1 }',
        'extends = "gaussians8"\n[measures]\nmine = { name = "a.b:f", better = "low", bounded = true, worst = 1 }',
        'extends = "gaussians8"\n[measures]\nmine = { name = "my.module:f", unit = "m", bounded = false }',
        EQUIVALENT,
        f"{EQUIVALENT}drift_at_most = 0.02\n[measures.drift]\npoints = 1",
    ],
)
def test_what_a_user_may_write_is_valid_and_loads(text, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert list(problems(tomllib.loads(text), SCHEMA)) == []
    assert load(path).extends == "gaussians8"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("seeds = 8", "seads = 8", ".seads: unknown"),
        ("seeds = 8", "seeds = true", ".seeds: anyOf"),
        ("seeds = 8", 'seeds = "8"', ".seeds: anyOf"),
        ("seeds = 8", "seeds = 0", ".seeds: anyOf"),
        ("title = ", "titel = ", ": anyOf"),
        ("radius = 2.0", "raduis = 2.0", ".data: anyOf"),
        ("radius = 2.0", "radius = -2.0", ".data: anyOf"),
        ('"non_saturating"', '"nonsaturating"', ".objective: anyOf"),
        ('"gradient_penalty"', '"gradient penalty"', ".variants.wgan-gp.constraint: anyOf"),
        ("kde_peaks = { points = 20 }", "kde_peaks = { point = 20 }", ".measures.kde_peaks.point: unknown"),
        ("kde_peaks = { points = 20 }", "kde_peaks = { points = 0 }", ".measures.kde_peaks.points: minimum"),
        ("kde_peaks = {", "kde_peaks = { better = 'low',", ".measures.kde_peaks.better: unknown"),
        ("kde_peaks = {", "mine = { name = 'm:f', better = 'lower' }\nkde_peaks = {", ".measures.mine: anyOf"),
        ('test = "permutation"', 'test = "t"', ".claims.1: anyOf"),
        ("margin = 3.0", "margn = 3.0", ".claims.1: anyOf"),
        ('order = "first"', 'order = "third"', ".variants.unrolled.unroll: anyOf"),
        ("[variants.gan]", "[variants.Gan]", ".variants.Gan: unknown"),
        ("[variants.gan]", "[variants.gan]\nsays = 'no'", ".variants.gan.says: unknown"),
        ("[profiles.quick]", "[profiles.quick]\nstepz = 3", ".profiles.quick.stepz: unknown"),
        ('kind = "clouds"', 'kinds = "clouds"', ".figures.0: anyOf"),
        ('kind = "clouds"', 'kind = "clouds"\ncolumns = 3', ".figures.0: anyOf"),
    ],
)
def test_what_load_refuses_the_schema_refuses_where_it_stands(old, new, place):
    text = available()["gaussians8"].read_text(encoding="utf-8")
    assert old in text
    assert place in list(problems(tomllib.loads(text.replace(old, new, 1)), SCHEMA))


def test_every_field_of_a_spec_is_in_it_and_described():
    hidden = {"name", "path", "defaults", "overrides"}
    assert SCHEMA["properties"].keys() == {*Experiment.model_fields, *Setting.model_fields, "matrix"} - hidden
    assert SCHEMA["$defs"]["variant"]["properties"].keys() == Setting.model_fields.keys()
    assert SCHEMA["$defs"]["profile"]["properties"].keys() == {
        "says",
        "variants",
        "only",
        "architectures",
        *Setting.model_fields,
    }
    tables = [
        SCHEMA,
        *(
            SCHEMA["$defs"][name]
            for name in (*CHECKS, *(f"claim.{check}" for check in CHECKS), "claim.checks", "Published")
        ),
        *(table for name, table in SCHEMA["$defs"].items() if name.endswith("Figure")),
    ]
    for table in tables:
        assert [key for key, field in table["properties"].items() if not field.get("description")] == []


def _name_of(choice: Mapping[str, Any]) -> Any:
    return choice.get("properties", {}).get("name", {})


@pytest.mark.parametrize("kind", catalogue.NAMES)
def test_every_name_with_every_option_is_in_it(kind):
    for name, entry in catalogue.NAMES[kind].items():
        if kind == "measure":
            assert SCHEMA["properties"]["measures"]["properties"][name] == {"$ref": f"#/$defs/measure.{name}"}
            options = SCHEMA["$defs"][f"measure.{name}"]["properties"].keys() - {"points", "spacing"}
        else:
            choices = SCHEMA["$defs"][kind.replace(" ", "_")]["anyOf"]
            assert name in choices[0]["anyOf"][0]["enum"]
            (table,) = [each for each in choices if {"const": name} in _name_of(each).get("anyOf", [])]
            options = table["properties"].keys()
        assert options == {"name", *entry.options.model_fields}


def test_every_reference_leads_somewhere():
    references = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(SCHEMA)))
    assert references == SCHEMA["$defs"].keys()


def test_the_command_prints_it():
    result = CliRunner().invoke(cli, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.output) == SCHEMA
