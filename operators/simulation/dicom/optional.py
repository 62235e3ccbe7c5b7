"""What sparing scanners and de-identification leave out of a header without making it invalid."""

from __future__ import annotations

from pydicom.dataset import Dataset

OPTIONAL = (
    "PatientAge", "PatientSize", "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined",
    "InstitutionName", "StationName", "DeviceSerialNumber", "SoftwareVersions", "ImageComments", "OperatorsName",
    "TimezoneOffsetFromUTC", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "PerformedProcedureStepID", "PerformedProcedureStepDescription", "SliceLocation", "WindowCenter", "WindowWidth",
    "WindowCenterWidthExplanation", "SpacingBetweenSlices", "InstanceCreationDate", "InstanceCreationTime",
    "Exposure", "ExposureTime", "XRayTubeCurrent", "FilterType", "GeneratorPower", "FocalSpots", "CTDIvol",
    "CTDIPhantomTypeCodeSequence", "TableHeight", "RotationDirection", "ReconstructionDiameter",
    "DataCollectionDiameter",
    "SequenceName", "NumberOfAverages", "ImagingFrequency", "ImagedNucleus", "PixelBandwidth", "SAR", "dBdt",
    "ReceiveCoilName", "TransmitCoilName", "AcquisitionMatrix", "PercentSampling", "PercentPhaseFieldOfView",
    "ScatterFractionFactor", "DoseCalibrationFactor", "PrimaryPromptsCountsAccumulated", "ScatterCorrectionMethod",
    "ReconstructionMethod", "RescaleType",
)  # fmt: skip
"""Of type 3 in every IOD that is written here, but for those of `KEPT`."""

EMPTIED = (
    "PatientBirthDate", "StudyID", "AccessionNumber", "KVP", "ScanOptions", "EchoTrainLength",
    "PositionReferenceIndicator", "AcquisitionNumber",
)  # fmt: skip
"""Of type 2."""

KEPT = {
    "NM": frozenset({"SpacingBetweenSlices"}),
    "Enhanced": frozenset({"DeviceSerialNumber", "SoftwareVersions", "ScatterCorrectionMethod"}),
}
"""Without them slices of a tomogram have no place; enhanced objects require their equipment and corrections in full."""


def strip_optional(dataset: Dataset) -> None:
    """Remove what is optional, empty what may be empty; the object stays valid and quantitative."""
    kept = KEPT.get(str(dataset.Modality), frozenset[str]())
    if "SharedFunctionalGroupsSequence" in dataset:
        kept |= KEPT["Enhanced"]
    for keyword in OPTIONAL:
        if keyword in dataset and keyword not in kept:
            delattr(dataset, keyword)
    # Without a body part nobody knows whether it is one of a pair: then Laterality is there, and empty.
    if "SharedFunctionalGroupsSequence" not in dataset:
        dataset.Laterality = None
    for keyword in EMPTIED:
        if keyword in dataset:
            setattr(dataset, keyword, None)
