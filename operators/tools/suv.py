"""A PET series as an SUV volume in a NIfTI file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.tools import SuvReport, SuvType
from bmnode.errors import NotFoundError, RefusedError
from bmnode.selection.headers import read_study
from operators.graph.contract import NotAssessableError
from operators.kernels.suv import METHOD, SuvNotComputableError, suv_factor_of_type
from operators.readers.pet import read_suv

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_UNIT = {SuvType.BSA: "cm2/ml"}
_DICOM_TYPE = {SuvType.LBM: "LBM", SuvType.LBM_JANMA: "LBMJANMA", SuvType.IBW: "IBW", SuvType.BSA: "BSA"}


def write_suv(files: Sequence[Path], *, out: Path, suv_type: SuvType) -> SuvReport:
    """Write the SUV volume of the one PET series among the files.

    Raises:
        NotFoundError: there is no PET series, or more than one.
        RefusedError: the series gives no SUV of this type.
    """
    series = _one_pet_series(files)
    try:
        suv = read_suv(series)
        factor = 1.0
        if suv_type is not SuvType.BW:
            factor = suv_factor_of_type(suv.series, suv_type=_DICOM_TYPE[suv_type])
    except NotAssessableError as error:
        raise RefusedError(str(error)) from error
    except SuvNotComputableError as error:
        raise RefusedError(f"SUV{suv_type} is not computable: {error}") from error
    values = suv.volume.array * np.float32(factor)
    write_nifti(values, geometry=suv.volume.geometry, path=out)
    uptake_s = suv.scale.uptake_time_s
    return SuvReport(
        path=out,
        suv_type=suv_type,
        unit=_UNIT.get(suv_type, "g/ml"),
        shape=suv.volume.geometry.shape,
        spacing_mm=suv.volume.geometry.spacing_mm,
        minimum=float(values.min()),
        median=float(np.median(values)),
        maximum=float(values.max()),
        uptake_minutes=None if uptake_s is None else uptake_s / 60.0,
        method=METHOD,
        notes=suv.scale.notes,
    )


def _one_pet_series(files: Sequence[Path]) -> tuple[Path, ...]:
    reading = read_study(files)
    found = [header.series_uid for header in reading.headers.series if header.modality == "PT"]
    if len(found) != 1:
        what = "no PET series" if not found else f"{len(found)} PET series: give the folder of one"
        raise NotFoundError(f"among {len(files)} files there is {what}")
    return reading.files[found[0]]


def write_nifti(values: npt.NDArray[np.float32], *, geometry: VolumeGeometry, path: Path) -> None:
    """Write a volume (slice, row, column) with its place; NIfTI's first axis is the column, its frame is RAS."""
    to_lps = geometry.matrix[:, [2, 1, 0, 3]]
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.ascontiguousarray(values.transpose(2, 1, 0)), _LPS_TO_RAS @ to_lps)  # type: ignore[no-untyped-call]  # nibabel's own
    image.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]  # nibabel's own
    nibabel.save(image, path)
