"""The keys of `[[study]]`: every field of the protocol dataclasses, with its range, its words and its default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from operators.simulation.anatomy.bones import Bone
from operators.simulation.cohort.protocol_meanings import MEANINGS
from operators.simulation.cohort.values import Key, Kind, Value
from operators.simulation.protocols.ct import CT_RANGES, CtProtocol
from operators.simulation.protocols.habits import HABIT_RANGES, Habits
from operators.simulation.protocols.limits import Ranges
from operators.simulation.protocols.mri import MR_RANGES, MrProtocol
from operators.simulation.protocols.pet import PET_RANGES, PetProtocol
from operators.simulation.protocols.planar import PLANAR_RANGES, PlanarProtocol
from operators.simulation.protocols.spect import SPECT_RANGES, SpectProtocol
from operators.simulation.study import AnyProtocol
from operators.simulation.tracer import Tracer


class Modality(StrEnum):
    """What `modality` of a study may be."""

    PLANAR = "planar"
    SPECT = "spect"
    CT = "ct"
    PET = "pet"
    MRI = "mri"


PROTOCOLS: Mapping[Modality, type[AnyProtocol]] = {
    Modality.PLANAR: PlanarProtocol,
    Modality.SPECT: SpectProtocol,
    Modality.CT: CtProtocol,
    Modality.PET: PetProtocol,
    Modality.MRI: MrProtocol,
}
_RANGES: Mapping[type, Ranges] = {
    PlanarProtocol: PLANAR_RANGES,
    SpectProtocol: {**SPECT_RANGES, "views": (16, 360)},
    CtProtocol: CT_RANGES,
    PetProtocol: PET_RANGES,
    MrProtocol: {**MR_RANGES, "b_values": (0, 2000)},
    Habits: HABIT_RANGES,
}
_BONE_TRACERS = (Tracer.MDP.value, Tracer.HDP.value)
_WORDS: Mapping[tuple[type, str], tuple[str, ...]] = {
    (PlanarProtocol, "tracer"): _BONE_TRACERS,
    (SpectProtocol, "tracer"): _BONE_TRACERS,
    (PetProtocol, "tracer"): tuple(tracer.value for tracer in Tracer if tracer.value not in _BONE_TRACERS),
    (PetProtocol, "decay_corrected_to"): ("start", "admin"),
}
"""Words of a field whose type alone allows more."""

LOW_DOSE_CT = CtProtocol(effective_mas=20.0, slice_mm=4.0, increment_mm=4.0, pixel_mm=1.3672, field_mm=700.0)
"""The CT of a SPECT/CT; chosen like a PET's attenuation CT at half its dose [P]."""


def keys_of(owner: type) -> tuple[Key, ...]:
    """The keys that fill a protocol (or `Habits`), in its order; its CT is a table of its own."""
    hints = get_type_hints(owner)
    return tuple(
        _key(owner, field, hints[field.name]) for field in dataclasses.fields(owner) if not _is_ct(hints[field.name])
    )


def has_ct(owner: type) -> bool:
    """Whether the protocol takes a table `[study.ct]`."""
    return any(_is_ct(hint) for hint in get_type_hints(owner).values())


def made(owner: type, values: Mapping[str, Value], **given: object) -> Any:
    """A protocol (or `Habits`) with these fields; the others keep their defaults. Raises ValueError as it does.

    Args:
        owner: the dataclass.
        values: as drawn from a cohort file.
        given: fields that are no keys.
    """
    hints = get_type_hints(owner)
    return owner(**{name: _as(hints[name], value) for name, value in values.items()}, **given)


def _key(owner: type, field: dataclasses.Field[Any], hint: Any) -> Key:
    low, high = _RANGES[owner].get(field.name, (None, None))
    kind, words = _kind(hint)
    words = _WORDS.get((owner, field.name), words)
    if kind is Kind.TEXT and words:
        kind = Kind.WORD
    return Key(
        name=field.name,
        kind=kind,
        meaning=MEANINGS[owner.__name__].get(field.name, ""),
        low=low,
        high=high,
        words=words,
        default=_text(field.default),
    )


def _kind(hint: Any) -> tuple[Kind, tuple[str, ...]]:
    if get_origin(hint) is tuple:
        kind, words = _kind(get_args(hint)[0])
        return (Kind.WHOLES if kind is Kind.WHOLE else Kind.WORDS), words
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Kind.WORD, tuple(_text(item) for item in hint)
    return {bool: Kind.FLAG, int: Kind.WHOLE, float: Kind.NUMBER}.get(hint, Kind.TEXT), ()


def _as(hint: Any, value: Value) -> object:
    """A value of a file as the type of a field."""
    if isinstance(value, tuple):
        return tuple(_as(get_args(hint)[0], item) for item in value)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return hint[str(value).upper()]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value


def _is_ct(hint: Any) -> bool:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return CtProtocol in options


def _text(default: object) -> str:
    """A default as a file writes it."""
    if isinstance(default, Bone):
        return default.name.lower()
    if isinstance(default, tuple):
        return f"[{', '.join(_text(item) for item in default)}]"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(getattr(default, "value", default))
