"""Whole-body scintigraphy: NM Image Storage, both views in one object or one each (PS3.3 A.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from operators.simulation.dicom.elements import decimal, decimals, fill, set_pixels
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.nuclear import VIEWS, detector, nuclear_attributes, windows
from operators.simulation.dicom.series import Series, WrittenSeries
from operators.simulation.dicom.slices import resend
from operators.simulation.images import FloatArray, PlanarScan
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.planar import PlanarProtocol

_HIGHEST_STORED = 65535
_BRIGHT_PERCENTILE = 99.5
"""Of the counts above zero: as readers window a bone scan, joints and hot spots saturated. Chosen."""
_TABLE_HEIGHT_MM = 655.0
_MM_S_PER_CM_MIN = 10.0 / 60.0
_SIDES = (("L", "R"), ("R", "L"))
"""Towards which side the columns of ANT and POST run, head up; and head down."""
PLANAR_PLAN = SeriesPlan(number=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameLayout:
    """How the frames of a scan lie in DICOM: which view comes first, and whether images are turned by half.

    A patient who goes in feet first lies the other way round under the camera.
    """

    views: tuple[int, int]
    turned: bool

    @classmethod
    def of(cls, habits: Habits) -> FrameLayout:
        """The layout that a site's habits lead to."""
        return cls(views=(1, 0) if habits.posterior_first else (0, 1), turned=habits.feet_first)

    def image(self, frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A frame (..., row, column) of the scan, head up, as it is stored."""
        return frame[..., ::-1, ::-1] if self.turned else frame

    def stored_pixels(self, to_pixel: npt.NDArray[np.float64], *, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """The way (2, 4) from LPS to (row, column) of a scan's view, as the way to those of the stored image."""
        if not self.turned:
            return to_pixel
        turned = -to_pixel
        turned[:, 3] += np.array(shape, dtype=np.float64) - 1.0
        return turned


def write_planar(
    folder: Path,
    *,
    header: StudyHeader,
    scan: PlanarScan,
    protocol: PlanarProtocol,
    habits: Habits,
    plan: SeriesPlan = PLANAR_PLAN,
) -> WrittenSeries:
    """Write the views of one sweep, counts as stored values; with two windows the photopeak's frames come first.

    Raises ValueError where a pixel has more counts than sixteen bits hold.
    """
    series = Series(
        folder=folder,
        header=header,
        plan=plan,
        habits=habits,
        modality="NM",
        sop_class_uid=NuclearMedicineImageStorage,
        description="WHOLE BODY BONE",
        body_part="WHOLEBODY",
    )
    layout = FrameLayout.of(habits)
    groups = [(view,) for view in layout.views] if habits.single_views else [layout.views]
    files = [
        _write(series, scan, protocol=protocol, views=views, number=number) for number, views in enumerate(groups, 1)
    ]
    return WrittenSeries(
        series_uid=series.uid,
        number=plan.number,
        modality="NM",
        description=series.description,
        files=(*files, *resend(files, habits=habits)),
    )


def _write(series: Series, scan: PlanarScan, *, protocol: PlanarProtocol, views: Sequence[int], number: int) -> Path:
    layout, habits = FrameLayout.of(series.habits), series.habits
    counts = _stored(layout.image(_frames(scan, views)))
    dataset = series.dataset()
    fill(
        dataset,
        nuclear_attributes(
            protocol.tracer,
            dose_mbq=protocol.dose_mbq,
            uptake_minutes=protocol.uptake_minutes,
            start=series.start,
            feet_first=habits.feet_first,
        ),
    )
    fill(dataset, {"ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"], "CorrectedImage": ["UNIF", "NRGY"]})
    fill(dataset, _sweep(counts, scan=scan, protocol=protocol))
    _set_vectors(dataset, views=views, protocol=protocol, coded=not habits.missing_view_codes)
    fill(dataset, _named(views, turned=layout.turned))
    fill(dataset, _window(counts))
    set_pixels(dataset, counts)
    return series.save(dataset, number=number)


def _frames(scan: PlanarScan, views: Sequence[int]) -> FloatArray:
    """(frame, row, column): the views of the photopeak, then those of the scatter window."""
    planes = [scan.photopeak] if scan.scatter is None else [scan.photopeak, scan.scatter]
    return np.stack([plane[view] for plane in planes for view in views])


def _stored(counts: FloatArray) -> npt.NDArray[np.uint16]:
    if float(counts.max()) > _HIGHEST_STORED:
        raise ValueError(f"a pixel has {counts.max():.0f} counts, sixteen bits hold {_HIGHEST_STORED}")
    return np.rint(counts).astype(np.uint16)


def _sweep(counts: npt.NDArray[np.uint16], *, scan: PlanarScan, protocol: PlanarProtocol) -> dict[str, Any]:
    """NM Whole Body attributes: velocity in mm/s, length in mm (PS3.3 C.8.4.9)."""
    velocity = protocol.scan_speed_cm_min * _MM_S_PER_CM_MIN
    length = counts.shape[-2] * scan.pixel_mm
    seconds = length / velocity
    return {
        "WholeBodyTechnique": "1PS",
        "ScanVelocity": decimal(velocity),
        "ScanLength": round(length),
        "ActualFrameDuration": round(1000.0 * seconds),
        "CountsAccumulated": int(counts.sum()),
        "CountRate": round(float(counts[0].sum()) / seconds),
        "TableHeight": decimal(_TABLE_HEIGHT_MM),
        "TableTraverse": decimal(length),
        "PixelSpacing": decimals([scan.pixel_mm, scan.pixel_mm]),
    }


def _set_vectors(dataset: Dataset, *, views: Sequence[int], protocol: PlanarProtocol, coded: bool) -> None:
    """Multi-frame module: each frame names its window and its detector (PS3.3 C.8.4.8)."""
    information = windows(protocol.tracer, percent=protocol.energy_window_percent, scatter=protocol.scatter_window)
    pairs = [(window, place) for window in range(1, len(information) + 1) for place in range(1, len(views) + 1)]
    fill(
        dataset,
        {
            "FrameIncrementPointer": [Tag("EnergyWindowVector"), Tag("DetectorVector")],
            "EnergyWindowVector": [window for window, _ in pairs],
            "DetectorVector": [place for _, place in pairs],
            "NumberOfEnergyWindows": len(information),
            "EnergyWindowInformationSequence": information,
            "NumberOfDetectors": len(views),
            "DetectorInformationSequence": [detector(view=VIEWS[view][1] if coded else None) for view in views],
        },
    )


def _named(views: Sequence[int], *, turned: bool) -> dict[str, Any]:
    """What names one view can be said of an object that holds one view alone."""
    if len(views) > 1:
        return {"PatientOrientation": "", "ImageID": "WHOLE BODY"}
    side = _SIDES[turned][views[0]]
    return {"PatientOrientation": [side, "H" if turned else "F"], "ImageID": f"{VIEWS[views[0]][0]}_E"}


def _window(counts: npt.NDArray[np.uint16]) -> dict[str, Any]:
    seen = counts[counts > 0]
    top = float(np.percentile(seen, _BRIGHT_PERCENTILE)) if seen.size else 1.0
    return {"WindowCenter": decimals([top / 2.0]), "WindowWidth": decimals([max(top, 1.0)])}
