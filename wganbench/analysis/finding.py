"""A finding: one thing about the results that is not as it should be; and a change since an earlier revision."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: The name of the failed check, in two or three words.
        experiment: The experiment's name; empty for a file of the whole folder.
        subject: A claim's id, a run's id, a variant or a file.
        text: The description in one line, with the remedy if there is one.
    """

    check: str
    experiment: str
    subject: str
    text: str

    def __str__(self) -> str:
        subject = " ".join(filter(None, (self.experiment, self.subject)))
        return " ".join(
            f"{subject}: {self.check}: {self.text}".split()
        )  # the sentence of a claim may span several lines


@dataclass(frozen=True)
class Change(Finding):
    """One thing that differs from an earlier revision.

    Attributes:
        weakens: Whether the change takes evidence away, or makes a claim easier to hold.
    """

    weakens: bool = False
