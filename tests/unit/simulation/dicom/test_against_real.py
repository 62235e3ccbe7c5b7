"""Simulated headers have what real scanners' headers have: compared with shared real images, attribute by attribute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support.real_data import real_bone_scan, shared_data_directory, unpack
from tests.unit.simulation.dicom.conftest import Written
from tests.unit.simulation.dicom.small import Kind

pytestmark = pytest.mark.real_data

DEIDENTIFICATION = frozenset(
    {
        "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
        "LongitudinalTemporalInformationModified", "ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription",
        "LongitudinalTemporalOffsetFromEvent", "LongitudinalTemporalEventType", "AdditionalPatientHistory",
        "MedicalAlerts", "SmokingStatus", "LastMenstrualDate", "PregnancyStatus", "IssuerOfPatientID",
        "OtherPatientIDs", "OtherPatientNames", "EthnicGroup", "PatientComments", "InstanceCreatorUID",
        "InstitutionAddress", "PhysiciansOfRecord", "PerformingPhysicianName", "NameOfPhysiciansReadingStudy",
        "RequestingPhysician", "PatientState", "SpecialNeeds", "StudyComments",
    }
)  # fmt: skip
"""Of people and of taking them out: a simulated header has neither."""
WORKFLOW = frozenset(
    {
        "ReferencedStudySequence", "ReferencedPerformedProcedureStepSequence", "ReferencedImageSequence",
        "SourceImageSequence", "ProcedureCodeSequence", "RequestedProcedureDescription",
        "RequestedProcedureCodeSequence", "PerformedProtocolCodeSequence", "RequestAttributesSequence",
        "ScheduledStudyStartDate", "ScheduledStudyStartTime",
        "SmallestImagePixelValue", "LargestImagePixelValue", "AcquisitionDateTime", "DerivationDescription",
        "DateOfLastCalibration", "TimeOfLastCalibration",
    }
)  # fmt: skip
"""Links to orders and other objects, and statistics that viewers compute."""
OF_THAT_SCANNER: dict[Kind, frozenset[str]] = {
    Kind.PET: frozenset(
        {
            "AcquisitionStartConditionData", "AcquisitionTerminationConditionData", "ContrastBolusRoute",
            "IntervalsAcquired", "IntervalsRejected", "NumberOfTimeSlices",
            "AxialMash", "TransverseMash", "PrimaryPromptsCountsAccumulated", "SliceSensitivityFactor",
            "PatientPosition",
        }
    ),
    Kind.CT: frozenset(
        {
            "EstimatedDoseSaving",
        }
    ),
    Kind.MRI: frozenset(
        {
            "BeatRejectionFlag", "AcquisitionDuration", "ParallelAcquisition", "ParallelAcquisitionTechnique",
            "DiffusionGradientOrientation", "NumberOfTemporalPositions", "StackID", "InStackPositionNumber",
            "TemporalPositionIndex", "DiffusionBValue",
        }
    ),
    Kind.PLANAR: frozenset(
        {
            "ConversionType", "FrameOfReferenceUID",
            "PositionReferenceIndicator", "PatientPosition",
        }
    ),
}  # fmt: skip
"""What this scanner adds, or what belongs to another object class or is forbidden in ours."""


def real_headers(tmp_path: Path) -> Iterator[tuple[Kind, Path]]:
    """One image of each modality that the shared folder has."""
    shared = shared_data_directory()
    archives = {
        Kind.PET: shared / "sts001_raw_dicom" / "STS_001_FDG_PET.tar.xz",
        Kind.MRI: shared / "cmbcrc_mr_longitudinal" / "SCAN_001_ADC_dicom.tar.xz",
    }
    for kind, archive in archives.items():
        if archive.is_file():
            yield kind, next(path for path in unpack(archive, tmp_path / kind) if path.suffix == ".dcm")
    slices = sorted((shared / "totalsegmentator_examples" / "example_ct_dicom").glob("*"))
    if slices:
        yield Kind.CT, slices[0]


def keywords(dataset: Dataset) -> set[str]:
    """The standard attributes at the top level, sequences by name alone."""
    return {element.keyword for element in dataset if element.keyword and not element.tag.is_private}


def test_nothing_usual_is_missing(tmp_path: Path, written: Written) -> None:
    """Every attribute of a real PET, CT and ADC map is in ours, but for what tables above explain."""
    compared = 0
    for kind, path in real_headers(tmp_path):
        real = keywords(dcmread(path, stop_before_pixels=True, force=True)) - {"PixelData"}
        series = written(kind, "plain")[-1]
        ours = keywords(dcmread(series.files[0], stop_before_pixels=True))
        assert real - ours - DEIDENTIFICATION - WORKFLOW - OF_THAT_SCANNER[kind] == set()
        compared += 1
    if not compared:
        pytest.skip(f"no real images in {shared_data_directory()}")


def test_a_planar_header_has_what_a_real_bone_scan_has(written: Written) -> None:
    """The real whole-body scan of `pydicom-data` has no attribute that ours lacks, but for its export."""
    real = keywords(dcmread(real_bone_scan(), stop_before_pixels=True))
    ours = keywords(dcmread(written(Kind.PLANAR, "plain")[0].files[0]))
    assert real - ours - DEIDENTIFICATION - WORKFLOW - OF_THAT_SCANNER[Kind.PLANAR] == set()
