"""What the acceptor takes: storage SOP classes, with the reason for each, and transfer syntaxes.

The list is wider than what is assessed. A PACS sends a study whole, and most senders (Orthanc's
auto-routing among them) count the study as failed when one object of it finds no presentation
context. So whatever may lie in the study of a patient with bone metastases is taken, and a study
that no branch can assess gets a result that says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydicom import uid
from pynetdicom.presentation import PresentationContext, build_context

from bmnode.archive.commit import PUSH_MODEL

VERIFICATION = "1.2.840.10008.1.1"
QUERY_RETRIEVE = "1.2.840.10008.5.1.4.1.2."
"""How the SOP classes of C-FIND, C-MOVE and C-GET begin (PS3.4 C.6). None is served."""
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
"""Newer than the UID dictionary of pydicom 3.0."""

ASSESSED: Mapping[str, str] = {
    uid.NuclearMedicineImageStorage: "bone scan, SPECT",
    uid.SecondaryCaptureImageStorage: "bone scans that old cameras write as captures; reconstructions",
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage: "as above, several views in one object",
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage: "as above",
    uid.PositronEmissionTomographyImageStorage: "PET",
    uid.EnhancedPETImageStorage: "PET",
    uid.LegacyConvertedEnhancedPETImageStorage: "PET, as some archives hand it out",
    uid.CTImageStorage: "CT, and the CT of a hybrid study",
    uid.EnhancedCTImageStorage: "CT",
    uid.LegacyConvertedEnhancedCTImageStorage: "CT, as some archives hand it out",
    uid.MRImageStorage: "MR",
    uid.EnhancedMRImageStorage: "MR",
    uid.LegacyConvertedEnhancedMRImageStorage: "MR, as some archives hand it out",
}
"""Images that a branch can assess."""

TRAVELS_ALONG: Mapping[str, str] = {
    uid.SegmentationStorage: "masks of a prior result",
    LABEL_MAP_SEGMENTATION: "masks of a prior result",
    uid.SurfaceSegmentationStorage: "masks of other systems",
    uid.ParametricMapStorage: "computed maps (ADC, SUV)",
    uid.RealWorldValueMappingStorage: "units of pixel values, SUV factors among them",
    uid.SpatialRegistrationStorage: "a prior's registration",
    uid.DeformableSpatialRegistrationStorage: "a prior's registration",
    uid.SpatialFiducialsStorage: "registration aids",
    uid.BasicTextSRStorage: "reports",
    uid.EnhancedSRStorage: "reports",
    uid.ComprehensiveSRStorage: "reports, measurements of a prior result",
    uid.Comprehensive3DSRStorage: "measurements of a prior result",
    uid.ExtensibleSRStorage: "measurements",
    uid.ProcedureLogStorage: "written by modalities",
    uid.AcquisitionContextSRStorage: "written by modalities",
    uid.XRayRadiationDoseSRStorage: "dose report of the CT",
    uid.EnhancedXRayRadiationDoseSRStorage: "dose report of the CT",
    uid.RadiopharmaceuticalRadiationDoseSRStorage: "tracer, activity and time of injection",
    uid.PatientRadiationDoseSRStorage: "dose report",
    uid.PerformedImagingAgentAdministrationSRStorage: "contrast agent",
    uid.KeyObjectSelectionDocumentStorage: "marked images",
    uid.EncapsulatedPDFStorage: "reports",
    uid.EncapsulatedCDAStorage: "reports",
    uid.GrayscaleSoftcopyPresentationStateStorage: "how images were shown",
    uid.ColorSoftcopyPresentationStateStorage: "how images were shown",
    uid.PseudoColorSoftcopyPresentationStateStorage: "how images were shown",
    uid.BlendingSoftcopyPresentationStateStorage: "how PET/CT was fused",
    uid.AdvancedBlendingPresentationStateStorage: "how PET/CT was fused",
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage: "captures",
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage: "captures: fused views, dose pages",
    uid.EnhancedMRColorImageStorage: "colour maps of diffusion",
    uid.MRSpectroscopyStorage: "in MR studies",
    uid.RawDataStorage: "in SPECT and PET studies of some vendors",
    uid.RTStructureSetStorage: "contours, PET lesions of other systems among them",
    uid.RTDoseStorage: "radiotherapy of metastases",
    uid.RTPlanStorage: "radiotherapy of metastases",
    uid.RTImageStorage: "radiotherapy of metastases",
}
"""Objects that come with such a study and are not assessed by themselves."""

ANSWERED: Mapping[str, str] = {
    uid.ComputedRadiographyImageStorage: "plain film",
    uid.DigitalXRayImageStorageForPresentation: "plain film",
    uid.DigitalXRayImageStorageForProcessing: "plain film",
    uid.XRayAngiographicImageStorage: "angiography",
    uid.EnhancedXAImageStorage: "angiography",
    uid.XRayRadiofluoroscopicImageStorage: "fluoroscopy",
    uid.XRay3DAngiographicImageStorage: "cone beam CT",
    uid.DigitalMammographyXRayImageStorageForPresentation: "mammography",
    uid.BreastTomosynthesisImageStorage: "mammography",
    uid.UltrasoundImageStorage: "ultrasound",
    uid.UltrasoundMultiFrameImageStorage: "ultrasound",
}
"""Images that no branch assesses: routed here by mistake or with everything else, they get a clear answer."""

STORAGE_CLASSES: Mapping[str, str] = {**ASSESSED, **TRAVELS_ALONG, **ANSWERED}

TRANSFER_SYNTAXES: tuple[str, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
    uid.RLELossless,
)
"""Each is kept as it came. The order matters to nobody: the sender's order decides."""


def supported_contexts() -> list[PresentationContext]:
    """Every SOP class in every transfer syntax, verification (C-ECHO), and reports of storage commitment.

    Who brings a report proposes the SCP's role for itself (PS3.4 J.3.3.1.3); the node is nobody's SCP of commitment.
    """
    storage = [build_context(sop_class, list(TRANSFER_SYNTAXES)) for sop_class in STORAGE_CLASSES]
    reports = build_context(PUSH_MODEL, list(TRANSFER_SYNTAXES[:2]))
    reports.scu_role, reports.scp_role = False, True
    return [build_context(VERIFICATION, list(TRANSFER_SYNTAXES[:2])), reports, *storage]


def keep_senders_order(proposed: list[PresentationContext]) -> None:
    """Narrow each proposed context to the first transfer syntax of it that is taken here.

    The standard leaves the choice to the acceptor (PS3.8 9.3.3.2), pynetdicom makes it in the
    acceptor's own order; the sender's first is what it holds without converting.
    """
    for context in proposed:
        first = next((syntax for syntax in context.transfer_syntax if syntax in TRANSFER_SYNTAXES), None)
        if first is not None:
            context.transfer_syntax = [first]


def asks_for_query(proposed: list[PresentationContext]) -> bool:
    """Whether a caller wants to query or retrieve."""
    return any(str(context.abstract_syntax).startswith(QUERY_RETRIEVE) for context in proposed)
