"""Randomness by name: what one key draws does not depend on which other keys there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bmnode.domain.ids import digest
from operators.simulation.cohort.values import Draw, Value


def seed_of(*parts: str | int) -> int:
    """A seed, 0 to 2**31 - 1, that depends on the parts alone."""
    return int(digest(str(part) for part in parts)[:8], 16) & 0x7FFFFFFF


def random_of(*parts: str | int) -> np.random.Generator:
    """A generator that depends on the parts alone."""
    return np.random.default_rng(int(digest(str(part) for part in parts)[:32], 16))


def drawn(draws: Mapping[str, Draw], *parts: str | int) -> dict[str, Value]:
    """A value for every key, each with a generator of its own name below `parts`."""
    return {name: draw.draw(random_of(*parts, name)) for name, draw in draws.items()}


def drawn_or(draws: Mapping[str, Draw], name: str, default: Value, *parts: str | int) -> Value:
    """The value of one key, or the default where the file does not name it."""
    return draws[name].draw(random_of(*parts, name)) if name in draws else default
