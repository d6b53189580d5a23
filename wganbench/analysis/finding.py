"""A finding: one thing about the results that is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: What was asked, in two or three words.
        experiment: Empty where it is about a file of the whole folder.
        subject: A claim's id, a run's id, a variant or a file.
        text: One line, with the remedy where there is one.
    """

    check: str
    experiment: str
    subject: str
    text: str

    def __str__(self) -> str:
        about = " ".join(filter(None, (self.experiment, self.subject)))
        return " ".join(f"{about}: {self.check}: {self.text}".split())  # what a claim says may have several lines
