"""What every NM image says of tracer, energy windows and detectors (PS3.3 C.8.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code, View
from operators.simulation.dicom.elements import code_item, decimal, item
from operators.simulation.dicom.positions import nuclear_position
from operators.simulation.dicom.radiopharmacy import nuclear_dose
from operators.simulation.physics.camera_table import LOWER_WINDOW
from operators.simulation.tracer import Tracer

VIEWS: tuple[tuple[str, Code], ...] = (("ANT", View.ANTERIOR), ("POST", View.POSTERIOR))
"""In the order of a planar scan's first axis."""
PHOTOPEAK, SCATTER = "PHOTOPEAK", "SCATTER"


def windows(tracer: Tracer, *, percent: float, scatter: bool = False) -> list[Dataset]:
    """Energy Window Information Sequence: the photopeak window of this full width, and a lower one on request."""
    peak = tracer.nuclide.photon_kev
    found = [_window(PHOTOPEAK, peak * (1.0 - percent / 200.0), peak * (1.0 + percent / 200.0))]
    return [*found, _window(SCATTER, *(peak * part for part in LOWER_WINDOW))] if scatter else found


def nuclear_attributes(
    tracer: Tracer, *, dose_mbq: float, uptake_minutes: float, start: datetime, feet_first: bool
) -> dict[str, Any]:
    """Isotope and orientation modules of one acquisition that starts `uptake_minutes` after the injection."""
    injected_at = start - timedelta(minutes=uptake_minutes)
    return {
        **nuclear_position(feet_first=feet_first),
        "AcquisitionTerminationCondition": "TIME",
        "RadiopharmaceuticalInformationSequence": [nuclear_dose(tracer, dose_mbq=dose_mbq, injected_at=injected_at)],
    }


def detector(
    *, view: Code | None = None, orientation: Sequence[str] | None = None, position: Sequence[str] | None = None
) -> Dataset:
    """Item of Detector Information Sequence; planar detectors carry empty position and orientation."""
    found = item(
        {
            "CollimatorType": "PARA",
            "CollimatorGridName": "LEHR",
            "FieldOfViewShape": "RECTANGLE",
            "FieldOfViewDimensions": [540, 400],
            "FocalDistance": "0",
            "ZoomFactor": ["1", "1"],
            "ImageOrientationPatient": None if orientation is None else list(orientation),
            "ImagePositionPatient": None if position is None else list(position),
        }
    )
    if view is not None:
        found.ViewCodeSequence = [code_item(view)]
    return found


def _window(name: str, lower_kev: float, upper_kev: float) -> Dataset:
    limits = item({"EnergyWindowLowerLimit": decimal(lower_kev), "EnergyWindowUpperLimit": decimal(upper_kev)})
    return item({"EnergyWindowName": name, "EnergyWindowRangeSequence": [limits]})
