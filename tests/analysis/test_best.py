"""The best of a score beside its last value."""

import pytest

from tests.analysis.factory import made, record
from tests.analysis.figures.test_grids import SPEC
from wganbench.analysis.results import Best, Results, best_of
from wganbench.analysis.tables.by_variant import overview
from wganbench.analysis.tables.cells import BEST, best_text
from wganbench.analysis.tables.notes import HINDSIGHT
from wganbench.analysis.tables.published import results_table
from wganbench.analysis.tables.table import Row, Table, render, shown_cells, terminal
from wganbench.records.record import Curve

MEASURES = """
score = { name = "classifier", file = "shapes10-16-8c9f1cc8" }
[measures.inception_score]
points = 3
samples = 20
splits = 2
[measures.frechet_distance]
points = 3
samples = 20
[measures.inception_score_spread]
points = 3
samples = 20
splits = 2
[measures.wasserstein_estimate]
points = 3
"""
SCORED = SPEC.replace("measures = { wasserstein_estimate = {} }", "").replace(
    "[profiles.paper]", MEASURES + "[profiles.paper]"
)
STEPS = [0, 500, 1000]


@pytest.fixture
def experiment(tmp_path):
    return made(tmp_path, spec=SCORED)


def run(experiment, variant, seed, score, distance=(9.0, 5.0, 7.0), **changes):
    """A record with these curves of the two scores, whose last and best values follow."""
    values = {
        "inception_score": list(score),
        "frechet_distance": list(distance),
        "inception_score_spread": [0.1, 0.3, 0.2],
        "wasserstein_estimate": [1.0, 3.0, 2.0],
    }
    known = {name: [value for value in some if value is not None] for name, some in values.items()}
    best = {"inception_score": max(known["inception_score"]), "frechet_distance": min(known["frechet_distance"])}
    curves = {name: Curve(steps=STEPS[: len(some)], values=some) for name, some in values.items()}
    final = {name: some[-1] for name, some in values.items()}
    empty = dict.fromkeys(values)
    return record(experiment, variant, seed, final, **{"best": {**empty, **best}, "curves": curves, **changes})


def reached(runs, measure="inception_score"):
    return best_of(runs, measure)


def test_it_is_the_mean_over_runs_and_the_range_of_the_steps(experiment):
    runs = [run(experiment, "good", 0, (1, 6, 4)), run(experiment, "good", 1, (1, 7, 8))]
    assert reached(runs) == Best(7.0, 500, 1000)
    assert reached(runs, "frechet_distance") == Best(5.0, 500, 500)


def test_the_first_of_equal_ones_counts_and_what_is_not_finite_does_not(experiment):
    assert reached([run(experiment, "good", 0, (None, 6, 6))]) == Best(6.0, 500, 500)


def test_a_diverged_run_counts_as_the_worst_and_has_no_step(experiment):
    diverged = run(experiment, "good", 1, (9, 2, 2), status="diverged")
    assert reached([run(experiment, "good", 0, (1, 6, 4)), diverged]) == Best((6 + 1) / 2, 500, 500)
    assert reached([diverged]) is None


@pytest.mark.parametrize("measure", ["inception_score_spread", "wasserstein_estimate"])
def test_what_has_no_better_or_is_no_score_has_none(experiment, measure):
    assert reached([run(experiment, "good", 0, (1, 6, 4))], measure) is None


def test_what_is_taken_once_has_none(experiment):
    once = run(experiment, "good", 0, (1, 6, 4))
    once.setting.measures["inception_score"] = once.setting.measures["inception_score"].model_copy(update={"points": 1})
    assert best_of([once], "inception_score") is None


@pytest.mark.parametrize(
    ("found", "text"), [(Best(7.857, 500, 9000), "7.86 (500–9,000)"), (Best(2.0, 500, 500), "2 (500)"), (None, "")]
)
def test_it_is_told_in_a_cell(found, text):
    assert best_text(found) == text


def test_the_table_of_published_numbers_has_a_column_for_it(experiment):
    runs = {each.id: each for each in (run(experiment, "good", 0, (1, 6, 4)), run(experiment, "bad", 0, (1, 2, 3)))}
    found = results_table(Results(experiment, runs), "paper")
    cells = {(row.data["measure"], row.data["variant"]): row.cells[BEST] for row in found.rows}
    assert cells["inception_score", "good"] == "6 (500)"
    assert cells["inception_score", "bad"] == "3 (1,000)"
    assert cells["wasserstein_estimate", "good"] == ""
    assert HINDSIGHT in found.notes
    assert BEST in render(found, "markdown").splitlines()[0]
    assert BEST in [str(column.header) for column in terminal(found).columns]
    data = found.rows[0].data
    assert [data[name] for name in ("best", "best_first_step", "best_last_step")] == [6.0, 500, 500]
    others = Table("t", tuple(row for row in found.rows if row.data["measure"] == "wasserstein_estimate"))
    assert BEST not in shown_cells(others)[0]


def test_the_table_of_variants_has_a_column_for_each_score(experiment):
    runs = {each.id: each for each in (run(experiment, "good", 0, (1, 6, 4)), run(experiment, "bad", 0, (1, 2, 3)))}
    found = overview(Results(experiment, runs), "paper")
    first, second = shown_cells(found)
    about = [f"inception_score, {BEST}", f"frechet_distance, {BEST}"]
    assert [heading for heading in first if BEST in heading] == about
    assert [first[about[0]], second[about[0]], first[about[1]]] == ["6 (500)", "3 (1,000)", "5 (500)"]
    assert HINDSIGHT in found.notes
    assert found.rows[0].data["inception_score_best"] == 6.0


def test_without_scores_there_is_no_such_column_and_no_note(tmp_path):
    experiment = made(tmp_path)
    each = record(experiment, "good", 0, {"sectors_occupied": 8, "exact_wasserstein": 1.0, "wasserstein_floor": 0.1})
    results = Results(experiment, {each.id: each})
    for found in (results_table(results, "paper"), overview(results, "paper")):
        assert not [heading for heading in shown_cells(found)[0] if BEST in heading]
        assert HINDSIGHT not in found.notes


def row(text):
    return Row({"a": text, "b": "x"}, {})


def test_a_column_is_left_out_only_where_it_is_empty_in_every_row():
    assert shown_cells(Table("t", (row(""), row("y")))) == [{"a": "", "b": "x"}, {"a": "y", "b": "x"}]
    assert shown_cells(Table("t", (row(""), row("")))) == [{"b": "x"}] * 2
