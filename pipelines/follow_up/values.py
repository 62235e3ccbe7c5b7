"""What a result says in one number, and what headers say of a scan."""

from __future__ import annotations

from collections.abc import Iterable

from bmnode.domain.codes import Code
from bmnode.domain.results import Measurement
from bmnode.domain.study import SeriesRole
from operators.graph.contract import NotAssessableError, StudyInput
from operators.readers.frames import read_header
from operators.readers.pet import read_suv

_SCANNER = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
_RECONSTRUCTION = ("ReconstructionMethod", "ConvolutionKernel", "PixelSpacing", "SliceThickness")


def measured(measurements: Iterable[Measurement], concept: Code, derivation: Code | None = None) -> float | None:
    """The value of the one measurement of this concept and derivation; None where there is none, or more than one."""
    found = [item.value for item in measurements if (item.concept, item.derivation) == (concept, derivation)]
    return found[0] if len(found) == 1 else None


def tracer_of(study: StudyInput) -> str | None:
    """The tracer of the emission series that the branch used; None where there is none, or it is not stated."""
    emission = study.role(SeriesRole.EMISSION) or study.role(SeriesRole.PLANAR)
    return next((series.tracer for series in study.headers.series if series.series_uid in emission[:1]), None)


def uptake_minutes(study: StudyInput) -> float | None:
    """From injection to scan; None where a PET series does not tell."""
    for series_uid in study.role(SeriesRole.EMISSION)[:1]:
        try:
            seconds = read_suv(study.files.get(series_uid, ())).scale.uptake_time_s
        except NotAssessableError:
            return None
        return None if seconds is None else seconds / 60.0
    return None


def is_same_scanner(one: StudyInput, other: StudyInput) -> bool | None:
    """Whether both emission series come from one scanner and reconstruction; None where a header does not say."""
    first, second = (_acquisition(study) for study in (one, other))
    if first is None or second is None:
        return None
    return first == second


def _acquisition(study: StudyInput) -> tuple[str, ...] | None:
    used = study.role(SeriesRole.EMISSION)[:1]
    for path in [path for series_uid in used for path in study.files.get(series_uid, ())[:1]]:
        header = read_header(path)
        if not all(header.get(keyword) for keyword in _SCANNER):
            return None
        return tuple(str(header.get(keyword)) for keyword in (*_SCANNER, *_RECONSTRUCTION))
    return None
