"""What is said at load of figures that could not be drawn."""

from pathlib import Path

import pytest

from wganbench.errors import SpecError
from wganbench.spec import load
from wganbench.spec.figures import number_at

TEXT = """
version = 1
title = "A test"
source = "nowhere"
data = "gaussian_ring"
objective = "wasserstein"
latent_dim = 2
batch_size = 4
steps = 10
clouds = [1]
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [3, 5] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3, betas = [0.5, 0.9] }

[measures]
modes_covered = { points = 3 }
exact_wasserstein = { points = 2, samples = 10 }

[pictures]
layer_norms = {}
surface = { name = "critic_surface", window = 3.0 }

[profiles.paper]

[variants.a]
fixed_generator = { name = "translated", by = 2.0 }

[variants.b]
fixed_generator = { name = "translated", by = 3.0 }

[variants.plain]

[[figures]]
id = "drawn"
"""
POINTS = 'kind = "points"\nx = "batch_size"\nmeasures = ["exact_wasserstein"]\n'


@pytest.fixture
def loaded(tmp_path: Path):
    def of(addition: str, text: str = TEXT):
        path = tmp_path / "test.toml"
        path.write_text(text + addition, encoding="utf-8")
        return load(path)

    return of


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        (f"{POINTS}groups = {{ one = ['a', 'bb'] }}", "groups.one: no variant 'bb'; did you mean 'b'?"),
        (f"{POINTS}variants = ['a']\ngroups = {{ one = ['a', 'b'] }}", "groups.one: 'b' is not among the figure's"),
        (f"{POINTS}variants = ['a', 'b']\ngroups = {{ one = ['a'] }}", "groups: variant 'b' is in none"),
        (f"{POINTS}laws = ['modes']", "'modes' is not measured; known: exact_wasserstein, modes_covered"),
        (
            POINTS.replace("exact_w", "exact_v"),
            "'exact_vasserstein' is not measured; did you mean 'exact_wasserstein'?",
        ),
        (POINTS.replace("exact_wasserstein", "critic_loss"), "'critic_loss' is a curve alone, and has no final value"),
        (
            f"{POINTS.replace('batch_size', 'fixed_generator.bye')}variants = ['a']",
            "x: 'fixed_generator.bye' is no number in variant 'a'",
        ),
        (POINTS.replace("batch_size", "fixed_generator.by"), "x: 'fixed_generator.by' is no number in variant 'plain'"),
        (POINTS.replace("batch_size", "objective"), "x: 'objective' is no number in variant 'a' and 2 more"),
        (
            'kind = "curves"\nagainst = "modes_coverd"',
            "'modes_coverd' is not measured; did you mean 'modes_covered'?",
        ),
        (
            'kind = "layers"\npicture = "layer_norm"\nvariants = ["a"]',
            "picture: variant 'a' keeps no 'layer_norm'; did you mean 'layer_norms'?",
        ),
        (
            'kind = "classes"\npicture = "shares"\nvariants = ["a"]',
            "picture: variant 'a' keeps no 'shares'",
        ),
        ('kind = "slices"\npicture = "layer_norm"', "picture: variant 'plain' keeps no 'layer_norm'"),
        ('kind = "surfaces"\npicture = "critic_surface"', "picture: variant 'plain' keeps no 'critic_surface'"),
        ('kind = "histograms"\npicture = "layers"\nprofile = "papre"', "no profile 'papre'; did you mean 'paper'?"),
    ],
)
def test_a_figure_that_could_not_be_drawn_is_reported(loaded, addition, line):
    with pytest.raises(SpecError) as caught:
        loaded(addition)
    assert f"test.toml, figures.drawn: {line}" in str(caught.value)


def test_pictures_that_no_moment_keeps_are_reported(loaded):
    with pytest.raises(SpecError, match="variant 'b' keeps no 'surface', as its clouds name no moments"):
        loaded('kind = "surfaces"\npicture = "surface"', TEXT.replace("clouds = [1]\n", ""))


@pytest.mark.parametrize(
    "figure",
    [
        f"{POINTS}laws = ['']",
        'kind = "curves"\nmeasures = ["modes_covered"]\nagainst = "exact_wasserstein"',
        f"{POINTS}laws = ['modes_covered']\ngroups = {{ one = ['a'], two = ['b'] }}",
        POINTS.replace("batch_size", "fixed_generator.by") + "variants = ['a', 'b']",
        POINTS.replace("batch_size", "fixed_generator.by") + "groups = { one = ['a', 'b'] }",
        'kind = "layers"\npicture = "layer_norms"',
        'kind = "surfaces"\npicture = "surface"',
    ],
)
def test_a_figure_that_can_be_drawn_is_taken(loaded, figure):
    assert len(loaded(figure).figures) == 1


@pytest.mark.parametrize(
    ("figure", "drawn"),
    [
        (POINTS, ["a", "b", "plain"]),
        (f"{POINTS}groups = {{ one = ['b'], two = ['a', 'b'] }}", ["b", "a"]),
        (f"{POINTS}variants = ['plain']", ["plain"]),
    ],
)
def test_a_figure_is_of_its_variants_or_those_of_its_groups_or_all(loaded, figure, drawn):
    experiment = loaded(figure)
    assert experiment.drawn_in(experiment.figures[0]) == drawn


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("batch_size", 4),
        ("fixed_generator.by", 2.0),
        ("critic.hidden.1", 5),
        ("critic.hidden.2", None),
        ("critic.hidden.-1", None),
        ("critic.hidden", None),
        ("critic_optimizer.betas.0", 0.5),
        ("measures.modes_covered.points", 3),
        ("fixed_generator.independent", None),
        ("fixed_generator.options.by", None),
        ("unroll.steps", None),
        ("model_fields", None),
        ("", None),
        ("batch_size.", None),
        ("batch_size.real", None),
    ],
)
def test_a_path_leads_to_a_number_of_the_setting_or_nowhere(loaded, path, number):
    assert number_at(loaded(POINTS).setting("a", "paper"), path) == number


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (f"{POINTS}against = 'modes_covered'", "unknown field 'against'; known: groups, "),
        ('kind = "clouds"\npicture = "layer_norms"', "unknown field 'picture'; known: id, kind, "),
        ('kind = "layers"\npictur = "layer_norms"', "unknown field 'pictur'; did you mean 'picture'?"),
        ('kind = "layers"', "picture: missing"),
        ('kind = "points"\nx = "batch_size"', "measures: missing"),
        (f"{POINTS}laws = ['', '']", "laws: 2 for 1 measures; one each, or none"),
        ('kind = "cloud"', "kind: unknown value 'cloud'; did you mean 'clouds'?"),
        ("variants = ['a']", "kind: missing"),
    ],
)
def test_a_figure_has_the_fields_of_its_kind_alone(loaded, figure, line):
    with pytest.raises(SpecError) as caught:
        loaded(figure)
    assert f"test.toml, figures.drawn.{line}" in str(caught.value).replace("figures.drawn: ", "figures.drawn.")


@pytest.mark.parametrize("kind", ["success", "factors"])
def test_architectures_are_drawn_where_there_is_a_success_table(loaded, kind):
    with pytest.raises(SpecError, match=f"figures.drawn: a figure of kind '{kind}' draws the success table"):
        loaded(f"kind = '{kind}'")


def test_a_figure_without_an_id_is_named_by_its_place(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('version = 1\nextends = "fig2"\n[[figures]]\nkind = "curves"\nmeasures = ["linear_share"]\n')
    assert [figure.id for figure in load(path).figures] == ["gradients", "slices", "figure-3"]
