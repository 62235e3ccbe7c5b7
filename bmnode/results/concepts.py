"""What the result objects say, as tables: titles, procedures, reasons, colours, fixed texts."""

from __future__ import annotations

from collections.abc import Mapping

from highdicom.sr.coding import CodedConcept

from bmnode.domain.codes import PROJECT_SCHEME, Code, project_code
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import ResultKind, SegEncoding
from bmnode.domain.study import Branch, Reason

PROJECT_SCHEME_UID = derive_uid("coding scheme", PROJECT_SCHEME)
PROJECT_SCHEME_NAME = "bmnode project codes"

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.3"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SEGMENTATION_CLASSES: Mapping[SegEncoding, str] = {
    SegEncoding.BINARY: SEGMENTATION,
    SegEncoding.LABELMAP: LABEL_MAP_SEGMENTATION,
}
"""Of segmentations of volumes; those of planar views are always Segmentation."""
SOP_CLASSES: Mapping[ResultKind, tuple[str, ...]] = {
    ResultKind.SR: (COMPREHENSIVE_3D_SR,),
    ResultKind.ROI_SR: (COMPREHENSIVE_3D_SR,),
    ResultKind.SEG: (SEGMENTATION,),
    ResultKind.REG: (SPATIAL_REGISTRATION, DEFORMABLE_REGISTRATION),
    ResultKind.SC: (SECONDARY_CAPTURE,),
    ResultKind.PDF: (ENCAPSULATED_PDF,),
}
"""What a destination has to accept to get the objects of a kind; further encodings are sent where it takes them."""


class Title:
    """CID 7021. OHIF draws 126000 and goes blank on a group without SCOORD; it lists 126001 as text."""

    IMAGING = Code("126000", "DCM", "Imaging Measurement Report")
    ONCOLOGY = Code("126001", "DCM", "Oncology Measurement Report")


class Item:
    """Concept names of content items."""

    LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")
    ENGLISH = Code("en", "RFC5646", "English")
    PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
    OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
    COMMENT = Code("121106", "DCM", "Comment")
    IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
    QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
    MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
    TRACKING_ID = Code("112039", "DCM", "Tracking Identifier")
    TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
    CAME_FROM = project_code("CAME-FROM", "Tracking UID of an earlier lesion that it came from")
    FINDING = Code("121071", "DCM", "Finding")
    FINDING_CATEGORY = Code("276214006", "SCT", "Finding category")
    FINDING_SITE = Code("363698007", "SCT", "Finding Site")
    LATERALITY = Code("272741003", "SCT", "Laterality")
    METHOD = Code("370129005", "SCT", "Measurement Method")
    DERIVATION = Code("121401", "DCM", "Derivation")
    REFERENCED_SEGMENT = Code("121191", "DCM", "Referenced Segment")
    SEGMENTATION_FRAME = Code("121214", "DCM", "Referenced Segmentation Frame")
    ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
    ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
    ALGORITHM_PARAMETERS = Code("111002", "DCM", "Algorithm Parameters")
    ALGORITHM_FAMILY = Code("111000", "DCM", "Algorithm Family")
    SUMMARY_OF_ANALYSES = Code("111065", "DCM", "Summary of Analyses")
    REASON = project_code("REASON", "Reason why the study is not assessable")
    EXPLANATION = project_code("EXPLANATION", "Explanation")
    QUALITY_CHECK = project_code("QUALITY-CHECK", "Quality check")
    LIMITATION = project_code("LIMITATION", "Limitation")
    NOTICE = project_code("NOTICE", "Notice for review")
    FINDING_TEXT = project_code("FINDING-TEXT", "Finding in words")
    STUDY_TEXT = project_code("STUDY-TEXT", "Whole study in words")
    REGISTRATION = project_code("REGISTRATION", "Registration of an earlier study that was used")
    BRANCH = project_code("BRANCH", "Modality branch")
    PIPELINE = project_code("PIPELINE", "Pipeline and version")


class Status:
    """CID 6047, the answer to Summary of Analyses."""

    WITHOUT_FINDINGS = Code("111241", "DCM", "All algorithms succeeded; without findings")
    WITH_FINDINGS = Code("111242", "DCM", "All algorithms succeeded; with findings")
    NONE_SUCCEEDED = Code("111245", "DCM", "No algorithms succeeded; without findings")


PERSON = Code("121006", "DCM", "Person")
"""Observer Type (CID 270)."""
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
IHE_TRIAL_SCHEME = "99IHE"
IHE_TRIAL_SCHEME_NAME = "placeholder codes of IHE trial texts"
CONTENT_BASED_ALIGNMENT = Code("125024", "DCM", "Image Content-based Alignment")
"""Registration Type (CID 7100)."""
SEGMENTATION_DERIVATION = Code("113076", "DCM", "Segmentation")
BACKGROUND = Code("125040", "DCM", "Background")
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
IMAGE_PROCESSING = Code("110001", "DCM", "Image Processing")

_NM = Code("49118-3", "LN", "NM unspecified body region")
_CT = Code("25045-6", "LN", "CT unspecified body region")
_MR = Code("25056-3", "LN", "MRI unspecified body region")
_PET = Code("44136-0", "LN", "PET unspecified body region")

PROCEDURE_BY_BRANCH: Mapping[Branch, Code] = {
    Branch.BONE_SCAN: _NM,
    Branch.SPECT: _NM,
    Branch.CT: _CT,
    Branch.MRI: _MR,
    Branch.PET_CT: _PET,
}
"""CID 100: the examination that was analysed."""
PROCEDURE_BY_MODALITY: Mapping[str, Code] = {"NM": _NM, "CT": _CT, "MR": _MR, "PT": _PET}
PROCEDURE_UNKNOWN = Code("363679005", "SCT", "Imaging procedure")

REASON_CODES: Mapping[Reason, Code] = {
    Reason.NO_IMAGES: project_code("NO-IMAGES", "no_images"),
    Reason.SEVERAL_PATIENTS: project_code("SEVERAL-PATIENTS", "several_patients"),
    Reason.UNSUPPORTED_MODALITY: project_code("UNSUP-MODALITY", "unsupported_modality"),
    Reason.UNSUPPORTED_EXAMINATION: project_code("UNSUP-EXAM", "unsupported_examination"),
    Reason.UNSUPPORTED_TRACER: project_code("UNSUP-TRACER", "unsupported_tracer"),
    Reason.PAEDIATRIC: project_code("PAEDIATRIC", "paediatric"),
    Reason.MISSING_PIXEL_DATA: project_code("NO-PIXEL-DATA", "missing_pixel_data"),
    Reason.MISSING_GEOMETRY: project_code("NO-GEOMETRY", "missing_geometry"),
    Reason.IRREGULAR_GEOMETRY: project_code("IRREG-GEOMETRY", "irregular_geometry"),
    Reason.UNEXPLAINED_ORIENTATION: project_code("UNEXPL-ORIENT", "unexplained_orientation"),
    Reason.MISSING_CALIBRATION: project_code("NO-CALIBRATION", "missing_calibration"),
    Reason.MISSING_DIFFUSION: project_code("NO-DIFFUSION", "missing_diffusion"),
    Reason.BONE_NOT_FOUND: project_code("BONE-NOT-FOUND", "bone_not_found"),
    Reason.INSUFFICIENT_COUNTS: project_code("LOW-COUNTS", "insufficient_counts"),
    Reason.UNREADABLE_INPUT: project_code("UNREADABLE", "unreadable_input"),
    Reason.PROCESSING_FAILED: project_code("PROC-FAILED", "processing_failed"),
}
"""The meaning is the reason's value as it stands."""

SERIES_TEXT: Mapping[ResultKind, str] = {
    ResultKind.SR: "bmnode findings - RESEARCH USE ONLY",
    ResultKind.ROI_SR: "bmnode outlines - RESEARCH USE ONLY",
    ResultKind.SEG: "bmnode segmentation - RESEARCH USE ONLY",
    ResultKind.REG: "bmnode registration - RESEARCH USE ONLY",
    ResultKind.SC: "bmnode pictures - RESEARCH USE ONLY",
    ResultKind.PDF: "bmnode document - RESEARCH USE ONLY",
}
FICTITIOUS_GEOMETRY = "FICTITIOUS GEOMETRY for viewers: do not measure or fuse by it"
"""Content Description of a planar segmentation with an invented plane (LO, 64 characters)."""
SIMULATED = "SIMULATED"
SIMULATED_STATEMENT = "SIMULATED - made from simulated images, not from a patient"

SERIES_NUMBER: Mapping[ResultKind, int] = {
    ResultKind.SR: 9901,
    ResultKind.ROI_SR: 9902,
    ResultKind.SC: 9903,
    ResultKind.PDF: 9904,
    ResultKind.REG: 9905,
    ResultKind.SEG: 9911,
}
"""Far above what scanners use; the segmentations count upwards, and so do the few registrations."""

LESION_COLOURS_RGB: tuple[tuple[int, int, int], ...] = (
    (230, 60, 60),
    (255, 160, 30),
    (250, 230, 50),
    (120, 220, 60),
    (40, 200, 170),
    (60, 160, 250),
    (150, 110, 250),
    (240, 100, 210),
)
ANATOMY_COLOURS_RGB: tuple[tuple[int, int, int], ...] = ((221, 205, 170), (190, 200, 215))


def coded(code: Code) -> CodedConcept:
    """The code as highdicom takes it."""
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)
