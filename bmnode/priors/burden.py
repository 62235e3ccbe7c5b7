"""An earlier study by its numbers, as the ledger has them, and how `priors.json` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from bmnode.domain.codes import Code
from bmnode.domain.ids import is_safe_uid
from bmnode.domain.results import BurdenPoint, Measurement


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierBurden:
    """What was measured on the whole of an earlier study. Its images need not be at hand."""

    study_uid: str
    point: BurdenPoint

    def __post_init__(self) -> None:
        if not is_safe_uid(self.study_uid):
            raise ValueError("an earlier study has a Study Instance UID")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "study_uid": self.study_uid,
            "studied_on": self.point.studied_on.isoformat(),
            "synthetic": self.point.synthetic,
            "measurements": [_measurement_to_json(item) for item in self.point.measurements],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> EarlierBurden:
        """Of JSON values. Raises KeyError, TypeError, ValueError."""
        point = BurdenPoint(
            studied_on=date.fromisoformat(body["studied_on"]),
            measurements=tuple(_measurement_from_json(item) for item in body["measurements"]),
            synthetic=bool(body["synthetic"]),
        )
        return cls(study_uid=body["study_uid"], point=point)


def _measurement_to_json(item: Measurement) -> dict[str, Any]:
    return {
        "concept": _code_to_json(item.concept),
        "derivation": None if item.derivation is None else _code_to_json(item.derivation),
        "value": item.value,
        "unit": _code_to_json(item.unit),
        "method": item.method,
    }


def _measurement_from_json(body: Mapping[str, Any]) -> Measurement:
    return Measurement(
        concept=Code(*body["concept"]),
        derivation=None if body["derivation"] is None else Code(*body["derivation"]),
        value=float(body["value"]),
        unit=Code(*body["unit"]),
        method=body["method"],
    )


def _code_to_json(code: Code) -> list[str]:
    return [code.value, code.scheme, code.meaning]
