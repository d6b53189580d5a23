"""The time that training takes."""


def training_seconds(training_seconds: float) -> float:
    """Wall time of the cohort's training so far, in s, on the device of the record, which it depends on.

    What is measured and kept on the way is left out; a training that was stopped goes on where it was.

    Args:
        training_seconds: By the clock of whoever trains.

    Returns:
        At least 0; of all seeds of the cohort together, as they are trained in lockstep.
    """
    return training_seconds
