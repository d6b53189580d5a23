"""Every claim of the source documents, and the claims of specs that judge it: reads ``coverage.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt, ValidationError, model_validator

from wganbench.errors import SpecError
from wganbench.reading import read_text
from wganbench.spec.loading import COVERAGE, specs_folder
from wganbench.spec.strict import Model, Words, mistakes

MAX_BYTES = 2**22
"""The largest file of coverage."""


class Document(Model):
    """A source: a paper or a write-up.

    Attributes:
        title: Its authors, title and year.
        cited: The texts by which the sources of claims name it.
    """

    title: Words
    cited: Annotated[list[Words], Field(min_length=1)]


class Row(Model):
    """A claim of the source documents.

    Attributes:
        number: Its number among all claims of the documents, from 1.
        source: Where it stands.
        says: The claim in one sentence.
        judged_by: The claims that judge it, as ``EXPERIMENT:CLAIM``; None if there are none.
        reason: Why none does; None if some do.
        out_of_reach: True if no run of this suite can be a test of it.
    """

    number: PositiveInt
    source: Words
    says: Words
    judged_by: Annotated[list[Words], Field(min_length=1)] | None = None
    reason: Words | None = None
    out_of_reach: bool = False

    @model_validator(mode="after")
    def _check_answer(self) -> Row:
        if (self.judged_by is None) == (self.reason is None):
            raise ValueError("needs either judged_by, or a reason why no claim judges it")
        if self.out_of_reach and self.reason is None:
            raise ValueError("out_of_reach: goes with a reason")
        return self


class Coverage(Model):
    """The content of ``coverage.toml``.

    Attributes:
        documents: The source documents, in the order in which a report lists them.
        claims: All their claims, numbered from 1 without a gap.
    """

    version: PositiveInt
    documents: list[Document]
    claims: list[Row]

    @model_validator(mode="after")
    def _check_numbers(self) -> Coverage:
        for place, row in enumerate(self.claims, start=1):
            if row.number != place:
                raise ValueError(f"claims: number {row.number} where {place} should be; they count from 1 in order")
        return self

    @property
    def experiments(self) -> set[str]:
        """The names of the experiments that judge claims of the documents."""
        return {name.partition(":")[0] for row in self.claims for name in row.judged_by or ()}

    def document_of(self, source: str) -> Document | None:
        """Returns the document that a source names first; None if it names none of them."""
        places = [(source.find(text), document) for document in self.documents for text in document.cited]
        found = [(place, document) for place, document in places if place >= 0]
        return min(found, key=lambda each: each[0])[1] if found else None


def load_coverage(path: Path | None = None) -> Coverage:
    """Reads a file of coverage; the one that ships if ``path`` is None.

    Raises:
        SpecError: If it cannot be read or is wrong; lists its mistakes, one per line.
    """
    path = path or specs_folder() / f"{COVERAGE}.toml"
    try:
        content = tomllib.loads(read_text(path, MAX_BYTES))
        return Coverage.model_validate(content)
    except OSError as error:
        raise SpecError(f"{path.name}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise SpecError(*(f"{path.name}, {text}" for text in mistakes(error, Coverage, content))) from None
    except ValueError as error:
        raise SpecError(f"{path.name}: not TOML: {error}") from None
