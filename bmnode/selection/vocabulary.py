"""The words by which headers say what a series is: literal tables, matched on whole words."""

from __future__ import annotations

import re

from bmnode.domain.study import SeriesHeader, SeriesRole

IMAGE_MODALITIES = frozenset({"NM", "CT", "MR", "PT"})
"""What the branches read."""

NON_IMAGE_MODALITIES = frozenset(
    {"SR", "SEG", "PR", "KO", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "DOC", "FID", "RWV", "AU", "ECG",
     "PLAN", "ANN", "M3D", "STAIN", "SMR", "RESP", "HD", "EEG", "EMG", "EOG"}
)  # fmt: skip

SECONDARY_CAPTURE_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.7.1",
        "1.2.840.10008.5.1.4.1.1.7.2",
        "1.2.840.10008.5.1.4.1.1.7.3",
        "1.2.840.10008.5.1.4.1.1.7.4",
    }
)

_LOCALIZER = {"LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "SURVIEW", "SURVEY", "SCANOGRAM", "LOC", "SMARTVIEW"}
_PROJECTION = {"MIP", "MINIP", "MPR_MIP", "PROJECTION", "REPROJECTION", "VRT", "SSD", "3D_RENDERING", "VOLREN",
               "MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"}  # fmt: skip
_SCREEN = {"SCREEN", "SCREENSAVE", "DOSE", "REPORT", "PATIENT PROTOCOL", "PROTOCOL PAGE", "CAPTURE", "SCREEN SAVE"}

_BONE = {"BONE", "BONES", "BONESCAN", "KNOCHEN", "SKELETON", "SKELETAL", "SKELETT", "OS", "OSSEUSE", "OSEA",
         "OSSEA", "SKEL", "WBBONE", "MDP", "HDP", "HMDP", "DPD"}  # fmt: skip
_OTHER_NUCLEAR = {
    "THYROID", "PARATHYROID", "RENAL", "KIDNEY", "KIDNEYS", "RENOGRAM", "LUNG", "PERFUSION", "VENTILATION",
    "VQ", "CARDIAC", "HEART", "MYOCARDIAL", "MUGA", "GASTRIC", "HEPATOBILIARY", "HIDA", "LIVER", "SPLEEN",
    "SENTINEL", "LYMPHO", "LYMPHOSCINTIGRAPHY", "SALIVARY", "BRAIN", "DATSCAN", "LEUKOCYTE", "WBC",
    "INFECTION", "SCHILDDRUSE", "NIERE", "AMYLOID", "AMYLOIDOSIS", "OCTREOSCAN", "MIBG", "MECKEL", "BLEED",
    "TUMOUR", "TUMOR",
}  # fmt: skip
_EARLY_PHASE = {"FLOW", "BLOODPOOL", "BLOOD", "ANGIO", "ANGIOGRAPHIC", "EARLY", "DYNAMIC"}

_HEAD = {"HEAD", "BRAIN", "SKULL", "CRANIUM", "CRANIAL", "CEREBRUM", "CRANE", "KOPF", "SCHADEL", "SINUS", "SINUSES",
         "ORBIT", "ORBITS", "TEMPORAL", "DENTAL", "TEETH", "JAW", "MAXILLA", "MANDIBLE", "IAC", "IAM", "PITUITARY",
         "SELLA", "FACE", "TMJ", "EAR", "EYE", "NEURO", "STROKE", "CEREBRAL"}  # fmt: skip
_HEART = {"HEART", "CARDIAC", "CORONARY", "MYOCARDIUM", "MYOCARDIAL"}
_TRUNK_OR_LIMB = {"NECK", "CHEST", "THORAX", "ABDOMEN", "PELVIS", "SPINE", "CSPINE", "TSPINE", "LSPINE", "SSPINE",
                  "WHOLE", "WHOLEBODY", "BODY", "TRUNK", "TORSO", "ABD", "TAP", "CAP", "LUMBAR", "THORACIC", "CERVICAL",
                  "SACRUM", "HIP", "FEMUR", "THIGH", "LEG", "EXTREMITY", "KNEE", "SHOULDER", "ARM", "HUMERUS", "RIB",
                  "STERNUM", "PARTIALBODY", "BECKEN", "VERTEBRA"}  # fmt: skip

_T1 = {"T1", "T1W", "T1_TSE", "T1WI"}
_T2 = {"T2", "T2W", "STIR", "TIRM", "T2_TSE", "T2WI", "PD", "FLAIR", "T2FS", "TIR"}
_DIFFUSION = {"DWI", "DIFF", "DIFFUSION", "EP2D", "DWIBS", "REVEAL", "DW", "EPDWI"}
_ADC = {"ADC", "DADC", "APPARENT", "ADCMAP"}
_DIXON = {"DIXON", "MDIXON", "IDEAL", "FLEX"}
_DIXON_TYPES = {
    SeriesRole.DIXON_WATER: {"WATER", "W"},
    SeriesRole.DIXON_FAT: {"FAT", "F"},
    SeriesRole.IN_PHASE: {"IN_PHASE", "INPHASE", "IP"},
    SeriesRole.OPPOSED_PHASE: {"OPP_PHASE", "OUT_PHASE", "OPPOSED", "OP"},
}
_DIXON_WORDS = {
    SeriesRole.DIXON_WATER: {"WATER", "W"},
    SeriesRole.DIXON_FAT: {"FAT", "F"},
    SeriesRole.IN_PHASE: {"IN", "INPHASE", "IP"},
    SeriesRole.OPPOSED_PHASE: {"OPP", "OPPOSED", "OUT", "OP"},
}
_DERIVED_DIFFUSION = {"FA", "EADC", "EXP", "EXPONENTIAL", "TENSOR", "COLFA", "TRACE_MIP"}


def words(text: str) -> frozenset[str]:
    """The words of free text; underscores, hyphens and punctuation part them."""
    return frozenset(re.findall(r"[A-Z0-9]+", text.upper()))


def _says(series: SeriesHeader, vocabulary: set[str]) -> bool:
    return not vocabulary.isdisjoint({*series.image_type, *words(series.protocol_text)})


def is_localizer(series: SeriesHeader) -> bool:
    """A planning image: Image Type LOCALIZER, or a description that says so."""
    return _says(series, _LOCALIZER)


def is_projection(series: SeriesHeader) -> bool:
    """A maximum intensity projection or rendering, of which nothing can be measured."""
    values = {word for value in series.image_type for word in (value, *words(value))}
    return not _PROJECTION.isdisjoint(values | words(series.protocol_text)) or "REPROJECTION" in series.series_type


def is_screen(series: SeriesHeader) -> bool:
    """A screen save, dose page or other picture of text."""
    if series.sop_class_uid in SECONDARY_CAPTURE_CLASSES:
        return True
    return any(not _SCREEN.isdisjoint((value, *words(value))) for value in series.image_type)


def says_bone(series: SeriesHeader) -> bool:
    """Whether the protocol or the body part calls it a bone scan."""
    text = words(f"{series.protocol_text} {series.body_part or ''}")
    return not _BONE.isdisjoint(text) or any("BONE" in word or "KNOCHEN" in word for word in text)


def says_other_nuclear(series: SeriesHeader) -> bool:
    """Whether the protocol names a nuclear medicine examination of something else than bone."""
    return not _OTHER_NUCLEAR.isdisjoint(words(series.protocol_text))


def says_early_phase(series: SeriesHeader) -> bool:
    """Flow and blood-pool images of a three-phase scan."""
    return not _EARLY_PHASE.isdisjoint(words(series.protocol_text))


def _region(series: SeriesHeader) -> frozenset[str]:
    stated = words(series.body_part or "")
    return stated if stated & (_HEAD | _HEART | _TRUNK_OR_LIMB) else words(series.protocol_text)


def shows_head_only(series: SeriesHeader) -> bool:
    """Head and nothing below, by Body Part Examined, else by the descriptions."""
    region = _region(series)
    return bool(region & _HEAD) and not region & _TRUNK_OR_LIMB


def shows_heart_only(series: SeriesHeader) -> bool:
    """A cardiac examination, by Body Part Examined, else by the descriptions."""
    region = _region(series)
    return bool(region & _HEART) and not region & _TRUNK_OR_LIMB


def is_adc(series: SeriesHeader) -> bool:
    """An ADC map."""
    return _says(series, _ADC) and not _says(series, _DERIVED_DIFFUSION)


def is_diffusion(series: SeriesHeader) -> bool:
    """Diffusion-weighted images (an ADC map and other maps are not)."""
    if _says(series, _ADC | _DERIVED_DIFFUSION):
        return False
    return any(value > 0 for value in series.b_values) or "DIFFUSION" in series.image_type or _says(series, _DIFFUSION)


def dixon_role(series: SeriesHeader) -> SeriesRole | None:
    """Which image of a Dixon sequence it is: water, fat, in phase or opposed phase; None for any other series.

    By Image Type (DIXON beside WATER, FAT and so on; Philips writes W, F, IP, OP), else by a description that says
    Dixon. A description alone that says fat may mean its suppression.
    """
    kinds = {word for value in series.image_type[2:] for word in (value, *words(value))}
    spoken = words(series.protocol_text)
    by_type = (role for role, names in _DIXON_TYPES.items() if not kinds.isdisjoint(names))
    by_text = (role for role, names in _DIXON_WORDS.items() if spoken & _DIXON and spoken & names)
    return next(by_type, None) or next(by_text, None)


def is_t1(series: SeriesHeader) -> bool:
    """T1 weighting by the description, else by TE and TR of a spin echo (TE under 30 ms, TR 200 to 900 ms).

    Of a Dixon sequence only the in-phase image is one, where it says so: water and fat images show one of the two
    alone, and shorter TR is that of gradient echoes, whose contrast in marrow is another.
    """
    role = dixon_role(series)
    if role is not None and not (role is SeriesRole.IN_PHASE and _says(series, _T1)):
        return False
    if _says(series, _T1 | _T2):
        return _says(series, _T1) and not _says(series, {"FLAIR"})
    echo, repetition = series.echo_time_ms, series.repetition_time_ms
    return echo is not None and repetition is not None and 0 < echo < 30 and 200 <= repetition < 900


def is_fluid_sensitive(series: SeriesHeader) -> bool:
    """T2, STIR or proton density with fat suppression, by the description, else by TE over 60 ms."""
    if _says(series, _T1 | _T2):
        return _says(series, _T2) and not is_t1(series)
    return series.echo_time_ms is not None and series.echo_time_ms > 60


_SOFT = re.compile(r"(SOFT|STANDARD|STND|DETAIL|[BIHDU][RQFV]?([0-4][0-9])[A-Z]?|[ABC]|FC0?[0-9]|FC1[0-9]|YA)$")
_BONE_KERNEL = re.compile(r"(BONE.*|[BIHU][RQFV]?([6-9][0-9])[A-Z]?|[DE]|FC3[0-9]|YC|YD)$")


def kernel_rank(kernel: str | None) -> int:
    """0 for a soft-tissue kernel, 1 for a bone kernel or an unknown one, 2 for lung and edge kernels.

    Vendors' names: Siemens B30f, Br40, I31f (sharper with the number), GE SOFT, STANDARD,
    BONE, LUNG, Philips A to E, L, Canon FC numbers.
    """
    name = (kernel or "").strip().upper()
    if _SOFT.match(name):
        return 0
    return 1 if not name or _BONE_KERNEL.match(name) else 2
