"""The matrix: what is repeated, what a placeholder stands for, and what is refused."""

import tomllib

import pytest
from click.testing import CliRunner

from tests.cpu import at_most
from wganbench.cli import cli
from wganbench.errors import SpecError
from wganbench.spec import load
from wganbench.spec.matrix import as_text, expand

COUPLINGS = """
deviations = ["{weight}", "{coupling}", "{round}"]

[matrix]
weight = [0.1, 10.0]
round = { of = "coupling", only = ["circles"] }

[matrix.coupling.circles]
says = "two circles"
data = { name = "circle", radius = 1.0 }

[matrix.coupling.points]
data = { name = "point", dim = 2 }
"""


def expanded(text: str) -> dict:
    return expand(tomllib.loads(text), "mine.toml")


def mistakes(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        expanded(text)
    return str(caught.value).splitlines()


def test_a_spec_without_a_matrix_stays_as_it_is():
    table = {"title": "with {braces}", "variants": {"gan": {}}}
    assert expand(table, "mine.toml") is table


def test_a_variant_is_repeated_for_each_cell_in_the_order_of_the_axes_in_its_name():
    spec = expanded(COUPLINGS + '[variants."{coupling}-{weight}"]\nconstraint.penalty_weight = "{weight}"')
    assert list(spec["variants"]) == ["circles-0.1", "circles-10", "points-0.1", "points-10"]
    assert "matrix" not in spec


def test_a_variant_has_the_settings_of_its_entries_and_its_own_over_these():
    spec = expanded(COUPLINGS + '[variants."{coupling}"]\nsteps = 5\n[variants."{round}-wide"]\ndata.radius = 3.0')
    assert spec["variants"]["circles"] == {"data": {"name": "circle", "radius": 1.0}, "steps": 5}
    assert spec["variants"]["circles-wide"] == {"data": {"name": "circle", "radius": 3.0}}


@pytest.mark.parametrize("value", [-1.0, 3, "adam", True, 1e-5])
def test_a_placeholder_alone_keeps_the_type_of_its_value(value):
    spec = expand({"matrix": {"a": {"one": value}}, "variants": {"v-{a}": {"x": "{a}", "y": {"z": "{a}"}}}}, "")
    found = spec["variants"]["v-one"]
    assert found == {"x": value, "y": {"z": value}}
    assert type(found["x"]) is type(value)


def test_within_a_text_a_placeholder_is_the_name_and_says_is_the_prose():
    spec = expanded(COUPLINGS + '[[claims]]\nid = "{coupling}-{weight}"\nsays = "for {coupling.says}, λ = {weight}"')
    assert [claim["says"] for claim in spec["claims"]] == [
        "for two circles, λ = 0.1",
        "for two circles, λ = 10",
        "for points, λ = 0.1",
        "for points, λ = 10",
    ]


def test_a_named_value_is_its_name_within_a_text_and_its_value_in_prose():
    spec = expanded('[matrix]\ntheta = { m1 = -1.0 }\n[[claims]]\nid = "at-{theta}"\nsays = "θ = {theta.says}"')
    assert spec["claims"] == [{"id": "at-m1", "says": "θ = -1"}]


def test_a_field_of_a_table_can_be_used_alone_and_within_a_text():
    text = '[variants."{round}"]\nsteps = "{round.data.radius}"\nscore = "r{round.data.radius}"'
    assert expanded(COUPLINGS + text)["variants"]["circles"]["steps"] == 1.0
    assert expanded(COUPLINGS + text)["variants"]["circles"]["score"] == "r1"


def test_a_list_repeats_its_texts_and_a_table_outside_it_is_not_repeated():
    spec = expanded(
        COUPLINGS
        + '[[figures]]\nid = "x"\n'
        + 'variants = ["a", "{coupling}-{weight}"]\ngroups."{coupling}" = ["{coupling}-{weight}"]'
    )
    assert len(spec["figures"]) == 1
    assert spec["figures"][0]["variants"] == ["a", "circles-0.1", "circles-10", "points-0.1", "points-10"]
    assert spec["figures"][0]["groups"] == {
        "circles": ["circles-0.1", "circles-10"],
        "points": ["points-0.1", "points-10"],
    }


def test_excluded_cells_appear_nowhere():
    text = COUPLINGS.replace("[matrix]", '[matrix]\nexclude = [{ coupling = "points", weight = 0.1 }]')
    text += '[variants."{coupling}-{weight}"]\n[[claims]]\nid = "c-{weight}-{coupling}"'
    spec = expanded(text)
    assert list(spec["variants"]) == ["circles-0.1", "circles-10", "points-10"]
    assert [claim["id"] for claim in spec["claims"]] == ["c-0.1-circles", "c-10-circles", "c-10-points"]


def test_a_part_of_an_axis_by_what_it_leaves_out():
    spec = expanded('[matrix]\na = [1, 2, 3]\nb = { of = "a", without = [2] }\n[variants."v{b}"]')
    assert list(spec["variants"]) == ["v1", "v3"]


@pytest.mark.parametrize(
    ("value", "text"), [(10.0, "10"), (0.1, "0.1"), (1e-05, "1e-05"), (64, "64"), (-0.75, "-0.75"), (False, "false")]
)
def test_the_text_of_a_value(value, text):
    assert as_text(value) == text


def test_a_spec_with_a_matrix_loads_with_profiles_and_overrides_by_expanded_names(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "t"\nsource = "s"\nversion = 1\nextends = "gaussians8"\n[matrix]\nlr = [1e-4, 1e-3]\n'
        '[variants."rate-{lr}"]\ncritic_optimizer.lr = "{lr}"\n'
        '[profiles.quick]\nvariants = ["rate-{lr}"]\nonly."rate-{lr}".batch_size = 50\n'
    )
    experiment = load(tmp_path / "mine.toml", ['variants."rate-0.001".latent_dim=7'])
    assert list(experiment.variants_of("quick")) == ["rate-0.0001", "rate-0.001"]
    setting = experiment.setting("rate-0.001", "quick")
    assert (setting.critic_optimizer.options["lr"], setting.latent_dim, setting.batch_size) == (1e-3, 7, 50)


# ---- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("matrix = 3", "mine.toml, matrix: must be a table of axes, got 3"),
        ("[matrix]\na = []", "mine.toml, matrix.a: must be a list or a table of entries, at least one, got []"),
        ("[matrix]\na = 3", "mine.toml, matrix.a: must be a list or a table of entries, at least one, got 3"),
        ("[matrix]\nA = [1]", "mine.toml, matrix: an axis is named by lower-case letters, digits and '_', got 'A'"),
        ('[matrix]\na = [1, 2]\na-b = { of = "a", only = [1] }', "mine.toml, matrix: an axis is named by lower-case"),
        ("[matrix]\na = [1, 1.0]", "mine.toml, matrix.a: the name '1' of an entry is there twice"),
        ("[matrix]\na = [[1]]", "mine.toml, matrix.a: an entry must be a value or a table with a name, got [1]"),
        ('[matrix]\na = ["x y"]', "mine.toml, matrix.a: the name 'x y' of an entry must have lower-case letters"),
        ('[matrix]\nb = { of = "a" }\na = [1]', "mine.toml, matrix.b: beside 'of' must be a list of entries"),
        ('[matrix]\nb = { of = "c", only = [1] }\na = [1]', "mine.toml, matrix.b.of: no axis 'c'"),
        ('[matrix]\nb = { of = "a", only = [2] }\na = [1]', "mine.toml, matrix.b.only: no entry 2"),
        ('[matrix]\nb = { of = "a", without = [1] }\na = [1]', "mine.toml, matrix.b: no entry of 'a' is left"),
        ("[matrix]\na = [1]\nexclude = 3", "mine.toml, matrix.exclude: must be a list of tables, got 3"),
        ("[matrix]\na = [1]\nexclude = [{ b = 1 }]", "mine.toml, matrix.exclude.b: no axis 'b'"),
        ("[matrix]\na = [1]\nexclude = [{ a = 2 }]", "mine.toml, matrix.exclude.a: no entry 2"),
        (
            '[matrix]\ntheta = [1]\n[variants."v-{thta}"]',
            "mine.toml, variants: {thta}: no axis 'thta'; did you mean 'theta'?",
        ),
        (
            '[matrix]\na = [1]\n[variants.v]\nsteps = "{a}"',
            "mine.toml, variants.v.steps: {a}: '{a}' is not in the key of this table",
        ),
        (
            '[matrix]\na = [1, 2]\n[variants."v"]\n[variants."{a}-{a}"]\nx = "{a.b}"',
            "{a.b}: entry '1' has no such field",
        ),
        (
            '[matrix]\na = { x = { data = { n = 1 } } }\n[variants."{a}"]\nscore = "of {a.data}"',
            "mine.toml, variants.'{a}'.score: {a.data}: cannot stand within a text, got {'n': 1}",
        ),
        (
            '[matrix]\na = ["x"]\nb = ["y", "x-y"]\nc = ["x-x", "x"]\n[variants."{c}-{b}"]',
            "mine.toml, variants: two cells are named 'x-x-y'; each needs its own name",
        ),
        (
            '[matrix]\na = [1]\npilot = { seeds = "0-7", before = 1 }\n[variants."v-{a}"]',
            "mine.toml, matrix.pilot: nothing names {pilot}; a field of the spec stands above [matrix]",
        ),
        ('[matrix]\nb.x = { says = "{b}" }\n[variants.v]', "mine.toml, matrix.b: nothing names {b}"),
        (
            "[matrix]\na = [1, 2]\nb = [3]\nexclude = [{ a = 1 }, { a = 2, b = 3 }]\n"
            '[variants."{a}"]\n[variants."v{b}"]',
            "mine.toml, matrix.exclude: no variant, claim or figure has a = '2', b = '3'",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text, line):
    assert any(line in found for found in mistakes(text)), mistakes(text)


AXES = "[matrix]\n" + "\n".join(f"{axis} = {list(range(100))}" for axis in "abc") + "\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[variants."{a}-{b}-{c}"]', "variants: 1,000,000 variants; at most 10,000"),
        ('[variants."x-{a}-{b}"]\n[variants."y-{c}"]', "variants: 10,100 variants; at most 10,000"),
        ('[[claims]]\nid = "{a}-{b}-{c}"', "claims.'{a}-{b}-{c}': 1,000,000 cells; at most 10,000"),
        (
            '[[claims]]\nid = "{a}-{b}"\nchecks = [{ id = "{c}-{d}" }]\n[matrix.d]\none = 1\ntwo = 2',
            "matrix: the spec expands to more than 200,000 values",
        ),
        pytest.param(
            f'[[claims]]\nid = "{{a}}-{{b}}"\nsays = "{{a}} {"x" * 50_000}"',
            "matrix: the spec expands to more than 200,000 values",
            id="long texts",
        ),
    ],
)
def test_a_spec_of_too_many_cells_is_refused_at_once(text, line):
    with at_most(seconds=5):
        assert mistakes(AXES + text) == [f"mine.toml, {line}"]


def test_a_placeholder_of_an_excluded_cell_names_a_variant_that_is_not_there(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "t"\nsource = "s"\nversion = 1\nextends = "gaussians8"\n[matrix]\na = [1, 2]\nb = [1, 2]\n'
        'exclude = [{ a = 1, b = 2 }]\n[variants."v-{a}-{b}"]\nsteps = 5\n'
        '[[claims]]\nid = "c"\nsays = "s"\ntest = "sign"\nmeasure = "kde_peaks"\nvariant = "v-1-2"\nat_least = 1\n'
    )
    with pytest.raises(SpecError, match=r"claims\.c: no variant 'v-1-2'"):
        load(tmp_path / "mine.toml")


def test_the_checks_of_a_claim_range_over_the_cells_that_are_left(tmp_path):
    text = (
        'title = "t"\nsource = "s"\nversion = 1\nextends = "gaussians8"\n[matrix]\na = [1, 2]\nb = [1, 2]\n'
        'exclude = [{ a = 1, b = 2 }]\n[variants."v-{a}-{b}"]\nsteps = 5\n[[claims]]\nid = "c"\nsays = "s"\n'
        'test = "sign"\nmeasure = "kde_peaks"\nat_least = 1\nchecks = [{ id = "c-{a}-{b}", variant = "v-{a}-{b}" }]\n'
    )
    (tmp_path / "mine.toml").write_text(text)
    assert load(tmp_path / "mine.toml").claims[0].variants() == ("v-1-1", "v-2-1", "v-2-2")
    (tmp_path / "mine.toml").write_text(text.replace("{ a = 1, b = 2 }", "{ a = 1 }, { b = 1 }, { b = 2 }"))
    with pytest.raises(SpecError, match=r"claims\.c\.checks: must have at least 1 item, got \[\]"):
        load(tmp_path / "mine.toml")


def test_show_prints_the_expansion(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "t"\nsource = "s"\nversion = 1\nextends = "gaussians8"\n[matrix]\nlr = { low = 1e-4, high = 1e-3 }\n'
        '[variants."rate-{lr}"]\ncritic_optimizer.lr = "{lr}"\n'
    )
    result = CliRunner().invoke(cli, ["show", str(tmp_path / "mine.toml")])
    assert result.exit_code == 0
    assert "rate-low" in result.output
    assert "rate-high" in result.output
    assert "{lr}" not in result.output
