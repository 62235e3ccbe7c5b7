"""What a damaged object does to its reader, and how it is told without telling who the patient is."""

from __future__ import annotations

from bmnode.results.sources import UNREADABLE

DAMAGED = (*UNREADABLE, IndexError, TypeError, RuntimeError)
"""What pydicom and NumPy raise on an object that is not what it says."""


def explain(error: Exception) -> str:
    """What is wrong with a data set, without any value of it: a value may name the patient.

    For the same reason the error is not kept as the cause of the one that tells of it.
    """
    return str(error) if isinstance(error, AttributeError) else type(error).__name__
