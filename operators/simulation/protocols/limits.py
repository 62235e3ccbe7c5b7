"""Allowed ranges: checked where a protocol is made, named where a cohort file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Ranges = Mapping[str, tuple[float, float]]


def check_ranges(owner: Any, ranges: Ranges) -> None:
    """Raise ValueError naming the key, its value and what is allowed, where a field leaves its range."""
    for name, (low, high) in ranges.items():
        value = getattr(owner, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, allowed is {low:g} to {high:g}")
