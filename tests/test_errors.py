import pytest

from wganbench.errors import first_line


@pytest.mark.parametrize(
    ("error", "line", "with_type"),
    [
        (ValueError("one\ntwo"), "one", "ValueError: one"),
        (ValueError("\n  one\ntwo"), "one", "ValueError: one"),
        (KeyError("key"), "'key'", "KeyError: 'key'"),
        (MemoryError(), "MemoryError", "MemoryError"),
    ],
)
def test_the_first_line_of_an_error_is_its_message_or_else_its_type(error, line, with_type):
    assert first_line(error) == line
    assert first_line(error, with_type=True) == with_type
