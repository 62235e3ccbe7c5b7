"""What must be refused or doubted: a change to a study, the reason, and words of its sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.study import Reason
from tests.support import simulated as make
from tests.support.simulated import Change


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One way to break a study, and what its report must say: the reason, and words of its sentence."""

    name: str
    study: str
    change: Change
    reason: Reason
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Flagged:
    """A change that leaves the study assessable: a sentence of the report warns of it."""

    name: str
    study: str
    change: Change
    words: str
    without: str | None = None
    """What must not be measured then."""


GALLIUM = make.code("35337001", "^68^Gallium")
IODINE = make.code("21572004", "^123^Iodine")
MIBG = make.code("395787009", "Iobenguane I^123^")
CHOLINE = make.code("456992002", "Fluorocholine F^18^")

REFUSED = (
    Case(
        name="knee radiograph",
        study="ct",
        change=make.as_radiograph("KNEE"),
        reason=Reason.UNSUPPORTED_MODALITY,
        words="Modality DX",
    ),
    Case(
        name="MIBG scan",
        study="planar",
        change=make.drug(
            Radiopharmaceutical="I-123 MIBG", RadionuclideCodeSequence=IODINE, RadiopharmaceuticalCodeSequence=MIBG
        ),
        reason=Reason.UNSUPPORTED_TRACER,
        words="Tracer MIBG",
    ),
    Case(
        name="brain CT",
        study="ct",
        change=make.set_to(BodyPartExamined="BRAIN", SeriesDescription="CT brain", StudyDescription="Brain CT"),
        reason=Reason.UNSUPPORTED_EXAMINATION,
        words="head",
    ),
    Case(
        name="dynamic three-phase scan",
        study="planar",
        change=make.set_to(ImageType=["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"], SeriesDescription="3 PHASE FLOW"),
        reason=Reason.UNSUPPORTED_EXAMINATION,
        words="Dynamic, flow and blood-pool images are not assessed",
    ),
    Case(
        name="PET without attenuation correction",
        study="pet-alone",
        change=make.set_to(CorrectedImage=["DECY", "DTIM", "RAN", "NORM"]),
        reason=Reason.MISSING_CALIBRATION,
        words="not corrected for attenuation",
    ),
    Case(
        name="PET without weight",
        study="pet-alone",
        change=make.set_to(PatientWeight=None),
        reason=Reason.MISSING_CALIBRATION,
        words="weight is missing",
    ),
    Case(
        name="PET without dose",
        study="pet-alone",
        change=make.drug(RadionuclideTotalDose=None),
        reason=Reason.MISSING_CALIBRATION,
        words="dose is missing",
    ),
    Case(
        name="PET dose in kBq",
        study="pet-alone",
        change=make.drug(RadionuclideTotalDose="280000"),
        reason=Reason.MISSING_CALIBRATION,
        words="An injected dose of 0.28 MBq is not plausible; it may be written in another unit",
    ),
    Case(
        name="PET dose in mCi",
        study="pet-alone",
        change=make.drug(RadionuclideTotalDose="7.57"),
        reason=Reason.MISSING_CALIBRATION,
        words="An injected dose of 7.57 MBq is not plausible; it may be written in another unit",
    ),
    Case(
        name="PET dose in mCi that would do as MBq",
        study="pet-alone",
        change=lambda images: make.drug(RadionuclideTotalDose="20")(make.given(mbq=740.0)(images)),
        reason=Reason.MISSING_CALIBRATION,
        words="times the injected activity; the dose may be written in another unit",
    ),
    Case(
        name="PET with SUV already applied, still called Bq/ml",
        study="pet-alone",
        change=lambda images: make.set_to(Units="BQML", SUVType=None)(make.as_suv(images)),
        reason=Reason.MISSING_CALIBRATION,
        words="SUV may have been applied already",
    ),
    Case(
        name="half-life of another nuclide",
        study="pet-alone",
        change=make.drug(RadionuclideHalfLife="4057.7"),
        reason=Reason.MISSING_CALIBRATION,
        words="half-life does not fit",
    ),
    Case(
        name="PET in relative counts",
        study="pet-alone",
        change=make.set_to(Units="PROPCPS"),
        reason=Reason.MISSING_CALIBRATION,
        words="units 'PROPCPS'",
    ),
    Case(
        name="unknown tracer",
        study="pet-alone",
        change=lambda images: make.set_to(SeriesDescription="PET AC", StudyDescription="PET")(
            make.drug(Radiopharmaceutical=None, RadiopharmaceuticalCodeSequence=None)(images)
        ),
        reason=Reason.UNSUPPORTED_TRACER,
        words="does not name its tracer",
    ),
    Case(
        name="tracer without thresholds",
        study="pet-alone",
        change=make.drug(Radiopharmaceutical="Fluorocholine", RadiopharmaceuticalCodeSequence=CHOLINE),
        reason=Reason.UNSUPPORTED_TRACER,
        words="Tracer choline",
    ),
    Case(
        name="PSMA study under the code of FDG",
        study="pet-alone",
        change=make.set_to(SeriesDescription="PET 68Ga-PSMA-11 WB"),
        reason=Reason.UNSUPPORTED_TRACER,
        words="more than one tracer (FDG, PSMA)",
    ),
    Case(
        name="FDG labelled with gallium",
        study="pet-alone",
        change=make.drug(RadionuclideCodeSequence=GALLIUM, RadionuclideHalfLife="4057.7"),
        reason=Reason.UNSUPPORTED_TRACER,
        words="FDG labelled with Ga-68",
    ),
    Case(
        name="diffusion without b-values",
        study="mri",
        change=make.only(
            lambda image: "ADC" not in image.ImageType,
            then=make.set_to(DiffusionBValue=None, SequenceName=None),
        ),
        reason=Reason.MISSING_DIFFUSION,
        words="state no b-values",
    ),
    Case(
        name="MR without diffusion",
        study="mri",
        change=make.only(lambda image: "SeriesDescription" in image and "T1" in image.SeriesDescription),
        reason=Reason.MISSING_DIFFUSION,
        words="no diffusion-weighted series and no ADC map",
    ),
    Case(
        name="planar scan of 0.15 million counts",
        study="planar",
        change=make.thinned(0.08),
        reason=Reason.INSUFFICIENT_COUNTS,
        words="at least 200,000 are needed",
    ),
    Case(
        name="child by age",
        study="planar",
        change=make.set_to(PatientAge="012Y"),
        reason=Reason.PAEDIATRIC,
        words="under 18 years",
    ),
    Case(
        name="infant by birth date",
        study="ct",
        change=make.set_to(PatientAge=None, PatientBirthDate="20240101"),
        reason=Reason.PAEDIATRIC,
        words="under 18 years",
    ),
    Case(
        name="planar scan upside down",
        study="planar",
        change=make.turned(lambda pixels: pixels[:, ::-1, ::-1]),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="legs lie at the end where the header has the head",
    ),
    Case(
        name="planar scan on its side",
        study="planar",
        change=make.turned(lambda pixels: np.rot90(pixels, axes=(1, 2))),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="lies across the image",
    ),
    Case(
        name="CT head to feet",
        study="ct",
        change=make.head_to_feet,
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="trunk lies above the lungs",
    ),
    Case(
        name="CT back to front",
        study="ct",
        change=make.turned(lambda pixels: pixels[::-1]),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="spine lies at the front",
    ),
    Case(
        name="CT left to right",
        study="ct",
        change=make.turned(lambda pixels: pixels[:, ::-1]),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="liver seems to lie on the left",
    ),
    Case(
        name="CT turned by a quarter",
        study="ct",
        change=make.turned(np.rot90),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as if it had been turned by a quarter",
    ),
    Case(
        name="PET left to right on a CT that is not",
        study="pet",
        change=make.of_modality("PT", make.turned(lambda pixels: pixels[:, ::-1])),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as well as with left and right exchanged",
    ),
    Case(
        name="PET back to front on a CT that is not",
        study="pet",
        change=make.of_modality("PT", make.turned(lambda pixels: pixels[::-1])),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as well as with front and back exchanged",
    ),
    Case(
        name="PET head to feet on a CT that is not",
        study="pet",
        change=make.of_modality("PT", make.head_to_feet),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as well as with head and feet exchanged",
    ),
    Case(
        name="PET turned by a quarter on a CT that is not",
        study="pet",
        change=make.of_modality("PT", make.turned(np.rot90)),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as well as with a quarter turn",
    ),
    Case(
        name="SPECT left to right on a CT that is not",
        study="spect",
        change=make.of_modality("NM", make.turned(lambda pixels: pixels[..., ::-1])),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as well as with left and right exchanged",
    ),
    Case(
        name="SPECT/CT turned by a quarter",
        study="spect",
        change=make.turned(lambda pixels: np.rot90(pixels, axes=(-2, -1))),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="as if it had been turned by a quarter",
    ),
    Case(
        name="PET/CT left to right",
        study="pet",
        change=make.turned(lambda pixels: pixels[:, ::-1]),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="situs inversus",
    ),
    Case(
        name="SPECT/CT left to right",
        study="spect",
        change=make.turned(lambda pixels: pixels[..., ::-1]),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="liver seems to lie on the left",
    ),
    Case(
        name="SPECT/CT back to front",
        study="spect",
        change=make.turned(lambda pixels: pixels[..., ::-1, :]),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="spine lies at the front",
    ),
    Case(
        name="SPECT/CT turned half round",
        study="spect",
        change=make.turned(lambda pixels: np.rot90(pixels, k=2, axes=(-2, -1))),
        reason=Reason.UNEXPLAINED_ORIENTATION,
        words="spine lies at the front",
    ),
    *(
        Case(
            name=f"noise in the place of {study}",
            study=study,
            change=make.noise,
            reason=Reason.BONE_NOT_FOUND,
            words=words,
        )
        for study, words in (
            ("planar", "is expected of a bone scan"),
            ("ct", "0.0 ml of bone"),
            ("pet", "neighbouring voxels correlate by"),
            ("pet-alone", "neighbouring voxels correlate by"),
            ("spect", "neighbouring voxels correlate by"),
            ("mri", "No spinal canal was found"),
        )
    ),
)

FLAGGED = (
    Flagged(
        name="planar scan of 0.35 million counts",
        study="planar",
        change=make.thinned(0.19),
        words="below 500,000 the hot spots are unreliable",
        without="Bone Scan Index",
    ),
    Flagged(
        name="SPECT dose in kBq",
        study="spect",
        change=make.of_modality("NM", make.drug(RadionuclideTotalDose="680000")),
        words="an injected dose of 0.68 MBq is not plausible; it may be written in another unit",
        without="SUVbw",
    ),
    Flagged(
        name="SPECT dose in mCi",
        study="spect",
        change=make.of_modality("NM", make.drug(RadionuclideTotalDose="18.4")),
        words="an injected dose of 18.4 MBq is not plausible; it may be written in another unit",
        without="SUVbw",
    ),
    Flagged(
        name="age not stated",
        study="planar",
        change=make.set_to(PatientAge=None, PatientBirthDate=None),
        words="Age of the patient: not evaluable.",
    ),
)
