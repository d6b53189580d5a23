"""The duration of training."""


def training_seconds(training_seconds: float) -> float:
    """The wall time of the cohort's training so far, in seconds, which depends on the device in the record.

    Time spent on measures and on saving is not counted; after a stop, the count continues where it was.

    Args:
        training_seconds: Seconds counted by the training loop.

    Returns:
        At least 0; the time for all seeds of the cohort together, as they are trained in lockstep.
    """
    return training_seconds
