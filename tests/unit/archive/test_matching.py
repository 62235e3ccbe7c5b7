"""C-FIND matching, rule by rule (PS3.4 C.2.2.2)."""

from __future__ import annotations

import pytest
from pydicom.multival import MultiValue

from bmnode.testing.archive.matching import matches


@pytest.mark.parametrize("key", [None, "", [], "*"])
def test_an_empty_key_matches_everything(key: object) -> None:
    """Universal matching takes absent values too."""
    assert matches(key, vr="LO", value=None)
    assert matches(key, vr="DA", value="20260115")


def test_a_key_with_a_value_does_not_match_an_absent_one() -> None:
    """Who asks for a value is not given those without."""
    assert not matches("A*", vr="LO", value="")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("ABC", "ABC", True),
        ("AB", "ABC", False),
        ("A?C", "ABC", True),
        ("A?C", "ABBC", False),
        ("A*C", "ABBC", True),
        ("[A]*", "A1", False),
        ("[A]*", "[A]1", True),
        ("a*", "ABC", False),
        ("ABC ", "ABC", True),
    ],
)
def test_text_matches_by_wildcard_and_case(key: str, value: str, found: bool) -> None:
    """`*` and `?` are the only wildcards, brackets are letters, and case counts outside names."""
    assert matches(key, vr="LO", value=value) is found


@pytest.mark.parametrize("key", ["MÜLLER*", "müller^anna", "Müller^Anna^^^"])
def test_names_match_without_case_and_trailing_carets(key: str) -> None:
    """PS3.4 C.2.2.2.1 leaves case open for names."""
    assert matches(key, vr="PN", value="Müller^Anna")


@pytest.mark.parametrize(
    ("key", "vr", "value", "found"),
    [
        ("20260101-20260131", "DA", "20260131", True),
        ("20260101-20260131", "DA", "20260201", False),
        ("1000-1030", "TM", "103015", True),
        ("1000-1030", "TM", "103100", False),
        ("-20260131", "DA", "20260131", True),
        ("20260201-", "DA", "20260131", False),
    ],
)
def test_ranges_include_their_ends(key: str, vr: str, value: str, found: bool) -> None:
    """A shorter end, such as an hour and minute, stands for the whole of it (C.2.2.2.5)."""
    assert matches(key, vr=vr, value=value) is found


def test_one_of_several_is_enough() -> None:
    """Lists match where any value of the key meets any value of the instance."""
    assert matches(["1.2", "1.3"], vr="UI", value="1.3")
    assert matches("NM", vr="CS", value=MultiValue(str, ["CT", "NM"]))
    assert not matches(["1.2", "1.3"], vr="UI", value="1.30")


def test_numbers_match_by_value() -> None:
    """An IS of 007 is 7."""
    assert matches("7", vr="IS", value="007")
