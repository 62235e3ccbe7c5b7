"""Enhanced MR Image Storage (PS3.3 A.36): one object a sequence and station, all b-values together."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from operators.simulation.dicom.elements import decimal, fill, item
from operators.simulation.dicom.enhanced import (
    FrameSource,
    Groups,
    MultiFrame,
    multi_frame_attributes,
    write_multi_frame,
)
from operators.simulation.dicom.mri_headers import SEQUENCE_OF, SEQUENCES
from operators.simulation.dicom.positions import PATIENT_POSITION
from operators.simulation.dicom.series import Series
from operators.simulation.dicom.slices import Attributes, Stack
from operators.simulation.images import Content
from operators.simulation.physics.mri_timing import Timing, timing
from operators.simulation.protocols.mri import MrProtocol

_IMAGE_TYPES = {
    Content.T1: ("ORIGINAL", "PRIMARY", "T1", "NONE"),
    Content.STIR: ("ORIGINAL", "PRIMARY", "STIR", "NONE"),
    Content.T2_FS: ("ORIGINAL", "PRIMARY", "T2", "NONE"),
    Content.DIXON_FAT: ("DERIVED", "PRIMARY", "PROTON_DENSITY", "FAT"),
    Content.DIXON_WATER: ("DERIVED", "PRIMARY", "PROTON_DENSITY", "WATER"),
    Content.DWI: ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"),
    Content.ADC_UM2_S: ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"),
}
"""Value 3 says for what, value 4 what was computed (PS3.3 C.8.13.3.1)."""
_CONTRAST = {Content.T1: "T1", Content.STIR: "STIR", Content.T2_FS: "T2", Content.DWI: "DIFFUSION"}
"""Acquisition Contrast; the others are PROTON_DENSITY or what they derive from."""
_LARMOR_MHZ_T = 42.577


@dataclass(frozen=True, kw_only=True, slots=True)
class EnhancedPlan:
    """What the classic writer has worked out already: content of the series, and the window of all frames."""

    content: Content
    protocol: MrProtocol
    window: Attributes


def write_enhanced_mr(series: Series, *, stacks: Many[Stack], plan: EnhancedPlan) -> tuple[Path, ...]:
    """Write the volumes of one series as one object. `series` has the SOP class of enhanced MR."""
    times = timing(plan.protocol, SEQUENCE_OF[plan.content])
    kind = MultiFrame(
        template=_template(series, stacks[0], plan=plan),
        shared=_shared(stacks[0], plan=plan, times=times),
        own=lambda frame: _own(frame, plan=plan),
        further_dimensions=(("DiffusionBValue", "MRDiffusionSequence"),) if plan.content is Content.DWI else (),
        slice_mm=plan.protocol.slice_mm,
    )
    return write_multi_frame(series, stacks=stacks, kind=kind)


def _template(series: Series, stack: Stack, *, plan: EnhancedPlan) -> Dataset:
    """Enhanced MR Image module (PS3.3 C.8.13.1)."""
    dataset = fill(
        series.dataset(),
        multi_frame_attributes(series, image_type=_IMAGE_TYPES[plan.content], content_at=series.start),
    )
    return fill(
        dataset,
        {
            "FrameOfReferenceUID": stack.volume.geometry.frame_of_reference_uid,
            "PatientPosition": PATIENT_POSITION[series.habits.feet_first],
            "AcquisitionDuration": SEQUENCES[SEQUENCE_OF[plan.content]].duration_s,
            "ComplexImageComponent": "MAGNITUDE",
            "AcquisitionContrast": _CONTRAST.get(plan.content, _other_contrast(plan.content)),
            "ResonantNucleus": "1H",
            "KSpaceFiltering": "NONE",
            "MagneticFieldStrength": decimal(plan.protocol.field_strength_t),
            "ApplicableSafetyStandardAgency": "IEC",
            **(_pulse_sequence(plan) if _IMAGE_TYPES[plan.content][0] == "ORIGINAL" else {}),
        },
    )


def _pulse_sequence(plan: EnhancedPlan) -> dict[str, Any]:
    """MR Pulse Sequence module (PS3.3 C.8.13.4), of original images alone."""
    facts = SEQUENCES[SEQUENCE_OF[plan.content]]
    return {
        "PulseSequenceName": facts.name,
        "MRAcquisitionType": facts.dimensions,
        "EchoPulseSequence": facts.pulse_sequence,
        "MultipleSpinEcho": "YES" if facts.pulse_sequence == "SPIN" and facts.echo_train > 1 else "NO",
        "MultiPlanarExcitation": "NO",
        "PhaseContrast": "NO",
        "TimeOfFlightContrast": "NO",
        "SteadyStatePulseSequence": "NONE",
        "EchoPlanarPulseSequence": "YES" if plan.content is Content.DWI else "NO",
        "SaturationRecovery": "NO",
        "SpectrallySelectedSuppression": "FAT" if facts.options == "FS" else "NONE",
        "OversamplingPhase": "NONE",
        "GeometryOfKSpaceTraversal": "RECTILINEAR",
        "SegmentedKSpaceTraversal": "PARTIAL",
        "RectilinearPhaseEncodeReordering": "LINEAR",
        "NumberOfKSpaceTrajectories": 1,
    }


def _other_contrast(content: Content) -> str:
    return "DIFFUSION" if content is Content.ADC_UM2_S else "PROTON_DENSITY"


def _shared(stack: Stack, *, plan: EnhancedPlan, times: Timing) -> Groups:
    facts, content = SEQUENCES[SEQUENCE_OF[plan.content]], plan.content
    _, rows, columns = stack.volume.geometry.shape
    return {
        "MRImageFrameTypeSequence": item(
            {
                "FrameType": list(_IMAGE_TYPES[content]),
                "PixelPresentation": "MONOCHROME",
                "VolumetricProperties": "VOLUME",
                "VolumeBasedCalculationTechnique": "NONE",
                "ComplexImageComponent": "MAGNITUDE",
                "AcquisitionContrast": _CONTRAST.get(content, _other_contrast(content)),
            }
        ),
        "FrameVOILUTSequence": item(plan.window),
        "MRTimingAndRelatedParametersSequence": _timing(plan, times=times),
        "MRFOVGeometrySequence": item(
            {
                "InPlanePhaseEncodingDirection": "COLUMN",
                "MRAcquisitionFrequencyEncodingSteps": columns,
                "MRAcquisitionPhaseEncodingStepsInPlane": rows,
                "MRAcquisitionPhaseEncodingStepsOutOfPlane": stack.volume.geometry.shape[0],
                "PercentSampling": "100",
                "PercentPhaseFieldOfView": "100",
            }
        ),
        "MREchoSequence": item({"EffectiveEchoTime": times.echo_ms}),
        "MRModifierSequence": item(_modifiers(plan, times=times)),
        "MRImagingModifierSequence": item(
            {
                "MagnetizationTransfer": "NONE",
                "BloodSignalNulling": "NO",
                "Tagging": "NONE",
                "TransmitterFrequency": plan.protocol.field_strength_t * _LARMOR_MHZ_T,
                "PixelBandwidth": decimal(facts.bandwidth_hz),
            }
        ),
        "MRReceiveCoilSequence": item(
            {
                "ReceiveCoilName": "BODY ARRAY",
                "ReceiveCoilManufacturerName": "",
                "ReceiveCoilType": "BODY",
                "QuadratureReceiveCoil": "YES",
            }
        ),
        "MRTransmitCoilSequence": item(
            {"TransmitCoilName": "BODY", "TransmitCoilManufacturerName": "", "TransmitCoilType": "BODY"}
        ),
        "MRAveragesSequence": item({"NumberOfAverages": decimal(facts.averages)}),
    }


def _timing(plan: EnhancedPlan, *, times: Timing) -> Dataset:
    facts = SEQUENCES[SEQUENCE_OF[plan.content]]
    rate = item({"SpecificAbsorptionRateDefinition": "IEC_WHOLE_BODY", "SpecificAbsorptionRateValue": 0.5})
    mode = item({"OperatingModeType": "STATIC FIELD", "OperatingMode": "IEC_NORMAL"})
    spins = facts.pulse_sequence == "SPIN"
    return item(
        {
            "RepetitionTime": decimal(times.repetition_ms),
            "FlipAngle": decimal(times.flip_deg),
            "EchoTrainLength": facts.echo_train if spins else 0,
            "RFEchoTrainLength": facts.echo_train if spins else 0,
            "GradientEchoTrainLength": 0 if spins else facts.echo_train,
            "GradientOutputType": "DB_DT",
            "GradientOutput": 0.0,
            "SpecificAbsorptionRateSequence": [rate],
            "OperatingModeSequence": [mode],
        }
    )


def _modifiers(plan: EnhancedPlan, *, times: Timing) -> dict[str, Any]:
    """MR Modifier (PS3.3 C.8.13.5.6)."""
    inversion = {"InversionRecovery": "NO"}
    if times.inversion_ms is not None:
        inversion = {"InversionRecovery": "YES", "InversionTimes": [times.inversion_ms]}  # type: ignore[dict-item]  # FD
    return {
        **inversion,
        "FlowCompensation": "NONE",
        "Spoiling": "RF" if SEQUENCES[SEQUENCE_OF[plan.content]].pulse_sequence == "GRADIENT" else "NONE",
        "T2Preparation": "NO",
        "SpectrallySelectedExcitation": "NONE",
        "SpatialPresaturation": "NONE",
        "PartialFourier": "NO",
        "ParallelAcquisition": "NO",
    }


def _own(frame: FrameSource, *, plan: EnhancedPlan) -> Groups:
    """What a frame has of its own: slope, and b-value."""
    rescale = {
        "RescaleIntercept": "0",
        "RescaleSlope": decimal(frame.stack.encoding.slopes[frame.index]),
        "RescaleType": "US",
    }
    groups = {"PixelValueTransformationSequence": item(rescale)}
    if plan.content is Content.DWI:
        b_value = float(frame.stack.volume.b_value or 0)
        groups["MRDiffusionSequence"] = item(
            {"DiffusionBValue": b_value, "DiffusionDirectionality": "ISOTROPIC" if b_value else "NONE"}
        )
    return groups
