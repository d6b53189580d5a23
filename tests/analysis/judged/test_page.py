"""The page of a judgement for a browser: what it shows, and that no text in it can do harm."""

import html
import re

import pytest

from tests.analysis.judged.submitted import apart, submit

pytestmark = pytest.mark.slow

TRACEBACK = 'Traceback (most recent call last):\n  File "mine.py", line 3, in f\nValueError: <script>alert(1)</script>'
LOST = {
    ("mine", 2): {"status": "diverged", "note": "a loss is not finite", "steps_done": 7, "measures": {}, "curves": {}},
    ("mine", 5): {"status": "failed", "note": TRACEBACK, "steps_done": 0, "measures": {}, "curves": {}},
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged") / "sub"
    submit(folder, apart(0.5), lost={key: {**change, "best": {}} for key, change in LOST.items()})
    return (folder / "index.html").read_text(encoding="utf-8")


def test_failed_and_diverged_runs_are_shown_with_their_reasons(page):
    assert re.search(r"diverged</td><td>7</td><td>a loss is not finite", page)
    assert "ValueError: &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "7 of 8, 1 failed, 1 diverged" in page


def test_nothing_is_executed_or_fetched(page):
    assert "<script" not in page
    policy = html.unescape(re.search(r'Content-Security-Policy" content="(.*?)"', page)[1])
    assert "default-src 'none'" in policy and "script-src 'none'" in policy
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "is &lt;b&gt;it&lt;/b&gt;?" in page  # what a question found


def test_a_judgement_is_a_word_beside_a_shape(page):
    verdicts = re.findall(r'<use href="#_(\w+)"/></svg>(\w+)</span>', page)
    assert len(verdicts) >= 5  # the tally, and each line in the table and above its runs
    assert all(shape == word for shape, word in verdicts)


def test_each_run_has_a_dot_with_its_id(page):
    for seed in (0, 1, 3, 4, 6, 7):
        assert re.search(rf'aria-label="mine-wgan-gp-[0-9a-f]{{10}}-s{seed}: 0\.5', page)
