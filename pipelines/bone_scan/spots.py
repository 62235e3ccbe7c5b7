"""One hot spot: its outline on the image as it is stored, and what is measured under it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from bmnode.domain.codes import Code, Concept, Derivation, Unit, UptakeKind, project_code
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.outlines import outline
from bmnode.domain.results import Measurement
from operators.kernels.planar_network import METHOD as NETWORK
from operators.kernels.planar_pairing import CONJUGATE, geometric_mean
from operators.kernels.scintigraphy import HotSpot
from operators.kernels.scintigraphy_body import Uptake
from pipelines.bone_scan.views import DetectedView

NORMALISATION = "NORM_TRIM2 on SKELETON_CONTRAST_V1"
OUTLINE = "HOTSPOT_OUTLINE_V1"

NETWORK_OUTPUT = project_code("NETWORK-OUTPUT", "Output of the model for metastasis, not a probability")

KINDS: Mapping[Uptake, Code] = MappingProxyType(
    {
        Uptake.CANDIDATE: UptakeKind.CANDIDATE,
        Uptake.BLADDER: UptakeKind.BLADDER,
        Uptake.KIDNEY: UptakeKind.KIDNEY,
        Uptake.INJECTION_SITE: UptakeKind.INJECTION_SITE,
        Uptake.OUTSIDE_BODY: UptakeKind.OUTSIDE_BODY,
        Uptake.OUTSIDE_SKELETON: UptakeKind.OUTSIDE_SKELETON,
    }
)
SECOND: Mapping[Code, Code] = MappingProxyType(
    {
        Concept.UPTAKE_RATIO: project_code("UPTAKE-RATIO-2", "Uptake relative to normal skeleton, second outline"),
        Concept.AREA: project_code("AREA-2", "Area, second outline"),
        Concept.PROJECTION_ACTIVITY: project_code("ACTIVITY-2", "Projection activity, second outline"),
        NETWORK_OUTPUT: project_code("NETWORK-OUTPUT-2", "Output of the model for metastasis, second outline"),
    }
)
"""What is measured under the second outline of a lesion that both views show."""
BOTH_VIEWS = project_code("UPTAKE-RATIO-GM", "Uptake relative to normal skeleton, geometric mean of both views")


def outlined(view: DetectedView, spot: int) -> ImagePolygon:
    """The exact outline of a hot spot on its frame as it is stored."""
    stored = view.prepared.view
    shape = stored.counts.shape
    found = _turned_back(view.spots[spot], shape) if stored.is_head_down else view.spots[spot]
    return ImagePolygon(
        sop_instance_uid=stored.sop_instance_uid,
        frame_number=stored.frame_number,
        points=outline(found.mask, origin=found.origin),
    )


def of_spot(view: DetectedView, spot: int, *, second: bool) -> tuple[Measurement, ...]:
    """Ratios are to the view's normal level; all from the counts as stored, under the polygon."""
    found, stored = view.spots[spot], view.prepared.view
    values = found.values(stored.head_up)
    level, spacing = view.prepared.level.counts_per_pixel, stored.spacing_mm
    area = (
        (float(found.pixel_count), Unit.PIXELS)
        if spacing is None
        else (found.pixel_count * spacing[0] * spacing[1] / 100.0, Unit.CM2)
    )

    def measured(concept: Code, value: float, unit: Code, *, method: str, derivation: Code | None) -> Measurement:
        name = SECOND[concept] if second else concept
        return Measurement(concept=name, value=value, unit=unit, method=method, derivation=derivation)

    output = view.output_of(spot)
    evidence = () if output is None else (_evidence(output, second=second),)
    ratio, activity = Concept.UPTAKE_RATIO, Concept.PROJECTION_ACTIVITY
    return (
        measured(ratio, float(values.max()) / level, Unit.RATIO, method=NORMALISATION, derivation=Derivation.MAXIMUM),
        measured(ratio, float(values.mean()) / level, Unit.RATIO, method=NORMALISATION, derivation=Derivation.MEAN),
        measured(Concept.AREA, *area, method=OUTLINE, derivation=None),
        measured(activity, float(values.sum()), Unit.COUNTS, method=OUTLINE, derivation=Derivation.TOTAL),
        *evidence,
    )


def _evidence(output: float, *, second: bool) -> Measurement:
    """The model's highest output under the outline, 0 to 1. It is not calibrated, and named so."""
    return Measurement(
        concept=SECOND[NETWORK_OUTPUT] if second else NETWORK_OUTPUT,
        value=output,
        unit=Unit.NO_UNITS,
        method=NETWORK,
        derivation=Derivation.MAXIMUM,
    )


def of_both(anterior: tuple[DetectedView, int], posterior: tuple[DetectedView, int]) -> Measurement:
    """The geometric mean of a paired lesion's two mean ratios: each of its own outline to its own normal level."""
    shown = [
        float(view.spots[spot].values(view.prepared.view.head_up).mean()) / view.prepared.level.counts_per_pixel
        for view, spot in (anterior, posterior)
    ]
    return Measurement(
        concept=BOTH_VIEWS,
        value=geometric_mean(*shown),
        unit=Unit.RATIO,
        method=f"{CONJUGATE} of {NORMALISATION}",
        derivation=Derivation.MEAN,
    )


def _turned_back(spot: HotSpot, shape: tuple[int, ...]) -> HotSpot:
    """A hot spot of the head-up view on the image as it is stored: the half turn undone."""
    row, column = spot.origin
    rows, columns = spot.mask.shape
    origin = (shape[0] - row - rows, shape[1] - column - columns)
    return HotSpot(origin=origin, mask=np.ascontiguousarray(spot.mask[::-1, ::-1]))
