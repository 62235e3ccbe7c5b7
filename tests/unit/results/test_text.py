"""Texts that every receiver can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.results.text import plain


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("5 µm ≥ 3σ", "5 um >= 3sigma"),
        ("M\u00fcller, Jo\u0308rg", "Muller, Jorg"),
        ("骨転移 が", "骨転移 が"),
        ("か\u3099", "が"),
        ("a\\b", "a/b"),
        ("\ud800", "?"),
    ],
)
def test_only_letters_without_an_ascii_form_stay(written: str, held: str) -> None:
    """Signs and accents become ASCII; what would lose its meaning, such as the voicing of a kana, stays as it is."""
    assert plain(written) == held


@given(st.text(), st.integers(0, 64))
def test_a_cut_text_is_a_beginning_and_fits(text: str, limit: int) -> None:
    """Whatever the letters, a cut text has no more bytes than the limit, no half letter, and is not changed again."""
    cut = plain(text, limit=limit)
    assert len(cut.encode()) <= limit
    assert plain(text).startswith(cut)
    assert plain(cut, limit=limit) == cut
