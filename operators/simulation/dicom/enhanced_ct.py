"""Enhanced CT Image Storage (PS3.3 A.38)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from bmnode.domain.ids import derive_uid
from operators.simulation.dicom import ct_headers as ct
from operators.simulation.dicom.elements import code_item, decimal, decimals, fill, item
from operators.simulation.dicom.enhanced import (
    FrameSource,
    Groups,
    MultiFrame,
    multi_frame_attributes,
    write_multi_frame,
)
from operators.simulation.dicom.positions import PATIENT_POSITION
from operators.simulation.dicom.series import Series
from operators.simulation.dicom.slices import Stack
from operators.simulation.dicom.vendors import KERNELS
from operators.simulation.protocols.ct import Contrast, CtProtocol, Kernel

_IMAGE_TYPE = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
_KERNEL_GROUPS = {Kernel.SOFT: "SOFT_TISSUE", Kernel.STANDARD: "SOFT_TISSUE", Kernel.BONE: "BONE"}
"""Convolution Kernel Group."""


def write_enhanced_ct(series: Series, *, stack: Stack, protocol: CtProtocol) -> tuple[Path, ...]:
    """Write one volume in Hounsfield units as one object. `series` has the SOP class of enhanced CT."""
    kind = MultiFrame(
        template=_template(series, stack=stack, protocol=protocol),
        shared=_shared(series, stack=stack, protocol=protocol),
        own=lambda frame: _own(frame, stack=stack, protocol=protocol),
        slice_mm=protocol.slice_mm,
    )
    return write_multi_frame(series, stacks=[stack], kind=kind)


def _template(series: Series, *, stack: Stack, protocol: CtProtocol) -> Dataset:
    dataset = fill(series.dataset(), multi_frame_attributes(series, image_type=_IMAGE_TYPE, content_at=series.start))
    fill(
        dataset,
        {
            "FrameOfReferenceUID": stack.volume.geometry.frame_of_reference_uid,
            "PatientPosition": PATIENT_POSITION[series.habits.feet_first],
            "AcquisitionDuration": stack.volume.geometry.shape[0] * ct.slice_seconds(stack.volume),
        },
    )
    if protocol.contrast is not Contrast.NONE:
        dataset.ContrastBolusAgentSequence = [ct.contrast_agent(series, protocol=protocol)]
    return dataset


def _shared(series: Series, *, stack: Stack, protocol: CtProtocol) -> Groups:
    windows = ct.WINDOWS[protocol.kernel]
    return {
        "CTImageFrameTypeSequence": item(
            {
                "FrameType": list(_IMAGE_TYPE),
                "PixelPresentation": "MONOCHROME",
                "VolumetricProperties": "VOLUME",
                "VolumeBasedCalculationTechnique": "NONE",
            }
        ),
        "PixelValueTransformationSequence": item(
            {"RescaleIntercept": decimal(ct.INTERCEPT_HU), "RescaleSlope": "1", "RescaleType": "HU"}
        ),
        "FrameVOILUTSequence": item(
            {
                "WindowCenter": decimals(window[0] for window in windows),
                "WindowWidth": decimals(window[1] for window in windows),
                "WindowCenterWidthExplanation": [window[2] for window in windows],
            }
        ),
        "IrradiationEventIdentificationSequence": item({"IrradiationEventUID": derive_uid(series.uid, "irradiation")}),
        **_acquisition(series, stack=stack, protocol=protocol),
    }


def _acquisition(series: Series, *, stack: Stack, protocol: CtProtocol) -> Groups:
    """CT Acquisition Type, Details, Table Dynamics, Geometry, Reconstruction, Exposure and X-Ray Details."""
    gantry = ct.gantry(stack.volume, protocol=protocol)
    dose = ct.exposure(protocol)
    geometry = stack.volume.geometry

    def some(source: dict[str, Any], *keywords: str) -> dict[str, Any]:
        return {keyword: source[keyword] for keyword in keywords}

    return {
        "CTAcquisitionTypeSequence": item(
            {"AcquisitionType": "SPIRAL", "ConstantVolumeFlag": "NO", "FluoroscopyFlag": "NO"}
        ),
        "CTAcquisitionDetailsSequence": item(
            {
                **some(gantry, "RotationDirection", "SingleCollimationWidth", "TotalCollimationWidth", "TableHeight"),
                "GantryDetectorTilt": decimal(protocol.tilt_deg),
                "RevolutionTime": ct.ROTATION_S,
                "DataCollectionDiameter": gantry["DataCollectionDiameter"],
            }
        ),
        "CTTableDynamicsSequence": item(some(gantry, "TableSpeed", "TableFeedPerRotation", "SpiralPitchFactor")),
        "CTGeometrySequence": item(
            {
                "DistanceSourceToDetector": gantry["DistanceSourceToDetector"],
                "DistanceSourceToDataCollectionCenter": ct.SOURCE_TO_PATIENT_MM,
            }
        ),
        "CTReconstructionSequence": item(
            {
                "ReconstructionAlgorithm": "FILTER_BACK_PROJ",
                "ConvolutionKernel": KERNELS[series.habits.vendor][protocol.kernel],
                "ConvolutionKernelGroup": _KERNEL_GROUPS[protocol.kernel],
                "ReconstructionDiameter": gantry["ReconstructionDiameter"],
                "ReconstructionPixelSpacing": [geometry.spacing_mm[1], geometry.spacing_mm[2]],
                "ReconstructionAngle": 360.0,
                "ImageFilter": "NONE",
            }
        ),
        "CTExposureSequence": item(
            {
                "ExposureTimeInms": float(dose["ExposureTime"]),
                "XRayTubeCurrentInmA": float(dose["XRayTubeCurrent"]),
                "ExposureInmAs": protocol.effective_mas,
                "ExposureModulationType": "NONE",
                "CTDIvol": dose["CTDIvol"],
                "CTDIPhantomTypeCodeSequence": [code_item(ct.BODY_PHANTOM)],
            }
        ),
        "CTXRayDetailsSequence": item(
            {
                "KVP": dose["KVP"],
                "FocalSpots": gantry["FocalSpots"],
                "FilterType": "FLAT",
                "FilterMaterial": "ALUMINUM",
            }
        ),
    }


def _own(frame: FrameSource, *, stack: Stack, protocol: CtProtocol) -> Groups:
    """CT Position, and whether the contrast medium is there."""
    centres = ct.centres(stack.volume, frame.index)
    groups = {
        "CTPositionSequence": item(
            {
                "TablePosition": -centres["DataCollectionCenterPatient"][2],
                **centres,
            }
        )
    }
    if protocol.contrast is not Contrast.NONE:
        usage = item(
            {
                "ContrastBolusAgentNumber": 1,
                "ContrastBolusAgentAdministered": "YES",
                "ContrastBolusAgentDetected": "YES",
                "ContrastBolusAgentPhase": protocol.contrast.name,
            }
        )
        groups["ContrastBolusUsageSequence"] = usage
    return groups
