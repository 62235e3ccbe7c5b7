"""Under age or not, from what headers state."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from bmnode.selection.age import is_minor


@pytest.mark.parametrize(
    ("age", "born", "expected"),
    [
        ("064Y", "19600723", False),
        ("018Y", "", False),
        ("017Y", "", True),
        ("215M", "", True),
        ("216M", "", False),
        ("010D", "", True),
        ("", "20070310", False),
        ("", "20070311", True),
        ("064Y", "20200101", True),
        ("001D", "", True),
        ("000Y", "", None),
        ("000Y", "20240601", True),
        ("", "", None),
        ("old", "1960", None),
        ("", "20990101", None),
    ],
)
def test_age_is_read_from_age_or_birth_date(age: str, born: str, expected: bool | None) -> None:
    """Eighteen on the day of the study is of age; where age and birth date disagree, the younger counts."""
    dataset = Dataset()
    dataset.PatientAge, dataset.PatientBirthDate, dataset.StudyDate = age, born, "20250310"
    assert is_minor(dataset) is expected
