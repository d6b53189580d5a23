"""Every error that wganbench raises on purpose.

::

    WganbenchError          anything the user can mend; the command line prints it in one line and exits with 2
    ├── SpecError           a benchmark file, an override, a name in either, or a plan that cannot be made
    ├── DataError           a data set, a sample or a measure's input that cannot be had
    ├── RecordError         a record or a results folder that cannot be read or written
    │   └── DamagedError    a record file whose content is broken: it can be set aside, and its run trained again
    └── ExtensionError      a dotted name that does not import, or is not what its place asks for

Messages say where, what is wrong with the value, and what would be right. *Divergence is an outcome, not an error.*
"""


class WganbenchError(Exception):
    """Base of the family: str() is one line a mistake, ready to be printed."""


class SpecError(WganbenchError):
    """A spec is wrong; carries all mistakes of the file together, one a line."""

    def __init__(self, *mistakes: str):
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class DataError(WganbenchError):
    """Data cannot be drawn, found, or measured as asked."""


class RecordError(WganbenchError):
    """A record or its folder cannot be read or written."""


class DamagedError(RecordError):
    """A record file's content is broken."""


class ExtensionError(WganbenchError):
    """A dotted name of a spec does not lead to a usable object."""
