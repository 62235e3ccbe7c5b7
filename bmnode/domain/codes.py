"""Coded concepts: value, scheme, meaning, as DICOM writes them (PS3.3 8.8)."""

from __future__ import annotations

from dataclasses import dataclass

PROJECT_SCHEME = "99BMNODE"
"""Private coding scheme for what no public scheme names."""


@dataclass(frozen=True, slots=True)
class Code:
    """One coded concept. Raises ValueError where a part is empty or too long for its VR (SH 16, LO 64)."""

    value: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        if not (0 < len(self.value) <= 16 and 0 < len(self.scheme) <= 16 and 0 < len(self.meaning) <= 64):
            raise ValueError(f"not a code: {self.value!r}, {self.scheme!r}, {self.meaning!r}")


def project_code(value: str, meaning: str) -> Code:
    """A concept of the project's own scheme."""
    return Code(value, PROJECT_SCHEME, meaning)


class Unit:
    """Units of measurement, UCUM (CID 82 and project use)."""

    NO_UNITS = Code("1", "UCUM", "no units")
    PERCENT = Code("%", "UCUM", "percent")
    RATIO = Code("{ratio}", "UCUM", "ratio")
    COUNT = Code("{count}", "UCUM", "count")
    COUNTS = Code("{counts}", "UCUM", "counts")
    PIXELS = Code("{pixels}", "UCUM", "pixels")
    MM = Code("mm", "UCUM", "millimeter")
    CM2 = Code("cm2", "UCUM", "square centimeter")
    ML = Code("ml", "UCUM", "milliliter")
    HU = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
    SUV_BW = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
    GRAM_PER_ML = Code("g/ml", "UCUM", "gram per milliliter")
    GRAM = Code("g", "UCUM", "gram")
    ADC = Code("um2/s", "UCUM", "square micrometer per second")
    BQML = Code("Bq/ml", "UCUM", "Becquerels/milliliter")
    SCORE = Code("{score}", "UCUM", "score")
    GRAM_PER_BQ = Code("g/Bq", "UCUM", "gram per becquerel")
    DAY = Code("d", "UCUM", "day")


class Finding:
    """What is found. A candidate of a plain threshold is a lesion, not a diagnosis."""

    LESION = Code("52988006", "SCT", "Lesion")
    BONE_METASTASIS = Code("94222008", "SCT", "Bony metastasis")
    ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
    ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
    FUNCTION = Code("246464006", "SCT", "Function")
    """CID 7150: uptake that is taken for no lesion is a function, not a structure."""
    SECONDARY_NEOPLASM = Code("14799000", "SCT", "Neoplasm, Secondary")
    BONE = Code("272673000", "SCT", "Bone")
    MUSCLE = Code("91727004", "SCT", "Muscle")
    LIVER = Code("10200004", "SCT", "Liver")
    DESCENDING_AORTA = Code("281130003", "SCT", "Descending aorta")
    SPLEEN = Code("78961009", "SCT", "Spleen")
    PAROTID = Code("45289007", "SCT", "Parotid gland")


class Concept:
    """What is measured or evaluated."""

    VOLUME = Code("118565006", "SCT", "Volume")
    AREA = Code("42798000", "SCT", "Area")
    LONG_AXIS = Code("103339001", "SCT", "Long Axis")
    LESION_COUNT = Code("246206008", "SCT", "Number of lesions")
    SUV_BW = Code("126401", "DCM", "SUVbw")
    SUV_LBM_JANMA = Code("126405", "DCM", "SUVlbm(Janma)")
    LESION_TO_BACKGROUND = Code("126039", "DCM", "Lesion to Background SUV Ratio")
    METABOLIC_VOLUME = Code("126032", "DCM", "Metabolic Volume")
    TOTAL_LESION_GLYCOLYSIS = Code("126033", "DCM", "Total Lesion Glycolysis")
    ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
    ADC = Code("113041", "DCM", "Apparent Diffusion Coefficient")
    PROJECTION_ACTIVITY = Code("110820", "DCM", "Nuclear Medicine Projection Activity")
    TOMOGRAM_ACTIVITY = Code("110821", "DCM", "Nuclear Medicine Tomographic Activity")
    SUV_FACTOR = project_code("SUV-FACTOR", "SUVbw of an activity concentration of 1 Bq/ml")
    LIVER_REFERENCE = project_code("LIVER-SUV", "SUVbw of the liver reference region")
    BLOOD_REFERENCE = project_code("BLOOD-SUV", "SUVbw of the blood pool reference region")
    SPLEEN_REFERENCE = project_code("SPLEEN-SUV", "SUVbw of the spleen reference region")
    PAROTID_REFERENCE = project_code("PAROTID-SUV", "SUVbw of the parotid gland reference regions")
    PSMA_VOLUME = project_code("PSMA-VOL-BONE", "PSMA-positive volume of candidates in bone")
    PSMA_TOTAL = project_code("PSMA-TL-BONE", "PSMA total lesion uptake of candidates in bone")
    PERCIST_COUNT = project_code("PERCIST-COUNT", "Number of candidates measurable by PERCIST 1.0")
    LEAN_SHARE = project_code("LEAN-SHARE", "Lean body mass over body weight")
    PERCIST_LIMIT = project_code("PERCIST-LIMIT", "SULpeak from which on a lesion is measurable")
    UPTAKE_RATIO = project_code("UPTAKE-RATIO", "Uptake relative to normal skeleton")
    BONE_EVALUATED = project_code("BONE-EVALUATED", "Evaluated bone volume")
    LESION_FRACTION = project_code("LESION-FRAC", "Share of evaluated bone in lesions")
    LYTIC_FRACTION = project_code("LYTIC-FRAC", "Share of lesion below the lytic limit")
    SCLEROTIC_FRACTION = project_code("SCLEROTIC-FRAC", "Share of lesion above the sclerotic limit")
    LYTIC_LIMIT = project_code("LYTIC-LIMIT", "Attenuation below which bone counts as lytic")
    SCLEROTIC_LIMIT = project_code("SCLEROTIC-LIMIT", "Attenuation above which bone counts as sclerotic")
    AXIAL_LONG = project_code("AXIAL-LONG", "Long axis in the axial plane")
    AXIAL_SHORT = project_code("AXIAL-SHORT", "Extent across the long axis in the axial plane")
    REFERENCE_HU = project_code("REFERENCE-HU", "Attenuation of trabecular bone around the lesion")
    OPEN_CORTEX = project_code("OPEN-CORTEX", "Share of bone surface beside the lesion without cortex")
    SINS_LOWEST = project_code("SINS-IMG-LOW", "SINS imaging part, lowest that is possible")
    SINS_HIGHEST = project_code("SINS-IMG-HIGH", "SINS imaging part, highest that is possible")
    COLLAPSE = project_code("COLLAPSE", "Loss of height of the vertebral body against its neighbours")
    GENANT_GRADE = project_code("GENANT", "Genant's grade of the vertebral body's loss of height")
    SHAFT_DIAMETER = project_code("SHAFT-DIAMETER", "Diameter of the long bone's shaft")
    SHAFT_SHARE = project_code("SHAFT-SHARE", "Size of the lesion relative to the shaft's diameter")
    MIRELS_LOWEST = project_code("MIRELS-IMG-LOW", "Mirels' score, imaging part, lowest that is possible")
    MIRELS_HIGHEST = project_code("MIRELS-IMG-HIGH", "Mirels' score, imaging part, highest that is possible")
    SOFT_TISSUE = project_code("SOFT-TISSUE", "Part of the lesion outside bone")
    SOFT_TISSUE_LONG = project_code("SOFT-LONG", "Long axis in the axial plane of the part outside bone")
    DIFFUSION_VOLUME = project_code("TDV", "Total diffusion volume")
    GLOBAL_ADC = project_code("GLOBAL-ADC", "ADC of all lesions together")
    FAT_FRACTION = project_code("FAT-FRACTION", "Signal fat fraction")
    OPPOSED_RATIO = project_code("OPPOSED-RATIO", "Signal in opposed phase over signal in phase")
    HIGH_B_MUSCLE = project_code("HIGH-B-MUSCLE", "High b-value signal relative to muscle")
    T1_MUSCLE = project_code("T1-MUSCLE", "T1 signal relative to muscle")
    HIGH_B_RATIO = project_code("HIGH-B-RATIO", "High b-value signal relative to the evaluated region")
    LESION_TYPE = project_code("LESION-TYPE", "Type of bone lesion")
    UPTAKE_KIND = project_code("UPTAKE-KIND", "Kind of uptake")
    LOCALISATION = project_code("LOCALISATION", "Localisation to bone")
    BONE_SCAN_INDEX = project_code("BSI", "Bone Scan Index of candidate hot spots")
    BONE_SCAN_COVERAGE = project_code("BSI-COVERAGE", "Share of the coefficient table that the index covers")
    LESION_AREA = project_code("BSLA", "Bone scan lesion area of candidate hot spots")
    LESION_INTENSITY = project_code("BSLI", "Bone scan lesion intensity of candidate hot spots")
    PARTIAL_VOLUME = project_code("PARTIAL-VOLUME", "Size against the resolution of the image")
    PERCIST_MEASURABLE = project_code("PERCIST-MEAS", "Measurable by PERCIST 1.0")
    MIPSMA_SCORE = project_code("MIPSMA-SCORE", "miPSMA score, PROMISE V1")
    BONE_PATTERN = project_code("MIM1B-PATTERN", "Pattern of candidate bone lesions, PROMISE V1")
    SITE_CERTAINTY = project_code("SITE-CERTAINTY", "How exactly the finding site is known")


class Derivation:
    """How a measurement was drawn from its region (CID 7464)."""

    MAXIMUM = Code("56851009", "SCT", "Maximum")
    MINIMUM = Code("255605001", "SCT", "Minimum")
    MEAN = Code("373098007", "SCT", "Mean")
    MEDIAN = Code("373099004", "SCT", "Median")
    STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
    TOTAL = Code("255619001", "SCT", "Total")
    PERCENTILE_10 = project_code("PERCENTILE-10", "10th percentile")
    PERCENTILE_90 = project_code("PERCENTILE-90", "90th percentile")
    PEAK_IN_ROI = Code("126031", "DCM", "Peak Value Within ROI")


class UptakeKind:
    """Values of `Concept.UPTAKE_KIND`: what a hot spot of a planar scan is taken for, by place alone."""

    CANDIDATE = project_code("UP-CANDIDATE", "Hot spot, candidate for a bone lesion")
    BLADDER = project_code("UP-BLADDER", "Possible bladder activity")
    KIDNEY = project_code("UP-KIDNEY", "Possible kidney activity")
    INJECTION_SITE = project_code("UP-INJECTION", "Uptake in forearm or hand, possible injection site")
    OUTSIDE_BODY = project_code("UP-OUTSIDE", "Activity outside the body, possible contamination")
    OUTSIDE_SKELETON = project_code("UP-SOFT", "Activity in the body beside the skeleton")


class LesionType:
    """Values of `Concept.LESION_TYPE`."""

    LYTIC = project_code("LYTIC", "Osteolytic")
    SCLEROTIC = project_code("SCLEROTIC", "Osteosclerotic")
    MIXED = project_code("MIXED", "Mixed osteolytic and osteosclerotic")
    INDETERMINATE = project_code("INDETERMINATE", "Indeterminate")


class Localisation:
    """Values of `Concept.LOCALISATION`: how far a lesion is known to lie in bone."""

    IN_BONE = project_code("IN-BONE", "Within the segmented bone")
    NOT_LOCALISED = project_code("NOT-LOCALISED", "Not localised: no bone mask for this study")


class NotEvaluable:
    """Values of a concept that could not be measured: why. A value that is not known is never 0."""

    DRAWN_IN_BONE = project_code("NE-IN-BONE", "Not evaluable: lesions are drawn in bone alone")
    NO_BODY = project_code("NE-NO-BODY", "Not evaluable: vertebral bodies are not outlined")
    BODY_CUT = project_code("NE-BODY-CUT", "Not evaluable: vertebral body cut, or no canal behind it")
    NO_NEIGHBOUR = project_code("NE-NO-NEIGHBOUR", "Not evaluable: not both vertebrae beside it are references")
    THICK_SLICES = project_code("NE-SLICES", "Not evaluable: slices too far apart for a body's height")
    SHAFT = project_code("NE-SHAFT", "Not evaluable: too little of the shaft in the field")


class Genant:
    """Values of `Concept.GENANT_GRADE` (Genant 1993)."""

    NONE = project_code("GENANT-0", "0: less than 20 % of height lost")
    MILD = project_code("GENANT-1", "1: 20 to 25 % of height lost")
    MODERATE = project_code("GENANT-2", "2: 25 to 40 % of height lost")
    SEVERE = project_code("GENANT-3", "3: more than 40 % of height lost")


class PartialVolume:
    """The value of `Concept.PARTIAL_VOLUME`; lesions that are large enough carry no such item."""

    TOO_SMALL = project_code("BELOW-2FWHM", "Below twice the resolution, not quantifiable")


class Measurable:
    """Values of `Concept.PERCIST_MEASURABLE`."""

    YES = project_code("MEASURABLE", "Measurable")
    NO = project_code("NOT-MEASURABLE", "Not measurable")


class MiPsma:
    """Values of `Concept.MIPSMA_SCORE`."""

    SCORE_0 = project_code("MIPSMA-0", "0: below blood pool")
    SCORE_1 = project_code("MIPSMA-1", "1: blood pool or above, below liver")
    SCORE_2 = project_code("MIPSMA-2", "2: liver or spleen or above, below parotid gland")
    SCORE_3 = project_code("MIPSMA-3", "3: parotid gland or above")
    NOT_EVALUABLE = project_code("MIPSMA-NE", "Not evaluable")


class BonePattern:
    """Values of `Concept.BONE_PATTERN`."""

    NONE = project_code("MIM1B-NONE", "No candidate for a bone metastasis")
    UNIFOCAL = project_code("MIM1B-UNI", "Unifocal")
    OLIGOMETASTATIC = project_code("MIM1B-OLIGO", "Oligometastatic, two or three")
    DISSEMINATED = project_code("MIM1B-DISS", "Disseminated, more than three")
    DIFFUSE_MARROW = project_code("MIM1B-DMI", "Diffuse marrow involvement")
    NOT_EVALUABLE = project_code("MIM1B-NE", "Not evaluable")


class SiteCertainty:
    """Values of `Concept.SITE_CERTAINTY`."""

    BONE = project_code("SITE-BONE", "Single bone")
    PART = project_code("SITE-PART", "Part of the skeleton, not the single bone")
    REGION = project_code("SITE-REGION", "Region of the skeleton only")
    NONE = project_code("SITE-NONE", "Not named")


class Site:
    """Finding sites (CID 8134, CID 4031); sides are told by `Laterality`."""

    ENTIRE_BODY = Code("38266002", "SCT", "Entire body")
    SKELETON = Code("272673000", "SCT", "Bone")
    SPINE = Code("421060004", "SCT", "Spine")
    THORAX = Code("272710004", "SCT", "Bone of thorax")
    PELVIS = Code("118645006", "SCT", "Pelvis")
    SKULL = Code("89546000", "SCT", "Skull")
    UPPER_LIMB = Code("371195002", "SCT", "Bone of upper limb")
    LOWER_LIMB = Code("72001000", "SCT", "Bone of lower limb")
    CERVICAL_SPINE = Code("122494005", "SCT", "Cervical spine")
    THORACIC_SPINE = Code("122495006", "SCT", "Thoracic spine")
    LUMBAR_SPINE = Code("122496007", "SCT", "Lumbar spine")
    SACRUM = Code("54735007", "SCT", "Sacrum")
    STERNUM = Code("56873002", "SCT", "Sternum")
    RIB = Code("113197003", "SCT", "Rib")
    CLAVICLE = Code("51299004", "SCT", "Clavicle")
    SCAPULA = Code("79601000", "SCT", "Scapula")
    HUMERUS = Code("85050009", "SCT", "Humerus")
    FEMUR = Code("71341001", "SCT", "Femur")


class Laterality:
    """CID 244."""

    LEFT = Code("7771000", "SCT", "Left")
    RIGHT = Code("24028007", "SCT", "Right")
    BILATERAL = Code("51440002", "SCT", "Right and left")


class View:
    """Projections (CID 26)."""

    ANTERIOR = Code("399321004", "SCT", "Anterior projection")
    POSTERIOR = Code("399001007", "SCT", "Posterior projection")
