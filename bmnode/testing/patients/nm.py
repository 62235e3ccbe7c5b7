"""What every NM instance says of tracer, window and detector (PS3.3 C.8.4)."""

from __future__ import annotations

from datetime import timedelta

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from bmnode.testing.patients.dicom import INTRAVENOUS, SeriesHead, code_item, set_recumbent_supine_head_first
from bmnode.testing.patients.tracers import Tracer


def nm_dataset(head: SeriesHead, *, tracer: Tracer, image_type: list[str]) -> Dataset:
    """Attributes of an NM image but for its frames and detectors."""
    ds = head.dataset()
    ds.ImageType = image_type
    ds.InstanceNumber = 1
    ds.AcquisitionTerminationCondition = "TIME"
    ds.PatientOrientation = ""
    set_recumbent_supine_head_first(ds)
    ds.EnergyWindowInformationSequence = [_energy_window(tracer)]
    ds.NumberOfEnergyWindows = 1
    ds.RadiopharmaceuticalInformationSequence = [_radiopharmaceutical(tracer, head=head)]
    return ds


def detector(*, view: Code | None = None, position: list[str] | None = None) -> Dataset:
    """One item of Detector Information Sequence; planar detectors carry empty position and orientation."""
    item = Dataset()
    item.CollimatorType = "PARA"
    item.CollimatorGridName = "LEHR"
    item.FieldOfViewShape = "RECTANGLE"
    item.FocalDistance = "0"
    item.ZoomFactor = ["1", "1"]
    item.ImagePositionPatient = position
    item.ImageOrientationPatient = None if position is None else ["1", "0", "0", "0", "1", "0"]
    if view is not None:
        item.ViewCodeSequence = [code_item(view)]
    return item


def _energy_window(tracer: Tracer) -> Dataset:
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = (f"{kev:.1f}" for kev in tracer.photopeak_kev)
    window = Dataset()
    window.EnergyWindowName = "PHOTOPEAK"
    window.EnergyWindowRangeSequence = [limits]
    return window


def _radiopharmaceutical(tracer: Tracer, *, head: SeriesHead) -> Dataset:
    injected = head.start - timedelta(minutes=tracer.uptake_minutes)
    item = Dataset()
    item.Radiopharmaceutical = tracer.name
    item.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S.%f")
    # In megabecquerel here (C.8.4.10), in becquerel in a PET image (C.8.9.2).
    item.RadionuclideTotalDose = f"{tracer.dose_mbq:g}"
    item.RadionuclideCodeSequence = [code_item(tracer.radionuclide)]
    item.RadiopharmaceuticalCodeSequence = [code_item(tracer.radiopharmaceutical)]
    item.AdministrationRouteCodeSequence = [code_item(INTRAVENOUS)]
    return item
