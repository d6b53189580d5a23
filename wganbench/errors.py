"""Every error that wganbench raises on purpose.

::

    WganbenchError          any error that the user can fix; the command line prints a line per mistake and exits with 2
    ├── SpecError           a wrong spec, override or name in either, or a plan that cannot be made
    ├── DataError           a data set, a sample or a measure's input that is not available
    ├── RecordError         a record or a results folder that cannot be read or written
    │   └── DamagedError    a record file with broken content: it can be set aside and its run trained again
    └── ExtensionError      a dotted name that cannot be imported, or an object that does not fit its place in the spec

Messages say where the mistake is, what is wrong with the value, and what would be right. *Divergence is an outcome, not
an error.*
"""


class WganbenchError(Exception):
    """The base class of all errors here; str() gives one line per mistake, ready to be printed."""


class SpecError(WganbenchError):
    """A spec is wrong; the message has all mistakes of the file, one per line."""

    def __init__(self, *mistakes: str):
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class DataError(WganbenchError):
    """Data cannot be drawn, found or measured as requested."""


class RecordError(WganbenchError):
    """A record or its folder cannot be read or written."""


class DamagedError(RecordError):
    """The content of a record file is broken."""


class ExtensionError(WganbenchError):
    """A dotted name in a spec does not lead to a usable object."""


def first_line(error: BaseException, *, with_type: bool = False) -> str:
    """Returns the first line of an error's message, which may be from custom code; its type's name if it has none.

    Args:
        error: The error.
        with_type: Whether to put the type's name before a message, too.
    """
    message, name = str(error).strip(), type(error).__name__
    if not message:
        return name
    return f"{name}: {message}".splitlines()[0] if with_type else message.splitlines()[0]
